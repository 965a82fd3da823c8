/*
 * pu_json_write: strings and arrays of strings as JSON.
 *
 * What goes in may be any bytes from anybody; what comes out is valid JSON
 * and valid UTF-8, however little room there is.
 */

#include "pu_json.h"


/* a word of eight such bytes */
#define PU_ALL(byte)  (UINT64_C(0x0101010101010101) * (byte))


/* How many bytes the UTF-8 character at "p" has; 0 when it is none. */
static size_t
pu_utf8_char(const uint8_t *p, size_t len)
{
    size_t   n, i;
    uint8_t  least, most;

    if (p[0] < 0x80) {
        return 1;
    }

    /* the second byte's range keeps out overlong forms and surrogates */

    least = 0x80;
    most = 0xbf;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        least = (p[0] == 0xe0) ? 0xa0 : 0x80;
        most = (p[0] == 0xed) ? 0x9f : 0xbf;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        least = (p[0] == 0xf0) ? 0x90 : 0x80;
        most = (p[0] == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if (n > len || p[1] < least || p[1] > most) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


/* An ASCII character that JSON or a terminal would not take as it is. */
static size_t
pu_json_escape(uint8_t out[6], uint8_t c)
{
    static const uint8_t  hex[] = "0123456789abcdef";

    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = c;
        return 2;
    }

    if (c >= 0x20 && c != 0x7f) {
        out[0] = c;
        return 1;
    }

    memcpy(out, "\\u00", 4);
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];

    return 6;
}


/* How many bytes at "p" need no escape and are ASCII: nearly all are. */
static size_t
pu_json_plain(const uint8_t *p, size_t len)
{
    size_t    n;
    uint64_t  w;

    /* eight at a time: a high bit is set where a byte may be special */

    for (n = 0; n + 8 <= len; n += 8) {
        memcpy(&w, p + n, 8);

        if (((w - PU_ALL(0x20)) | (w + PU_ALL(0x01)) | w
             | ((w ^ PU_ALL('"')) - PU_ALL(0x01))
             | ((w ^ PU_ALL('\\')) - PU_ALL(0x01)))
            & PU_ALL(0x80))
        {
            break;
        }
    }

    for ( ; n < len; n++) {
        if (p[n] < 0x20 || p[n] >= 0x7f || p[n] == '"' || p[n] == '\\') {
            break;
        }
    }

    return n;
}


void
pu_json_quote(pu_buf_t *b, pu_str_t s)
{
    size_t    i, n, used;
    uint8_t   out[6];

    if (b->end - b->pos < 2) {
        b->full = 1;
        return;
    }

    *b->pos++ = '"';

    for (i = 0; i < s.len; i += used) {
        used = pu_json_plain(s.data + i, s.len - i);

        /* one byte stays for the closing quote */

        if (used != 0 && used < (size_t) (b->end - b->pos)) {
            memcpy(b->pos, s.data + i, used);
            b->pos += used;
            continue;
        }

        used = pu_utf8_char(s.data + i, s.len - i);

        if (used == 0) {
            used = 1;
            n = 3;
            memcpy(out, "\xef\xbf\xbd", 3);

        } else if (used == 1) {
            n = pu_json_escape(out, s.data[i]);

        } else {
            n = used;
            memcpy(out, s.data + i, used);
        }

        if (n >= (size_t) (b->end - b->pos)) {
            b->full = 1;
            break;
        }

        memcpy(b->pos, out, n);
        b->pos += n;
    }

    *b->pos++ = '"';
}


void
pu_json_words(pu_buf_t *b, pu_str_t words)
{
    int       full;
    uint8_t  *before;
    pu_str_t  word;

    if (b->end - b->pos < 2) {
        b->full = 1;
        return;
    }

    /* a word that does not fit is left out whole: half a role is another */

    *b->pos++ = '[';
    b->end--;
    full = b->full;
    b->full = 0;

    while (pu_word_next(&words, &word)) {
        before = b->pos;

        if (before[-1] != '[') {
            pu_buf_char(b, ',');
        }

        pu_json_quote(b, word);

        if (b->full) {
            b->pos = before;
            break;
        }
    }

    b->full |= full;
    b->end++;
    *b->pos++ = ']';
}
