/*
 * The body of a request in memory, in one piece: never a file, never more than
 * is allowed, and counted as it comes, since its length need not be said.
 *
 * For content handlers that answer themselves.  One body a request.
 */

#ifndef NGX_PROXY_USER_BODY_H
#define NGX_PROXY_USER_BODY_H

#include "ngx_proxy_user.h"


typedef struct ngx_proxy_user_body_s  ngx_proxy_user_body_t;

/*
 * "rc": NGX_OK, all of it is there; NGX_DECLINED, it is too large.  Returns
 * what the request is finalized with, or NGX_AGAIN when somebody else will.
 */
typedef ngx_int_t (*ngx_proxy_user_body_pt)(ngx_http_request_t *r,
    void *data, ngx_int_t rc);

struct ngx_proxy_user_body_s {
    size_t                   max;       /* set by who reads it, as are ... */
    ngx_proxy_user_body_pt   handler;
    void                    *data;
    pu_str_t                 text;      /* in the request's pool */
    u_char                  *start;     /* own */
    size_t                   size;      /* own */
};


/*
 * Reads it; returns what the content handler returns.  "body" lives as long
 * as the request; the handler may be called before this returns.
 */
ngx_int_t ngx_proxy_user_body_read(ngx_http_request_t *r,
    ngx_proxy_user_body_t *body);

/*
 * The settings of a location whose handler reads a body so: the lesser of
 * "max" and nginx's client_max_body_size, which nginx itself then no longer
 * looks at: what is too large is told in the handler's words.
 */
size_t ngx_proxy_user_body_max(ngx_conf_t *cf, size_t max);


#endif /* NGX_PROXY_USER_BODY_H */
