/*
 * pu_reader: hiredis' reply reader, with bounds.
 *
 * A reply is untrusted: an array may announce two thousand million elements.
 * What differs between hiredis versions here stays in pu_reader.c.
 */

#ifndef PU_READER_H
#define PU_READER_H

#include <hiredis/hiredis.h>


/* arrays in arrays; a change log that is read has five */
#define PU_READER_DEPTH_MAX  7


typedef struct pu_reader_s  pu_reader_t;

/*
 * "max_bytes" bounds what one reply may have unread at a time, "max_elements"
 * every array in it, PU_READER_DEPTH_MAX how deep they are.  NULL when memory
 * is gone.
 */
pu_reader_t *pu_reader_new(size_t max_bytes, size_t max_elements);

/* NULL is allowed. */
void pu_reader_free(pu_reader_t *reader);

/* 1, or 0: over "max_bytes" or no memory; the connection is to be closed. */
int pu_reader_feed(pu_reader_t *reader, const void *data, size_t len);

/*
 * The next whole reply, which the caller frees by freeReplyObject.  1 and
 * *reply (NULL: not there yet), or 0: no RESP, or out of bounds.
 */
int pu_reader_next(pu_reader_t *reader, redisReply **reply);


#endif /* PU_READER_H */
