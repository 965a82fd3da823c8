/*
 * Who is shown a problem body, by the Accept header (RFC 9110 section 12.5.1).
 */

#include "pu_accept.h"
#include "unit.h"


#define TYPE  "application/json"


static int
accepts(const char *header)
{
    char      *copy;
    int        rc;
    size_t     len;
    pu_str_t   s;

    /* exactly as long as the text: the sanitizer sees a step too far */

    len = strlen(header);
    copy = malloc(len + (len == 0));
    memcpy(copy, header, len);
    s = (pu_str_t) { len, (const uint8_t *) copy };
    rc = pu_accepts(s, PU_STR(TYPE));
    free(copy);

    return rc;
}


static void
all_are(int expected, const char *const *headers)
{
    for ( /* void */ ; *headers != NULL; headers++) {
        unit_check(__FILE__, __LINE__, accepts(*headers) == expected,
                   *headers);
    }
}


static void
a_type_that_is_named_is_accepted(void)
{
    static const char *const  headers[] = {
        TYPE, "APPLICATION/Json", " " TYPE, "\t" TYPE "\t", TYPE " ",
        "text/html," TYPE, "text/html, " TYPE, "text/html \t,\t " TYPE "  ",
        TYPE ",text/html", ",," TYPE, TYPE ";charset=utf-8",
        TYPE " ; charset=utf-8", "text/html;q=0," TYPE,
        TYPE ";q=0, " TYPE, NULL
    };

    all_are(1, headers);
}


static void
a_type_that_is_not_named_is_not(void)
{
    static const char *const  headers[] = {
        "", " ", "\t", ",", ";", "*/*", "application/*", "text/html",
        "application/jso", "application/jsonx", "xapplication/json",
        "application /json", "text/html;" TYPE, "a;b=" TYPE,
        "\"" TYPE "\"", "\v" TYPE, NULL
    };

    all_are(0, headers);
}


static void
a_weight_of_zero_refuses(void)
{
    static const char *const  headers[] = {
        TYPE ";q=0", TYPE ";Q=0", TYPE "; q=0 ", TYPE ";q=0.", TYPE ";q=0.0",
        TYPE ";q=0.000", TYPE ";charset=utf-8;q=0", TYPE ";q=0;charset=utf-8",
        TYPE ";;q=0", TYPE ";q=0;q=1", TYPE ";x;q=0", "*/*;q=1," TYPE ";q=0",
        NULL
    };

    all_are(0, headers);
}


static void
any_other_weight_does_not(void)
{
    static const char *const  headers[] = {
        TYPE ";q=1", TYPE ";q=0.1", TYPE ";q=0.001", TYPE ";q=.5", TYPE ";q=x",
        TYPE ";q=", TYPE ";q", TYPE ";q= 0", TYPE ";p=0", TYPE ";qq=0",
        TYPE ";q:0", TYPE ";q 0", TYPE ";xq=0", TYPE ";q=1;q=0",
        TYPE ";", TYPE ";=0", TYPE ";x=0;q=0.2", NULL
    };

    all_are(1, headers);
}


static const unit_test_t  tests[] = {
    UNIT(a_type_that_is_named_is_accepted),
    UNIT(a_type_that_is_not_named_is_not),
    UNIT(a_weight_of_zero_refuses),
    UNIT(any_other_weight_does_not)
};

UNIT_MAIN(tests)
