/*
 * pu_dpop: a DPoP proof, in the order in which it is refused: form, header,
 * key, claims, signature.
 */

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "pu_dpop.h"
#include "pu_json.h"
#include "pu_jwk.h"
#include "pu_jws.h"
#include "pu_memory.h"
#include "pu_user.h"


#define PU_DPOP_JTI_MAX   255
#define PU_DPOP_PATH_MAX  4096


/* The rest of "s" after "n" bytes. */
static pu_str_t
pu_rest(pu_str_t s, size_t n)
{
    return (pu_str_t) { s.len - n, s.data + n };
}


/* What is before the first of these bytes, cut off "s". */
static pu_str_t
pu_until(pu_str_t *s, const char *bytes)
{
    size_t    n;
    pu_str_t  part;

    for (n = 0; n < s->len && strchr(bytes, s->data[n]) == NULL; n++) {
        if (s->data[n] == '\0') {
            break;
        }
    }

    part = (pu_str_t) { n, s->data };
    *s = pu_rest(*s, n);

    return part;
}


/* RFC 3986 section 2.3 */
static int
pu_unreserved(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
           || c == '~';
}


/* Percent-encoding where it is needed, in capitals, and nowhere else. */
static int
pu_path_decode(pu_buf_t *b, pu_str_t path)
{
    int              high, low, c;
    size_t           i;
    static const char  digits[] = "0123456789ABCDEF";

    for (i = 0; i < path.len; i++) {

        if (path.data[i] != '%') {
            pu_buf_char(b, path.data[i]);
            continue;
        }

        high = (i + 2 < path.len) ? pu_hex_digit(path.data[i + 1]) : -1;
        low = (high == -1) ? -1 : pu_hex_digit(path.data[i + 2]);

        if (low == -1) {
            return 0;
        }

        c = high << 4 | low;
        i += 2;

        if (pu_unreserved(c)) {
            pu_buf_char(b, c);
            continue;
        }

        pu_buf_char(b, '%');
        pu_buf_char(b, digits[high]);
        pu_buf_char(b, digits[low]);
    }

    return !b->full;
}


/* RFC 3986 section 5.2.4, in place, for a path that begins with a slash. */
static void
pu_path_dots(pu_buf_t *b)
{
    uint8_t   *out;
    pu_str_t   rest, segment;

    rest = pu_buf_written(b);
    out = b->start;

    while (rest.len != 0) {
        rest = pu_rest(rest, 1);
        segment = pu_until(&rest, "/");

        if (pu_str_is(segment, ".") || pu_str_is(segment, "..")) {

            if (segment.len == 2) {
                while (out > b->start && *--out != '/') { /* void */ }
            }

            if (rest.len == 0) {
                *out++ = '/';
            }

            continue;
        }

        *out++ = '/';
        memmove(out, segment.data, segment.len);
        out += segment.len;
    }

    b->pos = out;
}


static int
pu_path_normal(pu_buf_t *b, pu_str_t path)
{
    if (path.len == 0) {
        path = PU_STR("/");
    }

    if (path.data[0] != '/' || !pu_path_decode(b, path)) {
        return 0;
    }

    pu_path_dots(b);

    return 1;
}


static int
pu_path_same(pu_str_t x, pu_str_t y)
{
    uint8_t   room_x[PU_DPOP_PATH_MAX], room_y[PU_DPOP_PATH_MAX];
    pu_buf_t  a, b;

    pu_buf_init(&a, room_x, sizeof(room_x));
    pu_buf_init(&b, room_y, sizeof(room_y));

    return pu_path_normal(&a, x) && pu_path_normal(&b, y)
           && pu_str_eq(pu_buf_written(&a), pu_buf_written(&b));
}


/* "host[:port]" or "[address][:port]", as it stands after the slashes. */
static int
pu_authority_same(pu_str_t authority, const pu_dpop_request_t *request)
{
    int64_t   port;
    size_t    n;
    pu_str_t  host;

    port = pu_str_is(request->scheme, "https") ? 443 : 80;

    for (n = authority.len; n > 0 && authority.data[n - 1] != ':'; n--) {
        if (authority.data[n - 1] == ']') {
            n = 0;
            break;
        }
    }

    host = authority;

    if (n > 0) {
        host.len = n - 1;
        authority = pu_rest(authority, n);

        /* an empty port is the default one */

        if (authority.len != 0
            && (authority.data[0] < '0' || authority.data[0] > '9'
                || !pu_str_int(authority, &port)))
        {
            return 0;
        }
    }

    return host.len != 0 && pu_str_case_eq(host, request->host)
           && (port == (int64_t) request->port
               || port == (int64_t) request->local);
}


int
pu_dpop_url(pu_str_t url, const pu_dpop_request_t *request)
{
    size_t    n;
    pu_str_t  scheme, authority, path;

    n = request->scheme.len;

    if (url.len < n + 3 || pu_str_has_control(url)) {
        return 0;
    }

    scheme = (pu_str_t) { n, url.data };
    url = pu_rest(url, n);

    if (!pu_str_case_eq(scheme, request->scheme)
        || !pu_str_starts(url, "://"))
    {
        return 0;
    }

    url = pu_rest(url, 3);
    authority = pu_until(&url, "/?#");
    path = pu_until(&url, "?#");

    return pu_authority_same(authority, request)
           && pu_path_same(path, request->path);
}


/* A string claim; 1 or 0. */
static int
pu_dpop_text(const json_t *claims, const char *name, pu_str_t *s)
{
    return pu_json_str(json_object_get(claims, name), s) && s->len != 0
           && memchr(s->data, '\0', s->len) == NULL;
}


/* ath: the hash of the very token it came with. */
static int
pu_dpop_token(const json_t *claims, const pu_dpop_request_t *request)
{
    char      text[PU_DIGEST_TEXT_LEN];
    pu_str_t  ath;

    (void) pu_base64url_encode(text, request->token, PU_SHA256_LEN);

    return pu_dpop_text(claims, "ath", &ath) && ath.len == sizeof(text)
           && CRYPTO_memcmp(ath.data, text, sizeof(text)) == 0;
}


static int
pu_dpop_claims(const json_t *claims, const pu_dpop_request_t *request,
    pu_str_t *jti, int64_t *iat)
{
    pu_str_t  htm, htu;

    if (!pu_dpop_text(claims, "jti", jti) || jti->len > PU_DPOP_JTI_MAX
        || !pu_dpop_text(claims, "htm", &htm)
        || !pu_dpop_text(claims, "htu", &htu)
        || !pu_json_date(json_object_get(claims, "iat"), iat))
    {
        return 0;
    }

    return pu_str_eq(htm, request->method)
           && pu_dpop_url(htu, request)
           && *iat >= request->now - PU_DPOP_PAST
           && *iat <= request->now + PU_DPOP_FUTURE
           && pu_dpop_token(claims, request);
}


/* The key that the proof brings: public, fit to verify, and the right one. */
static pu_dpop_t
pu_dpop_key(const json_t *header, const pu_dpop_request_t *request,
    pu_keys_t **keys)
{
    char     err[PU_ERROR_SIZE];
    json_t  *jwk;

    jwk = json_object_get(header, "jwk");

    if (!json_is_object(jwk) || pu_jwk_is_secret(jwk)) {
        return PU_DPOP_INVALID;
    }

    *keys = pu_keys_one(jwk, err);

    if (*keys == NULL) {
        return PU_DPOP_INVALID;
    }

    /* of a kid in the header nothing follows: there is but this key */

    (*keys)->keys[0].any_kid = 1;

    return CRYPTO_memcmp((*keys)->keys[0].thumbprint, request->jkt,
                         PU_SHA256_LEN) == 0
           ? PU_DPOP_OK : PU_DPOP_OTHER_KEY;
}


/* Two keys may use one name: it is remembered with the key. */
static pu_dpop_t
pu_dpop_id(const pu_dpop_request_t *request, pu_str_t jti,
    uint8_t id[PU_SHA256_LEN])
{
    char      text[PU_DIGEST_TEXT_LEN];
    pu_str_t  parts[PU_HANDLE_PARTS];

    (void) pu_base64url_encode(text, request->jkt, PU_SHA256_LEN);

    pu_handle_parts(parts, (pu_str_t) { sizeof(text),
                                        (const uint8_t *) text }, jti);

    return pu_sha256(id, parts, PU_HANDLE_PARTS) ? PU_DPOP_OK
                                                 : PU_DPOP_FAILED;
}


static pu_dpop_t
pu_dpop_signed(const pu_jws_t *jws, const pu_dpop_request_t *request,
    const pu_keys_t *keys, uint8_t id[PU_SHA256_LEN], int64_t *iat)
{
    json_t                *claims;
    pu_str_t               jti;
    pu_dpop_t              result;
    const pu_key_t        *key;
    const pu_json_limits_t  limits = { jws->payload.len, 16, 64 };

    if (pu_jws_verify(jws, keys, &key) != PU_OK) {
        return PU_DPOP_INVALID;
    }

    claims = pu_json_object(jws->payload, &limits);

    result = (claims != NULL && pu_dpop_claims(claims, request, &jti, iat))
             ? pu_dpop_id(request, jti, id) : PU_DPOP_INVALID;

    json_decref(claims);

    return result;
}


pu_dpop_t
pu_dpop_check(pu_str_t proof, const pu_dpop_request_t *request,
    uint8_t id[PU_SHA256_LEN], int64_t *iat)
{
    pu_str_t    typ;
    pu_jws_t    jws;
    pu_dpop_t   result;
    pu_keys_t  *keys;

    if (proof.len > PU_DPOP_LEN_MAX) {
        return PU_DPOP_INVALID;
    }

    keys = NULL;
    result = PU_DPOP_INVALID;
    pu_memory_watch();

    /* a shared secret is no key of a jwk: the HS algorithms find none */

    if (pu_jws_read(&jws, proof) == PU_OK
        && pu_json_str(jws.typ, &typ)
        && pu_str_case_eq(typ, PU_STR("dpop+jwt")))
    {
        result = pu_dpop_key(jws.header, request, &keys);
    }

    if (result == PU_DPOP_OK) {
        result = pu_dpop_signed(&jws, request, keys, id, iat);
    }

    if (result != PU_DPOP_OK && pu_memory_short()) {
        result = PU_DPOP_FAILED;
    }

    pu_keys_free(keys);
    pu_jws_clear(&jws);

    if (result != PU_DPOP_OK) {
        ERR_clear_error();
    }

    return result;
}
