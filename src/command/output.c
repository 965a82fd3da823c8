/*
 * output: columns, JSON, times and errors of the command.
 *
 * Not what is shown, only how.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "output.h"


#define COLUMN_GAP  2


static void output_no_memory(void) __attribute__((noreturn));
static size_t output_char(pu_str_t s, size_t at, uint32_t *c);
static int output_steers(uint32_t c);
static size_t output_escaped(FILE *out, pu_str_t s, size_t at, size_t n,
    uint32_t c);
static size_t output_width(pu_str_t s);


int
fail(int code, const char *format, ...)
{
    char     text[2048];
    va_list  args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    /* what was printed so far stands before what went wrong */

    fflush(stdout);

    fputs("proxy-user: ", stderr);
    output_text(stderr, pu_str(text));
    fputc('\n', stderr);

    return code;
}


void *
output_alloc(size_t size)
{
    void  *p;

    p = malloc(size);

    if (p == NULL) {
        output_no_memory();
    }

    return p;
}


static void
output_no_memory(void)
{
    exit(fail(EXIT_REFUSED, "there is no memory"));
}


size_t
output_text(FILE *out, pu_str_t s)
{
    size_t    at, n, width;
    uint32_t  c;

    width = 0;

    for (at = 0; at < s.len; at += n) {
        n = output_char(s, at, &c);

        if (n == 0 || output_steers(c)) {
            width += output_escaped(out, s, at, n, c);
            n = n ? n : 1;
            continue;
        }

        if (out != NULL) {
            fwrite(s.data + at, 1, n, out);
        }

        width++;
    }

    return width;
}


static size_t
output_width(pu_str_t s)
{
    return output_text(NULL, s);
}


/* The length of the UTF-8 character at "at" (RFC 3629); 0: it is none. */

static size_t
output_char(pu_str_t s, size_t at, uint32_t *c)
{
    size_t          n, i;
    uint32_t        least;
    const uint8_t  *p;

    p = s.data + at;

    if (p[0] < 0x80) {
        *c = p[0];
        return 1;
    }

    if ((p[0] & 0xe0) == 0xc0) {
        n = 2;
        least = 0x80;
        *c = p[0] & 0x1f;

    } else if ((p[0] & 0xf0) == 0xe0) {
        n = 3;
        least = 0x800;
        *c = p[0] & 0x0f;

    } else if ((p[0] & 0xf8) == 0xf0) {
        n = 4;
        least = 0x10000;
        *c = p[0] & 0x07;

    } else {
        return 0;
    }

    if (n > s.len - at) {
        return 0;
    }

    for (i = 1; i < n; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        *c = *c << 6 | (p[i] & 0x3f);
    }

    if (*c < least || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff)) {
        return 0;
    }

    return n;
}


/* Control characters, line separators, and marks of reading direction. */

static int
output_steers(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0)
           || (c >= 0x200b && c <= 0x200f)
           || (c >= 0x2028 && c <= 0x202e)
           || (c >= 0x2060 && c <= 0x206f)
           || c == 0xfeff || c == 0x061c;
}


static size_t
output_escaped(FILE *out, pu_str_t s, size_t at, size_t n, uint32_t c)
{
    char  text[16];
    int   len;

    if (n == 0) {
        len = snprintf(text, sizeof(text), "\\x%02x", s.data[at]);

    } else if (c < 0x80) {
        len = snprintf(text, sizeof(text), "\\x%02x", (unsigned) c);

    } else {
        len = snprintf(text, sizeof(text), "\\u%04x", (unsigned) c);
    }

    if (out != NULL) {
        fputs(text, out);
    }

    return (size_t) len;
}


/* Columns. */


void
table_init(table_t *table, size_t columns)
{
    memset(table, 0, sizeof(table_t));
    table->columns = columns;
}


void
table_free(table_t *table)
{
    size_t  i;

    for (i = 0; i < table->n; i++) {
        free(table->cells[i].data);
    }

    free(table->cells);
}


void
table_add(table_t *table, pu_str_t cell)
{
    size_t         size;
    table_cell_t  *cells;

    if (table->n == table->size) {
        size = table->size ? table->size * 2 : 64;
        cells = realloc(table->cells, size * sizeof(table_cell_t));

        if (cells == NULL) {
            output_no_memory();
        }

        table->cells = cells;
        table->size = size;
    }

    if (cell.len == 0) {
        cell = PU_STR("-");
    }

    cells = &table->cells[table->n];
    cells->len = cell.len;
    cells->data = output_alloc(cell.len);

    memcpy(cells->data, cell.data, cell.len);
    table->n++;
}


static pu_str_t
table_cell(const table_t *table, size_t i)
{
    pu_str_t  cell;

    cell.len = table->cells[i].len;
    cell.data = (const uint8_t *) table->cells[i].data;

    return cell;
}


static size_t
table_width(const table_t *table, size_t column)
{
    size_t  i, width, widest;

    widest = 0;

    for (i = column; i < table->n; i += table->columns) {
        width = output_width(table_cell(table, i));
        widest = (width > widest) ? width : widest;
    }

    return widest;
}


void
table_print(const table_t *table, FILE *out)
{
    size_t  i, k, columns, width, used;
    size_t  widths[TABLE_COLUMNS_MAX];

    columns = table->columns;

    for (k = 0; k < columns; k++) {
        widths[k] = table_width(table, k);
    }

    for (i = 0; i < table->n; i++) {
        k = i % columns;
        used = output_text(out, table_cell(table, i));

        if (k + 1 == columns || i + 1 == table->n) {
            fputc('\n', out);
            continue;
        }

        for (width = widths[k] + COLUMN_GAP; used < width; used++) {
            fputc(' ', out);
        }
    }
}


/* JSON. */


json_t *
output_json(pu_str_t s)
{
    char      *copy, *p;
    json_t    *value;
    size_t     at, n;
    uint32_t   c;

    copy = output_alloc(s.len * 3 + 1);
    p = copy;

    for (at = 0; at < s.len; at += n) {
        n = output_char(s, at, &c);

        if (n == 0) {
            memcpy(p, "\xef\xbf\xbd", 3);
            p += 3;
            n = 1;
            continue;
        }

        memcpy(p, s.data + at, n);
        p += n;
    }

    value = json_stringn(copy, (size_t) (p - copy));
    free(copy);

    return value;
}


void
output_json_print(json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    fputc('\n', stdout);
    json_decref(value);
}


/* Time. */


void
output_time(char out[OUTPUT_TIME_SIZE], int64_t seconds)
{
    time_t     t;
    struct tm  tm;

    t = (time_t) seconds;

    if (gmtime_r(&t, &tm) == NULL
        || strftime(out, OUTPUT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
    {
        snprintf(out, OUTPUT_TIME_SIZE, "%lld", (long long) seconds);
    }
}


void
output_time_ms(char out[OUTPUT_TIME_SIZE], uint64_t ms)
{
    char  *z;

    output_time(out, (int64_t) (ms / 1000));

    z = strchr(out, 'Z');

    if (z != NULL) {
        snprintf(z, (size_t) (out + OUTPUT_TIME_SIZE - z), ".%03uZ",
                 (unsigned) (ms % 1000));
    }
}


int
output_end(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return code;
    }

    if (errno == EPIPE) {
        return code;
    }

    return fail(EXIT_REFUSED, "standard output cannot be written: %s",
                strerror(errno));
}
