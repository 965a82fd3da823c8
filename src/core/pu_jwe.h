/*
 * pu_jwe: one compact JWE (RFC 7516): its form, its header, its plaintext.
 *
 * cjose decrypts, but sees only what has passed the checks of this file: it
 * ends the process on some texts that are no base64url, and reads beyond its
 * buffers when header and key do not fit.  What is in the plaintext is not
 * known here; an encrypted text says nothing of who has written it.
 */

#ifndef PU_JWE_H
#define PU_JWE_H

#include "pu_reason.h"
#include "pu_str.h"


#define PU_JWE_KEYS_MAX       4         /* of one issuer, for a rotation */

typedef struct pu_jwe_keys_s  pu_jwe_keys_t;


/*
 * Private or symmetric keys that open: a JWK, a JWK Set of at most
 * PU_JWE_KEYS_MAX, or one PEM private key (RSA, or EC on P-256, P-384,
 * P-521).  Every key is judged, and has to open what was locked with it; one
 * that fails fails the file.  NULL and a sentence in "err", which never has
 * anything of a key.  The caller cleanses "text".
 */
pu_jwe_keys_t *pu_jwe_keys(pu_str_t text, char err[PU_ERROR_SIZE]);

/* The same from a file; configuration time only. */
pu_jwe_keys_t *pu_jwe_keys_file(const char *path, char err[PU_ERROR_SIZE]);

/* NULL is allowed. */
void pu_jwe_keys_free(pu_jwe_keys_t *keys);

/* What tells these keys from others, without telling them. */
pu_str_t pu_jwe_keys_mark(const pu_jwe_keys_t *keys);

/* Has the text the five parts of a JWE? */
int pu_jwe_form(pu_str_t text);

/*
 * PU_OK and the plaintext, at least one byte, which the caller gives back to
 * pu_jwe_plain_free; or the reason.  After the header there is only one:
 * PU_TOKEN_DECRYPTION.  Leaves no OpenSSL error behind.
 */
pu_reason_t pu_jwe_decrypt(const pu_jwe_keys_t *keys, pu_str_t text,
    pu_str_t *plain);

/* Cleanses and frees; an empty one is allowed. */
void pu_jwe_plain_free(pu_str_t plain);


#endif /* PU_JWE_H */
