/*
 * The limits of a request's user: rate, requests under way, quota.
 *
 * Each counts a request once, whatever redirects do with it.  What is left is
 * told in headers.
 */

#ifndef NGX_PROXY_USER_LIMIT_H
#define NGX_PROXY_USER_LIMIT_H

#include "ngx_proxy_user_identity.h"
#include "pu_limit.h"


/* In a worker; NULL when memory is gone. */
ngx_proxy_user_limits_t *ngx_proxy_user_limits_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf);
void ngx_proxy_user_limits_close(ngx_proxy_user_limits_t *limits);

/*
 * May the caller, who has been allowed all else with the roles in id->last, go
 * on?  PU_OK, or PU_OK with id->leave set: wait; else the reason.
 */
pu_reason_t ngx_proxy_user_limit(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);

/*
 * The headers for what came of it, or of the guard, once; none where nothing is
 * limited.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_proxy_user_limit_tell(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);

/*
 * RateLimit-Policy and RateLimit; with "wait", in seconds, Retry-After.  The
 * values are copied.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_proxy_user_limit_headers(ngx_http_request_t *r,
    pu_str_t policy, pu_str_t left, int64_t wait);


#endif /* NGX_PROXY_USER_LIMIT_H */
