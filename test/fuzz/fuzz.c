/*
 * fuzz: what the fuzz targets share.
 */

#include <openssl/hmac.h>

#include "fuzz.h"


int
fuzz_within(pu_str_t s, const void *data, size_t size)
{
    const uint8_t  *start;

    start = data;

    return s.len == 0
           || (s.data >= start && s.len <= size
               && (size_t) (s.data - start) <= size - s.len);
}


int
fuzz_line(pu_str_t *rest, pu_str_t *line)
{
    const uint8_t  *lf;

    if (rest->len == 0) {
        return 0;
    }

    lf = memchr(rest->data, '\n', rest->len);

    *line = *rest;

    if (lf == NULL) {
        rest->len = 0;
        return 1;
    }

    line->len = (size_t) (lf - rest->data);
    rest->data = lf + 1;
    rest->len -= line->len + 1;

    return 1;
}


static void
fuzz_set(pu_issuer_t *issuer, const char *text)
{
    char       err[PU_ERROR_SIZE];
    size_t     n;
    pu_str_t   rest, words[8];

    rest = pu_str(text);

    for (n = 0; n < 8 && pu_word_next(&rest, &words[n]); n++) { /* void */ }

    FUZZ_HOLDS(pu_issuer_set(issuer, words, n, NULL, NULL, err));
}


const pu_issuer_t *
fuzz_issuer(void)
{
    char                 err[PU_ERROR_SIZE];
    size_t               i;
    static pu_issuer_t  *issuer;

    static const char *const  lines[] = {
        "issuer https://idp.example", "audience api", "algorithms HS256",
        "audience_claim aud client_id", "claim use access 1 true",
        "role_claim realm roles", "scope_claim scope",
        "role_map admins admin team:a", "role_map users user",
        "default_role member", "max_age 1h", "name nick name",
        "token_type JWT at+jwt absent ID"
    };

    if (issuer != NULL) {
        return issuer;
    }

    issuer = pu_issuer_new(PU_STR("fuzz"));
    FUZZ_HOLDS(issuer != NULL);

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        fuzz_set(issuer, lines[i]);
    }

    issuer->keys = pu_keys_secret(PU_STR(FUZZ_SECRET), err);
    issuer->secret = 1;
    FUZZ_HOLDS(pu_issuer_finish(issuer, err));

    return issuer;
}


char *
fuzz_token(pu_str_t header, pu_str_t payload)
{
    char      *text, *p;
    uint8_t    mac[EVP_MAX_MD_SIZE];
    unsigned   len;

    text = malloc(PU_BASE64URL_LEN(header.len) + PU_BASE64URL_LEN(payload.len)
                  + PU_BASE64URL_LEN(sizeof(mac)) + 3);
    FUZZ_HOLDS(text != NULL);

    p = text + pu_base64url_encode(text, header.data, header.len);
    *p++ = '.';
    p += pu_base64url_encode(p, payload.data, payload.len);

    len = sizeof(mac);
    HMAC(EVP_sha256(), FUZZ_SECRET, sizeof(FUZZ_SECRET) - 1,
         (const uint8_t *) text, (size_t) (p - text), mac, &len);

    *p++ = '.';
    p += pu_base64url_encode(p, mac, len);
    *p = '\0';

    return text;
}
