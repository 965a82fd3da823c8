/*
 * authorization: the bytes are the value of a header.  Nothing of it is a
 * token but what follows one of two schemes, in one piece.
 */

#include "fuzz.h"
#include "pu_authorization.h"


static void
holds_token(pu_str_t value, const pu_authorization_t *a)
{
    size_t    len;
    pu_str_t  scheme;

    scheme = a->dpop ? PU_STR("dpop") : PU_STR("bearer");
    len = scheme.len;

    FUZZ_HOLDS(a->token.len != 0);
    FUZZ_HOLDS(fuzz_within(a->token, value.data, value.len));
    FUZZ_HOLDS(a->token.data + a->token.len == value.data + value.len);
    FUZZ_HOLDS(memchr(a->token.data, ' ', a->token.len) == NULL);
    FUZZ_HOLDS(memchr(a->token.data, ',', a->token.len) == NULL);

    FUZZ_HOLDS(value.len > len);
    FUZZ_HOLDS(pu_str_case_eq((pu_str_t) { len, value.data }, scheme));

    len = (size_t) (a->token.data - value.data) - len;
    FUZZ_HOLDS(len <= 1);
    FUZZ_HOLDS(len == 1 || a->token.data[0] == '\t');
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pu_str_t             value;
    pu_authorization_t   a;

    value = (pu_str_t) { size, data };

    switch (pu_authorization_read(&a, value)) {

    case PU_OK:
        holds_token(value, &a);
        break;

    case PU_TOKEN_MALFORMED:
        FUZZ_HOLDS(data[0] == '\t' && pu_str_eq(a.token, value));
        break;

    case PU_NO_CREDENTIAL:
    case PU_CREDENTIAL_MALFORMED:
        FUZZ_HOLDS(a.token.len == 0);
        break;

    default:
        FUZZ_HOLDS(0);
    }

    return 0;
}
