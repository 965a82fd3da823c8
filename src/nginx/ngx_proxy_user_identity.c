
/*
 * What is known of a request; see the header.
 */

#include "ngx_proxy_user_identity.h"
#include "pu_key.h"


#define NGX_PROXY_USER_HANDLE_SHOWN  16


static void ngx_proxy_user_identity_cleanup(void *data);
static void ngx_proxy_user_identity_end(void *data);
static void ngx_proxy_user_identity_leave(ngx_proxy_user_identity_t *id);
static ngx_proxy_user_identity_t *ngx_proxy_user_identity_search(
    ngx_http_request_t *r);
static void ngx_proxy_user_identity_client(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);


ngx_proxy_user_identity_t *
ngx_proxy_user_identity_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_cleanup_t         *end;
    ngx_proxy_user_identity_t  *id;

    id = r->internal ? ngx_proxy_user_identity_search(r) : NULL;

    if (id) {
        return id;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_proxy_user_identity_t));
    if (cln == NULL) {
        return NULL;
    }

    id = cln->data;
    ngx_memzero(id, sizeof(ngx_proxy_user_identity_t));

    id->request = r;
    ngx_proxy_user_identity_client(r, id);

    cln->handler = ngx_proxy_user_identity_cleanup;

    /* runs before the log phase, the pool's cleanups run after it */

    end = ngx_http_cleanup_add(r, 0);
    if (end == NULL) {
        return NULL;
    }

    end->handler = ngx_proxy_user_identity_end;
    end->data = id;

    return id;
}


/* Its address is the mark by which the record is found. */

static void
ngx_proxy_user_identity_cleanup(void *data)
{
    ngx_proxy_user_identity_leave(data);
}


static void
ngx_proxy_user_identity_end(void *data)
{
    ngx_proxy_user_identity_t *id = data;

    ngx_proxy_user_identity_leave(id);
    id->logging = 1;
}


static void
ngx_proxy_user_identity_leave(ngx_proxy_user_identity_t *id)
{
    if (id->leave) {
        id->leave(id);
        id->leave = NULL;
    }

    if (id->watch.leave) {
        id->watch.leave(id);
    }
}


static ngx_proxy_user_identity_t *
ngx_proxy_user_identity_search(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_proxy_user_identity_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


ngx_proxy_user_identity_t *
ngx_proxy_user_identity_find(ngx_http_request_t *r)
{
    ngx_proxy_user_identity_t  *id;

    id = ngx_http_get_module_ctx(r->main, ngx_proxy_user_module);

    return id ? id : ngx_proxy_user_identity_search(r->main);
}


static void
ngx_proxy_user_identity_client(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    size_t  i;

    id->method = r->method_name;
    id->host = r->headers_in.server;
    id->uri = r->unparsed_uri;

    for (i = 0; i < id->uri.len; i++) {

        if (id->uri.data[i] == '?' || id->uri.data[i] == '#') {
            id->uri.len = i;
            break;
        }
    }
}


void
ngx_proxy_user_identity_told(void *data, ngx_proxy_user_answer_e answer)
{
    ngx_proxy_user_identity_t *id = data;

    id->question = NULL;
    id->answer = answer;

    id->resume(id);
}


/*
 * From the token as it came, which has been verified in this request, or from
 * what is kept of one that does not show its claims.
 */

ngx_int_t
ngx_proxy_user_identity_claim(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id, pu_str_t name, pu_str_t *value)
{
    u_char    *p;
    int64_t    len;
    pu_str_t   claims;

    *value = PU_STR("");

    if (id->kind != PU_HANDLE_SUB) {
        return NGX_OK;
    }

    claims = id->verified.claims;

    p = ngx_pnalloc(r->pool, ngx_max(id->token.len, claims.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    len = claims.len ? pu_claims_claim(claims, name, p)
                     : pu_token_claim(ngx_proxy_user_str(&id->token), name,
                                      p);

    if (len > 0) {
        *value = (pu_str_t) { len, p };
    }

    return len == -2 ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_proxy_user_identity_user(ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_record_t *record)
{
    u_char  *p;

    p = ngx_pnalloc(id->request->pool, record->user_len + PU_USER_ID_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, record->user, record->user_len);

    if (!pu_user_unpack(&id->user, p, record->user_len)) {
        return NGX_ERROR;
    }

    p += record->user_len;
    ngx_memcpy(p, record->id, PU_USER_ID_LEN);

    id->user.id = (pu_str_t) { PU_USER_ID_LEN, p };
    id->found = 1;

    return NGX_OK;
}


const ngx_proxy_user_decision_t *
ngx_proxy_user_identity_decision(const ngx_proxy_user_identity_t *id)
{
    if (id->refused.verdict != NGX_PROXY_USER_UNDECIDED) {
        return &id->refused;
    }

    if (id->last.verdict != NGX_PROXY_USER_UNDECIDED) {
        return &id->last;
    }

    return NULL;
}


void
ngx_proxy_user_identity_whom(const ngx_proxy_user_identity_t *id,
    ngx_proxy_user_whom_t *whom)
{
    ngx_memzero(whom, sizeof(ngx_proxy_user_whom_t));

    whom->cache = id->cache;
    whom->token_cache = id->token_cache;

    if (!id->judged || id->proof != PU_OK) {
        return;
    }

    if (id->found) {
        whom->user = id->user.id;
        whom->name = id->user.name;
        whom->type = pu_user_type_word(id->user.type);
    }

    whom->issuer = ngx_proxy_user_identity_issuer(id);
    whom->subject = id->verified.subject;
    whom->handle_len = ngx_proxy_user_identity_handle(id, whom->handle);
    whom->credential = ngx_proxy_user_identity_credential(id);
}


ngx_uint_t
ngx_proxy_user_identity_shown(const ngx_proxy_user_identity_t *id)
{
    if (!id->judged || id->proof != PU_OK) {
        return 0;
    }

    return !id->hidden
           || (id->logging && id->last.conf->mode == NGX_PROXY_USER_ENFORCE);
}


ngx_log_t
ngx_proxy_user_identity_log(ngx_http_request_t *r)
{
    ngx_log_t  log;

    log = *r->connection->log;
    log.handler = NULL;

    return log;
}


pu_str_t
ngx_proxy_user_verdict_word(ngx_proxy_user_verdict_e verdict)
{
    static const char *const  words[] = {
        "", "allow", "deny", "unknown", "anonymous", "preflight"
    };

    return pu_str(words[verdict]);
}


pu_str_t
ngx_proxy_user_cache_word(ngx_proxy_user_cache_e cache)
{
    static const char *const  words[] = { "", "hit", "miss", "stale" };

    return pu_str(words[cache]);
}


pu_str_t
ngx_proxy_user_identity_issuer(const ngx_proxy_user_identity_t *id)
{
    return id->issuer ? id->issuer->name : PU_STR("");
}


pu_str_t
ngx_proxy_user_identity_credential(const ngx_proxy_user_identity_t *id)
{
    static const char *const  words[] = { "bearer", "api_key", "certificate" };

    return pu_str(words[id->kind]);
}


size_t
ngx_proxy_user_identity_handle(const ngx_proxy_user_identity_t *id,
    u_char *out)
{
    pu_str_t  key;

    if (id->kind == PU_HANDLE_KEY) {
        key = pu_key_id(ngx_proxy_user_str(&id->token));
        ngx_memcpy(out, key.data, key.len);
        return key.len;
    }

    if (id->kind == PU_HANDLE_CERT) {
        return pu_base64url_encode((char *) out, id->handle, PU_SHA256_LEN);
    }

    (void) pu_handle_text((char *) out, PU_HANDLE_SUB, id->handle);

    return sizeof("sub:") - 1 + NGX_PROXY_USER_HANDLE_SHOWN;
}
