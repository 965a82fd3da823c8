/*
 * pu_binding: the claim "cnf", and the certificate it may name.
 */

#include <openssl/crypto.h>

#include "pu_binding.h"


/* A digest in base64url; 1, 0: not there, -1: there, and none. */
static int
pu_binding_digest(const json_t *cnf, const char *name,
    uint8_t digest[PU_SHA256_LEN])
{
    uint8_t   bytes[PU_DIGEST_TEXT_LEN];
    json_t   *value;
    pu_str_t  text;

    value = json_object_get(cnf, name);

    if (value == NULL) {
        return 0;
    }

    if (!pu_json_str(value, &text) || text.len != PU_DIGEST_TEXT_LEN
        || pu_base64url_decode(bytes, text) != PU_SHA256_LEN)
    {
        return -1;
    }

    memcpy(digest, bytes, PU_SHA256_LEN);

    return 1;
}


pu_reason_t
pu_binding_read(pu_verified_t *verified, const json_t *claims)
{
    int      cert, key;
    json_t  *cnf;

    verified->bound_cert = 0;
    verified->bound_key = 0;

    cnf = json_object_get(claims, "cnf");

    if (cnf == NULL) {
        return PU_OK;
    }

    /* of what is no object there are no members */

    cert = pu_binding_digest(cnf, "x5t#S256", verified->cert);
    key = pu_binding_digest(cnf, "jkt", verified->jkt);

    if (cert == -1 || key == -1 || cert + key == 0) {
        return PU_TOKEN_BINDING;
    }

    verified->bound_cert = cert;
    verified->bound_key = key;

    return PU_OK;
}


pu_reason_t
pu_binding_cert(const pu_verified_t *verified, pu_str_t der)
{
    uint8_t  digest[PU_SHA256_LEN];

    if (!verified->bound_cert) {
        return PU_OK;
    }

    if (der.len == 0) {
        return PU_TOKEN_BINDING;
    }

    if (!pu_sha256(digest, &der, 1)) {
        return PU_INTERNAL;
    }

    return CRYPTO_memcmp(digest, verified->cert, PU_SHA256_LEN) == 0
           ? PU_OK : PU_TOKEN_BINDING;
}
