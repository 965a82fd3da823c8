/*
 * pu_scim_op: what users, groups and lists share.
 */

#include <stdlib.h>

#include "pu_scim_op.h"


#define PU_OP_MEMBERS  1000             /* of one question */


void
pu_scim_op_free(pu_scim_op_t *op)
{
    size_t  i;

    for (i = 0; i < op->nsorted; i++) {
        free(op->sorted[i].key);
    }

    free(op->sorted);
    pu_scim_query_free(&op->query);
    pu_scim_record_free(&op->record);
    pu_scim_members_free(&op->members);
    pu_scim_text_free(&op->old);
    pu_scim_text_free(&op->text);
    json_decref(op->found);
    json_decref(op->doc);

    op->found = NULL;
    op->doc = NULL;
    op->sorted = NULL;
    op->nsorted = 0;
}


int
pu_op_fail(pu_scim_op_t *op, int status, const char *type, const char *text)
{
    (void) pu_scim_fail(&op->err, status, type, text, PU_STR(""));

    return PU_OP_DONE;
}


int
pu_op_done(pu_scim_op_t *op, int status)
{
    if ((status == 200 || status == 201) && op->doc == NULL
        && (op->text.len == 0 || op->text.failed))
    {
        return pu_op_fail(op, 500, NULL, "there is no memory");
    }

    op->status = status;

    return PU_OP_DONE;
}


int
pu_op_unreadable(pu_scim_op_t *op)
{
    return pu_op_fail(op, 503, NULL, "the store of users does not answer as "
                      "it should");
}


int
pu_op_ask(pu_scim_op_t *op, pu_scim_next_t next, int asked)
{
    if (!asked) {
        return pu_op_fail(op, 500, NULL, "OpenSSL fails here");
    }

    op->next = next;

    return PU_OP_ASK;
}


void
pu_op_etag(pu_scim_op_t *op, int64_t version)
{
    pu_buf_t  b;

    pu_buf_init(&b, op->etag, sizeof(op->etag) - 1);
    pu_buf_text(&b, "W/\"");
    pu_buf_int(&b, version);
    pu_buf_char(&b, '"');

    op->etag[pu_buf_written(&b).len] = '\0';
}


/* W/"3", "3", * or a list of them: weak ones are compared here too. */

int
pu_op_matches(pu_str_t header, int64_t version)
{
    size_t    i, start;
    char      own[24];
    pu_buf_t  b;
    pu_str_t  tag;

    pu_buf_init(&b, own, sizeof(own));
    pu_buf_char(&b, '"');
    pu_buf_int(&b, version);
    pu_buf_char(&b, '"');

    start = 0;

    for (i = 0; i <= header.len; i++) {

        if (i < header.len && header.data[i] != ',') {
            continue;
        }

        tag.len = i - start;
        tag.data = header.data + start;
        start = i + 1;

        while (tag.len > 0 && tag.data[0] == ' ') {
            tag.data++;
            tag.len--;
        }

        while (tag.len > 0 && tag.data[tag.len - 1] == ' ') {
            tag.len--;
        }

        if (pu_str_is(tag, "*")) {
            return 1;
        }

        if (pu_str_starts(tag, "W/")) {
            tag.data += 2;
            tag.len -= 2;
        }

        if (tag.len != 0 && pu_str_eq(tag, pu_buf_written(&b))) {
            return 1;
        }
    }

    return 0;
}


int
pu_op_ask_members(pu_scim_op_t *op, pu_str_t group, pu_scim_next_t next)
{
    pu_str_t  after;

    after.len = op->after_len;
    after.data = (uint8_t *) op->after;

    return pu_op_ask(op, next,
                     pu_command_members(&op->args, op->env->sha,
                                        op->env->prefix, group, after,
                                        PU_OP_MEMBERS));
}


int
pu_op_members(pu_scim_op_t *op, const redisReply *reply,
    pu_scim_text_t *text)
{
    size_t    i, n;
    pu_str_t  next, id;

    if (pu_reply_members(reply, &next, &n) != PU_READ_FOUND
        || next.len > sizeof(op->after))
    {
        pu_op_unreadable(op);
        return -1;
    }

    for (i = 0; i < n; i++) {
        id = pu_reply_member_at(reply, i);

        if (!pu_user_id_ok(id)) {
            continue;
        }

        if (op->nmembers++ >= PU_SCIM_MEMBERS_MAX) {
            pu_op_fail(op, 400, "tooMany", "there are more than 50000 "
                       "members: ask with excludedAttributes=members or for "
                       "fewer groups");
            return -1;
        }

        if (text->len > 0 && text->data[text->len - 1] != '[') {
            pu_scim_text_add(text, ",");
        }

        pu_scim_text_add(text, "{\"value\":\"");
        pu_scim_text_put(text, id.data, id.len);
        pu_scim_text_add(text, "\",\"type\":\"User\",\"$ref\":");
        pu_scim_text_add(text, "\"");
        pu_scim_text_put(text, op->env->base.data, op->env->base.len);
        pu_scim_text_add(text, "/Users/");
        pu_scim_text_put(text, id.data, id.len);
        pu_scim_text_add(text, "\"}");
    }

    op->after_len = next.len;
    memcpy(op->after, next.data, next.len);

    return next.len != 0;
}
