/*
 * pu_hash: SHA-256 again and again; see the header.
 */

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "pu_hash.h"


struct pu_hash_s {
    EVP_MD      *md;
    EVP_MD_CTX  *ctx;
};


pu_hash_t *
pu_hash_new(void)
{
    pu_hash_t  *hash;

    hash = calloc(1, sizeof(pu_hash_t));
    if (hash == NULL) {
        return NULL;
    }

    hash->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    hash->ctx = EVP_MD_CTX_new();

    if (hash->md == NULL || hash->ctx == NULL) {
        ERR_clear_error();
        pu_hash_free(hash);
        return NULL;
    }

    return hash;
}


void
pu_hash_free(pu_hash_t *hash)
{
    if (hash == NULL) {
        return;
    }

    EVP_MD_CTX_free(hash->ctx);
    EVP_MD_free(hash->md);
    free(hash);
}


int
pu_hash_sha256(pu_hash_t *hash, uint8_t out[PU_SHA256_LEN],
    const pu_str_t *parts, size_t n)
{
    int     ok;
    size_t  i;

    ok = EVP_DigestInit_ex2(hash->ctx, hash->md, NULL) == 1;

    for (i = 0; ok && i < n; i++) {
        if (parts[i].len != 0) {
            ok = EVP_DigestUpdate(hash->ctx, parts[i].data, parts[i].len)
                 == 1;
        }
    }

    ok = ok && EVP_DigestFinal_ex(hash->ctx, out, NULL) == 1;

    if (!ok) {
        ERR_clear_error();
    }

    return ok;
}


int
pu_sha256(uint8_t out[PU_SHA256_LEN], const pu_str_t *parts, size_t n)
{
    int         ok;
    pu_hash_t  *hash;

    hash = pu_hash_new();
    ok = hash != NULL && pu_hash_sha256(hash, out, parts, n);

    pu_hash_free(hash);

    return ok;
}
