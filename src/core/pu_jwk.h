/*
 * pu_jwk: one JSON Web Key -> one judged key.  For pu_keys.c, pu_pem.c and
 * pu_signer.c only; everybody else reads whole sets.
 */

#ifndef PU_JWK_H
#define PU_JWK_H

#include <jansson.h>

#include "pu_keys.h"


#define PU_RSA_BITS_MIN       2048
#define PU_RSA_BITS_MAX       8192

/* Has it a private or symmetric member, or a symmetric type? */
int pu_jwk_is_secret(const json_t *jwk);

/* Says use, key_ops or alg that it is for something else than verifying? */
int pu_jwk_signs(const json_t *jwk);

/*
 * Fills a zeroed key; its parts are owned by the key.  1, or 0 and what is
 * wrong in "err" (the part of a sentence after the key's name), the key being
 * as pu_key_clear leaves it.
 */
int pu_jwk_read(pu_key_t *key, const json_t *jwk, char err[PU_ERROR_SIZE]);

void pu_key_clear(pu_key_t *key);

/* Sets up what verifying with each of its "algs" needs; 1, or 0. */
int pu_key_prepare(pu_key_t *key);

/* An empty set with room for "n" keys; pu_keys_free.  NULL: no memory. */
pu_keys_t *pu_keys_new(size_t n);

/*
 * The members of an RSA, EC or Ed25519 key's public part, written into an
 * empty object; 1, or 0 when it is none of these.
 */
int pu_pkey_jwk(json_t *jwk, const EVP_PKEY *pkey);

/* A set of this one key; NULL and a sentence in "err" when it is refused. */
pu_keys_t *pu_keys_one(const json_t *jwk, char err[PU_ERROR_SIZE]);

/*
 * Adds an OpenSSL parameter, a number, as base64url of "size" bytes (0: as
 * many as it needs); 1 or 0.
 */
int pu_pem_number(json_t *jwk, const char *name, const EVP_PKEY *pkey,
    const char *parameter, size_t size);

/* A password callback that has none: nobody is asked at a terminal. */
int pu_pem_no_password(char *buf, int size, int rwflag, void *data);

/* Judges an RSA modulus in big-endian bytes; NULL, or what is wrong. */
const char *pu_rsa_modulus_fault(const uint8_t *n, size_t len);

/*
 * Judges the encoding of an Ed25519 point (RFC 8032 section 5.1.3); NULL, or
 * what is wrong.  OpenSSL's errors, if it had any, are left to the caller.
 */
const char *pu_ed25519_fault(const uint8_t x[32]);


#endif /* PU_JWK_H */
