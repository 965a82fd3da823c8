/*
 * command: the verbs of proxy-user, one table a noun.
 */

#ifndef COMMAND_H
#define COMMAND_H

#include "session.h"


typedef struct {
    const char  *noun;
    const char  *verb;                  /* NULL: the noun alone */
    const char  *args;                  /* "WHO ROLE"; "[X]" may be missing */
    unsigned     nargs;
    uint64_t     options;               /* beside the global ones */
    const char  *what;                  /* one line */
    const char  *more;                  /* explanation and examples */

    /* Looks at the words before a connection is made; may be NULL.  Does it
       all, without Redis, when there is no "run". */
    int        (*check)(const options_t *options, const char *const *args);

    /* Both return an exit code, the sentence printed. */
    int        (*run)(session_t *s, const char *const *args);
} verb_t;


/* Each ends with an entry without a noun. */
extern const verb_t  user_verbs[];
extern const verb_t  key_verbs[];
extern const verb_t  cert_verbs[];
extern const verb_t  scim_token_verbs[];
extern const verb_t  log_verbs[];
extern const verb_t  doctor_verbs[];
extern const verb_t  token_verbs[];


/* Every table, for main and help. */
extern const verb_t *const  command_tables[];

/* Help for everything, a noun (0: there is none such), or a verb. */
void help_all(FILE *out);
int help_noun(FILE *out, const char *noun);
void help_verb(FILE *out, const verb_t *verb);


#endif /* COMMAND_H */
