/*
 * pu_jwk: one JSON Web Key (RFC 7517) -> one judged key.
 *
 * The bytes of the numbers are checked before OpenSSL sees them; what OpenSSL
 * refuses after that is left out as well.
 */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "pu_json.h"
#include "pu_jwk.h"


#define PU_ALGS_RSA                                                           \
    (PU_ALG_BIT(PU_RS256) | PU_ALG_BIT(PU_RS384) | PU_ALG_BIT(PU_RS512)       \
     | PU_ALG_BIT(PU_PS256) | PU_ALG_BIT(PU_PS384) | PU_ALG_BIT(PU_PS512))
#define PU_ALGS_EDDSA  (PU_ALG_BIT(PU_EDDSA) | PU_ALG_BIT(PU_ED25519))

#define PU_JWK_BYTES_MAX   (PU_RSA_BITS_MAX / 8)

#define PU_RSA_E_MIN       65537


typedef struct {
    const char  *crv;
    const char  *group;                 /* OpenSSL's name */
    size_t       size;                  /* of a coordinate */
    pu_alg_t     alg;
} pu_curve_t;


static const pu_curve_t  pu_curves[] = {
    { "P-256", "P-256", 32, PU_ES256 },
    { "P-384", "P-384", 48, PU_ES384 },
    { "P-521", "P-521", 66, PU_ES512 }
};

/* RFC 7518 section 6, and "priv" of the types that are to come */
static const char *const  pu_secret_members[] = {
    "d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"
};


static pu_str_t
pu_jwk_text(const json_t *jwk, const char *name)
{
    pu_str_t  s;

    if (!pu_json_str(json_object_get(jwk, name), &s)) {
        return (pu_str_t) { 0, NULL };
    }

    return s;
}


int
pu_jwk_is_secret(const json_t *jwk)
{
    size_t  i;

    for (i = 0; i < sizeof(pu_secret_members) / sizeof(char *); i++) {
        if (json_object_get(jwk, pu_secret_members[i]) != NULL) {
            return 1;
        }
    }

    return pu_str_is(pu_jwk_text(jwk, "kty"), "oct");
}


static const char *
pu_jwk_use_fault(const json_t *jwk)
{
    size_t    i;
    json_t   *ops;
    pu_str_t  op;

    if (json_object_get(jwk, "use") != NULL
        && !pu_str_is(pu_jwk_text(jwk, "use"), "sig"))
    {
        return "its \"use\" is not \"sig\"";
    }

    ops = json_object_get(jwk, "key_ops");

    if (ops == NULL) {
        return NULL;
    }

    for (i = 0; i < json_array_size(ops); i++) {
        if (pu_json_str(json_array_get(ops, i), &op)
            && pu_str_is(op, "verify"))
        {
            return NULL;
        }
    }

    return "its \"key_ops\" do not have \"verify\"";
}


int
pu_jwk_signs(const json_t *jwk)
{
    if (pu_jwk_use_fault(jwk) != NULL) {
        return 0;
    }

    return json_object_get(jwk, "alg") == NULL
           || pu_alg_find(pu_jwk_text(jwk, "alg")) != PU_ALG_NONE;
}


static int
pu_jwk_fail(char *err, const char *fault)
{
    snprintf(err, PU_ERROR_SIZE, "%s", fault);

    return 0;
}


/*
 * Decodes the member "name" of at most "max" bytes; their number, or -1 and a
 * sentence.
 */
static int64_t
pu_jwk_bytes(const json_t *jwk, const char *name, uint8_t *out, size_t max,
    char *err)
{
    int64_t   n;
    pu_str_t  text;

    text = pu_jwk_text(jwk, name);

    if (text.len == 0) {
        snprintf(err, PU_ERROR_SIZE, "it has no \"%s\"", name);
        return -1;
    }

    if (text.len > PU_BASE64URL_LEN(max)) {
        snprintf(err, PU_ERROR_SIZE,
                 "its \"%s\" is longer than the %zu bytes allowed", name, max);
        return -1;
    }

    n = pu_base64url_decode(out, text);

    if (n == -1) {
        snprintf(err, PU_ERROR_SIZE,
                 "its \"%s\" is not canonical base64url", name);
    }

    return n;
}


/* OpenSSL's key of a type from its parameters; NULL when it refuses. */
static EVP_PKEY *
pu_pkey_make(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY      *pkey;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (ctx != NULL && params != NULL && EVP_PKEY_fromdata_init(ctx) == 1
        && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);

    return pkey;
}


/* RFC 7638 section 3.2: the required members by name, no white space. */
static int
pu_jwk_thumbprint(pu_key_t *key, const json_t *jwk, const char *const *names)
{
    size_t    i, n;
    pu_str_t  parts[4 * 5 + 1];

    n = 0;

    for (i = 0; names[i] != NULL; i++) {
        parts[n++] = pu_str((i == 0) ? "{\"" : ",\"");
        parts[n++] = pu_str(names[i]);
        parts[n++] = pu_str("\":\"");
        parts[n++] = pu_jwk_text(jwk, names[i]);
        parts[n++] = pu_str("\"");
    }

    parts[n++] = pu_str("}");

    return pu_sha256(key->thumbprint, parts, n);
}


static const char *
pu_rsa_exponent_fault(const uint8_t *e, int64_t len, uint32_t *value)
{
    int64_t  i;

    if (e[0] == 0) {
        return "its exponent has leading zero bytes";
    }

    *value = 0;

    for (i = 0; i < len; i++) {
        *value = *value << 8 | e[i];
    }

    if (*value < PU_RSA_E_MIN || !(*value & 1)) {
        return "its exponent is not an odd number from 65537 to 2^32";
    }

    return NULL;
}


static EVP_PKEY *
pu_rsa_make(const uint8_t *n, size_t len, uint32_t e)
{
    BIGNUM          *modulus;
    EVP_PKEY        *pkey;
    OSSL_PARAM      *params;
    OSSL_PARAM_BLD  *build;

    pkey = NULL;
    params = NULL;
    build = OSSL_PARAM_BLD_new();
    modulus = BN_bin2bn(n, (int) len, NULL);

    if (build != NULL && modulus != NULL
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1
        && OSSL_PARAM_BLD_push_ulong(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
    {
        params = OSSL_PARAM_BLD_to_param(build);
        pkey = pu_pkey_make("RSA", params);
    }

    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);

    return pkey;
}


static int
pu_jwk_rsa(pu_key_t *key, const json_t *jwk, char *err)
{
    size_t                    bits;
    int64_t                   len, elen;
    uint8_t                   n[PU_JWK_BYTES_MAX], e[4];
    uint32_t                  exponent;
    const char               *fault;
    static const char *const  names[] = { "e", "kty", "n", NULL };

    len = pu_jwk_bytes(jwk, "n", n, PU_JWK_BYTES_MAX, err);
    elen = (len == -1) ? -1 : pu_jwk_bytes(jwk, "e", e, 4, err);

    if (elen == -1) {
        return 0;
    }

    bits = (size_t) len * 8 - (size_t) __builtin_clz(n[0] | 1) + 24;

    if (n[0] != 0 && bits < PU_RSA_BITS_MIN) {
        snprintf(err, PU_ERROR_SIZE,
                 "its modulus has %zu bits, allowed are %d to %d",
                 bits, PU_RSA_BITS_MIN, PU_RSA_BITS_MAX);
        return 0;
    }

    fault = pu_rsa_exponent_fault(e, elen, &exponent);

    if (fault == NULL) {
        fault = pu_rsa_modulus_fault(n, (size_t) len);
    }

    if (fault != NULL) {
        return pu_jwk_fail(err, fault);
    }

    key->pkey = pu_rsa_make(n, (size_t) len, exponent);
    key->algs = PU_ALGS_RSA;

    if (key->pkey == NULL || !pu_jwk_thumbprint(key, jwk, names)) {
        return pu_jwk_fail(err, "OpenSSL refuses it");
    }

    return 1;
}


/* fromdata checks that the point is on the curve (and so not infinity). */
static EVP_PKEY *
pu_ec_make(const pu_curve_t *curve, const uint8_t *point)
{
    char         group[8];
    uint8_t      copy[1 + 2 * 66];
    OSSL_PARAM   params[3];

    /* OSSL_PARAM has no const form */

    memcpy(group, curve->group, sizeof("P-256"));
    memcpy(copy, point, 1 + 2 * curve->size);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 group, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  copy, 1 + 2 * curve->size);
    params[2] = OSSL_PARAM_construct_end();

    return pu_pkey_make("EC", params);
}


static int
pu_jwk_ec(pu_key_t *key, const json_t *jwk, char *err)
{
    size_t                    i;
    int64_t                   x, y;
    uint8_t                   point[1 + 2 * 66];
    pu_str_t                  crv;
    const pu_curve_t         *curve;
    static const char *const  names[] = { "crv", "kty", "x", "y", NULL };

    crv = pu_jwk_text(jwk, "crv");
    curve = NULL;

    for (i = 0; i < sizeof(pu_curves) / sizeof(pu_curves[0]); i++) {
        if (pu_str_is(crv, pu_curves[i].crv)) {
            curve = &pu_curves[i];
        }
    }

    if (curve == NULL) {
        return pu_jwk_fail(err, "its curve is none of P-256, P-384, P-521");
    }

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    x = pu_jwk_bytes(jwk, "x", point + 1, curve->size, err);
    y = (x == -1) ? -1
                  : pu_jwk_bytes(jwk, "y", point + 1 + x, curve->size, err);

    if (y == -1) {
        return 0;
    }

    if ((size_t) x != curve->size || (size_t) y != curve->size) {
        return pu_jwk_fail(err, "its coordinates have not the length that "
                           "its curve asks for");
    }

    key->pkey = pu_ec_make(curve, point);
    key->algs = PU_ALG_BIT(curve->alg);

    if (key->pkey == NULL) {
        return pu_jwk_fail(err, "its point is not on the curve");
    }

    if (!pu_jwk_thumbprint(key, jwk, names)) {
        return pu_jwk_fail(err, "OpenSSL refuses it");
    }

    return 1;
}


static int
pu_jwk_okp(pu_key_t *key, const json_t *jwk, char *err)
{
    int64_t                   len;
    uint8_t                   x[32];
    const char               *fault;
    static const char *const  names[] = { "crv", "kty", "x", NULL };

    if (!pu_str_is(pu_jwk_text(jwk, "crv"), "Ed25519")) {
        return pu_jwk_fail(err, "its curve is not Ed25519");
    }

    len = pu_jwk_bytes(jwk, "x", x, 32, err);

    if (len == -1) {
        return 0;
    }

    if (len != 32) {
        return pu_jwk_fail(err, "its \"x\" has not 32 bytes");
    }

    fault = pu_ed25519_fault(x);

    if (fault != NULL) {
        return pu_jwk_fail(err, fault);
    }

    key->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x, 32);
    key->algs = PU_ALGS_EDDSA;

    if (key->pkey == NULL || !pu_jwk_thumbprint(key, jwk, names)) {
        return pu_jwk_fail(err, "OpenSSL refuses it");
    }

    return 1;
}


/* One key, one algorithm: what the JWK names is all that it may verify. */
static int
pu_jwk_alg(pu_key_t *key, const json_t *jwk, char *err)
{
    pu_alg_t  alg;

    if (json_object_get(jwk, "alg") == NULL) {
        return 1;
    }

    alg = pu_alg_find(pu_jwk_text(jwk, "alg"));

    if (alg == PU_ALG_NONE || !(key->algs & PU_ALG_BIT(alg))) {
        return pu_jwk_fail(err, "its \"alg\" is not one that a key of its "
                           "type can verify");
    }

    if (key->algs != PU_ALGS_EDDSA) {
        key->algs = PU_ALG_BIT(alg);
    }

    return 1;
}


static int
pu_jwk_kid(pu_key_t *key, const json_t *jwk, char *err)
{
    json_t    *value;
    uint8_t   *copy;
    pu_str_t   kid;

    value = json_object_get(jwk, "kid");

    if (value == NULL) {
        return 1;
    }

    if (!pu_json_str(value, &kid) || kid.len > PU_KID_LEN_MAX
        || pu_str_has_control(kid))
    {
        return pu_jwk_fail(err, "its \"kid\" is not a string of at most 256 "
                           "bytes without control characters");
    }

    copy = malloc(kid.len + 1);

    if (copy == NULL) {
        return pu_jwk_fail(err, "memory is gone");
    }

    memcpy(copy, kid.data, kid.len);
    key->kid = (pu_str_t) { kid.len, copy };

    return 1;
}


int
pu_jwk_read(pu_key_t *key, const json_t *jwk, char err[PU_ERROR_SIZE])
{
    int          ok;
    pu_str_t     kty;
    const char  *fault;

    kty = pu_jwk_text(jwk, "kty");
    fault = pu_jwk_use_fault(jwk);

    if (fault != NULL) {
        ok = pu_jwk_fail(err, fault);

    } else if (pu_str_is(kty, "RSA")) {
        ok = pu_jwk_rsa(key, jwk, err);

    } else if (pu_str_is(kty, "EC")) {
        ok = pu_jwk_ec(key, jwk, err);

    } else if (pu_str_is(kty, "OKP")) {
        ok = pu_jwk_okp(key, jwk, err);

    } else {
        ok = pu_jwk_fail(err, "its \"kty\" is none of RSA, EC, OKP");
    }

    ok = ok && pu_jwk_alg(key, jwk, err) && pu_jwk_kid(key, jwk, err);

    if (ok && !pu_key_prepare(key)) {
        ok = pu_jwk_fail(err, "OpenSSL refuses it");
    }

    if (!ok) {
        pu_key_clear(key);
        ERR_clear_error();
        return 0;
    }

    return 1;
}


void
pu_key_clear(pu_key_t *key)
{
    int  alg;

    for (alg = 0; alg < PU_ALG_COUNT; alg++) {
        EVP_MD_CTX_free(key->ready[alg]);
    }

    EVP_PKEY_free(key->pkey);

    free((void *) (uintptr_t) key->kid.data);

    memset(key, 0, sizeof(pu_key_t));
}
