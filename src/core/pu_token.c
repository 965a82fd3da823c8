/*
 * pu_token: a token against its issuer: which issuer, which type, and every
 * claim that decides.
 *
 * Form and signature are pu_jws.c's; who the caller is, is pu_caller.c's.
 * What is kept of a token afterwards is in pu_verified.c.
 */

#include <stdlib.h>

#include "pu_binding.h"
#include "pu_json.h"
#include "pu_jws.h"
#include "pu_memory.h"
#include "pu_token_own.h"


#define PU_AUDIENCES_MAX  32


json_t *
pu_token_payload(pu_str_t payload)
{
    pu_json_limits_t  limits;

    limits.size = payload.len;
    limits.depth = 16;
    limits.members = 256;

    return pu_json_object(payload, &limits);
}


int
pu_issuer_is(const pu_issuer_t *issuer, const json_t *claims)
{
    pu_str_t  iss;

    if (issuer->url_off) {
        return 1;
    }

    return pu_json_str(json_object_get(claims, "iss"), &iss)
           && pu_str_eq(iss, issuer->url);
}


static void
pu_token_picked(pu_token_t *token, const pu_issuers_t *issuers, size_t i)
{
    token->issuer = issuers->items[i];
    token->keys = pu_issuers_keys(issuers, i);
}


/*
 * With several issuers the payload has to say which one's keys are asked;
 * nothing else of it is used before its signature holds.
 */
static pu_reason_t
pu_token_pick(pu_token_t *token, const pu_jws_t *jws,
    const pu_issuers_t *issuers)
{
    size_t  i;

    if (issuers->n == 1) {
        pu_token_picked(token, issuers, 0);
        return PU_OK;
    }

    token->claims = pu_token_payload(jws->payload);

    if (token->claims == NULL) {
        return PU_TOKEN_PAYLOAD;
    }

    for (i = 0; i < issuers->n; i++) {
        if (pu_issuer_is(issuers->items[i], token->claims)) {
            pu_token_picked(token, issuers, i);
            return PU_OK;
        }
    }

    return PU_TOKEN_ISSUER;
}


pu_str_t
pu_type_bare(pu_str_t type)
{
    pu_str_t               start;
    static const pu_str_t  prefix = { 12, (const uint8_t *) "application/" };

    start = (pu_str_t) { prefix.len, type.data };

    if (type.len > prefix.len && pu_str_case_eq(start, prefix)) {
        type.data += prefix.len;
        type.len -= prefix.len;
    }

    return type;
}


static int
pu_type_allowed(const pu_issuer_t *issuer, const json_t *typ)
{
    size_t    i;
    pu_str_t  type;

    if (typ == NULL) {
        return issuer->type_absent;
    }

    if (!pu_json_str(typ, &type)) {
        return 0;
    }

    type = pu_type_bare(type);

    for (i = 0; i < issuer->types.n; i++) {
        if (pu_str_case_eq(type, pu_type_bare(issuer->types.items[i]))) {
            return 1;
        }
    }

    return 0;
}


/*
 * Tokens of the same provider that are no access tokens, told by claims that
 * only they have: ID tokens (OpenID Connect Core section 3.1.3.6), logout and
 * security event tokens (RFC 8417).
 */
static int
pu_claims_type_allowed(const pu_issuer_t *issuer, const json_t *claims)
{
    if (json_object_get(claims, "events") != NULL) {
        return 0;
    }

    return issuer->id_token
           || (json_object_get(claims, "at_hash") == NULL
               && json_object_get(claims, "c_hash") == NULL);
}


static int
pu_audience_is_ours(const pu_list_t *ours, pu_str_t aud)
{
    size_t  i;

    for (i = 0; i < ours->n; i++) {
        if (pu_str_eq(aud, ours->items[i])) {
            return 1;
        }
    }

    return 0;
}


int
pu_audience_check(const pu_list_t *ours, const json_t *value)
{
    int       found;
    size_t    i;
    pu_str_t  aud;

    if (pu_json_str(value, &aud)) {
        return pu_audience_is_ours(ours, aud);
    }

    if (!json_is_array(value) || json_array_size(value) > PU_AUDIENCES_MAX) {
        return -1;
    }

    found = 0;

    for (i = 0; i < json_array_size(value); i++) {
        if (!pu_json_str(json_array_get(value, i), &aud)) {
            return -1;
        }

        found |= pu_audience_is_ours(ours, aud);
    }

    return found;
}


/* Every claim that is there must be an audience, one of them ours. */
static int
pu_audience_allowed(const pu_issuer_t *issuer, const json_t *claims)
{
    int        ours, one;
    size_t     i;
    json_t    *value;
    pu_str_t   name;

    if (issuer->audience_off) {
        return 1;
    }

    ours = 0;

    for (i = 0; i < issuer->audience_claims.n; i++) {
        name = issuer->audience_claims.items[i];
        value = json_object_getn(claims, (const char *) name.data, name.len);

        if (value == NULL) {
            continue;
        }

        one = pu_audience_check(&issuer->audience, value);

        if (one == -1) {
            return 0;
        }

        ours |= one;
    }

    return ours;
}


/* A date that may be missing. */
static int
pu_claims_date(const json_t *claims, const char *name, int64_t *seconds)
{
    json_t  *value;

    value = json_object_get(claims, name);

    if (value == NULL) {
        *seconds = PU_TIME_NONE;
        return 1;
    }

    return pu_json_date(value, seconds);
}


static pu_reason_t
pu_claims_times(pu_token_t *token, int64_t now)
{
    pu_reason_t     reason;
    pu_verified_t  *verified;

    verified = &token->verified;

    if (!pu_json_date(json_object_get(token->claims, "exp"), &verified->exp)
        || !pu_claims_date(token->claims, "nbf", &verified->nbf)
        || !pu_claims_date(token->claims, "iat", &verified->iat))
    {
        return PU_TOKEN_CLAIMS;
    }

    reason = pu_token_times(verified, token->issuer, now);

    if (reason != PU_OK) {
        return reason;
    }

    /* the leeway must not open a time that ends before it begins */

    return verified->nbf == PU_TIME_NONE || verified->exp > verified->nbf
           ? PU_OK : PU_TOKEN_CLAIMS;
}


/*
 * The token's own name: a string, or a number as it was written, since some
 * providers count.  Only a revocation looks at it.
 */
static pu_reason_t
pu_token_jti(pu_token_t *token, pu_str_t payload)
{
    int         ok;
    json_t     *value;
    json_type   type;

    value = json_object_get(token->claims, "jti");

    if (value == NULL) {
        return PU_OK;
    }

    type = json_typeof(value);

    ok = (type == JSON_INTEGER || type == JSON_REAL)
         ? pu_json_raw(payload, PU_STR("jti"), &token->jti)
         : pu_json_str(value, &token->jti)
           && memchr(token->jti.data, '\0', token->jti.len) == NULL;

    return ok ? PU_OK : PU_TOKEN_CLAIMS;
}


/* It tells a service from a person: a text, if it is there (RFC 9068). */
static int
pu_token_client(const json_t *claims)
{
    json_t    *value;
    pu_str_t   client;

    value = json_object_get(claims, "client_id");

    return value == NULL || pu_json_str(value, &client);
}


static pu_reason_t
pu_token_claims(pu_token_t *token, int64_t now)
{
    const json_t       *claims;
    const pu_issuer_t  *issuer;

    claims = token->claims;
    issuer = token->issuer;

    if (!pu_claims_type_allowed(issuer, claims)) {
        return PU_TOKEN_TYPE;
    }

    if (pu_binding_read(&token->verified, claims) != PU_OK) {
        return PU_TOKEN_BINDING;
    }

    if (!pu_audience_allowed(issuer, claims)) {
        return PU_TOKEN_AUDIENCE;
    }

    return pu_claims_times(token, now);
}


static pu_str_t
pu_token_copy(pu_buf_t *b, pu_str_t s)
{
    pu_str_t  copy;

    copy = (pu_str_t) { s.len, b->pos };
    pu_buf_str(b, s);

    return copy;
}


static pu_reason_t
pu_token_caller(pu_token_t *token, pu_str_t payload)
{
    size_t        size;
    pu_buf_t      b;
    pu_caller_t   caller;
    pu_reason_t   reason;

    if (!pu_token_client(token->claims)) {
        return PU_TOKEN_CLAIMS;
    }

    reason = pu_token_jti(token, payload);

    if (reason != PU_OK) {
        return reason;
    }

    size = pu_issuer_room(token->issuer, payload.len) + token->jti.len
           + (token->hidden ? payload.len : 0);
    token->memory = malloc(size);

    if (token->memory == NULL) {
        return PU_INTERNAL;
    }

    pu_buf_init(&b, token->memory, size);

    if (token->jti.data != NULL) {
        token->jti = pu_token_copy(&b, token->jti);
    }

    if (token->hidden) {
        token->verified.claims.data = b.pos;
        pu_json_compact(&b, payload);
        token->verified.claims.len = (size_t) (b.pos
                                               - token->verified.claims.data);
    }

    reason = pu_issuer_caller(token->issuer, token->claims, payload, &b,
                              &caller);

    if (reason == PU_OK) {
        token->verified.subject = caller.subject;
        token->verified.roles = caller.roles;
        token->verified.scopes = caller.scopes;
        token->display = caller.display;
        token->link = caller.link;
        token->service = caller.service;
    }

    return reason;
}


pu_reason_t
pu_token_accept(pu_token_t *token, pu_str_t payload, int64_t now)
{
    pu_reason_t  reason;

    reason = pu_token_claims(token, now);

    return reason == PU_OK ? pu_token_caller(token, payload) : reason;
}


pu_reason_t
pu_token_recall(pu_token_t *token, const pu_issuer_t *issuer, pu_str_t claims)
{
    memset(token, 0, sizeof(pu_token_t));

    token->issuer = issuer;
    token->claims = pu_token_payload(claims);

    return token->claims != NULL ? pu_token_caller(token, claims)
                                 : PU_INTERNAL;
}


static pu_reason_t
pu_issuer_signature(const pu_issuer_t *issuer, const pu_keys_t *keys,
    const pu_jws_t *jws, const pu_key_t **key)
{
    if (!(issuer->algs & PU_ALG_BIT(jws->alg))) {
        return PU_TOKEN_ALGORITHM;
    }

    if (!pu_type_allowed(issuer, jws->typ)) {
        return PU_TOKEN_TYPE;
    }

    if (keys == NULL && issuer->fetched) {
        return PU_ISSUER_UNAVAILABLE;
    }

    return pu_jws_verify(jws, keys, key);
}


static pu_reason_t
pu_token_key(pu_token_t *token, const pu_jws_t *jws)
{
    pu_reason_t      reason;
    const pu_key_t  *key;

    reason = pu_issuer_signature(token->issuer, token->keys, jws, &key);

    token->kid_unknown = (reason == PU_TOKEN_KEY_UNKNOWN
                          && jws->kid.data != NULL
                          && !pu_keys_named(token->keys, jws->kid));

    if (reason == PU_OK) {
        memcpy(token->verified.issuer, token->issuer->fingerprint,
               PU_FINGERPRINT_LEN);
        memcpy(token->verified.key, key->mark, PU_KEY_MARK_LEN);
    }

    return reason;
}


static pu_reason_t
pu_token_check(pu_token_t *token, const pu_jws_t *jws,
    const pu_issuers_t *issuers, int64_t now)
{
    pu_reason_t  reason;

    reason = pu_token_pick(token, jws, issuers);

    if (reason == PU_OK) {
        reason = pu_token_key(token, jws);
    }

    if (reason != PU_OK) {
        return reason;
    }

    if (token->claims == NULL) {
        token->claims = pu_token_payload(jws->payload);
    }

    if (token->claims == NULL) {
        return PU_TOKEN_PAYLOAD;
    }

    if (!pu_issuer_is(token->issuer, token->claims)) {
        return PU_TOKEN_ISSUER;
    }

    return pu_token_accept(token, jws->payload, now);
}


/* A JWS, as it came or as it was in a JWE. */
static pu_reason_t
pu_token_signed(pu_token_t *token, pu_str_t text, const pu_issuers_t *issuers,
    int64_t now)
{
    pu_jws_t     jws;
    pu_reason_t  reason;

    reason = pu_jws_read(&jws, text);

    if (reason == PU_OK) {
        reason = pu_token_check(token, &jws, issuers, now);
    }

    pu_jws_clear(&jws);

    return reason;
}


/* Whose key is asked; NULL when the text is no JWE or nobody can open it. */
static const pu_jwe_keys_t *
pu_token_opener(pu_str_t text, const pu_issuers_t *issuers)
{
    return issuers->n == 1 && pu_jwe_form(text) ? issuers->items[0]->decryption
                                                : NULL;
}


static pu_reason_t
pu_token_read(pu_token_t *token, pu_str_t text, const pu_issuers_t *issuers,
    int64_t now)
{
    pu_str_t               plain;
    pu_reason_t            reason;
    const pu_jwe_keys_t   *opener;

    memset(token, 0, sizeof(pu_token_t));

    opener = pu_token_opener(text, issuers);

    if (opener == NULL) {
        return pu_token_signed(token, text, issuers, now);
    }

    token->hidden = 1;
    reason = pu_jwe_decrypt(opener, text, &plain);

    if (reason == PU_OK) {
        reason = pu_token_signed(token, plain, issuers, now);
    }

    pu_jwe_plain_free(plain);

    return reason;
}


/* A good token is not called a bad one because there was no memory. */
pu_reason_t
pu_token_verify(pu_token_t *token, pu_str_t text,
    const pu_issuers_t *issuers, int64_t now)
{
    pu_memory_watch();

    return pu_memory_reason(pu_token_read(token, text, issuers, now));
}


pu_reason_t
pu_token_signature(pu_str_t text, const pu_issuer_t *issuer)
{
    pu_jws_t               jws;
    pu_str_t               plain;
    pu_reason_t            reason;
    const pu_key_t        *key;
    const pu_jwe_keys_t   *opener;
    const pu_issuers_t     issuers = { 1, &issuer, NULL };

    plain = (pu_str_t) { 0, NULL };
    opener = pu_token_opener(text, &issuers);

    if (opener != NULL) {
        reason = pu_jwe_decrypt(opener, text, &plain);

        if (reason != PU_OK) {
            return reason;
        }

        text = plain;
    }

    reason = pu_jws_read(&jws, text);

    if (reason == PU_OK) {
        reason = pu_issuer_signature(issuer, issuer->keys, &jws, &key);
    }

    pu_jws_clear(&jws);
    pu_jwe_plain_free(plain);

    return reason;
}


void
pu_token_clear(pu_token_t *token)
{
    json_decref(token->claims);
    free(token->memory);

    memset(token, 0, sizeof(pu_token_t));
}
