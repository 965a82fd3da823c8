/*
 * pu_discovery: the document in which a provider says where its keys are
 * (OpenID Connect Discovery 1.0 section 4, RFC 8414).
 *
 * Only the issuer and the address of the keys are of use here; nothing else
 * of it is believed.  No network.
 */

#ifndef PU_DISCOVERY_H
#define PU_DISCOVERY_H

#include "pu_str.h"


#define PU_URL_LEN_MAX  2048


/*
 * Writes the address of an issuer's document: its url without one "/" at the
 * end, and the well-known path (section 4.1).
 */
void pu_discovery_url(pu_buf_t *b, pu_str_t issuer);

/*
 * Writes the document's "jwks_uri" into "b", if its "issuer" is ours byte for
 * byte (section 4.3).  1, or 0 and a sentence in "err".
 */
int pu_discovery_read(pu_str_t text, pu_str_t issuer, pu_buf_t *b,
    char err[PU_ERROR_SIZE]);


#endif /* PU_DISCOVERY_H */
