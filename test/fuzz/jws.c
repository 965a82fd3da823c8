/*
 * jws: the bytes are a token as it came.  Nobody has signed it: it is refused,
 * and so is the question for one of its claims when it has no three parts.
 */

#include "fuzz.h"
#include "pu_json.h"
#include "pu_token.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t              n;
    uint8_t             *out;
    pu_jws_t             jws;
    pu_str_t             text;
    pu_token_t           token;
    pu_reason_t          reason;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[2];

    text = (pu_str_t) { size, data };
    items[0] = fuzz_issuer();
    items[1] = items[0];

    if (pu_jws_read(&jws, text) == PU_OK) {
        FUZZ_HOLDS(fuzz_within(jws.signed_bytes, data, size));
        FUZZ_HOLDS(jws.payload.len != 0 && jws.signature.len != 0);
        FUZZ_HOLDS(size <= PU_JWS_LEN_MAX);
    }

    pu_jws_clear(&jws);

    issuers = (pu_issuers_t) { 0, items, NULL };

    for ( /* void */ ; issuers.n <= 2; issuers.n++) {
        reason = pu_token_verify(&token, text, &issuers, FUZZ_NOW);
        FUZZ_HOLDS(reason != PU_INTERNAL && reason < PU_REASON_COUNT);
        FUZZ_HOLDS(reason != PU_OK || issuers.n != 0);
        FUZZ_HOLDS(size <= PU_TOKEN_LEN_MAX || reason == PU_TOKEN_TOO_LARGE);
        pu_token_clear(&token);
    }

    /* asked of tokens that have been verified before; others must be safe */

    out = malloc(PU_TOKEN_LEN_MAX);
    reason = pu_token_signature(text, items[0]);
    n = (reason == PU_OK) ? pu_token_claim(text, PU_STR("sub"), out) : -1;
    FUZZ_HOLDS(n >= -2 && n <= PU_TOKEN_LEN_MAX);
    free(out);

    return 0;
}
