/*
 * An errand: what a content handler's request has to ask of Redis, on a
 * connection of its own, so that no look-up of another request stands behind a
 * change.
 *
 * It outlives the request: the connection points at it.  What was asked is done
 * to the end even when nobody waits for the answer.
 */

#ifndef NGX_PROXY_USER_ERRAND_H
#define NGX_PROXY_USER_ERRAND_H

#include "ngx_proxy_user.h"
#include "ngx_proxy_user_redis.h"


typedef enum {
    NGX_PROXY_USER_ERRAND_ASK = 0,
    NGX_PROXY_USER_ERRAND_LOAD,         /* Redis does not know the script */
    NGX_PROXY_USER_ERRAND_DONE
} ngx_proxy_user_errand_next_e;


/*
 * What a content handler adds, called with its "data", never after the request
 * has gone.
 */
typedef struct {
    /*
     * The command, in "room" or elsewhere; NULL when it cannot be made.  It
     * is sent again when an answer was lost: doing it twice must mean the same.
     */
    const pu_args_t *(*args)(void *data, pu_args_t *room);

    /* An answer; an error of Redis' too. */
    ngx_proxy_user_errand_next_e (*step)(void *data, const redisReply *reply);

    /* There will be no answer; done follows. */
    void (*lost)(void *data);

    /* Answers the request; what it is finalized with. */
    ngx_int_t (*done)(ngx_http_request_t *r, void *data);
} ngx_proxy_user_errand_kind_t;


/* In a worker: a connection for errands; NULL when memory is gone. */
ngx_proxy_user_errands_t *ngx_proxy_user_errands_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf, const char *name,
    size_t max_reply);

/* Requests that are under way get no answer any more. */
void ngx_proxy_user_errands_close(ngx_proxy_user_errands_t *errands);

/* The script's digest there, as ngx_proxy_user_redis_script says. */
const char *ngx_proxy_user_errands_script(
    const ngx_proxy_user_errands_t *errands);

/*
 * Runs an errand that ends the request; "data" and "kind" live as long as it.
 * "next" is what the first step has said: ASK or DONE.  NGX_AGAIN, or
 * NGX_ERROR when memory is gone.
 */
ngx_int_t ngx_proxy_user_errand_start(ngx_http_request_t *r,
    ngx_proxy_user_errands_t *errands,
    const ngx_proxy_user_errand_kind_t *kind, void *data,
    ngx_proxy_user_errand_next_e next);


#endif /* NGX_PROXY_USER_ERRAND_H */
