/*
 * pu_memory: what becomes of a refused allocation where a library does not
 * say so.
 *
 * jansson's parser leaves bytes out of a text, or ends the process, when its
 * buffer cannot grow; cjose follows the pointer it did not get.  So while they
 * read there is a block in reserve, from which they get what malloc refuses,
 * and what they have made with its help is thrown away.  Both libraries know
 * one pair of functions for the whole process, and there is one thread: the
 * reserve is the process's, and is opened by one at a time.
 *
 * malloc sets errno to ENOMEM, and nobody on our way sets it back: that is how
 * "no memory" is told from "no good" (OpenSSL says 0 for both).
 */

#ifndef PU_MEMORY_H
#define PU_MEMORY_H

#include <jansson.h>

#include "pu_reason.h"
#include "pu_str.h"


/* The block; 1, or 0 and ENOMEM.  Not to be opened twice. */
int pu_memory_open(size_t size);

/* Was it needed?  Then nothing that was made since may be kept. */
int pu_memory_used(void);

/* Gives it back; leaves ENOMEM in errno if it was needed. */
void pu_memory_close(void);

/* json_loadb; NULL also when memory was short on the way. */
json_t *pu_memory_json(pu_str_t text, size_t flags);

/* From here on a refused allocation will be noticed. */
void pu_memory_watch(void);

/* Was there one? */
int pu_memory_short(void);

/* PU_INTERNAL for a refusal if there was one, else the reason as it is. */
pu_reason_t pu_memory_reason(pu_reason_t reason);


#endif /* PU_MEMORY_H */
