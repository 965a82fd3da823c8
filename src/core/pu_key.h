/*
 * pu_key: the text of an API key.
 *
 *   puk_<public id>_<secret><check>
 *
 * The public id is 10 of a-z0-9, the secret 32 random bytes as base64url, the
 * check the first 6 hex digits of the SHA-256 of all before it.  A typo or a
 * made-up key is found by the check alone, without a look-up; Redis knows only
 * the SHA-256 of the whole text.  Not whose key it is nor what it may do:
 * that is its handle's (pu_user.h).
 */

#ifndef PU_KEY_H
#define PU_KEY_H

#include "pu_hash.h"
#include "pu_str.h"


#define PU_KEY_ID_LEN      10
#define PU_KEY_SECRET_LEN  PU_BASE64URL_LEN(32)
#define PU_KEY_CHECK_LEN   6
#define PU_KEY_LEN                                                            \
    (4 + PU_KEY_ID_LEN + 1 + PU_KEY_SECRET_LEN + PU_KEY_CHECK_LEN)


/*
 * A new key, no NUL; whoever has it cleanses it.  1, or 0 when there is no
 * randomness.
 */
int pu_key_new(char key[PU_KEY_LEN]);

/* Is this the public id of a key? */
int pu_key_id_ok(pu_str_t id);

/* The public id in a text that pu_key_digest has taken; points into it. */
pu_str_t pu_key_id(pu_str_t key);

/*
 * What Redis calls the key.  1; 0 when the text has another form or its check
 * does not fit; -1 when OpenSSL has failed.
 */
int pu_key_digest(pu_hash_t *hash, uint8_t digest[PU_SHA256_LEN],
    pu_str_t key);


#endif /* PU_KEY_H */
