
/*
 * The SCIM content handler; see the header.
 */

#include "ngx_proxy_user_body.h"
#include "ngx_proxy_user_credential.h"
#include "ngx_proxy_user_errand.h"
#include "ngx_proxy_user_guard.h"
#include "ngx_proxy_user_scim.h"
#include "ngx_proxy_user_zone.h"
#include "pu_authorization.h"
#include "pu_memory.h"

#include <openssl/crypto.h>


#define NGX_PROXY_USER_SCIM_REPLY    (4 * 1024 * 1024)


/* of a request, in its pool */
typedef struct {
    const ngx_proxy_user_scim_t     *scim;
    const ngx_str_t                 *actor;
    ngx_proxy_user_body_t            body;
    pu_scim_env_t                    env;
    pu_scim_request_t                request;
    pu_scim_call_t                  *call;
    const pu_args_t                 *args;          /* what is asked */
    u_char                           store[NGX_PROXY_USER_STORE_MAX];
} ngx_proxy_user_scim_ctx_t;


static const ngx_str_t *ngx_proxy_user_scim_actor(ngx_http_request_t *r,
    const ngx_proxy_user_scim_t *scim, ngx_uint_t *presented);
static ngx_int_t ngx_proxy_user_scim_refuse(ngx_http_request_t *r,
    ngx_uint_t presented);
static ngx_int_t ngx_proxy_user_scim_body(ngx_http_request_t *r, void *data,
    ngx_int_t rc);
static ngx_int_t ngx_proxy_user_scim_start(ngx_http_request_t *r,
    ngx_proxy_user_scim_ctx_t *ctx);
static ngx_int_t ngx_proxy_user_scim_base(ngx_http_request_t *r,
    ngx_proxy_user_scim_ctx_t *ctx);
static pu_str_t ngx_proxy_user_scim_header(ngx_http_request_t *r,
    const char *name);
static const pu_args_t *ngx_proxy_user_scim_args(void *data,
    pu_args_t *room);
static ngx_proxy_user_errand_next_e ngx_proxy_user_scim_step(void *data,
    const redisReply *reply);
static void ngx_proxy_user_scim_lost(void *data);
static ngx_int_t ngx_proxy_user_scim_done(ngx_http_request_t *r, void *data);
static void ngx_proxy_user_scim_clear(void *data);


static const ngx_proxy_user_errand_kind_t  ngx_proxy_user_scim_errand = {
    ngx_proxy_user_scim_args,
    ngx_proxy_user_scim_step,
    ngx_proxy_user_scim_lost,
    ngx_proxy_user_scim_done
};


ngx_proxy_user_errands_t *
ngx_proxy_user_scim_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf)
{
    return ngx_proxy_user_errands_open(cycle, mcf, "scim",
                                       NGX_PROXY_USER_SCIM_REPLY);
}


ngx_int_t
ngx_proxy_user_scim_handler(ngx_http_request_t *r)
{
    ngx_uint_t                        presented;
    ngx_pool_cleanup_t               *clear;
    ngx_proxy_user_scim_ctx_t        *ctx;
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    clear = ngx_pool_cleanup_add(r->pool, sizeof(ngx_proxy_user_scim_ctx_t));
    if (clear == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = clear->data;
    ngx_memzero(ctx, sizeof(ngx_proxy_user_scim_ctx_t));

    clear->handler = ngx_proxy_user_scim_clear;

    ctx->scim = conf->scim;

    pu_memory_watch();
    ctx->actor = ngx_proxy_user_scim_actor(r, conf->scim, &presented);

    if (ctx->actor == NULL && pu_memory_short()) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->actor == NULL) {
        return ngx_proxy_user_scim_refuse(r, presented);
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
    ngx_uint_t                          i;
    pu_reason_t                         reason;
    const ngx_str_t                    *name;
    pu_authorization_t                  authorization;
    const ngx_proxy_user_scim_token_t  *token;

    *presented = 0;

    if (r->headers_in.authorization == NULL) {
        return NULL;
    }

    reason = pu_authorization_read(&authorization,
                    ngx_proxy_user_str(&r->headers_in.authorization->value));

    if (reason == PU_NO_CREDENTIAL || authorization.dpop) {
        return NULL;
    }

    *presented = 1;

    if (reason != PU_OK || !pu_sha256(digest, &authorization.token, 1)) {
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
ngx_proxy_user_scim_refuse(ngx_http_request_t *r, ngx_uint_t presented)
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

    if (ngx_proxy_user_scim_challenge(r, presented
                                         ? ", error=\"invalid_token\", "
                                           "error_description=\"the token is "
                                           "not valid\""
                                         : "")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_proxy_user_scim_error(r, NGX_HTTP_UNAUTHORIZED,
                                     "a token of a directory is needed");
}


/* NGX_AGAIN: an errand will end the request. */

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
    ngx_int_t                          rc;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    if (ngx_proxy_user_scim_base(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->env.sha = ngx_proxy_user_errands_script(mcf->scim);
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

    ctx->call = pu_scim_call_new(&ctx->env, &ctx->request);
    if (ctx->call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_proxy_user_errand_start(r, mcf->scim,
                                     &ngx_proxy_user_scim_errand, ctx,
                                     ngx_proxy_user_scim_step(ctx, NULL));

    return (rc == NGX_AGAIN) ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
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


/* Not every nginx keeps each of them by name. */

static pu_str_t
ngx_proxy_user_scim_header(ngx_http_request_t *r, const char *name)
{
    ngx_str_t  key, value;

    ngx_str_null(&value);

    key.len = ngx_strlen(name);
    key.data = (u_char *) (uintptr_t) name;

    (void) ngx_proxy_user_header(r, &key, &value);

    return ngx_proxy_user_str(&value);
}


static const pu_args_t *
ngx_proxy_user_scim_args(void *data, pu_args_t *room)
{
    const ngx_proxy_user_scim_ctx_t *ctx = data;

    return ctx->args;
}


static ngx_proxy_user_errand_next_e
ngx_proxy_user_scim_step(void *data, const redisReply *reply)
{
    ngx_proxy_user_scim_ctx_t *ctx = data;

    switch (pu_scim_call_step(ctx->call, reply, &ctx->args)) {

    case PU_SCIM_ASK:
        return NGX_PROXY_USER_ERRAND_ASK;

    case PU_SCIM_LOAD:
        return NGX_PROXY_USER_ERRAND_LOAD;

    default:
        return NGX_PROXY_USER_ERRAND_DONE;
    }
}


static void
ngx_proxy_user_scim_lost(void *data)
{
    ngx_proxy_user_scim_ctx_t *ctx = data;

    pu_scim_call_lost(ctx->call);
}


static ngx_int_t
ngx_proxy_user_scim_done(ngx_http_request_t *r, void *data)
{
    pu_scim_answer_t                  answer;
    const ngx_proxy_user_scim_ctx_t  *ctx = data;

    pu_scim_call_answer(ctx->call, &answer);

    return ngx_proxy_user_scim_send(r, &answer);
}


static void
ngx_proxy_user_scim_clear(void *data)
{
    ngx_proxy_user_scim_ctx_t *ctx = data;

    pu_scim_call_free(ctx->call);
}
