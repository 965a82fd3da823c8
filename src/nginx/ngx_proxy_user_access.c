
/*
 * The phase handlers.
 *
 * The way of one request: credential -> token -> user -> decision, straight
 * through the steps below, with none of them waiting when the zone is warm.
 * Waiting is NGX_AGAIN and nothing else: the handler is entered again when the
 * answer is there, and by stray write events before that.
 */

#include "ngx_proxy_user_access.h"
#include "ngx_proxy_user_binding.h"
#include "ngx_proxy_user_credential.h"
#include "ngx_proxy_user_cut.h"
#include "ngx_proxy_user_guard.h"
#include "ngx_proxy_user_handle.h"
#include "ngx_proxy_user_identity.h"
#include "ngx_proxy_user_judge.h"
#include "ngx_proxy_user_limit.h"
#include "ngx_proxy_user_proof.h"
#include "ngx_proxy_user_respond.h"
#include "ngx_proxy_user_strip.h"
#include "pu_introspection.h"


/*
 * PU_OK: on to the next step, or, when id->leave has been set, wait and take
 * this one again.  Anything else is why the request is refused.
 */
typedef pu_reason_t (*ngx_proxy_user_step_pt)(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);


static ngx_int_t ngx_proxy_user_access_run(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static pu_reason_t ngx_proxy_user_access_take(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static pu_reason_t ngx_proxy_user_access_prove(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static pu_reason_t ngx_proxy_user_access_bind(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static pu_reason_t ngx_proxy_user_access_user(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static pu_reason_t ngx_proxy_user_access_judge(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static pu_reason_t ngx_proxy_user_access_limit(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static const pu_issuer_t *ngx_proxy_user_access_opener(
    const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf);
static ngx_uint_t ngx_proxy_user_access_keeps(
    const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf);
static pu_reason_t ngx_proxy_user_access_lookup(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);
static void ngx_proxy_user_access_detach(ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_access_answer(ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_answer_t *answer);
static void ngx_proxy_user_access_wake(void *data,
    const ngx_proxy_user_answer_t *answer);
static ngx_int_t ngx_proxy_user_access_wait(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_access_resume(ngx_proxy_user_identity_t *id);
static ngx_int_t ngx_proxy_user_access_refuse(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_reason_t reason);
static void ngx_proxy_user_access_decide(ngx_proxy_user_identity_t *id,
    ngx_proxy_user_verdict_e verdict, pu_reason_t reason);
static uint64_t ngx_proxy_user_access_clock(void);


static const ngx_proxy_user_step_pt  ngx_proxy_user_steps[] = {
    ngx_proxy_user_access_take,
    ngx_proxy_user_access_prove,
    ngx_proxy_user_access_bind,
    ngx_proxy_user_access_user,
    ngx_proxy_user_access_judge,
    ngx_proxy_user_access_limit
};

#define NGX_PROXY_USER_STEPS                                                  \
    (sizeof(ngx_proxy_user_steps) / sizeof(ngx_proxy_user_steps[0]))


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
        && conf->mode == NGX_PROXY_USER_ENFORCE
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

        if (id->leave) {
            return NGX_AGAIN;
        }

        r->read_event_handler = ngx_http_block_reading;

        return ngx_proxy_user_access_run(r, id, conf);
    }

    id = ngx_proxy_user_identity_get(r);
    if (id == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, id, ngx_proxy_user_module);

    id->begun = ngx_proxy_user_access_clock();
    id->resume = ngx_proxy_user_access_resume;
    id->step = 0;
    id->hidden = 0;
    id->anonymous = 0;
    id->answered = 0;
    id->asked = 0;
    id->ask_proof = 0;
    id->challenged = NGX_PROXY_USER_BEARER_TOKEN;

    ngx_memzero(&id->last, sizeof(ngx_proxy_user_decision_t));
    id->last.conf = conf;

    if (conf->preflight && ngx_proxy_user_judge_preflight(r)) {
        ngx_proxy_user_access_decide(id, NGX_PROXY_USER_PREFLIGHT,
                                     PU_PREFLIGHT);
        return NGX_DECLINED;
    }

    return ngx_proxy_user_access_run(r, id, conf);
}


static ngx_int_t
ngx_proxy_user_access_run(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    pu_reason_t                        reason;
    const ngx_proxy_user_main_conf_t  *mcf;

    while (id->step < NGX_PROXY_USER_STEPS) {
        reason = ngx_proxy_user_steps[id->step](r, id, conf);

        if (reason != PU_OK) {
            return ngx_proxy_user_access_refuse(r, id, reason);
        }

        if (id->leave) {
            return ngx_proxy_user_access_wait(r, id);
        }

        id->step++;
    }

    if (id->anonymous) {
        ngx_proxy_user_access_decide(id, NGX_PROXY_USER_ANONYMOUS,
                                     PU_ANONYMOUS);
        return NGX_DECLINED;
    }

    if (ngx_proxy_user_limit_tell(r, id) != NGX_OK) {
        return ngx_proxy_user_access_refuse(r, id, PU_INTERNAL);
    }

    ngx_proxy_user_access_decide(id, NGX_PROXY_USER_ALLOW, PU_OK);

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);
    ngx_proxy_user_cut_watch(id, conf, mcf->cuts);

    return NGX_OK;
}


static pu_reason_t
ngx_proxy_user_access_take(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    pu_reason_t                  reason;
    ngx_proxy_user_credential_t  credential;

    reason = ngx_proxy_user_credential(r, conf, &credential);

    /* a redirect drops the arguments, not what they have proven */

    if (reason == PU_NO_CREDENTIAL
        && ngx_proxy_user_access_keeps(id, conf))
    {
        return PU_OK;
    }

    if (reason == PU_NO_CREDENTIAL) {
        id->judged = 0;
        id->found = 0;
        id->anonymous = (conf->enable == NGX_PROXY_USER_OPTIONAL);

        return id->anonymous ? PU_OK : reason;
    }

    if (reason != PU_OK) {
        return reason;
    }

    if (id->kind != credential.kind
        || id->token.len != credential.token.len
        || (id->token.len
            && ngx_memcmp(id->token.data, credential.token.data,
                          id->token.len)
               != 0))
    {
        id->judged = 0;
    }

    if (credential.kind == PU_HANDLE_CERT) {
        ngx_memcpy(id->handle, credential.digest, PU_SHA256_LEN);
    }

    id->kind = credential.kind;
    id->token = credential.token;
    id->source = *credential.source;
    id->dpop = credential.dpop;
    id->challenged = id->dpop ? NGX_PROXY_USER_DPOP_TOKEN
                              : NGX_PROXY_USER_BEARER_TOKEN;

    return PU_OK;
}


static pu_reason_t
ngx_proxy_user_access_prove(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    const pu_issuer_t  *opener;

    if (id->anonymous) {
        return PU_OK;
    }

    if (id->kind != PU_HANDLE_SUB) {

        if (!id->judged) {
            ngx_proxy_user_handle_prove(r, id);
        }

        return id->proof == PU_OK ? PU_OK
               : ngx_proxy_user_guard_reason(r, id->proof, &id->failures);
    }

    opener = ngx_proxy_user_access_opener(id, conf);

    /* what is proven stays so: whether it counts here is asked later */

    if (!id->judged || (id->proof != PU_OK && id->opener != opener)) {
        id->opener = opener;
        ngx_proxy_user_prove(r, id);
    }

    return id->leave ? PU_OK : id->proof;
}


static pu_reason_t
ngx_proxy_user_access_bind(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    pu_reason_t  reason;

    /* whose a key is, and so its issuer, the store says */

    if (id->anonymous || id->kind != PU_HANDLE_SUB) {
        return PU_OK;
    }

    /* taken again: whether the proof was seen before has been answered */

    if (id->ask_proof) {
        return ngx_proxy_user_bind_answered(id);
    }

    reason = ngx_proxy_user_bind(r, id);

    if (reason != PU_OK) {
        return reason;
    }

    if (!ngx_proxy_user_judge_accepts(id, conf)) {
        return PU_ISSUER_NOT_ACCEPTED;
    }

    return id->ask_proof ? ngx_proxy_user_bind_once(r, id) : PU_OK;
}


/*
 * The user, and whether the token has been revoked: what is not known of the
 * two is asked at once, in one packet.
 */

static pu_reason_t
ngx_proxy_user_access_user(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    pu_reason_t  reason;

    if (id->anonymous) {
        return PU_OK;
    }

    if (id->kind == PU_HANDLE_SUB && id->jti.named && !id->jti.good
        && !id->asked)
    {
        ngx_proxy_user_prove_ask(r, id);
    }

    if (!id->found && !id->answered && !id->waiter.waiting) {
        reason = ngx_proxy_user_access_lookup(r, id, conf);

        if (reason != PU_OK) {
            ngx_proxy_user_access_detach(id);
            id->leave = NULL;
            return reason;
        }
    }

    if (id->question || id->waiter.waiting) {
        id->leave = ngx_proxy_user_access_detach;
        return PU_OK;
    }

    if (id->asked) {
        id->asked = 0;
        id->revoked = ngx_proxy_user_prove_named(r, id,
                          conf->on_unknown == NGX_PROXY_USER_STALE);
    }

    if (id->kind == PU_HANDLE_SUB) {
        return (id->revoked != PU_OK) ? id->revoked : id->store;
    }

    if (id->store != PU_OK) {
        return id->store;
    }

    return ngx_proxy_user_judge_accepts(id, conf) ? PU_OK
                                                  : PU_ISSUER_NOT_ACCEPTED;
}


static pu_reason_t
ngx_proxy_user_access_judge(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    pu_reason_t  reason;

    reason = ngx_proxy_user_judge(r, id, conf,
                                  ngx_proxy_user_str(&r->method_name));

    if (reason == PU_OK) {
        reason = ngx_proxy_user_judge_require(r, id, conf);
    }

    return reason;
}


static pu_reason_t
ngx_proxy_user_access_limit(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    return id->anonymous ? PU_OK : ngx_proxy_user_limit(r, id);
}


/* Whose a token is that does not say so itself is for the location to say. */

static const pu_issuer_t *
ngx_proxy_user_access_opener(const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf)
{
    pu_str_t  text;

    text = ngx_proxy_user_str(&id->token);

    if (conf->introspects && pu_token_opaque(text)) {
        return conf->introspects;
    }

    return (conf->decrypts && pu_jwe_form(text)) ? conf->decrypts : NULL;
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


/*
 * PU_OK: id->answered is set and id->store says what came of it, or id->leave
 * is set; else the reason.
 */

static pu_reason_t
ngx_proxy_user_access_lookup(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    ngx_int_t                          cached;
    pu_reason_t                        reason;
    ngx_proxy_user_query_t             query;
    ngx_proxy_user_answer_t            answer;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    if (mcf->store == NULL) {
        return PU_STORE_UNAVAILABLE;
    }

    ngx_memzero(&query, sizeof(ngx_proxy_user_query_t));
    query.kind = id->kind;
    query.stale = (conf->on_unknown == NGX_PROXY_USER_STALE);
    query.create = (id->kind == PU_HANDLE_SUB && id->issuer->jit);
    query.link = (id->kind == PU_HANDLE_SUB) ? id->issuer->link_by
                                             : PU_LINK_NONE;
    ngx_memcpy(query.digest, id->handle, PU_SHA256_LEN);

    cached = ngx_proxy_user_store_cached(mcf->store, &query, &answer);

    /* a token has been verified; a key may be anything until it is found */

    if (query.kind != PU_HANDLE_SUB
        && (cached != NGX_OK || answer.reason != PU_OK))
    {
        reason = ngx_proxy_user_guard_reason(r, PU_OK, &id->failures);

        if (reason != PU_OK) {
            return reason;
        }
    }

    if (cached == NGX_OK) {
        ngx_proxy_user_access_answer(id, &answer);
        return PU_OK;
    }

    if (query.create || query.link) {

        if (!id->described) {
            reason = ngx_proxy_user_prove_again(r, id);

            if (reason != PU_OK) {
                return reason;
            }
        }

        query.name = id->display;
        query.service = id->service;
        query.issuer = id->issuer->url;
        query.subject = id->verified.subject;
        query.claim = id->link;
        query.iat = id->verified.iat;
        query.named = id->jti.named;
        ngx_memcpy(query.jti, id->jti.digest, PU_SHA256_LEN);

        if (id->link.len == 0) {
            query.link = PU_LINK_NONE;
        }
    }

    id->waiter.handler = ngx_proxy_user_access_wake;
    id->waiter.data = id;

    if (ngx_proxy_user_store_lookup(mcf->store, &query, &answer, &id->waiter)
        == NGX_AGAIN)
    {
        id->leave = ngx_proxy_user_access_detach;
        return PU_OK;
    }

    ngx_proxy_user_access_answer(id, &answer);

    return PU_OK;
}


static void
ngx_proxy_user_access_detach(ngx_proxy_user_identity_t *id)
{
    ngx_proxy_user_store_detach(&id->waiter);

    ngx_proxy_user_ask_drop(id->question);
    id->question = NULL;
}


static void
ngx_proxy_user_access_answer(ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_answer_t *answer)
{
    pu_handle_t                        handle;
    ngx_http_request_t                *r;
    const ngx_proxy_user_record_t     *record;
    const ngx_proxy_user_main_conf_t  *mcf;

    r = id->request;

    /* somebody else's token, whose look-up this was too: it is asked again */

    if (answer->reason == PU_TOKEN_REVOKED
        && !(answer->jti && id->jti.named
             && ngx_memcmp(answer->jti, id->jti.digest, PU_SHA256_LEN) == 0))
    {
        return;
    }

    id->answered = 1;
    id->cache = answer->cache;
    id->store = answer->reason;

    if (answer->reason != PU_OK) {

        if (answer->reason == PU_USER_UNKNOWN) {
            id->store = ngx_proxy_user_handle_unknown(id);
        }

        return;
    }

    record = answer->record;

    if (!pu_handle_unpack(&handle, record->handle, record->handle_len)
        || ngx_proxy_user_identity_user(id, record) != NGX_OK)
    {
        id->store = PU_INTERNAL;
        return;
    }

    if (id->kind == PU_HANDLE_SUB) {
        id->store = pu_handle_judge(&handle, PU_HANDLE_SUB, ngx_time());
        return;
    }

    id->store = ngx_proxy_user_handle_found(r, id, record);

    if (id->store == PU_OK) {
        mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);
        ngx_proxy_user_store_used(mcf->store, id->handle, id->caps.id);
    }
}


static void
ngx_proxy_user_access_wake(void *data, const ngx_proxy_user_answer_t *answer)
{
    ngx_proxy_user_identity_t *id = data;

    ngx_proxy_user_access_answer(id, answer);

    id->resume(id);
}


static ngx_int_t
ngx_proxy_user_access_wait(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "proxy_user access: waits in step %ui", id->step);

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        id->leave(id);
        id->leave = NULL;
        return ngx_proxy_user_access_refuse(r, id, PU_INTERNAL);
    }

    /* a client that goes away is noticed meanwhile */

    r->read_event_handler = ngx_http_test_reading;

    return NGX_AGAIN;
}


/* Runs from an event of its own; nothing may touch the request afterwards. */

static void
ngx_proxy_user_access_resume(ngx_proxy_user_identity_t *id)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = id->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "proxy_user access: goes on in step %ui", id->step);

    /* a request that ends here is left: it may wait for a second answer */

    if (ngx_http_post_request(r, NULL) == NGX_OK) {
        id->leave = NULL;

    } else {
        ngx_http_finalize_request(r, NGX_ERROR);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_proxy_user_access_refuse(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_reason_t reason)
{
    pu_str_t    word;
    ngx_log_t   log;
    ngx_uint_t  level, report;

    ngx_proxy_user_access_decide(id,
                                 pu_reason_status(reason) >= 500
                                 ? NGX_PROXY_USER_UNKNOWN
                                 : NGX_PROXY_USER_DENY,
                                 reason);

    report = (id->last.conf->mode == NGX_PROXY_USER_REPORT);

    /* a client's fault is no error of the server: who looks finds it */

    log = ngx_proxy_user_identity_log(r);
    word = pu_reason_word(reason);

    level = (reason == PU_INTERNAL) ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, &log, 0, "proxy_user: %s: %*s, client: %V",
                  report ? "would be refused" : "refused", word.len,
                  word.data, &r->connection->addr_text);

    if (!id->failed) {
        id->failed = 1;
        ngx_proxy_user_guard_failed(r, reason);
    }

    if (report) {
        id->hidden = 1;
        return NGX_DECLINED;
    }

    if (ngx_proxy_user_limit_tell(r, id) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

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
        ngx_proxy_user_identity_whom(id, &id->whom);
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
