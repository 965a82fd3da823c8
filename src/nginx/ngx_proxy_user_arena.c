
/*
 * The arena; see the header for what it promises.
 *
 * An entry's first chunk is its header, its bytes follow in chunks of their
 * own.  The head is followed by the chunks, the chunks by the buckets.
 */

#include "ngx_proxy_user_arena.h"


static uint32_t *ngx_proxy_user_arena_bucket(ngx_proxy_user_arena_t *arena,
    ngx_uint_t kind, const u_char *key);
static uint32_t ngx_proxy_user_arena_number(ngx_proxy_user_arena_t *arena,
    const ngx_proxy_user_entry_t *e);
static void ngx_proxy_user_arena_unlink(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e);
static void ngx_proxy_user_arena_link(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e);
static ngx_int_t ngx_proxy_user_arena_room(ngx_proxy_user_arena_t *arena,
    ngx_uint_t kind, uint32_t need);
static uint32_t ngx_proxy_user_arena_take(ngx_proxy_user_arena_t *arena);


void
ngx_proxy_user_arena_init(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_arena_head_t *head, size_t size, const uint32_t *shares,
    ngx_uint_t nkinds)
{
    uint32_t    n;
    ngx_uint_t  i;

    ngx_memzero(head, sizeof(ngx_proxy_user_arena_head_t));

    size -= ngx_min(size, sizeof(ngx_proxy_user_arena_head_t)
                          + NGX_PROXY_USER_CHUNK);

    /* one bucket for four chunks: about one for each entry */

    n = ngx_min(size / (4 * NGX_PROXY_USER_CHUNK + sizeof(uint32_t)),
                0x20000000);

    head->nbuckets = n;
    head->nchunks = 4 * n;
    head->nkinds = nkinds;

    for (i = 0; i < nkinds; i++) {
        head->lists[i].budget = (uint64_t) head->nchunks * shares[i] / 1000;
    }

    ngx_proxy_user_arena_attach(arena, head);
    ngx_proxy_user_arena_clear(arena);
}


void
ngx_proxy_user_arena_attach(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_arena_head_t *head)
{
    u_char  *p;

    p = (u_char *) head + sizeof(ngx_proxy_user_arena_head_t);
    p = ngx_align_ptr(p, NGX_PROXY_USER_CHUNK);

    arena->head = head;
    arena->chunks = (ngx_proxy_user_chunk_t *) p;
    arena->buckets = (uint32_t *) (arena->chunks + head->nchunks);
}


void
ngx_proxy_user_arena_clear(ngx_proxy_user_arena_t *arena)
{
    ngx_uint_t                    i;
    ngx_proxy_user_arena_head_t  *head;

    head = arena->head;

    for (i = 0; i < head->nkinds; i++) {
        head->lists[i].newest = NGX_PROXY_USER_NIL;
        head->lists[i].oldest = NGX_PROXY_USER_NIL;
        head->lists[i].used = 0;
    }

    ngx_memset(arena->buckets, 0xff, head->nbuckets * sizeof(uint32_t));

    head->free = NGX_PROXY_USER_NIL;
    head->virgin = 0;
    head->nfree = head->nchunks;
}


static uint32_t *
ngx_proxy_user_arena_bucket(ngx_proxy_user_arena_t *arena, ngx_uint_t kind,
    const u_char *key)
{
    uint32_t  hash, word[NGX_PROXY_USER_KEY_LEN / sizeof(uint32_t)];

    /* keys are digests or random ids: folding them is mixing enough */

    ngx_memcpy(word, key, NGX_PROXY_USER_KEY_LEN);

    hash = (word[0] ^ word[2] ^ word[4]) * 0x9e3779b1u
           + (word[1] ^ word[3] ^ word[5]) * 0x85ebca6bu + kind;
    hash ^= hash >> 15;

    return &arena->buckets[hash % arena->head->nbuckets];
}


static uint32_t
ngx_proxy_user_arena_number(ngx_proxy_user_arena_t *arena,
    const ngx_proxy_user_entry_t *e)
{
    return (const ngx_proxy_user_chunk_t *) e - arena->chunks;
}


ngx_proxy_user_entry_t *
ngx_proxy_user_arena_find(ngx_proxy_user_arena_t *arena, ngx_uint_t kind,
    const u_char *key)
{
    uint32_t                 n;
    ngx_proxy_user_entry_t  *e;

    n = *ngx_proxy_user_arena_bucket(arena, kind, key);

    while (n != NGX_PROXY_USER_NIL) {
        e = &arena->chunks[n].entry;

        if (e->kind == kind
            && ngx_memcmp(e->key, key, NGX_PROXY_USER_KEY_LEN) == 0)
        {
            return e;
        }

        n = e->bucket;
    }

    return NULL;
}


static void
ngx_proxy_user_arena_unlink(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e)
{
    ngx_proxy_user_list_t  *list;

    list = &arena->head->lists[e->kind];

    if (e->newer == NGX_PROXY_USER_NIL) {
        list->newest = e->older;

    } else {
        arena->chunks[e->newer].entry.older = e->older;
    }

    if (e->older == NGX_PROXY_USER_NIL) {
        list->oldest = e->newer;

    } else {
        arena->chunks[e->older].entry.newer = e->newer;
    }
}


static void
ngx_proxy_user_arena_link(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e)
{
    uint32_t                n;
    ngx_proxy_user_list_t  *list;

    n = ngx_proxy_user_arena_number(arena, e);
    list = &arena->head->lists[e->kind];

    e->newer = NGX_PROXY_USER_NIL;
    e->older = list->newest;

    if (list->newest == NGX_PROXY_USER_NIL) {
        list->oldest = n;

    } else {
        arena->chunks[list->newest].entry.newer = n;
    }

    list->newest = n;
}


void
ngx_proxy_user_arena_use(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e)
{
    if (e->newer == NGX_PROXY_USER_NIL) {
        return;
    }

    ngx_proxy_user_arena_unlink(arena, e);
    ngx_proxy_user_arena_link(arena, e);
}


void
ngx_proxy_user_arena_drop(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e)
{
    uint32_t                     *p, n, next;
    ngx_proxy_user_list_t        *list;
    ngx_proxy_user_arena_head_t  *head;

    head = arena->head;
    list = &head->lists[e->kind];
    n = ngx_proxy_user_arena_number(arena, e);

    p = ngx_proxy_user_arena_bucket(arena, e->kind, e->key);

    while (*p != n) {
        p = &arena->chunks[*p].entry.bucket;
    }

    *p = e->bucket;

    ngx_proxy_user_arena_unlink(arena, e);

    do {
        next = arena->chunks[n].part.more;

        arena->chunks[n].part.more = head->free;
        head->free = n;
        head->nfree++;
        list->used--;

        n = next;

    } while (n != NGX_PROXY_USER_NIL);
}


void
ngx_proxy_user_arena_forget(ngx_proxy_user_arena_t *arena, ngx_uint_t kind,
    const u_char *key)
{
    ngx_proxy_user_entry_t  *e;

    e = ngx_proxy_user_arena_find(arena, kind, key);

    if (e) {
        ngx_proxy_user_arena_drop(arena, e);
    }
}


/*
 * Evicts until "need" chunks are free: from the kind that has most beside its
 * budget, the asking one counted as if it had them already.  By the ratio, so
 * that kinds which are of use together only keep the ratio of their budgets.
 */

static ngx_int_t
ngx_proxy_user_arena_room(ngx_proxy_user_arena_t *arena, ngx_uint_t kind,
    uint32_t need)
{
    uint64_t                 used, most;
    ngx_uint_t               i;
    ngx_proxy_user_list_t   *list, *victim;
    ngx_proxy_user_entry_t  *e;

    if (need > arena->head->nchunks) {
        return NGX_DECLINED;
    }

    while (arena->head->nfree < need) {
        victim = NULL;
        most = 0;                       /* chunks that the victim has */

        for (i = 0; i < arena->head->nkinds; i++) {
            list = &arena->head->lists[i];

            if (list->used == 0) {
                continue;
            }

            used = (uint64_t) list->used + (i == kind ? need : 0);

            if (victim == NULL
                || used * (victim->budget + 1) > most * (list->budget + 1))
            {
                victim = list;
                most = used;
            }
        }

        e = &arena->chunks[victim->oldest].entry;

        if (e->stamp > victim->evicted) {
            victim->evicted = e->stamp;
        }

        ngx_proxy_user_arena_drop(arena, e);
    }

    return NGX_OK;
}


static uint32_t
ngx_proxy_user_arena_take(ngx_proxy_user_arena_t *arena)
{
    uint32_t                      n;
    ngx_proxy_user_arena_head_t  *head;

    head = arena->head;
    head->nfree--;

    if (head->free == NGX_PROXY_USER_NIL) {
        return head->virgin++;
    }

    n = head->free;
    head->free = arena->chunks[n].part.more;

    return n;
}


ngx_proxy_user_entry_t *
ngx_proxy_user_arena_put(ngx_proxy_user_arena_t *arena, ngx_uint_t kind,
    const u_char *key, uint64_t stamp, const u_char *data, size_t len)
{
    size_t                   size;
    uint32_t                 n, part, *bucket, *more, need;
    ngx_proxy_user_entry_t  *e;

    ngx_proxy_user_arena_forget(arena, kind, key);

    need = 1 + (len + NGX_PROXY_USER_CHUNK_DATA - 1)
               / NGX_PROXY_USER_CHUNK_DATA;

    if (ngx_proxy_user_arena_room(arena, kind, need) != NGX_OK) {
        return NULL;
    }

    n = ngx_proxy_user_arena_take(arena);

    e = &arena->chunks[n].entry;
    ngx_memcpy(e->key, key, NGX_PROXY_USER_KEY_LEN);
    e->len = len;
    e->kind = kind;
    e->mark = 0;
    e->stamp = stamp;

    more = &e->more;

    while (len) {
        size = ngx_min(len, NGX_PROXY_USER_CHUNK_DATA);

        part = ngx_proxy_user_arena_take(arena);
        ngx_memcpy(arena->chunks[part].part.data, data, size);

        *more = part;
        more = &arena->chunks[part].part.more;

        data += size;
        len -= size;
    }

    *more = NGX_PROXY_USER_NIL;

    arena->head->lists[kind].used += need;

    bucket = ngx_proxy_user_arena_bucket(arena, kind, key);
    e->bucket = *bucket;
    *bucket = n;

    ngx_proxy_user_arena_link(arena, e);

    return e;
}


size_t
ngx_proxy_user_arena_copy(ngx_proxy_user_arena_t *arena,
    const ngx_proxy_user_entry_t *e, u_char *data, size_t skip)
{
    u_char                  *start;
    size_t                   left, size;
    ngx_proxy_user_chunk_t  *part;

    start = data;
    left = e->len;
    part = left ? &arena->chunks[e->more] : NULL;

    while (left) {
        size = ngx_min(left, NGX_PROXY_USER_CHUNK_DATA);

        if (skip < size) {
            data = ngx_cpymem(data, part->part.data + skip, size - skip);
            skip = 0;

        } else {
            skip -= size;
        }

        left -= size;

        if (left) {
            part = &arena->chunks[part->part.more];
        }
    }

    return data - start;
}


void
ngx_proxy_user_arena_write(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e, const u_char *data)
{
    size_t    left, size;
    uint32_t  part;

    part = e->more;

    for (left = e->len; left; left -= size) {
        size = ngx_min(left, NGX_PROXY_USER_CHUNK_DATA);

        ngx_memcpy(arena->chunks[part].part.data, data, size);

        data += size;
        part = arena->chunks[part].part.more;
    }
}
