/*
 * pu_binding: what a token is bound to, and whether the caller has it
 * (RFC 7800's claim "cnf").
 *
 * Two bindings are known: the client certificate of the TLS connection (RFC
 * 8705) and the key of a DPoP proof (RFC 9449; the proof itself is pu_dpop's).
 * A token that is bound to anything else can be used by nobody.
 */

#ifndef PU_BINDING_H
#define PU_BINDING_H

#include "pu_token.h"


/*
 * Reads the claim "cnf" into "verified".  PU_OK: it names what can be asked
 * for, or is not there.  PU_TOKEN_BINDING: it names only something else, or
 * in a way that makes no sense.
 */
pu_reason_t pu_binding_read(pu_verified_t *verified, const json_t *claims);

/*
 * Is this certificate, in DER, the one the token is bound to?  Empty: the
 * connection has none.  In constant time.  PU_OK, also for a token that is
 * bound to none, PU_TOKEN_BINDING, or PU_INTERNAL when OpenSSL fails.
 */
pu_reason_t pu_binding_cert(const pu_verified_t *verified, pu_str_t der);


#endif /* PU_BINDING_H */
