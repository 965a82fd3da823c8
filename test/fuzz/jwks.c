/*
 * jwks: the bytes are a JWK Set, a PEM text, and a secret.  A key that comes
 * out of it can be used, and none of a set is symmetric.
 */

#include <openssl/err.h>

#include "fuzz.h"
#include "pu_keys.h"


static void
holds_sentence(const char *err)
{
    FUZZ_HOLDS(err[0] != '\0' && strlen(err) < PU_ERROR_SIZE);
    FUZZ_HOLDS(strchr(err, '\n') == NULL);
}


static void
warned(void *data, const char *sentence)
{
    (void) data;

    holds_sentence(sentence);
}


static void
holds_keys(pu_keys_t *keys, const char *err, int hmac)
{
    int     alg;
    size_t  i;

    FUZZ_HOLDS(ERR_peek_error() == 0);

    if (keys == NULL) {
        holds_sentence(err);
        return;
    }

    FUZZ_HOLDS(keys->n <= PU_JWKS_KEYS_MAX);

    for (i = 0; i < keys->n; i++) {
        FUZZ_HOLDS(keys->keys[i].algs != 0);
        FUZZ_HOLDS(hmac == ((keys->keys[i].algs & PU_ALGS_HMAC) != 0));
        FUZZ_HOLDS(pu_keys_marked(keys, keys->keys[i].mark) != NULL);

        for (alg = 0; alg < PU_ALG_COUNT; alg++) {
            FUZZ_HOLDS(!pu_key_verify(&keys->keys[i], (pu_alg_t) alg,
                                      PU_STR("a.b"), PU_STR("signature")));
        }
    }

    pu_keys_free(keys);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char      err[PU_ERROR_SIZE];
    pu_str_t  text;

    text = (pu_str_t) { size, data };
    err[0] = '\0';

    holds_keys(pu_keys_jwks(text, warned, NULL, err), err, 0);
    holds_keys(pu_keys_pem(text, err), err, 0);
    holds_keys(pu_keys_secret(text, err), err, 1);

    return 0;
}
