/*
 * Key sets: what makes the whole set refused, how a key is found, and PEM as
 * a set of one.
 */

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "mint.h"
#include "pu_jwk.h"
#include "unit.h"


static void
refused(const char *file, int line, char *text, const char *words)
{
    char        err[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    err[0] = '\0';
    keys = pu_keys_jwks(pu_str(text), NULL, NULL, err);

    unit_check(file, line, keys == NULL, "the set is accepted");
    unit_check(file, line, strstr(err, words) != NULL, err);

    pu_keys_free(keys);
    free(text);
}

#define REFUSED(text, words)  refused(__FILE__, __LINE__, text, words)


static void
thumbprint_is_that_of_rfc_7638_section_3_1(void)
{
    char        text[PU_DIGEST_TEXT_LEN];
    pu_keys_t  *keys;
    char        err[PU_ERROR_SIZE];

    static const char  set[] =
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQm"
        "bXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRX"
        "jBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v"
        "-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajr"
        "n1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G"
        "_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\""
        ":\"RS256\",\"kid\":\"2011-04-29\"}]}";

    keys = pu_keys_jwks(PU_STR(set), NULL, NULL, err);
    CHECK(keys != NULL && keys->n == 1);

    pu_base64url_encode(text, keys->keys[0].thumbprint, PU_SHA256_LEN);
    CHECK(memcmp(text, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
                 sizeof(text)) == 0);
    CHECK_INT(keys->keys[0].algs, PU_ALG_BIT(PU_RS256));

    pu_keys_free(keys);
}


static void
a_set_is_an_object_with_an_array_of_keys(void)
{
    char        err[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    REFUSED(strdup(""), "not a JSON object");
    REFUSED(strdup("[]"), "not a JSON object");
    REFUSED(strdup("{}"), "\"keys\"");
    REFUSED(strdup("{\"keys\":{}}"), "\"keys\"");
    REFUSED(strdup("{\"keys\":null}"), "\"keys\"");
    REFUSED(strdup("{\"keys\":[]} x"), "not a JSON object");
    REFUSED(strdup("{\"keys\":[1]}"), "not a JSON object");
    REFUSED(strdup("{\"keys\":[],\"keys\":[]}"), "not a JSON object");
    REFUSED(strdup("{\"keys\":[{\"kty\":\"EC\",\"kty\":\"EC\"}]}"),
            "not a JSON object");
    REFUSED(strdup("{\"keys\":[{\"kty\":\"EC\",\"a\":[[[[[[]]]]]]}]}"),
            "not a JSON object");

    keys = pu_keys_jwks(PU_STR("{\"keys\":[]}"), NULL, NULL, err);
    CHECK(keys != NULL && keys->n == 0);
    pu_keys_free(keys);
    pu_keys_free(NULL);
}


static void
a_set_stops_at_256_kib_and_64_keys(void)
{
    int         i;
    char       *text, err[PU_ERROR_SIZE];
    json_t     *array;
    size_t      len;
    pu_keys_t  *keys;

    text = malloc(PU_JWKS_SIZE_MAX + 2);
    memset(text, ' ', PU_JWKS_SIZE_MAX + 1);
    memcpy(text, "{\"keys\":[]}", 11);
    text[PU_JWKS_SIZE_MAX + 1] = '\0';

    keys = pu_keys_jwks((pu_str_t) { PU_JWKS_SIZE_MAX,
                                     (const uint8_t *) text }, NULL, NULL,
                        err);
    CHECK(keys != NULL);
    pu_keys_free(keys);
    REFUSED(text, "larger than 262144 bytes");

    for (len = 64; len <= 65; len++) {
        array = json_array();

        for (i = 0; i < (int) len; i++) {
            json_array_append_new(array, json_pack("{s:s}", "kty", "none"));
        }

        array = json_pack("{s:o}", "keys", array);
        text = json_dumps(array, 0);
        json_decref(array);

        if (len == 65) {
            REFUSED(text, "more than 64 keys");
            continue;
        }

        keys = pu_keys_jwks(pu_str(text), NULL, NULL, err);
        CHECK(keys != NULL && keys->n == 0);
        pu_keys_free(keys);
        free(text);
    }
}


static void
a_set_with_a_private_member_is_refused_whole(void)
{
    size_t     i;
    char       more[64];
    json_t    *good;
    EVP_PKEY  *pkey;

    static const char *const  names[] = {
        "d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"
    };

    pkey = mint_key(PU_ES256);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(more, sizeof(more), "{\"kid\":\"b\",\"%s\":\"AQ\"}",
                 names[i]);
        good = mint_jwk(pkey, "{\"kid\":\"a\"}");
        REFUSED(mint_set(good, mint_jwk(pkey, more), NULL), "private");
    }

    REFUSED(mint_set(mint_jwk(pkey, "{\"use\":\"enc\",\"d\":null}"), NULL),
            "private");
    EVP_PKEY_free(pkey);
}


static void
a_symmetric_key_never_comes_from_a_set(void)
{
    json_t    *oct;
    EVP_PKEY  *pkey;

    oct = json_pack("{s:s,s:s}", "kty", "oct", "k",
                    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    REFUSED(mint_set(oct, NULL), "symmetric");

    pkey = mint_key(PU_ES256);
    oct = json_pack("{s:s}", "kty", "oct");
    REFUSED(mint_set(mint_jwk(pkey, NULL), oct, NULL), "symmetric");
    EVP_PKEY_free(pkey);
}


static void
two_signing_keys_of_a_type_under_one_kid_are_refused(void)
{
    EVP_PKEY   *ec, *other, *rsa;
    pu_keys_t  *keys;

    ec = mint_key(PU_ES256);
    other = mint_key(PU_ES384);
    rsa = mint_key(PU_RS256);

    REFUSED(mint_set(mint_jwk(ec, "{\"kid\":\"a\"}"),
                     mint_jwk(rsa, "{\"kid\":\"b\"}"),
                     mint_jwk(other, "{\"kid\":\"a\",\"use\":\"sig\"}"),
                     NULL), "two signing keys");
    REFUSED(mint_set(mint_jwk(rsa, "{\"kid\":\"b\"}"),
                     mint_jwk(ec, "{\"kid\":\"a\"}"),
                     mint_jwk(other, "{\"kid\":\"a\"}"), NULL),
            "two signing keys");
    REFUSED(mint_set(mint_jwk(ec, "{\"kid\":\"\"}"),
                     mint_jwk(other, "{\"kid\":\"\"}"), NULL),
            "two signing keys");

    /* another type, another use, no kid: nothing to mix up */

    keys = mint_keys(mint_jwk(ec, "{\"kid\":\"a\"}"),
                     mint_jwk(rsa, "{\"kid\":\"a\"}"),
                     mint_jwk(other, "{\"kid\":\"a\",\"use\":\"enc\"}"),
                     NULL);
    CHECK_INT(keys->n, 2);
    pu_keys_free(keys);

    keys = mint_keys(mint_jwk(ec, "{\"kid\":\"a\"}"),
                     mint_jwk(other, "{\"kid\":\"a\",\"kty\":7}"), NULL);
    CHECK_INT(keys->n, 1);
    pu_keys_free(keys);

    keys = mint_keys(mint_jwk(other, "{\"kid\":\"a\",\"kty\":7}"),
                     mint_jwk(ec, "{\"kid\":\"a\"}"), NULL);
    CHECK_INT(keys->n, 1);
    pu_keys_free(keys);

    keys = mint_keys(mint_jwk(ec, NULL), mint_jwk(other, NULL), NULL);
    CHECK_INT(keys->n, 2);
    pu_keys_free(keys);

    keys = mint_keys(mint_jwk(rsa, "{\"kid\":\"a\",\"alg\":\"RSA-OAEP\"}"),
                     mint_jwk(rsa, "{\"kid\":\"a\",\"alg\":\"RS256\"}"),
                     NULL);
    CHECK_INT(keys->n, 1);
    pu_keys_free(keys);

    REFUSED(mint_set(mint_jwk(rsa, "{\"kid\":\"a\",\"alg\":\"PS256\"}"),
                     mint_jwk(rsa, "{\"kid\":\"a\",\"alg\":\"RS256\"}"), NULL),
            "two signing keys");

    EVP_PKEY_free(ec);
    EVP_PKEY_free(other);
    EVP_PKEY_free(rsa);
}


static void
a_kid_finds_its_key_and_only_that(void)
{
    EVP_PKEY         *a, *b, *c;
    pu_keys_t        *keys;
    const pu_key_t   *key;
    const pu_str_t    none = { 0, NULL };

    a = mint_key(PU_ES256);
    b = mint_key(PU_ES256);
    c = mint_key(PU_RS256);
    keys = mint_keys(mint_jwk(a, "{\"kid\":\"a\"}"), mint_jwk(b, NULL),
                     mint_jwk(c, "{\"kid\":\"a\"}"), NULL);

    key = pu_keys_next(keys, PU_ES256, PU_STR("a"), NULL);
    CHECK(key == &keys->keys[0]);
    CHECK(pu_keys_next(keys, PU_ES256, PU_STR("a"), key) == NULL);
    CHECK(pu_keys_next(keys, PU_RS256, PU_STR("a"), NULL) == &keys->keys[2]);
    CHECK(pu_keys_next(keys, PU_ES384, PU_STR("a"), NULL) == NULL);
    CHECK(pu_keys_next(keys, PU_ES256, PU_STR("A"), NULL) == NULL);
    CHECK(pu_keys_next(keys, PU_ES256, PU_STR("ab"), NULL) == NULL);

    /* an empty kid is a kid: it does not match the key without one */

    CHECK(pu_keys_next(keys, PU_ES256, PU_STR(""), NULL) == NULL);

    key = pu_keys_next(keys, PU_ES256, none, NULL);
    CHECK(key == &keys->keys[0]);
    key = pu_keys_next(keys, PU_ES256, none, key);
    CHECK(key == &keys->keys[1]);
    CHECK(pu_keys_next(keys, PU_ES256, none, key) == NULL);

    CHECK(pu_keys_next(NULL, PU_ES256, none, NULL) == NULL);
    CHECK(pu_keys_next(keys, PU_ALG_NONE, none, NULL) == NULL);

    pu_keys_free(keys);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
    EVP_PKEY_free(c);
}


static void
a_mark_finds_its_key(void)
{
    uint8_t      mark[PU_KEY_MARK_LEN];
    EVP_PKEY    *a, *b;
    pu_keys_t   *keys;

    a = mint_key(PU_ES256);
    b = mint_key(PU_EDDSA);
    keys = mint_keys(mint_jwk(a, NULL), mint_jwk(b, NULL), NULL);

    memcpy(mark, keys->keys[1].mark, sizeof(mark));
    CHECK(pu_keys_marked(keys, mark) == &keys->keys[1]);
    CHECK(pu_keys_marked(NULL, mark) == NULL);
    mark[15] ^= 1;
    CHECK(pu_keys_marked(keys, mark) == NULL);

    pu_keys_free(keys);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
}


/* A key that has been narrowed or renamed does not answer for the old one. */
static void
a_mark_is_of_kid_and_algorithms_too(void)
{
    EVP_PKEY   *a;
    pu_keys_t  *plain, *named, *other, *narrow;

    a = mint_key(PU_RS256);
    plain = mint_keys(mint_jwk(a, NULL), NULL);
    named = mint_keys(mint_jwk(a, "{\"kid\":\"one\"}"), NULL);
    other = mint_keys(mint_jwk(a, "{\"kid\":\"two\"}"), NULL);
    narrow = mint_keys(mint_jwk(a, "{\"kid\":\"one\",\"alg\":\"RS256\"}"),
                       NULL);

    CHECK(pu_keys_marked(named, named->keys[0].mark) != NULL);
    CHECK(pu_keys_marked(named, plain->keys[0].mark) == NULL);
    CHECK(pu_keys_marked(other, named->keys[0].mark) == NULL);
    CHECK(pu_keys_marked(narrow, named->keys[0].mark) == NULL);

    pu_keys_free(plain);
    pu_keys_free(named);
    pu_keys_free(other);
    pu_keys_free(narrow);
    EVP_PKEY_free(a);
}


static char *
pem_of(EVP_PKEY *pkey, int private)
{
    BIO   *bio;
    char  *data, *text;
    long   len;

    bio = BIO_new(BIO_s_mem());

    if (private) {
        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    } else {
        PEM_write_bio_PUBKEY(bio, pkey);
    }

    len = BIO_get_mem_data(bio, &data);
    text = strndup(data, (size_t) len);
    BIO_free(bio);

    return text;
}


static void
a_pem_key_is_the_same_key(void)
{
    size_t      i;
    char       *text, err[PU_ERROR_SIZE];
    EVP_PKEY   *pkey;
    pu_keys_t  *keys, *set;

    static const pu_alg_t  algs[] = {
        PU_RS256, PU_ES256, PU_ES384, PU_ES512, PU_EDDSA
    };

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        pkey = mint_key(algs[i]);
        set = mint_keys(mint_jwk(pkey, NULL), NULL);
        text = pem_of(pkey, 0);
        keys = pu_keys_pem(pu_str(text), err);

        CHECK(keys != NULL && keys->n == 1 && keys->keys[0].kid.data == NULL);
        CHECK(keys != NULL && keys->keys[0].algs == set->keys[0].algs);
        CHECK(keys != NULL && memcmp(keys->keys[0].thumbprint,
                                     set->keys[0].thumbprint, PU_SHA256_LEN)
                              == 0);

        /* a kid finds it, as PEM has no place for one; in a set it does not */

        CHECK(pu_keys_next(keys, algs[i], PU_STR("k"), NULL)
              == &keys->keys[0]);
        CHECK(pu_keys_next(set, algs[i], PU_STR("k"), NULL) == NULL);

        free(text);
        pu_keys_free(keys);
        pu_keys_free(set);
        EVP_PKEY_free(pkey);
    }
}


static void
a_pem_certificate_gives_its_key(void)
{
    BIO        *bio;
    char       *data, err[PU_ERROR_SIZE];
    long        len;
    X509       *cert;
    EVP_PKEY   *pkey;
    pu_keys_t  *keys, *set;

    pkey = mint_key(PU_ES256);
    cert = X509_new();
    X509_set_pubkey(cert, pkey);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 60);
    CHECK(X509_sign(cert, pkey, EVP_sha256()) > 0);

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, cert);
    len = BIO_get_mem_data(bio, &data);
    keys = pu_keys_pem((pu_str_t) { (size_t) len, (uint8_t *) data }, err);
    set = mint_keys(mint_jwk(pkey, NULL), NULL);

    CHECK(keys != NULL && memcmp(keys->keys[0].thumbprint,
                                 set->keys[0].thumbprint, PU_SHA256_LEN)
                          == 0);

    BIO_free(bio);
    X509_free(cert);
    pu_keys_free(keys);
    pu_keys_free(set);
    EVP_PKEY_free(pkey);
}


static void
pem_that_is_private_weak_or_broken_is_refused(void)
{
    size_t     i;
    char      *text, err[PU_ERROR_SIZE];
    EVP_PKEY  *keys[4];

    keys[0] = mint_rsa(1024);
    keys[1] = EVP_EC_gen("secp256k1");
    keys[2] = EVP_EC_gen("P-224");
    keys[3] = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");

    for (i = 0; i < 4; i++) {
        text = pem_of(keys[i], 0);
        CHECK(pu_keys_pem(pu_str(text), err) == NULL);
        CHECK(err[0] != '\0' && ERR_peek_error() == 0);
        free(text);
        EVP_PKEY_free(keys[i]);
    }

    keys[0] = mint_key(PU_ES256);
    text = pem_of(keys[0], 1);
    CHECK(pu_keys_pem(pu_str(text), err) == NULL);
    CHECK_SAYS(err, "private");
    free(text);

    text = pem_of(keys[0], 0);
    CHECK(pu_keys_pem((pu_str_t) { strlen(text) / 2, (uint8_t *) text }, err)
          == NULL);
    free(text);
    EVP_PKEY_free(keys[0]);

    CHECK(pu_keys_pem(PU_STR(""), err) == NULL);
    CHECK(pu_keys_pem(PU_STR("{\"keys\":[]}"), err) == NULL);
    CHECK_SAYS(err, "no PEM");
    CHECK_INT(ERR_peek_error(), 0);
}


static void
a_key_file_names_itself_when_it_fails(void)
{
    char  err[PU_ERROR_SIZE];

    CHECK(pu_keys_jwks_file("/nowhere/keys", NULL, NULL, err) == NULL);
    CHECK_SAYS(err, "/nowhere/keys");
    CHECK(pu_keys_jwks_file("/dev/null", NULL, NULL, err) == NULL);
    CHECK_SAYS(err, "/dev/null");
    CHECK_SAYS(err, "JSON object");
}


static void
for_no_algorithm_there_is_no_key(void)
{
    EVP_PKEY   *pkey;
    pu_keys_t  *keys;

    const pu_str_t  none = { 0, NULL };

    pkey = mint_key(PU_RS256);
    keys = mint_keys(mint_jwk(pkey, NULL), NULL);

    CHECK(pu_keys_next(keys, PU_RS256, none, NULL) == keys->keys);
    CHECK(pu_keys_next(keys, PU_PS512, none, NULL) == keys->keys);
    CHECK(pu_keys_next(keys, PU_ALG_NONE, none, NULL) == NULL);
    CHECK(pu_keys_next(keys, PU_ALG_COUNT, none, NULL) == NULL);
    CHECK(pu_keys_next(NULL, PU_RS256, none, NULL) == NULL);

    /* whatever a key may verify */

    keys->keys[0].algs = ~0u;
    CHECK(pu_keys_next(keys, PU_ALG_NONE, none, NULL) == NULL);
    CHECK(pu_keys_next(keys, PU_ALG_COUNT, none, NULL) == NULL);

    CHECK(strcmp(pu_alg_name(PU_RS256), "RS256") == 0);
    CHECK(strcmp(pu_alg_name(PU_HS512), "HS512") == 0);
    CHECK(strcmp(pu_alg_name(PU_ALG_NONE), "none") == 0);
    CHECK(strcmp(pu_alg_name(PU_ALG_COUNT), "none") == 0);

    pu_keys_free(keys);
    EVP_PKEY_free(pkey);
}


static void
pem_has_at_most_64_kib(void)
{
    char       *text, err[PU_ERROR_SIZE];
    size_t      len;
    EVP_PKEY   *pkey;
    pu_keys_t  *keys;

    pkey = mint_key(PU_ES256);
    text = pem_of(pkey, 0);
    len = strlen(text);
    text = realloc(text, 65537);
    memset(text + len, '\n', 65537 - len);

    keys = pu_keys_pem((pu_str_t) { 65536, (uint8_t *) text }, err);
    CHECK(keys != NULL);
    pu_keys_free(keys);

    CHECK(pu_keys_pem((pu_str_t) { 65537, (uint8_t *) text }, err) == NULL);
    CHECK_SAYS(err, "larger than 65536 bytes");

    free(text);
    EVP_PKEY_free(pkey);
}


/* An RSA key of so many bytes, made of its numbers, in PEM. */
static char *
pem_of_rsa(size_t size)
{
    char          *text, type[] = "n", exponent[] = "e";
    uint8_t        n[2049], e[3] = { 1, 0, 1 };
    EVP_PKEY      *pkey;
    EVP_PKEY_CTX  *ctx;
    OSSL_PARAM     params[3];

    pkey = NULL;
    memset(n, 0xff, sizeof(n));
    params[0] = OSSL_PARAM_construct_BN(type, n, size);
    params[1] = OSSL_PARAM_construct_BN(exponent, e, sizeof(e));
    params[2] = OSSL_PARAM_construct_end();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    CHECK(EVP_PKEY_fromdata_init(ctx) == 1);
    CHECK(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1);
    CHECK_INT(EVP_PKEY_get_bits(pkey), size * 8);

    text = pem_of(pkey, 0);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);

    return text;
}


/* There is room for 2048 bytes; of these the judge says what is wrong. */
static void
an_rsa_key_in_pem_has_its_bound(void)
{
    char  *text, err[PU_ERROR_SIZE];

    text = pem_of_rsa(2048);
    CHECK(pu_keys_pem(pu_str(text), err) == NULL);
    CHECK_SAYS(err, "its \"n\" is longer than the 1024 bytes allowed");
    free(text);

    text = pem_of_rsa(2049);
    CHECK(pu_keys_pem(pu_str(text), err) == NULL);
    CHECK_SAYS(err, "the PEM key is none of RSA, EC and Ed25519");
    free(text);
}


/* Its 32 bytes would look like the point of an Ed25519 key. */
static void
an_x25519_key_is_no_jwk(void)
{
    json_t    *jwk;
    EVP_PKEY  *pkey;

    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    jwk = json_object();
    CHECK(pkey != NULL && !pu_pkey_jwk(jwk, pkey));
    CHECK_INT(json_object_size(jwk), 0);
    json_decref(jwk);
    EVP_PKEY_free(pkey);
}


static void
a_name_is_known_with_its_key_alone(void)
{
    EVP_PKEY   *pkey;
    pu_keys_t  *keys;

    const pu_str_t  none = { 0, NULL };

    pkey = mint_key(PU_ES256);
    keys = mint_keys(mint_jwk(pkey, NULL), mint_jwk(pkey, "{\"kid\":\"a\"}"),
                     mint_jwk(pkey, "{\"kid\":\"b\"}"), NULL);

    CHECK(pu_keys_named(keys, PU_STR("a")));
    CHECK(pu_keys_named(keys, PU_STR("b")));
    CHECK(!pu_keys_named(keys, PU_STR("c")));
    CHECK(!pu_keys_named(keys, PU_STR("")));
    CHECK(!pu_keys_named(NULL, PU_STR("a")));

    /* what stands behind the last key is none */

    keys->n = 2;
    CHECK(!pu_keys_named(keys, PU_STR("b")));
    CHECK(pu_keys_next(keys, PU_ES256, PU_STR("b"), NULL) == NULL);
    CHECK(pu_keys_next(keys, PU_ES256, none, &keys->keys[1]) == NULL);
    CHECK(pu_keys_marked(keys, keys->keys[2].mark) == NULL);
    keys->n = 3;
    CHECK(pu_keys_marked(keys, keys->keys[2].mark) == &keys->keys[2]);

    pu_keys_free(keys);

    keys = mint_keys(mint_jwk(pkey, "{\"kid\":\"a\"}"), NULL);
    CHECK(pu_keys_named(keys, PU_STR("a")));
    pu_keys_free(keys);

    EVP_PKEY_free(pkey);
}


static void
a_set_nests_8_deep_and_a_key_has_64_members(void)
{
    int         i, n;
    char        text[2048], err[PU_ERROR_SIZE], *p;
    pu_keys_t  *keys;

    keys = pu_keys_jwks(PU_STR("{\"keys\":[{\"kty\":\"x\",\"a\":[[[[[]]]]]}]}"),
                        NULL, NULL, err);
    CHECK(keys != NULL);
    pu_keys_free(keys);

    for (n = 64; n <= 65; n++) {
        p = text + sprintf(text, "{\"keys\":[{\"kty\":\"x\"");

        for (i = 1; i < n; i++) {
            p += sprintf(p, ",\"m%d\":1", i);
        }

        sprintf(p, "}]}");
        keys = pu_keys_jwks(pu_str(text), NULL, NULL, err);
        CHECK_INT(keys != NULL, n == 64);
        pu_keys_free(keys);
    }
}


static const unit_test_t  tests[] = {
    UNIT(thumbprint_is_that_of_rfc_7638_section_3_1),
    UNIT_FOR("K1", a_set_is_an_object_with_an_array_of_keys),
    UNIT_FOR("K1", a_set_stops_at_256_kib_and_64_keys),
    UNIT_FOR("K4", a_set_with_a_private_member_is_refused_whole),
    UNIT_FOR("K3", a_symmetric_key_never_comes_from_a_set),
    UNIT_FOR("K2", two_signing_keys_of_a_type_under_one_kid_are_refused),
    UNIT(a_kid_finds_its_key_and_only_that),
    UNIT(a_name_is_known_with_its_key_alone),
    UNIT_FOR("K1", a_set_nests_8_deep_and_a_key_has_64_members),
    UNIT(a_mark_finds_its_key),
    UNIT(a_mark_is_of_kid_and_algorithms_too),
    UNIT(a_pem_key_is_the_same_key),
    UNIT(a_pem_certificate_gives_its_key),
    UNIT(pem_that_is_private_weak_or_broken_is_refused),
    UNIT(a_key_file_names_itself_when_it_fails),
    UNIT(for_no_algorithm_there_is_no_key),
    UNIT(pem_has_at_most_64_kib),
    UNIT(an_rsa_key_in_pem_has_its_bound),
    UNIT(an_x25519_key_is_no_jwk)
};

UNIT_MAIN(tests)
