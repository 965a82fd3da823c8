/*
 * change: who is meant, and one change of a user through the script.
 *
 * Not which change and not what is printed of it: that is the noun's.
 */

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "session.h"


/* What a change must know beforehand. */
typedef struct {
    int64_t  version;                   /* -1: none that can be read */
    char     name_index[PU_DIGEST_TEXT_LEN];
    char     external_index[PU_DIGEST_TEXT_LEN];
} change_before_t;


static int who_by_name(session_t *s, const char *who,
    char id[PU_USER_ID_LEN]);
static int who_by_subject(session_t *s, const char *who,
    char id[PU_USER_ID_LEN]);
static int who_take(session_t *s, const cli_args_t *args, const char *who,
    char id[PU_USER_ID_LEN]);
static int change_try(session_t *s, pu_change_t *change, int last,
    redisReply **reply);
static int change_before(session_t *s, pu_change_t *change,
    change_before_t *before);
static int change_index(const redisReply *field, pu_str_t *index,
    char out[PU_DIGEST_TEXT_LEN],
    int (*digest)(char out[PU_DIGEST_TEXT_LEN], pu_str_t text));
static int change_send(session_t *s, const pu_change_t *change,
    redisReply **reply);
static int change_load(session_t *s);
static int change_fields(session_t *s, pu_change_t *change,
    char actor[ACTOR_SIZE]);


int
session_who_form(const char *who)
{
    size_t    issuer;
    pu_str_t  text;

    text = pu_str(who);

    if (pu_user_id_ok(text) || (pu_str_starts(text, "name:") && who[5])) {
        return EXIT_DONE;
    }

    if (!pu_str_starts(text, "sub:")) {
        return fail(EXIT_USAGE, "\"%s\" names no user: allowed are a user id "
                    "(u_ and 22 characters), name:<user_name> and "
                    "sub:<issuer>#<subject>", who);
    }

    issuer = strcspn(who + 4, "#");

    if (issuer == 0 || strlen(who + 4 + issuer) < 2) {
        return fail(EXIT_USAGE, "\"%s\" names no user: after sub: it takes "
                    "the issuer's URL, \"#\" and the subject", who);
    }

    return EXIT_DONE;
}


int
session_who(session_t *s, const char *who, char id[PU_USER_ID_LEN])
{
    int  code;

    code = session_who_form(who);

    if (code != EXIT_DONE) {
        return code;
    }

    if (pu_str_starts(pu_str(who), "name:")) {
        return who_by_name(s, who, id);
    }

    if (pu_str_starts(pu_str(who), "sub:")) {
        return who_by_subject(s, who, id);
    }

    memcpy(id, who, PU_USER_ID_LEN);

    return EXIT_DONE;
}


static int
who_by_name(session_t *s, const char *who, char id[PU_USER_ID_LEN])
{
    char        index[PU_DIGEST_TEXT_LEN];
    pu_str_t    digest;
    cli_args_t  args;

    if (!pu_name_index(index, pu_str(who + 5))) {
        return fail(EXIT_REFUSED, "OpenSSL cannot compute SHA-256 here");
    }

    digest.data = (const uint8_t *) index;
    digest.len = sizeof(index);

    args_start(&args, "GET");
    args_key(&args, s, "name:", digest);

    return who_take(s, &args, who, id);
}


/* A subject may hold any character, an issuer's URL no "#". */

static int
who_by_subject(session_t *s, const char *who, char id[PU_USER_ID_LEN])
{
    char        text[PU_HANDLE_TEXT_MAX];
    uint8_t     digest[PU_SHA256_LEN];
    pu_str_t    issuer, subject, handle;
    cli_args_t  args;

    issuer = pu_str(who + 4);
    issuer.len = strcspn(who + 4, "#");
    subject = pu_str(who + 4 + issuer.len + 1);

    if (!pu_handle_digest(digest, issuer, subject)) {
        return fail(EXIT_REFUSED, "OpenSSL cannot compute SHA-256 here");
    }

    handle.data = (const uint8_t *) text;
    handle.len = pu_handle_text(text, PU_HANDLE_SUB, digest);

    args_start(&args, "HGET");
    args_key(&args, s, "handle:", handle);
    args_text(&args, "user");

    return who_take(s, &args, who, id);
}


static int
who_take(session_t *s, const cli_args_t *args, const char *who,
    char id[PU_USER_ID_LEN])
{
    int          code;
    pu_str_t     found;
    redisReply  *reply;

    code = session_call(s, args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    found = reply_text(reply);

    if (pu_user_id_ok(found)) {
        memcpy(id, found.data, PU_USER_ID_LEN);

    } else if (reply->type == REDIS_REPLY_NIL) {
        code = fail(EXIT_REFUSED, "there is no user \"%s\"; proxy-user user "
                    "list shows who there is", who);

    } else {
        code = fail(EXIT_REFUSED, "the record %s that \"%s\" leads to cannot "
                    "be read; repair it in Redis, or name the user by its id",
                    args->room, who);
    }

    freeReplyObject(reply);

    return code;
}


int
session_change(session_t *s, pu_change_t *change, pu_change_status_t *status,
    int64_t *version, redisReply **reply)
{
    int   code, try;
    char  actor[ACTOR_SIZE];

    *reply = NULL;
    code = change_fields(s, change, actor);

    for (try = 1; code == EXIT_DONE; try++) {

        code = change_try(s, change, try == CHANGE_TRIES, reply);

        if (code != EXIT_DONE) {
            break;
        }

        *status = pu_reply_change(*reply, version);

        if (*status == PU_CHANGE_ERROR || *status == PU_CHANGE_NOSCRIPT) {
            code = fail(EXIT_UNREACHABLE, "Redis at %s gives an answer that "
                        "makes no sense; see that it is a Redis", s->url);

        } else if (*status != PU_CHANGE_CONFLICT || try == CHANGE_TRIES) {
            return EXIT_DONE;
        }

        freeReplyObject(*reply);
        *reply = NULL;
    }

    return code;
}


static int
change_fields(session_t *s, pu_change_t *change, char actor[ACTOR_SIZE])
{
    int  code;

    code = session_actor(s, actor, &change->reason);

    change->actor = pu_str(actor);
    change->source = PU_STR("cli");

    return code;
}


int
session_actor(session_t *s, char actor[ACTOR_SIZE], pu_str_t *reason)
{
    const struct passwd  *user;

    user = getpwuid(getuid());

    if (user != NULL) {
        snprintf(actor, ACTOR_SIZE, "%s", user->pw_name);

    } else {
        snprintf(actor, ACTOR_SIZE, "uid:%lu", (unsigned long) getuid());
    }

    *reason = pu_str(s->options->values[OPT_REASON]);

    if (reason->len > REASON_LEN_MAX) {
        return fail(EXIT_USAGE, "--reason has %zu bytes, allowed are %d",
                    reason->len, REASON_LEN_MAX);
    }

    return EXIT_DONE;
}


/*
 * Suspend and revoke ask for nothing beforehand.  The rest is made against
 * the version that was read; a delete that met conflicts only is in the end
 * made anyway.
 */

static int
change_try(session_t *s, pu_change_t *change, int last, redisReply **reply)
{
    int              code;
    change_before_t  before;

    before.version = -1;

    if (change->op == PU_CHANGE_RESUME || change->op == PU_CHANGE_DELETE
        || change->op == PU_CHANGE_GRANT || change->op == PU_CHANGE_UNGRANT)
    {
        code = change_before(s, change, &before);

        if (code != EXIT_DONE) {
            return code;
        }
    }

    change->expected_version = before.version;

    if (last && change->op == PU_CHANGE_DELETE) {
        change->expected_version = -1;
    }

    code = change_send(s, change, reply);

    /* they point into "before" */

    change->name_index.len = 0;
    change->external_index.len = 0;

    return code;
}


static int
change_before(session_t *s, pu_change_t *change, change_before_t *before)
{
    int          code, ok;
    cli_args_t   args;
    redisReply  *reply;

    args_start(&args, "HMGET");
    args_key(&args, s, "user:", change->user);
    args_text(&args, "version");
    args_text(&args, "user_name");
    args_text(&args, "external_id");

    code = session_call(s, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    if (!pu_str_int(reply_text(reply_at(reply, 0)), &before->version)) {
        before->version = -1;
    }

    ok = change_index(reply_at(reply, 1), &change->name_index,
                      before->name_index, pu_name_index)
         && change_index(reply_at(reply, 2), &change->external_index,
                         before->external_index, pu_external_index);

    freeReplyObject(reply);

    if (!ok) {
        return fail(EXIT_REFUSED, "OpenSSL cannot compute SHA-256 here");
    }

    return EXIT_DONE;
}


static int
change_index(const redisReply *field, pu_str_t *index,
    char out[PU_DIGEST_TEXT_LEN],
    int (*digest)(char out[PU_DIGEST_TEXT_LEN], pu_str_t text))
{
    pu_str_t  text;

    index->len = 0;
    index->data = (const uint8_t *) out;

    text = reply_text(field);

    if (text.data == NULL) {
        return 1;
    }

    index->len = PU_DIGEST_TEXT_LEN;

    return digest(out, text);
}


static int
change_send(session_t *s, const pu_change_t *change, redisReply **reply)
{
    pu_args_t  args;

    if (!pu_command_change(&args, s->sha, s->prefix, change)) {
        return fail(EXIT_REFUSED, "the system gives no random numbers; try "
                    "again");
    }

    return session_script(s, &args, reply);
}


int
session_script(session_t *s, const pu_args_t *args, redisReply **reply)
{
    int      code;
    int64_t  version;

    code = session_call_args(s, args, 0, reply);

    if (code != EXIT_DONE
        || pu_reply_change(*reply, &version) != PU_CHANGE_NOSCRIPT)
    {
        return code;
    }

    freeReplyObject(*reply);
    *reply = NULL;

    code = change_load(s);

    return (code == EXIT_DONE) ? session_call_args(s, args, 0, reply) : code;
}


static int
change_load(session_t *s)
{
    int          code;
    pu_str_t     script;
    cli_args_t   args;
    redisReply  *reply;

    script.data = (const uint8_t *) pu_script;
    script.len = pu_script_len;

    args_start(&args, "SCRIPT");
    args_text(&args, "LOAD");
    args_add(&args, script);

    code = session_call(s, &args, &reply);

    if (code == EXIT_DONE) {
        freeReplyObject(reply);
    }

    return code;
}
