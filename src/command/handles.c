/*
 * handles: one change of a key or certificate; see the header.
 *
 * Not the list of them (handles_list.c), and not whose they are: the script
 * decides that.
 */

#include <stdio.h>

#include "handles.h"
#include "moment.h"
#include "pu_network.h"


#define MOMENT_MAX  253402300799LL      /* the year 9999 */


static int network_check(const char *text);
static int handle_failed(const pu_change_t *change, const char *what,
    pu_change_status_t status, pu_str_t detail);
static int handle_refused(const pu_change_t *change, const char *what,
    pu_str_t detail);


int
words_check(const options_t *options)
{
    size_t                 i;
    const option_given_t  *given;

    for (i = 0; i < options->ngiven; i++) {
        given = &options->given[i];

        if (given->option == OPT_ROLE
            && !pu_role_name(pu_str(given->value)))
        {
            return fail(EXIT_USAGE, "\"%s\" is no role name for --role: "
                        "allowed are 1 to 64 of A-Za-z0-9_.:/- with at least "
                        "one lower-case letter or digit", given->value);
        }

        if (given->option == OPT_SCOPE
            && !pu_scope_token(pu_str(given->value)))
        {
            return fail(EXIT_USAGE, "\"%s\" is no scope for --scope: allowed "
                        "are 1 to 255 printable characters of ASCII without "
                        "space, \" and \\; repeat --scope for more than one",
                        given->value);
        }
    }

    return EXIT_DONE;
}


int
expires_check(const options_t *options)
{
    int64_t      seconds;
    const char  *text;

    text = options->values[OPT_EXPIRES];

    if (text != NULL && (!moment_read(text, &seconds) || seconds == 0
                         || -seconds > HANDLE_EXPIRES_MAX))
    {
        return fail(EXIT_USAGE, "\"%s\" is no time for --expires: allowed "
                    "are a time from now such as 90d, at most 100y, a date "
                    "such as 2026-01-31T12:00:00Z, and seconds since 1970",
                    text);
    }

    return EXIT_DONE;
}


int
expires_read(session_t *s, int64_t *expires, int64_t *now)
{
    int          code;
    int64_t      micros;
    const char  *text;

    text = s->options->values[OPT_EXPIRES];
    *expires = 0;

    code = session_time(s, now, &micros);

    if (code != EXIT_DONE || text == NULL) {
        return code;
    }

    (void) moment_read(text, expires);

    if (*expires < 0) {
        *expires = *now - *expires;
    }

    if (*expires <= *now || *expires > MOMENT_MAX) {
        return fail(EXIT_USAGE, "--expires %s is not to come; name a later "
                    "time", text);
    }

    return EXIT_DONE;
}


int
caps_check(const options_t *options)
{
    int          code;
    size_t       i, networks;
    const char  *label;

    code = words_check(options);

    if (code == EXIT_DONE) {
        code = expires_check(options);
    }

    for (i = 0, networks = 0; code == EXIT_DONE && i < options->ngiven; i++) {
        if (options->given[i].option == OPT_NETWORK) {
            networks++;
            code = network_check(options->given[i].value);
        }
    }

    if (networks > PU_NETWORKS_MAX) {
        return fail(EXIT_USAGE, "--network is there %zu times, allowed are %d",
                    networks, PU_NETWORKS_MAX);
    }

    label = options->values[OPT_LABEL];

    if (code == EXIT_DONE && label != NULL
        && (strlen(label) > 255 || pu_str_has_control(pu_str(label))))
    {
        return fail(EXIT_USAGE, "--label has %zu bytes or a control "
                    "character, allowed are 255 without", strlen(label));
    }

    return code;
}


static int
network_check(const char *text)
{
    pu_network_t  network;

    switch (pu_network_read(&network, pu_str(text))) {

    case 1:
        return EXIT_DONE;

    case 0:
        return fail(EXIT_USAGE, "\"%s\" is no network for --network: allowed "
                    "are an address, or one with a prefix, such as "
                    "10.0.0.0/8 or 2001:db8::/32", text);

    default:
        return fail(EXIT_USAGE, "\"%s\" has bits behind its prefix; name the "
                    "first address of the network, or leave the prefix out "
                    "for this address alone", text);
    }
}


int
caps_read(session_t *s, caps_t *caps, pu_change_t *change)
{
    int        code;
    int64_t    now;
    pu_buf_t   b;

    pu_buf_init(&b, caps->text, sizeof(caps->text));

    change->label = pu_str(s->options->values[OPT_LABEL]);

    if (!options_words(s->options, OPT_ROLE, &b, &change->roles)
        || !options_words(s->options, OPT_SCOPE, &b, &change->scopes)
        || !options_words(s->options, OPT_NETWORK, &b, &change->networks)
        || change->roles.len + change->scopes.len + change->networks.len
           + change->label.len > PU_HANDLE_CAPS_MAX)
    {
        return fail(EXIT_USAGE, "--role, --scope, --network and --label have "
                    "more than %d bytes together; leave some out",
                    PU_HANDLE_CAPS_MAX);
    }

    code = expires_read(s, &change->expires_in, &now);

    if (change->expires_in != 0) {
        change->expires_in -= now;
    }

    return code;
}


int
handle_change(session_t *s, pu_change_t *change, const char *what,
    int *changed, int64_t *version, int *again)
{
    int                  code;
    redisReply          *reply;
    pu_change_status_t   status;

    *again = 0;
    code = session_change(s, change, &status, version, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    *changed = (status == PU_CHANGE_DONE);

    if (status != PU_CHANGE_DONE && status != PU_CHANGE_UNCHANGED) {

        if (status == PU_CHANGE_REFUSED
            && pu_str_is(pu_reply_detail(reply), "id"))
        {
            *again = 1;
        }

        code = *again ? EXIT_REFUSED
                      : handle_failed(change, what, status,
                                      pu_reply_detail(reply));
    }

    freeReplyObject(reply);

    return code;
}


static int
handle_failed(const pu_change_t *change, const char *what,
    pu_change_status_t status, pu_str_t detail)
{
    if (status == PU_CHANGE_REFUSED) {
        return handle_refused(change, what, detail);
    }

    if (status == PU_CHANGE_NOT_FOUND && detail.len != 0) {
        return fail(EXIT_REFUSED, "there is no %s of this user; the verb "
                    "\"list\" shows what there is", what);
    }

    if (status == PU_CHANGE_NOT_FOUND) {
        return fail(EXIT_REFUSED, "there is no user %.*s; proxy-user user "
                    "list shows who there is", PU_STR_FMT(change->user));
    }

    return fail(EXIT_REFUSED, "%s cannot be changed: the %.*s in Redis cannot "
                "be read; proxy-user doctor shows what is wrong", what,
                PU_STR_FMT(detail.len ? detail : PU_STR("record")));
}


static int
handle_refused(const pu_change_t *change, const char *what, pu_str_t detail)
{
    size_t  i;

    /* an identity cannot be revoked: it moves only from a deleted user */

    if (pu_str_is(detail, "taken") && change->subject.len != 0) {
        return fail(EXIT_REFUSED, "%s is refused: it stands for another user "
                    "who is not deleted; proxy-user user show "
                    "'sub:%.*s#%.*s' shows who", what,
                    PU_STR_FMT(change->issuer), PU_STR_FMT(change->subject));
    }

    static const struct {
        const char  *detail;
        const char  *sentence;
    } sentences[] = {
        { "deleted", "its user is deleted, and stays so; name another" },
        { "taken", "it stands for another user; revoke it there first" },
        { "handles", "the user has as many as a user can have; make a new "
          "user" },
        { "revoked", "it is revoked; make a new one with create" },
        { "expired", "it has expired; make a new one with create" },
        { NULL, "Redis refuses it; proxy-user doctor may say why" }
    };

    for (i = 0; sentences[i].detail != NULL; i++) {
        if (pu_str_is(detail, sentences[i].detail)) {
            break;
        }
    }

    return fail(EXIT_REFUSED, "%s is refused: %s", what,
                sentences[i].sentence);
}


void
handle_print(const session_t *s, const pu_change_t *change, const char *name,
    const char *id, const char *op, const char *done, int changed,
    int64_t version)
{
    json_t  *object;

    if (s->options->values[OPT_JSON] == NULL) {
        printf("%s %s %s (version %lld)\n", name, id, done,
               (long long) version);
        return;
    }

    object = json_object();

    if (change->user.len != 0) {
        json_object_set_new(object, "user", output_json(change->user));
    }

    json_object_set_new(object, "op", json_string(op));
    json_object_set_new(object, name, json_string(id));
    json_object_set_new(object, "changed", json_boolean(changed));
    json_object_set_new(object, "version", json_integer(version));

    output_json_print(object);
}
