/*
 * pu_signer: a private key in a PEM file -> a key that signs for us, and what
 * is published of it (RFC 7517, 7638).
 *
 * libjwt signs and never verifies.  A key is judged when it is loaded, by the
 * judge of every other key, and has to sign once then: what libjwt, its version
 * or the key cannot do is found out before a request needs it.  Owns all its
 * memory; the private part is cleansed.
 */

#ifndef PU_SIGNER_H
#define PU_SIGNER_H

#include "pu_keys.h"
#include "pu_str.h"


typedef struct pu_signer_s  pu_signer_t;


/* ES256, RS256 and EdDSA, the words after alg=; PU_ALG_NONE for others. */
pu_alg_t pu_signer_alg(pu_str_t word);

/*
 * Reads PEM text with one unencrypted private key: P-256, RSA of 2048 to 8192
 * bits or Ed25519.  With an "alg" it must be of its type, and must sign;
 * PU_ALG_NONE is for a key that is only published.  NULL and a sentence in
 * "err", which never has a byte of the key; the caller cleanses "text".
 * pu_signer_free.
 */
pu_signer_t *pu_signer_pem(pu_str_t text, pu_alg_t alg,
    char err[PU_ERROR_SIZE]);

/* The same from a file; configuration time only. */
pu_signer_t *pu_signer_file(const char *path, pu_alg_t alg,
    char err[PU_ERROR_SIZE]);

/* NULL is allowed. */
void pu_signer_free(pu_signer_t *signer);

/* The RFC 7638 thumbprint in base64url, PU_DIGEST_TEXT_LEN long. */
pu_str_t pu_signer_kid(const pu_signer_t *signer);

/* The public key as a JWK with kid, use and alg: JSON text. */
pu_str_t pu_signer_jwk(const pu_signer_t *signer);

/*
 * Signs "claims", a JSON object ending in a NUL, as a compact JWS with the
 * header alg, kid and typ JWT, into "out".  1, or 0: no room, no memory, or
 * the library refuses.  Leaves no OpenSSL error behind.
 */
int pu_signer_sign(const pu_signer_t *signer, const char *claims,
    pu_buf_t *out);


#endif /* PU_SIGNER_H */
