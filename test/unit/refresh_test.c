/*
 * When keys are asked for: at first, when they are stale, after a failure,
 * for a kid nobody has, and by one of many only.
 */

#include "pu_refresh.h"
#include "unit.h"


#define TIMEOUT  5000
#define A        17                     /* who asks */
#define B        18

#define MINUTE   (60 * 1000LL)
#define HOUR     (60 * MINUTE)


static void
the_first_attempt_is_one_workers(void)
{
    pu_refresh_t  r = { 0 };

    CHECK(!pu_refresh_usable(&r, 100));
    CHECK_INT(pu_refresh_tick(&r, 100, TIMEOUT, A), PU_REFRESH_YOURS);
    CHECK_INT(pu_refresh_tick(&r, 100, TIMEOUT, B), PU_REFRESH_WAIT);
    CHECK_INT(pu_refresh_tick(&r, 100, TIMEOUT, A), PU_REFRESH_WAIT);
    CHECK_INT(pu_refresh_unknown_kid(&r, 100, TIMEOUT, B), PU_REFRESH_WAIT);
    CHECK(pu_refresh_busy(&r, 100, TIMEOUT));
    CHECK_INT(r.ended, 0);

    CHECK(!pu_refresh_good(&r, 200, B, -1, 1));
    CHECK_INT(r.set, 0);
    CHECK(pu_refresh_good(&r, 200, A, -1, 1));
    CHECK(!pu_refresh_good(&r, 200, A, -1, 1));
    CHECK(!pu_refresh_bad(&r, 200, A));

    CHECK_INT(r.set, 1);
    CHECK_INT(r.ended, 1);
    CHECK_INT(r.good, 100);
    CHECK(pu_refresh_usable(&r, 200));
    CHECK(!pu_refresh_busy(&r, 200, TIMEOUT));
}


static int64_t
due_after(int64_t fresh)
{
    pu_refresh_t  r = { 0 };

    (void) pu_refresh_tick(&r, 0, TIMEOUT, A);
    (void) pu_refresh_good(&r, 1000, A, fresh, 1);

    return r.due - 1000;
}


static void
an_answer_is_fresh_for_five_minutes_to_a_day(void)
{
    pu_refresh_t  r = { 0 };

    CHECK_INT(due_after(-1), 5 * MINUTE);
    CHECK_INT(due_after(0), 5 * MINUTE);
    CHECK_INT(due_after(299), 5 * MINUTE);
    CHECK_INT(due_after(301), 301 * 1000);
    CHECK_INT(due_after(3600), HOUR);
    CHECK_INT(due_after(86399), 86399 * 1000LL);
    CHECK_INT(due_after(365 * 86400LL), 24 * HOUR);

    (void) pu_refresh_tick(&r, 0, TIMEOUT, A);
    (void) pu_refresh_good(&r, 0, A, 600, 1);
    CHECK_INT(pu_refresh_tick(&r, 10 * MINUTE - 1, TIMEOUT, A),
              PU_REFRESH_NO);
    CHECK_INT(pu_refresh_tick(&r, 10 * MINUTE, TIMEOUT, B),
              PU_REFRESH_YOURS);

    /* the same set again is no news */

    CHECK(pu_refresh_good(&r, 10 * MINUTE, B, 600, 0));
    CHECK_INT(r.set, 1);
    CHECK_INT(r.good, 10 * MINUTE);
}


static void
after_a_failure_it_pauses_longer_each_time(void)
{
    size_t                i;
    int64_t               now = 0;
    pu_refresh_t          r = { 0 };
    static const int64_t  pauses[] = { 1, 2, 4, 8, 16, 30, 30, 30 };

    for (i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        CHECK_INT(pu_refresh_tick(&r, now, TIMEOUT, A), PU_REFRESH_YOURS);
        CHECK(pu_refresh_bad(&r, now, A));
        CHECK_INT(r.failed, i + 1);
        CHECK_INT(r.due - now, pauses[i] * 1000);
        CHECK_INT(pu_refresh_tick(&r, r.due - 1, TIMEOUT, A), PU_REFRESH_NO);
        now = r.due;
    }

    CHECK(!pu_refresh_usable(&r, now));
    CHECK_INT(pu_refresh_tick(&r, now, TIMEOUT, A), PU_REFRESH_YOURS);
    CHECK(pu_refresh_good(&r, now, A, -1, 1));
    CHECK_INT(r.failed, 0);
    CHECK_INT(r.due - now, 5 * MINUTE);
}


static void
the_last_good_set_is_kept_for_a_day(void)
{
    int64_t       now;
    pu_refresh_t  r = { 0 };

    (void) pu_refresh_tick(&r, 0, TIMEOUT, A);
    (void) pu_refresh_good(&r, 100, A, -1, 1);

    for (now = r.due; now < 24 * HOUR; now = r.due) {
        CHECK(pu_refresh_usable(&r, now));
        CHECK_INT(pu_refresh_tick(&r, now, TIMEOUT, A), PU_REFRESH_YOURS);
        (void) pu_refresh_bad(&r, now, A);
    }

    CHECK(pu_refresh_usable(&r, 24 * HOUR - 1));
    CHECK(!pu_refresh_usable(&r, 24 * HOUR));

    /* and comes back with the next answer, though it is the same */

    (void) pu_refresh_tick(&r, now, TIMEOUT, A);
    (void) pu_refresh_good(&r, now, A, -1, 0);
    CHECK(pu_refresh_usable(&r, now));
}


static void
an_unknown_kid_asks_every_thirty_seconds(void)
{
    pu_refresh_t  r = { 0 };

    (void) pu_refresh_tick(&r, 0, TIMEOUT, A);
    (void) pu_refresh_good(&r, 10, A, -1, 1);

    /* the first attempt does not count */

    CHECK_INT(pu_refresh_unknown_kid(&r, 20, TIMEOUT, B), PU_REFRESH_YOURS);
    CHECK_INT(pu_refresh_unknown_kid(&r, 20, TIMEOUT, A), PU_REFRESH_WAIT);
    (void) pu_refresh_good(&r, 30, B, -1, 0);

    CHECK_INT(pu_refresh_unknown_kid(&r, 40, TIMEOUT, A), PU_REFRESH_NO);
    CHECK_INT(pu_refresh_unknown_kid(&r, 30019, TIMEOUT, B), PU_REFRESH_NO);
    CHECK_INT(pu_refresh_unknown_kid(&r, 30020, TIMEOUT, B),
              PU_REFRESH_YOURS);
    (void) pu_refresh_bad(&r, 30030, B);
    CHECK_INT(pu_refresh_unknown_kid(&r, 30040, TIMEOUT, A), PU_REFRESH_NO);

    /* nor does one that was due anyway */

    CHECK_INT(pu_refresh_tick(&r, 40000, TIMEOUT, A), PU_REFRESH_YOURS);
    CHECK_INT(pu_refresh_unknown_kid(&r, 40000, TIMEOUT, A),
              PU_REFRESH_WAIT);
    (void) pu_refresh_good(&r, 40010, A, -1, 1);
    CHECK_INT(pu_refresh_unknown_kid(&r, 60019, TIMEOUT, A), PU_REFRESH_NO);
    CHECK_INT(pu_refresh_unknown_kid(&r, 60020, TIMEOUT, A),
              PU_REFRESH_YOURS);
}


static void
who_dies_or_goes_leaves_it_to_another(void)
{
    pu_refresh_t  r = { 0 };

    (void) pu_refresh_tick(&r, 0, TIMEOUT, A);
    CHECK_INT(pu_refresh_tick(&r, TIMEOUT, TIMEOUT, B), PU_REFRESH_WAIT);
    CHECK_INT(pu_refresh_tick(&r, TIMEOUT + PU_REFRESH_GRACE, TIMEOUT, B),
              PU_REFRESH_YOURS);
    CHECK(!pu_refresh_good(&r, 7000, A, -1, 1));

    pu_refresh_leave(&r, A);
    CHECK(pu_refresh_busy(&r, 7000, TIMEOUT));
    pu_refresh_leave(&r, B);
    CHECK(!pu_refresh_busy(&r, 7000, TIMEOUT));
    CHECK_INT(r.ended, 0);
    CHECK_INT(pu_refresh_tick(&r, 7000, TIMEOUT, A), PU_REFRESH_YOURS);
}


static void
a_set_that_is_lost_is_asked_for_at_once(void)
{
    pu_refresh_t  r = { 0 };

    (void) pu_refresh_tick(&r, 0, TIMEOUT, A);
    (void) pu_refresh_good(&r, 0, A, 3600, 1);
    pu_refresh_lost(&r, 7);
    CHECK_INT(pu_refresh_tick(&r, 10, TIMEOUT, A), PU_REFRESH_NO);
    pu_refresh_lost(&r, 1);
    CHECK_INT(pu_refresh_tick(&r, 10, TIMEOUT, A), PU_REFRESH_YOURS);

    /* but not more often than its provider can bear */

    (void) pu_refresh_bad(&r, 20, A);
    pu_refresh_lost(&r, 1);
    CHECK_INT(pu_refresh_tick(&r, 30, TIMEOUT, A), PU_REFRESH_NO);
}


static void
freshness_is_read_from_cache_control(void)
{
    size_t  i;

    static const struct {
        const char  *cache_control, *age;
        int64_t      fresh;
    } headers[] = {
        { "", "", -1 },
        { "max-age=600", "", 600 },
        { "Max-Age=600", "", 600 },
        { "max-age=\"600\"", "", 600 },
        { " public ,  max-age=600 , immutable", "", 600 },
        { "public,max-age=600", "100", 500 },
        { "max-age=600", " 600 ", 0 },
        { "max-age=600", "601", 0 },
        { "max-age=600", "-1", 600 },
        { "max-age=600", "many", 600 },
        { "max-age=600, max-age=60", "", 60 },
        { "max-age=60, max-age=600", "", 60 },
        { "max-age=0", "", 0 },
        { "max-age", "", -1 },
        { "max-age=", "", 0 },
        { "max-age=x", "", 0 },
        { "max-age=-5", "", 0 },
        { "max-age=6 0", "", 0 },
        { "max-age =600", "", -1 },
        { "xmax-age=600", "", -1 },
        { "max-agex=600", "", -1 },
        { "s-maxage=600", "", -1 },
        { "no-store", "", 0 },
        { "max-age=600, No-Store", "", 0 },
        { "no-cache, max-age=600", "", 0 },
        { "no-cache=\"a, max-age=600\"", "", 0 },
        { "x=\"a, max-age=600\"", "", -1 },
        { "x=\"a, no-store, max-age=600", "", -1 },
        { "must-revalidate", "", -1 },
        { ",,, ,", "", -1 },
        { "max-age=99999999999999999999999999", "", 365 * 86400 },
        { "=600", "", -1 }
    };

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        unit_int(__FILE__, __LINE__,
                 pu_refresh_fresh(pu_str(headers[i].cache_control),
                                  pu_str(headers[i].age)),
                 headers[i].fresh, headers[i].cache_control);
    }
}


static const unit_test_t  tests[] = {
    UNIT(the_first_attempt_is_one_workers),
    UNIT(an_answer_is_fresh_for_five_minutes_to_a_day),
    UNIT(after_a_failure_it_pauses_longer_each_time),
    UNIT(the_last_good_set_is_kept_for_a_day),
    UNIT(an_unknown_kid_asks_every_thirty_seconds),
    UNIT(who_dies_or_goes_leaves_it_to_another),
    UNIT(a_set_that_is_lost_is_asked_for_at_once),
    UNIT(freshness_is_read_from_cache_control)
};


UNIT_MAIN(tests)
