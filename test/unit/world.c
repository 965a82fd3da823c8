/*
 * world: an issuer, its key, and tokens that are right but for one thing.
 */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "world.h"


void
world_open(world_t *world, const char *lines)
{
    world->pkey = mint_key(PU_ES256);
    world->issuer = mint_issuer(mint_keys(mint_jwk(world->pkey,
                                                   "{\"kid\":\"k1\"}"),
                                          NULL), lines);
}


void
world_close(world_t *world)
{
    pu_issuer_free(world->issuer);
    EVP_PKEY_free(world->pkey);
}


pu_reason_t
world_verify_bytes(const pu_issuer_t *issuer, pu_str_t text)
{
    uint8_t             *copy;
    pu_token_t           token;
    pu_reason_t          reason;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];

    /* exactly as long as the text: the sanitizer sees a step too far */

    copy = malloc(text.len + (text.len == 0));
    memcpy(copy, text.data, text.len);
    text.data = copy;

    items[0] = issuer;
    issuers = (pu_issuers_t) { 1, items, NULL };
    reason = pu_token_verify(&token, text, &issuers, MINT_NOW);

    if (ERR_peek_error() != 0 || (reason == PU_OK && token.claims == NULL)) {
        fprintf(stderr, "world: an error is left, or no claims are\n");
        exit(2);
    }

    pu_token_clear(&token);
    pu_token_clear(&token);
    free(copy);

    return reason;
}


pu_reason_t
world_verify(const pu_issuer_t *issuer, const char *text)
{
    return world_verify_bytes(issuer, pu_str(text));
}


static pu_reason_t
world_token(const world_t *world, pu_str_t header, pu_str_t payload)
{
    char         *text;
    pu_reason_t   reason;

    text = mint_token_bytes(world->pkey, PU_ES256, header, payload);
    reason = world_verify(world->issuer, text);
    free(text);

    return reason;
}


pu_reason_t
world_header_bytes(const world_t *world, pu_str_t header)
{
    return world_token(world, header, PU_STR(MINT_CLAIMS));
}


pu_reason_t
world_header(const world_t *world, const char *header)
{
    return world_header_bytes(world, pu_str(header));
}


pu_reason_t
world_payload(const world_t *world, pu_str_t payload)
{
    return world_token(world, PU_STR("{\"alg\":\"ES256\"}"), payload);
}
