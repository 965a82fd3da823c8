/*
 * What limits count, in the shared memory: rates, quotas and requests under
 * way of users, failures of addresses.
 *
 * A user's limits and the failures of addresses have budgets of their own: the
 * least recently used goes, and begins anew when it comes again.  As for the
 * rest of the zone: copy in, copy out, a lock for each call, no callback.
 */

#ifndef NGX_PROXY_USER_ZONE_LIMIT_H
#define NGX_PROXY_USER_ZONE_LIMIT_H

#include "ngx_proxy_user_zone.h"
#include "pu_limit.h"


/* A worker that has not been heard of for so long (ms) is dead. */
#define NGX_PROXY_USER_WORKER_AGE   5000
#define NGX_PROXY_USER_WORKER_BEAT  1000


/* A request of the user "id": 1 when it is not too early, else 0. */
ngx_uint_t ngx_proxy_user_zone_rate(ngx_proxy_user_zone_t *zone,
    const u_char *id, const pu_rate_t *rate, pu_left_t *left);


/* A lease that somebody has to ask for. */
typedef struct {
    u_char               id[PU_USER_ID_LEN];
    pu_quota_t           quota;
    int64_t              start;         /* of the period */
    int64_t              debt;          /* used without a lease */
    ngx_msec_t           asked;
} ngx_proxy_user_lease_t;

/*
 * A request of the user "id".  NGX_OK: it may pass.  NGX_DECLINED: the quota
 * is used up.  NGX_AGAIN: "lease" is to be asked for, by who called and nobody
 * else until ..._leased says what came of it, or for "patience" ms.  NGX_BUSY:
 * somebody is asking.  With "alone" (no Redis, or none that answers) it is
 * always one of the first two.
 */
ngx_int_t ngx_proxy_user_zone_quota(ngx_proxy_user_zone_t *zone,
    const u_char *id, const pu_quota_t *quota, ngx_uint_t alone,
    ngx_msec_t patience, ngx_proxy_user_lease_t *lease, pu_left_t *left);

/* "total" is the counter afterwards; lost: it could not be asked. */
void ngx_proxy_user_zone_leased(ngx_proxy_user_zone_t *zone,
    const ngx_proxy_user_lease_t *lease, int64_t granted, int64_t total);
void ngx_proxy_user_zone_lost(ngx_proxy_user_zone_t *zone,
    const ngx_proxy_user_lease_t *lease);


/*
 * Requests under way are counted for each worker, so that those of a worker
 * that was killed can be told: its number is never used again, and it has to
 * say every NGX_PROXY_USER_WORKER_BEAT ms that it lives.
 */
uint32_t ngx_proxy_user_zone_worker(ngx_proxy_user_zone_t *zone);
void ngx_proxy_user_zone_worker_lives(ngx_proxy_user_zone_t *zone,
    uint32_t worker);
void ngx_proxy_user_zone_worker_ends(ngx_proxy_user_zone_t *zone,
    uint32_t worker);

/*
 * enter: 1 when the user has less than "most" requests under way; then leave
 * has to follow, once.
 */
ngx_uint_t ngx_proxy_user_zone_enter(ngx_proxy_user_zone_t *zone,
    const u_char *id, uint32_t worker, int64_t most, pu_left_t *left);
void ngx_proxy_user_zone_leave(ngx_proxy_user_zone_t *zone,
    const u_char *id, uint32_t worker);


/*
 * The failures of an address, by a digest of it and the salt: who chooses
 * addresses must not be able to choose where they are kept.
 */
void ngx_proxy_user_zone_salt(ngx_proxy_user_zone_t *zone,
    u_char salt[NGX_PROXY_USER_SALT_LEN]);
ngx_uint_t ngx_proxy_user_zone_failures(ngx_proxy_user_zone_t *zone,
    const u_char key[NGX_PROXY_USER_KEY_LEN], const pu_rate_t *rate,
    pu_left_t *left);
void ngx_proxy_user_zone_failed(ngx_proxy_user_zone_t *zone,
    const u_char key[NGX_PROXY_USER_KEY_LEN], const pu_rate_t *rate);


#endif /* NGX_PROXY_USER_ZONE_LIMIT_H */
