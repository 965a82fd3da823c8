/*
 * user create, user link: users before their first token, and identities that
 * lead to them.
 */

#include <stdio.h>

#include "handles.h"
#include "pu_issuer.h"
#include "pu_provision.h"
#include "user.h"


static int create_name(const char *option, const char *text);
static int create_identity(const options_t *options, int needed);
static int create_type(const char *word, pu_user_type_t *type);
static int create_refused(const pu_user_create_t *user, pu_str_t detail);
static int create_send(session_t *s, pu_user_create_t *user);
static void create_print(const session_t *s, const pu_user_create_t *user);


int
user_create_check(const options_t *options, const char *const *args)
{
    int              code;
    pu_user_type_t   type;

    (void) args;

    if (options->values[OPT_USER_NAME] == NULL) {
        return fail(EXIT_USAGE, "\"user create\" needs --user-name NAME; "
                    "proxy-user user create --help shows how it is used");
    }

    code = create_name("--user-name", options->values[OPT_USER_NAME]);

    if (code == EXIT_DONE) {
        code = create_name("--external-id", options->values[OPT_EXTERNAL_ID]);
    }

    if (code == EXIT_DONE) {
        code = create_type(options->values[OPT_TYPE], &type);
    }

    if (code == EXIT_DONE) {
        code = words_check(options);
    }

    if (code == EXIT_DONE) {
        code = expires_check(options);
    }

    return (code == EXIT_DONE) ? create_identity(options, 0) : code;
}


static int
create_name(const char *option, const char *text)
{
    if (text != NULL && (strlen(text) > PU_USER_NAME_MAX
                         || pu_str_has_control(pu_str(text))))
    {
        return fail(EXIT_USAGE, "%s has %zu bytes or a control character, "
                    "allowed are %d without", option, strlen(text),
                    PU_USER_NAME_MAX);
    }

    return EXIT_DONE;
}


static int
create_type(const char *word, pu_user_type_t *type)
{
    for (*type = PU_HUMAN; *type <= PU_APPLICATION; (*type)++) {
        if (word == NULL || pu_str_is(pu_user_type_word(*type), word)) {
            return EXIT_DONE;
        }
    }

    return fail(EXIT_USAGE, "\"%s\" is no type for --type: allowed are human, "
                "service and application", word);
}


/* As a token will bring them, or nobody would ever be found by them. */

static int
create_identity(const options_t *options, int needed)
{
    const char  *issuer, *subject;

    issuer = options->values[OPT_ISSUER];
    subject = options->values[OPT_SUBJECT];

    if (issuer == NULL && subject == NULL && !needed) {
        return EXIT_DONE;
    }

    if (issuer == NULL || subject == NULL) {
        return fail(EXIT_USAGE, "an identity needs both: --issuer URL and "
                    "--subject SUBJECT");
    }

    if (strlen(issuer) > 1024 || !pu_issuer_url_ok(pu_str(issuer))) {
        return fail(EXIT_USAGE, "\"%s\" is no issuer for --issuer: allowed "
                    "are https URLs, and http to a loopback address, exactly "
                    "as the tokens' iss", issuer);
    }

    if (strlen(subject) > PU_SUBJECT_LEN_MAX
        || pu_str_has_control(pu_str(subject)))
    {
        return fail(EXIT_USAGE, "--subject has %zu bytes or a control "
                    "character, allowed are %d without", strlen(subject),
                    PU_SUBJECT_LEN_MAX);
    }

    return EXIT_DONE;
}


int
user_create(session_t *s, const char *const *args)
{
    int               code;
    char              id[PU_USER_ID_LEN], actor[ACTOR_SIZE];
    char              words[2 * PU_USER_PACKED_MAX];
    int64_t           now;
    pu_buf_t          b;
    const options_t  *options;
    pu_user_create_t  user = { .source = PU_STR("cli") };

    (void) args;

    options = s->options;
    pu_buf_init(&b, words, sizeof(words));

    if (!options_words(options, OPT_ROLE, &b, &user.roles)
        || !options_words(options, OPT_SCOPE, &b, &user.scopes))
    {
        return fail(EXIT_USAGE, "these are more roles and scopes than a user "
                    "can have; leave some out");
    }

    if (!pu_user_id_new(id)) {
        return fail(EXIT_REFUSED, "the system gives no random numbers; try "
                    "again");
    }

    user.id.data = (const uint8_t *) id;
    user.id.len = sizeof(id);
    user.user_name = pu_str(options->values[OPT_USER_NAME]);
    user.external_id = pu_str(options->values[OPT_EXTERNAL_ID]);
    user.name = user.user_name;
    user.issuer = pu_str(options->values[OPT_ISSUER]);
    user.subject = pu_str(options->values[OPT_SUBJECT]);

    (void) create_type(options->values[OPT_TYPE], &user.type);

    code = session_actor(s, actor, &user.reason);
    user.actor = pu_str(actor);

    if (code == EXIT_DONE) {
        code = expires_read(s, &user.expires, &now);
    }

    return (code == EXIT_DONE) ? create_send(s, &user) : code;
}


static int
create_send(session_t *s, pu_user_create_t *user)
{
    int                  code;
    int64_t              version;
    pu_args_t            args;
    redisReply          *reply;
    pu_change_status_t   status;

    if (!pu_command_user_create(&args, s->sha, s->prefix, user)) {
        return fail(EXIT_REFUSED, "OpenSSL cannot compute SHA-256 or gives no "
                    "random numbers here");
    }

    code = session_script(s, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    status = pu_reply_change(reply, &version);

    if (status == PU_CHANGE_DONE) {
        create_print(s, user);

    } else if (status == PU_CHANGE_REFUSED) {
        code = create_refused(user, pu_reply_detail(reply));

    } else if (status == PU_CHANGE_UNREADABLE) {
        code = fail(EXIT_REFUSED, "the %.*s in Redis cannot be read; "
                    "proxy-user doctor shows what is wrong",
                    PU_STR_FMT(pu_reply_detail(reply)));

    } else {
        code = fail(EXIT_UNREACHABLE, "Redis at %s gives an answer that makes "
                    "no sense; see that it is a Redis", s->url);
    }

    freeReplyObject(reply);

    return code;
}


static int
create_refused(const pu_user_create_t *user, pu_str_t detail)
{
    if (pu_str_is(detail, "user_name")) {
        return fail(EXIT_REFUSED, "there is a user \"%.*s\" already; "
                    "proxy-user user show 'name:%.*s' shows who",
                    PU_STR_FMT(user->user_name), PU_STR_FMT(user->user_name));
    }

    if (pu_str_is(detail, "handle")) {
        return fail(EXIT_REFUSED, "this identity stands for another user; "
                    "proxy-user user show 'sub:%.*s#%.*s' shows who",
                    PU_STR_FMT(user->issuer), PU_STR_FMT(user->subject));
    }

    return fail(EXIT_REFUSED, "these are more or longer roles and scopes than "
                "a user can have; leave some out");
}


static void
create_print(const session_t *s, const pu_user_create_t *user)
{
    json_t  *object;

    if (s->options->values[OPT_JSON] == NULL) {
        output_text(stdout, user->id);
        putchar('\n');
        return;
    }

    object = json_object();

    json_object_set_new(object, "user", output_json(user->id));
    json_object_set_new(object, "id", output_json(user->id));
    json_object_set_new(object, "op", json_string("create"));
    json_object_set_new(object, "user_name", output_json(user->user_name));
    json_object_set_new(object, "changed", json_true());
    json_object_set_new(object, "version", json_integer(1));

    output_json_print(object);
}


int
user_link_check(const options_t *options, const char *const *args)
{
    int  code;

    code = session_who_form(args[0]);

    return (code == EXIT_DONE) ? create_identity(options, 1) : code;
}


int
user_link(session_t *s, const char *const *args)
{
    int          code, changed, again;
    char         id[PU_USER_ID_LEN], handle[PU_HANDLE_TEXT_MAX];
    uint8_t      digest[PU_SHA256_LEN];
    int64_t      version;
    pu_change_t  change = { .op = PU_CHANGE_HANDLE_LINK };

    code = session_who(s, args[0], id);

    if (code != EXIT_DONE) {
        return code;
    }

    change.issuer = pu_str(s->options->values[OPT_ISSUER]);
    change.subject = pu_str(s->options->values[OPT_SUBJECT]);

    if (!pu_handle_digest(digest, change.issuer, change.subject)) {
        return fail(EXIT_REFUSED, "OpenSSL cannot compute SHA-256 here");
    }

    change.user.data = (const uint8_t *) id;
    change.user.len = sizeof(id);
    change.handle.data = (const uint8_t *) handle;
    change.handle.len = pu_handle_text(handle, PU_HANDLE_SUB, digest);

    code = handle_change(s, &change, "this identity", &changed, &version,
                         &again);

    if (code == EXIT_DONE) {
        handle_print(s, &change, "subject",
                     s->options->values[OPT_SUBJECT], "link",
                     changed ? "leads to the user now"
                             : "led to the user already", changed, version);
    }

    return code;
}
