/*
 * pu_profile: reads the block of a profile.
 *
 * A table of directives, as pu_issuer has one.  What the profiles mean
 * together, and for a role line, is in pu_inherit.c.
 */

#include <stdarg.h>
#include <stdio.h>

#include "pu_profile.h"


#define PU_MAX_GRANT_MAX   (100 * 365 * 24 * 3600LL)
#define PU_VALUE_SHOWN     100
#define PU_ARGS_ANY        SIZE_MAX


typedef struct {
    const char  *name;
    unsigned     bit;
    size_t       min;
    size_t       max;
    int        (*set)(pu_profile_t *profile, const pu_str_t *args, size_t n,
                      char *err);
} pu_line_rule_t;


static int pu_profile_methods(pu_profile_t *profile, const pu_str_t *args,
    size_t n, char *err);
static int pu_profile_inherit(pu_profile_t *profile, const pu_str_t *args,
    size_t n, char *err);
static int pu_profile_rate(pu_profile_t *profile, const pu_str_t *args,
    size_t n, char *err);
static int pu_profile_quota(pu_profile_t *profile, const pu_str_t *args,
    size_t n, char *err);
static int pu_profile_concurrency(pu_profile_t *profile,
    const pu_str_t *args, size_t n, char *err);
static int pu_profile_max_grant(pu_profile_t *profile, const pu_str_t *args,
    size_t n, char *err);


static const pu_line_rule_t  pu_profile_lines[] = {
    { "methods", PU_PROFILE_METHODS, 1, PU_ARGS_ANY,
      pu_profile_methods },
    { "inherit", PU_PROFILE_INHERIT, 1, PU_INHERIT_MAX,
      pu_profile_inherit },
    { "rate", PU_PROFILE_RATE, 1, 2, pu_profile_rate },
    { "quota", PU_PROFILE_QUOTA, 3, 3, pu_profile_quota },
    { "concurrency", PU_PROFILE_CONCURRENCY, 1, 1,
      pu_profile_concurrency },
    { "max_grant", PU_PROFILE_MAX_GRANT, 1, 1,
      pu_profile_max_grant }
};

#define PU_PROFILE_LINES                                                      \
    (sizeof(pu_profile_lines) / sizeof(pu_profile_lines[0]))


static int
pu_profile_fail(char *err, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    vsnprintf(err, PU_ERROR_SIZE, format, args);
    va_end(args);

    return 0;
}


static int
pu_profile_wrong(char *err, const char *directive, pu_str_t value,
    const char *allowed)
{
    if (value.len > PU_VALUE_SHOWN) {
        value.len = PU_VALUE_SHOWN;
    }

    return pu_profile_fail(err, "\"%s\" has the value \"%.*s\", allowed is "
                           "%s", directive, PU_STR_FMT(value), allowed);
}


/* A plain number between the bounds: digits, no sign. */

static int
pu_profile_number(pu_str_t s, int64_t min, int64_t max, int64_t *n)
{
    return s.len != 0 && s.data[0] >= '0' && s.data[0] <= '9'
           && pu_str_int(s, n) && *n >= min && *n <= max;
}


int
pu_profile_init(pu_profile_t *profile, pu_str_t role,
    char err[PU_ERROR_SIZE])
{
    memset(profile, 0, sizeof(pu_profile_t));

    profile->role = role;

    if (!pu_role_name(role)) {
        return pu_profile_wrong(err, "proxy_user_profile", role,
                                "a role name: 1 to 64 of A-Za-z0-9_.:/- with "
                                "at least one lower-case letter or digit");
    }

    return 1;
}


int
pu_profile_set(pu_profile_t *profile, const pu_str_t *words, size_t n,
    char err[PU_ERROR_SIZE])
{
    size_t                 i, shown;
    const pu_line_rule_t  *line;

    for (i = 0; i < PU_PROFILE_LINES; i++) {
        if (pu_str_is(words[0], pu_profile_lines[i].name)) {
            break;
        }
    }

    if (i == PU_PROFILE_LINES) {
        shown = (words[0].len > PU_VALUE_SHOWN) ? PU_VALUE_SHOWN
                                                : words[0].len;

        return pu_profile_fail(err, "unknown directive \"%.*s\" in a profile, "
                               "allowed are methods, inherit, rate, quota, "
                               "concurrency and max_grant", (int) shown,
                               (const char *) words[0].data);
    }

    line = &pu_profile_lines[i];

    if (profile->seen & line->bit) {
        return pu_profile_fail(err, "\"%s\" directive is duplicate",
                               line->name);
    }

    if (n - 1 < line->min) {
        return pu_profile_fail(err, "\"%s\" has %zu values, needed are at "
                               "least %zu", line->name, n - 1, line->min);
    }

    if (n - 1 > line->max) {
        return pu_profile_fail(err, "\"%s\" has %zu values, allowed are at "
                               "most %zu", line->name, n - 1, line->max);
    }

    profile->seen |= line->bit;

    return line->set(profile, words + 1, n - 1, err);
}


static int
pu_profile_methods(pu_profile_t *profile, const pu_str_t *args, size_t n,
    char *err)
{
    size_t    i;
    uint32_t  permits;

    for (i = 0; i < n; i++) {
        permits = pu_method_permits(args[i]);

        if (permits == 0) {
            return pu_profile_wrong(err, "methods", args[i],
                                    "one or more of " PU_METHOD_WORDS);
        }

        profile->methods |= permits;
    }

    return 1;
}


static int
pu_profile_inherit(pu_profile_t *profile, const pu_str_t *args, size_t n,
    char *err)
{
    size_t  i, k;

    for (i = 0; i < n; i++) {

        if (!pu_role_name(args[i])) {
            return pu_profile_wrong(err, "inherit", args[i],
                                    "one or more role names");
        }

        for (k = 0; k < i; k++) {
            if (pu_str_eq(args[k], args[i])) {
                return pu_profile_wrong(err, "inherit", args[i],
                                        "each role once");
            }
        }

        profile->inherits[profile->ninherits++] = args[i];
    }

    return 1;
}


/* Takes the unit off when it is this one. */

static int
pu_profile_unit(pu_str_t *s, const char *unit)
{
    size_t  len;

    len = strlen(unit);

    if (s->len < len || memcmp(s->data + s->len - len, unit, len) != 0) {
        return 0;
    }

    s->len -= len;

    return 1;
}


static int
pu_profile_rate(pu_profile_t *profile, const pu_str_t *args, size_t n,
    char *err)
{
    pu_str_t    s;
    pu_rate_t  *rate;

    rate = &profile->rate;
    s = args[0];

    if (pu_profile_unit(&s, "r/s")) {
        rate->seconds = 1;

    } else if (pu_profile_unit(&s, "r/m")) {
        rate->seconds = 60;

    } else {
        s.len = 0;
    }

    if (!pu_profile_number(s, 1, PU_RATE_MAX, &rate->n)) {
        return pu_profile_wrong(err, "rate", args[0],
                                "a number from 1 to 1000000 and \"r/s\" or "
                                "\"r/m\", as 10r/s, then burst=N");
    }

    if (n == 1) {
        return 1;
    }

    s = args[1];

    if (pu_str_starts(s, "burst=")) {
        s.data += 6;
        s.len -= 6;

        if (pu_profile_number(s, 0, PU_RATE_MAX, &rate->burst)) {
            return 1;
        }
    }

    return pu_profile_wrong(err, "rate", args[1],
                            "burst= and a number from 0 to 1000000");
}


static int
pu_profile_quota(pu_profile_t *profile, const pu_str_t *args, size_t n,
    char *err)
{
    pu_period_t  period;

    (void) n;

    if (!pu_profile_number(args[0], 1, PU_QUOTA_MAX, &profile->quota.n)) {
        return pu_profile_wrong(err, "quota", args[0],
                                "a number from 1 to 1000000000000, then per "
                                "minute, hour, day or month");
    }

    if (!pu_str_is(args[1], "per")) {
        return pu_profile_wrong(err, "quota", args[1],
                                "\"per\" after the number");
    }

    for (period = PU_PERIOD_MINUTE; period <= PU_PERIOD_MONTH; period++) {
        if (pu_str_eq(args[2], pu_period_word(period))) {
            profile->quota.period = period;
            return 1;
        }
    }

    return pu_profile_wrong(err, "quota", args[2],
                            "minute, hour, day or month after \"per\"");
}


static int
pu_profile_concurrency(pu_profile_t *profile, const pu_str_t *args, size_t n,
    char *err)
{
    (void) n;

    if (!pu_profile_number(args[0], 1, PU_CONCURRENCY_MAX,
                           &profile->concurrency))
    {
        return pu_profile_wrong(err, "concurrency", args[0],
                                "a number from 1 to 1000000");
    }

    return 1;
}


static int
pu_profile_max_grant(pu_profile_t *profile, const pu_str_t *args, size_t n,
    char *err)
{
    (void) n;

    profile->max_grant = pu_str_duration(args[0]);

    if (profile->max_grant <= 0 || profile->max_grant > PU_MAX_GRANT_MAX) {
        return pu_profile_wrong(err, "max_grant", args[0],
                                "a time of whole seconds, at least 1s and at "
                                "most 100 years, as 30m or 8h");
    }

    return 1;
}


pu_str_t
pu_period_word(pu_period_t period)
{
    static const char *const  words[] = { "minute", "hour", "day", "month" };

    return pu_str(words[period]);
}
