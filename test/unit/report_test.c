/*
 * report_test: the policy of a configuration as text and as JSON.  The whole
 * of it, with nginx's own locations, is in t/055-policy-report.t.
 */

#include "pu_report.h"
#include "unit.h"


#define RULES_MAX  4


typedef struct {
    pu_profiles_t       profiles;
    pu_profile_t        items[2];
    pu_rule_t           rules[RULES_MAX];
    pu_str_t            words[RULES_MAX][4];
    pu_permit_t         permits[RULES_MAX][8];
    pu_policy_t         policy;
    pu_report_row_t     rows[2];
    pu_report_server_t  server;
    pu_report_t         report;
} world_t;

static char  err[PU_ERROR_SIZE];
static char  told[4096];


static void
tell(void *data, const char *sentence)
{
    (void) data;
    strncat(told, sentence, sizeof(told) - strlen(told) - 2);
    strcat(told, "\n");
}


/* One server, a line for "reader" whose profile has GET, and a public row. */

static void
world(world_t *w, const char *method)
{
    pu_str_t  words[2] = { PU_STR("methods"), PU_STR("GET") };

    memset(w, 0, sizeof(world_t));
    told[0] = '\0';

    w->profiles.items = w->items;
    w->profiles.n = 2;
    CHECK(pu_profile_init(&w->items[0], PU_STR("reader"), err));
    CHECK(pu_profile_set(&w->items[0], words, 2, err));
    CHECK(pu_profile_init(&w->items[1], PU_STR("unused"), err));
    CHECK(pu_profiles_finish(&w->profiles, tell, NULL, err));

    words[0] = PU_STR("reader");
    words[1] = pu_str(method);
    w->rules[0].words = w->words[0];
    w->rules[0].where = PU_STR("a.conf:7");
    CHECK(pu_rule_read(&w->rules[0], words, 2, 1, "proxy_user_role", err));
    pu_rule_permit(&w->rules[0], &w->profiles, w->permits[0]);

    w->policy = (pu_policy_t) { 1, w->rules, 0, NULL };

    w->rows[0] = (pu_report_row_t) { .location = PU_STR("/a"),
        .access = PU_ACCESS_USER, .methods = PU_METHOD_ALL,
        .policy = &w->policy };
    w->rows[1] = (pu_report_row_t) { .location = PU_STR("/open"),
        .access = PU_ACCESS_PUBLIC, .methods = PU_METHOD_ALL,
        .policy = &w->policy };

    w->server = (pu_report_server_t) { PU_STR("x.example.com"),
                                       PU_STR("a.conf:1"), 2, w->rows };
    w->report = (pu_report_t) { 1, &w->server, &w->profiles, 0, NULL, 1 };
}


static pu_str_t
text_of(uint32_t methods, uint32_t full)
{
    static char  out[160];

    pu_buf_t  b;

    pu_buf_init(&b, out, sizeof(out));
    pu_methods_text(&b, methods, full);
    CHECK(!b.full);

    return pu_buf_written(&b);
}


static void
methods_are_words_and_all_of_them_a_star(void)
{
    uint32_t  get, post;

    get = pu_method_permits(PU_STR("GET"));
    post = pu_method_permits(PU_STR("POST"));

    CHECK_STR(text_of(PU_METHOD_ALL, PU_METHOD_ALL), "*");
    CHECK_STR(text_of(0, PU_METHOD_ALL), "-");
    CHECK_STR(text_of(get | post, PU_METHOD_ALL), "GET POST");
    CHECK_STR(text_of(pu_method(PU_STR("HEAD")), PU_METHOD_ALL), "HEAD");
    CHECK_STR(text_of(PU_METHOD_ALL, get), "GET");
    CHECK_STR(text_of(PU_METHOD_ALL, ~get), "*");
    CHECK_STR(text_of(post, get), "-");
    CHECK_STR(text_of(post | PU_METHOD_OTHER, PU_METHOD_ALL),
              "POST others");
    CHECK(text_of(PU_METHOD_ALL & ~get, PU_METHOD_ALL).len > 80);
}


static void
a_table_has_a_column_for_each_role(void)
{
    char     *text;
    world_t   w;

    world(&w, "GET");
    text = pu_report_text(&w.report);

    CHECK(text != NULL);
    CHECK_SAYS(text, "server x.example.com  (a.conf:1)\n");
    CHECK_SAYS(text, "  location  asks for  reader\n");
    CHECK_SAYS(text, "  /a        a role    GET\n");
    CHECK_SAYS(text, "  /open     PUBLIC    *\n");
    free(text);

    world(&w, "POST");
    text = pu_report_text(&w.report);
    CHECK_SAYS(text, "  /a        a role    -       NOBODY can enter\n");
    free(text);
}


static void
names_that_are_not_utf8_do_not_spoil_the_json(void)
{
    char     *text;
    world_t   w;

    world(&w, "GET");
    w.rows[0].location = PU_STR("/\xff");
    text = pu_report_json(&w.report);

    CHECK(text != NULL);
    CHECK_SAYS(text, "\"(not UTF-8)\"");
    CHECK_SAYS(text, "\"reader\": [");
    CHECK_SAYS(text, "\"access\": \"public\"");
    free(text);
}


static void
what_looks_wrong_is_told(void)
{
    world_t  w;

    world(&w, "GET");
    pu_report_warn(&w.report, tell, NULL);
    CHECK_SAYS(told, "\"proxy_user_profile unused\" is used by no location");
    CHECK(strstr(told, "reader") == NULL);

    /* without Redis and without a map nobody has the role */

    world(&w, "GET");
    w.report.grants = 0;
    pu_report_warn(&w.report, tell, NULL);
    CHECK_SAYS(told, "the role \"reader\" in a.conf:7 is in no");
    CHECK_SAYS(told, "location \"/a\" of server \"x.example.com\" can be "
               "entered by nobody");
    CHECK(strstr(told, "/open") == NULL);

    /* no profile and no map */

    world(&w, "GET");
    w.profiles.n = 0;
    pu_report_warn(&w.report, tell, NULL);
    CHECK_SAYS(told, "only a grant can give it");

    /* where nobody is asked a line is nothing */

    world(&w, "GET");
    w.rows[0].access = PU_ACCESS_PUBLIC;
    w.report.grants = 0;
    pu_report_warn(&w.report, tell, NULL);
    CHECK(strstr(told, "the role \"") == NULL);
    CHECK_SAYS(told, "\"proxy_user_profile reader\" is used by no location");
}


static const unit_test_t  tests[] = {
    UNIT(methods_are_words_and_all_of_them_a_star),
    UNIT(a_table_has_a_column_for_each_role),
    UNIT(names_that_are_not_utf8_do_not_spoil_the_json),
    UNIT(what_looks_wrong_is_told)
};

UNIT_MAIN(tests)
