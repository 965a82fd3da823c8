/*
 * The guard: who fails too often from one address has to wait.
 *
 * For whatever takes credentials: it asks "open" before it does anything dear
 * with one, and says "failed" when one was no good.  An address of IPv6 is its
 * first 64 bits; a unix socket has none and is never guarded.
 */

#ifndef NGX_PROXY_USER_GUARD_H
#define NGX_PROXY_USER_GUARD_H

#include "ngx_proxy_user.h"
#include "pu_limit.h"


/* 1, also where there is no guard, or 0: 429 is due and "left" says when. */
ngx_uint_t ngx_proxy_user_guard_open(ngx_http_request_t *r, pu_left_t *left);

/* "reason" where that is open, else PU_TOO_MANY_FAILURES. */
pu_reason_t ngx_proxy_user_guard_reason(ngx_http_request_t *r,
    pu_reason_t reason, pu_left_t *left);

/* The headers that go with such a 429.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_proxy_user_guard_headers(ngx_http_request_t *r,
    const pu_left_t *left);

/*
 * A credential was presented and answered with this reason; only those that
 * somebody who tries out credentials would meet are counted.
 */
void ngx_proxy_user_guard_failed(ngx_http_request_t *r, pu_reason_t reason);

/* The setter of proxy_user_guard. */
char *ngx_proxy_user_guard_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* NGX_PROXY_USER_GUARD_H */
