/*
 * What a refusal looks like: status, challenge, problem body.
 */

#ifndef NGX_PROXY_USER_RESPOND_H
#define NGX_PROXY_USER_RESPOND_H

#include "ngx_proxy_user_identity.h"


/*
 * Prepares the answer to id->last, a refusal: headers now, and the body later
 * if the client wants JSON and no error_page takes it.  Returns the HTTP
 * status, 500 when memory is gone.
 */
ngx_int_t ngx_proxy_user_respond(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);

/*
 * Somebody else has let the request in: takes the answer back, and with it
 * the challenge of another module that ours has covered.
 */
void ngx_proxy_user_respond_withdraw(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);

/* Hooks the filter in; postconfiguration of the filter module. */
ngx_int_t ngx_proxy_user_respond_init(ngx_conf_t *cf);


#endif /* NGX_PROXY_USER_RESPOND_H */
