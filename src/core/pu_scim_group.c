/*
 * pu_scim_group: POST, GET, PUT, PATCH and DELETE of a group.
 *
 * Members are sent in pieces, each a change of its own that leaves everything
 * true; the version that a piece answers is the one that the next expects, and
 * who meets another's change begins again. What was done is not done twice.
 */

#include <stdlib.h>

#include "pu_scim_op.h"


static int pu_group_create(pu_scim_op_t *op);
static int pu_group_find(pu_scim_op_t *op, pu_scim_next_t next);
static int pu_group_read_one(pu_scim_op_t *op, const redisReply *reply,
    pu_directory_group_t *group);
static int pu_group_got(pu_scim_op_t *op, const redisReply *reply);
static int pu_group_got_members(pu_scim_op_t *op, const redisReply *reply);
static int pu_group_to_change(pu_scim_op_t *op, const redisReply *reply);
static int pu_group_take(pu_scim_op_t *op,
    const pu_directory_group_t *group);
static int pu_group_old_members(pu_scim_op_t *op, const redisReply *reply);
static int pu_group_begin(pu_scim_op_t *op);
static int pu_group_send(pu_scim_op_t *op, int create);
static void pu_group_piece(pu_scim_op_t *op, pu_str_t *add,
    pu_str_t *remove);
static pu_str_t pu_group_roles(const pu_scim_op_t *op);
static int pu_group_sent(pu_scim_op_t *op, const redisReply *reply);
static int pu_group_conflict(pu_scim_op_t *op);
static int pu_group_walk(pu_scim_op_t *op);
static int pu_group_walked(pu_scim_op_t *op, const redisReply *reply);
static int pu_group_finish(pu_scim_op_t *op);
static int pu_group_to_delete(pu_scim_op_t *op, const redisReply *reply);
static int pu_group_delete(pu_scim_op_t *op);
static int pu_group_deleted(pu_scim_op_t *op, const redisReply *reply);
static int pu_group_refused(pu_scim_op_t *op, pu_str_t detail);
static void pu_group_write(const pu_scim_op_t *op, pu_group_write_t *group);


int
pu_scim_group_start(pu_scim_op_t *op, pu_str_t method)
{
    if (!pu_scim_members_init(&op->members)) {
        return pu_op_fail(op, 500, NULL, "there is no memory");
    }

    if (pu_str_is(method, "POST")) {
        return pu_group_create(op);
    }

    if (!pu_group_id_ok(op->id)) {
        return pu_op_fail(op, 404, NULL, "there is no such group");
    }

    if (pu_str_is(method, "DELETE")) {
        return pu_group_find(op, pu_group_to_delete);
    }

    if (pu_str_is(method, "GET")) {
        return pu_group_find(op, pu_group_got);
    }

    op->patch = pu_str_is(method, "PATCH");

    return pu_group_find(op, pu_group_to_change);
}


static int
pu_group_create(pu_scim_op_t *op)
{
    if (!pu_scim_record_read(&op->record, PU_SCIM_GROUPS, op->body,
                             &op->members, &op->err))
    {
        return PU_OP_DONE;
    }

    if (!pu_group_id_new(op->new_id)) {
        return pu_op_fail(op, 500, NULL, "there is no randomness");
    }

    op->created = 1;
    op->id.len = PU_GROUP_ID_LEN;
    op->id.data = (uint8_t *) op->new_id;
    op->iter = json_object_iter(op->members.set);

    return pu_group_send(op, 1);
}


static int
pu_group_find(pu_scim_op_t *op, pu_scim_next_t next)
{
    return pu_op_ask(op, next,
                     pu_command_find_group(&op->args, op->env->sha,
                                           op->env->prefix, op->id));
}


/* 1; or 0 and the operation has ended. */

static int
pu_group_read_one(pu_scim_op_t *op, const redisReply *reply,
    pu_directory_group_t *group)
{
    switch (pu_reply_group(reply, group)) {

    case PU_READ_FOUND:
        return 1;

    case PU_READ_NONE:
        pu_op_fail(op, 404, NULL, "there is no such group");
        return 0;

    default:
        pu_op_unreadable(op);
        return 0;
    }
}


static int
pu_group_got(pu_scim_op_t *op, const redisReply *reply)
{
    json_t                *r;
    pu_directory_group_t   group;

    if (!pu_group_read_one(op, reply, &group)) {
        return PU_OP_DONE;
    }

    pu_op_etag(op, group.version);

    if (op->quiet) {
        return pu_op_done(op, 204);
    }

    if (op->iter == NULL && !op->created
        && pu_op_matches(op->if_none_match, group.version))
    {
        return pu_op_done(op, 304);
    }

    r = pu_scim_select(&op->query, pu_scim_group_new(&group, op->env->base));

    if (!pu_scim_selected(&op->query, "members")) {
        op->doc = r;
        return pu_op_done(op, op->created ? 201 : 200);
    }

    /* the members are put before the last brace */

    op->text.len = 0;
    pu_scim_text_json(&op->text, r);
    json_decref(r);

    if (op->text.failed) {
        return pu_op_fail(op, 500, NULL, "there is no memory");
    }

    op->text.len--;
    pu_scim_text_add(&op->text, ",\"members\":[");
    op->after_len = 0;
    op->nmembers = 0;

    return pu_op_ask_members(op, op->id, pu_group_got_members);
}


static int
pu_group_got_members(pu_scim_op_t *op, const redisReply *reply)
{
    switch (pu_op_members(op, reply, &op->text)) {

    case 1:
        return pu_op_ask_members(op, op->id, pu_group_got_members);

    case 0:
        pu_scim_text_add(&op->text, "]}");
        return pu_op_done(op, op->created ? 201 : 200);

    default:
        return PU_OP_DONE;
    }
}


static int
pu_group_to_change(pu_scim_op_t *op, const redisReply *reply)
{
    pu_directory_group_t  group;

    if (!pu_group_read_one(op, reply, &group)) {
        return PU_OP_DONE;
    }

    if (op->if_match.len != 0 && op->tries == 0
        && !pu_op_matches(op->if_match, group.version))
    {
        return pu_op_fail(op, 412, NULL, "the group has another version");
    }

    op->version = group.version;

    if (!pu_group_take(op, &group)) {
        return PU_OP_DONE;
    }

    if (op->members.clear) {
        op->after_len = 0;
        return pu_op_ask_members(op, op->id, pu_group_old_members);
    }

    return pu_group_begin(op);
}


static int
pu_group_take(pu_scim_op_t *op, const pu_directory_group_t *group)
{
    int      ok;
    json_t  *r;

    pu_scim_record_free(&op->record);

    op->members.clear = 0;
    (void) json_object_clear(op->members.set);

    if (!op->patch) {
        op->members.clear = 1;
        return pu_scim_record_read(&op->record, PU_SCIM_GROUPS, op->body,
                                   &op->members, &op->err);
    }

    r = pu_scim_group_new(group, op->env->base);

    if (r == NULL) {
        return pu_scim_fail(&op->err, 500, NULL, "there is no memory",
                            PU_STR(""));
    }

    ok = pu_scim_patch(r, PU_SCIM_GROUPS, op->body, &op->members, &op->err)
         && pu_scim_record_read(&op->record, PU_SCIM_GROUPS, r, &op->members,
                                &op->err);

    json_decref(r);

    return ok;
}


/* Who is a member now and not to be one is to go. */

static int
pu_group_old_members(pu_scim_op_t *op, const redisReply *reply)
{
    char      key[PU_USER_ID_LEN + 1];
    size_t    i, n;
    pu_str_t  next, id;

    if (pu_reply_members(reply, &next, &n) != PU_READ_FOUND
        || next.len > sizeof(op->after))
    {
        return pu_op_unreadable(op);
    }

    for (i = 0; i < n; i++) {
        id = pu_reply_member_at(reply, i);

        if (!pu_user_id_ok(id)) {
            continue;
        }

        memcpy(key, id.data, PU_USER_ID_LEN);
        key[PU_USER_ID_LEN] = '\0';

        if (json_object_get(op->members.set, key) == NULL
            && json_object_set_new(op->members.set, key, json_false()) != 0)
        {
            return pu_op_fail(op, 500, NULL, "there is no memory");
        }
    }

    op->after_len = next.len;
    memcpy(op->after, next.data, next.len);

    return (next.len != 0)
           ? pu_op_ask_members(op, op->id, pu_group_old_members)
           : pu_group_begin(op);
}


static int
pu_group_begin(pu_scim_op_t *op)
{
    op->iter = json_object_iter(op->members.set);

    return pu_group_send(op, 0);
}


static int
pu_group_send(pu_scim_op_t *op, int create)
{
    pu_group_write_t  group;

    pu_group_write(op, &group);
    pu_group_piece(op, &group.add, &group.remove);

    return pu_op_ask(op, pu_group_sent,
                     create ? pu_command_group_create(&op->args,
                                                      op->env->sha,
                                                      op->env->prefix, &group)
                            : pu_command_group_change(&op->args,
                                                      op->env->sha,
                                                      op->env->prefix,
                                                      &group));
}


static void
pu_group_write(const pu_scim_op_t *op, pu_group_write_t *group)
{
    memset(group, 0, sizeof(pu_group_write_t));

    group->id = op->id;
    group->actor = op->env->actor;
    group->source = PU_STR("scim");
    group->display_name = op->record.key;
    group->external_id = op->record.external_id;
    group->extra = op->record.extra;
    group->roles = pu_group_roles(op);
    group->expected_version = op->version;
    group->after.len = op->after_len;
    group->after.data = (const uint8_t *) op->after;
}


static void
pu_group_piece(pu_scim_op_t *op, pu_str_t *add, pu_str_t *remove)
{
    size_t     n;
    pu_buf_t   adds, removes, *b;

    pu_buf_init(&adds, op->add, sizeof(op->add));
    pu_buf_init(&removes, op->remove, sizeof(op->remove));

    for (n = 0; n < PU_MEMBERS_CHUNK && op->iter != NULL; n++) {
        b = json_is_true(json_object_iter_value(op->iter)) ? &adds
                                                           : &removes;
        pu_buf_text(b, json_object_iter_key(op->iter));
        pu_buf_char(b, ' ');

        op->iter = json_object_iter_next(op->members.set, op->iter);
    }

    *add = pu_buf_written(&adds);
    *remove = pu_buf_written(&removes);
}


static pu_str_t
pu_group_roles(const pu_scim_op_t *op)
{
    size_t  i;

    for (i = 0; i < op->env->nroles; i++) {
        if (pu_str_eq(op->env->roles[i].group, op->record.key)) {
            return op->env->roles[i].roles;
        }
    }

    if (op->env->nroles == 0 && pu_role_name(op->record.key)) {
        return op->record.key;
    }

    return PU_STR("");
}


static int
pu_group_sent(pu_scim_op_t *op, const redisReply *reply)
{
    int64_t  version;

    switch (pu_reply_change(reply, &version)) {

    case PU_CHANGE_DONE:
    case PU_CHANGE_UNCHANGED:
        break;

    case PU_CHANGE_NOT_FOUND:
        return pu_op_fail(op, 404, NULL, "there is no such group");

    case PU_CHANGE_REFUSED:
        return pu_group_refused(op, pu_reply_detail(reply));

    case PU_CHANGE_CONFLICT:
        return pu_group_conflict(op);

    default:
        return pu_op_unreadable(op);
    }

    op->version = version;

    if (op->iter != NULL) {
        return pu_group_send(op, 0);
    }

    if (pu_str_is(pu_reply_detail(reply), "walk")) {
        op->after_len = 0;
        return pu_group_walk(op);
    }

    return pu_group_finish(op);
}


static int
pu_group_conflict(pu_scim_op_t *op)
{
    if (op->if_match.len != 0 && op->tries == 0) {
        return pu_op_fail(op, 412, NULL, "the group has another version");
    }

    if (++op->tries >= PU_OP_TRIES) {
        return pu_op_fail(op, 503, NULL, "others change this group all the "
                          "time: try again");
    }

    if (op->created) {
        op->version = -1;
        return pu_group_begin(op);
    }

    return pu_group_find(op, pu_group_to_change);
}


static int
pu_group_refused(pu_scim_op_t *op, pu_str_t detail)
{
    if (pu_str_is(detail, "members")) {
        return pu_op_fail(op, 400, "invalidValue",
                          "a group has at most 50000 members");
    }

    if (pu_str_is(detail, "groups")) {
        return pu_op_fail(op, 400, "invalidValue",
                          "a member is in 256 groups already");
    }

    return pu_op_fail(op, 400, "invalidValue",
                      "a member has too many roles already");
}


/* The group gives something else than before: every member is looked at. */

static int
pu_group_walk(pu_scim_op_t *op)
{
    pu_group_write_t  group;

    pu_group_write(op, &group);

    return pu_op_ask(op, pu_group_walked,
                     pu_command_group_walk(&op->args, op->env->sha,
                                           op->env->prefix, &group));
}


static int
pu_group_walked(pu_scim_op_t *op, const redisReply *reply)
{
    int64_t   version;
    pu_str_t  next;

    switch (pu_reply_change(reply, &version)) {

    case PU_CHANGE_DONE:
        break;

    case PU_CHANGE_NOT_FOUND:
        return pu_op_fail(op, 404, NULL, "there is no such group");

    case PU_CHANGE_REFUSED:
        return pu_group_refused(op, pu_reply_detail(reply));

    default:
        return pu_op_unreadable(op);
    }

    next = pu_reply_detail(reply);

    if (next.len == 0) {
        return pu_group_finish(op);
    }

    if (next.len > sizeof(op->after)) {
        return pu_op_unreadable(op);
    }

    op->after_len = next.len;
    memcpy(op->after, next.data, next.len);

    return pu_group_walk(op);
}


/* Entra expects a PATCH of a group to answer nothing. */

static int
pu_group_finish(pu_scim_op_t *op)
{
    op->quiet = op->patch;
    op->if_none_match.len = 0;

    return pu_group_find(op, pu_group_got);
}


static int
pu_group_to_delete(pu_scim_op_t *op, const redisReply *reply)
{
    pu_directory_group_t  group;

    if (!pu_group_read_one(op, reply, &group)) {
        return PU_OP_DONE;
    }

    if (op->if_match.len != 0 && !pu_op_matches(op->if_match, group.version)) {
        return pu_op_fail(op, 412, NULL, "the group has another version");
    }

    op->version = (op->if_match.len != 0) ? group.version : -1;

    return pu_group_delete(op);
}


static int
pu_group_delete(pu_scim_op_t *op)
{
    pu_group_write_t  group;

    pu_group_write(op, &group);

    return pu_op_ask(op, pu_group_deleted,
                     pu_command_group_delete(&op->args, op->env->sha,
                                             op->env->prefix, &group));
}


static int
pu_group_deleted(pu_scim_op_t *op, const redisReply *reply)
{
    int64_t  version;

    switch (pu_reply_change(reply, &version)) {

    case PU_CHANGE_DONE:
        if (!pu_str_is(pu_reply_detail(reply), "more")) {
            return pu_op_done(op, 204);
        }

        op->removing = 1;
        op->version = -1;
        return pu_group_delete(op);

    case PU_CHANGE_NOT_FOUND:
        return op->removing ? pu_op_done(op, 204)
                            : pu_op_fail(op, 404, NULL,
                                         "there is no such group");

    case PU_CHANGE_CONFLICT:
        return pu_op_fail(op, 412, NULL, "the group has another version");

    default:
        return pu_op_unreadable(op);
    }
}
