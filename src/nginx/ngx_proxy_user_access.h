/*
 * The phase handlers.  Only this file returns phase codes.
 */

#ifndef NGX_PROXY_USER_ACCESS_H
#define NGX_PROXY_USER_ACCESS_H

#include "ngx_proxy_user.h"


/* Identity headers from outside go, also where proxy_user is off. */
ngx_int_t ngx_proxy_user_preaccess_handler(ngx_http_request_t *r);

/* Decides; may wait for the store. */
ngx_int_t ngx_proxy_user_access_handler(ngx_http_request_t *r);

/*
 * Refuses a subrequest into a protected location, which no access phase has
 * seen, and draws the consequences when another module has let in a request
 * that this one refused.
 */
ngx_int_t ngx_proxy_user_precontent_handler(ngx_http_request_t *r);


#endif /* NGX_PROXY_USER_ACCESS_H */
