/*
 * cost: the work of verifying one token, three times over.
 *
 * "Core" is all of it: form, header, key, signature, claims, subject, roles
 * and scopes.  "EVP" is what a program does that has an EVP_PKEY and no more:
 * EVP_DigestVerifyInit and EVP_DigestVerify.  "Prepared" copies a context in
 * which OpenSSL has looked its algorithms up already.
 */

#ifndef COST_H
#define COST_H

#include "pu_token.h"


#define COST_ROUNDS_MAX  10000

typedef enum {
    COST_CORE = 0,
    COST_EVP,
    COST_PREPARED,
    COST_KINDS
} cost_kind_t;

typedef struct {
    pu_issuer_t         *issuer;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];
    const pu_key_t      *key;
    pu_alg_t             alg;
    pu_str_t             text;
    pu_str_t             signed_bytes;
    pu_str_t             signature;     /* as OpenSSL takes it */
} cost_t;

/* Nanoseconds of the processor for one token. */
typedef struct {
    double  median[COST_KINDS];
    double  least[COST_KINDS];
} cost_took_t;


/* A key, an issuer and a token of ES256, RS256 or EdDSA. */
void cost_open(cost_t *cost, const char *alg);
void cost_close(cost_t *cost);

/* Ends the program when the token is refused. */
void cost_work(const cost_t *cost, cost_kind_t kind, int n);

/*
 * So many rounds of a few of each kind in turn: what disturbs, disturbs all of
 * them.  What other processes take of the processor is not in it.
 */
void cost_measure(const cost_t *cost, int rounds, cost_took_t *took);


#endif /* COST_H */
