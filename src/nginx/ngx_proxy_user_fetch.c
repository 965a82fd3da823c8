
/*
 * A small HTTP client; see the header for what it promises.
 *
 * A fetch looks up the host, hands libcurl the addresses, and is over when
 * the transfer or the deadline is.
 */

#include "ngx_proxy_user_fetch_own.h"

#include <openssl/crypto.h>


#define NGX_PROXY_USER_FETCH_MAX  1024          /* of one issuer, at once */


static ngx_int_t ngx_proxy_user_fetch_copy(ngx_proxy_user_fetch_t *fetch,
    const ngx_proxy_user_fetch_request_t *request);
static void ngx_proxy_user_fetch_find(ngx_proxy_user_fetch_t *fetch);
static void ngx_proxy_user_fetch_look_up(ngx_proxy_user_fetch_t *fetch);
static void ngx_proxy_user_fetch_looked_up(ngx_resolver_ctx_t *ctx);
static void ngx_proxy_user_fetch_deadline(ngx_event_t *ev);
static void ngx_proxy_user_fetch_done(ngx_event_t *ev);
static void ngx_proxy_user_fetch_stop(ngx_proxy_user_fetch_t *fetch);
static void ngx_proxy_user_fetch_free(ngx_proxy_user_fetch_t *fetch);


ngx_proxy_user_fetcher_t *
ngx_proxy_user_fetcher_open(ngx_log_t *log,
    const ngx_proxy_user_remote_t *remote)
{
    ngx_proxy_user_fetcher_t  *fetcher;

    fetcher = ngx_calloc(sizeof(ngx_proxy_user_fetcher_t), log);
    if (fetcher == NULL) {
        return NULL;
    }

    fetcher->remote = remote;
    fetcher->log = log;
    ngx_queue_init(&fetcher->all);

    fetcher->curl = ngx_proxy_user_curl_open(log, ngx_proxy_user_fetch_ended);

    if (fetcher->curl == NULL) {
        ngx_free(fetcher);
        return NULL;
    }

    return fetcher;
}


void
ngx_proxy_user_fetcher_close(ngx_proxy_user_fetcher_t *fetcher)
{
    while (!ngx_queue_empty(&fetcher->all)) {
        ngx_proxy_user_fetch_free(ngx_queue_data(ngx_queue_head(&fetcher->all),
                                            ngx_proxy_user_fetch_t, queue));
    }

    ngx_proxy_user_curl_close(fetcher->curl);
    ngx_free(fetcher);
}


ngx_proxy_user_fetch_t *
ngx_proxy_user_fetch_start(ngx_proxy_user_fetcher_t *fetcher,
    const ngx_proxy_user_fetch_request_t *request,
    ngx_proxy_user_fetch_pt handler, void *data)
{
    ngx_proxy_user_fetch_t  *fetch;

    if (fetcher->n >= NGX_PROXY_USER_FETCH_MAX) {
        return NULL;
    }

    fetch = ngx_calloc(sizeof(ngx_proxy_user_fetch_t), fetcher->log);
    if (fetch == NULL) {
        return NULL;
    }

    fetch->fetcher = fetcher;
    fetch->handler = handler;
    fetch->data = data;

    fetch->done.handler = ngx_proxy_user_fetch_done;
    fetch->done.data = fetch;
    fetch->done.log = fetcher->log;

    fetch->deadline.handler = ngx_proxy_user_fetch_deadline;
    fetch->deadline.data = fetch;
    fetch->deadline.log = fetcher->log;
    fetch->deadline.cancelable = request->background;

    ngx_queue_insert_tail(&fetcher->all, &fetch->queue);
    fetcher->n++;

    if (ngx_proxy_user_fetch_copy(fetch, request) != NGX_OK) {
        ngx_proxy_user_fetch_free(fetch);
        return NULL;
    }

    ngx_add_timer(&fetch->deadline, request->timeout);

    ngx_proxy_user_fetch_find(fetch);

    return fetch;
}


void
ngx_proxy_user_fetch_cancel(ngx_proxy_user_fetch_t *fetch)
{
    ngx_proxy_user_fetch_free(fetch);
}


static ngx_int_t
ngx_proxy_user_fetch_copy(ngx_proxy_user_fetch_t *fetch,
    const ngx_proxy_user_fetch_request_t *request)
{
    u_char  *p;
    size_t   size;

    size = request->url.len + request->form.len + request->authorization.len
           + 3;

    fetch->pool = ngx_create_pool(1024, fetch->fetcher->log);
    if (fetch->pool == NULL) {
        return NGX_ERROR;
    }

    p = ngx_pcalloc(fetch->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    fetch->request = *request;

    fetch->request.url.data = p;
    p = ngx_cpymem(p, request->url.data, request->url.len) + 1;

    if (request->form.data) {
        fetch->request.form.data = p;
        p = ngx_cpymem(p, request->form.data, request->form.len) + 1;
    }

    if (request->authorization.len) {
        fetch->request.authorization.data = p;
        ngx_memcpy(p, request->authorization.data,
                   request->authorization.len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_proxy_user_fetch_parse(ngx_pool_t *pool, ngx_str_t *url, ngx_url_t *u,
    ngx_uint_t resolve)
{
    size_t      skip;
    ngx_uint_t  secure;

    secure = url->len > 8 && ngx_strncmp(url->data, "https://", 8) == 0;
    skip = secure ? sizeof("https://") - 1 : sizeof("http://") - 1;

    if (url->len <= skip) {
        return NGX_ERROR;
    }

    ngx_memzero(u, sizeof(ngx_url_t));
    u->url.data = url->data + skip;
    u->url.len = url->len - skip;
    u->default_port = secure ? 443 : 80;
    u->uri_part = 1;
    u->no_resolve = !resolve;

    return ngx_parse_url(pool, u);
}


/* Whoever asked is told of a failure later, never from here. */

static void
ngx_proxy_user_fetch_find(ngx_proxy_user_fetch_t *fetch)
{
    ngx_uint_t                      i, n;
    ngx_resolver_addr_t             addrs[NGX_PROXY_USER_FETCH_ADDRS];
    ngx_proxy_user_host_t          *host;
    const ngx_proxy_user_remote_t  *remote;

    remote = fetch->fetcher->remote;

    if (ngx_proxy_user_fetch_parse(fetch->pool, &fetch->request.url,
                                   &fetch->url, 0)
        != NGX_OK)
    {
        ngx_proxy_user_fetch_finish(fetch, "its url cannot be used");
        return;
    }

    fetch->secure = (fetch->url.default_port == 443);

    /* an address needs no look-up */

    if (fetch->url.naddrs) {
        ngx_proxy_user_fetch_transfer(fetch, NULL, 0);
        return;
    }

    host = remote->hosts->elts;

    for (i = 0; i < remote->hosts->nelts; i++) {

        if (host[i].host.len != fetch->url.host.len
            || ngx_strncasecmp(host[i].host.data, fetch->url.host.data,
                               fetch->url.host.len)
               != 0)
        {
            continue;
        }

        for (n = 0; n < host[i].naddrs && n < NGX_PROXY_USER_FETCH_ADDRS;
             n++)
        {
            addrs[n].sockaddr = host[i].addrs[n].sockaddr;
            addrs[n].socklen = host[i].addrs[n].socklen;
        }

        ngx_proxy_user_fetch_transfer(fetch, addrs, n);
        return;
    }

    if (remote->resolver == NULL) {
        ngx_proxy_user_fetch_finish(fetch, "its host is not known, a "
                                    "\"resolver\" at http level would find "
                                    "it");
        return;
    }

    ngx_proxy_user_fetch_look_up(fetch);
}


static void
ngx_proxy_user_fetch_look_up(ngx_proxy_user_fetch_t *fetch)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(fetch->fetcher->remote->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_proxy_user_fetch_finish(fetch, "its host cannot be looked up");
        return;
    }

    ctx->name = fetch->url.host;
    ctx->handler = ngx_proxy_user_fetch_looked_up;
    ctx->data = fetch;
    ctx->timeout = fetch->request.timeout;
    ctx->cancelable = 1;

    fetch->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        fetch->resolving = NULL;
        ngx_proxy_user_fetch_finish(fetch, "its host cannot be looked up");
    }
}


/* The resolver's callback; from within ngx_resolve_name when it knows. */

static void
ngx_proxy_user_fetch_looked_up(ngx_resolver_ctx_t *ctx)
{
    ngx_proxy_user_fetch_t  *fetch;

    fetch = ctx->data;

    fetch->resolving = NULL;

    if (ctx->state) {
        ngx_proxy_user_fetch_finish(fetch,
                                    ngx_resolver_strerror(ctx->state));

    } else {
        ngx_proxy_user_fetch_transfer(fetch, ctx->addrs, ctx->naddrs);
    }

    ngx_resolve_name_done(ctx);
}


void
ngx_proxy_user_fetch_finish(ngx_proxy_user_fetch_t *fetch, const char *error)
{
    fetch->fetched.error = error;

    ngx_proxy_user_fetch_stop(fetch);

    ngx_post_event(&fetch->done, &ngx_posted_events);
}


static void
ngx_proxy_user_fetch_deadline(ngx_event_t *ev)
{
    ngx_proxy_user_fetch_finish(ev->data, "it has not answered in time");
}


static void
ngx_proxy_user_fetch_done(ngx_event_t *ev)
{
    ngx_proxy_user_fetch_t  *fetch;

    fetch = ev->data;

    fetch->handler(fetch->data, &fetch->fetched);

    ngx_proxy_user_fetch_free(fetch);
}


/* Nothing more will come. */

static void
ngx_proxy_user_fetch_stop(ngx_proxy_user_fetch_t *fetch)
{
    if (fetch->deadline.timer_set) {
        ngx_del_timer(&fetch->deadline);
    }

    if (fetch->resolving) {
        ngx_resolve_name_done(fetch->resolving);
        fetch->resolving = NULL;
    }

    if (fetch->added) {
        fetch->added = 0;
        ngx_proxy_user_curl_remove(fetch->fetcher->curl, fetch->easy);
    }
}


static void
ngx_proxy_user_fetch_free(ngx_proxy_user_fetch_t *fetch)
{
    ngx_proxy_user_fetch_stop(fetch);

    if (fetch->done.posted) {
        ngx_delete_posted_event(&fetch->done);
    }

    if (fetch->easy) {
        curl_easy_cleanup(fetch->easy);
    }

    curl_slist_free_all(fetch->headers);
    curl_slist_free_all(fetch->resolve);

    if (fetch->fetched.body.data) {
        ngx_free(fetch->fetched.body.data);
    }

    if (fetch->pool) {

        if (fetch->request.form.data) {
            OPENSSL_cleanse(fetch->request.form.data,
                            fetch->request.form.len);
        }

        if (fetch->request.authorization.len) {
            OPENSSL_cleanse(fetch->request.authorization.data,
                            fetch->request.authorization.len);
        }

        ngx_destroy_pool(fetch->pool);
    }

    ngx_queue_remove(&fetch->queue);
    fetch->fetcher->n--;

    ngx_free(fetch);
}
