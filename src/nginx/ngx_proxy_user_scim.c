
/*
 * The SCIM content handler; see the header.
 *
 * A flight is a request's way to Redis and outlives it: the connection points
 * at it. What a directory has asked for is done to the end even when it does
 * not wait for the answer: a user who was to be suspended is.
 */

#include <openssl/crypto.h>

#include "ngx_proxy_user_body.h"
#include "ngx_proxy_user_guard.h"
#include "ngx_proxy_user_redis.h"
#include "ngx_proxy_user_scim.h"
#include "ngx_proxy_user_zone.h"
#include "pu_memory.h"


#define NGX_PROXY_USER_SCIM_TIMEOUT  1000           /* ms, at least */
#define NGX_PROXY_USER_SCIM_REPLY    (4 * 1024 * 1024)


struct ngx_proxy_user_scim_service_s {
    ngx_proxy_user_main_conf_t      *mcf;
    ngx_proxy_user_redis_t          *redis;
    ngx_proxy_user_redis_options_t   options;
    ngx_log_t                       *log;
    ngx_queue_t                      flights;
};


/* of a request, in its pool */
typedef struct {
    const ngx_proxy_user_scim_t     *scim;
    const ngx_str_t                 *actor;
    ngx_proxy_user_body_t            body;
    pu_scim_env_t                    env;
    pu_scim_request_t                request;
    u_char                           store[NGX_PROXY_USER_STORE_MAX];
} ngx_proxy_user_scim_ctx_t;


typedef struct {
    ngx_queue_t                      queue;
    ngx_http_request_t              *r;             /* NULL: it is gone */
    pu_scim_call_t                  *call;
    const pu_args_t                 *args;          /* what was asked */
    ngx_proxy_user_scim_service_t   *service;
    ngx_event_t                      done;
    unsigned                         asked:1;       /* Redis calls back */
    unsigned                         lost:1;        /* asked again for it */
    unsigned                         loaded:1;
} ngx_proxy_user_scim_flight_t;


static const ngx_str_t *ngx_proxy_user_scim_actor(ngx_http_request_t *r,
    const ngx_proxy_user_scim_t *scim, ngx_uint_t *presented);
static ngx_int_t ngx_proxy_user_scim_refuse(ngx_http_request_t *r,
    const ngx_proxy_user_loc_conf_t *conf, ngx_uint_t presented);
static ngx_int_t ngx_proxy_user_scim_body(ngx_http_request_t *r, void *data,
    ngx_int_t rc);
static ngx_int_t ngx_proxy_user_scim_start(ngx_http_request_t *r,
    ngx_proxy_user_scim_ctx_t *ctx);
static ngx_int_t ngx_proxy_user_scim_base(ngx_http_request_t *r,
    ngx_proxy_user_scim_ctx_t *ctx);
static pu_str_t ngx_proxy_user_scim_header(ngx_http_request_t *r,
    const char *name);
static void ngx_proxy_user_scim_step(ngx_proxy_user_scim_flight_t *flight,
    const redisReply *reply);
static void ngx_proxy_user_scim_ask(ngx_proxy_user_scim_flight_t *flight);
static void ngx_proxy_user_scim_answered(void *data, redisReply *reply);
static void ngx_proxy_user_scim_end(ngx_proxy_user_scim_flight_t *flight);
static void ngx_proxy_user_scim_done(ngx_event_t *ev);
static void ngx_proxy_user_scim_cleanup(void *data);
static void ngx_proxy_user_scim_free(ngx_proxy_user_scim_flight_t *flight);


ngx_proxy_user_scim_service_t *
ngx_proxy_user_scim_open(ngx_cycle_t *cycle, ngx_proxy_user_main_conf_t *mcf)
{
    ngx_proxy_user_scim_service_t  *service;

    service = ngx_calloc(sizeof(ngx_proxy_user_scim_service_t), cycle->log);
    if (service == NULL) {
        return NULL;
    }

    service->mcf = mcf;
    service->log = cycle->log;
    ngx_queue_init(&service->flights);

    service->options.name = "scim";
    service->options.timeout = ngx_max(mcf->redis->timeout,
                                       NGX_PROXY_USER_SCIM_TIMEOUT);
    service->options.max_reply = NGX_PROXY_USER_SCIM_REPLY;

    service->redis = ngx_proxy_user_redis_open(cycle, mcf->redis,
                                               &service->options);
    if (service->redis == NULL) {
        ngx_free(service);
        return NULL;
    }

    return service;
}


void
ngx_proxy_user_scim_close(ngx_proxy_user_scim_service_t *service)
{
    ngx_proxy_user_scim_flight_t  *flight;

    ngx_proxy_user_redis_close(service->redis);

    while (!ngx_queue_empty(&service->flights)) {
        flight = ngx_queue_data(ngx_queue_head(&service->flights),
                                ngx_proxy_user_scim_flight_t, queue);
        ngx_proxy_user_scim_free(flight);
    }

    ngx_free(service);
}


ngx_int_t
ngx_proxy_user_scim_handler(ngx_http_request_t *r)
{
    ngx_uint_t                        presented;
    ngx_proxy_user_scim_ctx_t        *ctx;
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_proxy_user_scim_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->scim = conf->scim;

    pu_memory_watch();
    ctx->actor = ngx_proxy_user_scim_actor(r, conf->scim, &presented);

    if (ctx->actor == NULL && pu_memory_short()) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->actor == NULL) {
        return ngx_proxy_user_scim_refuse(r, conf, presented);
    }

    if (r->headers_in.content_length_n > (off_t) ctx->scim->body_max) {
        return ngx_proxy_user_scim_error(r,
                                         NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                         "the body is too large");
    }

    ctx->body.max = ctx->scim->body_max;
    ctx->body.handler = ngx_proxy_user_scim_body;
    ctx->body.data = ctx;

    return ngx_proxy_user_body_read(r, &ctx->body);
}


/* Every token is compared, whichever it is, and as long as any other. */

static const ngx_str_t *
ngx_proxy_user_scim_actor(ngx_http_request_t *r,
    const ngx_proxy_user_scim_t *scim, ngx_uint_t *presented)
{
    u_char                              digest[PU_SHA256_LEN];
    pu_str_t                            text, scheme;
    ngx_uint_t                          i;
    const ngx_str_t                    *name;
    const ngx_proxy_user_scim_token_t  *token;

    *presented = 0;

    if (r->headers_in.authorization == NULL) {
        return NULL;
    }

    text = ngx_proxy_user_str(&r->headers_in.authorization->value);
    scheme.len = ngx_min(text.len, 7);
    scheme.data = text.data;

    if (!pu_str_case_eq(scheme, PU_STR("Bearer "))) {
        return NULL;
    }

    while (scheme.len < text.len && text.data[scheme.len] == ' ') {
        scheme.len++;
    }

    text.data += scheme.len;
    text.len -= scheme.len;

    *presented = (text.len != 0);

    if (text.len == 0 || !pu_sha256(digest, &text, 1)) {
        return NULL;
    }

    token = scim->tokens->elts;
    name = NULL;

    for (i = 0; i < scim->tokens->nelts; i++) {
        if (CRYPTO_memcmp(token[i].digest, digest, PU_SHA256_LEN) == 0) {
            name = &token[i].name;
        }
    }

    return name;
}


/* A directory whose token is good is not kept waiting by those who try. */

static ngx_int_t
ngx_proxy_user_scim_refuse(ngx_http_request_t *r,
    const ngx_proxy_user_loc_conf_t *conf, ngx_uint_t presented)
{
    pu_left_t  left;

    if (presented && !ngx_proxy_user_guard_open(r, &left)) {

        if (ngx_proxy_user_guard_headers(r, &left) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_proxy_user_scim_error(r, NGX_HTTP_TOO_MANY_REQUESTS,
                                         "too many failures from here");
    }

    if (presented) {
        ngx_proxy_user_guard_failed(r, PU_KEY_UNKNOWN);
    }

    if (ngx_proxy_user_scim_put(r, "WWW-Authenticate",
                                ngx_proxy_user_str(&conf->challenge),
                                &r->headers_out.www_authenticate)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_proxy_user_scim_error(r, NGX_HTTP_UNAUTHORIZED,
                                     "a token of a directory is needed");
}


/* NGX_AGAIN: the flight will end the request. */

static ngx_int_t
ngx_proxy_user_scim_body(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_proxy_user_scim_ctx_t *ctx = data;

    if (rc != NGX_OK) {
        return ngx_proxy_user_scim_error(r,
                                         NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                         "the body is too large");
    }

    return ngx_proxy_user_scim_start(r, ctx);
}


static ngx_int_t
ngx_proxy_user_scim_start(ngx_http_request_t *r,
    ngx_proxy_user_scim_ctx_t *ctx)
{
    ngx_http_cleanup_t             *cln;
    ngx_proxy_user_main_conf_t     *mcf;
    ngx_proxy_user_scim_flight_t   *flight;
    ngx_proxy_user_scim_service_t  *service;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);
    service = mcf->scim;

    if (ngx_proxy_user_scim_base(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->env.sha = ngx_proxy_user_redis_script(service->redis);
    ctx->env.prefix = ngx_proxy_user_str(&mcf->redis->prefix);
    ctx->env.actor = ngx_proxy_user_str(ctx->actor);

    if (mcf->zone) {
        ctx->env.store.data = ctx->store;
        ctx->env.store.len = ngx_proxy_user_zone_store(mcf->zone, ctx->store);
    }

    if (ctx->scim->roles) {
        ctx->env.roles = ctx->scim->roles->elts;
        ctx->env.nroles = ctx->scim->roles->nelts;
    }

    ctx->request.method = ngx_proxy_user_str(&r->method_name);
    ctx->request.args = ngx_proxy_user_str(&r->args);
    ctx->request.path.len = r->uri.len - ctx->scim->prefix.len;
    ctx->request.path.data = r->uri.data + ctx->scim->prefix.len;
    ctx->request.content_type = ngx_proxy_user_scim_header(r, "Content-Type");
    ctx->request.if_match = ngx_proxy_user_scim_header(r, "If-Match");
    ctx->request.if_none_match = ngx_proxy_user_scim_header(r,
                                                           "If-None-Match");
    ctx->request.body = ctx->body.text;

    if (ctx->request.path.len && ctx->request.path.data[0] != '/') {
        return ngx_proxy_user_scim_error(r, NGX_HTTP_NOT_FOUND,
                                         "there is nothing here");
    }

    cln = ngx_http_cleanup_add(r, 0);
    flight = ngx_calloc(sizeof(ngx_proxy_user_scim_flight_t), service->log);

    if (cln == NULL || flight == NULL) {
        ngx_free(flight);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    flight->r = r;
    flight->service = service;
    flight->done.handler = ngx_proxy_user_scim_done;
    flight->done.data = flight;
    flight->done.log = service->log;
    flight->call = pu_scim_call_new(&ctx->env, &ctx->request);

    ngx_queue_insert_tail(&service->flights, &flight->queue);

    cln->handler = ngx_proxy_user_scim_cleanup;
    cln->data = flight;

    if (flight->call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_proxy_user_scim_step(flight, NULL);

    return NGX_AGAIN;
}


/* The URL that a directory has used, for what names resources by theirs. */

static ngx_int_t
ngx_proxy_user_scim_base(ngx_http_request_t *r,
    ngx_proxy_user_scim_ctx_t *ctx)
{
    u_char                    *p;
    size_t                     i;
    ngx_str_t                  host;
    ngx_uint_t                 tls;
    const u_char              *data;
    ngx_http_core_srv_conf_t  *cscf;

    tls = 0;
    host = r->headers_in.host ? r->headers_in.host->value
                              : r->headers_in.server;

    /* nginx lets in more than a URL may have */

    for (i = 0; i < host.len; i++) {
        if (host.data[i] <= 0x20 || host.data[i] >= 0x7f
            || host.data[i] == '"' || host.data[i] == '\\')
        {
            break;
        }
    }

    if (i < host.len || host.len == 0) {
        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
        host = cscf->server_name;
    }

#if (NGX_HTTP_SSL)
    tls = r->connection->ssl != NULL;
#endif

    p = ngx_pnalloc(r->pool, sizeof("https://") + host.len
                             + ctx->scim->prefix.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    data = p;
    p = ngx_cpymem(p, tls ? "https://" : "http://", tls ? 8 : 7);
    p = ngx_cpymem(p, host.data, host.len);
    p = ngx_cpymem(p, ctx->scim->prefix.data, ctx->scim->prefix.len);

    ctx->env.base = (pu_str_t) { p - data, data };

    return NGX_OK;
}


/* The first of that name; not every nginx keeps each of them by name. */

static pu_str_t
ngx_proxy_user_scim_header(ngx_http_request_t *r, const char *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (pu_str_case_eq(ngx_proxy_user_str(&h[i].key), pu_str(name))) {
                return ngx_proxy_user_str(&h[i].value);
            }
        }
    }

    return PU_STR("");
}


static void
ngx_proxy_user_scim_step(ngx_proxy_user_scim_flight_t *flight,
    const redisReply *reply)
{
    switch (pu_scim_call_step(flight->call, reply, &flight->args)) {

    case PU_SCIM_ASK:
        flight->lost = 0;
        flight->loaded = 0;
        ngx_proxy_user_scim_ask(flight);
        return;

    case PU_SCIM_LOAD:

        if (!flight->loaded) {
            flight->loaded = 1;
            ngx_proxy_user_redis_load(flight->service->redis);
            ngx_proxy_user_scim_ask(flight);
            return;
        }

        pu_scim_call_lost(flight->call);

        /* fall through */

    case PU_SCIM_DONE:
        ngx_proxy_user_scim_end(flight);
    }
}


static void
ngx_proxy_user_scim_ask(ngx_proxy_user_scim_flight_t *flight)
{
    if (ngx_proxy_user_redis_send(flight->service->redis, flight->args,
                                  ngx_proxy_user_scim_answered, flight)
        == NGX_OK)
    {
        flight->asked = 1;
        return;
    }

    pu_scim_call_lost(flight->call);
    ngx_proxy_user_scim_end(flight);
}


/*
 * An answer that was lost is asked for again, once: every operation can be
 * done twice and means the same.
 */

static void
ngx_proxy_user_scim_answered(void *data, redisReply *reply)
{
    ngx_proxy_user_scim_flight_t *flight = data;

    flight->asked = 0;

    if (flight->r == NULL) {
        ngx_proxy_user_scim_free(flight);
        return;
    }

    if (reply == NULL) {

        if (!flight->lost) {
            flight->lost = 1;
            ngx_proxy_user_scim_ask(flight);
            return;
        }

        pu_scim_call_lost(flight->call);
        ngx_proxy_user_scim_end(flight);
        return;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        ngx_proxy_user_redis_trouble(flight->service->redis, NULL);

    } else if (ngx_strncmp(reply->str, "NOSCRIPT", 8) != 0
               || flight->loaded)
    {
        ngx_proxy_user_redis_trouble(flight->service->redis, reply);
    }

    ngx_proxy_user_scim_step(flight, reply);
}


/* From an event: never inside Redis' reading loop. */

static void
ngx_proxy_user_scim_end(ngx_proxy_user_scim_flight_t *flight)
{
    if (!flight->done.posted) {
        ngx_post_event(&flight->done, &ngx_posted_events);
    }
}


static void
ngx_proxy_user_scim_done(ngx_event_t *ev)
{
    pu_scim_answer_t               answer;
    ngx_connection_t              *c;
    ngx_http_request_t            *r;
    ngx_proxy_user_scim_flight_t  *flight;

    flight = ev->data;
    r = flight->r;

    if (r == NULL) {
        ngx_proxy_user_scim_free(flight);
        return;
    }

    c = r->connection;
    ngx_http_set_log_request(c->log, r);

    pu_scim_call_answer(flight->call, &answer);

    ngx_http_finalize_request(r, ngx_proxy_user_scim_send(r, &answer));
    ngx_http_run_posted_requests(c);
}


static void
ngx_proxy_user_scim_cleanup(void *data)
{
    ngx_proxy_user_scim_flight_t *flight = data;

    flight->r = NULL;

    if (!flight->asked) {
        ngx_proxy_user_scim_free(flight);
        return;
    }

    /* its strings were the request's */

    pu_scim_call_free(flight->call);
    flight->call = NULL;
}


static void
ngx_proxy_user_scim_free(ngx_proxy_user_scim_flight_t *flight)
{
    if (flight->done.posted) {
        ngx_delete_posted_event(&flight->done);
    }

    pu_scim_call_free(flight->call);
    ngx_queue_remove(&flight->queue);
    ngx_free(flight);
}
