/*
 * Published examples: every compact JWS of RFC 7515, 7520 and 8037, and what
 * those documents have that we refuse; RFC 7517's key sets; RFC 8037's keys.
 *
 * The tokens are in t/data/vectors.json, each with its source.  Run from the
 * root of the repository.
 */

#include "mint.h"
#include "pu_jws.h"
#include "unit.h"


/* RFC 7517 appendix A.1 */

static const char  rfc_7517_a1[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\","
    "\"use\":\"enc\",\"kid\":\"1\"},"
    "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM7"
    "8LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn"
    "64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368Q"
    "QMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFT"
    "WhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8a"
    "wapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}]"
    "}";

/* RFC 7517 appendix A.2 (its first key), A.3, and B (the start of its x5c) */

static const char  rfc_7517_a2[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\","
    "\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\","
    "\"use\":\"enc\",\"kid\":\"1\"}]}";

static const char  rfc_7517_a3[] =
    "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"A128KW\","
    "\"k\":\"GawgguFyGrWKav7AX4VKUg\"},"
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS"
    "0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\","
    "\"kid\":\"HMAC key used in JWS spec Appendix A.1 example\"}]}";

static const char  rfc_7517_b[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"1b94c\",\"n\""
    ":\"vrjOfz9Ccdgx"
    "5nQudyhdoR17V-IubWMeOZCwX_jj0hgAsz2J_pqYW08PLbK_PdiVGKPrqzmDIsLI7sA25VE"
    "nHU1uCLNwBuUiCO11_-7dYbsr4iJmG0Qu2j8DsVyT1azpJC_NG84Ty5KKthuCaPod7iI7w0"
    "LK9orSMhBEwwZDCxTWq4aYWAchc8t-emd9qOvWtVMDC2BXksRngh6X5bUYLy6AyHKvj-nUy"
    "1wgzjYQDwHMTplCoLtU-o-8SNnZ1tmRoGE9uJkBLdh5gFENabWnU5m1ZqZPdwS-qo-meMvV"
    "fJb6jJVWRpl2SUtCnYG2C32qvbWbjZ_jBPD5eunqsIo1vQ\","
    "\"e\":\"AQAB\",\"x5c\":[\"MIIDQjCCAiqgAwIBAgIGATz\"]}]}";

/* RFC 8037 appendix A.1 (the private key) and A.2 (the public one) */

static const char  rfc_8037_a1[] =
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static const char  rfc_8037_a2[] =
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";


static pu_keys_t *
vector_keys(const json_t *vector, char err[PU_ERROR_SIZE])
{
    char         *text;
    int64_t       n;
    uint8_t       bytes[256];
    pu_keys_t    *keys;
    const char   *secret;

    secret = json_string_value(json_object_get(vector, "secret"));

    if (secret != NULL) {
        n = pu_base64url_decode(bytes, pu_str(secret));
        return pu_keys_secret((pu_str_t) { (size_t) n, bytes }, err);
    }

    text = json_dumps(json_object_get(vector, "keys"), 0);
    keys = pu_keys_jwks(pu_str(text), NULL, NULL, err);
    free(text);

    return keys;
}


static pu_reason_t
verify_text(const pu_keys_t *keys, const char *text)
{
    pu_jws_t          jws;
    pu_reason_t       reason;
    const pu_key_t   *key;

    reason = pu_jws_read(&jws, pu_str(text));

    if (reason == PU_OK) {
        reason = pu_jws_verify(&jws, keys, &key);
    }

    pu_jws_clear(&jws);

    return reason;
}


/* Each tenth character of payload and signature, which must all count. */
static void
changes_are_refused(const pu_keys_t *keys, const char *token,
    const char *source)
{
    char    *changed;
    size_t   i;

    for (i = strcspn(token, ".") + 4; i < strlen(token) - 2; i += 10) {
        changed = strdup(token);

        if (changed[i] != '.' && changed[i + 1] != '.') {
            changed[i] = (changed[i] == 'A') ? 'B' : 'A';
            unit_check(__FILE__, __LINE__,
                       verify_text(keys, changed) != PU_OK, source);
        }

        free(changed);
    }
}


static void
every_published_token_is_what_its_source_says(void)
{
    char          err[PU_ERROR_SIZE];
    size_t        i, good;
    json_t       *vectors, *vector;
    pu_keys_t    *keys;
    pu_reason_t   reason;
    const char   *source, *token, *expected;

    vectors = json_load_file("t/data/vectors.json", 0, NULL);
    CHECK(json_array_size(vectors) >= 16);
    good = 0;

    json_array_foreach(vectors, i, vector) {
        source = json_string_value(json_object_get(vector, "source"));
        token = json_string_value(json_object_get(vector, "token"));
        expected = json_string_value(json_object_get(vector, "signature"));

        keys = vector_keys(vector, err);
        unit_check(__FILE__, __LINE__, keys != NULL && keys->n == 1, source);

        reason = verify_text(keys, token);
        unit_check(__FILE__, __LINE__,
                   pu_str_is(pu_reason_word(reason), expected), source);

        if (reason == PU_OK) {
            good++;
            changes_are_refused(keys, token, source);
        }

        pu_keys_free(keys);
    }

    CHECK_INT(good, 9);
    json_decref(vectors);
}


static void
rfc_7517_a1_has_one_key_that_signs(void)
{
    char        err[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    keys = pu_keys_jwks(pu_str(rfc_7517_a1), NULL, NULL, err);
    CHECK(keys != NULL && keys->n == 1);
    CHECK_STR(keys->keys[0].kid, "2011-04-29");
    CHECK_INT(keys->keys[0].algs, PU_ALG_BIT(PU_RS256));
    CHECK(pu_keys_next(keys, PU_RS256, PU_STR("2011-04-29"), NULL) != NULL);
    CHECK(pu_keys_next(keys, PU_ES256, PU_STR("1"), NULL) == NULL);
    pu_keys_free(keys);
}


static void
rfc_7517_a2_and_a3_are_secret_and_b_is_not(void)
{
    char        err[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    CHECK(pu_keys_jwks(pu_str(rfc_7517_a2), NULL, NULL, err) == NULL);
    CHECK_SAYS(err, "private or symmetric");
    CHECK(pu_keys_jwks(pu_str(rfc_7517_a3), NULL, NULL, err) == NULL);
    CHECK_SAYS(err, "private or symmetric");

    keys = pu_keys_jwks(pu_str(rfc_7517_b), NULL, NULL, err);
    CHECK(keys != NULL && keys->n == 1);
    CHECK_STR(keys->keys[0].kid, "1b94c");
    CHECK(pu_keys_next(keys, PU_PS512, PU_STR("1b94c"), NULL) != NULL);
    pu_keys_free(keys);
}


static void
rfc_8037_a1_is_private_and_a2_is_not(void)
{
    char        err[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    CHECK(pu_keys_jwks(pu_str(rfc_8037_a1), NULL, NULL, err) == NULL);
    CHECK_SAYS(err, "private");

    keys = pu_keys_jwks(pu_str(rfc_8037_a2), NULL, NULL, err);
    CHECK(keys != NULL && keys->n == 1);
    CHECK_INT(keys->keys[0].algs,
              PU_ALG_BIT(PU_EDDSA) | PU_ALG_BIT(PU_ED25519));
    pu_keys_free(keys);
}


static void
rfc_8037_a3_thumbprint(void)
{
    char        text[PU_DIGEST_TEXT_LEN], err[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    keys = pu_keys_jwks(pu_str(rfc_8037_a2), NULL, NULL, err);
    pu_base64url_encode(text, keys->keys[0].thumbprint, PU_SHA256_LEN);
    CHECK(memcmp(text, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
                 sizeof(text)) == 0);
    pu_keys_free(keys);
}


static const unit_test_t  tests[] = {
    UNIT(every_published_token_is_what_its_source_says),
    UNIT(rfc_7517_a1_has_one_key_that_signs),
    UNIT(rfc_7517_a2_and_a3_are_secret_and_b_is_not),
    UNIT(rfc_8037_a1_is_private_and_a2_is_not),
    UNIT(rfc_8037_a3_thumbprint)
};

UNIT_MAIN(tests)
