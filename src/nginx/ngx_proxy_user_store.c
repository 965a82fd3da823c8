
/*
 * The store; see the header for what it promises.
 *
 * A flight is one question to Redis and all who wait for its answer.  It
 * outlives them: when the last has gone or its deadline has passed, it stays
 * until Redis has answered, since the connection still points at it.
 */

#include "ngx_proxy_user_store.h"
#include "ngx_proxy_user_ask.h"
#include "ngx_proxy_user_redis.h"
#include "ngx_proxy_user_tail.h"
#include "ngx_proxy_user_unread.h"
#include "ngx_proxy_user_used.h"


#define NGX_PROXY_USER_FLIGHTS      256     /* buckets */
#define NGX_PROXY_USER_RACES        4       /* asked again as often for it */
#define NGX_PROXY_USER_TEXT_MAX     3072    /* of a new user's names */
#define NGX_PROXY_USER_REPLY_MAX    (128 * 1024)


typedef struct {
    ngx_queue_t                      queue;     /* in a bucket: "listed" */
    ngx_queue_t                      all;       /* until it is freed */
    ngx_proxy_user_store_t          *store;
    ngx_proxy_user_query_t           query;
    ngx_queue_t                      waiters;
    ngx_event_t                      deadline;
    ngx_event_t                      done;
    uint64_t                         applied;   /* before it was asked */
    pu_reason_t                      reason;
    ngx_proxy_user_record_t          record;
    u_char                           text[NGX_PROXY_USER_TEXT_MAX];
    unsigned                         listed:1;
    unsigned                         asked:1;   /* Redis will call back */
    unsigned                         lost:1;    /* asked again for this */
    unsigned                         raced:3;   /* how often */
    unsigned                         reloaded:1;
} ngx_proxy_user_flight_t;


struct ngx_proxy_user_store_s {
    const ngx_proxy_user_redis_conf_t  *conf;   /* NULL: zone only */
    ngx_proxy_user_zone_t              *zone;
    ngx_log_t                          *log;
    ngx_proxy_user_redis_t             *redis;
    ngx_proxy_user_redis_options_t      options;
    ngx_proxy_user_tail_t              *tail;
    ngx_proxy_user_record_t             record; /* of the last answer */
    ngx_proxy_user_unread_t             unread;
    ngx_queue_t                         all;
    ngx_queue_t                         questions;  /* of others */
    ngx_queue_t                         flights[NGX_PROXY_USER_FLIGHTS];
};


static void ngx_proxy_user_store_local(ngx_proxy_user_store_t *store,
    const ngx_proxy_user_query_t *query, ngx_proxy_user_answer_t *answer);
static ngx_int_t ngx_proxy_user_store_new(ngx_proxy_user_record_t *record,
    const ngx_proxy_user_query_t *query);
static void ngx_proxy_user_store_unknown(ngx_proxy_user_store_t *store,
    const u_char *digest, ngx_uint_t stale, ngx_proxy_user_answer_t *answer);
static ngx_proxy_user_flight_t *ngx_proxy_user_flight_find(
    ngx_proxy_user_store_t *store, const u_char *digest);
static ngx_proxy_user_flight_t *ngx_proxy_user_flight_new(
    ngx_proxy_user_store_t *store, const ngx_proxy_user_query_t *query);
static ngx_int_t ngx_proxy_user_flight_ask(ngx_proxy_user_flight_t *flight);
static void ngx_proxy_user_flight_answered(void *data, redisReply *reply);
static ngx_uint_t ngx_proxy_user_flight_again(
    ngx_proxy_user_flight_t *flight);
static void ngx_proxy_user_flight_found(ngx_proxy_user_flight_t *flight,
    const pu_found_t *found);
static void ngx_proxy_user_flight_none(ngx_proxy_user_flight_t *flight);
static void ngx_proxy_user_flight_raced(ngx_proxy_user_flight_t *flight);
static ngx_uint_t ngx_proxy_user_flight_store(
    ngx_proxy_user_flight_t *flight, const pu_found_t *found);
static void ngx_proxy_user_flight_finish(ngx_proxy_user_flight_t *flight,
    pu_reason_t reason);
static void ngx_proxy_user_flight_deadline(ngx_event_t *ev);
static void ngx_proxy_user_flight_done(ngx_event_t *ev);
static void ngx_proxy_user_flight_free(ngx_proxy_user_flight_t *flight);


ngx_proxy_user_store_t *
ngx_proxy_user_store_open(ngx_cycle_t *cycle,
    ngx_proxy_user_main_conf_t *mcf)
{
    ngx_uint_t               i;
    ngx_proxy_user_store_t  *store;

    store = ngx_calloc(sizeof(ngx_proxy_user_store_t), cycle->log);
    if (store == NULL) {
        return NULL;
    }

    store->conf = mcf->redis;
    store->zone = mcf->zone;
    store->log = cycle->log;

    ngx_queue_init(&store->all);
    ngx_queue_init(&store->questions);

    for (i = 0; i < NGX_PROXY_USER_FLIGHTS; i++) {
        ngx_queue_init(&store->flights[i]);
    }

    if (store->conf == NULL) {
        return store;
    }

    store->options.name = "look-ups";
    store->options.timeout = store->conf->timeout;
    store->options.max_reply = NGX_PROXY_USER_REPLY_MAX;

    store->redis = ngx_proxy_user_redis_open(cycle, store->conf,
                                             &store->options);
    store->tail = ngx_proxy_user_tail_open(cycle, store->conf, store->zone);

    if (store->redis == NULL || store->tail == NULL) {
        ngx_proxy_user_store_close(store);
        return NULL;
    }

    return store;
}


ngx_proxy_user_redis_t *
ngx_proxy_user_store_redis(const ngx_proxy_user_store_t *store)
{
    return store->redis;
}


void
ngx_proxy_user_store_close(ngx_proxy_user_store_t *store)
{
    ngx_proxy_user_flight_t  *flight;

    if (store->tail) {
        ngx_proxy_user_tail_close(store->tail);
    }

    if (store->redis) {
        ngx_proxy_user_redis_close(store->redis);
    }

    while (!ngx_queue_empty(&store->all)) {
        flight = ngx_queue_data(ngx_queue_head(&store->all),
                                ngx_proxy_user_flight_t, all);

        while (!ngx_queue_empty(&flight->waiters)) {
            ngx_proxy_user_store_detach(
                    ngx_queue_data(ngx_queue_head(&flight->waiters),
                                   ngx_proxy_user_waiter_t, queue));
        }

        ngx_proxy_user_flight_free(flight);
    }

    ngx_proxy_user_ask_close(&store->questions);
    ngx_free(store);
}


ngx_queue_t *
ngx_proxy_user_store_questions(ngx_proxy_user_store_t *store,
    struct ngx_proxy_user_redis_s **redis,
    const ngx_proxy_user_redis_conf_t **conf,
    struct ngx_proxy_user_unread_s **unread)
{
    *redis = store->redis;
    *conf = store->conf;
    *unread = &store->unread;

    return &store->questions;
}


ngx_int_t
ngx_proxy_user_store_cached(ngx_proxy_user_store_t *store,
    const ngx_proxy_user_query_t *query, ngx_proxy_user_answer_t *answer)
{
    ngx_int_t   rc;
    ngx_msec_t  view;

    answer->record = &store->record;

    if (store->conf && !ngx_proxy_user_zone_fresh(store->zone, &view)) {
        return NGX_DECLINED;
    }

    rc = ngx_proxy_user_zone_user(store->zone, query->digest,
                                  &store->record);

    if (rc == NGX_OK
        && (store->conf == NULL
            || ngx_proxy_user_zone_age(store->record.since)
               < NGX_PROXY_USER_USER_AGE))
    {
        answer->reason = PU_OK;
        answer->cache = NGX_PROXY_USER_CACHE_HIT;
        return NGX_OK;
    }

    /* whoever is made or provisioned a moment later need not wait for it */

    if (rc == NGX_ABORT && !query->create && !query->link) {
        answer->reason = PU_USER_UNKNOWN;
        answer->cache = NGX_PROXY_USER_CACHE_HIT;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_proxy_user_store_lookup(ngx_proxy_user_store_t *store,
    const ngx_proxy_user_query_t *query, ngx_proxy_user_answer_t *answer,
    ngx_proxy_user_waiter_t *waiter)
{
    ngx_proxy_user_flight_t  *flight;

    answer->record = &store->record;

    if (store->conf == NULL) {
        ngx_proxy_user_store_local(store, query, answer);
        return NGX_OK;
    }

    flight = ngx_proxy_user_flight_find(store, query->digest);

    if (flight == NULL) {
        flight = ngx_proxy_user_flight_new(store, query);

        if (flight == NULL) {
            ngx_proxy_user_store_unknown(store, query->digest, query->stale,
                                         answer);
            return NGX_OK;
        }

        if (ngx_proxy_user_flight_ask(flight) != NGX_OK) {
            ngx_proxy_user_flight_free(flight);
            ngx_proxy_user_store_unknown(store, query->digest, query->stale,
                                         answer);
            return NGX_OK;
        }
    }

    waiter->stale = query->stale;
    waiter->makes = (query->create || query->link);
    waiter->waiting = 1;
    ngx_queue_insert_tail(&flight->waiters, &waiter->queue);

    return NGX_AGAIN;
}


void
ngx_proxy_user_store_detach(ngx_proxy_user_waiter_t *waiter)
{
    if (waiter->waiting) {
        waiter->waiting = 0;
        ngx_queue_remove(&waiter->queue);
    }
}


void
ngx_proxy_user_store_used(ngx_proxy_user_store_t *store,
    const u_char *digest, pu_str_t id)
{
    if (store->conf) {
        ngx_proxy_user_used(store->redis, store->zone,
                            ngx_proxy_user_str(&store->conf->prefix), digest,
                            id);
    }
}


/* Without Redis the zone is the store: get or create under its lock. */

static void
ngx_proxy_user_store_local(ngx_proxy_user_store_t *store,
    const ngx_proxy_user_query_t *query, ngx_proxy_user_answer_t *answer)
{
    answer->reason = PU_OK;
    answer->cache = NGX_PROXY_USER_CACHE_MISS;

    if (!query->create) {
        answer->reason = PU_USER_UNKNOWN;

    } else if (ngx_proxy_user_store_new(&store->record, query) != NGX_OK) {
        answer->reason = PU_INTERNAL;

    } else {
        ngx_proxy_user_zone_make_user(store->zone, query->digest,
                                      &store->record);
    }
}


static ngx_int_t
ngx_proxy_user_store_new(ngx_proxy_user_record_t *record,
    const ngx_proxy_user_query_t *query)
{
    pu_user_t    user;
    pu_handle_t  handle;

    if (!pu_user_id_new((char *) record->id)) {
        return NGX_ERROR;
    }

    ngx_memzero(&user, sizeof(pu_user_t));
    user.id = (pu_str_t) { PU_USER_ID_LEN, record->id };
    user.name = query->name;
    user.type = query->service ? PU_SERVICE : PU_HUMAN;
    user.issuer = query->issuer;
    user.subject = query->subject;
    user.version = 1;

    ngx_memzero(&handle, sizeof(pu_handle_t));
    handle.user = user.id;

    record->since = ngx_current_msec;
    record->user_len = pu_user_pack(&user, record->user,
                                    sizeof(record->user));
    record->handle_len = pu_handle_pack(&handle, record->handle,
                                        sizeof(record->handle));

    return record->user_len && record->handle_len ? NGX_OK : NGX_ERROR;
}


/*
 * Redis has not answered.  What is in the zone was good at its own reading
 * and at every view since: a change would have dropped it.
 */

static void
ngx_proxy_user_store_unknown(ngx_proxy_user_store_t *store,
    const u_char *digest, ngx_uint_t stale, ngx_proxy_user_answer_t *answer)
{
    ngx_msec_t  view, good;

    answer->record = &store->record;
    answer->cache = NGX_PROXY_USER_CACHE_MISS;
    answer->reason = PU_STORE_UNAVAILABLE;

    if (!stale
        || ngx_proxy_user_zone_user(store->zone, digest, &store->record)
           != NGX_OK)
    {
        return;
    }

    (void) ngx_proxy_user_zone_fresh(store->zone, &view);

    good = store->record.since;

    if (view && (ngx_msec_int_t) (view - good) > 0) {
        good = view;
    }

    if (ngx_proxy_user_zone_age(good) > store->conf->stale) {
        return;
    }

    answer->reason = PU_OK;
    answer->cache = NGX_PROXY_USER_CACHE_STALE;
}


static ngx_proxy_user_flight_t *
ngx_proxy_user_flight_find(ngx_proxy_user_store_t *store,
    const u_char *digest)
{
    ngx_queue_t              *q, *bucket;
    ngx_proxy_user_flight_t  *flight;

    bucket = &store->flights[digest[0] % NGX_PROXY_USER_FLIGHTS];

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, ngx_proxy_user_flight_t, queue);

        if (ngx_memcmp(flight->query.digest, digest, PU_SHA256_LEN) == 0) {
            return flight;
        }
    }

    return NULL;
}


static ngx_proxy_user_flight_t *
ngx_proxy_user_flight_new(ngx_proxy_user_store_t *store,
    const ngx_proxy_user_query_t *query)
{
    pu_buf_t                  text;
    ngx_proxy_user_flight_t  *flight;

    flight = ngx_alloc(sizeof(ngx_proxy_user_flight_t), store->log);
    if (flight == NULL) {
        return NULL;
    }

    ngx_memzero(flight, offsetof(ngx_proxy_user_flight_t, record));
    flight->listed = 0;
    flight->asked = 0;
    flight->lost = 0;
    flight->raced = 0;
    flight->reloaded = 0;

    flight->store = store;
    flight->query = *query;

    pu_buf_init(&text, flight->text, sizeof(flight->text));

    flight->query.name.data = text.pos;
    pu_buf_str(&text, query->name);
    flight->query.issuer.data = text.pos;
    pu_buf_str(&text, query->issuer);
    flight->query.subject.data = text.pos;
    pu_buf_str(&text, query->subject);
    flight->query.claim.data = text.pos;
    pu_buf_str(&text, query->claim);

    if (text.full) {
        ngx_free(flight);
        return NULL;
    }

    ngx_queue_init(&flight->waiters);

    flight->done.handler = ngx_proxy_user_flight_done;
    flight->done.data = flight;
    flight->done.log = store->log;

    flight->deadline.handler = ngx_proxy_user_flight_deadline;
    flight->deadline.data = flight;
    flight->deadline.log = store->log;

    ngx_add_timer(&flight->deadline,
                  ngx_proxy_user_ask_patience(store->redis, store->conf));

    ngx_queue_insert_tail(
        &store->flights[query->digest[0] % NGX_PROXY_USER_FLIGHTS],
        &flight->queue);
    flight->listed = 1;

    ngx_queue_insert_tail(&store->all, &flight->all);

    return flight;
}


static ngx_int_t
ngx_proxy_user_flight_ask(ngx_proxy_user_flight_t *flight)
{
    u_char                   store_id[NGX_PROXY_USER_STORE_MAX];
    pu_args_t                args;
    pu_lookup_t              lookup;
    ngx_proxy_user_store_t  *store;

    store = flight->store;

    flight->applied = ngx_proxy_user_zone_applied(store->zone);
    flight->record.since = ngx_current_msec;

    ngx_memzero(&lookup, sizeof(pu_lookup_t));
    lookup.kind = flight->query.kind;
    lookup.digest = flight->query.digest;
    lookup.store.data = store_id;
    lookup.store.len = ngx_proxy_user_zone_store(store->zone, store_id);
    lookup.create = flight->query.create;
    lookup.service = flight->query.service;
    lookup.name = flight->query.name;
    lookup.issuer = flight->query.issuer;
    lookup.subject = flight->query.subject;
    lookup.link = flight->query.link;
    lookup.claim = flight->query.claim;
    lookup.iat = flight->query.iat;
    lookup.jti = flight->query.named ? flight->query.jti : NULL;

    if (!pu_command_lookup(&args, ngx_proxy_user_redis_script(store->redis),
                           ngx_proxy_user_str(&store->conf->prefix),
                           &lookup))
    {
        return NGX_ERROR;
    }

    if (ngx_proxy_user_redis_send(store->redis, &args,
                                  ngx_proxy_user_flight_answered, flight)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    flight->asked = 1;

    return NGX_OK;
}


static void
ngx_proxy_user_flight_answered(void *data, redisReply *reply)
{
    ngx_proxy_user_flight_t *flight = data;

    pu_found_t               found;
    ngx_uint_t               once;
    ngx_proxy_user_store_t  *store;

    store = flight->store;
    flight->asked = 0;

    if (reply == NULL) {

        once = !flight->lost;
        flight->lost = 1;

        if (!once || !ngx_proxy_user_flight_again(flight)) {
            ngx_proxy_user_flight_finish(flight, PU_STORE_UNAVAILABLE);
        }

        return;
    }

    switch (pu_reply_lookup(reply, &found)) {

    case PU_LOOKUP_FOUND:
        ngx_proxy_user_redis_trouble(store->redis, NULL);
        (void) ngx_proxy_user_flight_store(flight, &found);
        ngx_proxy_user_flight_found(flight, &found);
        return;

    case PU_LOOKUP_NONE:
        ngx_proxy_user_redis_trouble(store->redis, NULL);

        if (ngx_proxy_user_flight_store(flight, &found)) {
            ngx_proxy_user_flight_none(flight);
            return;
        }

        break;

    case PU_LOOKUP_FOREIGN:
        (void) ngx_proxy_user_flight_store(flight, &found);
        break;

    case PU_LOOKUP_UNREADABLE:
        ngx_proxy_user_unread_handle(&store->unread, store->log,
                                     flight->query.kind,
                                     flight->query.digest);
        break;

    case PU_LOOKUP_REVOKED:
        ngx_proxy_user_redis_trouble(store->redis, NULL);
        ngx_proxy_user_flight_finish(flight, PU_TOKEN_REVOKED);
        return;

    case PU_LOOKUP_NOSCRIPT:

        if (!flight->reloaded) {
            flight->reloaded = 1;
            ngx_proxy_user_redis_load(store->redis);

            if (ngx_proxy_user_flight_again(flight)) {
                return;
            }
        }

        /* fall through */

    case PU_LOOKUP_ERROR:
        ngx_proxy_user_redis_trouble(store->redis, reply);
        break;
    }

    ngx_proxy_user_flight_finish(flight, PU_STORE_UNAVAILABLE);
}


/* Nobody asks again for a flight that has been given up. */

static ngx_uint_t
ngx_proxy_user_flight_again(ngx_proxy_user_flight_t *flight)
{
    return flight->listed && ngx_proxy_user_flight_ask(flight) == NGX_OK;
}


static void
ngx_proxy_user_flight_found(ngx_proxy_user_flight_t *flight,
    const pu_found_t *found)
{
    ngx_proxy_user_record_t  *record;

    record = &flight->record;

    ngx_memcpy(record->id, found->user.id.data, PU_USER_ID_LEN);
    record->user_len = pu_user_pack(&found->user, record->user,
                                    sizeof(record->user));
    record->handle_len = pu_handle_pack(&found->handle, record->handle,
                                     sizeof(record->handle) - PU_USER_ID_LEN);

    if (record->user_len == 0 || record->handle_len == 0) {
        ngx_proxy_user_unread_handle(&flight->store->unread,
                                     flight->store->log, flight->query.kind,
                                     flight->query.digest);
        ngx_proxy_user_flight_finish(flight, PU_STORE_UNAVAILABLE);
        return;
    }

    if (ngx_proxy_user_zone_put_user(flight->store->zone,
                                     flight->query.digest, record,
                                     flight->applied)
        == NGX_OK)
    {
        ngx_proxy_user_flight_finish(flight, PU_OK);
        return;
    }

    ngx_proxy_user_flight_raced(flight);
}


static void
ngx_proxy_user_flight_none(ngx_proxy_user_flight_t *flight)
{
    if (ngx_proxy_user_zone_put_none(flight->store->zone,
                                     flight->query.digest,
                                     flight->record.since, flight->applied)
        == NGX_OK)
    {
        ngx_proxy_user_flight_finish(flight, PU_USER_UNKNOWN);
        return;
    }

    ngx_proxy_user_flight_raced(flight);
}


/* A change came between the reading and now: what was read may be old. */

static void
ngx_proxy_user_flight_raced(ngx_proxy_user_flight_t *flight)
{
    if (flight->raced == NGX_PROXY_USER_RACES
        || !ngx_proxy_user_flight_again(flight))
    {
        ngx_proxy_user_flight_finish(flight, PU_STORE_UNAVAILABLE);
        return;
    }

    flight->raced++;
}


/* Is it the store whose id was once seen?  Says so when that changes. */

static ngx_uint_t
ngx_proxy_user_flight_store(ngx_proxy_user_flight_t *flight,
    const pu_found_t *found)
{
    ngx_uint_t               known, changed;
    ngx_proxy_user_store_t  *store;

    store = flight->store;

    known = ngx_proxy_user_zone_see_store(store->zone, found->store,
                                          found->accepted, &changed);

    if (changed && !known) {
        ngx_log_error(NGX_LOG_ERR, store->log, 0,
                      "proxy_user: redis \"%V\" holds another store than "
                      "before or has lost it: no user is made until "
                      "\"proxy-user doctor --accept-store\" or a restart",
                      &store->conf->url);

    } else if (changed) {
        ngx_log_error(NGX_LOG_NOTICE, store->log, 0,
                      "proxy_user: redis \"%V\" holds an accepted store",
                      &store->conf->url);
    }

    return known;
}


/* Who waits is called from an event: never inside Redis' reading loop. */

static void
ngx_proxy_user_flight_finish(ngx_proxy_user_flight_t *flight,
    pu_reason_t reason)
{
    flight->reason = reason;

    if (flight->listed) {
        flight->listed = 0;
        ngx_queue_remove(&flight->queue);
    }

    if (flight->deadline.timer_set) {
        ngx_del_timer(&flight->deadline);
    }

    if (!flight->done.posted) {
        ngx_post_event(&flight->done, &ngx_posted_events);
    }
}


static void
ngx_proxy_user_flight_deadline(ngx_event_t *ev)
{
    ngx_proxy_user_flight_finish(ev->data, PU_STORE_UNAVAILABLE);
}


static void
ngx_proxy_user_flight_done(ngx_event_t *ev)
{
    ngx_queue_t              *q;
    ngx_proxy_user_answer_t   answer;
    ngx_proxy_user_flight_t  *flight;
    ngx_proxy_user_waiter_t  *waiter;

    flight = ev->data;

    /* one who is called may end others who wait: always the first is next */

    while (!ngx_queue_empty(&flight->waiters)) {
        q = ngx_queue_head(&flight->waiters);
        ngx_queue_remove(q);

        waiter = ngx_queue_data(q, ngx_proxy_user_waiter_t, queue);
        waiter->waiting = 0;

        answer.reason = flight->reason;
        answer.cache = NGX_PROXY_USER_CACHE_MISS;
        answer.record = &flight->record;
        answer.jti = flight->query.named ? flight->query.jti : NULL;

        if (flight->reason == PU_STORE_UNAVAILABLE) {
            ngx_proxy_user_store_unknown(flight->store, flight->query.digest,
                                         waiter->stale, &answer);

        } else if (flight->reason == PU_TOKEN_REVOKED && !waiter->makes) {
            answer.reason = PU_USER_UNKNOWN;
        }

        waiter->handler(waiter->data, &answer);
    }

    if (!flight->asked) {
        ngx_proxy_user_flight_free(flight);
    }
}


static void
ngx_proxy_user_flight_free(ngx_proxy_user_flight_t *flight)
{
    if (flight->listed) {
        ngx_queue_remove(&flight->queue);
    }

    if (flight->deadline.timer_set) {
        ngx_del_timer(&flight->deadline);
    }

    if (flight->done.posted) {
        ngx_delete_posted_event(&flight->done);
    }

    ngx_queue_remove(&flight->all);
    ngx_free(flight);
}
