
/*
 * Quotas; see the header for what they promise.
 *
 * A flight is one lease asked of Redis, or, when another worker asks, a short
 * pause, and all who wait for its end.  It outlives them: it stays until Redis
 * has answered, since the connection still points at it.
 */

#include "ngx_proxy_user_quota.h"
#include "ngx_proxy_user_redis.h"


#define NGX_PROXY_USER_QUOTA_PAUSE   5      /* ms */
#define NGX_PROXY_USER_QUOTA_REPLY   4096
#define NGX_PROXY_USER_QUOTA_GRACE   60     /* s, after a period's end */


typedef struct {
    ngx_queue_t                         queue;
    ngx_proxy_user_quotas_t            *quotas;
    ngx_proxy_user_lease_t              lease;
    ngx_queue_t                         turns;
    ngx_event_t                         timer;
    ngx_event_t                         done;
    unsigned                            asks:1;     /* Redis, not a pause */
    unsigned                            pending:1;  /* Redis will answer */
    unsigned                            over:1;     /* nobody may join */
    unsigned                            failed:1;
} ngx_proxy_user_quota_flight_t;


struct ngx_proxy_user_quotas_s {
    const ngx_proxy_user_redis_conf_t  *conf;
    ngx_proxy_user_zone_t              *zone;
    ngx_proxy_user_redis_t             *redis;      /* NULL: none */
    ngx_proxy_user_redis_options_t      options;
    ngx_log_t                          *log;
    ngx_queue_t                         flights;
};


static ngx_msec_t ngx_proxy_user_quota_patience(
    ngx_proxy_user_quotas_t *quotas);
static ngx_proxy_user_quota_flight_t *ngx_proxy_user_quota_find(
    ngx_proxy_user_quotas_t *quotas, const u_char *id,
    const pu_quota_t *quota);
static ngx_proxy_user_quota_flight_t *ngx_proxy_user_quota_flight(
    ngx_proxy_user_quotas_t *quotas, const ngx_proxy_user_lease_t *lease,
    ngx_msec_t timer);
static ngx_int_t ngx_proxy_user_quota_ask(
    ngx_proxy_user_quota_flight_t *flight);
static void ngx_proxy_user_quota_answered(void *data, redisReply *reply);
static void ngx_proxy_user_quota_correct(
    ngx_proxy_user_quota_flight_t *flight, int64_t excess);
static void ngx_proxy_user_quota_heard(void *data, redisReply *reply);
static void ngx_proxy_user_quota_over(ngx_proxy_user_quota_flight_t *flight);
static void ngx_proxy_user_quota_timeout(ngx_event_t *ev);
static void ngx_proxy_user_quota_done(ngx_event_t *ev);
static void ngx_proxy_user_quota_free(ngx_proxy_user_quota_flight_t *flight);


/*
 * A connection of its own: rights that are missing for quotas, or an answer
 * that is late, must not keep anybody from being looked up.
 */

ngx_proxy_user_quotas_t *
ngx_proxy_user_quotas_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_redis_conf_t *redis, ngx_proxy_user_zone_t *zone)
{
    ngx_proxy_user_quotas_t  *quotas;

    quotas = ngx_calloc(sizeof(ngx_proxy_user_quotas_t), cycle->log);
    if (quotas == NULL) {
        return NULL;
    }

    quotas->conf = redis;
    quotas->zone = zone;
    quotas->log = cycle->log;

    ngx_queue_init(&quotas->flights);

    if (redis == NULL) {
        return quotas;
    }

    quotas->options.name = "quotas";
    quotas->options.timeout = redis->timeout;
    quotas->options.max_reply = NGX_PROXY_USER_QUOTA_REPLY;

    quotas->redis = ngx_proxy_user_redis_open(cycle, redis, &quotas->options);

    if (quotas->redis == NULL) {
        ngx_free(quotas);
        return NULL;
    }

    return quotas;
}


void
ngx_proxy_user_quotas_close(ngx_proxy_user_quotas_t *quotas)
{
    ngx_queue_t                    *q;
    ngx_proxy_user_quota_flight_t  *flight;

    if (quotas->redis) {
        ngx_proxy_user_redis_close(quotas->redis);
    }

    while (!ngx_queue_empty(&quotas->flights)) {
        q = ngx_queue_head(&quotas->flights);
        flight = ngx_queue_data(q, ngx_proxy_user_quota_flight_t, queue);

        while (!ngx_queue_empty(&flight->turns)) {
            ngx_proxy_user_quota_detach(
                        ngx_queue_data(ngx_queue_head(&flight->turns),
                                       ngx_proxy_user_turn_t, queue));
        }

        ngx_proxy_user_quota_free(flight);
    }

    ngx_free(quotas);
}


ngx_int_t
ngx_proxy_user_quota(ngx_proxy_user_quotas_t *quotas, const u_char *id,
    const pu_quota_t *quota, pu_left_t *left, ngx_proxy_user_turn_t *turn)
{
    ngx_int_t                       rc;
    ngx_uint_t                      alone;
    ngx_msec_t                      patience;
    ngx_proxy_user_lease_t          lease;
    ngx_proxy_user_quota_flight_t  *flight;

    patience = ngx_proxy_user_quota_patience(quotas);

    alone = quotas->redis == NULL || turn->failed
            || (turn->since && ngx_current_msec - turn->since >= patience);

    rc = ngx_proxy_user_zone_quota(quotas->zone, id, quota, alone, patience,
                                   &lease, left);

    if (rc == NGX_OK || rc == NGX_DECLINED) {
        return rc;
    }

    if (rc == NGX_BUSY) {
        flight = ngx_proxy_user_quota_find(quotas, id, quota);

        if (flight == NULL) {
            ngx_memcpy(lease.id, id, PU_USER_ID_LEN);
            lease.quota = *quota;

            flight = ngx_proxy_user_quota_flight(quotas, &lease,
                                                 NGX_PROXY_USER_QUOTA_PAUSE);
        }

    } else {
        flight = ngx_proxy_user_quota_flight(quotas, &lease, patience);

        if (flight && ngx_proxy_user_quota_ask(flight) != NGX_OK) {
            ngx_proxy_user_quota_free(flight);
            flight = NULL;
        }

        if (flight == NULL) {
            ngx_proxy_user_zone_lost(quotas->zone, &lease);
        }
    }

    if (flight == NULL) {
        return ngx_proxy_user_zone_quota(quotas->zone, id, quota, 1, patience,
                                         &lease, left);
    }

    if (turn->since == 0) {
        turn->since = ngx_current_msec ? ngx_current_msec : 1;
    }

    turn->waiting = 1;
    ngx_queue_insert_tail(&flight->turns, &turn->queue);

    return NGX_AGAIN;
}


void
ngx_proxy_user_quota_detach(ngx_proxy_user_turn_t *turn)
{
    if (turn->waiting) {
        turn->waiting = 0;
        ngx_queue_remove(&turn->queue);
    }
}


/* Nobody waits longer, however often others are before him. */

static ngx_msec_t
ngx_proxy_user_quota_patience(ngx_proxy_user_quotas_t *quotas)
{
    ngx_msec_t  ms;

    if (quotas->redis == NULL) {
        return 0;
    }

    ms = 2 * quotas->conf->timeout;

    if (ngx_proxy_user_redis_starting(quotas->redis)) {
        ms += quotas->conf->connect_timeout;
    }

    return ms;
}


static ngx_proxy_user_quota_flight_t *
ngx_proxy_user_quota_find(ngx_proxy_user_quotas_t *quotas, const u_char *id,
    const pu_quota_t *quota)
{
    ngx_queue_t                    *q;
    ngx_proxy_user_quota_flight_t  *flight;

    for (q = ngx_queue_head(&quotas->flights);
         q != ngx_queue_sentinel(&quotas->flights);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, ngx_proxy_user_quota_flight_t, queue);

        if (!flight->over
            && flight->lease.quota.period == quota->period
            && ngx_memcmp(flight->lease.id, id, PU_USER_ID_LEN) == 0)
        {
            return flight;
        }
    }

    return NULL;
}


static ngx_proxy_user_quota_flight_t *
ngx_proxy_user_quota_flight(ngx_proxy_user_quotas_t *quotas,
    const ngx_proxy_user_lease_t *lease, ngx_msec_t timer)
{
    ngx_proxy_user_quota_flight_t  *flight;

    flight = ngx_calloc(sizeof(ngx_proxy_user_quota_flight_t), quotas->log);
    if (flight == NULL) {
        return NULL;
    }

    flight->quotas = quotas;
    flight->lease = *lease;

    ngx_queue_init(&flight->turns);
    ngx_queue_insert_tail(&quotas->flights, &flight->queue);

    flight->done.handler = ngx_proxy_user_quota_done;
    flight->done.data = flight;
    flight->done.log = quotas->log;

    flight->timer.handler = ngx_proxy_user_quota_timeout;
    flight->timer.data = flight;
    flight->timer.log = quotas->log;

    ngx_add_timer(&flight->timer, timer);

    return flight;
}


static ngx_int_t
ngx_proxy_user_quota_ask(ngx_proxy_user_quota_flight_t *flight)
{
    pu_str_t                       prefix, id;
    pu_args_t                      args;
    const ngx_proxy_user_lease_t  *lease;

    lease = &flight->lease;
    prefix = ngx_proxy_user_str(&flight->quotas->conf->prefix);
    id = (pu_str_t) { PU_USER_ID_LEN, lease->id };

    pu_command_quota_add(&args, prefix, id, lease->quota.period, lease->start,
                         lease->debt + pu_quota_chunk(&lease->quota));

    if (ngx_proxy_user_redis_send(flight->quotas->redis, &args,
                                  ngx_proxy_user_quota_answered, flight)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    flight->asks = 1;
    flight->pending = 1;

    /* in seconds from now, and not a time: Redis has its own clock */

    pu_command_quota_expire(&args, prefix, id, lease->quota.period,
                            lease->start,
                            lease->start
                            + pu_period_length(lease->quota.period,
                                               lease->start)
                            - ngx_time() + NGX_PROXY_USER_QUOTA_GRACE);

    (void) ngx_proxy_user_redis_send(flight->quotas->redis, &args,
                                     ngx_proxy_user_quota_heard,
                                     flight->quotas);

    return NGX_OK;
}


static void
ngx_proxy_user_quota_answered(void *data, redisReply *reply)
{
    ngx_proxy_user_quota_flight_t *flight = data;

    int64_t                   chunk, granted;
    ngx_proxy_user_quotas_t  *quotas;

    quotas = flight->quotas;
    flight->pending = 0;

    if (reply && reply->type == REDIS_REPLY_INTEGER) {
        ngx_proxy_user_redis_trouble(quotas->redis, NULL);

        chunk = pu_quota_chunk(&flight->lease.quota);
        granted = pu_quota_granted(&flight->lease.quota, chunk,
                                   reply->integer);

        ngx_proxy_user_zone_leased(quotas->zone, &flight->lease, granted,
                                   reply->integer - (chunk - granted));

        if (granted < chunk) {
            ngx_proxy_user_quota_correct(flight, chunk - granted);
        }

    } else {

        if (reply) {
            ngx_proxy_user_redis_trouble(quotas->redis, reply);
        }

        ngx_proxy_user_zone_lost(quotas->zone, &flight->lease);
        flight->failed = 1;
    }

    ngx_proxy_user_quota_over(flight);
}


/* What was added to the counter and not granted goes back. */

static void
ngx_proxy_user_quota_correct(ngx_proxy_user_quota_flight_t *flight,
    int64_t excess)
{
    pu_args_t                      args;
    const ngx_proxy_user_lease_t  *lease;

    lease = &flight->lease;

    pu_command_quota_add(&args,
                         ngx_proxy_user_str(&flight->quotas->conf->prefix),
                         (pu_str_t) { PU_USER_ID_LEN, lease->id },
                         lease->quota.period, lease->start, -excess);

    (void) ngx_proxy_user_redis_send(flight->quotas->redis, &args,
                                     ngx_proxy_user_quota_heard,
                                     flight->quotas);
}


static void
ngx_proxy_user_quota_heard(void *data, redisReply *reply)
{
    ngx_proxy_user_quotas_t *quotas = data;

    if (reply) {
        ngx_proxy_user_redis_trouble(quotas->redis,
                                     reply->type == REDIS_REPLY_INTEGER
                                     ? NULL : reply);
    }
}


/* Who waits is called from an event: never inside Redis' reading loop. */

static void
ngx_proxy_user_quota_over(ngx_proxy_user_quota_flight_t *flight)
{
    flight->over = 1;

    if (flight->timer.timer_set) {
        ngx_del_timer(&flight->timer);
    }

    if (!flight->done.posted) {
        ngx_post_event(&flight->done, &ngx_posted_events);
    }
}


static void
ngx_proxy_user_quota_timeout(ngx_event_t *ev)
{
    ngx_proxy_user_quota_flight_t  *flight;

    flight = ev->data;

    if (flight->asks) {
        ngx_proxy_user_zone_lost(flight->quotas->zone, &flight->lease);
        flight->failed = 1;
    }

    ngx_proxy_user_quota_over(flight);
}


static void
ngx_proxy_user_quota_done(ngx_event_t *ev)
{
    ngx_queue_t                    *q;
    ngx_proxy_user_turn_t          *turn;
    ngx_proxy_user_quota_flight_t  *flight;

    flight = ev->data;

    /* one who is called may end others who wait: always the first is next */

    while (!ngx_queue_empty(&flight->turns)) {
        q = ngx_queue_head(&flight->turns);
        turn = ngx_queue_data(q, ngx_proxy_user_turn_t, queue);

        ngx_proxy_user_quota_detach(turn);
        turn->failed = flight->failed;
        turn->handler(turn->data);
    }

    if (!flight->pending) {
        ngx_proxy_user_quota_free(flight);
    }
}


static void
ngx_proxy_user_quota_free(ngx_proxy_user_quota_flight_t *flight)
{
    if (flight->timer.timer_set) {
        ngx_del_timer(&flight->timer);
    }

    if (flight->done.posted) {
        ngx_delete_posted_event(&flight->done);
    }

    ngx_queue_remove(&flight->queue);
    ngx_free(flight);
}
