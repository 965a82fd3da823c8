/*
 * options: the words after "proxy-user".
 *
 * Options may stand before or after noun and verb; "--" ends them.  Which
 * ones a verb takes, and what their values mean, the verb says.
 */

#ifndef OPTIONS_H
#define OPTIONS_H

#include "output.h"


#define WORDS_MAX        8              /* noun, verb and arguments */
#define OPT_GIVEN_MAX    64             /* of those that may be repeated */

/* Bits of the options, in the order of the table. */
typedef enum {
    OPT_REDIS = 0,
    OPT_PASSWORD_FILE,
    OPT_CA_FILE,
    OPT_PREFIX,
    OPT_JSON,
    OPT_HELP,
    OPT_STATE,
    OPT_ROLE,
    OPT_LIMIT,
    OPT_FOR,
    OPT_REASON,
    OPT_FOLLOW,
    OPT_USER,
    OPT_SINCE,
    OPT_ACCEPT_STORE,
    OPT_JWKS,
    OPT_PEM,
    OPT_SECRET,
    OPT_DECRYPTION_KEY,
    OPT_ISSUER,
    OPT_AUDIENCE,
    OPT_ALGORITHM,
    OPT_SIGNATURE_ONLY,
    OPT_AT,
    OPT_USER_NAME,
    OPT_EXTERNAL_ID,
    OPT_TYPE,
    OPT_SUBJECT,
    OPT_SCOPE,
    OPT_NETWORK,
    OPT_LABEL,
    OPT_EXPIRES,
    OPT_OVERLAP,
    OPT_JTI,
    OPT_COUNT
} option_t;

#define OPT_BIT(option)  (UINT64_C(1) << (option))
#define OPT_GLOBAL       (OPT_BIT(OPT_STATE) - 1)

/* What of the global ones means something without Redis. */
#define OPT_LOCAL        (OPT_BIT(OPT_JSON) | OPT_BIT(OPT_HELP))

/* Every value counts, not only the last. */
#define OPT_REPEATABLE   (OPT_BIT(OPT_AUDIENCE) | OPT_BIT(OPT_ALGORITHM)      \
                          | OPT_BIT(OPT_ROLE) | OPT_BIT(OPT_SCOPE)            \
                          | OPT_BIT(OPT_NETWORK))

typedef struct {
    option_t     option;
    const char  *value;
} option_given_t;

typedef struct {
    const char  *values[OPT_COUNT];     /* NULL: not given; flags: "" */
    size_t       ngiven;                /* of OPT_REPEATABLE, in their order */
    option_given_t  given[OPT_GIVEN_MAX];
    size_t       n;
    const char  *words[WORDS_MAX];
} options_t;


/* EXIT_DONE, or EXIT_USAGE when the sentence has been printed. */
int options_read(options_t *options, int argc, char **argv);

/* EXIT_DONE when only options of "allowed" (OPT_BITs) are there. */
int options_allowed(const options_t *options, uint64_t allowed,
    const char *verb);

/*
 * The values of a repeatable option, parted by spaces; data NULL when it is
 * not there.  1, or 0 when they do not fit.
 */
int options_words(const options_t *options, option_t option, pu_buf_t *b,
    pu_str_t *words);

/* The lines of --help for these options. */
void options_print(FILE *out, uint64_t set);


#endif /* OPTIONS_H */
