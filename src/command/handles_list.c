/*
 * handles_list: the keys or the certificates of one user.
 *
 * The set of a user's handles is read a part at a time; what is kept are the
 * records of those that are shown, at most as many as a user can have.
 */

#include <stdio.h>
#include <stdlib.h>

#include "handles.h"


#define LIST_PART     "500"
#define LIST_FIELDS   10
#define LIST_COLUMNS  9


static const char *const  list_fields[LIST_FIELDS] = {
    PU_HANDLE_FIELDS, "label", "created"
};

enum {
    LIST_LABEL = PU_HANDLE_NFIELDS,
    LIST_CREATED
};

typedef struct {
    char          text[PU_HANDLE_TEXT_MAX + 1];
    redisReply   *reply;                /* list_fields */
    redisReply   *used;                 /* may be NULL */
    int64_t       created;
    pu_str_t      fields[LIST_FIELDS];
    pu_handle_t   handle;
    int           readable;
} list_row_t;

typedef struct {
    session_t         *session;
    pu_handle_kind_t   kind;
    pu_str_t           user;
    int64_t            now;
    size_t             n;
    size_t             size;
    list_row_t        *rows;
} list_t;


static int list_handles(list_t *list);
static int list_part(list_t *list, const redisReply *members);
static int list_add(list_t *list, pu_str_t member);
static int list_records(list_t *list);
static int list_used(list_t *list);
static int list_cmp(const void *a, const void *b);
static const char *list_state(const list_t *list, const list_row_t *row);
static void list_people(const list_t *list);
static void list_time(table_t *table, int64_t seconds);
static void list_json(const list_t *list);
static json_t *list_row_json(const list_t *list, const list_row_t *row);
static json_t *list_words(pu_str_t words);
static void list_free(list_t *list);


int
handles_list(session_t *s, const char *who, pu_handle_kind_t kind)
{
    int      code;
    char     id[PU_USER_ID_LEN];
    list_t   list;
    int64_t  micros;

    memset(&list, 0, sizeof(list_t));
    list.session = s;
    list.kind = kind;
    list.user = (pu_str_t) { sizeof(id), (const uint8_t *) id };

    code = session_who(s, who, id);

    if (code == EXIT_DONE) {
        code = session_time(s, &list.now, &micros);
    }

    if (code == EXIT_DONE) {
        code = list_handles(&list);
    }

    if (code == EXIT_DONE) {
        code = list_records(&list);
    }

    if (code == EXIT_DONE && kind == PU_HANDLE_KEY) {
        code = list_used(&list);
    }

    if (code == EXIT_DONE) {

        if (list.n > 1) {
            qsort(list.rows, list.n, sizeof(list_row_t), list_cmp);
        }

        if (s->options->values[OPT_JSON] != NULL) {
            list_json(&list);

        } else {
            list_people(&list);
        }
    }

    list_free(&list);

    return code;
}


static int
list_handles(list_t *list)
{
    int          code, more;
    char         cursor[CURSOR_SIZE] = "0";
    cli_args_t   args;
    redisReply  *reply;

    do {
        args_start(&args, "SSCAN");
        args_key(&args, list->session, "handles:", list->user);
        args_text(&args, cursor);
        args_text(&args, "COUNT");
        args_text(&args, LIST_PART);

        code = session_call(list->session, &args, &reply);

        if (code != EXIT_DONE) {
            return code;
        }

        more = reply_cursor(reply, cursor);

        if (more < 0) {
            code = fail(EXIT_REFUSED, "the handles of user %.*s cannot be "
                        "read; proxy-user doctor shows what is wrong",
                        PU_STR_FMT(list->user));

        } else {
            code = list_part(list, reply_at(reply, 1));
        }

        freeReplyObject(reply);

    } while (code == EXIT_DONE && more > 0);

    return code;
}


static int
list_part(list_t *list, const redisReply *members)
{
    int               code;
    size_t            i;
    pu_str_t          member;
    uint8_t           digest[PU_SHA256_LEN];
    pu_handle_kind_t  kind;

    code = EXIT_DONE;

    for (i = 0; code == EXIT_DONE && reply_at(members, i) != NULL; i++) {
        member = reply_text(reply_at(members, i));

        if (pu_handle_parse(member, &kind, digest) && kind == list->kind) {
            code = list_add(list, member);
        }
    }

    return code;
}


/* SSCAN may name one twice. */

static int
list_add(list_t *list, pu_str_t member)
{
    size_t       i;
    list_row_t  *rows;

    for (i = 0; i < list->n; i++) {
        if (memcmp(list->rows[i].text, member.data, member.len) == 0) {
            return EXIT_DONE;
        }
    }

    if (list->n == list->size) {
        list->size = list->size * 2 + 64;
        rows = realloc(list->rows, list->size * sizeof(list_row_t));

        if (rows == NULL) {
            return fail(EXIT_REFUSED, "there is no memory");
        }

        list->rows = rows;
    }

    memset(&list->rows[list->n], 0, sizeof(list_row_t));
    memcpy(list->rows[list->n++].text, member.data, member.len);

    return EXIT_DONE;
}


static int
list_records(list_t *list)
{
    int          code;
    size_t       i, k;
    pu_str_t     text;
    cli_args_t   args;
    list_row_t  *row;

    for (i = 0; i < list->n; i++) {
        row = &list->rows[i];
        text.data = (const uint8_t *) row->text;
        text.len = strnlen(row->text, sizeof(row->text));

        args_start(&args, "HMGET");
        args_key(&args, list->session, "handle:", text);

        for (k = 0; k < LIST_FIELDS; k++) {
            args_text(&args, list_fields[k]);
        }

        code = session_call(list->session, &args, &row->reply);

        if (code != EXIT_DONE) {
            return code;
        }

        for (k = 0; k < LIST_FIELDS; k++) {
            row->fields[k] = reply_text(reply_at(row->reply, k));
        }

        row->readable = pu_handle_read(&row->handle, row->fields)
                        && pu_str_eq(row->handle.user, list->user);

        if (!pu_str_int(row->fields[LIST_CREATED], &row->created)) {
            row->created = 0;
        }
    }

    return EXIT_DONE;
}


static int
list_used(list_t *list)
{
    int          code;
    size_t       i;
    cli_args_t   args;
    list_row_t  *row;

    for (i = 0; i < list->n; i++) {
        row = &list->rows[i];

        if (!row->readable || row->handle.id.len > 64) {
            continue;
        }

        args_start(&args, "GET");
        args_key(&args, list->session, "used:", row->handle.id);

        code = session_call(list->session, &args, &row->used);

        if (code != EXIT_DONE) {
            return code;
        }
    }

    return EXIT_DONE;
}


static int
list_cmp(const void *a, const void *b)
{
    const list_row_t *x = a;
    const list_row_t *y = b;

    if (x->created != y->created) {
        return (x->created < y->created) ? -1 : 1;
    }

    return memcmp(x->text, y->text, sizeof(x->text));
}


static const char *
list_state(const list_t *list, const list_row_t *row)
{
    if (!row->readable) {
        return "unreadable";
    }

    if (row->handle.revoked) {
        return "revoked";
    }

    return row->handle.expires != 0 && row->handle.expires <= list->now
           ? "expired" : "active";
}


static void
list_people(const list_t *list)
{
    size_t             i;
    int64_t            used;
    table_t            table;
    const list_row_t  *row;

    static const char *const  heads[LIST_COLUMNS] = {
        "ID", "STATE", "LABEL", "CREATED", "EXPIRES", "USED", "ROLES",
        "SCOPES", "NETWORKS"
    };

    table_init(&table, LIST_COLUMNS);

    for (i = 0; i < LIST_COLUMNS; i++) {
        table_add(&table, pu_str(heads[i]));
    }

    for (i = 0; i < list->n; i++) {
        row = &list->rows[i];

        table_add(&table, row->readable
                          ? row->handle.id
                          : pu_str(strchr(row->text, ':') + 1));
        table_add(&table, pu_str(list_state(list, row)));
        table_add(&table, row->fields[LIST_LABEL]);
        list_time(&table, row->created);
        list_time(&table, row->handle.expires);

        used = 0;
        (void) pu_str_int(reply_text(row->used), &used);
        list_time(&table, used);

        table_add(&table, row->handle.roles.data && !row->handle.roles.len
                          ? PU_STR("none") : row->handle.roles);
        table_add(&table, row->handle.scopes.data && !row->handle.scopes.len
                          ? PU_STR("none") : row->handle.scopes);
        table_add(&table, row->handle.networks);
    }

    table_print(&table, stdout);
    table_free(&table);
}


static void
list_time(table_t *table, int64_t seconds)
{
    char  text[OUTPUT_TIME_SIZE] = "";

    if (seconds != 0) {
        output_time(text, seconds);
    }

    table_add(table, pu_str(text));
}


static void
list_json(const list_t *list)
{
    size_t   i;
    json_t  *object, *rows;

    rows = json_array();

    for (i = 0; i < list->n; i++) {
        json_array_append_new(rows, list_row_json(list, &list->rows[i]));
    }

    object = json_object();

    json_object_set_new(object, "user", output_json(list->user));
    json_object_set_new(object, list->kind == PU_HANDLE_KEY
                                ? "keys" : "certificates", rows);

    output_json_print(object);
}


static json_t *
list_row_json(const list_t *list, const list_row_t *row)
{
    json_t             *object;
    int64_t             used;
    const pu_handle_t  *h;

    h = &row->handle;
    object = json_object();

    json_object_set_new(object, "id", row->readable
                        ? output_json(h->id)
                        : json_string(strchr(row->text, ':') + 1));
    json_object_set_new(object, "state",
                        json_string(list_state(list, row)));

    if (row->fields[LIST_LABEL].len != 0) {
        json_object_set_new(object, "label",
                            output_json(row->fields[LIST_LABEL]));
    }

    if (row->created != 0) {
        json_object_set_new(object, "created", json_integer(row->created));
    }

    if (h->expires != 0) {
        json_object_set_new(object, "expires", json_integer(h->expires));
    }

    if (pu_str_int(reply_text(row->used), &used)) {
        json_object_set_new(object, "used", json_integer(used));
    }

    if (h->roles.data != NULL) {
        json_object_set_new(object, "roles", list_words(h->roles));
    }

    if (h->scopes.data != NULL) {
        json_object_set_new(object, "scopes", list_words(h->scopes));
    }

    if (h->networks.data != NULL) {
        json_object_set_new(object, "networks", list_words(h->networks));
    }

    return object;
}


static json_t *
list_words(pu_str_t words)
{
    json_t    *list;
    pu_str_t   word;

    list = json_array();

    while (pu_word_next(&words, &word)) {
        json_array_append_new(list, output_json(word));
    }

    return list;
}


static void
list_free(list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        freeReplyObject(list->rows[i].reply);
        freeReplyObject(list->rows[i].used);
    }

    free(list->rows);
}
