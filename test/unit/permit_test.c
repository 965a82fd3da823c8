/*
 * permit_test: what a role line permits by the profiles, how long they let a
 * grant last, and what a handle may be capped to.
 */

#include "profiles.h"
#include "pu_user.h"
#include "unit.h"


/* What a caller with these roles may do by lines parted by ";". */

static pu_reason_t
decide(const profiles_t *w, const char *lines, const char *roles,
    const char *method, const char *where)
{
    int                i;
    char              *line, *next, text[256], err[PU_ERROR_SIZE];
    pu_rule_t          rules[4];
    pu_str_t           words[4][PROFILES_WORDS_MAX];
    pu_str_t           room[4][PROFILES_WORDS_MAX];
    pu_permit_t        permits[4][PROFILES_WORDS_MAX];
    pu_reason_t        reason;
    pu_policy_t        policy;
    const pu_rule_t   *rule;

    memset(&policy, 0, sizeof(policy));
    memset(rules, 0, sizeof(rules));
    policy.roles = rules;
    snprintf(text, sizeof(text), "%s", lines);

    for (line = text, i = 0; line != NULL && i < 4; line = next, i++) {
        next = strchr(line, ';');

        if (next != NULL) {
            *next++ = '\0';
        }

        rules[i].words = room[i];
        rules[i].where = pu_str(line);
        CHECK(pu_rule_read(&rules[i], words[i], words_of(words[i], line), 1,
                           "proxy_user_role", err));
        CHECK(pu_rule_room(&rules[i], &w->all) <= PROFILES_WORDS_MAX);
        pu_rule_permit(&rules[i], &w->all, permits[i]);
        policy.nroles++;
    }

    reason = pu_policy_decide(&policy, pu_str(roles), PU_STR(""),
                              pu_method(pu_str(method)), &rule);
    CHECK(rule != NULL);
    CHECK_STR(rule->where, where);

    return reason;
}


static void
a_line_gives_what_the_profile_allows_and_no_more(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "reader: methods GET | writer: methods GET POST"));

    CHECK_INT(decide(&w, "reader", "reader", "GET", "reader"), PU_OK);
    CHECK_INT(decide(&w, "reader", "reader", "HEAD", "reader"), PU_OK);
    CHECK_INT(decide(&w, "reader", "reader", "POST", "reader"),
              PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide(&w, "reader", "reader", "PURGE", "reader"),
              PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide(&w, "reader GET POST PUT", "reader", "POST",
                     "reader GET POST PUT"), PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide(&w, "reader POST", "reader", "GET", "reader POST"),
              PU_METHOD_NOT_PERMITTED);

    /* of two roles in a line each has its own ceiling */

    CHECK_INT(decide(&w, "reader writer POST", "reader", "POST",
                     "reader writer POST"), PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide(&w, "reader writer POST", "writer", "POST",
                     "reader writer POST"), PU_OK);
    CHECK_INT(decide(&w, "reader writer POST", "reader writer", "POST",
                     "reader writer POST"), PU_OK);

    /* a role without a profile has none */

    CHECK_INT(decide(&w, "guest", "guest", "PURGE", "guest"), PU_OK);
    CHECK_INT(decide(&w, "reader;guest", "guest", "DELETE", "guest"), PU_OK);
}


/*
 * The roles of a line in the order in which it permits them, each once, and
 * what all may do.  As much memory as was asked for, in which there may be
 * something already.
 */
static void
reaches(const char *file, int line, const char *blocks, const char *text,
    const char *roles, const char *methods)
{
    char           err[PU_ERROR_SIZE], out[256];
    size_t         i, room;
    pu_buf_t       b;
    pu_str_t       words[PROFILES_WORDS_MAX], in[PROFILES_WORDS_MAX];
    pu_rule_t      rule;
    profiles_t     w;
    pu_permit_t   *permits;
    pu_profiles_t  all;

    unit_check(file, line, profiles(&w, blocks), blocks);
    all = w.all;
    all.items = malloc(all.n * sizeof(pu_profile_t));
    memcpy(all.items, w.items, all.n * sizeof(pu_profile_t));

    memset(&rule, 0, sizeof(rule));
    rule.words = in;
    CHECK(pu_rule_read(&rule, words, words_of(words, text), 1,
                       "proxy_user_role", err));
    rule.npermits = 1;
    room = pu_rule_room(&rule, &all);
    permits = calloc(room, sizeof(pu_permit_t));
    pu_rule_permit(&rule, &all, permits);
    pu_buf_init(&b, out, sizeof(out));

    for (i = 0; i < rule.npermits && i < room; i++) {
        pu_buf_text(&b, i ? " " : "");
        pu_buf_str(&b, rule.permits[i].role);
    }

    unit_int(file, line, rule.npermits, i, text);
    unit_str(file, line, pu_buf_written(&b), pu_str(roles), text);
    unit_check(file, line, rule.methods == methods_of(methods), methods);

    free(permits);
    free(all.items);
}

#define REACHES(blocks, text, roles, methods)                                 \
    reaches(__FILE__, __LINE__, blocks, text, roles, methods)


static void
a_line_reaches_each_role_once(void)
{
    REACHES("admin: inherit guest | root: inherit guest; methods GET",
            "guest GET POST", "guest admin root", "GET POST");
    REACHES("admin: inherit guest staff; methods PUT", "guest staff GET PUT",
            "guest admin staff", "GET PUT");
    REACHES("admin: inherit staff; methods PUT", "admin staff PUT GET",
            "admin staff", "GET PUT");
    REACHES("admin: methods GET | boss: inherit other | chief: inherit other",
            "admin other POST GET", "admin other boss chief", "GET POST");
    REACHES("reader: methods GET | writer: methods POST", "reader writer",
            "reader writer", "GET POST");
}


static void
the_line_that_is_needed_is_one_that_permits(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "reader: methods GET"));

    CHECK_INT(decide(&w, "reader;writer", "x", "POST", "writer"),
              PU_ROLE_MISSING);
    CHECK_INT(decide(&w, "reader;writer", "x", "GET", "reader"),
              PU_ROLE_MISSING);
}


static void
a_line_is_also_for_who_inherits_its_role(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "admin: methods DELETE; inherit writer | "
                       "writer: methods POST; inherit reader | "
                       "reader: methods GET"));

    CHECK_INT(decide(&w, "reader GET", "admin", "GET", "reader GET"), PU_OK);
    CHECK_INT(decide(&w, "reader GET", "writer", "GET", "reader GET"),
              PU_OK);
    CHECK_INT(decide(&w, "writer", "admin", "GET", "writer"), PU_OK);
    CHECK_INT(decide(&w, "writer", "admin", "POST", "writer"), PU_OK);
    CHECK_INT(decide(&w, "admin", "admin", "DELETE", "admin"), PU_OK);
    CHECK_INT(decide(&w, "admin", "admin", "GET", "admin"), PU_OK);

    /* in a line for readers an admin is a reader */

    CHECK_INT(decide(&w, "reader", "admin", "DELETE", "reader"),
              PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide(&w, "admin", "writer", "GET", "admin"),
              PU_ROLE_MISSING);
    CHECK_INT(decide(&w, "reader GET;admin", "admin", "DELETE", "admin"),
              PU_OK);
    CHECK_INT(decide(&w, "admin reader DELETE", "admin", "DELETE",
                     "admin reader DELETE"), PU_OK);
    CHECK_INT(decide(&w, "reader admin DELETE", "admin", "DELETE",
                     "reader admin DELETE"), PU_OK);
}


static void
a_role_that_is_inherited_without_a_profile_does_not_open_the_ceiling(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "admin: methods GET; inherit wirter"));

    CHECK_INT(decide(&w, "wirter", "admin", "GET", "wirter"), PU_OK);
    CHECK_INT(decide(&w, "wirter", "admin", "POST", "wirter"),
              PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide(&w, "wirter", "wirter", "POST", "wirter"), PU_OK);
}


static pu_str_t
roles_at(const profiles_t *w, const char *roles, int64_t now, int64_t *until)
{
    static char  out[256];

    pu_buf_t   b;
    pu_user_t  user;

    memset(&user, 0, sizeof(user));
    user.roles = pu_str(roles);

    pu_buf_init(&b, out, sizeof(out));
    pu_user_roles(&b, &user, PU_STR("token"), &w->all, now, until);

    return pu_buf_written(&b);
}


static void
a_grant_ends_at_the_earlier_of_its_own_end_and_max_grant(void)
{
    int64_t     until;
    profiles_t  w;

    CHECK(profiles(&w, "oncall: max_grant 100 | reader: methods GET | "
                       "root: inherit oncall | token: max_grant 1"));

    CHECK_STR(roles_at(&w, "oncall@1000", 1099, &until), "oncall token");
    CHECK_INT(until, 1100);
    CHECK_STR(roles_at(&w, "oncall@1000", 1100, &until), "token");
    CHECK_STR(roles_at(&w, "oncall@1000=1050", 1049, &until),
              "oncall token");
    CHECK_INT(until, 1050);
    CHECK_STR(roles_at(&w, "oncall@1000=1050", 1050, &until), "token");
    CHECK_STR(roles_at(&w, "oncall@1000=9999", 1100, &until), "token");

    /* given again is given anew */

    CHECK_STR(roles_at(&w, "oncall@1000 oncall@1090", 1150, &until),
              "oncall token");

    /* not known when: ended */

    CHECK_STR(roles_at(&w, "oncall", 50, &until), "token");
    CHECK_STR(roles_at(&w, "oncall", 0, &until), "token");
    CHECK_STR(roles_at(&w, "oncall=5000", 1000, &until), "token");
    CHECK_STR(roles_at(&w, "oncall@0", 1000, &until), "token");

    /* others are not touched, and what a token gives is no grant */

    CHECK_STR(roles_at(&w, "reader@1 x", 5000, &until), "reader token x");
    CHECK_INT(until, INT64_MAX);
    CHECK_STR(roles_at(&w, "root@1000", 1100, &until), "token");
}


static void
without_a_max_grant_a_grant_ends_by_itself(void)
{
    int64_t     until;
    profiles_t  w;

    CHECK(profiles(&w, "oncall: methods GET"));
    CHECK_STR(roles_at(&w, "oncall", 5000, &until), "oncall token");
    CHECK_INT(until, INT64_MAX);
    CHECK_STR(roles_at(&w, "oncall@1=5001", 5000, &until), "oncall token");
    CHECK_INT(until, 5001);
    CHECK_STR(roles_at(&w, "oncall@1=5000", 5000, &until), "token");
}


/* What a handle of such a user is good for. */

static pu_str_t
capped(const profiles_t *w, const char *cap, const char *roles)
{
    static char  out[256];

    int64_t      until;
    pu_buf_t     b;
    pu_user_t    user;
    pu_handle_t  handle;

    memset(&user, 0, sizeof(user));
    memset(&handle, 0, sizeof(handle));
    user.roles = pu_str(roles);
    handle.roles = pu_str(cap);

    pu_buf_init(&b, out, sizeof(out));
    pu_handle_roles(&b, &handle, &user, &w->all, 1000, &until);

    return pu_buf_written(&b);
}


static void
a_cap_may_name_what_the_user_inherits_and_never_more(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "admin: inherit writer | writer: inherit reader | "
                       "reader: | oncall: max_grant 10; inherit reader"));

    CHECK_STR(capped(&w, "reader", "admin@1"), "reader");
    CHECK_STR(capped(&w, "writer reader", "admin@1"), "reader writer");
    CHECK_STR(capped(&w, "admin", "writer@1"), "");
    CHECK_STR(capped(&w, "admin", "admin@1"), "admin");
    CHECK_STR(capped(&w, "reader", "guest@1"), "");
    CHECK_STR(capped(&w, "reader", "oncall@1"), "");
    CHECK_STR(capped(&w, "reader", "oncall@995"), "reader");
    CHECK_STR(capped(&w, "", "admin@1"), "");
    CHECK_STR(capped(&w, NULL, "b@1 admin@1"), "admin b");
}


static const unit_test_t  tests[] = {
    UNIT(a_line_gives_what_the_profile_allows_and_no_more),
    UNIT(a_line_reaches_each_role_once),
    UNIT(the_line_that_is_needed_is_one_that_permits),
    UNIT(a_line_is_also_for_who_inherits_its_role),
    UNIT(a_role_that_is_inherited_without_a_profile_does_not_open_the_ceiling),
    UNIT(a_grant_ends_at_the_earlier_of_its_own_end_and_max_grant),
    UNIT(without_a_max_grant_a_grant_ends_by_itself),
    UNIT(a_cap_may_name_what_the_user_inherits_and_never_more)
};

UNIT_MAIN(tests)
