/*
 * world: one ES256 key under the kid "k1" and an issuer that trusts it, for
 * tests that vary a token.
 */

#ifndef WORLD_H
#define WORLD_H

#include "mint.h"
#include "pu_token.h"


typedef struct {
    EVP_PKEY     *pkey;
    pu_issuer_t  *issuer;
} world_t;


/* "lines" as in mint_issuer. */
void world_open(world_t *world, const char *lines);
void world_close(world_t *world);

/*
 * What a text is worth to one issuer at MINT_NOW.  Ends the program when an
 * OpenSSL error is left behind.
 */
pu_reason_t world_verify_bytes(const pu_issuer_t *issuer, pu_str_t text);
pu_reason_t world_verify(const pu_issuer_t *issuer, const char *text);

/* The same of a rightly signed token with this header, or this payload. */
pu_reason_t world_header_bytes(const world_t *world, pu_str_t header);
pu_reason_t world_header(const world_t *world, const char *header);
pu_reason_t world_payload(const world_t *world, pu_str_t payload);


#endif /* WORLD_H */
