
/*
 * A token becomes a proven identity; see the header.
 *
 * What is in the zone is never a verdict: the issuer and the key that an entry
 * names must be in force in this worker, and its times are judged each time.
 */

#include "ngx_proxy_user_proof.h"
#include "ngx_proxy_user_guard.h"
#include "ngx_proxy_user_zone.h"
#include "pu_introspection.h"


/* beside the texts of a verified token */
#define NGX_PROXY_USER_PROOF_ROOM  256


static void ngx_proxy_user_proof_show(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_str_t text);
static void ngx_proxy_user_proof_ask(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_str_t text);
static ngx_uint_t ngx_proxy_user_proof_open(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static pu_reason_t ngx_proxy_user_proof_cached(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, ngx_msec_t age);
static pu_reason_t ngx_proxy_user_proof_question(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_str_t text);
static void ngx_proxy_user_proof_forgo(ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_proof_remember(void *data,
    const ngx_proxy_user_introspected_t *told);
static void ngx_proxy_user_proof_told(void *data,
    const ngx_proxy_user_introspected_t *told);
static pu_reason_t ngx_proxy_user_proof_token(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id, pu_token_t *token);
static pu_reason_t ngx_proxy_user_proof_verify(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static pu_reason_t ngx_proxy_user_proof_settle(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const pu_token_t *token,
    ngx_msec_t since);
static pu_reason_t ngx_proxy_user_proof_wait(ngx_proxy_user_identity_t *id,
    const pu_token_t *token, pu_reason_t reason);
static void ngx_proxy_user_proof_leave(ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_proof_resume(void *data);
static size_t ngx_proxy_user_proof_pack(
    const ngx_proxy_user_main_conf_t *mcf, const pu_token_t *token,
    u_char *out, size_t size);
static ngx_int_t ngx_proxy_user_proof_name(
    const ngx_proxy_user_main_conf_t *mcf, const pu_token_t *token,
    ngx_msec_t since, ngx_proxy_user_jti_t *jti);
static ngx_int_t ngx_proxy_user_proof_keep(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const u_char *packed, size_t len);
static ngx_int_t ngx_proxy_user_proof_describe(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const pu_token_t *token);


void
ngx_proxy_user_prove(ngx_http_request_t *r, ngx_proxy_user_identity_t *id)
{
    pu_str_t                           text;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);
    text = ngx_proxy_user_str(&id->token);

    id->judged = 1;
    id->found = 0;
    id->described = 0;
    id->bound = 0;
    id->revoked = PU_OK;
    id->token_cache = NGX_PROXY_USER_CACHE_NONE;
    id->proof = PU_INTERNAL;

    if (text.len > PU_TOKEN_LEN_MAX) {
        id->proof = PU_TOKEN_TOO_LARGE;
        return;
    }

    if (mcf->keyring == NULL || mcf->introspector == NULL
        || mcf->hash == NULL)
    {
        return;
    }

    if (id->opener && pu_token_opaque(text)) {
        ngx_proxy_user_proof_ask(r, id, text);

    } else {
        ngx_proxy_user_proof_show(r, id, text);
    }

    if (id->leave) {
        id->judged = 0;
    }
}


/* The token shows, to whom can read it, what it is worth. */

static void
ngx_proxy_user_proof_show(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_str_t text)
{
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    if (!pu_hash_sha256(mcf->hash, id->digest, &text, 1)) {
        return;
    }

    id->proof = ngx_proxy_user_proof_cached(r, id, NGX_PROXY_USER_TOKEN_AGE);

    if (id->token_cache == NGX_PROXY_USER_CACHE_MISS
        && ngx_proxy_user_proof_open(r, id))
    {
        id->proof = ngx_proxy_user_proof_verify(r, id);
    }
}


/*
 * Its issuer says what it is worth.  Under other settings of the issuer it is
 * another question.
 */

static void
ngx_proxy_user_proof_ask(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_str_t text)
{
    pu_str_t                           parts[2];
    pu_reason_t                        reason;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    if (!pu_token_opaque_ok(text)) {
        id->proof = PU_TOKEN_MALFORMED;
        return;
    }

    parts[0] = (pu_str_t) { PU_FINGERPRINT_LEN, id->opener->fingerprint };
    parts[1] = text;

    if (!pu_hash_sha256(mcf->hash, id->digest, parts, 2)) {
        return;
    }

    id->proof = ngx_proxy_user_proof_cached(r, id, NGX_PROXY_USER_ASKED_AGE);

    if (id->token_cache == NGX_PROXY_USER_CACHE_HIT
        || !ngx_proxy_user_proof_open(r, id))
    {
        return;
    }

    reason = ngx_proxy_user_zone_refused(mcf->zone, id->digest);

    if (reason != PU_OK) {
        id->token_cache = NGX_PROXY_USER_CACHE_HIT;
        id->proof = reason;
        return;
    }

    id->proof = ngx_proxy_user_proof_question(r, id, text);
}


/* Another location may have no guard. */

static ngx_uint_t
ngx_proxy_user_proof_open(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    if (ngx_proxy_user_guard_open(r, &id->failures)) {
        return 1;
    }

    id->judged = 0;
    id->proof = PU_TOO_MANY_FAILURES;

    return 0;
}


/*
 * What is in the zone is what stays true of the token; its times are judged
 * each time.  Sets token_cache to "miss" when there is nothing of use.
 */

static pu_reason_t
ngx_proxy_user_proof_cached(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, ngx_msec_t age)
{
    u_char                             packed[NGX_PROXY_USER_RECORD_MAX];
    size_t                             len;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    id->token_cache = NGX_PROXY_USER_CACHE_MISS;

    if (ngx_proxy_user_zone_token(mcf->zone, id->digest, age, packed, &len,
                                  &id->jti)
        != NGX_OK)
    {
        return PU_OK;
    }

    if (ngx_proxy_user_proof_keep(r, id, packed, len) != NGX_OK) {
        return PU_OK;
    }

    id->issuer = pu_token_in_force(&id->verified,
                               ngx_proxy_user_keyring_issuers(mcf->keyring));

    if (id->issuer == NULL) {
        return PU_OK;
    }

    id->token_cache = NGX_PROXY_USER_CACHE_HIT;

    return pu_token_times(&id->verified, id->issuer, ngx_time());
}


static pu_reason_t
ngx_proxy_user_proof_question(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_str_t text)
{
    ngx_proxy_user_introspect_t   question;
    ngx_proxy_user_main_conf_t   *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    question.issuer = id->opener;
    question.text = text;
    question.keep = ngx_proxy_user_proof_remember;
    question.data = mcf;
    ngx_memcpy(question.digest, id->digest, PU_SHA256_LEN);

    id->told.handler = ngx_proxy_user_proof_told;
    id->told.data = id;

    if (ngx_proxy_user_introspect(mcf->introspector, &question, &id->told)
        == NGX_AGAIN)
    {
        id->leave = ngx_proxy_user_proof_forgo;
    }

    return PU_ISSUER_UNAVAILABLE;
}


static void
ngx_proxy_user_proof_forgo(ngx_proxy_user_identity_t *id)
{
    ngx_proxy_user_introspect_detach(&id->told);
}


/*
 * Whoever waits, and when nobody does.  A token that has a name is kept by who
 * has asked Redis for it.
 */

static void
ngx_proxy_user_proof_remember(void *data,
    const ngx_proxy_user_introspected_t *told)
{
    u_char                             packed[NGX_PROXY_USER_RECORD_MAX];
    size_t                             len;
    ngx_proxy_user_jti_t               jti;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = data;

    if (told->reason != PU_OK) {

        if (pu_reason_status(told->reason) == NGX_HTTP_UNAUTHORIZED) {
            ngx_proxy_user_zone_put_refused(mcf->zone, told->digest,
                                            told->reason, told->since);
        }

        return;
    }

    len = ngx_proxy_user_proof_pack(mcf, told->token, packed,
                                    sizeof(packed));

    if (len
        && told->token->verified.claims.len <= PU_CLAIMS_KEPT_MAX
        && ngx_proxy_user_proof_name(mcf, told->token, told->since, &jti)
           == NGX_OK
        && jti.good)
    {
        ngx_proxy_user_zone_put_token(mcf->zone, told->digest, packed, len,
                                      &jti);
    }
}


/* Runs from an event; nothing may touch the request afterwards. */

static void
ngx_proxy_user_proof_told(void *data,
    const ngx_proxy_user_introspected_t *told)
{
    ngx_proxy_user_identity_t *id = data;

    id->judged = 1;
    id->proof = told->reason;

    if (told->reason == PU_OK) {
        id->proof = ngx_proxy_user_proof_settle(id->request, id, told->token,
                                                told->since);
    }

    id->resume(id);
}


/* What is encrypted does not say for whom: the location does. */

static pu_reason_t
ngx_proxy_user_proof_token(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id, pu_token_t *token)
{
    pu_str_t                           text;
    ngx_uint_t                         i;
    pu_issuers_t                       issuers;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    text = ngx_proxy_user_str(&id->token);
    issuers = *ngx_proxy_user_keyring_issuers(mcf->keyring);

    if (id->opener && pu_jwe_form(text)) {

        for (i = 0; issuers.items[i] != id->opener; i++) { /* void */ }

        issuers.n = 1;
        issuers.items += i;

        if (issuers.keys) {
            issuers.keys += i;
        }
    }

    return pu_token_verify(token, text, &issuers, ngx_time());
}


static pu_reason_t
ngx_proxy_user_proof_verify(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    pu_token_t                         token;
    pu_reason_t                        reason;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    reason = ngx_proxy_user_proof_token(r, id, &token);

    if (reason == PU_ISSUER_UNAVAILABLE || token.kid_unknown) {
        reason = ngx_proxy_user_proof_wait(id, &token, reason);
    }

    if (reason == PU_OK) {
        reason = ngx_proxy_user_proof_settle(r, id, &token,
                                             ngx_current_msec);
    }

    if (reason == PU_OK && id->packed.len && id->jti.good) {
        ngx_proxy_user_zone_put_token(mcf->zone, id->digest, id->packed.data,
                                      id->packed.len, &id->jti);
    }

    pu_token_clear(&token);

    return reason;
}


/* A verified token, as good as at "since", is what the request has shown. */

static pu_reason_t
ngx_proxy_user_proof_settle(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const pu_token_t *token, ngx_msec_t since)
{
    u_char                             packed[NGX_PROXY_USER_RECORD_MAX];
    u_char                            *p;
    size_t                             len;
    ngx_uint_t                         fits;
    const pu_verified_t               *verified;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);
    verified = &token->verified;

    id->issuer = token->issuer;

    p = packed;
    len = ngx_proxy_user_proof_pack(mcf, token, p, sizeof(packed));
    fits = len && verified->claims.len <= PU_CLAIMS_KEPT_MAX;

    if (len == 0) {

        /* too long for the zone: good for this request alone */

        len = NGX_PROXY_USER_PROOF_ROOM + verified->subject.len
              + verified->roles.len + verified->scopes.len
              + verified->claims.len;

        p = ngx_pnalloc(r->pool, len);
        len = p ? ngx_proxy_user_proof_pack(mcf, token, p, len) : 0;
    }

    if (len == 0
        || ngx_proxy_user_proof_keep(r, id, p, len) != NGX_OK
        || ngx_proxy_user_proof_name(mcf, token, since, &id->jti) != NGX_OK
        || ngx_proxy_user_proof_describe(r, id, token) != NGX_OK)
    {
        return PU_INTERNAL;
    }

    if (!fits) {
        id->packed.len = 0;
    }

    return PU_OK;
}


/*
 * Only what has a name can be revoked by it, and only in Redis.  Such a token
 * is kept when Redis has been asked.
 */

static ngx_int_t
ngx_proxy_user_proof_name(const ngx_proxy_user_main_conf_t *mcf,
    const pu_token_t *token, ngx_msec_t since, ngx_proxy_user_jti_t *jti)
{
    pu_str_t  parts[PU_HANDLE_PARTS];

    ngx_memzero(jti, sizeof(ngx_proxy_user_jti_t));
    jti->good = 1;
    jti->since = since;

    if (mcf->redis == NULL || token->jti.data == NULL) {
        return NGX_OK;
    }

    jti->named = 1;
    jti->good = 0;

    pu_handle_parts(parts, token->issuer->url, token->jti);

    return pu_hash_sha256(mcf->hash, jti->digest, parts, PU_HANDLE_PARTS)
           ? NGX_OK : NGX_ERROR;
}


void
ngx_proxy_user_prove_ask(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    id->asked = 1;
    id->answer = NGX_PROXY_USER_ANSWER_UNKNOWN;

    if (mcf->store) {
        id->jti.applied = ngx_proxy_user_zone_applied(mcf->zone);
        id->question = ngx_proxy_user_ask(mcf->store,
                                          NGX_PROXY_USER_ASK_REVOKED,
                                          id->jti.digest,
                                          ngx_proxy_user_identity_told, id);
    }
}


pu_reason_t
ngx_proxy_user_prove_named(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, ngx_uint_t stale)
{
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    if (id->answer == NGX_PROXY_USER_ANSWER_YES) {
        return PU_TOKEN_REVOKED;
    }

    if (id->answer == NGX_PROXY_USER_ANSWER_UNKNOWN) {

        if (ngx_proxy_user_zone_revoked(mcf->zone, id->jti.digest)) {
            return PU_TOKEN_REVOKED;
        }

        return stale ? PU_OK : PU_STORE_UNAVAILABLE;
    }

    id->jti.good = 1;

    if (id->packed.len) {
        ngx_proxy_user_zone_put_token(mcf->zone, id->digest, id->packed.data,
                                      id->packed.len, &id->jti);
    }

    return PU_OK;
}


/*
 * A key is missing that may be had: the reason then stands only when nothing
 * has come.
 */

static pu_reason_t
ngx_proxy_user_proof_wait(ngx_proxy_user_identity_t *id,
    const pu_token_t *token, pu_reason_t reason)
{
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(id->request, ngx_proxy_user_module);

    id->keys.handler = ngx_proxy_user_proof_resume;
    id->keys.data = id;

    switch (ngx_proxy_user_keyring_wait(mcf->keyring, token->issuer,
                                        token->kid_unknown, &id->keys))
    {
    case NGX_AGAIN:
        id->leave = ngx_proxy_user_proof_leave;
        return reason;

    case NGX_ABORT:
        return PU_ISSUER_UNAVAILABLE;

    default:
        return reason;
    }
}


static void
ngx_proxy_user_proof_leave(ngx_proxy_user_identity_t *id)
{
    ngx_proxy_user_keyring_detach(&id->keys);
}


/* Runs from an event; nothing may touch the request afterwards. */

static void
ngx_proxy_user_proof_resume(void *data)
{
    ngx_proxy_user_identity_t *id = data;

    id->resume(id);
}


static size_t
ngx_proxy_user_proof_pack(const ngx_proxy_user_main_conf_t *mcf,
    const pu_token_t *token, u_char *out, size_t size)
{
    size_t    len;
    pu_str_t  parts[PU_HANDLE_PARTS];

    pu_handle_parts(parts, token->issuer->url, token->verified.subject);

    if (!pu_hash_sha256(mcf->hash, out, parts, PU_HANDLE_PARTS)) {
        return 0;
    }

    len = pu_verified_pack(&token->verified, out + PU_SHA256_LEN,
                           size - PU_SHA256_LEN);

    return len ? len + PU_SHA256_LEN : 0;
}


/* A cached token is its handle's digest and what has been verified. */

static ngx_int_t
ngx_proxy_user_proof_keep(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const u_char *packed, size_t len)
{
    u_char  *p;

    if (len < PU_SHA256_LEN) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, packed, len);
    id->packed = (pu_str_t) { len, p };

    ngx_memcpy(id->handle, p, PU_SHA256_LEN);

    return pu_verified_unpack(&id->verified, p + PU_SHA256_LEN,
                              len - PU_SHA256_LEN)
           ? NGX_OK : NGX_ERROR;
}


/*
 * A cached token lacks what only a new user needs, and the user has gone from
 * the cache before the token: rare enough to read the token once more.
 */

pu_reason_t
ngx_proxy_user_prove_again(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    pu_str_t     claims;
    pu_token_t   token;
    pu_reason_t  reason;

    claims = id->verified.claims;

    reason = claims.len ? pu_token_recall(&token, id->issuer, claims)
                        : ngx_proxy_user_proof_token(r, id, &token);

    if (reason == PU_OK
        && ngx_proxy_user_proof_describe(r, id, &token) != NGX_OK)
    {
        reason = PU_INTERNAL;
    }

    pu_token_clear(&token);

    return reason;
}


static ngx_int_t
ngx_proxy_user_proof_describe(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const pu_token_t *token)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, token->display.len + token->link.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, token->display.data, token->display.len);

    id->display = (pu_str_t) { token->display.len, p };

    p += token->display.len;

    if (token->link.len) {
        ngx_memcpy(p, token->link.data, token->link.len);
    }

    id->link = (pu_str_t) { token->link.len, p };
    id->service = token->service;
    id->described = 1;

    return NGX_OK;
}
