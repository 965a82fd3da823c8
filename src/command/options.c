/*
 * options: reads the command line.
 *
 * One table says each option once: how it is spelt, what it takes, and what
 * --help says of it.
 */

#include "options.h"


#define OPTION_COLUMN  24               /* where the help of one begins */


typedef struct {
    const char  *name;
    const char  *value;                 /* NULL: a flag */
    const char  *help;
} option_text_t;


/* In the order of option_t. */
static const option_text_t  option_texts[] = {
    { "--redis", "URL", "redis://[user@]host[:port][/db], rediss://... with "
      "TLS,\nunix:/path[:db]; default: $PROXY_USER_REDIS, then\n"
      "redis://127.0.0.1:6379/0" },
    { "--password-file", "FILE", "a file that holds Redis's password" },
    { "--ca-file", "FILE", "certificates that may sign a rediss:// "
      "server's;\ndefault: those of the system" },
    { "--prefix", "WORD", "of the Redis keys; default: $PROXY_USER_PREFIX, "
      "then pu" },
    { "--json", NULL, "print JSON" },
    { "--help", NULL, "print this" },
    { "--state", "STATE", "only active, suspended or deleted users" },
    { "--role", "ROLE", "of a list: only users to whom this role is granted "
      "now;\nof what is made: these roles, of a key at most;\nrepeated: all "
      "of them" },
    { "--limit", "N", "at most so many; default: 1000" },
    { "--for", "TIME", "the grant ends by itself after, say, 30m, 8h or 7d" },
    { "--reason", "TEXT", "why; it is kept in the log" },
    { "--follow", NULL, "go on with new entries as they come" },
    { "--user", "WHO", "only entries of this user" },
    { "--since", "TIME", "entries from then on: seconds since 1970, a date "
      "such as\n2026-01-31T12:00:00Z, or how long ago, such as 10m" },
    { "--accept-store", NULL, "let a running nginx take this Redis, whose "
      "data were\nlost or replaced, for the right one" },
    { "--jwks", "FILE", "the issuer's public keys, a JWK Set" },
    { "--pem", "FILE", "its public key or certificate in PEM" },
    { "--secret", "FILE", "the secret it signs with; one line end at the end "
      "of the\nfile is no part of it" },
    { "--decryption-key", "FILE", "the private key that opens encrypted "
      "tokens: a JWK, a\nJWK Set or PEM" },
    { "--issuer", "URL", "what the token's iss is, or must be" },
    { "--audience", "VALUE", "what its aud must have; repeated: one of them" },
    { "--algorithm", "ALG", "what it may be signed by; repeated: one of them;\n"
      "default: as in nginx.conf, with --secret what it is long\nenough "
      "for" },
    { "--signature-only", NULL, "stop after the signature: the payload is not "
      "read, so\n--issuer, --audience and --at say nothing" },
    { "--at", "UNIXTIME", "check as of then, seconds since 1970; default: "
      "now" },
    { "--user-name", "NAME", "the name at the directory, unique, in any case" },
    { "--external-id", "ID", "the directory's own id" },
    { "--type", "TYPE", "human, service or application; default: human" },
    { "--subject", "SUBJECT", "the issuer's name for this user, a token's "
      "sub" },
    { "--scope", "SCOPE", "at most these scopes; repeated: all of them" },
    { "--network", "CIDR", "only from there, such as 10.0.0.0/8; repeated: "
      "any of\nthem" },
    { "--label", "TEXT", "what it is for" },
    { "--expires", "TIME", "when it ends: in, say, 90d, or a date such as\n"
      "2026-01-31T12:00:00Z, or seconds since 1970" },
    { "--overlap", "TIME", "for so long the old key works too; default: 24h" },
    { "--jti", "J", "the token's jti" }
};


static int options_one(options_t *options, const char *word,
    const char *next, int *taken);
static int options_repeated(options_t *options, option_t option,
    const char *value);
static int options_again(const options_t *options, size_t i);
static option_t options_find(const char *word, size_t len);
static void options_list(char *out, size_t size, uint64_t set);


int
options_read(options_t *options, int argc, char **argv)
{
    int  i, ended, taken;

    memset(options, 0, sizeof(options_t));

    ended = 0;

    for (i = 1; i < argc; i++) {

        if (!ended && strcmp(argv[i], "--") == 0) {
            ended = 1;
            continue;
        }

        if (!ended && argv[i][0] == '-' && argv[i][1] != '\0') {

            if (!options_one(options, argv[i], argv[i + 1], &taken)) {
                return EXIT_USAGE;
            }

            i += taken;
            continue;
        }

        if (options->n == WORDS_MAX) {
            return fail(EXIT_USAGE, "\"%s\" is one word too many; "
                        "proxy-user --help lists what there is", argv[i]);
        }

        options->words[options->n++] = argv[i];
    }

    return EXIT_DONE;
}


/* "--name value", "--name=value" or "--flag". */

static int
options_one(options_t *options, const char *word, const char *next,
    int *taken)
{
    size_t       len;
    option_t     option;
    const char  *value;

    if (strcmp(word, "-h") == 0) {
        word = "--help";
    }

    len = strcspn(word, "=");
    option = options_find(word, len);
    *taken = 0;

    if (option == OPT_COUNT) {
        fail(EXIT_USAGE, "there is no option \"%.*s\"; proxy-user --help "
             "lists them, and -- ends them", (int) len, word);
        return 0;
    }

    value = (word[len] == '=') ? word + len + 1 : NULL;

    if (option_texts[option].value == NULL) {

        if (value != NULL) {
            fail(EXIT_USAGE, "%s takes no value", option_texts[option].name);
            return 0;
        }

        options->values[option] = "";
        return 1;
    }

    if (value == NULL) {
        value = next;
        *taken = 1;
    }

    if (value == NULL || (value[0] == '\0' && option != OPT_REASON)) {
        fail(EXIT_USAGE, "%s needs a value: %s %s", option_texts[option].name,
             option_texts[option].name, option_texts[option].value);
        return 0;
    }

    options->values[option] = value;

    return options_repeated(options, option, value);
}


static int
options_repeated(options_t *options, option_t option, const char *value)
{
    option_given_t  *given;

    if (!(OPT_REPEATABLE & OPT_BIT(option))) {
        return 1;
    }

    if (options->ngiven == OPT_GIVEN_MAX) {
        fail(EXIT_USAGE, "%s is there too often: allowed are %d options that "
             "can be repeated", option_texts[option].name, OPT_GIVEN_MAX);
        return 0;
    }

    given = &options->given[options->ngiven++];
    given->option = option;
    given->value = value;

    return 1;
}


static option_t
options_find(const char *word, size_t len)
{
    size_t  i;

    for (i = 0; i < OPT_COUNT; i++) {
        if (strlen(option_texts[i].name) == len
            && memcmp(option_texts[i].name, word, len) == 0)
        {
            break;
        }
    }

    return (option_t) i;
}


/* Was this said before? */

static int
options_again(const options_t *options, size_t i)
{
    size_t  n;

    for (n = 0; n < i; n++) {
        if (options->given[n].option == options->given[i].option
            && strcmp(options->given[n].value, options->given[i].value) == 0)
        {
            return 1;
        }
    }

    return 0;
}


int
options_words(const options_t *options, option_t option, pu_buf_t *b,
    pu_str_t *words)
{
    size_t  i;

    words->data = NULL;
    words->len = 0;

    for (i = 0; i < options->ngiven; i++) {

        if (options->given[i].option != option
            || options_again(options, i))
        {
            continue;
        }

        if (words->data == NULL) {
            words->data = b->pos;

        } else {
            pu_buf_char(b, ' ');
        }

        pu_buf_text(b, options->given[i].value);
    }

    if (words->data != NULL) {
        words->len = (size_t) (b->pos - words->data);
    }

    return !b->full;
}


int
options_allowed(const options_t *options, uint64_t allowed, const char *verb)
{
    char    list[512];
    size_t  i;

    for (i = 0; i < OPT_COUNT; i++) {

        if (options->values[i] == NULL || (allowed & OPT_BIT(i))) {
            continue;
        }

        options_list(list, sizeof(list), allowed);

        return fail(EXIT_USAGE, "%s does not go with \"%s\"; allowed are%s",
                    option_texts[i].name, verb, list);
    }

    return EXIT_DONE;
}


static void
options_list(char *out, size_t size, uint64_t set)
{
    size_t    i;
    pu_buf_t  b;

    pu_buf_init(&b, out, size - 1);

    for (i = 0; i < OPT_COUNT; i++) {
        if (set & OPT_BIT(i)) {
            pu_buf_char(&b, ' ');
            pu_buf_text(&b, option_texts[i].name);
        }
    }

    *b.pos = '\0';
}


void
options_print(FILE *out, uint64_t set)
{
    size_t       i, len;
    const char  *help;

    for (i = 0; i < OPT_COUNT; i++) {

        if (!(set & OPT_BIT(i))) {
            continue;
        }

        fprintf(out, "  %s %-*s", option_texts[i].name,
                (int) (OPTION_COLUMN - 3 - strlen(option_texts[i].name)),
                option_texts[i].value ? option_texts[i].value : "");

        for (help = option_texts[i].help; ; help += len + 1) {
            len = strcspn(help, "\n");
            fprintf(out, "%.*s\n", (int) len, help);

            if (help[len] == '\0') {
                break;
            }

            fprintf(out, "%*s", OPTION_COLUMN, "");
        }
    }
}
