/*
 * lines: standard input, a line at a time, in one buffer of fixed size.
 */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lines.h"


static int lines_fill(lines_t *lines);
static line_t lines_take(lines_t *lines, size_t len, size_t next,
    pu_str_t *line);


void
lines_init(lines_t *lines, size_t max)
{
    lines->max = max;
    lines->start = 0;
    lines->end = 0;
    lines->eof = 0;
    lines->skipping = 0;
}


line_t
lines_next(lines_t *lines, pu_str_t *line)
{
    size_t          len;
    const uint8_t  *p, *lf;

    for ( ;; ) {
        p = lines->data + lines->start;
        len = lines->end - lines->start;
        lf = memchr(p, '\n', len);

        if (lf != NULL) {
            return lines_take(lines, (size_t) (lf - p), 1, line);
        }

        if (lines->eof) {
            return (len != 0 || lines->skipping)
                   ? lines_take(lines, len, 0, line) : LINE_END;
        }

        /* one more than it may have: that can still be the CR of its end */

        if (len > lines->max + 1) {
            lines->skipping = 1;
        }

        if (lines->skipping) {
            lines->start = lines->end;
        }

        if (!lines_fill(lines)) {
            return LINE_FAILED;
        }
    }
}


/* "next" is 1 where a LF follows the line. */

static line_t
lines_take(lines_t *lines, size_t len, size_t next, pu_str_t *line)
{
    int  skipped;

    line->data = lines->data + lines->start;
    line->len = len;

    lines->start += len + next;

    skipped = lines->skipping;
    lines->skipping = 0;

    if (line->len != 0 && line->data[line->len - 1] == '\r') {
        line->len--;
    }

    return (skipped || line->len > lines->max) ? LINE_TOO_LONG : LINE_READ;
}


static int
lines_fill(lines_t *lines)
{
    ssize_t  n;

    if (lines->start != 0) {
        lines->end -= lines->start;
        memmove(lines->data, lines->data + lines->start, lines->end);
        lines->start = 0;
    }

    fflush(stdout);

    do {
        n = read(STDIN_FILENO, lines->data + lines->end,
                 LINES_SIZE - lines->end);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        return 0;
    }

    lines->eof = (n == 0);
    lines->end += (size_t) n;

    return 1;
}
