/*
 * pu_scim: what all of it shares: errors, names without case, loose booleans,
 * times, paths.
 *
 * Not the schema, not the filter, not PATCH.
 */

#include <stdlib.h>

#include "pu_memory.h"
#include "pu_scim.h"


#define PU_SCIM_NAME_MAX   255
#define PU_SCIM_DAYS_1970  719468       /* from 0000-03-01 to 1970-01-01 */


static int pu_scim_fold(char out[PU_SCIM_NAME_MAX + 1], const char *name);
static int pu_scim_digits(const uint8_t **p, const uint8_t *end, size_t n,
    int64_t *value);
static int pu_scim_offset(const uint8_t *p, const uint8_t *end,
    int64_t *seconds);
static int64_t pu_scim_days(int64_t year, int64_t month, int64_t day);
static int pu_scim_name_ok(pu_str_t name);
static int pu_scim_schema_split(pu_str_t text, pu_str_t *schema,
    pu_str_t *rest);
static int pu_scim_dump(const char *data, size_t len, void *text);


int
pu_scim_fail(pu_scim_error_t *err, int status, const char *type,
    const char *text, pu_str_t word)
{
    size_t       head;
    pu_buf_t     b;
    const char  *at;

    if (err->status != 0) {
        return 0;
    }

    err->status = status;
    err->type = type;

    pu_buf_init(&b, err->detail, sizeof(err->detail) - 1);

    at = strstr(text, "%s");
    head = (at != NULL) ? (size_t) (at - text) : strlen(text);

    pu_buf_put(&b, text, head);

    if (at != NULL) {
        if (word.len > 60) {
            word.len = 60;
        }

        pu_buf_str(&b, word);
        pu_buf_text(&b, at + 2);
    }

    err->detail[pu_buf_written(&b).len] = '\0';

    return 0;
}


json_t *
pu_scim_error_new(const pu_scim_error_t *err)
{
    char      status[4];
    json_t   *doc;

    status[0] = (char) ('0' + err->status / 100);
    status[1] = (char) ('0' + err->status / 10 % 10);
    status[2] = (char) ('0' + err->status % 10);
    status[3] = '\0';

    doc = json_pack("{s:[s], s:s}", "schemas", PU_SCIM_MESSAGE "Error",
                    "status", status);

    if (doc != NULL && err->type != NULL) {
        (void) json_object_set_new(doc, "scimType", json_string(err->type));
    }

    if (doc != NULL) {
        (void) json_object_set_new(doc, "detail",
                                   pu_scim_string_new(pu_str(err->detail)));
    }

    return doc;
}


const char *
pu_scim_key(const json_t *object, pu_str_t name)
{
    void        *iter;
    json_t      *o;
    const char  *key;

    if (!json_is_object(object)) {
        return NULL;
    }

    o = (json_t *) (uintptr_t) object;

    for (iter = json_object_iter(o);
         iter != NULL;
         iter = json_object_iter_next(o, iter))
    {
        key = json_object_iter_key(iter);

        if (pu_str_case_eq(pu_str(key), name)) {
            return key;
        }
    }

    return NULL;
}


json_t *
pu_scim_get(const json_t *object, pu_str_t name)
{
    const char  *key;

    key = pu_scim_key(object, name);

    return (key != NULL) ? json_object_get(object, key) : NULL;
}


int
pu_scim_set_new(json_t *object, pu_str_t name, json_t *value)
{
    int          rc;
    char        *copy;
    const char  *key;

    key = pu_scim_key(object, name);

    if (value == NULL) {
        if (key != NULL) {
            (void) json_object_del(object, key);
        }

        return 1;
    }

    if (key != NULL) {
        return json_object_set_new(object, key, value) == 0;
    }

    if (memchr(name.data, '\0', name.len) != NULL) {
        json_decref(value);
        return 0;
    }

    copy = strndup((const char *) name.data, name.len);

    if (copy == NULL) {
        json_decref(value);
        return 0;
    }

    rc = json_object_set_new(object, copy, value);
    free(copy);

    return rc == 0;
}


int
pu_scim_names_ok(const json_t *value)
{
    int      ok;
    char     folded[PU_SCIM_NAME_MAX + 1];
    void    *iter;
    size_t   i;
    json_t  *o, *seen;

    if (json_is_array(value)) {
        for (i = 0; i < json_array_size(value); i++) {
            if (!pu_scim_names_ok(json_array_get(value, i))) {
                return 0;
            }
        }

        return 1;
    }

    if (!json_is_object(value)) {
        return 1;
    }

    seen = json_object();
    ok = (seen != NULL);
    o = (json_t *) (uintptr_t) value;

    for (iter = json_object_iter(o);
         ok && iter != NULL;
         iter = json_object_iter_next(o, iter))
    {
        ok = pu_scim_fold(folded, json_object_iter_key(iter))
             && json_object_get(seen, folded) == NULL
             && json_object_set_new(seen, folded, json_true()) == 0
             && pu_scim_names_ok(json_object_iter_value(iter));
    }

    json_decref(seen);

    return ok;
}


/* No attribute has a longer name. */

static int
pu_scim_fold(char out[PU_SCIM_NAME_MAX + 1], const char *name)
{
    size_t  i, len;

    len = strlen(name);

    if (len > PU_SCIM_NAME_MAX) {
        return 0;
    }

    for (i = 0; i <= len; i++) {
        out[i] = (char) ((name[i] >= 'A' && name[i] <= 'Z')
                         ? name[i] | 0x20 : name[i]);
    }

    return 1;
}


int
pu_scim_bool(const json_t *value, int *b)
{
    pu_str_t  s;

    if (json_is_array(value) && json_array_size(value) == 1) {
        value = json_array_get(value, 0);
    }

    if (json_is_object(value) && json_object_size(value) == 1) {
        value = pu_scim_get(value, PU_STR("value"));
    }

    if (json_is_boolean(value)) {
        *b = json_is_true(value);
        return 1;
    }

    if (!pu_json_str(value, &s)) {
        return 0;
    }

    if (pu_str_case_eq(s, PU_STR("true"))) {
        *b = 1;
        return 1;
    }

    if (pu_str_case_eq(s, PU_STR("false"))) {
        *b = 0;
        return 1;
    }

    return 0;
}


json_t *
pu_scim_string_new(pu_str_t s)
{
    char      *text;
    size_t     size;
    json_t    *value;
    pu_buf_t   b;

    value = json_stringn((s.len == 0) ? "" : (const char *) s.data, s.len);

    if (value != NULL) {
        return value;
    }

    /* six bytes for each that is not UTF-8, at most */

    size = s.len * 6 + 2;
    text = malloc(size);

    if (text == NULL) {
        return NULL;
    }

    pu_buf_init(&b, text, size);
    pu_json_quote(&b, s);
    value = pu_memory_json(pu_buf_written(&b),
                           JSON_DECODE_ANY|JSON_ALLOW_NUL);
    free(text);

    return value;
}


/* Times. */


json_t *
pu_scim_time_new(pu_str_t seconds)
{
    size_t     i;
    int64_t    n, days, era, doe, yoe, doy, mp, day, month, year, parts[6];
    uint8_t    room[40];
    pu_buf_t   b;

    if (!pu_seconds(seconds, &n) || n > 253402300799) {
        return json_string("");
    }

    /* the civil calendar, counted from the first of March */

    days = n / 86400 + PU_SCIM_DAYS_1970;
    era = days / 146097;
    doe = days % 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;
    day = doy - (153 * mp + 2) / 5 + 1;
    month = (mp < 10) ? mp + 3 : mp - 9;
    year = yoe + era * 400 + (month <= 2);

    parts[0] = year;
    parts[1] = month;
    parts[2] = day;
    parts[3] = n % 86400 / 3600;
    parts[4] = n % 3600 / 60;
    parts[5] = n % 60;

    pu_buf_init(&b, room, sizeof(room));

    for (i = 0; i < 6; i++) {
        if (i != 0 && parts[i] < 10) {
            pu_buf_char(&b, '0');
        }

        pu_buf_int(&b, parts[i]);
        pu_buf_char(&b, "--T::Z"[i]);
    }

    return pu_scim_string_new(pu_buf_written(&b));
}


int
pu_scim_time(pu_str_t text, int64_t *ms)
{
    size_t          i;
    int64_t         part[6], scale, offset;
    const uint8_t  *p, *end;

    static const uint8_t  after[] = { '-', '-', 'T', ':', ':', 0 };
    static const uint8_t  digits[] = { 4, 2, 2, 2, 2, 2 };

    p = text.data;
    end = p + text.len;

    for (i = 0; i < 6; i++) {
        if (!pu_scim_digits(&p, end, digits[i], &part[i])) {
            return 0;
        }

        if (after[i] != 0
            && (p == end || (*p++ & 0xdf) != (after[i] & 0xdf)))
        {
            return 0;
        }
    }

    if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31
        || part[3] > 24 || part[4] > 59 || part[5] > 60)
    {
        return 0;
    }

    *ms = (pu_scim_days(part[0], part[1], part[2]) * 86400 + part[3] * 3600
           + part[4] * 60 + part[5]) * 1000;

    if (p < end && *p == '.') {
        scale = 100;

        for (p++; p < end && *p >= '0' && *p <= '9'; p++) {
            *ms += (*p - '0') * scale;
            scale /= 10;
        }
    }

    if (!pu_scim_offset(p, end, &offset)) {
        return 0;
    }

    *ms -= offset * 1000;

    return 1;
}


static int
pu_scim_digits(const uint8_t **p, const uint8_t *end, size_t n,
    int64_t *value)
{
    *value = 0;

    while (n-- > 0) {
        if (*p == end || **p < '0' || **p > '9') {
            return 0;
        }

        *value = *value * 10 + (*(*p)++ - '0');
    }

    return 1;
}


static int
pu_scim_offset(const uint8_t *p, const uint8_t *end, int64_t *seconds)
{
    int      minus;
    int64_t  hours, minutes;

    *seconds = 0;

    if (p == end) {
        return 1;
    }

    if ((*p == 'Z' || *p == 'z') && p + 1 == end) {
        return 1;
    }

    minus = (*p == '-');

    if ((*p != '+' && *p != '-') || end - p != 6 || p[3] != ':') {
        return 0;
    }

    p++;

    if (!pu_scim_digits(&p, end, 2, &hours)) {
        return 0;
    }

    p++;

    if (!pu_scim_digits(&p, end, 2, &minutes)) {
        return 0;
    }

    *seconds = (hours * 60 + minutes) * (minus ? -60 : 60);

    return 1;
}


static int64_t
pu_scim_days(int64_t year, int64_t month, int64_t day)
{
    int64_t  era, yoe, doy;

    year -= (month <= 2);
    era = (year >= 0 ? year : year - 399) / 400;
    yoe = year - era * 400;
    doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy
           - PU_SCIM_DAYS_1970;
}


/* Paths. */


int
pu_scim_path(pu_scim_path_t *path, pu_str_t text)
{
    size_t    i;
    pu_str_t  rest;

    memset(path, 0, sizeof(pu_scim_path_t));

    rest = text;

    if (text.len > 4 && pu_str_case_eq((pu_str_t) { 4, text.data },
                                       PU_STR("urn:")))
    {
        if (!pu_scim_schema_split(text, &path->schema, &rest)) {
            return 0;
        }

        if (rest.len == 0) {
            return 1;
        }
    }

    for (i = 0; i < rest.len && rest.data[i] != '.'; i++) { /* void */ }

    path->name.len = i;
    path->name.data = rest.data;

    if (i < rest.len) {
        path->sub.len = rest.len - i - 1;
        path->sub.data = rest.data + i + 1;

        if (!pu_scim_name_ok(path->sub)) {
            return 0;
        }
    }

    return pu_scim_name_ok(path->name);
}


/*
 * A URN has colons and dots of its own.  The schemas of the standard are known
 * by name; of another one the last colon ends the schema, unless what follows
 * it is the resource type that such a URN ends in.
 */

static int
pu_scim_schema_split(pu_str_t text, pu_str_t *schema, pu_str_t *rest)
{
    size_t    i, len, colon;
    pu_str_t  head, last;

    static const char *const  known[] = {
        PU_SCIM_USER, PU_SCIM_GROUP, PU_SCIM_ENTERPRISE
    };

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        len = strlen(known[i]);
        head.len = len;
        head.data = text.data;

        if (text.len < len || !pu_str_case_eq(head, pu_str(known[i]))
            || (text.len > len && text.data[len] != ':'))
        {
            continue;
        }

        rest->len = (text.len > len) ? text.len - len - 1 : 0;
        rest->data = text.data + text.len - rest->len;

        if (i == 2) {
            *schema = head;
            return 1;
        }

        /* a core attribute by its whole name */

        return rest->len != 0;
    }

    for (i = 0, colon = 0; i < text.len; i++) {
        if (text.data[i] < 0x20) {
            return 0;
        }

        if (text.data[i] == ':') {
            colon = i + 1;
        }
    }

    last.len = text.len - colon;
    last.data = text.data + colon;

    if (pu_str_case_eq(last, PU_STR("User"))
        || pu_str_case_eq(last, PU_STR("Group")))
    {
        *schema = text;
        rest->len = 0;
        rest->data = text.data + text.len;
        return 1;
    }

    schema->len = colon - 1;
    schema->data = text.data;
    *rest = last;

    return last.len != 0;
}


/* RFC 7643 section 2.1, and the "$ref" that everybody sends. */

static int
pu_scim_name_ok(pu_str_t name)
{
    size_t   i;
    uint8_t  c;

    if (name.len == 0 || name.len > 255) {
        return 0;
    }

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (i == 0 && c == '$')
              || (i > 0 && ((c >= '0' && c <= '9') || c == '-' || c == '_'))))
        {
            return 0;
        }
    }

    return 1;
}


json_t *
pu_scim_at(const json_t *resource, const pu_scim_path_t *path)
{
    const json_t  *object;

    object = resource;

    if (path->schema.len != 0) {
        object = pu_scim_get(resource, path->schema);
    }

    if (path->name.len == 0) {
        return (json_t *) (uintptr_t) object;
    }

    return pu_scim_get(object, path->name);
}


int
pu_scim_path_is(const pu_scim_path_t *path, const char *name)
{
    return path->schema.len == 0 && pu_str_case_eq(path->name, pu_str(name));
}


/* Texts. */


void
pu_scim_text_put(pu_scim_text_t *text, const void *data, size_t len)
{
    char    *grown;
    size_t   size;

    if (text->failed || len == 0) {
        return;
    }

    if (len > text->size - text->len) {
        size = text->size ? text->size : 1024;

        while (size - text->len < len) {
            size *= 2;
        }

        grown = realloc(text->data, size);

        if (grown == NULL) {
            text->failed = 1;
            return;
        }

        text->data = grown;
        text->size = size;
    }

    memcpy(text->data + text->len, data, len);
    text->len += len;
}


void
pu_scim_text_add(pu_scim_text_t *text, const char *s)
{
    pu_scim_text_put(text, s, strlen(s));
}


void
pu_scim_text_json(pu_scim_text_t *text, const json_t *value)
{
    if (value == NULL
        || json_dump_callback(value, pu_scim_dump, text,
                              JSON_COMPACT|JSON_ENCODE_ANY)
           != 0)
    {
        text->failed = 1;
    }
}


static int
pu_scim_dump(const char *data, size_t len, void *text)
{
    pu_scim_text_put(text, data, len);

    return 0;
}


void
pu_scim_text_free(pu_scim_text_t *text)
{
    free(text->data);
    memset(text, 0, sizeof(pu_scim_text_t));
}
