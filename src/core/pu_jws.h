/*
 * pu_jws: one compact JWS (RFC 7515): its form, its header, its signature.
 *
 * Knows no issuer and no claim: the payload is bytes.  For pu_token.c, and
 * for whatever else reads a signed text.
 */

#ifndef PU_JWS_H
#define PU_JWS_H

#include <jansson.h>

#include "pu_keys.h"
#include "pu_reason.h"


#define PU_JWS_LEN_MAX        (16 * 1024)
#define PU_JWS_HEADER_MAX     2048      /* decoded */
#define PU_JWS_TRIES_MAX      4         /* keys, for a JWS without kid */


typedef struct {
    pu_str_t       signed_bytes;        /* in the text that was read */
    pu_str_t       payload;             /* decoded, owned */
    pu_str_t       signature;           /* decoded, owned */
    pu_alg_t       alg;                 /* never PU_ALG_NONE when it is read */
    pu_str_t       kid;                 /* data NULL: the header has none */
    const json_t  *typ;                 /* NULL: the header has none */
    json_t        *header;              /* owned; kid and typ point into it */
    void          *memory;              /* owned */
} pu_jws_t;


/*
 * A JOSE header (RFC 7515 section 4) from its part of a compact text;
 * json_decref.  NULL when it is none that is allowed: at most 2 KiB, 32
 * members, depth 8, no name twice.
 */
json_t *pu_jose_header(pu_str_t part);

/* The header's "kid", data NULL when it has none; 1, or 0: not allowed. */
int pu_jose_kid(const json_t *header, pu_str_t *kid);

/*
 * Form and header.  PU_OK, or the reason; the caller clears "jws" in every
 * case.  "text" must outlive it.
 */
pu_reason_t pu_jws_read(pu_jws_t *jws, pu_str_t text);

/*
 * PU_OK and the key that verified it, or PU_TOKEN_KEY_UNKNOWN when there was
 * none to try, or PU_TOKEN_SIGNATURE.
 */
pu_reason_t pu_jws_verify(const pu_jws_t *jws, const pu_keys_t *keys,
    const pu_key_t **key);

/* May be called again. */
void pu_jws_clear(pu_jws_t *jws);


#endif /* PU_JWS_H */
