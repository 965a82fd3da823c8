
/*
 * Asking an issuer about a token; see the header for what it promises.
 *
 * An inquiry is one question under way.  It ends with an answer, or without one
 * by the issuer's timeout; then it is gone, and the next who asks makes
 * another.
 */

#include "ngx_proxy_user_introspect.h"
#include "ngx_proxy_user_fetch.h"
#include "pu_introspection.h"

#include <openssl/crypto.h>


#define NGX_PROXY_USER_DESK_QUIET  10000        /* ms between complaints */


/* One issuer that is asked. */

typedef struct {
    const pu_issuer_t              *issuer;
    ngx_proxy_user_fetcher_t       *fetcher;
    ngx_log_t                      *log;
    ngx_queue_t                     inquiries;
    ngx_uint_t                      ninquiries;
    ngx_uint_t                      nwaiters;
    ngx_msec_t                      complained;
    unsigned                        heard:1;    /* "complained" is set */
    unsigned                        down:1;     /* and the log says so */
} ngx_proxy_user_desk_t;


typedef struct ngx_proxy_user_inquiry_s  ngx_proxy_user_inquiry_t;

struct ngx_proxy_user_inquiry_s {
    ngx_queue_t                     queue;
    ngx_proxy_user_desk_t          *desk;
    ngx_proxy_user_fetch_t         *fetch;
    ngx_queue_t                     waiters;
    u_char                          digest[PU_SHA256_LEN];
    ngx_msec_t                      since;
    ngx_proxy_user_introspect_pt    keep;
    void                           *data;
};


struct ngx_proxy_user_introspector_s {
    ngx_uint_t                      n;
    ngx_proxy_user_desk_t           desks[1];
};


static ngx_proxy_user_desk_t *ngx_proxy_user_desk_find(
    ngx_proxy_user_introspector_t *introspector, const pu_issuer_t *issuer);
static void ngx_proxy_user_desk_close(ngx_proxy_user_desk_t *desk);
static ngx_proxy_user_inquiry_t *ngx_proxy_user_inquiry_find(
    ngx_proxy_user_desk_t *desk, const u_char *digest);
static ngx_proxy_user_inquiry_t *ngx_proxy_user_inquiry_start(
    ngx_proxy_user_desk_t *desk, const ngx_proxy_user_introspect_t *question);
static ngx_int_t ngx_proxy_user_inquiry_post(ngx_proxy_user_inquiry_t *inquiry,
    pu_str_t text);
static void ngx_proxy_user_inquiry_leave(ngx_proxy_user_inquiry_t *inquiry);
static void ngx_proxy_user_inquiry_free(ngx_proxy_user_inquiry_t *inquiry);
static void ngx_proxy_user_inquiry_answered(void *data,
    const ngx_proxy_user_fetched_t *fetched);
static void ngx_proxy_user_inquiry_tell(ngx_proxy_user_inquiry_t *inquiry,
    const ngx_proxy_user_introspected_t *told);
static pu_reason_t ngx_proxy_user_desk_read(ngx_proxy_user_desk_t *desk,
    const ngx_proxy_user_fetched_t *fetched, pu_token_t *token);
static void ngx_proxy_user_desk_bad(ngx_proxy_user_desk_t *desk,
    const ngx_proxy_user_fetched_t *fetched);
static void ngx_proxy_user_desk_good(ngx_proxy_user_desk_t *desk);


ngx_proxy_user_introspector_t *
ngx_proxy_user_introspector_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf)
{
    ngx_uint_t                      i;
    const pu_issuer_t              *issuer;
    ngx_proxy_user_desk_t          *desk;
    ngx_proxy_user_introspector_t  *introspector;

    introspector = ngx_calloc(sizeof(ngx_proxy_user_introspector_t)
                              + mcf->issuers.n
                                * sizeof(ngx_proxy_user_desk_t),
                              cycle->log);
    if (introspector == NULL) {
        return NULL;
    }

    for (i = 0; i < mcf->issuers.n; i++) {
        issuer = mcf->issuers.items[i];

        if (issuer->introspection.len == 0) {
            continue;
        }

        desk = &introspector->desks[introspector->n++];
        desk->issuer = issuer;
        desk->log = cycle->log;
        ngx_queue_init(&desk->inquiries);

        desk->fetcher = ngx_proxy_user_fetcher_open(cycle->log,
                                                    mcf->remotes[i]);
        if (desk->fetcher == NULL) {
            ngx_proxy_user_introspector_close(introspector);
            return NULL;
        }
    }

    return introspector;
}


void
ngx_proxy_user_introspector_close(ngx_proxy_user_introspector_t *introspector)
{
    ngx_uint_t  i;

    for (i = 0; i < introspector->n; i++) {
        ngx_proxy_user_desk_close(&introspector->desks[i]);
    }

    ngx_free(introspector);
}


static void
ngx_proxy_user_desk_close(ngx_proxy_user_desk_t *desk)
{
    ngx_proxy_user_inquiry_t  *inquiry;

    while (!ngx_queue_empty(&desk->inquiries)) {
        inquiry = ngx_queue_data(ngx_queue_head(&desk->inquiries),
                                 ngx_proxy_user_inquiry_t, queue);

        ngx_proxy_user_inquiry_leave(inquiry);
        ngx_proxy_user_inquiry_free(inquiry);
    }

    if (desk->fetcher) {
        ngx_proxy_user_fetcher_close(desk->fetcher);
    }
}


ngx_int_t
ngx_proxy_user_introspect(ngx_proxy_user_introspector_t *introspector,
    const ngx_proxy_user_introspect_t *question,
    ngx_proxy_user_introspect_waiter_t *waiter)
{
    ngx_proxy_user_desk_t    *desk;
    ngx_proxy_user_inquiry_t  *inquiry;

    waiter->inquiry = NULL;

    desk = ngx_proxy_user_desk_find(introspector, question->issuer);

    if (desk == NULL || desk->nwaiters >= NGX_PROXY_USER_WAITERS_MAX) {
        return NGX_BUSY;
    }

    inquiry = ngx_proxy_user_inquiry_find(desk, question->digest);

    if (inquiry == NULL) {
        inquiry = ngx_proxy_user_inquiry_start(desk, question);
    }

    if (inquiry == NULL) {
        return NGX_BUSY;
    }

    waiter->inquiry = inquiry;
    ngx_queue_insert_tail(&inquiry->waiters, &waiter->queue);
    desk->nwaiters++;

    return NGX_AGAIN;
}


void
ngx_proxy_user_introspect_detach(ngx_proxy_user_introspect_waiter_t *waiter)
{
    if (waiter->inquiry) {
        waiter->inquiry->desk->nwaiters--;
        waiter->inquiry = NULL;
        ngx_queue_remove(&waiter->queue);
    }
}


static ngx_proxy_user_desk_t *
ngx_proxy_user_desk_find(ngx_proxy_user_introspector_t *introspector,
    const pu_issuer_t *issuer)
{
    ngx_uint_t  i;

    for (i = 0; i < introspector->n; i++) {

        if (introspector->desks[i].issuer == issuer) {
            return &introspector->desks[i];
        }
    }

    return NULL;
}


static ngx_proxy_user_inquiry_t *
ngx_proxy_user_inquiry_find(ngx_proxy_user_desk_t *desk, const u_char *digest)
{
    ngx_queue_t              *q;
    ngx_proxy_user_inquiry_t  *inquiry;

    for (q = ngx_queue_head(&desk->inquiries);
         q != ngx_queue_sentinel(&desk->inquiries);
         q = ngx_queue_next(q))
    {
        inquiry = ngx_queue_data(q, ngx_proxy_user_inquiry_t, queue);

        if (ngx_memcmp(inquiry->digest, digest, PU_SHA256_LEN) == 0) {
            return inquiry;
        }
    }

    return NULL;
}


static ngx_proxy_user_inquiry_t *
ngx_proxy_user_inquiry_start(ngx_proxy_user_desk_t *desk,
    const ngx_proxy_user_introspect_t *question)
{
    ngx_proxy_user_inquiry_t  *inquiry;

    if (desk->ninquiries >= NGX_PROXY_USER_INQUIRIES_MAX) {
        return NULL;
    }

    inquiry = ngx_calloc(sizeof(ngx_proxy_user_inquiry_t), desk->log);
    if (inquiry == NULL) {
        return NULL;
    }

    inquiry->desk = desk;
    inquiry->since = ngx_current_msec;
    inquiry->keep = question->keep;
    inquiry->data = question->data;
    ngx_memcpy(inquiry->digest, question->digest, PU_SHA256_LEN);
    ngx_queue_init(&inquiry->waiters);

    ngx_queue_insert_tail(&desk->inquiries, &inquiry->queue);
    desk->ninquiries++;

    if (ngx_proxy_user_inquiry_post(inquiry, question->text) != NGX_OK) {
        ngx_proxy_user_inquiry_leave(inquiry);
        ngx_proxy_user_inquiry_free(inquiry);
        return NULL;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, desk->log, 0,
                   "proxy_user introspect: asks, inquiries:%ui",
                   desk->ninquiries);

    return inquiry;
}


static ngx_int_t
ngx_proxy_user_inquiry_post(ngx_proxy_user_inquiry_t *inquiry, pu_str_t text)
{
    size_t                          size;
    u_char                         *p;
    pu_buf_t                        b;
    pu_str_t                        form;
    const pu_issuer_t              *issuer;
    ngx_proxy_user_fetch_request_t  request;

    issuer = inquiry->desk->issuer;

    size = PU_INTROSPECTION_FORM(text.len);

    p = ngx_alloc(size, inquiry->desk->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pu_buf_init(&b, p, size);

    if (pu_introspection_form(&b, text)) {
        form = pu_buf_written(&b);

        ngx_memzero(&request, sizeof(ngx_proxy_user_fetch_request_t));
        request.url.len = issuer->introspection.len;
        request.url.data = (u_char *) issuer->introspection.data;
        request.form.len = form.len;
        request.form.data = p;
        request.authorization.len = issuer->authorization.len;
        request.authorization.data = (u_char *) issuer->authorization.data;
        request.max = PU_INTROSPECTION_MAX;
        request.timeout = issuer->timeout;

        inquiry->fetch = ngx_proxy_user_fetch_start(inquiry->desk->fetcher,
                                              &request,
                                              ngx_proxy_user_inquiry_answered,
                                              inquiry);
    }

    OPENSSL_cleanse(p, size);
    ngx_free(p);

    return inquiry->fetch ? NGX_OK : NGX_ERROR;
}


/* Nobody finds it any longer. */

static void
ngx_proxy_user_inquiry_leave(ngx_proxy_user_inquiry_t *inquiry)
{
    ngx_queue_remove(&inquiry->queue);
    inquiry->desk->ninquiries--;
}


/* Whoever waits for it is not called. */

static void
ngx_proxy_user_inquiry_free(ngx_proxy_user_inquiry_t *inquiry)
{
    while (!ngx_queue_empty(&inquiry->waiters)) {
        ngx_proxy_user_introspect_detach(
                ngx_queue_data(ngx_queue_head(&inquiry->waiters),
                               ngx_proxy_user_introspect_waiter_t, queue));
    }

    if (inquiry->fetch) {
        ngx_proxy_user_fetch_cancel(inquiry->fetch);
    }

    ngx_free(inquiry);
}


/* Out of the way first: who is told may ask again. */

static void
ngx_proxy_user_inquiry_answered(void *data,
    const ngx_proxy_user_fetched_t *fetched)
{
    ngx_proxy_user_inquiry_t *inquiry = data;

    pu_token_t                     token;
    ngx_proxy_user_introspected_t  told;

    inquiry->fetch = NULL;
    ngx_proxy_user_inquiry_leave(inquiry);

    told.digest = inquiry->digest;
    told.since = inquiry->since;
    told.reason = ngx_proxy_user_desk_read(inquiry->desk, fetched, &token);
    told.token = (told.reason == PU_OK) ? &token : NULL;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, inquiry->desk->log, 0,
                   "proxy_user introspect: answered, status:%ui reason:%ui",
                   fetched->status, (ngx_uint_t) told.reason);

    inquiry->keep(inquiry->data, &told);
    ngx_proxy_user_inquiry_tell(inquiry, &told);

    pu_token_clear(&token);
    ngx_proxy_user_inquiry_free(inquiry);
}


/* Who is called may end others who wait: always the first is next. */

static void
ngx_proxy_user_inquiry_tell(ngx_proxy_user_inquiry_t *inquiry,
    const ngx_proxy_user_introspected_t *told)
{
    ngx_proxy_user_introspect_waiter_t  *waiter;

    while (!ngx_queue_empty(&inquiry->waiters)) {
        waiter = ngx_queue_data(ngx_queue_head(&inquiry->waiters),
                                ngx_proxy_user_introspect_waiter_t, queue);

        ngx_proxy_user_introspect_detach(waiter);

        waiter->handler(waiter->data, told);
    }
}


/* "token" is to be cleared whatever came of it. */

static pu_reason_t
ngx_proxy_user_desk_read(ngx_proxy_user_desk_t *desk,
    const ngx_proxy_user_fetched_t *fetched, pu_token_t *token)
{
    pu_reason_t  reason;

    ngx_memzero(token, sizeof(pu_token_t));
    reason = PU_ISSUER_UNAVAILABLE;

    if (fetched->error == NULL && fetched->status == NGX_HTTP_OK) {
        reason = pu_introspection_read(token,
                                       ngx_proxy_user_str(&fetched->body),
                                       desk->issuer, ngx_time());
    }

    if (reason == PU_ISSUER_UNAVAILABLE) {
        ngx_proxy_user_desk_bad(desk, fetched);

    } else {
        ngx_proxy_user_desk_good(desk);
    }

    return reason;
}


/* An issuer that answers only now and then does not fill the log. */

static void
ngx_proxy_user_desk_bad(ngx_proxy_user_desk_t *desk,
    const ngx_proxy_user_fetched_t *fetched)
{
    u_char       text[NGX_INT_T_LEN + sizeof("it answers with status ")];
    const char  *why, *hint;

    if (desk->down
        || (desk->heard
            && ngx_current_msec - desk->complained
               < NGX_PROXY_USER_DESK_QUIET))
    {
        return;
    }

    desk->down = 1;
    desk->heard = 1;
    desk->complained = ngx_current_msec;

    hint = "";

    if (fetched->error) {
        why = fetched->error;

    } else if (fetched->status == NGX_HTTP_OK) {
        why = "its answer is no JSON object with a boolean \"active\"";

    } else {
        *ngx_sprintf(text, "it answers with status %ui", fetched->status)
            = '\0';
        why = (char *) text;
        hint = fetched->status == NGX_HTTP_UNAUTHORIZED
               ? ", which is about \"client_id\" and \"client_secret_file\""
               : "";
    }

    ngx_log_error(NGX_LOG_ERR, desk->log, 0,
                  "proxy_user: the issuer \"%*s\" cannot be asked about "
                  "tokens at \"%*s\": %s%s: those that are no JWTs cannot be "
                  "checked", desk->issuer->name.len, desk->issuer->name.data,
                  desk->issuer->introspection.len,
                  desk->issuer->introspection.data, why, hint);
}


static void
ngx_proxy_user_desk_good(ngx_proxy_user_desk_t *desk)
{
    if (!desk->down) {
        return;
    }

    desk->down = 0;

    ngx_log_error(NGX_LOG_NOTICE, desk->log, 0,
                  "proxy_user: the issuer \"%*s\" can be asked about tokens "
                  "again", desk->issuer->name.len, desk->issuer->name.data);
}
