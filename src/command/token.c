/*
 * token: is this token good, and if not, why not?
 *
 * The same code as in nginx, with an issuer made from options in place of
 * nginx.conf.  Needs no Redis: it says what the token is worth, not what its
 * user may do.
 */

#define _GNU_SOURCE                     /* memrchr */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command.h"
#include "lines.h"
#include "pu_json.h"
#include "pu_token.h"
#include "token.h"


#define PEM_SIZE_MAX  (64 * 1024)
#define CLAIMS_MAX    (PU_TOKEN_LEN_MAX / 4 * 3)


typedef struct {
    const options_t  *options;
    pu_issuer_t      *issuer;
    pu_str_t          audience[OPT_GIVEN_MAX];
    int64_t           at;               /* or PU_TIME_NONE: now */
    unsigned          refused:1;        /* at least one */
    unsigned          signature_only:1;
    unsigned          json:1;
} check_t;


static int token_check(const options_t *options, const char *const *args);
static int check_init(check_t *check, const options_t *options);
static int check_keys(check_t *check);
static int check_pem(check_t *check, const char *path, char *err);
static int check_decryption(check_t *check);
static void check_warn(void *data, const char *sentence);
static int check_algorithms(check_t *check);
static void check_audience(check_t *check);
static int check_at(check_t *check);
static int check_one(check_t *check, pu_str_t text);
static int check_lines(check_t *check);
static pu_reason_t check_token(check_t *check, pu_str_t text,
    pu_buf_t *claims);
static void check_claims(pu_str_t text, pu_buf_t *claims);
static void check_line(const check_t *check, pu_reason_t reason,
    pu_str_t claims);
static void check_json(pu_reason_t reason, pu_str_t claims);
static void check_people(pu_str_t claims);
static void check_value(pu_buf_t *b, pu_str_t name, pu_str_t raw);


const verb_t  token_verbs[] = {

    { "token", "check", "[TOKEN | -]", 1,
      OPT_BIT(OPT_JWKS) | OPT_BIT(OPT_PEM) | OPT_BIT(OPT_SECRET)
      | OPT_BIT(OPT_DECRYPTION_KEY) | OPT_BIT(OPT_ISSUER)
      | OPT_BIT(OPT_AUDIENCE) | OPT_BIT(OPT_ALGORITHM)
      | OPT_BIT(OPT_SIGNATURE_ONLY) | OPT_BIT(OPT_AT),
      "is a token good, and if not, why not",
      "Prints \"valid\" and the claims, or the reason word that nginx would "
      "log. Exit\ncode: 0 valid, 1 refused. What is not asked for by "
      "--issuer or --audience is\nnot compared; everything else that nginx "
      "checks is checked, with a leeway of\n30 seconds.\n\n"
      "With -, or without a TOKEN, one token a line is read from standard "
      "input and\neach is answered by one line; 0 then means that all were "
      "valid. A token on the\ncommand line can be seen by everybody on this "
      "machine while it is checked.\n\n"
      "Examples:\n"
      "  proxy-user token check --jwks keys.json --issuer "
      "https://idp.example.com \\\n      --audience api - < tokens\n"
      "  proxy-user token check --pem key.pem --algorithm ES256 -- \"$TOKEN\""
      "\n"
      "  proxy-user token check --secret file --signature-only \"$TOKEN\"\n",
      token_check, NULL },

    { "token", "revoke", NULL, 0,
      OPT_BIT(OPT_ISSUER) | OPT_BIT(OPT_JTI) | OPT_BIT(OPT_EXPIRES)
      | OPT_BIT(OPT_REASON),
      "end one token, by its issuer and its jti",
      "Requests with it are answered 401 token_revoked, within a fraction of "
      "a second,\nalso where it was known already. Redis remembers it until "
      "--expires, which should\nbe the token's own exp; else for 30 days. To "
      "end every token of a user there is\n\"user revoke\".\n\n"
      "Examples:\n"
      "  proxy-user token revoke --issuer https://idp.example.com \\\n"
      "      --jti 4f5b2c --expires 1767225600 --reason 'was in a log'\n",
      token_revoke_check, token_revoke },

    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }
};


static int
token_check(const options_t *options, const char *const *args)
{
    int      code;
    check_t  check;

    code = check_init(&check, options);

    if (code == EXIT_DONE) {

        if (args[0] != NULL && strcmp(args[0], "-") != 0) {
            code = check_one(&check, pu_str(args[0]));

        } else {
            code = check_lines(&check);
        }
    }

    pu_issuer_free(check.issuer);

    return code;
}


static int
check_init(check_t *check, const options_t *options)
{
    int   code;
    char  err[PU_ERROR_SIZE];

    memset(check, 0, sizeof(check_t));

    check->options = options;
    check->json = (options->values[OPT_JSON] != NULL);
    check->signature_only = (options->values[OPT_SIGNATURE_ONLY] != NULL);
    check->issuer = pu_issuer_new(PU_STR("options"));

    if (check->issuer == NULL) {
        return fail(EXIT_REFUSED, "there is no memory");
    }

    check->issuer->url = pu_str(options->values[OPT_ISSUER]);
    check->issuer->url_off = (options->values[OPT_ISSUER] == NULL);

    check_audience(check);

    code = check_at(check);

    if (code == EXIT_DONE) {
        code = check_keys(check);
    }

    if (code == EXIT_DONE) {
        code = check_decryption(check);
    }

    if (code == EXIT_DONE) {
        code = check_algorithms(check);
    }

    if (code == EXIT_DONE && !pu_issuer_finish(check->issuer, err)) {
        code = fail(EXIT_USAGE, "--algorithm: %s", err);
    }

    return code;
}


static void
check_audience(check_t *check)
{
    size_t      i;
    pu_list_t  *list;

    list = &check->issuer->audience;
    list->items = check->audience;

    for (i = 0; i < check->options->ngiven; i++) {
        if (check->options->given[i].option == OPT_AUDIENCE) {
            list->items[list->n++] = pu_str(check->options->given[i].value);
        }
    }

    check->issuer->audience_off = (list->n == 0);
}


static int
check_at(check_t *check)
{
    const char  *at;

    at = check->options->values[OPT_AT];
    check->at = PU_TIME_NONE;

    if (at != NULL && (!pu_str_int(pu_str(at), &check->at) || check->at < 0)) {
        return fail(EXIT_USAGE, "\"%s\" is no time for --at: allowed are "
                    "seconds since 1970", at);
    }

    return EXIT_DONE;
}


static int
check_keys(check_t *check)
{
    int                 given;
    char                err[PU_ERROR_SIZE];
    const char         *name;
    pu_issuer_t        *issuer;
    const char *const  *values;

    issuer = check->issuer;
    values = check->options->values;

    given = (values[OPT_JWKS] != NULL) + (values[OPT_PEM] != NULL)
            + (values[OPT_SECRET] != NULL);

    if (given != 1) {
        return fail(EXIT_USAGE, "\"token check\" needs the issuer's key: "
                    "exactly one of --jwks FILE, --pem FILE and --secret "
                    "FILE");
    }

    if (values[OPT_JWKS] != NULL) {
        name = "--jwks";
        issuer->keys = pu_keys_jwks_file(values[OPT_JWKS], check_warn, NULL,
                                         err);

    } else if (values[OPT_SECRET] != NULL) {
        name = "--secret";
        issuer->keys = pu_keys_secret_file(values[OPT_SECRET], err);
        issuer->secret = 1;

    } else {
        name = "--pem";
        (void) check_pem(check, values[OPT_PEM], err);
    }

    if (issuer->keys == NULL) {
        return fail(EXIT_USAGE, "%s: %s", name, err);
    }

    return EXIT_DONE;
}


static int
check_pem(check_t *check, const char *path, char *err)
{
    char      fault[PU_ERROR_SIZE];
    size_t    len;
    uint8_t  *text;

    text = pu_file_read(path, PEM_SIZE_MAX, &len, err);

    if (text == NULL) {
        return 0;
    }

    check->issuer->keys = pu_keys_pem((pu_str_t) { len, text }, fault);

    if (check->issuer->keys == NULL) {
        snprintf(err, PU_ERROR_SIZE, "file \"%.200s\": %.200s", path, fault);
    }

    free(text);

    return check->issuer->keys != NULL;
}


static int
check_decryption(check_t *check)
{
    char         err[PU_ERROR_SIZE];
    const char  *path;

    path = check->options->values[OPT_DECRYPTION_KEY];

    if (path == NULL) {
        return EXIT_DONE;
    }

    check->issuer->decryption = pu_jwe_keys_file(path, err);

    if (check->issuer->decryption == NULL) {
        return fail(EXIT_USAGE, "--decryption-key: %s", err);
    }

    return EXIT_DONE;
}


static void
check_warn(void *data, const char *sentence)
{
    (void) data;

    (void) fail(EXIT_DONE, "--jwks: %s", sentence);
}


/* nginx.conf's default, or what the secret is long enough for. */

static int
check_algorithms(check_t *check)
{
    size_t        i;
    unsigned      algs;
    pu_alg_t      alg;
    const char   *value;

    algs = 0;

    for (i = 0; i < check->options->ngiven; i++) {

        if (check->options->given[i].option != OPT_ALGORITHM) {
            continue;
        }

        value = check->options->given[i].value;
        alg = pu_alg_find(pu_str(value));

        if (alg == PU_ALG_NONE) {
            return fail(EXIT_USAGE, "\"%s\" is no algorithm: allowed are "
                        "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 "
                        "ES512 EdDSA Ed25519, with --secret HS256 HS384 "
                        "HS512", value);
        }

        algs |= PU_ALG_BIT(alg);
    }

    if (algs != 0) {
        check->issuer->algs = algs;

    } else if (check->issuer->secret) {
        check->issuer->algs = check->issuer->keys->keys[0].algs;
    }

    return EXIT_DONE;
}


static int
check_one(check_t *check, pu_str_t text)
{
    uint8_t       room[CLAIMS_MAX];
    pu_buf_t      claims;
    pu_reason_t   reason;

    pu_buf_init(&claims, room, sizeof(room));
    reason = check_token(check, text, &claims);

    if (reason != PU_OK || check->json) {
        check_line(check, reason, pu_buf_written(&claims));

    } else {
        puts("valid");
        check_people(pu_buf_written(&claims));
    }

    return (reason == PU_OK) ? EXIT_DONE : EXIT_REFUSED;
}


static int
check_lines(check_t *check)
{
    size_t        n;
    line_t        line;
    lines_t       lines;
    uint8_t       room[CLAIMS_MAX];
    pu_str_t      text;
    pu_buf_t      claims;
    pu_reason_t   reason;

    lines_init(&lines, PU_TOKEN_LEN_MAX);

    for (n = 0; /* void */ ; n++) {
        line = lines_next(&lines, &text);

        if (line == LINE_END || line == LINE_FAILED || ferror(stdout)) {
            break;
        }

        pu_buf_init(&claims, room, sizeof(room));

        reason = (line == LINE_TOO_LONG) ? PU_TOKEN_TOO_LARGE
                                         : check_token(check, text, &claims);
        check->refused |= (reason != PU_OK);
        check_line(check, reason, pu_buf_written(&claims));
    }

    if (line == LINE_FAILED) {
        return fail(EXIT_REFUSED, "standard input cannot be read: %s",
                    strerror(errno));
    }

    /* an empty variable piped in must not pass for a valid token */

    if (n == 0) {
        return fail(EXIT_REFUSED, "there was no token on standard input");
    }

    return check->refused ? EXIT_REFUSED : EXIT_DONE;
}


static pu_reason_t
check_token(check_t *check, pu_str_t text, pu_buf_t *claims)
{
    int64_t              now;
    pu_token_t           token;
    pu_reason_t          reason;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];

    if (check->signature_only) {
        reason = pu_token_signature(text, check->issuer);

    } else {
        items[0] = check->issuer;
        issuers = (pu_issuers_t) { 1, items, NULL };
        now = (check->at == PU_TIME_NONE) ? (int64_t) time(NULL) : check->at;

        reason = pu_token_verify(&token, text, &issuers, now);

        if (reason == PU_OK && token.hidden) {
            pu_buf_str(claims, token.verified.claims);

        } else if (reason == PU_OK) {
            check_claims(text, claims);
        }

        pu_token_clear(&token);
    }

    return reason;
}


/* As they were written: a parser would make 1.10 of a number 1.1. */

static void
check_claims(pu_str_t text, pu_buf_t *claims)
{
    int64_t         n;
    uint8_t         payload[CLAIMS_MAX];
    pu_str_t        part;
    const uint8_t  *first, *last;

    first = memchr(text.data, '.', text.len);
    last = memrchr(text.data, '.', text.len);

    part.data = first + 1;
    part.len = (size_t) (last - part.data);

    n = pu_base64url_decode(payload, part);

    if (n > 0) {
        pu_json_compact(claims, (pu_str_t) { (size_t) n, payload });
    }
}


static void
check_line(const check_t *check, pu_reason_t reason, pu_str_t claims)
{
    if (check->json) {
        check_json(reason, claims);
        return;
    }

    if (reason != PU_OK) {
        output_text(stdout, pu_reason_word(reason));

    } else {
        fputs("valid", stdout);
    }

    if (claims.len != 0) {
        putchar(' ');
        output_text(stdout, claims);
    }

    putchar('\n');
}


static void
check_json(pu_reason_t reason, pu_str_t claims)
{
    if (reason != PU_OK) {
        printf("{\"valid\":false,\"reason\":\"%.*s\"}\n",
               PU_STR_FMT(pu_reason_word(reason)));
        return;
    }

    fputs("{\"valid\":true", stdout);

    if (claims.len != 0) {
        fputs(",\"claims\":", stdout);
        fwrite(claims.data, 1, claims.len, stdout);
    }

    fputs("}\n", stdout);
}


static void
check_people(pu_str_t claims)
{
    table_t    table;
    uint8_t    room[CLAIMS_MAX + OUTPUT_TIME_SIZE + 4];
    pu_buf_t   b;
    pu_str_t   name, value, shown;

    table_init(&table, 2);

    while (claims.len != 0 && pu_json_raw_next(&claims, &name, &value)) {
        pu_buf_init(&b, room, sizeof(room));
        pu_json_unquote(&b, name);
        shown = pu_buf_written(&b);
        table_add(&table, shown);

        pu_buf_init(&b, room, sizeof(room));
        check_value(&b, name, value);
        table_add(&table, pu_buf_written(&b));
    }

    table_print(&table, stdout);
    table_free(&table);
}


/* A string without its quotes, a date also as people write it. */

static void
check_value(pu_buf_t *b, pu_str_t name, pu_str_t raw)
{
    char     time[OUTPUT_TIME_SIZE];
    int64_t  seconds;

    if (pu_json_unquote(b, raw)) {
        return;
    }

    pu_buf_str(b, raw);

    if ((pu_str_is(name, "\"exp\"") || pu_str_is(name, "\"nbf\"")
         || pu_str_is(name, "\"iat\""))
        && pu_str_int(raw, &seconds))
    {
        output_time(time, seconds);
        pu_buf_text(b, ", ");
        pu_buf_text(b, time);
    }
}
