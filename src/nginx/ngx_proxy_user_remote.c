
/*
 * Issuers that are asked over the network; see the header.
 */

#include "ngx_proxy_user_remote.h"
#include "ngx_proxy_user_fetch.h"


static ngx_proxy_user_remote_t *ngx_proxy_user_remote(ngx_conf_t *cf,
    const pu_issuer_t *issuer);
static ngx_int_t ngx_proxy_user_remote_url(ngx_conf_t *cf,
    ngx_proxy_user_remote_t *remote, const pu_issuer_t *issuer,
    pu_str_t url);


ngx_int_t
ngx_proxy_user_remotes(ngx_conf_t *cf, ngx_proxy_user_main_conf_t *mcf)
{
    ngx_uint_t                i;
    const pu_issuer_t        *issuer;
    ngx_proxy_user_remote_t **remotes;

    remotes = ngx_pcalloc(cf->pool, mcf->issuers.n
                                    * sizeof(ngx_proxy_user_remote_t *));
    if (remotes == NULL) {
        return NGX_ERROR;
    }

    mcf->remotes = remotes;

    for (i = 0; i < mcf->issuers.n; i++) {
        issuer = mcf->issuers.items[i];

        if (!issuer->fetched && issuer->introspection.len == 0) {
            continue;
        }

        remotes[i] = ngx_proxy_user_remote(cf, issuer);
        if (remotes[i] == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* A discovery document may name https whatever its own url is. */

static ngx_proxy_user_remote_t *
ngx_proxy_user_remote(ngx_conf_t *cf, const pu_issuer_t *issuer)
{
    ngx_str_t                  file;
    ngx_proxy_user_remote_t   *remote;
    ngx_http_core_loc_conf_t  *clcf;

    remote = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_remote_t));
    if (remote == NULL) {
        return NULL;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->resolver && clcf->resolver->connections.nelts) {
        remote->resolver = clcf->resolver;
    }

    remote->hosts = ngx_array_create(cf->pool, 2,
                                     sizeof(ngx_proxy_user_host_t));
    if (remote->hosts == NULL
        || ngx_proxy_user_remote_url(cf, remote, issuer, issuer->discovery)
           != NGX_OK
        || ngx_proxy_user_remote_url(cf, remote, issuer, issuer->jwks_uri)
           != NGX_OK
        || ngx_proxy_user_remote_url(cf, remote, issuer,
                                     issuer->introspection)
           != NGX_OK)
    {
        return NULL;
    }

    file.len = issuer->ca_file.len;
    file.data = (u_char *) issuer->ca_file.data;

    if (issuer->discovery.len || file.len
        || pu_str_starts(issuer->jwks_uri, "https:")
        || pu_str_starts(issuer->introspection, "https:"))
    {
        remote->trust = ngx_proxy_user_fetch_trust(cf, &file);

        if (remote->trust == NULL) {
            return NULL;
        }
    }

    return remote;
}


static ngx_int_t
ngx_proxy_user_remote_url(ngx_conf_t *cf, ngx_proxy_user_remote_t *remote,
    const pu_issuer_t *issuer, pu_str_t url)
{
    ngx_str_t  text, name;

    if (url.len == 0) {
        return NGX_OK;
    }

    text.len = url.len;
    text.data = (u_char *) url.data;

    name.len = issuer->name.len;
    name.data = (u_char *) issuer->name.data;

    return ngx_proxy_user_fetch_host(cf, remote, &name, &text);
}
