/*
 * pu_jws: the compact JWS in the order in which it is refused: form, header,
 * key, signature.
 *
 * Only the header is parsed here.  Nothing in it chooses more than which of
 * the issuer's own keys is tried: jku, x5u, jwk and x5c are not even read.
 */

#include <stdlib.h>

#include "pu_json.h"
#include "pu_jws.h"


/*
 * Names that ask for an extension, or for another format than this one.
 * This build implements none, so that any value of them is refused.
 */
static const char *const  pu_jws_extensions[] = {
    "crit", "b64", "zip", "enc"
};


/* Exactly three parts, before anything is done for any of them. */
static int
pu_jws_split(pu_str_t text, pu_str_t parts[3])
{
    size_t          i;
    const uint8_t  *p, *dot, *end;

    p = text.data;
    end = p + text.len;

    for (i = 0; i < 3; i++) {
        dot = memchr(p, '.', (size_t) (end - p));

        if ((dot == NULL) != (i == 2)) {
            return 0;
        }

        dot = (dot == NULL) ? end : dot;
        parts[i] = (pu_str_t) { (size_t) (dot - p), p };
        p = dot + 1;
    }

    return 1;
}


json_t *
pu_jose_header(pu_str_t part)
{
    int64_t                         n;
    uint8_t                         text[PU_JWS_HEADER_MAX];
    static const pu_json_limits_t   limits = { PU_JWS_HEADER_MAX, 8, 32 };

    if (part.len > PU_BASE64URL_LEN(PU_JWS_HEADER_MAX)) {
        return NULL;
    }

    n = pu_base64url_decode(text, part);

    if (n <= 0) {
        return NULL;
    }

    return pu_json_object((pu_str_t) { (size_t) n, text }, &limits);
}


int
pu_jose_kid(const json_t *header, pu_str_t *kid)
{
    json_t  *value;

    value = json_object_get(header, "kid");
    *kid = (pu_str_t) { 0, NULL };

    return value == NULL
           || (pu_json_str(value, kid) && kid->len <= PU_KID_LEN_MAX
               && !pu_str_has_control(*kid));
}


/* The form of all three parts is checked before the header means anything. */
static pu_reason_t
pu_jws_decode(pu_jws_t *jws, const pu_str_t parts[3])
{
    int64_t   n;
    uint8_t  *p;

    p = malloc(parts[1].len + parts[2].len);

    if (p == NULL) {
        return PU_INTERNAL;
    }

    jws->memory = p;
    n = pu_base64url_decode(p, parts[1]);

    if (n <= 0) {
        return PU_TOKEN_MALFORMED;
    }

    jws->payload = (pu_str_t) { (size_t) n, p };
    p += n;
    n = pu_base64url_decode(p, parts[2]);

    if (n <= 0) {
        return PU_TOKEN_MALFORMED;
    }

    jws->signature = (pu_str_t) { (size_t) n, p };

    return PU_OK;
}


static pu_reason_t
pu_jws_check_header(pu_jws_t *jws)
{
    size_t    i;
    pu_str_t  alg;

    if (!pu_json_str(json_object_get(jws->header, "alg"), &alg)) {
        return PU_TOKEN_ALGORITHM;
    }

    /* the table does not have "none" */

    jws->alg = pu_alg_find(alg);

    if (jws->alg == PU_ALG_NONE) {
        return PU_TOKEN_ALGORITHM;
    }

    for (i = 0; i < sizeof(pu_jws_extensions) / sizeof(char *); i++) {
        if (json_object_get(jws->header, pu_jws_extensions[i]) != NULL) {
            return PU_TOKEN_CRITICAL;
        }
    }

    if (!pu_jose_kid(jws->header, &jws->kid)) {
        return PU_TOKEN_MALFORMED;
    }

    jws->typ = json_object_get(jws->header, "typ");

    return PU_OK;
}


pu_reason_t
pu_jws_read(pu_jws_t *jws, pu_str_t text)
{
    pu_str_t     parts[3];
    pu_reason_t  reason;

    memset(jws, 0, sizeof(pu_jws_t));

    if (text.len > PU_JWS_LEN_MAX) {
        return PU_TOKEN_TOO_LARGE;
    }

    if (text.len == 0 || !pu_jws_split(text, parts)) {
        return PU_TOKEN_MALFORMED;
    }

    jws->signed_bytes.data = text.data;
    jws->signed_bytes.len = parts[0].len + 1 + parts[1].len;

    reason = pu_jws_decode(jws, parts);

    if (reason != PU_OK) {
        return reason;
    }

    jws->header = pu_jose_header(parts[0]);

    if (jws->header == NULL) {
        return PU_TOKEN_MALFORMED;
    }

    return pu_jws_check_header(jws);
}


pu_reason_t
pu_jws_verify(const pu_jws_t *jws, const pu_keys_t *keys,
    const pu_key_t **key)
{
    int              tries;
    const pu_key_t  *next;

    next = NULL;

    for (tries = 0; tries < PU_JWS_TRIES_MAX; tries++) {
        next = pu_keys_next(keys, jws->alg, jws->kid, next);

        if (next == NULL) {
            break;
        }

        if (pu_key_verify(next, jws->alg, jws->signed_bytes, jws->signature)
            == 1)
        {
            *key = next;
            return PU_OK;
        }
    }

    return (tries == 0) ? PU_TOKEN_KEY_UNKNOWN : PU_TOKEN_SIGNATURE;
}


void
pu_jws_clear(pu_jws_t *jws)
{
    json_decref(jws->header);
    free(jws->memory);

    memset(jws, 0, sizeof(pu_jws_t));
}
