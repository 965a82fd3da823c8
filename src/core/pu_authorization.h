/*
 * pu_authorization: the value of a request's Authorization header: is there a
 * token in it, and by which scheme (RFC 6750 section 2.1, RFC 9449 section
 * 7.1)?
 *
 * Where else a token may be, how often, and what it is worth is not known
 * here.
 */

#ifndef PU_AUTHORIZATION_H
#define PU_AUTHORIZATION_H

#include "pu_reason.h"
#include "pu_str.h"


typedef struct {
    pu_str_t  token;            /* in the value */
    unsigned  dpop:1;           /* by that scheme, else by Bearer */
} pu_authorization_t;


/*
 * PU_OK: a token, of at least one byte, none of them a space or a comma.
 * PU_NO_CREDENTIAL: another scheme, or none.  PU_CREDENTIAL_MALFORMED:
 * nothing after the scheme, or a space or a comma in it.  PU_TOKEN_MALFORMED:
 * a tab before the scheme; the token is all of the value.
 */
pu_reason_t pu_authorization_read(pu_authorization_t *authorization,
    pu_str_t value);


#endif /* PU_AUTHORIZATION_H */
