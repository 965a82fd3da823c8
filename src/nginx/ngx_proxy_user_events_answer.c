
/*
 * The answer to a provider: status, headers, body.
 */

#include "ngx_proxy_user_events_own.h"
#include "ngx_proxy_user_identity.h"
#include "ngx_proxy_user_scim.h"


static ngx_int_t ngx_proxy_user_events_send(ngx_http_request_t *r,
    ngx_uint_t status, pu_str_t body);


ngx_int_t
ngx_proxy_user_events_answer(ngx_http_request_t *r, pu_event_kind_t kind,
    pu_event_outcome_t outcome, pu_reason_t reason, const char *text)
{
    u_char      room[PU_EVENT_ANSWER_MAX];
    pu_buf_t    b;
    pu_str_t    word;
    ngx_log_t   log;
    ngx_uint_t  status;

    pu_buf_init(&b, room, sizeof(room));
    status = pu_event_answer(&b, kind, outcome, reason, text);

    if (outcome == PU_EVENT_BAD || outcome == PU_EVENT_UNMATCHED) {
        log = ngx_proxy_user_identity_log(r);
        word = pu_reason_word(reason);

        ngx_log_error(NGX_LOG_INFO, &log, 0,
                      "proxy_user: an event was refused: %*s%s%s, client: %V",
                      word.len, word.data, text ? ": " : "",
                      text ? text : "",
                      &r->connection->addr_text);
    }

    if (status == NGX_HTTP_UNAUTHORIZED
        && ngx_proxy_user_scim_challenge(r, reason == PU_NO_CREDENTIAL
                                            ? "" : ", error=\"invalid_token\"")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && ngx_proxy_user_scim_put(r, "Retry-After", PU_STR("1"), NULL)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_proxy_user_events_send(r, status, pu_buf_written(&b));
}


ngx_int_t
ngx_proxy_user_events_fault(ngx_http_request_t *r, pu_event_kind_t kind,
    ngx_uint_t status, const char *text)
{
    u_char     room[PU_EVENT_ANSWER_MAX];
    pu_buf_t   b;
    ngx_log_t  log;

    log = ngx_proxy_user_identity_log(r);

    ngx_log_error(NGX_LOG_INFO, &log, 0,
                  "proxy_user: an event was refused: %s, client: %V", text,
                  &r->connection->addr_text);

    pu_buf_init(&b, room, sizeof(room));
    pu_event_fault(&b, kind, text);

    return ngx_proxy_user_events_send(r, status, pu_buf_written(&b));
}


static ngx_int_t
ngx_proxy_user_events_send(ngx_http_request_t *r, ngx_uint_t status,
    pu_str_t body)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    if (!r->reading_body && ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_proxy_user_scim_put(r, "Cache-Control", PU_STR("no-store"), NULL)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = body.len;

    if (status == NGX_HTTP_NO_CONTENT) {
        r->headers_out.content_length_n = -1;
    }

    if (body.len == 0) {
        r->header_only = 1;

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, body.len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, body.data, body.len);
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
