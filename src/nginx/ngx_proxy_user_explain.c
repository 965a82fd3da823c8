
/*
 * What would be decided about another request; see the header.
 */

#include "ngx_proxy_user_explain.h"
#include "ngx_proxy_user_identity.h"
#include "ngx_proxy_user_judge.h"
#include "ngx_proxy_user_place.h"
#include "ngx_proxy_user_who.h"
#include "pu_json.h"
#include "pu_memory.h"


#define NGX_PROXY_USER_EXPLAIN_WORDS  256         /* of roles or scopes */


typedef enum {
    NGX_PROXY_USER_ARG_USER = 0,
    NGX_PROXY_USER_ARG_METHOD,
    NGX_PROXY_USER_ARG_URI,
    NGX_PROXY_USER_ARG_HOST,
    NGX_PROXY_USER_ARG_ISSUER,
    NGX_PROXY_USER_ARG_ROLES,
    NGX_PROXY_USER_ARG_SCOPES,
    NGX_PROXY_USER_ARGS
} ngx_proxy_user_arg_e;


typedef struct {
    ngx_http_request_t         *request;
    ngx_str_t                   args[NGX_PROXY_USER_ARGS];
    ngx_proxy_user_place_t      place;
    ngx_proxy_user_identity_t   id;               /* of who is asked about */
    ngx_proxy_user_who_t       *who;
} ngx_proxy_user_explain_t;


static const char *ngx_proxy_user_explain_read(ngx_proxy_user_explain_t *ex);
static ngx_int_t ngx_proxy_user_explain_arg(ngx_http_request_t *r,
    const ngx_str_t *name, ngx_uint_t words, ngx_str_t *value);
static const char *ngx_proxy_user_explain_token(ngx_proxy_user_explain_t *ex);
static ngx_int_t ngx_proxy_user_explain_set(ngx_http_request_t *r,
    const ngx_str_t *text, const pu_list_t *more, ngx_uint_t roles,
    pu_str_t *set);
static ngx_int_t ngx_proxy_user_explain_user(ngx_proxy_user_explain_t *ex);
static ngx_int_t ngx_proxy_user_explain_subject(ngx_proxy_user_explain_t *ex,
    pu_str_t who);
static void ngx_proxy_user_explain_known(ngx_proxy_user_explain_t *ex,
    const ngx_proxy_user_answer_t *answer);
static void ngx_proxy_user_explain_wake(void *data,
    const ngx_proxy_user_answer_t *answer);
static void ngx_proxy_user_explain_leave(void *data);
static pu_reason_t ngx_proxy_user_explain_decide(
    ngx_proxy_user_explain_t *ex);
static ngx_int_t ngx_proxy_user_explain_answer(ngx_proxy_user_explain_t *ex);
static void ngx_proxy_user_explain_field(pu_buf_t *b, const char *name,
    pu_str_t value);
static void ngx_proxy_user_explain_list(pu_buf_t *b, const char *name,
    pu_str_t words);
static void ngx_proxy_user_explain_left(pu_buf_t *b,
    const ngx_proxy_user_explain_t *ex);
static ngx_int_t ngx_proxy_user_explain_error(ngx_http_request_t *r,
    const char *sentence);
static ngx_int_t ngx_proxy_user_explain_send(ngx_http_request_t *r,
    ngx_uint_t status, pu_str_t body);


static const ngx_str_t  ngx_proxy_user_explain_args[] = {
    ngx_string("user"),
    ngx_string("method"),
    ngx_string("uri"),
    ngx_string("host"),
    ngx_string("issuer"),
    ngx_string("roles"),
    ngx_string("scopes")
};


ngx_int_t
ngx_proxy_user_explain_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    const char                *wrong;
    ngx_http_cleanup_t        *cln;
    ngx_proxy_user_explain_t  *ex;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ex = ngx_pcalloc(r->pool, sizeof(ngx_proxy_user_explain_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (ex == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ex->request = r;
    ex->id.request = r;

    cln->handler = ngx_proxy_user_explain_leave;
    cln->data = ex;

    pu_memory_watch();
    wrong = ngx_proxy_user_explain_read(ex);

    if (wrong && pu_memory_short()) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (wrong) {
        return ngx_proxy_user_explain_error(r, wrong);
    }

    rc = ngx_proxy_user_explain_user(ex);

    if (rc == NGX_AGAIN) {
        r->main->count++;
        return NGX_DONE;
    }

    return ngx_proxy_user_explain_answer(ex);
}


/* NULL, or what is wrong with the question. */

static const char *
ngx_proxy_user_explain_read(ngx_proxy_user_explain_t *ex)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_PROXY_USER_ARGS; i++) {

        if (ngx_proxy_user_explain_arg(ex->request,
                                       &ngx_proxy_user_explain_args[i],
                                       i == NGX_PROXY_USER_ARG_ROLES
                                       || i == NGX_PROXY_USER_ARG_SCOPES,
                                       &ex->args[i])
            != NGX_OK)
        {
            return "no memory";
        }
    }

    if (ex->args[NGX_PROXY_USER_ARG_METHOD].len == 0
        || ex->args[NGX_PROXY_USER_ARG_URI].len == 0)
    {
        return "needed are method= and uri=";
    }

    if (ngx_proxy_user_place(ex->request, ex->args[NGX_PROXY_USER_ARG_HOST],
                             ex->args[NGX_PROXY_USER_ARG_URI],
                             ngx_proxy_user_str(
                                       &ex->args[NGX_PROXY_USER_ARG_METHOD]),
                             &ex->place)
        != NGX_OK)
    {
        return "uri= is no path that nginx takes, or nothing listens at the "
               "port of host=";
    }

    return ngx_proxy_user_explain_token(ex);
}


/* Escapes are decoded, and in a list of words "+" is a space. */

static ngx_int_t
ngx_proxy_user_explain_arg(ngx_http_request_t *r, const ngx_str_t *name,
    ngx_uint_t words, ngx_str_t *value)
{
    size_t      i;
    u_char     *dst, *src;
    ngx_str_t   raw;

    ngx_str_null(value);

    if (ngx_http_arg(r, name->data, name->len, &raw) != NGX_OK) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, raw.len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;
    src = raw.data;

    for (i = 0; words && i < raw.len; i++) {
        if (raw.data[i] == '+') {
            raw.data[i] = ' ';
        }
    }

    ngx_unescape_uri(&dst, &src, raw.len, 0);

    value->len = dst - value->data;
    *dst = '\0';

    return NGX_OK;
}


/* What a token would bring: its issuer, roles and scopes. */

static const char *
ngx_proxy_user_explain_token(ngx_proxy_user_explain_t *ex)
{
    ngx_uint_t                         i;
    ngx_str_t                         *args;
    ngx_http_request_t                *r;
    ngx_proxy_user_identity_t         *id;
    const ngx_proxy_user_main_conf_t  *mcf;

    r = ex->request;
    id = &ex->id;
    args = ex->args;
    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    for (i = 0; i < mcf->issuers.n; i++) {
        if (pu_str_eq(mcf->issuers.items[i]->name,
                      ngx_proxy_user_str(&args[NGX_PROXY_USER_ARG_ISSUER])))
        {
            id->issuer = mcf->issuers.items[i];
        }
    }

    if (args[NGX_PROXY_USER_ARG_ISSUER].len && id->issuer == NULL) {
        return "issuer= is no name of a \"proxy_user_issuer\"";
    }

    /* it would be issued now, after whatever was revoked */

    id->verified.iat = INT64_MAX;

    if (ngx_proxy_user_explain_set(r, &args[NGX_PROXY_USER_ARG_ROLES],
                                   id->issuer ? &id->issuer->default_roles
                                              : NULL,
                                   1, &id->verified.roles)
        != NGX_OK)
    {
        return "roles= has what is no role, or too many";
    }

    if (ngx_proxy_user_explain_set(r, &args[NGX_PROXY_USER_ARG_SCOPES], NULL,
                                   0, &id->verified.scopes)
        != NGX_OK)
    {
        return "scopes= has what is no scope, or too many";
    }

    return NULL;
}


static ngx_int_t
ngx_proxy_user_explain_set(ngx_http_request_t *r, const ngx_str_t *text,
    const pu_list_t *more, ngx_uint_t roles, pu_str_t *set)
{
    size_t     i, size;
    u_char    *p;
    pu_buf_t   b;
    pu_str_t   words[NGX_PROXY_USER_EXPLAIN_WORDS], rest, word, *texts;
    size_t     n;

    n = 1 + (more ? more->n : 0);
    size = text->len + 1;

    texts = ngx_palloc(r->pool, n * sizeof(pu_str_t));
    if (texts == NULL) {
        return NGX_ERROR;
    }

    texts[0] = ngx_proxy_user_str(text);
    rest = texts[0];

    while (pu_word_next(&rest, &word)) {
        if (roles ? !pu_role_name(word) : !pu_scope_token(word)) {
            return NGX_ERROR;
        }
    }

    for (i = 1; i < n; i++) {
        texts[i] = more->items[i - 1];
        size += texts[i].len + 1;
    }

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pu_buf_init(&b, p, size);
    pu_set_union(&b, texts, n, words, NGX_PROXY_USER_EXPLAIN_WORDS);
    *set = pu_buf_written(&b);

    return b.full ? NGX_ERROR : NGX_OK;
}


/* NGX_AGAIN, or NGX_OK: id->store says whether the user is known. */

static ngx_int_t
ngx_proxy_user_explain_user(ngx_proxy_user_explain_t *ex)
{
    pu_str_t                    who;
    ngx_proxy_user_identity_t  *id;

    id = &ex->id;
    who = ngx_proxy_user_str(&ex->args[NGX_PROXY_USER_ARG_USER]);

    if (who.len == 0) {

        /* nobody, or whoever comes with such a token and has no more */

        id->anonymous = (id->issuer == NULL && id->verified.roles.len == 0
                         && id->verified.scopes.len == 0);
        return NGX_OK;
    }

    if (pu_str_starts(who, "sub:")) {
        return ngx_proxy_user_explain_subject(ex, who);
    }

    if (pu_str_starts(who, "name:")) {
        who.data += sizeof("name:") - 1;
        who.len -= sizeof("name:") - 1;

        ex->who = ngx_proxy_user_who_ask(ex->request, who, 1,
                                         ngx_proxy_user_explain_wake, ex);
    } else {
        ex->who = ngx_proxy_user_who_ask(ex->request, who, 0,
                                         ngx_proxy_user_explain_wake, ex);
    }

    if (ex->who) {
        return NGX_AGAIN;
    }

    id->store = PU_STORE_UNAVAILABLE;

    return NGX_OK;
}


/* sub:<issuer>#<subject>; an url has no "#" of its own here. */

static ngx_int_t
ngx_proxy_user_explain_subject(ngx_proxy_user_explain_t *ex, pu_str_t who)
{
    u_char                            *hash;
    pu_str_t                           issuer, subject;
    ngx_uint_t                         i;
    ngx_proxy_user_query_t             query;
    ngx_proxy_user_answer_t            answer;
    ngx_proxy_user_identity_t         *id;
    const ngx_proxy_user_main_conf_t  *mcf;

    id = &ex->id;
    mcf = ngx_http_get_module_main_conf(ex->request, ngx_proxy_user_module);

    issuer.data = who.data + sizeof("sub:") - 1;
    hash = ngx_strlchr((u_char *) (uintptr_t) issuer.data,
                       (u_char *) (uintptr_t) who.data + who.len, '#');

    if (hash == NULL || mcf->store == NULL) {
        id->store = hash ? PU_STORE_UNAVAILABLE : PU_USER_UNKNOWN;
        return NGX_OK;
    }

    issuer.len = hash - issuer.data;
    subject.data = hash + 1;
    subject.len = who.data + who.len - subject.data;

    for (i = 0; id->issuer == NULL && i < mcf->issuers.n; i++) {
        if (pu_str_eq(mcf->issuers.items[i]->url, issuer)) {
            id->issuer = mcf->issuers.items[i];

            if (ngx_proxy_user_explain_token(ex) != NULL) {
                id->store = PU_INTERNAL;
                return NGX_OK;
            }
        }
    }

    ngx_memzero(&query, sizeof(ngx_proxy_user_query_t));
    query.kind = PU_HANDLE_SUB;

    if (!pu_handle_digest(query.digest, issuer, subject)) {
        id->store = PU_INTERNAL;
        return NGX_OK;
    }

    id->waiter.handler = ngx_proxy_user_explain_wake;
    id->waiter.data = ex;

    if (ngx_proxy_user_store_cached(mcf->store, &query, &answer) != NGX_OK
        && ngx_proxy_user_store_lookup(mcf->store, &query, &answer,
                                       &id->waiter) == NGX_AGAIN)
    {
        return NGX_AGAIN;
    }

    ngx_proxy_user_explain_known(ex, &answer);

    return NGX_OK;
}


static void
ngx_proxy_user_explain_known(ngx_proxy_user_explain_t *ex,
    const ngx_proxy_user_answer_t *answer)
{
    pu_handle_t                 handle;
    ngx_proxy_user_identity_t  *id;

    id = &ex->id;
    id->store = answer->reason;

    /* a first token would make this user, who has nothing yet */

    if (answer->reason == PU_USER_UNKNOWN && ex->who == NULL && id->issuer
        && id->issuer->jit)
    {
        id->store = PU_OK;
        return;
    }

    if (answer->reason != PU_OK) {
        return;
    }

    if (ngx_proxy_user_identity_user(id, answer->record) != NGX_OK) {
        id->store = PU_INTERNAL;
        return;
    }

    if (answer->record->handle_len) {
        id->store = pu_handle_unpack(&handle, answer->record->handle,
                                     answer->record->handle_len)
                    ? pu_handle_judge(&handle, PU_HANDLE_SUB, ngx_time())
                    : PU_INTERNAL;
    }
}


/* Runs from an event of its own; nothing may touch the request afterwards. */

static void
ngx_proxy_user_explain_wake(void *data, const ngx_proxy_user_answer_t *answer)
{
    ngx_proxy_user_explain_t *ex = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ex->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_proxy_user_explain_known(ex, answer);
    ex->who = NULL;

    ngx_http_finalize_request(r, ngx_proxy_user_explain_answer(ex));
    ngx_http_run_posted_requests(c);
}


static void
ngx_proxy_user_explain_leave(void *data)
{
    ngx_proxy_user_explain_t *ex = data;

    ngx_proxy_user_who_detach(ex->who);
    ngx_proxy_user_store_detach(&ex->id.waiter);
}


/* The steps of a live request, in their order. */

static pu_reason_t
ngx_proxy_user_explain_decide(ngx_proxy_user_explain_t *ex)
{
    pu_reason_t                       reason;
    ngx_proxy_user_identity_t        *id;
    const ngx_proxy_user_loc_conf_t  *conf;

    id = &ex->id;
    conf = ex->place.conf;

    if (id->anonymous && conf->enable == NGX_PROXY_USER_ON) {
        return PU_NO_CREDENTIAL;
    }

    if (!id->anonymous) {

        if (!ngx_proxy_user_judge_accepts(id, conf)) {
            return PU_ISSUER_NOT_ACCEPTED;
        }

        if (id->store != PU_OK) {
            return id->store;
        }
    }

    reason = ngx_proxy_user_judge(ex->request, id, conf,
                                  ngx_proxy_user_str(
                                      &ex->args[NGX_PROXY_USER_ARG_METHOD]));

    if (reason == PU_OK) {
        reason = ngx_proxy_user_judge_require(NULL, id, conf);
    }

    return reason;
}


static ngx_int_t
ngx_proxy_user_explain_answer(ngx_proxy_user_explain_t *ex)
{
    size_t                     size;
    u_char                    *p;
    pu_buf_t                   b;
    pu_reason_t                reason;
    ngx_proxy_user_verdict_e   verdict;
    ngx_proxy_user_decision_t *last;

    last = &ex->id.last;
    verdict = NGX_PROXY_USER_UNDECIDED;
    reason = PU_OK;

    if (ex->place.conf->enable != NGX_PROXY_USER_OFF) {
        reason = ngx_proxy_user_explain_decide(ex);

        verdict = (pu_reason_status(reason) >= 500) ? NGX_PROXY_USER_UNKNOWN
                  : (reason != PU_OK) ? NGX_PROXY_USER_DENY
                  : ex->id.anonymous ? NGX_PROXY_USER_ANONYMOUS
                                     : NGX_PROXY_USER_ALLOW;

        if (verdict == NGX_PROXY_USER_ANONYMOUS) {
            reason = PU_ANONYMOUS;
        }
    }

    /* a byte may become six */

    size = 1024 + 7 * (last->roles.len + last->scopes.len
                       + ex->place.location->name.len
                       + (last->rule ? last->rule->where.len : 0));

    p = ngx_pnalloc(ex->request->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pu_buf_init(&b, p, size);
    pu_buf_text(&b, "{\"decision\":");
    pu_json_quote(&b, ngx_proxy_user_verdict_word(verdict));
    ngx_proxy_user_explain_field(&b, "reason",
                                 verdict == NGX_PROXY_USER_UNDECIDED
                                 ? PU_STR("") : pu_reason_word(reason));
    ngx_proxy_user_explain_field(&b, "rule", last->rule ? last->rule->where
                                                        : PU_STR(""));
    ngx_proxy_user_explain_field(&b, "user", ex->id.user.id);
    ngx_proxy_user_explain_list(&b, "roles", last->roles);
    ngx_proxy_user_explain_list(&b, "scopes", last->scopes);
    ngx_proxy_user_explain_field(&b, "location",
                                 ngx_proxy_user_str(
                                     &ex->place.location->name));
    ngx_proxy_user_explain_field(&b, "mode",
                                 ex->place.conf->mode == NGX_PROXY_USER_REPORT
                                 ? PU_STR("report") : PU_STR("enforce"));
    ngx_proxy_user_explain_left(&b, ex);
    pu_buf_text(&b, "}\n");

    return ngx_proxy_user_explain_send(ex->request, NGX_HTTP_OK,
                                       pu_buf_written(&b));
}


static void
ngx_proxy_user_explain_field(pu_buf_t *b, const char *name, pu_str_t value)
{
    pu_buf_text(b, ",\"");
    pu_buf_text(b, name);
    pu_buf_text(b, "\":");
    pu_json_quote(b, value);
}


static void
ngx_proxy_user_explain_list(pu_buf_t *b, const char *name, pu_str_t words)
{
    size_t    n;
    pu_str_t  word;

    pu_buf_text(b, ",\"");
    pu_buf_text(b, name);
    pu_buf_text(b, "\":[");

    for (n = 0; pu_word_next(&words, &word); n++) {
        pu_buf_text(b, n ? "," : "");
        pu_json_quote(b, word);
    }

    pu_buf_char(b, ']');
}


/* What was taken as empty, and what is no part of the answer at all. */

static void
ngx_proxy_user_explain_left(pu_buf_t *b, const ngx_proxy_user_explain_t *ex)
{
    ngx_uint_t  i, n;

    pu_buf_text(b, ",\"left_out\":[");

    for (i = 0, n = 0; i < NGX_PROXY_USER_ARGS; i++) {
        if (ex->args[i].len == 0) {
            pu_buf_text(b, n++ ? "," : "");
            pu_json_quote(b, ngx_proxy_user_str(
                                 &ngx_proxy_user_explain_args[i]));
        }
    }

    if (ex->place.conf->requires) {
        pu_buf_text(b, n++ ? "," : "");
        pu_json_quote(b, PU_STR("requirements"));
    }

    pu_buf_text(b, "],\"not_simulated\":[\"rewrite\",\"return\",\"if\","
                "\"try_files\",\"error_page\",\"limits\",\"other modules\"]");
}


static ngx_int_t
ngx_proxy_user_explain_error(ngx_http_request_t *r, const char *sentence)
{
    u_char    *p;
    pu_buf_t   b;

    p = ngx_pnalloc(r->pool, 512);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    pu_buf_init(&b, p, 512);
    pu_buf_text(&b, "{\"error\":");
    pu_json_quote(&b, pu_str(sentence));
    pu_buf_text(&b, "}\n");

    return ngx_proxy_user_explain_send(r, NGX_HTTP_BAD_REQUEST,
                                       pu_buf_written(&b));
}


static ngx_int_t
ngx_proxy_user_explain_send(ngx_http_request_t *r, ngx_uint_t status,
    pu_str_t body)
{
    ngx_int_t         rc;
    ngx_buf_t        *b;
    ngx_chain_t       out;
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    b = ngx_calloc_buf(r->pool);

    if (h == NULL || b == NULL) {

        if (h) {
            h->hash = 0;
        }

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* who may do what changes, and is nobody else's business */

    h->hash = 1;
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, "no-store");
    h->lowcase_key = (u_char *) "cache-control";
    ngx_proxy_user_next_header(h, NULL);

    r->headers_out.status = status;
    r->headers_out.content_length_n = body.len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = (u_char *) (uintptr_t) body.data;
    b->last = b->pos + body.len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
