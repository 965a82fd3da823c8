/*
 * pu_jwe_own: what pu_jwe.c, pu_jwe_keys.c and pu_jwe_agree.c share.
 */

#ifndef PU_JWE_OWN_H
#define PU_JWE_OWN_H

#include <cjose/cjose.h>

#include "pu_jwe.h"
#include "pu_jwk.h"


#define PU_JWE_PARTY_MAX  128           /* bytes of apu and apv */

enum {
    PU_HEADER = 0,
    PU_ENCRYPTED_KEY,
    PU_IV,
    PU_CIPHERTEXT,
    PU_TAG,
    PU_JWE_PARTS
};


/* Algorithms for the content key (RFC 7518 section 4); bits of a list. */
typedef enum {
    PU_RSA_OAEP = 0,
    PU_ECDH_ES,
    PU_A128KW,
    PU_A256KW,
    PU_DIR,
    PU_JWE_ALG_COUNT
} pu_jwe_alg_t;

/* Algorithms for the content (RFC 7518 section 5). */
typedef struct {
    const char  *name;
    size_t       cek;                   /* bytes of the content key, */
    size_t       iv;                    /* the initialisation vector, */
    size_t       tag;                   /* and the tag */
    size_t       block;                 /* the ciphertext is a multiple */
} pu_jwe_enc_t;

typedef struct {
    cjose_jwk_t  *jwk;
    EVP_PKEY     *own;                  /* EC: the private key */
    pu_key_t      pub;                  /* RSA and EC: the public half */
    pu_str_t      kid;                  /* data NULL: it has none; owned */
    size_t        size;                 /* bytes: RSA modulus, oct */
    unsigned      algs;                 /* PU_JWE_ALG_BITs */
    uint8_t       mark[PU_SHA256_LEN];
} pu_jwe_key_t;

struct pu_jwe_keys_s {
    size_t        n;
    pu_jwe_key_t  keys[PU_JWE_KEYS_MAX];
    uint8_t       mark[PU_SHA256_LEN];
};

#define PU_JWE_ALG_BIT(alg)  (1u << (alg))


/*
 * The public half of a JWK, judged, whatever else the JWK has; pu_key_clear.
 * 1, or 0 and what is wrong in "err".
 */
int pu_jwe_public(pu_key_t *key, const json_t *jwk, char err[PU_ERROR_SIZE]);

/* Of an EC key and its "d" the whole; NULL when they make none. */
EVP_PKEY *pu_jwe_private(const pu_key_t *pub, pu_str_t d);

/*
 * Opens a JWE with ECDH-ES that has been judged; 1, or 0.  May leave OpenSSL
 * errors behind.
 */
int pu_jwe_agree(const pu_jwe_key_t *key, const pu_jwe_enc_t *enc,
    const json_t *header, const pu_str_t parts[PU_JWE_PARTS],
    pu_str_t *plain);

/* -1 and NULL when there is no such name, or none that is allowed. */
int pu_jwe_alg_find(pu_str_t name);
const char *pu_jwe_alg_name(pu_jwe_alg_t alg);
const pu_jwe_enc_t *pu_jwe_enc_find(pu_str_t name);

/* The next of those that are allowed, by index; NULL at the end. */
const pu_jwe_enc_t *pu_jwe_enc_at(size_t i);


#endif /* PU_JWE_OWN_H */
