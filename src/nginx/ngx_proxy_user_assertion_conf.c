
/*
 * proxy_user_assertion and proxy_user_jwks: the directives, and the handler
 * that answers with the public keys.
 */

#include "ngx_proxy_user_assertion.h"
#include "ngx_proxy_user_conf.h"


#define NGX_PROXY_USER_ASSERTION_TTL      60
#define NGX_PROXY_USER_ASSERTION_TTL_MAX  3600
#define NGX_PROXY_USER_ASSERTION_KEYS     8
#define NGX_PROXY_USER_ASSERTION_VALUE    1024

#define NGX_PROXY_USER_JWKS_CACHE         "public, max-age=300"


static char *ngx_proxy_user_assertion_value(ngx_conf_t *cf,
    ngx_proxy_user_assertion_t *assertion, const ngx_str_t *word);
static char *ngx_proxy_user_assertion_keys(ngx_conf_t *cf,
    ngx_proxy_user_assertion_t *assertion, pu_alg_t alg);
static void ngx_proxy_user_assertion_cleanup(void *data);
static ngx_int_t ngx_proxy_user_jwks_handler(ngx_http_request_t *r);
static ngx_buf_t *ngx_proxy_user_jwks_text(ngx_http_request_t *r);
static void ngx_proxy_user_jwks_append(ngx_buf_t *b, pu_str_t s);


char *
ngx_proxy_user_assertion_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_loc_conf_t *lcf = conf;

    char                        *rv;
    pu_alg_t                     alg;
    ngx_str_t                   *words, word;
    ngx_uint_t                   i;
    ngx_proxy_user_assertion_t  *assertion;

    if (lcf->assertion != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    assertion = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_assertion_t));
    if (assertion == NULL) {
        return NGX_CONF_ERROR;
    }

    assertion->ttl = NGX_PROXY_USER_ASSERTION_TTL;

    assertion->signers = ngx_array_create(cf->pool, 2, sizeof(pu_signer_t *));
    if (assertion->signers == NULL) {
        return NGX_CONF_ERROR;
    }

    alg = PU_ES256;
    words = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(words[i].data, "alg=", 4) != 0) {
            continue;
        }

        word.len = words[i].len - 4;
        word.data = words[i].data + 4;
        alg = pu_signer_alg(ngx_proxy_user_str(&word));

        if (alg == PU_ALG_NONE) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_assertion\" has \"%V\", allowed "
                               "are alg=ES256, alg=RS256 and alg=EdDSA",
                               &words[i]);
            return NGX_CONF_ERROR;
        }
    }

    rv = ngx_proxy_user_assertion_keys(cf, assertion, alg);

    for (i = 1; rv == NGX_CONF_OK && i < cf->args->nelts; i++) {

        if (ngx_strncmp(words[i].data, "key=", 4) != 0
            && ngx_strncmp(words[i].data, "alg=", 4) != 0)
        {
            rv = ngx_proxy_user_assertion_value(cf, assertion, &words[i]);
        }
    }

    lcf->assertion = assertion;

    return rv;
}


static char *
ngx_proxy_user_assertion_value(ngx_conf_t *cf,
    ngx_proxy_user_assertion_t *assertion, const ngx_str_t *word)
{
    time_t      ttl;
    ngx_str_t   value, *slot;

    if (ngx_strncmp(word->data, "ttl=", 4) == 0) {
        value.len = word->len - 4;
        value.data = word->data + 4;
        ttl = ngx_parse_time(&value, 1);

        if (ttl < 1 || ttl > NGX_PROXY_USER_ASSERTION_TTL_MAX) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_assertion\" has \"%V\", allowed "
                               "is a time from 1s to 1h", word);
            return NGX_CONF_ERROR;
        }

        assertion->ttl = ttl;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(word->data, "audience=", 9) == 0) {
        value.len = word->len - 9;
        value.data = word->data + 9;
        slot = &assertion->audience;

    } else if (ngx_strncmp(word->data, "issuer=", 7) == 0) {
        value.len = word->len - 7;
        value.data = word->data + 7;
        slot = &assertion->issuer;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_assertion\" has \"%V\", allowed are "
                           "key=, alg=, ttl=, audience= and issuer=", word);
        return NGX_CONF_ERROR;
    }

    if (slot->len) {
        return "has a value twice";
    }

    if (value.len == 0 || value.len > NGX_PROXY_USER_ASSERTION_VALUE
        || pu_str_has_control(ngx_proxy_user_str(&value))
        || ngx_strlchr(value.data, value.data + value.len, '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_assertion\" has \"%V\", allowed are "
                           "1 to %d bytes, no control characters and no "
                           "variables", word,
                           NGX_PROXY_USER_ASSERTION_VALUE);
        return NGX_CONF_ERROR;
    }

    *slot = value;

    return NGX_CONF_OK;
}


static char *
ngx_proxy_user_assertion_keys(ngx_conf_t *cf,
    ngx_proxy_user_assertion_t *assertion, pu_alg_t alg)
{
    char                 err[PU_ERROR_SIZE];
    ngx_str_t           *words, file;
    ngx_uint_t           i;
    pu_signer_t         *signer, **slot;
    ngx_pool_cleanup_t  *cln;

    words = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(words[i].data, "key=", 4) != 0) {
            continue;
        }

        if (assertion->signers->nelts == NGX_PROXY_USER_ASSERTION_KEYS) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_assertion\" has \"%V\" and more "
                               "keys than the %d allowed", &words[i],
                               NGX_PROXY_USER_ASSERTION_KEYS);
            return NGX_CONF_ERROR;
        }

        file.len = words[i].len - 4;
        file.data = words[i].data + 4;

        slot = ngx_array_push(assertion->signers);
        cln = ngx_pool_cleanup_add(cf->pool, 0);

        if (slot == NULL || cln == NULL
            || ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        /* the first signs; others are for those who still have its tokens */

        signer = pu_signer_file((char *) file.data,
                                assertion->signers->nelts == 1 ? alg
                                                               : PU_ALG_NONE,
                                err);
        if (signer == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_assertion\" has the key \"%V\": "
                               "%s", &file, err);
            return NGX_CONF_ERROR;
        }

        *slot = signer;
        cln->handler = ngx_proxy_user_assertion_cleanup;
        cln->data = signer;
    }

    if (assertion->signers->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_assertion\" has no key=, allowed are "
                           "one or more files with a private key in PEM");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_proxy_user_assertion_cleanup(void *data)
{
    pu_signer_free(data);
}


/*
 * A line without issuer= speaks in the name of the server it is in force in,
 * which for one at http level is another for each server.
 */

ngx_int_t
ngx_proxy_user_assertion_merge(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf)
{
    ngx_uint_t                   i;
    ngx_http_core_srv_conf_t    *cscf;
    ngx_proxy_user_asserted_t   *asserted;
    ngx_proxy_user_assertion_t  *own;
    ngx_proxy_user_main_conf_t  *mcf;

    if (conf->assertion == NULL) {
        return NGX_OK;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_proxy_user_module);
    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    if (conf->assertion->issuer.len == 0) {
        own = ngx_palloc(cf->pool, sizeof(ngx_proxy_user_assertion_t));
        if (own == NULL) {
            return NGX_ERROR;
        }

        *own = *conf->assertion;
        own->issuer = cscf->server_name.len ? cscf->server_name
                                            : cf->cycle->hostname;
        conf->assertion = own;
    }

    if (mcf->asserted == NULL) {
        mcf->asserted = ngx_array_create(cf->pool, 2,
                                         sizeof(ngx_proxy_user_asserted_t));
        if (mcf->asserted == NULL) {
            return NGX_ERROR;
        }
    }

    asserted = mcf->asserted->elts;

    for (i = 0; i < mcf->asserted->nelts; i++) {
        if (asserted[i].server == cscf
            && asserted[i].assertion == conf->assertion)
        {
            return NGX_OK;
        }
    }

    asserted = ngx_array_push(mcf->asserted);
    if (asserted == NULL) {
        return NGX_ERROR;
    }

    asserted->server = cscf;
    asserted->assertion = conf->assertion;

    return NGX_OK;
}


char *
ngx_proxy_user_jwks_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_proxy_user_answers(cf, conf, ngx_proxy_user_jwks_handler);
}


static ngx_int_t
ngx_proxy_user_jwks_handler(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_buf_t        *b;
    ngx_chain_t       out;
    ngx_table_elt_t  *h;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    b = ngx_proxy_user_jwks_text(r);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "Cache-Control");
    ngx_str_set(&h->value, NGX_PROXY_USER_JWKS_CACHE);
    ngx_proxy_user_next_header(h, NULL);

    ngx_str_set(&r->headers_out.content_type, "application/jwk-set+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* Every key of the server once, in the order of the configuration. */

static ngx_buf_t *
ngx_proxy_user_jwks_text(ngx_http_request_t *r)
{
    size_t                             size;
    pu_str_t                           jwk;
    ngx_buf_t                         *b;
    ngx_uint_t                         i, k;
    pu_signer_t                      **signer;
    ngx_http_core_srv_conf_t          *cscf;
    ngx_proxy_user_asserted_t         *asserted;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    asserted = mcf->asserted ? mcf->asserted->elts : NULL;
    size = sizeof("{\"keys\":[]}\n");

    for (i = 0; asserted && i < mcf->asserted->nelts; i++) {
        signer = asserted[i].assertion->signers->elts;

        for (k = 0; k < asserted[i].assertion->signers->nelts; k++) {
            size += pu_signer_jwk(signer[k]).len + 1;
        }
    }

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NULL;
    }

    b->last = ngx_cpymem(b->last, "{\"keys\":[", sizeof("{\"keys\":[") - 1);

    for (i = 0; asserted && i < mcf->asserted->nelts; i++) {

        if (asserted[i].server != cscf) {
            continue;
        }

        signer = asserted[i].assertion->signers->elts;

        for (k = 0; k < asserted[i].assertion->signers->nelts; k++) {
            jwk = pu_signer_jwk(signer[k]);
            ngx_proxy_user_jwks_append(b, jwk);
        }
    }

    b->last = ngx_cpymem(b->last, "]}\n", sizeof("]}\n") - 1);
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    return b;
}


/* A text with its kid in it is in the buffer once. */

static void
ngx_proxy_user_jwks_append(ngx_buf_t *b, pu_str_t s)
{
    u_char  *p;

    for (p = b->pos; p + s.len <= b->last; p++) {
        if (ngx_memcmp(p, s.data, s.len) == 0) {
            return;
        }
    }

    if (b->last[-1] != '[') {
        *b->last++ = ',';
    }

    b->last = ngx_cpymem(b->last, s.data, s.len);
}
