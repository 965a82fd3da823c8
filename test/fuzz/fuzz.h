/*
 * fuzz: what the fuzz targets share.
 *
 * A target is one function over any bytes: LLVMFuzzerTestOneInput, as
 * libFuzzer calls it and as driver.c does where there is none.  It must not
 * crash, leak or hang, and what must hold whatever the bytes are is said by
 * FUZZ_HOLDS.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pu_issuer.h"
#include "pu_str.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


#define FUZZ_HOLDS(condition)                                                 \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,           \
                    __LINE__, #condition);                                    \
            abort();                                                          \
        }                                                                     \
    } while (0)


#define FUZZ_NOW     1700000000
#define FUZZ_SECRET  "0123456789abcdef0123456789abcdef"


/* Does "s" lie within "size" bytes at "data", or is it empty? */
int fuzz_within(pu_str_t s, const void *data, size_t size);

/* The next line of the input, which is cut off "rest"; 1, or 0. */
int fuzz_line(pu_str_t *rest, pu_str_t *line);

/*
 * An issuer with every setting that claims meet, for HS256 under
 * FUZZ_SECRET; made once.
 */
const pu_issuer_t *fuzz_issuer(void);

/* A token of these parts with a signature that holds; free. */
char *fuzz_token(pu_str_t header, pu_str_t payload);


#endif /* FUZZ_H */
