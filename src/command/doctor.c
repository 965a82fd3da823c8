/*
 * doctor: is this the right Redis, and is it well?
 *
 * Looks, and says what it sees.  The one thing it changes, with
 * --accept-store, is which data a running nginx may take for its own.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "doctor.h"


#define CLOCK_DIFFERENCE_MAX  5         /* seconds; leeway covers 30 */
#define REDIS_VERSION_MIN     5


typedef struct {
    char      version[64];
    char      role[32];
    char      store[80];
    char      accepted[80];
    int64_t   log;                      /* entries; -1: no stream */
    int64_t   users;                    /* -1: no sorted set */
    int64_t   clock;                    /* Redis's less ours, in ms */
    char      rights[200];              /* what is refused, or empty */
    check_report_t  check;
} doctor_t;


static int doctor_run(session_t *s, const char *const *args);
static int doctor_look(session_t *s);
static int doctor_info(session_t *s, const char *section, const char *name,
    char *out, size_t size);
static void doctor_info_line(pu_str_t text, const char *name, char *out,
    size_t size);
static int doctor_meta(session_t *s, doctor_t *d);
static int doctor_count(session_t *s, const char *command, const char *key,
    int64_t *n);
static int doctor_clock(session_t *s, doctor_t *d);
static int doctor_rights(session_t *s, doctor_t *d);
static void doctor_print(const session_t *s, const doctor_t *d);
static void doctor_json(const session_t *s, const doctor_t *d);
static int doctor_faults(const session_t *s, const doctor_t *d);
static int doctor_accept(session_t *s);
static int doctor_accepted(const session_t *s, int changed,
    pu_str_t store);


const verb_t  doctor_verbs[] = {

    { "doctor", NULL, NULL, 0,
      OPT_BIT(OPT_ACCEPT_STORE) | OPT_BIT(OPT_REASON),
      "is Redis reachable, the right one, and well",
      "When Redis has lost its data or was replaced, a running nginx makes "
      "no new users\nuntil it is restarted or --accept-store says that this "
      "is meant: a suspended\nperson must not come back because data were "
      "lost.\n\n"
      "Examples:\n"
      "  proxy-user doctor\n"
      "  proxy-user doctor --accept-store --reason 'restored the backup'\n",
      NULL, doctor_run },

    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }
};


static int
doctor_run(session_t *s, const char *const *args)
{
    (void) args;

    if (s->options->values[OPT_ACCEPT_STORE] != NULL) {
        return doctor_accept(s);
    }

    return doctor_look(s);
}


static int
doctor_look(session_t *s)
{
    int       code;
    doctor_t  d;

    memset(&d, 0, sizeof(doctor_t));

    code = doctor_info(s, "server", "redis_version", d.version,
                       sizeof(d.version));

    if (code == EXIT_DONE) {
        code = doctor_info(s, "replication", "role", d.role, sizeof(d.role));
    }

    if (code == EXIT_DONE) {
        code = doctor_meta(s, &d);
    }

    if (code == EXIT_DONE) {
        code = doctor_count(s, "XLEN", "log", &d.log);
    }

    if (code == EXIT_DONE) {
        code = doctor_count(s, "ZCARD", "users", &d.users);
    }

    if (code == EXIT_DONE) {
        code = doctor_clock(s, &d);
    }

    if (code == EXIT_DONE) {
        code = doctor_rights(s, &d);
    }

    if (code == EXIT_DONE) {
        code = doctor_check(s, &d.check);
    }

    if (code != EXIT_DONE) {
        return code;
    }

    if (s->options->values[OPT_JSON] != NULL) {
        doctor_json(s, &d);

    } else {
        doctor_print(s, &d);
    }

    return doctor_faults(s, &d);
}


static int
doctor_info(session_t *s, const char *section, const char *name, char *out,
    size_t size)
{
    int          code;
    cli_args_t   args;
    redisReply  *reply;

    args_start(&args, "INFO");
    args_text(&args, section);

    code = session_call(s, &args, &reply);

    if (code == EXIT_DONE) {
        doctor_info_line(reply_text(reply), name, out, size);
        freeReplyObject(reply);
    }

    return code;
}


/* "name:value" among the lines of INFO. */

static void
doctor_info_line(pu_str_t text, const char *name, char *out, size_t size)
{
    size_t  i, len, end;

    len = strlen(name);

    for (i = 0; i < text.len; i = end + 1) {

        for (end = i; end < text.len && text.data[end] != '\n'; end++) {
            /* void */
        }

        if (end - i > len && memcmp(text.data + i, name, len) == 0
            && text.data[i + len] == ':')
        {
            i += len + 1;
            snprintf(out, size, "%.*s", (int) strcspn(
                     (const char *) text.data + i, "\r\n"),
                     (const char *) text.data + i);
            return;
        }
    }
}


static int
doctor_meta(session_t *s, doctor_t *d)
{
    int          code;
    pu_str_t     store, accepted;
    cli_args_t   args;
    redisReply  *reply;

    args_start(&args, "HMGET");
    args_key(&args, s, "meta", PU_STR(""));
    args_text(&args, "store");
    args_text(&args, "accepted");

    code = session_call(s, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    store = reply_text(reply_at(reply, 0));
    accepted = reply_text(reply_at(reply, 1));

    /* without a store id there is nothing that could have been accepted */

    if (store.len != 0) {
        snprintf(d->store, sizeof(d->store), "%.*s", PU_STR_FMT(store));
        snprintf(d->accepted, sizeof(d->accepted), "%.*s",
                 PU_STR_FMT(accepted));
    }

    freeReplyObject(reply);

    return EXIT_DONE;
}


static int
doctor_count(session_t *s, const char *command, const char *key, int64_t *n)
{
    int          code;
    cli_args_t   args;
    redisReply  *reply;

    args_start(&args, command);
    args_key(&args, s, key, PU_STR(""));

    code = session_call(s, &args, &reply);

    if (code == EXIT_DONE) {
        *n = (reply->type == REDIS_REPLY_INTEGER) ? reply->integer : -1;
        freeReplyObject(reply);
    }

    return code;
}


/* Half of the way there and back is taken off. */

static int
doctor_clock(session_t *s, doctor_t *d)
{
    int              code;
    int64_t          seconds, micros, before, after;
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    before = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    code = session_time(s, &seconds, &micros);

    clock_gettime(CLOCK_REALTIME, &ts);
    after = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    if (code == EXIT_DONE && (seconds < 0 || seconds > 253402300799LL)) {
        return fail(EXIT_UNREACHABLE, "Redis at %s tells a time that makes "
                    "no sense; see that it is a Redis", s->url);
    }

    d->clock = seconds * 1000 + micros / 1000 - (before + after) / 2;

    return code;
}


/* Of the user the command has named itself by; nginx may be another. */

static int
doctor_rights(session_t *s, doctor_t *d)
{
    int          code;
    size_t       i, len;
    pu_str_t     text;
    pu_args_t    args;
    redisReply  *reply;

    pu_command_rights(&args, s->sha, s->prefix);
    code = session_script(s, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    len = 0;

    for (i = 0; reply_at(reply, i) != NULL; i++) {
        text = reply_text(reply_at(reply, i));

        if (len + text.len + 3 > sizeof(d->rights)) {
            break;
        }

        len += (size_t) snprintf(d->rights + len, sizeof(d->rights) - len,
                                 "%s%.*s", len ? ", " : "",
                                 PU_STR_FMT(text));
    }

    freeReplyObject(reply);

    return EXIT_DONE;
}


static void
doctor_print(const session_t *s, const doctor_t *d)
{
    table_t  table;
    char     log[32], users[32], clock[48], records[96];
    size_t   i;

    snprintf(log, sizeof(log), "%lld entries", (long long) d->log);
    snprintf(users, sizeof(users), "%lld", (long long) d->users);
    snprintf(records, sizeof(records), "%lld users, %lld handles, %lld faults",
             (long long) d->check.users, (long long) d->check.handles,
             (long long) d->check.faults);
    snprintf(clock, sizeof(clock), "%+.3f s to this machine's",
             (double) d->clock / 1000);

    table_init(&table, 2);

    table_add(&table, PU_STR("redis"));
    table_add(&table, pu_str(s->url));
    table_add(&table, PU_STR("version"));
    table_add(&table, pu_str(d->version));
    table_add(&table, PU_STR("role"));
    table_add(&table, pu_str(d->role));
    table_add(&table, PU_STR("rights"));
    table_add(&table, pu_str(d->rights[0] ? "not all" : "all"));
    table_add(&table, PU_STR("clock"));
    table_add(&table, pu_str(clock));
    table_add(&table, PU_STR("prefix"));
    table_add(&table, s->prefix);
    table_add(&table, PU_STR("store"));
    table_add(&table, pu_str(d->store[0] ? d->store : "none yet"));
    table_add(&table, PU_STR("accepted"));
    table_add(&table, pu_str(d->accepted));
    table_add(&table, PU_STR("users"));
    table_add(&table, pu_str(d->users < 0 ? "unreadable" : users));
    table_add(&table, PU_STR("log"));
    table_add(&table, pu_str(d->log < 0 ? "unreadable" : log));

    table_add(&table, PU_STR("records"));
    table_add(&table, pu_str(records));

    for (i = 0; i < d->check.shown; i++) {
        table_add(&table, PU_STR("fault"));
        table_add(&table, pu_str(d->check.lines[i]));
    }

    table_print(&table, stdout);
    table_free(&table);
}


static void
doctor_json(const session_t *s, const doctor_t *d)
{
    size_t   i;
    json_t  *object, *lines;

    object = json_object();

    json_object_set_new(object, "redis", output_json(pu_str(s->url)));
    json_object_set_new(object, "version", output_json(pu_str(d->version)));
    json_object_set_new(object, "role", output_json(pu_str(d->role)));
    json_object_set_new(object, "refused", output_json(pu_str(d->rights)));
    json_object_set_new(object, "clock_difference",
                        json_real((double) d->clock / 1000));
    json_object_set_new(object, "prefix", output_json(s->prefix));
    json_object_set_new(object, "store", output_json(pu_str(d->store)));
    json_object_set_new(object, "accepted", output_json(pu_str(d->accepted)));
    json_object_set_new(object, "users", json_integer(d->users));
    json_object_set_new(object, "log", json_integer(d->log));
    json_object_set_new(object, "handles", json_integer(d->check.handles));
    json_object_set_new(object, "faults", json_integer(d->check.faults));

    lines = json_array();

    for (i = 0; i < d->check.shown; i++) {
        json_array_append_new(lines, output_json(pu_str(d->check.lines[i])));
    }

    json_object_set_new(object, "fault_lines", lines);

    output_json_print(object);
}


/* The first that is wrong decides; one sentence. */

static int
doctor_faults(const session_t *s, const doctor_t *d)
{
    if (d->version[0] == '\0' || atoi(d->version) < REDIS_VERSION_MIN) {
        return fail(EXIT_REFUSED, "this is Redis \"%s\"; it must be %d or "
                    "later", d->version, REDIS_VERSION_MIN);
    }

    if (d->log < 0 || d->users < 0) {
        return fail(EXIT_REFUSED, "%s cannot be read; see which keys --prefix "
                    "names, or repair it in Redis",
                    d->log < 0 ? "the log" : "the index of users");
    }

    if (strcmp(d->role, "master") != 0) {
        return fail(EXIT_REFUSED, "this is a replica, where nothing can be "
                    "changed; name the primary with --redis URL");
    }

    if (d->rights[0] != '\0') {
        return fail(EXIT_REFUSED, "Redis refuses %s; give this user of Redis "
                    "the rights, and see that Redis takes writes", d->rights);
    }

    if (d->log == 0 && d->users > 0) {
        return fail(EXIT_REFUSED, "there are users but no log; nginx reads "
                    "every user anew, and what was changed, by whom, is "
                    "lost: see what trimmed or deleted it");
    }

    if (d->check.faults != 0) {
        return fail(EXIT_REFUSED, "%lld records do not fit together, see "
                    "above; repair them in Redis, or delete the users they "
                    "belong to", (long long) d->check.faults);
    }

    if (llabs(d->clock) > CLOCK_DIFFERENCE_MAX * 1000) {
        return fail(EXIT_REFUSED, "the clocks of Redis at %s and of this "
                    "machine differ by %.3f s; set both by NTP", s->url,
                    (double) d->clock / 1000);
    }

    return EXIT_DONE;
}


static int
doctor_accept(session_t *s)
{
    int                  code;
    int64_t              version;
    redisReply          *reply;
    pu_change_t          change = { .op = PU_CHANGE_ACCEPT_STORE };
    pu_change_status_t   status;

    code = session_change(s, &change, &status, &version, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    if (status == PU_CHANGE_DONE || status == PU_CHANGE_UNCHANGED) {
        code = doctor_accepted(s, status == PU_CHANGE_DONE,
                               pu_reply_detail(reply));

    } else {
        code = fail(EXIT_REFUSED, "the key %.*s of this store cannot be "
                    "read; see which keys --prefix names, or repair it in "
                    "Redis", PU_STR_FMT(pu_reply_detail(reply)));
    }

    freeReplyObject(reply);

    return code;
}


static int
doctor_accepted(const session_t *s, int changed, pu_str_t store)
{
    json_t  *object;

    if (s->options->values[OPT_JSON] == NULL) {
        fputs("store ", stdout);
        output_text(stdout, store);
        puts(changed ? " is accepted: a running nginx takes it from now on"
                     : " was accepted already");
        return EXIT_DONE;
    }

    object = json_object();

    json_object_set_new(object, "store", output_json(store));
    json_object_set_new(object, "changed", json_boolean(changed));

    output_json_print(object);

    return EXIT_DONE;
}
