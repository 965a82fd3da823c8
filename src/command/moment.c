/*
 * moment: reads times on the command line; see the header.
 */

#define _GNU_SOURCE                     /* strptime, timegm */

#include <stdio.h>
#include <time.h>

#include "moment.h"
#include "pu_str.h"


static int moment_date(const char *text, int64_t *seconds);


int
moment_read(const char *text, int64_t *seconds)
{
    pu_str_t  s;

    s = pu_str(text);

    /* up to the year 9999 */

    if (s.len != 0 && strspn(text, "0123456789") == s.len) {
        return pu_str_int(s, seconds) && *seconds <= 253402300799LL;
    }

    if (moment_date(text, seconds)) {
        return 1;
    }

    *seconds = pu_str_duration(s);

    if (*seconds < 1 || *seconds > 253402300799LL) {
        return 0;
    }

    *seconds = -*seconds;

    return 1;
}


/* RFC 3339: a date, or date, time and offset. */

static int
moment_date(const char *text, int64_t *seconds)
{
    int          end, hours, minutes;
    char         sign;
    time_t       t;
    struct tm    tm;
    const char  *rest;

    memset(&tm, 0, sizeof(tm));
    rest = strptime(text, "%Y-%m-%d", &tm);

    if (rest == NULL || rest - text != 10) {
        return 0;
    }

    hours = 0;
    minutes = 0;

    if (rest[0] != '\0') {

        if (rest[0] != 'T' && rest[0] != 't' && rest[0] != ' ') {
            return 0;
        }

        rest = strptime(rest + 1, "%H:%M:%S", &tm);

        if (rest == NULL) {
            return 0;
        }

        if (rest[0] == '.') {
            rest += 1 + strspn(rest + 1, "0123456789");
        }

        if (strcmp(rest, "Z") != 0 && strcmp(rest, "z") != 0) {

            if (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &end)
                != 3 || rest[end] != '\0' || (sign != '+' && sign != '-')
                || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
            {
                return 0;
            }

            if (sign == '-') {
                hours = -hours;
                minutes = -minutes;
            }
        }
    }

    t = timegm(&tm);

    if (t < 0) {
        return 0;
    }

    *seconds = (int64_t) t - hours * 3600 - minutes * 60;

    return *seconds >= 0;
}
