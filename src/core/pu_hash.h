/*
 * pu_hash: SHA-256 again and again, without a look-up or an allocation each
 * time.
 *
 * OpenSSL 3 finds a digest by name under a lock and makes a context for each
 * use; on the warm path that costs as much as the hashing.  For everything
 * else pu_sha256 of pu_str.h is enough.
 */

#ifndef PU_HASH_H
#define PU_HASH_H

#include "pu_str.h"


typedef struct pu_hash_s  pu_hash_t;

/* NULL when OpenSSL or memory fails. */
pu_hash_t *pu_hash_new(void);

/* NULL is allowed. */
void pu_hash_free(pu_hash_t *hash);

/* As pu_sha256.  Not for two threads at a time. */
int pu_hash_sha256(pu_hash_t *hash, uint8_t out[PU_SHA256_LEN],
    const pu_str_t *parts, size_t n);


#endif /* PU_HASH_H */
