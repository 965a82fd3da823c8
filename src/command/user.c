/*
 * user: the table of "proxy-user user", and the verbs that change a user.
 *
 * A verb here checks its words, asks the script for the change, and says
 * what came of it.  Showing users is in user_list.c and user_show.c.
 */

#include <stdio.h>

#include "user.h"


#define GRANT_FOR_MAX  (100LL * 365 * 24 * 3600)


/* How a change is told to a person. */
typedef struct {
    const char  *word;                  /* in JSON */
    const char  *done;
    const char  *unchanged;
} change_text_t;


static int user_check(const options_t *options, const char *const *args);
static int user_check_role(const options_t *options, const char *const *args);
static int user_suspend(session_t *s, const char *const *args);
static int user_resume(session_t *s, const char *const *args);
static int user_delete(session_t *s, const char *const *args);
static int user_revoke(session_t *s, const char *const *args);
static int user_grant(session_t *s, const char *const *args);
static int user_ungrant(session_t *s, const char *const *args);
static int user_change(session_t *s, const char *const *args,
    pu_change_t *change);
static int user_changed(session_t *s, const pu_change_t *change,
    pu_change_status_t status, int64_t version, const redisReply *reply);
static int user_refused(const pu_change_t *change, pu_str_t detail);
static int user_unreadable(const pu_change_t *change, pu_str_t detail);
static void user_print(const session_t *s, const pu_change_t *change,
    int changed, int64_t version);


const verb_t  user_verbs[] = {

    { "user", "list", NULL, 0,
      OPT_BIT(OPT_STATE) | OPT_BIT(OPT_ROLE) | OPT_BIT(OPT_LIMIT),
      "the users, oldest first",
      "Roles are those granted by the command or by provisioning; what a "
      "token brings\nis known only to the request that carries it.\n\n"
      "Examples:\n"
      "  proxy-user user list\n"
      "  proxy-user user list --state suspended --json\n"
      "  proxy-user user list --role admin --limit 50\n",
      user_list_check, user_list },

    { "user", "show", "WHO", 1, 0,
      "everything that is known of one user",
      "\nExamples:\n"
      "  proxy-user user show u_5dzqWvtKuu0rmB0zUvlQ1g\n"
      "  proxy-user user show 'sub:https://idp.example.com#alice' --json\n",
      user_check, user_show },

    { "user", "create", NULL, 0,
      OPT_BIT(OPT_USER_NAME) | OPT_BIT(OPT_TYPE) | OPT_BIT(OPT_ROLE)
      | OPT_BIT(OPT_SCOPE) | OPT_BIT(OPT_EXTERNAL_ID) | OPT_BIT(OPT_ISSUER)
      | OPT_BIT(OPT_SUBJECT) | OPT_BIT(OPT_EXPIRES) | OPT_BIT(OPT_REASON),
      "a user before the first token, or with keys only",
      "Prints the id. With --issuer and --subject, tokens of this identity "
      "stand for\nthe user. Without, the directive \"link\" finds the user by "
      "user name or external\nid, or \"user link\" says which identity it "
      "is.\n\n"
      "Examples:\n"
      "  proxy-user user create --user-name alice@example.com --role editor\n"
      "  proxy-user user create --user-name backup --type service\n",
      user_create_check, user_create },

    { "user", "link", "WHO", 1,
      OPT_BIT(OPT_ISSUER) | OPT_BIT(OPT_SUBJECT) | OPT_BIT(OPT_REASON),
      "tokens of this identity stand for the user too",
      "Refused while the identity stands for a user who is not deleted. "
      "Taken over from\na deleted user, every token issued so far is "
      "refused.\n\n"
      "Examples:\n"
      "  proxy-user user link name:alice@example.com \\\n"
      "      --issuer https://idp.example.com --subject 00u1\n",
      user_link_check, user_link },

    { "user", "suspend", "WHO", 1, OPT_BIT(OPT_REASON),
      "refuse this user everywhere, until resume",
      "Requests are answered 403 user_suspended, within a fraction of a "
      "second.\n\n"
      "Examples:\n"
      "  proxy-user user suspend 'sub:https://idp.example.com#alice' \\\n"
      "      --reason 'lost laptop'\n",
      user_check, user_suspend },

    { "user", "resume", "WHO", 1, OPT_BIT(OPT_REASON),
      "take back a suspension, whoever made it",
      "\nExamples:\n"
      "  proxy-user user resume name:alice@example.com\n",
      user_check, user_resume },

    { "user", "delete", "WHO", 1, OPT_BIT(OPT_REASON),
      "delete this user, for good",
      "Roles, keys and certificates go. The identity stays known, so that a "
      "token\nthat is still out there gets 403 user_deleted and not a new "
      "account.\n\n"
      "Examples:\n"
      "  proxy-user user delete u_5dzqWvtKuu0rmB0zUvlQ1g --reason left\n",
      user_check, user_delete },

    { "user", "revoke", "WHO", 1, OPT_BIT(OPT_REASON),
      "make every token issued to this user so far worthless",
      "A token with a later time of issue counts again.\n\n"
      "Examples:\n"
      "  proxy-user user revoke u_5dzqWvtKuu0rmB0zUvlQ1g --reason stolen\n",
      user_check, user_revoke },

    { "user", "grant", "WHO ROLE", 2,
      OPT_BIT(OPT_FOR) | OPT_BIT(OPT_REASON),
      "give a role, for good or for a time",
      "Granting a role again begins it anew.\n\n"
      "Examples:\n"
      "  proxy-user user grant 'sub:https://idp.example.com#alice' editor\n"
      "  proxy-user user grant u_5dzqWvtKuu0rmB0zUvlQ1g admin --for 30m \\\n"
      "      --reason 'ticket 4711'\n",
      user_check_role, user_grant },

    { "user", "ungrant", "WHO ROLE", 2, OPT_BIT(OPT_REASON),
      "take a granted role away",
      "A role that a token brings is not touched.\n\n"
      "Examples:\n"
      "  proxy-user user ungrant u_5dzqWvtKuu0rmB0zUvlQ1g admin\n",
      user_check_role, user_ungrant },

    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }
};


/* In the order of pu_change_op_t. */
static const change_text_t  change_texts[] = {
    { "suspend", "is suspended", "was suspended already" },
    { "resume", "is active again", "was active already" },
    { "delete", "is deleted", "was deleted already" },
    { "revoke", "has no valid token any more: every one issued so far is "
      "refused", "has no valid token" },
    { "grant", "has this role now", "had this role already" },
    { "ungrant", "has lost this role", "did not have this role" }
};


static int
user_check(const options_t *options, const char *const *args)
{
    (void) options;

    return session_who_form(args[0]);
}


static int
user_check_role(const options_t *options, const char *const *args)
{
    int64_t      seconds;
    const char  *time;

    if (!pu_role_name(pu_str(args[1]))) {
        return fail(EXIT_USAGE, "\"%s\" is no role name: allowed are 1 to 64 "
                    "of A-Za-z0-9_.:/- with at least one lower-case letter "
                    "or digit", args[1]);
    }

    time = options->values[OPT_FOR];

    if (time != NULL) {
        seconds = pu_str_duration(pu_str(time));

        if (seconds < 1 || seconds > GRANT_FOR_MAX) {
            return fail(EXIT_USAGE, "\"%s\" is no time for --for: allowed "
                        "are numbers with s, m, h, d, w, M or y, such as 30m "
                        "or 1h30m, of 1s to 100y", time);
        }
    }

    return user_check(options, args);
}


static int
user_suspend(session_t *s, const char *const *args)
{
    pu_change_t  change = { .op = PU_CHANGE_SUSPEND };

    return user_change(s, args, &change);
}


static int
user_resume(session_t *s, const char *const *args)
{
    pu_change_t  change = { .op = PU_CHANGE_RESUME };

    return user_change(s, args, &change);
}


static int
user_delete(session_t *s, const char *const *args)
{
    pu_change_t  change = { .op = PU_CHANGE_DELETE };

    return user_change(s, args, &change);
}


static int
user_revoke(session_t *s, const char *const *args)
{
    pu_change_t  change = { .op = PU_CHANGE_REVOKE };

    return user_change(s, args, &change);
}


static int
user_grant(session_t *s, const char *const *args)
{
    const char   *time;
    pu_change_t   change = { .op = PU_CHANGE_GRANT };

    time = s->options->values[OPT_FOR];

    change.role = pu_str(args[1]);
    change.expires_in = time ? pu_str_duration(pu_str(time)) : 0;

    return user_change(s, args, &change);
}


static int
user_ungrant(session_t *s, const char *const *args)
{
    pu_change_t  change = { .op = PU_CHANGE_UNGRANT };

    change.role = pu_str(args[1]);

    return user_change(s, args, &change);
}


static int
user_change(session_t *s, const char *const *args, pu_change_t *change)
{
    int                  code;
    char                 id[PU_USER_ID_LEN];
    int64_t              version;
    redisReply          *reply;
    pu_change_status_t   status;

    code = session_who(s, args[0], id);

    if (code != EXIT_DONE) {
        return code;
    }

    change->user.data = (const uint8_t *) id;
    change->user.len = PU_USER_ID_LEN;

    code = session_change(s, change, &status, &version, &reply);

    if (code == EXIT_DONE) {
        code = user_changed(s, change, status, version, reply);
        freeReplyObject(reply);
    }

    return code;
}


static int
user_changed(session_t *s, const pu_change_t *change,
    pu_change_status_t status, int64_t version, const redisReply *reply)
{
    switch (status) {

    case PU_CHANGE_DONE:
    case PU_CHANGE_UNCHANGED:
        user_print(s, change, status == PU_CHANGE_DONE, version);
        return EXIT_DONE;

    case PU_CHANGE_NOT_FOUND:
        return fail(EXIT_REFUSED, "there is no user %.*s; proxy-user user "
                    "list shows who there is", PU_STR_FMT(change->user));

    case PU_CHANGE_CONFLICT:
        return fail(EXIT_REFUSED, "user %.*s was changed by somebody else at "
                    "the same moment, %d times; try again",
                    PU_STR_FMT(change->user), CHANGE_TRIES);

    case PU_CHANGE_REFUSED:
        return user_refused(change, pu_reply_detail(reply));

    default:
        return user_unreadable(change, pu_reply_detail(reply));
    }
}


/* Somebody has edited Redis by hand, or it is not ours. */

static int
user_unreadable(const pu_change_t *change, pu_str_t detail)
{
    if (pu_str_is(detail, "log")) {
        return fail(EXIT_REFUSED, "user %.*s cannot be changed: the change "
                    "log is no stream that takes entries; repair it in Redis",
                    PU_STR_FMT(change->user));
    }

    return fail(EXIT_REFUSED, "user %.*s cannot be changed: its %s cannot be "
                "read; repair it in Redis, or suspend, delete or revoke it as "
                "it is", PU_STR_FMT(change->user),
                pu_str_is(detail, "roles") ? "roles" : "record");
}


static int
user_refused(const pu_change_t *change, pu_str_t detail)
{
    if (pu_str_is(detail, "deleted")) {
        return fail(EXIT_REFUSED, "user %.*s is deleted, and stays so; this "
                    "person needs a new user", PU_STR_FMT(change->user));
    }

    if (pu_str_is(detail, "full")) {
        return fail(EXIT_REFUSED, "user %.*s has as many roles as a user can "
                    "have; take some away with ungrant first",
                    PU_STR_FMT(change->user));
    }

    if (pu_str_is(detail, "handles")) {
        return fail(EXIT_REFUSED, "user %.*s has too many keys and "
                    "certificates to delete all at once; suspend the user, "
                    "and revoke keys first", PU_STR_FMT(change->user));
    }

    return fail(EXIT_REFUSED, "Redis refuses this change of user %.*s "
                "(\"%.*s\")", PU_STR_FMT(change->user), PU_STR_FMT(detail));
}


static void
user_print(const session_t *s, const pu_change_t *change, int changed,
    int64_t version)
{
    json_t               *object;
    const change_text_t  *text;

    text = &change_texts[change->op];

    if (s->options->values[OPT_JSON] == NULL) {
        output_text(stdout, change->user);
        printf(" %s (version %lld)\n", changed ? text->done : text->unchanged,
               (long long) version);
        return;
    }

    object = json_object();

    json_object_set_new(object, "user", output_json(change->user));
    json_object_set_new(object, "op", json_string(text->word));

    if (change->role.len != 0) {
        json_object_set_new(object, "role", output_json(change->role));
    }

    json_object_set_new(object, "changed", json_boolean(changed));
    json_object_set_new(object, "version", json_integer(version));

    output_json_print(object);
}
