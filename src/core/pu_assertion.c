/*
 * pu_assertion: what is said of the proxy user to a backend; see the header.
 */

#include "pu_assertion.h"
#include "pu_json.h"
#include "pu_user.h"


#define PU_JTI_LEN                22
#define PU_ASSERTION_CLAIMS_MAX   8192


int64_t
pu_assertion_exp(int64_t now, int64_t ttl, const int64_t *limits, size_t n)
{
    size_t   i;
    int64_t  exp;

    exp = now + ttl;

    for (i = 0; i < n; i++) {
        if (limits[i] < exp) {
            exp = limits[i];
        }
    }

    return (exp > now) ? exp : 0;
}


int
pu_assertion_usable(int64_t now, int64_t iat, int64_t exp)
{
    return now >= iat && now < exp && now - iat <= (exp - iat) / 2;
}


static void
pu_assertion_text(pu_buf_t *b, const char *name, pu_str_t value)
{
    if (value.len == 0) {
        return;
    }

    pu_buf_text(b, ",\"");
    pu_buf_text(b, name);
    pu_buf_text(b, "\":");
    pu_json_quote(b, value);
}


static void
pu_assertion_claims(pu_buf_t *b, const pu_assertion_t *a, pu_str_t jti)
{
    pu_str_t  name;

    name = pu_str_has_control(a->name) ? PU_STR("") : a->name;

    pu_buf_text(b, "{\"iat\":");
    pu_buf_int(b, a->iat);
    pu_buf_text(b, ",\"exp\":");
    pu_buf_int(b, a->exp);

    pu_assertion_text(b, "iss", a->issuer);
    pu_assertion_text(b, "aud", a->audience);
    pu_assertion_text(b, "sub", a->subject);
    pu_assertion_text(b, "name", name);
    pu_assertion_text(b, "client", a->client);
    pu_assertion_text(b, "jti", jti);

    pu_buf_text(b, ",\"roles\":");
    pu_json_words(b, a->roles);
    pu_buf_text(b, ",\"scopes\":");
    pu_json_words(b, a->scopes);
    pu_buf_char(b, '}');
    pu_buf_char(b, '\0');
}


int
pu_assertion_sign(const pu_signer_t *signer,
    const pu_assertion_t *assertion, pu_buf_t *out)
{
    char      jti[PU_JTI_LEN], claims[PU_ASSERTION_CLAIMS_MAX];
    size_t    before;
    pu_buf_t  b;

    if (!pu_random_id(jti)) {
        return 0;
    }

    pu_buf_init(&b, claims, sizeof(claims));
    pu_assertion_claims(&b, assertion,
                        (pu_str_t) { PU_JTI_LEN, (uint8_t *) jti });

    before = pu_buf_written(out).len;

    return !b.full
           && pu_signer_sign(signer, claims, out)
           && pu_buf_written(out).len - before <= PU_ASSERTION_LEN_MAX;
}
