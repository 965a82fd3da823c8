
/*
 * The answer to a directory: status, headers, body.
 */

#include "ngx_proxy_user_scim.h"


static ngx_int_t ngx_proxy_user_scim_headers(ngx_http_request_t *r,
    const pu_scim_answer_t *answer);


ngx_int_t
ngx_proxy_user_scim_error(ngx_http_request_t *r, int status,
    const char *detail)
{
    char              *text;
    ngx_int_t          rc;
    pu_scim_answer_t   answer;

    if (!r->reading_body && ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "proxy_user: scim refused: %s", detail);

    text = pu_scim_error_text(status, NULL, detail);

    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&answer, sizeof(pu_scim_answer_t));
    answer.status = status;
    answer.body = pu_str(text);

    rc = ngx_proxy_user_scim_send(r, &answer);
    free(text);

    return rc;
}


ngx_int_t
ngx_proxy_user_scim_send(ngx_http_request_t *r,
    const pu_scim_answer_t *answer)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    if (answer->status == 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* If-Match means the version of the user, which was seen to */

    r->disable_not_modified = 1;
    r->headers_out.status = answer->status;
    r->headers_out.content_length_n = answer->body.len;

    if (answer->status == NGX_HTTP_NO_CONTENT
        || answer->status == NGX_HTTP_NOT_MODIFIED)
    {
        r->header_only = 1;
        r->headers_out.content_length_n = -1;

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/scim+json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }

    if (ngx_proxy_user_scim_headers(r, answer) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, ngx_max(answer->body.len, 1));
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (answer->body.len) {
        b->last = ngx_cpymem(b->last, answer->body.data, answer->body.len);
    }

    b->memory = answer->body.len ? 1 : 0;
    b->temporary = 0;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_proxy_user_scim_headers(ngx_http_request_t *r,
    const pu_scim_answer_t *answer)
{
    if (answer->etag.len
        && ngx_proxy_user_scim_put(r, "ETag", answer->etag,
                                   &r->headers_out.etag)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->location.len
        && ngx_proxy_user_scim_put(r, "Location", answer->location,
                                   &r->headers_out.location)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->allow.len
        && ngx_proxy_user_scim_put(r, "Allow", answer->allow, NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (answer->status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_proxy_user_scim_put(r, "Retry-After", PU_STR("1"), NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_proxy_user_scim_put(ngx_http_request_t *r, const char *name,
    pu_str_t value, ngx_table_elt_t **header)
{
    u_char           *copy;
    ngx_table_elt_t  *h;

    copy = ngx_pnalloc(r->pool, value.len);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, value.data, value.len);

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = value.len;
    h->value.data = copy;
    h->lowcase_key = NULL;

    ngx_proxy_user_next_header(h, NULL);

    if (header) {
        *header = h;
    }

    return NGX_OK;
}


ngx_int_t
ngx_proxy_user_scim_challenge(ngx_http_request_t *r, const char *error)
{
    size_t                            size;
    u_char                           *memory;
    pu_buf_t                          b;
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);

    size = conf->challenge.len + ngx_strlen(error);

    memory = ngx_pnalloc(r->pool, size);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    pu_buf_init(&b, memory, size);
    pu_buf_str(&b, ngx_proxy_user_str(&conf->challenge));
    pu_buf_text(&b, error);

    return ngx_proxy_user_scim_put(r, "WWW-Authenticate", pu_buf_written(&b),
                                   &r->headers_out.www_authenticate);
}
