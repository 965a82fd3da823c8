/*
 * pu_json_raw: an accepted JSON text once more, for its values as written.
 *
 * A parser forgets whether a number was 1 or 1.0; the text does not.  These
 * walkers lean on pu_json_object having accepted the text: on any other they
 * find something or nothing, but never read outside of it.
 */

#include "pu_json.h"


static const uint8_t *
pu_raw_space(const uint8_t *p, const uint8_t *end)
{
    while (p < end
           && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
    {
        p++;
    }

    return p;
}


/* After the string that opens at "p"; "end" when it never closes. */
static const uint8_t *
pu_raw_string(const uint8_t *p, const uint8_t *end)
{
    for (p++; p < end; p++) {
        if (*p == '"') {
            return p + 1;
        }

        if (*p == '\\' && p + 1 < end) {
            p++;
        }
    }

    return end;
}


static const uint8_t *
pu_raw_nested(const uint8_t *p, const uint8_t *end)
{
    size_t  depth;

    depth = 0;

    while (p < end) {

        switch (*p) {

        case '"':
            p = pu_raw_string(p, end);
            continue;

        case '{':
        case '[':
            depth++;
            break;

        case '}':
        case ']':
            if (--depth == 0) {
                return p + 1;
            }

            break;
        }

        p++;
    }

    return end;
}


/* After the value that starts at "p". */
static const uint8_t *
pu_raw_value(const uint8_t *p, const uint8_t *end)
{
    if (p == end) {
        return end;
    }

    if (*p == '"') {
        return pu_raw_string(p, end);
    }

    if (*p == '{' || *p == '[') {
        return pu_raw_nested(p, end);
    }

    while (p < end && *p != ',' && *p != ']' && *p != '}'
           && *p != ' ' && *p != '\t' && *p != '\n' && *p != '\r')
    {
        p++;
    }

    return p;
}


int
pu_json_raw_next(pu_str_t *rest, pu_str_t *name, pu_str_t *value)
{
    const uint8_t  *p, *end, *start;

    /* "rest" begins with what parts the items: a bracket or a comma */

    end = rest->data + rest->len;
    p = pu_raw_space(rest->data, end);

    if (p == end || (*p != '{' && *p != '[' && *p != ',')) {
        return 0;
    }

    p = pu_raw_space(p + 1, end);

    if (name != NULL) {
        if (p == end || *p != '"') {
            return 0;
        }

        start = p;
        p = pu_raw_string(p, end);
        *name = (pu_str_t) { (size_t) (p - start), start };
        p = pu_raw_space(p, end);

        if (p == end || *p != ':') {
            return 0;
        }

        p = pu_raw_space(p + 1, end);
    }

    start = p;
    p = pu_raw_value(p, end);

    if (p == start) {
        return 0;
    }

    *value = (pu_str_t) { (size_t) (p - start), start };
    *rest = (pu_str_t) { (size_t) (end - p), p };

    return 1;
}


/* Four hexadecimal digits, or -1. */
static int32_t
pu_raw_hex(const uint8_t *p, const uint8_t *end)
{
    int      i;
    int32_t  value;
    uint8_t  c;

    if (end - p < 4) {
        return -1;
    }

    value = 0;

    for (i = 0; i < 4; i++) {
        c = p[i];

        if (c >= '0' && c <= '9') {
            c = (uint8_t) (c - '0');

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            c = (uint8_t) ((c | 0x20) - 'a' + 10);

        } else {
            return -1;
        }

        value = value << 4 | c;
    }

    return value;
}


static size_t
pu_raw_utf8(uint8_t out[4], int32_t code)
{
    if (code < 0x80) {
        out[0] = (uint8_t) code;
        return 1;
    }

    if (code < 0x800) {
        out[0] = (uint8_t) (0xc0 | code >> 6);
        out[1] = (uint8_t) (0x80 | (code & 0x3f));
        return 2;
    }

    if (code < 0x10000) {
        out[0] = (uint8_t) (0xe0 | code >> 12);
        out[1] = (uint8_t) (0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t) (0x80 | (code & 0x3f));
        return 3;
    }

    out[0] = (uint8_t) (0xf0 | code >> 18);
    out[1] = (uint8_t) (0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t) (0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t) (0x80 | (code & 0x3f));

    return 4;
}


/* \uXXXX after its backslash, with its second half if it is a surrogate. */
static size_t
pu_raw_unicode(const uint8_t **pos, const uint8_t *end, uint8_t out[4])
{
    int32_t         code, low;
    const uint8_t  *p;

    p = *pos + 1;
    code = pu_raw_hex(p, end);

    if (code == -1) {
        return 0;
    }

    p += 4;

    if (code >= 0xd800 && code <= 0xdbff) {
        if (end - p < 6 || p[0] != '\\' || p[1] != 'u') {
            return 0;
        }

        low = pu_raw_hex(p + 2, end);

        if (low < 0xdc00 || low > 0xdfff) {
            return 0;
        }

        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }

    *pos = p;

    return pu_raw_utf8(out, code);
}


/*
 * The bytes of the next character, or of the next byte of one that is not
 * escaped; 0 for an escape that JSON does not know.
 */
static size_t
pu_raw_char(const uint8_t **pos, const uint8_t *end, uint8_t out[4])
{
    const char         *found;
    static const char   escapes[] = "\"\\/bfnrt";
    static const char   meanings[] = "\"\\/\b\f\n\r\t";

    if (**pos != '\\') {
        out[0] = *(*pos)++;
        return 1;
    }

    (*pos)++;

    if (*pos == end) {
        return 0;
    }

    if (**pos == 'u') {
        return pu_raw_unicode(pos, end, out);
    }

    found = memchr(escapes, **pos, sizeof(escapes) - 1);

    if (found == NULL) {
        return 0;
    }

    out[0] = (uint8_t) meanings[found - escapes];
    (*pos)++;

    return 1;
}


/* What is between the quotes. */
static int
pu_raw_inside(pu_str_t raw, const uint8_t **p, const uint8_t **end)
{
    if (raw.len < 2 || raw.data[0] != '"' || raw.data[raw.len - 1] != '"') {
        return 0;
    }

    *p = raw.data + 1;
    *end = raw.data + raw.len - 1;

    return 1;
}


int
pu_json_unquote(pu_buf_t *b, pu_str_t raw)
{
    size_t          n;
    uint8_t         bytes[4];
    const uint8_t  *p, *end;

    if (!pu_raw_inside(raw, &p, &end)) {
        return 0;
    }

    while (p < end) {
        n = pu_raw_char(&p, end, bytes);

        if (n == 0) {
            return 0;
        }

        pu_buf_put(b, bytes, n);
    }

    return 1;
}


int
pu_json_raw_is(pu_str_t raw, pu_str_t s, int fold)
{
    size_t          n, done;
    uint8_t         bytes[4];
    pu_str_t        a, b;
    const uint8_t  *p, *end;

    if (!pu_raw_inside(raw, &p, &end)) {
        return 0;
    }

    done = 0;

    while (p < end) {
        n = pu_raw_char(&p, end, bytes);

        if (n == 0 || n > s.len - done) {
            return 0;
        }

        a = (pu_str_t) { n, bytes };
        b = (pu_str_t) { n, s.data + done };

        if (fold ? !pu_str_case_eq(a, b) : !pu_str_eq(a, b)) {
            return 0;
        }

        done += n;
    }

    return done == s.len;
}


int
pu_json_raw(pu_str_t text, pu_str_t name, pu_str_t *raw)
{
    pu_str_t  member, value;

    while (pu_json_raw_next(&text, &member, &value)) {
        if (pu_json_raw_is(member, name, 0)) {
            *raw = value;
            return 1;
        }
    }

    return 0;
}


void
pu_json_compact(pu_buf_t *b, pu_str_t raw)
{
    const uint8_t  *p, *end, *start;

    p = raw.data;
    end = p + raw.len;

    while (p < end) {
        p = pu_raw_space(p, end);

        for (start = p; p < end; /* void */ ) {
            if (*p == '"') {
                p = pu_raw_string(p, end);
                continue;
            }

            if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
                break;
            }

            p++;
        }

        pu_buf_put(b, start, (size_t) (p - start));
    }
}
