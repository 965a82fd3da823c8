
/*
 * Key sets in the zone; see the header.
 *
 * A set lies there in parts, each put and copied under a lock of its own.
 * They go by the set's digest, so that parts of two sets are never mixed, and
 * whoever has put them together again compares the digest.
 */

#include "ngx_proxy_user_zone_keys.h"
#include "ngx_proxy_user_zone_own.h"


#define NGX_PROXY_USER_KEYS_PART  4096


static void ngx_proxy_user_zone_keys_read(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, ngx_proxy_user_keys_t *keys);
static void ngx_proxy_user_zone_keys_write(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, const ngx_proxy_user_keys_t *keys);
static void ngx_proxy_user_zone_keys_put(ngx_proxy_user_zone_t *zone,
    const ngx_str_t *text, const u_char *digest);
static void ngx_proxy_user_zone_keys_forget(ngx_proxy_user_zone_t *zone,
    const ngx_proxy_user_keys_t *keys);
static void ngx_proxy_user_zone_keys_part(u_char *key, const u_char *digest,
    uint32_t n);


ngx_atomic_uint_t
ngx_proxy_user_zone_keys_news(ngx_proxy_user_zone_t *zone)
{
    return zone->head->keys;
}


static void
ngx_proxy_user_zone_keys_read(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, ngx_proxy_user_keys_t *keys)
{
    ngx_proxy_user_entry_t  *e;

    ngx_memzero(keys, sizeof(ngx_proxy_user_keys_t));

    e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_KEYS, issuer);

    if (e && e->len == sizeof(ngx_proxy_user_keys_t)) {
        (void) ngx_proxy_user_arena_copy(&zone->arena, e, (u_char *) keys, 0);
        ngx_proxy_user_arena_use(&zone->arena, e);
    }
}


static void
ngx_proxy_user_zone_keys_write(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, const ngx_proxy_user_keys_t *keys)
{
    (void) ngx_proxy_user_arena_put(&zone->arena, NGX_PROXY_USER_KEYS, issuer,
                                    ngx_current_msec, (const u_char *) keys,
                                    sizeof(ngx_proxy_user_keys_t));
}


void
ngx_proxy_user_zone_keys(ngx_proxy_user_zone_t *zone, const u_char *issuer,
    ngx_proxy_user_keys_t *keys)
{
    ngx_proxy_user_zone_lock(zone);

    ngx_proxy_user_zone_keys_read(zone, issuer, keys);

    ngx_proxy_user_zone_unlock(zone);
}


pu_refresh_say_t
ngx_proxy_user_zone_keys_ask(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, ngx_msec_t timeout, ngx_uint_t unknown_kid)
{
    pu_refresh_say_t       say;
    ngx_proxy_user_keys_t  keys;

    ngx_proxy_user_zone_lock(zone);

    ngx_proxy_user_zone_keys_read(zone, issuer, &keys);

    if (unknown_kid) {
        say = pu_refresh_unknown_kid(&keys.refresh, ngx_current_msec, timeout,
                                     ngx_pid);

    } else {
        say = pu_refresh_tick(&keys.refresh, ngx_current_msec, timeout,
                              ngx_pid);
    }

    if (say == PU_REFRESH_YOURS) {
        ngx_proxy_user_zone_keys_write(zone, issuer, &keys);
    }

    ngx_proxy_user_zone_unlock(zone);

    return say;
}


ngx_int_t
ngx_proxy_user_zone_keys_good(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, const ngx_str_t *text, const u_char *digest,
    int64_t fresh, ngx_proxy_user_keys_t *before)
{
    ngx_int_t              rc;
    ngx_uint_t             changed;
    ngx_proxy_user_keys_t  keys;

    /* the parts first: who reads of them finds them */

    ngx_proxy_user_zone_keys_put(zone, text, digest);

    rc = NGX_DECLINED;

    ngx_proxy_user_zone_lock(zone);

    ngx_proxy_user_zone_keys_read(zone, issuer, before);

    keys = *before;
    changed = keys.len != text->len
              || ngx_memcmp(keys.digest, digest, PU_SHA256_LEN) != 0;

    if (pu_refresh_good(&keys.refresh, ngx_current_msec, ngx_pid, fresh,
                        changed))
    {
        rc = NGX_OK;

        keys.len = text->len;
        ngx_memcpy(keys.digest, digest, PU_SHA256_LEN);

        ngx_proxy_user_zone_keys_write(zone, issuer, &keys);

        zone->head->keys++;
    }

    ngx_proxy_user_zone_unlock(zone);

    if (rc == NGX_OK && changed) {
        ngx_proxy_user_zone_keys_forget(zone, before);
    }

    return rc;
}


ngx_int_t
ngx_proxy_user_zone_keys_bad(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, ngx_proxy_user_keys_t *before)
{
    ngx_int_t              rc;
    ngx_proxy_user_keys_t  keys;

    rc = NGX_DECLINED;

    ngx_proxy_user_zone_lock(zone);

    ngx_proxy_user_zone_keys_read(zone, issuer, before);

    keys = *before;

    if (pu_refresh_bad(&keys.refresh, ngx_current_msec, ngx_pid)) {
        rc = NGX_OK;
        ngx_proxy_user_zone_keys_write(zone, issuer, &keys);
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


void
ngx_proxy_user_zone_keys_leave(ngx_proxy_user_zone_t *zone,
    const u_char *issuer)
{
    ngx_proxy_user_keys_t  keys;

    ngx_proxy_user_zone_lock(zone);

    ngx_proxy_user_zone_keys_read(zone, issuer, &keys);

    if (keys.refresh.holder == ngx_pid) {
        pu_refresh_leave(&keys.refresh, ngx_pid);
        ngx_proxy_user_zone_keys_write(zone, issuer, &keys);
    }

    ngx_proxy_user_zone_unlock(zone);
}


static void
ngx_proxy_user_zone_keys_put(ngx_proxy_user_zone_t *zone,
    const ngx_str_t *text, const u_char *digest)
{
    u_char    key[NGX_PROXY_USER_KEY_LEN];
    size_t    at, len;
    uint32_t  n;

    for (n = 0, at = 0; at < text->len; n++, at += len) {
        len = ngx_min(text->len - at, NGX_PROXY_USER_KEYS_PART);

        ngx_proxy_user_zone_keys_part(key, digest, n);

        ngx_proxy_user_zone_lock(zone);

        (void) ngx_proxy_user_arena_put(&zone->arena, NGX_PROXY_USER_KEYS,
                                        key, ngx_current_msec,
                                        text->data + at, len);

        ngx_proxy_user_zone_unlock(zone);
    }
}


static void
ngx_proxy_user_zone_keys_forget(ngx_proxy_user_zone_t *zone,
    const ngx_proxy_user_keys_t *keys)
{
    u_char    key[NGX_PROXY_USER_KEY_LEN];
    size_t    at;
    uint32_t  n;

    for (n = 0, at = 0; at < keys->len;
         n++, at += NGX_PROXY_USER_KEYS_PART)
    {
        ngx_proxy_user_zone_keys_part(key, keys->digest, n);

        ngx_proxy_user_zone_lock(zone);

        ngx_proxy_user_arena_forget(&zone->arena, NGX_PROXY_USER_KEYS, key);

        ngx_proxy_user_zone_unlock(zone);
    }
}


ngx_int_t
ngx_proxy_user_zone_keys_text(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, const ngx_proxy_user_keys_t *keys, u_char *text)
{
    u_char                   key[NGX_PROXY_USER_KEY_LEN];
    u_char                   digest[PU_SHA256_LEN];
    size_t                   at, len;
    uint32_t                 n;
    pu_str_t                 whole;
    ngx_proxy_user_keys_t    now;
    ngx_proxy_user_entry_t  *e;

    for (n = 0, at = 0; at < keys->len; n++, at += len) {
        len = ngx_min(keys->len - at, NGX_PROXY_USER_KEYS_PART);

        ngx_proxy_user_zone_keys_part(key, keys->digest, n);

        ngx_proxy_user_zone_lock(zone);

        e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_KEYS, key);

        if (e && e->len == len) {
            (void) ngx_proxy_user_arena_copy(&zone->arena, e, text + at, 0);
            ngx_proxy_user_arena_use(&zone->arena, e);

        } else {
            e = NULL;
        }

        ngx_proxy_user_zone_unlock(zone);

        if (e == NULL) {
            break;
        }
    }

    whole = (pu_str_t) { keys->len, text };

    if (at >= keys->len && pu_sha256(digest, &whole, 1)
        && ngx_memcmp(digest, keys->digest, PU_SHA256_LEN) == 0)
    {
        return NGX_OK;
    }

    ngx_proxy_user_zone_lock(zone);

    ngx_proxy_user_zone_keys_read(zone, issuer, &now);

    if (ngx_memcmp(now.digest, keys->digest, PU_SHA256_LEN) == 0) {
        pu_refresh_lost(&now.refresh, keys->refresh.set);
        ngx_proxy_user_zone_keys_write(zone, issuer, &now);
    }

    ngx_proxy_user_zone_unlock(zone);

    return NGX_DECLINED;
}


/* No two parts of any sets have one key. */

static void
ngx_proxy_user_zone_keys_part(u_char *key, const u_char *digest, uint32_t n)
{
    ngx_memcpy(key, digest, NGX_PROXY_USER_KEY_LEN - sizeof(uint32_t));
    ngx_memcpy(key + NGX_PROXY_USER_KEY_LEN - sizeof(uint32_t), &n,
               sizeof(uint32_t));
}
