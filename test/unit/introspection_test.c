/*
 * Introspection: which texts are asked about, what is sent, and which answers
 * let somebody in.
 */

#include "mint.h"
#include "pu_introspection.h"
#include "unit.h"


#define GOOD  "\"active\":true,\"aud\":\"api\",\"sub\":\"alice\","            \
              "\"exp\":1700000300"


static void
what_looks_like_a_jwt_is_none_of_these(void)
{
    CHECK(pu_token_opaque(PU_STR("abc")));
    CHECK(pu_token_opaque(PU_STR("a.b")));
    CHECK(pu_token_opaque(PU_STR("a.b.c.d")));
    CHECK(pu_token_opaque(PU_STR("a.b.c.d.e.f")));
    CHECK(pu_token_opaque(PU_STR("")));
    CHECK(!pu_token_opaque(PU_STR("a.b.c")));
    CHECK(!pu_token_opaque(PU_STR("..")));
    CHECK(!pu_token_opaque(PU_STR("a.b.c.d.e")));

    CHECK(pu_token_opaque_ok(PU_STR("aZ09-._~+/")));
    CHECK(pu_token_opaque_ok(PU_STR("abc==")));
    CHECK(!pu_token_opaque_ok(PU_STR("")));
    CHECK(!pu_token_opaque_ok(PU_STR("==")));
    CHECK(!pu_token_opaque_ok(PU_STR("a=b")));
    CHECK(!pu_token_opaque_ok(PU_STR("a b")));
    CHECK(!pu_token_opaque_ok(PU_STR("a&b")));
    CHECK(!pu_token_opaque_ok(PU_STR("a%26b")));
    CHECK(!pu_token_opaque_ok(PU_STR("a\xc3\xa9")));
    CHECK(!pu_token_opaque_ok(PU_STR("a\0b")));
    CHECK(!pu_token_opaque_ok(PU_STR("{}")));
}


static void
what_is_sent_means_the_token_and_nothing_else(void)
{
    char      room[256];
    pu_buf_t  b;

    pu_buf_init(&b, room, PU_INTROSPECTION_FORM(4));
    CHECK(pu_introspection_form(&b, PU_STR("a+/=")));
    CHECK_STR(pu_buf_written(&b),
              "token=a%2B%2F%3D&token_type_hint=access_token");

    pu_buf_init(&b, room, 20);
    CHECK(!pu_introspection_form(&b, PU_STR("abcdefghijkl")));

    /* RFC 6749 section 2.3.1: each is encoded before they are joined */

    pu_buf_init(&b, room, PU_BASIC(9));
    CHECK(pu_introspection_basic(&b, PU_STR("gate"), PU_STR("s:c/t")));
    CHECK_STR(pu_buf_written(&b), "Basic Z2F0ZTpzJTNBYyUyRnQ=");

    pu_buf_init(&b, room, PU_BASIC(2));
    CHECK(pu_introspection_basic(&b, PU_STR("a"), PU_STR("b")));
    CHECK_STR(pu_buf_written(&b), "Basic YTpi");

    pu_buf_init(&b, room, 10);
    CHECK(!pu_introspection_basic(&b, PU_STR("a"), PU_STR("b")));
}


/* The answer's body against an issuer with these lines. */
static pu_reason_t
answer(const char *text, const char *lines)
{
    pu_token_t    token;
    pu_reason_t   reason;
    pu_issuer_t  *issuer;

    issuer = mint_issuer(mint_keys(NULL), lines);
    reason = pu_introspection_read(&token, pu_str(text), issuer, MINT_NOW);

    CHECK(reason != PU_OK || token.issuer == issuer);
    CHECK(reason != PU_OK || token.verified.claims.len == strlen(text));

    pu_token_clear(&token);
    pu_issuer_free(issuer);

    return reason;
}


static void
only_active_true_is_active(void)
{
    CHECK_INT(answer("{" GOOD "}", ""), PU_OK);
    CHECK_INT(answer("{\"active\":false}", ""), PU_TOKEN_INACTIVE);
    CHECK_INT(answer("{\"active\":false,\"aud\":\"api\",\"sub\":\"alice\","
                     "\"exp\":1700000300}", ""), PU_TOKEN_INACTIVE);
}


static void
what_is_no_answer_says_nothing(void)
{
    size_t  i;

    static const char *const  texts[] = {
        "", "{}", "[]", "true", "null", "{\"active\":true", "<html></html>",
        "{\"active\":null}", "{\"active\":1,\"aud\":\"api\"}",
        "{\"active\":\"true\",\"aud\":\"api\",\"sub\":\"alice\","
        "\"exp\":1700000300}",
        "{\"active\":[true]}", "{\"Active\":true}",
        "{\"active\":true,\"active\":false}",
        "{\"active\":false,\"active\":true,\"aud\":\"api\"}",
        "[{" GOOD "}]", "{" GOOD "}{}", "{" GOOD "} x",
        "\xef\xbb\xbf{" GOOD "}", "{\"active\":true,\"sub\":\"\xff\"}"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unit_int(__FILE__, __LINE__, answer(texts[i], ""),
                 PU_ISSUER_UNAVAILABLE, texts[i]);
    }
}


static void
its_claims_are_judged_as_those_of_a_jwt(void)
{
    size_t  i;

    static const struct {
        const char   *text;
        const char   *lines;
        pu_reason_t   reason;
    } answers[] = {
        { "{" GOOD ",\"iss\":\"" MINT_ISS "\"}", "", PU_OK },
        { "{" GOOD ",\"iss\":\"https://idp.example\"}", "",
          PU_TOKEN_ISSUER },
        { "{" GOOD ",\"iss\":null}", "", PU_TOKEN_ISSUER },
        { "{\"active\":true,\"sub\":\"alice\",\"exp\":1700000300}", "",
          PU_TOKEN_AUDIENCE },
        { "{\"active\":true,\"sub\":\"alice\",\"exp\":1700000300}",
          "audience off", PU_OK },
        { "{\"active\":true,\"aud\":[\"x\",\"api\"],\"sub\":\"alice\","
          "\"exp\":1700000300}", "", PU_OK },
        { "{\"active\":true,\"aud\":\"x\",\"sub\":\"alice\","
          "\"exp\":1700000300}", "", PU_TOKEN_AUDIENCE },
        { "{\"active\":true,\"aud\":\"api\",\"sub\":\"alice\"}", "",
          PU_TOKEN_CLAIMS },
        { "{\"active\":true,\"aud\":\"api\",\"sub\":\"alice\","
          "\"exp\":\"1700000300\"}", "", PU_TOKEN_CLAIMS },
        { "{\"active\":true,\"aud\":\"api\",\"sub\":\"alice\","
          "\"exp\":1699999000}", "", PU_TOKEN_EXPIRED },
        { "{" GOOD ",\"nbf\":1700000200}", "", PU_TOKEN_NOT_YET_VALID },
        { "{" GOOD ",\"iat\":1700000200}", "", PU_TOKEN_NOT_YET_VALID },
        { "{" GOOD ",\"iat\":1699990000}", "max_age 1h",
          PU_TOKEN_TOO_OLD },
        { "{\"active\":true,\"aud\":\"api\",\"exp\":1700000300}", "",
          PU_TOKEN_CLAIMS },
        { "{\"active\":true,\"aud\":\"api\",\"exp\":1700000300,"
          "\"client_id\":\"job\"}", "subject client_id", PU_OK },
        { "{" GOOD "}", "claim client_id job", PU_TOKEN_CLAIMS },
        { "{" GOOD ",\"client_id\":\"job\"}", "claim client_id job", PU_OK },
        { "{" GOOD ",\"token_type\":\"Bearer\"}", "", PU_OK },
        { "{" GOOD ",\"token_type\":\"bearer\"}", "", PU_OK },
        { "{" GOOD ",\"token_type\":\"DPoP\"}", "", PU_OK },
        { "{" GOOD ",\"token_type\":\"refresh_token\"}", "",
          PU_TOKEN_TYPE },
        { "{" GOOD ",\"token_type\":1}", "", PU_TOKEN_TYPE },
        { "{" GOOD ",\"at_hash\":\"x\"}", "", PU_TOKEN_TYPE },
        { "{" GOOD ",\"cnf\":{\"x\":1}}", "", PU_TOKEN_BINDING }
    };

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        unit_int(__FILE__, __LINE__,
                 answer(answers[i].text, answers[i].lines),
                 answers[i].reason, answers[i].text);
    }
}


static void
what_is_kept_of_it_comes_back(void)
{
    size_t               len;
    uint8_t              packed[1024], out[1024];
    pu_token_t           token;
    pu_issuer_t         *issuer;
    pu_issuers_t         issuers;
    pu_verified_t        verified;
    const pu_issuer_t   *items[1];

    static const char  text[] = "{" GOOD ",\"scope\":\"b a\",\"x\":{\"y\":1}"
                                ",\"z\":\"\\n\"}";

    issuer = mint_issuer(mint_keys(NULL), "");
    CHECK_INT(pu_introspection_read(&token, PU_STR(text), issuer, MINT_NOW),
              PU_OK);

    len = pu_verified_pack(&token.verified, packed, sizeof(packed));
    CHECK(len > sizeof(text));
    CHECK_INT(pu_verified_pack(&token.verified, out, len - 1), 0);
    pu_token_clear(&token);

    CHECK(pu_verified_unpack(&verified, packed, len));
    CHECK(!pu_verified_unpack(&verified, packed, len - 1));
    CHECK_STR(verified.subject, "alice");
    CHECK_STR(verified.scopes, "a b");
    CHECK_STR(verified.claims, text);

    CHECK_INT(pu_claims_claim(verified.claims, PU_STR("sub"), out), 5);
    CHECK(memcmp(out, "alice", 5) == 0);
    CHECK_INT(pu_claims_claim(verified.claims, PU_STR("x"), out), 7);
    CHECK(memcmp(out, "{\"y\":1}", 7) == 0);
    CHECK_INT(pu_claims_claim(verified.claims, PU_STR("z"), out), -2);
    CHECK_INT(pu_claims_claim(verified.claims, PU_STR("w"), out), -1);
    CHECK_INT(pu_claims_claim(PU_STR(""), PU_STR("w"), out), -1);

    /* it counts only as long as this issuer is asked */

    items[0] = issuer;
    issuers = (pu_issuers_t) { 1, items, NULL };
    CHECK(pu_token_in_force(&verified, &issuers) == NULL);
    issuer->introspection = PU_STR("https://idp.example/introspect");
    CHECK(pu_token_in_force(&verified, &issuers) == issuer);
    issuer->fingerprint[0] ^= 1;
    CHECK(pu_token_in_force(&verified, &issuers) == NULL);

    pu_issuer_free(issuer);
}


/* "{...}" and the name of a user made by it, or NULL: nothing comes of it. */
static void
recalled(const char *claims, const char *display, int service)
{
    pu_token_t    token;
    pu_reason_t   reason;
    pu_issuer_t  *issuer;

    issuer = mint_issuer(mint_keys(NULL), "");
    reason = pu_token_recall(&token, issuer, pu_str(claims));

    CHECK_INT(reason == PU_OK, display != NULL);

    /* it was accepted before: what is no claims now was not kept rightly */

    CHECK_INT(reason == PU_INTERNAL, claims[0] != '{');

    if (reason == PU_OK && display != NULL) {
        CHECK(token.issuer == issuer);
        CHECK(pu_str_is(token.display, display));
        CHECK_INT(token.service, service);
    }

    pu_token_clear(&token);
    pu_issuer_free(issuer);
}


static void
a_user_is_made_by_what_was_kept(void)
{
    recalled("{" GOOD "}", "alice", 0);
    recalled("{" GOOD ",\"client_id\":\"alice\"}", "alice", 1);
    recalled("{" GOOD ",\"preferred_username\":\"Alice A\"}", "Alice A", 0);
    recalled("{\"active\":true}", NULL, 0);
    recalled("[]", NULL, 0);
    recalled("", NULL, 0);
}


static void
an_answer_has_a_size(void)
{
    char         *text;
    size_t        len;
    pu_token_t    token;
    pu_issuer_t  *issuer;

    static const char  start[] = "{" GOOD ",\"x\":\"";

    issuer = mint_issuer(mint_keys(NULL), "");
    text = malloc(PU_INTROSPECTION_MAX + 1);

    for (len = PU_INTROSPECTION_MAX; len <= PU_INTROSPECTION_MAX + 1; len++) {
        memset(text, 'x', len);
        memcpy(text, start, sizeof(start) - 1);
        text[len - 2] = '"';
        text[len - 1] = '}';

        CHECK_INT(pu_introspection_read(&token,
                                        (pu_str_t) { len, (uint8_t *) text },
                                        issuer, MINT_NOW),
                  len == PU_INTROSPECTION_MAX ? PU_OK
                                              : PU_ISSUER_UNAVAILABLE);
        pu_token_clear(&token);
    }

    free(text);
    pu_issuer_free(issuer);
}


static const unit_test_t  tests[] = {
    UNIT_FOR("I1, I2", what_looks_like_a_jwt_is_none_of_these),
    UNIT(what_is_sent_means_the_token_and_nothing_else),
    UNIT_FOR("I5", only_active_true_is_active),
    UNIT_FOR("I4, I5", what_is_no_answer_says_nothing),
    UNIT_FOR("I8, I9", its_claims_are_judged_as_those_of_a_jwt),
    UNIT(what_is_kept_of_it_comes_back),
    UNIT(a_user_is_made_by_what_was_kept),
    UNIT_FOR("I4", an_answer_has_a_size)
};


UNIT_MAIN(tests)
