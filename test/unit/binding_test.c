/*
 * What a token may be bound to, and the certificate it names.
 */

#include "pu_binding.h"
#include "unit.h"


#define DIGEST  "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"   /* of "abc" */
#define NOTHING  "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"  /* of "" */


static pu_reason_t
read_cnf(pu_verified_t *verified, const char *text)
{
    json_t       *claims;
    pu_reason_t   reason;

    memset(verified, 0xff, sizeof(pu_verified_t));

    claims = json_loads(text, JSON_ALLOW_NUL, NULL);
    CHECK(claims != NULL);
    reason = pu_binding_read(verified, claims);
    json_decref(claims);

    return reason;
}


static void
a_token_is_bound_to_what_we_can_ask_for(void)
{
    pu_verified_t  verified;

    CHECK_INT(read_cnf(&verified, "{}"), PU_OK);
    CHECK(!verified.bound_cert && !verified.bound_key);

    CHECK_INT(read_cnf(&verified, "{\"cnf\":{\"jkt\":\"" DIGEST "\"}}"),
              PU_OK);
    CHECK(!verified.bound_cert && verified.bound_key);
    CHECK_INT(verified.jkt[0], 0xba);
    CHECK_INT(verified.jkt[31], 0xad);

    CHECK_INT(read_cnf(&verified, "{\"cnf\":{\"x5t#S256\":\"" DIGEST "\"}}"),
              PU_OK);
    CHECK(verified.bound_cert && !verified.bound_key);

    CHECK_INT(read_cnf(&verified, "{\"cnf\":{\"x5t#S256\":\"" DIGEST "\","
                       "\"jkt\":\"" DIGEST "\",\"kid\":\"1\"}}"), PU_OK);
    CHECK(verified.bound_cert && verified.bound_key);
}


static void
any_other_binding_is_refused(void)
{
    size_t         i;
    pu_verified_t  verified;

    static const char *const  claims[] = {
        "{\"cnf\":null}", "{\"cnf\":{}}", "{\"cnf\":[]}", "{\"cnf\":false}",
        "{\"cnf\":\"" DIGEST "\"}", "{\"cnf\":[\"jkt\"]}",
        "{\"cnf\":{\"jkt\":null}}", "{\"cnf\":{\"jkt\":\"\"}}",
        "{\"cnf\":{\"jkt\":1}}", "{\"cnf\":{\"jkt\":[\"" DIGEST "\"]}}",
        "{\"cnf\":{\"jkt\":\"" DIGEST "=\"}}",
        "{\"cnf\":{\"jkt\":\"" DIGEST "A\"}}",
        "{\"cnf\":{\"jkt\":\"" DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST
        DIGEST DIGEST DIGEST DIGEST DIGEST DIGEST "\"}}",

        /* not canonical: stray bits */
        "{\"cnf\":{\"jkt\":\"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa1\"}}",
        "{\"cnf\":{\"jkt\":\"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0\"}}",
        "{\"cnf\":{\"jkt\":\"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa\"}}",
        "{\"cnf\":{\"x5t#S256\":\"\"}}", "{\"cnf\":{\"x5t#S256\":7}}",
        "{\"cnf\":{\"x5t\":\"" DIGEST "\"}}",
        "{\"cnf\":{\"x5t#s256\":\"" DIGEST "\"}}",
        "{\"cnf\":{\"JKT\":\"" DIGEST "\"}}",
        "{\"cnf\":{\"kid\":\"" DIGEST "\"}}",
        "{\"cnf\":{\"jwk\":{\"kty\":\"EC\"}}}",
        "{\"cnf\":{\"jku\":\"https://idp.example/\"}}",

        /* one that is right does not make up for one that is not */
        "{\"cnf\":{\"jkt\":\"" DIGEST "\",\"x5t#S256\":\"x\"}}",
        "{\"cnf\":{\"jkt\":\"x\",\"x5t#S256\":\"" DIGEST "\"}}"
    };

    for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   read_cnf(&verified, claims[i]) == PU_TOKEN_BINDING,
                   claims[i]);
    }
}


static void
the_certificate_is_the_one_that_is_named(void)
{
    pu_verified_t  verified;

    CHECK_INT(read_cnf(&verified, "{}"), PU_OK);
    CHECK_INT(pu_binding_cert(&verified, PU_STR("")), PU_OK);
    CHECK_INT(pu_binding_cert(&verified, PU_STR("abc")), PU_OK);

    CHECK_INT(read_cnf(&verified, "{\"cnf\":{\"x5t#S256\":\"" DIGEST "\"}}"),
              PU_OK);
    CHECK_INT(pu_binding_cert(&verified, PU_STR("abc")), PU_OK);
    CHECK_INT(pu_binding_cert(&verified, PU_STR("abd")), PU_TOKEN_BINDING);
    CHECK_INT(pu_binding_cert(&verified, PU_STR("ab")), PU_TOKEN_BINDING);
    CHECK_INT(pu_binding_cert(&verified, PU_STR("")), PU_TOKEN_BINDING);

    /* no certificate is none, whatever a token names */

    CHECK_INT(read_cnf(&verified, "{\"cnf\":{\"x5t#S256\":\"" NOTHING "\"}}"),
              PU_OK);
    CHECK_INT(pu_binding_cert(&verified, PU_STR("")), PU_TOKEN_BINDING);
}


static const unit_test_t  tests[] = {
    UNIT(a_token_is_bound_to_what_we_can_ask_for),
    UNIT_FOR("B2", any_other_binding_is_refused),
    UNIT_FOR("B1", the_certificate_is_the_one_that_is_named)
};

UNIT_MAIN(tests)
