/*
 * help: what --help prints, from the tables of the verbs.
 */

#include "command.h"


#define HELP_COLUMN  26


static void help_line(FILE *out, const verb_t *verb);
static void help_table(FILE *out, const verb_t *table, const char *noun);


void
help_all(FILE *out)
{
    size_t  i;

    fputs("usage: proxy-user [OPTIONS] NOUN [VERB] ...\n\n"
          "Administers the proxy users of nginx's ngx_proxy_user_module in "
          "Redis.\n\n", out);

    for (i = 0; command_tables[i] != NULL; i++) {
        help_table(out, command_tables[i], NULL);
    }

    fputs("\nWHO is a user id, name:<user_name> or "
          "sub:<issuer>#<subject>.\n\n", out);

    options_print(out, OPT_GLOBAL);

    fputs("\nOptions may stand anywhere, -- ends them. Exit code: 0 done, "
          "1 refused or\nnot found, 2 wrong usage, 3 Redis cannot be reached "
          "or used.\n\n"
          "Examples:\n"
          "  proxy-user user list --state suspended\n"
          "  proxy-user user suspend 'sub:https://idp.example.com#alice' "
          "--reason left\n"
          "  proxy-user --redis rediss://ops@redis.example.com "
          "--password-file pw log\n"
          "  proxy-user user grant --help\n", out);
}


int
help_noun(FILE *out, const char *noun)
{
    size_t         i, found;
    const verb_t  *verb;

    found = 0;

    for (i = 0; command_tables[i] != NULL; i++) {
        for (verb = command_tables[i]; verb->noun != NULL; verb++) {
            found += (strcmp(verb->noun, noun) == 0);
        }
    }

    if (found == 0) {
        return 0;
    }

    fprintf(out, "usage: proxy-user [OPTIONS] %s VERB ...\n\n", noun);

    for (i = 0; command_tables[i] != NULL; i++) {
        help_table(out, command_tables[i], noun);
    }

    fputs("\nWHO is a user id, name:<user_name> or "
          "sub:<issuer>#<subject>.\n\n", out);

    options_print(out, OPT_GLOBAL);

    fprintf(out, "\nEach verb has its own options and examples:\n\n");

    for (i = 0; command_tables[i] != NULL; i++) {
        for (verb = command_tables[i]; verb->noun != NULL; verb++) {
            if (strcmp(verb->noun, noun) == 0) {
                fprintf(out, "  proxy-user %s %s --help\n", noun,
                        verb->verb);
            }
        }
    }

    return 1;
}


static void
help_table(FILE *out, const verb_t *table, const char *noun)
{
    const verb_t  *verb;

    for (verb = table; verb->noun != NULL; verb++) {
        if (noun == NULL || strcmp(verb->noun, noun) == 0) {
            help_line(out, verb);
        }
    }
}


static void
help_line(FILE *out, const verb_t *verb)
{
    int  used, gap;

    used = fprintf(out, "  %s%s%s%s%s", verb->noun, verb->verb ? " " : "",
                   verb->verb ? verb->verb : "", verb->args ? " " : "",
                   verb->args ? verb->args : "");

    gap = (used < HELP_COLUMN) ? HELP_COLUMN - used : 2;

    fprintf(out, "%*s%s\n", gap, "", verb->what);
}


void
help_verb(FILE *out, const verb_t *verb)
{
    fprintf(out, "usage: proxy-user [OPTIONS] %s%s%s%s%s\n\n%s.\n",
            verb->noun, verb->verb ? " " : "", verb->verb ? verb->verb : "",
            verb->args ? " " : "", verb->args ? verb->args : "", verb->what);

    fprintf(out, "%s\n", verb->more);

    options_print(out, verb->options
                       | (verb->run != NULL ? OPT_GLOBAL : OPT_LOCAL));
}
