/*
 * pu_alg: the JWS algorithms, and one signature against one key.
 *
 * OpenSSL decides whether a signature is right; this file decides before
 * whether it has the one form that the algorithm allows.
 */

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "pu_jwk.h"


#define PU_ECDSA_SIZE_MAX   66          /* of r or s, P-521 */
#define PU_ECDSA_DER_MAX    160         /* two of them need 141 */

typedef enum {
    PU_FAMILY_RSA = 0,
    PU_FAMILY_PSS,
    PU_FAMILY_ECDSA,
    PU_FAMILY_EDDSA,
    PU_FAMILY_HMAC
} pu_family_t;

typedef struct {
    const char     *name;
    pu_family_t     family;
    const char     *digest;             /* OpenSSL's name */
    size_t          size;               /* bytes: of r and s, else of all */
    const uint8_t  *order;              /* ECDSA: n, as many bytes */
} pu_alg_row_t;


/* The orders of the curves (SEC 2); r and s are below them. */

static const uint8_t  pu_order_p256[32] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
    0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51
};

static const uint8_t  pu_order_p384[48] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2,
    0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73
};

static const uint8_t  pu_order_p521[66] = {
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa, 0x51, 0x86,
    0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09,
    0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae, 0xbb, 0x6f,
    0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09
};

static const pu_alg_row_t  pu_alg_rows[PU_ALG_COUNT] = {
    [PU_RS256] = { "RS256", PU_FAMILY_RSA, "SHA256", 0, NULL },
    [PU_RS384] = { "RS384", PU_FAMILY_RSA, "SHA384", 0, NULL },
    [PU_RS512] = { "RS512", PU_FAMILY_RSA, "SHA512", 0, NULL },
    [PU_PS256] = { "PS256", PU_FAMILY_PSS, "SHA256", 0, NULL },
    [PU_PS384] = { "PS384", PU_FAMILY_PSS, "SHA384", 0, NULL },
    [PU_PS512] = { "PS512", PU_FAMILY_PSS, "SHA512", 0, NULL },
    [PU_ES256] = { "ES256", PU_FAMILY_ECDSA, "SHA256", 32, pu_order_p256 },
    [PU_ES384] = { "ES384", PU_FAMILY_ECDSA, "SHA384", 48, pu_order_p384 },
    [PU_ES512] = { "ES512", PU_FAMILY_ECDSA, "SHA512", 66, pu_order_p521 },
    [PU_EDDSA] = { "EdDSA", PU_FAMILY_EDDSA, NULL, 64, NULL },
    [PU_ED25519] = { "Ed25519", PU_FAMILY_EDDSA, NULL, 64, NULL },
    [PU_HS256] = { "HS256", PU_FAMILY_HMAC, "SHA256", 32, NULL },
    [PU_HS384] = { "HS384", PU_FAMILY_HMAC, "SHA384", 48, NULL },
    [PU_HS512] = { "HS512", PU_FAMILY_HMAC, "SHA512", 64, NULL }
};


pu_alg_t
pu_alg_find(pu_str_t name)
{
    int  alg;

    for (alg = 0; alg < PU_ALG_COUNT; alg++) {
        if (pu_str_is(name, pu_alg_rows[alg].name)) {
            return (pu_alg_t) alg;
        }
    }

    return PU_ALG_NONE;
}


const char *
pu_alg_name(pu_alg_t alg)
{
    if (alg < 0 || alg >= PU_ALG_COUNT) {
        return "none";
    }

    return pu_alg_rows[alg].name;
}


/* 1..n-1: OpenSSL before 3.0.3 and others have let zero pass. */
static int
pu_ecdsa_in_range(const uint8_t *p, const pu_alg_row_t *row)
{
    size_t  i;

    if (memcmp(p, row->order, row->size) >= 0) {
        return 0;
    }

    for (i = 0; i < row->size; i++) {
        if (p[i] != 0) {
            return 1;
        }
    }

    return 0;
}


/* R || S (RFC 7518 section 3.4) to the DER that OpenSSL reads; 0 if wrong. */
static size_t
pu_ecdsa_der(uint8_t out[PU_ECDSA_DER_MAX], pu_str_t signature,
    const pu_alg_row_t *row)
{
    int             len;
    BIGNUM         *r, *s;
    uint8_t        *p;
    ECDSA_SIG      *sig;
    const uint8_t  *data;

    data = signature.data;

    if (signature.len != row->size * 2
        || !pu_ecdsa_in_range(data, row)
        || !pu_ecdsa_in_range(data + row->size, row))
    {
        return 0;
    }

    len = 0;
    sig = ECDSA_SIG_new();
    r = BN_bin2bn(data, (int) row->size, NULL);
    s = BN_bin2bn(data + row->size, (int) row->size, NULL);

    if (sig != NULL && r != NULL && s != NULL
        && ECDSA_SIG_set0(sig, r, s) == 1)
    {
        r = NULL;
        s = NULL;
        p = out;
        len = i2d_ECDSA_SIG(sig, &p);
    }

    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);

    return (len > 0) ? (size_t) len : 0;
}


/* The salt is as long as the hash, and MGF1 uses the same hash. */
static int
pu_pss_parameters(EVP_PKEY_CTX *pctx, const pu_alg_row_t *row)
{
    return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
           && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
              == 1
           && EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, row->digest, NULL) == 1;
}


/* Who has a secret verifies by signing. */
static int
pu_alg_init(EVP_MD_CTX *ctx, EVP_PKEY *pkey, const pu_alg_row_t *row)
{
    EVP_PKEY_CTX  *pctx;

    if (row->family == PU_FAMILY_HMAC) {
        return EVP_DigestSignInit_ex(ctx, NULL, row->digest, NULL, NULL, pkey,
                                     NULL)
               == 1;
    }

    return EVP_DigestVerifyInit_ex(ctx, &pctx, row->digest, NULL, NULL, pkey,
                                   NULL)
           == 1
           && (row->family != PU_FAMILY_PSS || pu_pss_parameters(pctx, row));
}


static EVP_MD_CTX *
pu_alg_ready(EVP_PKEY *pkey, const pu_alg_row_t *row)
{
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    if (ctx != NULL && pu_alg_init(ctx, pkey, row)) {
        return ctx;
    }

    EVP_MD_CTX_free(ctx);

    return NULL;
}


/* The same key under another kid, or for other algorithms, is another. */
static int
pu_key_seal(pu_key_t *key)
{
    uint8_t   digest[PU_SHA256_LEN];
    pu_str_t  parts[3];

    parts[0] = (pu_str_t) { PU_SHA256_LEN, key->thumbprint };
    parts[1] = (pu_str_t) { sizeof(key->algs), (const uint8_t *) &key->algs };
    parts[2] = key->kid;

    if (!pu_sha256(digest, parts, 3)) {
        return 0;
    }

    memcpy(key->mark, digest, PU_KEY_MARK_LEN);

    return 1;
}


int
pu_key_prepare(pu_key_t *key)
{
    int  alg;

    for (alg = 0; alg < PU_ALG_COUNT; alg++) {

        if (!(key->algs & PU_ALG_BIT(alg))) {
            continue;
        }

        key->ready[alg] = pu_alg_ready(key->pkey, &pu_alg_rows[alg]);

        if (key->ready[alg] == NULL) {
            return 0;
        }
    }

    return pu_key_seal(key);
}


/*
 * The signature is as long as the hash already.  How many of its bytes are
 * right must not be told by how long it takes to say no.
 */
static int
pu_hmac_equal(EVP_MD_CTX *ctx, const pu_alg_row_t *row, pu_str_t text,
    pu_str_t signature)
{
    int      ok;
    size_t   len;
    uint8_t  mac[EVP_MAX_MD_SIZE];

    len = sizeof(mac);

    ok = EVP_DigestSign(ctx, mac, &len, text.data, text.len) == 1
         && len == row->size
         && CRYPTO_memcmp(mac, signature.data, len) == 0;

    OPENSSL_cleanse(mac, sizeof(mac));

    return ok;
}


/*
 * OpenSSL 3 looks algorithms up by name at each initialisation, which costs a
 * seventh of an RSA verification; a copy does not, and leaves the key as it
 * was.
 */
static int
pu_alg_verify(const pu_alg_row_t *row, const EVP_MD_CTX *ready, pu_str_t text,
    pu_str_t signature)
{
    int          ok;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL && EVP_MD_CTX_copy_ex(ctx, ready) == 1;

    if (ok && row->family == PU_FAMILY_HMAC) {
        ok = pu_hmac_equal(ctx, row, text, signature);

    } else if (ok) {
        ok = EVP_DigestVerify(ctx, signature.data, signature.len, text.data,
                              text.len)
             == 1;
    }

    EVP_MD_CTX_free(ctx);

    return ok;
}


int
pu_key_verify(const pu_key_t *key, pu_alg_t alg, pu_str_t signed_bytes,
    pu_str_t signature)
{
    int                  ok;
    uint8_t              der[PU_ECDSA_DER_MAX];
    const pu_alg_row_t  *row;

    if (alg < 0 || alg >= PU_ALG_COUNT || key->ready[alg] == NULL) {
        return 0;
    }

    row = &pu_alg_rows[alg];

    switch (row->family) {

    case PU_FAMILY_RSA:
    case PU_FAMILY_PSS:
        ok = signature.len == (size_t) EVP_PKEY_get_size(key->pkey);
        break;

    case PU_FAMILY_ECDSA:
        signature.len = pu_ecdsa_der(der, signature, row);
        signature.data = der;
        ok = signature.len != 0;
        break;

    default:                            /* EdDSA, HMAC */
        ok = signature.len == row->size;
        break;
    }

    ok = ok && pu_alg_verify(row, key->ready[alg], signed_bytes, signature);

    if (!ok) {
        ERR_clear_error();
    }

    return ok;
}
