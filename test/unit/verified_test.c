/*
 * verified_test: the edges of what is kept of a verified token, and of the
 * text a claim is read from.
 */

#include <sys/mman.h>

#include "pu_token.h"
#include "unit.h"


static void
texts_of_any_length_that_is_kept_come_back(void)
{
    int             i;
    size_t          len, texts;
    pu_str_t        longest;
    pu_verified_t   verified, back;
    static uint8_t  text[65536], data[262144];

    memset(text, 'x', sizeof(text));
    longest = (pu_str_t) { 65535, text };

    for (i = 0; i < 4; i++) {
        memset(&verified, 0, sizeof(verified));
        texts = (i == 3) ? 0 : 65535;
        *(i == 0 ? &verified.subject
                 : i == 1 ? &verified.roles : &verified.scopes) = longest;
        verified.scopes.len = (i == 2) ? 65535 : 0;

        len = pu_verified_pack(&verified, data, sizeof(data));
        CHECK(len > texts);
        CHECK(pu_verified_unpack(&back, data, len));
        CHECK_INT(back.subject.len + back.roles.len + back.scopes.len, texts);
    }
}


/* The text ends where it says, not where a dot is. */
static void
a_dot_behind_a_token_is_not_its(void)
{
    char        *page, *p;
    uint8_t      out[64];

    static const char  text[] = "a.eyJjIjoxfQ.b.";
    static const char  two[] = "a.eyJjIjoxfQ.";

    CHECK_INT(pu_token_claim((pu_str_t) { sizeof(text) - 2,
                                          (const uint8_t *) text },
                             PU_STR("c"), out), 1);

    /* nothing to read follows the dot */

    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    CHECK(mprotect(page + 4096, 4096, PROT_NONE) == 0);
    p = page + 4096 - (sizeof(two) - 1);
    memcpy(p, two, sizeof(two) - 1);
    CHECK_INT(pu_token_claim((pu_str_t) { sizeof(two) - 2, (uint8_t *) p },
                             PU_STR("c"), out), -1);
    munmap(page, 8192);
}


static const unit_test_t  tests[] = {
    UNIT(texts_of_any_length_that_is_kept_come_back),
    UNIT(a_dot_behind_a_token_is_not_its)
};

UNIT_MAIN(tests)
