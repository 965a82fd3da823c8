
/*
 * The content handler for events; see the header.
 *
 * First everything is proven, then it is written down in Redis, then the
 * provider is answered: whoever gets no good answer sends it again.
 */

#include "ngx_proxy_user_binding.h"
#include "ngx_proxy_user_body.h"
#include "ngx_proxy_user_errand.h"
#include "ngx_proxy_user_events_own.h"
#include "ngx_proxy_user_guard.h"
#include "ngx_proxy_user_keyring.h"
#include "ngx_proxy_user_scim.h"
#include "pu_command_event.h"


#define NGX_PROXY_USER_EVENTS_REPLY    (16 * 1024)
#define NGX_PROXY_USER_EVENTS_NAMES    3        /* asked again for them */
#define NGX_PROXY_USER_EVENTS_SHOWN    128      /* of an unknown type */
#define NGX_PROXY_USER_ATTEMPT_LEN     22


/* of a request, in its pool */
typedef struct {
    ngx_http_request_t               *r;
    const ngx_proxy_user_events_t    *conf;
    pu_event_kind_t                   kind;
    ngx_proxy_user_body_t             body;
    ngx_proxy_user_keys_waiter_t      keys;
    pu_event_t                        event;
    pu_str_t                          user_name;
    pu_str_t                          external_id;
    char                              attempt[NGX_PROXY_USER_ATTEMPT_LEN];
    pu_event_outcome_t                outcome;
    unsigned                          names:2;      /* how often asked again */
} ngx_proxy_user_events_ctx_t;


static ngx_int_t ngx_proxy_user_events_body(ngx_http_request_t *r,
    void *data, ngx_int_t rc);
static ngx_int_t ngx_proxy_user_events_guarded(
    ngx_proxy_user_events_ctx_t *ctx);
static ngx_int_t ngx_proxy_user_events_verify(
    ngx_proxy_user_events_ctx_t *ctx);
static pu_event_outcome_t ngx_proxy_user_events_prove(
    ngx_proxy_user_events_ctx_t *ctx, pu_reason_t *reason);
static ngx_int_t ngx_proxy_user_events_wait(ngx_proxy_user_events_ctx_t *ctx,
    pu_reason_t *reason);
static void ngx_proxy_user_events_resume(void *data);
static ngx_int_t ngx_proxy_user_events_start(
    ngx_proxy_user_events_ctx_t *ctx);
static const pu_args_t *ngx_proxy_user_events_args(void *data,
    pu_args_t *room);
static ngx_proxy_user_errand_next_e ngx_proxy_user_events_step(void *data,
    const redisReply *reply);
static ngx_int_t ngx_proxy_user_events_names(
    ngx_proxy_user_events_ctx_t *ctx, pu_str_t user_name,
    pu_str_t external_id);
static void ngx_proxy_user_events_lost(void *data);
static ngx_int_t ngx_proxy_user_events_done(ngx_http_request_t *r,
    void *data);
static void ngx_proxy_user_events_detach(void *data);
static void ngx_proxy_user_events_clear(void *data);
static void ngx_proxy_user_events_tell(ngx_proxy_user_events_ctx_t *ctx);


static const ngx_proxy_user_errand_kind_t  ngx_proxy_user_events_errand = {
    ngx_proxy_user_events_args,
    ngx_proxy_user_events_step,
    ngx_proxy_user_events_lost,
    ngx_proxy_user_events_done
};


ngx_proxy_user_errands_t *
ngx_proxy_user_events_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf)
{
    return ngx_proxy_user_errands_open(cycle, mcf, "events",
                                       NGX_PROXY_USER_EVENTS_REPLY);
}


ngx_int_t
ngx_proxy_user_events_handler(ngx_http_request_t *r)
{
    ngx_http_cleanup_t               *cln;
    ngx_pool_cleanup_t               *clear;
    ngx_proxy_user_events_ctx_t      *ctx;
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    clear = ngx_pool_cleanup_add(r->pool,
                                 sizeof(ngx_proxy_user_events_ctx_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (clear == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = clear->data;
    ngx_memzero(ctx, sizeof(ngx_proxy_user_events_ctx_t));

    clear->handler = ngx_proxy_user_events_clear;
    cln->handler = ngx_proxy_user_events_detach;
    cln->data = ctx;

    ctx->r = r;
    ctx->conf = conf->events;

    if (r->headers_in.content_type) {
        ctx->kind = pu_event_kind(
                       ngx_proxy_user_str(&r->headers_in.content_type->value));
    }

    if (r->method != NGX_HTTP_POST) {

        if (ngx_proxy_user_scim_put(r, "Allow", PU_STR("POST"), NULL)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_proxy_user_events_fault(r, ctx->kind, NGX_HTTP_NOT_ALLOWED,
                                           "events are posted");
    }

    if (ctx->kind == PU_EVENT_OTHER) {
        return ngx_proxy_user_events_fault(r, PU_EVENT_PUSH,
                                           NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                           "there are no events of this "
                                           "media type");
    }

    ctx->body.max = ctx->conf->body_max;
    ctx->body.handler = ngx_proxy_user_events_body;
    ctx->body.data = ctx;

    if (r->headers_in.content_length_n > (off_t) ctx->body.max) {
        return ngx_proxy_user_events_body(r, ctx, NGX_DECLINED);
    }

    return ngx_proxy_user_body_read(r, &ctx->body);
}


static ngx_int_t
ngx_proxy_user_events_body(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_proxy_user_events_ctx_t *ctx = data;

    if (rc != NGX_OK) {
        return ngx_proxy_user_events_fault(r, ctx->kind,
                                           NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                           "the body is too large");
    }

    rc = ngx_proxy_user_events_guarded(ctx);

    return (rc == NGX_DECLINED) ? ngx_proxy_user_events_verify(ctx) : rc;
}


/* NGX_DECLINED: it may go on; else what the request ends with. */

static ngx_int_t
ngx_proxy_user_events_guarded(ngx_proxy_user_events_ctx_t *ctx)
{
    pu_left_t  left;

    if (ngx_proxy_user_guard_open(ctx->r, &left)) {
        return NGX_DECLINED;
    }

    if (ngx_proxy_user_guard_headers(ctx->r, &left) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_proxy_user_events_answer(ctx->r, ctx->kind, PU_EVENT_BAD,
                                        PU_TOO_MANY_FAILURES,
                                        "too many failures from here");
}


/* NGX_AGAIN: keys or Redis are awaited; else what the request ends with. */

static ngx_int_t
ngx_proxy_user_events_verify(ngx_proxy_user_events_ctx_t *ctx)
{
    pu_reason_t         reason;
    pu_event_outcome_t  outcome;

    outcome = ngx_proxy_user_events_prove(ctx, &reason);

    if (outcome == PU_EVENT_BAD
        && (reason == PU_ISSUER_UNAVAILABLE || ctx->event.kid_unknown)
        && ngx_proxy_user_events_wait(ctx, &reason) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    /* whom the issuer itself has sent is nobody who tries */

    if (outcome == PU_EVENT_BAD && !ctx->event.authentic) {
        ngx_proxy_user_guard_failed(ctx->r, reason);
    }

    if (outcome != PU_EVENT_DONE) {
        return ngx_proxy_user_events_answer(ctx->r, ctx->kind, outcome,
                                            reason, ctx->event.text);
    }

    if (ctx->event.stranger || ctx->event.effect == PU_EFFECT_NONE) {
        ngx_proxy_user_events_tell(ctx);

        return ngx_proxy_user_events_answer(ctx->r, ctx->kind,
                                            ctx->event.stranger
                                            ? PU_EVENT_UNKNOWN
                                            : PU_EVENT_DONE, PU_OK, NULL);
    }

    return ngx_proxy_user_events_start(ctx);
}


static pu_event_outcome_t
ngx_proxy_user_events_prove(ngx_proxy_user_events_ctx_t *ctx,
    pu_reason_t *reason)
{
    ngx_str_t                         path;
    ngx_http_request_t               *r;
    pu_dpop_request_t                 endpoint;
    pu_event_request_t                request;
    const pu_issuers_t               *issuers;
    const ngx_proxy_user_loc_conf_t  *conf;
    const ngx_proxy_user_main_conf_t *mcf;

    r = ctx->r;
    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);
    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    ngx_memzero(&request, sizeof(pu_event_request_t));
    ngx_memzero(&endpoint, sizeof(pu_dpop_request_t));

    request.kind = ctx->kind;
    request.body = ctx->body.text;
    request.issuer = ctx->conf->issuer;
    request.now = ngx_time();

    issuers = ngx_proxy_user_keyring_issuers(mcf->keyring);
    request.keys = pu_issuers_keys(issuers, ctx->conf->index);

    if (ctx->conf->audience.n) {
        request.audience = &ctx->conf->audience;
    }

    if (r->headers_in.authorization) {
        request.authorization =
                ngx_proxy_user_str(&r->headers_in.authorization->value);
    }

    if (ctx->kind == PU_EVENT_GLOBAL
        && ngx_proxy_user_bind_host(r, conf, &r->headers_in.server,
                                    &endpoint))
    {
        path = r->unparsed_uri;

        for (path.len = 0;
             path.len < r->unparsed_uri.len
             && path.data[path.len] != '?' && path.data[path.len] != '#';
             path.len++)
        {
            /* void */
        }

        endpoint.path = ngx_proxy_user_str(&path);
        request.endpoint = &endpoint;
    }

    pu_event_clear(&ctx->event);

    return pu_event_verify(&ctx->event, &request, reason);
}


/* NGX_AGAIN, or *reason stands or has become another. */

static ngx_int_t
ngx_proxy_user_events_wait(ngx_proxy_user_events_ctx_t *ctx,
    pu_reason_t *reason)
{
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(ctx->r, ngx_proxy_user_module);

    ctx->keys.handler = ngx_proxy_user_events_resume;
    ctx->keys.data = ctx;

    switch (ngx_proxy_user_keyring_wait(mcf->keyring, ctx->conf->issuer,
                                        ctx->event.kid_unknown, &ctx->keys))
    {
    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_ABORT:
        *reason = PU_ISSUER_UNAVAILABLE;
        return NGX_OK;

    default:
        return NGX_OK;
    }
}


/* From an event of the keyring's. */

static void
ngx_proxy_user_events_resume(void *data)
{
    ngx_proxy_user_events_ctx_t *ctx = data;

    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = ctx->r->connection;
    ngx_http_set_log_request(c->log, ctx->r);

    rc = ngx_proxy_user_events_verify(ctx);

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(ctx->r, rc);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_proxy_user_events_start(ngx_proxy_user_events_ctx_t *ctx)
{
    ngx_int_t                          rc;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(ctx->r, ngx_proxy_user_module);

    if (!pu_random_id(ctx->attempt)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_proxy_user_errand_start(ctx->r, mcf->events,
                                     &ngx_proxy_user_events_errand, ctx,
                                     NGX_PROXY_USER_ERRAND_ASK);

    return (rc == NGX_AGAIN) ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* Redis knows the attempt by its word: what is asked twice is done once. */

static const pu_args_t *
ngx_proxy_user_events_args(void *data, pu_args_t *room)
{
    const ngx_proxy_user_events_ctx_t *ctx = data;

    pu_event_ask_t                     ask;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(ctx->r, ngx_proxy_user_module);

    ask.event = &ctx->event;
    ask.actor = ctx->conf->issuer->name;
    ask.issuer = ctx->conf->issuer->url;
    ask.attempt = (pu_str_t) { NGX_PROXY_USER_ATTEMPT_LEN,
                               (const u_char *) ctx->attempt };
    ask.user_name = ctx->user_name;
    ask.external_id = ctx->external_id;

    return pu_command_event(room, ngx_proxy_user_errands_script(mcf->events),
                            ngx_proxy_user_str(&mcf->redis->prefix), &ask)
           ? room : NULL;
}


static ngx_proxy_user_errand_next_e
ngx_proxy_user_events_step(void *data, const redisReply *reply)
{
    ngx_proxy_user_events_ctx_t *ctx = data;

    pu_str_t  user_name, external_id;

    switch (pu_reply_event(reply, &user_name, &external_id)) {

    case PU_EVENT_SAYS_DONE:
        ctx->outcome = PU_EVENT_DONE;
        return NGX_PROXY_USER_ERRAND_DONE;

    case PU_EVENT_SAYS_UNKNOWN:
        ctx->outcome = PU_EVENT_UNKNOWN;
        return NGX_PROXY_USER_ERRAND_DONE;

    case PU_EVENT_SAYS_SEEN:
        ctx->outcome = PU_EVENT_SEEN;
        return NGX_PROXY_USER_ERRAND_DONE;

    case PU_EVENT_SAYS_NOSCRIPT:
        return NGX_PROXY_USER_ERRAND_LOAD;

    case PU_EVENT_SAYS_NAMES:

        if (ctx->names < NGX_PROXY_USER_EVENTS_NAMES
            && ngx_proxy_user_events_names(ctx, user_name, external_id)
               == NGX_OK)
        {
            ctx->names++;
            return NGX_PROXY_USER_ERRAND_ASK;
        }

        break;

    default:
        break;
    }

    ngx_proxy_user_events_lost(ctx);

    return NGX_PROXY_USER_ERRAND_DONE;
}


static ngx_int_t
ngx_proxy_user_events_names(ngx_proxy_user_events_ctx_t *ctx,
    pu_str_t user_name, pu_str_t external_id)
{
    u_char  *p;

    p = ngx_pnalloc(ctx->r->pool, user_name.len + external_id.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->user_name = (pu_str_t) { user_name.len, p };
    p = ngx_cpymem(p, user_name.data, user_name.len);

    ctx->external_id = (pu_str_t) { external_id.len, p };
    ngx_memcpy(p, external_id.data, external_id.len);

    return NGX_OK;
}


static void
ngx_proxy_user_events_lost(void *data)
{
    ngx_proxy_user_events_ctx_t *ctx = data;

    ctx->outcome = PU_EVENT_UNAVAILABLE;
}


static ngx_int_t
ngx_proxy_user_events_done(ngx_http_request_t *r, void *data)
{
    ngx_proxy_user_events_ctx_t *ctx = data;

    if (ctx->outcome == PU_EVENT_UNKNOWN || ctx->outcome == PU_EVENT_SEEN) {
        ngx_proxy_user_events_tell(ctx);
    }

    return ngx_proxy_user_events_answer(r, ctx->kind, ctx->outcome, PU_OK,
                                        NULL);
}


/* The request goes. */

static void
ngx_proxy_user_events_detach(void *data)
{
    ngx_proxy_user_events_ctx_t *ctx = data;

    ngx_proxy_user_keyring_detach(&ctx->keys);
}


static void
ngx_proxy_user_events_clear(void *data)
{
    ngx_proxy_user_events_ctx_t *ctx = data;

    pu_event_clear(&ctx->event);
}


/* An event that changes nothing is in no change log: who looks finds it. */

static void
ngx_proxy_user_events_tell(ngx_proxy_user_events_ctx_t *ctx)
{
    size_t      i;
    pu_str_t    type;
    ngx_log_t   log;

    type = ctx->event.type;

    for (i = 0; i < type.len; i++) {
        if (type.data[i] <= 0x20 || type.data[i] >= 0x7f
            || type.data[i] == '"')
        {
            type = PU_STR("not shown");
            break;
        }
    }

    log = ngx_proxy_user_identity_log(ctx->r);

    ngx_log_error(NGX_LOG_INFO, &log, 0,
                  "proxy_user: an event of issuer \"%V\" changes nothing: "
                  "%s%s%*s", &ctx->conf->name, ctx->event.word,
                  type.len ? " " : "",
                  ngx_min(type.len, NGX_PROXY_USER_EVENTS_SHOWN), type.data);
}
