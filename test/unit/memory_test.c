/*
 * JSON is read whole or not at all, whichever allocation is refused meanwhile.
 * A sanitizer has its own malloc: there nothing is refused.
 */

#include <errno.h>

#include "pu_json.h"
#include "pu_memory.h"
#include "unit.h"


static int  refuse_at;                  /* the n-th from now on; 0: none */
static int  refuse_all;                 /* and all that follow */
static int  asked;

#ifndef __SANITIZE_ADDRESS__

extern void *__libc_malloc(size_t size);


void *
malloc(size_t size)
{
    asked++;

    if (refuse_at != 0
        && (asked == refuse_at || (refuse_all && asked > refuse_at)))
    {
        errno = ENOMEM;
        return NULL;
    }

    return __libc_malloc(size);
}

#endif


static json_t *
read_refusing(pu_str_t text, int n, int all)
{
    json_t  *value;

    static const pu_json_limits_t  limits = { 4096, 8, 64 };

    pu_memory_watch();
    asked = 0;
    refuse_all = all;
    refuse_at = n;
    value = pu_json_object(text, &limits);
    refuse_at = 0;

    return value;
}


/* Longer than what the parser begins with: its buffer has to grow. */
static void
no_byte_is_lost(void)
{
    int        n, all;
    json_t    *value;
    pu_str_t   text, sub;

    text = PU_STR("{\"exp\":1795576535.123456,"
                  "\"sub\":\"alice-0123456789-0123456789-0123456789\","
                  "\"roles\":[\"reader\",{\"a\":[true,null,1e22]}]}");

    for (all = 0; all <= 1; all++) {
        n = 0;

        do {
            value = read_refusing(text, ++n, all);

            if (value == NULL) {
                CHECK(pu_memory_short());
                CHECK_INT(pu_memory_reason(PU_TOKEN_PAYLOAD), PU_INTERNAL);
                continue;
            }

            CHECK(pu_json_str(json_object_get(value, "sub"), &sub));
            CHECK_STR(sub, "alice-0123456789-0123456789-0123456789");
            CHECK_INT(json_array_size(json_object_get(value, "roles")), 2);
            json_decref(value);

        } while (value == NULL && n < 1000);

        CHECK(n < 1000);
#ifndef __SANITIZE_ADDRESS__
        CHECK(n > 10);
#endif
    }
}


static void
what_is_no_json_is_not_for_want_of_memory(void)
{
    CHECK(read_refusing(PU_STR("{\"a\":}"), 0, 0) == NULL);
    CHECK(!pu_memory_short());
    CHECK_INT(pu_memory_reason(PU_TOKEN_PAYLOAD), PU_TOKEN_PAYLOAD);
}


static void
who_is_let_in_is_let_in(void)
{
    errno = ENOMEM;
    CHECK_INT(pu_memory_reason(PU_OK), PU_OK);
    CHECK_INT(pu_memory_reason(PU_TOKEN_EXPIRED), PU_INTERNAL);
    pu_memory_watch();
    CHECK_INT(pu_memory_reason(PU_TOKEN_EXPIRED), PU_TOKEN_EXPIRED);
}


/* What libraries take, and give back, is malloc's again after it is closed. */
static void
the_reserve_is_for_what_malloc_refuses(void)
{
#ifndef __SANITIZE_ADDRESS__
    void           *a, *b;
    json_malloc_t   take;
    json_free_t     give;

    CHECK(pu_memory_open(1024));
    json_get_alloc_funcs(&take, &give);

    a = take(100);
    CHECK(a != NULL && !pu_memory_used());

    asked = 0;
    refuse_all = 1;
    refuse_at = 1;
    b = take(100);
    CHECK(b != NULL && pu_memory_used());
    CHECK(take(1024) == NULL);
    CHECK(take((size_t) -1) == NULL);
    CHECK(take((size_t) -20) == NULL);
    refuse_at = 0;

    memset(b, 'x', 100);
    give(b);
    give(a);

    pu_memory_watch();
    pu_memory_close();
    CHECK(pu_memory_short());
#endif
}


static const unit_test_t  tests[] = {
    UNIT(no_byte_is_lost),
    UNIT(what_is_no_json_is_not_for_want_of_memory),
    UNIT(who_is_let_in_is_let_in),
    UNIT(the_reserve_is_for_what_malloc_refuses)
};

UNIT_MAIN(tests)
