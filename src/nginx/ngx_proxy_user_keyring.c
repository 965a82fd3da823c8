
/*
 * The keyring; see the header for what it promises.
 *
 * An attempt is one fetch, or two with a discovery document, under one
 * deadline.  Who waits for an attempt looks at the zone every few ms while
 * waiting: it may be another worker's.
 */

#include "ngx_proxy_user_keyring.h"
#include "ngx_proxy_user_fetch.h"
#include "ngx_proxy_user_zone_keys.h"
#include "pu_discovery.h"


#define NGX_PROXY_USER_KEYRING_TICK   1000      /* ms */
#define NGX_PROXY_USER_KEYRING_LOOK   20        /* ms, while somebody waits */


/* One issuer whose keys come over the network. */

typedef struct {
    ngx_proxy_user_keyring_t     *keyring;
    const pu_issuer_t            *issuer;
    const pu_keys_t             **slot;         /* of what is in force */
    pu_keys_t                    *keys;         /* the same, owned */
    u_char                        digest[PU_SHA256_LEN];    /* of its text */
    ngx_msec_t                    good;         /* it was asked for then */
    u_char                        key[PU_SHA256_LEN];       /* in the zone */
    ngx_str_t                     source;       /* url, for the log */
    ngx_proxy_user_fetcher_t     *fetcher;
    ngx_proxy_user_fetch_t       *fetch;        /* under way, or NULL */
    ngx_msec_t                    begun;
    ngx_queue_t                   waiters;
    ngx_event_t                   look;
} ngx_proxy_user_ring_t;


struct ngx_proxy_user_keyring_s {
    ngx_proxy_user_zone_t        *zone;
    ngx_log_t                    *log;
    pu_issuers_t                  issuers;
    const pu_keys_t             **keys;         /* one for each issuer */
    ngx_uint_t                    nrings;
    ngx_proxy_user_ring_t        *rings;
    ngx_atomic_uint_t             news;         /* heard of so far */
    ngx_event_t                   tick;
};


static ngx_int_t ngx_proxy_user_ring_open(ngx_proxy_user_ring_t *ring,
    const pu_issuer_t *issuer, const ngx_proxy_user_remote_t *remote);
static void ngx_proxy_user_ring_close(ngx_proxy_user_ring_t *ring);
static void ngx_proxy_user_keyring_tick(ngx_event_t *ev);
static void ngx_proxy_user_keyring_hear(ngx_proxy_user_keyring_t *keyring);
static void ngx_proxy_user_ring_hear(ngx_proxy_user_ring_t *ring);
static void ngx_proxy_user_ring_put(ngx_proxy_user_ring_t *ring,
    pu_keys_t *keys, const u_char *digest);
static void ngx_proxy_user_ring_expire(ngx_proxy_user_ring_t *ring);
static void ngx_proxy_user_ring_ask(ngx_proxy_user_ring_t *ring);
static ngx_int_t ngx_proxy_user_ring_fetch(ngx_proxy_user_ring_t *ring,
    pu_str_t url, ngx_proxy_user_fetch_pt handler);
static const char *ngx_proxy_user_ring_fault(
    const ngx_proxy_user_fetched_t *fetched, char *text);
static void ngx_proxy_user_ring_discovered(void *data,
    const ngx_proxy_user_fetched_t *fetched);
static void ngx_proxy_user_ring_fetched(void *data,
    const ngx_proxy_user_fetched_t *fetched);
static void ngx_proxy_user_ring_good(ngx_proxy_user_ring_t *ring,
    const ngx_proxy_user_fetched_t *fetched, pu_keys_t *keys);
static void ngx_proxy_user_ring_warn(void *data, const char *sentence);
static void ngx_proxy_user_ring_bad(ngx_proxy_user_ring_t *ring,
    const char *why);
static void ngx_proxy_user_ring_look(ngx_event_t *ev);


ngx_proxy_user_keyring_t *
ngx_proxy_user_keyring_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf)
{
    ngx_uint_t                 i, n;
    const pu_issuer_t         *issuer;
    ngx_proxy_user_ring_t     *ring;
    ngx_proxy_user_keyring_t  *keyring;

    n = mcf->issuers.n;

    keyring = ngx_calloc(sizeof(ngx_proxy_user_keyring_t)
                         + n * (sizeof(pu_keys_t *)
                                + sizeof(ngx_proxy_user_ring_t)),
                         cycle->log);
    if (keyring == NULL) {
        return NULL;
    }

    keyring->rings = (ngx_proxy_user_ring_t *) &keyring[1];
    keyring->keys = (const pu_keys_t **) &keyring->rings[n];
    keyring->zone = mcf->zone;
    keyring->log = cycle->log;
    keyring->issuers = mcf->issuers;
    keyring->issuers.keys = keyring->keys;

    keyring->tick.handler = ngx_proxy_user_keyring_tick;
    keyring->tick.data = keyring;
    keyring->tick.log = cycle->log;
    keyring->tick.cancelable = 1;

    for (i = 0; i < n; i++) {
        issuer = mcf->issuers.items[i];
        keyring->keys[i] = issuer->keys;

        if (!issuer->fetched) {
            continue;
        }

        ring = &keyring->rings[keyring->nrings++];
        ring->keyring = keyring;
        ring->slot = &keyring->keys[i];

        if (ngx_proxy_user_ring_open(ring, issuer, mcf->remotes[i])
            != NGX_OK)
        {
            ngx_proxy_user_keyring_close(keyring);
            return NULL;
        }
    }

    if (keyring->nrings) {
        ngx_proxy_user_keyring_hear(keyring);
        ngx_proxy_user_keyring_tick(&keyring->tick);
    }

    return keyring;
}


void
ngx_proxy_user_keyring_close(ngx_proxy_user_keyring_t *keyring)
{
    ngx_uint_t  i;

    for (i = 0; i < keyring->nrings; i++) {
        ngx_proxy_user_ring_close(&keyring->rings[i]);
    }

    if (keyring->tick.timer_set) {
        ngx_del_timer(&keyring->tick);
    }

    ngx_free(keyring);
}


/* Keys from another place are other keys, whatever the issuer is called. */

static ngx_int_t
ngx_proxy_user_ring_open(ngx_proxy_user_ring_t *ring,
    const pu_issuer_t *issuer, const ngx_proxy_user_remote_t *remote)
{
    pu_str_t  parts[5], source;

    source = issuer->jwks_uri.len ? issuer->jwks_uri : issuer->discovery;

    ring->issuer = issuer;
    ring->source.len = source.len;
    ring->source.data = (u_char *) source.data;

    ngx_queue_init(&ring->waiters);

    ring->look.handler = ngx_proxy_user_ring_look;
    ring->look.data = ring;
    ring->look.log = ring->keyring->log;

    parts[0] = issuer->jwks_uri.len ? PU_STR("keys") : PU_STR("discovery");
    parts[1] = (pu_str_t) { 1, (const uint8_t *) "" };
    parts[2] = issuer->url;
    parts[3] = parts[1];
    parts[4] = source;

    if (!pu_sha256(ring->key, parts, 5)) {
        return NGX_ERROR;
    }

    ring->fetcher = ngx_proxy_user_fetcher_open(ring->keyring->log, remote);

    return ring->fetcher ? NGX_OK : NGX_ERROR;
}


static void
ngx_proxy_user_ring_close(ngx_proxy_user_ring_t *ring)
{
    while (!ngx_queue_empty(&ring->waiters)) {
        ngx_proxy_user_keyring_detach(
                ngx_queue_data(ngx_queue_head(&ring->waiters),
                               ngx_proxy_user_keys_waiter_t, queue));
    }

    if (ring->look.timer_set) {
        ngx_del_timer(&ring->look);
    }

    if (ring->look.posted) {
        ngx_delete_posted_event(&ring->look);
    }

    if (ring->fetch) {
        ngx_proxy_user_zone_keys_leave(ring->keyring->zone, ring->key);
    }

    if (ring->fetcher) {
        ngx_proxy_user_fetcher_close(ring->fetcher);
    }

    pu_keys_free(ring->keys);
}


/* A worker that is going asks for nothing: there are others. */

static void
ngx_proxy_user_keyring_tick(ngx_event_t *ev)
{
    ngx_uint_t                 i;
    ngx_proxy_user_ring_t     *ring;
    ngx_proxy_user_keyring_t  *keyring;

    keyring = ev->data;

    ngx_add_timer(&keyring->tick, NGX_PROXY_USER_KEYRING_TICK);

    (void) ngx_proxy_user_keyring_issuers(keyring);

    for (i = 0; i < keyring->nrings; i++) {
        ring = &keyring->rings[i];

        ngx_proxy_user_ring_expire(ring);

        if (!ngx_exiting && ring->fetch == NULL
            && ngx_proxy_user_zone_keys_ask(keyring->zone, ring->key,
                                            ring->issuer->timeout, 0)
               == PU_REFRESH_YOURS)
        {
            ngx_proxy_user_ring_ask(ring);
        }
    }
}


const pu_issuers_t *
ngx_proxy_user_keyring_issuers(ngx_proxy_user_keyring_t *keyring)
{
    if (keyring->nrings
        && keyring->news != ngx_proxy_user_zone_keys_news(keyring->zone))
    {
        ngx_proxy_user_keyring_hear(keyring);
    }

    return &keyring->issuers;
}


static void
ngx_proxy_user_keyring_hear(ngx_proxy_user_keyring_t *keyring)
{
    ngx_uint_t  i;

    keyring->news = ngx_proxy_user_zone_keys_news(keyring->zone);

    for (i = 0; i < keyring->nrings; i++) {
        ngx_proxy_user_ring_hear(&keyring->rings[i]);
    }
}


static void
ngx_proxy_user_ring_hear(ngx_proxy_user_ring_t *ring)
{
    char                       err[PU_ERROR_SIZE];
    u_char                    *text;
    pu_keys_t                 *keys;
    ngx_proxy_user_zone_t     *zone;
    ngx_proxy_user_keys_t      known;

    zone = ring->keyring->zone;

    ngx_proxy_user_zone_keys(zone, ring->key, &known);

    if (known.len == 0 || known.len > PU_JWKS_SIZE_MAX
        || !pu_refresh_usable(&known.refresh, ngx_current_msec))
    {
        return;
    }

    if (ring->keys
        && ngx_memcmp(known.digest, ring->digest, PU_SHA256_LEN) == 0)
    {
        ring->good = known.refresh.good;
        return;
    }

    text = ngx_alloc(known.len, ring->keyring->log);
    if (text == NULL) {
        return;
    }

    if (ngx_proxy_user_zone_keys_text(zone, ring->key, &known, text)
        == NGX_OK)
    {
        keys = pu_keys_jwks((pu_str_t) { known.len, text }, NULL, NULL, err);

        if (keys) {
            ring->good = known.refresh.good;
            ngx_proxy_user_ring_put(ring, keys, known.digest);
        }
    }

    ngx_free(text);
}


static void
ngx_proxy_user_ring_put(ngx_proxy_user_ring_t *ring, pu_keys_t *keys,
    const u_char *digest)
{
    pu_keys_free(ring->keys);

    ring->keys = keys;
    *ring->slot = keys;

    if (keys) {
        ngx_memcpy(ring->digest, digest, PU_SHA256_LEN);
    }
}


static void
ngx_proxy_user_ring_expire(ngx_proxy_user_ring_t *ring)
{
    /* "good" may be another worker's time, and that ahead of ours */

    if (ring->keys == NULL
        || (ngx_msec_int_t) (ngx_current_msec - ring->good) < PU_REFRESH_KEEP)
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ring->keyring->log, 0,
                  "proxy_user: the keys of issuer \"%*s\" have not been "
                  "fetched for a day: they are used no longer",
                  ring->issuer->name.len, ring->issuer->name.data);

    ngx_proxy_user_ring_put(ring, NULL, NULL);
}


static void
ngx_proxy_user_ring_ask(ngx_proxy_user_ring_t *ring)
{
    ngx_int_t  rc;

    ring->begun = ngx_current_msec;

    if (ring->issuer->jwks_uri.len) {
        rc = ngx_proxy_user_ring_fetch(ring, ring->issuer->jwks_uri,
                                       ngx_proxy_user_ring_fetched);

    } else {
        rc = ngx_proxy_user_ring_fetch(ring, ring->issuer->discovery,
                                       ngx_proxy_user_ring_discovered);
    }

    if (rc != NGX_OK) {
        ngx_proxy_user_ring_bad(ring, "there is no memory");
    }
}


/* What is left of the attempt's time is for this one. */

static ngx_int_t
ngx_proxy_user_ring_fetch(ngx_proxy_user_ring_t *ring, pu_str_t url,
    ngx_proxy_user_fetch_pt handler)
{
    ngx_msec_t                      used;
    ngx_proxy_user_fetch_request_t  request;

    used = ngx_current_msec - ring->begun;

    ngx_memzero(&request, sizeof(ngx_proxy_user_fetch_request_t));
    request.url.len = url.len;
    request.url.data = (u_char *) url.data;
    request.max = PU_JWKS_SIZE_MAX;
    request.timeout = ring->issuer->timeout - used;
    request.redirects = 1;
    request.background = 1;

    if (used >= (ngx_msec_t) ring->issuer->timeout) {
        request.timeout = 1;
    }

    ring->fetch = ngx_proxy_user_fetch_start(ring->fetcher, &request, handler,
                                             ring);

    return ring->fetch ? NGX_OK : NGX_ERROR;
}


/* NULL: it is an answer. */

static const char *
ngx_proxy_user_ring_fault(const ngx_proxy_user_fetched_t *fetched, char *text)
{
    u_char  *last;

    if (fetched->error) {
        return fetched->error;
    }

    if (fetched->status == NGX_HTTP_OK) {
        return NULL;
    }

    last = ngx_snprintf((u_char *) text, PU_ERROR_SIZE - 1,
                        "it answers with status %ui", fetched->status);
    *last = '\0';

    return text;
}


static void
ngx_proxy_user_ring_discovered(void *data,
    const ngx_proxy_user_fetched_t *fetched)
{
    ngx_proxy_user_ring_t *ring = data;

    char         err[PU_ERROR_SIZE];
    u_char       uri[PU_URL_LEN_MAX];
    pu_buf_t     b;
    const char  *fault;

    ring->fetch = NULL;

    fault = ngx_proxy_user_ring_fault(fetched, err);

    if (fault) {
        ngx_proxy_user_ring_bad(ring, fault);
        return;
    }

    pu_buf_init(&b, uri, sizeof(uri));

    if (!pu_discovery_read(ngx_proxy_user_str(&fetched->body),
                           ring->issuer->url, &b, err))
    {
        ngx_proxy_user_ring_bad(ring, err);
        return;
    }

    if (ngx_proxy_user_ring_fetch(ring, pu_buf_written(&b),
                                  ngx_proxy_user_ring_fetched)
        != NGX_OK)
    {
        ngx_proxy_user_ring_bad(ring, "there is no memory");
    }
}


static void
ngx_proxy_user_ring_fetched(void *data,
    const ngx_proxy_user_fetched_t *fetched)
{
    ngx_proxy_user_ring_t *ring = data;

    char         err[PU_ERROR_SIZE];
    pu_keys_t   *keys;
    const char  *fault;

    ring->fetch = NULL;

    fault = ngx_proxy_user_ring_fault(fetched, err);

    if (fault) {
        ngx_proxy_user_ring_bad(ring, fault);
        return;
    }

    keys = pu_keys_jwks(ngx_proxy_user_str(&fetched->body), NULL, NULL, err);

    if (keys == NULL) {
        ngx_proxy_user_ring_bad(ring, err);
        return;
    }

    ngx_proxy_user_ring_good(ring, fetched, keys);
}


/* Takes "keys" over.  Only what is new is worth a word. */

static void
ngx_proxy_user_ring_good(ngx_proxy_user_ring_t *ring,
    const ngx_proxy_user_fetched_t *fetched, pu_keys_t *keys)
{
    u_char                  digest[PU_SHA256_LEN];
    int64_t                 fresh;
    pu_str_t                text;
    ngx_uint_t              changed;
    const pu_issuer_t      *issuer;
    ngx_proxy_user_keys_t   before;

    issuer = ring->issuer;
    text = ngx_proxy_user_str(&fetched->body);

    fresh = pu_refresh_fresh(ngx_proxy_user_str(&fetched->cache_control),
                             ngx_proxy_user_str(&fetched->age));

    if (!pu_sha256(digest, &text, 1)
        || ngx_proxy_user_zone_keys_good(ring->keyring->zone, ring->key,
                                         &fetched->body, digest, fresh,
                                         &before)
           != NGX_OK)
    {
        pu_keys_free(keys);
        return;
    }

    changed = before.len != text.len
              || ngx_memcmp(before.digest, digest, PU_SHA256_LEN) != 0;

    ring->good = ring->begun;
    ngx_proxy_user_ring_put(ring, keys, digest);

    if (changed || before.refresh.failed) {
        ngx_log_error(NGX_LOG_NOTICE, ring->keyring->log, 0,
                      "proxy_user: the keys of issuer \"%*s\" are fetched "
                      "from \"%V\": %uz, %s", issuer->name.len,
                      issuer->name.data, &ring->source, keys->n,
                      changed ? "new" : "the same");
    }

    if (changed) {
        pu_keys_free(pu_keys_jwks(text, ngx_proxy_user_ring_warn, ring,
                                  (char [PU_ERROR_SIZE]) { 0 }));
    }

    if (!ring->look.posted) {
        ngx_post_event(&ring->look, &ngx_posted_events);
    }
}


static void
ngx_proxy_user_ring_warn(void *data, const char *sentence)
{
    ngx_proxy_user_ring_t *ring = data;

    ngx_log_error(NGX_LOG_WARN, ring->keyring->log, 0,
                  "proxy_user: issuer \"%*s\": %s", ring->issuer->name.len,
                  ring->issuer->name.data, sentence);
}


static void
ngx_proxy_user_ring_bad(ngx_proxy_user_ring_t *ring, const char *why)
{
    ngx_proxy_user_keys_t  before;

    if (ngx_proxy_user_zone_keys_bad(ring->keyring->zone, ring->key, &before)
        == NGX_OK
        && before.refresh.failed == 0)
    {
        ngx_log_error(NGX_LOG_ERR, ring->keyring->log, 0,
                      "proxy_user: the keys of issuer \"%*s\" cannot be "
                      "fetched from \"%V\": %s: %s", ring->issuer->name.len,
                      ring->issuer->name.data, &ring->source, why,
                      ring->keys ? "the last good ones stay in force"
                                 : "its tokens cannot be checked");
    }

    if (!ring->look.posted) {
        ngx_post_event(&ring->look, &ngx_posted_events);
    }
}


ngx_int_t
ngx_proxy_user_keyring_wait(ngx_proxy_user_keyring_t *keyring,
    const pu_issuer_t *issuer, ngx_uint_t unknown_kid,
    ngx_proxy_user_keys_waiter_t *waiter)
{
    ngx_uint_t              i, late;
    pu_refresh_say_t        say;
    ngx_proxy_user_ring_t  *ring;
    ngx_proxy_user_keys_t   known;

    for (i = 0; /* void */ ; i++) {

        if (i == keyring->nrings) {
            return NGX_DECLINED;
        }

        if (keyring->rings[i].issuer == issuer) {
            break;
        }
    }

    ring = &keyring->rings[i];

    late = waiter->begun
           && (ngx_msec_int_t) (ngx_current_msec - waiter->until) >= 0;

    if (unknown_kid && !late) {
        say = ngx_proxy_user_zone_keys_ask(keyring->zone, ring->key,
                                           issuer->timeout, 1);

        if (say == PU_REFRESH_YOURS) {

            /* an attempt of ours that the zone has given up */

            if (ring->fetch) {
                ngx_proxy_user_fetch_cancel(ring->fetch);
            }

            ngx_proxy_user_ring_ask(ring);
        }
    }

    ngx_proxy_user_zone_keys(keyring->zone, ring->key, &known);

    if (unknown_kid
        ? !pu_refresh_busy(&known.refresh, ngx_current_msec, issuer->timeout)
        : known.refresh.ended != 0)
    {
        return unknown_kid && known.refresh.failed ? NGX_ABORT : NGX_DECLINED;
    }

    if (late) {
        return NGX_ABORT;
    }

    if (!waiter->begun) {
        waiter->begun = 1;
        waiter->until = ngx_current_msec + issuer->timeout;
    }

    waiter->ended = known.refresh.ended;
    waiter->waiting = 1;
    ngx_queue_insert_tail(&ring->waiters, &waiter->queue);

    if (!ring->look.timer_set) {
        ngx_add_timer(&ring->look, NGX_PROXY_USER_KEYRING_LOOK);
    }

    return NGX_AGAIN;
}


void
ngx_proxy_user_keyring_detach(ngx_proxy_user_keys_waiter_t *waiter)
{
    if (waiter->waiting) {
        waiter->waiting = 0;
        ngx_queue_remove(&waiter->queue);
    }
}


/*
 * Has the attempt ended, or the patience of somebody?  Not cancelable: a
 * worker that is to go waits for those who wait.
 */

static void
ngx_proxy_user_ring_look(ngx_event_t *ev)
{
    ngx_queue_t                    todo, *q;
    ngx_proxy_user_ring_t         *ring;
    ngx_proxy_user_keys_t          known;
    ngx_proxy_user_keys_waiter_t  *waiter;

    ring = ev->data;

    if (ngx_queue_empty(&ring->waiters)) {
        return;
    }

    ngx_proxy_user_zone_keys(ring->keyring->zone, ring->key, &known);

    /* who is called may end others who wait: always the first is next */

    ngx_queue_init(&todo);
    ngx_queue_add(&todo, &ring->waiters);
    ngx_queue_init(&ring->waiters);

    while (!ngx_queue_empty(&todo)) {
        q = ngx_queue_head(&todo);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_proxy_user_keys_waiter_t, queue);

        if (waiter->ended == known.refresh.ended
            && (ngx_msec_int_t) (ngx_current_msec - waiter->until) < 0)
        {
            ngx_queue_insert_tail(&ring->waiters, q);
            continue;
        }

        waiter->waiting = 0;
        waiter->handler(waiter->data);
    }

    if (!ngx_queue_empty(&ring->waiters) && !ring->look.timer_set) {
        ngx_add_timer(&ring->look, NGX_PROXY_USER_KEYRING_LOOK);
    }
}
