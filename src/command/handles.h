/*
 * handles: what the nouns key and cert share: the caps on the command line,
 * one change of a handle, and the list of a user's handles.
 */

#ifndef HANDLES_H
#define HANDLES_H

#include "command.h"


#define HANDLE_EXPIRES_MAX  (100LL * 365 * 24 * 3600)

#define OPT_CAPS  (OPT_BIT(OPT_LABEL) | OPT_BIT(OPT_EXPIRES)                  \
                   | OPT_BIT(OPT_ROLE) | OPT_BIT(OPT_SCOPE)                   \
                   | OPT_BIT(OPT_NETWORK) | OPT_BIT(OPT_REASON))

/* Roles and scopes that were given: EXIT_DONE, or the sentence. */
int words_check(const options_t *options);

/* Is --expires a moment to come, or not there?  Likewise. */
int expires_check(const options_t *options);

/*
 * --expires in seconds since 1970 by Redis's clock, 0 when not there; *now is
 * that clock.
 */
int expires_read(session_t *s, int64_t *expires, int64_t *now);

/* All of OPT_CAPS. */
int caps_check(const options_t *options);

/* --role, --scope, --network, --label and --expires for what is added. */
typedef struct {
    char  text[3 * PU_HANDLE_CAPS_MAX];
} caps_t;

int caps_read(session_t *s, caps_t *caps, pu_change_t *change);


/*
 * The change of one handle; says what went wrong, of "what" ("key
 * abcdefghij").  *again: EXIT_REFUSED and nothing said, since its public id
 * is taken: make another.
 */
int handle_change(session_t *s, pu_change_t *change, const char *what,
    int *changed, int64_t *version, int *again);

/* What was done, for people or as JSON: {"user", "op", "<name>": id, ...}. */
void handle_print(const session_t *s, const pu_change_t *change,
    const char *name, const char *id, const char *op, const char *done,
    int changed, int64_t version);

/* The table or JSON of WHO's handles of this kind. */
int handles_list(session_t *s, const char *who, pu_handle_kind_t kind);


#endif /* HANDLES_H */
