
/*
 * Ends long responses; see the header.
 *
 * A request may be ended from the tick's own event or from the store's, never
 * from inside a reading loop.  Ending one may end others: every list is taken
 * from its head until it is empty, and whoever ends leaves all lists.
 */

#include "ngx_proxy_user_cut.h"
#include "ngx_proxy_user_handle.h"


#define NGX_PROXY_USER_CUT_TICK     200     /* ms */
#define NGX_PROXY_USER_CUT_SOON     10      /* ms, with work left over */
#define NGX_PROXY_USER_CUT_BUCKETS  1024

/* in a tick, so that others have their turn between two */
#define NGX_PROXY_USER_CUT_SWEEP    64      /* buckets */
#define NGX_PROXY_USER_CUT_CHECKS   256     /* look-ups */
#define NGX_PROXY_USER_CUT_CHANGES  512     /* keys */


struct ngx_proxy_user_cuts_s {
    ngx_proxy_user_zone_t   *zone;
    ngx_proxy_user_store_t  *store;
    ngx_event_t              tick;
    ngx_uint_t               watched;
    uint64_t                 seen;          /* of the zone's changes */
    time_t                   second;        /* expiries up to here are done */
    ngx_uint_t               sweep;         /* bucket to go on from ... */
    ngx_uint_t               left;          /* ... and how many */
    ngx_queue_t              checks;        /* to be looked up */
    ngx_uint_t               unknown;       /* of them in this tick */
    u_char                   keys[NGX_PROXY_USER_CUT_CHANGES]
                                 [NGX_PROXY_USER_KEY_LEN];
    ngx_queue_t              users[NGX_PROXY_USER_CUT_BUCKETS];
    ngx_queue_t              handles[NGX_PROXY_USER_CUT_BUCKETS];
    ngx_queue_t              ends[NGX_PROXY_USER_CUT_BUCKETS];
};


static void ngx_proxy_user_cut_leave(ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_cut_tick(ngx_event_t *ev);
static ngx_uint_t ngx_proxy_user_cut_news(ngx_proxy_user_cuts_t *cuts);
static void ngx_proxy_user_cut_changed(ngx_proxy_user_cuts_t *cuts,
    const u_char *key);
static void ngx_proxy_user_cut_sweep(ngx_proxy_user_cuts_t *cuts);
static void ngx_proxy_user_cut_check(ngx_proxy_user_cuts_t *cuts,
    ngx_proxy_user_identity_t *id);
static ngx_uint_t ngx_proxy_user_cut_checks(ngx_proxy_user_cuts_t *cuts);
static void ngx_proxy_user_cut_lookup(ngx_proxy_user_cuts_t *cuts,
    ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_cut_wake(void *data,
    const ngx_proxy_user_answer_t *answer);
static void ngx_proxy_user_cut_answer(ngx_proxy_user_cuts_t *cuts,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_answer_t *answer);
static pu_reason_t ngx_proxy_user_cut_judge(
    const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_record_t *record);
static void ngx_proxy_user_cut_expired(ngx_proxy_user_cuts_t *cuts);
static void ngx_proxy_user_cut_end(ngx_proxy_user_identity_t *id,
    pu_reason_t reason);
static ngx_queue_t *ngx_proxy_user_cut_bucket(ngx_queue_t *buckets,
    const u_char *key);


ngx_conf_enum_t  ngx_proxy_user_cut[] = {
    { ngx_string("on"), NGX_PROXY_USER_CUT_ON },
    { ngx_string("revoked"), NGX_PROXY_USER_CUT_REVOKED },
    { ngx_string("off"), NGX_PROXY_USER_CUT_OFF },
    { ngx_null_string, 0 }
};


ngx_proxy_user_cuts_t *
ngx_proxy_user_cuts_open(ngx_cycle_t *cycle, ngx_proxy_user_main_conf_t *mcf)
{
    ngx_uint_t              i;
    ngx_proxy_user_cuts_t  *cuts;

    cuts = ngx_calloc(sizeof(ngx_proxy_user_cuts_t), cycle->log);
    if (cuts == NULL) {
        return NULL;
    }

    cuts->zone = mcf->zone;
    cuts->store = mcf->store;

    ngx_queue_init(&cuts->checks);

    for (i = 0; i < NGX_PROXY_USER_CUT_BUCKETS; i++) {
        ngx_queue_init(&cuts->users[i]);
        ngx_queue_init(&cuts->handles[i]);
        ngx_queue_init(&cuts->ends[i]);
    }

    /* a worker that has nothing but this to do may exit */

    cuts->tick.handler = ngx_proxy_user_cut_tick;
    cuts->tick.data = cuts;
    cuts->tick.log = cycle->log;
    cuts->tick.cancelable = 1;

    return cuts;
}


void
ngx_proxy_user_cuts_close(ngx_proxy_user_cuts_t *cuts)
{
    ngx_uint_t   i;
    ngx_queue_t  *bucket;

    for (i = 0; i < NGX_PROXY_USER_CUT_BUCKETS; i++) {
        bucket = &cuts->users[i];

        while (!ngx_queue_empty(bucket)) {
            ngx_proxy_user_cut_leave(
                        ngx_queue_data(ngx_queue_head(bucket),
                                       ngx_proxy_user_identity_t,
                                       watch.user));
        }
    }

    if (cuts->tick.timer_set) {
        ngx_del_timer(&cuts->tick);
    }

    ngx_free(cuts);
}


void
ngx_proxy_user_cut_watch(ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf, ngx_proxy_user_cuts_t *cuts)
{
    u_char                   key[NGX_PROXY_USER_KEY_LEN];
    ngx_uint_t               slot;
    ngx_proxy_user_watch_t  *watch;

    watch = &id->watch;

    if (watch->leave) {
        watch->leave(id);
    }

    if (conf->cut == NGX_PROXY_USER_CUT_OFF
        || conf->mode == NGX_PROXY_USER_REPORT
        || cuts == NULL || !id->found)
    {
        return;
    }

    if (!cuts->tick.timer_set) {
        ngx_add_timer(&cuts->tick, NGX_PROXY_USER_CUT_TICK);
    }

    if (cuts->watched++ == 0) {
        cuts->second = ngx_time();
    }

    watch->cuts = cuts;
    watch->leave = ngx_proxy_user_cut_leave;

    ngx_proxy_user_zone_user_key(key, id->user.id.data);

    ngx_queue_insert_tail(ngx_proxy_user_cut_bucket(cuts->users, key),
                          &watch->user);
    ngx_queue_insert_tail(ngx_proxy_user_cut_bucket(cuts->handles, id->handle),
                          &watch->handle);
    ngx_queue_init(&watch->check);
    ngx_queue_init(&watch->end);

    watch->expires = id->verified.exp;

    if (conf->cut == NGX_PROXY_USER_CUT_ON && watch->expires != INT64_MAX) {

        if (id->kind == PU_HANDLE_SUB) {
            watch->expires += id->issuer->leeway;
        }

        slot = (uint64_t) watch->expires % NGX_PROXY_USER_CUT_BUCKETS;
        ngx_queue_insert_tail(&cuts->ends[slot], &watch->end);
    }
}


static void
ngx_proxy_user_cut_leave(ngx_proxy_user_identity_t *id)
{
    ngx_proxy_user_watch_t  *watch;

    watch = &id->watch;

    watch->leave = NULL;
    watch->cuts->watched--;

    ngx_proxy_user_store_detach(&watch->waiter);

    ngx_queue_remove(&watch->user);
    ngx_queue_remove(&watch->handle);
    ngx_queue_remove(&watch->check);
    ngx_queue_remove(&watch->end);
}


static void
ngx_proxy_user_cut_tick(ngx_event_t *ev)
{
    ngx_uint_t              more;
    ngx_proxy_user_cuts_t  *cuts;

    cuts = ev->data;
    cuts->unknown = 0;

    more = ngx_proxy_user_cut_news(cuts);
    ngx_proxy_user_cut_sweep(cuts);
    more |= ngx_proxy_user_cut_checks(cuts);
    ngx_proxy_user_cut_expired(cuts);

    if (cuts->watched && !cuts->tick.timer_set) {
        more |= cuts->left;

        /* a store that cannot answer is not asked faster */

        ngx_add_timer(&cuts->tick, more && !cuts->unknown
                                   ? NGX_PROXY_USER_CUT_SOON
                                   : NGX_PROXY_USER_CUT_TICK);
    }
}


/* 1: there are more. */

static ngx_uint_t
ngx_proxy_user_cut_news(ngx_proxy_user_cuts_t *cuts)
{
    ngx_int_t  i, n;

    n = ngx_proxy_user_zone_changes(cuts->zone, &cuts->seen, cuts->keys,
                                    NGX_PROXY_USER_CUT_CHANGES);

    for (i = 0; i < n; i++) {
        ngx_proxy_user_cut_changed(cuts, cuts->keys[i]);
    }

    /* nobody knows who: everybody, a part at a time */

    if (n == NGX_DECLINED) {
        cuts->left = NGX_PROXY_USER_CUT_BUCKETS;
    }

    return n == NGX_PROXY_USER_CUT_CHANGES;
}


/* A key of 32 bytes is a user's or a handle's; no two are the same. */

static void
ngx_proxy_user_cut_changed(ngx_proxy_user_cuts_t *cuts, const u_char *key)
{
    u_char                      user[NGX_PROXY_USER_KEY_LEN];
    ngx_queue_t                *q, *bucket;
    ngx_proxy_user_identity_t  *id;

    bucket = ngx_proxy_user_cut_bucket(cuts->users, key);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        id = ngx_queue_data(q, ngx_proxy_user_identity_t, watch.user);
        ngx_proxy_user_zone_user_key(user, id->user.id.data);

        if (ngx_memcmp(user, key, NGX_PROXY_USER_KEY_LEN) == 0) {
            ngx_proxy_user_cut_check(cuts, id);
        }
    }

    bucket = ngx_proxy_user_cut_bucket(cuts->handles, key);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        id = ngx_queue_data(q, ngx_proxy_user_identity_t, watch.handle);

        if (ngx_memcmp(id->handle, key, NGX_PROXY_USER_KEY_LEN) == 0) {
            ngx_proxy_user_cut_check(cuts, id);
        }
    }
}


static void
ngx_proxy_user_cut_sweep(ngx_proxy_user_cuts_t *cuts)
{
    ngx_uint_t    i;
    ngx_queue_t  *q, *bucket;

    for (i = 0; cuts->left && i < NGX_PROXY_USER_CUT_SWEEP; i++) {
        bucket = &cuts->users[cuts->sweep];

        for (q = ngx_queue_head(bucket);
             q != ngx_queue_sentinel(bucket);
             q = ngx_queue_next(q))
        {
            ngx_proxy_user_cut_check(cuts,
                                     ngx_queue_data(q,
                                                    ngx_proxy_user_identity_t,
                                                    watch.user));
        }

        cuts->sweep = (cuts->sweep + 1) % NGX_PROXY_USER_CUT_BUCKETS;
        cuts->left--;
    }
}


static void
ngx_proxy_user_cut_check(ngx_proxy_user_cuts_t *cuts,
    ngx_proxy_user_identity_t *id)
{
    ngx_queue_remove(&id->watch.check);
    ngx_queue_insert_tail(&cuts->checks, &id->watch.check);
}


/* 1: there are more.  Who could not be looked up now is behind them. */

static ngx_uint_t
ngx_proxy_user_cut_checks(ngx_proxy_user_cuts_t *cuts)
{
    ngx_uint_t                  n, more;
    ngx_queue_t                *q, now;
    ngx_proxy_user_identity_t  *id;

    if (ngx_queue_empty(&cuts->checks)) {
        return 0;
    }

    ngx_queue_init(&now);
    ngx_queue_add(&now, &cuts->checks);
    ngx_queue_init(&cuts->checks);

    for (n = 0; n < NGX_PROXY_USER_CUT_CHECKS && !ngx_queue_empty(&now); n++) {
        q = ngx_queue_head(&now);
        ngx_queue_remove(q);
        ngx_queue_init(q);

        id = ngx_queue_data(q, ngx_proxy_user_identity_t, watch.check);

        if (!id->watch.waiter.waiting) {
            ngx_proxy_user_cut_lookup(cuts, id);
        }
    }

    more = !ngx_queue_empty(&now);

    ngx_queue_add(&now, &cuts->checks);
    ngx_queue_init(&cuts->checks);
    ngx_queue_add(&cuts->checks, &now);

    return more;
}


static void
ngx_proxy_user_cut_lookup(ngx_proxy_user_cuts_t *cuts,
    ngx_proxy_user_identity_t *id)
{
    ngx_proxy_user_query_t   query;
    ngx_proxy_user_answer_t  answer;

    ngx_memzero(&query, sizeof(ngx_proxy_user_query_t));
    query.kind = id->kind;
    ngx_memcpy(query.digest, id->handle, PU_SHA256_LEN);

    id->watch.waiter.handler = ngx_proxy_user_cut_wake;
    id->watch.waiter.data = id;

    if (ngx_proxy_user_store_cached(cuts->store, &query, &answer) == NGX_OK
        || ngx_proxy_user_store_lookup(cuts->store, &query, &answer,
                                       &id->watch.waiter)
           == NGX_OK)
    {
        ngx_proxy_user_cut_answer(cuts, id, &answer);
    }
}


static void
ngx_proxy_user_cut_wake(void *data, const ngx_proxy_user_answer_t *answer)
{
    ngx_proxy_user_identity_t *id = data;

    ngx_proxy_user_cut_answer(id->watch.cuts, id, answer);
}


/* Nothing may touch the request afterwards. */

static void
ngx_proxy_user_cut_answer(ngx_proxy_user_cuts_t *cuts,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_answer_t *answer)
{
    pu_reason_t  reason;

    reason = answer->reason;

    if (reason == PU_USER_UNKNOWN) {
        reason = ngx_proxy_user_handle_unknown(id);

    } else if (reason == PU_OK) {
        reason = ngx_proxy_user_cut_judge(id, answer->record);
    }

    if (reason == PU_OK) {
        return;
    }

    /* not known is not refused: asked again until it is known */

    if (pu_reason_status(reason) >= 500) {
        cuts->unknown++;
        ngx_proxy_user_cut_check(cuts, id);
        return;
    }

    ngx_proxy_user_cut_end(id, reason);
}


static pu_reason_t
ngx_proxy_user_cut_judge(const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_record_t *record)
{
    pu_user_t    user;
    pu_handle_t  handle;
    pu_reason_t  reason;

    if (!pu_handle_unpack(&handle, record->handle, record->handle_len)
        || !pu_user_unpack(&user, record->user, record->user_len))
    {
        return PU_INTERNAL;
    }

    /* the handle is somebody else's now */

    if (ngx_memcmp(record->id, id->user.id.data, PU_USER_ID_LEN) != 0) {
        return PU_TOKEN_REVOKED;
    }

    reason = pu_handle_judge(&handle, id->kind, ngx_time());

    return (reason != PU_OK) ? reason
                             : pu_user_judge(&user, id->verified.iat,
                                             ngx_time());
}


/* The tokens that have expired in the seconds since the last tick. */

static void
ngx_proxy_user_cut_expired(ngx_proxy_user_cuts_t *cuts)
{
    time_t                      now;
    ngx_queue_t                *q, *next, *bucket, due;
    ngx_proxy_user_identity_t  *id;

    now = ngx_time();
    ngx_queue_init(&due);

    if (now - cuts->second > NGX_PROXY_USER_CUT_BUCKETS) {
        cuts->second = now - NGX_PROXY_USER_CUT_BUCKETS;
    }

    for ( /* void */ ; cuts->second < now; cuts->second++) {
        bucket = &cuts->ends[(uint64_t) (cuts->second + 1)
                             % NGX_PROXY_USER_CUT_BUCKETS];

        for (q = ngx_queue_head(bucket);
             q != ngx_queue_sentinel(bucket);
             q = next)
        {
            next = ngx_queue_next(q);
            id = ngx_queue_data(q, ngx_proxy_user_identity_t, watch.end);

            if (now >= id->watch.expires) {
                ngx_queue_remove(q);
                ngx_queue_insert_tail(&due, q);
            }
        }
    }

    while (!ngx_queue_empty(&due)) {
        id = ngx_queue_data(ngx_queue_head(&due), ngx_proxy_user_identity_t,
                            watch.end);
        ngx_proxy_user_cut_end(id, id->kind == PU_HANDLE_SUB
                                   ? PU_TOKEN_EXPIRED
                                   : PU_KEY_EXPIRED);
    }
}


/*
 * As if the client had gone: upstream, cache and filters clean up, the log
 * phase runs, and a stream of HTTP/2 is reset alone.
 */

static void
ngx_proxy_user_cut_end(ngx_proxy_user_identity_t *id, pu_reason_t reason)
{
    ngx_log_t            log;
    pu_str_t             word;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = id->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    log = ngx_proxy_user_identity_log(r);
    word = pu_reason_word(reason);

    ngx_log_error(NGX_LOG_INFO, &log, 0,
                  "proxy_user: a response is cut off: %*s, client: %V",
                  word.len, word.data, &c->addr_text);

    id->watch.leave(id);
    id->cut = reason;

    if (r->headers_out.status == 0) {
        r->headers_out.status = NGX_HTTP_CLOSE;
    }

    /*
     * The upstream's cleanup finalizes the request as well, which must be
     * neither its end nor the begin of keep-alive: this reference is ours,
     * and nginx drops it when it terminates the request.
     */

    r->main->count++;

    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}


static ngx_queue_t *
ngx_proxy_user_cut_bucket(ngx_queue_t *buckets, const u_char *key)
{
    uint32_t  n;

    ngx_memcpy(&n, key, sizeof(uint32_t));

    return &buckets[(n ^ n >> 16) % NGX_PROXY_USER_CUT_BUCKETS];
}
