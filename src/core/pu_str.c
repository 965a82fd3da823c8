/*
 * pu_str: counted strings, the bounded writer, base64url, digests, numbers.
 *
 * Not here: words and sets (pu_word.c) and JSON (pu_json_write.c).  Only
 * pu_file_read allocates.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "pu_str.h"


static const char  pu_base64url_text[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* the value of a base64url character plus one; 0 is no such character */
static const uint8_t  pu_base64url_value[256] = {
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6,
    ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12,
    ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
    ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64
};

/* nginx's units of time in the order in which they may follow each other */
static const struct {
    uint8_t  unit;
    int32_t  seconds;
} pu_units[] = {
    { 'y', 365 * 24 * 3600 },
    { 'M', 30 * 24 * 3600 },
    { 'w', 7 * 24 * 3600 },
    { 'd', 24 * 3600 },
    { 'h', 3600 },
    { 'm', 60 },
    { 's', 1 }
};

#define PU_UNITS  (sizeof(pu_units) / sizeof(pu_units[0]))


pu_str_t
pu_str(const char *s)
{
    if (s == NULL) {
        return (pu_str_t) { 0, NULL };
    }

    return (pu_str_t) { strlen(s), (const uint8_t *) s };
}


int
pu_str_eq(pu_str_t a, pu_str_t b)
{
    return a.len == b.len
           && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


int
pu_str_is(pu_str_t a, const char *literal)
{
    return pu_str_eq(a, pu_str(literal));
}


static uint8_t
pu_lower(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') ? (uint8_t) (c | 0x20) : c;
}


int
pu_str_case_eq(pu_str_t a, pu_str_t b)
{
    size_t  i;

    if (a.len != b.len) {
        return 0;
    }

    for (i = 0; i < a.len; i++) {
        if (pu_lower(a.data[i]) != pu_lower(b.data[i])) {
            return 0;
        }
    }

    return 1;
}


int
pu_str_cmp(pu_str_t a, pu_str_t b)
{
    int     rc;
    size_t  len;

    len = (a.len < b.len) ? a.len : b.len;
    rc = (len == 0) ? 0 : memcmp(a.data, b.data, len);

    if (rc != 0) {
        return rc;
    }

    return (a.len > b.len) - (a.len < b.len);
}


int
pu_str_starts(pu_str_t s, const char *prefix)
{
    size_t  len;

    len = strlen(prefix);

    return s.len >= len && (len == 0 || memcmp(s.data, prefix, len) == 0);
}


int
pu_str_has_control(pu_str_t s)
{
    size_t  i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return 1;
        }
    }

    return 0;
}


void
pu_buf_init(pu_buf_t *b, void *memory, size_t size)
{
    b->start = memory;
    b->pos = memory;
    b->end = b->start + size;
    b->full = 0;
}


void
pu_buf_int(pu_buf_t *b, int64_t n)
{
    /* a number is in most of what is told of a request, and often long */

    static const char  pairs[] =
        "00010203040506070809101112131415161718192021222324"
        "25262728293031323334353637383940414243444546474849"
        "50515253545556575859606162636465666768697071727374"
        "75767778798081828384858687888990919293949596979899";

    uint8_t   text[20], *p;
    uint64_t  u;

    /* the negative of INT64_MIN has room in unsigned arithmetic only */

    u = (n < 0) ? 0 - (uint64_t) n : (uint64_t) n;
    p = text + sizeof(text);

    while (u >= 100) {
        p -= 2;
        memcpy(p, &pairs[2 * (u % 100)], 2);
        u /= 100;
    }

    do {
        *--p = (uint8_t) ('0' + u % 10);
        u /= 10;
    } while (u != 0);

    if (n < 0) {
        *--p = '-';
    }

    pu_buf_put(b, p, (size_t) (text + sizeof(text) - p));
}


pu_str_t
pu_buf_written(const pu_buf_t *b)
{
    return (pu_str_t) { (size_t) (b->pos - b->start), b->start };
}


/* The last two or three characters, whose unused low bits must be zero. */
static int64_t
pu_base64url_tail(uint8_t *out, const uint8_t *in, size_t n)
{
    unsigned  a, b, c;

    a = pu_base64url_value[in[0]];
    b = pu_base64url_value[in[1]];
    c = (n == 3) ? pu_base64url_value[in[2]] : 1;

    if (a == 0 || b == 0 || c == 0) {
        return -1;
    }

    a--;
    b--;
    c--;

    if ((n == 2) ? (b & 0x0f) : (c & 0x03)) {
        return -1;
    }

    out[0] = (uint8_t) (a << 2 | b >> 4);

    if (n == 3) {
        out[1] = (uint8_t) (b << 4 | c >> 2);
    }

    return (int64_t) n - 1;
}


int64_t
pu_base64url_decode(uint8_t *out, pu_str_t text)
{
    int64_t         n;
    unsigned        a, b, c, d;
    uint8_t        *p;
    const uint8_t  *in, *last;

    if (text.len % 4 == 1) {
        return -1;
    }

    if (text.len == 0) {
        return 0;                       /* perhaps there is no data at all */
    }

    p = out;
    in = text.data;
    last = in + text.len / 4 * 4;

    for ( /* void */ ; in != last; in += 4, p += 3) {
        a = pu_base64url_value[in[0]];
        b = pu_base64url_value[in[1]];
        c = pu_base64url_value[in[2]];
        d = pu_base64url_value[in[3]];

        if (a == 0 || b == 0 || c == 0 || d == 0) {
            return -1;
        }

        a = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
        p[0] = (uint8_t) (a >> 16);
        p[1] = (uint8_t) (a >> 8);
        p[2] = (uint8_t) a;
    }

    if (text.len % 4 == 0) {
        return p - out;
    }

    n = pu_base64url_tail(p, in, text.len % 4);

    return (n == -1) ? -1 : (p - out) + n;
}


size_t
pu_base64url_encode(char *out, const uint8_t *data, size_t len)
{
    char      *p;
    size_t     i;
    uint32_t   v;

    p = out;

    for (i = 0; i + 2 < len; i += 3) {
        v = (uint32_t) data[i] << 16 | (uint32_t) data[i + 1] << 8
            | data[i + 2];
        *p++ = pu_base64url_text[v >> 18];
        *p++ = pu_base64url_text[v >> 12 & 63];
        *p++ = pu_base64url_text[v >> 6 & 63];
        *p++ = pu_base64url_text[v & 63];
    }

    if (i < len) {
        v = (uint32_t) data[i] << 16;

        if (i + 1 < len) {
            v |= (uint32_t) data[i + 1] << 8;
        }

        *p++ = pu_base64url_text[v >> 18];
        *p++ = pu_base64url_text[v >> 12 & 63];

        if (i + 1 < len) {
            *p++ = pu_base64url_text[v >> 6 & 63];
        }
    }

    return (size_t) (p - out);
}


int
pu_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


int
pu_str_int(pu_str_t s, int64_t *n)
{
    int      negative;
    size_t   i;
    int64_t  value;

    i = 0;
    value = 0;
    negative = s.len != 0 && s.data[0] == '-';

    if (s.len != 0 && (s.data[0] == '-' || s.data[0] == '+')) {
        i++;
    }

    if (i == s.len) {
        return 0;
    }

    /* counted downwards: INT64_MIN has no positive counterpart */

    for ( /* void */ ; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9'
            || __builtin_mul_overflow(value, 10, &value)
            || __builtin_sub_overflow(value, s.data[i] - '0', &value))
        {
            return 0;
        }
    }

    if (!negative && __builtin_sub_overflow(0, value, &value)) {
        return 0;
    }

    *n = value;

    return 1;
}


/* The unit at *pos, none being seconds, which must be the last. */
static size_t
pu_duration_unit(pu_str_t s, size_t *pos)
{
    size_t  unit;

    if (*pos == s.len) {
        return PU_UNITS - 1;
    }

    for (unit = 0; unit < PU_UNITS; unit++) {
        if (pu_units[unit].unit == s.data[*pos]) {
            break;
        }
    }

    (*pos)++;

    return unit;
}


int64_t
pu_str_duration(pu_str_t s)
{
    size_t   pos, start, unit, next;
    int64_t  total, value, part;

    total = 0;
    next = 0;

    for (pos = 0; pos < s.len; /* void */ ) {

        for (start = pos; pos < s.len; pos++) {
            if (s.data[pos] < '0' || s.data[pos] > '9') {
                break;
            }
        }

        if (!pu_str_int((pu_str_t) { pos - start, s.data + start }, &value)) {
            return -1;
        }

        unit = pu_duration_unit(s, &pos);

        if (unit < next || unit == PU_UNITS
            || __builtin_mul_overflow(value, pu_units[unit].seconds, &part)
            || __builtin_add_overflow(total, part, &total))
        {
            return -1;
        }

        next = unit + 1;
    }

    return (next == 0) ? -1 : total;
}


static uint8_t *
pu_file_bytes(int fd, size_t max, size_t *len)
{
    ssize_t   n;
    size_t    used, size;
    uint8_t  *data, *larger;

    data = NULL;
    used = 0;
    size = 0;

    /* the size that stat tells may change: read until the end says so */

    for ( ;; ) {
        if (used == size) {
            size = (size == 0) ? 4096 : size * 2;
            larger = realloc(data, size);

            if (larger == NULL) {
                break;
            }

            data = larger;
        }

        n = read(fd, data + used, size - used);

        if (n == 0 && used <= max) {
            *len = used;
            return data;
        }

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            break;
        }

        used += (size_t) n;

        if (used > max) {
            errno = EFBIG;
            break;
        }
    }

    /* it may have been meant for a secret */

    if (data != NULL) {
        OPENSSL_cleanse(data, used);
    }

    free(data);

    return NULL;
}


uint8_t *
pu_file_read(const char *path, size_t max, size_t *len,
    char err[PU_ERROR_SIZE])
{
    int       fd, failure;
    uint8_t  *data;

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        snprintf(err, PU_ERROR_SIZE, "file \"%s\" cannot be opened: %s",
                 path, strerror(errno));
        return NULL;
    }

    data = pu_file_bytes(fd, max, len);
    failure = errno;

    close(fd);

    if (data == NULL && failure == EFBIG) {
        snprintf(err, PU_ERROR_SIZE,
                 "file \"%s\" is too large, allowed are %zu bytes", path, max);

    } else if (data == NULL) {
        snprintf(err, PU_ERROR_SIZE, "file \"%s\" cannot be read: %s",
                 path, strerror(failure));
    }

    return data;
}
