/*
 * A shared secret and the HS algorithms: what a secret must be, what an
 * issuer with one takes, and that nothing else is ever taken for one.
 */

#include <unistd.h>

#include <openssl/err.h>
#include <openssl/hmac.h>

#include "pu_jws.h"
#include "unit.h"
#include "world.h"


/* 64 bytes, enough for every HS algorithm */
#define SECRET                                                                \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

/* RFC 7515 appendix A.1 */

static const char  rfc_7515_a1_key[] =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcg"
    "UuTwjAzZr1Z9CAow";

static const char  rfc_7515_a1_token[] =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOj"
    "EzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJ"
    "eZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";


static pu_keys_t *
secret(pu_str_t text)
{
    char        err[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    keys = pu_keys_secret(text, err);
    unit_check(__FILE__, __LINE__, keys != NULL, err);

    return keys;
}


static void
secret_refused(const char *file, int line, pu_str_t text, const char *words)
{
    char        err[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    err[0] = '\0';
    keys = pu_keys_secret(text, err);
    unit_check(file, line, keys == NULL, "the secret is accepted");
    unit_check(file, line, strstr(err, words) != NULL, err);
    pu_keys_free(keys);
    CHECK_INT(ERR_peek_error(), 0);
}

#define SECRET_REFUSED(text, words)                                           \
    secret_refused(__FILE__, __LINE__, text, words)


static void
rfc_7515_a1_hs256(void)
{
    char              changed[sizeof(rfc_7515_a1_token)];
    size_t            i;
    uint8_t           bytes[64];
    pu_jws_t          jws;
    pu_keys_t        *keys;
    pu_reason_t       reason;
    const pu_key_t   *key;

    CHECK_INT(pu_base64url_decode(bytes, pu_str(rfc_7515_a1_key)), 64);
    keys = secret((pu_str_t) { 64, bytes });

    CHECK_INT(pu_jws_read(&jws, pu_str(rfc_7515_a1_token)), PU_OK);
    CHECK_INT(pu_jws_verify(&jws, keys, &key), PU_OK);
    pu_jws_clear(&jws);

    /* the payload from its third character on, and the signature */

    for (i = 45; i < sizeof(changed) - 2; i++) {

        if (rfc_7515_a1_token[i] == '.') {
            continue;
        }

        memcpy(changed, rfc_7515_a1_token, sizeof(changed));
        changed[i] = (changed[i] == 'A') ? 'B' : 'A';

        reason = pu_jws_read(&jws, pu_str(changed));

        if (reason == PU_OK) {
            reason = pu_jws_verify(&jws, keys, &key);
        }

        CHECK_INT(reason, PU_TOKEN_SIGNATURE);
        pu_jws_clear(&jws);
    }

    pu_keys_free(keys);
}


static void
a_secret_is_as_long_as_the_hash_at_least(void)
{
    size_t      len;
    unsigned    algs;
    pu_keys_t  *keys;
    uint8_t     bytes[PU_SECRET_LEN_MAX + 1];

    memset(bytes, 0xa5, sizeof(bytes));

    SECRET_REFUSED(PU_STR(""), "0 bytes");
    SECRET_REFUSED(PU_STR("\n"), "0 bytes");
    SECRET_REFUSED(((pu_str_t) { 31, bytes }), "31 bytes");
    SECRET_REFUSED(((pu_str_t) { 31, bytes }), "32 to 2048");
    SECRET_REFUSED(((pu_str_t) { sizeof(bytes), bytes }), "2049 bytes");

    for (len = 32; len <= PU_SECRET_LEN_MAX; len += (len < 80) ? 1 : 41) {
        keys = secret((pu_str_t) { len, bytes });
        algs = PU_ALG_BIT(PU_HS256);
        algs |= (len >= 48) ? PU_ALG_BIT(PU_HS384) : 0;
        algs |= (len >= 64) ? PU_ALG_BIT(PU_HS512) : 0;
        CHECK_INT(keys->keys[0].algs, algs);
        pu_keys_free(keys);
    }

    CHECK_INT(pu_secret_needed(PU_HS256), 32);
    CHECK_INT(pu_secret_needed(PU_HS384), 48);
    CHECK_INT(pu_secret_needed(PU_HS512), 64);
    CHECK(pu_secret_needed(PU_RS256) == SIZE_MAX);
}


static int
same_secret(pu_str_t a, pu_str_t b)
{
    int         same;
    pu_keys_t  *x, *y;

    x = secret(a);
    y = secret(b);
    same = memcmp(x->keys[0].thumbprint, y->keys[0].thumbprint,
                  PU_SHA256_LEN) == 0;
    pu_keys_free(x);
    pu_keys_free(y);

    return same;
}


static void
one_line_end_is_no_part_of_a_secret(void)
{
    CHECK(same_secret(PU_STR(SECRET), PU_STR(SECRET "\n")));
    CHECK(same_secret(PU_STR(SECRET), PU_STR(SECRET "\r\n")));
    CHECK(!same_secret(PU_STR(SECRET), PU_STR(SECRET "\r")));
    CHECK(!same_secret(PU_STR(SECRET), PU_STR(SECRET "\n\n")));
    CHECK(!same_secret(PU_STR(SECRET), PU_STR("\n" SECRET)));
    CHECK(!same_secret(PU_STR(SECRET), PU_STR(SECRET " ")));
    CHECK(!same_secret(PU_STR(SECRET), PU_STR(SECRET "\0")));
    CHECK(!same_secret(PU_STR(SECRET "\r"), PU_STR(SECRET "\r\n")));
    SECRET_REFUSED(PU_STR("0123456789abcdef0123456789abcde\n"), "31 bytes");
}


/* CVE-2016-10555's configuration: anybody has the key's other name. */
static void
a_pem_text_is_no_secret(void)
{
    SECRET_REFUSED(PU_STR("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n"),
                   "PEM");
    SECRET_REFUSED(PU_STR("\n\n  -----BEGIN CERTIFICATE-----\nMIIB"), "PEM");
}


static void
no_sentence_has_the_secret(void)
{
    char  err[PU_ERROR_SIZE];

    CHECK(pu_keys_secret(PU_STR("hunter2"), err) == NULL);
    CHECK(strstr(err, "hunter2") == NULL);
}


/* Neither RFC 7638's hash, which is the secret's, nor one of the bytes. */
static void
the_thumbprint_is_keyed(void)
{
    uint8_t     plain[PU_SHA256_LEN];
    unsigned    len;
    pu_str_t    part, parts[3];
    pu_keys_t  *keys;
    char        text[PU_BASE64URL_LEN(64)];
    uint8_t     mac[EVP_MAX_MD_SIZE];

    static const char  label[] = "ngx_proxy_user_module key thumbprint";

    keys = secret(PU_STR(SECRET));

    part = PU_STR(SECRET);
    CHECK(pu_sha256(plain, &part, 1));
    CHECK(memcmp(plain, keys->keys[0].thumbprint, PU_SHA256_LEN) != 0);

    parts[0] = PU_STR("{\"k\":\"");
    parts[1] = (pu_str_t) { pu_base64url_encode(text, part.data, part.len),
                            (uint8_t *) text };
    parts[2] = PU_STR("\",\"kty\":\"oct\"}");
    CHECK(pu_sha256(plain, parts, 3));
    CHECK(memcmp(plain, keys->keys[0].thumbprint, PU_SHA256_LEN) != 0);

    len = sizeof(mac);
    CHECK(HMAC(EVP_sha256(), SECRET, 64, (const uint8_t *) label,
               sizeof(label) - 1, mac, &len) != NULL);
    CHECK(memcmp(mac, keys->keys[0].thumbprint, PU_SHA256_LEN) == 0);

    pu_keys_free(keys);
}


/* A token over these texts by this secret; free. */
static char *
hmac_token(pu_alg_t alg, const char *header, const char *payload)
{
    char       *text;
    unsigned    len;
    uint8_t     mac[EVP_MAX_MD_SIZE];
    pu_str_t    none;

    none = (pu_str_t) { 0, NULL };
    text = mint_token_raw(pu_str(header), pu_str(payload), none);
    len = sizeof(mac);

    HMAC((alg == PU_HS256) ? EVP_sha256()
         : (alg == PU_HS384) ? EVP_sha384() : EVP_sha512(),
         SECRET, 64, (const uint8_t *) text, strlen(text) - 1, mac, &len);
    free(text);

    return mint_token_raw(pu_str(header), pu_str(payload),
                          (pu_str_t) { len, mac });
}


/*
 * An issuer of MINT_ISS for "api" with this text in its secret_file, then
 * these lines, parted by ";"; NULL and a sentence when one is refused.
 */
static pu_issuer_t *
issuer_of(const char *text, const char *lines, char err[PU_ERROR_SIZE])
{
    int           fd, ok;
    char          path[] = "/tmp/pu_secret_testXXXXXX", line[256];
    size_t        len;
    pu_issuer_t  *issuer;

    static const char *const  common[] = {
        "issuer " MINT_ISS, "audience api", NULL
    };

    fd = mkstemp(path);
    CHECK(write(fd, text, strlen(text)) == (ssize_t) strlen(text));
    close(fd);

    issuer = mint_issuer_lines(common);
    snprintf(line, sizeof(line), "secret_file %s", path);
    ok = mint_directive(issuer, line, err);

    for ( /* void */ ; ok && *lines != '\0'; lines += len) {
        len = strcspn(lines, ";");
        snprintf(line, sizeof(line), "%.*s", (int) len, lines);
        ok = mint_directive(issuer, line, err);
        len += (lines[len] == ';');
    }

    ok = ok && pu_issuer_finish(issuer, err);
    unlink(path);

    if (!ok) {
        pu_issuer_free(issuer);
        return NULL;
    }

    return issuer;
}


static void
lines_refused(const char *file, int line, const char *text,
    const char *lines, const char *words)
{
    char          err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    err[0] = '\0';
    issuer = issuer_of(text, lines, err);
    unit_check(file, line, issuer == NULL, "the issuer is accepted");
    unit_check(file, line, strstr(err, words) != NULL, err);
    unit_check(file, line, strstr(err, "0123456789") == NULL, err);
    pu_issuer_free(issuer);
}

#define LINES_REFUSED(text, lines, words)                                     \
    lines_refused(__FILE__, __LINE__, text, lines, words)


static pu_issuer_t *
issuer_with(const char *lines)
{
    char          err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    issuer = issuer_of(SECRET "\n", lines, err);
    unit_check(__FILE__, __LINE__, issuer != NULL, err);

    return issuer;
}


static void
an_issuer_with_a_secret_lists_hs_algorithms_alone(void)
{
    LINES_REFUSED(SECRET, "", "\"secret_file\" and no \"algorithms\"");
    LINES_REFUSED(SECRET, "", "HS256, HS384 and HS512");
    LINES_REFUSED(SECRET, "algorithms RS256", "\"algorithms\" has the value "
                  "\"RS256\", allowed with \"secret_file\" are HS256");
    LINES_REFUSED(SECRET, "algorithms HS256 ES256", "\"ES256\"");
    LINES_REFUSED(SECRET, "algorithms EdDSA HS512", "\"EdDSA\"");
    LINES_REFUSED("0123456789abcdef0123456789abcdef", "algorithms HS256 HS384",
                  "\"HS384\", allowed is an algorithm whose hash is not longer"
                  " than the secret in \"secret_file\", this one needs 48");
    LINES_REFUSED("0123456789abcdef", "", "\"secret_file\": file \"/tmp/");
    LINES_REFUSED("0123456789abcdef", "", "16 bytes");

    pu_issuer_free(issuer_with("algorithms HS512"));
    pu_issuer_free(issuer_with("algorithms HS256 HS384 HS512"));
    CHECK_INT(pu_issuer_path(PU_STR("secret_file"), PU_STR("a")), 0);
}


static void
keys_come_from_one_place(void)
{
    char          err[PU_ERROR_SIZE];
    EVP_PKEY     *pkey;
    pu_issuer_t  *issuer;

    LINES_REFUSED(SECRET, "jwks_file /dev/null", "\"jwks_file\" has the value "
                  "\"/dev/null\", allowed is no \"secret_file\" beside it");
    LINES_REFUSED(SECRET, "secret_file /dev/null", "duplicate");

    pkey = mint_key(PU_ES256);
    issuer = mint_issuer(mint_keys(mint_jwk(pkey, NULL), NULL), NULL);
    CHECK(!mint_directive(issuer, "secret_file /dev/null", err));
    CHECK_SAYS(err, "allowed is no \"jwks_file\" beside it");

    CHECK(mint_directive(issuer, "algorithms ES256 HS256", err));
    CHECK(!pu_issuer_finish(issuer, err));
    CHECK_SAYS(err, "\"algorithms\" has the value \"HS256\", allowed without "
               "\"secret_file\" are RS256");
    pu_issuer_free(issuer);
    EVP_PKEY_free(pkey);
}


static pu_reason_t
worth(const char *lines, pu_alg_t alg, const char *header)
{
    char         *text;
    pu_reason_t   reason;
    pu_issuer_t  *issuer;

    issuer = issuer_with(lines);
    text = hmac_token(alg, header, MINT_CLAIMS);
    reason = world_verify(issuer, text);

    free(text);
    pu_issuer_free(issuer);

    return reason;
}


static void
every_hs_algorithm_verifies_its_own(void)
{
    int   made, said;
    char  header[64];

    for (made = PU_HS256; made <= PU_HS512; made++) {
        for (said = PU_HS256; said <= PU_HS512; said++) {
            snprintf(header, sizeof(header), "{\"alg\":\"%s\"}",
                     pu_alg_name((pu_alg_t) said));
            CHECK_INT(worth("algorithms HS256 HS384 HS512", (pu_alg_t) made,
                            header),
                      (made == said) ? PU_OK : PU_TOKEN_SIGNATURE);
        }

        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}",
                 pu_alg_name((pu_alg_t) made));
        CHECK_INT(worth("algorithms HS384", (pu_alg_t) made, header),
                  (made == PU_HS384) ? PU_OK : PU_TOKEN_ALGORITHM);
    }
}


/* There is one secret and it has no name: a kid has nothing to choose. */
static void
a_kid_does_not_matter_to_a_secret(void)
{
    CHECK_INT(worth("algorithms HS256", PU_HS256,
                    "{\"alg\":\"HS256\",\"kid\":\"../../dev/null\"}"), PU_OK);
    CHECK_INT(worth("algorithms HS256", PU_HS256,
                    "{\"alg\":\"HS256\",\"kid\":\"\"}"), PU_OK);
    CHECK_INT(worth("algorithms HS256", PU_HS256,
                    "{\"alg\":\"HS256\",\"kid\":1}"), PU_TOKEN_MALFORMED);
}


static void
an_hmac_has_the_length_of_its_hash(void)
{
    int           alg;
    size_t        len, size;
    uint8_t       mac[EVP_MAX_MD_SIZE + 8];
    unsigned      n;
    pu_str_t      text;
    pu_keys_t    *keys;

    text = PU_STR("a.b");
    keys = secret(PU_STR(SECRET));

    for (alg = PU_HS256; alg <= PU_HS512; alg++) {
        memset(mac, 0, sizeof(mac));
        HMAC((alg == PU_HS256) ? EVP_sha256()
             : (alg == PU_HS384) ? EVP_sha384() : EVP_sha512(),
             SECRET, 64, text.data, text.len, mac, &n);
        size = pu_secret_needed((pu_alg_t) alg);

        for (len = 0; len <= sizeof(mac); len++) {
            CHECK_INT(pu_key_verify(&keys->keys[0], (pu_alg_t) alg, text,
                                    (pu_str_t) { len, mac }), len == size);
        }

        for (len = 0; len < size; len++) {
            mac[len] ^= 0x80;
            CHECK_INT(pu_key_verify(&keys->keys[0], (pu_alg_t) alg, text,
                                    (pu_str_t) { size, mac }), 0);
            mac[len] ^= 0x80;
        }
    }

    for (alg = 0; alg < PU_HS256; alg++) {
        CHECK_INT(pu_key_verify(&keys->keys[0], (pu_alg_t) alg, text,
                                (pu_str_t) { 32, mac }), 0);
    }

    pu_keys_free(keys);
}


static void
another_secret_is_another_key(void)
{
    char         *text, err[PU_ERROR_SIZE];
    pu_issuer_t  *ours, *theirs;

    ours = issuer_with("algorithms HS256");
    theirs = issuer_of("another secret of 32 bytes or more", "algorithms "
                       "HS256", err);
    text = hmac_token(PU_HS256, "{\"alg\":\"HS256\"}", MINT_CLAIMS);

    CHECK_INT(world_verify(ours, text), PU_OK);
    CHECK_INT(world_verify(theirs, text), PU_TOKEN_SIGNATURE);

    /* a cached token is asked for its key by the mark */

    CHECK(memcmp(ours->fingerprint, theirs->fingerprint, PU_FINGERPRINT_LEN)
          == 0);
    CHECK(pu_keys_marked(ours->keys, ours->keys->keys[0].mark) != NULL);
    CHECK(pu_keys_marked(theirs->keys, ours->keys->keys[0].mark) == NULL);

    free(text);
    pu_issuer_free(ours);
    pu_issuer_free(theirs);
}


/* The token's alg is not asked what the key is. */
static void
algorithms_are_not_confused(void)
{
    size_t        i;
    char         *text;
    EVP_PKEY     *pkey;
    pu_issuer_t  *issuer;

    static const char *const  headers[] = {
        "{\"alg\":\"none\"}", "{\"alg\":\"RS256\"}", "{\"alg\":\"ES256\"}",
        "{\"alg\":\"hs256\"}", "{\"alg\":\"HS256 \"}", "{\"alg\":\"HS512\"}"
    };

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        CHECK_INT(worth("algorithms HS256", PU_HS256, headers[i]),
                  PU_TOKEN_ALGORITHM);
    }

    issuer = issuer_with("algorithms HS256");
    pkey = mint_key(PU_ES256);
    text = mint_token(pkey, PU_ES256, "{\"alg\":\"HS256\"}", MINT_CLAIMS);
    CHECK_INT(world_verify(issuer, text), PU_TOKEN_SIGNATURE);
    free(text);
    EVP_PKEY_free(pkey);
    pu_issuer_free(issuer);
}


static const unit_test_t  tests[] = {
    UNIT(rfc_7515_a1_hs256),
    UNIT_FOR("K9", a_secret_is_as_long_as_the_hash_at_least),
    UNIT(one_line_end_is_no_part_of_a_secret),
    UNIT_FOR("K9", a_pem_text_is_no_secret),
    UNIT(no_sentence_has_the_secret),
    UNIT(the_thumbprint_is_keyed),
    UNIT(an_issuer_with_a_secret_lists_hs_algorithms_alone),
    UNIT(keys_come_from_one_place),
    UNIT(every_hs_algorithm_verifies_its_own),
    UNIT(a_kid_does_not_matter_to_a_secret),
    UNIT_FOR("S1", an_hmac_has_the_length_of_its_hash),
    UNIT(another_secret_is_another_key),
    UNIT(algorithms_are_not_confused)
};

UNIT_MAIN(tests)
