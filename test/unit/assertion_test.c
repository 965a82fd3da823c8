/*
 * The assertion: what is in it, how long it lives, and which keys sign it.
 *
 * What libjwt signs is verified by our own code with the public key alone.
 */

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "mint.h"
#include "pu_assertion.h"
#include "pu_json.h"
#include "pu_jws.h"
#include "unit.h"


#define NOBODY  { 0, NULL }


static char *
private_pem(EVP_PKEY *pkey, const EVP_CIPHER *cipher)
{
    BIO   *bio;
    char  *data, *text;
    long   len;

    bio = BIO_new(BIO_s_mem());

    if (PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, "secret", 6, NULL,
                                      NULL)
        != 1)
    {
        exit(2);
    }

    len = BIO_get_mem_data(bio, &data);
    text = calloc(1, (size_t) len + 1);
    memcpy(text, data, (size_t) len);
    BIO_free(bio);

    return text;
}


static pu_signer_t *
signer_of(EVP_PKEY *pkey, pu_alg_t alg)
{
    char          err[PU_ERROR_SIZE], *text;
    pu_signer_t  *signer;

    err[0] = '\0';
    text = private_pem(pkey, NULL);
    signer = pu_signer_pem(pu_str(text), alg, err);
    unit_check(__FILE__, __LINE__, signer != NULL, err);

    if (signer == NULL) {
        exit(2);
    }

    CHECK_INT(ERR_peek_error(), 0);
    free(text);

    return signer;
}


static void
refused(const char *file, int line, pu_str_t text, pu_alg_t alg,
    const char *words)
{
    char          err[PU_ERROR_SIZE];
    pu_signer_t  *signer;

    err[0] = '\0';
    signer = pu_signer_pem(text, alg, err);
    unit_check(file, line, signer == NULL, "the key is accepted");
    unit_check(file, line, strstr(err, words) != NULL, err);
    CHECK_INT(ERR_peek_error(), 0);
    pu_signer_free(signer);
}

#define REFUSED(text, alg, words)                                             \
    refused(__FILE__, __LINE__, text, alg, words)


static void
refused_key(const char *file, int line, EVP_PKEY *pkey, pu_alg_t alg,
    const char *words)
{
    char  *text;

    text = private_pem(pkey, NULL);
    refused(file, line, pu_str(text), alg, words);
    free(text);
    EVP_PKEY_free(pkey);
}

#define REFUSED_KEY(pkey, alg, words)                                         \
    refused_key(__FILE__, __LINE__, pkey, alg, words)


/* The claims, if the text is a JWS of this signer and no other; json_decref. */
static json_t *
verified(pu_str_t text, const pu_signer_t *signer, pu_alg_t alg)
{
    char              err[PU_ERROR_SIZE], set[4096];
    json_t           *claims;
    pu_jws_t          jws;
    pu_keys_t        *keys;
    const pu_key_t   *key;

    pu_json_limits_t  limits = { 8192, 3, 32 };

    claims = NULL;
    snprintf(set, sizeof(set), "{\"keys\":[%.*s]}",
             PU_STR_FMT(pu_signer_jwk(signer)));
    keys = pu_keys_jwks(pu_str(set), NULL, NULL, err);

    CHECK(keys != NULL && keys->n == 1);
    CHECK_INT(pu_jws_read(&jws, text), PU_OK);
    CHECK_INT(jws.alg, alg);
    CHECK(pu_str_eq(jws.kid, pu_signer_kid(signer)));
    CHECK(pu_str_is(keys->keys[0].kid, (const char *)
                    pu_signer_kid(signer).data));

    if (keys != NULL && pu_jws_verify(&jws, keys, &key) == PU_OK) {
        claims = pu_json_object(jws.payload, &limits);
    }

    CHECK(claims != NULL);
    pu_jws_clear(&jws);
    pu_keys_free(keys);

    return claims;
}


static void
check_member(json_t *claims, const char *name, const char *json)
{
    char  *text;

    text = json_dumps(json_object_get(claims, name),
                      JSON_COMPACT|JSON_ENCODE_ANY);
    CHECK_STR(pu_str(text), json);
    free(text);
}


static void
what_is_in_it(void)
{
    char          text[PU_ASSERTION_LEN_MAX];
    json_t       *claims;
    EVP_PKEY     *pkey;
    pu_buf_t      b;
    pu_signer_t  *signer;

    pu_assertion_t  a = {
        PU_STR("gateway"), PU_STR("orders"), PU_STR("u_0123456789012345678901"),
        PU_STR("Alice \"A\" \xc3\xa9"), PU_STR("admin reader"),
        PU_STR("a b:c"), PU_STR("web"), 1000, 1060
    };

    pkey = mint_key(PU_ES256);
    signer = signer_of(pkey, PU_ES256);

    pu_buf_init(&b, text, sizeof(text));
    CHECK(pu_assertion_sign(signer, &a, &b));
    claims = verified(pu_buf_written(&b), signer, PU_ES256);

    check_member(claims, "iss", "\"gateway\"");
    check_member(claims, "aud", "\"orders\"");
    check_member(claims, "sub", "\"u_0123456789012345678901\"");
    check_member(claims, "name", "\"Alice \\\"A\\\" \xc3\xa9\"");
    check_member(claims, "roles", "[\"admin\",\"reader\"]");
    check_member(claims, "scopes", "[\"a\",\"b:c\"]");
    check_member(claims, "client", "\"web\"");
    check_member(claims, "iat", "1000");
    check_member(claims, "exp", "1060");
    CHECK_INT(json_string_length(json_object_get(claims, "jti")), 22);
    CHECK_INT(json_object_size(claims), 10);

    json_decref(claims);
    pu_signer_free(signer);
    EVP_PKEY_free(pkey);
}


static void
what_is_left_out(void)
{
    char          first[PU_ASSERTION_LEN_MAX], second[PU_ASSERTION_LEN_MAX];
    json_t       *one, *two;
    EVP_PKEY     *pkey;
    pu_buf_t      b;
    pu_signer_t  *signer;

    pu_assertion_t  a = {
        PU_STR("g"), NOBODY, PU_STR("u"), PU_STR("a\r\nb"), NOBODY, NOBODY,
        NOBODY, 1, 2
    };

    pkey = mint_key(PU_ES256);
    signer = signer_of(pkey, PU_ES256);

    pu_buf_init(&b, first, sizeof(first));
    CHECK(pu_assertion_sign(signer, &a, &b));
    one = verified(pu_buf_written(&b), signer, PU_ES256);

    pu_buf_init(&b, second, sizeof(second));
    CHECK(pu_assertion_sign(signer, &a, &b));
    two = verified(pu_buf_written(&b), signer, PU_ES256);

    CHECK_INT(json_object_size(one), 7);
    check_member(one, "roles", "[]");
    check_member(one, "scopes", "[]");
    CHECK(json_object_get(one, "name") == NULL);
    CHECK(json_object_get(one, "aud") == NULL);
    CHECK(json_object_get(one, "client") == NULL);
    CHECK(!json_equal(json_object_get(one, "jti"),
                      json_object_get(two, "jti")));

    json_decref(one);
    json_decref(two);
    pu_signer_free(signer);
    EVP_PKEY_free(pkey);
}


static void
too_much_is_not_cut(void)
{
    char          text[PU_ASSERTION_LEN_MAX], roles[9000];
    size_t        i;
    EVP_PKEY     *pkey;
    pu_buf_t      b;
    pu_signer_t  *signer;

    pu_assertion_t  a = {
        PU_STR("g"), NOBODY, PU_STR("u"), NOBODY, NOBODY, NOBODY, NOBODY, 1, 2
    };

    for (i = 0; i < sizeof(roles); i++) {
        roles[i] = (i % 2) ? ' ' : 'a';
    }

    pkey = mint_key(PU_ES256);
    signer = signer_of(pkey, PU_ES256);

    a.roles = (pu_str_t) { sizeof(roles), (uint8_t *) roles };
    pu_buf_init(&b, text, sizeof(text));
    CHECK(!pu_assertion_sign(signer, &a, &b));

    a.roles.len = 100;
    pu_buf_init(&b, text, 300);
    CHECK(!pu_assertion_sign(signer, &a, &b));

    pu_buf_init(&b, text, sizeof(text));
    CHECK(pu_assertion_sign(signer, &a, &b));
    CHECK_INT(ERR_peek_error(), 0);

    pu_signer_free(signer);
    EVP_PKEY_free(pkey);
}


/* A coordinate with leading zero bytes comes once in 128 signatures. */

static void
every_signature_verifies(void)
{
    int           i;
    char          text[4096];
    EVP_PKEY     *pkey;
    pu_buf_t      b;
    pu_signer_t  *signer;

    pkey = mint_key(PU_ES256);
    signer = signer_of(pkey, PU_ES256);

    for (i = 0; i < 600; i++) {
        pu_buf_init(&b, text, sizeof(text));
        CHECK(pu_signer_sign(signer, "{\"a\":1}", &b));
        json_decref(verified(pu_buf_written(&b), signer, PU_ES256));
    }

    pu_signer_free(signer);
    EVP_PKEY_free(pkey);
}


static void
rsa_signs(void)
{
    char          text[4096];
    EVP_PKEY     *pkey;
    pu_buf_t      b;
    pu_signer_t  *signer;

    pkey = mint_key(PU_RS256);
    signer = signer_of(pkey, PU_RS256);

    pu_buf_init(&b, text, sizeof(text));
    CHECK(pu_signer_sign(signer, "{}", &b));
    json_decref(verified(pu_buf_written(&b), signer, PU_RS256));

    pu_signer_free(signer);
    EVP_PKEY_free(pkey);
}


/* Not every libjwt can: it does, or it says that it does not. */

static void
ed25519_signs_or_says_so(void)
{
    char          err[PU_ERROR_SIZE], text[4096], *pem;
    EVP_PKEY     *pkey;
    pu_buf_t      b;
    pu_signer_t  *signer;

    pkey = mint_key(PU_EDDSA);
    pem = private_pem(pkey, NULL);

    err[0] = '\0';
    signer = pu_signer_pem(pu_str(pem), PU_EDDSA, err);

    if (signer != NULL) {
        pu_buf_init(&b, text, sizeof(text));
        CHECK(pu_signer_sign(signer, "{}", &b));
        json_decref(verified(pu_buf_written(&b), signer, PU_EDDSA));

    } else {
        CHECK_SAYS(err, "libjwt");
        CHECK_SAYS(err, "EdDSA");
    }

    CHECK_INT(ERR_peek_error(), 0);
    pu_signer_free(signer);
    EVP_PKEY_free(pkey);
    free(pem);
}


static void
one_that_is_only_published(void)
{
    size_t        i;
    char          text[1024], *pem;
    EVP_PKEY     *pkey;
    pu_buf_t      b;
    pu_signer_t  *signer;

    static const pu_alg_t  algs[] = { PU_ES256, PU_RS256, PU_EDDSA };

    for (i = 0; i < 3; i++) {
        pkey = mint_key(algs[i]);
        signer = signer_of(pkey, PU_ALG_NONE);
        pem = private_pem(pkey, NULL);

        CHECK_SAYS((const char *) pu_signer_jwk(signer).data,
                   pu_alg_name(algs[i]));
        CHECK(strstr((const char *) pu_signer_jwk(signer).data, "\"d\"")
              == NULL);

        pu_buf_init(&b, text, sizeof(text));
        CHECK(!pu_signer_sign(signer, "{}", &b));

        free(pem);
        pu_signer_free(signer);
        EVP_PKEY_free(pkey);
    }
}


/* RFC 7638 section 3.1 has an RSA key; this is its rule for a key of ours. */

static void
kid_is_the_thumbprint(void)
{
    char          want[PU_DIGEST_TEXT_LEN], *x, *y;
    uint8_t       digest[PU_SHA256_LEN];
    json_t       *jwk;
    EVP_PKEY     *pkey;
    pu_str_t      parts[5];
    pu_signer_t  *signer;

    pkey = mint_key(PU_ES256);
    signer = signer_of(pkey, PU_ES256);
    jwk = mint_jwk(pkey, NULL);

    x = strdup(json_string_value(json_object_get(jwk, "x")));
    y = strdup(json_string_value(json_object_get(jwk, "y")));

    parts[0] = PU_STR("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
    parts[1] = pu_str(x);
    parts[2] = PU_STR("\",\"y\":\"");
    parts[3] = pu_str(y);
    parts[4] = PU_STR("\"}");

    CHECK(pu_sha256(digest, parts, 5));
    pu_base64url_encode(want, digest, PU_SHA256_LEN);
    CHECK(pu_str_eq(pu_signer_kid(signer),
                    (pu_str_t) { sizeof(want), (uint8_t *) want }));

    free(x);
    free(y);
    json_decref(jwk);
    pu_signer_free(signer);
    EVP_PKEY_free(pkey);
}


static EVP_PKEY *
on_curve(const char *name)
{
    EVP_PKEY  *pkey;

    pkey = EVP_EC_gen(name);

    if (pkey == NULL) {
        exit(2);
    }

    return pkey;
}


static void
keys_that_are_refused(void)
{
    char      *text;
    EVP_PKEY  *pkey;

    REFUSED(PU_STR(""), PU_ES256, "no unencrypted private key");
    REFUSED(PU_STR("x"), PU_ES256, "no unencrypted private key");
    REFUSED(PU_STR("-----BEGIN PRIVATE KEY-----\nAAAA\n"
                   "-----END PRIVATE KEY-----\n"),
            PU_ES256, "no unencrypted private key");

    REFUSED_KEY(mint_key(PU_RS256), PU_ES256, "ES256, which needs an EC key");
    REFUSED_KEY(mint_key(PU_ES256), PU_RS256, "RS256, which needs an RSA");
    REFUSED_KEY(mint_key(PU_ES256), PU_EDDSA, "EdDSA, which needs an Ed25519");
    REFUSED_KEY(mint_key(PU_ES384), PU_ES256, "none for ES256");
    REFUSED_KEY(mint_key(PU_ES512), PU_ES256, "none for ES256");
    REFUSED_KEY(mint_key(PU_ES384), PU_ALG_NONE, "none for ES256");
    REFUSED_KEY(on_curve("secp256k1"), PU_ES256, "curve");
    REFUSED_KEY(mint_rsa(1024), PU_RS256, "2048");
    REFUSED_KEY(mint_rsa(1024), PU_ALG_NONE, "2048");
    REFUSED_KEY(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), PU_ALG_NONE,
                "none of EC on P-256, RSA and Ed25519");

    pkey = mint_key(PU_ES256);
    text = private_pem(pkey, EVP_aes_128_cbc());
    REFUSED(pu_str(text), PU_ES256, "no unencrypted private key");
    free(text);
    EVP_PKEY_free(pkey);
}


static void
which_algorithms(void)
{
    CHECK_INT(pu_signer_alg(PU_STR("ES256")), PU_ES256);
    CHECK_INT(pu_signer_alg(PU_STR("RS256")), PU_RS256);
    CHECK_INT(pu_signer_alg(PU_STR("EdDSA")), PU_EDDSA);
    CHECK_INT(pu_signer_alg(PU_STR("none")), PU_ALG_NONE);
    CHECK_INT(pu_signer_alg(PU_STR("HS256")), PU_ALG_NONE);
    CHECK_INT(pu_signer_alg(PU_STR("es256")), PU_ALG_NONE);
    CHECK_INT(pu_signer_alg(PU_STR("ES384")), PU_ALG_NONE);
    CHECK_INT(pu_signer_alg(PU_STR("")), PU_ALG_NONE);
}


static void
how_long_it_lives(void)
{
    int64_t  limits[3] = { 1100, PU_ASSERTION_ALWAYS, PU_ASSERTION_ALWAYS };

    CHECK_INT(pu_assertion_exp(1000, 60, limits, 3), 1060);
    CHECK_INT(pu_assertion_exp(1000, 60, NULL, 0), 1060);
    CHECK_INT(pu_assertion_exp(1000, 300, limits, 3), 1100);

    limits[2] = 1020;
    CHECK_INT(pu_assertion_exp(1000, 60, limits, 3), 1020);

    limits[1] = 1001;
    CHECK_INT(pu_assertion_exp(1000, 60, limits, 3), 1001);

    limits[1] = 1000;
    CHECK_INT(pu_assertion_exp(1000, 60, limits, 3), 0);

    limits[1] = 5;
    CHECK_INT(pu_assertion_exp(1000, 60, limits, 3), 0);
}


static void
how_long_it_is_handed_out(void)
{
    CHECK(pu_assertion_usable(1000, 1000, 1060));
    CHECK(pu_assertion_usable(1030, 1000, 1060));
    CHECK(!pu_assertion_usable(1031, 1000, 1060));
    CHECK(!pu_assertion_usable(1060, 1000, 1060));
    CHECK(!pu_assertion_usable(999, 1000, 1060));
    CHECK(pu_assertion_usable(1000, 1000, 1001));
    CHECK(!pu_assertion_usable(1001, 1000, 1001));
}


static const unit_test_t  tests[] = {
    UNIT(what_is_in_it),
    UNIT(what_is_left_out),
    UNIT(too_much_is_not_cut),
    UNIT(every_signature_verifies),
    UNIT(rsa_signs),
    UNIT(ed25519_signs_or_says_so),
    UNIT(one_that_is_only_published),
    UNIT(kid_is_the_thumbprint),
    UNIT(keys_that_are_refused),
    UNIT(which_algorithms),
    UNIT(how_long_it_lives),
    UNIT(how_long_it_is_handed_out)
};

UNIT_MAIN(tests)
