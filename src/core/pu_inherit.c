/*
 * pu_inherit: what the profiles mean together, and for a role line.
 *
 * Works when the configuration is read; at request time only a profile is
 * looked up.
 */

#include <stdio.h>

#include "pu_profile.h"


#define PU_RING_SHOWN  8                /* roles of a ring that are named */


/* one walk over the profiles, depth first */
typedef struct {
    pu_profiles_t      *profiles;
    pu_profile_warn_f   warn;
    void               *data;
    char               *err;
    size_t              depth;
    size_t              path[PU_PROFILES_MAX + 1];
    unsigned char       state[PU_PROFILES_MAX];
} pu_walk_t;

enum { PU_WALK_NEW = 0, PU_WALK_OPEN, PU_WALK_DONE };


static int pu_profiles_sort(pu_profiles_t *profiles, char *err);
static int pu_profile_walk(pu_walk_t *walk, size_t i);
static int pu_profile_ring(pu_walk_t *walk);
static void pu_profile_stranger(pu_walk_t *walk, const pu_profile_t *profile,
    pu_str_t role);
static void pu_profile_take(pu_profile_t *profile,
    const pu_profile_t *inherited);
static uint32_t pu_profile_ceiling(const pu_profile_t *profile);
static void pu_rule_add(pu_rule_t *rule, pu_str_t role, uint32_t methods);


int
pu_profiles_finish(pu_profiles_t *profiles, pu_profile_warn_f warn,
    void *data, char err[PU_ERROR_SIZE])
{
    size_t     i;
    pu_walk_t  walk;

    if (profiles->n > PU_PROFILES_MAX) {
        snprintf(err, PU_ERROR_SIZE, "there are %zu \"proxy_user_profile\" "
                 "blocks, allowed are at most %d", profiles->n,
                 PU_PROFILES_MAX);
        return 0;
    }

    if (!pu_profiles_sort(profiles, err)) {
        return 0;
    }

    memset(&walk, 0, sizeof(pu_walk_t));
    walk.profiles = profiles;
    walk.warn = warn;
    walk.data = data;
    walk.err = err;

    for (i = 0; i < profiles->n; i++) {
        if (!pu_profile_walk(&walk, i)) {
            return 0;
        }

        if (profiles->items[i].max_grant != 0) {
            profiles->max_grant = 1;
        }
    }

    return 1;
}


static int
pu_profiles_sort(pu_profiles_t *profiles, char *err)
{
    int            cmp;
    size_t         i, k;
    pu_profile_t  *items, moved;

    items = profiles->items;

    for (i = 1; i < profiles->n; i++) {
        moved = items[i];

        for (k = i; k > 0; k--) {
            cmp = pu_str_cmp(items[k - 1].role, moved.role);

            if (cmp == 0) {
                snprintf(err, PU_ERROR_SIZE, "\"proxy_user_profile\" has the "
                         "role \"%.*s\", which another one has",
                         PU_STR_FMT(moved.role));
                return 0;
            }

            if (cmp < 0) {
                break;
            }

            items[k] = items[k - 1];
        }

        items[k] = moved;
    }

    return 1;
}


static int
pu_profile_walk(pu_walk_t *walk, size_t i)
{
    size_t               k, n;
    pu_profile_t        *profile;
    const pu_profile_t  *other;

    if (walk->state[i] == PU_WALK_DONE) {
        return 1;
    }

    walk->path[walk->depth++] = i;

    if (walk->state[i] == PU_WALK_OPEN) {
        return pu_profile_ring(walk);
    }

    walk->state[i] = PU_WALK_OPEN;

    profile = &walk->profiles->items[i];
    profile->holds[i / 64] |= (uint64_t) 1 << i % 64;

    for (k = 0; k < profile->ninherits; k++) {
        other = pu_profile_find(walk->profiles, profile->inherits[k]);

        if (other == NULL) {
            pu_profile_stranger(walk, profile, profile->inherits[k]);
            continue;
        }

        n = (size_t) (other - walk->profiles->items);

        if (!pu_profile_walk(walk, n)) {
            return 0;
        }

        pu_profile_take(profile, other);
    }

    /* whatever was taken from has some */

    if (profile->methods == 0) {
        profile->methods = PU_METHOD_ALL;
    }

    walk->state[i] = PU_WALK_DONE;
    walk->depth--;

    return 1;
}


/* The last of the path is also where the ring begins. */

static int
pu_profile_ring(pu_walk_t *walk)
{
    size_t     i, shown;
    pu_buf_t   b;
    char       ring[PU_RING_SHOWN * 72];

    for (i = 0; walk->path[i] != walk->path[walk->depth - 1]; i++) {
        /* void */
    }

    pu_buf_init(&b, ring, sizeof(ring));

    for (shown = 0; i < walk->depth; i++, shown++) {

        if (shown == PU_RING_SHOWN && i + 1 < walk->depth) {
            pu_buf_text(&b, " ...");
            i = walk->depth - 1;
        }

        pu_buf_text(&b, shown ? " -> " : "");
        pu_buf_str(&b, walk->profiles->items[walk->path[i]].role);
    }

    snprintf(walk->err, PU_ERROR_SIZE, "\"inherit\" goes round in a ring: "
             "%.*s", PU_STR_FMT(pu_buf_written(&b)));

    return 0;
}


static void
pu_profile_stranger(pu_walk_t *walk, const pu_profile_t *profile,
    pu_str_t role)
{
    char  sentence[PU_ERROR_SIZE];

    snprintf(sentence, sizeof(sentence), "\"proxy_user_profile %.*s\" "
             "inherits \"%.*s\", which has no profile: its lines count, but "
             "it adds no method", PU_STR_FMT(profile->role),
             PU_STR_FMT(role));

    walk->warn(walk->data, sentence);
}


static void
pu_profile_take(pu_profile_t *profile, const pu_profile_t *inherited)
{
    size_t  i;

    profile->methods |= inherited->methods;

    for (i = 0; i < PU_PROFILES_MAX / 64; i++) {
        profile->holds[i] |= inherited->holds[i];
    }

    if (!(profile->seen & PU_PROFILE_RATE)
        && pu_rate_cmp(&inherited->rate, &profile->rate) > 0)
    {
        profile->rate = inherited->rate;
    }

    if (!(profile->seen & PU_PROFILE_QUOTA)
        && pu_quota_cmp(&inherited->quota, &profile->quota) > 0)
    {
        profile->quota = inherited->quota;
    }

    if (!(profile->seen & PU_PROFILE_CONCURRENCY)
        && inherited->concurrency > profile->concurrency)
    {
        profile->concurrency = inherited->concurrency;
    }

    if (!(profile->seen & PU_PROFILE_MAX_GRANT)
        && inherited->max_grant != 0
        && (profile->max_grant == 0
            || inherited->max_grant < profile->max_grant))
    {
        profile->max_grant = inherited->max_grant;
    }
}


int
pu_rate_cmp(const pu_rate_t *a, const pu_rate_t *b)
{
    int64_t  x, y;

    x = a->n ? a->n * (60 / a->seconds) : 0;
    y = b->n ? b->n * (60 / b->seconds) : 0;

    if (x != y) {
        return (x < y) ? -1 : 1;
    }

    return (a->burst > b->burst) - (a->burst < b->burst);
}


int
pu_quota_cmp(const pu_quota_t *a, const pu_quota_t *b)
{
    int64_t               x, y;
    static const int64_t  a_month[] = { 30 * 24 * 60, 30 * 24, 30, 1 };

    x = a->n * a_month[a->period];
    y = b->n * a_month[b->period];

    return (x > y) - (x < y);
}


const pu_profile_t *
pu_profile_find(const pu_profiles_t *profiles, pu_str_t role)
{
    int     cmp;
    size_t  low, high, middle;

    low = 0;
    high = profiles->n;

    while (low < high) {
        middle = low + (high - low) / 2;
        cmp = pu_str_cmp(profiles->items[middle].role, role);

        if (cmp == 0) {
            return &profiles->items[middle];
        }

        if (cmp < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }

    return NULL;
}


int
pu_profile_holds(const pu_profiles_t *profiles, const pu_profile_t *profile,
    pu_str_t role)
{
    size_t               i, k;
    const pu_profile_t  *held;

    for (i = 0; i < profiles->n; i++) {

        if (!(profile->holds[i / 64] >> i % 64 & 1)) {
            continue;
        }

        held = &profiles->items[i];

        if (pu_str_eq(held->role, role)) {
            return 1;
        }

        for (k = 0; k < held->ninherits; k++) {
            if (pu_str_eq(held->inherits[k], role)) {
                return 1;
            }
        }
    }

    return 0;
}


size_t
pu_rule_room(const pu_rule_t *rule, const pu_profiles_t *profiles)
{
    size_t  i, k, n;

    n = rule->n;

    for (i = 0; i < rule->n; i++) {
        for (k = 0; k < profiles->n; k++) {
            n += pu_profile_holds(profiles, &profiles->items[k],
                                  rule->words[i]);
        }
    }

    return n;
}


void
pu_rule_permit(pu_rule_t *rule, const pu_profiles_t *profiles,
    pu_permit_t *permits)
{
    size_t               i, k;
    uint32_t             methods;
    const pu_profile_t  *profile;

    rule->permits = permits;
    rule->npermits = 0;

    for (i = 0; i < rule->n; i++) {
        methods = rule->methods
                  & pu_profile_ceiling(pu_profile_find(profiles,
                                                       rule->words[i]));
        pu_rule_add(rule, rule->words[i], methods);

        for (k = 0; k < profiles->n; k++) {
            profile = &profiles->items[k];

            if (pu_profile_holds(profiles, profile, rule->words[i])) {
                pu_rule_add(rule, profile->role,
                            methods & pu_profile_ceiling(profile));
            }
        }
    }

    rule->methods = 0;

    for (i = 0; i < rule->npermits; i++) {
        rule->methods |= permits[i].methods;
    }
}


static uint32_t
pu_profile_ceiling(const pu_profile_t *profile)
{
    return (profile != NULL) ? profile->methods : PU_METHOD_ALL;
}


/* A role that a line reaches in two ways has what both permit. */

static void
pu_rule_add(pu_rule_t *rule, pu_str_t role, uint32_t methods)
{
    size_t  i;

    for (i = 0; i < rule->npermits; i++) {
        if (pu_str_eq(rule->permits[i].role, role)) {
            rule->permits[i].methods |= methods;
            return;
        }
    }

    rule->permits[rule->npermits++] = (pu_permit_t) { role, methods };
}
