/*
 * Claims: issuer, audience, times, type, binding, and the rules of `claim`.
 * Every token here is rightly signed.
 */

#include "mint.h"
#include "pu_token.h"
#include "unit.h"


#define START  "{\"iss\":\"https://idp.example/\",\"sub\":\"alice\""
#define AUD    ",\"aud\":\"api\""
#define EXP    ",\"exp\":1700000300"


/* A token with this payload under an issuer with these lines. */
static pu_reason_t
verify_at(const char *lines, const char *payload, int64_t now)
{
    char                *text;
    EVP_PKEY            *pkey;
    pu_token_t           token;
    pu_reason_t          reason;
    pu_issuer_t         *issuer;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];

    pkey = mint_key(PU_ES256);
    issuer = mint_issuer(mint_keys(mint_jwk(pkey, NULL), NULL), lines);
    items[0] = issuer;
    issuers = (pu_issuers_t) { 1, items, NULL };

    text = mint_token(pkey, PU_ES256, NULL, payload);
    reason = pu_token_verify(&token, pu_str(text), &issuers, now);

    free(text);
    pu_token_clear(&token);
    pu_issuer_free(issuer);
    EVP_PKEY_free(pkey);

    return reason;
}


static pu_reason_t
verify(const char *lines, const char *payload)
{
    return verify_at(lines, payload, MINT_NOW);
}


static void
gives(const char *file, int line, const char *lines, const char *payload,
    pu_reason_t expected)
{
    char         text[512];
    pu_reason_t  reason;

    reason = verify(lines, payload);
    snprintf(text, sizeof(text), "%s for %s",
             pu_reason_word(reason).data, payload);
    unit_check(file, line, reason == expected, text);
}

#define GIVES(lines, payload, reason)                                         \
    gives(__FILE__, __LINE__, lines, payload, reason)


static void
iss_is_equal_byte_for_byte(void)
{
    size_t  i;
    char    payload[256];

    static const char *const  wrong[] = {
        "\"https://idp.example\"", "\"https://idp.example//\"",
        "\"HTTPS://idp.example/\"", "\"https://IDP.example/\"",
        "\"https://idp.example:443/\"", "\"http://idp.example/\"",
        "\"https://idp.example/ \"", "\"https://idp.example/\\u0000\"",
        "\"https://idp.example/x\"", "\"\"", "null", "1", "true",
        "[\"https://idp.example/\"]", "{\"a\":\"https://idp.example/\"}"
    };

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(payload, sizeof(payload),
                 "{\"iss\":%s,\"sub\":\"alice\"" AUD EXP "}", wrong[i]);
        GIVES(NULL, payload, PU_TOKEN_ISSUER);
    }

    GIVES(NULL, "{\"sub\":\"alice\"" AUD EXP "}", PU_TOKEN_ISSUER);
    GIVES(NULL, "{\"ISS\":\"https://idp.example/\",\"sub\":\"alice\""
          AUD EXP "}", PU_TOKEN_ISSUER);
    GIVES(NULL, "{\"iss\":\"https:\\/\\/idp.example\\/\",\"sub\":\"alice\""
          AUD EXP "}", PU_OK);
}


static void
aud_has_one_of_ours(void)
{
    size_t  i;
    char    payload[256];

    static const char *const  right[] = {
        "\"api\"", "[\"api\"]", "[\"x\",\"api\"]", "\"b\"",
        "\"\\u0061pi\""
    };
    static const char *const  wrong[] = {
        "\"\"", "\"ap\"", "\"apis\"", "\"API\"", "\"api \"", "\"api b\"",
        "\"api\\u0000\"", "\"x\"", "[]", "[\"x\",\"y\"]", "null", "1",
        "true", "{\"api\":\"api\"}", "[[\"api\"]]", "[\"api\",1]",
        "[null,\"api\"]", "[\"api\",{}]"
    };

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        snprintf(payload, sizeof(payload), START EXP ",\"aud\":%s}",
                 right[i]);
        GIVES("audience api b", payload, PU_OK);
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(payload, sizeof(payload), START EXP ",\"aud\":%s}",
                 wrong[i]);
        GIVES("audience api b", payload, PU_TOKEN_AUDIENCE);
    }

    GIVES(NULL, START EXP "}", PU_TOKEN_AUDIENCE);
    GIVES("audience off", START EXP "}", PU_OK);
    GIVES("audience off", START EXP ",\"aud\":1}", PU_OK);
}


static void
aud_has_at_most_32_values(void)
{
    int     n, i;
    char    payload[1024];
    size_t  len;

    for (n = 32; n <= 33; n++) {
        len = (size_t) snprintf(payload, sizeof(payload),
                                START EXP ",\"aud\":[\"api\"");

        for (i = 1; i < n; i++) {
            len += (size_t) snprintf(payload + len, sizeof(payload) - len,
                                     ",\"a%d\"", i);
        }

        snprintf(payload + len, sizeof(payload) - len, "]}");
        GIVES(NULL, payload, (n == 32) ? PU_OK : PU_TOKEN_AUDIENCE);
    }
}


static void
the_audience_may_be_elsewhere(void)
{
    const char  *cognito = "audience web;audience_claim client_id;"
                           "claim token_use access";

    GIVES(cognito, START EXP ",\"client_id\":\"web\",\"token_use\":"
          "\"access\"}", PU_OK);
    GIVES(cognito, START EXP ",\"client_id\":\"other\",\"token_use\":"
          "\"access\"}", PU_TOKEN_AUDIENCE);
    GIVES(cognito, START EXP ",\"aud\":\"web\",\"token_use\":\"access\"}",
          PU_TOKEN_AUDIENCE);
    GIVES(cognito, START EXP ",\"client_id\":\"web\",\"token_use\":\"id\"}",
          PU_TOKEN_CLAIMS);

    GIVES("audience_claim aud azp", START EXP ",\"azp\":\"api\"}", PU_OK);
    GIVES("audience_claim aud azp", START EXP ",\"aud\":\"x\",\"azp\":"
          "\"api\"}", PU_OK);
    GIVES("audience_claim aud azp", START EXP ",\"aud\":1,\"azp\":\"api\"}",
          PU_TOKEN_AUDIENCE);
    GIVES("audience_claim aud azp", START EXP ",\"aud\":[\"x\",1],\"azp\":"
          "\"api\"}", PU_TOKEN_AUDIENCE);
    GIVES("audience_claim aud azp", START EXP "}", PU_TOKEN_AUDIENCE);
}


static void
exp_is_required_and_a_number(void)
{
    size_t  i;
    char    payload[256];

    static const char *const  wrong[] = {
        "\"4102444800\"", "true", "false", "null", "[4102444800]", "{}",
        "\"\"", "9007199254740993", "9223372036854775807", "1e300", "-1e300",
        "1e16"
    };

    GIVES(NULL, START AUD "}", PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD ",\"EXP\":1700000300}", PU_TOKEN_CLAIMS);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(payload, sizeof(payload), START AUD ",\"exp\":%s}",
                 wrong[i]);
        GIVES(NULL, payload, PU_TOKEN_CLAIMS);
    }

    GIVES(NULL, START AUD ",\"exp\":1700000300.75}", PU_OK);
    GIVES(NULL, START AUD ",\"exp\":1.8e9}", PU_OK);
    GIVES(NULL, START AUD ",\"exp\":9007199254740992}", PU_OK);
    GIVES(NULL, START AUD ",\"exp\":-1}", PU_TOKEN_EXPIRED);
    GIVES(NULL, START AUD ",\"exp\":0}", PU_TOKEN_EXPIRED);
    GIVES(NULL, START AUD ",\"exp\":-9007199254740992}", PU_TOKEN_EXPIRED);
}


static void
exp_plus_leeway_is_the_end(void)
{
    const char  *token = START AUD ",\"exp\":1700000000}";
    const char  *real = START AUD ",\"exp\":1700000000.9}";

    CHECK_INT(verify_at(NULL, token, 1700000000), PU_OK);
    CHECK_INT(verify_at(NULL, token, 1700000029), PU_OK);
    CHECK_INT(verify_at(NULL, token, 1700000030), PU_TOKEN_EXPIRED);
    CHECK_INT(verify_at(NULL, real, 1700000030), PU_TOKEN_EXPIRED);
    CHECK_INT(verify_at("leeway 0", token, 1699999999), PU_OK);
    CHECK_INT(verify_at("leeway 0", token, 1700000000), PU_TOKEN_EXPIRED);
    CHECK_INT(verify_at("leeway 300", token, 1700000299), PU_OK);
    CHECK_INT(verify_at("leeway 300", token, 1700000300), PU_TOKEN_EXPIRED);
}


static void
nbf_and_iat_are_numbers_if_they_are_there(void)
{
    size_t  i, j;
    char    payload[256];

    static const char *const  names[] = { "nbf", "iat" };
    static const char *const  wrong[] = {
        "\"1\"", "true", "null", "[1]", "{}", "1e300", "9007199254740993",
        "-9007199254740993"
    };

    for (i = 0; i < 2; i++) {
        for (j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++) {
            snprintf(payload, sizeof(payload), START AUD EXP ",\"%s\":%s}",
                     names[i], wrong[j]);
            GIVES(NULL, payload, PU_TOKEN_CLAIMS);
        }

        snprintf(payload, sizeof(payload), START AUD EXP ",\"%s\":-5}",
                 names[i]);
        GIVES(NULL, payload, PU_OK);
    }
}


static void
nbf_and_iat_are_not_in_the_future(void)
{
    size_t  i;
    char    payload[256];

    static const char *const  names[] = { "nbf", "iat" };

    for (i = 0; i < 2; i++) {
        snprintf(payload, sizeof(payload),
                 START AUD EXP ",\"%s\":1700000030}", names[i]);
        CHECK_INT(verify_at(NULL, payload, 1700000000), PU_OK);
        CHECK_INT(verify_at(NULL, payload, 1699999999),
                  PU_TOKEN_NOT_YET_VALID);
        CHECK_INT(verify_at("leeway 0", payload, 1700000029),
                  PU_TOKEN_NOT_YET_VALID);
        CHECK_INT(verify_at("leeway 0", payload, 1700000030), PU_OK);

        snprintf(payload, sizeof(payload),
                 START AUD EXP ",\"%s\":9007199254740992}", names[i]);
        GIVES(NULL, payload, PU_TOKEN_NOT_YET_VALID);
    }
}


/* Each of them is right with the leeway; both together are not. */
static void
exp_is_after_nbf(void)
{
    GIVES(NULL, START AUD ",\"exp\":1700000010,\"nbf\":1700000009}", PU_OK);
    GIVES(NULL, START AUD ",\"exp\":1700000010,\"nbf\":1700000010}",
          PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD ",\"exp\":1699999990,\"nbf\":1700000010}",
          PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD ",\"exp\":1699999000,\"nbf\":1700000010}",
          PU_TOKEN_EXPIRED);
    GIVES(NULL, START AUD ",\"exp\":1700000010,\"nbf\":1700009000}",
          PU_TOKEN_NOT_YET_VALID);
}


static void
a_token_older_than_max_age_is_too_old(void)
{
    const char  *lines = "max_age 1h;leeway 10";
    const char  *token = START AUD ",\"exp\":1800000000,\"iat\":1700000000}";

    CHECK_INT(verify_at(lines, token, 1700003610), PU_OK);
    CHECK_INT(verify_at(lines, token, 1700003611), PU_TOKEN_TOO_OLD);
    CHECK_INT(verify_at("max_age off", token, 1700003611), PU_OK);

    /* whatever its exp says, and also when it does not tell its age */

    GIVES(lines, START AUD EXP "}", PU_TOKEN_CLAIMS);
    GIVES(lines, START AUD EXP ",\"iat\":-9007199254740992}",
          PU_TOKEN_TOO_OLD);
}


static void
the_subject_is_a_short_text(void)
{
    char    payload[512], sub[257];
    size_t  i;

    static const char *const  wrong[] = {
        "\"\"", "null", "1", "true", "[\"alice\"]", "{}", "\"a\\u0000\"",
        "\"a\\nb\"", "\"\\u007f\"", "\"a\\tb\""
    };

    GIVES(NULL, "{\"iss\":\"https://idp.example/\"" AUD EXP "}",
          PU_TOKEN_CLAIMS);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(payload, sizeof(payload), "{\"iss\":\"https://idp.example/\""
                 AUD EXP ",\"sub\":%s}", wrong[i]);
        GIVES(NULL, payload, PU_TOKEN_CLAIMS);
    }

    memset(sub, 's', sizeof(sub));

    for (i = 255; i <= 256; i++) {
        sub[i] = '\0';
        snprintf(payload, sizeof(payload), "{\"iss\":\"https://idp.example/\""
                 AUD EXP ",\"sub\":\"%s\"}", sub);
        GIVES(NULL, payload, (i == 255) ? PU_OK : PU_TOKEN_CLAIMS);
        sub[i] = 's';
    }
}


static void
the_subject_is_found_by_its_path(void)
{
    GIVES("subject ext uid", START AUD EXP ",\"ext\":{\"uid\":\"u\"}}",
          PU_OK);
    GIVES("subject ext uid", START AUD EXP ",\"ext.uid\":\"u\"}",
          PU_TOKEN_CLAIMS);
    GIVES("subject ext.uid", START AUD EXP ",\"ext.uid\":\"u\"}", PU_OK);
    GIVES("subject ext.uid", START AUD EXP ",\"ext\":{\"uid\":\"u\"}}",
          PU_TOKEN_CLAIMS);
    GIVES("subject ext uid", START AUD EXP ",\"ext\":\"uid\"}",
          PU_TOKEN_CLAIMS);
    GIVES("subject ext 0", START AUD EXP ",\"ext\":[\"u\"]}",
          PU_TOKEN_CLAIMS);
}


/* A revocation looks for the token's own name: it has one, or none. */
static void
the_name_of_a_token_is_a_text_or_a_number(void)
{
    GIVES(NULL, START AUD EXP ",\"jti\":\"a\"}", PU_OK);
    GIVES(NULL, START AUD EXP ",\"jti\":7}", PU_OK);
    GIVES(NULL, START AUD EXP ",\"jti\":[\"a\"]}", PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD EXP ",\"jti\":{\"a\":1}}", PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD EXP ",\"jti\":null}", PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD EXP ",\"jti\":true}", PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD EXP ",\"jti\":\"a\\u0000b\"}", PU_TOKEN_CLAIMS);
}


/* RFC 9068 section 2.2 */
static void
the_client_is_a_text(void)
{
    GIVES(NULL, START AUD EXP ",\"client_id\":\"web\"}", PU_OK);
    GIVES(NULL, START AUD EXP ",\"client_id\":5}", PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD EXP ",\"client_id\":null}", PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD EXP ",\"client_id\":[\"web\"]}", PU_TOKEN_CLAIMS);
    GIVES(NULL, START AUD EXP ",\"client_id\":{}}", PU_TOKEN_CLAIMS);
}


static void
an_id_token_is_no_access_token(void)
{
    GIVES(NULL, START AUD EXP ",\"at_hash\":\"x\"}", PU_TOKEN_TYPE);
    GIVES(NULL, START AUD EXP ",\"c_hash\":\"x\"}", PU_TOKEN_TYPE);
    GIVES(NULL, START AUD EXP ",\"at_hash\":null}", PU_TOKEN_TYPE);
    GIVES("token_type ID", START AUD EXP ",\"at_hash\":\"x\"}", PU_OK);
    GIVES("token_type JWT absent", START AUD EXP ",\"at_hash\":\"x\"}",
          PU_TOKEN_TYPE);
    GIVES(NULL, START AUD EXP ",\"nonce\":\"x\"}", PU_OK);
}


static void
a_security_event_is_no_access_token(void)
{
    GIVES(NULL, START AUD EXP ",\"events\":{\"http://schemas.openid.net/"
          "event/backchannel-logout\":{}}}", PU_TOKEN_TYPE);
    GIVES("token_type ID", START AUD EXP ",\"events\":null}", PU_TOKEN_TYPE);
}


static void
a_bound_token_is_refused_without_its_proof(void)
{
    GIVES(NULL, START AUD EXP ",\"cnf\":{\"jkt\":\"x\"}}", PU_TOKEN_BINDING);
    GIVES(NULL, START AUD EXP ",\"cnf\":{\"x5t#S256\":\"x\"}}",
          PU_TOKEN_BINDING);
    GIVES(NULL, START AUD EXP ",\"cnf\":{}}", PU_TOKEN_BINDING);
    GIVES(NULL, START AUD EXP ",\"cnf\":null}", PU_TOKEN_BINDING);
    GIVES(NULL, START AUD EXP ",\"cnf\":\"\"}", PU_TOKEN_BINDING);
}


static void
a_claim_rule_compares_strings_and_what_was_written(void)
{
    size_t  i;
    char    payload[256];

    static const struct {
        const char   *value;
        pu_reason_t   reason;
    } values[] = {
        { "\"1.0\"", PU_OK }, { "1.0", PU_OK }, { "1", PU_TOKEN_CLAIMS },
        { "1.00", PU_TOKEN_CLAIMS }, { "\"\\u0031.0\"", PU_OK },
        { "[2,1.0]", PU_OK }, { "[\"x\",\"1.0\"]", PU_OK },
        { "[1]", PU_TOKEN_CLAIMS }, { "[]", PU_TOKEN_CLAIMS },
        { "[[1.0]]", PU_TOKEN_CLAIMS }, { "{\"1.0\":1.0}", PU_TOKEN_CLAIMS },
        { "\"x 1.0\"", PU_TOKEN_CLAIMS }, { "true", PU_OK },
        { "\"true\"", PU_OK }, { "false", PU_TOKEN_CLAIMS },
        { "null", PU_TOKEN_CLAIMS }, { "\"\"", PU_TOKEN_CLAIMS },
        { "\"true\\u0000\"", PU_TOKEN_CLAIMS },
        { "\"True\"", PU_TOKEN_CLAIMS }, { "{}", PU_TOKEN_CLAIMS },
        { "[[]]", PU_TOKEN_CLAIMS }
    };

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(payload, sizeof(payload), START AUD EXP ",\"level\": %s }",
                 values[i].value);
        GIVES("claim level 1.0 true null {} []", payload, values[i].reason);
    }

    GIVES("claim level 1.0", START AUD EXP "}", PU_TOKEN_CLAIMS);
    GIVES("claim level 1.0", START AUD EXP ",\"x\":{\"level\":1.0}}",
          PU_TOKEN_CLAIMS);
    GIVES("claim level 1.0", START AUD EXP ",\"lev\\u0065l\":1.0}", PU_OK);
}


static void
all_claim_rules_must_hold(void)
{
    const char  *lines = "claim a 1;claim b 2";

    GIVES(lines, START AUD EXP ",\"a\":1,\"b\":2}", PU_OK);
    GIVES(lines, START AUD EXP ",\"a\":1}", PU_TOKEN_CLAIMS);
    GIVES(lines, START AUD EXP ",\"b\":2}", PU_TOKEN_CLAIMS);
    GIVES(lines, START AUD EXP ",\"a\":2,\"b\":1}", PU_TOKEN_CLAIMS);
    GIVES("claim a 1;claim a 2", START AUD EXP ",\"a\":[1,2]}", PU_OK);
    GIVES("claim a 1;claim a 2", START AUD EXP ",\"a\":[1]}",
          PU_TOKEN_CLAIMS);
}


/* No age of what is cached is counted: a clock that was set wakes nothing. */
static void
what_is_known_is_judged_by_the_time_of_each_use(void)
{
    pu_issuer_t    issuer;
    pu_verified_t  verified;

    memset(&issuer, 0, sizeof(issuer));
    memset(&verified, 0, sizeof(verified));
    issuer.leeway = 30;
    verified.nbf = MINT_NOW - 100;
    verified.iat = MINT_NOW - 100;
    verified.exp = MINT_NOW + 100;

    CHECK_INT(pu_token_times(&verified, &issuer, MINT_NOW), PU_OK);
    CHECK_INT(pu_token_times(&verified, &issuer, MINT_NOW + 130),
              PU_TOKEN_EXPIRED);
    CHECK_INT(pu_token_times(&verified, &issuer, MINT_NOW + 129), PU_OK);
    CHECK_INT(pu_token_times(&verified, &issuer, MINT_NOW - 131),
              PU_TOKEN_NOT_YET_VALID);
    CHECK_INT(pu_token_times(&verified, &issuer, 0), PU_TOKEN_NOT_YET_VALID);
}


/* Dates at both ends of what a cached token may hold. */
static void
no_time_overflows(void)
{
    size_t        i, j, k;
    pu_issuer_t   issuer;
    pu_verified_t  verified;

    static const int64_t  ends[] = {
        INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX
    };

    memset(&issuer, 0, sizeof(issuer));
    memset(&verified, 0, sizeof(verified));
    issuer.leeway = PU_LEEWAY_MAX;
    issuer.max_age = 100LL * 365 * 24 * 3600;

    for (i = 0; i < 7; i++) {
        for (j = 0; j < 7; j++) {
            for (k = 0; k < 7; k++) {
                verified.exp = ends[i];
                verified.iat = ends[j];
                verified.nbf = ends[j];
                CHECK(pu_token_times(&verified, &issuer, ends[k])
                      < PU_REASON_COUNT);
            }
        }
    }

    verified.exp = INT64_MAX;
    verified.nbf = PU_TIME_NONE;
    verified.iat = PU_TIME_NONE;
    issuer.max_age = 0;
    CHECK_INT(pu_token_times(&verified, &issuer, MINT_NOW), PU_OK);
    verified.exp = INT64_MIN;
    CHECK_INT(pu_token_times(&verified, &issuer, MINT_NOW),
              PU_TOKEN_EXPIRED);
}


static const unit_test_t  tests[] = {
    UNIT_FOR("L2", iss_is_equal_byte_for_byte),
    UNIT_FOR("L3", aud_has_one_of_ours),
    UNIT_FOR("L3", aud_has_at_most_32_values),
    UNIT_FOR("L3", the_audience_may_be_elsewhere),
    UNIT_FOR("L4", exp_is_required_and_a_number),
    UNIT_FOR("L4", exp_plus_leeway_is_the_end),
    UNIT_FOR("L5, L6", nbf_and_iat_are_numbers_if_they_are_there),
    UNIT_FOR("L5, L6", nbf_and_iat_are_not_in_the_future),
    UNIT_FOR("L7", exp_is_after_nbf),
    UNIT_FOR("L6", a_token_older_than_max_age_is_too_old),
    UNIT_FOR("L8", the_subject_is_a_short_text),
    UNIT_FOR("L10", the_subject_is_found_by_its_path),
    UNIT_FOR("L8", the_name_of_a_token_is_a_text_or_a_number),
    UNIT_FOR("L8", the_client_is_a_text),
    UNIT_FOR("L9", an_id_token_is_no_access_token),
    UNIT_FOR("L9", a_security_event_is_no_access_token),
    UNIT_FOR("B2", a_bound_token_is_refused_without_its_proof),
    UNIT(a_claim_rule_compares_strings_and_what_was_written),
    UNIT(all_claim_rules_must_hold),
    UNIT_FOR("L13", what_is_known_is_judged_by_the_time_of_each_use),
    UNIT(no_time_overflows)
};

UNIT_MAIN(tests)
