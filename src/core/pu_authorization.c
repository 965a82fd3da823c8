/*
 * pu_authorization: the schemes Bearer and DPoP.
 */

#include "pu_authorization.h"


/* RFC 9110 section 11.1: the scheme without regard to case, one space. */
static int
pu_authorization_scheme(pu_str_t value, pu_str_t scheme, pu_str_t *rest)
{
    if (value.len < scheme.len
        || !pu_str_case_eq((pu_str_t) { scheme.len, value.data }, scheme))
    {
        return 0;
    }

    *rest = (pu_str_t) { value.len - scheme.len, value.data + scheme.len };

    if (rest->len != 0 && rest->data[0] == ' ') {
        rest->data++;
        rest->len--;

        return 1;
    }

    /* a tab stays in "rest": no token has one */

    return rest->len == 0 || rest->data[0] == '\t';
}


pu_reason_t
pu_authorization_read(pu_authorization_t *authorization, pu_str_t value)
{
    pu_str_t  text, rest;

    authorization->token = (pu_str_t) { 0, NULL };
    authorization->dpop = 0;

    /* a tab in front, which nginx leaves there, makes it no other scheme */

    text = value;

    while (text.len != 0 && text.data[0] == '\t') {
        text.data++;
        text.len--;
    }

    if (!pu_authorization_scheme(text, PU_STR("Bearer"), &rest)) {

        if (!pu_authorization_scheme(text, PU_STR("DPoP"), &rest)) {
            return PU_NO_CREDENTIAL;
        }

        authorization->dpop = 1;
    }

    if (text.len != value.len) {
        authorization->token = value;
        return PU_TOKEN_MALFORMED;
    }

    if (rest.len == 0
        || memchr(rest.data, ' ', rest.len) != NULL
        || memchr(rest.data, ',', rest.len) != NULL)
    {
        return PU_CREDENTIAL_MALFORMED;
    }

    authorization->token = rest;

    return PU_OK;
}
