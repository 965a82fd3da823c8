/*
 * token revoke: one token is ended, by its issuer and name.
 */

#include <stdio.h>

#include "moment.h"
#include "output.h"
#include "token.h"


static int revoke_expires(session_t *s, int64_t *expires);
static int revoke_done(session_t *s, int changed, pu_str_t until);


int
token_revoke_check(const options_t *options, const char *const *args)
{
    int64_t      seconds;
    const char  *issuer, *jti, *expires;

    (void) args;

    issuer = options->values[OPT_ISSUER];
    jti = options->values[OPT_JTI];
    expires = options->values[OPT_EXPIRES];

    if (issuer == NULL || issuer[0] == '\0' || jti == NULL) {
        return fail(EXIT_USAGE, "\"token revoke\" needs --issuer URL, the "
                    "token's iss, and --jti J, its jti");
    }

    if (expires != NULL && !moment_read(expires, &seconds)) {
        return fail(EXIT_USAGE, "\"%s\" is no time for --expires: allowed "
                    "are seconds since 1970, a date such as "
                    "2026-01-31T12:00:00Z, and a time from now such as 12h",
                    expires);
    }

    return EXIT_DONE;
}


int
token_revoke(session_t *s, const char *const *args)
{
    int                  code;
    char                 text[PU_DIGEST_TEXT_LEN];
    int64_t              version;
    uint8_t              digest[PU_SHA256_LEN];
    redisReply          *reply;
    pu_change_t          change = { .op = PU_CHANGE_TOKEN_REVOKE };
    pu_change_status_t   status;

    (void) args;

    /* a name is hashed as a subject is */

    if (!pu_handle_digest(digest, pu_str(s->options->values[OPT_ISSUER]),
                          pu_str(s->options->values[OPT_JTI])))
    {
        return fail(EXIT_REFUSED, "OpenSSL cannot compute SHA-256 here");
    }

    change.user.data = (const uint8_t *) text;
    change.user.len = pu_base64url_encode(text, digest, PU_SHA256_LEN);

    code = revoke_expires(s, &change.expires);

    if (code == EXIT_DONE) {
        code = session_change(s, &change, &status, &version, &reply);
    }

    if (code != EXIT_DONE) {
        return code;
    }

    if (status == PU_CHANGE_DONE || status == PU_CHANGE_UNCHANGED) {
        code = revoke_done(s, status == PU_CHANGE_DONE,
                           pu_reply_detail(reply));

    } else if (status == PU_CHANGE_REFUSED) {
        code = fail(EXIT_REFUSED, "--expires is in the past: such a token is "
                    "refused as it is");

    } else {
        code = fail(EXIT_REFUSED, "the token cannot be revoked: %s in Redis "
                    "is of another kind; repair it",
                    pu_str_is(pu_reply_detail(reply), "log")
                    ? "the change log" : "what has its name");
    }

    freeReplyObject(reply);

    return code;
}


static int
revoke_expires(session_t *s, int64_t *expires)
{
    int          code;
    int64_t      now, micros;
    const char  *text;

    text = s->options->values[OPT_EXPIRES];
    *expires = 0;

    if (text == NULL) {
        return EXIT_DONE;
    }

    (void) moment_read(text, expires);

    if (*expires > 0) {
        return EXIT_DONE;
    }

    if (*expires == 0) {
        *expires = 1;
        return EXIT_DONE;
    }

    code = session_time(s, &now, &micros);
    *expires = now - *expires;

    return code;
}


static int
revoke_done(session_t *s, int changed, pu_str_t until)
{
    char         time[OUTPUT_TIME_SIZE];
    json_t      *object;
    int64_t      seconds;
    const char  *jti;

    jti = s->options->values[OPT_JTI];
    seconds = 0;

    (void) pu_str_int(until, &seconds);
    output_time(time, seconds);

    if (s->options->values[OPT_JSON] != NULL) {
        object = json_object();

        json_object_set_new(object, "op", json_string("token_revoke"));
        json_object_set_new(object, "issuer",
                        output_json(pu_str(s->options->values[OPT_ISSUER])));
        json_object_set_new(object, "jti", output_json(pu_str(jti)));
        json_object_set_new(object, "changed", json_boolean(changed));
        json_object_set_new(object, "expires", json_integer(seconds));
        output_json_print(object);

        return EXIT_DONE;
    }

    output_text(stdout, pu_str(jti));
    printf(changed ? " is revoked until %s" : " was revoked already, until %s",
           (seconds == 0) ? "for ever" : time);

    if (s->options->values[OPT_EXPIRES] == NULL && changed) {
        fputs(", 30 days from now: --expires was left out", stdout);
    }

    putchar('\n');

    return EXIT_DONE;
}
