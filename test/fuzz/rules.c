/*
 * rules: each line of the bytes is a line of configuration: of an issuer, and
 * a role and a scope rule.  A typo must not become a role.
 */

#include "fuzz.h"
#include "pu_policy.h"


#define WORDS_MAX  16


static size_t
words_of(pu_str_t line, pu_str_t *words)
{
    size_t  n;

    for (n = 0; n < WORDS_MAX && pu_word_next(&line, &words[n]); n++) {
        /* void */
    }

    return n;
}


static void
holds_rule(const pu_str_t *words, size_t n, int role)
{
    char                err[PU_ERROR_SIZE];
    size_t              i;
    pu_str_t            kept[WORDS_MAX];
    pu_rule_t           rule;
    pu_policy_t         policy;
    pu_reason_t         reason;
    const pu_rule_t    *decided;

    memset(&rule, 0, sizeof(rule));
    rule.words = kept;

    if (!pu_rule_read(&rule, words, n, role, "proxy_user_role", err)) {
        FUZZ_HOLDS(err[0] != '\0');
        return;
    }

    FUZZ_HOLDS(rule.n >= 1 && rule.n <= n && rule.methods != 0);

    for (i = 0; i < rule.n; i++) {
        FUZZ_HOLDS(role ? pu_role_name(kept[i]) : pu_scope_token(kept[i]));
        FUZZ_HOLDS(!pu_word_is_capitals(kept[i]));
    }

    memset(&policy, 0, sizeof(policy));

    if (role) {
        policy.nroles = 1;
        policy.roles = &rule;

    } else {
        policy.nscopes = 1;
        policy.scopes = &rule;
    }

    reason = pu_policy_decide(&policy, PU_STR(""), PU_STR(""),
                              pu_method(PU_STR("GET")), &decided);
    FUZZ_HOLDS(reason != PU_OK || (!role && !(rule.methods
                                   & pu_method(PU_STR("GET")))));
}


/* Lines that open a file are left out: the fuzzer is not to roam. */
static void
holds_issuer(pu_issuer_t *issuer, const pu_str_t *words, size_t n)
{
    char    err[PU_ERROR_SIZE];
    size_t  i;

    for (i = 1; i < n; i++) {
        if (pu_issuer_path(words[0], words[i]) < words[i].len) {
            return;
        }
    }

    if (!pu_issuer_set(issuer, words, n, NULL, NULL, err)) {
        FUZZ_HOLDS(err[0] != '\0' && strlen(err) < PU_ERROR_SIZE);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char          err[PU_ERROR_SIZE];
    size_t        n;
    pu_str_t      rest, line, words[WORDS_MAX];
    pu_issuer_t  *issuer;

    rest = (pu_str_t) { size, data };
    issuer = pu_issuer_new(PU_STR("fuzz"));

    while (fuzz_line(&rest, &line)) {
        n = words_of(line, words);

        if (n != 0) {
            holds_rule(words, n, 1);
            holds_rule(words, n, 0);
            holds_issuer(issuer, words, n);
        }
    }

    issuer->keys = pu_keys_jwks(PU_STR("{\"keys\":[]}"), NULL, NULL, err);
    (void) pu_issuer_finish(issuer, err);
    pu_issuer_free(issuer);

    return 0;
}
