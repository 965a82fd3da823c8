/*
 * profile_test: the block of a profile, what profiles inherit, and what a role
 * line permits by them.
 */

#include "pu_profile.h"
#include "pu_user.h"
#include "unit.h"


#define PROFILES_MAX  12
#define WORDS_MAX     24
#define TEXT_MAX      2048


/* profiles out of "role: directive; directive" lines */
typedef struct {
    pu_profiles_t  all;
    pu_profile_t   items[PROFILES_MAX];
    pu_str_t       words[PROFILES_MAX][8][WORDS_MAX];
    char           text[TEXT_MAX];
} world_t;

static char  err[PU_ERROR_SIZE];
static char  warned[PU_ERROR_SIZE];


static void
warn(void *data, const char *sentence)
{
    (void) data;
    snprintf(warned, sizeof(warned), "%s", sentence);
}


static size_t
words_of(pu_str_t *words, pu_str_t rest)
{
    size_t  n;

    for (n = 0; n < WORDS_MAX && pu_word_next(&rest, &words[n]); n++) {
        /* void */
    }

    return n;
}


/* One directive into a profile. */

static int
set(pu_profile_t *profile, const char *line)
{
    static pu_str_t  words[WORDS_MAX];

    err[0] = '\0';

    return pu_profile_set(profile, words, words_of(words, pu_str(line)), err);
}


/* A profile with one directive. */

static int
one(pu_profile_t *profile, const char *line)
{
    CHECK(pu_profile_init(profile, PU_STR("r"), err));

    return set(profile, line);
}


/* "a: methods GET; inherit b | b: rate 1r/s": are they taken? */

static int
world(world_t *w, const char *text)
{
    char      *block, *next, *line, *more;
    size_t     n, k;

    memset(w, 0, sizeof(world_t));
    err[0] = '\0';
    warned[0] = '\0';
    snprintf(w->text, sizeof(w->text), "%s", text);
    w->all.items = w->items;

    for (block = w->text; block != NULL; block = next) {
        next = strchr(block, '|');

        if (next != NULL) {
            *next++ = '\0';
        }

        n = w->all.n++;
        line = strchr(block, ':');
        *line++ = '\0';

        CHECK(words_of(w->words[n][0], pu_str(block)) == 1);
        CHECK(pu_profile_init(&w->items[n], w->words[n][0][0], err));

        for (k = 1; line != NULL; line = more, k++) {
            more = strchr(line, ';');

            if (more != NULL) {
                *more++ = '\0';
            }

            if (strspn(line, " ") == strlen(line)) {
                continue;
            }

            CHECK(pu_profile_set(&w->items[n], w->words[n][k],
                                 words_of(w->words[n][k], pu_str(line)),
                                 err));
        }
    }

    return pu_profiles_finish(&w->all, warn, NULL, err);
}


static const pu_profile_t *
of(const world_t *w, const char *role)
{
    const pu_profile_t  *profile;

    profile = pu_profile_find(&w->all, pu_str(role));
    CHECK(profile != NULL);

    return profile;
}


static uint32_t
methods(const char *text)
{
    uint32_t  bits;
    pu_str_t  rest, word;

    bits = 0;
    rest = pu_str(text);

    while (pu_word_next(&rest, &word)) {
        bits |= pu_method_permits(word);
    }

    return bits;
}


static void
a_block_is_read(void)
{
    pu_profile_t  p;

    CHECK(pu_profile_init(&p, PU_STR("reader"), err));
    CHECK(set(&p, "methods GET OPTIONS"));
    CHECK(set(&p, "inherit a b"));
    CHECK(set(&p, "rate 600r/m burst=20"));
    CHECK(set(&p, "quota 1000 per day"));
    CHECK(set(&p, "concurrency 4"));
    CHECK(set(&p, "max_grant 1h30m"));

    CHECK(p.methods == methods("GET OPTIONS"));
    CHECK(p.methods & pu_method(PU_STR("HEAD")));
    CHECK_INT(p.ninherits, 2);
    CHECK_STR(p.inherits[1], "b");
    CHECK_INT(p.rate.n, 600);
    CHECK_INT(p.rate.seconds, 60);
    CHECK_INT(p.rate.burst, 20);
    CHECK_INT(p.quota.n, 1000);
    CHECK_INT(p.quota.period, PU_PERIOD_DAY);
    CHECK_INT(p.concurrency, 4);
    CHECK_INT(p.max_grant, 5400);
}


static void
numbers_have_bounds(void)
{
    pu_profile_t  p;

    CHECK(one(&p, "rate 1r/s"));
    CHECK_INT(p.rate.seconds, 1);
    CHECK_INT(p.rate.burst, 0);
    CHECK(one(&p, "rate 1000000r/s burst=1000000"));
    CHECK(one(&p, "rate 1r/s burst=0"));
    CHECK(one(&p, "quota 1 per minute"));
    CHECK(one(&p, "quota 1 per hour"));
    CHECK(one(&p, "quota 1000000000000 per month"));
    CHECK(one(&p, "concurrency 1"));
    CHECK(one(&p, "concurrency 1000000"));
    CHECK(one(&p, "max_grant 1"));
    CHECK(one(&p, "max_grant 100d"));
}


static void
a_wrong_line_names_directive_value_and_what_is_allowed(void)
{
    size_t        i;
    pu_profile_t  p;

    static const char *const  lines[][3] = {
        { "methods get", "\"get\"", "GET HEAD POST" },
        { "methods GET PURGE", "\"PURGE\"", "UNLOCK" },
        { "methods", "0 values", "needed are at least 1" },
        { "inherit A", "\"A\"", "role names" },
        { "inherit a,b", "\"a,b\"", "role names" },
        { "inherit a a", "\"a\"", "each role once" },
        { "inherit a b c d e f g h i j k l m n o p q", "17 values",
          "at most 16" },
        { "rate 10", "\"10\"", "10r/s" },
        { "rate r/s", "\"r/s\"", "10r/s" },
        { "rate 10r/h", "\"10r/h\"", "10r/s" },
        { "rate 0r/s", "\"0r/s\"", "from 1 to 1000000" },
        { "rate -1r/s", "\"-1r/s\"", "from 1" },
        { "rate +1r/s", "\"+1r/s\"", "from 1" },
        { "rate 1.5r/s", "\"1.5r/s\"", "from 1" },
        { "rate 1000001r/s", "\"1000001r/s\"", "to 1000000" },
        { "rate 99999999999999999999r/s", "rate", "to 1000000" },
        { "rate 1r/s 5", "\"5\"", "burst=" },
        { "rate 1r/s burst=", "\"burst=\"", "a number" },
        { "rate 1r/s burst=-1", "\"burst=-1\"", "from 0" },
        { "rate 1r/s burst=1000001", "burst", "to 1000000" },
        { "rate 1r/s nodelay", "\"nodelay\"", "burst=" },
        { "rate 1r/s burst=1 x", "3 values", "at most 2" },
        { "quota 10", "1 values", "needed are at least 3" },
        { "quota 10 per day now", "4 values", "at most 3" },
        { "quota 0 per day", "\"0\"", "from 1" },
        { "quota ten per day", "\"ten\"", "from 1" },
        { "quota 1000000000001 per day", "quota", "to 1000000000000" },
        { "quota 10 a day", "\"a\"", "\"per\"" },
        { "quota 10 per week", "\"week\"", "minute, hour, day or month" },
        { "quota 10 per Day", "\"Day\"", "minute, hour, day or month" },
        { "concurrency 0", "\"0\"", "from 1" },
        { "concurrency many", "\"many\"", "from 1" },
        { "concurrency 1000001", "concurrency", "to 1000000" },
        { "max_grant 0", "\"0\"", "at least 1s" },
        { "max_grant 5", "", "" },
        { "max_grant 500ms", "\"500ms\"", "whole seconds" },
        { "max_grant soon", "\"soon\"", "whole seconds" },
        { "max_grant 200y", "\"200y\"", "100 years" },
        { "burst 5", "\"burst\"", "methods, inherit, rate, quota" }
    };

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {

        if (lines[i][1][0] == '\0') {
            CHECK(one(&p, lines[i][0]));
            continue;
        }

        CHECK(!one(&p, lines[i][0]));
        CHECK_SAYS(err, lines[i][1]);
        CHECK_SAYS(err, lines[i][2]);
    }

    CHECK(!pu_profile_init(&p, PU_STR("READER"), err));
    CHECK_SAYS(err, "\"READER\"");
    CHECK_SAYS(err, "role name");
}


static void
a_directive_comes_once(void)
{
    size_t        i;
    pu_profile_t  p;

    static const char *const  lines[] = {
        "methods GET", "inherit a", "rate 1r/s", "quota 1 per day",
        "concurrency 1", "max_grant 1s"
    };

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        CHECK(one(&p, lines[i]));
        CHECK(!set(&p, lines[i]));
        CHECK_SAYS(err, "is duplicate");
    }
}


static void
a_long_word_still_makes_a_sentence(void)
{
    char          text[2000];
    pu_str_t      words[4];
    pu_profile_t  p;

    memset(text, 'x', sizeof(text));
    words[1] = (pu_str_t) { sizeof(text), (const uint8_t *) text };

    CHECK(!pu_profile_init(&p, words[1], err));
    CHECK_SAYS(err, "lower-case letter");

    CHECK(pu_profile_init(&p, PU_STR("r"), err));
    words[0] = PU_STR("rate");
    CHECK(!pu_profile_set(&p, words, 2, err));
    CHECK_SAYS(err, "10r/s");
    CHECK(!pu_profile_set(&p, words + 1, 1, err));
    CHECK_SAYS(err, "max_grant");
}


static void
a_profile_that_says_nothing_has_no_ceiling(void)
{
    world_t  w;

    CHECK(world(&w, "open: | b: methods GET"));
    CHECK(of(&w, "open")->methods == PU_METHOD_ALL);
    CHECK(of(&w, "b")->methods == methods("GET"));
    CHECK(pu_profile_find(&w.all, PU_STR("c")) == NULL);
    CHECK(pu_profile_find(&w.all, PU_STR("")) == NULL);
    CHECK_INT(of(&w, "b")->rate.n, 0);
    CHECK(!w.all.max_grant);
}


static void
methods_that_are_inherited_add_up(void)
{
    world_t  w;

    CHECK(world(&w, "admin: inherit writer | writer: methods POST PUT; "
                    "inherit reader | reader: methods GET | "
                    "other: inherit reader; methods DELETE | open: | "
                    "all: methods GET; inherit open"));

    CHECK(of(&w, "reader")->methods == methods("GET"));
    CHECK(of(&w, "writer")->methods == methods("GET POST PUT"));
    CHECK(of(&w, "admin")->methods == methods("GET POST PUT"));
    CHECK(of(&w, "other")->methods == methods("GET DELETE"));
    CHECK(of(&w, "all")->methods == PU_METHOD_ALL);
    CHECK_STR(pu_str(warned), "");
}


static void
holders_count_as_holders_of_what_is_inherited(void)
{
    world_t  w;

    CHECK(world(&w, "admin: inherit writer | writer: inherit reader | "
                    "reader: | other:"));

    CHECK(pu_profile_holds(&w.all, of(&w, "admin"), PU_STR("admin")));
    CHECK(pu_profile_holds(&w.all, of(&w, "admin"), PU_STR("writer")));
    CHECK(pu_profile_holds(&w.all, of(&w, "admin"), PU_STR("reader")));
    CHECK(pu_profile_holds(&w.all, of(&w, "writer"), PU_STR("reader")));
    CHECK(!pu_profile_holds(&w.all, of(&w, "writer"), PU_STR("admin")));
    CHECK(!pu_profile_holds(&w.all, of(&w, "reader"), PU_STR("writer")));
    CHECK(!pu_profile_holds(&w.all, of(&w, "admin"), PU_STR("other")));
    CHECK(!pu_profile_holds(&w.all, of(&w, "admin"), PU_STR("")));
}


static void
an_inherited_role_without_a_profile_is_told_and_adds_no_method(void)
{
    world_t  w;

    CHECK(world(&w, "admin: methods GET; inherit wirter | root: "
                    "inherit admin"));
    CHECK_SAYS(warned, "\"proxy_user_profile admin\"");
    CHECK_SAYS(warned, "\"wirter\"");
    CHECK(of(&w, "admin")->methods == methods("GET"));
    CHECK(of(&w, "root")->methods == methods("GET"));
    CHECK(pu_profile_holds(&w.all, of(&w, "root"), PU_STR("wirter")));

    CHECK(world(&w, "admin: inherit wirter"));
    CHECK(of(&w, "admin")->methods == PU_METHOD_ALL);
}


static void
a_ring_is_named(void)
{
    world_t  w;

    CHECK(!world(&w, "a: inherit a"));
    CHECK_SAYS(err, "\"inherit\"");
    CHECK_SAYS(err, "ring: a -> a");

    CHECK(!world(&w, "a: inherit b | b: inherit c | c: inherit b"));
    CHECK_SAYS(err, "ring: b -> c -> b");

    CHECK(!world(&w, "z: inherit a | a: inherit m | m: inherit z"));
    CHECK_SAYS(err, "a -> m -> z -> a");

    /* a diamond is none */

    CHECK(world(&w, "a: inherit b c | b: inherit d | c: inherit d | d:"));
}


static void
a_long_ring_is_cut(void)
{
    size_t         i;
    char           names[20][65];
    pu_str_t       words[2];
    pu_profile_t   items[20];
    pu_profiles_t  all;

    words[0] = PU_STR("inherit");

    for (i = 0; i < 20; i++) {
        memset(names[i], 'x', 64);
        names[i][0] = (char) ('a' + i);
        names[i][64] = '\0';
    }

    for (i = 0; i < 20; i++) {
        words[1] = pu_str(names[(i + 1) % 20]);
        CHECK(pu_profile_init(&items[i], pu_str(names[i]), err));
        CHECK(pu_profile_set(&items[i], words, 2, err));
    }

    all = (pu_profiles_t) { 20, items, 0 };

    CHECK(!pu_profiles_finish(&all, warn, NULL, err));
    CHECK_SAYS(err, "ring");
}


static void
profiles_are_told_apart_and_bounded(void)
{
    size_t         i;
    world_t        w;
    pu_profiles_t  all;

    static char          names[PU_PROFILES_MAX + 1][8];
    static pu_profile_t  items[PU_PROFILES_MAX + 1];

    CHECK(!world(&w, "a: methods GET | b: | a: methods POST"));
    CHECK_SAYS(err, "\"a\"");
    CHECK_SAYS(err, "another one has");

    for (i = 0; i <= PU_PROFILES_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "r%zu", i);
        CHECK(pu_profile_init(&items[i], pu_str(names[i]), err));
    }

    all = (pu_profiles_t) { PU_PROFILES_MAX + 1, items, 0 };
    CHECK(!pu_profiles_finish(&all, warn, NULL, err));
    CHECK_SAYS(err, "at most 256");

    all.n--;
    CHECK(pu_profiles_finish(&all, warn, NULL, err));

    for (i = 0; i < PU_PROFILES_MAX; i++) {
        CHECK(pu_profile_find(&all, pu_str(names[i])) != NULL);
    }
}


static void
what_is_not_written_is_inherited(void)
{
    world_t              w;
    const pu_profile_t  *p;

    CHECK(world(&w, "a: inherit b c | b: rate 10r/s; concurrency 3; "
                    "max_grant 2h | c: rate 700r/m burst=9; "
                    "quota 100 per hour; concurrency 2; max_grant 1h | "
                    "own: inherit a; rate 1r/m; quota 5 per month; "
                    "concurrency 1; max_grant 8h"));

    p = of(&w, "a");
    CHECK_INT(p->rate.n, 700);
    CHECK_INT(p->rate.burst, 9);
    CHECK_INT(p->quota.n, 100);
    CHECK_INT(p->concurrency, 3);
    CHECK_INT(p->max_grant, 3600);

    p = of(&w, "own");
    CHECK_INT(p->rate.n, 1);
    CHECK_INT(p->quota.n, 5);
    CHECK_INT(p->concurrency, 1);
    CHECK_INT(p->max_grant, 8 * 3600);

    CHECK_INT(of(&w, "b")->quota.n, 0);
    CHECK(w.all.max_grant);
}


static void
the_more_generous_is_the_one_that_lets_through_more(void)
{
    pu_rate_t   none = { 0, 0, 0 };
    pu_rate_t   second = { 10, 1, 0 };
    pu_rate_t   minute = { 600, 60, 0 };
    pu_rate_t   burst = { 10, 1, 5 };
    pu_rate_t   more = { 601, 60, 0 };
    pu_quota_t  no = { 0, PU_PERIOD_DAY };
    pu_quota_t  day = { 1000, PU_PERIOD_DAY };
    pu_quota_t  often = { 1, PU_PERIOD_MINUTE };
    pu_quota_t  month = { 30000, PU_PERIOD_MONTH };

    CHECK(pu_rate_cmp(&none, &second) < 0);
    CHECK(pu_rate_cmp(&second, &none) > 0);
    CHECK_INT(pu_rate_cmp(&none, &none), 0);
    CHECK_INT(pu_rate_cmp(&second, &minute), 0);
    CHECK(pu_rate_cmp(&second, &burst) < 0);
    CHECK(pu_rate_cmp(&more, &burst) > 0);

    CHECK(pu_quota_cmp(&no, &day) < 0);
    CHECK(pu_quota_cmp(&often, &day) > 0);
    CHECK_INT(pu_quota_cmp(&month, &day), 0);
    CHECK_STR(pu_period_word(PU_PERIOD_MONTH), "month");
}


/* What a caller with these roles may do by lines parted by ";". */

static pu_reason_t
decide(const world_t *w, const char *lines, const char *roles,
    const char *method, const char *where)
{
    int                i;
    char              *line, *next, text[256];
    pu_rule_t          rules[4];
    pu_str_t           words[4][WORDS_MAX], room[4][WORDS_MAX];
    pu_permit_t        permits[4][WORDS_MAX];
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
        CHECK(pu_rule_read(&rules[i], words[i],
                           words_of(words[i], pu_str(line)), 1,
                           "proxy_user_role", err));
        CHECK(pu_rule_room(&rules[i], &w->all) <= WORDS_MAX);
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
    world_t  w;

    CHECK(world(&w, "reader: methods GET | writer: methods GET POST"));

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


static void
the_line_that_is_needed_is_one_that_permits(void)
{
    world_t  w;

    CHECK(world(&w, "reader: methods GET"));

    CHECK_INT(decide(&w, "reader;writer", "x", "POST", "writer"),
              PU_ROLE_MISSING);
    CHECK_INT(decide(&w, "reader;writer", "x", "GET", "reader"),
              PU_ROLE_MISSING);
}


static void
a_line_is_also_for_who_inherits_its_role(void)
{
    world_t  w;

    CHECK(world(&w, "admin: methods DELETE; inherit writer | "
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
}


static void
a_role_that_is_inherited_without_a_profile_does_not_open_the_ceiling(void)
{
    world_t  w;

    CHECK(world(&w, "admin: methods GET; inherit wirter"));

    CHECK_INT(decide(&w, "wirter", "admin", "GET", "wirter"), PU_OK);
    CHECK_INT(decide(&w, "wirter", "admin", "POST", "wirter"),
              PU_METHOD_NOT_PERMITTED);
    CHECK_INT(decide(&w, "wirter", "wirter", "POST", "wirter"), PU_OK);
}


static pu_str_t
roles_at(const world_t *w, const char *roles, int64_t now, int64_t *until)
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
    int64_t  until;
    world_t  w;

    CHECK(world(&w, "oncall: max_grant 100 | reader: methods GET | "
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
    CHECK_STR(roles_at(&w, "oncall=5000", 1000, &until), "token");
    CHECK_STR(roles_at(&w, "oncall@0", 1000, &until), "token");

    /* others are not touched, and what a token gives is no grant */

    CHECK_STR(roles_at(&w, "reader@1 x", 5000, &until), "reader token x");
    CHECK_INT(until, INT64_MAX);
    CHECK_STR(roles_at(&w, "root@1000", 1100, &until), "token");
}


/* What a handle of such a user is good for. */

static pu_str_t
capped(const world_t *w, const char *cap, const char *roles)
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
    world_t  w;

    CHECK(world(&w, "admin: inherit writer | writer: inherit reader | "
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


/* Of eight roles all are named, of more the first eight and the last. */
static void
a_ring_is_cut_after_eight(void)
{
    int      n, i;
    char     text[512], expected[256], *p, *q;
    world_t  w;

    for (n = 6; n <= 10; n++) {
        q = expected + sprintf(expected, "ring: ");

        for (p = text, i = 0; i < n; i++) {
            p += sprintf(p, "%s%c: inherit %c", i ? " | " : "", 'a' + i,
                         'a' + (i + 1) % n);

            if (i < 8) {
                q += sprintf(q, "%s%c", i ? " -> " : "", 'a' + i);
            }
        }

        sprintf(q, "%s -> a", n > 8 ? " ..." : "");
        CHECK(!world(&w, text));
        CHECK_SAYS(err, expected);
        CHECK_INT(strlen(strstr(err, "ring:")), strlen(expected));
    }
}


static void
the_shortest_max_grant_is_inherited(void)
{
    world_t  w;

    CHECK(world(&w, "a: inherit b c | b: max_grant 100 | c: max_grant 200"));
    CHECK_INT(of(&w, "a")->max_grant, 100);
    CHECK(world(&w, "a: inherit c b | b: max_grant 100 | c: max_grant 200"));
    CHECK_INT(of(&w, "a")->max_grant, 100);
    CHECK(world(&w, "a: inherit b c | b: max_grant 100 | c:"));
    CHECK_INT(of(&w, "a")->max_grant, 100);
    CHECK(world(&w, "a: max_grant 300; inherit b | b: max_grant 100"));
    CHECK_INT(of(&w, "a")->max_grant, 300);
}


static void
without_a_max_grant_a_grant_ends_by_itself(void)
{
    int64_t  until;
    world_t  w;

    CHECK(world(&w, "oncall: methods GET"));
    CHECK_STR(roles_at(&w, "oncall", 5000, &until), "oncall token");
    CHECK_INT(until, INT64_MAX);
    CHECK_STR(roles_at(&w, "oncall@1=5001", 5000, &until), "oncall token");
    CHECK_INT(until, 5001);
    CHECK_STR(roles_at(&w, "oncall@1=5000", 5000, &until), "token");
}


static const unit_test_t  tests[] = {
    UNIT(a_block_is_read),
    UNIT(numbers_have_bounds),
    UNIT(a_wrong_line_names_directive_value_and_what_is_allowed),
    UNIT(a_directive_comes_once),
    UNIT(a_long_word_still_makes_a_sentence),
    UNIT(a_profile_that_says_nothing_has_no_ceiling),
    UNIT(methods_that_are_inherited_add_up),
    UNIT(holders_count_as_holders_of_what_is_inherited),
    UNIT(an_inherited_role_without_a_profile_is_told_and_adds_no_method),
    UNIT(a_ring_is_named),
    UNIT(a_long_ring_is_cut),
    UNIT(profiles_are_told_apart_and_bounded),
    UNIT(what_is_not_written_is_inherited),
    UNIT(the_more_generous_is_the_one_that_lets_through_more),
    UNIT(a_line_gives_what_the_profile_allows_and_no_more),
    UNIT(the_line_that_is_needed_is_one_that_permits),
    UNIT(a_line_is_also_for_who_inherits_its_role),
    UNIT(a_role_that_is_inherited_without_a_profile_does_not_open_the_ceiling),
    UNIT(a_grant_ends_at_the_earlier_of_its_own_end_and_max_grant),
    UNIT(a_cap_may_name_what_the_user_inherits_and_never_more),
    UNIT(a_ring_is_cut_after_eight),
    UNIT(the_shortest_max_grant_is_inherited),
    UNIT(without_a_max_grant_a_grant_ends_by_itself)
};

UNIT_MAIN(tests)
