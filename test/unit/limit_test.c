/*
 * limit_test: rates, periods and leases of quotas, and what is told of them.
 */

#include "pu_command.h"
#include "pu_limit.h"
#include "unit.h"


#define DAY  86400


static pu_rate_t
rate_of(int64_t n, int64_t seconds, int64_t burst)
{
    return (pu_rate_t) { n, seconds, burst };
}


/* How many of "tries" at one moment are let through. */

static int
burst_of(const pu_rate_t *rate, uint64_t now, pu_rate_state_t *state,
    int tries)
{
    int        i, taken;
    pu_left_t  left;

    for (taken = 0, i = 0; i < tries; i++) {
        taken += pu_rate_take(rate, now, state, &left);
    }

    return taken;
}


static void
rate_burst(void)
{
    pu_rate_t        rate;
    pu_rate_state_t  state;

    rate = rate_of(10, 1, 0);
    memset(&state, 0, sizeof(state));
    CHECK_INT(burst_of(&rate, 5000, &state, 20), 1);
    CHECK_INT(burst_of(&rate, 5095, &state, 20), 0);
    CHECK_INT(burst_of(&rate, 5096, &state, 20), 1);

    rate = rate_of(30, 60, 29);
    memset(&state, 0, sizeof(state));
    CHECK_INT(burst_of(&rate, 5000, &state, 100), 30);
    CHECK_INT(burst_of(&rate, 6995, &state, 100), 0);
    CHECK_INT(burst_of(&rate, 6996, &state, 100), 1);
    CHECK_INT(burst_of(&rate, 16999, &state, 100), 5);

    /* a full rest gives a full burst and not more */
    CHECK_INT(burst_of(&rate, 17000 + 3600000, &state, 100), 30);
}


/* Over a long time what is let through is the rate, to the request. */

static void
rate_exact(void)
{
    size_t                  i;
    int64_t                 most, taken;
    uint64_t                now;
    pu_rate_state_t         state;
    pu_left_t               left;
    pu_rate_t               rate;
    static const pu_rate_t  rates[] = {
        { 7, 1, 0 }, { 1, 60, 0 }, { 1000, 1, 9 }, { 333, 60, 3 },
        { 999, 1, 0 }, { 20000, 1, 0 }
    };
    const uint64_t          seconds = 60;

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        rate = rates[i];
        memset(&state, 0, sizeof(state));
        taken = 0;

        for (now = 1000; now < 1000 + seconds * 1000; now++) {
            while (pu_rate_take(&rate, now, &state, &left)) {
                taken++;
            }
        }

        /* and what the clock's steps let through early, once */

        most = rate.n * seconds / rate.seconds + rate.burst;

        CHECK(taken >= most);
        CHECK(taken <= most + 1 + rate.n * 4 / 1000 / rate.seconds);
    }
}


static void
rate_largest(void)
{
    pu_rate_t        rate;
    pu_left_t        left;
    pu_rate_state_t  state;

    rate = rate_of(PU_RATE_MAX, 1, PU_RATE_MAX);
    memset(&state, 0, sizeof(state));
    CHECK(pu_rate_take(&rate, 1ull << 40, &state, &left));
    CHECK_INT(left.remaining, PU_RATE_MAX + 4000);
    CHECK_INT(left.reset, 1);

    rate = rate_of(1, 60, PU_RATE_MAX);
    memset(&state, 0, sizeof(state));
    CHECK(pu_rate_take(&rate, 1ull << 40, &state, &left));
    CHECK_INT(left.remaining, PU_RATE_MAX);
    CHECK_INT(left.reset, 60);
}


static void
rate_left(void)
{
    pu_rate_t        rate;
    pu_left_t        left;
    pu_rate_state_t  state;

    rate = rate_of(6, 60, 2);
    memset(&state, 0, sizeof(state));

    CHECK(pu_rate_open(&rate, 1000, &state, &left));
    CHECK_INT(left.remaining, 3);

    CHECK(pu_rate_take(&rate, 1000, &state, &left));
    CHECK_INT(left.remaining, 2);
    CHECK_INT(left.reset, 10);
    CHECK(pu_rate_take(&rate, 4001, &state, &left));
    CHECK_INT(left.remaining, 1);
    CHECK_INT(left.reset, 7);
    CHECK(pu_rate_take(&rate, 4001, &state, &left));
    CHECK_INT(left.remaining, 0);

    /* refused: when to come again; asking costs nothing */
    CHECK(!pu_rate_take(&rate, 4001, &state, &left));
    CHECK_INT(left.remaining, 0);
    CHECK_INT(left.reset, 7);
    CHECK(!pu_rate_open(&rate, 10995, &state, &left));
    CHECK_INT(left.reset, 1);
    CHECK(pu_rate_open(&rate, 11000, &state, &left));
    CHECK(pu_rate_take(&rate, 11000, &state, &left));
    CHECK_INT(left.remaining, 0);
}


/* Another worker's clock is a little ahead; a rate becomes smaller. */

static void
rate_strange(void)
{
    pu_rate_t        rate, small;
    pu_left_t        left;
    pu_rate_state_t  state;

    rate = rate_of(100, 1, 0);
    memset(&state, 0, sizeof(state));
    CHECK(pu_rate_take(&rate, 2000, &state, &left));
    CHECK(!pu_rate_take(&rate, 1996, &state, &left));
    CHECK(pu_rate_take(&rate, 2010, &state, &left));

    rate = rate_of(1, 60, 100);
    small = rate_of(1, 1, 1);
    memset(&state, 0, sizeof(state));
    CHECK_INT(burst_of(&rate, 1000, &state, 200), 101);
    CHECK(!pu_rate_take(&small, 1000, &state, &left));
    CHECK_INT(left.reset, 100);

    /* it is remembered that these are requests of the smaller rate now */
    CHECK(!pu_rate_take(&small, 100995, &state, &left));
    CHECK_INT(left.reset, 1);
    CHECK(pu_rate_take(&small, 100996, &state, &left));
}


/* Asking with the smaller of two rates gives nothing back of the larger. */

static void
rate_exploit(void)
{
    int              i;
    pu_rate_t        small, large;
    pu_rate_state_t  state;

    large = rate_of(2, 60, 4);
    small = rate_of(1, 60, 2);
    memset(&state, 0, sizeof(state));

    CHECK_INT(burst_of(&large, 1000, &state, 100), 5);

    for (i = 0; i < 100; i++) {
        CHECK_INT(burst_of(&small, 1000, &state, 1), 0);
        CHECK_INT(burst_of(&large, 1000, &state, 1), 0);
        pu_rate_spend(&small, 1000, &state);
        CHECK_INT(burst_of(&large, 1000, &state, 1), 0);
    }
}


/* As many requests of one rate are as many of another. */

static void
rate_changes(void)
{
    size_t                  i;
    pu_rate_t               one, other;
    pu_left_t               left;
    pu_rate_state_t         state;
    static const pu_rate_t  rates[] = {
        { 1, 60, 9 }, { 7, 1, 9 }, { 333, 60, 9 }, { 1, 1, 9 },
        { 30, 60, 9 }, { 100, 1, 9 }
    };

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]) - 1; i++) {
        one = rates[i];
        other = rates[i + 1];
        memset(&state, 0, sizeof(state));

        CHECK_INT(burst_of(&one, 5000, &state, 4), 4);
        CHECK(pu_rate_take(&other, 5000, &state, &left));
        CHECK_INT(left.remaining, 5);
        CHECK_INT(burst_of(&one, 5000, &state, 100), 5);
        CHECK_INT(burst_of(&other, 5000, &state, 100), 0);
    }

    one = rate_of(PU_RATE_MAX, 1, PU_RATE_MAX);
    other = rate_of(1, 60, PU_RATE_MAX);
    memset(&state, 0, sizeof(state));

    CHECK_INT(burst_of(&one, 5000, &state, PU_RATE_MAX), PU_RATE_MAX);
    CHECK(pu_rate_take(&other, 5000, &state, &left));
    CHECK(left.remaining <= 1);
    CHECK_INT(burst_of(&other, 5000, &state, 100), (int) left.remaining);
}


static void
rate_spend(void)
{
    int              i;
    pu_rate_t        rate;
    pu_left_t        left;
    pu_rate_state_t  state;

    rate = rate_of(30, 60, 2);
    memset(&state, 0, sizeof(state));

    for (i = 0; i < 3; i++) {
        CHECK(pu_rate_open(&rate, 1000, &state, &left));
        pu_rate_spend(&rate, 1000, &state);
    }

    CHECK(!pu_rate_open(&rate, 1000, &state, &left));
    CHECK_INT(left.reset, 2);

    /* spending what is not there does not make it longer */
    for (i = 0; i < 1000; i++) {
        pu_rate_spend(&rate, 1000, &state);
    }

    CHECK(!pu_rate_open(&rate, 2999, &state, &left));
    CHECK(pu_rate_open(&rate, 3000, &state, &left));
}


static void
periods(void)
{
    size_t  i;

    static const struct {
        pu_period_t  period;
        int64_t      now;
        int64_t      start;
        int64_t      length;
    } cases[] = {
        { PU_PERIOD_MINUTE, 1700000039, 1699999980, 60 },
        { PU_PERIOD_MINUTE, 1700000040, 1700000040, 60 },
        { PU_PERIOD_HOUR, 1700000040, 1699999200, 3600 },
        { PU_PERIOD_DAY, 1700000040, 1699920000, DAY },
        { PU_PERIOD_MONTH, 0, 0, 31 * DAY },
        { PU_PERIOD_MONTH, 1700000040, 1698796800, 30 * DAY },
        { PU_PERIOD_MONTH, 1698796799, 1696118400, 31 * DAY },
        { PU_PERIOD_MONTH, 1709251199, 1706745600, 29 * DAY },  /* 2024-02 */
        { PU_PERIOD_MONTH, 1709251200, 1709251200, 31 * DAY },  /* 2024-03 */
        { PU_PERIOD_MONTH, 1740787199, 1738368000, 28 * DAY },  /* 2025-02 */
        { PU_PERIOD_MONTH, 1735689599, 1733011200, 31 * DAY },  /* 2024-12 */
        { PU_PERIOD_MONTH, 1735689600, 1735689600, 31 * DAY },  /* 2025-01 */
        { PU_PERIOD_MONTH, 4107542399, 4105123200, 28 * DAY },  /* 2100-02 */
        { PU_PERIOD_MONTH, 951825600, 949363200, 29 * DAY }     /* 2000-02 */
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(pu_period_start(cases[i].period, cases[i].now),
                  cases[i].start);
        CHECK_INT(pu_period_length(cases[i].period, cases[i].start),
                  cases[i].length);
    }
}


static int
taken_alone(const pu_quota_t *quota, int64_t now, pu_quota_state_t *state,
    int tries)
{
    int        i, taken;
    pu_left_t  left;

    for (taken = 0, i = 0; i < tries; i++) {
        taken += pu_quota_take(quota, now, 1, state, &left) == PU_TAKE_OK;
    }

    return taken;
}


static void
quota_alone(void)
{
    pu_left_t         left;
    pu_quota_t        quota;
    pu_quota_state_t  state;

    quota = (pu_quota_t) { 5, PU_PERIOD_MINUTE };
    memset(&state, 0, sizeof(state));

    CHECK_INT(pu_quota_take(&quota, 1700000041, 1, &state, &left),
              PU_TAKE_OK);
    CHECK_INT(left.remaining, 4);
    CHECK_INT(left.reset, 59);
    CHECK_INT(taken_alone(&quota, 1700000099, &state, 10), 4);
    CHECK_INT(pu_quota_take(&quota, 1700000099, 1, &state, &left),
              PU_TAKE_NONE);
    CHECK_INT(left.remaining, 0);
    CHECK_INT(left.reset, 1);
    CHECK_INT(taken_alone(&quota, 1700000100, &state, 10), 5);
}


/* The counter as Redis keeps it, and nodes that lease from it. */

static pu_take_t
node_take(const pu_quota_t *quota, int64_t now, pu_quota_state_t *state,
    int64_t *counter)
{
    int64_t    debt, chunk, granted;
    pu_take_t  rc;
    pu_left_t  left;

    rc = pu_quota_take(quota, now, 0, state, &left);

    if (rc != PU_TAKE_ASK) {
        return rc;
    }

    debt = state->used - state->leased;
    chunk = pu_quota_chunk(quota);
    *counter += debt + chunk;

    granted = pu_quota_granted(quota, chunk, *counter);
    *counter -= chunk - granted;

    pu_quota_lease(state, state->start, debt, granted, *counter);

    rc = pu_quota_take(quota, now, 0, state, &left);
    CHECK(rc != PU_TAKE_ASK);

    return rc;
}


static void
quota_nodes(void)
{
    int               i, k, taken;
    int64_t           counter;
    pu_quota_t        quota;
    pu_quota_state_t  node[3];

    /* one node is exact, whatever the chunk */

    for (i = 1; i < 3000; i += 7) {
        quota = (pu_quota_t) { i, PU_PERIOD_HOUR };
        memset(node, 0, sizeof(node));
        counter = 0;
        taken = 0;

        for (k = 0; k < i + 50; k++) {
            taken += node_take(&quota, 1700000041, &node[0], &counter)
                     == PU_TAKE_OK;
        }

        CHECK_INT(taken, i);
        CHECK_INT(counter, i);
    }

    /* several never give more, and less by what others have leased */

    quota = (pu_quota_t) { 1000, PU_PERIOD_HOUR };
    memset(node, 0, sizeof(node));
    counter = 0;
    taken = 0;

    for (k = 0; k < 3; k++) {
        taken += node_take(&quota, 1700000041, &node[k], &counter)
                 == PU_TAKE_OK;
    }

    for (k = 0; k < 2000; k++) {
        taken += node_take(&quota, 1700000041, &node[0], &counter)
                 == PU_TAKE_OK;
    }

    CHECK_INT(taken, 1000 - 2 * 9);
    CHECK_INT(counter, 1000);
}


/* The counter is away for a while; what was used meanwhile is made good. */

static void
quota_away(void)
{
    int               i, taken;
    int64_t           counter;
    pu_quota_t        quota;
    pu_quota_state_t  node;

    quota = (pu_quota_t) { 300, PU_PERIOD_DAY };
    memset(&node, 0, sizeof(node));
    counter = 100;
    taken = 0;

    CHECK_INT(node_take(&quota, 1700000041, &node, &counter), PU_TAKE_OK);
    CHECK_INT(counter, 103);

    /* those of the others count for what was last heard of them */

    CHECK_INT(taken_alone(&quota, 1700000041, &node, 50), 50);
    CHECK_INT(node.used, 51);

    for (i = 0; i < 1000; i++) {
        taken += node_take(&quota, 1700000041, &node, &counter)
                 == PU_TAKE_OK;
    }

    CHECK_INT(taken, 149);
    CHECK_INT(counter, 300);
    CHECK_INT(taken_alone(&quota, 1700000041, &node, 50), 0);
}


/* Every sixth hour of 40 years: no day of a month is another's. */

static void
quota_months(void)
{
    int64_t           now;
    pu_left_t         left;
    pu_quota_t        quota;
    pu_quota_state_t  state;

    quota = (pu_quota_t) { 1000, PU_PERIOD_MONTH };
    memset(&state, 0, sizeof(state));

    for (now = 1700000041; now < 1700000041ll + 40 * 365 * DAY;
         now += DAY / 4)
    {
        (void) pu_quota_take(&quota, now, 1, &state, &left);

        CHECK_INT(state.start, pu_period_start(PU_PERIOD_MONTH, now));
        CHECK_INT(now + left.reset, state.start
                  + pu_period_length(PU_PERIOD_MONTH, state.start));
    }

    /* and the clock may go back */

    now = 1700000041;
    (void) pu_quota_take(&quota, now, 1, &state, &left);
    CHECK_INT(state.start, pu_period_start(PU_PERIOD_MONTH, now));
}


static void
quota_changes(void)
{
    pu_left_t         left;
    pu_quota_t        quota, more;
    pu_quota_state_t  state;

    quota = (pu_quota_t) { 10, PU_PERIOD_DAY };
    more = (pu_quota_t) { 20, PU_PERIOD_DAY };
    memset(&state, 0, sizeof(state));

    CHECK_INT(taken_alone(&quota, 1700000041, &state, 99), 10);
    CHECK_INT(taken_alone(&more, 1700000041, &state, 99), 10);
    CHECK_INT(taken_alone(&quota, 1700000041, &state, 99), 0);

    /* a lease that arrives after its period has ended is nobody's */

    pu_quota_lease(&state, state.start - DAY, 0, 5, 5);
    CHECK_INT(state.leased, 0);

    /* the clock goes back over midnight: a period of its own */

    CHECK_INT(pu_quota_take(&quota, 1700000041 - DAY, 1, &state, &left),
              PU_TAKE_OK);
}


static void
quota_granted(void)
{
    pu_left_t         left;
    pu_quota_t        quota;
    pu_quota_state_t  state;

    quota = (pu_quota_t) { 1000, PU_PERIOD_DAY };
    CHECK_INT(pu_quota_chunk(&quota), 10);
    CHECK_INT(pu_quota_granted(&quota, 10, 10), 10);
    CHECK_INT(pu_quota_granted(&quota, 10, 1000), 10);
    CHECK_INT(pu_quota_granted(&quota, 10, 1003), 7);
    CHECK_INT(pu_quota_granted(&quota, 10, 1010), 0);
    CHECK_INT(pu_quota_granted(&quota, 10, 1020), 0);

    /* somebody has set the counter */
    CHECK_INT(pu_quota_granted(&quota, 10, 9), 10);
    CHECK_INT(pu_quota_granted(&quota, 10, -5), 10);
    CHECK_INT(pu_quota_granted(&quota, 10, INT64_MIN), 10);
    CHECK_INT(pu_quota_granted(&quota, 10, INT64_MAX), 0);

    memset(&state, 0, sizeof(state));
    pu_quota_lease(&state, 0, 0, 10, INT64_MIN);
    CHECK_INT(pu_quota_take(&quota, 5, 0, &state, &left), PU_TAKE_OK);
    pu_quota_lease(&state, 0, 0, 0, INT64_MAX);
    CHECK_INT(pu_quota_take(&quota, 5, 0, &state, &left), PU_TAKE_NONE);

    quota.n = 1;
    CHECK_INT(pu_quota_chunk(&quota), 1);
    quota.n = PU_QUOTA_MAX;
    CHECK_INT(pu_quota_chunk(&quota), 1000);
}


static void
arg_is(const pu_args_t *args, int i, const char *expected)
{
    CHECK(i < args->argc);
    CHECK_STR(((pu_str_t) { args->len[i], (const uint8_t *) args->argv[i] }),
              expected);
}


static void
quota_commands(void)
{
    pu_args_t  args;
    pu_str_t   user;

    user = pu_str("u_AbCdEfGhIjKlMnOpQrStUv");

    pu_command_quota_add(&args, pu_str("pu"), user, PU_PERIOD_MONTH,
                         1698796800, -7);
    CHECK_INT(args.argc, 3);
    arg_is(&args, 0, "INCRBY");
    arg_is(&args, 1,
           "{pu}:quota:u_AbCdEfGhIjKlMnOpQrStUv:month:1698796800");
    arg_is(&args, 2, "-7");

    pu_command_quota_expire(&args, pu_str("pu"), user, PU_PERIOD_MINUTE, 60,
                            61);
    CHECK_INT(args.argc, 3);
    arg_is(&args, 0, "EXPIRE");
    arg_is(&args, 1, "{pu}:quota:u_AbCdEfGhIjKlMnOpQrStUv:minute:60");
    arg_is(&args, 2, "61");
}


static void
headers(void)
{
    char         text[PU_LIMIT_TEXT_MAX];
    pu_buf_t     b;
    pu_left_t    left[PU_LIMIT_KINDS];
    pu_rate_t    rate;
    pu_limits_t  limits;

    memset(&limits, 0, sizeof(limits));
    memset(left, 0, sizeof(left));

    limits.rate = rate_of(30, 60, 5);
    left[PU_LIMIT_RATE] = (pu_left_t) { 5, 2 };

    pu_buf_init(&b, text, sizeof(text));
    pu_limits_policy(&b, &limits, 1709251199);
    CHECK_STR(pu_buf_written(&b), "\"rate\";q=30;w=60");

    pu_buf_init(&b, text, sizeof(text));
    pu_limits_left(&b, left);
    CHECK_STR(pu_buf_written(&b), "\"rate\";r=5;t=2");

    limits.quota = (pu_quota_t) { 1000, PU_PERIOD_MONTH };
    limits.concurrency = 4;
    left[PU_LIMIT_QUOTA] = (pu_left_t) { 999, 1 };
    left[PU_LIMIT_CONCURRENCY] = (pu_left_t) { 3, 1 };

    pu_buf_init(&b, text, sizeof(text));
    pu_limits_policy(&b, &limits, 1709251199);
    CHECK_STR(pu_buf_written(&b), "\"rate\";q=30;w=60, "
              "\"quota\";q=1000;w=2505600, "
              "\"concurrency\";q=4;qu=\"concurrent-requests\"");

    pu_buf_init(&b, text, sizeof(text));
    pu_limits_left(&b, left);
    CHECK_STR(pu_buf_written(&b), "\"rate\";r=5;t=2, \"quota\";r=999;t=1, "
              "\"concurrency\";r=3");

    rate = rate_of(30, 60, 30);
    left[0] = (pu_left_t) { 0, 2 };

    pu_buf_init(&b, text, sizeof(text));
    pu_guard_policy(&b, &rate);
    CHECK_STR(pu_buf_written(&b), "\"failures\";q=30;w=60");

    pu_buf_init(&b, text, sizeof(text));
    pu_guard_left(&b, left);
    CHECK_STR(pu_buf_written(&b), "\"failures\";r=0;t=2");

    /* the longest there can be */

    limits.rate = rate_of(PU_RATE_MAX, 60, PU_RATE_MAX);
    limits.quota = (pu_quota_t) { PU_QUOTA_MAX, PU_PERIOD_MONTH };
    limits.concurrency = PU_CONCURRENCY_MAX;
    left[0] = left[1] = left[2] = (pu_left_t) { PU_QUOTA_MAX, 31 * DAY };

    pu_buf_init(&b, text, sizeof(text));
    pu_limits_policy(&b, &limits, 0);
    CHECK(!b.full);

    pu_buf_init(&b, text, sizeof(text));
    pu_limits_left(&b, left);
    CHECK(!b.full);
}


/* Profiles as nginx reads them: "role: line; line". */

static pu_profile_t   items[4];
static pu_profiles_t  profiles;

static void
profile(const char *role, const char *lines)
{
    size_t       n;
    char         err[PU_ERROR_SIZE];
    pu_str_t     rest, word, words[8];

    CHECK(pu_profile_init(&items[profiles.n], pu_str(role), err));

    rest = pu_str(lines);
    n = 0;

    while (pu_word_next(&rest, &word)) {

        if (!pu_str_is(word, ";")) {
            words[n++] = word;
            continue;
        }

        CHECK(pu_profile_set(&items[profiles.n], words, n, err));
        n = 0;
    }

    profiles.n++;
}


static void
generous(void)
{
    char         err[PU_ERROR_SIZE];
    pu_limits_t  limits;

    profiles.items = items;
    profile("none", "methods GET ;");
    profile("slow", "rate 10r/m burst=5 ; quota 100 per hour ; "
            "concurrency 2 ;");
    profile("fast", "rate 1r/s ; quota 2000 per day ;");
    profile("wide", "rate 60r/m burst=9 ; quota 1 per minute ; "
            "concurrency 7 ;");
    CHECK(pu_profiles_finish(&profiles, NULL, NULL, err));

    CHECK(!pu_limits_find(&limits, &profiles, pu_str("")));
    CHECK(!pu_limits_find(&limits, &profiles, pu_str("none other")));

    CHECK(pu_limits_find(&limits, &profiles, pu_str("none slow")));
    CHECK_INT(limits.rate.n, 10);
    CHECK_INT(limits.rate.burst, 5);
    CHECK_INT(limits.quota.n, 100);
    CHECK_INT(limits.concurrency, 2);

    /* fast has no concurrency: it does not lift that of slow */

    CHECK(pu_limits_find(&limits, &profiles, pu_str("fast none slow")));
    CHECK_INT(limits.rate.n, 1);
    CHECK_INT(limits.rate.seconds, 1);
    CHECK_INT(limits.quota.n, 100);
    CHECK_INT(limits.concurrency, 2);

    /* as fast, and more at once */

    CHECK(pu_limits_find(&limits, &profiles, pu_str("fast slow wide")));
    CHECK_INT(limits.rate.n, 60);
    CHECK_INT(limits.rate.burst, 9);
    CHECK_INT(limits.quota.n, 100);
    CHECK_INT(limits.concurrency, 7);
}


static const unit_test_t  tests[] = {
    UNIT(rate_burst),
    UNIT(rate_exact),
    UNIT(rate_largest),
    UNIT(rate_left),
    UNIT(rate_strange),
    UNIT(rate_changes),
    UNIT(rate_exploit),
    UNIT(rate_spend),
    UNIT(periods),
    UNIT(quota_alone),
    UNIT(quota_nodes),
    UNIT(quota_away),
    UNIT(quota_months),
    UNIT(quota_changes),
    UNIT(quota_granted),
    UNIT(quota_commands),
    UNIT(headers),
    UNIT(generous)
};

UNIT_MAIN(tests)
