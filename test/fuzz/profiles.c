/*
 * profiles: the bytes are profile blocks, "profile ROLE" and its lines, and
 * role lines, "role ROLE ...".  Who inherits what is settled or refused, and
 * nobody holds what no line gives.
 */

#include "fuzz.h"
#include "pu_profile.h"


#define WORDS_MAX     24
#define PROFILES_MAX  (PU_PROFILES_MAX + 2)
#define ROLES_MAX     8


static size_t
words_of(pu_str_t line, pu_str_t *words)
{
    size_t  n;

    for (n = 0; n < WORDS_MAX && pu_word_next(&line, &words[n]); n++) {
        /* void */
    }

    return n;
}


static void
holds_profile(const pu_profiles_t *profiles, const pu_profile_t *profile)
{
    size_t  i;

    FUZZ_HOLDS(pu_role_name(profile->role));
    FUZZ_HOLDS(pu_profile_find(profiles, profile->role) == profile);
    FUZZ_HOLDS(pu_profile_holds(profiles, profile, profile->role));
    FUZZ_HOLDS(profile->ninherits <= PU_INHERIT_MAX);
    FUZZ_HOLDS(profile->rate.n >= 0 && profile->rate.n <= PU_RATE_MAX);
    FUZZ_HOLDS(profile->quota.n >= 0 && profile->quota.n <= PU_QUOTA_MAX);
    FUZZ_HOLDS(profile->concurrency >= 0 && profile->max_grant >= 0);

    for (i = 0; i < profile->ninherits; i++) {
        FUZZ_HOLDS(pu_profile_holds(profiles, profile,
                                    profile->inherits[i]));
    }
}


/* What a line permits is never more than the line itself. */
static void
holds_role_line(const pu_profiles_t *profiles, const pu_str_t *words,
    size_t n)
{
    char           err[PU_ERROR_SIZE];
    size_t         i, room;
    pu_str_t       kept[WORDS_MAX];
    pu_rule_t      rule;
    pu_permit_t   *permits;

    memset(&rule, 0, sizeof(rule));
    rule.words = kept;

    if (!pu_rule_read(&rule, words, n, 1, "proxy_user_role", err)) {
        return;
    }

    room = pu_rule_room(&rule, profiles);
    permits = calloc(room + 1, sizeof(pu_permit_t));
    pu_rule_permit(&rule, profiles, permits);

    FUZZ_HOLDS(rule.npermits <= room);

    for (i = 0; i < rule.npermits; i++) {
        FUZZ_HOLDS((rule.permits[i].methods & ~rule.methods) == 0);
    }

    free(permits);
}


static void
warned(void *data, const char *sentence)
{
    (void) data;
    FUZZ_HOLDS(sentence[0] != '\0' && strlen(sentence) < PU_ERROR_SIZE);
}


static void
holds_profiles(pu_profiles_t *profiles, pu_str_t *roles, size_t nroles)
{
    char      err[PU_ERROR_SIZE];
    size_t    i, n;
    pu_str_t  words[WORDS_MAX];

    if (!pu_profiles_finish(profiles, warned, NULL, err)) {
        FUZZ_HOLDS(err[0] != '\0' && strlen(err) < PU_ERROR_SIZE);
        return;
    }

    for (i = 0; i < profiles->n; i++) {
        holds_profile(profiles, &profiles->items[i]);
    }

    for (i = 0; i < nroles; i++) {
        n = words_of(roles[i], words);
        holds_role_line(profiles, words, n);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             taken;
    char            err[PU_ERROR_SIZE];
    size_t          n, nroles;
    pu_str_t        rest, line, words[WORDS_MAX], roles[ROLES_MAX];
    pu_profile_t   *profile;
    pu_profiles_t   profiles;

    rest = (pu_str_t) { size, data };
    profile = NULL;
    nroles = 0;
    taken = 1;
    profiles = (pu_profiles_t) { 0, calloc(PROFILES_MAX, sizeof(*profile)),
                                 0 };

    /* a line that is refused ends the reading, as it does in nginx */

    while (taken && fuzz_line(&rest, &line)) {
        n = words_of(line, words);

        if (n == 2 && pu_str_is(words[0], "profile")) {

            if (profiles.n < PROFILES_MAX) {
                profile = &profiles.items[profiles.n];
                profile = pu_profile_init(profile, words[1], err) ? profile
                                                                  : NULL;
                profiles.n += (profile != NULL);
            }

        } else if (n != 0 && pu_str_is(words[0], "role")) {

            if (nroles < ROLES_MAX) {
                roles[nroles++] = line;
            }

        } else if (n != 0 && profile != NULL) {
            taken = pu_profile_set(profile, words, n, err);
            FUZZ_HOLDS(taken || (err[0] != '\0'
                                 && strlen(err) < PU_ERROR_SIZE));
        }
    }

    if (taken) {
        holds_profiles(&profiles, roles, nroles);
    }

    free(profiles.items);

    return 0;
}
