/*
 * verified_test: what of a verified token is kept, packed and asked again,
 * and the claims that are shown.
 */

#include <sys/mman.h>

#include "scene.h"
#include "unit.h"


#define PACKED  67                      /* bytes of it that are no texts */


static void
what_is_packed_is_unpacked(void)
{
    size_t          len, size;
    uint8_t         data[1024];
    scene_t         scene;
    pu_verified_t   back;

    scene_open(&scene, "role_map a ra", MINT_WITH("\"roles\":\"a\","
                                                  "\"scope\":\"x y\","
                                                  "\"iat\":5"));
    len = pu_verified_pack(&scene.token.verified, data, sizeof(data));
    CHECK_INT(len, PACKED + 5 + 2 + 3);

    CHECK(pu_verified_unpack(&back, data, len));
    CHECK(memcmp(back.issuer, scene.issuer->fingerprint,
                 PU_FINGERPRINT_LEN) == 0);
    CHECK(memcmp(back.key, scene.issuer->keys->keys[0].mark,
                 PU_KEY_MARK_LEN) == 0);
    CHECK_INT(back.exp, 1700000300);
    CHECK_INT(back.iat, 5);
    CHECK(back.nbf == PU_TIME_NONE);
    CHECK_STR(back.subject, "alice");
    CHECK_STR(back.roles, "ra");
    CHECK_STR(back.scopes, "x y");
    CHECK_STR(back.claims, "");
    CHECK(!back.bound_cert && !back.bound_key);

    for (size = 0; size < len; size++) {
        CHECK_INT(pu_verified_pack(&scene.token.verified, data + 512, size),
                  0);
    }

    CHECK_INT(pu_verified_pack(&scene.token.verified, data + 512, len), len);
    scene_close(&scene);
}


/* What a token is bound to is kept with it, and claims it does not show. */
static void
bindings_and_claims_are_packed(void)
{
    size_t          len;
    uint8_t         data[1024];
    unsigned        i;
    pu_verified_t   verified, back;

    for (i = 0; i < 4; i++) {
        memset(&verified, 0, sizeof(verified));
        memset(&back, 0xff, sizeof(back));
        memset(verified.cert, 'c', PU_SHA256_LEN);
        memset(verified.jkt, 'k', PU_SHA256_LEN);
        verified.bound_cert = i & 1;
        verified.bound_key = i >> 1;
        verified.subject = PU_STR("alice");
        verified.claims = PU_STR("{\"sub\":\"alice\"}");

        len = pu_verified_pack(&verified, data, sizeof(data));
        CHECK_INT(len, PACKED + 32 * (i & 1) + 32 * (i >> 1) + 5 + 15);
        CHECK(pu_verified_unpack(&back, data, len));
        CHECK_INT(back.bound_cert, i & 1);
        CHECK_INT(back.bound_key, i >> 1);
        CHECK(!back.bound_cert
              || memcmp(back.cert, verified.cert, PU_SHA256_LEN) == 0);
        CHECK(!back.bound_key
              || memcmp(back.jkt, verified.jkt, PU_SHA256_LEN) == 0);
        CHECK_STR(back.subject, "alice");
        CHECK_STR(back.claims, "{\"sub\":\"alice\"}");
        CHECK_INT(pu_verified_pack(&verified, data, len - 1), 0);
    }
}


static void
claims_that_are_kept_are_read(void)
{
    uint8_t   out[64];
    pu_str_t  claims;

    claims = PU_STR("{\"sub\":\"ali\\u0063e\",\"n\": [1, 2],\"c\":\"\\r\"}");

    CHECK_INT(pu_claims_claim(claims, PU_STR("sub"), out), 5);
    CHECK(memcmp(out, "alice", 5) == 0);
    CHECK_INT(pu_claims_claim(claims, PU_STR("N"), out), 5);
    CHECK(memcmp(out, "[1,2]", 5) == 0);
    CHECK_INT(pu_claims_claim(claims, PU_STR("c"), out), -2);
    CHECK_INT(pu_claims_claim(claims, PU_STR("x"), out), -1);
    CHECK_INT(pu_claims_claim(PU_STR("{\"s\":\"\\x\"}"), PU_STR("s"), out),
              -1);
    CHECK_INT(pu_claims_claim(PU_STR("{\"s\":\"\\ud800\"}"), PU_STR("s"),
                              out), -1);
}


static void
the_name_of_a_token_is_a_string_or_a_number(void)
{
    size_t   i;
    scene_t  scene;

    static const struct {
        const char   *payload;
        pu_reason_t   reason;
        const char   *jti;
    } tokens[] = {
        { MINT_WITH("\"jti\":\"a\\u0062\""), PU_OK, "ab" },
        { MINT_WITH("\"jti\":\"\""), PU_OK, "" },
        { MINT_WITH("\"jti\":1.50"), PU_OK, "1.50" },
        { MINT_WITH("\"jti\": -7 "), PU_OK, "-7" },
        { MINT_WITH("\"jti\":7e1"), PU_OK, "7e1" },
        { MINT_WITH("\"\\u006ati\":7"), PU_OK, "7" },
        { MINT_WITH("\"jti\":null"), PU_TOKEN_CLAIMS, NULL },
        { MINT_WITH("\"jti\":true"), PU_TOKEN_CLAIMS, NULL },
        { MINT_WITH("\"jti\":[\"a\"]"), PU_TOKEN_CLAIMS, NULL },
        { MINT_WITH("\"jti\":{}"), PU_TOKEN_CLAIMS, NULL },
        { MINT_WITH("\"jti\":\"a\\u0000b\""), PU_TOKEN_CLAIMS, NULL }
    };

    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        scene_open(&scene, NULL, tokens[i].payload);
        unit_check(__FILE__, __LINE__, scene.reason == tokens[i].reason,
                   tokens[i].payload);

        if (scene.reason == PU_OK) {
            CHECK_STR(scene.token.jti, tokens[i].jti);
        }

        scene_close(&scene);
    }

    scene_open(&scene, NULL, MINT_CLAIMS);
    CHECK(scene.reason == PU_OK && scene.token.jti.data == NULL);
    scene_close(&scene);
}


/* Bytes of shared memory are not believed, only measured. */
static void
what_makes_no_sense_is_not_unpacked(void)
{
    size_t          i, len;
    uint8_t         data[1024], *copy;
    scene_t         scene;
    pu_verified_t   back;

    scene_open(&scene, NULL, MINT_WITH("\"scope\":\"x y\""));
    len = pu_verified_pack(&scene.token.verified, data, sizeof(data));

    for (i = 0; i < len; i++) {
        copy = malloc(i + 1);
        memcpy(copy, data, i);
        CHECK(!pu_verified_unpack(&back, copy, i));
        free(copy);
    }

    CHECK(!pu_verified_unpack(&back, data, len + 1));

    /* the bindings and four lengths are before the texts */

    for (i = PACKED - 11; i < PACKED; i++) {
        data[i] ^= 1;
        CHECK(!pu_verified_unpack(&back, data, len));
        data[i] ^= 1;
    }

    /* 1 and 2 are bindings */

    for (i = 4; i < 256; i *= 2) {
        data[PACKED - 11] ^= (uint8_t) i;
        CHECK(!pu_verified_unpack(&back, data, len));
        data[PACKED - 11] ^= (uint8_t) i;
    }

    CHECK(pu_verified_unpack(&back, data, len));
    scene_close(&scene);
}


static void
what_is_too_long_is_not_packed(void)
{
    char           *text;
    uint8_t        *data;
    pu_verified_t   verified;

    text = malloc(65536);
    data = malloc(262144);
    memset(text, 'x', 65536);
    memset(&verified, 0, sizeof(verified));

    verified.roles = (pu_str_t) { 65535, (uint8_t *) text };
    CHECK_INT(pu_verified_pack(&verified, data, 262144), PACKED + 65535);
    verified.roles.len = 65536;
    CHECK_INT(pu_verified_pack(&verified, data, 262144), 0);
    verified.scopes = verified.roles;
    verified.roles.len = 0;
    CHECK_INT(pu_verified_pack(&verified, data, 262144), 0);
    verified.subject = verified.scopes;
    verified.scopes.len = 0;
    CHECK_INT(pu_verified_pack(&verified, data, 262144), 0);

    verified.subject.len = 0;
    verified.claims = (pu_str_t) { (size_t) UINT32_MAX + 1, NULL };
    CHECK_INT(pu_verified_pack(&verified, data, 262144), 0);

    free(text);
    free(data);
}


static void
a_token_is_in_force_with_its_issuer_and_its_key(void)
{
    scene_t              scene, other;
    pu_issuers_t         both, none;
    const pu_issuer_t   *items[2];
    pu_verified_t        verified;

    scene_open(&scene, NULL, MINT_CLAIMS);
    scene_open(&other, "issuer https://b.example",
               "{\"iss\":\"https://b.example\",\"aud\":\"api\",\"sub\":\"a\","
               "\"exp\":1700000300}");
    items[0] = scene.issuer;
    items[1] = other.issuer;
    both = (pu_issuers_t) { 2, items, NULL };
    none = (pu_issuers_t) { 0, items, NULL };

    CHECK(pu_token_in_force(&scene.token.verified, &both) == scene.issuer);
    CHECK(pu_token_in_force(&other.token.verified, &both) == other.issuer);
    CHECK(pu_token_in_force(&other.token.verified, &scene.issuers) == NULL);
    CHECK(pu_token_in_force(&scene.token.verified, &none) == NULL);

    /* the settings are the same and the key is gone */

    verified = scene.token.verified;
    verified.key[0] ^= 1;
    CHECK(pu_token_in_force(&verified, &both) == NULL);

    /* the key is the other issuer's */

    memcpy(verified.key, other.token.verified.key, PU_KEY_MARK_LEN);
    CHECK(pu_token_in_force(&verified, &both) == NULL);

    scene_close(&scene);
    scene_close(&other);
}


static void
claim_is(const char *file, int line, const char *payload, const char *name,
    const char *expected)
{
    char     *text;
    int64_t   n;
    uint8_t   out[PU_TOKEN_LEN_MAX];

    text = mint_token_raw(PU_STR("{}"), pu_str(payload), PU_STR("x"));
    n = pu_token_claim(pu_str(text), pu_str(name), out);

    if (expected == NULL) {
        unit_int(file, line, n, -1, payload);
    } else {
        unit_int(file, line, n, (long long) strlen(expected), payload);
        unit_str(file, line, (pu_str_t) { (n < 0) ? 0 : (size_t) n, out },
                 pu_str(expected), payload);
    }

    free(text);
}

#define CLAIM(payload, name, expected)                                        \
    claim_is(__FILE__, __LINE__, payload, name, expected)


static void
a_claim_is_a_string_as_it_is_or_compact_json(void)
{
    const char  *payload =
        "{ \"s\": \"a \\\"b\\\" \\u00e4\", \"n\": 1.0, \"t\": true,"
        "\"o\": { \"x\" : [ 1, \"y z\" ] }, \"z\": null, \"e\": \"\" }";

    CLAIM(payload, "s", "a \"b\" \xc3\xa4");
    CLAIM(payload, "n", "1.0");
    CLAIM(payload, "t", "true");
    CLAIM(payload, "o", "{\"x\":[1,\"y z\"]}");
    CLAIM(payload, "z", "null");
    CLAIM(payload, "e", "");
    CLAIM(payload, "x", NULL);
    CLAIM(payload, "", NULL);
}


static void
a_claim_is_found_without_regard_to_case_if_it_is_the_only_one(void)
{
    CLAIM("{\"tenantId\":\"t\"}", "tenantid", "t");
    CLAIM("{\"tenantId\":\"t\",\"TENANTID\":\"u\"}", "tenantid", NULL);
    CLAIM("{\"tenantId\":\"t\",\"tenantid\":\"u\"}", "tenantid", "u");
    CLAIM("{\"tenantid\":\"u\",\"tenantId\":\"t\"}", "tenantid", "u");
    CLAIM("{\"tenant\":\"t\"}", "tenantid", NULL);
}


static void
a_claim_with_a_control_byte_is_no_claim(void)
{
    size_t    i;
    char     *text;
    uint8_t   out[PU_TOKEN_LEN_MAX];

    static const char *const  payloads[] = {
        "{\"c\":\"a\\r\\nX-Role: admin\"}", "{\"c\":\"\\u0000\"}",
        "{\"c\":\"a\\tb\"}", "{\"c\":\"\x7f\"}", "{\"c\":[\"\x7f\"]}",
        "{\"c\":\"\\u007f\"}"
    };

    for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        text = mint_token_raw(PU_STR("{}"), pu_str(payloads[i]), PU_STR("x"));
        CHECK_INT(pu_token_claim(pu_str(text), PU_STR("c"), out), -2);
        free(text);
    }

    /* in an array it stays escaped */

    CLAIM("{\"c\":[\"a\\nb\"]}", "c", "[\"a\\nb\"]");
}


static void
a_claim_of_a_text_that_is_no_token_is_none(void)
{
    char     *text;
    size_t    i, len;
    uint8_t   out[PU_TOKEN_LEN_MAX];

    static const char *const  texts[] = {
        "", "a", ".", "..", "a.b", "a.e30.b.c", "a.!!!!.b", "a.e30.b",
        "a.bnVsbA.b", "a..b"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK_INT(pu_token_claim(pu_str(texts[i]), PU_STR("c"), out), -1);
    }

    text = mint_token_raw(PU_STR("{}"), PU_STR("{\"c\":1}"), PU_STR("x"));
    text = realloc(text, PU_TOKEN_LEN_MAX + 1);
    len = strlen(text);
    memset(text + len, 'x', PU_TOKEN_LEN_MAX + 1 - len);
    CHECK_INT(pu_token_claim((pu_str_t) { PU_TOKEN_LEN_MAX,
                                          (uint8_t *) text },
                             PU_STR("c"), out), 1);
    CHECK_INT(pu_token_claim((pu_str_t) { PU_TOKEN_LEN_MAX + 1,
                                          (uint8_t *) text },
                             PU_STR("c"), out), -1);
    free(text);
}


static void
texts_of_any_length_that_is_kept_come_back(void)
{
    int             i;
    size_t          len, texts;
    pu_str_t        longest;
    pu_verified_t   verified, back;
    static uint8_t  text[65536], data[262144];

    memset(text, 'x', sizeof(text));
    longest = (pu_str_t) { 65535, text };

    for (i = 0; i < 4; i++) {
        memset(&verified, 0, sizeof(verified));
        texts = (i == 3) ? 0 : 65535;
        *(i == 0 ? &verified.subject
                 : i == 1 ? &verified.roles : &verified.scopes) = longest;
        verified.scopes.len = (i == 2) ? 65535 : 0;

        len = pu_verified_pack(&verified, data, sizeof(data));
        CHECK(len > texts);
        CHECK(pu_verified_unpack(&back, data, len));
        CHECK_INT(back.subject.len + back.roles.len + back.scopes.len, texts);
    }
}


/* The text ends where it says, not where a dot is. */
static void
a_dot_behind_a_token_is_not_its(void)
{
    char        *page, *p;
    uint8_t      out[64];

    static const char  text[] = "a.eyJjIjoxfQ.b.";
    static const char  two[] = "a.eyJjIjoxfQ.";

    CHECK_INT(pu_token_claim((pu_str_t) { sizeof(text) - 2,
                                          (const uint8_t *) text },
                             PU_STR("c"), out), 1);

    /* nothing to read follows the dot */

    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    CHECK(mprotect(page + 4096, 4096, PROT_NONE) == 0);
    p = page + 4096 - (sizeof(two) - 1);
    memcpy(p, two, sizeof(two) - 1);
    CHECK_INT(pu_token_claim((pu_str_t) { sizeof(two) - 2, (uint8_t *) p },
                             PU_STR("c"), out), -1);
    munmap(page, 8192);
}


/* Nor is what was read of another one before it. */
static void
what_is_no_token_has_no_claims(void)
{
    size_t   i;
    int64_t  good, bad;
    uint8_t  out[64];

    static const char *const  texts[] = {
        "", "x", "abc", ".", "a.b", "a.eyJjIjoxfQ", "a.eyJjIjoxfQ.b.c",
        "..", "a.?.b"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        good = pu_token_claim(PU_STR("a.eyJjIjoxfQ.b"), PU_STR("c"), out);
        bad = pu_token_claim(pu_str(texts[i]), PU_STR("c"), out);
        CHECK_INT(good, 1);
        CHECK_INT(bad, -1);
    }
}


static const unit_test_t  tests[] = {
    UNIT(what_is_packed_is_unpacked),
    UNIT(bindings_and_claims_are_packed),
    UNIT(claims_that_are_kept_are_read),
    UNIT(the_name_of_a_token_is_a_string_or_a_number),
    UNIT(what_makes_no_sense_is_not_unpacked),
    UNIT(what_is_too_long_is_not_packed),
    UNIT(a_token_is_in_force_with_its_issuer_and_its_key),
    UNIT(a_claim_is_a_string_as_it_is_or_compact_json),
    UNIT(a_claim_is_found_without_regard_to_case_if_it_is_the_only_one),
    UNIT(a_claim_with_a_control_byte_is_no_claim),
    UNIT(a_claim_of_a_text_that_is_no_token_is_none),
    UNIT(texts_of_any_length_that_is_kept_come_back),
    UNIT(a_dot_behind_a_token_is_not_its),
    UNIT(what_is_no_token_has_no_claims)
};

UNIT_MAIN(tests)
