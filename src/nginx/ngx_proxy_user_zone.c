
/*
 * The shared memory; see the header for what it promises.
 *
 * One arena of cached records, and beside it what is no cache: the lease of
 * the tail, how far the change log has been applied, the id of the store.
 */

#include "ngx_proxy_user_zone_own.h"

#include <openssl/rand.h>


static ngx_int_t ngx_proxy_user_zone_init(ngx_shm_zone_t *shm, void *data);
static ngx_proxy_user_entry_t *ngx_proxy_user_zone_find(
    ngx_proxy_user_zone_t *zone, ngx_uint_t kind, const u_char *key);
static void ngx_proxy_user_zone_put(ngx_proxy_user_zone_t *zone,
    ngx_uint_t kind, const u_char *key, ngx_msec_t since, const u_char *data,
    size_t len);
static ngx_int_t ngx_proxy_user_zone_read_user(ngx_proxy_user_zone_t *zone,
    const u_char *key, ngx_proxy_user_record_t *record);
static void ngx_proxy_user_zone_write_user(ngx_proxy_user_zone_t *zone,
    const u_char *key, const ngx_proxy_user_record_t *record);
static ngx_uint_t ngx_proxy_user_zone_buried(ngx_proxy_user_zone_t *zone,
    const u_char *key, uint64_t applied);
static ngx_uint_t ngx_proxy_user_zone_changed(ngx_proxy_user_zone_t *zone,
    const u_char *key, const u_char *id, uint64_t applied);


/*
 * Per mille of the arena that a kind keeps when others want room.  A handle is
 * usually of three chunks and its user of four.
 */

static const uint32_t  ngx_proxy_user_zone_shares[NGX_PROXY_USER_KINDS] = {
    320, 208, 277, 20, 30, 20, 15, 20, 35, 15, 5, 25, 10
};


ngx_proxy_user_zone_t *
ngx_proxy_user_zone_add(ngx_conf_t *cf, size_t size, ngx_str_t *store)
{
    u_char                  digest[PU_SHA256_LEN];
    pu_str_t                part;
    ngx_str_t               name;
    ngx_proxy_user_zone_t  *zone;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    part = ngx_proxy_user_str(store);

    if (!pu_sha256(digest, &part, 1)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"proxy_user_zone\" cannot "
                           "be named: OpenSSL has no SHA-256, or no memory");
        return NULL;
    }

    name.len = sizeof("proxy_user_00_") - 1 + 16;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NULL;
    }

    (void) ngx_hex_dump(ngx_sprintf(name.data, "proxy_user_%02d_",
                                    NGX_PROXY_USER_LAYOUT),
                        digest, 8);

    zone->shm = ngx_shared_memory_add(cf, &name, size,
                                      &ngx_proxy_user_module);
    if (zone->shm == NULL) {
        return NULL;
    }

    zone->shm->init = ngx_proxy_user_zone_init;
    zone->shm->data = zone;

    return zone;
}


static ngx_int_t
ngx_proxy_user_zone_init(ngx_shm_zone_t *shm, void *data)
{
    ngx_proxy_user_zone_t  *old = data;

    size_t                  size;
    ngx_proxy_user_list_t  *tombs;
    ngx_proxy_user_zone_t  *zone;

    zone = shm->data;
    zone->pool = (ngx_slab_pool_t *) shm->shm.addr;

    if (old || shm->shm.exists) {
        zone->head = zone->pool->data;
        ngx_proxy_user_arena_attach(&zone->arena, &zone->head->arena);
        return NGX_OK;
    }

    zone->pool->log_nomem = 0;

    size = zone->pool->pfree * ngx_pagesize;

    zone->head = ngx_slab_alloc(zone->pool, size);
    if (zone->head == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm->shm.log, 0,
                      "proxy_user: no room in the shared memory \"%V\"",
                      &shm->shm.name);
        return NGX_ERROR;
    }

    zone->pool->data = zone->head;

    ngx_memzero(zone->head, sizeof(ngx_proxy_user_head_t));

    size -= ngx_proxy_user_zone_ring(zone->head, size);

    if (RAND_bytes(zone->head->salt, NGX_PROXY_USER_SALT_LEN) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm->shm.log, 0,
                      "proxy_user: there is no randomness");
        return NGX_ERROR;
    }

    ngx_proxy_user_arena_init(&zone->arena, &zone->head->arena,
                              size - offsetof(ngx_proxy_user_head_t, arena),
                              ngx_proxy_user_zone_shares,
                              NGX_PROXY_USER_KINDS);

    /* a lost tombstone makes every look-up under way ask again */

    tombs = &zone->head->arena.lists[NGX_PROXY_USER_TOMBS];
    tombs->budget = ngx_max(tombs->budget,
                            ngx_min(NGX_PROXY_USER_TOMBS_MIN,
                                    zone->head->arena.nchunks / 4));

    return NGX_OK;
}


/*
 * nginx's master unlocks what a dead worker held, but cannot know how far it
 * had come: whoever finds the mark of an unfinished change empties the arena.
 * The tombstones go too, so every look-up under way has to ask again.
 */

void
ngx_proxy_user_zone_lock(ngx_proxy_user_zone_t *zone)
{
    ngx_shmtx_lock(&zone->pool->mutex);

    if (zone->head->locked) {
        ngx_proxy_user_arena_clear(&zone->arena);
        zone->head->forgot = ++zone->head->applied;
        ngx_proxy_user_zone_note_all(zone);
    }

    zone->head->locked = 1;
    ngx_memory_barrier();
}


void
ngx_proxy_user_zone_unlock(ngx_proxy_user_zone_t *zone)
{
    ngx_memory_barrier();
    zone->head->locked = 0;

    ngx_shmtx_unlock(&zone->pool->mutex);
}


ngx_uint_t
ngx_proxy_user_zone_used(ngx_proxy_user_zone_t *zone, const u_char *key)
{
    ngx_uint_t               first;
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_USED, key);

    first = (e == NULL
             || ngx_proxy_user_zone_age(e->stamp) >= NGX_PROXY_USER_USED_AGE);

    if (first) {
        ngx_proxy_user_arena_put(&zone->arena, NGX_PROXY_USER_USED, key,
                                 ngx_current_msec, NULL, 0);
    }

    ngx_proxy_user_zone_unlock(zone);

    return first;
}


/*
 * Handles, users and "no such user" belong to a series: a new one drops them
 * all at once, however many there are.
 */

static ngx_proxy_user_entry_t *
ngx_proxy_user_zone_find(ngx_proxy_user_zone_t *zone, ngx_uint_t kind,
    const u_char *key)
{
    ngx_proxy_user_entry_t  *e;

    e = ngx_proxy_user_arena_find(&zone->arena, kind, key);

    return (e && e->mark == zone->head->series) ? e : NULL;
}


static void
ngx_proxy_user_zone_put(ngx_proxy_user_zone_t *zone, ngx_uint_t kind,
    const u_char *key, ngx_msec_t since, const u_char *data, size_t len)
{
    ngx_proxy_user_entry_t  *e;

    e = ngx_proxy_user_arena_put(&zone->arena, kind, key, since, data, len);

    if (e) {
        e->mark = zone->head->series;
    }
}


void
ngx_proxy_user_zone_user_key(u_char *key, const u_char *id)
{
    ngx_memzero(key, NGX_PROXY_USER_KEY_LEN);
    ngx_memcpy(key, id + 2, PU_USER_ID_LEN - 2);
}


/*
 * A handle's bytes are the user's id, which is in its first chunk, and its
 * own record.  "record" is touched only when both are there.
 */

static ngx_int_t
ngx_proxy_user_zone_read_user(ngx_proxy_user_zone_t *zone, const u_char *key,
    ngx_proxy_user_record_t *record)
{
    u_char                  *id, user[NGX_PROXY_USER_KEY_LEN];
    ngx_proxy_user_entry_t  *h, *u;
    ngx_proxy_user_arena_t  *arena;

    arena = &zone->arena;

    h = ngx_proxy_user_zone_find(zone, NGX_PROXY_USER_HANDLES, key);

    if (h == NULL) {
        return NGX_DECLINED;
    }

    id = arena->chunks[h->more].part.data;

    ngx_proxy_user_zone_user_key(user, id);

    u = ngx_proxy_user_zone_find(zone, NGX_PROXY_USER_USERS, user);

    if (u == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(record->id, id, PU_USER_ID_LEN);
    record->handle_len = ngx_proxy_user_arena_copy(arena, h, record->handle,
                                                   PU_USER_ID_LEN);
    record->user_len = ngx_proxy_user_arena_copy(arena, u, record->user, 0);
    record->since = ngx_min(h->stamp, u->stamp);

    ngx_proxy_user_arena_use(arena, h);
    ngx_proxy_user_arena_use(arena, u);

    return NGX_OK;
}


static void
ngx_proxy_user_zone_write_user(ngx_proxy_user_zone_t *zone,
    const u_char *key, const ngx_proxy_user_record_t *record)
{
    u_char  user[NGX_PROXY_USER_KEY_LEN];
    u_char  handle[NGX_PROXY_USER_RECORD_MAX];

    if (record->handle_len > sizeof(handle) - PU_USER_ID_LEN
        || record->user_len > NGX_PROXY_USER_RECORD_MAX)
    {
        return;
    }

    ngx_memcpy(ngx_cpymem(handle, record->id, PU_USER_ID_LEN),
               record->handle, record->handle_len);

    ngx_proxy_user_zone_user_key(user, record->id);

    ngx_proxy_user_arena_forget(&zone->arena, NGX_PROXY_USER_NONES, key);

    ngx_proxy_user_zone_put(zone, NGX_PROXY_USER_HANDLES, key, record->since,
                            handle, record->handle_len + PU_USER_ID_LEN);

    ngx_proxy_user_zone_put(zone, NGX_PROXY_USER_USERS, user, record->since,
                            record->user, record->user_len);
}


ngx_int_t
ngx_proxy_user_zone_user(ngx_proxy_user_zone_t *zone, const u_char *key,
    ngx_proxy_user_record_t *record)
{
    ngx_int_t                rc;
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_zone_lock(zone);

    rc = ngx_proxy_user_zone_read_user(zone, key, record);

    if (rc != NGX_OK) {
        e = ngx_proxy_user_zone_find(zone, NGX_PROXY_USER_NONES, key);

        if (e && ngx_proxy_user_zone_age(e->stamp) < NGX_PROXY_USER_NONE_AGE)
        {
            rc = NGX_ABORT;
        }
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_proxy_user_zone_by_id(ngx_proxy_user_zone_t *zone,
    ngx_proxy_user_record_t *record)
{
    u_char                   user[NGX_PROXY_USER_KEY_LEN];
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_zone_user_key(user, record->id);

    ngx_proxy_user_zone_lock(zone);

    e = ngx_proxy_user_zone_find(zone, NGX_PROXY_USER_USERS, user);

    if (e) {
        record->since = e->stamp;
        record->user_len = ngx_proxy_user_arena_copy(&zone->arena, e,
                                                     record->user, 0);
    }

    ngx_proxy_user_zone_unlock(zone);

    return e ? NGX_OK : NGX_DECLINED;
}


uint64_t
ngx_proxy_user_zone_applied(ngx_proxy_user_zone_t *zone)
{
    uint64_t  applied;

    ngx_proxy_user_zone_lock(zone);
    applied = zone->head->applied;
    ngx_proxy_user_zone_unlock(zone);

    return applied;
}


static ngx_uint_t
ngx_proxy_user_zone_buried(ngx_proxy_user_zone_t *zone, const u_char *key,
    uint64_t applied)
{
    ngx_proxy_user_entry_t  *e;

    e = ngx_proxy_user_arena_find(&zone->arena, NGX_PROXY_USER_TOMBS, key);

    return e && e->stamp > applied;
}


/* Has a change to "key" or "id" (may be NULL) been applied after "applied"? */

static ngx_uint_t
ngx_proxy_user_zone_changed(ngx_proxy_user_zone_t *zone, const u_char *key,
    const u_char *id, uint64_t applied)
{
    u_char                  user[NGX_PROXY_USER_KEY_LEN];
    ngx_proxy_user_list_t  *tombs;

    tombs = &zone->arena.head->lists[NGX_PROXY_USER_TOMBS];

    if (zone->head->forgot > applied || tombs->evicted > applied) {
        return 1;
    }

    if (ngx_proxy_user_zone_buried(zone, key, applied)) {
        return 1;
    }

    if (id == NULL) {
        return 0;
    }

    ngx_proxy_user_zone_user_key(user, id);

    return ngx_proxy_user_zone_buried(zone, user, applied);
}


ngx_int_t
ngx_proxy_user_zone_put_user(ngx_proxy_user_zone_t *zone, const u_char *key,
    const ngx_proxy_user_record_t *record, uint64_t applied)
{
    ngx_int_t  rc;

    ngx_proxy_user_zone_lock(zone);

    if (ngx_proxy_user_zone_changed(zone, key, record->id, applied)) {
        rc = NGX_AGAIN;

    } else {
        rc = NGX_OK;

        if (zone->head->started) {
            ngx_proxy_user_zone_write_user(zone, key, record);
        }
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_proxy_user_zone_put_none(ngx_proxy_user_zone_t *zone, const u_char *key,
    ngx_msec_t since, uint64_t applied)
{
    ngx_int_t  rc;

    ngx_proxy_user_zone_lock(zone);

    if (ngx_proxy_user_zone_changed(zone, key, NULL, applied)) {
        rc = NGX_AGAIN;

    } else {
        rc = NGX_OK;

        if (zone->head->started) {
            ngx_proxy_user_arena_forget(&zone->arena, NGX_PROXY_USER_HANDLES,
                                        key);
            ngx_proxy_user_zone_put(zone, NGX_PROXY_USER_NONES, key, since,
                                    NULL, 0);
        }
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


void
ngx_proxy_user_zone_make_user(ngx_proxy_user_zone_t *zone, const u_char *key,
    ngx_proxy_user_record_t *record)
{
    ngx_proxy_user_zone_lock(zone);

    if (ngx_proxy_user_zone_read_user(zone, key, record) != NGX_OK) {
        ngx_proxy_user_zone_write_user(zone, key, record);
    }

    ngx_proxy_user_zone_unlock(zone);
}


ngx_uint_t
ngx_proxy_user_zone_lease(ngx_proxy_user_zone_t *zone, ngx_pid_t pid)
{
    ngx_uint_t              holds;
    ngx_proxy_user_head_t  *head;

    head = zone->head;

    ngx_proxy_user_zone_lock(zone);

    if (head->holder == 0 || head->holder == pid
        || ngx_proxy_user_zone_age(head->renewed) > NGX_PROXY_USER_LEASE_AGE)
    {
        head->holder = pid;
        head->renewed = ngx_current_msec;
    }

    holds = (head->holder == pid);

    ngx_proxy_user_zone_unlock(zone);

    return holds;
}


void
ngx_proxy_user_zone_release(ngx_proxy_user_zone_t *zone, ngx_pid_t pid)
{
    ngx_proxy_user_zone_lock(zone);

    if (zone->head->holder == pid) {
        zone->head->holder = 0;
    }

    ngx_proxy_user_zone_unlock(zone);
}


ngx_int_t
ngx_proxy_user_zone_last(ngx_proxy_user_zone_t *zone, ngx_pid_t pid,
    pu_log_id_t *last, u_char digest[PU_SHA256_LEN])
{
    ngx_int_t               rc;
    ngx_proxy_user_head_t  *head;

    head = zone->head;

    ngx_proxy_user_zone_lock(zone);

    if (head->holder != pid) {
        rc = NGX_ABORT;

    } else if (!head->started) {
        rc = NGX_DECLINED;

    } else {
        *last = head->last;
        ngx_memcpy(digest, head->digest, PU_SHA256_LEN);
        rc = NGX_OK;
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_proxy_user_zone_apply(ngx_proxy_user_zone_t *zone, ngx_pid_t pid,
    pu_log_id_t id, const u_char digest[PU_SHA256_LEN], const u_char *user,
    const u_char *handle, const u_char *jti, ngx_uint_t made)
{
    u_char                   key[NGX_PROXY_USER_KEY_LEN];
    ngx_int_t                rc;
    ngx_proxy_user_head_t   *head;
    ngx_proxy_user_arena_t  *arena;

    head = zone->head;
    arena = &zone->arena;
    rc = NGX_OK;

    ngx_proxy_user_zone_lock(zone);

    if (head->holder != pid) {
        rc = NGX_ABORT;

    } else if (pu_log_id_cmp(id, head->last) > 0) {

        head->applied++;

        if (user) {
            ngx_proxy_user_zone_user_key(key, user);
            ngx_proxy_user_zone_note(zone, key);
            ngx_proxy_user_arena_forget(arena, NGX_PROXY_USER_USERS, key);
            ngx_proxy_user_arena_put(arena, NGX_PROXY_USER_TOMBS, key,
                                     head->applied, NULL, 0);
        }

        if (handle) {
            if (!made) {
                ngx_proxy_user_zone_note(zone, handle);
                ngx_proxy_user_arena_forget(arena, NGX_PROXY_USER_HANDLES,
                                            handle);
            }

            ngx_proxy_user_arena_forget(arena, NGX_PROXY_USER_NONES, handle);
            ngx_proxy_user_arena_put(arena, NGX_PROXY_USER_TOMBS, handle,
                                     head->applied, NULL, 0);
        }

        if (jti) {
            ngx_proxy_user_arena_put(arena, NGX_PROXY_USER_JTIS, jti,
                                     head->applied, NULL, 0);
        }

        head->last = id;
        ngx_memcpy(head->digest, digest, PU_SHA256_LEN);
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_proxy_user_zone_restart(ngx_proxy_user_zone_t *zone, ngx_pid_t pid,
    pu_log_id_t last, const u_char digest[PU_SHA256_LEN])
{
    ngx_int_t               rc;
    ngx_proxy_user_head_t  *head;

    head = zone->head;
    rc = NGX_OK;

    ngx_proxy_user_zone_lock(zone);

    if (head->holder != pid) {
        rc = NGX_ABORT;

    } else {
        head->series++;
        head->forgot = ++head->applied;
        ngx_proxy_user_zone_note_all(zone);
        head->last = last;
        head->started = 1;
        ngx_memcpy(head->digest, digest, PU_SHA256_LEN);
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_proxy_user_zone_stamp(ngx_proxy_user_zone_t *zone, ngx_pid_t pid,
    ngx_msec_t since)
{
    ngx_int_t               rc;
    ngx_proxy_user_head_t  *head;

    head = zone->head;
    rc = NGX_OK;

    ngx_proxy_user_zone_lock(zone);

    if (head->holder != pid) {
        rc = NGX_ABORT;

    } else if (!head->viewed
               || (ngx_msec_int_t) (since - (ngx_msec_t) head->view) > 0)
    {
        head->view = since;
        head->viewed = 1;
    }

    ngx_proxy_user_zone_unlock(zone);

    return rc;
}


ngx_uint_t
ngx_proxy_user_zone_fresh(ngx_proxy_user_zone_t *zone, ngx_msec_t *since)
{
    if (!zone->head->viewed) {
        *since = 0;
        return 0;
    }

    *since = zone->head->view;

    return ngx_proxy_user_zone_age(*since) < NGX_PROXY_USER_VIEW_AGE;
}


size_t
ngx_proxy_user_zone_store(ngx_proxy_user_zone_t *zone,
    u_char id[NGX_PROXY_USER_STORE_MAX])
{
    size_t  len;

    ngx_proxy_user_zone_lock(zone);

    len = zone->head->store_len;
    ngx_memcpy(id, zone->head->store, NGX_PROXY_USER_STORE_MAX);

    ngx_proxy_user_zone_unlock(zone);

    return len;
}


ngx_uint_t
ngx_proxy_user_zone_see_store(ngx_proxy_user_zone_t *zone, pu_str_t store,
    pu_str_t accepted, ngx_uint_t *changed)
{
    ngx_uint_t              known;
    ngx_proxy_user_head_t  *head;

    head = zone->head;

    ngx_proxy_user_zone_lock(zone);

    if (store.len && store.len <= NGX_PROXY_USER_STORE_MAX
        && (head->store_len == 0 || pu_str_eq(store, accepted)))
    {
        ngx_memcpy(head->store, store.data, store.len);
        head->store_len = store.len;
    }

    known = head->store_len == 0
            || (store.len == head->store_len
                && ngx_memcmp(head->store, store.data, store.len) == 0);

    *changed = (head->store_foreign != !known);
    head->store_foreign = !known;

    ngx_proxy_user_zone_unlock(zone);

    return known;
}
