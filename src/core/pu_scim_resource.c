/*
 * pu_scim_resource: record to resource and back.
 *
 * A user's "extra" is an object with everything that has no field of its own.
 * Names are written as the standard has them, values of known attributes have
 * their types; what nobody knows is kept as it came.  Not PATCH.
 */

#include <stdlib.h>

#include "pu_memory.h"
#include "pu_scim_resource.h"
#include "pu_scim_schema.h"


typedef struct {
    pu_scim_kind_t      kind;
    pu_scim_record_t   *record;
    pu_scim_members_t  *members;
    pu_scim_error_t    *err;
} pu_scim_taker_t;


static json_t *pu_scim_extra_new(pu_str_t extra);
static int pu_scim_schemas_set(json_t *resource, const char *core);
static int pu_scim_meta_set(json_t *resource, const char *type,
    pu_str_t created, pu_str_t modified, pu_str_t version,
    pu_str_t location);
static pu_str_t pu_scim_location(pu_scim_text_t *text, pu_str_t base,
    const char *where, pu_str_t id);
static int pu_scim_groups_set(json_t *resource, pu_str_t groups,
    pu_str_t base);
static int pu_scim_take(pu_scim_taker_t *t, const char *key, json_t *value);
static int pu_scim_take_field(pu_scim_taker_t *t, const char *name,
    json_t *value);
static int pu_scim_take_extension(pu_scim_taker_t *t, const char *key,
    json_t *value);
static json_t *pu_scim_value_new(const pu_scim_attr_t *attr, json_t *value,
    pu_scim_error_t *err);
static json_t *pu_scim_list_new(const pu_scim_attr_t *attr, json_t *value,
    pu_scim_error_t *err);
static json_t *pu_scim_single_new(const pu_scim_attr_t *attr, json_t *value,
    pu_scim_error_t *err);
static json_t *pu_scim_complex_new(const pu_scim_attr_t *attr, json_t *value,
    pu_scim_error_t *err);
static const pu_scim_attr_t *pu_scim_sub(const pu_scim_attr_t *attr,
    const char *name);
static int pu_scim_key_ok(pu_str_t key, pu_scim_error_t *err,
    const char *name);
static void pu_scim_label(pu_scim_record_t *record);
static int pu_scim_finish(pu_scim_taker_t *t);


json_t *
pu_scim_user_new(const pu_directory_user_t *user, pu_str_t base)
{
    int              ok;
    json_t          *r;
    pu_str_t         where;
    pu_scim_text_t   text;

    r = pu_scim_extra_new(user->extra);

    if (r == NULL) {
        return NULL;
    }

    memset(&text, 0, sizeof(pu_scim_text_t));
    where = pu_scim_location(&text, base, "/Users/", user->id);

    ok = !text.failed
         && json_object_set_new(r, "id", pu_scim_string_new(user->id)) == 0
         && json_object_set_new(r, "userName",
                                pu_scim_string_new(user->user_name.len
                                                   ? user->user_name
                                                   : user->id))
            == 0
         && json_object_set_new(r, "active",
                                json_boolean(pu_str_is(user->state,
                                                       "active")))
            == 0
         && (user->external_id.len == 0
             || json_object_set_new(r, "externalId",
                                    pu_scim_string_new(user->external_id))
                == 0)
         && (user->name.len == 0
             || json_object_get(r, "displayName") != NULL
             || json_object_set_new(r, "displayName",
                                    pu_scim_string_new(user->name))
                == 0)
         && pu_scim_groups_set(r, user->groups, base)
         && pu_scim_meta_set(r, "User", user->created, user->modified,
                             user->version_text, where)
         && pu_scim_schemas_set(r, PU_SCIM_USER);

    pu_scim_text_free(&text);

    if (!ok) {
        json_decref(r);
        return NULL;
    }

    return r;
}


json_t *
pu_scim_group_new(const pu_directory_group_t *group, pu_str_t base)
{
    int              ok;
    json_t          *r;
    pu_str_t         where;
    pu_scim_text_t   text;

    r = pu_scim_extra_new(group->extra);

    if (r == NULL) {
        return NULL;
    }

    memset(&text, 0, sizeof(pu_scim_text_t));
    where = pu_scim_location(&text, base, "/Groups/", group->id);

    ok = !text.failed
         && json_object_set_new(r, "id", pu_scim_string_new(group->id)) == 0
         && json_object_set_new(r, "displayName",
                                pu_scim_string_new(group->display_name))
            == 0
         && (group->external_id.len == 0
             || json_object_set_new(r, "externalId",
                                    pu_scim_string_new(group->external_id))
                == 0)
         && pu_scim_meta_set(r, "Group", group->created, group->modified,
                             group->version_text, where)
         && pu_scim_schemas_set(r, PU_SCIM_GROUP);

    pu_scim_text_free(&text);

    if (!ok) {
        json_decref(r);
        return NULL;
    }

    return r;
}


static json_t *
pu_scim_extra_new(pu_str_t extra)
{
    json_t  *object;

    static const pu_json_limits_t  limits = {
        PU_EXTRA_MAX, PU_SCIM_BODY_DEPTH, PU_SCIM_BODY_MEMBERS
    };

    object = (extra.len != 0) ? pu_json_object(extra, &limits) : NULL;

    return (object != NULL) ? object : json_object();
}


/* The core schema and those extensions that have something to say. */

static int
pu_scim_schemas_set(json_t *resource, const char *core)
{
    void        *iter;
    json_t      *list;
    const char  *key;

    list = json_pack("[s]", core);

    for (iter = json_object_iter(resource);
         list != NULL && iter != NULL;
         iter = json_object_iter_next(resource, iter))
    {
        key = json_object_iter_key(iter);

        if (pu_str_starts(pu_str(key), "urn:")) {
            (void) json_array_append_new(list, json_string(key));
        }
    }

    return json_object_set_new(resource, "schemas", list) == 0;
}


static int
pu_scim_meta_set(json_t *resource, const char *type, pu_str_t created,
    pu_str_t modified, pu_str_t version, pu_str_t location)
{
    char       etag[32];
    json_t    *meta;
    pu_buf_t   b;

    pu_buf_init(&b, etag, sizeof(etag));
    pu_buf_text(&b, "W/\"");
    pu_buf_str(&b, version);
    pu_buf_char(&b, '"');

    meta = json_pack("{s:s, s:o, s:o, s:o, s:o}",
                     "resourceType", type,
                     "created", pu_scim_time_new(created),
                     "lastModified", pu_scim_time_new(modified),
                     "location", pu_scim_string_new(location),
                     "version", pu_scim_string_new(pu_buf_written(&b)));

    return json_object_set_new(resource, "meta", meta) == 0;
}


static pu_str_t
pu_scim_location(pu_scim_text_t *text, pu_str_t base, const char *where,
    pu_str_t id)
{
    text->len = 0;

    pu_scim_text_put(text, base.data, base.len);
    pu_scim_text_add(text, where);
    pu_scim_text_put(text, id.data, id.len);

    return (pu_str_t) { text->len, (const uint8_t *) text->data };
}


static int
pu_scim_groups_set(json_t *resource, pu_str_t groups, pu_str_t base)
{
    int              ok;
    json_t          *list;
    pu_str_t         id, where;
    pu_scim_text_t   text;

    if (groups.len == 0) {
        return 1;
    }

    ok = 1;
    list = json_array();
    memset(&text, 0, sizeof(pu_scim_text_t));

    while (ok && pu_word_next(&groups, &id)) {
        where = pu_scim_location(&text, base, "/Groups/", id);

        ok = !text.failed
             && json_array_append_new(list,
                        json_pack("{s:o, s:o, s:s}",
                                  "value", pu_scim_string_new(id),
                                  "$ref", pu_scim_string_new(where),
                                  "type", "direct"))
                == 0;
    }

    pu_scim_text_free(&text);

    return json_object_set_new(resource, "groups", list) == 0 && ok;
}


/* What is to be stored. */


int
pu_scim_record_read(pu_scim_record_t *record, pu_scim_kind_t kind,
    const json_t *body, pu_scim_members_t *members, pu_scim_error_t *err)
{
    void             *iter;
    json_t           *o, *schemas;
    pu_scim_taker_t   t;

    memset(record, 0, sizeof(pu_scim_record_t));

    t.kind = kind;
    t.record = record;
    t.members = members;
    t.err = err;

    pu_memory_watch();

    if (!json_is_object(body) || !pu_scim_names_ok(body)) {
        if (pu_memory_short()) {
            return pu_scim_fail(err, 500, NULL, "there is no memory",
                                PU_STR(""));
        }

        return pu_scim_fail(err, 400, "invalidSyntax",
                            "the body is one JSON object, and no name is in "
                            "it twice", PU_STR(""));
    }

    schemas = pu_scim_get(body, PU_STR("schemas"));

    if (schemas != NULL && !json_is_array(schemas)) {
        return pu_scim_fail(err, 400, "invalidSyntax",
                            "\"schemas\" is an array of strings", PU_STR(""));
    }

    record->doc = json_pack("{s:{}, s:{}}", "fields", "extra");

    if (record->doc == NULL) {
        return pu_scim_fail(err, 500, NULL, "there is no memory", PU_STR(""));
    }

    o = (json_t *) (uintptr_t) body;

    for (iter = json_object_iter(o);
         iter != NULL;
         iter = json_object_iter_next(o, iter))
    {
        if (!pu_scim_take(&t, json_object_iter_key(iter),
                          json_object_iter_value(iter)))
        {
            return pu_scim_fail(err, 500, NULL, "there is no memory",
                                PU_STR(""));
        }
    }

    return pu_scim_finish(&t);
}


void
pu_scim_record_free(pu_scim_record_t *record)
{
    json_decref(record->doc);
    free(record->text);
    record->doc = NULL;
    record->text = NULL;
}


static int
pu_scim_take(pu_scim_taker_t *t, const char *key, json_t *value)
{
    int                    ok;
    json_t                *kept;
    pu_scim_path_t         path;
    const pu_scim_attr_t  *attr;

    ok = pu_scim_path(&path, pu_str(key));

    if (json_is_null(value)) {

        /* it might mean "off", and nobody is to think that it was done */

        return !ok || !pu_scim_path_is(&path, "active")
               || pu_scim_fail(t->err, 400, "invalidValue",
                               "\"active\" is true or false", PU_STR(""));
    }

    if (!ok || path.sub.len != 0) {
        return pu_scim_fail(t->err, 400, "invalidSyntax",
                            "\"%s\" is not the name of an attribute",
                            pu_str(key));
    }

    if (path.schema.len != 0) {
        return pu_scim_take_extension(t, key, value);
    }

    attr = pu_scim_attr(t->kind, &path);

    if (attr == NULL) {
        return json_object_set(json_object_get(t->record->doc, "extra"), key,
                               value)
               == 0;
    }

    if (attr->flags & (PU_ATTR_READONLY|PU_ATTR_SECRET)) {
        return 1;
    }

    if (pu_scim_path_is(&path, "members")) {
        return pu_scim_members_note(t->members, value, 1, t->err);
    }

    kept = pu_scim_value_new(attr, value, t->err);

    if (kept == NULL) {
        return t->err->status == 0;     /* unassigned, or wrong */
    }

    return pu_scim_take_field(t, attr->name, kept);
}


/* Takes the reference. */

static int
pu_scim_take_field(pu_scim_taker_t *t, const char *name, json_t *value)
{
    int   own;
    pu_str_t  s;

    own = strcmp(name, "externalId") == 0 || strcmp(name, "active") == 0
          || strcmp(name, (t->kind == PU_SCIM_USERS) ? "userName"
                                                     : "displayName")
             == 0;

    if (strcmp(name, "active") == 0) {
        t->record->active = json_is_true(value) ? PU_ACTIVE_YES
                                                : PU_ACTIVE_NO;

    } else if (strcmp(name, "userType") == 0 && pu_json_str(value, &s)
               && (pu_str_is(s, "human") || pu_str_is(s, "service")
                   || pu_str_is(s, "application")))
    {
        t->record->type = s;
    }

    return json_object_set_new(json_object_get(t->record->doc,
                                               own ? "fields" : "extra"),
                               name, value)
           == 0;
}


/* An extension is an object of its own under its URN. */

static int
pu_scim_take_extension(pu_scim_taker_t *t, const char *key, json_t *value)
{
    void                  *iter;
    json_t                *object, *kept;
    pu_scim_path_t         path;
    const pu_scim_attr_t  *attr;

    if (!json_is_object(value)
        || !pu_str_case_eq(pu_str(key), PU_STR(PU_SCIM_ENTERPRISE)))
    {
        return json_object_set(json_object_get(t->record->doc, "extra"), key,
                               value)
               == 0;
    }

    object = json_object();

    for (iter = json_object_iter(value);
         iter != NULL;
         iter = json_object_iter_next(value, iter))
    {
        memset(&path, 0, sizeof(pu_scim_path_t));
        path.schema = pu_str(key);
        path.name = pu_str(json_object_iter_key(iter));

        attr = pu_scim_attr(t->kind, &path);
        kept = json_object_iter_value(iter);

        if (json_is_null(kept)) {
            continue;
        }

        kept = (attr != NULL) ? pu_scim_value_new(attr, kept, t->err)
                              : json_incref(kept);

        if (kept == NULL && t->err->status != 0) {
            json_decref(object);
            return 0;
        }

        if (kept != NULL) {
            (void) json_object_set_new(object,
                                       (attr != NULL)
                                       ? attr->name
                                       : json_object_iter_key(iter), kept);
        }
    }

    if (json_object_size(object) == 0) {
        json_decref(object);
        return 1;
    }

    return json_object_set_new(json_object_get(t->record->doc, "extra"),
                               PU_SCIM_ENTERPRISE, object)
           == 0;
}


/*
 * A value in the attribute's own type.  NULL: it is unassigned, or it is
 * wrong and there is an error.
 */

static json_t *
pu_scim_value_new(const pu_scim_attr_t *attr, json_t *value,
    pu_scim_error_t *err)
{
    if (attr->flags & PU_ATTR_MULTI) {
        return pu_scim_list_new(attr, value, err);
    }

    /* a client that puts every value into an array */

    if (json_is_array(value) && json_array_size(value) == 1) {
        value = json_array_get(value, 0);
    }

    return pu_scim_single_new(attr, value, err);
}


static json_t *
pu_scim_list_new(const pu_scim_attr_t *attr, json_t *value,
    pu_scim_error_t *err)
{
    size_t   i, n;
    json_t  *list, *one;

    list = json_array();
    n = json_is_array(value) ? json_array_size(value) : 1;

    for (i = 0; i < n; i++) {
        one = json_is_array(value) ? json_array_get(value, i) : value;

        if (json_is_null(one)) {
            continue;
        }

        one = pu_scim_single_new(attr, one, err);

        if (one == NULL) {
            if (err->status != 0) {
                json_decref(list);
                return NULL;
            }

            continue;
        }

        (void) json_array_append_new(list, one);
    }

    if (json_array_size(list) == 0) {
        json_decref(list);
        return NULL;
    }

    return list;
}


static json_t *
pu_scim_single_new(const pu_scim_attr_t *attr, json_t *value,
    pu_scim_error_t *err)
{
    int  b;

    switch (attr->type) {

    case PU_ATTR_BOOLEAN:
        if (pu_scim_bool(value, &b)) {
            return json_boolean(b);
        }

        pu_scim_fail(err, 400, "invalidValue", "\"%s\" is true or false",
                     pu_str(attr->name));
        return NULL;

    case PU_ATTR_COMPLEX:
        return pu_scim_complex_new(attr, value, err);

    default:
        if (json_is_string(value)) {
            return json_incref(value);
        }

        pu_scim_fail(err, 400, "invalidValue", "\"%s\" is a string",
                     pu_str(attr->name));
        return NULL;
    }
}


/* A string alone stands for the "value" of what has one. */

static json_t *
pu_scim_complex_new(const pu_scim_attr_t *attr, json_t *value,
    pu_scim_error_t *err)
{
    void                  *iter;
    json_t                *object, *kept;
    const char            *key;
    const pu_scim_attr_t  *sub;

    if (json_is_string(value) && pu_scim_sub(attr, "value") != NULL) {
        return json_pack("{s:O}", "value", value);
    }

    if (!json_is_object(value)) {
        pu_scim_fail(err, 400, "invalidValue", "\"%s\" is an object",
                     pu_str(attr->name));
        return NULL;
    }

    object = json_object();

    for (iter = json_object_iter(value);
         iter != NULL;
         iter = json_object_iter_next(value, iter))
    {
        key = json_object_iter_key(iter);
        kept = json_object_iter_value(iter);
        sub = pu_scim_sub(attr, key);

        if (json_is_null(kept)) {
            continue;
        }

        kept = (sub != NULL) ? pu_scim_single_new(sub, kept, err)
                             : json_incref(kept);

        if (kept == NULL) {
            json_decref(object);
            return NULL;
        }

        (void) json_object_set_new(object, (sub != NULL) ? sub->name : key,
                                   kept);
    }

    if (json_object_size(object) == 0) {
        json_decref(object);
        return NULL;
    }

    return object;
}


static const pu_scim_attr_t *
pu_scim_sub(const pu_scim_attr_t *attr, const char *name)
{
    const pu_scim_attr_t  *sub;

    for (sub = attr->sub; sub != NULL && sub->name != NULL; sub++) {
        if (pu_str_case_eq(pu_str(name), pu_str(sub->name))) {
            return sub;
        }
    }

    return NULL;
}


static int
pu_scim_finish(pu_scim_taker_t *t)
{
    json_t            *fields, *extra;
    const char        *key;
    pu_scim_record_t  *record;

    record = t->record;
    fields = json_object_get(record->doc, "fields");
    extra = json_object_get(record->doc, "extra");
    key = (t->kind == PU_SCIM_USERS) ? "userName" : "displayName";

    (void) pu_json_str(json_object_get(fields, key), &record->key);
    (void) pu_json_str(json_object_get(fields, "externalId"),
                       &record->external_id);

    if (record->key.len == 0) {
        return pu_scim_fail(t->err, 400, "invalidValue",
                            "\"%s\" is required", pu_str(key));
    }

    if (!pu_scim_key_ok(record->key, t->err, key)
        || !pu_scim_key_ok(record->external_id, t->err, "externalId"))
    {
        return 0;
    }

    if (t->kind == PU_SCIM_USERS) {
        pu_scim_label(record);
    }

    if (json_object_size(extra) == 0) {
        return 1;
    }

    /* sorted, so that what is said again in another order is the same */

    record->text = json_dumps(extra, JSON_COMPACT|JSON_SORT_KEYS);
    record->extra = pu_str(record->text);

    if (record->text == NULL) {
        return pu_scim_fail(t->err, 500, NULL, "there is no memory",
                            PU_STR(""));
    }

    if (record->extra.len > PU_EXTRA_MAX) {
        return pu_scim_fail(t->err, 400, "invalidValue",
                            "the attributes of one resource are at most "
                            "65536 bytes", PU_STR(""));
    }

    return 1;
}


static int
pu_scim_key_ok(pu_str_t key, pu_scim_error_t *err, const char *name)
{
    if (key.len <= PU_USER_NAME_MAX && !pu_str_has_control(key)) {
        return 1;
    }

    return pu_scim_fail(err, 400, "invalidValue",
                        "\"%s\" has at most 1024 bytes and no control "
                        "characters", pu_str(name));
}


/* What the user is called: the first of these that is there. */

static void
pu_scim_label(pu_scim_record_t *record)
{
    json_t    *extra, *name;
    pu_buf_t   b;
    pu_str_t   given, family;

    extra = json_object_get(record->doc, "extra");
    name = json_object_get(extra, "name");

    if ((pu_json_str(json_object_get(extra, "displayName"), &record->name)
         || pu_json_str(json_object_get(name, "formatted"), &record->name))
        && record->name.len != 0)
    {
        return;
    }

    if (pu_json_str(json_object_get(name, "givenName"), &given)
        && pu_json_str(json_object_get(name, "familyName"), &family)
        && given.len + family.len < 2 * PU_LABEL_MAX)
    {
        pu_buf_init(&b, record->label, sizeof(record->label));
        pu_buf_str(&b, given);
        pu_buf_char(&b, ' ');
        pu_buf_str(&b, family);
        record->name = pu_buf_written(&b);
        return;
    }

    record->name = record->key;
}
