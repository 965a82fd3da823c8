
/*
 * pu_reader: hiredis' reply reader, with bounds.
 *
 * hiredis 1.0 can bound arrays itself.  Before that an array is allocated as
 * announced, so the function that makes it is wrapped.  Since then, arrays may
 * be in arrays without an end, and who frees them is a recursion.
 */

#include <stdlib.h>

#include "pu_compat.h"
#include "pu_reader.h"


struct pu_reader_s {
    redisReader               *reader;
    redisReplyObjectFunctions  functions;
    void                    *(*array)(const redisReadTask *task,
                                      pu_elements_t n);
    size_t                     max_bytes;
    size_t                     max_elements;
};


static void *pu_reader_array(const redisReadTask *task, pu_elements_t n);


pu_reader_t *
pu_reader_new(size_t max_bytes, size_t max_elements)
{
    pu_reader_t  *r;

    r = calloc(1, sizeof(pu_reader_t));
    if (r == NULL) {
        return NULL;
    }

    r->reader = redisReaderCreate();
    if (r->reader == NULL) {
        free(r);
        return NULL;
    }

    r->max_bytes = max_bytes;
    r->max_elements = max_elements;

    r->functions = *r->reader->fn;
    r->array = r->functions.createArray;
    r->functions.createArray = pu_reader_array;

    r->reader->fn = &r->functions;
    r->reader->privdata = r;

    return r;
}


void
pu_reader_free(pu_reader_t *r)
{
    if (r == NULL) {
        return;
    }

    redisReaderFree(r->reader);
    free(r);
}


/* NULL makes hiredis give up with "out of memory", as wanted. */

static void *
pu_reader_array(const redisReadTask *task, pu_elements_t n)
{
    size_t                depth;
    const pu_reader_t    *r = task->privdata;
    const redisReadTask  *in;

    /* an int below zero becomes more than any bound */

    if ((size_t) n > r->max_elements) {
        return NULL;
    }

    depth = 1;

    for (in = task->parent; in != NULL; in = in->parent) {
        depth++;
    }

    if (depth > PU_READER_DEPTH_MAX) {
        return NULL;
    }

    return r->array(task, n);
}


int
pu_reader_feed(pu_reader_t *r, const void *data, size_t len)
{
    if (r->reader->len - r->reader->pos + len > r->max_bytes) {
        return 0;
    }

    return redisReaderFeed(r->reader, data, len) == REDIS_OK;
}


int
pu_reader_next(pu_reader_t *r, redisReply **reply)
{
    void  *p;

    if (redisReaderGetReply(r->reader, &p) != REDIS_OK) {
        return 0;
    }

    *reply = p;

    return 1;
}
