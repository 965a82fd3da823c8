/*
 * pu_scim_query: reading the parameters of a request, choosing attributes.
 */

#include <stdlib.h>

#include "pu_scim_query.h"
#include "pu_scim_schema.h"


#define PU_QUERY_MAX        32768       /* bytes of a URL's query */
#define PU_QUERY_LIST_MAX   200         /* attributes of one parameter */


static int pu_query_set(pu_scim_query_t *query, pu_str_t name,
    pu_str_t value, pu_scim_error_t *err);
static pu_str_t pu_query_decode(char *out, pu_str_t text);
static int pu_query_list(pu_scim_query_t *query, const char *name,
    pu_str_t value);
static int pu_query_number(pu_str_t value, pu_str_t name, int64_t *n,
    pu_scim_error_t *err);
static int pu_query_finish(pu_scim_query_t *query, pu_scim_error_t *err);
static int pu_query_init(pu_scim_query_t *query, pu_scim_error_t *err);
static int pu_query_memory(pu_scim_error_t *err, int ok);
static int pu_select_copy(json_t *to, const json_t *from,
    const pu_scim_path_t *path);
static void pu_select_join(json_t *old, json_t *part);
static json_t *pu_select_part_new(const json_t *value, pu_str_t sub);
static void pu_select_remove(json_t *resource, const pu_scim_path_t *path);


int
pu_scim_query_url(pu_scim_query_t *query, pu_str_t args,
    pu_scim_error_t *err)
{
    int       ok;
    char     *room;
    size_t    i, start, equals;
    pu_str_t  name, value;

    if (!pu_query_init(query, err)) {
        return 0;
    }

    if (args.len > PU_QUERY_MAX) {
        return pu_scim_fail(err, 400, "invalidValue",
                            "the query is too long", PU_STR(""));
    }

    room = malloc(args.len + 1);
    ok = pu_query_memory(err, room != NULL);
    start = 0;

    while (ok && start < args.len) {
        for (i = start; i < args.len && args.data[i] != '&'; i++) {
            /* void */
        }

        for (equals = start; equals < i && args.data[equals] != '=';
             equals++)
        {
            /* void */
        }

        name.len = equals - start;
        name.data = args.data + start;
        value.len = (equals < i) ? i - equals - 1 : 0;
        value.data = args.data + i - value.len;

        ok = pu_query_set(query, name, pu_query_decode(room, value), err);
        start = i + 1;
    }

    free(room);

    return ok && pu_query_finish(query, err);
}


int
pu_scim_query_body(pu_scim_query_t *query, const json_t *body,
    pu_scim_error_t *err)
{
    size_t      i, n;
    json_t     *value;
    pu_str_t    text;

    static const char *const  words[] = { "filter", "sortBy", "sortOrder" };
    static const char *const  lists[] = { "attributes", "excludedAttributes" };

    if (!pu_query_init(query, err)) {
        return 0;
    }

    for (i = 0; i < 3; i++) {
        if (pu_json_str(pu_scim_get(body, pu_str(words[i])), &text)
            && !pu_query_set(query, pu_str(words[i]), text, err))
        {
            return 0;
        }
    }

    for (i = 0; i < 2; i++) {
        value = pu_scim_get(body, pu_str(lists[i]));

        for (n = 0; json_is_array(value) && n < json_array_size(value); n++) {
            if (pu_json_str(json_array_get(value, n), &text)
                && !pu_query_set(query, pu_str(lists[i]), text, err))
            {
                return 0;
            }
        }
    }

    value = pu_scim_get(body, PU_STR("startIndex"));

    if (json_is_integer(value)) {
        query->start = json_integer_value(value);
    }

    value = pu_scim_get(body, PU_STR("count"));

    if (json_is_integer(value)) {
        query->count = json_integer_value(value);
    }

    return pu_query_finish(query, err);
}


void
pu_scim_query_free(pu_scim_query_t *query)
{
    pu_scim_filter_free(query->filter);
    json_decref(query->texts);
    query->filter = NULL;
    query->texts = NULL;
}


static int
pu_query_init(pu_scim_query_t *query, pu_scim_error_t *err)
{
    memset(query, 0, sizeof(pu_scim_query_t));

    query->start = 1;
    query->count = PU_SCIM_COUNT_DEFAULT;
    query->texts = json_pack("{s:[], s:[]}", "attributes",
                             "excludedAttributes");

    return pu_query_memory(err, query->texts != NULL);
}


static int
pu_query_memory(pu_scim_error_t *err, int ok)
{
    return ok || pu_scim_fail(err, 500, NULL, "there is no memory",
                              PU_STR(""));
}


/* Names in any case; of two of one name the last; unknown ones are no matter */

static int
pu_query_set(pu_scim_query_t *query, pu_str_t name, pu_str_t value,
    pu_scim_error_t *err)
{
    size_t  i;

    static const char *const  words[] = { "filter", "sortBy", "sortOrder" };
    static const char *const  lists[] = { "attributes", "excludedAttributes" };

    if (pu_str_case_eq(name, PU_STR("startIndex"))) {
        return pu_query_number(value, name, &query->start, err);
    }

    if (pu_str_case_eq(name, PU_STR("count"))) {
        return pu_query_number(value, name, &query->count, err);
    }

    for (i = 0; i < 3; i++) {
        if (pu_str_case_eq(name, pu_str(words[i]))) {
            return pu_query_memory(err, json_object_set_new(query->texts,
                                            words[i],
                                            pu_scim_string_new(value))
                                        == 0);
        }
    }

    for (i = 0; i < 2; i++) {
        if (pu_str_case_eq(name, pu_str(lists[i]))) {
            return pu_query_memory(err, pu_query_list(query, lists[i],
                                                      value));
        }
    }

    return 1;
}


/* "+" is a space here; what is no escape stays as it is. */

static pu_str_t
pu_query_decode(char *out, pu_str_t text)
{
    int     high, low;
    size_t  i, len;

    len = 0;

    for (i = 0; i < text.len; i++) {

        if (text.data[i] == '%' && i + 2 < text.len) {
            high = pu_hex_digit(text.data[i + 1]);
            low = pu_hex_digit(text.data[i + 2]);

            if (high >= 0 && low >= 0) {
                out[len++] = (char) (high * 16 + low);
                i += 2;
                continue;
            }
        }

        out[len++] = (char) ((text.data[i] == '+') ? ' ' : text.data[i]);
    }

    return (pu_str_t) { len, (const uint8_t *) out };
}


/* Names parted by commas. */

static int
pu_query_list(pu_scim_query_t *query, const char *name, pu_str_t value)
{
    size_t    i, start;
    json_t   *list;
    pu_str_t  one;

    list = json_object_get(query->texts, name);
    start = 0;

    for (i = 0; i <= value.len; i++) {

        if (i < value.len && value.data[i] != ',') {
            continue;
        }

        while (start < i && value.data[start] == ' ') {
            start++;
        }

        one.len = i - start;
        one.data = value.data + start;
        start = i + 1;

        while (one.len > 0 && one.data[one.len - 1] == ' ') {
            one.len--;
        }

        if (one.len != 0 && json_array_size(list) < PU_QUERY_LIST_MAX
            && json_array_append_new(list, pu_scim_string_new(one)) != 0)
        {
            return 0;
        }
    }

    return 1;
}


static int
pu_query_number(pu_str_t value, pu_str_t name, int64_t *n,
    pu_scim_error_t *err)
{
    size_t  i;

    if (pu_str_int(value, n)) {
        return 1;
    }

    /* a number too large for any integer is a large number */

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }
    }

    if (value.len == 0 || i < value.len) {
        return pu_scim_fail(err, 400, "invalidValue", "\"%s\" is a number",
                            name);
    }

    *n = INT32_MAX;

    return 1;
}


static int
pu_query_finish(pu_scim_query_t *query, pu_scim_error_t *err)
{
    pu_str_t  text;

    if (query->start < 1) {
        query->start = 1;
    }

    if (query->start > INT32_MAX) {
        query->start = INT32_MAX;
    }

    if (query->count < 0) {
        query->count = 0;
    }

    if (query->count > PU_SCIM_COUNT_MAX) {
        query->count = PU_SCIM_COUNT_MAX;
    }

    query->selective = json_array_size(json_object_get(query->texts,
                                                       "attributes"))
                       != 0;

    if (pu_json_str(json_object_get(query->texts, "sortOrder"), &text)) {
        query->descending = pu_str_case_eq(text, PU_STR("descending"));
    }

    if (pu_json_str(json_object_get(query->texts, "sortBy"), &text)
        && text.len != 0
        && (!pu_scim_path(&query->sort, text) || query->sort.name.len == 0
            || pu_scim_path_is(&query->sort, "password")))
    {
        return pu_scim_fail(err, 400, "invalidValue",
                            "\"sortBy\" is the name of an attribute",
                            PU_STR(""));
    }

    if (pu_json_str(json_object_get(query->texts, "filter"), &text)
        && text.len != 0)
    {
        query->filter = pu_scim_filter_new(text, err);
        return query->filter != NULL;
    }

    return 1;
}


/* Choosing. */


json_t *
pu_scim_select(const pu_scim_query_t *query, json_t *resource)
{
    int              ok;
    size_t           i;
    json_t          *list, *out;
    pu_str_t         text;
    pu_scim_path_t   path;

    static const char *const  always[] = { "schemas", "id" };

    if (resource == NULL) {
        return NULL;
    }

    if (query->selective) {
        list = json_object_get(query->texts, "attributes");
        out = json_object();
        ok = (out != NULL);

        for (i = 0; ok && i < 2; i++) {
            ok = json_object_set(out, always[i],
                                 json_object_get(resource, always[i]))
                 == 0;
        }

        for (i = 0; ok && i < json_array_size(list); i++) {
            if (pu_json_str(json_array_get(list, i), &text)
                && pu_scim_path(&path, text))
            {
                ok = pu_select_copy(out, resource, &path);
            }
        }

        json_decref(resource);

        if (!ok) {
            json_decref(out);
            return NULL;
        }

        return out;
    }

    list = json_object_get(query->texts, "excludedAttributes");

    for (i = 0; i < json_array_size(list); i++) {
        if (pu_json_str(json_array_get(list, i), &text)
            && pu_scim_path(&path, text))
        {
            pu_select_remove(resource, &path);
        }
    }

    return resource;
}


static int
pu_select_copy(json_t *to, const json_t *from, const pu_scim_path_t *path)
{
    json_t      *value, *inner, *part, *old;
    const char  *key;

    value = pu_scim_at(from, path);

    if (value == NULL) {
        return 1;
    }

    if (path->schema.len != 0) {
        key = pu_scim_key(from, path->schema);

        if (path->name.len == 0) {
            return json_object_set(to, key, value) == 0;
        }

        inner = json_object_get(to, key);

        if (inner == NULL) {
            inner = json_object();

            if (json_object_set_new(to, key, inner) != 0) {
                return 0;
            }
        }

        to = inner;
        from = json_object_get(from, key);
    }

    key = pu_scim_key(from, path->name);

    if (path->sub.len == 0) {
        return json_object_set(to, key, value) == 0;
    }

    part = pu_select_part_new(value, path->sub);
    old = json_object_get(to, key);

    if (part != NULL && old != NULL) {
        pu_select_join(old, part);
        json_decref(part);
        return 1;
    }

    return part != NULL && json_object_set_new(to, key, part) == 0;
}


/* emails.value, emails.type: two parts of the same values. */

static void
pu_select_join(json_t *old, json_t *part)
{
    size_t  i;

    for (i = 0; i < json_array_size(part); i++) {
        pu_select_join(json_array_get(old, i), json_array_get(part, i));
    }

    if (json_is_object(old) && json_is_object(part)) {
        (void) json_object_update(old, part);
    }
}


/* name.familyName: an object with that; emails.value: an array of such. */

static json_t *
pu_select_part_new(const json_t *value, pu_str_t sub)
{
    size_t       i;
    json_t      *out;
    const char  *key;

    if (json_is_array(value)) {
        out = json_array();

        for (i = 0; i < json_array_size(value); i++) {
            (void) json_array_append_new(out, pu_select_part_new(
                                             json_array_get(value, i), sub));
        }

        return out;
    }

    out = json_object();
    key = pu_scim_key(value, sub);

    if (key != NULL) {
        (void) json_object_set(out, key, json_object_get(value, key));
    }

    return out;
}


static void
pu_select_remove(json_t *resource, const pu_scim_path_t *path)
{
    size_t   i;
    json_t  *object, *value;

    if (pu_scim_path_is(path, "id") || pu_scim_path_is(path, "schemas")) {
        return;
    }

    object = resource;

    if (path->schema.len != 0) {
        if (path->name.len == 0) {
            (void) pu_scim_set_new(resource, path->schema, NULL);
            return;
        }

        object = pu_scim_get(resource, path->schema);
    }

    if (!json_is_object(object)) {
        return;
    }

    if (path->sub.len == 0) {
        (void) pu_scim_set_new(object, path->name, NULL);
        return;
    }

    value = pu_scim_get(object, path->name);

    if (json_is_object(value)) {
        (void) pu_scim_set_new(value, path->sub, NULL);
    }

    for (i = 0; json_is_array(value) && i < json_array_size(value); i++) {
        if (json_is_object(json_array_get(value, i))) {
            (void) pu_scim_set_new(json_array_get(value, i), path->sub, NULL);
        }
    }
}


int
pu_scim_selected(const pu_scim_query_t *query, const char *name)
{
    size_t           i;
    json_t          *list;
    pu_str_t         text;
    pu_scim_path_t   path;

    list = json_object_get(query->texts, query->selective
                                         ? "attributes"
                                         : "excludedAttributes");

    for (i = 0; i < json_array_size(list); i++) {
        if (pu_json_str(json_array_get(list, i), &text)
            && pu_scim_path(&path, text) && pu_scim_path_is(&path, name)
            && (query->selective || path.sub.len == 0))
        {
            return query->selective;
        }
    }

    return !query->selective;
}
