/*
 * pu_jwe: the compact JWE in the order in which it is refused: form, header,
 * key, the lengths of everything; then cjose opens it, or pu_jwe_agree.c.
 *
 * A token may not choose more than which of our keys is tried.  RSA1_5, PBES2
 * and compression are not in the tables, and so cannot be asked for.
 */

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "pu_jwe_own.h"
#include "pu_json.h"
#include "pu_jws.h"
#include "pu_memory.h"


#define PU_JWE_ROOM  8                  /* cjose's copies of the text */


/* A text on its way. */
typedef struct {
    pu_str_t              text;
    pu_str_t              parts[PU_JWE_PARTS];
    size_t                bytes[PU_JWE_PARTS];      /* decoded */
    json_t               *header;
    pu_jwe_alg_t          alg;
    const pu_jwe_enc_t   *enc;
    pu_str_t              kid;
} pu_jwe_t;


static const char *const  pu_jwe_algs[PU_JWE_ALG_COUNT] = {
    [PU_RSA_OAEP] = "RSA-OAEP",
    [PU_ECDH_ES] = "ECDH-ES",
    [PU_A128KW] = "A128KW",
    [PU_A256KW] = "A256KW",
    [PU_DIR] = "dir"
};

static const pu_jwe_enc_t  pu_jwe_encs[] = {
    { "A256GCM", 32, 12, 16, 1 },
    { "A128GCM", 16, 12, 16, 1 },
    { "A128CBC-HS256", 32, 16, 16, 16 },
    { "A256CBC-HS512", 64, 16, 32, 16 }
};

#define PU_JWE_ENCS  (sizeof(pu_jwe_encs) / sizeof(pu_jwe_encs[0]))


int
pu_jwe_alg_find(pu_str_t name)
{
    int  alg;

    for (alg = 0; alg < PU_JWE_ALG_COUNT; alg++) {
        if (pu_str_is(name, pu_jwe_algs[alg])) {
            return alg;
        }
    }

    return -1;
}


const char *
pu_jwe_alg_name(pu_jwe_alg_t alg)
{
    return pu_jwe_algs[alg];
}


const pu_jwe_enc_t *
pu_jwe_enc_at(size_t i)
{
    return (i < PU_JWE_ENCS) ? &pu_jwe_encs[i] : NULL;
}


const pu_jwe_enc_t *
pu_jwe_enc_find(pu_str_t name)
{
    size_t  i;

    for (i = 0; i < PU_JWE_ENCS; i++) {
        if (pu_str_is(name, pu_jwe_encs[i].name)) {
            return &pu_jwe_encs[i];
        }
    }

    return NULL;
}


/* Exactly five parts, before anything is done for any of them. */
static int
pu_jwe_split(pu_str_t text, pu_str_t parts[PU_JWE_PARTS])
{
    size_t          i;
    const uint8_t  *p, *dot, *end;

    if (text.len == 0) {
        return 0;
    }

    p = text.data;
    end = p + text.len;

    for (i = 0; i < PU_JWE_PARTS; i++) {
        dot = memchr(p, '.', (size_t) (end - p));

        if ((dot == NULL) != (i == PU_JWE_PARTS - 1)) {
            return 0;
        }

        dot = (dot == NULL) ? end : dot;
        parts[i] = (pu_str_t) { (size_t) (dot - p), p };
        p = dot + 1;
    }

    return 1;
}


int
pu_jwe_form(pu_str_t text)
{
    pu_str_t  parts[PU_JWE_PARTS];

    return pu_jwe_split(text, parts);
}


/* Every part is canonical base64url: the library must meet nothing else. */
static int
pu_jwe_decode(pu_jwe_t *jwe)
{
    size_t    i;
    int64_t   n;
    uint8_t   out[PU_JWS_LEN_MAX];

    for (i = 0; i < PU_JWE_PARTS; i++) {
        n = pu_base64url_decode(out, jwe->parts[i]);

        if (n < 0 || (n == 0 && i != PU_ENCRYPTED_KEY)) {
            return 0;
        }

        jwe->bytes[i] = (size_t) n;
    }

    return 1;
}


static pu_reason_t
pu_jwe_header(pu_jwe_t *jwe)
{
    int        alg;
    size_t     i;
    json_t    *value;
    pu_str_t   name;

    static const char *const  extensions[] = { "crit", "b64", "zip" };

    alg = pu_json_str(json_object_get(jwe->header, "alg"), &name)
          ? pu_jwe_alg_find(name) : -1;
    jwe->enc = pu_json_str(json_object_get(jwe->header, "enc"), &name)
               ? pu_jwe_enc_find(name) : NULL;

    if (alg == -1 || jwe->enc == NULL) {
        return PU_TOKEN_ALGORITHM;
    }

    jwe->alg = (pu_jwe_alg_t) alg;

    for (i = 0; i < sizeof(extensions) / sizeof(char *); i++) {
        if (json_object_get(jwe->header, extensions[i]) != NULL) {
            return PU_TOKEN_CRITICAL;
        }
    }

    if (!pu_jose_kid(jwe->header, &jwe->kid)) {
        return PU_TOKEN_MALFORMED;
    }

    /* RFC 7519 section 5.2: what is in it is a token, whether it says so */

    value = json_object_get(jwe->header, "cty");

    if (value != NULL
        && (!pu_json_str(value, &name)
            || !pu_str_case_eq(name, PU_STR("JWT"))))
    {
        return PU_TOKEN_TYPE;
    }

    return PU_OK;
}


/* Form and header. */
static pu_reason_t
pu_jwe_read(pu_jwe_t *jwe)
{
    int           none;
    pu_reason_t   reason;

    if (jwe->text.len > PU_JWS_LEN_MAX) {
        return PU_TOKEN_TOO_LARGE;
    }

    if (!pu_jwe_split(jwe->text, jwe->parts) || !pu_jwe_decode(jwe)) {
        return PU_TOKEN_MALFORMED;
    }

    jwe->header = pu_jose_header(jwe->parts[PU_HEADER]);

    if (jwe->header == NULL) {
        return PU_TOKEN_MALFORMED;
    }

    reason = pu_jwe_header(jwe);

    if (reason != PU_OK) {
        return reason;
    }

    none = (jwe->alg == PU_DIR || jwe->alg == PU_ECDH_ES);

    return (jwe->bytes[PU_ENCRYPTED_KEY] == 0) == none ? PU_OK
                                                       : PU_TOKEN_MALFORMED;
}


/*
 * A public key on the recipient's curve and nothing beside it; with any other
 * point the answer would tell something of our key.
 */
static int
pu_jwe_epk(const pu_jwe_t *jwe, const pu_jwe_key_t *key)
{
    int        ok;
    char       err[PU_ERROR_SIZE];
    json_t    *epk;
    pu_key_t   pub;

    epk = json_object_get(jwe->header, "epk");

    if (!json_is_object(epk) || json_object_size(epk) != 4
        || json_object_get(epk, "y") == NULL)
    {
        return 0;
    }

    memset(&pub, 0, sizeof(pub));

    if (!pu_jwe_public(&pub, epk, err)) {
        return 0;
    }

    ok = EVP_PKEY_is_a(pub.pkey, "EC")
         && EVP_PKEY_get_bits(pub.pkey) == EVP_PKEY_get_bits(key->pub.pkey);

    pu_key_clear(&pub);

    return ok;
}


/* apu and apv: absent, or canonical base64url. */
static int
pu_jwe_party(const pu_jwe_t *jwe, const char *name)
{
    json_t    *value;
    uint8_t    out[PU_JWE_PARTY_MAX + 2];
    pu_str_t   text;

    value = json_object_get(jwe->header, name);

    return value == NULL
           || (pu_json_str(value, &text)
               && text.len <= PU_BASE64URL_LEN(PU_JWE_PARTY_MAX)
               && pu_base64url_decode(out, text) >= 0);
}


/* Is everything exactly as long as algorithm and key ask for? */
static int
pu_jwe_fits(const pu_jwe_t *jwe, const pu_jwe_key_t *key)
{
    if (jwe->bytes[PU_IV] != jwe->enc->iv
        || jwe->bytes[PU_TAG] != jwe->enc->tag
        || jwe->bytes[PU_CIPHERTEXT] % jwe->enc->block != 0
        || !pu_jwe_party(jwe, "apu") || !pu_jwe_party(jwe, "apv"))
    {
        return 0;
    }

    switch (jwe->alg) {

    case PU_RSA_OAEP:
        return jwe->bytes[PU_ENCRYPTED_KEY] == key->size;

    case PU_A128KW:
    case PU_A256KW:
        return jwe->bytes[PU_ENCRYPTED_KEY] == jwe->enc->cek + 8;

    case PU_ECDH_ES:
        return pu_jwe_epk(jwe, key);

    case PU_DIR:
        return key->size == jwe->enc->cek;

    default:
        return 0;
    }
}


static int
pu_jwe_import_decrypt(const pu_jwe_t *jwe, const pu_jwe_key_t *key,
    pu_str_t *plain)
{
    size_t         len;
    uint8_t       *data;
    cjose_err      err;
    cjose_jwe_t   *opened;

    if (jwe->alg == PU_ECDH_ES) {
        return pu_jwe_agree(key, jwe->enc, jwe->header, jwe->parts, plain);
    }

    opened = cjose_jwe_import((const char *) jwe->text.data, jwe->text.len,
                              &err);

    if (opened == NULL) {
        return 0;
    }

    len = 0;
    data = cjose_jwe_decrypt(opened, key->jwk, &len, &err);

    cjose_jwe_release(opened);

    if (data == NULL) {
        return 0;
    }

    *plain = (pu_str_t) { len, data };

    return 1;
}


/* The library's part. */
static int
pu_jwe_open(const pu_jwe_t *jwe, const pu_jwe_key_t *key, pu_str_t *plain)
{
    int  ok;

    if (!pu_memory_open(jwe->text.len * PU_JWE_ROOM + 65536)) {
        return 0;
    }

    ok = pu_jwe_import_decrypt(jwe, key, plain);

    if (ok && pu_memory_used()) {
        pu_jwe_plain_free(*plain);
        *plain = (pu_str_t) { 0, NULL };
        ok = 0;
    }

    pu_memory_close();

    return ok;
}


/*
 * The keys that a text may be for are tried; there are few, and a kid that
 * both have leaves one.
 */
static pu_reason_t
pu_jwe_try(const pu_jwe_t *jwe, const pu_jwe_keys_t *keys, pu_str_t *plain)
{
    size_t                i;
    pu_reason_t           reason;
    const pu_jwe_key_t   *key;

    reason = PU_TOKEN_ALGORITHM;

    for (i = 0; i < keys->n; i++) {
        key = &keys->keys[i];

        if (!(key->algs & PU_JWE_ALG_BIT(jwe->alg))) {
            continue;
        }

        if (jwe->kid.data != NULL && key->kid.data != NULL
            && !pu_str_eq(jwe->kid, key->kid))
        {
            reason = (reason == PU_TOKEN_ALGORITHM) ? PU_TOKEN_KEY_UNKNOWN
                                                    : reason;
            continue;
        }

        reason = PU_TOKEN_DECRYPTION;

        if (pu_jwe_fits(jwe, key) && pu_jwe_open(jwe, key, plain)) {

            if (plain->len != 0) {
                return PU_OK;
            }

            pu_jwe_plain_free(*plain);
            *plain = (pu_str_t) { 0, NULL };
        }
    }

    return reason;
}


pu_reason_t
pu_jwe_decrypt(const pu_jwe_keys_t *keys, pu_str_t text, pu_str_t *plain)
{
    pu_jwe_t      jwe;
    pu_reason_t   reason;

    memset(&jwe, 0, sizeof(jwe));
    jwe.text = text;
    *plain = (pu_str_t) { 0, NULL };

    reason = pu_jwe_read(&jwe);

    if (reason == PU_OK) {
        reason = pu_jwe_try(&jwe, keys, plain);
    }

    json_decref(jwe.header);

    if (reason != PU_OK) {
        ERR_clear_error();
    }

    return reason;
}


void
pu_jwe_plain_free(pu_str_t plain)
{
    if (plain.data != NULL) {
        OPENSSL_cleanse((void *) (uintptr_t) plain.data, plain.len);
        cjose_get_dealloc()((void *) (uintptr_t) plain.data);
    }
}
