
/*
 * API keys and client certificates; see the header.
 */

#include "ngx_proxy_user_handle.h"
#include "pu_key.h"
#include "pu_network.h"


static pu_reason_t ngx_proxy_user_handle_key(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static ngx_int_t ngx_proxy_user_handle_keep(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_record_t *record);
static const pu_issuer_t *ngx_proxy_user_handle_issuer(
    ngx_http_request_t *r, pu_str_t url);
static ngx_uint_t ngx_proxy_user_handle_near(ngx_http_request_t *r,
    const pu_handle_t *handle);


void
ngx_proxy_user_handle_prove(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    id->judged = 1;
    id->found = 0;
    id->described = 0;
    id->token_cache = NGX_PROXY_USER_CACHE_NONE;
    id->issuer = NULL;

    /* what is said of tokens, so that nothing of an earlier one is left */

    ngx_memzero(&id->verified, sizeof(pu_verified_t));
    id->verified.exp = INT64_MAX;
    id->verified.nbf = PU_TIME_NONE;
    id->verified.iat = INT64_MAX;

    id->proof = (id->kind == PU_HANDLE_KEY)
                ? ngx_proxy_user_handle_key(r, id) : PU_OK;

    ngx_memcpy(id->digest, id->handle, PU_SHA256_LEN);
}


static pu_reason_t
ngx_proxy_user_handle_key(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    if (mcf->hash == NULL) {
        return PU_INTERNAL;
    }

    switch (pu_key_digest(mcf->hash, id->handle,
                          ngx_proxy_user_str(&id->token)))
    {
    case 1:
        return PU_OK;

    case 0:
        return PU_KEY_UNKNOWN;

    default:
        return PU_INTERNAL;
    }
}


pu_reason_t
ngx_proxy_user_handle_found(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_record_t *record)
{
    pu_reason_t  reason;

    if (ngx_proxy_user_handle_keep(r, id, record) != NGX_OK) {
        return PU_INTERNAL;
    }

    reason = pu_handle_judge(&id->caps, id->kind, ngx_time());

    if (reason != PU_OK) {
        return reason;
    }

    id->issuer = ngx_proxy_user_handle_issuer(r, id->user.issuer);
    id->verified.subject = id->user.subject;

    if (id->caps.expires) {
        id->verified.exp = id->caps.expires;
    }

    return ngx_proxy_user_handle_near(r, &id->caps)
           ? PU_OK : PU_NETWORK_NOT_PERMITTED;
}


static ngx_int_t
ngx_proxy_user_handle_keep(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_record_t *record)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, record->handle_len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, record->handle, record->handle_len);

    return pu_handle_unpack(&id->caps, p, record->handle_len) ? NGX_OK
                                                              : NGX_ERROR;
}


/* The block of this url, for its name and for proxy_user_accept; or NULL. */

static const pu_issuer_t *
ngx_proxy_user_handle_issuer(ngx_http_request_t *r, pu_str_t url)
{
    ngx_uint_t                         i;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    for (i = 0; i < mcf->issuers.n; i++) {
        if (pu_str_eq(mcf->issuers.items[i]->url, url)) {
            return mcf->issuers.items[i];
        }
    }

    return NULL;
}


/* A client without an address, on a unix socket, is in no network. */

static ngx_uint_t
ngx_proxy_user_handle_near(ngx_http_request_t *r, const pu_handle_t *handle)
{
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    if (handle->networks.data == NULL) {
        return 1;
    }

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        return pu_networks_have(handle->networks, sin6->sin6_addr.s6_addr,
                                16);
#endif

    case AF_INET:
        sin = (struct sockaddr_in *) sa;

        return pu_networks_have(handle->networks,
                                (const uint8_t *) &sin->sin_addr, 4);

    default:
        return 0;
    }
}


pu_reason_t
ngx_proxy_user_handle_unknown(const ngx_proxy_user_identity_t *id)
{
    switch (id->kind) {

    case PU_HANDLE_KEY:
        return PU_KEY_UNKNOWN;

    case PU_HANDLE_CERT:
        return PU_CERTIFICATE_UNKNOWN;

    default:
        return PU_USER_UNKNOWN;
    }
}


ngx_int_t
ngx_proxy_user_handle_grants(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    size_t                             roles, scopes;
    u_char                            *p;
    pu_buf_t                           b;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    roles = id->user.roles.len + id->caps.roles.len + 2;
    scopes = id->user.scopes.len + id->caps.scopes.len + 1;

    p = ngx_pnalloc(r->pool, roles + scopes);
    if (p == NULL) {
        return NGX_ERROR;
    }

    pu_buf_init(&b, p, roles);
    pu_handle_roles(&b, &id->caps, &id->user, &mcf->profiles, ngx_time(),
                    &id->last.until);
    id->last.roles = pu_buf_written(&b);

    if (b.full) {
        return NGX_ERROR;
    }

    pu_buf_init(&b, p + roles, scopes);
    pu_handle_scopes(&b, &id->caps, &id->user);
    id->last.scopes = pu_buf_written(&b);

    return b.full ? NGX_ERROR : NGX_OK;
}
