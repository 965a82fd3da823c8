
/*
 * What fetching needs of the configuration: whom to trust, and addresses of
 * hosts where there is no resolver.
 */

#include "ngx_proxy_user_fetch_own.h"

#include <openssl/err.h>


static void ngx_proxy_user_fetch_distrust(void *data);


X509_STORE *
ngx_proxy_user_fetch_trust(ngx_conf_t *cf, ngx_str_t *file)
{
    int                  ok;
    X509_STORE          *store;
    const char          *tls;
    ngx_pool_cleanup_t  *cln;

    tls = curl_version_info(CURLVERSION_NOW)->ssl_version;

    if (tls == NULL || ngx_strncmp(tls, "OpenSSL", 7) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "libcurl uses \"%s\" for TLS, needed is one that "
                           "uses OpenSSL", tls ? tls : "nothing");
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    store = X509_STORE_new();
    if (store == NULL) {
        return NULL;
    }

    cln->handler = ngx_proxy_user_fetch_distrust;
    cln->data = store;

    ok = file->len ? X509_STORE_load_file(store, (char *) file->data)
                   : X509_STORE_set_default_paths(store);

    ERR_clear_error();

    if (ok == 1) {
        return store;
    }

    if (file->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"ca_file\" has the value \"%V\", allowed is a "
                           "file of certificates in PEM", file);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the system's certificates cannot be read: write "
                           "\"ca_file\" in the issuer");
    }

    return NULL;
}


static void
ngx_proxy_user_fetch_distrust(void *data)
{
    X509_STORE_free(data);
}


ngx_int_t
ngx_proxy_user_fetch_host(ngx_conf_t *cf, ngx_proxy_user_remote_t *remote,
    ngx_str_t *name, ngx_str_t *url)
{
    ngx_url_t               u;
    ngx_uint_t              local;
    ngx_proxy_user_host_t  *host;

    if (ngx_proxy_user_fetch_parse(cf->pool, url, &u, 0) != NGX_OK) {
        goto failed;
    }

    if (u.naddrs) {
        return NGX_OK;
    }

    /* a resolver asks name servers, which do not know what "localhost" is */

    local = u.host.len == sizeof("localhost") - 1
            && ngx_strncasecmp(u.host.data, (u_char *) "localhost",
                               u.host.len)
               == 0;

    if (remote->resolver && !local) {
        return NGX_OK;
    }

    if (ngx_proxy_user_fetch_parse(cf->pool, url, &u, 1) != NGX_OK) {
        goto failed;
    }

    host = ngx_array_push(remote->hosts);
    if (host == NULL) {
        return NGX_ERROR;
    }

    host->host = u.host;
    host->addrs = u.addrs;
    host->naddrs = u.naddrs;

    return NGX_OK;

failed:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"proxy_user_issuer\" \"%V\": the host of \"%V\" "
                       "cannot be used%s%s; needed is a host that is known "
                       "now, a \"resolver\" at http level, or \"jwks_file\"",
                       name, url, u.err ? ": " : "", u.err ? u.err : "");
    return NGX_ERROR;
}
