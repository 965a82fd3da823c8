
/*
 * $proxy_user_assertion; see the header.
 *
 * An assertion is found by all that it says or depends on: credential, user
 * and version, roles and scopes in force, and the line that makes it.  So
 * nothing has to be told to forget one: after a change nobody asks for it, and
 * it goes as the least recently used.
 */

#include "ngx_proxy_user_assertion.h"


#define NGX_PROXY_USER_ASSERTED_BUCKETS  4096
#define NGX_PROXY_USER_ASSERTED_BYTES    (16 * 1024 * 1024)
#define NGX_PROXY_USER_ASSERTED_ENTRY    (32 * 1024)


typedef struct {
    ngx_queue_t                        bucket;
    ngx_queue_t                        lru;
    const ngx_proxy_user_assertion_t  *line;
    u_char                             digest[PU_SHA256_LEN];
    u_char                             user[PU_USER_ID_LEN];
    int64_t                            version;
    int64_t                            iat;
    int64_t                            exp;
    size_t                             roles_len;
    size_t                             scopes_len;
    size_t                             text_len;
    u_char                             data[1];     /* the three */
} ngx_proxy_user_signed_t;


struct ngx_proxy_user_assertions_s {
    ngx_log_t                         *log;
    size_t                             bytes;
    ngx_queue_t                        lru;         /* newest first */
    ngx_queue_t                        buckets[NGX_PROXY_USER_ASSERTED_BUCKETS];
};


static ngx_proxy_user_signed_t *ngx_proxy_user_assertion_find(
    ngx_proxy_user_assertions_t *cache, const ngx_proxy_user_assertion_t *line,
    const ngx_proxy_user_identity_t *id);
static ngx_uint_t ngx_proxy_user_assertion_is(
    const ngx_proxy_user_signed_t *e, const ngx_proxy_user_assertion_t *line,
    const ngx_proxy_user_identity_t *id);
static ngx_queue_t *ngx_proxy_user_assertion_bucket(
    ngx_proxy_user_assertions_t *cache, const u_char *digest);
static ngx_int_t ngx_proxy_user_assertion_make(ngx_http_request_t *r,
    const ngx_proxy_user_assertion_t *line, ngx_proxy_user_identity_t *id,
    pu_str_t *value);
static int64_t ngx_proxy_user_assertion_end(
    const ngx_proxy_user_assertion_t *line,
    const ngx_proxy_user_identity_t *id);
static pu_str_t ngx_proxy_user_assertion_client(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id);
static void ngx_proxy_user_assertion_keep(ngx_proxy_user_assertions_t *cache,
    const ngx_proxy_user_assertion_t *line,
    const ngx_proxy_user_identity_t *id, const pu_assertion_t *a,
    pu_str_t text);
static size_t ngx_proxy_user_assertion_size(const ngx_proxy_user_signed_t *e);
static void ngx_proxy_user_assertion_drop(ngx_proxy_user_assertions_t *cache,
    ngx_proxy_user_signed_t *e);


ngx_proxy_user_assertions_t *
ngx_proxy_user_assertions_open(ngx_log_t *log)
{
    ngx_uint_t                    i;
    ngx_proxy_user_assertions_t  *cache;

    cache = ngx_calloc(sizeof(ngx_proxy_user_assertions_t), log);
    if (cache == NULL) {
        return NULL;
    }

    cache->log = log;
    ngx_queue_init(&cache->lru);

    for (i = 0; i < NGX_PROXY_USER_ASSERTED_BUCKETS; i++) {
        ngx_queue_init(&cache->buckets[i]);
    }

    return cache;
}


void
ngx_proxy_user_assertions_close(ngx_proxy_user_assertions_t *cache)
{
    while (!ngx_queue_empty(&cache->lru)) {
        ngx_proxy_user_assertion_drop(cache,
                       ngx_queue_data(ngx_queue_head(&cache->lru),
                                      ngx_proxy_user_signed_t, lru));
    }

    ngx_free(cache);
}


ngx_int_t
ngx_proxy_user_assertion(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_str_t *value)
{
    u_char                            *p;
    ngx_proxy_user_signed_t           *e;
    ngx_proxy_user_assertions_t       *cache;
    const ngx_proxy_user_assertion_t  *line;
    const ngx_proxy_user_loc_conf_t   *conf;
    const ngx_proxy_user_main_conf_t  *mcf;

    *value = PU_STR("");

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);
    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    line = conf->assertion;
    cache = mcf->assertions;

    if (line == NULL || cache == NULL || !id->found
        || id->last.verdict != NGX_PROXY_USER_ALLOW)
    {
        return NGX_OK;
    }

    /* one request says one thing, in the log too */

    if (id->last.asserter == line) {
        *value = id->last.assertion;
        return NGX_OK;
    }

    e = ngx_proxy_user_assertion_find(cache, line, id);

    if (e) {
        p = ngx_pnalloc(r->main->pool, e->text_len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, e->data + e->roles_len + e->scopes_len, e->text_len);
        *value = (pu_str_t) { e->text_len, p };

    } else if (ngx_proxy_user_assertion_make(r, line, id, value) != NGX_OK) {
        return NGX_ERROR;
    }

    id->last.asserter = line;
    id->last.assertion = *value;

    return NGX_OK;
}


static ngx_proxy_user_signed_t *
ngx_proxy_user_assertion_find(ngx_proxy_user_assertions_t *cache,
    const ngx_proxy_user_assertion_t *line,
    const ngx_proxy_user_identity_t *id)
{
    ngx_queue_t              *q, *bucket;
    ngx_proxy_user_signed_t  *e;

    bucket = ngx_proxy_user_assertion_bucket(cache, id->digest);

    for (q = ngx_queue_head(bucket);
         q != ngx_queue_sentinel(bucket);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_proxy_user_signed_t, bucket);

        if (!ngx_proxy_user_assertion_is(e, line, id)) {
            continue;
        }

        if (!pu_assertion_usable(ngx_time(), e->iat, e->exp)) {
            ngx_proxy_user_assertion_drop(cache, e);
            return NULL;
        }

        ngx_queue_remove(&e->lru);
        ngx_queue_insert_head(&cache->lru, &e->lru);

        return e;
    }

    return NULL;
}


static ngx_uint_t
ngx_proxy_user_assertion_is(const ngx_proxy_user_signed_t *e,
    const ngx_proxy_user_assertion_t *line,
    const ngx_proxy_user_identity_t *id)
{
    return e->line == line
           && e->version == id->user.version
           && ngx_memcmp(e->digest, id->digest, PU_SHA256_LEN) == 0
           && ngx_memcmp(e->user, id->user.id.data, PU_USER_ID_LEN) == 0
           && pu_str_eq((pu_str_t) { e->roles_len, e->data },
                        id->last.roles)
           && pu_str_eq((pu_str_t) { e->scopes_len, e->data + e->roles_len },
                        id->last.scopes);
}


static ngx_queue_t *
ngx_proxy_user_assertion_bucket(ngx_proxy_user_assertions_t *cache,
    const u_char *digest)
{
    uint32_t  n;

    ngx_memcpy(&n, digest, sizeof(uint32_t));

    return &cache->buckets[n % NGX_PROXY_USER_ASSERTED_BUCKETS];
}


static ngx_int_t
ngx_proxy_user_assertion_make(ngx_http_request_t *r,
    const ngx_proxy_user_assertion_t *line, ngx_proxy_user_identity_t *id,
    pu_str_t *value)
{
    u_char                            *p;
    pu_buf_t                           b;
    ngx_log_t                          log;
    pu_signer_t                      **signer;
    pu_assertion_t                     a;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    ngx_memzero(&a, sizeof(pu_assertion_t));
    a.iat = ngx_time();
    a.exp = ngx_proxy_user_assertion_end(line, id);

    if (a.exp == 0) {
        return NGX_OK;
    }

    a.issuer = ngx_proxy_user_str(&line->issuer);
    a.audience = ngx_proxy_user_str(&line->audience);
    a.subject = id->user.id;
    a.name = id->user.name;
    a.roles = id->last.roles;
    a.scopes = id->last.scopes;
    a.client = ngx_proxy_user_assertion_client(r, id);

    p = ngx_pnalloc(r->main->pool, PU_ASSERTION_LEN_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pu_buf_init(&b, p, PU_ASSERTION_LEN_MAX);
    signer = line->signers->elts;

    if (!pu_assertion_sign(signer[0], &a, &b)) {
        log = ngx_proxy_user_identity_log(r);

        ngx_log_error(NGX_LOG_WARN, &log, 0,
                      "proxy_user: no assertion is made: roles and scopes are "
                      "too long for it, or libjwt has failed: "
                      "\"$proxy_user_assertion\" is empty, client: %V",
                      &r->connection->addr_text);
        return NGX_OK;
    }

    *value = pu_buf_written(&b);

    ngx_proxy_user_assertion_keep(mcf->assertions, line, id, &a, *value);

    return NGX_OK;
}


/* It never outlives what has let the user in. */

static int64_t
ngx_proxy_user_assertion_end(const ngx_proxy_user_assertion_t *line,
    const ngx_proxy_user_identity_t *id)
{
    int64_t  limits[3];

    limits[0] = id->verified.exp;
    limits[1] = id->last.until;
    limits[2] = id->user.expires ? id->user.expires : PU_ASSERTION_ALWAYS;

    return pu_assertion_exp(ngx_time(), line->ttl, limits, 3);
}


/* RFC 9068's client_id, or the azp of OpenID Connect. */

static pu_str_t
ngx_proxy_user_assertion_client(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id)
{
    pu_str_t  value;

    (void) ngx_proxy_user_identity_claim(r, id, PU_STR("client_id"), &value);

    if (value.len == 0) {
        (void) ngx_proxy_user_identity_claim(r, id, PU_STR("azp"), &value);
    }

    return value;
}


static void
ngx_proxy_user_assertion_keep(ngx_proxy_user_assertions_t *cache,
    const ngx_proxy_user_assertion_t *line,
    const ngx_proxy_user_identity_t *id, const pu_assertion_t *a,
    pu_str_t text)
{
    size_t                    size, len;
    pu_buf_t                  b;
    ngx_proxy_user_signed_t  *e;

    len = a->roles.len + a->scopes.len + text.len;
    size = offsetof(ngx_proxy_user_signed_t, data) + len;

    if (size > NGX_PROXY_USER_ASSERTED_ENTRY) {
        return;
    }

    while (cache->bytes + size > NGX_PROXY_USER_ASSERTED_BYTES) {
        ngx_proxy_user_assertion_drop(cache,
                       ngx_queue_data(ngx_queue_last(&cache->lru),
                                      ngx_proxy_user_signed_t, lru));
    }

    e = ngx_alloc(size, cache->log);
    if (e == NULL) {
        return;
    }

    e->line = line;
    ngx_memcpy(e->digest, id->digest, PU_SHA256_LEN);
    ngx_memcpy(e->user, id->user.id.data, PU_USER_ID_LEN);
    e->version = id->user.version;
    e->iat = a->iat;
    e->exp = a->exp;
    e->roles_len = a->roles.len;
    e->scopes_len = a->scopes.len;
    e->text_len = text.len;

    pu_buf_init(&b, e->data, len);
    pu_buf_str(&b, a->roles);
    pu_buf_str(&b, a->scopes);
    pu_buf_str(&b, text);

    cache->bytes += size;
    ngx_queue_insert_head(&cache->lru, &e->lru);
    ngx_queue_insert_head(ngx_proxy_user_assertion_bucket(cache, e->digest),
                          &e->bucket);
}


static size_t
ngx_proxy_user_assertion_size(const ngx_proxy_user_signed_t *e)
{
    return offsetof(ngx_proxy_user_signed_t, data) + e->roles_len
           + e->scopes_len + e->text_len;
}


static void
ngx_proxy_user_assertion_drop(ngx_proxy_user_assertions_t *cache,
    ngx_proxy_user_signed_t *e)
{
    cache->bytes -= ngx_proxy_user_assertion_size(e);

    ngx_queue_remove(&e->lru);
    ngx_queue_remove(&e->bucket);
    ngx_free(e);
}
