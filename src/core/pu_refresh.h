/*
 * pu_refresh: when the keys of an issuer are asked for over the network.
 *
 * One small record that all workers share; who changes it holds a lock.
 * Pure: no clock, no network, no memory.  Times are milliseconds of one clock
 * that never goes back.
 */

#ifndef PU_REFRESH_H
#define PU_REFRESH_H

#include "pu_str.h"


#define PU_REFRESH_MIN        (5 * 60 * 1000LL)
#define PU_REFRESH_MAX        (24 * 3600 * 1000LL)
#define PU_REFRESH_KEEP       (24 * 3600 * 1000LL)  /* the last good set */
#define PU_REFRESH_KID        (30 * 1000LL)
#define PU_REFRESH_PAUSE      1000LL    /* after a failure, doubled ... */
#define PU_REFRESH_PAUSE_MAX  (30 * 1000LL)         /* ... up to this */
#define PU_REFRESH_GRACE      1000LL    /* for who makes an attempt */


/* All zeros: nothing has been asked for yet. */
typedef struct {
    uint64_t  set;                      /* counts good sets; 0: none yet */
    int64_t   good;                     /* the last one was asked for then */
    int64_t   due;                      /* the next attempt, at the earliest */
    int64_t   kid;                      /* the last one for an unknown kid */
    int64_t   begun;                    /* the attempt under way */
    int64_t   holder;                   /* who makes it; 0: nobody */
    uint64_t  ended;                    /* attempts */
    uint32_t  failed;                   /* attempts in a row */
    uint32_t  kid_asked;                /* "kid" is a time */
} pu_refresh_t;

typedef enum {
    PU_REFRESH_NO = 0,                  /* what is known has to do */
    PU_REFRESH_WAIT,                    /* somebody's attempt is under way */
    PU_REFRESH_YOURS                    /* "holder" is to make one now */
} pu_refresh_say_t;


/*
 * Is it time?  An attempt that did not end within "timeout" and the grace is
 * as if it had never begun: its holder is dead.
 */
pu_refresh_say_t pu_refresh_tick(pu_refresh_t *refresh, int64_t now,
    int64_t timeout, int64_t holder);

/* A token has brought a kid that no key has. */
pu_refresh_say_t pu_refresh_unknown_kid(pu_refresh_t *refresh, int64_t now,
    int64_t timeout, int64_t holder);

/* Is an attempt under way? */
int pu_refresh_busy(const pu_refresh_t *refresh, int64_t now,
    int64_t timeout);

/*
 * The holder's attempt has ended: well ("fresh" as of pu_refresh_fresh;
 * "changed": the set is another than before), or not.  Nothing happens when
 * the attempt is not "holder"'s any more: 0, else 1.
 */
int pu_refresh_good(pu_refresh_t *refresh, int64_t now, int64_t holder,
    int64_t fresh, int changed);
int pu_refresh_bad(pu_refresh_t *refresh, int64_t now, int64_t holder);

/* The holder goes without having an answer. */
void pu_refresh_leave(pu_refresh_t *refresh, int64_t holder);

/* The last good set is lost: it has to be asked for again. */
void pu_refresh_lost(pu_refresh_t *refresh, uint64_t set);

/* May the last good set still be used? */
int pu_refresh_usable(const pu_refresh_t *refresh, int64_t now);

/*
 * For how many seconds a response is fresh (RFC 9111 section 4.2): max-age of
 * its Cache-Control less its Age, 0 with no-store or no-cache, -1 when it does
 * not say.  Several header lines are joined by commas; empty: none.
 */
int64_t pu_refresh_fresh(pu_str_t cache_control, pu_str_t age);


#endif /* PU_REFRESH_H */
