
/*
 * The tail; see the header for what it promises.
 *
 * One round: XREAD BLOCK after the last applied id, and behind it in the same
 * pipeline a look whether that last entry is still there.  As Redis answers in
 * order, the look comes after the reading: what XREAD gave follows the last
 * entry without a gap, or the look fails and everything is dropped.  A log
 * that was trimmed, flushed, restored or lost in a failover answers XREAD
 * with silence, never with an error.
 */

#include "ngx_proxy_user_tail.h"
#include "ngx_proxy_user_redis.h"
#include "ngx_proxy_user_zone.h"


#define NGX_PROXY_USER_TAIL_TICK   250          /* ms; of the lease */
#define NGX_PROXY_USER_TAIL_BLOCK  1000         /* ms */
#define NGX_PROXY_USER_TAIL_SLACK  300          /* ms; Redis is not punctual */
#define NGX_PROXY_USER_TAIL_REPLY  (8 * 1024 * 1024)


struct ngx_proxy_user_tail_s {
    const ngx_proxy_user_redis_conf_t  *conf;
    ngx_proxy_user_zone_t              *zone;
    ngx_cycle_t                        *cycle;
    ngx_proxy_user_redis_t             *redis;  /* while we hold the lease */
    ngx_proxy_user_redis_options_t      options;
    ngx_event_t                         tick;
    ngx_event_t                         next;   /* round, from an event */

    ngx_uint_t                          pending;    /* answers to come */
    ngx_msec_t                          since;      /* round sent at */
    pu_log_id_t                         last;       /* when it was sent */
    u_char                              digest[PU_SHA256_LEN];
    unsigned                            failed:1;
    unsigned                            more:1;     /* has not been read */
    unsigned                            restart:1;
};


static void ngx_proxy_user_tail_tick(ngx_event_t *ev);
static void ngx_proxy_user_tail_round(ngx_event_t *ev);
static ngx_int_t ngx_proxy_user_tail_follow(ngx_proxy_user_tail_t *tail);
static ngx_int_t ngx_proxy_user_tail_start(ngx_proxy_user_tail_t *tail);
static void ngx_proxy_user_tail_started(void *data, redisReply *reply);
static void ngx_proxy_user_tail_entries(void *data, redisReply *reply);
static void ngx_proxy_user_tail_checked(void *data, redisReply *reply);
static void ngx_proxy_user_tail_answered(ngx_proxy_user_tail_t *tail);
static ngx_int_t ngx_proxy_user_tail_apply(ngx_proxy_user_tail_t *tail,
    const redisReply *reply);
static ngx_int_t ngx_proxy_user_tail_digest(u_char *digest,
    const pu_log_entry_t *entry);
static ngx_uint_t ngx_proxy_user_tail_refused(ngx_proxy_user_tail_t *tail,
    const redisReply *reply);


ngx_proxy_user_tail_t *
ngx_proxy_user_tail_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_redis_conf_t *conf, ngx_proxy_user_zone_t *zone)
{
    ngx_proxy_user_tail_t  *tail;

    tail = ngx_calloc(sizeof(ngx_proxy_user_tail_t), cycle->log);
    if (tail == NULL) {
        return NULL;
    }

    tail->conf = conf;
    tail->zone = zone;
    tail->cycle = cycle;

    tail->options.name = "the change log";
    tail->options.timeout = NGX_PROXY_USER_TAIL_BLOCK
                            + ngx_max(conf->timeout,
                                      NGX_PROXY_USER_TAIL_SLACK);
    tail->options.max_reply = NGX_PROXY_USER_TAIL_REPLY;

    tail->tick.handler = ngx_proxy_user_tail_tick;
    tail->tick.data = tail;
    tail->tick.log = cycle->log;
    tail->tick.cancelable = 1;

    tail->next.handler = ngx_proxy_user_tail_round;
    tail->next.data = tail;
    tail->next.log = cycle->log;

    ngx_proxy_user_tail_tick(&tail->tick);

    return tail;
}


void
ngx_proxy_user_tail_close(ngx_proxy_user_tail_t *tail)
{
    if (tail->tick.timer_set) {
        ngx_del_timer(&tail->tick);
    }

    if (tail->next.posted) {
        ngx_delete_posted_event(&tail->next);
    }

    if (tail->redis) {
        ngx_proxy_user_redis_close(tail->redis);
    }

    ngx_proxy_user_zone_release(tail->zone, ngx_pid);

    ngx_free(tail);
}


static void
ngx_proxy_user_tail_tick(ngx_event_t *ev)
{
    ngx_proxy_user_tail_t  *tail;

    tail = ev->data;

    ngx_add_timer(&tail->tick, NGX_PROXY_USER_TAIL_TICK);

    if (!ngx_proxy_user_zone_lease(tail->zone, ngx_pid)) {

        if (tail->redis) {
            ngx_proxy_user_redis_close(tail->redis);
            tail->redis = NULL;
            tail->pending = 0;
        }

        return;
    }

    if (tail->redis == NULL) {
        tail->redis = ngx_proxy_user_redis_open(tail->cycle, tail->conf,
                                                &tail->options);
        if (tail->redis == NULL) {
            return;
        }
    }

    if (tail->pending == 0 && !tail->next.posted) {
        ngx_post_event(&tail->next, &ngx_posted_events);
    }
}


static void
ngx_proxy_user_tail_round(ngx_event_t *ev)
{
    ngx_int_t               rc;
    ngx_proxy_user_tail_t  *tail;

    tail = ev->data;

    if (tail->redis == NULL || tail->pending) {
        return;
    }

    tail->failed = 0;
    tail->more = 0;
    tail->since = ngx_current_msec;

    rc = ngx_proxy_user_zone_last(tail->zone, ngx_pid, &tail->last,
                                  tail->digest);

    if (rc == NGX_OK && !tail->restart) {
        (void) ngx_proxy_user_tail_follow(tail);

    } else if (rc != NGX_ABORT) {
        (void) ngx_proxy_user_tail_start(tail);
    }
}


static ngx_int_t
ngx_proxy_user_tail_follow(ngx_proxy_user_tail_t *tail)
{
    pu_str_t   prefix;
    pu_args_t  args;

    prefix = ngx_proxy_user_str(&tail->conf->prefix);

    pu_command_tail_read(&args, prefix, tail->last,
                         NGX_PROXY_USER_TAIL_BLOCK);

    if (ngx_proxy_user_redis_send(tail->redis, &args,
                                  ngx_proxy_user_tail_entries, tail)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    tail->pending++;

    /* nothing has been read yet of an empty log: nothing can be missing */

    if (tail->last.ms == 0 && tail->last.seq == 0) {
        return NGX_OK;
    }

    pu_command_tail_check(&args, prefix, tail->last);

    if (ngx_proxy_user_redis_send(tail->redis, &args,
                                  ngx_proxy_user_tail_checked, tail)
        != NGX_OK)
    {
        tail->failed = 1;
        return NGX_DECLINED;
    }

    tail->pending++;

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_tail_start(ngx_proxy_user_tail_t *tail)
{
    pu_args_t  args;

    pu_command_log_end(&args, ngx_proxy_user_str(&tail->conf->prefix));

    if (ngx_proxy_user_redis_send(tail->redis, &args,
                                  ngx_proxy_user_tail_started, tail)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    tail->pending++;

    return NGX_OK;
}


static void
ngx_proxy_user_tail_started(void *data, redisReply *reply)
{
    ngx_proxy_user_tail_t *tail = data;

    u_char          digest[PU_SHA256_LEN];
    pu_log_id_t     id;
    pu_log_entry_t  entry;

    /* where an empty log ends */

    id.ms = 0;
    id.seq = 0;
    ngx_memzero(digest, PU_SHA256_LEN);

    if (reply == NULL || ngx_proxy_user_tail_refused(tail, reply)) {
        tail->failed = 1;

    } else if (reply->elements != 0) {

        if (pu_log_entry(reply->element[0], &entry)
            && ngx_proxy_user_tail_digest(digest, &entry) == NGX_OK)
        {
            id = entry.id;

        } else {
            tail->failed = 1;
        }
    }

    if (tail->failed
        || ngx_proxy_user_zone_restart(tail->zone, ngx_pid, id, digest)
           != NGX_OK)
    {
        tail->pending = 0;
        return;
    }

    tail->restart = 0;

    ngx_proxy_user_tail_answered(tail);
}


static void
ngx_proxy_user_tail_entries(void *data, redisReply *reply)
{
    ngx_proxy_user_tail_t *tail = data;

    size_t             i;
    const redisReply  *entries;

    if (reply == NULL || !pu_reply_entries(reply, &entries)) {

        if (reply) {
            ngx_proxy_user_redis_trouble(tail->redis, reply);
        }

        tail->failed = 1;
        ngx_proxy_user_tail_answered(tail);
        return;
    }

    /* a full answer may be the first part of a long log */

    tail->more = entries && entries->elements >= PU_TAIL_ENTRIES;

    for (i = 0; entries && i < entries->elements; i++) {

        if (ngx_proxy_user_tail_apply(tail, entries->element[i]) != NGX_OK) {
            tail->failed = 1;
            break;
        }
    }

    ngx_proxy_user_tail_answered(tail);
}


static void
ngx_proxy_user_tail_checked(void *data, redisReply *reply)
{
    ngx_proxy_user_tail_t *tail = data;

    u_char          digest[PU_SHA256_LEN];
    pu_log_entry_t  entry;

    if (reply == NULL || ngx_proxy_user_tail_refused(tail, reply)) {
        tail->failed = 1;

    } else if (reply->elements != 1
               || !pu_log_entry(reply->element[0], &entry)
               || ngx_proxy_user_tail_digest(digest, &entry) != NGX_OK
               || ngx_memcmp(digest, tail->digest, PU_SHA256_LEN) != 0)
    {
        ngx_log_error(NGX_LOG_WARN, tail->cycle->log, 0,
                      "proxy_user: the change log in redis \"%V\" is not the "
                      "one that was read: every user is read again",
                      &tail->conf->url);
        tail->failed = 1;
        tail->restart = 1;
    }

    ngx_proxy_user_tail_answered(tail);
}


/*
 * After a failure the next tick tries again, after a success, and when the
 * log is another one, the next round begins at once.
 */

static void
ngx_proxy_user_tail_answered(ngx_proxy_user_tail_t *tail)
{
    if (--tail->pending) {
        return;
    }

    if (tail->failed) {

        if (tail->restart && !tail->next.posted) {
            ngx_post_event(&tail->next, &ngx_posted_events);
        }

        return;
    }

    ngx_proxy_user_redis_trouble(tail->redis, NULL);

    if (tail->more
        || ngx_proxy_user_zone_stamp(tail->zone, ngx_pid, tail->since)
           == NGX_OK)
    {
        ngx_post_event(&tail->next, &ngx_posted_events);
    }
}


/* An entry that names nobody we could drop makes everybody be read again. */

static ngx_int_t
ngx_proxy_user_tail_apply(ngx_proxy_user_tail_t *tail,
    const redisReply *reply)
{
    u_char            digest[PU_SHA256_LEN], handle[PU_SHA256_LEN];
    ngx_uint_t        created, made;
    const u_char     *user, *key, *jti;
    pu_log_entry_t    entry;
    pu_handle_kind_t  kind;

    if (!pu_log_entry(reply, &entry)
        || ngx_proxy_user_tail_digest(digest, &entry) != NGX_OK)
    {
        tail->restart = 1;
        return NGX_ERROR;
    }

    user = NULL;
    key = NULL;
    jti = NULL;

    /*
     * Nothing older can be known of a user who has just been made, and of
     * a handle that a first token has made only that it was not there.
     */

    created = pu_str_is(entry.op, "create");
    made = created && pu_str_is(entry.source, "jit");

    if (entry.user.len) {

        if (!pu_user_id_ok(entry.user)) {
            tail->restart = 1;
            return NGX_ERROR;
        }

        user = created ? NULL : entry.user.data;
    }

    if (pu_jti_parse(entry.handle, handle)) {
        jti = handle;

    } else if (entry.handle.len) {

        if (!pu_handle_parse(entry.handle, &kind, handle)) {
            tail->restart = 1;
            return NGX_ERROR;
        }

        key = handle;
    }

    return ngx_proxy_user_zone_apply(tail->zone, ngx_pid, entry.id, digest,
                                     user, key, jti, made);
}


static ngx_int_t
ngx_proxy_user_tail_digest(u_char *digest, const pu_log_entry_t *entry)
{
    char      id[PU_LOG_ID_TEXT_MAX];
    pu_str_t  parts[8];

    parts[0] = (pu_str_t) { pu_log_id_text(id, entry->id),
                            (const u_char *) id };
    parts[1] = entry->op;
    parts[2] = entry->user;
    parts[3] = entry->handle;
    parts[4] = entry->version;
    parts[5] = entry->actor;
    parts[6] = entry->source;
    parts[7] = entry->reason;

    return pu_sha256(digest, parts, 8) ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_proxy_user_tail_refused(ngx_proxy_user_tail_t *tail,
    const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ARRAY) {
        return 0;
    }

    ngx_proxy_user_redis_trouble(tail->redis, reply);

    return 1;
}
