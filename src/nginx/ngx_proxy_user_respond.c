
/*
 * What a refusal looks like: status, challenge (RFC 6750 section 3), problem
 * body (RFC 9457).
 *
 * The body is put in by a filter, since under "satisfy any" an access handler
 * must not send one.  The filter's context is the refusal; an internal redirect
 * zeroes it, so what error_page has taken is left alone.
 */

#include "ngx_proxy_user_respond.h"
#include "pu_accept.h"
#include "pu_dpop.h"
#include "pu_json.h"


#define NGX_PROXY_USER_PROBLEM_MAX  512


static ngx_int_t ngx_proxy_user_respond_status(
    const ngx_proxy_user_identity_t *id);
static ngx_int_t ngx_proxy_user_respond_challenge(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_respond_scheme(pu_buf_t *b,
    const ngx_proxy_user_identity_t *id, pu_challenge_t kind);
static ngx_int_t ngx_proxy_user_respond_header(ngx_http_request_t *r,
    const char *key, const char *lowcase, pu_str_t value,
    ngx_table_elt_t **header);
static ngx_uint_t ngx_proxy_user_respond_json(ngx_http_request_t *r);
static ngx_int_t ngx_proxy_user_respond_problem(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static ngx_int_t ngx_proxy_user_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_proxy_user_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


typedef struct {
    ngx_int_t    status;
    ngx_str_t    body;
    unsigned     applied:1;
    unsigned     sent:1;
} ngx_proxy_user_problem_t;


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_http_module_t  ngx_proxy_user_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_proxy_user_respond_init,           /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_proxy_user_filter_module = {
    NGX_MODULE_V1,
    &ngx_proxy_user_filter_module_ctx,     /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_int_t
ngx_proxy_user_respond(ngx_http_request_t *r, ngx_proxy_user_identity_t *id)
{
    ngx_int_t  status;

    status = ngx_proxy_user_respond_status(id);

    if (ngx_proxy_user_respond_challenge(r, id) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE
        && id->retry == NULL
        && ngx_proxy_user_respond_header(r, "Retry-After", "retry-after",
                                         PU_STR("1"), &id->retry)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_proxy_user_respond_json(r)
        && ngx_proxy_user_respond_problem(r, id) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return status;
}


void
ngx_proxy_user_respond_withdraw(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    ngx_http_set_ctx(r, NULL, ngx_proxy_user_filter_module);

    if (id->challenge) {
        id->challenge->hash = 0;
        id->challenge = NULL;
    }

    if (id->covered) {
        id->covered->hash = 0;
        id->covered = NULL;
    }
}


static ngx_int_t
ngx_proxy_user_respond_status(const ngx_proxy_user_identity_t *id)
{
    return id->last.status ? id->last.status
                           : pu_reason_status(id->last.reason);
}


static ngx_int_t
ngx_proxy_user_respond_challenge(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    size_t                            size;
    u_char                           *memory;
    pu_buf_t                          b;
    ngx_uint_t                        i;
    pu_challenge_t                    kind;
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = id->last.conf;
    kind = pu_reason_challenge(id->last.reason);

    /* RFC 9110 section 15.5.2: there is one in every 401 */

    if (kind == PU_CHALLENGE_NONE
        && id->last.status == NGX_HTTP_UNAUTHORIZED)
    {
        kind = PU_CHALLENGE_BARE;
    }

    /* an earlier location of the same request may have left one */

    if (id->challenge) {
        id->challenge->hash = 0;
        id->challenge = NULL;
    }

    if (kind == PU_CHALLENGE_NONE) {
        return NGX_OK;
    }

    size = conf->challenge.len + 256;

    for (i = 0; i < conf->policy.nscopes; i++) {
        size += conf->policy.scopes[i].n * 256;
    }

    memory = ngx_pnalloc(r->pool, size);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    pu_buf_init(&b, memory, size);
    ngx_proxy_user_respond_scheme(&b, id, kind);

    switch (kind) {

    case PU_CHALLENGE_REQUEST:
        pu_buf_text(&b, ", error=\"invalid_request\"");
        break;

    case PU_CHALLENGE_TOKEN:
        pu_buf_text(&b, id->challenged == NGX_PROXY_USER_DPOP_PROOF
                        ? ", error=\"invalid_dpop_proof\""
                        : ", error=\"invalid_token\"");
        pu_buf_text(&b, ", error_description=\"");
        pu_buf_str(&b, pu_reason_text(id->last.reason));
        pu_buf_char(&b, '"');

        if (id->challenged != NGX_PROXY_USER_BEARER_TOKEN) {
            pu_buf_text(&b, ", algs=\"" PU_DPOP_ALGS "\"");
        }

        break;

    case PU_CHALLENGE_SCOPE:
        pu_buf_text(&b, ", error=\"insufficient_scope\", scope=\"");
        pu_policy_scopes_needed(&b, &conf->policy,
                                pu_method(ngx_proxy_user_str(
                                              &r->method_name)));
        pu_buf_char(&b, '"');
        break;

    default:
        break;
    }

    /* there "satisfy any" finds and clears it when another module allows */

    if (ngx_proxy_user_respond_header(r, "WWW-Authenticate",
                                      "www-authenticate",
                                      pu_buf_written(&b), &id->challenge)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    id->covered = r->headers_out.www_authenticate;

    ngx_proxy_user_next_header(id->challenge, id->covered);

    r->headers_out.www_authenticate = id->challenge;

    return NGX_OK;
}


/* The scheme by which the token should have come; the realm is the same. */

static void
ngx_proxy_user_respond_scheme(pu_buf_t *b,
    const ngx_proxy_user_identity_t *id, pu_challenge_t kind)
{
    pu_str_t  challenge;

    challenge = ngx_proxy_user_str(&id->last.conf->challenge);

    if (kind == PU_CHALLENGE_TOKEN
        && id->challenged != NGX_PROXY_USER_BEARER_TOKEN)
    {
        pu_buf_text(b, "DPoP");
        challenge.data += sizeof("Bearer") - 1;
        challenge.len -= sizeof("Bearer") - 1;
    }

    pu_buf_str(b, challenge);
}


static ngx_int_t
ngx_proxy_user_respond_header(ngx_http_request_t *r, const char *key,
    const char *lowcase, pu_str_t value, ngx_table_elt_t **header)
{
    ngx_str_t         copy;
    ngx_table_elt_t  *h;

    copy.len = value.len;
    copy.data = ngx_pnalloc(r->pool, value.len);

    h = ngx_list_push(&r->headers_out.headers);

    if (h == NULL || copy.data == NULL) {

        if (h) {
            h->hash = 0;
        }

        return NGX_ERROR;
    }

    ngx_memcpy(copy.data, value.data, value.len);

    h->hash = 1;
    h->value = copy;
    h->key.len = ngx_strlen(key);
    h->key.data = (u_char *) key;
    h->lowcase_key = (u_char *) lowcase;

    ngx_proxy_user_next_header(h, NULL);

    if (header) {
        *header = h;
    }

    return NGX_OK;
}


/* Does an Accept header name one of the two types, not refusing it? */

static ngx_uint_t
ngx_proxy_user_respond_json(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != sizeof("Accept") - 1
                || ngx_strncasecmp(h[i].key.data, (u_char *) "Accept",
                                   sizeof("Accept") - 1)
                   != 0)
            {
                continue;
            }

            if (pu_accepts(ngx_proxy_user_str(&h[i].value),
                           PU_STR("application/json"))
                || pu_accepts(ngx_proxy_user_str(&h[i].value),
                              PU_STR("application/problem+json")))
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_int_t
ngx_proxy_user_respond_problem(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    u_char                      *memory;
    pu_buf_t                     b;
    ngx_int_t                    status;
    ngx_http_variable_value_t   *v;
    ngx_proxy_user_problem_t    *problem;
    ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    problem = ngx_pcalloc(r->pool, sizeof(ngx_proxy_user_problem_t));
    memory = ngx_pnalloc(r->pool, NGX_PROXY_USER_PROBLEM_MAX);

    if (problem == NULL || memory == NULL) {
        return NGX_ERROR;
    }

    status = ngx_proxy_user_respond_status(id);

    pu_buf_init(&b, memory, NGX_PROXY_USER_PROBLEM_MAX);
    pu_buf_text(&b, "{\"type\":\"about:blank\",\"title\":");
    pu_json_quote(&b, pu_status_title(status));
    pu_buf_text(&b, ",\"status\":");
    pu_buf_int(&b, status);
    pu_buf_text(&b, ",\"reason\":");
    pu_json_quote(&b, pu_reason_word(id->last.reason));

    v = ngx_http_get_indexed_variable(r, mcf->request_id);

    if (v && !v->not_found) {
        pu_buf_text(&b, ",\"request_id\":");
        pu_json_quote(&b, (pu_str_t) { v->len, v->data });
    }

    pu_buf_text(&b, "}\n");

    problem->status = status;
    problem->body.data = memory;
    problem->body.len = pu_buf_written(&b).len;

    ngx_http_set_ctx(r, problem, ngx_proxy_user_filter_module);

    return NGX_OK;
}


ngx_int_t
ngx_proxy_user_respond_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_proxy_user_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_proxy_user_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_header_filter(ngx_http_request_t *r)
{
    ngx_proxy_user_problem_t  *problem;

    problem = ngx_http_get_module_ctx(r, ngx_proxy_user_filter_module);

    /* another status: another module has the last word */

    if (problem && r == r->main
        && r->headers_out.status == (ngx_uint_t) problem->status)
    {
        problem->applied = 1;

        ngx_str_set(&r->headers_out.content_type, "application/problem+json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = NULL;
        ngx_str_null(&r->headers_out.charset);

        ngx_http_clear_content_length(r);
        ngx_http_clear_accept_ranges(r);
        r->headers_out.content_length_n = problem->body.len;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_proxy_user_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t                 *b;
    ngx_chain_t                out, *cl;
    ngx_proxy_user_problem_t  *problem;

    problem = ngx_http_get_module_ctx(r, ngx_proxy_user_filter_module);

    if (problem == NULL || !problem->applied || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    /* what nginx made is taken as sent */

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    if (problem->sent) {
        return NGX_OK;
    }

    problem->sent = 1;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = problem->body.data;
    b->last = b->pos + problem->body.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}
