/*
 * pu_profile: what a role may do at most, in the words of
 * proxy_user_profile role { ... }.
 *
 * Read once while a configuration is read, constant afterwards.  Owns no
 * memory: texts are the caller's words and must live as long.  Enforces no
 * limit and counts nothing.
 *
 * What "inherit" means.  Whoever holds a role counts as a holder of the roles
 * it inherits, of theirs, and so on: in role lines, and with the methods
 * that the inherited role's profile allows.  A setting that a profile does not
 * write itself it has from those it inherits: the most generous rate, quota
 * and concurrency of them, the shortest max_grant.  Methods add up: its own
 * and those of all it inherits.  The roles that are shown, written down and
 * capped stay those that are held.
 */

#ifndef PU_PROFILE_H
#define PU_PROFILE_H

#include "pu_policy.h"
#include "pu_str.h"


#define PU_PROFILES_MAX         256
#define PU_INHERIT_MAX          16      /* roles of one inherit line */
#define PU_RATE_MAX             1000000 /* of N and of burst */
#define PU_QUOTA_MAX            1000000000000
#define PU_CONCURRENCY_MAX      1000000


typedef struct {
    int64_t          n;                 /* requests; 0: no rate */
    int64_t          seconds;           /* in which they are: 1 or 60 */
    int64_t          burst;             /* more that may come at once */
} pu_rate_t;

typedef enum {
    PU_PERIOD_MINUTE = 0,
    PU_PERIOD_HOUR,
    PU_PERIOD_DAY,
    PU_PERIOD_MONTH
} pu_period_t;

typedef struct {
    int64_t          n;                 /* requests; 0: no quota */
    pu_period_t      period;
} pu_quota_t;


/* Bits of "seen": what a profile writes itself. */
#define PU_PROFILE_METHODS      0x01u
#define PU_PROFILE_INHERIT      0x02u
#define PU_PROFILE_RATE         0x04u
#define PU_PROFILE_QUOTA        0x08u
#define PU_PROFILE_CONCURRENCY  0x10u
#define PU_PROFILE_MAX_GRANT    0x20u

/* Once finished, with everything that it inherits. */
typedef struct {
    pu_str_t         role;
    pu_str_t         where;             /* "file:line" */
    uint32_t         methods;           /* the ceiling; PU_METHOD_ALL: none */
    pu_rate_t        rate;
    pu_quota_t       quota;
    int64_t          concurrency;       /* requests at a time; 0: any */
    int64_t          max_grant;         /* seconds; 0: for ever */
    size_t           ninherits;
    pu_str_t         inherits[PU_INHERIT_MAX];
    unsigned         seen;              /* directives met */
    uint64_t         holds[PU_PROFILES_MAX / 64];  /* itself and inherited */
} pu_profile_t;

typedef struct {
    size_t           n;
    pu_profile_t    *items;             /* by role, when finished */
    unsigned         max_grant:1;       /* is there one? */
} pu_profiles_t;

typedef void (*pu_profile_warn_f)(void *data, const char *sentence);


/*
 * A profile that says nothing yet.  "role" must live as long.  1, or 0 and a
 * sentence in "err" when it is no role's name.
 */
int pu_profile_init(pu_profile_t *profile, pu_str_t role,
    char err[PU_ERROR_SIZE]);

/*
 * One directive of the block: words[0] is its name; the words must live as
 * long as the profile.  1, or 0 and a sentence in "err" that names directive,
 * value and what is allowed.
 */
int pu_profile_set(pu_profile_t *profile, const pu_str_t *words, size_t n,
    char err[PU_ERROR_SIZE]);

/*
 * Once all are read: sorts them, and gives each what it inherits.  1, or 0 and
 * a sentence in "err": a role with two profiles, too many, or a ring, which
 * is named.  "warn" hears of an inherited role that has no profile: it is
 * held, and adds no method.
 */
int pu_profiles_finish(pu_profiles_t *profiles, pu_profile_warn_f warn,
    void *data, char err[PU_ERROR_SIZE]);

/* The profile of a role, or NULL.  No allocation; for request time. */
const pu_profile_t *pu_profile_find(const pu_profiles_t *profiles,
    pu_str_t role);

/* Does a holder of this profile's role count as one of "role"? */
int pu_profile_holds(const pu_profiles_t *profiles,
    const pu_profile_t *profile, pu_str_t role);

/*
 * Which is the more generous: negative, 0 or positive as for memcmp.  None
 * is the least.  A month is 30 days here.
 */
int pu_rate_cmp(const pu_rate_t *a, const pu_rate_t *b);
int pu_quota_cmp(const pu_quota_t *a, const pu_quota_t *b);

/* The words "minute", "hour", "day" and "month"; static. */
pu_str_t pu_period_word(pu_period_t period);


/*
 * A role line becomes what it permits to whom: each of its roles, and each
 * role that inherits one of them, with the line's methods as far as the
 * profiles allow.  "permits" has room for as many as pu_rule_room says and
 * lives as long as the rule.
 */
size_t pu_rule_room(const pu_rule_t *rule, const pu_profiles_t *profiles);
void pu_rule_permit(pu_rule_t *rule, const pu_profiles_t *profiles,
    pu_permit_t *permits);


#endif /* PU_PROFILE_H */
