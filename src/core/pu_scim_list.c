/*
 * pu_scim_list: many users or groups: pages, filters, sorting.
 *
 * A page without a filter is read from the index, and a filter on userName,
 * externalId or id is one look-up.  Any other filter, and any sorting, reads
 * records in pieces of PU_LIST_CHUNK until it has seen them all or
 * PU_LIST_SCAN of them: nobody reads a hundred thousand users for one answer.
 */

#include <stdlib.h>

#include "pu_scim_op.h"


#define PU_LIST_CHUNK     200           /* records of one question */
#define PU_LIST_SCAN      20000         /* of one request */
#define PU_LIST_ENOUGH    5000          /* when the page is full */
#define PU_LIST_KEY_MAX   256           /* bytes that are sorted by */


static int pu_list_plan(pu_scim_op_t *op);
static int pu_list_ask(pu_scim_op_t *op, int64_t count, pu_scim_next_t next);
static int pu_list_page(pu_scim_op_t *op, const redisReply *reply);
static int pu_list_one(pu_scim_op_t *op, const redisReply *reply);
static int pu_list_scan(pu_scim_op_t *op);
static int pu_list_scanned(pu_scim_op_t *op, const redisReply *reply);
static int pu_list_scan_end(pu_scim_op_t *op, int64_t left);
static json_t *pu_list_record_new(pu_scim_op_t *op, const pu_page_t *page,
    size_t i);
static int pu_list_keep(pu_scim_op_t *op, json_t *resource);
static int pu_list_found(pu_scim_op_t *op, json_t *resource);
static int pu_list_sort_in(pu_scim_op_t *op, const json_t *resource);
static char *pu_list_key(const pu_scim_op_t *op, const json_t *resource);
static int pu_list_compare(const void *a, const void *b);
static int pu_list_sorted(pu_scim_op_t *op);
static int pu_list_sorted_next(pu_scim_op_t *op);
static int pu_list_sorted_got(pu_scim_op_t *op, const redisReply *reply);
static int pu_list_write(pu_scim_op_t *op);
static int pu_list_item(pu_scim_op_t *op);
static int pu_list_members(pu_scim_op_t *op, const redisReply *reply);


int
pu_scim_list_start(pu_scim_op_t *op)
{
    op->found = json_array();

    if (op->found == NULL) {
        return pu_op_fail(op, 500, NULL, "there is no memory");
    }

    if (op->kind == PU_SCIM_GROUPS && op->query.filter != NULL
        && pu_scim_filter_uses(op->query.filter, "members"))
    {
        return pu_op_fail(op, 400, "invalidFilter", "groups are not found by "
                          "their members: a user's \"groups\" tells them");
    }

    return pu_list_plan(op);
}


static int
pu_list_plan(pu_scim_op_t *op)
{
    pu_str_t   text;
    pu_find_t  how;

    if (op->query.filter == NULL && op->query.sort.name.len == 0) {
        op->from = op->query.start - 1;
        return pu_list_ask(op, op->query.count, pu_list_page);
    }

    if (op->query.filter == NULL
        || !pu_scim_filter_index(op->query.filter, &how, &text))
    {
        return pu_list_scan(op);
    }

    if (op->kind == PU_SCIM_GROUPS) {

        if (how != PU_FIND_ID) {
            return pu_list_scan(op);
        }

        if (!pu_group_id_ok(text)) {
            return pu_list_write(op);
        }

        return pu_op_ask(op, pu_list_one,
                         pu_command_find_group(&op->args, op->env->sha,
                                               op->env->prefix, text));
    }

    /* who has no userName is shown with the id for one */

    if (how == PU_FIND_NAME && pu_user_id_ok(text)) {
        how = PU_FIND_ID;
    }

    if (text.len == 0 || text.len > PU_USER_NAME_MAX
        || (how == PU_FIND_ID && !pu_user_id_ok(text)))
    {
        return pu_list_write(op);
    }

    return pu_op_ask(op, pu_list_one,
                     pu_command_find_user(&op->args, op->env->sha,
                                          op->env->prefix, how, text));
}


static int
pu_list_ask(pu_scim_op_t *op, int64_t count, pu_scim_next_t next)
{
    int  ok;

    ok = (op->kind == PU_SCIM_USERS)
         ? pu_command_users(&op->args, op->env->sha, op->env->prefix,
                            op->from, count)
         : pu_command_groups(&op->args, op->env->sha, op->env->prefix,
                             op->from, count);

    return pu_op_ask(op, next, ok);
}


/* A page may come in pieces, when its records are large. */

static int
pu_list_page(pu_scim_op_t *op, const redisReply *reply)
{
    size_t     i;
    int64_t    end;
    json_t    *r;
    pu_page_t  page;

    if (pu_reply_page(reply, &page) != PU_READ_FOUND) {
        return pu_op_unreadable(op);
    }

    op->total = page.total;
    end = op->query.start - 1 + op->query.count;

    for (i = 0; i < page.n; i++) {
        r = pu_list_record_new(op, &page, i);

        if (r != NULL && !pu_list_found(op, r)) {
            return PU_OP_DONE;
        }
    }

    if (page.next >= end || page.next >= page.total
        || page.next <= op->from)
    {
        return pu_list_write(op);
    }

    op->from = page.next;

    return pu_list_ask(op, end - op->from, pu_list_page);
}


/* NULL where the record makes no sense: others are still shown. */

static json_t *
pu_list_record_new(pu_scim_op_t *op, const pu_page_t *page, size_t i)
{
    pu_directory_user_t   user;
    pu_directory_group_t  group;

    if (op->kind == PU_SCIM_USERS) {
        return pu_reply_user_at(page, i, &user)
               ? pu_scim_user_new(&user, op->env->base) : NULL;
    }

    return pu_reply_group_at(page, i, &group)
           ? pu_scim_group_new(&group, op->env->base) : NULL;
}


/* Takes the reference; 1, or 0 and the operation has ended. */

static int
pu_list_found(pu_scim_op_t *op, json_t *resource)
{
    if (json_array_append_new(op->found,
                              pu_scim_select(&op->query, resource))
        == 0)
    {
        return 1;
    }

    pu_op_fail(op, 500, NULL, "there is no memory");

    return 0;
}


static int
pu_list_one(pu_scim_op_t *op, const redisReply *reply)
{
    json_t                *r;
    pu_read_t              rc;
    pu_directory_user_t    user;
    pu_directory_group_t   group;

    rc = (op->kind == PU_SCIM_USERS) ? pu_reply_user(reply, &user)
                                     : pu_reply_group(reply, &group);

    switch (rc) {

    case PU_READ_FOUND:
        break;

    case PU_READ_NONE:
        return pu_list_write(op);

    case PU_READ_MANY:
        return pu_list_scan(op);

    default:
        return pu_op_unreadable(op);
    }

    r = (op->kind == PU_SCIM_USERS)
        ? pu_scim_user_new(&user, op->env->base)
        : pu_scim_group_new(&group, op->env->base);

    if (r == NULL) {
        return pu_op_fail(op, 500, NULL, "there is no memory");
    }

    if (!pu_scim_filter_match(op->query.filter, r)) {
        json_decref(r);
        return pu_list_write(op);
    }

    op->total = 1;

    if (op->query.start > 1 || op->query.count == 0) {
        json_decref(r);
        return pu_list_write(op);
    }

    return pu_list_found(op, r) ? pu_list_write(op) : PU_OP_DONE;
}


/* Reading many. */


static int
pu_list_scan(pu_scim_op_t *op)
{
    op->from = 0;
    op->total = 0;

    return pu_list_ask(op, PU_LIST_CHUNK, pu_list_scanned);
}


static int
pu_list_scanned(pu_scim_op_t *op, const redisReply *reply)
{
    int        keep;
    size_t     i;
    json_t    *r;
    pu_page_t  page;

    if (pu_reply_page(reply, &page) != PU_READ_FOUND) {
        return pu_op_unreadable(op);
    }

    for (i = 0; i < page.n; i++) {
        r = pu_list_record_new(op, &page, i);

        if (r == NULL) {
            continue;
        }

        keep = op->query.filter == NULL
               || pu_scim_filter_match(op->query.filter, r);

        if (!keep) {
            json_decref(r);

        } else if (!pu_list_keep(op, r)) {
            return PU_OP_DONE;
        }
    }

    op->scanned += page.next - op->from;

    if (page.next >= page.total || page.next <= op->from) {
        return pu_list_scan_end(op, 0);
    }

    op->from = page.next;

    if (op->scanned >= PU_LIST_SCAN
        || (op->query.sort.name.len == 0 && op->scanned >= PU_LIST_ENOUGH
            && op->total >= op->query.start - 1 + op->query.count))
    {
        return pu_list_scan_end(op, page.total - page.next);
    }

    return pu_list_ask(op, PU_LIST_CHUNK, pu_list_scanned);
}


/*
 * Not all have been seen: with a full page that is said by a total that is one
 * more than was found; a page that might lack somebody is none.
 */

static int
pu_list_scan_end(pu_scim_op_t *op, int64_t left)
{
    if (left > 0
        && (op->query.sort.name.len != 0
            || op->total < op->query.start - 1 + op->query.count))
    {
        return pu_op_fail(op, 400, "tooMany", "more than 20000 records would "
                          "have to be read: filter by userName, externalId "
                          "or id, or page without a filter");
    }

    if (op->query.sort.name.len != 0) {
        return pu_list_sorted(op);
    }

    op->total += (left > 0);

    return pu_list_write(op);
}


/* Takes the reference; 1, or 0 and the operation has ended. */

static int
pu_list_keep(pu_scim_op_t *op, json_t *resource)
{
    int  ok;

    op->total++;

    if (op->query.sort.name.len != 0) {
        ok = pu_list_sort_in(op, resource);
        json_decref(resource);
        return ok;
    }

    if (op->total < op->query.start
        || op->total >= op->query.start + op->query.count)
    {
        json_decref(resource);
        return 1;
    }

    return pu_list_found(op, resource);
}


static int
pu_list_sort_in(pu_scim_op_t *op, const json_t *resource)
{
    size_t             size;
    pu_str_t           id;
    pu_scim_sorted_t  *grown;

    if (op->nsorted == op->sorted_size) {
        size = op->sorted_size ? op->sorted_size * 2 : 64;
        grown = realloc(op->sorted, size * sizeof(pu_scim_sorted_t));

        if (grown == NULL) {
            pu_op_fail(op, 500, NULL, "there is no memory");
            return 0;
        }

        op->sorted = grown;
        op->sorted_size = size;
    }

    if (!pu_json_str(json_object_get(resource, "id"), &id)
        || id.len != PU_USER_ID_LEN)
    {
        return 1;
    }

    memcpy(op->sorted[op->nsorted].id, id.data, PU_USER_ID_LEN);
    op->sorted[op->nsorted].at = op->nsorted;
    op->sorted[op->nsorted].key = pu_list_key(op, resource);

    if (op->sorted[op->nsorted].key == NULL) {
        pu_op_fail(op, 500, NULL, "there is no memory");
        return 0;
    }

    op->nsorted++;

    return 1;
}


/*
 * A text that compares as the value does: a letter that puts those without
 * one last, then the first or primary value without case.
 */

static char *
pu_list_key(const pu_scim_op_t *op, const json_t *resource)
{
    char           *key;
    size_t          i;
    pu_str_t        text;
    const json_t   *value, *one;

    value = pu_scim_at(resource, &op->query.sort);

    if (json_is_array(value)) {
        one = json_array_get(value, 0);

        for (i = 0; i < json_array_size(value); i++) {
            if (json_is_true(pu_scim_get(json_array_get(value, i),
                                         PU_STR("primary"))))
            {
                one = json_array_get(value, i);
            }
        }

        value = one;
    }

    if (json_is_object(value)) {
        value = pu_scim_get(value, op->query.sort.sub.len
                                   ? op->query.sort.sub : PU_STR("value"));
    }

    text = json_is_boolean(value)
           ? (json_is_true(value) ? PU_STR("1") : PU_STR("0")) : PU_STR("");

    if (!json_is_boolean(value) && !pu_json_str(value, &text)) {
        return strdup("z");
    }

    if (text.len > PU_LIST_KEY_MAX) {
        text.len = PU_LIST_KEY_MAX;
    }

    key = malloc(text.len + 2);

    if (key == NULL) {
        return NULL;
    }

    key[0] = 'a';

    for (i = 0; i < text.len; i++) {
        key[i + 1] = (char) ((text.data[i] >= 'A' && text.data[i] <= 'Z')
                             ? text.data[i] | 0x20 : text.data[i]);
    }

    key[text.len + 1] = '\0';

    return key;
}


static int
pu_list_compare(const void *a, const void *b)
{
    int                      rc;
    const pu_scim_sorted_t  *x, *y;

    x = a;
    y = b;
    rc = strcmp(x->key, y->key);

    return rc ? rc : (x->at > y->at) - (x->at < y->at);
}


static int
pu_list_sorted(pu_scim_op_t *op)
{
    size_t            i;
    pu_scim_sorted_t  swap;

    if (op->nsorted > 1) {
        qsort(op->sorted, op->nsorted, sizeof(pu_scim_sorted_t),
              pu_list_compare);
    }

    for (i = 0; op->query.descending && i < op->nsorted / 2; i++) {
        swap = op->sorted[i];
        op->sorted[i] = op->sorted[op->nsorted - 1 - i];
        op->sorted[op->nsorted - 1 - i] = swap;
    }

    op->from = op->query.start - 1;

    return pu_list_sorted_next(op);
}


/* Those of the page, one by one. */

static int
pu_list_sorted_next(pu_scim_op_t *op)
{
    int       ok;
    pu_str_t  id;

    if (op->from >= (int64_t) op->nsorted
        || op->from >= op->query.start - 1 + op->query.count)
    {
        return pu_list_write(op);
    }

    id.len = PU_USER_ID_LEN;
    id.data = (uint8_t *) op->sorted[op->from++].id;

    ok = (op->kind == PU_SCIM_USERS)
         ? pu_command_find_user(&op->args, op->env->sha, op->env->prefix,
                                PU_FIND_ID, id)
         : pu_command_find_group(&op->args, op->env->sha, op->env->prefix,
                                 id);

    return pu_op_ask(op, pu_list_sorted_got, ok);
}


static int
pu_list_sorted_got(pu_scim_op_t *op, const redisReply *reply)
{
    json_t                *r;
    pu_read_t              rc;
    pu_directory_user_t    user;
    pu_directory_group_t   group;

    rc = (op->kind == PU_SCIM_USERS) ? pu_reply_user(reply, &user)
                                     : pu_reply_group(reply, &group);

    if (rc == PU_READ_FOUND) {
        r = (op->kind == PU_SCIM_USERS)
            ? pu_scim_user_new(&user, op->env->base)
            : pu_scim_group_new(&group, op->env->base);

        if (!pu_list_found(op, r)) {
            return PU_OP_DONE;
        }

    } else if (rc != PU_READ_NONE) {
        return pu_op_unreadable(op);
    }

    return pu_list_sorted_next(op);
}


/* The answer. */


static int
pu_list_write(pu_scim_op_t *op)
{
    json_t  *head;

    head = json_pack("{s:[s], s:I, s:I, s:I}",
                     "schemas", PU_SCIM_MESSAGE "ListResponse",
                     "totalResults", (json_int_t) op->total,
                     "startIndex", (json_int_t) op->query.start,
                     "itemsPerPage", (json_int_t) json_array_size(op->found));

    pu_scim_text_json(&op->text, head);
    json_decref(head);

    if (op->text.failed) {
        return pu_op_fail(op, 500, NULL, "there is no memory");
    }

    op->text.len--;
    pu_scim_text_add(&op->text, ",\"Resources\":[");
    op->shown = 0;

    return pu_list_item(op);
}


/* The next ones, up to one whose members have to be asked for. */

static int
pu_list_item(pu_scim_op_t *op)
{
    json_t    *r;
    pu_str_t   id;

    for ( /* void */ ; op->shown < json_array_size(op->found); op->shown++) {
        r = json_array_get(op->found, op->shown);

        if (op->shown > 0) {
            pu_scim_text_add(&op->text, ",");
        }

        pu_scim_text_json(&op->text, r);

        if (op->text.failed) {
            return pu_op_fail(op, 500, NULL, "there is no memory");
        }

        if (op->kind == PU_SCIM_GROUPS
            && pu_scim_selected(&op->query, "members")
            && pu_json_str(json_object_get(r, "id"), &id))
        {
            op->text.len--;
            pu_scim_text_add(&op->text, ",\"members\":[");
            op->after_len = 0;

            return pu_op_ask_members(op, id, pu_list_members);
        }
    }

    pu_scim_text_add(&op->text, "]}");

    return pu_op_done(op, 200);
}


static int
pu_list_members(pu_scim_op_t *op, const redisReply *reply)
{
    pu_str_t  id;

    switch (pu_op_members(op, reply, &op->text)) {

    case 1:
        (void) pu_json_str(json_object_get(json_array_get(op->found,
                                                          op->shown), "id"),
                           &id);
        return pu_op_ask_members(op, id, pu_list_members);

    case 0:
        pu_scim_text_add(&op->text, "]}");
        op->shown++;
        return pu_list_item(op);

    default:
        return PU_OP_DONE;
    }
}
