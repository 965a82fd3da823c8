/*
 * Where another request would land: the server of a host, the location of a
 * path.
 *
 * Looks nginx's own tables up, as they stand at request time, and runs no
 * phase: what rewrite, return, if, try_files or error_page would make of the
 * request is not known here.
 */

#ifndef NGX_PROXY_USER_PLACE_H
#define NGX_PROXY_USER_PLACE_H

#include "ngx_proxy_user.h"


typedef struct {
    ngx_http_core_srv_conf_t         *server;
    ngx_http_core_loc_conf_t         *location;
    const ngx_proxy_user_loc_conf_t  *conf;     /* with limit_except's */
} ngx_proxy_user_place_t;


/*
 * "host" is a name, maybe with a port; empty: the server of "r".  "uri" is as
 * a client sends it, arguments are allowed; "method" in capitals.  NGX_OK,
 * NGX_DECLINED when nginx would not take the uri, NGX_ERROR: no memory.
 */
ngx_int_t ngx_proxy_user_place(ngx_http_request_t *r, ngx_str_t host,
    ngx_str_t uri, pu_str_t method, ngx_proxy_user_place_t *place);


#endif /* NGX_PROXY_USER_PLACE_H */
