
/*
 * The limits of a request's user; see the header.
 *
 * The rate is asked first, since a request that comes too early should use
 * nothing else up; the quota last, since it is the one that may have to wait,
 * and is dear.
 */

#include "ngx_proxy_user_limit.h"
#include "ngx_proxy_user_guard.h"
#include "ngx_proxy_user_quota.h"
#include "ngx_proxy_user_zone_limit.h"


/*
 * The last policy that was told: most callers have the same.  A month, the
 * only period whose length changes, begins with an hour.
 */

typedef struct {
    pu_limits_t                 most;
    time_t                      hour;
    size_t                      len;        /* 0: none */
    u_char                      text[PU_LIMIT_TEXT_MAX];
} ngx_proxy_user_limits_told_t;


struct ngx_proxy_user_limits_s {
    ngx_proxy_user_zone_t      *zone;
    ngx_proxy_user_quotas_t    *quotas;     /* NULL: no profile has one */
    ngx_event_t                 beat;
    uint32_t                    worker;     /* 0: nothing is under way */
    ngx_proxy_user_limits_told_t
                                told;
};


struct ngx_proxy_user_limited_s {
    ngx_proxy_user_limits_t    *limits;
    u_char                      id[PU_USER_ID_LEN];
    pu_limits_t                 most;
    pu_left_t                   left[PU_LIMIT_KINDS];
    pu_reason_t                 reason;
    ngx_proxy_user_turn_t       turn;
    unsigned                    counted:1;  /* all but the quota */
    unsigned                    decided:1;
    unsigned                    entered:1;
    unsigned                    told:1;
};


static void ngx_proxy_user_limits_beat(ngx_event_t *ev);
static ngx_proxy_user_limited_t *ngx_proxy_user_limited(
    ngx_http_request_t *r, ngx_proxy_user_identity_t *id);
static pu_reason_t ngx_proxy_user_limit_count(ngx_http_request_t *r,
    ngx_proxy_user_limited_t *limited);
static pu_reason_t ngx_proxy_user_limit_quota(ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_limit_wake(void *data);
static void ngx_proxy_user_limit_detach(ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_limit_leave(void *data);
static pu_str_t ngx_proxy_user_limit_policy(const pu_limits_t *most,
    ngx_proxy_user_limits_told_t *told);
static ngx_int_t ngx_proxy_user_limit_header(ngx_http_request_t *r,
    const char *key, const char *lowcase, pu_str_t value);


ngx_proxy_user_limits_t *
ngx_proxy_user_limits_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf)
{
    size_t                    i;
    ngx_uint_t                quota, concurrency;
    ngx_proxy_user_limits_t  *limits;

    limits = ngx_calloc(sizeof(ngx_proxy_user_limits_t), cycle->log);
    if (limits == NULL) {
        return NULL;
    }

    limits->zone = mcf->zone;

    quota = 0;
    concurrency = 0;

    for (i = 0; i < mcf->profiles.n; i++) {
        quota |= mcf->profiles.items[i].quota.n != 0;
        concurrency |= mcf->profiles.items[i].concurrency != 0;
    }

    if (quota) {
        limits->quotas = ngx_proxy_user_quotas_open(cycle, mcf->redis,
                                                    mcf->zone);
        if (limits->quotas == NULL) {
            ngx_free(limits);
            return NULL;
        }
    }

    if (concurrency) {
        limits->worker = ngx_proxy_user_zone_worker(mcf->zone);

        limits->beat.handler = ngx_proxy_user_limits_beat;
        limits->beat.data = limits;
        limits->beat.log = cycle->log;
        limits->beat.cancelable = 1;

        ngx_add_timer(&limits->beat, NGX_PROXY_USER_WORKER_BEAT);
    }

    return limits;
}


void
ngx_proxy_user_limits_close(ngx_proxy_user_limits_t *limits)
{
    if (limits->quotas) {
        ngx_proxy_user_quotas_close(limits->quotas);
    }

    if (limits->worker) {
        ngx_proxy_user_zone_worker_ends(limits->zone, limits->worker);
    }

    if (limits->beat.timer_set) {
        ngx_del_timer(&limits->beat);
    }

    ngx_free(limits);
}


static void
ngx_proxy_user_limits_beat(ngx_event_t *ev)
{
    ngx_proxy_user_limits_t  *limits;

    limits = ev->data;

    ngx_proxy_user_zone_worker_lives(limits->zone, limits->worker);

    ngx_add_timer(&limits->beat, NGX_PROXY_USER_WORKER_BEAT);
}


pu_reason_t
ngx_proxy_user_limit(ngx_http_request_t *r, ngx_proxy_user_identity_t *id)
{
    pu_limits_t                        most;
    ngx_proxy_user_limited_t          *limited;
    const ngx_proxy_user_main_conf_t  *mcf;

    limited = id->limited;

    if (limited == NULL) {
        mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

        if (!pu_limits_find(&most, &mcf->profiles, id->last.roles)) {
            return PU_OK;
        }

        limited = ngx_proxy_user_limited(r, id);

        if (limited == NULL) {
            return PU_INTERNAL;
        }

        limited->most = most;
    }

    if (limited->decided) {
        return limited->reason;
    }

    if (!limited->counted) {
        limited->reason = ngx_proxy_user_limit_count(r, limited);
        limited->counted = 1;
    }

    if (limited->reason == PU_OK && limited->most.quota.n) {
        limited->reason = ngx_proxy_user_limit_quota(id);

        if (id->leave) {
            return PU_OK;
        }
    }

    limited->decided = 1;

    return limited->reason;
}


static ngx_proxy_user_limited_t *
ngx_proxy_user_limited(ngx_http_request_t *r, ngx_proxy_user_identity_t *id)
{
    ngx_proxy_user_limited_t          *limited;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    if (mcf->limits == NULL || id->user.id.len != PU_USER_ID_LEN) {
        return NULL;
    }

    limited = ngx_pcalloc(r->pool, sizeof(ngx_proxy_user_limited_t));
    if (limited == NULL) {
        return NULL;
    }

    limited->limits = mcf->limits;
    ngx_memcpy(limited->id, id->user.id.data, PU_USER_ID_LEN);

    limited->turn.handler = ngx_proxy_user_limit_wake;
    limited->turn.data = id;

    id->limited = limited;

    return limited;
}


static pu_reason_t
ngx_proxy_user_limit_count(ngx_http_request_t *r,
    ngx_proxy_user_limited_t *limited)
{
    pu_limits_t              *most;
    ngx_http_cleanup_t       *cln;
    ngx_proxy_user_limits_t  *limits;

    most = &limited->most;
    limits = limited->limits;

    if (most->rate.n
        && !ngx_proxy_user_zone_rate(limits->zone, limited->id, &most->rate,
                                     &limited->left[PU_LIMIT_RATE]))
    {
        return PU_RATE_LIMITED;
    }

    if (most->concurrency == 0) {
        return PU_OK;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return PU_INTERNAL;
    }

    cln->handler = ngx_proxy_user_limit_leave;
    cln->data = limited;

    limited->entered = ngx_proxy_user_zone_enter(limits->zone, limited->id,
                                        limits->worker, most->concurrency,
                                        &limited->left[PU_LIMIT_CONCURRENCY]);

    return limited->entered ? PU_OK : PU_CONCURRENCY_EXCEEDED;
}


static pu_reason_t
ngx_proxy_user_limit_quota(ngx_proxy_user_identity_t *id)
{
    ngx_int_t                  rc;
    ngx_proxy_user_limited_t  *limited;

    limited = id->limited;

    rc = ngx_proxy_user_quota(limited->limits->quotas, limited->id,
                              &limited->most.quota,
                              &limited->left[PU_LIMIT_QUOTA], &limited->turn);

    if (rc == NGX_AGAIN) {
        id->leave = ngx_proxy_user_limit_detach;
        return PU_OK;
    }

    if (rc == NGX_OK) {
        return PU_OK;
    }

    ngx_proxy_user_limit_leave(limited);

    return PU_QUOTA_EXCEEDED;
}


static void
ngx_proxy_user_limit_wake(void *data)
{
    ngx_proxy_user_identity_t *id = data;

    id->resume(id);
}


static void
ngx_proxy_user_limit_detach(ngx_proxy_user_identity_t *id)
{
    ngx_proxy_user_quota_detach(&id->limited->turn);
}


/* The request has ended, or never got in. */

static void
ngx_proxy_user_limit_leave(void *data)
{
    ngx_proxy_user_limited_t *limited = data;

    if (limited->entered) {
        limited->entered = 0;

        ngx_proxy_user_zone_leave(limited->limits->zone, limited->id,
                                  limited->limits->worker);
    }
}


ngx_int_t
ngx_proxy_user_limit_tell(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    u_char                     left[PU_LIMIT_TEXT_MAX];
    int64_t                    wait;
    pu_buf_t                   l;
    ngx_proxy_user_limited_t  *limited;

    limited = id->limited;

    if (id->last.reason == PU_TOO_MANY_FAILURES && !id->guarded) {
        id->guarded = 1;
        return ngx_proxy_user_guard_headers(r, &id->failures);
    }

    if (limited == NULL || limited->told) {
        return NGX_OK;
    }

    limited->told = 1;

    switch (limited->reason) {

    case PU_RATE_LIMITED:
        wait = limited->left[PU_LIMIT_RATE].reset;
        break;

    case PU_QUOTA_EXCEEDED:
        wait = limited->left[PU_LIMIT_QUOTA].reset;
        break;

    case PU_CONCURRENCY_EXCEEDED:
        wait = limited->left[PU_LIMIT_CONCURRENCY].reset;
        break;

    default:
        wait = 0;
        break;
    }

    pu_buf_init(&l, left, sizeof(left));
    pu_limits_left(&l, limited->left);

    return ngx_proxy_user_limit_headers(r,
                                  ngx_proxy_user_limit_policy(&limited->most,
                                                     &limited->limits->told),
                                  pu_buf_written(&l), wait);
}


static pu_str_t
ngx_proxy_user_limit_policy(const pu_limits_t *most,
    ngx_proxy_user_limits_told_t *told)
{
    time_t    hour;
    pu_buf_t  b;

    hour = ngx_time() / 3600;

    if (told->len == 0 || told->hour != hour
        || ngx_memcmp(&told->most, most, sizeof(pu_limits_t)) != 0)
    {
        pu_buf_init(&b, told->text, sizeof(told->text));
        pu_limits_policy(&b, most, ngx_time());

        told->most = *most;
        told->hour = hour;
        told->len = pu_buf_written(&b).len;
    }

    return (pu_str_t) { told->len, told->text };
}


ngx_int_t
ngx_proxy_user_limit_headers(ngx_http_request_t *r, pu_str_t policy,
    pu_str_t left, int64_t wait)
{
    u_char    seconds[NGX_INT64_LEN];
    pu_buf_t  b;

    if (ngx_proxy_user_limit_header(r, "RateLimit-Policy", "ratelimit-policy",
                                    policy)
        != NGX_OK
        || ngx_proxy_user_limit_header(r, "RateLimit", "ratelimit", left)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (wait == 0) {
        return NGX_OK;
    }

    pu_buf_init(&b, seconds, sizeof(seconds));
    pu_buf_int(&b, wait);

    return ngx_proxy_user_limit_header(r, "Retry-After", "retry-after",
                                       pu_buf_written(&b));
}


static ngx_int_t
ngx_proxy_user_limit_header(ngx_http_request_t *r, const char *key,
    const char *lowcase, pu_str_t value)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, value.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, value.data, value.len);

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->value.len = value.len;
    h->value.data = p;
    h->key.len = ngx_strlen(key);
    h->key.data = (u_char *) key;
    h->lowcase_key = (u_char *) lowcase;

    ngx_proxy_user_next_header(h, NULL);

    return NGX_OK;
}
