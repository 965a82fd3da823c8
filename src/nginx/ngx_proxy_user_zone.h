/*
 * The shared memory: verified tokens, handles, users, "no such user" and
 * tombstones, with the bookkeeping of the change log; and what limits count
 * (ngx_proxy_user_zone_limit.h).
 *
 * Every entry is a chain of small chunks of one arena, so a record of any
 * length fits whatever was there before, and "full" means that the least
 * recently used goes.  Each kind has a budget it may exceed only while nobody
 * else needs the room: random tokens cannot push real users out.
 *
 * Copy in, copy out: no pointer into the zone leaves this file.  Every
 * function takes the lock itself, runs a bounded time under it, allocates
 * nothing, logs nothing and calls nobody back.  A worker killed under the lock
 * leaves a mark; the next one that finds it empties the zone.
 *
 * Times are ngx_current_msec: monotonic, and the same in all processes but for
 * what each has not noticed yet.
 */

#ifndef NGX_PROXY_USER_ZONE_H
#define NGX_PROXY_USER_ZONE_H

#include "ngx_proxy_user.h"
#include "ngx_proxy_user_arena.h"
#include "pu_command.h"


#define NGX_PROXY_USER_RECORD_MAX    PU_USER_RECORD_MAX
#define NGX_PROXY_USER_STORE_MAX     64          /* of a store id */

#define NGX_PROXY_USER_SALT_LEN      16

#define NGX_PROXY_USER_TOKEN_AGE     300000       /* ms */
#define NGX_PROXY_USER_ASKED_AGE     60000        /* of one somebody was asked
                                                     about */
#define NGX_PROXY_USER_REFUSED_AGE   5000         /* the same, if refused */
#define NGX_PROXY_USER_USER_AGE      300000
#define NGX_PROXY_USER_NONE_AGE      5000
#define NGX_PROXY_USER_USED_AGE      60000
#define NGX_PROXY_USER_VIEW_AGE      3000
#define NGX_PROXY_USER_LEASE_AGE     1000


typedef struct {
    ngx_msec_t   since;                 /* last known good in its own right */
    size_t       handle_len;
    size_t       user_len;
    u_char       id[PU_USER_ID_LEN];
    u_char       handle[NGX_PROXY_USER_RECORD_MAX];
    u_char       user[NGX_PROXY_USER_RECORD_MAX];
} ngx_proxy_user_record_t;


/* How long ago that was; a moment that another worker is ahead counts as 0. */

static ngx_inline ngx_msec_t
ngx_proxy_user_zone_age(ngx_msec_t then)
{
    ngx_msec_int_t  age;

    age = (ngx_msec_int_t) (ngx_current_msec - then);

    return age < 0 ? 0 : (ngx_msec_t) age;
}


/*
 * Adds the zone while a configuration is read.  "store" names what the users
 * come from: another name is another zone, so that a reload which changes
 * Redis never meets the old one's users.
 */
ngx_proxy_user_zone_t *ngx_proxy_user_zone_add(ngx_conf_t *cf, size_t size,
    ngx_str_t *store);

/*
 * The name under which a single token may be revoked, and what is known of
 * that.
 */
typedef struct {
    u_char       digest[PU_SHA256_LEN];
    uint64_t     applied;               /* before Redis was asked for it */
    ngx_msec_t   since;                 /* the token was good then */
    unsigned     named:1;               /* the rest means something */
    unsigned     good:1;                /* not revoked, as of now */
} ngx_proxy_user_jti_t;


/*
 * A verified token by the SHA-256 of its text, unless it is older than "age".
 * "data" has room for NGX_PROXY_USER_RECORD_MAX.  NGX_OK, *len and "jti" (not
 * good: it has to be asked for again), or NGX_DECLINED.  put drops quietly
 * what is too long, and what has been revoked since jti->applied.
 */
ngx_int_t ngx_proxy_user_zone_token(ngx_proxy_user_zone_t *zone,
    const u_char *key, ngx_msec_t age, u_char *data, size_t *len,
    ngx_proxy_user_jti_t *jti);
void ngx_proxy_user_zone_put_token(ngx_proxy_user_zone_t *zone,
    const u_char *key, const u_char *data, size_t len,
    const ngx_proxy_user_jti_t *jti);

/*
 * A token that its issuer was asked about at "since", and that is not good:
 * the reason, PU_OK when there is none.  Neither a good nor a bad answer
 * outlives the other.
 */
pu_reason_t ngx_proxy_user_zone_refused(ngx_proxy_user_zone_t *zone,
    const u_char *key);
void ngx_proxy_user_zone_put_refused(ngx_proxy_user_zone_t *zone,
    const u_char *key, pu_reason_t reason, ngx_msec_t since);

/* Is a token of this name known to have been revoked? */
ngx_uint_t ngx_proxy_user_zone_revoked(ngx_proxy_user_zone_t *zone,
    const u_char *digest);

/*
 * Without Redis: is this the first time that this proof is seen?  NGX_OK,
 * NGX_DECLINED, or NGX_BUSY: one like it may have been forgotten already.
 * "now" and "iat", when it says that it was made, are seconds since 1970.
 */
ngx_int_t ngx_proxy_user_zone_once(ngx_proxy_user_zone_t *zone,
    const u_char *digest, time_t now, int64_t iat);

/*
 * 1 for the first call with this key, and then for the first one that comes
 * NGX_PROXY_USER_USED_AGE after the last that was answered so.
 */
ngx_uint_t ngx_proxy_user_zone_used(ngx_proxy_user_zone_t *zone,
    const u_char *key);

/*
 * A handle and its user.  NGX_OK: "record" is filled.  NGX_ABORT: known not
 * to be there.  NGX_DECLINED: not known.
 */
ngx_int_t ngx_proxy_user_zone_user(ngx_proxy_user_zone_t *zone,
    const u_char *key, ngx_proxy_user_record_t *record);

/* The user with "record->id" alone: NGX_OK, or NGX_DECLINED. */
ngx_int_t ngx_proxy_user_zone_by_id(ngx_proxy_user_zone_t *zone,
    ngx_proxy_user_record_t *record);

/* The number of changes applied so far: to be noted before a look-up. */
uint64_t ngx_proxy_user_zone_applied(ngx_proxy_user_zone_t *zone);

/*
 * What a look-up sent at "record->since" (or "since") has found, "applied"
 * having been noted before it was sent.  NGX_OK: kept, or no room for it, or
 * the log has not been read yet (then nothing may be cached).
 * NGX_AGAIN: a change to this user or handle has been applied meanwhile, or
 * may have been: the answer must not be used.
 */
ngx_int_t ngx_proxy_user_zone_put_user(ngx_proxy_user_zone_t *zone,
    const u_char *key, const ngx_proxy_user_record_t *record,
    uint64_t applied);
ngx_int_t ngx_proxy_user_zone_put_none(ngx_proxy_user_zone_t *zone,
    const u_char *key, ngx_msec_t since, uint64_t applied);

/*
 * Without Redis: puts the record unless the handle has a user already, who is
 * then copied out instead.
 */
void ngx_proxy_user_zone_make_user(ngx_proxy_user_zone_t *zone,
    const u_char *key, ngx_proxy_user_record_t *record);


/* The lease of the tail: 1 when "pid" holds it (now), else 0. */
ngx_uint_t ngx_proxy_user_zone_lease(ngx_proxy_user_zone_t *zone,
    ngx_pid_t pid);
void ngx_proxy_user_zone_release(ngx_proxy_user_zone_t *zone, ngx_pid_t pid);

/*
 * The change log as far as it has been applied; only the holder of the lease
 * is listened to.  last: NGX_OK, or NGX_DECLINED when nothing has been read
 * yet.  All: NGX_ABORT when "pid" does not hold the lease.
 */
ngx_int_t ngx_proxy_user_zone_last(ngx_proxy_user_zone_t *zone,
    ngx_pid_t pid, pu_log_id_t *last, u_char digest[PU_SHA256_LEN]);

/*
 * Applies one entry: its user and handle are dropped and tombstoned.  An
 * entry not newer than the last is passed over.  "user", "handle" and "jti"
 * may be NULL.  "made": the handle was not there before, so only that need be
 * dropped.
 */
ngx_int_t ngx_proxy_user_zone_apply(ngx_proxy_user_zone_t *zone,
    ngx_pid_t pid, pu_log_id_t id, const u_char digest[PU_SHA256_LEN],
    const u_char *user, const u_char *handle, const u_char *jti,
    ngx_uint_t made);

/*
 * The changes applied since "*seen", which is moved on past them: keys of
 * users and digests of handles, at most "max" at a time.  How many, or
 * NGX_DECLINED: nobody knows which.  Costs no lock when there were none.
 */
ngx_int_t ngx_proxy_user_zone_changes(ngx_proxy_user_zone_t *zone,
    uint64_t *seen, u_char (*keys)[NGX_PROXY_USER_KEY_LEN], ngx_uint_t max);

/* A user's key: the random part of its id, zero padded. */
void ngx_proxy_user_zone_user_key(u_char *key,
    const u_char *id);

/* Drops every user and handle and goes on from "last". */
ngx_int_t ngx_proxy_user_zone_restart(ngx_proxy_user_zone_t *zone,
    ngx_pid_t pid, pu_log_id_t last, const u_char digest[PU_SHA256_LEN]);

/* All changes written before "since" have been applied. */
ngx_int_t ngx_proxy_user_zone_stamp(ngx_proxy_user_zone_t *zone,
    ngx_pid_t pid, ngx_msec_t since);

/* Is the view younger than NGX_PROXY_USER_VIEW_AGE?  *since: its stamp. */
ngx_uint_t ngx_proxy_user_zone_fresh(ngx_proxy_user_zone_t *zone,
    ngx_msec_t *since);


/*
 * The store id once seen.  get: its length, 0 when none.  see: 1 when "store"
 * is it (or becomes it: the first one, or one that was accepted), else 0;
 * *changed is set when this call is the first to notice.
 */
size_t ngx_proxy_user_zone_store(ngx_proxy_user_zone_t *zone,
    u_char id[NGX_PROXY_USER_STORE_MAX]);
ngx_uint_t ngx_proxy_user_zone_see_store(ngx_proxy_user_zone_t *zone,
    pu_str_t store, pu_str_t accepted, ngx_uint_t *changed);


#endif /* NGX_PROXY_USER_ZONE_H */
