/*
 * The arena: records of several kinds by key, in one piece of memory, the
 * least recently used of a kind going when room is wanted.
 *
 * Every entry is a chain of small chunks, so a record of any length fits
 * whatever was there before.  Links are chunk numbers: nothing here depends
 * on an address.  Each kind has a budget that it may exceed only while nobody
 * else needs the room.
 *
 * Knows no lock, no clock and no user: ngx_proxy_user_zone.c has those.
 */

#ifndef NGX_PROXY_USER_ARENA_H
#define NGX_PROXY_USER_ARENA_H

#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_PROXY_USER_KEY_LEN     32
#define NGX_PROXY_USER_CHUNK       64
#define NGX_PROXY_USER_CHUNK_DATA  (NGX_PROXY_USER_CHUNK - sizeof(uint32_t))
#define NGX_PROXY_USER_NIL         0xffffffff
#define NGX_PROXY_USER_KINDS_MAX   16


typedef struct {
    uint32_t                       more;    /* next chunk of the entry */
    uint32_t                       bucket;  /* next entry of the bucket */
    uint32_t                       newer;
    uint32_t                       older;
    u_char                         key[NGX_PROXY_USER_KEY_LEN];
    uint16_t                       len;
    uint16_t                       kind;
    uint32_t                       mark;    /* the caller's, as is ... */
    uint64_t                       stamp;   /* ... this */
} ngx_proxy_user_entry_t;


typedef union {
    ngx_proxy_user_entry_t         entry;
    struct {
        uint32_t                   more;
        u_char                     data[NGX_PROXY_USER_CHUNK_DATA];
    } part;
} ngx_proxy_user_chunk_t;


typedef struct {
    uint32_t                       newest;
    uint32_t                       oldest;
    uint32_t                       used;    /* chunks */
    uint32_t                       budget;
    uint64_t                       evicted; /* newest stamp that had to go */
} ngx_proxy_user_list_t;


/* The part that lives in the shared memory, before the chunks. */

typedef struct {
    uint32_t                       nchunks;
    uint32_t                       nbuckets;
    uint32_t                       virgin;  /* from here: never used */
    uint32_t                       free;
    uint32_t                       nfree;   /* virgin ones included */
    uint32_t                       nkinds;
    ngx_proxy_user_list_t          lists[NGX_PROXY_USER_KINDS_MAX];
} ngx_proxy_user_arena_head_t;


/* The part that each process has of its own. */

typedef struct {
    ngx_proxy_user_arena_head_t   *head;
    ngx_proxy_user_chunk_t        *chunks;
    uint32_t                      *buckets;
} ngx_proxy_user_arena_t;


/*
 * Takes over "size" bytes at "head"; "shares" are the kinds' budgets in per
 * mille.  Nothing is in it afterwards.
 */
void ngx_proxy_user_arena_init(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_arena_head_t *head, size_t size, const uint32_t *shares,
    ngx_uint_t nkinds);

/* For a memory that init has seen, in another process or cycle. */
void ngx_proxy_user_arena_attach(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_arena_head_t *head);

/* Empties it, whatever state it is in. */
void ngx_proxy_user_arena_clear(ngx_proxy_user_arena_t *arena);

/* The entry with this key, or NULL.  Valid until the next put. */
ngx_proxy_user_entry_t *ngx_proxy_user_arena_find(
    ngx_proxy_user_arena_t *arena, ngx_uint_t kind, const u_char *key);

/* The entry becomes the most recently used of its kind. */
void ngx_proxy_user_arena_use(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e);

void ngx_proxy_user_arena_drop(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e);

/* Drops the entry with this key, if there is one. */
void ngx_proxy_user_arena_forget(ngx_proxy_user_arena_t *arena,
    ngx_uint_t kind, const u_char *key);

/*
 * Puts an entry in place of one with the same key, its mark being 0.  Evicts
 * as needed; NULL when the record is larger than the arena.
 */
ngx_proxy_user_entry_t *ngx_proxy_user_arena_put(ngx_proxy_user_arena_t *arena,
    ngx_uint_t kind, const u_char *key, uint64_t stamp, const u_char *data,
    size_t len);

/* Copies e->len bytes out, from "skip" on; returns how many. */
size_t ngx_proxy_user_arena_copy(ngx_proxy_user_arena_t *arena,
    const ngx_proxy_user_entry_t *e, u_char *data, size_t skip);

/* Puts e->len other bytes in place of those that are there. */
void ngx_proxy_user_arena_write(ngx_proxy_user_arena_t *arena,
    ngx_proxy_user_entry_t *e, const u_char *data);


#endif /* NGX_PROXY_USER_ARENA_H */
