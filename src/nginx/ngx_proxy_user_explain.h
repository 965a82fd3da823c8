/*
 * proxy_user_explain: what would be decided about another request, as JSON.
 *
 * For operators.  Decides by the functions that decide live requests; makes no
 * user, counts nothing and changes nothing.
 */

#ifndef NGX_PROXY_USER_EXPLAIN_H
#define NGX_PROXY_USER_EXPLAIN_H

#include "ngx_proxy_user.h"


/* The content handler. */
ngx_int_t ngx_proxy_user_explain_handler(ngx_http_request_t *r);


#endif /* NGX_PROXY_USER_EXPLAIN_H */
