/*
 * header: the bytes are a JOSE header, rightly encoded and signed.  What of it
 * is accepted has an algorithm we know, a kid that is one, no extension.
 */

#include "fuzz.h"
#include "pu_json.h"
#include "pu_token.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char         *text;
    pu_jws_t      jws;
    pu_str_t      alg;
    pu_reason_t   reason, signature;

    text = fuzz_token((pu_str_t) { size, data }, PU_STR("{}"));
    reason = pu_jws_read(&jws, pu_str(text));

    if (reason == PU_OK) {
        FUZZ_HOLDS(jws.alg > PU_ALG_NONE && jws.alg < PU_ALG_COUNT);
        FUZZ_HOLDS(pu_json_str(json_object_get(jws.header, "alg"), &alg));
        FUZZ_HOLDS(pu_str_is(alg, pu_alg_name(jws.alg)));
        FUZZ_HOLDS(jws.kid.len <= PU_KID_LEN_MAX);
        FUZZ_HOLDS(!pu_str_has_control(jws.kid));
        FUZZ_HOLDS(json_object_get(jws.header, "crit") == NULL);
        FUZZ_HOLDS(json_object_get(jws.header, "b64") == NULL);
        FUZZ_HOLDS(json_object_get(jws.header, "zip") == NULL);
        FUZZ_HOLDS(json_object_get(jws.header, "enc") == NULL);
        FUZZ_HOLDS(pu_str_is(jws.payload, "{}"));
    }

    /* the issuer's list decides, whatever the header says */

    signature = pu_token_signature(pu_str(text), fuzz_issuer());
    FUZZ_HOLDS(signature != PU_OK
               || (reason == PU_OK && jws.alg == PU_HS256));
    FUZZ_HOLDS(signature != PU_TOKEN_SIGNATURE);

    pu_jws_clear(&jws);
    free(text);

    return 0;
}
