/*
 * doctor_check: do the records in Redis fit together?
 *
 * Every key of the prefix is seen once: the script says how it fits to the
 * others, the module's own codec whether it can be read.  Then the log is
 * read from its start: whoever was changed since then must be in it.
 * Changes meanwhile are no fault: a user is newer in the log then.
 */

#include <stdio.h>
#include <stdlib.h>

#include "doctor.h"
#include "record.h"


#define CHECK_PART   "500"              /* keys of one SCAN */
#define CHECK_TEXT   3500               /* bytes of names in one call */
#define CHECK_PAGE   "1000"             /* entries of the log */


typedef struct {
    char     id[PU_USER_ID_LEN];
    int64_t  version;                   /* of the record; 0: not seen */
    int64_t  modified;
    int64_t  logged;                    /* newest version in the log */
    int      seen;                      /* its record */
} check_user_t;

typedef struct {
    session_t       *session;
    check_report_t  *report;
    size_t           size;              /* of the table, a power of two */
    size_t           used;
    check_user_t    *users;
    size_t           start;             /* of a key: behind "{prefix}:" */
} check_t;


static int check_keys(check_t *check);
static int check_part(check_t *check, const redisReply *keys);
static int check_fit(check_t *check, const char *names, size_t len);
static int check_key(check_t *check, pu_str_t suffix);
static int check_user(check_t *check, pu_str_t id);
static int check_handle(check_t *check, pu_str_t text);
static int check_named(check_t *check, const record_t *record);
static int check_renamed(check_t *check, const record_t *record);
static int check_index(check_t *check);
static int check_indexed(check_t *check, const redisReply *members);
static int check_log(check_t *check);
static int check_entries(check_t *check, const redisReply *reply,
    pu_log_id_t *last, int64_t *first);
static void check_missing(check_t *check, int64_t first);
static check_user_t *check_find(check_t *check, pu_str_t id);
static int check_grow(check_t *check);
static void check_fault(check_t *check, pu_str_t what, const char *why);
static const char *check_word(pu_str_t word);


int
doctor_check(session_t *s, check_report_t *report)
{
    int      code;
    check_t  check;

    memset(report, 0, sizeof(check_report_t));
    memset(&check, 0, sizeof(check_t));

    check.session = s;
    check.report = report;
    check.start = s->prefix.len + 3;

    code = check_keys(&check);

    if (code == EXIT_DONE) {
        code = check_index(&check);
    }

    if (code == EXIT_DONE) {
        code = check_log(&check);
    }

    free(check.users);

    return code;
}


static int
check_keys(check_t *check)
{
    int          code, more;
    char         cursor[CURSOR_SIZE] = "0", pattern[PU_PREFIX_LEN_MAX + 8];
    cli_args_t   args;
    redisReply  *reply;

    snprintf(pattern, sizeof(pattern), "{%.*s}:*",
             PU_STR_FMT(check->session->prefix));

    do {
        args_start(&args, "SCAN");
        args_text(&args, cursor);
        args_text(&args, "MATCH");
        args_text(&args, pattern);
        args_text(&args, "COUNT");
        args_text(&args, CHECK_PART);

        code = session_call(check->session, &args, &reply);

        if (code != EXIT_DONE) {
            return code;
        }

        more = reply_cursor(reply, cursor);
        code = check_part(check, reply_at(reply, 1));
        freeReplyObject(reply);

    } while (code == EXIT_DONE && more > 0);

    return code;
}


/* Names go to the script by as many as one argument takes. */

static int
check_part(check_t *check, const redisReply *keys)
{
    int       code;
    char      names[CHECK_TEXT];
    size_t    i, len;
    pu_str_t  key;

    code = EXIT_DONE;
    len = 0;

    for (i = 0; code == EXIT_DONE && reply_at(keys, i) != NULL; i++) {
        key = reply_text(reply_at(keys, i));

        if (key.len <= check->start || key.len > 256
            || memchr(key.data, ' ', key.len) != NULL)
        {
            continue;
        }

        key.data += check->start;
        key.len -= check->start;

        if (len + key.len + 1 > sizeof(names)) {
            code = check_fit(check, names, len);
            len = 0;
        }

        memcpy(names + len, key.data, key.len);
        len += key.len;
        names[len++] = ' ';

        if (code == EXIT_DONE) {
            code = check_key(check, key);
        }
    }

    return (code == EXIT_DONE && len != 0) ? check_fit(check, names, len)
                                           : code;
}


static int
check_fit(check_t *check, const char *names, size_t len)
{
    int          code;
    size_t       i;
    pu_str_t     list;
    pu_args_t    args;
    redisReply  *reply;

    list.data = (const uint8_t *) names;
    list.len = len;

    pu_command_check(&args, check->session->sha, check->session->prefix,
                     list);

    code = session_script(check->session, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    for (i = 0; reply_at(reply, i + 1) != NULL; i += 2) {
        check_fault(check, reply_text(reply_at(reply, i)),
                    check_word(reply_text(reply_at(reply, i + 1))));
    }

    freeReplyObject(reply);

    return EXIT_DONE;
}


static const char *
check_word(pu_str_t word)
{
    size_t  i;

    static const struct {
        const char  *word;
        const char  *sentence;
    } words[] = {
        { "type", "is no such record" },
        { "index", "is not in the index of users" },
        { "user", "leads to a user who is not there" },
        { "set", "is not among the handles of its user" },
        { "handle", "leads to a handle that is not there" },
        { "group", "does not fit to its group or members" },
        { NULL, "does not fit" }
    };

    for (i = 0; words[i].word != NULL; i++) {
        if (pu_str_is(word, words[i].word)) {
            break;
        }
    }

    return words[i].sentence;
}


static int
check_key(check_t *check, pu_str_t suffix)
{
    pu_str_t  rest;

    if (pu_str_starts(suffix, "user:")) {
        rest = (pu_str_t) { suffix.len - 5, suffix.data + 5 };
        return pu_user_id_ok(rest) ? check_user(check, rest) : EXIT_DONE;
    }

    if (pu_str_starts(suffix, "handle:")) {
        rest = (pu_str_t) { suffix.len - 7, suffix.data + 7 };
        return check_handle(check, rest);
    }

    return EXIT_DONE;
}


static int
check_user(check_t *check, pu_str_t id)
{
    int            code;
    record_t       record;
    cli_args_t     args;
    redisReply    *reply;
    check_user_t  *user;

    record_request(check->session, &args, id);
    code = session_call(check->session, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    record_read(&record, id, reply);

    user = record.exists ? check_find(check, id) : NULL;

    if (record.exists && user == NULL) {
        code = fail(EXIT_REFUSED, "there is no memory");

    } else if (user != NULL && !user->seen) {
        check->report->users++;
        user->seen = 1;
        user->version = record.readable ? record.user.version : 0;

        if (!pu_str_int(record.modified, &user->modified)) {
            user->modified = 0;
        }

        if (!record.readable) {
            check_fault(check, id, "cannot be read by nginx");

        } else if (record.user.state != PU_STATE_DELETED
                   && record.user_name.len != 0)
        {
            code = check_named(check, &record);
        }
    }

    freeReplyObject(reply);

    return code;
}


/* Without the index entry somebody else can be made with the same name. */

static int
check_named(check_t *check, const record_t *record)
{
    int          code, led;
    char         digest[PU_DIGEST_TEXT_LEN];
    cli_args_t   args;
    redisReply  *reply;

    if (!pu_name_index(digest, record->user_name)) {
        return fail(EXIT_REFUSED, "OpenSSL cannot compute SHA-256 here");
    }

    args_start(&args, "GET");
    args_key(&args, check->session, "name:",
             (pu_str_t) { sizeof(digest), (const uint8_t *) digest });

    code = session_call(check->session, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    led = pu_str_eq(reply_text(reply), record->id);
    freeReplyObject(reply);

    return led ? EXIT_DONE : check_renamed(check, record);
}


/* It may have been renamed or deleted since it was read. */

static int
check_renamed(check_t *check, const record_t *record)
{
    int          code;
    record_t     now;
    cli_args_t   args;
    redisReply  *reply;

    record_request(check->session, &args, record->id);
    code = session_call(check->session, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    record_read(&now, record->id, reply);

    if (now.readable && now.user.version == record->user.version) {
        check_fault(check, record->id,
                    "has a user_name that does not lead to it");
    }

    freeReplyObject(reply);

    return EXIT_DONE;
}


/* Whoever is in the index of users has a record. */

static int
check_index(check_t *check)
{
    int          code, more;
    char         cursor[CURSOR_SIZE] = "0";
    cli_args_t   args;
    redisReply  *reply;

    do {
        args_start(&args, "ZSCAN");
        args_key(&args, check->session, "users", PU_STR(""));
        args_text(&args, cursor);
        args_text(&args, "COUNT");
        args_text(&args, CHECK_PART);

        code = session_call(check->session, &args, &reply);

        if (code != EXIT_DONE) {
            return code;
        }

        more = reply_cursor(reply, cursor);
        code = check_indexed(check, reply_at(reply, 1));
        freeReplyObject(reply);

    } while (code == EXIT_DONE && more > 0);

    return code;
}


/* Most have been seen already; one who is newer is looked for. */

static int
check_indexed(check_t *check, const redisReply *members)
{
    int            code;
    size_t         i;
    pu_str_t       id;
    record_t       record;
    cli_args_t     args;
    redisReply    *reply;
    check_user_t  *user;

    for (i = 0; reply_at(members, i + 1) != NULL; i += 2) {
        id = reply_text(reply_at(members, i));

        if (!pu_user_id_ok(id)) {
            check_fault(check, id, "is in the index of users and is no id");
            continue;
        }

        user = check_find(check, id);

        if (user == NULL) {
            return fail(EXIT_REFUSED, "there is no memory");
        }

        if (user->seen) {
            continue;
        }

        record_request(check->session, &args, id);
        code = session_call(check->session, &args, &reply);

        if (code != EXIT_DONE) {
            return code;
        }

        record_read(&record, id, reply);

        if (!record.exists) {
            check_fault(check, id, "is in the index of users and nowhere");
        }

        freeReplyObject(reply);
    }

    return EXIT_DONE;
}


static int
check_handle(check_t *check, pu_str_t text)
{
    int          code;
    size_t       i;
    pu_str_t     fields[PU_HANDLE_NFIELDS];
    cli_args_t   args;
    pu_handle_t  handle;
    redisReply  *reply;

    static const char *const  names[PU_HANDLE_NFIELDS] = {
        PU_HANDLE_FIELDS
    };

    args_start(&args, "HMGET");
    args_key(&args, check->session, "handle:", text);

    for (i = 0; i < PU_HANDLE_NFIELDS; i++) {
        args_text(&args, names[i]);
    }

    code = session_call(check->session, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    for (i = 0; i < PU_HANDLE_NFIELDS; i++) {
        fields[i] = reply_text(reply_at(reply, i));
    }

    /* without a user it is another fault, or it has just gone */

    check->report->handles++;

    if (fields[0].data != NULL && !pu_handle_read(&handle, fields)) {
        check_fault(check, text, "cannot be read by nginx");
    }

    freeReplyObject(reply);

    return EXIT_DONE;
}


static int
check_log(check_t *check)
{
    int           code;
    char          from[PU_LOG_ID_TEXT_MAX + 2];
    size_t        n;
    int64_t       first;
    cli_args_t    args;
    pu_log_id_t   last = { 0, 0 };
    redisReply   *reply;

    first = -1;

    do {
        from[0] = '-';
        from[1] = '\0';

        if (first >= 0) {
            last.seq++;
            from[pu_log_id_text(from, last)] = '\0';
        }

        args_start(&args, "XRANGE");
        args_key(&args, check->session, "log", PU_STR(""));
        args_text(&args, from);
        args_text(&args, "+");
        args_text(&args, "COUNT");
        args_text(&args, CHECK_PAGE);

        code = session_call(check->session, &args, &reply);

        if (code != EXIT_DONE) {
            return code;
        }

        n = (reply->type == REDIS_REPLY_ARRAY) ? reply->elements : 0;
        code = check_entries(check, reply, &last, &first);
        freeReplyObject(reply);

    } while (code == EXIT_DONE && n != 0);

    if (code == EXIT_DONE) {
        check_missing(check, first);
    }

    return code;
}


static int
check_entries(check_t *check, const redisReply *reply, pu_log_id_t *last,
    int64_t *first)
{
    size_t           i;
    int64_t          version;
    check_user_t    *user;
    pu_log_entry_t   entry;

    for (i = 0; reply_at(reply, i) != NULL; i++) {

        if (!pu_log_entry(reply_at(reply, i), &entry)) {
            check_fault(check, PU_STR("log"), "has an entry of another form");
            return EXIT_DONE;
        }

        *last = entry.id;

        if (*first < 0) {
            *first = (int64_t) (entry.id.ms / 1000);
        }

        if (!pu_user_id_ok(entry.user)
            || !pu_str_int(entry.version, &version))
        {
            continue;
        }

        user = check_find(check, entry.user);

        if (user == NULL) {
            return fail(EXIT_REFUSED, "there is no memory");
        }

        if (version > user->logged) {
            user->logged = version;
        }
    }

    return EXIT_DONE;
}


/* What happened before the log's first entry has been trimmed away. */

static void
check_missing(check_t *check, int64_t first)
{
    size_t               i;
    pu_str_t             id;
    const check_user_t  *user;

    for (i = 0; i < check->size; i++) {
        user = &check->users[i];
        id = (pu_str_t) { PU_USER_ID_LEN, (const uint8_t *) user->id };

        if (user->version > user->logged && first >= 0
            && user->modified > first)
        {
            check_fault(check, id, "was changed without an entry in the log");
        }
    }
}


/* The user's place in the table, made when there is none; NULL: no memory. */

static check_user_t *
check_find(check_t *check, pu_str_t id)
{
    size_t         i;
    uint64_t       hash;
    check_user_t  *user;

    if (check->used * 2 >= check->size && !check_grow(check)) {
        return NULL;
    }

    /* ids are random: these bytes are as good as any hash */

    memcpy(&hash, id.data + 10, sizeof(hash));
    hash ^= hash >> 29;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 32;

    for (i = hash & (check->size - 1); ; i = (i + 1) & (check->size - 1)) {
        user = &check->users[i];

        if (user->id[0] == '\0') {
            memcpy(user->id, id.data, PU_USER_ID_LEN);
            check->used++;
            return user;
        }

        if (memcmp(user->id, id.data, PU_USER_ID_LEN) == 0) {
            return user;
        }
    }
}


static int
check_grow(check_t *check)
{
    size_t         i, n;
    pu_str_t       id;
    check_user_t  *old, *user;

    old = check->users;
    n = check->size;

    check->size = n ? n * 2 : 1024;
    check->used = 0;
    check->users = calloc(check->size, sizeof(check_user_t));

    if (check->users == NULL) {
        check->users = old;
        check->size = n;
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (old[i].id[0] != '\0') {
            id = (pu_str_t) { PU_USER_ID_LEN, (const uint8_t *) old[i].id };
            user = check_find(check, id);
            *user = old[i];
        }
    }

    free(old);

    return 1;
}


static void
check_fault(check_t *check, pu_str_t what, const char *why)
{
    check_report_t  *report;

    report = check->report;
    report->faults++;

    if (report->shown < CHECK_SHOWN) {
        snprintf(report->lines[report->shown], sizeof(report->lines[0]),
                 "%.*s %s", (int) (what.len > 100 ? 100 : what.len),
                 (const char *) what.data, why);
        report->shown++;
    }
}
