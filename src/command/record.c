/*
 * record: reads a user's hash and says it as JSON.
 *
 * Judges a record by the module's own codec, so that what is shown as
 * readable is what nginx can read.
 */

#include "record.h"


#define RECORD_NFIELDS  (PU_USER_NFIELDS + 6)


static const char *const  record_fields[RECORD_NFIELDS] = {
    PU_USER_FIELDS, "created", "modified", "source", "suspended_by",
    "user_name", "external_id"
};


static void record_add(json_t *object, const char *name, pu_str_t s);
static void record_add_time(json_t *object, const char *name, pu_str_t s);
static json_t *record_words(pu_str_t words);
static json_t *record_grants(const record_t *record, int64_t now);


void
record_request(const session_t *s, cli_args_t *args, pu_str_t id)
{
    size_t  i;

    args_start(args, "HMGET");
    args_key(args, s, "user:", id);

    for (i = 0; i < RECORD_NFIELDS; i++) {
        args_text(args, record_fields[i]);
    }
}


void
record_read(record_t *record, pu_str_t id, const redisReply *reply)
{
    size_t    i;
    pu_str_t  fields[RECORD_NFIELDS];

    memset(record, 0, sizeof(record_t));
    record->id = id;

    /* another type is there, but cannot be read */

    record->exists = (reply->type == REDIS_REPLY_ERROR);

    for (i = 0; i < RECORD_NFIELDS; i++) {
        fields[i] = reply_text(reply_at(reply, i));

        if (fields[i].data != NULL) {
            record->exists = 1;
        }
    }

    if (!record->exists) {
        return;
    }

    record->readable = pu_user_read(&record->user, id, fields) ? 1 : 0;

    record->created = fields[PU_USER_NFIELDS];
    record->modified = fields[PU_USER_NFIELDS + 1];
    record->source = fields[PU_USER_NFIELDS + 2];
    record->suspended_by = fields[PU_USER_NFIELDS + 3];
    record->user_name = fields[PU_USER_NFIELDS + 4];
    record->external_id = fields[PU_USER_NFIELDS + 5];
}


pu_str_t
record_state(const record_t *record)
{
    return record->readable ? pu_user_state_word(record->user.state)
                            : PU_STR("unreadable");
}


int
record_has_role(const record_t *record, pu_str_t role, int64_t now)
{
    char  roles[PU_USER_PACKED_MAX];

    return pu_set_has(record_roles(record, now, roles, sizeof(roles)), role);
}


pu_str_t
record_roles(const record_t *record, int64_t now, void *out, size_t size)
{
    int64_t   until;
    pu_buf_t  b;

    pu_buf_init(&b, out, size);

    if (record->readable) {
        pu_user_roles(&b, &record->user, PU_STR(""), NULL, now, &until);
    }

    return pu_buf_written(&b);
}


json_t *
record_json(const record_t *record, int64_t now)
{
    char              roles[PU_USER_PACKED_MAX];
    json_t           *object;
    const pu_user_t  *user;

    object = json_object();
    user = &record->user;

    record_add(object, "id", record->id);
    record_add(object, "state", record_state(record));

    if (!record->readable) {
        return object;
    }

    record_add(object, "name", user->name);
    record_add(object, "type", pu_user_type_word(user->type));
    record_add(object, "issuer", user->issuer);
    record_add(object, "subject", user->subject);
    record_add(object, "user_name", record->user_name);
    record_add(object, "external_id", record->external_id);

    json_object_set_new(object, "roles", record_words(record_roles(record,
                                         now, roles, sizeof(roles))));
    json_object_set_new(object, "grants", record_grants(record, now));

    if (user->scopes.data != NULL) {
        json_object_set_new(object, "scopes", record_words(user->scopes));
    }

    json_object_set_new(object, "suspended_by",
                        record_words(record->suspended_by));
    json_object_set_new(object, "version", json_integer(user->version));

    if (user->epoch) {
        json_object_set_new(object, "epoch", json_integer(user->epoch));
    }

    if (user->expires) {
        json_object_set_new(object, "expires", json_integer(user->expires));
    }

    record_add_time(object, "created", record->created);
    record_add_time(object, "modified", record->modified);
    record_add(object, "source", record->source);

    return object;
}


/* What is absent is left out. */

static void
record_add(json_t *object, const char *name, pu_str_t s)
{
    if (s.data != NULL) {
        json_object_set_new(object, name, output_json(s));
    }
}


static void
record_add_time(json_t *object, const char *name, pu_str_t s)
{
    int64_t  n;

    if (pu_str_int(s, &n)) {
        json_object_set_new(object, name, json_integer(n));
    }
}


static json_t *
record_words(pu_str_t words)
{
    json_t    *list;
    pu_str_t   word;

    list = json_array();

    while (pu_word_next(&words, &word)) {
        json_array_append_new(list, output_json(word));
    }

    return list;
}


/* Every grant with its times, those that have ended as well. */

static json_t *
record_grants(const record_t *record, int64_t now)
{
    json_t    *list, *grant;
    int64_t    granted, expires;
    pu_str_t   rest, role;

    list = json_array();
    rest = record->user.roles;

    while (pu_grant_next(&rest, &role, &granted, &expires) == 1) {
        grant = json_object();
        record_add(grant, "role", role);

        if (granted) {
            json_object_set_new(grant, "granted", json_integer(granted));
        }

        if (expires) {
            json_object_set_new(grant, "expires", json_integer(expires));
            json_object_set_new(grant, "ended", json_boolean(expires <= now));
        }

        json_array_append_new(list, grant);
    }

    return list;
}
