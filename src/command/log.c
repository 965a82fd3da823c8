/*
 * log: the change log, as it is and as it grows.
 *
 * Reads a page at a time and prints it at once: the log may be long, and
 * with --follow it does not end.
 */

#define _GNU_SOURCE                     /* strptime */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command.h"
#include "moment.h"


#define LOG_PAGE       500
#define LOG_PAGE_TEXT  "500"
#define LOG_BLOCK      1000             /* ms */


typedef struct {
    session_t    *session;
    pu_str_t      user;                 /* empty: all */
    pu_log_id_t   last;                 /* entries after this one */
    size_t        shown;
    unsigned      json:1;
    unsigned      follow:1;
    unsigned      opened:1;
    char          id[PU_USER_ID_LEN];
} log_t;


static int log_check(const options_t *options, const char *const *args);
static int log_run(session_t *s, const char *const *args);
static int log_since(log_t *log, const char *text);
static int log_start(log_t *log);
static int log_now(log_t *log);
static int log_all(log_t *log);
static int log_page(log_t *log, size_t *n);
static void log_open(log_t *log);
static int log_follow(log_t *log);
static int log_entries(log_t *log, const redisReply *entries);
static void log_entry(log_t *log, const pu_log_entry_t *entry);
static void log_people(const pu_log_entry_t *entry);
static void log_heading(void);
static void log_line(pu_str_t time, const pu_log_entry_t *entry,
    pu_str_t handle);
static void log_cell(pu_str_t text, size_t width);
static void log_json(log_t *log, const pu_log_entry_t *entry);
static void log_json_add(json_t *object, const char *name, pu_str_t s);
static int log_unreadable(void);


const verb_t  log_verbs[] = {

    { "log", NULL, NULL, 0,
      OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_USER) | OPT_BIT(OPT_SINCE),
      "every change to a user or handle",
      "With --follow, and no --since, only what comes from now on. --json "
      "prints\n{\"entries\": [...]}, with --follow one entry a line.\n\n"
      "Examples:\n"
      "  proxy-user log --since 10m\n"
      "  proxy-user log --user 'sub:https://idp.example.com#alice' --json\n"
      "  proxy-user log --follow\n",
      log_check, log_run },

    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }
};


static int
log_check(const options_t *options, const char *const *args)
{
    int64_t  seconds;

    (void) args;

    if (options->values[OPT_SINCE] != NULL
        && !moment_read(options->values[OPT_SINCE], &seconds))
    {
        return fail(EXIT_USAGE, "\"%s\" is no time for --since: allowed are "
                    "seconds since 1970, a date such as "
                    "2026-01-31T12:00:00Z, and how long ago, such as 10m",
                    options->values[OPT_SINCE]);
    }

    if (options->values[OPT_USER] != NULL) {
        return session_who_form(options->values[OPT_USER]);
    }

    return EXIT_DONE;
}


static int
log_run(session_t *s, const char *const *args)
{
    int          code;
    log_t        log;
    const char  *who;

    (void) args;

    memset(&log, 0, sizeof(log_t));

    log.session = s;
    log.json = (s->options->values[OPT_JSON] != NULL);
    log.follow = (s->options->values[OPT_FOLLOW] != NULL);

    who = s->options->values[OPT_USER];

    if (who != NULL) {
        code = session_who(s, who, log.id);

        if (code != EXIT_DONE) {
            return code;
        }

        log.user.data = (const uint8_t *) log.id;
        log.user.len = PU_USER_ID_LEN;
    }

    code = log_start(&log);

    if (code == EXIT_DONE) {
        code = log.follow ? log_follow(&log) : log_all(&log);
    }

    return code;
}


/* Where to begin: --since, else the start, else (--follow) the end. */

static int
log_start(log_t *log)
{
    const char  *since;

    since = log->session->options->values[OPT_SINCE];

    if (since != NULL) {
        return log_since(log, since);
    }

    return log->follow ? log_now(log) : EXIT_DONE;
}


static int
log_since(log_t *log, const char *text)
{
    int      code;
    int64_t  seconds, now, micros;

    (void) moment_read(text, &seconds);

    if (seconds < 0) {
        code = session_time(log->session, &now, &micros);

        if (code != EXIT_DONE) {
            return code;
        }

        seconds = (now > -seconds) ? now + seconds : 0;
    }

    if (seconds > 0) {
        log->last.ms = (uint64_t) seconds * 1000 - 1;
        log->last.seq = UINT64_MAX;
    }

    return EXIT_DONE;
}


/* The newest entry there is. */

static int
log_now(log_t *log)
{
    int                code;
    pu_args_t          args;
    redisReply        *reply;
    pu_log_entry_t     entry;
    const redisReply  *newest;

    pu_command_log_end(&args, log->session->prefix);
    code = session_call_args(log->session, &args, 0, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    newest = reply_at(reply, 0);

    if (reply->type != REDIS_REPLY_ARRAY
        || (newest != NULL && !pu_log_entry(newest, &entry)))
    {
        code = log_unreadable();

    } else if (newest != NULL) {
        log->last = entry.id;
    }

    freeReplyObject(reply);

    return code;
}


static int
log_all(log_t *log)
{
    int     code;
    size_t  n;

    n = 0;

    do {
        code = log_page(log, &n);
    } while (code == EXIT_DONE && n == LOG_PAGE && !ferror(stdout));

    if (log->json && log->opened) {
        printf("%s]}\n", log->shown ? "\n" : "");
    }

    return code;
}


static int
log_page(log_t *log, size_t *n)
{
    int          code;
    char         start[PU_LOG_ID_TEXT_MAX];
    pu_str_t     from;
    cli_args_t   args;
    redisReply  *reply;
    pu_log_id_t  next;

    next = log->last;
    next.ms += (next.seq == UINT64_MAX);
    next.seq++;

    from.data = (const uint8_t *) start;
    from.len = pu_log_id_text(start, next);

    args_start(&args, "XRANGE");
    args_key(&args, log->session, "log", PU_STR(""));
    args_add(&args, from);
    args_text(&args, "+");
    args_text(&args, "COUNT");
    args_text(&args, LOG_PAGE_TEXT);

    code = session_call(log->session, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        code = log_unreadable();

    } else {
        *n = reply->elements;
        log_open(log);
        code = log_entries(log, reply);
    }

    freeReplyObject(reply);

    return code;
}


/* What stands before the first entry, once Redis has answered. */

static void
log_open(log_t *log)
{
    if (log->opened) {
        return;
    }

    log->opened = 1;

    if (log->json) {
        printf("{\"entries\": [");

    } else {
        log_heading();
    }
}


static int
log_follow(log_t *log)
{
    int                code;
    pu_args_t          args;
    redisReply        *reply;
    const redisReply  *entries;

    do {
        pu_command_tail_read(&args, log->session->prefix, log->last,
                             LOG_BLOCK);
        code = session_call_args(log->session, &args, LOG_BLOCK, &reply);

        if (code != EXIT_DONE) {
            return code;
        }

        if (!pu_reply_entries(reply, &entries)) {
            code = log_unreadable();

        } else if (entries != NULL) {
            code = log_entries(log, entries);
        }

        freeReplyObject(reply);

        /* a reader who has gone away ends it */

    } while (code == EXIT_DONE && fflush(stdout) == 0 && !ferror(stdout));

    return code;
}


static int
log_entries(log_t *log, const redisReply *entries)
{
    size_t          i;
    pu_log_entry_t  entry;

    for (i = 0; i < entries->elements; i++) {

        if (!pu_log_entry(entries->element[i], &entry)
            || pu_log_id_cmp(entry.id, log->last) <= 0)
        {
            return log_unreadable();
        }

        log->last = entry.id;

        if (log->user.len == 0 || pu_str_eq(log->user, entry.user)) {
            log_entry(log, &entry);
        }
    }

    return EXIT_DONE;
}


static void
log_entry(log_t *log, const pu_log_entry_t *entry)
{
    if (log->json) {
        log_json(log, entry);

    } else {
        log_people(entry);
    }

    log->shown++;
}


/*
 * Columns have a fixed width here: what comes later is not known.  Of a
 * handle as much is shown as nginx's own variable shows.
 */

static void
log_people(const pu_log_entry_t *entry)
{
    char      time[OUTPUT_TIME_SIZE];
    pu_str_t  handle;

    output_time_ms(time, entry->id.ms);

    handle = entry->handle;

    if (handle.len > 4 + 16 && pu_str_starts(handle, "sub:")) {
        handle.len = 4 + 16;
    }

    log_line(pu_str(time), entry, handle);
}


static void
log_heading(void)
{
    static const pu_log_entry_t  heading = {
        .op = { 2, (const uint8_t *) "OP" },
        .user = { 4, (const uint8_t *) "USER" },
        .version = { 7, (const uint8_t *) "VERSION" },
        .actor = { 5, (const uint8_t *) "ACTOR" },
        .source = { 6, (const uint8_t *) "SOURCE" },
        .reason = { 6, (const uint8_t *) "REASON" }
    };

    log_line(PU_STR("TIME"), &heading, PU_STR("HANDLE"));
}


static void
log_line(pu_str_t time, const pu_log_entry_t *entry, pu_str_t handle)
{
    log_cell(time, 24);
    log_cell(entry->op, 13);
    log_cell(entry->user, PU_USER_ID_LEN);
    log_cell(entry->version, 7);
    log_cell(entry->actor, 10);
    log_cell(entry->source, 6);
    log_cell(handle, 20);

    output_text(stdout, entry->reason.len ? entry->reason : PU_STR("-"));
    putchar('\n');
}


static void
log_cell(pu_str_t text, size_t width)
{
    size_t  used;

    for (used = output_text(stdout, text.len ? text : PU_STR("-"));
         used < width; used++)
    {
        putchar(' ');
    }

    fputs("  ", stdout);
}


static void
log_json(log_t *log, const pu_log_entry_t *entry)
{
    char      id[PU_LOG_ID_TEXT_MAX], time[OUTPUT_TIME_SIZE];
    json_t   *object;
    int64_t   version;
    pu_str_t  text;

    output_time_ms(time, entry->id.ms);

    text.data = (const uint8_t *) id;
    text.len = pu_log_id_text(id, entry->id);

    object = json_object();

    log_json_add(object, "id", text);
    log_json_add(object, "time", pu_str(time));
    log_json_add(object, "op", entry->op);
    log_json_add(object, "user", entry->user);
    log_json_add(object, "handle", entry->handle);

    if (pu_str_int(entry->version, &version)) {
        json_object_set_new(object, "version", json_integer(version));
    }

    log_json_add(object, "actor", entry->actor);
    log_json_add(object, "source", entry->source);
    log_json_add(object, "reason", entry->reason);

    if (!log->follow) {
        fputs(log->shown ? ",\n  " : "\n  ", stdout);
    }

    json_dumpf(object, stdout, JSON_COMPACT);
    json_decref(object);

    if (log->follow) {
        putchar('\n');
    }
}


static void
log_json_add(json_t *object, const char *name, pu_str_t s)
{
    json_object_set_new(object, name, output_json(s));
}


static int
log_unreadable(void)
{
    return fail(EXIT_REFUSED, "the change log cannot be read: it must be a "
                "stream; see which keys --prefix names, or repair it in "
                "Redis");
}
