
/*
 * Errands; see the header.
 */

#include "ngx_proxy_user_errand.h"
#include "ngx_proxy_user_hold.h"


#define NGX_PROXY_USER_ERRAND_TIMEOUT  1000     /* ms, at least */


struct ngx_proxy_user_errands_s {
    ngx_proxy_user_redis_t             *redis;
    ngx_proxy_user_redis_options_t      options;
    ngx_log_t                          *log;
    ngx_queue_t                         queue;
};


typedef struct {
    ngx_queue_t                         queue;
    ngx_proxy_user_errands_t           *errands;
    const ngx_proxy_user_errand_kind_t *kind;
    ngx_http_request_t                 *r;          /* NULL: it is gone */
    ngx_http_cleanup_t                 *cln;        /* the request's */
    void                               *data;       /* the request's */
    ngx_event_t                         hold;       /* while there is "r" */
    ngx_event_t                         done;
    unsigned                            asked:1;    /* Redis calls back */
    unsigned                            lost:1;     /* asked again for it */
    unsigned                            loaded:1;
} ngx_proxy_user_errand_t;


static void ngx_proxy_user_errand_next(ngx_proxy_user_errand_t *errand,
    ngx_proxy_user_errand_next_e next);
static void ngx_proxy_user_errand_ask(ngx_proxy_user_errand_t *errand);
static void ngx_proxy_user_errand_answered(void *data, redisReply *reply);
static void ngx_proxy_user_errand_lost(ngx_proxy_user_errand_t *errand);
static void ngx_proxy_user_errand_end(ngx_proxy_user_errand_t *errand);
static void ngx_proxy_user_errand_done(ngx_event_t *ev);
static void ngx_proxy_user_errand_gone(void *data);
static void ngx_proxy_user_errand_free(ngx_proxy_user_errand_t *errand);


ngx_proxy_user_errands_t *
ngx_proxy_user_errands_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf, const char *name, size_t max_reply)
{
    ngx_proxy_user_errands_t  *errands;

    errands = ngx_calloc(sizeof(ngx_proxy_user_errands_t), cycle->log);
    if (errands == NULL) {
        return NULL;
    }

    errands->log = cycle->log;
    ngx_queue_init(&errands->queue);

    errands->options.name = name;
    errands->options.timeout = ngx_max(mcf->redis->timeout,
                                       NGX_PROXY_USER_ERRAND_TIMEOUT);
    errands->options.max_reply = max_reply;

    errands->redis = ngx_proxy_user_redis_open(cycle, mcf->redis,
                                               &errands->options);
    if (errands->redis == NULL) {
        ngx_free(errands);
        return NULL;
    }

    return errands;
}


void
ngx_proxy_user_errands_close(ngx_proxy_user_errands_t *errands)
{
    ngx_proxy_user_errand_t  *errand;

    ngx_proxy_user_redis_close(errands->redis);

    while (!ngx_queue_empty(&errands->queue)) {
        errand = ngx_queue_data(ngx_queue_head(&errands->queue),
                                ngx_proxy_user_errand_t, queue);
        ngx_proxy_user_errand_free(errand);
    }

    ngx_free(errands);
}


const char *
ngx_proxy_user_errands_script(const ngx_proxy_user_errands_t *errands)
{
    return ngx_proxy_user_redis_script(errands->redis);
}


ngx_int_t
ngx_proxy_user_errand_start(ngx_http_request_t *r,
    ngx_proxy_user_errands_t *errands,
    const ngx_proxy_user_errand_kind_t *kind, void *data,
    ngx_proxy_user_errand_next_e next)
{
    ngx_http_cleanup_t       *cln;
    ngx_proxy_user_errand_t  *errand;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    errand = ngx_calloc(sizeof(ngx_proxy_user_errand_t), errands->log);
    if (errand == NULL) {
        return NGX_ERROR;
    }

    errand->errands = errands;
    errand->kind = kind;
    errand->r = r;
    errand->cln = cln;
    errand->data = data;
    errand->done.handler = ngx_proxy_user_errand_done;
    errand->done.data = errand;
    errand->done.log = errands->log;

    cln->handler = ngx_proxy_user_errand_gone;
    cln->data = errand;

    ngx_queue_insert_tail(&errands->queue, &errand->queue);

    ngx_proxy_user_hold(&errand->hold);
    ngx_proxy_user_errand_next(errand, next);

    return NGX_AGAIN;
}


static void
ngx_proxy_user_errand_next(ngx_proxy_user_errand_t *errand,
    ngx_proxy_user_errand_next_e next)
{
    switch (next) {

    case NGX_PROXY_USER_ERRAND_ASK:
        errand->lost = 0;
        errand->loaded = 0;
        ngx_proxy_user_errand_ask(errand);
        return;

    case NGX_PROXY_USER_ERRAND_LOAD:

        if (errand->loaded) {
            ngx_proxy_user_errand_lost(errand);
            return;
        }

        errand->loaded = 1;
        ngx_proxy_user_redis_load(errand->errands->redis);
        ngx_proxy_user_errand_ask(errand);
        return;

    case NGX_PROXY_USER_ERRAND_DONE:
        ngx_proxy_user_errand_end(errand);
    }
}


static void
ngx_proxy_user_errand_ask(ngx_proxy_user_errand_t *errand)
{
    pu_args_t         room;
    const pu_args_t  *args;

    args = errand->kind->args(errand->data, &room);

    if (args != NULL
        && ngx_proxy_user_redis_send(errand->errands->redis, args,
                                     ngx_proxy_user_errand_answered, errand)
           == NGX_OK)
    {
        errand->asked = 1;
        return;
    }

    ngx_proxy_user_errand_lost(errand);
}


static void
ngx_proxy_user_errand_answered(void *data, redisReply *reply)
{
    ngx_proxy_user_errand_t *errand = data;

    errand->asked = 0;

    if (errand->r == NULL) {
        ngx_proxy_user_errand_free(errand);
        return;
    }

    if (reply == NULL) {

        if (errand->lost) {
            ngx_proxy_user_errand_lost(errand);
            return;
        }

        errand->lost = 1;
        ngx_proxy_user_errand_ask(errand);
        return;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        ngx_proxy_user_redis_trouble(errand->errands->redis, NULL);

    } else if (ngx_strncmp(reply->str, "NOSCRIPT", 8) != 0
               || errand->loaded)
    {
        ngx_proxy_user_redis_trouble(errand->errands->redis, reply);
    }

    ngx_proxy_user_errand_next(errand,
                               errand->kind->step(errand->data, reply));
}


static void
ngx_proxy_user_errand_lost(ngx_proxy_user_errand_t *errand)
{
    errand->kind->lost(errand->data);
    ngx_proxy_user_errand_end(errand);
}


/* From an event: never inside Redis' reading loop. */

static void
ngx_proxy_user_errand_end(ngx_proxy_user_errand_t *errand)
{
    if (!errand->done.posted) {
        ngx_post_event(&errand->done, &ngx_posted_events);
    }
}


static void
ngx_proxy_user_errand_done(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_proxy_user_errand_t  *errand;

    errand = ev->data;
    r = errand->r;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, errand->kind->done(r, errand->data));
    ngx_http_run_posted_requests(c);
}


static void
ngx_proxy_user_errand_gone(void *data)
{
    ngx_proxy_user_errand_t *errand = data;

    errand->r = NULL;
    ngx_proxy_user_release(&errand->hold);

    if (!errand->asked) {
        ngx_proxy_user_errand_free(errand);
    }
}


static void
ngx_proxy_user_errand_free(ngx_proxy_user_errand_t *errand)
{
    if (errand->done.posted) {
        ngx_delete_posted_event(&errand->done);
    }

    if (errand->r) {
        errand->cln->handler = NULL;
    }

    ngx_proxy_user_release(&errand->hold);

    ngx_queue_remove(&errand->queue);
    ngx_free(errand);
}
