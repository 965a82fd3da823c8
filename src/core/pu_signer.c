/*
 * pu_signer: a private key that signs for us; see the header.
 *
 * The only file that calls libjwt, in what is the same from its version 1.10
 * on.  Which algorithms it has is asked at run time: EdDSA came later, and the
 * first versions that had it wrote its name wrong, so that nobody would have
 * taken their tokens.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>
#include <jwt.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "pu_jwk.h"
#include "pu_jws.h"
#include "pu_signer.h"


#define PU_SIGNER_SIZE_MAX  (64 * 1024)


struct pu_signer_s {
    pu_alg_t    alg;
    jwt_alg_t   libjwt;
    uint8_t    *pem;                    /* PKCS #8, for libjwt */
    size_t      pem_len;
    char        kid[PU_DIGEST_TEXT_LEN + 1];
    char       *jwk;
    pu_keys_t  *keys;                   /* the public key, judged */
};


typedef struct {
    pu_alg_t     alg;
    const char  *type;                  /* OpenSSL's */
    const char  *needs;
} pu_signer_type_t;


static const pu_signer_type_t  pu_signer_types[] = {
    { PU_ES256, "EC", "an EC key on P-256" },
    { PU_RS256, "RSA", "an RSA key" },
    { PU_EDDSA, "ED25519", "an Ed25519 key" }
};

#define PU_SIGNER_TYPES                                                       \
    (sizeof(pu_signer_types) / sizeof(pu_signer_types[0]))


pu_alg_t
pu_signer_alg(pu_str_t word)
{
    size_t    i;
    pu_alg_t  alg;

    alg = pu_alg_find(word);

    for (i = 0; i < PU_SIGNER_TYPES; i++) {
        if (pu_signer_types[i].alg == alg) {
            return alg;
        }
    }

    return PU_ALG_NONE;
}


/* An encrypted key must not make nginx ask its terminal. */
static int
pu_signer_no_password(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return -1;
}


static EVP_PKEY *
pu_signer_pkey(pu_str_t text, char err[PU_ERROR_SIZE])
{
    BIO       *bio;
    EVP_PKEY  *pkey;

    if (text.len > PU_SIGNER_SIZE_MAX) {
        snprintf(err, PU_ERROR_SIZE, "it is larger than %d bytes",
                 PU_SIGNER_SIZE_MAX);
        return NULL;
    }

    pkey = NULL;
    bio = BIO_new_mem_buf(text.data, (int) text.len);

    if (bio != NULL) {
        pkey = PEM_read_bio_PrivateKey(bio, NULL, pu_signer_no_password,
                                       NULL);
        BIO_free(bio);
    }

    if (pkey == NULL) {
        snprintf(err, PU_ERROR_SIZE,
                 "it has no unencrypted private key in PEM");
    }

    return pkey;
}


/* The type of the key; "alg" PU_ALG_NONE: whatever it is good for. */
static const pu_signer_type_t *
pu_signer_type(const EVP_PKEY *pkey, pu_alg_t alg, char err[PU_ERROR_SIZE])
{
    size_t                   i;
    const pu_signer_type_t  *type;

    for (i = 0; i < PU_SIGNER_TYPES; i++) {
        type = &pu_signer_types[i];

        if (alg != PU_ALG_NONE && alg != type->alg) {
            continue;
        }

        if (EVP_PKEY_is_a(pkey, type->type)) {
            return type;
        }

        if (alg != PU_ALG_NONE) {
            snprintf(err, PU_ERROR_SIZE, "its key is none for %s, which "
                     "needs %s", pu_alg_name(alg), type->needs);
            return NULL;
        }
    }

    snprintf(err, PU_ERROR_SIZE,
             "its key is none of EC on P-256, RSA and Ed25519");

    return NULL;
}


/* The text that libjwt reads: whatever else was in the file stays out. */
static int
pu_signer_write(pu_signer_t *signer, EVP_PKEY *pkey)
{
    int    ok;
    BIO   *bio;
    char  *data;
    long   len;

    bio = BIO_new(BIO_s_secmem());

    if (bio == NULL) {
        return 0;
    }

    ok = 0;

    if (PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
        == 1)
    {
        len = BIO_get_mem_data(bio, &data);
        signer->pem = (len > 0) ? malloc((size_t) len) : NULL;

        if (signer->pem != NULL) {
            memcpy(signer->pem, data, (size_t) len);
            signer->pem_len = (size_t) len;
            ok = 1;
        }
    }

    BIO_free(bio);

    return ok;
}


/* Judges the public part, and keeps what is published of it. */
static int
pu_signer_public(pu_signer_t *signer, const EVP_PKEY *pkey,
    char err[PU_ERROR_SIZE])
{
    int      ok;
    json_t  *jwk;

    ok = 0;
    jwk = json_object();

    snprintf(err, PU_ERROR_SIZE, "memory is gone");

    if (jwk != NULL && pu_pkey_jwk(jwk, pkey)) {
        signer->keys = pu_keys_one(jwk, err);
    }

    if (signer->keys != NULL
        && !(signer->keys->keys[0].algs & PU_ALG_BIT(signer->alg)))
    {
        snprintf(err, PU_ERROR_SIZE, "its key is none for %s",
                 pu_alg_name(signer->alg));

    } else if (signer->keys != NULL) {
        signer->keys->keys[0].any_kid = 1;
        pu_base64url_encode(signer->kid, signer->keys->keys[0].thumbprint,
                            PU_SHA256_LEN);

        if (json_object_set_new(jwk, "kid", json_string(signer->kid)) == 0
            && json_object_set_new(jwk, "use", json_string("sig")) == 0
            && json_object_set_new(jwk, "alg",
                                   json_string(pu_alg_name(signer->alg)))
               == 0)
        {
            signer->jwk = json_dumps(jwk, JSON_COMPACT|JSON_SORT_KEYS);
        }

        ok = signer->jwk != NULL;
    }

    json_decref(jwk);

    return ok;
}


/* Signs once and verifies that with our own code and the public key. */
static int
pu_signer_try(pu_signer_t *signer, char err[PU_ERROR_SIZE])
{
    int              ok;
    char             text[2048];
    pu_buf_t         b;
    pu_jws_t         jws;
    const pu_key_t  *key;

    signer->libjwt = jwt_str_alg(pu_alg_name(signer->alg));

    pu_buf_init(&b, text, sizeof(text));

    if (signer->libjwt == JWT_ALG_INVAL
        || !pu_signer_sign(signer, "{}", &b))
    {
        snprintf(err, PU_ERROR_SIZE, "the installed libjwt cannot sign %s "
                 "with it", pu_alg_name(signer->alg));
        return 0;
    }

    ok = pu_jws_read(&jws, pu_buf_written(&b)) == PU_OK
         && jws.alg == signer->alg
         && pu_jws_verify(&jws, signer->keys, &key) == PU_OK;

    pu_jws_clear(&jws);

    if (!ok) {
        snprintf(err, PU_ERROR_SIZE, "what the installed libjwt signs with "
                 "it as %s does not verify", pu_alg_name(signer->alg));
    }

    return ok;
}


pu_signer_t *
pu_signer_pem(pu_str_t text, pu_alg_t alg, char err[PU_ERROR_SIZE])
{
    int                      ok;
    EVP_PKEY                *pkey;
    pu_signer_t             *signer;
    const pu_signer_type_t  *type;

    ok = 0;
    type = NULL;
    signer = calloc(1, sizeof(pu_signer_t));
    pkey = pu_signer_pkey(text, err);

    if (pkey != NULL) {
        type = pu_signer_type(pkey, alg, err);
    }

    if (signer == NULL) {
        snprintf(err, PU_ERROR_SIZE, "memory is gone");

    } else if (type != NULL) {
        signer->alg = type->alg;
        ok = pu_signer_public(signer, pkey, err);
    }

    if (ok && alg != PU_ALG_NONE) {
        ok = pu_signer_write(signer, pkey) && pu_signer_try(signer, err);
    }

    EVP_PKEY_free(pkey);
    ERR_clear_error();

    if (!ok) {
        pu_signer_free(signer);
        return NULL;
    }

    return signer;
}


pu_signer_t *
pu_signer_file(const char *path, pu_alg_t alg, char err[PU_ERROR_SIZE])
{
    size_t        len;
    uint8_t      *text;
    pu_signer_t  *signer;

    text = pu_file_read(path, PU_SIGNER_SIZE_MAX, &len, err);

    if (text == NULL) {
        return NULL;
    }

    signer = pu_signer_pem((pu_str_t) { len, text }, alg, err);

    OPENSSL_cleanse(text, len);
    free(text);

    return signer;
}


void
pu_signer_free(pu_signer_t *signer)
{
    if (signer == NULL) {
        return;
    }

    if (signer->pem != NULL) {
        OPENSSL_cleanse(signer->pem, signer->pem_len);
        free(signer->pem);
    }

    free(signer->jwk);
    pu_keys_free(signer->keys);
    free(signer);
}


pu_str_t
pu_signer_kid(const pu_signer_t *signer)
{
    return pu_str(signer->kid);
}


pu_str_t
pu_signer_jwk(const pu_signer_t *signer)
{
    return pu_str(signer->jwk);
}


int
pu_signer_sign(const pu_signer_t *signer, const char *claims, pu_buf_t *out)
{
    char   *text;
    jwt_t  *jwt;

    text = NULL;

    if (signer->pem == NULL || signer->pem_len > INT_MAX
        || jwt_new(&jwt) != 0)
    {
        return 0;
    }

    if (jwt_add_grants_json(jwt, claims) == 0
        && jwt_add_header(jwt, "kid", signer->kid) == 0
        && jwt_set_alg(jwt, signer->libjwt, signer->pem,
                       (int) signer->pem_len)
           == 0)
    {
        text = jwt_encode_str(jwt);
    }

    jwt_free(jwt);
    ERR_clear_error();

    if (text == NULL) {
        return 0;
    }

    pu_buf_text(out, text);
    free(text);

    return !out->full;
}
