/*
 * dpop: a proof as it came, and urls.  Nobody of us has signed it: it is never
 * good.  A url is the same as another or it is not, whatever is in it.
 */

#include "fuzz.h"
#include "pu_dpop.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t            iat;
    uint8_t            id[PU_SHA256_LEN];
    pu_str_t           text, line, rest;
    pu_dpop_request_t  request;

    static const uint8_t  zero[PU_SHA256_LEN];

    text = (pu_str_t) { size, data };

    request = (pu_dpop_request_t) {
        PU_STR("GET"), PU_STR("https"), PU_STR("api.example"), 443, 8443,
        PU_STR("/a/b"), zero, zero, FUZZ_NOW
    };

    FUZZ_HOLDS(pu_dpop_check(text, &request, id, &iat) != PU_DPOP_OK);

    rest = text;

    while (fuzz_line(&rest, &line)) {
        (void) pu_dpop_url(line, &request);

        /* a path is the same as itself, or none at all */

        request.path = line;
        (void) pu_dpop_url(PU_STR("https://api.example/a"), &request);
    }

    return 0;
}
