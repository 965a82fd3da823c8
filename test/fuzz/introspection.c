/*
 * introspection: the bytes are an issuer's answer about a token, and the
 * token.  Nobody comes in without "active", an audience and an end.
 */

#include "fuzz.h"
#include "pu_introspection.h"


static void
holds_question(pu_str_t text)
{
    uint8_t   *room;
    size_t     size;
    pu_buf_t   b;

    size = PU_INTROSPECTION_FORM(text.len);
    room = malloc(size);
    pu_buf_init(&b, room, size);
    FUZZ_HOLDS(pu_introspection_form(&b, text));
    FUZZ_HOLDS(memchr(room, '\n', pu_buf_written(&b).len) == NULL);
    free(room);

    if (pu_token_opaque_ok(text)) {
        FUZZ_HOLDS(memchr(text.data, ' ', text.len) == NULL);
    }

    (void) pu_token_opaque(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t       *active;
    uint8_t      *packed;
    pu_str_t      text;
    pu_token_t    token;
    pu_reason_t   reason;

    text = (pu_str_t) { size, data };
    holds_question(text);

    reason = pu_introspection_read(&token, text, fuzz_issuer(), FUZZ_NOW);
    FUZZ_HOLDS(reason != PU_INTERNAL && reason < PU_REASON_COUNT);

    if (reason == PU_OK) {
        active = json_object_get(token.claims, "active");
        FUZZ_HOLDS(json_is_true(active) && size <= PU_INTROSPECTION_MAX);
        FUZZ_HOLDS(token.verified.exp + 300 > FUZZ_NOW);
        FUZZ_HOLDS(token.verified.subject.len != 0);

        packed = malloc(4 * PU_INTROSPECTION_MAX);
        FUZZ_HOLDS(pu_verified_pack(&token.verified, packed,
                                    4 * PU_INTROSPECTION_MAX) != 0);
        free(packed);
    }

    pu_token_clear(&token);

    return 0;
}
