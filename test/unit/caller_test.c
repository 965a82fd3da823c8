/*
 * What claims make of a caller: display name, roles, scopes, service; and
 * what of a verified token is kept, packed and asked again.
 */

#include <time.h>

#include "mint.h"
#include "pu_token.h"
#include "unit.h"


#define PACKED  67                      /* bytes of it that are no texts */


/* A verified token with everything it stands on. */
typedef struct {
    EVP_PKEY            *pkey;
    pu_issuer_t         *issuer;
    pu_token_t           token;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];
    char                *text;
    pu_reason_t          reason;
} scene_t;


static void
scene_open(scene_t *scene, const char *lines, const char *payload)
{
    scene->pkey = mint_key(PU_ES256);
    scene->issuer = mint_issuer(mint_keys(mint_jwk(scene->pkey, NULL), NULL),
                                lines);
    scene->items[0] = scene->issuer;
    scene->issuers = (pu_issuers_t) { 1, scene->items, NULL };
    scene->text = mint_token(scene->pkey, PU_ES256, NULL, payload);
    scene->reason = pu_token_verify(&scene->token, pu_str(scene->text),
                                    &scene->issuers, MINT_NOW);
}


static void
scene_close(scene_t *scene)
{
    free(scene->text);
    pu_token_clear(&scene->token);
    pu_issuer_free(scene->issuer);
    EVP_PKEY_free(scene->pkey);
}


static void
roles_are(const char *file, int line, const char *lines, const char *payload,
    const char *roles)
{
    scene_t  scene;

    scene_open(&scene, lines, payload);
    unit_int(file, line, scene.reason, PU_OK, payload);
    unit_str(file, line, scene.token.verified.roles, pu_str(roles), payload);
    scene_close(&scene);
}

#define ROLES(lines, payload, roles)                                          \
    roles_are(__FILE__, __LINE__, lines, payload, roles)


static void
scopes_are(const char *file, int line, const char *lines,
    const char *payload, const char *scopes)
{
    scene_t  scene;

    scene_open(&scene, lines, payload);
    unit_int(file, line, scene.reason, PU_OK, payload);
    unit_str(file, line, scene.token.verified.scopes, pu_str(scopes),
             payload);
    scene_close(&scene);
}

#define SCOPES(lines, payload, scopes)                                        \
    scopes_are(__FILE__, __LINE__, lines, payload, scopes)


static void
no_value_of_a_token_is_a_role_by_its_own_name(void)
{
    ROLES(NULL, MINT_WITH("\"roles\":[\"admin\"]"), "");
    ROLES(NULL, MINT_WITH("\"roles\":\"admin\""), "");
    ROLES("default_role member", MINT_WITH("\"roles\":[\"admin\"]"),
          "member");
    ROLES("role_map x admin", MINT_WITH("\"roles\":[\"admin\"]"), "");
    ROLES("role_map admin admin", MINT_WITH("\"roles\":[\"admin\"]"),
          "admin");
}


static void
a_role_value_is_compared_whole(void)
{
    const char  *lines = "role_map admin boss";

    ROLES(lines, MINT_WITH("\"roles\":[\"admi\"]"), "");
    ROLES(lines, MINT_WITH("\"roles\":[\"admins\"]"), "");
    ROLES(lines, MINT_WITH("\"roles\":[\"Admin\"]"), "");
    ROLES(lines, MINT_WITH("\"roles\":[\"admin user\"]"), "");
    ROLES(lines, MINT_WITH("\"roles\":[\"admin\\u0000\"]"), "");
    ROLES(lines, MINT_WITH("\"roles\":[\"\\u0061dmin\"]"), "boss");
    ROLES(lines, MINT_WITH("\"roles\":[[\"admin\"]]"), "");
    ROLES(lines, MINT_WITH("\"roles\":{\"admin\":\"admin\"}"), "");
    ROLES(lines, MINT_WITH("\"roles\":null"), "");
    ROLES(lines, MINT_WITH("\"roles\":[1,null,\"admin\",{}]"), "boss");
    ROLES(lines, MINT_WITH("\"Roles\":[\"admin\"]"), "");
}


static void
roles_may_be_a_string_a_list_of_words_or_an_array(void)
{
    const char  *lines = "role_map a ra;role_map b rb rz;role_map c rc;"
                         "default_role rb";

    ROLES(lines, MINT_WITH("\"roles\":\"a\""), "ra rb");
    ROLES(lines, MINT_WITH("\"roles\":\" c  a x\""), "ra rb rc");
    ROLES(lines, MINT_WITH("\"roles\":[\"b\",\"a\",\"b\"]"), "ra rb rz");
    ROLES(lines, MINT_WITH("\"roles\":[]"), "rb");
    ROLES(lines, MINT_CLAIMS, "rb");
}


static void
a_role_value_may_have_a_space(void)
{
    scene_t     scene;
    char        err[PU_ERROR_SIZE];
    pu_str_t    words[3];
    pu_buf_t    b;
    uint8_t     memory[64];
    pu_caller_t  caller;
    json_t      *claims;

    scene_open(&scene, NULL, MINT_CLAIMS);
    words[0] = PU_STR("role_map");
    words[1] = PU_STR("Domain Admins");
    words[2] = PU_STR("boss");
    CHECK(pu_issuer_set(scene.issuer, words, 3, NULL, NULL, err));
    CHECK(pu_issuer_finish(scene.issuer, err));

    claims = json_loads(MINT_WITH("\"roles\":\"Domain Admins\""), 0, NULL);
    pu_buf_init(&b, memory, sizeof(memory));
    CHECK_INT(pu_issuer_caller(scene.issuer, claims, PU_STR("{}"), &b,
                               &caller), PU_OK);
    CHECK_STR(caller.roles, "boss");
    json_decref(claims);

    claims = json_loads(MINT_WITH("\"roles\":[\"Domain Admins\"]"), 0, NULL);
    pu_buf_init(&b, memory, sizeof(memory));
    CHECK_INT(pu_issuer_caller(scene.issuer, claims, PU_STR("{}"), &b,
                               &caller), PU_OK);
    CHECK_STR(caller.roles, "boss");
    json_decref(claims);

    scene_close(&scene);
}


static void
one_value_on_two_lines_adds_up(void)
{
    ROLES("role_map a r1;role_map b r2;role_map a r3;role_map a r1",
          MINT_WITH("\"roles\":[\"a\"]"), "r1 r3");
}


static void
roles_are_found_by_their_path(void)
{
    const char  *lines = "role_claim realm_access roles;role_map a ra";

    ROLES(lines, MINT_WITH("\"realm_access\":{\"roles\":[\"a\"]}"), "ra");
    ROLES(lines, MINT_WITH("\"realm_access.roles\":[\"a\"]"), "");
    ROLES(lines, MINT_WITH("\"roles\":[\"a\"]"), "");
    ROLES("role_claim realm_access.roles;role_map a ra",
          MINT_WITH("\"realm_access.roles\":[\"a\"]"), "ra");
    ROLES("role_claim https://a.example/groups;role_map a ra",
          MINT_WITH("\"https://a.example/groups\":[\"a\"]"), "ra");
}


/* MINT_CLAIMS without its closing brace. */
static void
write_claims(pu_buf_t *b)
{
    pu_buf_put(b, MINT_CLAIMS, strlen(MINT_CLAIMS) - 1);
}


static void
two_thousand_role_values_take_no_time(void)
{
    int        i;
    char      *payload, *lines;
    double     seconds;
    scene_t    scene;
    clock_t    start;
    pu_buf_t   b;

    payload = calloc(1, 16384);
    lines = calloc(1, 65536);

    pu_buf_init(&b, payload, 16383);
    write_claims(&b);
    pu_buf_text(&b, ",\"roles\":[\"v1999\"");

    for (i = 0; i < 1400; i++) {
        pu_buf_text(&b, ",\"v");
        pu_buf_int(&b, i);
        pu_buf_char(&b, '"');
    }

    pu_buf_text(&b, "]}");
    pu_buf_init(&b, lines, 65535);

    for (i = 0; i < 2000; i++) {
        pu_buf_text(&b, "role_map v");
        pu_buf_int(&b, i);
        pu_buf_text(&b, " r");
        pu_buf_int(&b, i % 500);
        pu_buf_char(&b, ';');
    }

    start = clock();
    scene_open(&scene, lines, payload);
    seconds = (double) (clock() - start) / CLOCKS_PER_SEC;

    CHECK_INT(scene.reason, PU_OK);
    CHECK(pu_set_has(scene.token.verified.roles, PU_STR("r499")));
    CHECK(pu_set_has(scene.token.verified.roles, PU_STR("r0")));
    CHECK(scene.token.verified.roles.len > 500 * 4);
    CHECK(seconds < 1);
    scene_close(&scene);

    free(payload);
    free(lines);
}


static void
scopes_are_a_set_of_scope_tokens(void)
{
    SCOPES(NULL, MINT_WITH("\"scope\":\"write  read read\""), "read write");
    SCOPES(NULL, MINT_WITH("\"scope\":[\"write\",\"read\"]"), "read write");
    SCOPES(NULL, MINT_WITH("\"scope\":\"\""), "");
    SCOPES(NULL, MINT_CLAIMS, "");

    /* what is no scope-token is ignored, and never parted into some */

    SCOPES(NULL, MINT_WITH("\"scope\":\"a\\tb c\\\"d e\\\\f \xc3\xa4 g\""),
           "g");
    SCOPES(NULL, MINT_WITH("\"scope\":[\"a b\",\"c\",\"\",1,null,[\"d\"]]"),
           "c");
    SCOPES(NULL, MINT_WITH("\"scope\":[\"a\\u0000\",\"b\"]"), "b");
    SCOPES(NULL, MINT_WITH("\"scope\":{\"a\":1}"), "");
    SCOPES(NULL, MINT_WITH("\"scope\":1"), "");
}


static void
a_scope_has_at_most_255_bytes(void)
{
    char  payload[1024], scope[257];

    memset(scope, 's', sizeof(scope));

    scope[255] = '\0';
    snprintf(payload, sizeof(payload), MINT_WITH("\"scope\":\"%s\""), scope);
    SCOPES(NULL, payload, scope);

    scope[255] = 's';
    scope[256] = '\0';
    snprintf(payload, sizeof(payload), MINT_WITH("\"scope\":\"%s x\""),
             scope);
    SCOPES(NULL, payload, "x");
}


static void
scopes_are_in_scope_then_scp_or_where_it_says(void)
{
    SCOPES(NULL, MINT_WITH("\"scp\":[\"a\"]"), "a");
    SCOPES(NULL, MINT_WITH("\"scp\":\"a b\""), "a b");
    SCOPES(NULL, MINT_WITH("\"scp\":\"a\",\"scope\":\"b\""), "b");
    SCOPES(NULL, MINT_WITH("\"scp\":\"a\",\"scope\":\"\""), "");
    SCOPES("scope_claim x y", MINT_WITH("\"x\":{\"y\":\"a\"},"
                                        "\"scope\":\"b\""), "a");
    SCOPES("scope_claim x y", MINT_WITH("\"scope\":\"b\""), "");
    SCOPES("scope_claim x.y", MINT_WITH("\"x\":{\"y\":\"a\"}"), "");
}


static void
a_list_of_scopes_as_long_as_the_token_works(void)
{
    int        i, n;
    char      *payload;
    scene_t    scene;
    pu_buf_t   b;
    pu_str_t   rest, word;

    payload = calloc(1, 16384);
    pu_buf_init(&b, payload, 16383);
    write_claims(&b);
    pu_buf_text(&b, ",\"scope\":\"");

    for (i = 0; i < 4700; i++) {
        pu_buf_char(&b, 'a' + i % 26);
        pu_buf_char(&b, ' ');
    }

    pu_buf_text(&b, "\"}");
    scene_open(&scene, NULL, payload);
    CHECK_INT(scene.reason, PU_OK);

    rest = scene.token.verified.scopes;

    for (n = 0; pu_word_next(&rest, &word); n++) { /* void */ }

    CHECK_INT(n, 26);
    scene_close(&scene);
    free(payload);
}


static void
display_is(const char *file, int line, const char *lines,
    const char *payload, const char *display)
{
    scene_t  scene;

    scene_open(&scene, lines, payload);
    unit_int(file, line, scene.reason, PU_OK, payload);
    unit_str(file, line, scene.token.display, pu_str(display), payload);
    scene_close(&scene);
}

#define DISPLAY(lines, payload, display)                                      \
    display_is(__FILE__, __LINE__, lines, payload, display)


static void
the_display_name_falls_back_to_the_subject(void)
{
    char  payload[1024], name[257];

    DISPLAY(NULL, MINT_CLAIMS, "alice");
    DISPLAY(NULL, MINT_WITH("\"preferred_username\":\"Al\""), "Al");
    DISPLAY(NULL, MINT_WITH("\"preferred_username\":\"\""), "alice");
    DISPLAY(NULL, MINT_WITH("\"preferred_username\":1"), "alice");
    DISPLAY(NULL, MINT_WITH("\"preferred_username\":\"a\\r\\nb\""), "alice");
    DISPLAY(NULL, MINT_WITH("\"preferred_username\":\"\\u0000\""), "alice");
    DISPLAY("name nick", MINT_WITH("\"nick\":\"N\""), "N");
    DISPLAY("name nick", MINT_WITH("\"preferred_username\":\"Al\""),
            "alice");
    DISPLAY("name a b", MINT_WITH("\"a\":{\"b\":\"N\"}"), "N");

    memset(name, 'n', sizeof(name));
    name[256] = '\0';
    snprintf(payload, sizeof(payload),
             MINT_WITH("\"preferred_username\":\"%s\""), name);
    DISPLAY(NULL, payload, "alice");
    name[255] = '\0';
    snprintf(payload, sizeof(payload),
             MINT_WITH("\"preferred_username\":\"%s\""), name);
    DISPLAY(NULL, payload, name);
}


static void
a_service_is_its_own_client(void)
{
    size_t    i;
    scene_t   scene;

    static const struct {
        const char  *payload;
        int          service;
    } tokens[] = {
        { MINT_CLAIMS, 0 },
        { MINT_WITH("\"client_id\":\"alice\""), 1 },
        { MINT_WITH("\"azp\":\"alice\""), 1 },
        { MINT_WITH("\"client_id\":\"web\",\"azp\":\"alice\""), 1 },
        { MINT_WITH("\"client_id\":\"web\""), 0 },
        { MINT_WITH("\"client_id\":[\"alice\"]"), 0 },
        { MINT_WITH("\"azp\":\"Alice\""), 0 }
    };

    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        scene_open(&scene, NULL, tokens[i].payload);
        CHECK_INT(scene.reason, PU_OK);
        CHECK_INT(scene.token.service, tokens[i].service);
        scene_close(&scene);
    }
}


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
link_is(const char *file, int line, const char *payload, const char *expected)
{
    scene_t  scene;

    scene_open(&scene, "provision known;link user_name mail work", payload);
    unit_int(file, line, scene.reason, PU_OK, payload);
    unit_str(file, line, scene.token.link, pu_str(expected), payload);
    scene_close(&scene);
}

#define LINK(payload, expected)  link_is(__FILE__, __LINE__, payload, expected)


/* What could be somebody else's is nobody's. */
static void
a_link_is_a_clean_text_of_its_claim(void)
{
    char     payload[2048], text[PU_LINK_LEN_MAX + 2];
    scene_t  scene;

    LINK(MINT_WITH("\"mail\":{\"work\":\"al@x\"}"), "al@x");
    LINK(MINT_CLAIMS, NULL);
    LINK(MINT_WITH("\"mail\":{\"work\":7}"), NULL);
    LINK(MINT_WITH("\"mail\":{\"work\":[\"al@x\"]}"), NULL);
    LINK(MINT_WITH("\"mail\":\"al@x\""), NULL);
    LINK(MINT_WITH("\"mail\":{\"work\":\"al@x\\n\"}"), NULL);

    memset(text, 'x', sizeof(text));
    text[PU_LINK_LEN_MAX + 1] = '\0';
    snprintf(payload, sizeof(payload),
             MINT_WITH("\"mail\":{\"work\":\"%s\"}"), text);
    LINK(payload, NULL);
    text[PU_LINK_LEN_MAX] = '\0';
    snprintf(payload, sizeof(payload),
             MINT_WITH("\"mail\":{\"work\":\"%s\"}"), text);
    LINK(payload, text);

    /* without the line there is none */

    scene_open(&scene, "provision known",
               MINT_WITH("\"mail\":{\"work\":\"al@x\"}"));
    CHECK_INT(scene.reason, PU_OK);
    CHECK_INT(scene.token.link.len, 0);
    scene_close(&scene);
}


/* A caller whose roles did not fit has none, not some of them. */
static void
roles_that_do_not_fit_are_an_error(void)
{
    json_t       *claims;
    uint8_t       room[64];
    scene_t       scene;
    pu_buf_t      b;
    pu_caller_t   caller;

    scene_open(&scene, "role_claim roles;role_map a reader writer",
               MINT_CLAIMS);
    claims = json_loads(MINT_WITH("\"roles\":[\"a\"]"), 0, NULL);

    pu_buf_init(&b, room, 13);
    CHECK_INT(pu_issuer_caller(scene.issuer, claims, PU_STR("{}"), &b,
                               &caller), PU_OK);
    CHECK_STR(caller.roles, "reader writer");
    pu_buf_init(&b, room, 12);
    CHECK_INT(pu_issuer_caller(scene.issuer, claims, PU_STR("{}"), &b,
                               &caller), PU_INTERNAL);

    json_decref(claims);
    scene_close(&scene);
}


static const unit_test_t  tests[] = {
    UNIT(no_value_of_a_token_is_a_role_by_its_own_name),
    UNIT(a_role_value_is_compared_whole),
    UNIT(roles_may_be_a_string_a_list_of_words_or_an_array),
    UNIT(a_role_value_may_have_a_space),
    UNIT(one_value_on_two_lines_adds_up),
    UNIT(roles_are_found_by_their_path),
    UNIT(two_thousand_role_values_take_no_time),
    UNIT(scopes_are_a_set_of_scope_tokens),
    UNIT(a_scope_has_at_most_255_bytes),
    UNIT(scopes_are_in_scope_then_scp_or_where_it_says),
    UNIT(a_list_of_scopes_as_long_as_the_token_works),
    UNIT(the_display_name_falls_back_to_the_subject),
    UNIT(a_service_is_its_own_client),
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
    UNIT(a_link_is_a_clean_text_of_its_claim),
    UNIT(roles_that_do_not_fit_are_an_error)
};

UNIT_MAIN(tests)
