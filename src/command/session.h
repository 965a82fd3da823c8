/*
 * session: one run of the command against one Redis.
 *
 * What every noun needs: commands and their replies, the script, WHO is
 * meant.  Functions that return an exit code have printed the sentence when
 * it is not EXIT_DONE.
 */

#ifndef SESSION_H
#define SESSION_H

#include "connection.h"
#include "options.h"
#include "pu_command.h"


#define CLI_ARGS_MAX      32
#define CHANGE_TRIES      3
#define REASON_LEN_MAX    1024
#define ACTOR_SIZE        128
#define CURSOR_SIZE       32

typedef struct {
    const options_t  *options;
    connection_t     *connection;
    pu_str_t          prefix;
    const char       *url;
    char              sha[PU_SCRIPT_SHA_LEN];
    char              error[PU_ERROR_SIZE];
} session_t;


int session_open(session_t *s, const options_t *options);
void session_close(session_t *s);


/* A command in the making; "room" holds the one key that is built. */
typedef struct {
    int          argc;
    const char  *argv[CLI_ARGS_MAX];
    size_t       len[CLI_ARGS_MAX];
    char         room[PU_PREFIX_LEN_MAX + 128];
} cli_args_t;

void args_start(cli_args_t *args, const char *command);
void args_add(cli_args_t *args, pu_str_t s);
void args_text(cli_args_t *args, const char *text);

/* {prefix}:<kind><rest>; "kind" with its colon, as "user:".  One only. */
void args_key(cli_args_t *args, const session_t *s, const char *kind,
    pu_str_t rest);


/*
 * Sends and reads.  *reply is NULL exactly when the result is not EXIT_DONE;
 * the caller frees it.  An error that Redis answers is EXIT_UNREACHABLE,
 * except WRONGTYPE, which is a record's fault and comes back as a reply.
 */
int session_send(session_t *s, const cli_args_t *args);
int session_reply(session_t *s, int more, redisReply **reply);
int session_call(session_t *s, const cli_args_t *args, redisReply **reply);

/* The same for what pu_command has made. */
int session_call_args(session_t *s, const pu_args_t *args, int more,
    redisReply **reply);

/* Redis's own clock. */
int session_time(session_t *s, int64_t *seconds, int64_t *micros);


/*
 * The user that WHO means: u_..., name:<user_name>, sub:<issuer>#<subject>.
 * A user id is not looked up: whoever uses it finds out.
 */
int session_who(session_t *s, const char *who, char id[PU_USER_ID_LEN]);

/* Has WHO one of these forms?  Needs no connection. */
int session_who_form(const char *who);

/*
 * Makes a change; loads the script if need be.  actor and source are filled
 * in, reason from --reason.  *reply as above, "status" not ERROR or NOSCRIPT.
 */
int session_change(session_t *s, pu_change_t *change,
    pu_change_status_t *status, int64_t *version, redisReply **reply);

/* The operating system's user, and --reason. */
int session_actor(session_t *s, char actor[ACTOR_SIZE], pu_str_t *reason);

/* A call of the script, which is loaded if need be; *reply as above. */
int session_script(session_t *s, const pu_args_t *args, redisReply **reply);

/*
 * Of an answer to SCAN and its kind: 1 and where to go on, 0 when it was the
 * last part, -1 when it is no such answer.
 */
int reply_cursor(const redisReply *reply, char cursor[CURSOR_SIZE]);

/* A string of a reply, empty where it is none. */
pu_str_t reply_text(const redisReply *reply);

/* An integer reply; 0 where it is none. */
int64_t reply_int(const redisReply *reply);

/* Element "i" of an array, or NULL. */
const redisReply *reply_at(const redisReply *reply, size_t i);


#endif /* SESSION_H */
