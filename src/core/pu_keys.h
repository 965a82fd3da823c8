/*
 * pu_keys: JWK Set, PEM or shared secret -> keys that may verify (RFC 7517,
 * 7518 section 6, 8037).
 *
 * Every key is judged when it is loaded, never at request time.  A key that
 * fails is left out with a warning; a set that fails is refused whole.  The
 * set owns its EVP_PKEYs and is freed by one call.  No network.
 */

#ifndef PU_KEYS_H
#define PU_KEYS_H

#include <openssl/evp.h>

#include "pu_str.h"


#define PU_JWKS_SIZE_MAX      (256 * 1024)
#define PU_JWKS_KEYS_MAX      64
#define PU_KID_LEN_MAX        256
#define PU_KEY_MARK_LEN       16
#define PU_SECRET_LEN_MAX     2048


/* JWS algorithms (RFC 7518 section 3.1, RFC 8037); bits of a list. */
typedef enum {
    PU_RS256 = 0, PU_RS384, PU_RS512,
    PU_PS256, PU_PS384, PU_PS512,
    PU_ES256, PU_ES384, PU_ES512,
    PU_EDDSA,
    PU_ED25519,                         /* RFC 9864's name for the same */
    PU_HS256, PU_HS384, PU_HS512,
    PU_ALG_COUNT,
    PU_ALG_NONE = -1                    /* no such name; never "none" */
} pu_alg_t;

#define PU_ALG_BIT(alg)       (1u << (alg))
#define PU_ALGS_DEFAULT       (PU_ALG_BIT(PU_ED25519) - 1)
#define PU_ALGS_HMAC                                                          \
    (PU_ALG_BIT(PU_HS256) | PU_ALG_BIT(PU_HS384) | PU_ALG_BIT(PU_HS512))

pu_alg_t pu_alg_find(pu_str_t name);
const char *pu_alg_name(pu_alg_t alg);


typedef struct {
    EVP_PKEY  *pkey;
    pu_str_t   kid;                     /* data NULL: the key has none */
    unsigned   any_kid:1;               /* its form has no place for one */
    unsigned   algs;                    /* PU_ALG_BITs it may verify */

    /* RFC 7638; of a secret an HMAC under it, which does not tell it */
    uint8_t    thumbprint[PU_SHA256_LEN];

    /* of thumbprint, kid and algs: what a cached token remembers of it */
    uint8_t    mark[PU_KEY_MARK_LEN];

    /* ready to verify, one for each of "algs"; only ever copied */
    EVP_MD_CTX  *ready[PU_ALG_COUNT];
} pu_key_t;

typedef struct {
    size_t     n;
    pu_key_t  *keys;
} pu_keys_t;


/* One sentence about a key that was left out; no key material in it. */
typedef void (*pu_keys_warn_f)(void *data, const char *sentence);

/*
 * Reads a JWK Set.  NULL and a sentence in "err" when the set is refused
 * whole: no object with an array "keys", duplicate names, over
 * PU_JWKS_SIZE_MAX or PU_JWKS_KEYS_MAX, private or symmetric members in any
 * key, two signing keys of one kty under one kid.  "warn" (may be NULL) is
 * called before it returns.  A set without one usable key is no error.
 */
pu_keys_t *pu_keys_jwks(pu_str_t text, pu_keys_warn_f warn, void *data,
    char err[PU_ERROR_SIZE]);

/*
 * One PEM public key or certificate, judged by the same rules.  NULL and a
 * sentence in "err".  PEM has no kid: a token's own is not compared.
 */
pu_keys_t *pu_keys_pem(pu_str_t text, char err[PU_ERROR_SIZE]);

/*
 * A shared secret of 32 to PU_SECRET_LEN_MAX bytes for the HS algorithms
 * whose hash is not longer than it.  One line end at the end of the text is no
 * part of it.  A token's kid is not compared.  NULL and a sentence in "err",
 * which never has a byte of the secret; the caller cleanses "text".
 */
pu_keys_t *pu_keys_secret(pu_str_t text, char err[PU_ERROR_SIZE]);

/* How many bytes an HS algorithm asks of a secret; SIZE_MAX for others. */
size_t pu_secret_needed(pu_alg_t alg);

/* The same from files; configuration time only. */
pu_keys_t *pu_keys_jwks_file(const char *path, pu_keys_warn_f warn,
    void *data, char err[PU_ERROR_SIZE]);
pu_keys_t *pu_keys_secret_file(const char *path, char err[PU_ERROR_SIZE]);

/* NULL is allowed. */
void pu_keys_free(pu_keys_t *keys);

/*
 * The next key after "prev" (NULL: the first) that may verify "alg" and, when
 * kid.data is not NULL, has exactly this kid or any_kid.  NULL at the end.
 */
const pu_key_t *pu_keys_next(const pu_keys_t *keys, pu_alg_t alg,
    pu_str_t kid, const pu_key_t *prev);

/* Has any key exactly this kid?  NULL keys are none. */
int pu_keys_named(const pu_keys_t *keys, pu_str_t kid);

/* The key with this mark, or NULL.  NULL keys are none. */
const pu_key_t *pu_keys_marked(const pu_keys_t *keys,
    const uint8_t mark[PU_KEY_MARK_LEN]);

/*
 * Verifies a JWS signature (RFC 7515 section 5.2) over the exact bytes that
 * came: length first, then r and s in range for ECDSA, then OpenSSL, whose
 * answer counts only when it is 1; an HMAC is compared in constant time.
 * Returns 1 or 0; leaves no OpenSSL error behind.
 */
int pu_key_verify(const pu_key_t *key, pu_alg_t alg, pu_str_t signed_bytes,
    pu_str_t signature);


#endif /* PU_KEYS_H */
