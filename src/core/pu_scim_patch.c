/*
 * pu_scim_patch: PATCH, as the standard has it and as directories send it.
 *
 * Operators in any case; objects without a path, whose names may be paths;
 * "remove" with a list of values; a filter that nothing passes makes the value
 * it describes.  Types are not looked at here: what comes out is read again
 * as a whole (pu_scim_record_read), so that nothing half is stored.
 */

#include "pu_scim_filter.h"
#include "pu_scim_resource.h"
#include "pu_scim_schema.h"


typedef enum {
    PU_PATCH_ADD = 0,
    PU_PATCH_REPLACE,
    PU_PATCH_REMOVE
} pu_patch_op_t;

typedef struct {
    json_t             *resource;
    pu_scim_kind_t      kind;
    pu_scim_members_t  *members;
    pu_patch_op_t       op;
    pu_scim_error_t    *err;
} pu_patch_t;


static int pu_patch_operation(pu_patch_t *p, const json_t *operation);
static int pu_patch_object(pu_patch_t *p, json_t *value);
static int pu_patch_path(pu_patch_t *p, pu_str_t text, json_t *value,
    int named);
static int pu_patch_allowed(pu_patch_t *p, const pu_scim_path_t *path,
    const json_t *value, int *skip);
static int pu_patch_members(pu_patch_t *p, const pu_scim_path_t *path,
    const pu_scim_filter_t *filter, json_t *value);
static int pu_patch_at(pu_patch_t *p, const pu_scim_path_t *path,
    const pu_scim_filter_t *filter, json_t *value);
static int pu_patch_schema(pu_patch_t *p, const pu_scim_path_t *path,
    json_t *value);
static int pu_patch_whole(pu_patch_t *p, json_t *object,
    const pu_scim_path_t *path, json_t *value);
static int pu_patch_remove_values(json_t *list, const json_t *values);
static int pu_patch_primary(json_t *list, const json_t *before);
static int pu_patch_is_primary(const json_t *value);
static int pu_patch_among(const json_t *list, const json_t *value);
static int pu_patch_append(json_t *list, json_t *value);
static int pu_patch_same(const json_t *a, const json_t *b);
static int pu_patch_sub(pu_patch_t *p, json_t *object,
    const pu_scim_path_t *path, json_t *value);
static int pu_patch_filtered(pu_patch_t *p, json_t *object,
    const pu_scim_path_t *path, const pu_scim_filter_t *filter,
    json_t *value);
static int pu_patch_create(pu_patch_t *p, json_t *object,
    const pu_scim_path_t *path, const pu_scim_filter_t *filter,
    json_t *value);
static int pu_patch_merge(json_t *object, json_t *value);
static int pu_patch_memory(pu_patch_t *p, int ok);


int
pu_scim_patch(json_t *resource, pu_scim_kind_t kind, const json_t *body,
    pu_scim_members_t *members, pu_scim_error_t *err)
{
    size_t       i, n;
    json_t      *operations;
    pu_patch_t   p;

    p.resource = resource;
    p.kind = kind;
    p.members = members;
    p.op = PU_PATCH_ADD;
    p.err = err;

    operations = pu_scim_get(body, PU_STR("Operations"));

    if (!pu_scim_names_ok(body) || !json_is_array(operations)) {
        return pu_scim_fail(err, 400, "invalidSyntax",
                            "a PATCH has an array \"Operations\", and no "
                            "name twice", PU_STR(""));
    }

    n = json_array_size(operations);

    if (n == 0 || n > PU_SCIM_PATCH_MAX) {
        return pu_scim_fail(err, 400, "invalidSyntax",
                            "a PATCH has 1 to 1000 operations", PU_STR(""));
    }

    for (i = 0; i < n; i++) {
        if (!pu_patch_operation(&p, json_array_get(operations, i))) {
            return pu_scim_fail(err, 500, NULL, "there is no memory",
                                PU_STR(""));
        }
    }

    return 1;
}


static int
pu_patch_operation(pu_patch_t *p, const json_t *operation)
{
    json_t    *value, *path;
    pu_str_t   op, text;

    if (!pu_json_str(pu_scim_get(operation, PU_STR("op")), &op)) {
        return pu_scim_fail(p->err, 400, "invalidSyntax",
                            "an operation has an \"op\"", PU_STR(""));
    }

    if (pu_str_case_eq(op, PU_STR("add"))) {
        p->op = PU_PATCH_ADD;

    } else if (pu_str_case_eq(op, PU_STR("replace"))) {
        p->op = PU_PATCH_REPLACE;

    } else if (pu_str_case_eq(op, PU_STR("remove"))) {
        p->op = PU_PATCH_REMOVE;

    } else {
        return pu_scim_fail(p->err, 400, "invalidSyntax",
                            "\"%s\" is no operation: add, remove and replace "
                            "are", op);
    }

    path = pu_scim_get(operation, PU_STR("path"));
    value = pu_scim_get(operation, PU_STR("value"));

    if (p->op != PU_PATCH_REMOVE && value == NULL) {
        return pu_scim_fail(p->err, 400, "invalidSyntax",
                            "add and replace have a \"value\"", PU_STR(""));
    }

    if (path != NULL && !json_is_null(path)) {
        if (!pu_json_str(path, &text)) {
            return pu_scim_fail(p->err, 400, "invalidPath",
                                "a path is a string", PU_STR(""));
        }

        if (text.len != 0) {
            return pu_patch_path(p, text, value, 1);
        }
    }

    if (p->op == PU_PATCH_REMOVE) {
        return pu_scim_fail(p->err, 400, "noTarget",
                            "remove needs a \"path\"", PU_STR(""));
    }

    return pu_patch_object(p, value);
}


static int
pu_patch_object(pu_patch_t *p, json_t *value)
{
    void  *iter;

    if (!json_is_object(value)) {
        return pu_scim_fail(p->err, 400, "invalidValue",
                            "without a path the value is an object",
                            PU_STR(""));
    }

    for (iter = json_object_iter(value);
         iter != NULL;
         iter = json_object_iter_next(value, iter))
    {
        if (!pu_patch_path(p, pu_str(json_object_iter_key(iter)),
                           json_object_iter_value(iter), 0))
        {
            return 0;
        }
    }

    return 1;
}


/* "named": a path of its own, not a name in an object. */

static int
pu_patch_path(pu_patch_t *p, pu_str_t text, json_t *value, int named)
{
    int                skip, ok;
    pu_scim_path_t     path;
    pu_scim_filter_t  *filter;

    if (text.len > PU_SCIM_FILTER_MAX
        || !pu_scim_filter_path(text, &path, &filter, p->err))
    {
        return pu_scim_fail(p->err, 400, "invalidPath",
                            "\"%s\" is not a path", text);
    }

    skip = !named && pu_scim_path_is(&path, "schemas");
    ok = skip || pu_patch_allowed(p, &path, value, &skip);

    if (ok && !skip) {
        ok = (p->kind == PU_SCIM_GROUPS && pu_scim_path_is(&path, "members"))
             ? pu_patch_members(p, &path, filter, value)
             : pu_patch_at(p, &path, filter, value);
    }

    pu_scim_filter_free(filter);

    return ok;
}


/* Saying again what is so is no attempt to change it. */

static int
pu_patch_allowed(pu_patch_t *p, const pu_scim_path_t *path,
    const json_t *value, int *skip)
{
    const pu_scim_attr_t  *attr;

    attr = pu_scim_attr(p->kind, path);

    if (attr == NULL) {
        return 1;
    }

    if (attr->flags & PU_ATTR_SECRET) {
        *skip = 1;
        return 1;
    }

    if (!(attr->flags & PU_ATTR_READONLY)) {
        return p->op != PU_PATCH_REMOVE
               || path->sub.len != 0
               || (!(attr->flags & PU_ATTR_REQUIRED)
                   && !pu_scim_path_is(path, "active"))
               || pu_scim_fail(p->err, 400, "invalidValue",
                               "\"%s\" cannot be removed", path->name);
    }

    if (value != NULL && p->op != PU_PATCH_REMOVE
        && json_equal(pu_scim_at(p->resource, path), value))
    {
        *skip = 1;
        return 1;
    }

    return pu_scim_fail(p->err, 400, "mutability", "\"%s\" is read-only",
                        path->name);
}


/* They are not in the resource: only what becomes of them is noted. */

static int
pu_patch_members(pu_patch_t *p, const pu_scim_path_t *path,
    const pu_scim_filter_t *filter, json_t *value)
{
    int      ok;
    json_t  *who;

    if (filter != NULL) {
        who = (p->op == PU_PATCH_REMOVE && path->sub.len == 0)
              ? pu_scim_filter_any_new(filter, "value") : NULL;

        if (who == NULL) {
            return pu_scim_fail(p->err, 400, "invalidPath",
                                "members are removed by members[value eq "
                                "\"...\"]", PU_STR(""));
        }

        ok = pu_scim_members_note(p->members, who, 0, p->err);
        json_decref(who);

        return ok;
    }

    if (p->op == PU_PATCH_REMOVE && value != NULL && !json_is_null(value)) {
        return pu_scim_members_note(p->members, value, 0, p->err);
    }

    if (p->op != PU_PATCH_ADD) {
        p->members->clear = 1;
        (void) json_object_clear(p->members->set);
    }

    return p->op == PU_PATCH_REMOVE
           || pu_scim_members_note(p->members, value, 1, p->err);
}


static int
pu_patch_at(pu_patch_t *p, const pu_scim_path_t *path,
    const pu_scim_filter_t *filter, json_t *value)
{
    int      ok;
    json_t  *object, *list, *before;

    if (path->name.len == 0) {
        return pu_patch_schema(p, path, value);
    }

    object = p->resource;

    if (path->schema.len != 0) {
        object = pu_scim_get(p->resource, path->schema);

        if (!json_is_object(object)) {
            if (p->op == PU_PATCH_REMOVE) {
                return 1;
            }

            object = json_object();

            if (!pu_patch_memory(p, pu_scim_set_new(p->resource,
                                                    path->schema, object)))
            {
                return 0;
            }
        }
    }

    list = pu_scim_get(object, path->name);
    before = NULL;

    if (json_is_array(list) && p->op != PU_PATCH_REMOVE) {
        before = json_deep_copy(list);

        if (!pu_patch_memory(p, before != NULL)) {
            return 0;
        }
    }

    if (filter != NULL) {
        ok = pu_patch_filtered(p, object, path, filter, value);

    } else {
        ok = (path->sub.len != 0) ? pu_patch_sub(p, object, path, value)
                                  : pu_patch_whole(p, object, path, value);
    }

    if (ok && before != NULL) {
        ok = pu_patch_memory(p,
                             pu_patch_primary(pu_scim_get(object, path->name),
                                              before));
    }

    json_decref(before);

    return ok;
}


/* A new primary value is the only one (RFC 7644 section 3.5.2). */

static int
pu_patch_primary(json_t *list, const json_t *before)
{
    size_t   i;
    json_t  *one, *is;

    is = NULL;

    for (i = 0; i < json_array_size(list); i++) {
        one = json_array_get(list, i);

        if (pu_patch_is_primary(one) && !pu_patch_among(before, one))
        {
            is = one;
        }
    }

    for (i = 0; is != NULL && i < json_array_size(list); i++) {
        one = json_array_get(list, i);

        if (one != is && pu_patch_is_primary(one)
            && !pu_scim_set_new(one, PU_STR("primary"), json_false()))
        {
            return 0;
        }
    }

    return 1;
}


/* Some say "True". */

static int
pu_patch_is_primary(const json_t *value)
{
    pu_str_t       s;
    const json_t  *primary;

    primary = pu_scim_get(value, PU_STR("primary"));

    return json_is_true(primary)
           || (pu_json_str(primary, &s) && pu_str_case_eq(s, PU_STR("true")));
}


static int
pu_patch_among(const json_t *list, const json_t *value)
{
    size_t  i;

    for (i = 0; i < json_array_size(list); i++) {
        if (json_equal(json_array_get(list, i), value)) {
            return 1;
        }
    }

    return 0;
}


/* A whole extension; its names are attributes. */

static int
pu_patch_schema(pu_patch_t *p, const pu_scim_path_t *path, json_t *value)
{
    void            *iter;
    pu_scim_path_t   inner;

    if (p->op == PU_PATCH_REMOVE || json_is_null(value)) {
        return pu_scim_set_new(p->resource, path->schema, NULL);
    }

    if (!json_is_object(value)) {
        return pu_scim_fail(p->err, 400, "invalidValue",
                            "\"%s\" is an object", path->schema);
    }

    for (iter = json_object_iter(value);
         iter != NULL;
         iter = json_object_iter_next(value, iter))
    {
        inner = *path;
        inner.name = pu_str(json_object_iter_key(iter));

        if (!pu_patch_at(p, &inner, NULL, json_object_iter_value(iter))) {
            return 0;
        }
    }

    return 1;
}


/* An attribute as a whole. */

static int
pu_patch_whole(pu_patch_t *p, json_t *object, const pu_scim_path_t *path,
    json_t *value)
{
    int                    multi, complex;
    size_t                 i;
    json_t                *old;
    const pu_scim_attr_t  *attr;

    attr = pu_scim_attr(p->kind, path);
    old = pu_scim_get(object, path->name);
    multi = (attr != NULL) ? (attr->flags & PU_ATTR_MULTI) != 0
                           : json_is_array(old);
    complex = (attr != NULL) ? attr->type == PU_ATTR_COMPLEX
                             : json_is_object(old);

    if (p->op == PU_PATCH_REMOVE) {
        if (json_is_array(old) && value != NULL && !json_is_null(value)) {
            return pu_patch_memory(p, pu_patch_remove_values(old, value));
        }

        return pu_scim_set_new(object, path->name, NULL);
    }

    if (multi && p->op == PU_PATCH_ADD && json_is_array(old)) {
        if (!json_is_array(value)) {
            return pu_patch_memory(p, pu_patch_append(old, value));
        }

        for (i = 0; i < json_array_size(value); i++) {
            if (!pu_patch_append(old, json_array_get(value, i))) {
                return pu_patch_memory(p, 0);
            }
        }

        return 1;
    }

    if (!multi && complex && json_is_object(old) && json_is_object(value)) {
        return pu_patch_memory(p, pu_patch_merge(old, value));
    }

    return pu_patch_memory(p, pu_scim_set_new(object, path->name,
                                              json_deep_copy(value)));
}


/* Only those that are named, by "value" or as a whole. */

static int
pu_patch_remove_values(json_t *list, const json_t *values)
{
    size_t         i, k, n;
    const json_t  *one;

    n = json_is_array(values) ? json_array_size(values) : 1;

    for (i = 0; i < n; i++) {
        one = json_is_array(values) ? json_array_get(values, i) : values;

        for (k = json_array_size(list); k > 0; k--) {
            if (pu_patch_same(json_array_get(list, k - 1), one)
                && json_array_remove(list, k - 1) != 0)
            {
                return 0;
            }
        }
    }

    return 1;
}


/* A value that is there is not added again; the new one says it all. */

static int
pu_patch_append(json_t *list, json_t *value)
{
    if (pu_patch_among(list, value)) {
        return 1;
    }

    return json_array_append_new(list, json_deep_copy(value)) == 0;
}


static int
pu_patch_same(const json_t *a, const json_t *b)
{
    const json_t  *x, *y;

    x = json_is_object(a) ? pu_scim_get(a, PU_STR("value")) : a;
    y = json_is_object(b) ? pu_scim_get(b, PU_STR("value")) : b;

    return (x != NULL && y != NULL) ? json_equal(x, y) : json_equal(a, b);
}


/* name.familyName; of several values, that of each of them. */

static int
pu_patch_sub(pu_patch_t *p, json_t *object, const pu_scim_path_t *path,
    json_t *value)
{
    size_t                 i, n;
    json_t                *old, *one;
    const pu_scim_attr_t  *attr;

    attr = pu_scim_attr(p->kind, path);
    old = pu_scim_get(object, path->name);

    if (attr != NULL && attr->type != PU_ATTR_COMPLEX) {
        return pu_scim_fail(p->err, 400, "invalidPath",
                            "\"%s\" has no parts", path->name);
    }

    if (!json_is_object(old) && !json_is_array(old)) {
        if (p->op == PU_PATCH_REMOVE) {
            return 1;
        }

        old = (attr != NULL && (attr->flags & PU_ATTR_MULTI))
              ? json_pack("[{}]") : json_object();

        if (!pu_patch_memory(p, pu_scim_set_new(object, path->name, old))) {
            return 0;
        }
    }

    n = json_is_array(old) ? json_array_size(old) : 1;

    for (i = 0; i < n; i++) {
        one = json_is_array(old) ? json_array_get(old, i) : old;

        if (json_is_object(one)
            && !pu_patch_memory(p, pu_scim_set_new(one, path->sub,
                                       (p->op == PU_PATCH_REMOVE)
                                       ? NULL : json_deep_copy(value))))
        {
            return 0;
        }
    }

    return 1;
}


/* emails[type eq "work"], or a part of it. */

static int
pu_patch_filtered(pu_patch_t *p, json_t *object, const pu_scim_path_t *path,
    const pu_scim_filter_t *filter, json_t *value)
{
    int      found;
    size_t   i;
    json_t  *list, *one;

    list = pu_scim_get(object, path->name);
    found = 0;

    for (i = json_is_array(list) ? json_array_size(list) : 0; i > 0; i--) {
        one = json_array_get(list, i - 1);

        if (!json_is_object(one) || !pu_scim_filter_match(filter, one)) {
            continue;
        }

        found = 1;

        if (path->sub.len != 0) {
            if (!pu_patch_memory(p, pu_scim_set_new(one, path->sub,
                                        (p->op == PU_PATCH_REMOVE)
                                        ? NULL : json_deep_copy(value))))
            {
                return 0;
            }

        } else if (p->op == PU_PATCH_REMOVE) {
            (void) json_array_remove(list, i - 1);

        } else if (!json_is_object(value)) {
            return pu_scim_fail(p->err, 400, "invalidValue",
                                "a value of \"%s\" is an object",
                                path->name);

        } else if (!pu_patch_memory(p, pu_patch_merge(one, value))) {
            return 0;
        }
    }

    if (found || p->op == PU_PATCH_REMOVE) {
        return 1;
    }

    return pu_patch_create(p, object, path, filter, value);
}


static int
pu_patch_create(pu_patch_t *p, json_t *object, const pu_scim_path_t *path,
    const pu_scim_filter_t *filter, json_t *value)
{
    json_t  *one, *list;

    one = pu_scim_filter_example_new(filter);

    if (one == NULL) {
        return pu_scim_fail(p->err, 400, "noTarget",
                            "nothing in \"%s\" passes the filter",
                            path->name);
    }

    if (path->sub.len != 0) {
        if (!pu_scim_set_new(one, path->sub, json_deep_copy(value))) {
            json_decref(one);
            return pu_patch_memory(p, 0);
        }

    } else if (!json_is_object(value) || !pu_patch_merge(one, value)) {
        json_decref(one);
        return pu_scim_fail(p->err, 400, "invalidValue",
                            "a value of \"%s\" is an object", path->name);
    }

    list = pu_scim_get(object, path->name);

    if (json_is_array(list)) {
        return pu_patch_memory(p, json_array_append_new(list, one) == 0);
    }

    return pu_patch_memory(p, pu_scim_set_new(object, path->name,
                                              json_pack("[o]", one)));
}


static int
pu_patch_merge(json_t *object, json_t *value)
{
    void  *iter;

    for (iter = json_object_iter(value);
         iter != NULL;
         iter = json_object_iter_next(value, iter))
    {
        if (!pu_scim_set_new(object, pu_str(json_object_iter_key(iter)),
                             json_deep_copy(json_object_iter_value(iter))))
        {
            return 0;
        }
    }

    return 1;
}


static int
pu_patch_memory(pu_patch_t *p, int ok)
{
    return ok || pu_scim_fail(p->err, 500, NULL, "there is no memory",
                              PU_STR(""));
}


/* Members. */


int
pu_scim_members_init(pu_scim_members_t *members)
{
    members->clear = 0;
    members->set = json_object();

    return members->set != NULL;
}


void
pu_scim_members_free(pu_scim_members_t *members)
{
    json_decref(members->set);
    members->set = NULL;
}


int
pu_scim_members_note(pu_scim_members_t *members, const json_t *value,
    int add, pu_scim_error_t *err)
{
    size_t         i, n;
    pu_str_t       id;
    const json_t  *one;

    if (value == NULL || json_is_null(value)) {
        return 1;
    }

    n = json_is_array(value) ? json_array_size(value) : 1;

    for (i = 0; i < n; i++) {
        one = json_is_array(value) ? json_array_get(value, i) : value;

        if (json_is_object(one)) {
            one = pu_scim_get(one, PU_STR("value"));
        }

        if (!pu_json_str(one, &id)) {
            return pu_scim_fail(err, 400, "invalidValue",
                                "a member is an object with a \"value\"",
                                PU_STR(""));
        }

        if (!pu_user_id_ok(id)) {
            continue;
        }

        if (json_object_set_new(members->set, json_string_value(one),
                                json_boolean(add))
            != 0)
        {
            return pu_scim_fail(err, 500, NULL, "there is no memory",
                                PU_STR(""));
        }
    }

    return 1;
}
