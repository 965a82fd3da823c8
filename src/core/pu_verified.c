/*
 * pu_verified: what is kept of a verified token, and what has to be asked of
 * it again at every use.
 */

#include "pu_json.h"
#include "pu_token.h"


/* In front of the bytes; the same program writes and reads it. */
typedef struct {
    uint8_t   issuer[PU_FINGERPRINT_LEN];
    uint8_t   key[PU_KEY_MARK_LEN];
    int64_t   exp;
    int64_t   nbf;
    int64_t   iat;
    uint8_t   bound;                    /* PU_PACKED_CERT, PU_PACKED_KEY */
    uint16_t  subject;
    uint16_t  roles;
    uint16_t  scopes;
    uint32_t  claims;
} __attribute__((packed)) pu_packed_t;

#define PU_PACKED_CERT  1
#define PU_PACKED_KEY   2


/*
 * a + b, or the end of the scale: dates come from outside.  What is added,
 * from the configuration, is not negative.
 */
static int64_t
pu_time_add(int64_t a, int64_t b)
{
    int64_t  sum;

    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}


pu_reason_t
pu_token_times(const pu_verified_t *verified, const pu_issuer_t *issuer,
    int64_t now)
{
    int64_t  latest;

    if (now >= pu_time_add(verified->exp, issuer->leeway)) {
        return PU_TOKEN_EXPIRED;
    }

    latest = pu_time_add(now, issuer->leeway);

    if (verified->nbf != PU_TIME_NONE && verified->nbf > latest) {
        return PU_TOKEN_NOT_YET_VALID;
    }

    if (verified->iat != PU_TIME_NONE && verified->iat > latest) {
        return PU_TOKEN_NOT_YET_VALID;
    }

    if (issuer->max_age == 0) {
        return PU_OK;
    }

    /* of a token that does not say how old it is, nobody knows that */

    if (verified->iat == PU_TIME_NONE) {
        return PU_TOKEN_CLAIMS;
    }

    latest = pu_time_add(verified->iat, issuer->max_age + issuer->leeway);

    return (now > latest) ? PU_TOKEN_TOO_OLD : PU_OK;
}


const pu_keys_t *
pu_issuers_keys(const pu_issuers_t *issuers, size_t i)
{
    return issuers->keys != NULL ? issuers->keys[i] : issuers->items[i]->keys;
}


/* A mark is a digest: none is all zeros. */
static int
pu_proof_in_force(const pu_verified_t *verified, const pu_issuer_t *issuer,
    const pu_keys_t *keys)
{
    static const uint8_t  asked[PU_KEY_MARK_LEN];

    if (memcmp(verified->key, asked, PU_KEY_MARK_LEN) == 0) {
        return issuer->introspection.len != 0;
    }

    return pu_keys_marked(keys, verified->key) != NULL;
}


const pu_issuer_t *
pu_token_in_force(const pu_verified_t *verified, const pu_issuers_t *issuers)
{
    size_t              i;
    const pu_issuer_t  *issuer;

    for (i = 0; i < issuers->n; i++) {
        issuer = issuers->items[i];

        if (memcmp(issuer->fingerprint, verified->issuer, PU_FINGERPRINT_LEN)
            == 0)
        {
            return pu_proof_in_force(verified, issuer,
                                     pu_issuers_keys(issuers, i))
                   ? issuer : NULL;
        }
    }

    return NULL;
}


/* The member's value as written, by its name or its only case variant. */
static int
pu_claim_find(pu_str_t payload, pu_str_t name, pu_str_t *raw)
{
    int       variants;
    pu_str_t  member, value;

    variants = 0;

    while (pu_json_raw_next(&payload, &member, &value)) {
        if (pu_json_raw_is(member, name, 0)) {
            *raw = value;
            return 1;
        }

        if (pu_json_raw_is(member, name, 1)) {
            *raw = value;
            variants++;
        }
    }

    return variants == 1;
}


/* The payload as it is in the text; 0 when that has no three parts. */
static int
pu_claim_payload(pu_str_t text, pu_str_t *payload)
{
    const uint8_t  *first, *second, *end;

    if (text.len == 0 || text.len > PU_TOKEN_LEN_MAX) {
        return 0;
    }

    end = text.data + text.len;
    first = memchr(text.data, '.', text.len);

    if (first == NULL) {
        return 0;
    }

    second = memchr(first + 1, '.', (size_t) (end - first) - 1);

    if (second == NULL
        || memchr(second + 1, '.', (size_t) (end - second) - 1) != NULL)
    {
        return 0;
    }

    *payload = (pu_str_t) { (size_t) (second - first) - 1, first + 1 };

    return 1;
}


int64_t
pu_claims_claim(pu_str_t claims, pu_str_t name, uint8_t *out)
{
    pu_buf_t   b;
    pu_str_t   raw, value;

    if (!pu_claim_find(claims, name, &raw)) {
        return -1;
    }

    pu_buf_init(&b, out, claims.len);

    if (raw.data[0] != '"') {
        pu_json_compact(&b, raw);

    } else if (!pu_json_unquote(&b, raw)) {
        return -1;
    }

    value = pu_buf_written(&b);

    return pu_str_has_control(value) ? -2 : (int64_t) value.len;
}


int64_t
pu_token_claim(pu_str_t text, pu_str_t name, uint8_t *out)
{
    int64_t   n;
    uint8_t   claims[PU_TOKEN_LEN_MAX];
    pu_str_t  payload;

    if (!pu_claim_payload(text, &payload)) {
        return -1;
    }

    n = pu_base64url_decode(claims, payload);

    return (n < 0) ? -1
                   : pu_claims_claim((pu_str_t) { (size_t) n, claims }, name,
                                     out);
}


static int
pu_packed_fits(const pu_verified_t *verified)
{
    return verified->subject.len <= UINT16_MAX
           && verified->roles.len <= UINT16_MAX
           && verified->scopes.len <= UINT16_MAX
           && verified->claims.len <= UINT32_MAX;
}


size_t
pu_verified_pack(const pu_verified_t *verified, uint8_t *out, size_t size)
{
    pu_buf_t     b;
    pu_packed_t  packed;

    if (!pu_packed_fits(verified)) {
        return 0;
    }

    memcpy(packed.issuer, verified->issuer, PU_FINGERPRINT_LEN);
    memcpy(packed.key, verified->key, PU_KEY_MARK_LEN);
    packed.exp = verified->exp;
    packed.nbf = verified->nbf;
    packed.iat = verified->iat;
    packed.bound = (verified->bound_cert ? PU_PACKED_CERT : 0)
                   | (verified->bound_key ? PU_PACKED_KEY : 0);
    packed.subject = (uint16_t) verified->subject.len;
    packed.roles = (uint16_t) verified->roles.len;
    packed.scopes = (uint16_t) verified->scopes.len;
    packed.claims = (uint32_t) verified->claims.len;

    pu_buf_init(&b, out, size);
    pu_buf_put(&b, &packed, sizeof(packed));

    if (verified->bound_cert) {
        pu_buf_put(&b, verified->cert, PU_SHA256_LEN);
    }

    if (verified->bound_key) {
        pu_buf_put(&b, verified->jkt, PU_SHA256_LEN);
    }

    pu_buf_str(&b, verified->subject);
    pu_buf_str(&b, verified->roles);
    pu_buf_str(&b, verified->scopes);
    pu_buf_str(&b, verified->claims);

    return b.full ? 0 : pu_buf_written(&b).len;
}


/* The next "len" bytes; their sum is known to fit. */
static const uint8_t *
pu_packed_take(const uint8_t **data, size_t len)
{
    const uint8_t  *p;

    p = *data;
    *data += len;

    return p;
}


static void
pu_packed_texts(pu_verified_t *verified, const pu_packed_t *packed,
    const uint8_t *data)
{
    verified->bound_cert = (packed->bound & PU_PACKED_CERT) != 0;
    verified->bound_key = (packed->bound & PU_PACKED_KEY) != 0;

    if (verified->bound_cert) {
        memcpy(verified->cert, pu_packed_take(&data, PU_SHA256_LEN),
               PU_SHA256_LEN);
    }

    if (verified->bound_key) {
        memcpy(verified->jkt, pu_packed_take(&data, PU_SHA256_LEN),
               PU_SHA256_LEN);
    }

    verified->subject = (pu_str_t) {
        packed->subject, pu_packed_take(&data, packed->subject) };
    verified->roles = (pu_str_t) {
        packed->roles, pu_packed_take(&data, packed->roles) };
    verified->scopes = (pu_str_t) {
        packed->scopes, pu_packed_take(&data, packed->scopes) };
    verified->claims = (pu_str_t) { packed->claims, data };
}


int
pu_verified_unpack(pu_verified_t *verified, const uint8_t *data, size_t len)
{
    size_t       size;
    pu_packed_t  packed;

    if (len < sizeof(packed)) {
        return 0;
    }

    memcpy(&packed, data, sizeof(packed));

    size = sizeof(packed) + packed.subject + packed.roles + packed.scopes
           + packed.claims;
    size += (packed.bound & PU_PACKED_CERT) ? PU_SHA256_LEN : 0;
    size += (packed.bound & PU_PACKED_KEY) ? PU_SHA256_LEN : 0;

    if (len != size || packed.bound > (PU_PACKED_CERT | PU_PACKED_KEY)) {
        return 0;
    }

    memcpy(verified->issuer, packed.issuer, PU_FINGERPRINT_LEN);
    memcpy(verified->key, packed.key, PU_KEY_MARK_LEN);
    verified->exp = packed.exp;
    verified->nbf = packed.nbf;
    verified->iat = packed.iat;

    pu_packed_texts(verified, &packed, data + sizeof(packed));

    return 1;
}
