/*
 * Says that a record in Redis cannot be read: one line a second for the same
 * record, since whoever has a credential that leads to it could fill the log.
 *
 * Redis itself is well then: that is for others to say.
 */

#ifndef NGX_PROXY_USER_UNREAD_H
#define NGX_PROXY_USER_UNREAD_H

#include "ngx_proxy_user.h"
#include "pu_command.h"


/* What was told last; all zero: nothing. */
typedef struct ngx_proxy_user_unread_s {
    time_t                          at;
    u_char                          digest[PU_SHA256_LEN];
} ngx_proxy_user_unread_t;


void ngx_proxy_user_unread_handle(ngx_proxy_user_unread_t *unread,
    ngx_log_t *log, pu_handle_kind_t kind, const u_char *digest);

/* Whether the token of this name has been revoked. */
void ngx_proxy_user_unread_jti(ngx_proxy_user_unread_t *unread,
    ngx_log_t *log, const u_char *digest);


#endif /* NGX_PROXY_USER_UNREAD_H */
