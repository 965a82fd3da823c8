/*
 * session: what every noun of the command does with Redis.
 *
 * Opening, authentication, one command and its reply, errors as sentences.
 * Not the users themselves (who.c, change.c, user.c) and not the bytes on
 * the wire (connection.c).
 */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "session.h"


#define DEFAULT_URL        "redis://127.0.0.1:6379/0"
#define DEFAULT_PREFIX     "pu"
#define PASSWORD_LEN_MAX   4096


static int session_login(session_t *s, const address_t *address);
static int session_auth(session_t *s, const address_t *address,
    pu_str_t password);
static int session_ok(session_t *s, const cli_args_t *args);
static int session_lost(session_t *s);
static int session_refused(session_t *s, const redisReply *reply);


int
session_open(session_t *s, const options_t *options)
{
    address_t    address;
    const char  *prefix;

    memset(s, 0, sizeof(session_t));
    s->options = options;

    s->url = options->values[OPT_REDIS];
    prefix = options->values[OPT_PREFIX];

    if (s->url == NULL) {
        s->url = getenv("PROXY_USER_REDIS");
    }

    if (s->url == NULL || s->url[0] == '\0') {
        s->url = DEFAULT_URL;
    }

    if (prefix == NULL) {
        prefix = getenv("PROXY_USER_PREFIX");
    }

    if (prefix == NULL || prefix[0] == '\0') {
        prefix = DEFAULT_PREFIX;
    }

    s->prefix = pu_str(prefix);

    if (!pu_prefix_ok(s->prefix)) {
        return fail(EXIT_USAGE, "\"%s\" is no prefix: allowed are 1 to %d of "
                    "A-Za-z0-9_.:-", prefix, PU_PREFIX_LEN_MAX);
    }

    if (!address_parse(&address, s->url, s->error)) {
        return fail(EXIT_USAGE, "%s", s->error);
    }

    if (!pu_script_sha(s->sha)) {
        return fail(EXIT_REFUSED, "OpenSSL cannot compute SHA-1 here, by "
                    "which Redis names scripts");
    }

    s->connection = connection_open(&address, options->values[OPT_CA_FILE],
                                    s->error);

    if (s->connection == NULL) {
        return fail(EXIT_UNREACHABLE, "cannot reach Redis at %s: %s; start "
                    "it, or name another with --redis URL", s->url, s->error);
    }

    return session_login(s, &address);
}


void
session_close(session_t *s)
{
    connection_close(s->connection);
}


static int
session_login(session_t *s, const address_t *address)
{
    int          code;
    char         db[16];
    size_t       len;
    uint8_t     *text;
    pu_str_t     password;
    cli_args_t   args;
    const char  *file;

    file = s->options->values[OPT_PASSWORD_FILE];

    if (file != NULL) {
        text = pu_file_read(file, PASSWORD_LEN_MAX, &len, s->error);

        if (text == NULL) {
            return fail(EXIT_USAGE, "--password-file: %s", s->error);
        }

        password.data = text;
        password.len = len;

        while (password.len && (text[password.len - 1] == '\n'
                                || text[password.len - 1] == '\r'))
        {
            password.len--;
        }

        code = session_auth(s, address, password);

        OPENSSL_cleanse(text, len);
        free(text);

    } else if (address->user[0] != '\0') {
        code = session_auth(s, address, PU_STR(""));

    } else {
        code = EXIT_DONE;
    }

    if (code != EXIT_DONE || address->db == 0) {
        return code;
    }

    snprintf(db, sizeof(db), "%d", address->db);

    args_start(&args, "SELECT");
    args_text(&args, db);

    return session_ok(s, &args);
}


static int
session_auth(session_t *s, const address_t *address, pu_str_t password)
{
    cli_args_t  args;

    args_start(&args, "AUTH");

    if (address->user[0] != '\0') {
        args_text(&args, address->user);
    }

    args_add(&args, password);

    return session_ok(s, &args);
}


static int
session_ok(session_t *s, const cli_args_t *args)
{
    int          code;
    redisReply  *reply;

    code = session_call(s, args, &reply);

    if (code == EXIT_DONE) {
        freeReplyObject(reply);
    }

    return code;
}


void
args_start(cli_args_t *args, const char *command)
{
    args->argc = 0;
    args_text(args, command);
}


void
args_add(cli_args_t *args, pu_str_t s)
{
    args->argv[args->argc] = (s.len == 0) ? "" : (const char *) s.data;
    args->len[args->argc] = s.len;
    args->argc++;
}


void
args_text(cli_args_t *args, const char *text)
{
    args_add(args, pu_str(text));
}


void
args_key(cli_args_t *args, const session_t *s, const char *kind,
    pu_str_t rest)
{
    pu_buf_t  b;

    pu_buf_init(&b, args->room, sizeof(args->room));

    pu_buf_char(&b, '{');
    pu_buf_str(&b, s->prefix);
    pu_buf_text(&b, "}:");
    pu_buf_text(&b, kind);
    pu_buf_str(&b, rest);

    args_add(args, pu_buf_written(&b));
}


int
session_send(session_t *s, const cli_args_t *args)
{
    if (!connection_send(s->connection, args->argc, args->argv, args->len)) {
        return session_lost(s);
    }

    return EXIT_DONE;
}


int
session_reply(session_t *s, int more, redisReply **reply)
{
    int  code;

    *reply = connection_reply(s->connection, more);

    if (*reply == NULL) {
        return session_lost(s);
    }

    if ((*reply)->type != REDIS_REPLY_ERROR
        || pu_str_starts(pu_str((*reply)->str), "WRONGTYPE")
        || pu_str_starts(pu_str((*reply)->str), "NOSCRIPT"))
    {
        return EXIT_DONE;
    }

    code = session_refused(s, *reply);

    freeReplyObject(*reply);
    *reply = NULL;

    return code;
}


int
session_call(session_t *s, const cli_args_t *args, redisReply **reply)
{
    int  code;

    *reply = NULL;
    code = session_send(s, args);

    return (code == EXIT_DONE) ? session_reply(s, 0, reply) : code;
}


int
session_call_args(session_t *s, const pu_args_t *args, int more,
    redisReply **reply)
{
    *reply = NULL;

    if (!connection_send(s->connection, args->argc, args->argv, args->len)) {
        return session_lost(s);
    }

    return session_reply(s, more, reply);
}


int
session_time(session_t *s, int64_t *seconds, int64_t *micros)
{
    int          code;
    cli_args_t   args;
    redisReply  *reply;

    args_start(&args, "TIME");
    code = session_call(s, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    if (!pu_str_int(reply_text(reply_at(reply, 0)), seconds)
        || !pu_str_int(reply_text(reply_at(reply, 1)), micros))
    {
        code = fail(EXIT_UNREACHABLE, "Redis at %s does not tell the time",
                    s->url);
    }

    freeReplyObject(reply);

    return code;
}


static int
session_lost(session_t *s)
{
    return fail(EXIT_UNREACHABLE, "lost Redis at %s: %s; see whether it "
                "runs, and try again", s->url,
                connection_error(s->connection));
}


/* Redis's own error, and what to do about it. */

static int
session_refused(session_t *s, const redisReply *reply)
{
    size_t       i;
    const char  *text;

    static const struct {
        const char  *start;
        const char  *advice;
    } advices[] = {
        { "NOAUTH", "name the file that holds its password with "
                    "--password-file FILE" },
        { "WRONGPASS", "correct the password in --password-file FILE, or the "
                       "user in the URL" },
        { "ERR AUTH", "leave out --password-file: it has no password" },
        { "ERR Client sent AUTH", "leave out --password-file: it has no "
                                  "password" },
        { "ERR wrong number of arguments for 'auth'", "it is older than "
          "Redis 6 and knows no users: leave the user out of the URL" },
        { "ERR invalid password", "correct the password in --password-file "
                                  "FILE" },
        { "NOPERM", "give its user the right to do this (ACL SETUSER)" },
        { "READONLY", "it is a replica: name the primary with --redis URL" },
        { "MASTERDOWN", "it is a replica without its primary: name another "
                        "with --redis URL" },
        { "LOADING", "try again when it has loaded its data" },
        { "OOM", "give it more memory (maxmemory), then try again" },
        { "MISCONF", "it cannot save its data: repair that, then try again" },
        { "NOREPLICAS", "it has too few replicas: repair that, then try "
                        "again" },
        { "MOVED", "name the node that holds these keys with --redis URL" },
        { "ERR DB index", "name a database that it has" },
        { "ERR unknown command", "it must be Redis 5 or later" },
        { NULL, "see its log" }
    };

    text = (reply->str != NULL) ? reply->str : "";

    for (i = 0; advices[i].start != NULL; i++) {
        if (pu_str_starts(pu_str(text), advices[i].start)) {
            break;
        }
    }

    return fail(EXIT_UNREACHABLE, "Redis at %s says \"%.300s\": %s", s->url,
                text, advices[i].advice);
}


int
reply_cursor(const redisReply *reply, char cursor[CURSOR_SIZE])
{
    pu_str_t  next;

    next = reply_text(reply_at(reply, 0));

    if (next.len == 0 || next.len >= CURSOR_SIZE) {
        return -1;
    }

    snprintf(cursor, CURSOR_SIZE, "%.*s", PU_STR_FMT(next));

    return strcmp(cursor, "0") != 0;
}


pu_str_t
reply_text(const redisReply *reply)
{
    pu_str_t  s;

    s.len = 0;
    s.data = NULL;

    if (reply != NULL && reply->str != NULL
        && (reply->type == REDIS_REPLY_STRING
            || reply->type == REDIS_REPLY_STATUS))
    {
        s.len = (size_t) reply->len;
        s.data = (const uint8_t *) reply->str;
    }

    return s;
}


int64_t
reply_int(const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        return 0;
    }

    return reply->integer;
}


const redisReply *
reply_at(const redisReply *reply, size_t i)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || i >= reply->elements)
    {
        return NULL;
    }

    return reply->element[i];
}
