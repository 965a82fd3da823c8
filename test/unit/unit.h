/*
 * unit: the smallest frame for a unit test.
 *
 * A test file has functions of checks, a table of them and UNIT_MAIN.  A
 * check that fails prints where and what and goes on, or ends the program
 * when UNIT_FIRST is in its environment; the program exits 1 when any check
 * failed, and also when none ran.
 */

#ifndef UNIT_H
#define UNIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pu_str.h"


typedef struct {
    const char  *name;
    void       (*run)(void);
} unit_test_t;

typedef struct {
    const char  *name;
    unsigned     checks;
    unsigned     failures;
} unit_state_t;

static unit_state_t  unit_state;


static inline void
unit_fail(const char *file, int line, const char *what)
{
    unit_state.failures++;
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, unit_state.name, what);

    if (getenv("UNIT_FIRST") != NULL) {
        _exit(1);
    }
}


static inline void
unit_check(const char *file, int line, int ok, const char *what)
{
    unit_state.checks++;

    if (!ok) {
        unit_fail(file, line, what);
    }
}


static inline void
unit_int(const char *file, int line, long long got, long long expected,
    const char *what)
{
    char  text[512];

    unit_state.checks++;

    if (got != expected) {
        snprintf(text, sizeof(text), "%s is %lld, expected %lld",
                 what, got, expected);
        unit_fail(file, line, text);
    }
}


static inline void
unit_str(const char *file, int line, pu_str_t got, pu_str_t expected,
    const char *what)
{
    char  text[1024];

    unit_state.checks++;

    if (!pu_str_eq(got, expected)) {
        snprintf(text, sizeof(text), "%s is \"%.*s\", expected \"%.*s\"",
                 what, PU_STR_FMT(got), PU_STR_FMT(expected));
        unit_fail(file, line, text);
    }
}


static inline int
unit_run(const char *file, const unit_test_t *tests, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        unit_state.name = tests[i].name;
        tests[i].run();
    }

    printf("%s: %zu tests, %u checks, %u failed\n",
           file, n, unit_state.checks, unit_state.failures);

    return unit_state.failures != 0 || unit_state.checks == 0;
}


#define CHECK(condition)                                                      \
    unit_check(__FILE__, __LINE__, (condition) != 0, #condition)

#define CHECK_INT(got, expected)                                              \
    unit_int(__FILE__, __LINE__, (long long) (got), (long long) (expected),   \
             #got)

#define CHECK_STR(got, expected)                                              \
    unit_str(__FILE__, __LINE__, (got), pu_str(expected), #got)

/* a sentence has these words in it */
#define CHECK_SAYS(sentence, words)                                           \
    unit_check(__FILE__, __LINE__, strstr((sentence), (words)) != NULL,       \
               sentence)

#define UNIT(function)  { #function, function }

/* of what docs/refusals.md has under these numbers */
#define UNIT_FOR(numbers, function)  { numbers ": " #function, function }

#define UNIT_MAIN(tests)                                                      \
    int                                                                       \
    main(void)                                                                \
    {                                                                         \
        return unit_run(__FILE__, tests, sizeof(tests) / sizeof(tests[0]));   \
    }


#endif /* UNIT_H */
