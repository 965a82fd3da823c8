/* base64url: what decodes encodes to the same text, and nothing else does. */

#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char     *again;
    int64_t   n;
    uint8_t  *out;

    out = malloc(size * 3 / 4 + 1);
    again = malloc(size + 4);

    n = pu_base64url_decode(out, (pu_str_t) { size, data });

    FUZZ_HOLDS(n >= -1 && n <= (int64_t) (size * 3 / 4));

    if (n != -1) {
        FUZZ_HOLDS(pu_base64url_encode(again, out, (size_t) n) == size);
        FUZZ_HOLDS(size == 0 || memcmp(again, data, size) == 0);
    }

    free(again);

    /* and the other way round, for every input */

    again = malloc(PU_BASE64URL_LEN(size) + 1);
    free(out);
    out = malloc(size + 3);

    n = (int64_t) pu_base64url_encode(again, data, size);
    FUZZ_HOLDS(n == (int64_t) PU_BASE64URL_LEN(size));
    n = pu_base64url_decode(out, (pu_str_t) { (size_t) n, (uint8_t *) again });
    FUZZ_HOLDS(n == (int64_t) size);
    FUZZ_HOLDS(size == 0 || memcmp(out, data, size) == 0);

    free(again);
    free(out);

    return 0;
}
