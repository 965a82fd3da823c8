/*
 * What pu_token and pu_event share: the parts of a signed text that are read
 * in the same way whatever it is for.
 *
 * Not for anybody else.
 */

#ifndef PU_TOKEN_OWN_H
#define PU_TOKEN_OWN_H

#include "pu_token.h"


/* The payload as claims; json_decref.  NULL: it is not what claims may be. */
json_t *pu_token_payload(pu_str_t payload);

/* Is "iss" this issuer's url, byte for byte? */
int pu_issuer_is(const pu_issuer_t *issuer, const json_t *claims);

/* A type without "application/", which may be left out (RFC 7515, 4.1.9). */
pu_str_t pu_type_bare(pu_str_t type);

/* 1: "value" has one of ours, 0: has none, -1: is no audience at all. */
int pu_audience_check(const pu_list_t *ours, const json_t *value);


#endif /* PU_TOKEN_OWN_H */
