
/*
 * The part of the shared memory that is about single tokens: verified ones,
 * revoked ones, and proofs that have been seen.
 *
 * A token whose name may be revoked has that name in front of its bytes, with
 * how much of the change log had been applied when Redis was asked: what was
 * answered holds until the log says otherwise, or has forgotten.
 */

#include "ngx_proxy_user_zone_own.h"
#include "pu_dpop.h"


#define NGX_PROXY_USER_NAMED  1         /* mark of such a token */


typedef struct {
    uint64_t    applied;
    u_char      digest[PU_SHA256_LEN];
} ngx_proxy_user_token_name_t;


ngx_int_t
ngx_proxy_user_zone_token(ngx_proxy_user_zone_t *zone, const u_char *key,
    ngx_msec_t age, u_char *data, size_t *len, ngx_proxy_user_jti_t *jti)
{
    size_t                        skip;
    ngx_int_t                     rc;
    ngx_proxy_user_entry_t       *e;
    ngx_proxy_user_arena_t       *arena;
    ngx_proxy_user_token_name_t   name;

    rc = NGX_DECLINED;
    arena = &zone->arena;

    ngx_memzero(jti, sizeof(ngx_proxy_user_jti_t));
    jti->good = 1;

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_arena_find(arena, NGX_PROXY_USER_TOKENS, key);

    if (e && ngx_proxy_user_zone_age(e->stamp) >= age) {
        ngx_proxy_user_arena_drop(arena, e);
        e = NULL;
    }

    if (e) {
        skip = 0;
        jti->since = e->stamp;

        if (e->mark == NGX_PROXY_USER_NAMED) {
            skip = sizeof(name);
            ngx_memcpy(&name, arena->chunks[e->more].part.data, skip);

            ngx_memcpy(jti->digest, name.digest, PU_SHA256_LEN);
            jti->named = 1;
            jti->good = !ngx_proxy_user_zone_jti_changed(zone, name.digest,
                                                         name.applied);
        }

        *len = ngx_proxy_user_arena_copy(arena, e, data, skip);
        ngx_proxy_user_arena_use(arena, e);
        rc = NGX_OK;
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


void
ngx_proxy_user_zone_put_token(ngx_proxy_user_zone_t *zone, const u_char *key,
    const u_char *data, size_t len, const ngx_proxy_user_jti_t *jti)
{
    u_char                       *p;
    u_char                        record[NGX_PROXY_USER_RECORD_MAX
                                         + sizeof(ngx_proxy_user_token_name_t)];
    ngx_proxy_user_entry_t       *e;
    ngx_proxy_user_token_name_t   name;

    if (len > NGX_PROXY_USER_RECORD_MAX) {
        return;
    }

    p = record;

    if (jti->named) {
        ngx_memzero(&name, sizeof(name));
        name.applied = jti->applied;
        ngx_memcpy(name.digest, jti->digest, PU_SHA256_LEN);
        p = ngx_cpymem(p, &name, sizeof(name));
    }

    p = ngx_cpymem(p, data, len);

    ngx_proxy_user_zone_lock(zone);

    if (!jti->named
        || !ngx_proxy_user_zone_jti_changed(zone, jti->digest, jti->applied))
    {
        e = ngx_proxy_user_arena_put(&zone->arena, NGX_PROXY_USER_TOKENS, key,
                                     jti->since, record, p - record);

        if (e && jti->named) {
            e->mark = NGX_PROXY_USER_NAMED;
        }

        ngx_proxy_user_arena_forget(&zone->arena, NGX_PROXY_USER_REFUSED,
                                    key);
    }

    ngx_proxy_user_zone_unlock(zone);
}


pu_reason_t
ngx_proxy_user_zone_refused(ngx_proxy_user_zone_t *zone, const u_char *key)
{
    pu_reason_t              reason;
    ngx_proxy_user_entry_t  *e;

    reason = PU_OK;

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_REFUSED, key);

    if (e && ngx_proxy_user_zone_age(e->stamp) < NGX_PROXY_USER_REFUSED_AGE) {
        reason = (pu_reason_t) e->mark;
        ngx_proxy_user_arena_use(&zone->arena, e);
    }

    ngx_proxy_user_zone_unlock(zone);

    return reason;
}


void
ngx_proxy_user_zone_put_refused(ngx_proxy_user_zone_t *zone,
    const u_char *key, pu_reason_t reason, ngx_msec_t since)
{
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_arena_put(&zone->arena, NGX_PROXY_USER_REFUSED, key,
                                 since, NULL, 0);

    if (e) {
        e->mark = reason;
    }

    ngx_proxy_user_arena_forget(&zone->arena, NGX_PROXY_USER_TOKENS, key);

    ngx_proxy_user_zone_unlock(zone);
}


ngx_uint_t
ngx_proxy_user_zone_jti_changed(ngx_proxy_user_zone_t *zone,
    const u_char *digest, uint64_t applied)
{
    ngx_proxy_user_list_t   *list;
    ngx_proxy_user_entry_t  *e;

    list = &zone->arena.head->lists[NGX_PROXY_USER_JTIS];

    if (zone->head->forgot > applied || list->evicted > applied) {
        return 1;
    }

    e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_JTIS, digest);

    return e && e->stamp > applied;
}


ngx_uint_t
ngx_proxy_user_zone_revoked(ngx_proxy_user_zone_t *zone, const u_char *digest)
{
    ngx_uint_t  found;

    ngx_proxy_user_zone_lock(zone);

    found = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_JTIS,
                                      digest)
            != NULL;

    ngx_proxy_user_zone_unlock(zone);

    return found;
}


/* The stamps are seconds since 1970, as those of the proofs themselves are. */

ngx_int_t
ngx_proxy_user_zone_once(ngx_proxy_user_zone_t *zone, const u_char *digest,
    time_t now, int64_t iat)
{
    ngx_int_t                rc;
    ngx_proxy_user_list_t   *list;
    ngx_proxy_user_entry_t  *e;

    rc = NGX_OK;

    ngx_proxy_user_zone_lock(zone);

    list = &zone->arena.head->lists[NGX_PROXY_USER_PROOFS];
    e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_PROOFS,
                                  digest);

    if (e && (int64_t) e->stamp + PU_DPOP_REMEMBER >= (int64_t) now) {
        rc = NGX_DECLINED;

    } else if (list->evicted
               && iat <= (int64_t) list->evicted + PU_DPOP_FUTURE)
    {
        /* one that was seen before that one was, may have gone with it */

        rc = NGX_BUSY;

    } else if (ngx_proxy_user_arena_put(&zone->arena, NGX_PROXY_USER_PROOFS,
                                        digest, now, NULL, 0)
               == NULL)
    {
        rc = NGX_BUSY;
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}
