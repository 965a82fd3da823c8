/*
 * pu_scim_user: POST, GET, PUT, PATCH and DELETE of a user.
 *
 * A change is: read, compare the version with If-Match, decide what is to be
 * stored, write against the version that was read, read again.
 */

#include <stdlib.h>

#include "pu_scim_op.h"


static int pu_user_create(pu_scim_op_t *op);
static int pu_user_created(pu_scim_op_t *op, const redisReply *reply);
static int pu_user_find(pu_scim_op_t *op, pu_scim_next_t next);
static int pu_user_read_one(pu_scim_op_t *op, const redisReply *reply,
    pu_directory_user_t *user);
static int pu_user_unreadable(pu_scim_op_t *op);
static int pu_user_got(pu_scim_op_t *op, const redisReply *reply);
static int pu_user_to_change(pu_scim_op_t *op, const redisReply *reply);
static int pu_user_shut(pu_scim_op_t *op);
static int pu_user_shut_off(pu_scim_op_t *op, const redisReply *reply);
static int pu_user_patched(pu_scim_op_t *op,
    const pu_directory_user_t *user);
static int pu_user_write(pu_scim_op_t *op, const pu_directory_user_t *user);
static int pu_user_written(pu_scim_op_t *op, const redisReply *reply);
static int pu_user_to_delete(pu_scim_op_t *op, const redisReply *reply);
static int pu_user_deleted(pu_scim_op_t *op, const redisReply *reply);
static int pu_user_refused(pu_scim_op_t *op, pu_str_t detail);
static int pu_user_old(pu_scim_op_t *op, const pu_directory_user_t *user);


int
pu_scim_user_start(pu_scim_op_t *op, pu_str_t method)
{
    if (pu_str_is(method, "POST")) {
        return pu_user_create(op);
    }

    if (!pu_user_id_ok(op->id)) {
        return pu_op_fail(op, 404, NULL, "there is no such user");
    }

    if (pu_str_is(method, "DELETE")) {
        return pu_user_find(op, pu_user_to_delete);
    }

    if (pu_str_is(method, "GET")) {
        return pu_user_find(op, pu_user_got);
    }

    op->patch = pu_str_is(method, "PATCH");

    return pu_user_find(op, pu_user_to_change);
}


static int
pu_user_create(pu_scim_op_t *op)
{
    pu_user_create_t  user;

    if (!pu_scim_record_read(&op->record, PU_SCIM_USERS, op->body, NULL,
                             &op->err))
    {
        return PU_OP_DONE;
    }

    memset(&user, 0, sizeof(pu_user_create_t));

    if (!pu_user_id_new(op->new_id)) {
        return pu_op_fail(op, 500, NULL, "there is no randomness");
    }

    user.id = (pu_str_t) { PU_USER_ID_LEN, (uint8_t *) op->new_id };
    user.actor = op->env->actor;
    user.source = PU_STR("scim");
    user.user_name = op->record.key;
    user.external_id = op->record.external_id;
    user.name = op->record.name;
    user.extra = op->record.extra;
    user.store = op->env->store;
    user.suspended = (op->record.active == PU_ACTIVE_NO);
    user.type = pu_str_is(op->record.type, "service") ? PU_SERVICE
                : pu_str_is(op->record.type, "application") ? PU_APPLICATION
                                                            : PU_HUMAN;
    op->id = user.id;

    return pu_op_ask(op, pu_user_created,
                     pu_command_user_create(&op->args, op->env->sha,
                                            op->env->prefix, &user));
}


/* Nobody else can have changed it yet: what was sent is what there is. */

static int
pu_user_created(pu_scim_op_t *op, const redisReply *reply)
{
    int64_t              version;
    pu_directory_user_t  user;

    switch (pu_reply_change(reply, &version)) {

    case PU_CHANGE_DONE:
        break;

    case PU_CHANGE_REFUSED:
        return pu_user_refused(op, pu_reply_detail(reply));

    default:
        return pu_op_unreadable(op);
    }

    memset(&user, 0, sizeof(pu_directory_user_t));

    user.id = op->id;
    user.user_name = op->record.key;
    user.external_id = op->record.external_id;
    user.name = op->record.name;
    user.extra = op->record.extra;
    user.state = (op->record.active == PU_ACTIVE_NO) ? PU_STR("suspended")
                                                     : PU_STR("active");
    user.created = pu_reply_detail(reply);
    user.modified = user.created;
    user.version_text = PU_STR("1");

    op->doc = pu_scim_select(&op->query,
                             pu_scim_user_new(&user, op->env->base));
    pu_op_etag(op, 1);

    return pu_op_done(op, 201);
}


static int
pu_user_refused(pu_scim_op_t *op, pu_str_t detail)
{
    if (pu_str_is(detail, "user_name")) {
        return pu_op_fail(op, 409, "uniqueness",
                          "another user has this userName");
    }

    if (pu_str_is(detail, "foreign")) {
        return pu_op_fail(op, 503, NULL, "the store of users is another one "
                          "than before: it must be accepted first");
    }

    return pu_op_fail(op, 400, "invalidValue", "the user is too large");
}


static int
pu_user_find(pu_scim_op_t *op, pu_scim_next_t next)
{
    return pu_op_ask(op, next,
                     pu_command_find_user(&op->args, op->env->sha,
                                          op->env->prefix, PU_FIND_ID,
                                          op->id));
}


/* 1; or 0 and the operation has ended. */

static int
pu_user_read_one(pu_scim_op_t *op, const redisReply *reply,
    pu_directory_user_t *user)
{
    switch (pu_reply_user(reply, user)) {

    case PU_READ_FOUND:
        return 1;

    case PU_READ_NONE:
        pu_op_fail(op, 404, NULL, "there is no such user");
        return 0;

    default:
        (void) pu_user_unreadable(op);
        return 0;
    }
}


static int
pu_user_unreadable(pu_scim_op_t *op)
{
    return op->shut ? pu_op_fail(op, 503, NULL, "the user is suspended, but "
                                 "the record cannot be read")
                    : pu_op_unreadable(op);
}


static int
pu_user_got(pu_scim_op_t *op, const redisReply *reply)
{
    pu_directory_user_t  user;

    if (!pu_user_read_one(op, reply, &user)) {
        return PU_OP_DONE;
    }

    pu_op_etag(op, user.version);

    if (!op->created && pu_op_matches(op->if_none_match, user.version)) {
        return pu_op_done(op, 304);
    }

    op->doc = pu_scim_select(&op->query,
                             pu_scim_user_new(&user, op->env->base));

    return pu_op_done(op, 200);
}


static int
pu_user_to_change(pu_scim_op_t *op, const redisReply *reply)
{
    pu_directory_user_t  user;

    if (pu_reply_user(reply, &user) == PU_READ_ERROR && !op->shut
        && pu_scim_turns_off(op->body, op->patch))
    {
        return pu_user_shut(op);
    }

    if (!pu_user_read_one(op, reply, &user)) {
        return PU_OP_DONE;
    }

    op->version = user.version;

    if (op->if_match.len != 0 && !op->shut
        && !pu_op_matches(op->if_match, user.version))
    {
        return pu_op_fail(op, 412, NULL, "the user has another version");
    }

    pu_scim_record_free(&op->record);

    if (!pu_user_old(op, &user)
        || !(op->patch ? pu_user_patched(op, &user)
                       : pu_scim_record_read(&op->record, PU_SCIM_USERS,
                                             op->body, NULL, &op->err)))
    {
        return PU_OP_DONE;
    }

    return pu_user_write(op, &user);
}


/*
 * The record cannot be read: off it goes without, of whatever version.  What
 * the script writes may make it readable; then the rest is done too.
 */

static int
pu_user_shut(pu_scim_op_t *op)
{
    pu_change_t  change;

    memset(&change, 0, sizeof(pu_change_t));

    change.op = PU_CHANGE_SUSPEND;
    change.user = op->id;
    change.actor = op->env->actor;
    change.source = PU_STR("scim");
    change.expected_version = -1;

    op->shut = 1;

    return pu_op_ask(op, pu_user_shut_off,
                     pu_command_change(&op->args, op->env->sha,
                                       op->env->prefix, &change));
}


static int
pu_user_shut_off(pu_scim_op_t *op, const redisReply *reply)
{
    int64_t  version;

    switch (pu_reply_change(reply, &version)) {

    case PU_CHANGE_DONE:
    case PU_CHANGE_UNCHANGED:
        return pu_user_find(op, pu_user_to_change);

    case PU_CHANGE_NOT_FOUND:
    case PU_CHANGE_REFUSED:
        return pu_op_fail(op, 404, NULL, "there is no such user");

    default:
        return pu_op_unreadable(op);
    }
}


/* The reply goes; the old names are still needed for their index entries. */

static int
pu_user_old(pu_scim_op_t *op, const pu_directory_user_t *user)
{
    op->old.len = 0;

    pu_scim_text_put(&op->old, user->user_name.data, user->user_name.len);
    pu_scim_text_put(&op->old, user->external_id.data,
                     user->external_id.len);

    if (op->old.failed) {
        return pu_scim_fail(&op->err, 500, NULL, "there is no memory",
                            PU_STR(""));
    }

    op->old_key.len = user->user_name.len;
    op->old_key.data = (uint8_t *) op->old.data;
    op->old_external.len = user->external_id.len;
    op->old_external.data = (uint8_t *) op->old.data + user->user_name.len;

    return 1;
}


/*
 * "active" is there only if the PATCH says it: whoever changes a title has not
 * spoken about a suspension.  And a name for display that was made of others
 * is made again.
 */

static int
pu_user_patched(pu_scim_op_t *op, const pu_directory_user_t *user)
{
    int                  ok;
    json_t              *r;
    pu_directory_user_t  view;

    view = *user;
    view.name.len = 0;

    r = pu_scim_user_new(&view, op->env->base);

    if (r == NULL) {
        return pu_scim_fail(&op->err, 500, NULL, "there is no memory",
                            PU_STR(""));
    }

    (void) json_object_del(r, "active");

    ok = pu_scim_patch(r, PU_SCIM_USERS, op->body, NULL, &op->err)
         && pu_scim_record_read(&op->record, PU_SCIM_USERS, r, NULL,
                                &op->err);

    json_decref(r);

    return ok;
}


static int
pu_user_write(pu_scim_op_t *op, const pu_directory_user_t *user)
{
    pu_user_replace_t  to;

    memset(&to, 0, sizeof(pu_user_replace_t));

    to.id = op->id;
    to.actor = op->env->actor;
    to.source = PU_STR("scim");
    to.expected_version = user->version;
    to.user_name = op->record.key;
    to.old_user_name = op->old_key;
    to.external_id = op->record.external_id;
    to.old_external_id = op->old_external;
    to.name = op->record.name;
    to.type = op->record.type;
    to.extra = op->record.extra;
    to.active = op->record.active;

    /* who has no userName is shown with the id for one */

    if (op->old_key.len == 0 && pu_str_eq(op->record.key, op->id)) {
        to.user_name.len = 0;

        if (pu_str_eq(op->record.name, op->id)
            && user->name.len != 0
            && user->name.len <= sizeof(op->record.label))
        {
            memcpy(op->record.label, user->name.data, user->name.len);
            to.name.len = user->name.len;
            to.name.data = (uint8_t *) op->record.label;
        }
    }

    return pu_op_ask(op, pu_user_written,
                     pu_command_user_replace(&op->args, op->env->sha,
                                             op->env->prefix, &to));
}


static int
pu_user_written(pu_scim_op_t *op, const redisReply *reply)
{
    int64_t  version;

    switch (pu_reply_change(reply, &version)) {

    case PU_CHANGE_DONE:
    case PU_CHANGE_UNCHANGED:
        op->created = 1;                /* no 304 for what was changed */
        return pu_user_find(op, pu_user_got);

    case PU_CHANGE_NOT_FOUND:
        return pu_op_fail(op, 404, NULL, "there is no such user");

    case PU_CHANGE_REFUSED:
        return pu_user_refused(op, pu_reply_detail(reply));

    case PU_CHANGE_CONFLICT:
        if (op->if_match.len != 0) {
            return pu_op_fail(op, 412, NULL, "the user has another version");
        }

        if (++op->tries < PU_OP_TRIES) {
            return pu_user_find(op, pu_user_to_change);
        }

        return pu_op_fail(op, 503, NULL, "others change this user all the "
                          "time: try again");

    case PU_CHANGE_UNREADABLE:

        if (op->record.active == PU_ACTIVE_NO && !op->shut) {
            return pu_user_shut(op);
        }

        /* fall through */

    default:
        return pu_user_unreadable(op);
    }
}


static int
pu_user_to_delete(pu_scim_op_t *op, const redisReply *reply)
{
    int                   broken;
    char                 *room;
    pu_change_t           change;
    pu_directory_user_t   user;

    /* deleted unread, with those of its names that can be read */

    broken = (pu_reply_user(reply, &user) == PU_READ_ERROR);

    if (!broken && !pu_user_read_one(op, reply, &user)) {
        return PU_OP_DONE;
    }

    if (!broken && op->if_match.len != 0
        && !pu_op_matches(op->if_match, user.version))
    {
        return pu_op_fail(op, 412, NULL, "the user has another version");
    }

    memset(&change, 0, sizeof(pu_change_t));

    room = op->add;

    change.op = PU_CHANGE_DELETE;
    change.user = op->id;
    change.actor = op->env->actor;
    change.source = PU_STR("scim");

    /* in the end it is deleted whatever others do meanwhile */

    change.expected_version = (!broken && (op->tries + 1 < PU_OP_TRIES
                                           || op->if_match.len != 0))
                              ? user.version : -1;

    if ((user.user_name.len != 0 && !pu_name_index(room, user.user_name))
        || (user.external_id.len != 0
            && !pu_external_index(room + PU_DIGEST_TEXT_LEN,
                                  user.external_id)))
    {
        return pu_op_fail(op, 500, NULL, "a digest cannot be computed");
    }

    change.name_index.len = user.user_name.len ? PU_DIGEST_TEXT_LEN : 0;
    change.name_index.data = (uint8_t *) room;
    change.external_index.len = user.external_id.len ? PU_DIGEST_TEXT_LEN : 0;
    change.external_index.data = (uint8_t *) room + PU_DIGEST_TEXT_LEN;

    return pu_op_ask(op, pu_user_deleted,
                     pu_command_change(&op->args, op->env->sha,
                                       op->env->prefix, &change));
}


static int
pu_user_deleted(pu_scim_op_t *op, const redisReply *reply)
{
    int64_t  version;

    switch (pu_reply_change(reply, &version)) {

    case PU_CHANGE_DONE:
        return pu_op_done(op, 204);

    case PU_CHANGE_UNCHANGED:
    case PU_CHANGE_NOT_FOUND:
        return pu_op_fail(op, 404, NULL, "there is no such user");

    case PU_CHANGE_CONFLICT:
        if (op->if_match.len != 0) {
            return pu_op_fail(op, 412, NULL, "the user has another version");
        }

        if (++op->tries < PU_OP_TRIES) {
            return pu_user_find(op, pu_user_to_delete);
        }

        /* fall through */

    default:
        return pu_op_unreadable(op);
    }
}
