/*
 * When a key or certificate was last good for a request: {prefix}:used:<public
 * id> in Redis, seconds since 1970.
 *
 * At most one write a minute and handle, by all workers together, which
 * nobody waits for: a request is never later for it, and what is lost while
 * Redis is away is not made up for.
 */

#ifndef NGX_PROXY_USER_USED_H
#define NGX_PROXY_USER_USED_H

#include "ngx_proxy_user_redis.h"
#include "ngx_proxy_user_zone.h"


void ngx_proxy_user_used(ngx_proxy_user_redis_t *redis,
    ngx_proxy_user_zone_t *zone, pu_str_t prefix, const u_char *digest,
    pu_str_t id);


#endif /* NGX_PROXY_USER_USED_H */
