/*
 * profile_test: the block of a profile, line by line.  What profiles inherit
 * is in inherit_test.c, what they permit in permit_test.c.
 */

#include "profiles.h"
#include "unit.h"


static char  err[PU_ERROR_SIZE];


/* One directive into a profile. */

static int
set(pu_profile_t *profile, const char *line)
{
    static pu_str_t  words[PROFILES_WORDS_MAX];

    err[0] = '\0';

    return pu_profile_set(profile, words, words_of(words, line), err);
}


/* A profile with one directive. */

static int
one(pu_profile_t *profile, const char *line)
{
    CHECK(pu_profile_init(profile, PU_STR("r"), err));

    return set(profile, line);
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

    CHECK(p.methods == methods_of("GET OPTIONS"));
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
    CHECK(one(&p, "max_grant 36500d"));
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
        { "rate", "0 values", "needed are at least 1" },
        { "inherit a b b", "\"b\"", "each role once" },
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
        { "rate 1r/s burst:5", "\"burst:5\"", "burst=" },
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
        { "max_grant 36501d", "\"36501d\"", "100 years" },
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


/* What follows a word in memory is none of it. */
static void
a_rate_without_its_unit_ends_where_it_says(void)
{
    char          *digits;
    pu_str_t       words[2];
    pu_profile_t   p;

    digits = malloc(2);
    memcpy(digits, "10", 2);
    words[0] = PU_STR("rate");
    words[1] = (pu_str_t) { 2, (const uint8_t *) digits };

    CHECK(pu_profile_init(&p, PU_STR("r"), err));
    CHECK(!pu_profile_set(&p, words, 2, err));
    CHECK_SAYS(err, "\"10\"");
    free(digits);
}


static const unit_test_t  tests[] = {
    UNIT(a_block_is_read),
    UNIT(numbers_have_bounds),
    UNIT(a_wrong_line_names_directive_value_and_what_is_allowed),
    UNIT(a_directive_comes_once),
    UNIT(a_long_word_still_makes_a_sentence),
    UNIT(a_rate_without_its_unit_ends_where_it_says)
};

UNIT_MAIN(tests)
