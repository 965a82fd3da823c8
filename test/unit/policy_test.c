/*
 * policy_test: what the lines of a location say of a caller, and which of
 * them decided.
 */

#include "pu_profile.h"
#include "unit.h"


#define LINES_MAX  4
#define WORDS_MAX  8


typedef struct {
    pu_policy_t  policy;
    pu_rule_t    roles[LINES_MAX];
    pu_rule_t    scopes[LINES_MAX];
    pu_str_t     words[2][LINES_MAX][WORDS_MAX];
    pu_permit_t  permits[LINES_MAX][WORDS_MAX];
    char         text[2][256];          /* rules point into it */
} lines_t;


static char                 err[PU_ERROR_SIZE];
static const pu_profiles_t  none;       /* see permit_test */


static int
rule_of(pu_rule_t *rule, pu_str_t *room, const char *line, int role)
{
    size_t    n;
    pu_str_t  rest, words[WORDS_MAX];

    err[0] = '\0';
    rest = pu_str(line);

    for (n = 0; n < WORDS_MAX && pu_word_next(&rest, &words[n]); n++) {
        /* void */
    }

    rule->words = room;
    rule->where = pu_str(line);

    return pu_rule_read(rule, words, n, role,
                        role ? "proxy_user_role" : "proxy_user_scope", err);
}


static void
lines_add(lines_t *lines, const char *line, int role)
{
    size_t      n;
    pu_rule_t  *rule;

    if (role) {
        n = lines->policy.nroles++;
        rule = &lines->roles[n];

    } else {
        n = lines->policy.nscopes++;
        rule = &lines->scopes[n];
    }

    CHECK(rule_of(rule, lines->words[role][n], line, role));

    if (role) {
        pu_rule_permit(rule, &none, lines->permits[n]);
    }
}


/* The policy of lines parted by ";"; NULL is none. */

static void
lines_of(lines_t *lines, const char *roles, const char *scopes)
{
    int          role;
    char        *line, *next;
    const char  *source;

    memset(lines, 0, sizeof(lines_t));
    lines->policy.roles = lines->roles;
    lines->policy.scopes = lines->scopes;

    for (role = 0; role < 2; role++) {
        source = role ? roles : scopes;

        if (source == NULL) {
            continue;
        }

        snprintf(lines->text[role], sizeof(lines->text[role]), "%s", source);

        for (line = lines->text[role]; line != NULL; line = next) {
            next = strchr(line, ';');

            if (next != NULL) {
                *next++ = '\0';
            }

            lines_add(lines, line, role);
        }
    }
}


static pu_reason_t
decide(const char *lines_roles, const char *lines_scopes, const char *roles,
    const char *scopes, const char *method, const char *where)
{
    lines_t            lines;
    pu_reason_t        reason;
    const pu_rule_t   *rule;

    lines_of(&lines, lines_roles, lines_scopes);

    reason = pu_policy_decide(&lines.policy, pu_str(roles), pu_str(scopes),
                              pu_method(pu_str(method)), &rule);

    if (where == NULL) {
        CHECK(rule == NULL);

    } else {
        CHECK(rule != NULL);

        if (rule != NULL) {
            CHECK_STR(rule->where, where);
        }
    }

    return reason;
}


static void
methods_are_nginxs_and_case_matters(void)
{
    static const char *const  words[] = {
        "GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE",
        "OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH",
        "TRACE", "CONNECT"
    };

    size_t    i;
    uint32_t  seen, bit;

    seen = 0;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        bit = pu_method(pu_str(words[i]));
        CHECK(bit != PU_METHOD_OTHER);
        CHECK(bit != 0 && (bit & (bit - 1)) == 0);
        CHECK(!(seen & bit));
        seen |= bit;
    }

    CHECK(pu_method(PU_STR("get")) == PU_METHOD_OTHER);
    CHECK(pu_method(PU_STR("Get")) == PU_METHOD_OTHER);
    CHECK(pu_method(PU_STR("GETX")) == PU_METHOD_OTHER);
    CHECK(pu_method(PU_STR("")) == PU_METHOD_OTHER);
    CHECK(pu_method(PU_STR("PURGE")) == PU_METHOD_OTHER);

    CHECK(pu_method_permits(PU_STR("GET")) & pu_method(PU_STR("HEAD")));
    CHECK(!(pu_method_permits(PU_STR("HEAD")) & pu_method(PU_STR("GET"))));
    CHECK(pu_method_permits(PU_STR("PURGE")) == 0);
    CHECK(pu_method_permits(PU_STR("get")) == 0);
}


static void
capitals_are_a_to_z_only(void)
{
    CHECK(pu_word_is_capitals(PU_STR("ADMIN")));
    CHECK(pu_word_is_capitals(PU_STR("A")));
    CHECK(pu_word_is_capitals(PU_STR("AZ")));
    CHECK(!pu_word_is_capitals(PU_STR("")));
    CHECK(!pu_word_is_capitals(PU_STR("Admin")));
    CHECK(!pu_word_is_capitals(PU_STR("ADMIN1")));
    CHECK(!pu_word_is_capitals(PU_STR("AD-MIN")));
}


static void
a_line_is_roles_then_methods(void)
{
    pu_str_t   words[WORDS_MAX];
    pu_rule_t  rule;

    CHECK(rule_of(&rule, words, "admin editor", 1));
    CHECK_INT(rule.n, 2);
    CHECK_STR(rule.words[1], "editor");
    CHECK(rule.methods == PU_METHOD_ALL);

    CHECK(rule_of(&rule, words, "admin PUT DELETE", 1));
    CHECK_INT(rule.n, 1);
    CHECK(rule.methods == (pu_method(PU_STR("PUT"))
                           | pu_method(PU_STR("DELETE"))));
}


static void
a_wrong_line_is_told_by_directive_word_and_what_is_allowed(void)
{
    pu_str_t   words[WORDS_MAX];
    pu_rule_t  rule;

    CHECK(!rule_of(&rule, words, "admin PSOT", 1));
    CHECK_SAYS(err, "\"PSOT\"");
    CHECK_SAYS(err, "\"proxy_user_role\"");
    CHECK_SAYS(err, "GET HEAD POST");

    CHECK(!rule_of(&rule, words, "ADMIN", 1));
    CHECK_SAYS(err, "\"ADMIN\"");

    CHECK(!rule_of(&rule, words, "ADMIN", 0));
    CHECK_SAYS(err, "\"proxy_user_scope\"");

    CHECK(!rule_of(&rule, words, "admin GET editor", 1));
    CHECK_SAYS(err, "\"editor\"");
    CHECK_SAYS(err, "follows a method");

    CHECK_SAYS(err, "roles come first");

    CHECK(!rule_of(&rule, words, "read GET write", 0));
    CHECK_SAYS(err, "scopes come first");

    CHECK(!rule_of(&rule, words, "GET", 1));
    CHECK_SAYS(err, "names no role");

    CHECK(!rule_of(&rule, words, "GET POST", 0));
    CHECK_SAYS(err, "names no scope");

    CHECK(!rule_of(&rule, words, "", 1));
    CHECK_SAYS(err, "names no role");

    CHECK(!rule_of(&rule, words, "ad,min", 1));
    CHECK_SAYS(err, "\"ad,min\"");
    CHECK_SAYS(err, "A-Za-z0-9_.:/-");

    CHECK(!rule_of(&rule, words, "A_B", 1));
    CHECK(rule_of(&rule, words, "A_B", 0));
    CHECK(!rule_of(&rule, words, "a\"b", 0));
    CHECK_SAYS(err, "is no scope");
}


static void
a_very_long_word_still_makes_a_sentence(void)
{
    char       text[2000];
    pu_str_t   words[1], word;
    pu_rule_t  rule;

    memset(text, 'x', sizeof(text));
    word.data = (const uint8_t *) text;
    word.len = sizeof(text);
    rule.words = words;

    CHECK(!pu_rule_read(&rule, &word, 1, 1, "proxy_user_role", err));
    CHECK_SAYS(err, "is no role name");
    CHECK_INT(strspn(err + 1, "x"), 128);
    CHECK_INT(err[129], '"');
    CHECK_SAYS(err, "lower-case letter or digit");

    word.len = 129;
    CHECK(!pu_rule_read(&rule, &word, 1, 1, "proxy_user_role", err));
    CHECK_INT(strspn(err + 1, "x"), 128);
    word.len = sizeof(text);

    memset(text, 'X', sizeof(text));
    CHECK(!pu_rule_read(&rule, &word, 1, 0, "proxy_user_scope", err));
    CHECK_SAYS(err, "is no method");
    CHECK_SAYS(err, "UNLOCK");
}


static void
without_lines_everybody_passes(void)
{
    CHECK_INT(decide(NULL, NULL, "", "", "GET", NULL), PU_OK);
    CHECK_INT(decide(NULL, NULL, "x", "y", "PURGE", NULL), PU_OK);
}


static void
a_role_line_lets_its_roles_use_its_methods(void)
{
    const char  *lines = "reader GET;editor GET POST;admin";

    CHECK_INT(decide(lines, NULL, "reader", "", "GET", "reader GET"), PU_OK);
    CHECK_INT(decide(lines, NULL, "reader", "", "HEAD", "reader GET"),
              PU_OK);
    CHECK_INT(decide(lines, NULL, "editor", "", "POST", "editor GET POST"),
              PU_OK);
    CHECK_INT(decide(lines, NULL, "admin", "", "DELETE", "admin"), PU_OK);
    CHECK_INT(decide(lines, NULL, "admin reader", "", "GET", "reader GET"),
              PU_OK);
    CHECK_INT(decide(lines, NULL, "a admin z", "", "POST", "admin"), PU_OK);
}


static void
a_method_no_line_covers_for_the_caller_is_refused(void)
{
    const char  *lines = "reader GET;editor GET POST;reader OPTIONS";

    CHECK_INT(decide(lines, NULL, "reader", "", "POST", "reader GET"),
              PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide(lines, NULL, "editor", "", "DELETE",
                     "editor GET POST"), PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide("reader HEAD", NULL, "reader", "", "GET",
                     "reader HEAD"), PU_METHOD_NOT_PERMITTED);
}


static void
a_role_in_no_line_is_missing(void)
{
    const char  *lines = "reader GET;editor GET POST;reader OPTIONS";

    CHECK_INT(decide(lines, NULL, "", "", "GET", "reader GET"),
              PU_ROLE_MISSING);
    CHECK_INT(decide(lines, NULL, "guest", "", "POST", "editor GET POST"),
              PU_ROLE_MISSING);
    CHECK_INT(decide(lines, NULL, "guest", "", "DELETE", "reader GET"),
              PU_ROLE_MISSING);
    CHECK_INT(decide(lines, NULL, "read reade readers", "", "GET",
                     "reader GET"), PU_ROLE_MISSING);
}


static void
an_unknown_method_passes_only_lines_that_name_none(void)
{
    CHECK_INT(decide("admin", NULL, "admin", "", "PURGE", "admin"), PU_OK);
    CHECK_INT(decide("reader GET;admin", NULL, "reader", "", "PURGE",
                     "reader GET"), PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide("reader GET HEAD POST PUT DELETE OPTIONS PATCH", NULL,
                     "reader", "", "get",
                     "reader GET HEAD POST PUT DELETE OPTIONS PATCH"),
              PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide(NULL, "write", "", "", "PURGE", "write"),
              PU_SCOPE_MISSING);
    CHECK_INT(decide(NULL, "write POST", "", "", "PURGE", NULL), PU_OK);
}


static void
every_scope_of_every_line_for_the_method_is_needed(void)
{
    const char  *lines = "base;read list GET;write POST";

    CHECK_INT(decide(NULL, lines, "", "base list read", "GET", "base"),
              PU_OK);
    CHECK_INT(decide(NULL, lines, "", "base list read", "HEAD", "base"),
              PU_OK);
    CHECK_INT(decide(NULL, lines, "", "base read", "GET", "read list GET"),
              PU_SCOPE_MISSING);
    CHECK_INT(decide(NULL, lines, "", "base read list", "POST",
                     "write POST"), PU_SCOPE_MISSING);
    CHECK_INT(decide(NULL, lines, "", "list read", "GET", "base"),
              PU_SCOPE_MISSING);
    CHECK_INT(decide(NULL, lines, "", "base", "DELETE", "base"), PU_OK);
    CHECK_INT(decide(NULL, "Read", "", "read", "GET", "Read"),
              PU_SCOPE_MISSING);
}


static void
scopes_are_looked_at_before_roles(void)
{
    CHECK_INT(decide("admin", "write", "", "", "GET", "write"),
              PU_SCOPE_MISSING);
    CHECK_INT(decide("admin", "write", "", "write", "GET", "admin"),
              PU_ROLE_MISSING);
    CHECK_INT(decide("admin", "write", "admin", "", "GET", "write"),
              PU_SCOPE_MISSING);
    CHECK_INT(decide("admin", "write", "admin", "write", "GET", "admin"),
              PU_OK);
}


static int  cut;                        /* of the scopes needed, some */


static pu_str_t
needed(const char *lines_scopes, const char *method, size_t size)
{
    static char  out[128];

    lines_t   lines;
    pu_buf_t  b;

    lines_of(&lines, NULL, lines_scopes);
    pu_buf_init(&b, out, size);
    pu_policy_scopes_needed(&b, &lines.policy, pu_method(pu_str(method)));
    cut = b.full;

    return pu_buf_written(&b);
}


static void
the_challenge_names_what_the_method_needs(void)
{
    const char  *lines = "base read GET;read list base GET;write POST";

    CHECK_STR(needed(lines, "GET", 128), "base read list");
    CHECK_STR(needed(lines, "POST", 128), "write");
    CHECK_STR(needed(lines, "DELETE", 128), "");
    CHECK_STR(needed("a a b", "GET", 128), "a b");
    CHECK_STR(needed("a;b;b c", "GET", 128), "a b c");
    CHECK_STR(needed(NULL, "GET", 128), "");
    CHECK(!cut);
    CHECK_STR(needed("long short GET", "GET", 7), "long");
    CHECK(cut);
    CHECK_STR(needed("long short GET", "GET", 9), "long");
    CHECK_STR(needed("long short GET", "GET", 10), "long short");
    CHECK_STR(needed("long GET", "GET", 4), "long");
    CHECK_STR(needed("long GET", "GET", 3), "");
    CHECK_STR(needed("long a GET", "GET", 5), "long");
    CHECK_STR(needed("long short b GET", "GET", 7), "long");
    CHECK_STR(needed("a GET;b POST;a b DELETE", "DELETE", 128), "a b");
}


/* What stands in memory behind the lines is none of them. */
static void
only_the_lines_that_are_there_count(void)
{
    char              out[16];
    lines_t           lines;
    pu_buf_t          b;
    const pu_rule_t  *rule;

    lines_of(&lines, "reader;admin", "read;write");
    lines.policy.nroles--;
    lines.policy.nscopes--;

    CHECK_INT(pu_policy_decide(&lines.policy, PU_STR("admin"),
                               PU_STR("read"), pu_method(PU_STR("GET")),
                               &rule), PU_ROLE_MISSING);
    CHECK_INT(pu_policy_decide(&lines.policy, PU_STR("reader"),
                               PU_STR("read"), pu_method(PU_STR("GET")),
                               &rule), PU_OK);

    pu_buf_init(&b, out, sizeof(out));
    pu_policy_scopes_needed(&b, &lines.policy, pu_method(PU_STR("GET")));
    CHECK_STR(pu_buf_written(&b), "read");

    lines_of(&lines, "reader admin", NULL);
    lines.roles[0].npermits--;
    CHECK_INT(pu_policy_decide(&lines.policy, PU_STR("admin"), PU_STR(""),
                               pu_method(PU_STR("GET")), &rule),
              PU_ROLE_MISSING);
}


static const unit_test_t  tests[] = {
    UNIT(methods_are_nginxs_and_case_matters),
    UNIT(capitals_are_a_to_z_only),
    UNIT(a_line_is_roles_then_methods),
    UNIT(a_wrong_line_is_told_by_directive_word_and_what_is_allowed),
    UNIT(a_very_long_word_still_makes_a_sentence),
    UNIT(without_lines_everybody_passes),
    UNIT(a_role_line_lets_its_roles_use_its_methods),
    UNIT(a_method_no_line_covers_for_the_caller_is_refused),
    UNIT(a_role_in_no_line_is_missing),
    UNIT(an_unknown_method_passes_only_lines_that_name_none),
    UNIT(every_scope_of_every_line_for_the_method_is_needed),
    UNIT(scopes_are_looked_at_before_roles),
    UNIT(the_challenge_names_what_the_method_needs),
    UNIT(only_the_lines_that_are_there_count)
};

UNIT_MAIN(tests)
