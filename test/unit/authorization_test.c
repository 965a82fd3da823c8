/*
 * Authorization: which values have a token, by which scheme, and which are
 * no matter of ours.
 */

#include "pu_authorization.h"
#include "unit.h"


/* The value, what is said of it, and the token or NULL. */
typedef struct {
    const char   *value;
    pu_reason_t   reason;
    const char   *token;
    int           dpop;
} case_t;


static void
check_cases(const case_t *cases, size_t n)
{
    size_t               i;
    pu_reason_t          reason;
    pu_authorization_t   a;

    for (i = 0; i < n; i++) {
        reason = pu_authorization_read(&a, pu_str(cases[i].value));

        unit_int(__FILE__, __LINE__, reason, cases[i].reason, cases[i].value);

        if (cases[i].token == NULL) {
            unit_int(__FILE__, __LINE__, (long) a.token.len, 0,
                     cases[i].value);

        } else {
            CHECK_STR(a.token, cases[i].token);
            unit_int(__FILE__, __LINE__, a.dpop, cases[i].dpop,
                     cases[i].value);
        }
    }
}

#define CHECK_CASES(cases)                                                    \
    check_cases(cases, sizeof(cases) / sizeof(cases[0]))


static void
a_token_comes_by_bearer_or_by_dpop(void)
{
    static const case_t  cases[] = {
        { "Bearer a", PU_OK, "a", 0 },
        { "bearer a.b.c", PU_OK, "a.b.c", 0 },
        { "BEARER a~b+c/d==", PU_OK, "a~b+c/d==", 0 },
        { "DPoP a", PU_OK, "a", 1 },
        { "dpop a", PU_OK, "a", 1 },
        { "DPOP a", PU_OK, "a", 1 }
    };

    CHECK_CASES(cases);
}


static void
another_scheme_is_no_credential(void)
{
    static const case_t  cases[] = {
        { "", PU_NO_CREDENTIAL, NULL, 0 },
        { " ", PU_NO_CREDENTIAL, NULL, 0 },
        { "\t", PU_NO_CREDENTIAL, NULL, 0 },
        { "Basic YTpi", PU_NO_CREDENTIAL, NULL, 0 },
        { "Beare a", PU_NO_CREDENTIAL, NULL, 0 },
        { "Bearers a", PU_NO_CREDENTIAL, NULL, 0 },
        { "Bearer,a", PU_NO_CREDENTIAL, NULL, 0 },
        { "Bearer=a", PU_NO_CREDENTIAL, NULL, 0 },
        { "DPo a", PU_NO_CREDENTIAL, NULL, 0 },
        { "DPoPP a", PU_NO_CREDENTIAL, NULL, 0 },
        { " Bearer a", PU_NO_CREDENTIAL, NULL, 0 },
        { "\"Bearer\" a", PU_NO_CREDENTIAL, NULL, 0 },
        { "a.b.c", PU_NO_CREDENTIAL, NULL, 0 },
        { "Token a", PU_NO_CREDENTIAL, NULL, 0 },
        { "Bearer\x0b" "a", PU_NO_CREDENTIAL, NULL, 0 }
    };

    CHECK_CASES(cases);
}


static void
a_scheme_with_no_single_token_is_malformed(void)
{
    static const case_t  cases[] = {
        { "Bearer", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "Bearer ", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "Bearer  a", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "Bearer a ", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "Bearer a b", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "Bearer a, Bearer b", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "Bearer a,b", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "Bearer ,", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "Bearer \t a", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "DPoP", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "DPoP ", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "DPoP a b", PU_CREDENTIAL_MALFORMED, NULL, 0 },
        { "DPoP a,b", PU_CREDENTIAL_MALFORMED, NULL, 0 }
    };

    CHECK_CASES(cases);
}


/* They belong to what follows, where no token has one. */
static void
a_tab_makes_no_other_scheme_and_no_token(void)
{
    static const case_t  cases[] = {
        { "\tBearer a", PU_TOKEN_MALFORMED, "\tBearer a", 0 },
        { "\t\tDPoP a", PU_TOKEN_MALFORMED, "\t\tDPoP a", 1 },
        { "\tBearer", PU_TOKEN_MALFORMED, "\tBearer", 0 },
        { "\tBasic a", PU_NO_CREDENTIAL, NULL, 0 },
        { "Bearer\ta", PU_OK, "\ta", 0 },
        { "Bearer \ta", PU_OK, "\ta", 0 },
        { "Bearer a\t", PU_OK, "a\t", 0 },
        { "Bearer\t", PU_OK, "\t", 0 }
    };

    CHECK_CASES(cases);
}


static void
a_value_has_a_length_and_no_end(void)
{
    pu_authorization_t  a;

    CHECK_INT(pu_authorization_read(&a, (pu_str_t) { 0, NULL }),
              PU_NO_CREDENTIAL);
    CHECK_INT(pu_authorization_read(&a, (pu_str_t) { 8,
                                    (const uint8_t *) "Bearer abc" }), PU_OK);
    CHECK_STR(a.token, "a");
    CHECK_INT(pu_authorization_read(&a, (pu_str_t) { 5,
                                    (const uint8_t *) "Bearer a" }),
              PU_NO_CREDENTIAL);
    CHECK_INT(pu_authorization_read(&a, PU_STR("Bearer a\0b")), PU_OK);
    CHECK_INT(a.token.len, 3);
}


static const unit_test_t  tests[] = {
    UNIT(a_token_comes_by_bearer_or_by_dpop),
    UNIT_FOR("C6", another_scheme_is_no_credential),
    UNIT_FOR("C6", a_scheme_with_no_single_token_is_malformed),
    UNIT_FOR("C6", a_tab_makes_no_other_scheme_and_no_token),
    UNIT(a_value_has_a_length_and_no_end)
};


UNIT_MAIN(tests)
