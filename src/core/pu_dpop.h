/*
 * pu_dpop: one DPoP proof (RFC 9449 section 4.3) against the request it came
 * with and the key that the token is bound to.
 *
 * The key in the proof is the caller's choice: it is judged as every other
 * key is, and compared before anything is computed with it.  Whether a proof
 * has been seen before somebody else has to remember; "id" is what by.
 * Server nonces are not given out and so not asked for.
 */

#ifndef PU_DPOP_H
#define PU_DPOP_H

#include "pu_str.h"


#define PU_DPOP_LEN_MAX       8192      /* of a proof */
#define PU_DPOP_PAST          60        /* seconds that it may be old */
#define PU_DPOP_FUTURE        10        /* that it may be early */

/* A proof that was seen must be known for so long: seconds. */
#define PU_DPOP_REMEMBER      (PU_DPOP_PAST + PU_DPOP_FUTURE + 10)

/* The algorithms a proof may be signed by, for a challenge. */
#define PU_DPOP_ALGS                                                          \
    "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA"


typedef struct {
    pu_str_t        method;
    pu_str_t        scheme;             /* http or https */
    pu_str_t        host;               /* without the port */
    unsigned        port;               /* the client's, */
    unsigned        local;              /* and the server's own */
    pu_str_t        path;               /* as it came, without arguments */
    const uint8_t  *token;              /* SHA-256 of the access token */
    const uint8_t  *jkt;                /* thumbprint it is bound to */
    int64_t         now;                /* seconds since 1970 */
} pu_dpop_request_t;

typedef enum {
    PU_DPOP_OK = 0,                     /* if it was not seen before */
    PU_DPOP_INVALID,                    /* the proof is none */
    PU_DPOP_OTHER_KEY,                  /* a good form, of somebody else */
    PU_DPOP_FAILED                      /* memory or OpenSSL */
} pu_dpop_t;

/*
 * Everything but whether it was seen before: PU_DPOP_OK fills "id", and "iat",
 * when the proof was made, in seconds since 1970.  Leaves no OpenSSL error
 * behind.
 */
pu_dpop_t pu_dpop_check(pu_str_t proof, const pu_dpop_request_t *request,
    uint8_t id[PU_SHA256_LEN], int64_t *iat);

/*
 * Is this the url of the request, arguments aside?  Both are normalised (RFC
 * 3986 section 6.2.2 and 6.2.3): case of scheme and host, the default port,
 * percent-encoding that needs none, dot segments, an empty path.  1 or 0.
 */
int pu_dpop_url(pu_str_t url, const pu_dpop_request_t *request);


#endif /* PU_DPOP_H */
