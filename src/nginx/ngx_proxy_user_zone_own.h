/*
 * What the files of the zone share: what is in it, and its lock.  For nobody
 * else.
 *
 * Between lock and unlock: walking, linking and copying of bounded records;
 * no allocation, no logging, no callback.
 */

#ifndef NGX_PROXY_USER_ZONE_OWN_H
#define NGX_PROXY_USER_ZONE_OWN_H

#include "ngx_proxy_user_zone.h"


#define NGX_PROXY_USER_LAYOUT      6    /* part of the zone's name */
#define NGX_PROXY_USER_TOMBS_MIN   1024 /* chunks, if there are so many */


typedef enum {
    NGX_PROXY_USER_TOKENS = 0,
    NGX_PROXY_USER_HANDLES,
    NGX_PROXY_USER_USERS,
    NGX_PROXY_USER_NONES,
    NGX_PROXY_USER_TOMBS,
    NGX_PROXY_USER_USED,
    NGX_PROXY_USER_JTIS,                /* tombstones of single tokens */
    NGX_PROXY_USER_PROOFS,              /* DPoP, where there is no Redis */
    NGX_PROXY_USER_LIMITS,
    NGX_PROXY_USER_FAILURES,
    NGX_PROXY_USER_WORKERS,
    NGX_PROXY_USER_KEYS,
    NGX_PROXY_USER_REFUSED,             /* tokens, by who was asked */
    NGX_PROXY_USER_KINDS
} ngx_proxy_user_kind_e;


typedef struct {
    ngx_uint_t                     locked;  /* set while somebody writes */

    uint64_t                       applied;
    uint64_t                       forgot;  /* tombstones up to here are gone */

    ngx_pid_t                      holder;
    ngx_msec_t                     renewed;

    pu_log_id_t                    last;
    u_char                         digest[PU_SHA256_LEN];
    ngx_uint_t                     started; /* "last" has been read */
    uint32_t                       series;  /* users of others are dropped */
    ngx_atomic_t                   view;
    ngx_atomic_t                   viewed;

    ngx_atomic_t                   keys;    /* counts new key sets */

    u_char                         store[NGX_PROXY_USER_STORE_MAX];
    size_t                         store_len;   /* 0: none has been seen */
    ngx_uint_t                     store_foreign;

    uint64_t                       changes; /* keys noted so far */
    uint64_t                       missed;  /* up to here some are unknown */
    size_t                         ring;    /* offset of a u_char[nring][..] */
    uint32_t                       nring;

    u_char                         salt[NGX_PROXY_USER_SALT_LEN];
    uint32_t                       workers; /* so many have been counted */
    ngx_msec_t                     now;     /* as somebody counted last */

    ngx_proxy_user_arena_head_t    arena;   /* last: its chunks follow */
} ngx_proxy_user_head_t;


struct ngx_proxy_user_zone_s {
    ngx_shm_zone_t                *shm;
    ngx_slab_pool_t               *pool;
    ngx_proxy_user_head_t         *head;
    ngx_proxy_user_arena_t         arena;
};


void ngx_proxy_user_zone_lock(ngx_proxy_user_zone_t *zone);
void ngx_proxy_user_zone_unlock(ngx_proxy_user_zone_t *zone);

/* Sets the ring up in the last of "size" bytes; how many those are. */
size_t ngx_proxy_user_zone_ring(ngx_proxy_user_head_t *head, size_t size);

/* Under the lock: this key has changed; everything may have. */
void ngx_proxy_user_zone_note(ngx_proxy_user_zone_t *zone,
    const u_char *key);
void ngx_proxy_user_zone_note_all(ngx_proxy_user_zone_t *zone);

/*
 * May the token of this name have been revoked after "applied"?  Under the
 * lock.
 */
ngx_uint_t ngx_proxy_user_zone_jti_changed(ngx_proxy_user_zone_t *zone,
    const u_char *digest, uint64_t applied);



#endif /* NGX_PROXY_USER_ZONE_OWN_H */
