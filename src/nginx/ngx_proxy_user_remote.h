/*
 * Issuers that are asked over the network, as the configuration has them:
 * whom to trust, and where their hosts are.
 */

#ifndef NGX_PROXY_USER_REMOTE_H
#define NGX_PROXY_USER_REMOTE_H

#include "ngx_proxy_user.h"


/* Fills mcf->remotes: one for each issuer, NULL where nothing is fetched. */
ngx_int_t ngx_proxy_user_remotes(ngx_conf_t *cf,
    ngx_proxy_user_main_conf_t *mcf);


#endif /* NGX_PROXY_USER_REMOTE_H */
