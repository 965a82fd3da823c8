
/*
 * Where a credential may stand in a request; see the header.
 */

#include "ngx_proxy_user_certificate.h"
#include "ngx_proxy_user_credential.h"
#include "pu_authorization.h"


static pu_reason_t ngx_proxy_user_shown(ngx_http_request_t *r,
    const ngx_proxy_user_source_t *source,
    ngx_proxy_user_credential_t *credential);
static pu_reason_t ngx_proxy_user_bearer(ngx_http_request_t *r,
    ngx_proxy_user_credential_t *credential);
static ngx_uint_t ngx_proxy_user_cookie(ngx_http_request_t *r,
    const ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_proxy_user_pairs(ngx_str_t text, u_char separator,
    const ngx_str_t *name, ngx_str_t *value);


static const ngx_str_t  ngx_proxy_user_dpop = ngx_string("DPoP");
static const ngx_str_t  ngx_proxy_user_cookies = ngx_string("Cookie");


pu_reason_t
ngx_proxy_user_credential(ngx_http_request_t *r,
    const ngx_proxy_user_loc_conf_t *conf,
    ngx_proxy_user_credential_t *credential)
{
    ngx_str_t                       proof, token;
    ngx_uint_t                      i, n, total;
    pu_reason_t                     reason;
    const ngx_proxy_user_source_t  *source, *certificate;

    total = 0;
    reason = PU_NO_CREDENTIAL;
    certificate = NULL;
    credential->source = NULL;
    credential->dpop = 0;

    source = conf->sources->elts;

    for (i = 0; i < conf->sources->nelts; i++) {
        n = 0;
        ngx_str_null(&token);

        switch (source[i].place) {

        case NGX_PROXY_USER_BEARER:
            reason = ngx_proxy_user_bearer(r, credential);
            n = (reason != PU_NO_CREDENTIAL);
            token = credential->token;

            if (ngx_proxy_user_header(r, &ngx_proxy_user_dpop, &proof) > 1) {
                return PU_CREDENTIAL_AMBIGUOUS;
            }

            break;

        case NGX_PROXY_USER_HEADER:
        case NGX_PROXY_USER_API_KEY:
            n = ngx_proxy_user_header(r, &source[i].name, &token);
            break;

        case NGX_PROXY_USER_COOKIE:
            n = ngx_proxy_user_cookie(r, &source[i].name, &token);
            break;

        case NGX_PROXY_USER_QUERY:
            n = ngx_proxy_user_pairs(r->args, '&', &source[i].name, &token);
            break;

        case NGX_PROXY_USER_CERTIFICATE:
            certificate = &source[i];
            break;
        }

        if (n) {
            credential->source = &source[i];
            credential->token = token;
            total += n;
        }
    }

    if (total == 0) {
        return certificate ? ngx_proxy_user_shown(r, certificate, credential)
                           : PU_NO_CREDENTIAL;
    }

    if (total > 1) {
        return PU_CREDENTIAL_AMBIGUOUS;
    }

    credential->kind = (credential->source->place == NGX_PROXY_USER_API_KEY)
                       ? PU_HANDLE_KEY : PU_HANDLE_SUB;

    return (credential->source->place == NGX_PROXY_USER_BEARER) ? reason
                                                                : PU_OK;
}


/* What the client has shown at the handshake, if nginx trusts it. */

static pu_reason_t
ngx_proxy_user_shown(ngx_http_request_t *r,
    const ngx_proxy_user_source_t *source,
    ngx_proxy_user_credential_t *credential)
{
    ngx_int_t   rc;
    ngx_uint_t  verified;

    rc = ngx_proxy_user_certificate(r, credential->digest, &verified);

    if (rc == NGX_ERROR) {
        return PU_INTERNAL;
    }

    if (rc != NGX_OK || !verified) {
        return PU_NO_CREDENTIAL;
    }

    credential->source = source;
    credential->kind = PU_HANDLE_CERT;
    ngx_str_null(&credential->token);

    return PU_OK;
}


static pu_reason_t
ngx_proxy_user_bearer(ngx_http_request_t *r,
    ngx_proxy_user_credential_t *credential)
{
    pu_reason_t          reason;
    ngx_table_elt_t     *h;
    pu_authorization_t   authorization;

    h = r->headers_in.authorization;

    if (h == NULL) {
        return PU_NO_CREDENTIAL;
    }

    reason = pu_authorization_read(&authorization,
                                   ngx_proxy_user_str(&h->value));

    credential->dpop = authorization.dpop;
    credential->token.len = authorization.token.len;
    credential->token.data = (u_char *) authorization.token.data;

    return reason;
}


ngx_uint_t
ngx_proxy_user_header(ngx_http_request_t *r, const ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len)
                   == 0)
            {
                *value = h[i].value;
                n++;
            }
        }
    }

    return n;
}


static ngx_uint_t
ngx_proxy_user_cookie(ngx_http_request_t *r, const ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == ngx_proxy_user_cookies.len
                && ngx_strncasecmp(h[i].key.data,
                                   ngx_proxy_user_cookies.data,
                                   ngx_proxy_user_cookies.len)
                   == 0)
            {
                n += ngx_proxy_user_pairs(h[i].value, ';', name, value);
            }
        }
    }

    return n;
}


/*
 * name=value pairs of a cookie or of the arguments: how often this name is
 * there.  Names and values are compared and taken as they stand: a token needs
 * no decoding, what needs it is no token.
 */

static ngx_uint_t
ngx_proxy_user_pairs(ngx_str_t text, u_char separator, const ngx_str_t *name,
    ngx_str_t *value)
{
    u_char      *p, *end, *last, *equals;
    ngx_uint_t   n;

    n = 0;
    p = text.data;
    last = text.data + text.len;

    while (p < last) {
        end = ngx_strlchr(p, last, separator);

        if (end == NULL) {
            end = last;
        }

        while (p < end && *p == ' ') {
            p++;
        }

        equals = ngx_strlchr(p, end, '=');

        if (equals && (size_t) (equals - p) == name->len
            && ngx_memcmp(p, name->data, name->len) == 0)
        {
            value->data = equals + 1;
            value->len = end - value->data;
            n++;
        }

        p = end + 1;
    }

    return n;
}
