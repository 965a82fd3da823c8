/*
 * user show: one user, and what stands for it.
 */

#include <stdio.h>
#include <stdlib.h>

#include "record.h"
#include "user.h"


#define SHOW_HANDLES  "100"            /* at most so many are listed */


typedef struct {
    session_t   *session;
    record_t     record;
    redisReply  *reply;                 /* the record points into it */
    redisReply  *handles;
    int64_t      count;                 /* of handles */
    int64_t      now;
} show_t;


static int show_read(show_t *show, pu_str_t id);
static int show_handles(show_t *show, pu_str_t id);
static int show_print(const show_t *show);
static void show_json(const show_t *show);
static void show_people(const show_t *show);
static void show_grants(const show_t *show, table_t *table);
static void show_line(table_t *table, const char *name, pu_str_t value);
static void show_time(table_t *table, const char *name, int64_t seconds);
static void show_time_text(table_t *table, const char *name, pu_str_t text);
static pu_str_t show_handle(const redisReply *handles, size_t i);
static int show_handle_cmp(const void *a, const void *b);


int
user_show(session_t *s, const char *const *args)
{
    int       code;
    char      text[PU_USER_ID_LEN];
    show_t    show;
    int64_t   micros;
    pu_str_t  id;

    memset(&show, 0, sizeof(show_t));
    show.session = s;

    id.data = (const uint8_t *) text;
    id.len = sizeof(text);

    code = session_who(s, args[0], text);

    if (code == EXIT_DONE) {
        code = session_time(s, &show.now, &micros);
    }

    if (code == EXIT_DONE) {
        code = show_read(&show, id);
    }

    if (code == EXIT_DONE) {
        code = show_print(&show);
    }

    freeReplyObject(show.reply);
    freeReplyObject(show.handles);

    return code;
}


static int
show_read(show_t *show, pu_str_t id)
{
    int         code;
    cli_args_t  args;

    record_request(show->session, &args, id);
    code = session_call(show->session, &args, &show->reply);

    if (code != EXIT_DONE) {
        return code;
    }

    record_read(&show->record, id, show->reply);

    if (!show->record.exists) {
        return fail(EXIT_REFUSED, "there is no user %.*s; proxy-user user "
                    "list shows who there is", PU_STR_FMT(id));
    }

    return show_handles(show, id);
}


static int
show_handles(show_t *show, pu_str_t id)
{
    int          code;
    cli_args_t   args;
    redisReply  *reply;

    args_start(&args, "SCARD");
    args_key(&args, show->session, "handles:", id);

    code = session_call(show->session, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    show->count = reply_int(reply);
    freeReplyObject(reply);

    /* all of them when there are not more, and never more */

    args_start(&args, "SRANDMEMBER");
    args_key(&args, show->session, "handles:", id);
    args_text(&args, SHOW_HANDLES);

    code = session_call(show->session, &args, &show->handles);

    if (code == EXIT_DONE && show->handles->type == REDIS_REPLY_ARRAY
        && show->handles->elements != 0)
    {
        qsort(show->handles->element, show->handles->elements,
              sizeof(redisReply *), show_handle_cmp);
    }

    return code;
}


static int
show_handle_cmp(const void *a, const void *b)
{
    const redisReply *const  *x = a;
    const redisReply *const  *y = b;

    return pu_str_cmp(reply_text(*x), reply_text(*y));
}


static int
show_print(const show_t *show)
{
    if (show->session->options->values[OPT_JSON] != NULL) {
        show_json(show);

    } else {
        show_people(show);
    }

    if (!show->record.readable) {
        return fail(EXIT_REFUSED, "the record of user %.*s cannot be read, "
                    "and nginx answers 503 for it; repair it in Redis, or "
                    "delete the user", PU_STR_FMT(show->record.id));
    }

    return EXIT_DONE;
}


static void
show_json(const show_t *show)
{
    size_t   i;
    json_t  *object, *list;

    object = record_json(&show->record, show->now);
    list = json_array();

    for (i = 0; show_handle(show->handles, i).data != NULL; i++) {
        json_array_append_new(list,
                              output_json(show_handle(show->handles, i)));
    }

    json_object_set_new(object, "handles", list);
    json_object_set_new(object, "handle_count", json_integer(show->count));

    output_json_print(object);
}


static void
show_people(const show_t *show)
{
    size_t             i;
    table_t            table;
    const record_t    *record;
    const pu_user_t   *user;

    record = &show->record;
    user = &record->user;

    table_init(&table, 2);

    show_line(&table, "id", record->id);
    show_line(&table, "state", record_state(record));
    show_line(&table, "suspended by", record->suspended_by);

    if (record->readable) {
        show_line(&table, "name", user->name);
        show_line(&table, "type", pu_user_type_word(user->type));
        show_line(&table, "issuer", user->issuer);
        show_line(&table, "subject", user->subject);
        show_line(&table, "user name", record->user_name);
        show_line(&table, "external id", record->external_id);
        show_grants(show, &table);

        if (user->scopes.data != NULL) {
            table_add(&table, PU_STR("scopes, at most"));
            table_add(&table, user->scopes);
        }

        show_time(&table, "tokens count from", user->epoch);
        show_time(&table, "expires", user->expires);
        show_time_text(&table, "created", record->created);
        show_time_text(&table, "modified", record->modified);
        show_line(&table, "made by", record->source);
    }

    for (i = 0; show_handle(show->handles, i).data != NULL; i++) {
        show_line(&table, i ? "" : "handles", show_handle(show->handles, i));
    }

    if ((uint64_t) show->count > i) {
        show_line(&table, "", PU_STR("and more"));
    }

    table_print(&table, stdout);
    table_free(&table);
}


static void
show_grants(const show_t *show, table_t *table)
{
    char      text[64 + 2 * OUTPUT_TIME_SIZE + 32], time[OUTPUT_TIME_SIZE];
    int64_t   granted, expires;
    pu_buf_t  b;
    pu_str_t  rest, role;

    rest = show->record.user.roles;

    while (pu_grant_next(&rest, &role, &granted, &expires) == 1) {
        pu_buf_init(&b, text, sizeof(text));
        pu_buf_str(&b, role);

        if (granted) {
            output_time(time, granted);
            pu_buf_text(&b, ", granted ");
            pu_buf_text(&b, time);
        }

        if (expires) {
            output_time(time, expires);
            pu_buf_text(&b, expires <= show->now ? ", ended "
                                                 : ", ends ");
            pu_buf_text(&b, time);
        }

        show_line(table, "role", pu_buf_written(&b));
    }
}


static void
show_line(table_t *table, const char *name, pu_str_t value)
{
    if (value.len == 0) {
        return;
    }

    table_add(table, name[0] ? pu_str(name) : PU_STR(" "));
    table_add(table, value);
}


static void
show_time(table_t *table, const char *name, int64_t seconds)
{
    char  text[OUTPUT_TIME_SIZE];

    if (seconds != 0) {
        output_time(text, seconds);
        show_line(table, name, pu_str(text));
    }
}


static void
show_time_text(table_t *table, const char *name, pu_str_t text)
{
    int64_t  seconds;

    if (pu_str_int(text, &seconds)) {
        show_time(table, name, seconds);
    }
}


static pu_str_t
show_handle(const redisReply *handles, size_t i)
{
    return reply_text(reply_at(handles, i));
}
