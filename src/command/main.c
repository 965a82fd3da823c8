/*
 * proxy-user: the administrator's command.
 *
 * Finds the verb and runs it.  What a verb does is in its noun's file.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "command.h"


const verb_t *const  command_tables[] = {
    user_verbs, key_verbs, cert_verbs, log_verbs, token_verbs,
    scim_token_verbs, doctor_verbs, NULL
};


static int main_help(const options_t *options);
static const verb_t *main_find(const options_t *options);
static int main_no_verb(const options_t *options);
static int main_run(const options_t *options, const verb_t *verb);
static void main_name(const verb_t *verb, char *out, size_t size);


int
main(int argc, char **argv)
{
    int            code;
    options_t      options;
    const verb_t  *verb;

    (void) signal(SIGPIPE, SIG_IGN);

    /* half a document must not pass for a whole one */

    json_set_alloc_funcs(output_alloc, free);

    code = options_read(&options, argc, argv);

    if (code != EXIT_DONE) {
        return code;
    }

    if (options.values[OPT_HELP] != NULL) {
        return main_help(&options);
    }

    verb = main_find(&options);

    if (verb == NULL) {
        return main_no_verb(&options);
    }

    return output_end(main_run(&options, verb));
}


static const verb_t *
main_find(const options_t *options)
{
    size_t         i;
    const verb_t  *verb;

    for (i = 0; command_tables[i] != NULL; i++) {
        for (verb = command_tables[i]; verb->noun != NULL; verb++) {

            if (options->n > 0 && strcmp(verb->noun, options->words[0]) == 0
                && (verb->verb == NULL
                    || (options->n > 1
                        && strcmp(verb->verb, options->words[1]) == 0)))
            {
                return verb;
            }
        }
    }

    return NULL;
}


static int
main_help(const options_t *options)
{
    const verb_t  *verb;

    verb = main_find(options);

    if (verb != NULL) {
        help_verb(stdout, verb);

    } else if (options->n == 0) {
        help_all(stdout);

    } else if (options->n != 1 || !help_noun(stdout, options->words[0])) {
        return main_no_verb(options);
    }

    return output_end(EXIT_DONE);
}


static int
main_no_verb(const options_t *options)
{
    char           list[512];
    size_t         i;
    pu_buf_t       b;
    const verb_t  *verb;

    if (options->n == 0) {
        help_all(stderr);
        return EXIT_USAGE;
    }

    pu_buf_init(&b, list, sizeof(list) - 1);

    for (i = 0; command_tables[i] != NULL; i++) {
        for (verb = command_tables[i]; verb->noun != NULL; verb++) {
            if (strcmp(verb->noun, options->words[0]) == 0) {
                pu_buf_char(&b, ' ');
                pu_buf_text(&b, verb->verb);
            }
        }
    }

    *b.pos = '\0';

    if (b.pos == b.start) {
        return fail(EXIT_USAGE, "there is no \"%s\"; proxy-user --help lists "
                    "what there is", options->words[0]);
    }

    if (options->n == 1) {
        return fail(EXIT_USAGE, "\"%s\" needs a verb; allowed are%s",
                    options->words[0], list);
    }

    return fail(EXIT_USAGE, "\"%s\" has no verb \"%s\"; allowed are%s",
                options->words[0], options->words[1], list);
}


static int
main_run(const options_t *options, const verb_t *verb)
{
    int                 code;
    char                name[64];
    size_t              first, n;
    session_t           session;
    const char *const  *args;

    main_name(verb, name, sizeof(name));

    first = (verb->verb == NULL) ? 1 : 2;
    args = options->words + first;
    n = options->n - first;

    if (n > verb->nargs) {
        return fail(EXIT_USAGE, "\"%s\" is one word too many for \"%s\"; "
                    "proxy-user %s --help shows how it is used",
                    args[verb->nargs], name, name);
    }

    if (n < verb->nargs && verb->args[0] != '[') {
        return fail(EXIT_USAGE, "\"%s\" needs %s; proxy-user %s --help shows "
                    "how it is used", name, verb->args, name);
    }

    code = options_allowed(options, verb->options | OPT_GLOBAL, name);

    if (code == EXIT_DONE && verb->check != NULL) {
        code = verb->check(options, args);
    }

    if (code != EXIT_DONE || verb->run == NULL) {
        return code;
    }

    code = session_open(&session, options);

    if (code == EXIT_DONE) {
        code = verb->run(&session, args);
    }

    session_close(&session);

    return code;
}


static void
main_name(const verb_t *verb, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", verb->noun, verb->verb ? " " : "",
             verb->verb ? verb->verb : "");
}
