/*
 * Long responses are ended when their user may no longer be here.
 *
 * Each worker knows the requests it has let in, by user and by handle.  The
 * zone tells which of those have changed; they are looked up again, and who is
 * now refused is cut off.  A request costs a few links; a tick costs nothing
 * while nobody has changed, however many are open.
 */

#ifndef NGX_PROXY_USER_CUT_H
#define NGX_PROXY_USER_CUT_H

#include "ngx_proxy_user_identity.h"


#define NGX_PROXY_USER_CUT_OFF      0
#define NGX_PROXY_USER_CUT_REVOKED  1
#define NGX_PROXY_USER_CUT_ON       2       /* and when the token expires */


/* words of the directive */
extern ngx_conf_enum_t  ngx_proxy_user_cut[];

/* In a worker, at its start and end.  NULL when memory is gone. */
ngx_proxy_user_cuts_t *ngx_proxy_user_cuts_open(ngx_cycle_t *cycle,
    ngx_proxy_user_main_conf_t *mcf);
void ngx_proxy_user_cuts_close(ngx_proxy_user_cuts_t *cuts);

/* The request has been let in; it is forgotten by itself at its end. */
void ngx_proxy_user_cut_watch(ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf, ngx_proxy_user_cuts_t *cuts);


#endif /* NGX_PROXY_USER_CUT_H */
