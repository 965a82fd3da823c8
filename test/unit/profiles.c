/*
 * profiles: the profiles of a few short lines.
 */

#include <stdio.h>
#include <stdlib.h>

#include "profiles.h"


static void
profiles_wrong(const char *what, const char *why)
{
    fprintf(stderr, "profiles: \"%s\": %s\n", what, why);
    exit(2);
}


static void
profiles_heard(void *data, const char *sentence)
{
    snprintf(data, PU_ERROR_SIZE, "%s", sentence);
}


size_t
words_of(pu_str_t *words, const char *line)
{
    size_t    n;
    pu_str_t  rest;

    rest = pu_str(line);

    for (n = 0; n < PROFILES_WORDS_MAX && pu_word_next(&rest, &words[n]); n++)
    {
        /* void */
    }

    return n;
}


/* Ends the text at the mark; what follows it, or NULL: there is none. */
static char *
profiles_cut(char *text, char mark)
{
    char  *end;

    end = strchr(text, mark);

    if (end == NULL) {
        return NULL;
    }

    *end = '\0';

    return end + 1;
}


static void
profiles_add(profiles_t *profiles, char *block)
{
    char          *line, *next;
    size_t         n, k, count;
    pu_str_t      *words;
    pu_profile_t  *profile;

    n = profiles->all.n++;
    profile = &profiles->items[n];
    line = profiles_cut(block, ':');
    words = profiles->words[n][0];

    if (words_of(words, block) != 1
        || !pu_profile_init(profile, words[0], profiles->err))
    {
        profiles_wrong(block, "no role");
    }

    for (k = 1; line != NULL; line = next, k++) {
        next = profiles_cut(line, ';');
        words = profiles->words[n][k];
        count = words_of(words, line);

        if (count != 0
            && !pu_profile_set(profile, words, count, profiles->err))
        {
            profiles_wrong(line, profiles->err);
        }
    }
}


int
profiles(profiles_t *profiles, const char *text)
{
    char  *block, *next;

    memset(profiles, 0, sizeof(profiles_t));
    snprintf(profiles->text, sizeof(profiles->text), "%s", text);
    profiles->all.items = profiles->items;

    for (block = profiles->text; block != NULL; block = next) {
        next = profiles_cut(block, '|');
        profiles_add(profiles, block);
    }

    return pu_profiles_finish(&profiles->all, profiles_heard,
                              profiles->warned, profiles->err);
}


const pu_profile_t *
profile(const profiles_t *profiles, const char *role)
{
    const pu_profile_t  *profile;

    profile = pu_profile_find(&profiles->all, pu_str(role));

    if (profile == NULL) {
        profiles_wrong(role, "no profile");
    }

    return profile;
}


uint32_t
methods_of(const char *words)
{
    uint32_t  bits;
    pu_str_t  rest, word;

    bits = 0;
    rest = pu_str(words);

    while (pu_word_next(&rest, &word)) {
        bits |= pu_method_permits(word);
    }

    return bits;
}
