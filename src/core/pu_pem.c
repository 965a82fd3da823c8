/*
 * pu_pem: a PEM public key or certificate as a key set of one.
 *
 * The key is written as a JWK and read like any other, so that one judge
 * judges all.  A certificate stands for its key: neither its dates nor its
 * issuer mean anything here.
 */

#define _GNU_SOURCE                     /* memmem */

#include <stdio.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "pu_json.h"
#include "pu_jwk.h"


#define PU_PEM_SIZE_MAX   (64 * 1024)
#define PU_PEM_BYTES_MAX  2048


/* An encrypted block must not make nginx ask its terminal. */
int
pu_pem_no_password(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return -1;
}


static EVP_PKEY *
pu_pem_pkey(pu_str_t text)
{
    BIO       *bio;
    X509      *cert;
    EVP_PKEY  *pkey;

    bio = BIO_new_mem_buf(text.data, (int) text.len);

    if (bio == NULL) {
        return NULL;
    }

    pkey = PEM_read_bio_PUBKEY(bio, NULL, pu_pem_no_password, NULL);

    if (pkey == NULL && BIO_reset(bio) == 1) {
        cert = PEM_read_bio_X509(bio, NULL, pu_pem_no_password, NULL);
        pkey = (cert == NULL) ? NULL : X509_get_pubkey(cert);
        X509_free(cert);
    }

    BIO_free(bio);

    return pkey;
}


static int
pu_pem_member(json_t *jwk, const char *name, const uint8_t *data, size_t len)
{
    int     ok;
    char    text[PU_BASE64URL_LEN(PU_PEM_BYTES_MAX)];
    size_t  n;

    n = pu_base64url_encode(text, data, len);
    ok = json_object_set_new(jwk, name, json_stringn(text, n)) == 0;

    OPENSSL_cleanse(text, sizeof(text));

    return ok;
}


/* A number as "size" bytes, or as many as it needs when "size" is 0. */
int
pu_pem_number(json_t *jwk, const char *name, const EVP_PKEY *pkey,
    const char *parameter, size_t size)
{
    int      ok;
    BIGNUM  *bn;
    uint8_t  bytes[PU_PEM_BYTES_MAX];

    bn = NULL;

    if (EVP_PKEY_get_bn_param(pkey, parameter, &bn) != 1) {
        return 0;
    }

    if (size == 0) {
        size = (size_t) BN_num_bytes(bn);
    }

    ok = size <= sizeof(bytes)
         && BN_bn2binpad(bn, bytes, (int) size) == (int) size
         && pu_pem_member(jwk, name, bytes, size);

    /* it may be a private one */

    OPENSSL_cleanse(bytes, sizeof(bytes));
    BN_clear_free(bn);

    return ok;
}


static int
pu_pem_ec(json_t *jwk, const EVP_PKEY *pkey)
{
    int     bits;
    size_t  size;
    char    crv[8];

    /* a curve of the right size and another name fails at its point */

    bits = EVP_PKEY_get_bits(pkey);
    size = ((size_t) bits + 7) / 8;

    snprintf(crv, sizeof(crv), "P-%03u", (unsigned) bits % 1000);

    return json_object_set_new(jwk, "crv", json_string(crv)) == 0
           && pu_pem_number(jwk, "x", pkey, OSSL_PKEY_PARAM_EC_PUB_X, size)
           && pu_pem_number(jwk, "y", pkey, OSSL_PKEY_PARAM_EC_PUB_Y, size);
}


int
pu_pkey_jwk(json_t *jwk, const EVP_PKEY *pkey)
{
    size_t       len;
    uint8_t      x[32];
    const char  *kty;

    if (EVP_PKEY_is_a(pkey, "RSA")) {
        kty = "RSA";

        if (!pu_pem_number(jwk, "n", pkey, OSSL_PKEY_PARAM_RSA_N, 0)
            || !pu_pem_number(jwk, "e", pkey, OSSL_PKEY_PARAM_RSA_E, 0))
        {
            return 0;
        }

    } else if (EVP_PKEY_is_a(pkey, "EC")) {
        kty = "EC";

        if (!pu_pem_ec(jwk, pkey)) {
            return 0;
        }

    } else if (EVP_PKEY_is_a(pkey, "ED25519")) {
        kty = "OKP";
        len = sizeof(x);

        if (EVP_PKEY_get_raw_public_key(pkey, x, &len) != 1
            || !pu_pem_member(jwk, "x", x, len)
            || json_object_set_new(jwk, "crv", json_string("Ed25519")) != 0)
        {
            return 0;
        }

    } else {
        return 0;
    }

    return json_object_set_new(jwk, "kty", json_string(kty)) == 0;
}


static pu_keys_t *
pu_pem_judge(const EVP_PKEY *pkey, char err[PU_ERROR_SIZE])
{
    json_t     *jwk;
    pu_keys_t  *keys;

    keys = NULL;
    jwk = json_object();

    if (jwk != NULL && pu_pkey_jwk(jwk, pkey)) {
        keys = pu_keys_one(jwk, err);

        if (keys != NULL) {
            keys->keys[0].any_kid = 1;
        }

    } else {
        snprintf(err, PU_ERROR_SIZE,
                 "the PEM key is none of RSA, EC and Ed25519");
    }

    json_decref(jwk);

    return keys;
}


pu_keys_t *
pu_keys_pem(pu_str_t text, char err[PU_ERROR_SIZE])
{
    EVP_PKEY           *pkey;
    pu_keys_t          *keys;
    static const char   secret[] = "PRIVATE KEY-----";

    if (text.len > PU_PEM_SIZE_MAX) {
        snprintf(err, PU_ERROR_SIZE, "the PEM text is larger than %d bytes",
                 PU_PEM_SIZE_MAX);
        return NULL;
    }

    if (memmem(text.data, text.len, secret, sizeof(secret) - 1) != NULL) {
        snprintf(err, PU_ERROR_SIZE,
                 "the PEM text has a private key, it must have a public key "
                 "or a certificate");
        return NULL;
    }

    keys = NULL;
    pkey = pu_pem_pkey(text);

    if (pkey != NULL) {
        keys = pu_pem_judge(pkey, err);

    } else {
        snprintf(err, PU_ERROR_SIZE,
                 "the text has no PEM public key or certificate");
    }

    EVP_PKEY_free(pkey);
    ERR_clear_error();

    return keys;
}
