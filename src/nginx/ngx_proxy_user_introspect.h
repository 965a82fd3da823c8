/*
 * Tokens that are no JWTs: their issuer is asked about them (RFC 7662), once
 * for all requests of this worker that wait for the same.
 *
 * Knows no request and remembers no answer: who asks says what is to be kept
 * of it.  What is asked at once, and who waits, is bounded.
 */

#ifndef NGX_PROXY_USER_INTROSPECT_H
#define NGX_PROXY_USER_INTROSPECT_H

#include "ngx_proxy_user.h"


/* Of one issuer in one worker. */
#define NGX_PROXY_USER_INQUIRIES_MAX  128
#define NGX_PROXY_USER_WAITERS_MAX    1024


typedef struct {
    const u_char                     *digest;   /* the question's */
    pu_reason_t                       reason;   /* PU_OK, or why not */
    const pu_token_t                 *token;    /* NULL unless PU_OK */
    ngx_msec_t                        since;    /* the issuer was asked then */
} ngx_proxy_user_introspected_t;


/* "told" is valid until it returns. */
typedef void (*ngx_proxy_user_introspect_pt)(void *data,
    const ngx_proxy_user_introspected_t *told);


/* The same digest is the same question, whoever asks it. */
typedef struct {
    const pu_issuer_t                *issuer;   /* has introspection */
    pu_str_t                          text;     /* of the token */
    u_char                            digest[PU_SHA256_LEN];
    ngx_proxy_user_introspect_pt      keep;
    void                             *data;     /* outlives the worker */
} ngx_proxy_user_introspect_t;


typedef struct {
    ngx_queue_t                       queue;    /* not the caller's, as ... */
    struct ngx_proxy_user_inquiry_s  *inquiry;  /* ... this; NULL: no wait */
    ngx_proxy_user_introspect_pt      handler;
    void                             *data;
} ngx_proxy_user_introspect_waiter_t;


/* In a worker, at its start.  NULL: no memory. */
ngx_proxy_user_introspector_t *ngx_proxy_user_introspector_open(
    ngx_cycle_t *cycle, const ngx_proxy_user_main_conf_t *mcf);

/* At its end; nobody is called back. */
void ngx_proxy_user_introspector_close(
    ngx_proxy_user_introspector_t *introspector);

/*
 * NGX_AGAIN: "waiter" (handler and data set) is called once, from an event of
 * its own, and before the first who waits "keep" of the first who asked, also
 * when nobody waits any longer.  "question" may go away.
 * NGX_BUSY: too much is asked already, or memory is gone.
 */
ngx_int_t ngx_proxy_user_introspect(
    ngx_proxy_user_introspector_t *introspector,
    const ngx_proxy_user_introspect_t *question,
    ngx_proxy_user_introspect_waiter_t *waiter);

/* The waiter will not be called; it need not wait. */
void ngx_proxy_user_introspect_detach(
    ngx_proxy_user_introspect_waiter_t *waiter);


#endif /* NGX_PROXY_USER_INTROSPECT_H */
