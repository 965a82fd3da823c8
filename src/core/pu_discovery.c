/*
 * pu_discovery: where an issuer's keys are, as its discovery document says.
 */

#include <stdio.h>

#include "pu_discovery.h"
#include "pu_issuer.h"
#include "pu_json.h"


#define PU_DISCOVERY_PATH   "/.well-known/openid-configuration"
#define PU_SHOWN_MAX        200


void
pu_discovery_url(pu_buf_t *b, pu_str_t issuer)
{
    if (issuer.len != 0 && issuer.data[issuer.len - 1] == '/') {
        issuer.len--;
    }

    pu_buf_str(b, issuer);
    pu_buf_text(b, PU_DISCOVERY_PATH);
}


/* A value from outside, fit for a log line. */
static void
pu_shown_value(char out[PU_SHOWN_MAX + 1], pu_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len && i < PU_SHOWN_MAX; i++) {
        out[i] = (s.data[i] > 0x20 && s.data[i] < 0x7f && s.data[i] != '"')
                 ? (char) s.data[i] : '?';
    }

    out[i] = '\0';
}


static int
pu_discovery_values(const json_t *document, pu_str_t issuer, pu_buf_t *b,
    char *err)
{
    char      shown[PU_SHOWN_MAX + 1];
    pu_str_t  value;

    if (!pu_json_str(json_object_get(document, "issuer"), &value)) {
        snprintf(err, PU_ERROR_SIZE, "the discovery document has no "
                 "\"issuer\"");
        return 0;
    }

    if (!pu_str_eq(value, issuer)) {
        pu_shown_value(shown, value);
        snprintf(err, PU_ERROR_SIZE, "the discovery document is of the "
                 "issuer \"%s\", which is another one", shown);
        return 0;
    }

    if (!pu_json_str(json_object_get(document, "jwks_uri"), &value)
        || value.len > PU_URL_LEN_MAX || !pu_issuer_url_ok(value))
    {
        snprintf(err, PU_ERROR_SIZE, "the discovery document has no "
                 "\"jwks_uri\" that is an https url, or an http url of a "
                 "loopback address");
        return 0;
    }

    pu_buf_str(b, value);

    if (b->full) {
        snprintf(err, PU_ERROR_SIZE, "the \"jwks_uri\" of the discovery "
                 "document is too long");
        return 0;
    }

    return 1;
}


int
pu_discovery_read(pu_str_t text, pu_str_t issuer, pu_buf_t *b,
    char err[PU_ERROR_SIZE])
{
    int                             ok;
    json_t                         *document;
    static const pu_json_limits_t   limits = { PU_JWKS_SIZE_MAX, 16, 256 };

    document = pu_json_object(text, &limits);

    if (document == NULL) {
        snprintf(err, PU_ERROR_SIZE, "the discovery document is no JSON "
                 "object");
        return 0;
    }

    ok = pu_discovery_values(document, issuer, b, err);

    json_decref(document);

    return ok;
}
