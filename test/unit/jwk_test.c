/*
 * One key of a set: what it may verify, and everything for which it is left
 * out with a warning.
 */

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "mint.h"
#include "pu_jwk.h"
#include "unit.h"


typedef struct {
    unsigned  n;
    char      last[1024];
} warnings_t;


static void
remember(void *data, const char *sentence)
{
    warnings_t  *warnings;

    warnings = data;
    warnings->n++;
    snprintf(warnings->last, sizeof(warnings->last), "%s", sentence);
}


/* Reads a set of one JWK; its text and the warning are gone afterwards. */
static pu_keys_t *
read_one(json_t *jwk, warnings_t *warnings)
{
    char       *text, err[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    memset(warnings, 0, sizeof(warnings_t));
    text = mint_set(jwk, NULL);
    keys = pu_keys_jwks(pu_str(text), remember, warnings, err);
    free(text);

    return keys;
}


/* The one key is left out, the set is not, and the warning has these words. */
static void
left_out(const char *file, int line, json_t *jwk, const char *words)
{
    pu_keys_t   *keys;
    warnings_t   warnings;

    keys = read_one(jwk, &warnings);

    unit_check(file, line, keys != NULL && keys->n == 0, words);
    unit_int(file, line, warnings.n, 1, "warnings");
    unit_check(file, line, strstr(warnings.last, words) != NULL,
               warnings.last);
    unit_check(file, line, ERR_peek_error() == 0, "an OpenSSL error is left");

    pu_keys_free(keys);
}

#define LEFT_OUT(jwk, words)  left_out(__FILE__, __LINE__, jwk, words)


static json_t *
set_bytes(json_t *jwk, const char *name, const uint8_t *data, size_t len)
{
    char    text[4096];
    size_t  n;

    n = pu_base64url_encode(text, data, len);
    json_object_set_new(jwk, name, json_stringn(text, n));

    return jwk;
}


static void
each_type_verifies_its_algorithms_only(void)
{
    size_t       i;
    json_t      *jwk;
    EVP_PKEY    *pkey;
    pu_keys_t   *keys;
    warnings_t   warnings;

    static const struct {
        pu_alg_t  alg;
        unsigned  algs;
    } types[] = {
        { PU_RS256, PU_ALG_BIT(PU_ES256) - 1 },
        { PU_ES256, PU_ALG_BIT(PU_ES256) },
        { PU_ES384, PU_ALG_BIT(PU_ES384) },
        { PU_ES512, PU_ALG_BIT(PU_ES512) },
        { PU_EDDSA, PU_ALG_BIT(PU_EDDSA) | PU_ALG_BIT(PU_ED25519) }
    };

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        pkey = mint_key(types[i].alg);
        jwk = mint_jwk(pkey, "{\"kid\":\"k\",\"x5c\":[\"MII\"]}");
        keys = read_one(jwk, &warnings);

        CHECK(keys != NULL && keys->n == 1 && warnings.n == 0);
        CHECK_INT(keys->keys[0].algs, types[i].algs);
        CHECK_STR(keys->keys[0].kid, "k");

        pu_keys_free(keys);
        EVP_PKEY_free(pkey);
    }
}


static void
use_and_key_ops_must_allow_verifying(void)
{
    EVP_PKEY    *pkey;
    pu_keys_t   *keys;
    warnings_t   warnings;

    pkey = mint_key(PU_ES256);

    LEFT_OUT(mint_jwk(pkey, "{\"use\":\"enc\"}"), "\"use\"");
    LEFT_OUT(mint_jwk(pkey, "{\"use\":\"SIG\"}"), "\"use\"");
    LEFT_OUT(mint_jwk(pkey, "{\"use\":[\"sig\"]}"), "\"use\"");
    LEFT_OUT(mint_jwk(pkey, "{\"key_ops\":[]}"), "\"key_ops\"");
    LEFT_OUT(mint_jwk(pkey, "{\"key_ops\":[\"sign\"]}"), "\"key_ops\"");
    LEFT_OUT(mint_jwk(pkey, "{\"key_ops\":\"verify\"}"), "\"key_ops\"");
    LEFT_OUT(mint_jwk(pkey, "{\"key_ops\":[7,null]}"), "\"key_ops\"");
    LEFT_OUT(mint_jwk(pkey, "{\"use\":\"enc\",\"key_ops\":[\"verify\"]}"),
             "\"use\"");

    keys = read_one(mint_jwk(pkey, "{\"use\":\"sig\",\"key_ops\":"
                             "[\"encrypt\",\"verify\"]}"), &warnings);
    CHECK(keys != NULL && keys->n == 1 && warnings.n == 0);
    pu_keys_free(keys);

    keys = read_one(mint_jwk(pkey, "{\"key_ops\":[\"verify\"]}"), &warnings);
    CHECK(keys != NULL && keys->n == 1 && warnings.n == 0);
    pu_keys_free(keys);
    EVP_PKEY_free(pkey);
}


static void
the_algorithm_of_a_key_narrows_it(void)
{
    EVP_PKEY    *ec, *rsa, *ed;
    pu_keys_t   *keys;
    warnings_t   warnings;

    ec = mint_key(PU_ES256);
    rsa = mint_key(PU_RS256);
    ed = mint_key(PU_EDDSA);

    LEFT_OUT(mint_jwk(ec, "{\"alg\":\"ES384\"}"), "\"alg\"");
    LEFT_OUT(mint_jwk(ec, "{\"alg\":\"RS256\"}"), "\"alg\"");
    LEFT_OUT(mint_jwk(ec, "{\"alg\":\"HS256\"}"), "\"alg\"");
    LEFT_OUT(mint_jwk(ec, "{\"alg\":\"es256\"}"), "\"alg\"");
    LEFT_OUT(mint_jwk(ec, "{\"alg\":\"none\"}"), "\"alg\"");
    LEFT_OUT(mint_jwk(ec, "{\"alg\":\"\"}"), "\"alg\"");
    LEFT_OUT(mint_jwk(ec, "{\"alg\":1}"), "\"alg\"");
    LEFT_OUT(mint_jwk(ec, "{\"alg\":\"ES521\"}"), "\"alg\"");
    LEFT_OUT(mint_jwk(rsa, "{\"alg\":\"RSA-OAEP\"}"), "\"alg\"");
    LEFT_OUT(mint_jwk(rsa, "{\"alg\":\"A256GCM\"}"), "\"alg\"");

    keys = read_one(mint_jwk(rsa, "{\"alg\":\"PS384\"}"), &warnings);
    CHECK(keys->n == 1 && keys->keys[0].algs == PU_ALG_BIT(PU_PS384));
    pu_keys_free(keys);

    /* two names of one algorithm */

    keys = read_one(mint_jwk(ed, "{\"alg\":\"Ed25519\"}"), &warnings);
    CHECK(keys->n == 1
          && keys->keys[0].algs
             == (PU_ALG_BIT(PU_EDDSA) | PU_ALG_BIT(PU_ED25519)));
    pu_keys_free(keys);

    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ed);
}


static void
type_and_curve_must_be_known(void)
{
    EVP_PKEY  *ec, *ed, *rsa;

    ec = mint_key(PU_ES256);
    ed = mint_key(PU_EDDSA);
    rsa = mint_key(PU_RS256);

    LEFT_OUT(mint_jwk(ec, "{\"kty\":\"ec\"}"), "\"kty\"");
    LEFT_OUT(mint_jwk(ec, "{\"kty\":1}"), "\"kty\"");
    LEFT_OUT(mint_jwk(ec, "{\"kty\":\"RSA\"}"), "\"n\"");
    LEFT_OUT(mint_jwk(rsa, "{\"kty\":\"EC\"}"), "curve");
    LEFT_OUT(mint_jwk(ec, "{\"crv\":\"secp256k1\"}"), "curve");
    LEFT_OUT(mint_jwk(ec, "{\"crv\":\"P-384\"}"), "coordinates");
    LEFT_OUT(mint_jwk(ec, "{\"crv\":null}"), "curve");
    LEFT_OUT(mint_jwk(ed, "{\"crv\":\"Ed448\"}"), "Ed25519");
    LEFT_OUT(mint_jwk(ed, "{\"crv\":\"X25519\"}"), "Ed25519");
    LEFT_OUT(mint_jwk(ed, "{\"kty\":\"EC\"}"), "curve");

    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(rsa);
}


static void
an_rsa_modulus_has_2048_to_8192_bits(void)
{
    uint8_t      n[1025];
    EVP_PKEY    *small, *large;
    pu_keys_t   *keys;
    warnings_t   warnings;

    small = mint_rsa(1024);
    large = mint_rsa(2048);

    LEFT_OUT(mint_jwk(small, NULL), "1024 bits");

    memset(n, 0xff, sizeof(n));
    LEFT_OUT(set_bytes(mint_jwk(large, NULL), "n", n, 255), "2040 bits");
    n[0] = 0x7f;
    LEFT_OUT(set_bytes(mint_jwk(large, NULL), "n", n, 256), "2047 bits");
    n[0] = 0x01;
    LEFT_OUT(set_bytes(mint_jwk(large, NULL), "n", n, 1025), "1024 bytes");

    keys = read_one(mint_jwk(large, NULL), &warnings);
    CHECK(keys->n == 1 && warnings.n == 0);
    pu_keys_free(keys);

    EVP_PKEY_free(small);
    EVP_PKEY_free(large);
}


/* "n" of the key with one byte changed; place -1 is the last. */
static json_t *
with_modulus_byte(EVP_PKEY *pkey, int place, int value)
{
    BIGNUM   *bn;
    uint8_t   n[256];
    json_t   *jwk;

    bn = NULL;
    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &bn);
    BN_bn2binpad(bn, n, 256);
    BN_free(bn);

    n[(place == -1) ? 255 : place] = (uint8_t) value;
    jwk = mint_jwk(pkey, NULL);

    return set_bytes(jwk, "n", n, 256);
}


static void
an_rsa_modulus_is_odd_and_without_leading_zeros(void)
{
    BIGNUM    *bn;
    uint8_t    n[258];
    EVP_PKEY  *pkey;

    pkey = mint_rsa(2048);

    LEFT_OUT(with_modulus_byte(pkey, -1, 0xf0), "even");
    LEFT_OUT(with_modulus_byte(pkey, 0, 0x00), "leading zero");

    bn = NULL;
    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &bn);
    BN_bn2binpad(bn, n, 257);
    LEFT_OUT(set_bytes(mint_jwk(pkey, NULL), "n", n, 257), "leading zero");

    /* three times another number */

    BN_div_word(bn, 3);
    BN_mul_word(bn, 3);
    BN_bn2binpad(bn, n, 256);
    CHECK(BN_is_odd(bn) || BN_sub_word(bn, 3) == 1);
    BN_bn2binpad(bn, n, 256);
    LEFT_OUT(set_bytes(mint_jwk(pkey, NULL), "n", n, 256), "small factor");

    BN_free(bn);
    EVP_PKEY_free(pkey);
}


static void
an_rsa_exponent_is_odd_and_from_65537_to_2_32(void)
{
    EVP_PKEY    *pkey;
    pu_keys_t   *keys;
    warnings_t   warnings;

    pkey = mint_rsa(2048);

    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"AQ\"}"), "exponent");         /* 1 */
    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"Aw\"}"), "exponent");         /* 3 */
    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"__8\"}"), "exponent");    /* 65535 */
    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"AQAC\"}"), "exponent");   /* 65538 */
    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"AAEAAQ\"}"), "leading zero");
    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"AQAAAAE\"}"), "\"e\"");
    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"AA\"}"), "leading zero");
    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"\"}"), "\"e\"");
    LEFT_OUT(mint_jwk(pkey, "{\"e\":65537}"), "\"e\"");
    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"AQAB=\"}"), "base64url");
    LEFT_OUT(mint_jwk(pkey, "{\"e\":\"AQAB==\"}"), "\"e\"");

    keys = read_one(mint_jwk(pkey, "{\"e\":\"_____w\"}"), &warnings);
    CHECK(keys->n == 1);                                /* 2^32 - 1 */
    pu_keys_free(keys);

    EVP_PKEY_free(pkey);
}


/* A number of 2048 bits that is a power of 65537 modulo small primes. */
static void
a_modulus_with_the_roca_fingerprint_is_left_out(void)
{
    size_t     i;
    BN_CTX    *ctx;
    BIGNUM    *product, *n, *power;
    uint8_t    bytes[256];
    EVP_PKEY  *pkey;

    static const uint8_t  primes[] = {
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61,
        67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137,
        139, 149, 151, 157, 163, 167
    };

    pkey = mint_rsa(2048);
    ctx = BN_CTX_new();
    product = BN_new();
    n = BN_new();
    power = BN_new();

    BN_one(product);

    for (i = 0; i < sizeof(primes); i++) {
        BN_mul_word(product, primes[i]);
    }

    BN_set_word(power, 65537);
    BN_set_word(n, 123457);
    BN_mod_exp(power, power, n, product, ctx);

    BN_set_word(n, 3);
    BN_lshift(n, n, 2046);
    BN_div(n, NULL, n, product, ctx);
    BN_mul(n, n, product, ctx);
    BN_add(n, n, power);
    CHECK_INT(BN_num_bits(n), 2048);
    BN_bn2binpad(n, bytes, sizeof(bytes));

    LEFT_OUT(set_bytes(mint_jwk(pkey, NULL), "n", bytes, sizeof(bytes)),
             "ROCA");

    BN_free(product);
    BN_free(n);
    BN_free(power);
    BN_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}


static void
ec_coordinates_have_the_exact_length(void)
{
    uint8_t    x[67];
    EVP_PKEY  *p256, *p521;

    memset(x, 1, sizeof(x));
    p256 = mint_key(PU_ES256);
    p521 = mint_key(PU_ES512);

    LEFT_OUT(set_bytes(mint_jwk(p256, NULL), "x", x, 31), "coordinates");
    LEFT_OUT(set_bytes(mint_jwk(p256, NULL), "y", x, 31), "coordinates");
    LEFT_OUT(set_bytes(mint_jwk(p256, NULL), "x", x, 33), "32 bytes");
    LEFT_OUT(set_bytes(mint_jwk(p256, NULL), "y", x, 33), "32 bytes");
    LEFT_OUT(set_bytes(mint_jwk(p521, NULL), "x", x, 65), "coordinates");
    LEFT_OUT(set_bytes(mint_jwk(p521, NULL), "x", x, 67), "66 bytes");
    LEFT_OUT(mint_jwk(p256, "{\"x\":\"\"}"), "\"x\"");
    LEFT_OUT(mint_jwk(p256, "{\"y\":null}"), "\"y\"");
    LEFT_OUT(mint_jwk(p256, "{\"x\":\"AAAA+/AA\"}"), "base64url");

    EVP_PKEY_free(p256);
    EVP_PKEY_free(p521);
}


static void
ec_points_are_on_their_curve(void)
{
    uint8_t    bytes[66];
    EVP_PKEY  *p256, *k256;

    p256 = mint_key(PU_ES256);
    k256 = EVP_EC_gen("secp256k1");

    memset(bytes, 1, sizeof(bytes));
    LEFT_OUT(set_bytes(mint_jwk(p256, NULL), "y", bytes, 32), "curve");

    memset(bytes, 0, sizeof(bytes));
    LEFT_OUT(set_bytes(set_bytes(mint_jwk(p256, NULL), "x", bytes, 32),
                       "y", bytes, 32), "curve");

    memset(bytes, 0xff, sizeof(bytes));
    LEFT_OUT(set_bytes(mint_jwk(p256, NULL), "x", bytes, 32), "curve");

    /* the point of another curve of that size */

    LEFT_OUT(mint_jwk(k256, "{\"crv\":\"P-256\"}"), "curve");

    EVP_PKEY_free(p256);
    EVP_PKEY_free(k256);
}


static json_t *
okp(const char *hex)
{
    long      len;
    json_t   *jwk;
    uint8_t  *x;

    x = OPENSSL_hexstr2buf(hex, &len);
    jwk = json_pack("{s:s,s:s}", "kty", "OKP", "crv", "Ed25519");
    set_bytes(jwk, "x", x, (size_t) len);
    OPENSSL_free(x);

    return jwk;
}


static void
ed25519_points_are_of_large_order(void)
{
    /* the eight points whose order divides 8, as libsodium lists them */

    LEFT_OUT(okp("0000000000000000000000000000000000000000000000000000000000"
                 "000000"), "small order");
    LEFT_OUT(okp("0000000000000000000000000000000000000000000000000000000000"
                 "000080"), "small order");
    LEFT_OUT(okp("0100000000000000000000000000000000000000000000000000000000"
                 "000000"), "small order");
    LEFT_OUT(okp("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                 "ffff7f"), "small order");
    LEFT_OUT(okp("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d"
                 "53fc05"), "small order");
    LEFT_OUT(okp("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d"
                 "53fc85"), "small order");
    LEFT_OUT(okp("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792"
                 "ac037a"), "small order");
    LEFT_OUT(okp("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792"
                 "ac03fa"), "small order");
}


static void
ed25519_points_are_canonical_and_on_the_curve(void)
{
    EVP_PKEY  *pkey;

    /* p, p + 1 and 2^255 - 1 */

    LEFT_OUT(okp("edffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                 "ffff7f"), "canonical");
    LEFT_OUT(okp("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                 "ffffff"), "canonical");
    LEFT_OUT(okp("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                 "ffff7f"), "canonical");

    /* y = 2 has no x */

    LEFT_OUT(okp("0200000000000000000000000000000000000000000000000000000000"
                 "000000"), "not on the curve");

    LEFT_OUT(okp("01020304"), "32 bytes");
    LEFT_OUT(okp("0300000000000000000000000000000000000000000000000000000000"
                 "00000000"), "its \"x\" is longer than the 32 bytes allowed");

    pkey = mint_key(PU_EDDSA);
    LEFT_OUT(mint_jwk(pkey, "{\"x\":null}"), "it has no \"x\"");
    LEFT_OUT(mint_jwk(pkey, "{\"x\":\"\"}"), "it has no \"x\"");
    EVP_PKEY_free(pkey);
}


/* One byte makes another point, which half the time is on the curve. */
static void
a_neighbour_of_a_small_point_is_judged_for_itself(void)
{
    int          i, good;
    uint8_t      x[32];
    const char  *fault;

    memset(x, 0, sizeof(x));
    good = 0;

    for (i = 1; i < 128; i++) {
        x[31] = (uint8_t) i;
        fault = pu_ed25519_fault(x);
        good += fault == NULL;
        CHECK(fault == NULL || strstr(fault, "not on the curve") != NULL);
    }

    CHECK(good > 32 && good < 96);
}


/* y from 2 on: of a point both y^2 - 1 and d y^2 + 1 are squares, or none. */
static void
a_small_y_is_a_point_or_none(void)
{
    size_t       i;
    uint8_t      x[32];
    const char  *fault;

    static const char  points[] = "0111100110001110110101";

    memset(x, 0, sizeof(x));

    for (i = 0; points[i] != '\0'; i++) {
        x[0] = (uint8_t) (i + 2);
        fault = pu_ed25519_fault(x);
        CHECK((points[i] == '1') == (fault == NULL));
    }
}


/* Half of all encodings are points; none of them may be refused. */
static void
ed25519_points_of_real_keys_are_accepted(void)
{
    int        i;
    size_t     len;
    uint8_t    x[32];
    EVP_PKEY  *pkey;

    for (i = 0; i < 64; i++) {
        pkey = mint_key(PU_EDDSA);
        len = sizeof(x);
        CHECK(EVP_PKEY_get_raw_public_key(pkey, x, &len) == 1);
        CHECK(pu_ed25519_fault(x) == NULL);
        EVP_PKEY_free(pkey);
    }
}


static void
a_kid_is_a_short_text(void)
{
    char         more[600], kid[258];
    EVP_PKEY    *pkey;
    pu_keys_t   *keys;
    warnings_t   warnings;

    pkey = mint_key(PU_ES256);
    memset(kid, 'k', sizeof(kid));

    kid[256] = '\0';
    snprintf(more, sizeof(more), "{\"kid\":\"%s\"}", kid);
    keys = read_one(mint_jwk(pkey, more), &warnings);
    CHECK(keys->n == 1 && keys->keys[0].kid.len == 256);
    pu_keys_free(keys);

    kid[256] = 'k';
    kid[257] = '\0';
    snprintf(more, sizeof(more), "{\"kid\":\"%s\"}", kid);
    LEFT_OUT(mint_jwk(pkey, more), "\"kid\"");

    LEFT_OUT(mint_jwk(pkey, "{\"kid\":1}"), "\"kid\"");
    LEFT_OUT(mint_jwk(pkey, "{\"kid\":\"a\\nb\"}"), "\"kid\"");
    LEFT_OUT(mint_jwk(pkey, "{\"kid\":\"\\u007f\"}"), "\"kid\"");

    EVP_PKEY_free(pkey);
}


static void
a_warning_names_the_key_and_shows_no_strange_bytes(void)
{
    char         more[128], many[80];
    size_t       i;
    EVP_PKEY    *pkey;
    pu_keys_t   *keys;
    warnings_t   warnings;

    static const struct {
        const char  *kid;
        int          shown;
    } kids[] = {
        { "", 1 }, { " ~", 1 }, { "a b", 1 }, { "a\\\"b", 0 },
        { "a\\u001fb", 0 }, { "\x7f", 0 }, { "\xc3\xa4", 0 }, { "a\\nb", 0 }
    };

    pkey = mint_key(PU_ES256);

    keys = read_one(mint_jwk(pkey, "{\"kid\":\"2024\",\"use\":\"enc\"}"),
                    &warnings);
    CHECK_SAYS(warnings.last, "key 1 with kid \"2024\" is left out");
    pu_keys_free(keys);

    keys = read_one(mint_jwk(pkey, "{\"kid\":\"\\u001b[2J\",\"use\":"
                             "\"enc\"}"), &warnings);
    CHECK_SAYS(warnings.last, "key 1 is left out");
    CHECK(strchr(warnings.last, 0x1b) == NULL);
    pu_keys_free(keys);

    for (i = 0; i < sizeof(kids) / sizeof(kids[0]); i++) {
        snprintf(more, sizeof(more), "{\"kid\":\"%s\",\"use\":\"enc\"}",
                 kids[i].kid);
        keys = read_one(mint_jwk(pkey, more), &warnings);
        unit_check(__FILE__, __LINE__, kids[i].shown
                   == (strstr(warnings.last, "with kid") != NULL), more);
        pu_keys_free(keys);
    }

    for (i = 64; i <= 65; i++) {
        memset(many, 'k', sizeof(many));
        many[i] = '\0';
        snprintf(more, sizeof(more), "{\"kid\":\"%s\",\"use\":\"enc\"}", many);
        keys = read_one(mint_jwk(pkey, more), &warnings);
        CHECK_INT(strstr(warnings.last, "with kid") != NULL, i == 64);
        pu_keys_free(keys);
    }

    EVP_PKEY_free(pkey);
}


/* The next key of the set is read into the same place. */
static void
nothing_is_left_of_a_key_that_is_left_out(void)
{
    char       err[PU_ERROR_SIZE];
    size_t     i;
    json_t    *jwk;
    EVP_PKEY  *pkey;
    pu_key_t   key, none;

    static const char *const  faults[] = {
        "{\"kid\":\"a\",\"alg\":\"ES384\"}", "{\"kid\":7}", "{\"x\":\"\"}"
    };

    pkey = mint_key(PU_ES256);
    memset(&none, 0, sizeof(none));

    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        jwk = mint_jwk(pkey, faults[i]);
        memset(&key, 0, sizeof(key));
        CHECK(!pu_jwk_read(&key, jwk, err));
        CHECK(memcmp(&key, &none, sizeof(key)) == 0);
        json_decref(jwk);
    }

    EVP_PKEY_free(pkey);
}


static void
no_bytes_are_no_modulus(void)
{
    const uint8_t  none[1] = { 3 };

    CHECK_SAYS(pu_rsa_modulus_fault(none, 0), "leading zero");
}


/* p and 65537, which is large enough, are all the factors it has. */
static void
each_small_prime_is_a_small_factor(void)
{
    size_t    i, k;
    uint8_t   n[3];
    int       prime;

    for (i = 3; i < 256; i += 2) {
        prime = 1;

        for (k = 3; k < i; k += 2) {
            prime = prime && i % k != 0;
        }

        n[0] = n[2] = (uint8_t) i;
        n[1] = 0;

        if (prime && i <= 167) {
            CHECK_SAYS(pu_rsa_modulus_fault(n, 3), "small factor");

        } else if (prime) {
            CHECK(pu_rsa_modulus_fault(n, 3) == NULL);
        }
    }
}


/* Below 2^255 - 19 by one bit, wherever it is. */
static void
an_ed25519_point_near_the_prime_is_canonical(void)
{
    size_t       i;
    uint8_t      x[32];
    const char  *fault;

    for (i = 0; i < 32; i++) {
        memset(x, 0xff, sizeof(x));
        x[0] = 0xed;
        x[31] = 0x7f;
        fault = pu_ed25519_fault(x);
        CHECK(fault != NULL && strstr(fault, "canonical") != NULL);
        x[i]--;
        fault = pu_ed25519_fault(x);
        CHECK(fault == NULL || strstr(fault, "canonical") == NULL);
    }
}


static const unit_test_t  tests[] = {
    UNIT_FOR("K6", each_type_verifies_its_algorithms_only),
    UNIT_FOR("K5", use_and_key_ops_must_allow_verifying),
    UNIT_FOR("K5", the_algorithm_of_a_key_narrows_it),
    UNIT_FOR("K6", type_and_curve_must_be_known),
    UNIT_FOR("K7", an_rsa_modulus_has_2048_to_8192_bits),
    UNIT_FOR("K7", an_rsa_modulus_is_odd_and_without_leading_zeros),
    UNIT_FOR("K7", an_rsa_exponent_is_odd_and_from_65537_to_2_32),
    UNIT_FOR("K7", a_modulus_with_the_roca_fingerprint_is_left_out),
    UNIT_FOR("K8", ec_coordinates_have_the_exact_length),
    UNIT_FOR("K8", ec_points_are_on_their_curve),
    UNIT_FOR("K8", ed25519_points_are_of_large_order),
    UNIT_FOR("K8", ed25519_points_are_canonical_and_on_the_curve),
    UNIT_FOR("K8", a_small_y_is_a_point_or_none),
    UNIT_FOR("K8", a_neighbour_of_a_small_point_is_judged_for_itself),
    UNIT(ed25519_points_of_real_keys_are_accepted),
    UNIT(a_kid_is_a_short_text),
    UNIT(a_warning_names_the_key_and_shows_no_strange_bytes),
    UNIT(nothing_is_left_of_a_key_that_is_left_out),
    UNIT(each_small_prime_is_a_small_factor),
    UNIT(no_bytes_are_no_modulus),
    UNIT(an_ed25519_point_near_the_prime_is_canonical)
};

UNIT_MAIN(tests)
