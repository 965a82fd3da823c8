/*
 * pu_secret: a shared secret as a key set of one, for HS256, HS384 and HS512
 * (RFC 7518 section 3.2).
 *
 * The bytes are handed to OpenSSL, which cleanses its copies when it frees
 * them; ours are cleansed here, whatever happens.  No sentence has any of
 * them in it.
 */

#define _GNU_SOURCE                     /* memmem */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "pu_jwk.h"


/* Signed by nobody: a JWS signing input has no space in it. */
#define PU_SECRET_LABEL  "ngx_proxy_user_module key thumbprint"


typedef struct {
    pu_alg_t  alg;
    size_t    size;                     /* of the hash */
} pu_hmac_t;


static const pu_hmac_t  pu_hmacs[] = {
    { PU_HS256, 32 },
    { PU_HS384, 48 },
    { PU_HS512, 64 }
};

#define PU_HMACS  (sizeof(pu_hmacs) / sizeof(pu_hmacs[0]))


size_t
pu_secret_needed(pu_alg_t alg)
{
    size_t  i;

    for (i = 0; i < PU_HMACS; i++) {
        if (pu_hmacs[i].alg == alg) {
            return pu_hmacs[i].size;
        }
    }

    return SIZE_MAX;
}


/*
 * Editors and shells end a file with a line end that nobody means: one of
 * them is taken off.  A secret that really ends in one has two in its file.
 */
static pu_str_t
pu_secret_bare(pu_str_t text)
{
    if (text.len != 0 && text.data[text.len - 1] == '\n') {
        text.len--;

        if (text.len != 0 && text.data[text.len - 1] == '\r') {
            text.len--;
        }
    }

    return text;
}


static const char *
pu_secret_fault(pu_str_t secret)
{
    static const char  pem[] = "-----BEGIN ";

    if (secret.len < pu_hmacs[0].size || secret.len > PU_SECRET_LEN_MAX) {
        return "it must have 32 to 2048 bytes";
    }

    /* who takes a public key for a secret lets everybody sign */

    if (memmem(secret.data, secret.len, pem, sizeof(pem) - 1) != NULL) {
        return "it is a PEM key or certificate, it must be bytes that only "
               "the issuer knows";
    }

    return NULL;
}


/*
 * A plain hash of the secret would let whoever reads the shared memory try
 * out secrets as fast as SHA-256 goes and for all installations at once: it
 * is the secret that keys this one, as it does the tokens themselves.
 */
static int
pu_secret_thumbprint(pu_key_t *key, pu_str_t secret)
{
    size_t  len;

    return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.data,
                     secret.len, (const uint8_t *) PU_SECRET_LABEL,
                     sizeof(PU_SECRET_LABEL) - 1, key->thumbprint,
                     PU_SHA256_LEN, &len)
           != NULL
           && len == PU_SHA256_LEN;
}


static int
pu_secret_key(pu_key_t *key, pu_str_t secret)
{
    size_t  i;

    key->pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "HMAC", NULL,
                                                secret.data, secret.len);
    key->any_kid = 1;

    for (i = 0; i < PU_HMACS; i++) {
        if (secret.len >= pu_hmacs[i].size) {
            key->algs |= PU_ALG_BIT(pu_hmacs[i].alg);
        }
    }

    /* the thumbprint first: the key's mark is made of it */

    return key->pkey != NULL && pu_secret_thumbprint(key, secret)
           && pu_key_prepare(key);
}


pu_keys_t *
pu_keys_secret(pu_str_t text, char err[PU_ERROR_SIZE])
{
    pu_str_t     secret;
    pu_keys_t   *keys;
    const char  *fault;

    secret = pu_secret_bare(text);
    fault = pu_secret_fault(secret);

    if (fault != NULL) {
        snprintf(err, PU_ERROR_SIZE,
                 "the secret has %zu bytes and is refused: %s", secret.len,
                 fault);
        return NULL;
    }

    keys = pu_keys_new(1);

    if (keys == NULL) {
        snprintf(err, PU_ERROR_SIZE, "memory is gone");
        return NULL;
    }

    keys->n = 1;

    if (!pu_secret_key(&keys->keys[0], secret)) {
        snprintf(err, PU_ERROR_SIZE, "OpenSSL refuses the secret");
        pu_keys_free(keys);
        ERR_clear_error();
        return NULL;
    }

    return keys;
}


pu_keys_t *
pu_keys_secret_file(const char *path, char err[PU_ERROR_SIZE])
{
    char        fault[PU_ERROR_SIZE];
    size_t      len;
    uint8_t    *text;
    pu_keys_t  *keys;

    /* room for a line end */

    text = pu_file_read(path, PU_SECRET_LEN_MAX + 2, &len, err);

    if (text == NULL) {
        return NULL;
    }

    keys = pu_keys_secret((pu_str_t) { len, text }, fault);

    OPENSSL_cleanse(text, len);
    free(text);

    if (keys == NULL) {
        snprintf(err, PU_ERROR_SIZE, "file \"%.200s\": %.200s", path, fault);
    }

    return keys;
}
