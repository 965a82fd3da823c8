/*
 * pu_issuer_own: what the files of pu_issuer share among themselves.
 */

#ifndef PU_ISSUER_OWN_H
#define PU_ISSUER_OWN_H

#include "pu_issuer.h"


/* For sentences about "algorithms". */
#define PU_ALGS_TEXT                                                          \
    "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA "   \
    "and Ed25519"
#define PU_ALGS_HMAC_TEXT  "HS256, HS384 and HS512"


/* Writes a sentence and returns 0. */
int pu_issuer_fail(char *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Copies words into a list that lives as long as the issuer; 1, or 0. */
int pu_issuer_list(pu_issuer_t *issuer, pu_list_t *list,
    const pu_str_t *words, size_t n);


#endif /* PU_ISSUER_OWN_H */
