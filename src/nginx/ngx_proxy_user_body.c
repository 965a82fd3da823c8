
/*
 * A request's body in memory; see the header.
 */

#include "ngx_proxy_user_body.h"


static void ngx_proxy_user_body_mark(void *data);
static ngx_proxy_user_body_t *ngx_proxy_user_body_of(ngx_http_request_t *r);
static void ngx_proxy_user_body_come(ngx_http_request_t *r);
static ngx_int_t ngx_proxy_user_body_take(ngx_http_request_t *r,
    ngx_proxy_user_body_t *body);
static ngx_int_t ngx_proxy_user_body_grow(ngx_http_request_t *r,
    ngx_proxy_user_body_t *body, size_t len);


ngx_int_t
ngx_proxy_user_body_read(ngx_http_request_t *r, ngx_proxy_user_body_t *body)
{
    ngx_int_t            rc;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_proxy_user_body_mark;
    cln->data = body;

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_proxy_user_body_come);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


/* By this handler it is found again: the module's context is an identity. */

static void
ngx_proxy_user_body_mark(void *data)
{
    /* void */
}


static ngx_proxy_user_body_t *
ngx_proxy_user_body_of(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_proxy_user_body_mark) {
            return cln->data;
        }
    }

    return NULL;
}


static void
ngx_proxy_user_body_come(ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_proxy_user_body_t  *body;

    body = ngx_proxy_user_body_of(r);

    for ( ;; ) {
        rc = ngx_proxy_user_body_take(r, body);

        if (rc == NGX_DECLINED) {
            rc = body->handler(r, body->data, NGX_DECLINED);
            break;
        }

        if (rc != NGX_OK) {
            break;
        }

        if (!r->reading_body) {
            r->read_event_handler = ngx_http_block_reading;
            rc = body->handler(r, body->data, NGX_OK);
            break;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            break;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            r->read_event_handler = ngx_proxy_user_body_come;
            return;
        }
    }

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


/* What has come: NGX_OK, NGX_DECLINED when it is too much, or a status. */

static ngx_int_t
ngx_proxy_user_body_take(ngx_http_request_t *r, ngx_proxy_user_body_t *body)
{
    size_t        len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (!ngx_buf_in_memory(b)) {
            continue;
        }

        len = b->last - b->pos;

        if (len > body->max - body->text.len) {
            return NGX_DECLINED;
        }

        if (len == 0) {
            continue;
        }

        if (ngx_proxy_user_body_grow(r, body, len) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_memcpy(body->start + body->text.len, b->pos, len);
        body->text.len += len;
        b->pos = b->last;
    }

    r->request_body->bufs = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_body_grow(ngx_http_request_t *r, ngx_proxy_user_body_t *body,
    size_t len)
{
    size_t   size;
    u_char  *grown;

    if (len <= body->size - body->text.len) {
        return NGX_OK;
    }

    size = ngx_max(body->size * 2, body->text.len + len);
    size = ngx_max(size, (size_t) ngx_max(r->headers_in.content_length_n, 0));

    grown = ngx_pnalloc(r->pool, size);
    if (grown == NULL) {
        return NGX_ERROR;
    }

    if (body->text.len) {
        ngx_memcpy(grown, body->start, body->text.len);
        (void) ngx_pfree(r->pool, body->start);
    }

    body->start = grown;
    body->size = size;
    body->text.data = grown;

    return NGX_OK;
}


size_t
ngx_proxy_user_body_max(ngx_conf_t *cf, size_t max)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->client_max_body_size
        && clcf->client_max_body_size < (off_t) max)
    {
        max = clcf->client_max_body_size;
    }

    clcf->client_max_body_size = 0;

    return max;
}
