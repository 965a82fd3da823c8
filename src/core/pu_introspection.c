/*
 * pu_introspection: the question and the answer of RFC 7662.
 */

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "pu_introspection.h"
#include "pu_json.h"


int
pu_token_opaque(pu_str_t text)
{
    size_t          dots;
    const uint8_t  *p, *end;

    p = text.data;
    end = p + text.len;

    for (dots = 0; dots < 5 && p < end; dots++) {
        p = memchr(p, '.', (size_t) (end - p));

        if (p == NULL) {
            break;
        }

        p++;
    }

    return dots != 2 && dots != 4;
}


static int
pu_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
           || c == '~';
}


int
pu_token_opaque_ok(pu_str_t text)
{
    size_t  i;

    while (text.len != 0 && text.data[text.len - 1] == '=') {
        text.len--;
    }

    for (i = 0; i < text.len; i++) {
        if (!pu_unreserved(text.data[i]) && text.data[i] != '+'
            && text.data[i] != '/')
        {
            return 0;
        }
    }

    return text.len != 0;
}


/* application/x-www-form-urlencoded; "%20" is as good as "+". */
static void
pu_form_encode(pu_buf_t *b, pu_str_t s)
{
    size_t             i;
    static const char  hex[] = "0123456789ABCDEF";

    for (i = 0; i < s.len; i++) {
        if (pu_unreserved(s.data[i])) {
            pu_buf_char(b, s.data[i]);
            continue;
        }

        pu_buf_char(b, '%');
        pu_buf_char(b, hex[s.data[i] >> 4]);
        pu_buf_char(b, hex[s.data[i] & 15]);
    }
}


int
pu_introspection_form(pu_buf_t *b, pu_str_t text)
{
    pu_buf_text(b, "token=");
    pu_form_encode(b, text);
    pu_buf_text(b, "&token_type_hint=access_token");

    return !b->full;
}


int
pu_introspection_basic(pu_buf_t *b, pu_str_t client_id, pu_str_t secret)
{
    int        n;
    size_t     size;
    uint8_t   *plain;
    pu_buf_t   text;

    size = 3 * (client_id.len + secret.len) + 1;
    plain = malloc(size);

    if (plain == NULL) {
        return 0;
    }

    pu_buf_init(&text, plain, size);
    pu_form_encode(&text, client_id);
    pu_buf_char(&text, ':');
    pu_form_encode(&text, secret);

    size = pu_buf_written(&text).len;
    pu_buf_text(b, "Basic ");

    /* EVP_EncodeBlock adds a NUL */

    n = -1;

    if (!b->full && (size_t) (b->end - b->pos) > 4 * ((size + 2) / 3)) {
        n = EVP_EncodeBlock(b->pos, plain, (int) size);
        b->pos += (n > 0) ? n : 0;
    }

    OPENSSL_cleanse(plain, size);
    free(plain);

    return n > 0;
}


/* RFC 7662 section 2.2: "active" is a boolean, and nothing stands in for it. */
static pu_reason_t
pu_introspection_active(const json_t *claims)
{
    json_t  *active;

    active = json_object_get(claims, "active");

    if (!json_is_boolean(active)) {
        return PU_ISSUER_UNAVAILABLE;
    }

    return json_is_true(active) ? PU_OK : PU_TOKEN_INACTIVE;
}


/*
 * An issuer may know a refresh token as well: by RFC 6749 section 7.1 only
 * an access token has one of these types, if the answer names a type.
 */
static int
pu_introspection_type(const json_t *claims)
{
    json_t    *type;
    pu_str_t   name;

    type = json_object_get(claims, "token_type");

    return type == NULL
           || (pu_json_str(type, &name)
               && (pu_str_case_eq(name, PU_STR("Bearer"))
                   || pu_str_case_eq(name, PU_STR("DPoP"))));
}


static int
pu_introspection_issuer(const json_t *claims, const pu_issuer_t *issuer)
{
    json_t    *iss;
    pu_str_t   url;

    iss = json_object_get(claims, "iss");

    return iss == NULL
           || (pu_json_str(iss, &url) && pu_str_eq(url, issuer->url));
}


pu_reason_t
pu_introspection_read(pu_token_t *token, pu_str_t text,
    const pu_issuer_t *issuer, int64_t now)
{
    pu_reason_t                     reason;
    static const pu_json_limits_t   limits = { PU_INTROSPECTION_MAX, 16,
                                               256 };

    memset(token, 0, sizeof(pu_token_t));

    token->issuer = issuer;
    token->hidden = 1;
    token->claims = pu_json_object(text, &limits);

    if (token->claims == NULL) {
        return PU_ISSUER_UNAVAILABLE;
    }

    reason = pu_introspection_active(token->claims);

    if (reason != PU_OK) {
        return reason;
    }

    if (!pu_introspection_issuer(token->claims, issuer)) {
        return PU_TOKEN_ISSUER;
    }

    if (!pu_introspection_type(token->claims)) {
        return PU_TOKEN_TYPE;
    }

    memcpy(token->verified.issuer, issuer->fingerprint, PU_FINGERPRINT_LEN);

    return pu_token_accept(token, text, now);
}
