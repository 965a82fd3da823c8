/*
 * pu_limit: the arithmetic of limits; see the header.
 *
 * Times are whole nanoseconds, so that seven requests a second are seven and
 * not seven point something.  The clock moves in steps, though: a request may
 * be one of them too early, or a rate that is faster than the steps could not
 * be reached.  The state does not follow, so that in the long run the rate is
 * what is configured.
 */

#include "pu_limit.h"


#define PU_NS            1000000000ull
#define PU_NS_MS         1000000ull
#define PU_NS_US         1000ull
#define PU_RATE_SLACK    (4 * PU_NS_MS)  /* a step of the clock */
#define PU_RATE_FULL     (1000ull * (PU_RATE_MAX + 1))
#define PU_CHUNK_PART    100
#define PU_CHUNK_MAX     1000
#define PU_TOTAL_MAX     (1ll << 60)
#define PU_MONTH_LEAST   (28 * 86400)


/* Of a minute, an hour, a day; months differ. */
static const int64_t  pu_period_seconds[] = { 60, 3600, 86400 };


static uint64_t pu_rate_period(const pu_rate_t *rate);
static uint64_t pu_rate_most(const pu_rate_t *rate);
static uint64_t pu_rate_ahead(const pu_rate_t *rate, uint64_t now,
    const pu_rate_state_t *state);
static void pu_rate_move(const pu_rate_t *rate, uint64_t now, uint64_t ahead,
    pu_rate_state_t *state);
static void pu_rate_left(const pu_rate_t *rate, uint64_t ahead,
    pu_left_t *left);
static int64_t pu_month_start(int64_t day, int months);
static int64_t pu_quota_start(const pu_quota_t *quota, int64_t now,
    const pu_quota_state_t *state);
static void pu_limit_item(pu_buf_t *b, pu_str_t item, int64_t value);


int
pu_limits_find(pu_limits_t *limits, const pu_profiles_t *profiles,
    pu_str_t roles)
{
    pu_str_t             role;
    const pu_profile_t  *profile;

    memset(limits, 0, sizeof(pu_limits_t));

    while (pu_word_next(&roles, &role)) {
        profile = pu_profile_find(profiles, role);

        if (profile == NULL) {
            continue;
        }

        if (pu_rate_cmp(&profile->rate, &limits->rate) > 0) {
            limits->rate = profile->rate;
        }

        if (pu_quota_cmp(&profile->quota, &limits->quota) > 0) {
            limits->quota = profile->quota;
        }

        if (profile->concurrency > limits->concurrency) {
            limits->concurrency = profile->concurrency;
        }
    }

    return limits->rate.n || limits->quota.n || limits->concurrency;
}


static uint64_t
pu_rate_period(const pu_rate_t *rate)
{
    return (uint64_t) rate->seconds * PU_NS / (uint64_t) rate->n;
}


/* How far ahead a full burst and one more can bring the state. */

static uint64_t
pu_rate_most(const pu_rate_t *rate)
{
    return ((uint64_t) rate->burst + 1) * pu_rate_period(rate)
           + PU_RATE_SLACK;
}


/*
 * How far the state is ahead of the clock: more than "most" when another rate
 * has allowed more.
 */

static uint64_t
pu_rate_ahead(const pu_rate_t *rate, uint64_t now,
    const pu_rate_state_t *state)
{
    uint32_t  period;
    uint64_t  ahead;

    now *= PU_NS_MS;
    ahead = state->tat > now ? state->tat - now : 0;

    period = (uint32_t) (pu_rate_period(rate) / PU_NS_US);

    if (ahead != 0 && state->period != period && state->period != 0) {
        ahead /= state->period;                 /* thousandths of requests */
        ahead = ahead < PU_RATE_FULL ? ahead : PU_RATE_FULL;
        ahead *= period;
    }

    return ahead;
}


static void
pu_rate_move(const pu_rate_t *rate, uint64_t now, uint64_t ahead,
    pu_rate_state_t *state)
{
    state->tat = now * PU_NS_MS + ahead;
    state->period = (uint32_t) (pu_rate_period(rate) / PU_NS_US);
}


/* What may come at once, and when it will be one more. */

static void
pu_rate_left(const pu_rate_t *rate, uint64_t ahead, pu_left_t *left)
{
    uint64_t  period, most, wait;

    period = pu_rate_period(rate);
    most = pu_rate_most(rate);

    if (ahead > most) {
        left->remaining = 0;
        wait = ahead - most + period;

    } else {
        left->remaining = (most - ahead) / period;
        wait = period - (most - ahead - left->remaining * period);
    }

    left->reset = (int64_t) ((wait + PU_NS - 1) / PU_NS);
}


int
pu_rate_open(const pu_rate_t *rate, uint64_t now,
    const pu_rate_state_t *state, pu_left_t *left)
{
    pu_rate_left(rate, pu_rate_ahead(rate, now, state), left);

    return left->remaining != 0;
}


int
pu_rate_take(const pu_rate_t *rate, uint64_t now, pu_rate_state_t *state,
    pu_left_t *left)
{
    int       taken;
    uint64_t  ahead;

    ahead = pu_rate_ahead(rate, now, state);
    pu_rate_left(rate, ahead, left);

    taken = left->remaining != 0;

    /* a whole one less: when it will be one more stays the same */

    if (taken) {
        ahead += pu_rate_period(rate);
        left->remaining--;
    }

    pu_rate_move(rate, now, ahead, state);

    return taken;
}


void
pu_rate_spend(const pu_rate_t *rate, uint64_t now, pu_rate_state_t *state)
{
    uint64_t  ahead, most, next;

    ahead = pu_rate_ahead(rate, now, state);
    most = pu_rate_most(rate);
    next = ahead + pu_rate_period(rate);

    if (next > most) {
        next = ahead > most ? ahead : most;
    }

    pu_rate_move(rate, now, next, state);
}


int64_t
pu_period_start(pu_period_t period, int64_t now)
{
    if (period == PU_PERIOD_MONTH) {
        return pu_month_start(now / 86400, 0);
    }

    return now - now % pu_period_seconds[period];
}


int64_t
pu_period_length(pu_period_t period, int64_t start)
{
    if (period == PU_PERIOD_MONTH) {
        return pu_month_start(start / 86400, 1) - start;
    }

    return pu_period_seconds[period];
}


/*
 * The first second of the month that the day (since 1970, not before) is in,
 * or of one after it.  Years of March to February have the leap day last.
 */

static int64_t
pu_month_start(int64_t day, int months)
{
    int64_t  era, of_era, year, of_year, month;

    day += 719468;                              /* since 0000-03-01 */
    era = day / 146097;                         /* of 400 years */
    of_era = day % 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153 + months;   /* 0 is March */

    year += era * 400 + month / 12;
    month %= 12;

    day = year * 365 + year / 4 - year / 100 + year / 400
          + (153 * month + 2) / 5;

    return (day - 719468) * 86400;
}


/* The calendar is dear: for four weeks the state knows it as well. */

static int64_t
pu_quota_start(const pu_quota_t *quota, int64_t now,
    const pu_quota_state_t *state)
{
    if (quota->period == PU_PERIOD_MONTH && now >= state->start
        && now - state->start < PU_MONTH_LEAST)
    {
        return state->start;
    }

    return pu_period_start(quota->period, now);
}


pu_take_t
pu_quota_take(const pu_quota_t *quota, int64_t now, int alone,
    pu_quota_state_t *state, pu_left_t *left)
{
    int64_t  start, others;

    start = pu_quota_start(quota, now, state);

    if (state->start != start) {
        memset(state, 0, sizeof(pu_quota_state_t));
        state->start = start;
    }

    left->reset = start + pu_period_length(quota->period, start) - now;
    left->remaining = 0;

    others = state->total - state->leased;

    if (others + state->used >= quota->n) {
        return PU_TAKE_NONE;
    }

    if (!alone && state->used >= state->leased) {
        return PU_TAKE_ASK;
    }

    state->used++;
    left->remaining = quota->n - others - state->used;

    return PU_TAKE_OK;
}


int64_t
pu_quota_chunk(const pu_quota_t *quota)
{
    int64_t  chunk;

    chunk = quota->n / PU_CHUNK_PART;

    if (chunk < 1) {
        return 1;
    }

    return chunk < PU_CHUNK_MAX ? chunk : PU_CHUNK_MAX;
}


int64_t
pu_quota_granted(const pu_quota_t *quota, int64_t chunk, int64_t total)
{
    int64_t  left;

    if (total <= quota->n) {
        return chunk;
    }

    left = quota->n - (total - chunk);

    return left > 0 ? left : 0;
}


void
pu_quota_lease(pu_quota_state_t *state, int64_t start, int64_t debt,
    int64_t granted, int64_t total)
{
    if (state->start != start) {
        return;
    }

    state->leased += debt + granted;

    /* it comes from outside, and is reckoned with */

    state->total = total > PU_TOTAL_MAX ? PU_TOTAL_MAX : total;

    if (state->total < -PU_TOTAL_MAX) {
        state->total = -PU_TOTAL_MAX;
    }
}


void
pu_limits_policy(pu_buf_t *b, const pu_limits_t *limits, int64_t now)
{
    int64_t  start;

    if (limits->rate.n) {
        pu_limit_item(b, PU_STR("\"rate\";q="), limits->rate.n);
        pu_buf_text(b, ";w=");
        pu_buf_int(b, limits->rate.seconds);
    }

    if (limits->quota.n) {
        start = pu_period_start(limits->quota.period, now);

        pu_limit_item(b, PU_STR("\"quota\";q="), limits->quota.n);
        pu_buf_text(b, ";w=");
        pu_buf_int(b, pu_period_length(limits->quota.period, start));
    }

    if (limits->concurrency) {
        pu_limit_item(b, PU_STR("\"concurrency\";q="), limits->concurrency);
        pu_buf_text(b, ";qu=\"concurrent-requests\"");
    }
}


void
pu_limits_left(pu_buf_t *b, const pu_left_t left[PU_LIMIT_KINDS])
{
    size_t  i;

    static const pu_str_t  items[PU_LIMIT_KINDS] = {
        PU_STR("\"rate\";r="),
        PU_STR("\"quota\";r="),
        PU_STR("\"concurrency\";r=")
    };

    for (i = 0; i < PU_LIMIT_KINDS; i++) {

        if (left[i].reset == 0) {
            continue;
        }

        pu_limit_item(b, items[i], (int64_t) left[i].remaining);

        if (i != PU_LIMIT_CONCURRENCY) {
            pu_buf_text(b, ";t=");
            pu_buf_int(b, left[i].reset);
        }
    }
}


void
pu_guard_policy(pu_buf_t *b, const pu_rate_t *rate)
{
    pu_limit_item(b, PU_STR("\"failures\";q="), rate->n);
    pu_buf_text(b, ";w=");
    pu_buf_int(b, rate->seconds);
}


void
pu_guard_left(pu_buf_t *b, const pu_left_t *left)
{
    pu_limit_item(b, PU_STR("\"failures\";r="), (int64_t) left->remaining);
    pu_buf_text(b, ";t=");
    pu_buf_int(b, left->reset);
}


/* An item of a list (RFC 9651): its name and the first parameter. */

static void
pu_limit_item(pu_buf_t *b, pu_str_t item, int64_t value)
{
    if (b->pos != b->start) {
        pu_buf_text(b, ", ");
    }

    pu_buf_str(b, item);
    pu_buf_int(b, value);
}
