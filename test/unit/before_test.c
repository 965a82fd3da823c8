/*
 * What is decided before a library is asked: OpenSSL for a signature, and what
 * its answer has to be; cjose for what is in a JWE. They refuse much of this
 * as well; that they do so today is not what we rely on, so they are listened
 * to here: these functions stand in front of theirs.
 */

#define _GNU_SOURCE                     /* RTLD_NEXT */

#include <dlfcn.h>

#include <cjose/cjose.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>

#include "pu_jwe.h"
#include "unit.h"
#include "world.h"


typedef int (*verify_f)(EVP_MD_CTX *ctx, const unsigned char *sig,
    size_t siglen, const unsigned char *tbs, size_t tbslen);
typedef int (*derive_f)(EVP_PKEY_CTX *ctx, unsigned char *key, size_t *len);
typedef cjose_jwe_t *(*import_f)(const char *text, size_t len, cjose_err *err);
typedef json_t *(*loadb_f)(const char *text, size_t len, size_t flags,
    json_error_t *error);


/* What has been heard since listen(). */
static struct {
    int     verifies;                   /* calls of EVP_DigestVerify */
    int     parsed_before;              /* calls of json_loadb until then */
    int     parsed;
    int     compares;                   /* calls of CRYPTO_memcmp */
    size_t  compared;                   /* bytes of the last of them */
    int     opens;                      /* of cjose_jwe_import ... */
    int     agrees;                     /* ... and of EVP_PKEY_derive */
    int     answer;                     /* instead of OpenSSL's; 0: its own */
} heard;


static void
listen_again(int answer)
{
    memset(&heard, 0, sizeof(heard));
    heard.answer = answer;
}


/* ISO C knows no way from a void pointer to a function. */
static void
real(const char *name, void *function)
{
    void  *symbol;

    symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof(symbol));
}


int
EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen,
    const unsigned char *tbs, size_t tbslen)
{
    int       rc;
    verify_f  verify;

    if (heard.verifies++ == 0) {
        heard.parsed_before = heard.parsed;
    }

    real("EVP_DigestVerify", &verify);
    rc = verify(ctx, sig, siglen, tbs, tbslen);

    return (heard.answer == 0) ? rc : heard.answer;
}


int
CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
    heard.compares++;
    heard.compared = len;

    return memcmp(a, b, len);
}


json_t *
json_loadb(const char *text, size_t len, size_t flags, json_error_t *error)
{
    loadb_f  loadb;

    heard.parsed++;
    real("json_loadb", &loadb);

    return loadb(text, len, flags, error);
}


cjose_jwe_t *
cjose_jwe_import(const char *text, size_t len, cjose_err *err)
{
    import_f  import;

    heard.opens++;
    real("cjose_jwe_import", &import);

    return import(text, len, err);
}


int
EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *key, size_t *len)
{
    derive_f  derive;

    heard.agrees++;
    real("EVP_PKEY_derive", &derive);

    return derive(ctx, key, len);
}


/* A token of this key whose signature is these bytes. */
static pu_reason_t
with_signature(const pu_issuer_t *issuer, pu_alg_t alg, const uint8_t *bytes,
    size_t len)
{
    char          header[64], *text;
    pu_reason_t   reason;

    snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", pu_alg_name(alg));
    text = mint_token_raw(pu_str(header), PU_STR(MINT_CLAIMS),
                          (pu_str_t) { len, bytes });
    reason = world_verify(issuer, text);
    free(text);

    return reason;
}


static void
a_length_is_wrong_before_openssl_is_asked(void)
{
    size_t        i, j;
    uint8_t       bytes[600];
    EVP_PKEY     *pkey;
    pu_issuer_t  *issuer;

    static const struct {
        pu_alg_t  alg;
        size_t    len;
    } kinds[] = {
        { PU_RS256, 256 }, { PU_PS256, 256 }, { PU_ES256, 64 },
        { PU_ES384, 96 }, { PU_ES512, 132 }, { PU_EDDSA, 64 }
    };

    memset(bytes, 0, sizeof(bytes));

    /* r and s of ECDSA are 1..n-1 wherever a part of them ends */

    for (i = 31; i < sizeof(bytes); i += 32) {
        bytes[i] = 1;
    }

    bytes[47] = bytes[65] = bytes[131] = 1;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        pkey = mint_key(kinds[i].alg);
        issuer = mint_issuer(mint_keys(mint_jwk(pkey, NULL), NULL), NULL);

        for (j = 1; j < sizeof(bytes); j += (j < 140) ? 1 : 29) {

            if (j == kinds[i].len) {
                continue;
            }

            listen_again(1);
            CHECK_INT(with_signature(issuer, kinds[i].alg, bytes, j),
                      PU_TOKEN_SIGNATURE);
            CHECK_INT(heard.verifies, 0);
        }

        listen_again(0);
        CHECK_INT(with_signature(issuer, kinds[i].alg, bytes, kinds[i].len),
                  PU_TOKEN_SIGNATURE);
        CHECK_INT(heard.verifies, 1);

        pu_issuer_free(issuer);
        EVP_PKEY_free(pkey);
    }
}


/* With OpenSSL saying yes to all, no and too much are still no. */
static void
r_and_s_are_in_range_before_openssl_is_asked(void)
{
    size_t   i, half;
    uint8_t  bytes[64], *p;
    world_t  world;

    /* of r and of s: zero, n, ones, or a number that is right */

    static const char *const  wrong[] = { "00", "01", "10", "n1", "1n", "f1",
                                        "1f" };
    static const uint8_t      order[32] = {
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
        0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51
    };

    world_open(&world, NULL);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {

        for (half = 0; half < 2; half++) {
            p = bytes + half * 32;
            memset(p, (wrong[i][half] == 'f') ? 0xff : 0, 32);
            p[31] |= (wrong[i][half] == '1');

            if (wrong[i][half] == 'n') {
                memcpy(p, order, 32);
            }
        }

        listen_again(1);
        CHECK_INT(with_signature(world.issuer, PU_ES256, bytes, 64),
                  PU_TOKEN_SIGNATURE);
        CHECK_INT(heard.verifies, 0);
    }

    world_close(&world);
}


static void
only_one_is_yes(void)
{
    int      answer;
    char    *text;
    world_t  world;

    world_open(&world, NULL);
    text = mint_token(world.pkey, PU_ES256, NULL, MINT_CLAIMS);

    for (answer = -3; answer <= 3; answer++) {
        listen_again(answer);
        CHECK_INT(world_verify(world.issuer, text),
                  (answer == 0 || answer == 1) ? PU_OK : PU_TOKEN_SIGNATURE);
    }

    listen_again(1 << 8);
    CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_SIGNATURE);

    free(text);
    world_close(&world);
}


static void
a_mac_is_compared_in_constant_time(void)
{
    char          err[PU_ERROR_SIZE];
    size_t        i;
    uint8_t       mac[64];
    pu_keys_t    *keys;
    pu_issuer_t  *issuer;

    static const struct {
        pu_alg_t  alg;
        size_t    len;
    } kinds[] = { { PU_HS256, 32 }, { PU_HS384, 48 }, { PU_HS512, 64 } };

    memset(mac, 7, sizeof(mac));

    for (i = 0; i < 3; i++) {
        keys = pu_keys_secret(PU_STR("0123456789abcdef0123456789abcdef"
                                     "0123456789abcdef0123456789abcdef"),
                              err);
        issuer = mint_issuer(keys, NULL);
        issuer->secret = 1;
        issuer->algs = PU_ALGS_HMAC;

        listen_again(0);
        CHECK_INT(with_signature(issuer, kinds[i].alg, mac, kinds[i].len),
                  PU_TOKEN_SIGNATURE);
        CHECK_INT(heard.compares, 1);
        CHECK_INT(heard.compared, kinds[i].len);

        listen_again(0);
        CHECK_INT(with_signature(issuer, kinds[i].alg, mac,
                                 kinds[i].len - 1), PU_TOKEN_SIGNATURE);
        CHECK_INT(heard.compares, 0);

        pu_issuer_free(issuer);
    }
}


static void
a_payload_is_parsed_after_its_signature(void)
{
    char    *text;
    world_t  world;

    world_open(&world, NULL);
    text = mint_token(world.pkey, PU_ES256, NULL, MINT_CLAIMS);

    listen_again(0);
    CHECK_INT(world_verify(world.issuer, text), PU_OK);
    CHECK_INT(heard.parsed_before, 1);          /* its header */
    CHECK_INT(heard.parsed, 2);

    listen_again(-1);
    CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_SIGNATURE);
    CHECK_INT(heard.parsed, 1);

    free(text);
    world_close(&world);
}


static void
four_keys_are_tried_and_no_more(void)
{
    int           i;
    char         *text;
    EVP_PKEY     *pkeys[6];
    pu_issuer_t  *issuer;

    for (i = 0; i < 6; i++) {
        pkeys[i] = mint_key(PU_ES256);
    }

    issuer = mint_issuer(mint_keys(mint_jwk(pkeys[0], NULL),
                                   mint_jwk(pkeys[1], NULL),
                                   mint_jwk(pkeys[2], NULL),
                                   mint_jwk(pkeys[3], NULL),
                                   mint_jwk(pkeys[4], NULL), NULL), NULL);
    text = mint_token(pkeys[5], PU_ES256, NULL, MINT_CLAIMS);

    listen_again(0);
    CHECK_INT(world_verify(issuer, text), PU_TOKEN_SIGNATURE);
    CHECK_INT(heard.verifies, 4);
    free(text);

    text = mint_token(pkeys[5], PU_ES256,
                      "{\"alg\":\"ES256\",\"kid\":\"nobody\"}", MINT_CLAIMS);
    listen_again(0);
    CHECK_INT(world_verify(issuer, text), PU_TOKEN_KEY_UNKNOWN);
    CHECK_INT(heard.verifies, 0);
    free(text);

    pu_issuer_free(issuer);

    for (i = 0; i < 6; i++) {
        EVP_PKEY_free(pkeys[i]);
    }
}


/* A JWE of zeros whose parts are so long; how often a library meets it. */
static int
opened(const pu_jwe_keys_t *keys, const char *header, const size_t len[4])
{
    char            text[2048], *p;
    size_t          i;
    pu_str_t        plain;
    static uint8_t  zeros[256];

    p = text + pu_base64url_encode(text, (const uint8_t *) header,
                                   strlen(header));

    for (i = 0; i < 4; i++) {
        *p++ = '.';
        p += pu_base64url_encode(p, zeros, len[i]);
    }

    listen_again(0);
    CHECK(pu_jwe_decrypt(keys, (pu_str_t) { (size_t) (p - text),
                                            (const uint8_t *) text }, &plain)
          != PU_OK);
    pu_jwe_plain_free(plain);

    return heard.opens + heard.agrees;
}


static void
lengths_are_right_before_cjose_is_asked(void)
{
    char            err[PU_ERROR_SIZE];
    char            header[128];
    size_t          i, part, n, len[4];
    pu_jwe_keys_t  *keys;

    /* encrypted key, IV, ciphertext, tag; the ciphertext's block */

    static const struct {
        const char  *alg;
        const char  *enc;
        size_t       len[4];
        size_t       block;
    } kinds[] = {
        { "dir", "A256GCM", { 0, 12, 32, 16 }, 1 },
        { "dir", "A128CBC-HS256", { 0, 16, 32, 16 }, 16 },
        { "A256KW", "A128GCM", { 24, 12, 32, 16 }, 1 },
        { "A256KW", "A256CBC-HS512", { 72, 16, 32, 32 }, 16 }
    };

    keys = pu_jwe_keys(PU_STR("{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2"
                              "RlZjAxMjM0NTY3ODlhYmNkZWY\"}"), err);
    CHECK(keys != NULL);

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"enc\":\"%s\"}",
                 kinds[i].alg, kinds[i].enc);
        CHECK_INT(opened(keys, header, kinds[i].len), 1);

        for (part = 0; part < 4; part++) {
            for (n = 0; n < 100; n++) {
                memcpy(len, kinds[i].len, sizeof(len));
                len[part] = n;

                if (n != kinds[i].len[part]
                    && (part != 2 || n % kinds[i].block != 0 || n == 0))
                {
                    CHECK_INT(opened(keys, header, len), 0);
                }
            }
        }
    }

    /* of "dir", our key is the content's: of 32 bytes, and not of 16 */

    CHECK_INT(opened(keys, "{\"alg\":\"dir\",\"enc\":\"A128GCM\"}",
                     kinds[0].len), 0);
    pu_jwe_keys_free(keys);
}


static void
an_rsa_key_has_one_length_before_cjose_is_asked(void)
{
    BIO            *bio;
    char            err[PU_ERROR_SIZE], *pem;
    size_t          n;
    EVP_PKEY       *pkey;
    pu_jwe_keys_t  *keys;

    pkey = mint_rsa(2048);
    bio = BIO_new(BIO_s_mem());
    CHECK(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1);
    n = (size_t) BIO_get_mem_data(bio, &pem);
    keys = pu_jwe_keys((pu_str_t) { n, (const uint8_t *) pem }, err);
    CHECK(keys != NULL);

    for (n = 1; n <= 256; n++) {
        const size_t  len[4] = { n, 12, 32, 16 };

        CHECK_INT(opened(keys, "{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}",
                         len), n == 256);
    }

    pu_jwe_keys_free(keys);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}


#define X    "\"x\":\"mPUKT_bAWGHIhg0TpjjqVsP1rXWQu_vwVOHHtNkdYoA\""
#define Y    "\"y\":\"8BQAsImGeAS46fyWw5MhYfGTT0IjBpFw2SS34Dv4Irs\""
#define D    "\"d\":\"AtH35vJsQ9SGjYfOsjUxYXQKrPH3FjZHmEtSKoSN8cM\""
#define EC   "{\"kty\":\"EC\",\"crv\":\"P-256\"," X "," Y

static int
agreed(const pu_jwe_keys_t *keys, const char *more)
{
    char                 header[1024];
    static const size_t  len[4] = { 0, 12, 32, 16 };

    snprintf(header, sizeof(header),
             "{\"alg\":\"ECDH-ES\",\"enc\":\"A128GCM\"%s}", more);

    return opened(keys, header, len);
}


static void
the_other_key_is_judged_before_ours_meets_it(void)
{
    char            err[PU_ERROR_SIZE];
    size_t          i;
    pu_jwe_keys_t  *keys;

    static const char *const  bad[] = {
        "", ",\"epk\":null", ",\"epk\":{}", ",\"epk\":" EC "," D "}",
        ",\"epk\":" EC ",\"kid\":\"1\"}",
        ",\"epk\":{\"kty\":\"EC\",\"crv\":\"P-256\"," X "}",
        ",\"epk\":{\"kty\":\"EC\",\"crv\":\"P-384\"," X "," Y "}",
        ",\"epk\":{\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":\"mPUKT_bAWGHI"
        "hg0TpjjqVsP1rXWQu_vwVOHHtNkdYoA\"}",

        /* RFC 7520 section 3.1's key: a good one, on another curve */

        ",\"epk\":{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AHKZLLOsCOzz5cY97ew"
        "NUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt"
        "\",\"y\":\"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUda"
        "QkAgDPrwQrJmbnX9cwlGfP-HqHZR1\"}"
    };

    keys = pu_jwe_keys(PU_STR(EC "," D "}"), err);
    CHECK(keys != NULL);
    CHECK_INT(agreed(keys, ",\"epk\":" EC "}"), 1);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_check(__FILE__, __LINE__, agreed(keys, bad[i]) == 0, bad[i]);
    }

    pu_jwe_keys_free(keys);
}


static void
the_parties_are_judged_before_our_key_is_used(void)
{
    char            err[PU_ERROR_SIZE], more[800], party[200];
    size_t          i;
    pu_jwe_keys_t  *keys;

    static const char *const  names[] = { "apu", "apv" };

    keys = pu_jwe_keys(PU_STR(EC "," D "}"), err);
    memset(party, 'A', sizeof(party));

    for (i = 0; i < 2; i++) {
        snprintf(more, sizeof(more), ",\"epk\":" EC "},\"%s\":\"%.171s\"",
                 names[i], party);
        CHECK_INT(agreed(keys, more), 1);       /* 128 bytes */
        snprintf(more, sizeof(more), ",\"epk\":" EC "},\"%s\":\"%.172s\"",
                 names[i], party);
        CHECK_INT(agreed(keys, more), 0);
        snprintf(more, sizeof(more), ",\"epk\":" EC "},\"%s\":\"A===\"",
                 names[i]);
        CHECK_INT(agreed(keys, more), 0);
        snprintf(more, sizeof(more), ",\"epk\":" EC "},\"%s\":7", names[i]);
        CHECK_INT(agreed(keys, more), 0);
    }

    pu_jwe_keys_free(keys);
}


static const unit_test_t  tests[] = {
    UNIT_FOR("S1", a_length_is_wrong_before_openssl_is_asked),
    UNIT_FOR("S2", r_and_s_are_in_range_before_openssl_is_asked),
    UNIT_FOR("S5", only_one_is_yes),
    UNIT_FOR("S4", a_mac_is_compared_in_constant_time),
    UNIT_FOR("S6", a_payload_is_parsed_after_its_signature),
    UNIT_FOR("K10", four_keys_are_tried_and_no_more),
    UNIT_FOR("J5", lengths_are_right_before_cjose_is_asked),
    UNIT_FOR("J5", an_rsa_key_has_one_length_before_cjose_is_asked),
    UNIT_FOR("J6", the_other_key_is_judged_before_ours_meets_it),
    UNIT_FOR("J7", the_parties_are_judged_before_our_key_is_used)
};

UNIT_MAIN(tests)
