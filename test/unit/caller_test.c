/*
 * caller_test: what claims make of a caller: display name, roles, scopes,
 * service, link.
 */

#include <time.h>

#include "scene.h"
#include "unit.h"


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


/* The shortest words there are, so the most in a text of its length. */
static void
many_scopes_of_one_letter_are_all_there(void)
{
    int   c;
    char  payload[1024], scopes[256], *p;

    for (p = scopes, c = '#'; c <= '~'; c++) {
        if (c != '\\') {
            p += sprintf(p, "%c ", c);
        }
    }

    p[-1] = '\0';
    snprintf(payload, sizeof(payload), MINT_WITH("\"scope\":\"%s\""),
             scopes);
    SCOPES(NULL, payload, scopes);
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
        { MINT_WITH("\"azp\":[\"alice\"]"), 0 },
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

    /* of one step, or of none: without the line there is none */

    scene_open(&scene, "provision known;link user_name mail",
               MINT_WITH("\"mail\":\"al@x\""));
    CHECK_INT(scene.reason, PU_OK);
    CHECK_STR(scene.token.link, "al@x");
    scene_close(&scene);

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
    UNIT(many_scopes_of_one_letter_are_all_there),
    UNIT(a_list_of_scopes_as_long_as_the_token_works),
    UNIT(the_display_name_falls_back_to_the_subject),
    UNIT(a_service_is_its_own_client),
    UNIT(a_link_is_a_clean_text_of_its_claim),
    UNIT(roles_that_do_not_fit_are_an_error)
};

UNIT_MAIN(tests)
