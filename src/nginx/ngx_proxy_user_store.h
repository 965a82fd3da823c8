/*
 * The store: a handle in, its user out.
 *
 * Zone first, then one asynchronous round trip to Redis that everybody who
 * asks for the same handle shares, then the zone again.  Without Redis the
 * zone is all there is.  Knows no request: who asks brings a waiter.
 */

#ifndef NGX_PROXY_USER_STORE_H
#define NGX_PROXY_USER_STORE_H

#include "ngx_proxy_user.h"
#include "ngx_proxy_user_zone.h"


struct ngx_proxy_user_redis_s;
struct ngx_proxy_user_unread_s;


typedef enum {
    NGX_PROXY_USER_CACHE_NONE = 0,
    NGX_PROXY_USER_CACHE_HIT,
    NGX_PROXY_USER_CACHE_MISS,
    NGX_PROXY_USER_CACHE_STALE
} ngx_proxy_user_cache_e;


typedef struct {
    pu_handle_kind_t                kind;
    u_char                          digest[PU_SHA256_LEN];
    unsigned                        stale:1;    /* proxy_user_on_unknown */
    unsigned                        create:1;   /* the rest is for this */
    unsigned                        service:1;
    pu_str_t                        name;
    pu_str_t                        issuer;     /* url */
    pu_str_t                        subject;
    pu_link_t                       link;       /* or for this */
    pu_str_t                        claim;
    int64_t                         iat;
    unsigned                        named:1;    /* the token, by "jti": if */
    u_char                          jti[PU_SHA256_LEN]; /* it is revoked ... */
} ngx_proxy_user_query_t;                       /* ... nobody is made */


/*
 * PU_OK: there is a record.  PU_TOKEN_REVOKED: nobody was made, for the token
 * that was asked with is revoked: of all who share a look-up, that with "jti".
 */
typedef struct {
    pu_reason_t                     reason;
    ngx_proxy_user_cache_e          cache;
    const ngx_proxy_user_record_t  *record;
    const u_char                   *jti;        /* or NULL */
} ngx_proxy_user_answer_t;


/* "answer" and its record are valid until the handler returns. */
typedef void (*ngx_proxy_user_store_pt)(void *data,
    const ngx_proxy_user_answer_t *answer);

typedef struct {
    ngx_queue_t                     queue;
    ngx_proxy_user_store_pt         handler;
    void                           *data;
    unsigned                        stale:1;    /* the store's own ... */
    unsigned                        makes:1;    /* ... these too */
    unsigned                        waiting:1;
} ngx_proxy_user_waiter_t;


/* In a worker, at its start; connects.  NULL when memory is gone. */
ngx_proxy_user_store_t *ngx_proxy_user_store_open(ngx_cycle_t *cycle,
    ngx_proxy_user_main_conf_t *mcf);

/* Its connection, for a question of another kind; NULL: there is no Redis. */
struct ngx_proxy_user_redis_s *ngx_proxy_user_store_redis(
    const ngx_proxy_user_store_t *store);

/* At its end; nobody is called back. */
void ngx_proxy_user_store_close(ngx_proxy_user_store_t *store);

/*
 * NGX_OK: the zone knows; the record is valid until the next call.
 * NGX_DECLINED: it must be looked up.  The part of "query" that is for a new
 * user is not read.
 */
ngx_int_t ngx_proxy_user_store_cached(ngx_proxy_user_store_t *store,
    const ngx_proxy_user_query_t *query, ngx_proxy_user_answer_t *answer);

/*
 * After store_cached has declined.
 * NGX_OK: "answer" is filled; its record is valid until the next call.
 * NGX_AGAIN: "waiter" (its handler and data set, in memory that stays until
 * then or until detach) is called once from an event of its own; "query" may
 * go away.
 */
ngx_int_t ngx_proxy_user_store_lookup(ngx_proxy_user_store_t *store,
    const ngx_proxy_user_query_t *query, ngx_proxy_user_answer_t *answer,
    ngx_proxy_user_waiter_t *waiter);

/* The handle was good for a request just now; returns at once. */
void ngx_proxy_user_store_used(ngx_proxy_user_store_t *store,
    const u_char *digest, pu_str_t id);

/*
 * For ngx_proxy_user_ask.c: the questions under way, the connection for
 * look-ups, its settings, and what was told of records that cannot be read.
 * Only where there is a Redis.
 */
ngx_queue_t *ngx_proxy_user_store_questions(ngx_proxy_user_store_t *store,
    struct ngx_proxy_user_redis_s **redis,
    const ngx_proxy_user_redis_conf_t **conf,
    struct ngx_proxy_user_unread_s **unread);

/* The waiter will not be called; the cache still gains from the answer. */
void ngx_proxy_user_store_detach(ngx_proxy_user_waiter_t *waiter);


#endif /* NGX_PROXY_USER_STORE_H */
