/*
 * The keyring: the key sets of all issuers that are in force in this worker.
 *
 * Sets that come over the network are asked for by one worker of all, in the
 * background and in time; the last good one is in the zone as text, and each
 * worker reads it when it hears of it.  Knows no request: who has to wait
 * brings a waiter.
 */

#ifndef NGX_PROXY_USER_KEYRING_H
#define NGX_PROXY_USER_KEYRING_H

#include "ngx_proxy_user.h"


typedef struct {
    ngx_queue_t                     queue;
    void                          (*handler)(void *data);
    void                           *data;
    ngx_msec_t                      until;      /* the keyring's own, ... */
    uint64_t                        ended;      /* ... as all the rest */
    unsigned                        begun:1;    /* "until" is set */
    unsigned                        waiting:1;
} ngx_proxy_user_keys_waiter_t;


/* In a worker, at its start; asks for what is due.  NULL: no memory. */
ngx_proxy_user_keyring_t *ngx_proxy_user_keyring_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf);

/* At its end; nobody is called back. */
void ngx_proxy_user_keyring_close(ngx_proxy_user_keyring_t *keyring);

/* The issuers with the keys in force; valid until the next event. */
const pu_issuers_t *ngx_proxy_user_keyring_issuers(
    ngx_proxy_user_keyring_t *keyring);

/*
 * A token could not be verified for want of a key of "issuer", or of a key
 * with its kid.
 * NGX_AGAIN: news may come; "waiter" (handler and data set, all else zeros
 * before the first wait of a request) is called once from an event of its own.
 * NGX_DECLINED: that stands.  NGX_ABORT: the issuer could not be asked whether
 * it does.
 */
ngx_int_t ngx_proxy_user_keyring_wait(ngx_proxy_user_keyring_t *keyring,
    const pu_issuer_t *issuer, ngx_uint_t unknown_kid,
    ngx_proxy_user_keys_waiter_t *waiter);

/* The waiter will not be called. */
void ngx_proxy_user_keyring_detach(ngx_proxy_user_keys_waiter_t *waiter);


#endif /* NGX_PROXY_USER_KEYRING_H */
