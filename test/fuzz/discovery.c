/*
 * discovery: the first line is an issuer's url, the rest its discovery
 * document.  What comes out of it is a url that may be fetched.
 */

#include "fuzz.h"
#include "pu_discovery.h"
#include "pu_refresh.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t   fresh;
    char      err[PU_ERROR_SIZE], uri[PU_URL_LEN_MAX];
    pu_buf_t  b;
    pu_str_t  rest, issuer;

    rest = (pu_str_t) { size, data };

    if (!fuzz_line(&rest, &issuer)) {
        return 0;
    }

    err[0] = '\0';
    pu_buf_init(&b, uri, sizeof(uri));

    if (pu_discovery_read(rest, issuer, &b, err)) {
        FUZZ_HOLDS(!b.full && pu_issuer_url_ok(pu_buf_written(&b)));

    } else {
        FUZZ_HOLDS(err[0] != '\0' && strchr(err, '\n') == NULL);
    }

    fresh = pu_refresh_fresh(issuer, PU_STR("5"));
    FUZZ_HOLDS(fresh >= -1 && fresh <= 366 * 86400);

    return 0;
}
