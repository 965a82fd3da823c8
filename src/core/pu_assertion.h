/*
 * pu_assertion: the signed statement that tells a backend who the proxy user
 * is (a JWT, RFC 7519).
 *
 * What is in it and how long it lives; pu_signer signs.  Knows no cache.
 */

#ifndef PU_ASSERTION_H
#define PU_ASSERTION_H

#include "pu_signer.h"
#include "pu_str.h"


#define PU_ASSERTION_LEN_MAX  12288     /* of the signed text */

/* A limit of its life that there is not. */
#define PU_ASSERTION_ALWAYS   INT64_MAX


/*
 * Roles and scopes are sets.  An empty audience, client or name is left out,
 * and so is a name with control bytes.
 */
typedef struct {
    pu_str_t  issuer;
    pu_str_t  audience;
    pu_str_t  subject;                  /* the user's id */
    pu_str_t  name;
    pu_str_t  roles;
    pu_str_t  scopes;
    pu_str_t  client;
    int64_t   iat;                      /* seconds since 1970 */
    int64_t   exp;
} pu_assertion_t;


/*
 * When an assertion made at "now" ends: after "ttl" seconds, or sooner where
 * one of "n" limits says so.  0 when it would have ended already.
 */
int64_t pu_assertion_exp(int64_t now, int64_t ttl, const int64_t *limits,
    size_t n);

/*
 * May one that was made at "iat" and ends at "exp" be handed out at "now"?
 * Only in the first half of its life, so that a backend always gets one that
 * still lives while it works; and not when the clock was set back.
 */
int pu_assertion_usable(int64_t now, int64_t iat, int64_t exp);

/*
 * Writes the signed text, a new jti in it.  1, or 0: longer than "out" or than
 * PU_ASSERTION_LEN_MAX, or the library fails.
 */
int pu_assertion_sign(const pu_signer_t *signer,
    const pu_assertion_t *assertion, pu_buf_t *out);


#endif /* PU_ASSERTION_H */
