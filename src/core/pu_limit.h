/*
 * pu_limit: the arithmetic of limits: rates, periods of a quota, leases, and
 * what is told of them in headers.
 *
 * Pure: no clock, no memory, no lock.  Who calls brings the time and keeps the
 * state; ngx_proxy_user_zone_limit.c does.
 */

#ifndef PU_LIMIT_H
#define PU_LIMIT_H

#include "pu_profile.h"
#include "pu_str.h"


/* Room for the value of either header of draft-ietf-httpapi-ratelimit. */
#define PU_LIMIT_TEXT_MAX      256


/* What holds for one caller; a member of 0 requests is no limit. */
typedef struct {
    pu_rate_t    rate;
    pu_quota_t   quota;
    int64_t      concurrency;
} pu_limits_t;

/*
 * Of each kind the most generous that a profile of these roles has; a role
 * without one does not lift another role's.  1 when there is any.
 */
int pu_limits_find(pu_limits_t *limits, const pu_profiles_t *profiles,
    pu_str_t roles);


/* What is left of a limit after this request. */
typedef struct {
    uint64_t     remaining;
    int64_t      reset;                 /* s, rounded up, at least 1 */
} pu_left_t;


/*
 * The generic cell rate algorithm.  "now" is milliseconds of a clock that
 * never goes back (but for what one worker has not noticed yet).  A state is
 * zeroed to begin with; one that another rate has left means as many requests
 * of this one.
 *
 * take: 1 and the state moves on; 0 when it is too early, and left->reset says
 * when it will not be.
 * open: would take succeed?
 * spend: moves on in any case, but never further than until the next is due.
 */
typedef struct {
    uint64_t     tat;                   /* ns: when all has been made good */
    uint32_t     period;                /* us from one request to the next */
} pu_rate_state_t;

int pu_rate_take(const pu_rate_t *rate, uint64_t now, pu_rate_state_t *state,
    pu_left_t *left);
int pu_rate_open(const pu_rate_t *rate, uint64_t now,
    const pu_rate_state_t *state, pu_left_t *left);
void pu_rate_spend(const pu_rate_t *rate, uint64_t now,
    pu_rate_state_t *state);


/* The period around "now" (unix seconds, UTC): its first second, its length. */
int64_t pu_period_start(pu_period_t period, int64_t now);
int64_t pu_period_length(pu_period_t period, int64_t start);

/*
 * What one node knows of a user's quota in one period.  "leased" has been
 * added to the counter of all nodes and is this node's to use; "used" is more
 * than that when the counter could not be asked, which is made good with the
 * next lease.
 */
typedef struct {
    int64_t      start;
    int64_t      leased;
    int64_t      used;
    int64_t      total;                 /* the counter, when last heard of */
} pu_quota_state_t;

typedef enum {
    PU_TAKE_OK = 0,
    PU_TAKE_NONE,
    PU_TAKE_ASK                        /* a lease is needed first */
} pu_take_t;

/*
 * "alone": there is no counter, or it cannot be asked: what is known here
 * decides, never PU_TAKE_ASK.  A state is of one kind of period; that of one
 * which is over (a zeroed one too) begins anew.  "left" is filled for TAKEN
 * and EXCEEDED.
 */
pu_take_t pu_quota_take(const pu_quota_t *quota, int64_t now,
    int alone, pu_quota_state_t *state, pu_left_t *left);

/* So many are leased at a time: one in a hundred, 1 to 1000. */
int64_t pu_quota_chunk(const pu_quota_t *quota);

/*
 * The counter has been increased by "debt" (what was used without a lease) and
 * "chunk", and is now "total": how much of the chunk is ours, the rest to be
 * given back; 0 when nothing was left.  Any "total" is allowed.
 */
int64_t pu_quota_granted(const pu_quota_t *quota, int64_t chunk,
    int64_t total);

/* Notes such a lease, unless its period, "start", has ended meanwhile. */
void pu_quota_lease(pu_quota_state_t *state, int64_t start, int64_t debt,
    int64_t granted, int64_t total);


/*
 * The values of RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-
 * headers, sections 3 and 4), into PU_LIMIT_TEXT_MAX bytes.  "now" is unix
 * seconds; "left" is in the order of pu_limit_kind_t, a reset of 0 standing
 * for a limit that was not looked at.
 */
typedef enum {
    PU_LIMIT_RATE = 0,
    PU_LIMIT_QUOTA,
    PU_LIMIT_CONCURRENCY,
    PU_LIMIT_KINDS
} pu_limit_kind_t;

void pu_limits_policy(pu_buf_t *b, const pu_limits_t *limits, int64_t now);
void pu_limits_left(pu_buf_t *b, const pu_left_t left[PU_LIMIT_KINDS]);

/* The same two for the failures of an address. */
void pu_guard_policy(pu_buf_t *b, const pu_rate_t *rate);
void pu_guard_left(pu_buf_t *b, const pu_left_t *left);


#endif /* PU_LIMIT_H */
