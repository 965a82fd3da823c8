/*
 * Quotas: a request in, whether it may pass out.
 *
 * Zone first; when the zone has no lease left, one asynchronous round trip to
 * Redis, which everybody who waits for the same user's lease shares.  Redis
 * gone, the zone decides alone.  Knows no request: who asks brings a waiter.
 */

#ifndef NGX_PROXY_USER_QUOTA_H
#define NGX_PROXY_USER_QUOTA_H

#include "ngx_proxy_user_zone_limit.h"


typedef struct ngx_proxy_user_quotas_s  ngx_proxy_user_quotas_t;

typedef struct {
    ngx_queue_t          queue;
    void               (*handler)(void *data);
    void                *data;
    ngx_msec_t           since;         /* of the first wait; 0: none yet */
    unsigned             waiting:1;
    unsigned             failed:1;      /* Redis could not be asked */
} ngx_proxy_user_turn_t;


/* In a worker; connects.  "redis" NULL: none.  NULL when memory is gone. */
ngx_proxy_user_quotas_t *ngx_proxy_user_quotas_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_redis_conf_t *redis, ngx_proxy_user_zone_t *zone);

/* Nobody is called back. */
void ngx_proxy_user_quotas_close(ngx_proxy_user_quotas_t *quotas);

/*
 * NGX_OK: the request of the user "id" may pass.  NGX_DECLINED: the quota is
 * used up.  NGX_AGAIN: "turn" is called once, from an event of its own, and
 * then this function is to be called again.  It is in memory that stays until
 * then or until detach; to begin with all of it but handler and data is zero.
 */
ngx_int_t ngx_proxy_user_quota(ngx_proxy_user_quotas_t *quotas,
    const u_char *id, const pu_quota_t *quota, pu_left_t *left,
    ngx_proxy_user_turn_t *turn);

/* The turn will not be called; the lease stays for others. */
void ngx_proxy_user_quota_detach(ngx_proxy_user_turn_t *turn);


#endif /* NGX_PROXY_USER_QUOTA_H */
