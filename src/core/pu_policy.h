/*
 * pu_policy: (roles, scopes, method) against the lines of one location.
 *
 * Pure: no allocation, no clock, no nginx.  The lines are built when the
 * configuration is read and are constant afterwards.
 */

#ifndef PU_POLICY_H
#define PU_POLICY_H

#include "pu_reason.h"
#include "pu_str.h"


/* Methods as bits; PU_METHOD_OTHER is every word that nginx does not know. */
#define PU_METHOD_OTHER       0x80000000u
#define PU_METHOD_ALL         0xffffffffu

/* for a sentence that says what is allowed */
#define PU_METHOD_WORDS                                                       \
    "GET HEAD POST PUT DELETE PATCH OPTIONS TRACE CONNECT MKCOL COPY MOVE "   \
    "PROPFIND PROPPATCH LOCK UNLOCK"

/*
 * The bit of one of nginx's method words (GET HEAD POST PUT DELETE MKCOL COPY
 * MOVE OPTIONS PROPFIND PROPPATCH LOCK UNLOCK PATCH TRACE CONNECT), else
 * PU_METHOD_OTHER.  Case matters.
 */
uint32_t pu_method(pu_str_t word);

/*
 * What a method word in a line permits: its bit, GET with HEAD; 0 when the
 * word is no method nginx knows.
 */
uint32_t pu_method_permits(pu_str_t word);

/* A word of capitals only (A-Z): must be a method, never a role or scope. */
int pu_word_is_capitals(pu_str_t word);


/* what a holder of a role may use by a line */
typedef struct {
    pu_str_t      role;
    uint32_t      methods;
} pu_permit_t;

typedef struct {
    size_t        n;
    pu_str_t     *words;                /* roles or scopes, as written */
    uint32_t      methods;              /* that it is for, or can permit */
    pu_str_t      where;                /* "file:line" */
    size_t        npermits;             /* a role line's, once its roles' */
    pu_permit_t  *permits;              /* profiles have been looked at */
} pu_rule_t;

typedef struct {
    size_t      nroles;
    pu_rule_t  *roles;                  /* proxy_user_role lines */
    size_t      nscopes;
    pu_rule_t  *scopes;                 /* proxy_user_scope lines */
} pu_policy_t;


/*
 * Reads the words of a proxy_user_role or proxy_user_scope line (without the
 * directive's name) into rule->words, which has room for "n", and
 * rule->methods.  "role" says which check a word must pass.  1, or 0 and
 * a sentence in "err".
 */
int pu_rule_read(pu_rule_t *rule, const pu_str_t *words, size_t n, int role,
    const char *directive, char err[PU_ERROR_SIZE]);

/*
 * Decides (SPEC section 3, step 7): scope lines, then role lines with their
 * permits (pu_rule_permit of pu_profile.h); the first failure.  "roles" and
 * "scopes" are sets.  PU_OK, PU_SCOPE_MISSING,
 * PU_ROLE_MISSING or PU_METHOD_NOT_PERMITTED; *rule is the line that decided
 * (allowed, refused, or would have been needed), or NULL when there is none.
 */
pu_reason_t pu_policy_decide(const pu_policy_t *policy, pu_str_t roles,
    pu_str_t scopes, uint32_t method, const pu_rule_t **rule);

/* Writes the scopes this method needs, as a text of words without doubles. */
void pu_policy_scopes_needed(pu_buf_t *b, const pu_policy_t *policy,
    uint32_t method);


#endif /* PU_POLICY_H */
