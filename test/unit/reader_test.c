/*
 * Replies of Redis, read within bounds: whole ones as they are, others never.
 */

#define _GNU_SOURCE                     /* RTLD_NEXT */

#include <dlfcn.h>

#include "pu_reader.h"
#include "unit.h"


#define BYTES     64
#define ELEMENTS  3


static int  no_reader;                  /* hiredis has no memory for one */

#ifndef __SANITIZE_ADDRESS__
static int  no_memory;
#endif

#define NO_MEMORY()  no_memory
#include "held.h"


redisReader *
redisReaderCreate(void)
{
    void         *symbol;
    redisReader  *(*real)(void);

    symbol = dlsym(RTLD_NEXT, "redisReaderCreate");
    memcpy(&real, &symbol, sizeof(symbol));

    return no_reader ? NULL : real();
}


static int
feed(pu_reader_t *r, const char *text)
{
    return pu_reader_feed(r, text, strlen(text));
}


static void
a_reply_comes_whole_or_not_yet(void)
{
    redisReply   *reply;
    pu_reader_t  *r;

    r = pu_reader_new(BYTES, ELEMENTS);
    CHECK(r != NULL);

    CHECK(pu_reader_next(r, &reply) && reply == NULL);
    CHECK(feed(r, "*3\r\n$2\r\nab\r\n:7\r\n$"));
    CHECK(pu_reader_next(r, &reply) && reply == NULL);
    CHECK(feed(r, "1\r\nc\r\n+OK\r\n"));

    CHECK(pu_reader_next(r, &reply) && reply != NULL);
    CHECK_INT(reply->type, REDIS_REPLY_ARRAY);
    CHECK_INT(reply->elements, 3);
    CHECK(strcmp(reply->element[0]->str, "ab") == 0);
    CHECK_INT(reply->element[1]->integer, 7);
    CHECK(strcmp(reply->element[2]->str, "c") == 0);
    freeReplyObject(reply);

    CHECK(pu_reader_next(r, &reply) && reply != NULL);
    CHECK_INT(reply->type, REDIS_REPLY_STATUS);
    freeReplyObject(reply);

    CHECK(pu_reader_next(r, &reply) && reply == NULL);
    pu_reader_free(r);
}


static int
read_one(const char *text)
{
    int           ok;
    redisReply   *reply;
    pu_reader_t  *r;

    reply = NULL;
    r = pu_reader_new(BYTES, ELEMENTS);
    CHECK(feed(r, text));
    ok = pu_reader_next(r, &reply);

    if (ok) {
        freeReplyObject(reply);
    }

    pu_reader_free(r);

    return ok;
}


static void
an_array_has_its_bound_before_it_is_made(void)
{
    CHECK(read_one("*0\r\n"));
    CHECK(read_one("*3\r\n:1\r\n:2\r\n:3\r\n"));
    CHECK(read_one("*-1\r\n"));
    CHECK(read_one("*1\r\n*3\r\n:1\r\n:2\r\n:3\r\n"));

    CHECK(!read_one("*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n"));
    CHECK(!read_one("*4\r\n"));
    CHECK(!read_one("*2000000000\r\n"));
    CHECK(!read_one("*1\r\n*4\r\n"));
}


static void
arrays_in_arrays_have_their_bound(void)
{
    CHECK(read_one("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"));
    CHECK(!read_one("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"));
}


static void
what_is_no_reply_is_refused(void)
{
    CHECK(!read_one("hello\r\n"));
    CHECK(!read_one("$x\r\n"));
    CHECK(!read_one("*2\r\n:1\r\n?\r\n"));
}


/* Counted is what was not read yet, with what comes. */
static void
bytes_have_their_bound(void)
{
    int           i;
    char          text[BYTES + 8];
    redisReply   *reply;
    pu_reader_t  *r;

    r = pu_reader_new(BYTES, ELEMENTS);
    memcpy(text, "$57\r\n", 5);
    memset(text + 5, 'x', 57);
    memcpy(text + 62, "\r\n", 2);

    for (i = 0; i < 3; i++) {
        CHECK(pu_reader_feed(r, text, BYTES));
        CHECK(pu_reader_next(r, &reply) && reply != NULL);
        CHECK_INT(reply->len, 57);
        freeReplyObject(reply);
    }

    CHECK(!pu_reader_feed(r, text, BYTES + 1));

    CHECK(pu_reader_feed(r, text, 60));
    CHECK(!pu_reader_feed(r, text + 60, 5));
    CHECK(pu_reader_feed(r, text + 60, 4));
    CHECK(pu_reader_next(r, &reply) && reply != NULL);
    freeReplyObject(reply);
    pu_reader_free(r);
}


/* Also what a reply that never came whole had taken so far. */
static void
a_reader_gives_back_what_it_took(void)
{
    long          before;
    redisReply   *reply;
    pu_reader_t  *r;

    before = held;
    r = pu_reader_new(BYTES, ELEMENTS);
    CHECK(feed(r, "*3\r\n$2\r\nab\r\n:7\r\n$"));
    CHECK(pu_reader_next(r, &reply) && reply == NULL);
    pu_reader_free(r);
    CHECK_INT(held, before);
}


static void
without_memory_there_is_no_reader(void)
{
    long  before;

    before = held;
    no_reader = 1;
    CHECK(pu_reader_new(BYTES, ELEMENTS) == NULL);
    no_reader = 0;
    CHECK_INT(held, before);

#ifndef __SANITIZE_ADDRESS__
    no_memory = 1;
    CHECK(pu_reader_new(BYTES, ELEMENTS) == NULL);
    no_memory = 0;
#endif

    pu_reader_free(NULL);
}


static const unit_test_t  tests[] = {
    UNIT(a_reply_comes_whole_or_not_yet),
    UNIT(an_array_has_its_bound_before_it_is_made),
    UNIT(arrays_in_arrays_have_their_bound),
    UNIT(what_is_no_reply_is_refused),
    UNIT(bytes_have_their_bound),
    UNIT(a_reader_gives_back_what_it_took),
    UNIT(without_memory_there_is_no_reader)
};

UNIT_MAIN(tests)
