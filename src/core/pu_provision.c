/*
 * pu_provision: the commands and answers of provisioning.
 *
 * Each function makes or reads one operation of change/60 to 80, in the order
 * of its arguments.  Nothing is allocated.
 */

#include "pu_command_own.h"
#include "pu_provision.h"


#define PU_SCIM_USER_FIELDS   10
#define PU_SCIM_GROUP_FIELDS  6


static pu_str_t pu_name_or_cut(pu_str_t name);
static void pu_args_seconds(pu_args_t *args, int64_t seconds);
static int pu_args_handle(pu_args_t *args, pu_str_t issuer,
    pu_str_t subject);
static void pu_args_version(pu_args_t *args, int64_t version);
static void pu_args_group(pu_args_t *args, const char *sha, pu_str_t prefix,
    const char *op, const pu_group_write_t *group, int64_t version);
static void pu_args_group_fields(pu_args_t *args,
    const pu_group_write_t *group);
static int pu_user_fields(pu_str_t id, const redisReply *fields,
    pu_directory_user_t *user);
static int pu_group_fields(pu_str_t id, const redisReply *fields,
    pu_directory_group_t *group);
static pu_read_t pu_reply_read(const redisReply *reply);


int
pu_group_id_new(char id[PU_GROUP_ID_LEN])
{
    id[0] = 'g';
    id[1] = '_';

    return pu_random_id(id + 2);
}


/* The rest of it is like a user's. */

int
pu_group_id_ok(pu_str_t id)
{
    char  user[PU_USER_ID_LEN];

    if (id.len != PU_GROUP_ID_LEN || !pu_str_starts(id, "g_")) {
        return 0;
    }

    memcpy(user, id.data, PU_USER_ID_LEN);
    user[0] = 'u';

    id.data = (const uint8_t *) user;

    return pu_user_id_ok(id);
}


int
pu_command_user_create(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_user_create_t *user)
{
    pu_args_script(args, sha, prefix, "user_create");

    pu_args_str(args, user->id);
    pu_args_text(args, "");
    pu_args_str(args, user->actor);
    pu_args_str(args, user->source);
    pu_args_str(args, user->reason);

    pu_args_str(args, user->user_name);

    if (!pu_args_digest(args, user->user_name, pu_name_index)) {
        return 0;
    }

    pu_args_str(args, user->external_id);

    if (!pu_args_digest(args, user->external_id, pu_external_index)) {
        return 0;
    }

    pu_args_str(args, pu_name_or_cut(user->name));
    pu_args_str(args, pu_user_type_word(user->type));
    pu_args_text(args, user->suspended ? "0" : "1");
    pu_args_str(args, user->roles);

    pu_args_text(args, user->scopes.data ? "1" : "0");
    pu_args_str(args, user->scopes);
    pu_args_seconds(args, user->expires);

    if (!pu_args_handle(args, user->issuer, user->subject)) {
        return 0;
    }

    pu_args_str(args, user->store);

    if (!pu_args_random(args, pu_random_id, PU_STORE_ID_LEN)) {
        return 0;
    }

    pu_args_str(args, user->extra);

    return 1;
}


static pu_str_t
pu_name_or_cut(pu_str_t name)
{
    if (name.len <= PU_LABEL_MAX) {
        return name;
    }

    name.len = PU_LABEL_MAX;

    while (name.len > 0 && (name.data[name.len] & 0xc0) == 0x80) {
        name.len--;
    }

    return name;
}


static void
pu_args_seconds(pu_args_t *args, int64_t seconds)
{
    if (seconds > 0) {
        pu_args_int(args, seconds);

    } else {
        pu_args_text(args, "");
    }
}


/* The handle, the issuer and the subject; all empty without a subject. */

static int
pu_args_handle(pu_args_t *args, pu_str_t issuer, pu_str_t subject)
{
    char     *room;
    uint8_t   digest[PU_SHA256_LEN];

    if (subject.len == 0) {
        pu_args_text(args, "");

    } else {
        if (!pu_handle_digest(digest, issuer, subject)) {
            return 0;
        }

        room = pu_args_room(args, PU_HANDLE_TEXT_MAX);
        pu_args_add(args, room,
                    pu_handle_text(room, PU_HANDLE_SUB, digest));
    }

    pu_args_str(args, issuer);
    pu_args_str(args, subject);

    return 1;
}


int
pu_command_user_replace(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_user_replace_t *user)
{
    static const char *const  active[] = { "", "1", "0" };

    pu_args_script(args, sha, prefix, "user_replace");

    pu_args_str(args, user->id);
    pu_args_version(args, user->expected_version);
    pu_args_str(args, user->actor);
    pu_args_str(args, user->source);
    pu_args_str(args, user->reason);

    pu_args_str(args, user->user_name);

    if (!pu_args_digest(args, user->user_name, pu_name_index)
        || !pu_args_digest(args, user->old_user_name, pu_name_index))
    {
        return 0;
    }

    pu_args_str(args, user->external_id);

    if (!pu_args_digest(args, user->external_id, pu_external_index)
        || !pu_args_digest(args, user->old_external_id, pu_external_index))
    {
        return 0;
    }

    pu_args_str(args, pu_name_or_cut(user->name));
    pu_args_str(args, user->type);
    pu_args_text(args, active[user->active]);
    pu_args_str(args, user->extra);

    return 1;
}


static void
pu_args_version(pu_args_t *args, int64_t version)
{
    if (version < 0) {
        pu_args_text(args, "");

    } else {
        pu_args_int(args, version);
    }
}


/* Groups. */


int
pu_command_group_create(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_group_write_t *group)
{
    pu_args_group(args, sha, prefix, "group_create", group, -1);
    pu_args_group_fields(args, group);

    return 1;
}


int
pu_command_group_change(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_group_write_t *group)
{
    pu_args_group(args, sha, prefix, "group_change", group,
                  group->expected_version);
    pu_args_group_fields(args, group);
    pu_args_str(args, group->remove);

    return 1;
}


int
pu_command_group_walk(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_group_write_t *group)
{
    pu_args_group(args, sha, prefix, "group_walk", group, -1);
    pu_args_str(args, group->after);

    return 1;
}


int
pu_command_group_delete(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_group_write_t *group)
{
    pu_args_group(args, sha, prefix, "group_delete", group,
                  group->expected_version);

    return 1;
}


/* The reason that members' log entries give is the group. */

static void
pu_args_group(pu_args_t *args, const char *sha, pu_str_t prefix,
    const char *op, const pu_group_write_t *group, int64_t version)
{
    size_t    size;
    pu_buf_t  b;

    pu_args_script(args, sha, prefix, op);

    pu_args_str(args, group->id);
    pu_args_version(args, version);
    pu_args_str(args, group->actor);
    pu_args_str(args, group->source);

    size = sizeof("group ") + PU_GROUP_ID_LEN;

    pu_buf_init(&b, pu_args_room(args, size), size);
    pu_buf_text(&b, "group ");
    pu_buf_str(&b, group->id);
    pu_args_buf(args, &b);
}


static void
pu_args_group_fields(pu_args_t *args, const pu_group_write_t *group)
{
    pu_args_str(args, group->display_name);
    pu_args_str(args, group->external_id);
    pu_args_str(args, group->roles);
    pu_args_str(args, group->add);
    pu_args_str(args, group->extra);
}


/* Questions. */


int
pu_command_find_user(pu_args_t *args, const char *sha, pu_str_t prefix,
    pu_find_t how, pu_str_t text)
{
    static const char *const  hows[] = { "id", "name", "external" };

    pu_args_script(args, sha, prefix, "scim_user");
    pu_args_text(args, hows[how]);

    if (how == PU_FIND_ID) {
        pu_args_str(args, text);
        return 1;
    }

    return pu_args_digest(args, text, (how == PU_FIND_NAME)
                                      ? pu_name_index : pu_external_index);
}


int
pu_command_find_group(pu_args_t *args, const char *sha, pu_str_t prefix,
    pu_str_t id)
{
    pu_args_script(args, sha, prefix, "scim_group");
    pu_args_str(args, id);

    return 1;
}


int
pu_command_users(pu_args_t *args, const char *sha, pu_str_t prefix,
    int64_t from, int64_t count)
{
    pu_args_script(args, sha, prefix, "scim_users");
    pu_args_int(args, from);
    pu_args_int(args, count);

    return 1;
}


int
pu_command_groups(pu_args_t *args, const char *sha, pu_str_t prefix,
    int64_t from, int64_t count)
{
    pu_args_script(args, sha, prefix, "scim_groups");
    pu_args_int(args, from);
    pu_args_int(args, count);

    return 1;
}


int
pu_command_members(pu_args_t *args, const char *sha, pu_str_t prefix,
    pu_str_t group, pu_str_t after, int64_t count)
{
    pu_args_script(args, sha, prefix, "scim_members");
    pu_args_str(args, group);
    pu_args_str(args, after);
    pu_args_int(args, count);

    return 1;
}


pu_read_t
pu_reply_user(const redisReply *reply, pu_directory_user_t *user)
{
    int        ok;
    pu_str_t   id;
    pu_read_t  rc;

    memset(user, 0, sizeof(pu_directory_user_t));

    rc = pu_reply_read(reply);
    ok = pu_reply_str(pu_reply_at(reply, 1), &id)
         && pu_user_fields(id, pu_reply_at(reply, 2), user);

    return (rc == PU_READ_FOUND && !ok) ? PU_READ_ERROR : rc;
}


pu_read_t
pu_reply_group(const redisReply *reply, pu_directory_group_t *group)
{
    pu_str_t   id;
    pu_read_t  rc;

    rc = pu_reply_read(reply);

    if (rc != PU_READ_FOUND) {
        return rc;
    }

    return pu_reply_str(pu_reply_at(reply, 1), &id)
           && pu_group_fields(id, pu_reply_at(reply, 2), group)
           ? PU_READ_FOUND : PU_READ_ERROR;
}


pu_read_t
pu_reply_page(const redisReply *reply, pu_page_t *page)
{
    pu_read_t          rc;
    const redisReply  *total, *next;

    memset(page, 0, sizeof(pu_page_t));

    rc = pu_reply_read(reply);

    if (rc != PU_READ_FOUND) {
        return rc;
    }

    total = pu_reply_at(reply, 1);
    next = pu_reply_at(reply, 2);

    if (total == NULL || total->type != REDIS_REPLY_INTEGER
        || next == NULL || next->type != REDIS_REPLY_INTEGER
        || total->integer < 0 || next->integer < 0
        || (reply->elements - 3) % 2 != 0)
    {
        return PU_READ_ERROR;
    }

    page->total = total->integer;
    page->next = next->integer;
    page->n = (reply->elements - 3) / 2;
    page->reply = reply;

    return PU_READ_FOUND;
}


int
pu_reply_user_at(const pu_page_t *page, size_t i, pu_directory_user_t *user)
{
    pu_str_t  id;

    return pu_reply_str(pu_reply_at(page->reply, 3 + 2 * i), &id)
           && pu_user_fields(id, pu_reply_at(page->reply, 4 + 2 * i), user);
}


int
pu_reply_group_at(const pu_page_t *page, size_t i,
    pu_directory_group_t *group)
{
    pu_str_t  id;

    return pu_reply_str(pu_reply_at(page->reply, 3 + 2 * i), &id)
           && pu_group_fields(id, pu_reply_at(page->reply, 4 + 2 * i),
                              group);
}


pu_read_t
pu_reply_members(const redisReply *reply, pu_str_t *next, size_t *n)
{
    pu_read_t  rc;

    *n = 0;
    rc = pu_reply_read(reply);

    if (rc != PU_READ_FOUND) {
        return rc;
    }

    if (!pu_reply_str(pu_reply_at(reply, 1), next)) {
        return PU_READ_ERROR;
    }

    *n = reply->elements - 2;

    return PU_READ_FOUND;
}


pu_str_t
pu_reply_member_at(const redisReply *reply, size_t i)
{
    pu_str_t  id;

    if (!pu_reply_str(pu_reply_at(reply, 2 + i), &id)) {
        id.len = 0;
        id.data = NULL;
    }

    return id;
}


static int
pu_user_fields(pu_str_t id, const redisReply *fields,
    pu_directory_user_t *user)
{
    pu_str_t  f[PU_SCIM_USER_FIELDS];

    memset(user, 0, sizeof(pu_directory_user_t));

    if (!pu_user_id_ok(id)
        || !pu_reply_fields(fields, f, PU_SCIM_USER_FIELDS))
    {
        return 0;
    }

    user->id = id;
    user->name = f[0];
    user->type = f[1];
    user->state = f[2];
    user->created = f[3];
    user->modified = f[4];
    user->version_text = f[5];
    user->user_name = f[6];
    user->external_id = f[7];
    user->groups = f[8];
    user->extra = f[9];

    return f[5].data != NULL && pu_seconds(f[5], &user->version);
}


static int
pu_group_fields(pu_str_t id, const redisReply *fields,
    pu_directory_group_t *group)
{
    pu_str_t  f[PU_SCIM_GROUP_FIELDS];

    if (!pu_group_id_ok(id)
        || !pu_reply_fields(fields, f, PU_SCIM_GROUP_FIELDS)
        || f[4].data == NULL || !pu_seconds(f[4], &group->version))
    {
        return 0;
    }

    group->id = id;
    group->display_name = f[0];
    group->external_id = f[1];
    group->created = f[2];
    group->modified = f[3];
    group->version_text = f[4];
    group->extra = f[5];

    return 1;
}


static pu_read_t
pu_reply_read(const redisReply *reply)
{
    pu_str_t  word;

    if (pu_reply_noscript(reply)) {
        return PU_READ_NOSCRIPT;
    }

    if (!pu_reply_str(pu_reply_at(reply, 0), &word)) {
        return PU_READ_ERROR;
    }

    if (pu_str_is(word, "found")) {
        return PU_READ_FOUND;
    }

    if (pu_str_is(word, "none")) {
        return PU_READ_NONE;
    }

    return pu_str_is(word, "many") ? PU_READ_MANY : PU_READ_ERROR;
}
