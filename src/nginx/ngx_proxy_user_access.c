
/*
 * The phase handlers.
 *
 * The way of one request: credential -> token -> user -> decision, straight
 * through, with one wait at most and none when the zone is warm.  Waiting is
 * NGX_AGAIN and nothing else: the handler is entered again when the store has
 * answered, and by stray write events before that.
 */

#include "ngx_proxy_user_access.h"
#include "ngx_proxy_user_credential.h"
#include "ngx_proxy_user_identity.h"
#include "ngx_proxy_user_proof.h"
#include "ngx_proxy_user_respond.h"
#include "ngx_proxy_user_strip.h"


static ngx_int_t ngx_proxy_user_access_begin(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static ngx_uint_t ngx_proxy_user_access_keeps(
    const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf);
static ngx_uint_t ngx_proxy_user_access_accepts(
    const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf);
static ngx_int_t ngx_proxy_user_access_lookup(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static ngx_int_t ngx_proxy_user_access_wait(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_access_answer(ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_answer_t *answer);
static void ngx_proxy_user_access_wake(void *data,
    const ngx_proxy_user_answer_t *answer);
static ngx_int_t ngx_proxy_user_access_judge(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static ngx_int_t ngx_proxy_user_access_grants(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static ngx_int_t ngx_proxy_user_access_anonymous(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static ngx_int_t ngx_proxy_user_access_refuse(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_reason_t reason);
static void ngx_proxy_user_access_decide(ngx_proxy_user_identity_t *id,
    ngx_proxy_user_verdict_e verdict, pu_reason_t reason);
static uint64_t ngx_proxy_user_access_clock(void);


ngx_int_t
ngx_proxy_user_preaccess_handler(ngx_http_request_t *r)
{
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);

    if (conf->strip->nelts
        && ngx_proxy_user_strip(r, conf->strip) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_proxy_user_precontent_handler(ngx_http_request_t *r)
{
    ngx_log_t                         log;
    ngx_proxy_user_identity_t        *id;
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);
    id = ngx_proxy_user_identity_find(r);

    if (id && id->last.verdict != NGX_PROXY_USER_ALLOW) {
        id->hidden = 1;

        /* a context: refused in this very location, and yet we are here */

        if (ngx_http_get_module_ctx(r, ngx_proxy_user_module)) {
            ngx_proxy_user_respond_withdraw(r, id);
        }
    }

    if (r != r->main
        && conf->enable == NGX_PROXY_USER_ON
        && (id == NULL || id->last.verdict != NGX_PROXY_USER_ALLOW))
    {
        log = ngx_proxy_user_identity_log(r);

        ngx_log_error(NGX_LOG_ERR, &log, 0,
                      "proxy_user: a subrequest into a protected location is "
                      "refused: its main request was not allowed, client: %V",
                      &r->connection->addr_text);
        return NGX_HTTP_FORBIDDEN;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_proxy_user_access_handler(ngx_http_request_t *r)
{
    ngx_proxy_user_identity_t        *id;
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);

    if (conf->enable == NGX_PROXY_USER_OFF) {
        return NGX_DECLINED;
    }

    id = ngx_http_get_module_ctx(r, ngx_proxy_user_module);

    if (id) {

        if (id->waiting) {
            return NGX_AGAIN;
        }

        r->read_event_handler = ngx_http_block_reading;

        return ngx_proxy_user_access_judge(r, id, conf);
    }

    id = ngx_proxy_user_identity_get(r);
    if (id == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, id, ngx_proxy_user_module);

    id->begun = ngx_proxy_user_access_clock();
    id->hidden = 0;

    ngx_memzero(&id->last, sizeof(ngx_proxy_user_decision_t));
    id->last.conf = conf;

    return ngx_proxy_user_access_begin(r, id, conf);
}


static ngx_int_t
ngx_proxy_user_access_begin(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    pu_reason_t                  reason;
    ngx_proxy_user_credential_t  credential;

    reason = ngx_proxy_user_credential(r, conf, &credential);

    /* a redirect drops the arguments, not what they have proven */

    if (reason == PU_NO_CREDENTIAL
        && ngx_proxy_user_access_keeps(id, conf))
    {
        reason = PU_OK;
        credential.token = id->token;
    }

    if (reason == PU_NO_CREDENTIAL) {
        id->judged = 0;
        id->found = 0;

        if (conf->enable == NGX_PROXY_USER_OPTIONAL) {
            return ngx_proxy_user_access_anonymous(r, id, conf);
        }
    }

    if (reason != PU_OK) {
        return ngx_proxy_user_access_refuse(r, id, reason);
    }

    if (!id->judged
        || id->token.len != credential.token.len
        || ngx_memcmp(id->token.data, credential.token.data,
                      credential.token.len)
           != 0)
    {
        ngx_proxy_user_prove(r, id, credential.token);
    }

    if (credential.source) {
        id->source = *credential.source;
    }

    if (id->proof != PU_OK) {
        return ngx_proxy_user_access_refuse(r, id, id->proof);
    }

    /* RFC 9449 section 7.1: that scheme is for tokens bound to a key */

    if (credential.dpop) {
        return ngx_proxy_user_access_refuse(r, id, PU_TOKEN_BINDING);
    }

    if (!ngx_proxy_user_access_accepts(id, conf)) {
        return ngx_proxy_user_access_refuse(r, id, PU_ISSUER_NOT_ACCEPTED);
    }

    if (!id->found
        && ngx_proxy_user_access_lookup(r, id, conf) == NGX_AGAIN)
    {
        return ngx_proxy_user_access_wait(r, id);
    }

    return ngx_proxy_user_access_judge(r, id, conf);
}


/* Is the credential of an earlier location one that this location takes? */

static ngx_uint_t
ngx_proxy_user_access_keeps(const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf)
{
    ngx_uint_t                      i;
    const ngx_proxy_user_source_t  *source;

    if (!id->judged || id->source.place != NGX_PROXY_USER_QUERY) {
        return 0;
    }

    source = conf->sources->elts;

    for (i = 0; i < conf->sources->nelts; i++) {
        if (source[i].place == id->source.place
            && source[i].name.len == id->source.name.len
            && ngx_memcmp(source[i].name.data, id->source.name.data,
                          source[i].name.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_proxy_user_access_accepts(const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf)
{
    ngx_uint_t           i;
    const pu_issuer_t  **issuer;

    if (conf->accepted == NULL) {
        return 1;
    }

    issuer = conf->accepted->elts;

    for (i = 0; i < conf->accepted->nelts; i++) {
        if (issuer[i] == id->issuer) {
            return 1;
        }
    }

    return 0;
}


/*
 * NGX_AGAIN: wait.  NGX_OK: id->found is set, or id->store or id->proof says
 * why not.
 */

static ngx_int_t
ngx_proxy_user_access_lookup(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    ngx_proxy_user_query_t             query;
    ngx_proxy_user_answer_t            answer;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    ngx_memzero(&query, sizeof(ngx_proxy_user_query_t));
    query.kind = PU_HANDLE_SUB;
    query.stale = (conf->on_unknown == NGX_PROXY_USER_STALE);
    query.create = id->issuer->jit;
    ngx_memcpy(query.digest, id->handle, PU_SHA256_LEN);

    if (mcf->store == NULL) {
        id->store = PU_STORE_UNAVAILABLE;
        return NGX_OK;
    }

    if (ngx_proxy_user_store_cached(mcf->store, &query, &answer) == NGX_OK) {
        ngx_proxy_user_access_answer(id, &answer);
        return NGX_OK;
    }

    if (query.create) {

        if (!id->described) {
            id->proof = ngx_proxy_user_prove_again(r, id);

            if (id->proof != PU_OK) {
                return NGX_OK;
            }
        }

        query.name = id->display;
        query.service = id->service;
        query.issuer = id->issuer->url;
        query.subject = id->verified.subject;
    }

    id->waiter.handler = ngx_proxy_user_access_wake;
    id->waiter.data = id;

    if (ngx_proxy_user_store_lookup(mcf->store, &query, &answer, &id->waiter)
        == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    ngx_proxy_user_access_answer(id, &answer);

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_access_wait(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "proxy_user access: waits for the store");

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_proxy_user_store_detach(&id->waiter);
        return ngx_proxy_user_access_refuse(r, id, PU_INTERNAL);
    }

    id->waiting = 1;

    /* a client that goes away is noticed meanwhile */

    r->read_event_handler = ngx_http_test_reading;

    return NGX_AGAIN;
}


static void
ngx_proxy_user_access_answer(ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_answer_t *answer)
{
    pu_handle_t                     handle;
    const ngx_proxy_user_record_t  *record;

    id->cache = answer->cache;
    id->store = answer->reason;

    if (answer->reason != PU_OK) {
        return;
    }

    record = answer->record;

    if (!pu_handle_unpack(&handle, record->handle, record->handle_len)
        || ngx_proxy_user_identity_user(id, record) != NGX_OK)
    {
        id->store = PU_INTERNAL;
        return;
    }

    id->store = pu_handle_judge(&handle, ngx_time());
}


/* Runs from an event of its own; nothing may touch the request afterwards. */

static void
ngx_proxy_user_access_wake(void *data, const ngx_proxy_user_answer_t *answer)
{
    ngx_proxy_user_identity_t *id = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = id->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "proxy_user access: the store says %ui",
                   (ngx_uint_t) answer->reason);

    ngx_proxy_user_access_answer(id, answer);

    id->waiting = 0;

    if (ngx_http_post_request(r, NULL) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_proxy_user_access_judge(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    pu_str_t     method;
    pu_reason_t  reason;

    if (id->proof != PU_OK) {
        return ngx_proxy_user_access_refuse(r, id, id->proof);
    }

    if (id->store != PU_OK) {
        return ngx_proxy_user_access_refuse(r, id, id->store);
    }

    if (ngx_proxy_user_access_grants(r, id) != NGX_OK) {
        return ngx_proxy_user_access_refuse(r, id, PU_INTERNAL);
    }

    reason = pu_user_judge(&id->user, id->verified.iat, ngx_time());

    if (reason != PU_OK) {
        return ngx_proxy_user_access_refuse(r, id, reason);
    }

    method = ngx_proxy_user_str(&r->method_name);

    reason = pu_policy_decide(&conf->policy, id->last.roles, id->last.scopes,
                              pu_method(method), &id->last.rule);

    if (reason != PU_OK) {
        return ngx_proxy_user_access_refuse(r, id, reason);
    }

    ngx_proxy_user_access_decide(id, NGX_PROXY_USER_ALLOW, PU_OK);

    return NGX_OK;
}


/* The roles and scopes in force now: grants end, tokens differ. */

static ngx_int_t
ngx_proxy_user_access_grants(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    size_t     size;
    u_char    *p;
    int64_t    until;
    pu_buf_t   b;

    id->last.roles = id->verified.roles;
    id->last.scopes = id->verified.scopes;

    if (id->user.roles.len) {
        size = id->user.roles.len + id->verified.roles.len + 1;

        p = ngx_pnalloc(r->pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        pu_buf_init(&b, p, size);
        pu_user_roles(&b, &id->user, id->verified.roles, ngx_time(), &until);
        id->last.roles = pu_buf_written(&b);

        if (b.full) {
            return NGX_ERROR;
        }
    }

    if (id->user.scopes.data) {
        size = id->verified.scopes.len + 1;

        p = ngx_pnalloc(r->pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        pu_buf_init(&b, p, size);
        pu_user_scopes(&b, &id->user, id->verified.scopes);
        id->last.scopes = pu_buf_written(&b);
    }

    return NGX_OK;
}


/* No credential where none is needed: the rules hold all the same. */

static ngx_int_t
ngx_proxy_user_access_anonymous(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    pu_str_t     nothing;
    pu_reason_t  reason;

    nothing = PU_STR("");

    reason = pu_policy_decide(&conf->policy, nothing, nothing,
                              pu_method(ngx_proxy_user_str(&r->method_name)),
                              &id->last.rule);

    if (reason != PU_OK) {
        return ngx_proxy_user_access_refuse(r, id, PU_NO_CREDENTIAL);
    }

    ngx_proxy_user_access_decide(id, NGX_PROXY_USER_ANONYMOUS, PU_ANONYMOUS);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_proxy_user_access_refuse(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_reason_t reason)
{
    pu_str_t    word;
    ngx_log_t   log;
    ngx_uint_t  level;

    ngx_proxy_user_access_decide(id,
                                 pu_reason_status(reason) >= 500
                                 ? NGX_PROXY_USER_UNKNOWN
                                 : NGX_PROXY_USER_DENY,
                                 reason);

    /* a client's fault is no error of the server: who looks finds it */

    log = ngx_proxy_user_identity_log(r);
    word = pu_reason_word(reason);

    level = (reason == PU_INTERNAL) ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, &log, 0, "proxy_user: refused: %*s, client: %V",
                  word.len, word.data, &r->connection->addr_text);

    return ngx_proxy_user_respond(r, id);
}


static void
ngx_proxy_user_access_decide(ngx_proxy_user_identity_t *id,
    ngx_proxy_user_verdict_e verdict, pu_reason_t reason)
{
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = id->request;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    id->last.verdict = verdict;
    id->last.reason = reason;
    id->last.location = clcf->name;

    id->spent += ngx_proxy_user_access_clock() - id->begun;

    if (verdict != NGX_PROXY_USER_ALLOW
        && id->refused.verdict == NGX_PROXY_USER_UNDECIDED)
    {
        id->refused = id->last;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "proxy_user access: verdict:%ui reason:%ui in %uLus",
                   (ngx_uint_t) verdict, (ngx_uint_t) reason, id->spent);
}


/* Microseconds; read from the vdso, no system call. */

static uint64_t
ngx_proxy_user_access_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
