
/*
 * Takes identity headers that came from outside out of the request.
 *
 * The list of headers is made anew rather than edited: r->headers_in has
 * pointers into the old one.
 */

#include "ngx_proxy_user_strip.h"


static ngx_uint_t ngx_proxy_user_strip_match(const ngx_str_t *name,
    const ngx_array_t *prefixes);
static ngx_uint_t ngx_proxy_user_strip_any(ngx_http_request_t *r,
    const ngx_array_t *prefixes);
static void ngx_proxy_user_strip_known(ngx_http_request_t *r,
    ngx_table_elt_t *h);


static u_char
ngx_proxy_user_strip_char(u_char c)
{
    if (c == '_' || c == '.') {
        return '-';
    }

    return ngx_tolower(c);
}


void
ngx_proxy_user_strip_fold(ngx_str_t *prefix)
{
    size_t  i;

    for (i = 0; i < prefix->len; i++) {
        prefix->data[i] = ngx_proxy_user_strip_char(prefix->data[i]);
    }
}


ngx_uint_t
ngx_proxy_user_strip_name(const ngx_str_t *prefix)
{
    size_t  i;

    for (i = 0; i < prefix->len; i++) {
        if (prefix->data[i] <= ' ' || prefix->data[i] >= 0x7f
            || ngx_strchr("\"(),/:;<=>?@[\\]{}", prefix->data[i]))
        {
            return 0;
        }
    }

    return prefix->len != 0;
}


ngx_uint_t
ngx_proxy_user_strip_reserved(const ngx_str_t *prefix)
{
    ngx_uint_t               i;
    static const char *const  names[] = {
        "host", "connection", "content-length", "content-type",
        "transfer-encoding", "authorization", "upgrade", "expect", "te",
        "cookie", "range", "keep-alive", NULL
    };

    for (i = 0; names[i]; i++) {
        if (prefix->len <= ngx_strlen(names[i])
            && ngx_strncmp(prefix->data, names[i], prefix->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* Apart: each request runs the match, which gcc inlines while it is static. */

ngx_uint_t
ngx_proxy_user_strip_takes(const ngx_str_t *name,
    const ngx_array_t *prefixes)
{
    return ngx_proxy_user_strip_match(name, prefixes);
}


ngx_int_t
ngx_proxy_user_strip(ngx_http_request_t *r, const ngx_array_t *prefixes)
{
    ngx_uint_t        i;
    ngx_list_t        list;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *kept;

    if (!ngx_proxy_user_strip_any(r, prefixes)) {
        return NGX_OK;
    }

    if (ngx_list_init(&list, r->pool, 20, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_proxy_user_strip_match(&h[i].key, prefixes)) {
                ngx_proxy_user_strip_known(r, &h[i]);
                continue;
            }

            kept = ngx_list_push(&list);
            if (kept == NULL) {
                return NGX_ERROR;
            }

            *kept = h[i];
        }
    }

    /* "last" of an empty or short list points at its own first part */

    r->headers_in.headers = list;

    if (list.last == &list.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_proxy_user_strip_any(ngx_http_request_t *r, const ngx_array_t *prefixes)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_proxy_user_strip_match(&h[i].key, prefixes)) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_proxy_user_strip_match(const ngx_str_t *name,
    const ngx_array_t *prefixes)
{
    size_t      n;
    ngx_str_t  *prefix;
    ngx_uint_t  i;

    prefix = prefixes->elts;

    for (i = 0; i < prefixes->nelts; i++) {

        if (name->len < prefix[i].len) {
            continue;
        }

        for (n = 0; n < prefix[i].len; n++) {
            if (ngx_proxy_user_strip_char(name->data[n])
                != prefix[i].data[n])
            {
                break;
            }
        }

        if (n == prefix[i].len) {
            return 1;
        }
    }

    return 0;
}


/* What nginx has understood of the header must go with it. */

static void
ngx_proxy_user_strip_known(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_http_header_t          *known;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    known = ngx_hash_find(&cmcf->headers_in_hash, h->hash, h->lowcase_key,
                          h->key.len);

    if (known == NULL || known->offset == 0) {
        return;
    }

#if (NGX_PROXY_USER_FORWARDED_FOR_ARRAY)

    if (known->offset == offsetof(ngx_http_headers_in_t, x_forwarded_for)) {
        r->headers_in.x_forwarded_for.nelts = 0;
        return;
    }

#endif

    *(ngx_table_elt_t **) ((char *) &r->headers_in + known->offset) = NULL;
}
