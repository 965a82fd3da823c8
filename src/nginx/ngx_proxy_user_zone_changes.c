
/*
 * The latest changes, for those who must act on one and not only find out
 * when they ask: a ring of keys in the zone, with the number of all so far.
 *
 * Who has not looked for longer than the ring remembers is told that, and has
 * to look at everything.
 */

#include "ngx_proxy_user_zone_own.h"


#define NGX_PROXY_USER_RING_SHARE  64       /* of the zone's bytes */
#define NGX_PROXY_USER_RING_MIN    16
#define NGX_PROXY_USER_RING_MAX    8192


static u_char *ngx_proxy_user_zone_slot(ngx_proxy_user_zone_t *zone,
    uint64_t n);


size_t
ngx_proxy_user_zone_ring(ngx_proxy_user_head_t *head, size_t size)
{
    size_t  n;

    n = size / NGX_PROXY_USER_RING_SHARE / NGX_PROXY_USER_KEY_LEN;
    n = ngx_max(n, NGX_PROXY_USER_RING_MIN);
    n = ngx_min(n, NGX_PROXY_USER_RING_MAX);

    head->nring = n;
    head->ring = size - n * NGX_PROXY_USER_KEY_LEN;

    return n * NGX_PROXY_USER_KEY_LEN;
}


static u_char *
ngx_proxy_user_zone_slot(ngx_proxy_user_zone_t *zone, uint64_t n)
{
    return (u_char *) zone->head + zone->head->ring
           + n % zone->head->nring * NGX_PROXY_USER_KEY_LEN;
}


void
ngx_proxy_user_zone_note(ngx_proxy_user_zone_t *zone, const u_char *key)
{
    ngx_memcpy(ngx_proxy_user_zone_slot(zone, zone->head->changes), key,
               NGX_PROXY_USER_KEY_LEN);

    zone->head->changes++;
}


void
ngx_proxy_user_zone_note_all(ngx_proxy_user_zone_t *zone)
{
    zone->head->missed = ++zone->head->changes;
}


ngx_int_t
ngx_proxy_user_zone_changes(ngx_proxy_user_zone_t *zone, uint64_t *seen,
    u_char (*keys)[NGX_PROXY_USER_KEY_LEN], ngx_uint_t max)
{
    uint64_t                 i, n;
    ngx_int_t                rc;
    ngx_proxy_user_head_t   *head;

    head = zone->head;

    if (*(volatile uint64_t *) &head->changes == *seen) {
        return 0;
    }

    ngx_proxy_user_zone_lock(zone);

    n = head->changes - *seen;

    if (head->missed > *seen || n > head->nring) {
        rc = NGX_DECLINED;
        *seen = head->changes;

    } else {
        n = ngx_min(n, max);
        rc = n;

        for (i = 0; i < n; i++) {
            ngx_memcpy(keys[i], ngx_proxy_user_zone_slot(zone, *seen + i),
                       NGX_PROXY_USER_KEY_LEN);
        }

        *seen += n;
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}
