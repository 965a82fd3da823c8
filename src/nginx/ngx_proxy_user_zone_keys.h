/*
 * Key sets that come over the network, as all workers share them: when an
 * issuer's are asked for and by whom (pu_refresh), and the last good set as
 * text.
 *
 * Part of the zone, with its rules.  An issuer goes by the digest of where its
 * keys come from.  What was evicted is as if it had never been there.
 */

#ifndef NGX_PROXY_USER_ZONE_KEYS_H
#define NGX_PROXY_USER_ZONE_KEYS_H

#include "ngx_proxy_user_zone.h"
#include "pu_refresh.h"


typedef struct {
    pu_refresh_t  refresh;
    size_t        len;                  /* of the last good set; 0: none */
    u_char        digest[PU_SHA256_LEN];        /* its SHA-256 */
} ngx_proxy_user_keys_t;


/* Changes whenever an issuer's set does; no lock. */
ngx_atomic_uint_t ngx_proxy_user_zone_keys_news(ngx_proxy_user_zone_t *zone);

/* What is known; zeros when nothing is. */
void ngx_proxy_user_zone_keys(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, ngx_proxy_user_keys_t *keys);

/* Is this worker to make an attempt, for a kid that is not known or else? */
pu_refresh_say_t ngx_proxy_user_zone_keys_ask(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, ngx_msec_t timeout, ngx_uint_t unknown_kid);

/*
 * This worker's attempt has ended, well or not.  *before: what was known until
 * then.  NGX_DECLINED: it had become somebody else's.
 */
ngx_int_t ngx_proxy_user_zone_keys_good(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, const ngx_str_t *text, const u_char *digest,
    int64_t fresh, ngx_proxy_user_keys_t *before);
ngx_int_t ngx_proxy_user_zone_keys_bad(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, ngx_proxy_user_keys_t *before);

/* This worker goes, or cannot make its attempt now. */
void ngx_proxy_user_zone_keys_leave(ngx_proxy_user_zone_t *zone,
    const u_char *issuer);

/*
 * Copies the set that "keys" tells of into "text" (keys->len bytes).
 * NGX_DECLINED: it is not there any more, and will be asked for again.
 */
ngx_int_t ngx_proxy_user_zone_keys_text(ngx_proxy_user_zone_t *zone,
    const u_char *issuer, const ngx_proxy_user_keys_t *keys, u_char *text);


#endif /* NGX_PROXY_USER_ZONE_KEYS_H */
