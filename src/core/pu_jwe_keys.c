/*
 * pu_jwe_keys: the file of decryption_key_file -> keys that open.
 *
 * A key is judged as one that verifies is (pu_jwk.c), then handed to cjose,
 * and then it has to open something: a private half that belongs to another
 * public one is found out when nginx starts and not by the first caller.
 */

#define _GNU_SOURCE                     /* memmem */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "pu_jwe_own.h"
#include "pu_json.h"
#include "pu_jws.h"


#define PU_JWE_FILE_MAX   (64 * 1024)

/* No other text is locked with it: a JWE's key is never used for a MAC. */
#define PU_JWE_LABEL      "ngx_proxy_user_module decryption key"


typedef struct {
    const char  *name;                  /* the member of a JWK */
    const char  *parameter;             /* OpenSSL's name */
} pu_private_t;

static const pu_private_t  pu_private_rsa[] = {
    { "d", OSSL_PKEY_PARAM_RSA_D },
    { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
    { "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },
    { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
    { "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 },
    { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 }
};

/* Every member that cjose decodes. */
static const char *const  pu_jwe_members[] = {
    "n", "e", "d", "p", "q", "dp", "dq", "qi", "x", "y", "k"
};


static int
pu_jwe_fail(char *err, const char *fault)
{
    snprintf(err, PU_ERROR_SIZE, "%s", fault);

    return 0;
}


static pu_str_t
pu_jwe_member(const json_t *jwk, const char *name)
{
    pu_str_t  s;

    if (!pu_json_str(json_object_get(jwk, name), &s)) {
        return (pu_str_t) { 0, NULL };
    }

    return s;
}


/* The strings of a key, before jansson frees them. */
static void
pu_jwe_cleanse(json_t *value)
{
    size_t       i;
    json_t      *item;
    const char  *name;

    if (json_is_string(value)) {
        OPENSSL_cleanse((void *) (uintptr_t) json_string_value(value),
                        json_string_length(value));
    }

    json_object_foreach(value, name, item) {
        pu_jwe_cleanse(item);
    }

    json_array_foreach(value, i, item) {
        pu_jwe_cleanse(item);
    }
}


/* cjose ends the process on some texts that are no base64url. */
static int
pu_jwe_members_ok(const json_t *jwk, char *err)
{
    size_t     i;
    int64_t    n;
    uint8_t   *out;
    json_t    *value;
    pu_str_t   text;

    if (json_object_get(jwk, "oth") != NULL) {
        return pu_jwe_fail(err, "it has more than two primes");
    }

    for (i = 0; i < sizeof(pu_jwe_members) / sizeof(char *); i++) {
        value = json_object_get(jwk, pu_jwe_members[i]);

        if (value == NULL) {
            continue;
        }

        n = -1;
        out = NULL;

        if (pu_json_str(value, &text) && text.len != 0
            && (out = malloc(text.len)) != NULL)
        {
            n = pu_base64url_decode(out, text);
            OPENSSL_cleanse(out, text.len);
        }

        free(out);

        if (n <= 0) {
            snprintf(err, PU_ERROR_SIZE,
                     "its \"%s\" is not canonical base64url",
                     pu_jwe_members[i]);
            return 0;
        }
    }

    return 1;
}


int
pu_jwe_public(pu_key_t *key, const json_t *jwk, char err[PU_ERROR_SIZE])
{
    int                        ok;
    size_t                     i;
    json_t                    *pub;
    static const char *const   names[] = { "kty", "n", "e", "crv", "x", "y" };

    pub = json_object();
    ok = pub != NULL;

    for (i = 0; i < sizeof(names) / sizeof(char *); i++) {
        if (json_object_get(jwk, names[i]) != NULL) {
            ok = ok && json_object_set(pub, names[i],
                                       json_object_get(jwk, names[i])) == 0;
        }
    }

    ok = ok ? pu_jwk_read(key, pub, err)
            : pu_jwe_fail(err, "memory is gone");

    json_decref(pub);

    return ok;
}


static int
pu_jwe_pair(pu_jwe_key_t *key, const json_t *jwk, pu_jwe_alg_t alg, char *err)
{
    if (!pu_jwe_public(&key->pub, jwk, err)) {
        return 0;
    }

    if (pu_jwe_member(jwk, "d").len == 0) {
        return pu_jwe_fail(err, "it has no \"d\": needed is the private key");
    }

    key->algs = PU_JWE_ALG_BIT(alg);
    key->size = (size_t) EVP_PKEY_get_size(key->pub.pkey);
    memcpy(key->mark, key->pub.thumbprint, PU_SHA256_LEN);

    return 1;
}


static int
pu_jwe_symmetric(pu_jwe_key_t *key, const json_t *jwk, char *err)
{
    int64_t   n;
    size_t    len;
    uint8_t   k[96];
    pu_str_t  text;

    text = pu_jwe_member(jwk, "k");
    n = (text.len <= PU_BASE64URL_LEN(64)) ? pu_base64url_decode(k, text) : -1;

    if (n != 16 && n != 32 && n != 64) {
        OPENSSL_cleanse(k, sizeof(k));
        return pu_jwe_fail(err, "its \"k\" has not 16, 32 or 64 bytes");
    }

    key->size = (size_t) n;
    key->algs = PU_JWE_ALG_BIT(PU_DIR);

    if (n != 64) {
        key->algs |= PU_JWE_ALG_BIT((n == 16) ? PU_A128KW : PU_A256KW);
    }

    n = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, k, key->size,
                  (const uint8_t *) PU_JWE_LABEL, sizeof(PU_JWE_LABEL) - 1,
                  key->mark, PU_SHA256_LEN, &len)
        != NULL;

    OPENSSL_cleanse(k, sizeof(k));

    return n ? 1 : pu_jwe_fail(err, "OpenSSL refuses it");
}


/* Is one of "key_ops" something that opening needs? */
static int
pu_jwe_ops_ok(const json_t *jwk)
{
    size_t                     i, j;
    json_t                    *ops;
    pu_str_t                   op;
    static const char *const   names[] = {
        "decrypt", "unwrapKey", "deriveKey", "deriveBits"
    };

    ops = json_object_get(jwk, "key_ops");

    for (i = 0; i < json_array_size(ops); i++) {
        for (j = 0; j < sizeof(names) / sizeof(char *); j++) {
            if (pu_json_str(json_array_get(ops, i), &op)
                && pu_str_is(op, names[j]))
            {
                return 1;
            }
        }
    }

    return ops == NULL;
}


/* What the JWK says that it is for. */
static int
pu_jwe_use(pu_jwe_key_t *key, const json_t *jwk, char *err)
{
    int                   alg;
    uint8_t              *copy;
    pu_str_t              kid;
    const pu_jwe_enc_t   *enc;

    if (json_object_get(jwk, "use") != NULL
        && !pu_str_is(pu_jwe_member(jwk, "use"), "enc"))
    {
        return pu_jwe_fail(err, "its \"use\" is not \"enc\"");
    }

    if (!pu_jwe_ops_ok(jwk)) {
        return pu_jwe_fail(err, "its \"key_ops\" have none of decrypt, "
                           "unwrapKey, deriveKey and deriveBits");
    }

    if (json_object_get(jwk, "alg") != NULL) {
        alg = pu_jwe_alg_find(pu_jwe_member(jwk, "alg"));
        enc = pu_jwe_enc_find(pu_jwe_member(jwk, "alg"));

        /* a key that is used directly is named after what it encrypts */

        if (enc != NULL && enc->cek == key->size) {
            alg = PU_DIR;
        }

        if (alg < 0 || !(key->algs & PU_JWE_ALG_BIT(alg))) {
            return pu_jwe_fail(err, "its \"alg\" is not one that it can be "
                               "used for here: RSA-OAEP for RSA, ECDH-ES for "
                               "EC, A128KW, A256KW and dir for oct");
        }

        key->algs = PU_JWE_ALG_BIT(alg);
    }

    if (!pu_jose_kid(jwk, &kid)) {
        return pu_jwe_fail(err, "its \"kid\" is not a string of at most 256 "
                           "bytes without control characters");
    }

    if (kid.data != NULL) {
        copy = malloc(kid.len + 1);

        if (copy == NULL) {
            return pu_jwe_fail(err, "memory is gone");
        }

        memcpy(copy, kid.data, kid.len);
        key->kid = (pu_str_t) { kid.len, copy };
    }

    return 1;
}


static int
pu_jwe_import(pu_jwe_key_t *key, const json_t *jwk)
{
    char       *text;
    cjose_err   err;

    text = json_dumps(jwk, JSON_COMPACT);

    if (text == NULL) {
        return 0;
    }

    key->jwk = cjose_jwk_import(text, strlen(text), &err);

    OPENSSL_cleanse(text, strlen(text));
    free(text);

    return key->jwk != NULL;
}


/* Something that is locked with the key, for one algorithm. */
static char *
pu_jwe_lock(const pu_jwe_key_t *key, pu_jwe_alg_t alg, const char *enc)
{
    char             *text;
    cjose_err         err;
    cjose_jwe_t      *jwe;
    cjose_header_t   *header;

    text = NULL;
    jwe = NULL;
    header = cjose_header_new(&err);

    if (header != NULL
        && cjose_header_set(header, "alg", pu_jwe_alg_name(alg), &err)
        && cjose_header_set(header, "enc", enc, &err))
    {
        jwe = cjose_jwe_encrypt(key->jwk, header, (const uint8_t *) "probe",
                                5, &err);
    }

    if (jwe != NULL) {
        text = cjose_jwe_export(jwe, &err);
    }

    cjose_jwe_release(jwe);
    cjose_header_release(header);

    return text;
}


static int
pu_jwe_proves(const pu_jwe_key_t *key, pu_jwe_alg_t alg)
{
    int                   ok;
    char                 *text;
    size_t                i;
    pu_str_t              plain;
    pu_jwe_keys_t         keys;
    const pu_jwe_enc_t   *enc;

    enc = pu_jwe_enc_at(0);

    for (i = 0; alg == PU_DIR && enc != NULL && enc->cek != key->size; i++) {
        enc = pu_jwe_enc_at(i + 1);
    }

    text = (enc == NULL) ? NULL : pu_jwe_lock(key, alg, enc->name);

    if (text == NULL) {
        return 0;
    }

    keys.n = 1;
    keys.keys[0] = *key;

    ok = pu_jwe_decrypt(&keys, pu_str(text), &plain) == PU_OK
         && pu_str_is(plain, "probe");

    pu_jwe_plain_free(plain);
    cjose_get_dealloc()(text);

    return ok;
}


static int
pu_jwe_opens(const pu_jwe_key_t *key)
{
    int  alg;

    for (alg = 0; alg < PU_JWE_ALG_COUNT; alg++) {
        if ((key->algs & PU_JWE_ALG_BIT(alg))
            && !pu_jwe_proves(key, (pu_jwe_alg_t) alg))
        {
            return 0;
        }
    }

    return 1;
}


static int
pu_jwe_key(pu_jwe_key_t *key, const json_t *jwk, char *err)
{
    int       ok;
    pu_str_t  kty;

    kty = pu_jwe_member(jwk, "kty");

    if (!pu_jwe_members_ok(jwk, err)) {
        return 0;
    }

    if (pu_str_is(kty, "RSA")) {
        ok = pu_jwe_pair(key, jwk, PU_RSA_OAEP, err);

    } else if (pu_str_is(kty, "EC")) {
        ok = pu_jwe_pair(key, jwk, PU_ECDH_ES, err);

    } else if (pu_str_is(kty, "oct")) {
        ok = pu_jwe_symmetric(key, jwk, err);

    } else {
        ok = pu_jwe_fail(err, "its \"kty\" is none of RSA, EC, oct");
    }

    if (!ok || !pu_jwe_use(key, jwk, err)) {
        return 0;
    }

    if (key->algs & PU_JWE_ALG_BIT(PU_ECDH_ES)) {
        key->own = pu_jwe_private(&key->pub, pu_jwe_member(jwk, "d"));

        if (key->own == NULL) {
            return pu_jwe_fail(err, "it does not open what was locked with "
                               "it");
        }
    }

    return (pu_jwe_import(key, jwk) && pu_jwe_opens(key))
           || pu_jwe_fail(err, "it does not open what was locked with it");
}


/* A single key, or an array of them under "keys". */
static int
pu_jwe_read(pu_jwe_keys_t *keys, const json_t *file, char *err)
{
    char      fault[PU_ERROR_SIZE];
    size_t    i, n;
    json_t   *array;

    array = json_object_get(file, "keys");
    n = (array == NULL) ? 1 : json_array_size(array);

    if (n == 0 || n > PU_JWE_KEYS_MAX) {
        snprintf(err, PU_ERROR_SIZE, "it has %zu keys, allowed are 1 to %d",
                 n, PU_JWE_KEYS_MAX);
        return 0;
    }

    for (i = 0; i < n; i++) {
        keys->n = i + 1;

        if (!pu_jwe_key(&keys->keys[i],
                        (array == NULL) ? file : json_array_get(array, i),
                        fault))
        {
            snprintf(err, PU_ERROR_SIZE, "key %zu is refused: %.400s", i + 1,
                     fault);
            return 0;
        }
    }

    return 1;
}


/* One PEM private key as a JWK; NULL when there is none. */
static json_t *
pu_jwe_pem(pu_str_t text)
{
    int        ok;
    BIO       *bio;
    size_t     i;
    json_t    *jwk;
    EVP_PKEY  *pkey;

    bio = BIO_new_mem_buf(text.data, (int) text.len);
    pkey = (bio == NULL) ? NULL
           : PEM_read_bio_PrivateKey(bio, NULL, pu_pem_no_password, NULL);
    BIO_free(bio);

    jwk = json_object();
    ok = pkey != NULL && jwk != NULL && pu_pkey_jwk(jwk, pkey);

    if (ok && EVP_PKEY_is_a(pkey, "EC")) {
        ok = pu_pem_number(jwk, "d", pkey, OSSL_PKEY_PARAM_PRIV_KEY,
                           ((size_t) EVP_PKEY_get_bits(pkey) + 7) / 8);

    } else if (ok && EVP_PKEY_is_a(pkey, "RSA")) {
        for (i = 0; i < sizeof(pu_private_rsa) / sizeof(pu_private_t); i++) {
            ok = ok && pu_pem_number(jwk, pu_private_rsa[i].name, pkey,
                                     pu_private_rsa[i].parameter, 0);
        }
    }

    EVP_PKEY_free(pkey);

    if (!ok) {
        pu_jwe_cleanse(jwk);
        json_decref(jwk);
        return NULL;
    }

    return jwk;
}


static int
pu_jwe_keys_seal(pu_jwe_keys_t *keys)
{
    size_t    i;
    pu_str_t  parts[PU_JWE_KEYS_MAX * 3];

    for (i = 0; i < keys->n; i++) {
        parts[3 * i] = (pu_str_t) { PU_SHA256_LEN, keys->keys[i].mark };
        parts[3 * i + 1] = (pu_str_t) {
            sizeof(unsigned), (const uint8_t *) &keys->keys[i].algs };
        parts[3 * i + 2] = keys->keys[i].kid;
    }

    return pu_sha256(keys->mark, parts, keys->n * 3);
}


pu_jwe_keys_t *
pu_jwe_keys(pu_str_t text, char err[PU_ERROR_SIZE])
{
    json_t                         *file;
    pu_jwe_keys_t                  *keys;
    static const char               pem[] = "-----BEGIN ";
    static const pu_json_limits_t   limits = { PU_JWE_FILE_MAX, 8, 64 };

    if (memmem(text.data, text.len, pem, sizeof(pem) - 1) != NULL) {
        file = pu_jwe_pem(text);
    } else {
        file = pu_json_object(text, &limits);
    }

    keys = calloc(1, sizeof(pu_jwe_keys_t));

    if (file == NULL || keys == NULL) {
        snprintf(err, PU_ERROR_SIZE, "it has no decryption key, allowed are a "
                 "JWK, a JWK Set and a PEM private key without a password");

    } else if (pu_jwe_read(keys, file, err) && pu_jwe_keys_seal(keys)) {
        pu_jwe_cleanse(file);
        json_decref(file);
        return keys;
    }

    pu_jwe_cleanse(file);
    json_decref(file);
    pu_jwe_keys_free(keys);
    ERR_clear_error();

    return NULL;
}


pu_jwe_keys_t *
pu_jwe_keys_file(const char *path, char err[PU_ERROR_SIZE])
{
    char            fault[PU_ERROR_SIZE];
    size_t          len;
    uint8_t        *text;
    pu_jwe_keys_t  *keys;

    text = pu_file_read(path, PU_JWE_FILE_MAX, &len, err);

    if (text == NULL) {
        return NULL;
    }

    keys = pu_jwe_keys((pu_str_t) { len, text }, fault);

    OPENSSL_cleanse(text, len);
    free(text);

    if (keys == NULL) {
        snprintf(err, PU_ERROR_SIZE, "file \"%.200s\": %.250s", path, fault);
    }

    return keys;
}


void
pu_jwe_keys_free(pu_jwe_keys_t *keys)
{
    size_t         i;
    pu_jwe_key_t  *key;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->n; i++) {
        key = &keys->keys[i];

        cjose_jwk_release(key->jwk);
        EVP_PKEY_free(key->own);
        pu_key_clear(&key->pub);
        free((void *) (uintptr_t) key->kid.data);
    }

    free(keys);
}


pu_str_t
pu_jwe_keys_mark(const pu_jwe_keys_t *keys)
{
    return (pu_str_t) { PU_SHA256_LEN, keys->mark };
}
