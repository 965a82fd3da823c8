/*
 * Signatures: published vectors, and every form that a signature must not
 * have.
 */

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "mint.h"
#include "pu_jws.h"
#include "unit.h"


#define TEXT  PU_STR("the bytes that are signed")


/* RFC 7515 appendix A.2: key and token */

static const char  rfc_7515_a2_key[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
    "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SF"
    "d2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSH"
    "SXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxv"
    "b3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs"
    "91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}]}";

static const char  rfc_7515_a2_token[] =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogIm"
    "h0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrh"
    "uB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGb"
    "ds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArL"
    "IARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsq"
    "tFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWk"
    "WywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/* RFC 7515 appendix A.3 */

static const char  rfc_7515_a3_key[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static const char  rfc_7515_a3_token[] =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogIm"
    "h0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKA"
    "M6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/* RFC 8037 appendix A.4 */

static const char  rfc_8037_a4_key[] =
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static const char  rfc_8037_a4_token[] =
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0"
    "JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KA"
    "g";


static pu_reason_t
verify_text(const char *set, const char *text)
{
    char              err[PU_ERROR_SIZE];
    pu_jws_t          jws;
    pu_keys_t        *keys;
    pu_reason_t       reason;
    const pu_key_t   *key;

    keys = pu_keys_jwks(pu_str(set), NULL, NULL, err);
    CHECK(keys != NULL && keys->n == 1);

    reason = pu_jws_read(&jws, pu_str(text));

    if (reason == PU_OK) {
        reason = pu_jws_verify(&jws, keys, &key);
    }

    pu_jws_clear(&jws);
    pu_keys_free(keys);

    return reason;
}


/* Holds, and does not with any one of some changes. */
static void
check_vector(const char *set, const char *token)
{
    char  *changed;
    size_t  i, len, payload;

    CHECK_INT(verify_text(set, token), PU_OK);

    len = strlen(token);
    payload = strcspn(token, ".") + 5;

    for (i = payload; i < len - 2; i += 7) {
        if (token[i] == '.' || token[i + 1] == '.') {
            continue;
        }

        changed = strdup(token);
        changed[i] = (changed[i] == 'A') ? 'B' : 'A';
        CHECK_INT(verify_text(set, changed), PU_TOKEN_SIGNATURE);
        free(changed);
    }
}


static void
rfc_7515_a2_rs256(void)
{
    check_vector(rfc_7515_a2_key, rfc_7515_a2_token);
    CHECK_INT(verify_text(rfc_7515_a3_key, rfc_7515_a2_token),
              PU_TOKEN_KEY_UNKNOWN);
}


static void
rfc_7515_a3_es256(void)
{
    check_vector(rfc_7515_a3_key, rfc_7515_a3_token);
    CHECK_INT(verify_text(rfc_7515_a2_key, rfc_7515_a3_token),
              PU_TOKEN_KEY_UNKNOWN);
}


static void
rfc_8037_a4_eddsa(void)
{
    check_vector(rfc_8037_a4_key, rfc_8037_a4_token);
    CHECK_INT(verify_text(rfc_7515_a3_key, rfc_8037_a4_token),
              PU_TOKEN_KEY_UNKNOWN);
}


/* A key of each algorithm, made once for all tests of this table. */
typedef struct {
    EVP_PKEY   *pkey;
    pu_keys_t  *keys;
    pu_str_t    signature;
} signer_t;


static void
signer_open(signer_t *signer, pu_alg_t alg)
{
    signer->pkey = mint_key(alg);
    signer->keys = mint_keys(mint_jwk(signer->pkey, NULL), NULL);
    signer->signature = mint_sign(signer->pkey, alg, TEXT);
}


static void
signer_close(signer_t *signer)
{
    free((void *) (uintptr_t) signer->signature.data);
    pu_keys_free(signer->keys);
    EVP_PKEY_free(signer->pkey);
}


static int
holds(const signer_t *signer, pu_alg_t alg, pu_str_t signature)
{
    int  ok;

    ok = pu_key_verify(&signer->keys->keys[0], alg, TEXT, signature);
    CHECK_INT(ERR_peek_error(), 0);

    return ok;
}


static void
every_algorithm_verifies_its_own_signature_only(void)
{
    int        alg, other;
    signer_t   signer;

    for (alg = 0; alg <= PU_ED25519; alg++) {
        signer_open(&signer, (pu_alg_t) alg);

        for (other = 0; other < PU_ALG_COUNT; other++) {
            CHECK_INT(holds(&signer, (pu_alg_t) other, signer.signature),
                      other == alg
                      || (alg == PU_EDDSA && other == PU_ED25519)
                      || (alg == PU_ED25519 && other == PU_EDDSA));
        }

        CHECK_INT(pu_key_verify(&signer.keys->keys[0], (pu_alg_t) alg,
                                PU_STR("other bytes"), signer.signature), 0);
        CHECK_INT(holds(&signer, PU_ALG_NONE, signer.signature), 0);
        CHECK_INT(holds(&signer, PU_ALG_COUNT, signer.signature), 0);
        signer_close(&signer);
    }
}


/* What stands beside a key is no algorithm of it. */
static void
no_key_has_an_algorithm_that_there_is_not(void)
{
    pu_key_t   near[3];
    signer_t   signer;

    signer_open(&signer, PU_EDDSA);
    near[0] = near[1] = near[2] = signer.keys->keys[0];
    CHECK(pu_key_verify(&near[1], PU_EDDSA, TEXT, signer.signature));
    CHECK(!pu_key_verify(&near[1], PU_ALG_NONE, TEXT, signer.signature));
    CHECK(!pu_key_verify(&near[1], PU_ALG_COUNT, TEXT, signer.signature));
    signer_close(&signer);
}


static void
a_signature_of_another_key_does_not_hold(void)
{
    size_t    i;
    signer_t  ours, theirs;

    static const pu_alg_t  algs[] = { PU_RS256, PU_PS256, PU_ES256, PU_EDDSA };

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        signer_open(&ours, algs[i]);
        signer_open(&theirs, algs[i]);
        CHECK_INT(holds(&ours, algs[i], ours.signature), 1);
        CHECK_INT(holds(&ours, algs[i], theirs.signature), 0);
        signer_close(&ours);
        signer_close(&theirs);
    }
}


/* Every length but the one: 0 to 200, and the long ones of an attack. */
static void
a_signature_has_the_exact_length(void)
{
    size_t     i, len;
    uint8_t   *padded;
    signer_t   signer;

    static const pu_alg_t  algs[] = {
        PU_RS256, PU_PS256, PU_ES256, PU_ES384, PU_ES512, PU_EDDSA
    };

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        signer_open(&signer, algs[i]);
        padded = calloc(1, 5000);
        memcpy(padded, signer.signature.data, signer.signature.len);

        for (len = 0; len < 5000; len += (len < 300) ? 1 : 470) {
            CHECK_INT(holds(&signer, algs[i], (pu_str_t) { len, padded }),
                      len == signer.signature.len);
        }

        free(padded);
        signer_close(&signer);
    }
}


/* R and S as DER, which libraries speak and JWS does not. */
static void
an_ecdsa_signature_is_not_der(void)
{
    size_t        len;
    uint8_t       der[128];
    signer_t      signer;
    EVP_MD_CTX   *ctx;

    signer_open(&signer, PU_ES256);
    ctx = EVP_MD_CTX_new();
    len = sizeof(der);
    EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, signer.pkey, NULL);
    EVP_DigestSign(ctx, der, &len, TEXT.data, TEXT.len);
    EVP_MD_CTX_free(ctx);

    CHECK_INT(holds(&signer, PU_ES256, (pu_str_t) { len, der }), 0);
    signer_close(&signer);
}


static BIGNUM *
order_of(EVP_PKEY *pkey)
{
    BIGNUM  *order;

    order = NULL;
    CHECK(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_ORDER, &order) == 1);

    return order;
}


/* CVE-2022-21449: r = s = 0 verified for every text under every key. */
static void
r_and_s_are_from_1_to_n_minus_1(void)
{
    size_t     i, size;
    BIGNUM    *order;
    uint8_t    bytes[132], n[66];
    pu_str_t   s;
    signer_t   signer;

    static const pu_alg_t  algs[] = { PU_ES256, PU_ES384, PU_ES512 };

    for (i = 0; i < 3; i++) {
        signer_open(&signer, algs[i]);
        size = signer.signature.len / 2;
        order = order_of(signer.pkey);
        BN_bn2binpad(order, n, (int) size);
        s = (pu_str_t) { size * 2, bytes };

        memset(bytes, 0, sizeof(bytes));
        CHECK_INT(holds(&signer, algs[i], s), 0);

        memcpy(bytes, signer.signature.data, size * 2);
        memset(bytes, 0, size);
        CHECK_INT(holds(&signer, algs[i], s), 0);

        memcpy(bytes, signer.signature.data, size * 2);
        memset(bytes + size, 0, size);
        CHECK_INT(holds(&signer, algs[i], s), 0);

        memcpy(bytes, n, size);
        memcpy(bytes + size, n, size);
        CHECK_INT(holds(&signer, algs[i], s), 0);

        memcpy(bytes, signer.signature.data, size);
        CHECK_INT(holds(&signer, algs[i], s), 0);

        memset(bytes, 0xff, sizeof(bytes));
        CHECK_INT(holds(&signer, algs[i], s), 0);

        BN_free(order);
        signer_close(&signer);
    }
}


/*
 * The range is our own check and not only OpenSSL's: s + n is s to a library
 * that reduces it.  P-521 has room for s + n in its 66 bytes.
 */
static void
s_plus_n_is_not_s(void)
{
    BIGNUM    *order, *s;
    uint8_t    bytes[132];
    signer_t   signer;

    signer_open(&signer, PU_ES512);
    order = order_of(signer.pkey);
    s = BN_bin2bn(signer.signature.data + 66, 66, NULL);
    BN_add(s, s, order);

    memcpy(bytes, signer.signature.data, 66);
    CHECK(BN_bn2binpad(s, bytes + 66, 66) == 66);
    CHECK_INT(holds(&signer, PU_ES512, (pu_str_t) { 132, bytes }), 0);

    BN_free(s);
    BN_free(order);
    signer_close(&signer);
}


/* JWS has no rule against it: revocation must not go by the signature. */
static void
a_high_s_is_accepted(void)
{
    BIGNUM    *order, *s;
    uint8_t    bytes[64];
    signer_t   signer;

    signer_open(&signer, PU_ES256);
    order = order_of(signer.pkey);
    s = BN_bin2bn(signer.signature.data + 32, 32, NULL);
    BN_sub(s, order, s);

    memcpy(bytes, signer.signature.data, 32);
    BN_bn2binpad(s, bytes + 32, 32);
    CHECK_INT(holds(&signer, PU_ES256, (pu_str_t) { 64, bytes }), 1);

    BN_free(s);
    BN_free(order);
    signer_close(&signer);
}


/* RFC 8032 section 5.1.7: S is below the group's order. */
static void
an_ed25519_s_plus_l_is_refused(void)
{
    BIGNUM    *order, *s;
    uint8_t    bytes[64];
    signer_t   signer;

    signer_open(&signer, PU_EDDSA);
    order = NULL;
    BN_hex2bn(&order, "1000000000000000000000000000000014def9dea2f79cd65812"
                      "631a5cf5d3ed");
    s = BN_lebin2bn(signer.signature.data + 32, 32, NULL);
    BN_add(s, s, order);

    memcpy(bytes, signer.signature.data, 32);
    CHECK(BN_bn2lebinpad(s, bytes + 32, 32) == 32);
    CHECK_INT(holds(&signer, PU_EDDSA, (pu_str_t) { 64, bytes }), 0);

    BN_free(s);
    BN_free(order);
    signer_close(&signer);
}


/* Signs with a salt length and an MGF1 hash of its own choice. */
static pu_str_t
sign_pss(EVP_PKEY *pkey, int salt, const char *mgf1, uint8_t *out)
{
    size_t         len;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    len = 1024;
    ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit_ex(ctx, &pctx, "SHA256", NULL, NULL, pkey, NULL);
    EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt);
    EVP_PKEY_CTX_set_rsa_mgf1_md_name(pctx, mgf1, NULL);
    CHECK(EVP_DigestSign(ctx, out, &len, TEXT.data, TEXT.len) == 1);
    EVP_MD_CTX_free(ctx);

    return (pu_str_t) { len, out };
}


static void
pss_has_the_salt_and_the_mask_of_its_hash(void)
{
    uint8_t   out[1024];
    signer_t  signer;

    signer_open(&signer, PU_PS256);

    CHECK_INT(holds(&signer, PU_PS256,
                    sign_pss(signer.pkey, 32, "SHA256", out)), 1);
    CHECK_INT(holds(&signer, PU_PS256,
                    sign_pss(signer.pkey, 0, "SHA256", out)), 0);
    CHECK_INT(holds(&signer, PU_PS256,
                    sign_pss(signer.pkey, 20, "SHA256", out)), 0);
    CHECK_INT(holds(&signer, PU_PS256,
                    sign_pss(signer.pkey, RSA_PSS_SALTLEN_MAX, "SHA256",
                             out)), 0);
    CHECK_INT(holds(&signer, PU_PS256,
                    sign_pss(signer.pkey, 32, "SHA1", out)), 0);

    signer_close(&signer);
}


/* The same signature plus the modulus is the same number to RSA. */
static void
an_rsa_signature_is_below_the_modulus(void)
{
    int        i;
    BIGNUM    *n, *s;
    uint8_t    bytes[256];
    signer_t   signer;

    signer_open(&signer, PU_RS256);
    n = NULL;
    EVP_PKEY_get_bn_param(signer.pkey, OSSL_PKEY_PARAM_RSA_N, &n);
    s = BN_bin2bn(signer.signature.data, 256, NULL);
    BN_add(s, s, n);
    i = BN_bn2binpad(s, bytes, 256);

    if (i == 256) {
        CHECK_INT(holds(&signer, PU_RS256, (pu_str_t) { 256, bytes }), 0);
    }

    BN_bn2binpad(n, bytes, 256);
    CHECK_INT(holds(&signer, PU_RS256, (pu_str_t) { 256, bytes }), 0);
    memset(bytes, 0, sizeof(bytes));
    CHECK_INT(holds(&signer, PU_RS256, (pu_str_t) { 256, bytes }), 0);
    bytes[255] = 1;
    CHECK_INT(holds(&signer, PU_RS256, (pu_str_t) { 256, bytes }), 0);

    BN_free(s);
    BN_free(n);
    signer_close(&signer);
}


static void
algorithm_names_are_exact(void)
{
    int     alg;
    size_t  i;

    static const char *const  wrong[] = {
        "", "none", "None", "nOnE", "rs256", "RS256 ", " RS256", "RS25",
        "RS2566", "ES256K", "ES521", "Ed448", "eddsa", "ED25519", "HS1"
    };

    for (alg = 0; alg < PU_ALG_COUNT; alg++) {
        CHECK_INT(pu_alg_find(pu_str(pu_alg_name((pu_alg_t) alg))), alg);
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_INT(pu_alg_find(pu_str(wrong[i])), PU_ALG_NONE);
    }

    CHECK_INT(pu_alg_find(PU_STR("HS256\0")), PU_ALG_NONE);
    CHECK(!(PU_ALGS_DEFAULT & PU_ALGS_HMAC));
    CHECK(!(PU_ALGS_DEFAULT & PU_ALG_BIT(PU_ED25519)));
    CHECK(PU_ALGS_DEFAULT & PU_ALG_BIT(PU_EDDSA));
    CHECK(strcmp(pu_alg_name(PU_ALG_NONE), "none") == 0);
}


static void
a_text_without_a_kid_has_none(void)
{
    pu_jws_t  jws;

    CHECK_INT(pu_jws_read(&jws, pu_str(rfc_7515_a2_token)), PU_OK);
    CHECK(jws.kid.data == NULL);
    CHECK_INT(jws.kid.len, 0);
    pu_jws_clear(&jws);
}


static void
what_was_read_may_be_cleared_twice(void)
{
    pu_jws_t  jws;

    CHECK_INT(pu_jws_read(&jws, pu_str(rfc_7515_a2_token)), PU_OK);
    pu_jws_clear(&jws);
    CHECK(jws.header == NULL && jws.memory == NULL);
    pu_jws_clear(&jws);
}


static const unit_test_t  tests[] = {
    UNIT(rfc_7515_a2_rs256),
    UNIT(rfc_7515_a3_es256),
    UNIT(rfc_8037_a4_eddsa),
    UNIT(every_algorithm_verifies_its_own_signature_only),
    UNIT(no_key_has_an_algorithm_that_there_is_not),
    UNIT(a_signature_of_another_key_does_not_hold),
    UNIT_FOR("S1", a_signature_has_the_exact_length),
    UNIT_FOR("S1", an_ecdsa_signature_is_not_der),
    UNIT(r_and_s_are_from_1_to_n_minus_1),
    UNIT_FOR("S2", s_plus_n_is_not_s),
    UNIT_FOR("S2", a_high_s_is_accepted),
    UNIT(an_ed25519_s_plus_l_is_refused),
    UNIT_FOR("S3", pss_has_the_salt_and_the_mask_of_its_hash),
    UNIT(an_rsa_signature_is_below_the_modulus),
    UNIT(algorithm_names_are_exact),
    UNIT(a_text_without_a_kid_has_none),
    UNIT(what_was_read_may_be_cleared_twice)
};

UNIT_MAIN(tests)
