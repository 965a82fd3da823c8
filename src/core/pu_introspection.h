/*
 * pu_introspection: asking the issuer what a token that is no JWT is worth
 * (RFC 7662): what is sent, and what the answer means.  No network.
 */

#ifndef PU_INTROSPECTION_H
#define PU_INTROSPECTION_H

#include "pu_token.h"


#define PU_INTROSPECTION_MAX  (64 * 1024)       /* of an answer */


/*
 * Is the text no JWT by its form: neither two nor four dots?  What looks like
 * a JWT is judged as one and told to nobody.
 */
int pu_token_opaque(pu_str_t text);

/* RFC 6750 section 2.1, b64token; at most PU_TOKEN_LEN_MAX. */
int pu_token_opaque_ok(pu_str_t text);

/*
 * The form to be sent (section 2.1), and the value of the Authorization header
 * (RFC 6749 section 2.3.1).  "b" has room for PU_INTROSPECTION_FORM(len) or
 * PU_BASIC(len of both); 0 when it has not.
 */
#define PU_INTROSPECTION_FORM(len)  (3 * (len) + 64)
#define PU_BASIC(len)               (4 * (len) + 64)

int pu_introspection_form(pu_buf_t *b, pu_str_t text);
int pu_introspection_basic(pu_buf_t *b, pu_str_t client_id, pu_str_t secret);

/*
 * The body of an answer with status 200.  PU_OK fills "token", which the
 * caller clears in every case; verified.claims is all of the answer.
 * PU_TOKEN_INACTIVE: the issuer says so.  PU_ISSUER_UNAVAILABLE: it has not
 * answered the question.  Anything else is what is wrong with a claim.
 */
pu_reason_t pu_introspection_read(pu_token_t *token, pu_str_t text,
    const pu_issuer_t *issuer, int64_t now);


#endif /* PU_INTROSPECTION_H */
