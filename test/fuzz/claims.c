/*
 * claims: the bytes are a payload that the issuer has signed.  What is
 * accepted names somebody, is in force, and survives the shared memory.
 */

#include "fuzz.h"
#include "pu_json.h"
#include "pu_token.h"


/* A set: words in order, each once, one space between. */
static void
holds_set(pu_str_t set)
{
    pu_str_t  word, last;

    FUZZ_HOLDS(set.len == 0 || set.data[set.len - 1] != ' ');
    last = (pu_str_t) { 0, NULL };

    while (pu_word_next(&set, &word)) {
        FUZZ_HOLDS(last.len == 0 || pu_str_cmp(last, word) < 0);
        last = word;
    }
}


static void
holds_packed(const pu_verified_t *verified)
{
    size_t          len, n;
    uint8_t        *packed;
    pu_verified_t   again;

    len = 3 * PU_TOKEN_LEN_MAX;
    packed = malloc(len);
    n = pu_verified_pack(verified, packed, len);

    if (n != 0) {
        FUZZ_HOLDS(pu_verified_unpack(&again, packed, n));
        FUZZ_HOLDS(pu_str_eq(again.subject, verified->subject));
        FUZZ_HOLDS(pu_str_eq(again.roles, verified->roles));
        FUZZ_HOLDS(pu_str_eq(again.scopes, verified->scopes));
        FUZZ_HOLDS(again.exp == verified->exp);
        FUZZ_HOLDS(!pu_verified_unpack(&again, packed, n - 1));
        FUZZ_HOLDS(pu_verified_pack(verified, packed, n - 1) == 0);
    }

    free(packed);
}


static void
holds_claim(pu_str_t text, const char *name)
{
    int64_t   i, n;
    uint8_t  *out;

    out = malloc(PU_TOKEN_LEN_MAX);
    n = pu_token_claim(text, pu_str(name), out);
    FUZZ_HOLDS(n >= -2 && n <= PU_TOKEN_LEN_MAX);

    for (i = 0; i < n; i++) {
        FUZZ_HOLDS(out[i] >= 0x20 && out[i] != 0x7f);
    }

    free(out);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                *text;
    pu_token_t           token;
    pu_reason_t          reason;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];

    items[0] = fuzz_issuer();
    issuers = (pu_issuers_t) { 1, items, NULL };
    text = fuzz_token(PU_STR("{\"alg\":\"HS256\"}"),
                      (pu_str_t) { size, data });

    reason = pu_token_verify(&token, pu_str(text), &issuers, FUZZ_NOW);
    FUZZ_HOLDS(reason != PU_TOKEN_SIGNATURE && reason != PU_INTERNAL);

    if (reason == PU_OK) {
        FUZZ_HOLDS(token.verified.subject.len >= 1);
        FUZZ_HOLDS(token.verified.subject.len <= PU_SUBJECT_LEN_MAX);
        FUZZ_HOLDS(!pu_str_has_control(token.verified.subject));
        FUZZ_HOLDS(!pu_str_has_control(token.display));
        FUZZ_HOLDS(token.verified.exp > FUZZ_NOW - 30);
        FUZZ_HOLDS(pu_set_has(token.verified.roles, PU_STR("member")));
        holds_set(token.verified.roles);
        holds_set(token.verified.scopes);
        holds_packed(&token.verified);
    }

    if (reason != PU_TOKEN_PAYLOAD && reason != PU_TOKEN_MALFORMED
        && reason != PU_TOKEN_TOO_LARGE)
    {
        holds_claim(pu_str(text), "sub");
        holds_claim(pu_str(text), "realm");
        holds_claim(pu_str(text), "x");
    }

    pu_token_clear(&token);
    free(text);

    return 0;
}
