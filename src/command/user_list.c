/*
 * user list: the users by the time they were made.
 *
 * Pages through the index and reads each page in one pipeline; never more
 * than one page of replies in memory.
 */

#include <stdio.h>

#include "record.h"
#include "user.h"


#define LIST_PAGE           200
#define LIST_LIMIT_DEFAULT  1000
#define LIST_LIMIT_MAX      1000000
#define LIST_COLUMNS        6


typedef struct {
    session_t  *session;
    pu_str_t    state;                  /* empty: any */
    pu_str_t    role;
    int64_t     limit;
    int64_t     now;
    int64_t     shown;
    unsigned    cut:1;                  /* there are more than "limit" */
    json_t     *json;                   /* NULL: for people */
    table_t     table;
} list_t;


static int list_limit(const options_t *options, int64_t *limit);
static int list_pages(list_t *list);
static int list_page(list_t *list, int64_t start, size_t *n);
static int list_users(list_t *list, const redisReply *ids);
static int list_request(list_t *list, pu_str_t id);
static void list_user(list_t *list, const record_t *record);
static int list_wanted(const list_t *list, const record_t *record);
static void list_row(list_t *list, const record_t *record);
static int list_print(list_t *list);


int
user_list_check(const options_t *options, const char *const *args)
{
    int64_t      limit;
    const char  *state, *role;

    (void) args;

    state = options->values[OPT_STATE];
    role = options->values[OPT_ROLE];

    if (state != NULL && strcmp(state, "active") != 0
        && strcmp(state, "suspended") != 0 && strcmp(state, "deleted") != 0)
    {
        return fail(EXIT_USAGE, "\"%s\" is no state for --state: allowed are "
                    "active, suspended and deleted", state);
    }

    if (role != NULL && !pu_role_name(pu_str(role))) {
        return fail(EXIT_USAGE, "\"%s\" is no role name for --role: allowed "
                    "are 1 to 64 of A-Za-z0-9_.:/- with at least one "
                    "lower-case letter or digit", role);
    }

    return list_limit(options, &limit);
}


static int
list_limit(const options_t *options, int64_t *limit)
{
    const char  *text;

    text = options->values[OPT_LIMIT];
    *limit = LIST_LIMIT_DEFAULT;

    if (text != NULL && (!pu_str_int(pu_str(text), limit) || *limit < 1
                         || *limit > LIST_LIMIT_MAX))
    {
        return fail(EXIT_USAGE, "\"%s\" is no number for --limit: allowed "
                    "are 1 to %d", text, LIST_LIMIT_MAX);
    }

    return EXIT_DONE;
}


int
user_list(session_t *s, const char *const *args)
{
    int      code;
    list_t   list;
    int64_t  micros;

    (void) args;

    memset(&list, 0, sizeof(list_t));

    list.session = s;
    list.state = pu_str(s->options->values[OPT_STATE]);
    list.role = pu_str(s->options->values[OPT_ROLE]);

    code = list_limit(s->options, &list.limit);

    if (code == EXIT_DONE) {
        code = session_time(s, &list.now, &micros);
    }

    if (code != EXIT_DONE) {
        return code;
    }

    table_init(&list.table, LIST_COLUMNS);

    if (s->options->values[OPT_JSON] != NULL) {
        list.json = json_array();
    }

    code = list_pages(&list);

    if (code == EXIT_DONE) {
        code = list_print(&list);
    }

    json_decref(list.json);
    table_free(&list.table);

    return code;
}


static int
list_pages(list_t *list)
{
    int      code;
    size_t   n;
    int64_t  start;

    n = 0;
    start = 0;

    do {
        code = list_page(list, start, &n);
        start += LIST_PAGE;
    } while (code == EXIT_DONE && n == LIST_PAGE && !list->cut);

    return code;
}


static int
list_page(list_t *list, int64_t start, size_t *n)
{
    int          code;
    char         first[24], last[24];
    cli_args_t   args;
    redisReply  *reply;

    snprintf(first, sizeof(first), "%lld", (long long) start);
    snprintf(last, sizeof(last), "%lld", (long long) start + LIST_PAGE - 1);

    args_start(&args, "ZRANGE");
    args_key(&args, list->session, "users", PU_STR(""));
    args_text(&args, first);
    args_text(&args, last);

    code = session_call(list->session, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        code = fail(EXIT_REFUSED, "the index %s cannot be read: it must be a "
                    "sorted set; repair it in Redis", args.room);

    } else {
        *n = reply->elements;
        code = list_users(list, reply);
    }

    freeReplyObject(reply);

    return code;
}


static int
list_users(list_t *list, const redisReply *ids)
{
    int          code;
    size_t       i;
    pu_str_t     id;
    record_t     record;
    redisReply  *reply;

    code = EXIT_DONE;

    for (i = 0; i < ids->elements && code == EXIT_DONE; i++) {
        code = list_request(list, reply_text(ids->element[i]));
    }

    for (i = 0; i < ids->elements && code == EXIT_DONE; i++) {
        id = reply_text(ids->element[i]);
        code = session_reply(list->session, 0, &reply);

        if (code == EXIT_DONE) {
            record_read(&record, id, reply);
            list_user(list, &record);
            freeReplyObject(reply);
        }
    }

    return code;
}


/* A key is made of what has the form of an id only. */

static int
list_request(list_t *list, pu_str_t id)
{
    cli_args_t  args;

    record_request(list->session, &args,
                   pu_user_id_ok(id) ? id : PU_STR(""));

    return session_send(list->session, &args);
}


static void
list_user(list_t *list, const record_t *record)
{
    if (list->cut || !list_wanted(list, record)) {
        return;
    }

    if (list->shown == list->limit) {
        list->cut = 1;
        return;
    }

    list->shown++;

    if (list->json != NULL) {
        json_array_append_new(list->json, record_json(record, list->now));

    } else {
        list_row(list, record);
    }
}


static int
list_wanted(const list_t *list, const record_t *record)
{
    if (list->state.len && !pu_str_eq(list->state, record_state(record))) {
        return 0;
    }

    return list->role.len == 0
           || record_has_role(record, list->role, list->now);
}


static void
list_row(list_t *list, const record_t *record)
{
    char       created[OUTPUT_TIME_SIZE], roles[PU_USER_PACKED_MAX];
    int64_t    seconds;
    table_t   *table;

    table = &list->table;

    if (table->n == 0) {
        table_add(table, PU_STR("ID"));
        table_add(table, PU_STR("STATE"));
        table_add(table, PU_STR("TYPE"));
        table_add(table, PU_STR("NAME"));
        table_add(table, PU_STR("CREATED"));
        table_add(table, PU_STR("ROLES"));
    }

    created[0] = '\0';

    if (pu_str_int(record->created, &seconds)) {
        output_time(created, seconds);
    }

    table_add(table, record->id);
    table_add(table, record_state(record));
    table_add(table, record->readable ? pu_user_type_word(record->user.type)
                                      : PU_STR(""));
    table_add(table, record->user.name);
    table_add(table, pu_str(created));
    table_add(table, record_roles(record, list->now, roles, sizeof(roles)));
}


static int
list_print(list_t *list)
{
    json_t  *document;

    if (list->json != NULL) {
        document = json_object();
        json_object_set(document, "users", list->json);
        json_object_set_new(document, "more", json_boolean(list->cut));
        output_json_print(document);

    } else {
        table_print(&list->table, stdout);
    }

    if (list->cut) {
        return fail(EXIT_DONE, "only the first %lld are shown; --limit N "
                    "shows more", (long long) list->limit);
    }

    if (list->shown == 0 && list->json == NULL) {
        return fail(EXIT_DONE, "there is no such user");
    }

    return EXIT_DONE;
}
