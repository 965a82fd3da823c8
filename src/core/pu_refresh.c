/*
 * pu_refresh: when keys are asked for, and how long an answer is fresh.
 */

#include "pu_refresh.h"


#define PU_FRESH_MAX  (365 * 24 * 3600LL)       /* RFC 9111 section 1.2.2 */


int
pu_refresh_busy(const pu_refresh_t *refresh, int64_t now, int64_t timeout)
{
    return refresh->holder != 0
           && now - refresh->begun < timeout + PU_REFRESH_GRACE;
}


static pu_refresh_say_t
pu_refresh_begin(pu_refresh_t *refresh, int64_t now, int64_t holder)
{
    refresh->begun = now;
    refresh->holder = holder;

    return PU_REFRESH_YOURS;
}


pu_refresh_say_t
pu_refresh_tick(pu_refresh_t *refresh, int64_t now, int64_t timeout,
    int64_t holder)
{
    if (pu_refresh_busy(refresh, now, timeout)) {
        return PU_REFRESH_WAIT;
    }

    if (refresh->ended != 0 && now < refresh->due) {
        return PU_REFRESH_NO;
    }

    return pu_refresh_begin(refresh, now, holder);
}


pu_refresh_say_t
pu_refresh_unknown_kid(pu_refresh_t *refresh, int64_t now, int64_t timeout,
    int64_t holder)
{
    if (pu_refresh_busy(refresh, now, timeout)) {
        return PU_REFRESH_WAIT;
    }

    if (refresh->kid_asked && now - refresh->kid < PU_REFRESH_KID) {
        return PU_REFRESH_NO;
    }

    refresh->kid = now;
    refresh->kid_asked = 1;

    return pu_refresh_begin(refresh, now, holder);
}


/* 1 when it was "holder"'s attempt. */
static int
pu_refresh_end(pu_refresh_t *refresh, int64_t holder)
{
    if (refresh->holder != holder) {
        return 0;
    }

    refresh->holder = 0;
    refresh->ended++;

    return 1;
}


int
pu_refresh_good(pu_refresh_t *refresh, int64_t now, int64_t holder,
    int64_t fresh, int changed)
{
    int64_t  ms;

    if (!pu_refresh_end(refresh, holder)) {
        return 0;
    }

    ms = (fresh < 0) ? 0 : fresh * 1000;

    if (ms < PU_REFRESH_MIN) {
        ms = PU_REFRESH_MIN;
    }

    if (ms > PU_REFRESH_MAX) {
        ms = PU_REFRESH_MAX;
    }

    refresh->failed = 0;
    refresh->good = refresh->begun;
    refresh->due = now + ms;

    if (changed) {
        refresh->set++;
    }

    return 1;
}


int
pu_refresh_bad(pu_refresh_t *refresh, int64_t now, int64_t holder)
{
    int64_t   pause;
    uint32_t  i;

    if (!pu_refresh_end(refresh, holder)) {
        return 0;
    }

    pause = PU_REFRESH_PAUSE;

    for (i = 0; i < refresh->failed && pause < PU_REFRESH_PAUSE_MAX; i++) {
        pause *= 2;
    }

    if (pause > PU_REFRESH_PAUSE_MAX) {
        pause = PU_REFRESH_PAUSE_MAX;
    }

    refresh->failed++;
    refresh->due = now + pause;

    return 1;
}


void
pu_refresh_leave(pu_refresh_t *refresh, int64_t holder)
{
    if (refresh->holder == holder) {
        refresh->holder = 0;
    }
}


void
pu_refresh_lost(pu_refresh_t *refresh, uint64_t set)
{
    if (refresh->set == set && refresh->failed == 0) {
        refresh->due = 0;
    }
}


int
pu_refresh_usable(const pu_refresh_t *refresh, int64_t now)
{
    return refresh->set != 0 && now - refresh->good < PU_REFRESH_KEEP;
}


static pu_str_t
pu_trim(pu_str_t s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len != 0
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
    {
        s.len--;
    }

    return s;
}


/*
 * The next of a list parted by commas; a comma within quotes parts nothing.
 * 1, or 0 at the end.
 */
static int
pu_list_next(pu_str_t *rest, pu_str_t *item)
{
    int     quoted;
    size_t  i;

    if (rest->len == 0) {
        return 0;
    }

    quoted = 0;

    for (i = 0; i < rest->len; i++) {
        if (rest->data[i] == '"') {
            quoted = !quoted;

        } else if (rest->data[i] == ',' && !quoted) {
            break;
        }
    }

    *item = pu_trim((pu_str_t) { i, rest->data });

    i += (i < rest->len);
    rest->data += i;
    rest->len -= i;

    return 1;
}


/* RFC 9111 section 1.2.2; -1 for what is no such number. */
static int64_t
pu_delta_seconds(pu_str_t s)
{
    size_t   i;
    int64_t  n;

    s = pu_trim(s);

    if (s.len >= 2 && s.data[0] == '"' && s.data[s.len - 1] == '"') {
        s.data++;
        s.len -= 2;
    }

    if (s.len == 0) {
        return -1;
    }

    n = 0;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return -1;
        }

        n = n * 10 + (s.data[i] - '0');

        if (n > PU_FRESH_MAX) {
            n = PU_FRESH_MAX;
        }
    }

    return n;
}


int64_t
pu_refresh_fresh(pu_str_t cache_control, pu_str_t age)
{
    int64_t         fresh, n;
    pu_str_t        item, name;
    const uint8_t  *equal;

    fresh = -1;

    while (pu_list_next(&cache_control, &item)) {
        equal = (item.len == 0) ? NULL : memchr(item.data, '=', item.len);

        name = item;
        name.len = (equal == NULL) ? item.len : (size_t) (equal - item.data);

        if (pu_str_case_eq(name, PU_STR("no-store"))
            || pu_str_case_eq(name, PU_STR("no-cache")))
        {
            return 0;
        }

        if (equal == NULL || !pu_str_case_eq(name, PU_STR("max-age"))) {
            continue;
        }

        /* of two the smaller; what is no number is no time at all */

        n = pu_delta_seconds((pu_str_t) { item.len - name.len - 1,
                                          equal + 1 });
        n = (n == -1) ? 0 : n;
        fresh = (fresh == -1 || n < fresh) ? n : fresh;
    }

    n = pu_delta_seconds(age);

    if (fresh > 0 && n > 0) {
        fresh = (n < fresh) ? fresh - n : 0;
    }

    return fresh;
}
