/*
 * inherit_test: what profiles mean together: rings, what is inherited, and
 * which of two is the more generous.
 */

#include "profiles.h"
#include "unit.h"


static void
not_warned(void *data, const char *sentence)
{
    (void) data;
    unit_check(__FILE__, __LINE__, 0, sentence);
}


static void
a_profile_that_says_nothing_has_no_ceiling(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "open: | b: methods GET"));
    CHECK(profile(&w, "open")->methods == PU_METHOD_ALL);
    CHECK(profile(&w, "b")->methods == methods_of("GET"));
    CHECK(pu_profile_find(&w.all, PU_STR("c")) == NULL);
    CHECK(pu_profile_find(&w.all, PU_STR("")) == NULL);
    CHECK_INT(profile(&w, "b")->rate.n, 0);
    CHECK(!w.all.max_grant);
}


static void
methods_that_are_inherited_add_up(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "admin: inherit writer | writer: methods POST PUT; "
                       "inherit reader | reader: methods GET | "
                       "other: inherit reader; methods DELETE | open: | "
                       "all: methods GET; inherit open"));

    CHECK(profile(&w, "reader")->methods == methods_of("GET"));
    CHECK(profile(&w, "writer")->methods == methods_of("GET POST PUT"));
    CHECK(profile(&w, "admin")->methods == methods_of("GET POST PUT"));
    CHECK(profile(&w, "other")->methods == methods_of("GET DELETE"));
    CHECK(profile(&w, "all")->methods == PU_METHOD_ALL);
    CHECK_STR(pu_str(w.warned), "");
}


static void
holders_count_as_holders_of_what_is_inherited(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "admin: inherit writer | writer: inherit reader | "
                       "reader: | other:"));

    CHECK(pu_profile_holds(&w.all, profile(&w, "admin"), PU_STR("admin")));
    CHECK(pu_profile_holds(&w.all, profile(&w, "admin"), PU_STR("writer")));
    CHECK(pu_profile_holds(&w.all, profile(&w, "admin"), PU_STR("reader")));
    CHECK(pu_profile_holds(&w.all, profile(&w, "writer"), PU_STR("reader")));
    CHECK(!pu_profile_holds(&w.all, profile(&w, "writer"), PU_STR("admin")));
    CHECK(!pu_profile_holds(&w.all, profile(&w, "reader"), PU_STR("writer")));
    CHECK(!pu_profile_holds(&w.all, profile(&w, "admin"), PU_STR("other")));
    CHECK(!pu_profile_holds(&w.all, profile(&w, "admin"), PU_STR("")));
}


static void
an_inherited_role_without_a_profile_is_told_and_adds_no_method(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "admin: methods GET; inherit wirter | root: "
                       "inherit admin"));
    CHECK_SAYS(w.warned, "\"proxy_user_profile admin\"");
    CHECK_SAYS(w.warned, "\"wirter\"");
    CHECK(profile(&w, "admin")->methods == methods_of("GET"));
    CHECK(profile(&w, "root")->methods == methods_of("GET"));
    CHECK(pu_profile_holds(&w.all, profile(&w, "root"), PU_STR("wirter")));

    CHECK(profiles(&w, "admin: inherit first second"));
    CHECK(pu_profile_holds(&w.all, profile(&w, "admin"), PU_STR("second")));

    CHECK(profiles(&w, "admin: inherit wirter"));
    CHECK(profile(&w, "admin")->methods == PU_METHOD_ALL);
}


static void
a_ring_is_named(void)
{
    profiles_t  w;

    CHECK(!profiles(&w, "a: inherit a"));
    CHECK_SAYS(w.err, "\"inherit\"");
    CHECK_SAYS(w.err, "ring: a -> a");

    CHECK(!profiles(&w, "a: inherit b | b: inherit c | c: inherit b"));
    CHECK_SAYS(w.err, "ring: b -> c -> b");

    CHECK(!profiles(&w, "z: inherit a | a: inherit m | m: inherit z"));
    CHECK_SAYS(w.err, "a -> m -> z -> a");

    /* a diamond is none */

    CHECK(profiles(&w, "a: inherit b c | b: inherit d | c: inherit d | d:"));
}


/* Of eight roles all are named, of more the first eight and the last. "a"
 * only leads there. */
static void
a_ring_is_cut_after_eight(void)
{
    int         n, i;
    char        text[512], expected[256], *p, *q;
    profiles_t  w;

    for (n = 6; n <= 10; n++) {
        q = expected + sprintf(expected, "ring: ");

        p = text + sprintf(text, "a: inherit b");

        for (i = 0; i < n; i++) {
            p += sprintf(p, " | %c: inherit %c", 'b' + i,
                         'b' + (i + 1) % n);

            if (i < 8) {
                q += sprintf(q, "%s%c", i ? " -> " : "", 'b' + i);
            }
        }

        sprintf(q, "%s -> b", n > 8 ? " ..." : "");
        CHECK(!profiles(&w, text));
        CHECK_SAYS(w.err, expected);
        CHECK_INT(strlen(strstr(w.err, "ring:")), strlen(expected));
    }
}


static void
a_long_ring_is_cut(void)
{
    size_t         i;
    char           names[20][65], err[PU_ERROR_SIZE];
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

    CHECK(!pu_profiles_finish(&all, not_warned, NULL, err));
    CHECK_SAYS(err, "ring");
}


/* Two that are not theirs lie before them in memory. */
static void
profiles_are_sorted_among_themselves(void)
{
    char           err[PU_ERROR_SIZE];
    size_t         i;
    pu_str_t       words[2];
    pu_profile_t   items[5];
    pu_profiles_t  all;

    static const char *const  names[] = { "a", "z", "d", "c", "b" };

    words[0] = PU_STR("methods");
    words[1] = PU_STR("GET");

    for (i = 0; i < 5; i++) {
        CHECK(pu_profile_init(&items[i], pu_str(names[i]), err));
        CHECK(pu_profile_set(&items[i], words, 2, err));
    }

    all = (pu_profiles_t) { 3, items + 2, 0 };

    CHECK(pu_profiles_finish(&all, not_warned, NULL, err));

    for (i = 0; i < 5; i++) {
        CHECK(pu_str_is(items[i].role, ((const char *const []) {
                                       "a", "z", "b", "c", "d" })[i]));
    }
}


static void
profiles_are_told_apart_and_bounded(void)
{
    char           err[PU_ERROR_SIZE];
    size_t         i;
    profiles_t     w;
    pu_profiles_t  all;

    static char          names[PU_PROFILES_MAX + 1][8];
    static pu_profile_t  items[PU_PROFILES_MAX + 1];

    CHECK(!profiles(&w, "a: methods GET | b: | a: methods POST"));
    CHECK_SAYS(w.err, "\"a\"");
    CHECK_SAYS(w.err, "another one has");

    for (i = 0; i <= PU_PROFILES_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "r%zu", i);
        CHECK(pu_profile_init(&items[i], pu_str(names[i]), err));
    }

    all = (pu_profiles_t) { PU_PROFILES_MAX + 1, items, 0 };
    CHECK(!pu_profiles_finish(&all, not_warned, NULL, err));
    CHECK_SAYS(err, "at most 256");

    all.n--;
    CHECK(pu_profiles_finish(&all, not_warned, NULL, err));

    for (i = 0; i < PU_PROFILES_MAX; i++) {
        CHECK(pu_profile_find(&all, pu_str(names[i])) != NULL);
    }
}


static void
what_is_not_written_is_inherited(void)
{
    profiles_t           w;
    const pu_profile_t  *p;

    CHECK(profiles(&w, "a: inherit b c | b: rate 10r/s; concurrency 3; "
                       "max_grant 2h | c: rate 700r/m burst=9; "
                       "quota 100 per hour; concurrency 2; max_grant 1h | "
                       "own: inherit a; rate 1r/m; quota 5 per month; "
                       "concurrency 1; max_grant 8h"));

    p = profile(&w, "a");
    CHECK_INT(p->rate.n, 700);
    CHECK_INT(p->rate.burst, 9);
    CHECK_INT(p->quota.n, 100);
    CHECK_INT(p->concurrency, 3);
    CHECK_INT(p->max_grant, 3600);

    p = profile(&w, "own");
    CHECK_INT(p->rate.n, 1);
    CHECK_INT(p->quota.n, 5);
    CHECK_INT(p->concurrency, 1);
    CHECK_INT(p->max_grant, 8 * 3600);

    CHECK_INT(profile(&w, "b")->quota.n, 0);
    CHECK(w.all.max_grant);
}


static void
the_shortest_max_grant_is_inherited(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "a: inherit b c | b: max_grant 100 | "
                       "c: max_grant 200"));
    CHECK_INT(profile(&w, "a")->max_grant, 100);
    CHECK(profiles(&w, "a: inherit c b | b: max_grant 100 | "
                       "c: max_grant 200"));
    CHECK_INT(profile(&w, "a")->max_grant, 100);
    CHECK(profiles(&w, "a: inherit b c | b: max_grant 100 | c:"));
    CHECK_INT(profile(&w, "a")->max_grant, 100);
    CHECK(profiles(&w, "a: max_grant 300; inherit b | b: max_grant 100"));
    CHECK_INT(profile(&w, "a")->max_grant, 300);
}


static void
of_two_as_generous_the_first_is_inherited(void)
{
    profiles_t  w;

    CHECK(profiles(&w, "a: inherit b c | b: rate 10r/s; quota 60 per hour | "
                       "c: rate 600r/m; quota 1 per minute"));
    CHECK_INT(profile(&w, "a")->rate.n, 10);
    CHECK_INT(profile(&w, "a")->quota.n, 60);
    CHECK(profiles(&w, "a: inherit c b | b: rate 10r/s; quota 60 per hour | "
                       "c: rate 600r/m; quota 1 per minute"));
    CHECK_INT(profile(&w, "a")->rate.n, 600);
    CHECK_INT(profile(&w, "a")->quota.n, 1);
}


static void
counted(void *data, const char *sentence)
{
    CHECK_SAYS(sentence, "\"guest\"");
    ++*(int *) data;
}


/*
 * 64 times four profiles, each of which inherits the next, and the last one
 * what has no profile: in memory of exactly their size.
 */
static void
of_256_profiles_each_holds_its_own(void)
{
    int            warned;
    char           err[PU_ERROR_SIZE];
    size_t         i, k;
    pu_str_t       words[2];
    pu_profiles_t  all;

    static char  names[PU_PROFILES_MAX][8];

    all = (pu_profiles_t) { PU_PROFILES_MAX,
                            calloc(PU_PROFILES_MAX, sizeof(pu_profile_t)),
                            0 };
    words[0] = PU_STR("inherit");

    for (i = 0; i < PU_PROFILES_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "r%03zu", i);
    }

    for (i = 0; i < PU_PROFILES_MAX; i++) {
        words[1] = (i < 192) ? pu_str(names[i + 64]) : PU_STR("guest");
        CHECK(pu_profile_init(&all.items[i], pu_str(names[i]), err));
        CHECK(pu_profile_set(&all.items[i], words, 2, err));
    }

    warned = 0;
    CHECK(pu_profiles_finish(&all, counted, &warned, err));
    CHECK_INT(warned, 64);

    for (i = 0; i < PU_PROFILES_MAX; i++) {
        for (k = 0; k < PU_PROFILES_MAX; k++) {
            CHECK_INT(pu_profile_holds(&all, &all.items[i],
                                       pu_str(names[k])),
                      k >= i && k % 64 == i % 64);
        }

        CHECK(pu_profile_holds(&all, &all.items[i], PU_STR("guest")));
        CHECK(!pu_profile_holds(&all, &all.items[i], PU_STR("r256")));
    }

    free(all.items);
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
    pu_quota_t  per_minute = { 1, PU_PERIOD_MINUTE };
    pu_quota_t  per_hour = { 60, PU_PERIOD_HOUR };
    pu_quota_t  per_day = { 24 * 60, PU_PERIOD_DAY };
    pu_quota_t  per_month = { 30 * 24 * 60, PU_PERIOD_MONTH };

    CHECK(pu_rate_cmp(&none, &second) < 0);
    CHECK(pu_rate_cmp(&second, &none) > 0);
    CHECK_INT(pu_rate_cmp(&none, &none), 0);
    CHECK_INT(pu_rate_cmp(&second, &minute), 0);
    CHECK(pu_rate_cmp(&second, &burst) < 0);
    CHECK(pu_rate_cmp(&more, &burst) > 0);

    CHECK(pu_quota_cmp(&no, &day) < 0);
    CHECK(pu_quota_cmp(&often, &day) > 0);
    CHECK_INT(pu_quota_cmp(&month, &day), 0);
    CHECK_INT(pu_quota_cmp(&per_minute, &per_hour), 0);
    CHECK_INT(pu_quota_cmp(&per_hour, &per_day), 0);
    CHECK_INT(pu_quota_cmp(&per_day, &per_month), 0);
    CHECK_STR(pu_period_word(PU_PERIOD_MONTH), "month");
}


static const unit_test_t  tests[] = {
    UNIT(a_profile_that_says_nothing_has_no_ceiling),
    UNIT(methods_that_are_inherited_add_up),
    UNIT(holders_count_as_holders_of_what_is_inherited),
    UNIT(an_inherited_role_without_a_profile_is_told_and_adds_no_method),
    UNIT(a_ring_is_named),
    UNIT(a_ring_is_cut_after_eight),
    UNIT(a_long_ring_is_cut),
    UNIT(profiles_are_sorted_among_themselves),
    UNIT(profiles_are_told_apart_and_bounded),
    UNIT(what_is_not_written_is_inherited),
    UNIT(the_shortest_max_grant_is_inherited),
    UNIT(of_two_as_generous_the_first_is_inherited),
    UNIT(of_256_profiles_each_holds_its_own),
    UNIT(the_more_generous_is_the_one_that_lets_through_more)
};

UNIT_MAIN(tests)
