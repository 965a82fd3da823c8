/*
 * profiles: the profiles of a few short lines, for tests of what they mean
 * together.
 */

#ifndef PROFILES_H
#define PROFILES_H

#include "pu_profile.h"


#define PROFILES_MAX        12
#define PROFILES_LINES_MAX  8
#define PROFILES_WORDS_MAX  24


typedef struct {
    pu_profiles_t  all;
    pu_profile_t   items[PROFILES_MAX];
    pu_str_t       words[PROFILES_MAX][PROFILES_LINES_MAX]
                        [PROFILES_WORDS_MAX];
    char           text[2048];              /* the words' */
    char           err[PU_ERROR_SIZE];
    char           warned[PU_ERROR_SIZE];   /* the last warning, or "" */
} profiles_t;


/*
 * "a: methods GET; inherit b | b: rate 1r/s": what pu_profiles_finish says of
 * them, with its sentence in profiles->err.  Ends the program when a line is
 * refused by itself.
 */
int profiles(profiles_t *profiles, const char *text);

/* The profile of a role that has one, else the program ends. */
const pu_profile_t *profile(const profiles_t *profiles, const char *role);

/* A line's words into "words", PROFILES_WORDS_MAX at most: how many. */
size_t words_of(pu_str_t *words, const char *line);

/* What the words of methods permit together. */
uint32_t methods_of(const char *words);


#endif /* PROFILES_H */
