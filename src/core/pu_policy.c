/*
 * pu_policy: what a location's lines say of roles, scopes and a method.
 *
 * Reads the words of a line when the configuration is read and decides at
 * request time.  Not the merging of lines, which is nginx's, and not the
 * answer to a refusal.
 */

#include <stdio.h>

#include "pu_policy.h"


#define PU_GET   0x00000002u
#define PU_HEAD  0x00000004u


typedef struct {
    const char  *word;
    uint32_t     bit;
} pu_method_t;


static const pu_method_t  pu_methods[] = {
    { "GET", PU_GET },
    { "HEAD", PU_HEAD },
    { "POST", 0x00000008u },
    { "PUT", 0x00000010u },
    { "DELETE", 0x00000020u },
    { "MKCOL", 0x00000040u },
    { "COPY", 0x00000080u },
    { "MOVE", 0x00000100u },
    { "OPTIONS", 0x00000200u },
    { "PROPFIND", 0x00000400u },
    { "PROPPATCH", 0x00000800u },
    { "LOCK", 0x00001000u },
    { "UNLOCK", 0x00002000u },
    { "PATCH", 0x00004000u },
    { "TRACE", 0x00008000u },
    { "CONNECT", 0x00010000u },
    { NULL, 0 }
};


static int pu_rule_word(pu_rule_t *rule, pu_str_t word, int role,
    const char *directive, char err[PU_ERROR_SIZE]);
static pu_reason_t pu_rule_permits(const pu_rule_t *rule, pu_str_t held,
    uint32_t method);
static int pu_rule_holds_all(const pu_rule_t *rule, pu_str_t held);
static pu_reason_t pu_policy_scopes(const pu_policy_t *policy,
    pu_str_t scopes, uint32_t method, const pu_rule_t **rule);
static pu_reason_t pu_policy_roles(const pu_policy_t *policy, pu_str_t roles,
    uint32_t method, const pu_rule_t **rule);
static int pu_scope_needed_before(const pu_policy_t *policy, uint32_t method,
    size_t line, size_t word);


uint32_t
pu_method(pu_str_t word)
{
    const pu_method_t  *m;

    for (m = pu_methods; m->word != NULL; m++) {
        if (pu_str_is(word, m->word)) {
            return m->bit;
        }
    }

    return PU_METHOD_OTHER;
}


uint32_t
pu_method_permits(pu_str_t word)
{
    uint32_t  bit;

    bit = pu_method(word);

    if (bit == PU_METHOD_OTHER) {
        return 0;
    }

    return (bit == PU_GET) ? PU_GET | PU_HEAD : bit;
}


int
pu_word_is_capitals(pu_str_t word)
{
    size_t  i;

    for (i = 0; i < word.len; i++) {
        if (word.data[i] < 'A' || word.data[i] > 'Z') {
            return 0;
        }
    }

    return word.len != 0;
}


int
pu_rule_read(pu_rule_t *rule, const pu_str_t *words, size_t n, int role,
    const char *directive, char err[PU_ERROR_SIZE])
{
    size_t  i;

    rule->n = 0;
    rule->methods = 0;

    for (i = 0; i < n; i++) {
        if (!pu_rule_word(rule, words[i], role, directive, err)) {
            return 0;
        }
    }

    if (rule->n == 0) {
        snprintf(err, PU_ERROR_SIZE, "\"%s\" names no %s: first one or more "
                 "%ss, then the methods they are for", directive,
                 role ? "role" : "scope", role ? "role" : "scope");
        return 0;
    }

    if (rule->methods == 0) {
        rule->methods = PU_METHOD_ALL;
    }

    return 1;
}


/* Names first; once a method was named only methods may follow. */

static int
pu_rule_word(pu_rule_t *rule, pu_str_t word, int role, const char *directive,
    char err[PU_ERROR_SIZE])
{
    int       len;
    uint32_t  permits;

    /* a sentence has room for so much of a long word */
    len = (word.len > 128) ? 128 : (int) word.len;

    permits = pu_method_permits(word);

    if (permits != 0) {
        rule->methods |= permits;
        return 1;
    }

    if (pu_word_is_capitals(word)) {
        snprintf(err, PU_ERROR_SIZE, "\"%.*s\" in \"%s\" is no method: a word "
                 "of capitals only must be one of " PU_METHOD_WORDS, len,
                 (const char *) word.data, directive);
        return 0;
    }

    if (rule->methods != 0) {
        snprintf(err, PU_ERROR_SIZE, "\"%.*s\" in \"%s\" follows a method: "
                 "%ss come first, then only methods", len,
                 (const char *) word.data, directive,
                 role ? "role" : "scope");
        return 0;
    }

    if (role ? !pu_role_name(word) : !pu_scope_token(word)) {
        snprintf(err, PU_ERROR_SIZE, "\"%.*s\" in \"%s\" is no %s: %s", len,
                 (const char *) word.data, directive,
                 role ? "role name" : "scope",
                 role ? "1 to 64 of A-Za-z0-9_.:/- with at least one "
                        "lower-case letter or digit"
                      : "1 to 255 visible ASCII characters without "
                        "quotation mark and backslash");
        return 0;
    }

    rule->words[rule->n++] = word;

    return 1;
}


pu_reason_t
pu_policy_decide(const pu_policy_t *policy, pu_str_t roles, pu_str_t scopes,
    uint32_t method, const pu_rule_t **rule)
{
    pu_reason_t  reason;

    *rule = NULL;

    reason = pu_policy_scopes(policy, scopes, method, rule);

    if (reason != PU_OK || policy->nroles == 0) {
        return reason;
    }

    return pu_policy_roles(policy, roles, method, rule);
}


/* Every line for this method must hold; *rule is the first that is for it. */

static pu_reason_t
pu_policy_scopes(const pu_policy_t *policy, pu_str_t scopes, uint32_t method,
    const pu_rule_t **rule)
{
    size_t            i;
    const pu_rule_t  *r;

    for (i = 0; i < policy->nscopes; i++) {
        r = &policy->scopes[i];

        if (!(r->methods & method)) {
            continue;
        }

        if (!pu_rule_holds_all(r, scopes)) {
            *rule = r;
            return PU_SCOPE_MISSING;
        }

        if (*rule == NULL) {
            *rule = r;
        }
    }

    return PU_OK;
}


/* One line that is for a role of the caller and for this method allows. */

static pu_reason_t
pu_policy_roles(const pu_policy_t *policy, pu_str_t roles, uint32_t method,
    const pu_rule_t **rule)
{
    size_t            i;
    const pu_rule_t  *r, *named, *needed;

    named = NULL;
    needed = NULL;

    for (i = 0; i < policy->nroles; i++) {
        r = &policy->roles[i];

        switch (pu_rule_permits(r, roles, method)) {

        case PU_OK:
            *rule = r;
            return PU_OK;

        case PU_METHOD_NOT_PERMITTED:
            if (named == NULL) {
                named = r;
            }

            break;

        default:
            if (needed == NULL && (r->methods & method)) {
                needed = r;
            }
        }
    }

    if (named != NULL) {
        *rule = named;
        return PU_METHOD_NOT_PERMITTED;
    }

    *rule = (needed != NULL) ? needed : &policy->roles[0];

    return PU_ROLE_MISSING;
}


static pu_reason_t
pu_rule_permits(const pu_rule_t *rule, pu_str_t held, uint32_t method)
{
    size_t              i;
    pu_reason_t         reason;
    const pu_permit_t  *permit;

    reason = PU_ROLE_MISSING;

    for (i = 0; i < rule->npermits; i++) {
        permit = &rule->permits[i];

        if (!pu_set_has(held, permit->role)) {
            continue;
        }

        if (permit->methods & method) {
            return PU_OK;
        }

        reason = PU_METHOD_NOT_PERMITTED;
    }

    return reason;
}


static int
pu_rule_holds_all(const pu_rule_t *rule, pu_str_t held)
{
    size_t  i;

    for (i = 0; i < rule->n; i++) {
        if (!pu_set_has(held, rule->words[i])) {
            return 0;
        }
    }

    return 1;
}


void
pu_policy_scopes_needed(pu_buf_t *b, const pu_policy_t *policy,
    uint32_t method)
{
    size_t            i, k, space;
    const pu_rule_t  *r;

    space = 0;

    for (i = 0; i < policy->nscopes; i++) {
        r = &policy->scopes[i];

        if (!(r->methods & method)) {
            continue;
        }

        for (k = 0; k < r->n; k++) {

            if (pu_scope_needed_before(policy, method, i, k)) {
                continue;
            }

            if (r->words[k].len + space > (size_t) (b->end - b->pos)) {
                b->full = 1;
                return;
            }

            if (space) {
                pu_buf_char(b, ' ');
            }

            pu_buf_str(b, r->words[k]);
            space = 1;
        }
    }
}


/* Does a word before this one, in the lines for this method, say the same? */

static int
pu_scope_needed_before(const pu_policy_t *policy, uint32_t method,
    size_t line, size_t word)
{
    size_t            i, k;
    const pu_rule_t  *r;

    for (i = 0; i <= line; i++) {
        r = &policy->scopes[i];

        if (!(r->methods & method)) {
            continue;
        }

        for (k = 0; k < ((i == line) ? word : r->n); k++) {
            if (pu_str_eq(r->words[k], policy->scopes[line].words[word])) {
                return 1;
            }
        }
    }

    return 0;
}
