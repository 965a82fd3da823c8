
/*
 * What limits count; see the header for what it promises.
 *
 * A rate is a moment, kept in the entry itself.  A quota is a state and the
 * moment since when somebody asks for a lease.  Requests under way are pairs
 * of a worker and a number.
 */

#include "ngx_proxy_user_zone_own.h"
#include "ngx_proxy_user_zone_limit.h"


/* workers that have one user's requests at a time; others are not counted */
#define NGX_PROXY_USER_PAIRS  128

/* ms; a clock that is further behind another one has been set */
#define NGX_PROXY_USER_BEHIND  60000


typedef struct {
    pu_quota_state_t   state;
    uint64_t           asked;           /* ms; 0: nobody asks */
} ngx_proxy_user_quota_record_t;


typedef struct {
    uint32_t           worker;
    uint32_t           n;
} ngx_proxy_user_pair_t;


typedef struct {
    ngx_uint_t             n;
    int64_t                sum;
    ngx_proxy_user_pair_t *own;         /* NULL: none */
    ngx_proxy_user_pair_t  items[NGX_PROXY_USER_PAIRS];
} ngx_proxy_user_pairs_t;


static void ngx_proxy_user_limit_key(u_char *key, const u_char *id,
    u_char what);
static ngx_msec_t ngx_proxy_user_rate_now(ngx_proxy_user_zone_t *zone);
static ngx_proxy_user_entry_t *ngx_proxy_user_rate_read(
    ngx_proxy_user_zone_t *zone, ngx_uint_t kind, const u_char *key,
    pu_rate_state_t *state);
static void ngx_proxy_user_rate_write(ngx_proxy_user_zone_t *zone,
    ngx_uint_t kind, const u_char *key, ngx_proxy_user_entry_t *e,
    const pu_rate_state_t *state);
static ngx_proxy_user_entry_t *ngx_proxy_user_quota_asked(
    ngx_proxy_user_zone_t *zone, const u_char *key,
    const ngx_proxy_user_lease_t *lease,
    ngx_proxy_user_quota_record_t *record);
static ngx_proxy_user_entry_t *ngx_proxy_user_quota_read(
    ngx_proxy_user_zone_t *zone, const u_char *key,
    ngx_proxy_user_quota_record_t *record);
static void ngx_proxy_user_limit_put(ngx_proxy_user_zone_t *zone,
    const u_char *key, ngx_proxy_user_entry_t *e, const void *data,
    size_t len);
static ngx_proxy_user_entry_t *ngx_proxy_user_pairs_read(
    ngx_proxy_user_zone_t *zone, const u_char *key, uint32_t worker,
    ngx_proxy_user_pairs_t *pairs);
static void ngx_proxy_user_worker_key(u_char *key, uint32_t worker);
static ngx_uint_t ngx_proxy_user_worker_alive(ngx_proxy_user_zone_t *zone,
    uint32_t worker);


/* A user has an entry for each thing that is counted. */

static void
ngx_proxy_user_limit_key(u_char *key, const u_char *id, u_char what)
{
    ngx_proxy_user_zone_user_key(key, id);
    key[NGX_PROXY_USER_KEY_LEN - 1] = what;
}


ngx_uint_t
ngx_proxy_user_zone_rate(ngx_proxy_user_zone_t *zone, const u_char *id,
    const pu_rate_t *rate, pu_left_t *left)
{
    u_char                   key[NGX_PROXY_USER_KEY_LEN];
    ngx_uint_t               taken;
    pu_rate_state_t          state;
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_limit_key(key, id, 'r');

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_rate_read(zone, NGX_PROXY_USER_LIMITS, key, &state);
    taken = pu_rate_take(rate, ngx_proxy_user_rate_now(zone), &state, left);
    ngx_proxy_user_rate_write(zone, NGX_PROXY_USER_LIMITS, key, e, &state);

    ngx_proxy_user_zone_unlock(zone);

    return taken;
}


/*
 * A worker's clock stands still while it serves all that has come at once, and
 * another one may have counted meanwhile: who goes by it was too early here.
 */

static ngx_msec_t
ngx_proxy_user_rate_now(ngx_proxy_user_zone_t *zone)
{
    ngx_msec_t  behind;

    behind = zone->head->now - ngx_current_msec;

    if (behind > NGX_PROXY_USER_BEHIND) {
        zone->head->now = ngx_current_msec;
    }

    return zone->head->now;
}


/* The entry, for rate_write. */

static ngx_proxy_user_entry_t *
ngx_proxy_user_rate_read(ngx_proxy_user_zone_t *zone, ngx_uint_t kind,
    const u_char *key, pu_rate_state_t *state)
{
    ngx_proxy_user_entry_t  *e;

    e = ngx_proxy_user_arena_find(&zone->arena, kind, key);

    state->tat = e ? e->stamp : 0;
    state->period = e ? e->mark : 0;

    return e;
}


static void
ngx_proxy_user_rate_write(ngx_proxy_user_zone_t *zone, ngx_uint_t kind,
    const u_char *key, ngx_proxy_user_entry_t *e,
    const pu_rate_state_t *state)
{
    if (e) {
        ngx_proxy_user_arena_use(&zone->arena, e);

    } else {
        e = ngx_proxy_user_arena_put(&zone->arena, kind, key, 0, NULL, 0);

        if (e == NULL) {
            return;
        }
    }

    e->stamp = state->tat;
    e->mark = state->period;
}


ngx_int_t
ngx_proxy_user_zone_quota(ngx_proxy_user_zone_t *zone, const u_char *id,
    const pu_quota_t *quota, ngx_uint_t alone, ngx_msec_t patience,
    ngx_proxy_user_lease_t *lease, pu_left_t *left)
{
    u_char                         key[NGX_PROXY_USER_KEY_LEN];
    ngx_int_t                      rc;
    pu_take_t                      take;
    ngx_proxy_user_entry_t        *e;
    ngx_proxy_user_quota_record_t  record;

    ngx_proxy_user_limit_key(key, id, '0' + quota->period);

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_quota_read(zone, key, &record);

    take = pu_quota_take(quota, ngx_time(), alone, &record.state, left);

    if (take != PU_TAKE_ASK) {
        rc = (take == PU_TAKE_OK) ? NGX_OK : NGX_DECLINED;

    } else if (record.asked
               && ngx_proxy_user_zone_age(record.asked) < patience)
    {
        rc = NGX_BUSY;

    } else {
        rc = NGX_AGAIN;

        record.asked = ngx_current_msec ? ngx_current_msec : 1;

        ngx_memcpy(lease->id, id, PU_USER_ID_LEN);
        lease->quota = *quota;
        lease->start = record.state.start;
        lease->debt = record.state.used - record.state.leased;
        lease->asked = record.asked;
    }

    ngx_proxy_user_limit_put(zone, key, e, &record, sizeof(record));

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


void
ngx_proxy_user_zone_leased(ngx_proxy_user_zone_t *zone,
    const ngx_proxy_user_lease_t *lease, int64_t granted, int64_t total)
{
    u_char                         key[NGX_PROXY_USER_KEY_LEN];
    ngx_proxy_user_entry_t        *e;
    ngx_proxy_user_quota_record_t  record;

    ngx_proxy_user_limit_key(key, lease->id, '0' + lease->quota.period);

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_quota_asked(zone, key, lease, &record);

    /* it may have been evicted: then the lease is lost, and no more */

    if (e) {
        pu_quota_lease(&record.state, lease->start, lease->debt, granted,
                       total);
        ngx_proxy_user_limit_put(zone, key, e, &record, sizeof(record));
    }

    ngx_proxy_user_zone_unlock(zone);
}


void
ngx_proxy_user_zone_lost(ngx_proxy_user_zone_t *zone,
    const ngx_proxy_user_lease_t *lease)
{
    u_char                         key[NGX_PROXY_USER_KEY_LEN];
    ngx_proxy_user_entry_t        *e;
    ngx_proxy_user_quota_record_t  record;

    ngx_proxy_user_limit_key(key, lease->id, '0' + lease->quota.period);

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_quota_asked(zone, key, lease, &record);

    if (e) {
        ngx_proxy_user_limit_put(zone, key, e, &record, sizeof(record));
    }

    ngx_proxy_user_zone_unlock(zone);
}


/* The record, with nobody asking any more if it was for this lease. */

static ngx_proxy_user_entry_t *
ngx_proxy_user_quota_asked(ngx_proxy_user_zone_t *zone, const u_char *key,
    const ngx_proxy_user_lease_t *lease,
    ngx_proxy_user_quota_record_t *record)
{
    ngx_proxy_user_entry_t  *e;

    e = ngx_proxy_user_quota_read(zone, key, record);

    if (e && record->asked == lease->asked) {
        record->asked = 0;
    }

    return e;
}


static ngx_proxy_user_entry_t *
ngx_proxy_user_quota_read(ngx_proxy_user_zone_t *zone, const u_char *key,
    ngx_proxy_user_quota_record_t *record)
{
    ngx_proxy_user_entry_t  *e;

    e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_LIMITS, key);

    if (e && e->len == sizeof(ngx_proxy_user_quota_record_t)) {
        ngx_proxy_user_arena_copy(&zone->arena, e, (u_char *) record, 0);
        return e;
    }

    ngx_memzero(record, sizeof(ngx_proxy_user_quota_record_t));

    return NULL;
}


/* Into the entry that was found under the same lock, if it has the room. */

static void
ngx_proxy_user_limit_put(ngx_proxy_user_zone_t *zone, const u_char *key,
    ngx_proxy_user_entry_t *e, const void *data, size_t len)
{
    if (e && e->len == len) {
        ngx_proxy_user_arena_write(&zone->arena, e, data);
        ngx_proxy_user_arena_use(&zone->arena, e);
        return;
    }

    ngx_proxy_user_arena_put(&zone->arena, NGX_PROXY_USER_LIMITS, key, 0,
                             data, len);
}


uint32_t
ngx_proxy_user_zone_worker(ngx_proxy_user_zone_t *zone)
{
    uint32_t  worker;

    ngx_proxy_user_zone_lock(zone);
    worker = ++zone->head->workers;
    ngx_proxy_user_zone_unlock(zone);

    ngx_proxy_user_zone_worker_lives(zone, worker);

    return worker;
}


void
ngx_proxy_user_zone_worker_lives(ngx_proxy_user_zone_t *zone,
    uint32_t worker)
{
    u_char  key[NGX_PROXY_USER_KEY_LEN];

    ngx_proxy_user_worker_key(key, worker);

    ngx_proxy_user_zone_lock(zone);

    ngx_proxy_user_arena_put(&zone->arena, NGX_PROXY_USER_WORKERS, key,
                             ngx_current_msec, NULL, 0);

    ngx_proxy_user_zone_unlock(zone);
}


void
ngx_proxy_user_zone_worker_ends(ngx_proxy_user_zone_t *zone, uint32_t worker)
{
    u_char  key[NGX_PROXY_USER_KEY_LEN];

    ngx_proxy_user_worker_key(key, worker);

    ngx_proxy_user_zone_lock(zone);

    ngx_proxy_user_arena_forget(&zone->arena, NGX_PROXY_USER_WORKERS, key);

    ngx_proxy_user_zone_unlock(zone);
}


static void
ngx_proxy_user_worker_key(u_char *key, uint32_t worker)
{
    ngx_memzero(key, NGX_PROXY_USER_KEY_LEN);
    ngx_memcpy(key, &worker, sizeof(uint32_t));
}


static ngx_uint_t
ngx_proxy_user_worker_alive(ngx_proxy_user_zone_t *zone, uint32_t worker)
{
    u_char                   key[NGX_PROXY_USER_KEY_LEN];
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_worker_key(key, worker);

    e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_WORKERS, key);

    return e && ngx_proxy_user_zone_age(e->stamp) < NGX_PROXY_USER_WORKER_AGE;
}


ngx_uint_t
ngx_proxy_user_zone_enter(ngx_proxy_user_zone_t *zone, const u_char *id,
    uint32_t worker, int64_t most, pu_left_t *left)
{
    u_char                   key[NGX_PROXY_USER_KEY_LEN];
    ngx_uint_t               taken;
    ngx_proxy_user_pairs_t   pairs;
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_limit_key(key, id, 'c');

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_pairs_read(zone, key, worker, &pairs);

    taken = pairs.sum < most;

    if (taken && pairs.own) {
        pairs.own->n++;
        pairs.sum++;
    }

    ngx_proxy_user_limit_put(zone, key, e, pairs.items,
                             pairs.n * sizeof(ngx_proxy_user_pair_t));

    ngx_proxy_user_zone_unlock(zone);

    left->remaining = most > pairs.sum ? most - pairs.sum : 0;
    left->reset = 1;

    return taken;
}


void
ngx_proxy_user_zone_leave(ngx_proxy_user_zone_t *zone, const u_char *id,
    uint32_t worker)
{
    u_char                   key[NGX_PROXY_USER_KEY_LEN];
    ngx_proxy_user_pairs_t   pairs;
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_limit_key(key, id, 'c');

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_pairs_read(zone, key, worker, &pairs);

    /* it was evicted, or this worker had been taken for dead */

    if (pairs.own && pairs.own->n) {
        pairs.own->n--;

        ngx_proxy_user_limit_put(zone, key, e, pairs.items,
                                 pairs.n * sizeof(ngx_proxy_user_pair_t));
    }

    ngx_proxy_user_zone_unlock(zone);
}


/* Without those of the dead; the entry, if there is one. */

static ngx_proxy_user_entry_t *
ngx_proxy_user_pairs_read(ngx_proxy_user_zone_t *zone, const u_char *key,
    uint32_t worker, ngx_proxy_user_pairs_t *pairs)
{
    ngx_uint_t               i, n;
    ngx_proxy_user_pair_t   *pair;
    ngx_proxy_user_entry_t  *e;

    pairs->n = 0;
    pairs->sum = 0;
    pairs->own = NULL;

    n = 0;

    e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_LIMITS, key);

    if (e && e->len <= sizeof(pairs->items)) {
        n = e->len / sizeof(ngx_proxy_user_pair_t);
        ngx_proxy_user_arena_copy(&zone->arena, e, (u_char *) pairs->items,
                                  0);
    }

    for (i = 0; i < n; i++) {
        pair = &pairs->items[i];

        if (pair->worker != worker
            && !ngx_proxy_user_worker_alive(zone, pair->worker))
        {
            continue;
        }

        pairs->items[pairs->n] = *pair;
        pairs->sum += pair->n;

        if (pair->worker == worker) {
            pairs->own = &pairs->items[pairs->n];
        }

        pairs->n++;
    }

    if (pairs->own == NULL && pairs->n < NGX_PROXY_USER_PAIRS) {
        pairs->own = &pairs->items[pairs->n++];
        pairs->own->worker = worker;
        pairs->own->n = 0;
    }

    return e;
}


void
ngx_proxy_user_zone_salt(ngx_proxy_user_zone_t *zone,
    u_char salt[NGX_PROXY_USER_SALT_LEN])
{
    ngx_memcpy(salt, zone->head->salt, NGX_PROXY_USER_SALT_LEN);
}


ngx_uint_t
ngx_proxy_user_zone_failures(ngx_proxy_user_zone_t *zone,
    const u_char key[NGX_PROXY_USER_KEY_LEN], const pu_rate_t *rate,
    pu_left_t *left)
{
    ngx_msec_t       now;
    pu_rate_state_t  state;

    ngx_proxy_user_zone_lock(zone);

    (void) ngx_proxy_user_rate_read(zone, NGX_PROXY_USER_FAILURES, key,
                                    &state);
    now = ngx_proxy_user_rate_now(zone);

    ngx_proxy_user_zone_unlock(zone);

    return pu_rate_open(rate, now, &state, left);
}


void
ngx_proxy_user_zone_failed(ngx_proxy_user_zone_t *zone,
    const u_char key[NGX_PROXY_USER_KEY_LEN], const pu_rate_t *rate)
{
    pu_rate_state_t          state;
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_rate_read(zone, NGX_PROXY_USER_FAILURES, key, &state);
    pu_rate_spend(rate, ngx_proxy_user_rate_now(zone), &state);
    ngx_proxy_user_rate_write(zone, NGX_PROXY_USER_FAILURES, key, e, &state);

    ngx_proxy_user_zone_unlock(zone);
}
