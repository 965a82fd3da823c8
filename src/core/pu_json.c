/*
 * pu_json: the bounded parse and the typed getters.
 *
 * The limits are checked on the raw text first, so that a document built to
 * be expensive never reaches the parser.  The text itself is read again by
 * pu_json_raw.c where "as it was written" matters.
 */

#include <math.h>

#include "pu_json.h"
#include "pu_memory.h"


#define PU_JSON_DEPTH_MAX  32           /* of any limit that is asked for */
#define PU_JSON_DATE_MAX   9007199254740992     /* 2^53 */


/* After the closing quote of the string whose opening quote was just read. */
static const uint8_t *
pu_json_string_end(const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        if (*p == '"') {
            return p + 1;
        }

        p += (*p == '\\') ? 2 : 1;
    }

    return end;
}


/*
 * Counts what opens, and the colons of each object, which in valid JSON are
 * its members; for anything else the parser has the last word.
 */
static int
pu_json_within(pu_str_t text, const pu_json_limits_t *limits)
{
    unsigned        depth, members[PU_JSON_DEPTH_MAX + 1];
    const uint8_t  *p, *end;

    if (text.len > limits->size || limits->depth > PU_JSON_DEPTH_MAX) {
        return 0;
    }

    depth = 0;
    members[0] = 0;
    p = text.data;
    end = p + text.len;

    while (p < end) {

        switch (*p++) {

        case '"':
            p = pu_json_string_end(p, end);
            break;

        case '{':
        case '[':
            if (depth == limits->depth) {
                return 0;
            }

            members[++depth] = 0;
            break;

        case '}':
        case ']':
            if (depth == 0) {
                return 0;
            }

            depth--;
            break;

        case ':':
            if (++members[depth] > limits->members) {
                return 0;
            }

            break;
        }
    }

    return 1;
}


json_t *
pu_json_object(pu_str_t text, const pu_json_limits_t *limits)
{
    json_t  *value;

    if (text.len == 0 || !pu_json_within(text, limits)) {
        return NULL;
    }

    /*
     * A NUL in a string is allowed here and refused where the string is
     * used: JSON knows it, and a claim nobody reads may hold what it likes.
     */

    value = pu_memory_json(text, JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL);

    if (value != NULL && !json_is_object(value)) {
        json_decref(value);
        return NULL;
    }

    return value;
}


int
pu_json_str(const json_t *value, pu_str_t *s)
{
    if (!json_is_string(value)) {
        return 0;
    }

    s->data = (const uint8_t *) json_string_value(value);
    s->len = json_string_length(value);

    return 1;
}


int
pu_json_date(const json_t *value, int64_t *seconds)
{
    double       real;
    json_int_t   whole;

    if (json_is_integer(value)) {
        whole = json_integer_value(value);

        if (whole < -PU_JSON_DATE_MAX || whole > PU_JSON_DATE_MAX) {
            return 0;
        }

        *seconds = whole;
        return 1;
    }

    if (!json_is_real(value)) {
        return 0;
    }

    real = json_real_value(value);

    /* written so that it refuses what compares with nothing */

    if (!(fabs(real) <= (double) PU_JSON_DATE_MAX)) {
        return 0;
    }

    *seconds = (int64_t) floor(real);

    return 1;
}


json_t *
pu_json_walk(json_t *object, const pu_str_t *names, size_t n)
{
    size_t  i;

    for (i = 0; i < n && object != NULL; i++) {

        /* the parser refuses NUL in a name: one in ours matches nothing */

        if (!json_is_object(object)
            || memchr(names[i].data, '\0', names[i].len) != NULL)
        {
            return NULL;
        }

        object = json_object_getn(object, (const char *) names[i].data,
                                  names[i].len);
    }

    return object;
}
