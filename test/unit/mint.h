/*
 * mint: keys, key sets, tokens and issuers for unit tests, made when the
 * test runs.
 *
 * Everything is the caller's to free, with the function named.  A mint that
 * fails ends the program: no test means anything after that.
 */

#ifndef MINT_H
#define MINT_H

#include <jansson.h>
#include <openssl/evp.h>

#include "pu_issuer.h"
#include "pu_keys.h"
#include "pu_str.h"


#define MINT_NOW   1700000000           /* the time in every test */

#define MINT_ISS   "https://idp.example/"

/* accepted by an issuer of mint_issuer at MINT_NOW */
#define MINT_CLAIMS                                                           \
    "{\"iss\":\"https://idp.example/\",\"aud\":\"api\",\"sub\":\"alice\","    \
    "\"exp\":1700000300}"

/* the same with something added: MINT_WITH("\"nbf\":1") */
#define MINT_WITH(members)                                                    \
    "{\"iss\":\"https://idp.example/\",\"aud\":\"api\",\"sub\":\"alice\","    \
    "\"exp\":1700000300," members "}"


/* A key by the algorithm that it will sign with; EVP_PKEY_free. */
EVP_PKEY *mint_key(pu_alg_t alg);

/* An RSA key of so many bits. */
EVP_PKEY *mint_rsa(unsigned bits);

/*
 * The public key as a JWK; json_decref.  "more" is a JSON object whose
 * members are added, or NULL.
 */
json_t *mint_jwk(EVP_PKEY *pkey, const char *more);

/* The text of a JWK Set; steals the JWKs; free.  NULL ends the list. */
char *mint_set(json_t *jwk, ...);

/* Such a set, read: pu_keys_free. */
pu_keys_t *mint_keys(json_t *jwk, ...);

/* Two texts and a signature as they are; free. */
char *mint_token_raw(pu_str_t header, pu_str_t payload, pu_str_t signature);

/* The signature in JWS form; free its data. */
pu_str_t mint_sign(EVP_PKEY *pkey, pu_alg_t alg, pu_str_t text);

/* A token over these bytes; free. */
char *mint_token_bytes(EVP_PKEY *pkey, pu_alg_t alg, pu_str_t header,
    pu_str_t payload);

/* A token over these texts; header NULL: {"alg":"..."}; free. */
char *mint_token(EVP_PKEY *pkey, pu_alg_t alg, const char *header,
    const char *payload);

/* Another letter of base64url in its place: what it was. */
char mint_spoil(char *letter);

/*
 * One directive as words parted by spaces; the result of pu_issuer_set and
 * its sentence.
 */
int mint_directive(pu_issuer_t *issuer, const char *line,
    char err[PU_ERROR_SIZE]);

/* An issuer whose lines need no file yet; pu_issuer_free. */
pu_issuer_t *mint_issuer_lines(const char *const *lines);

/*
 * A finished issuer of MINT_ISS for "api" with these keys (which it owns from
 * now on) and these further lines, parted by ";"; pu_issuer_free.
 */
pu_issuer_t *mint_issuer(pu_keys_t *keys, const char *lines);


#endif /* MINT_H */
