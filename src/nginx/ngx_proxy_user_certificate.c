
/*
 * The client certificate; see the header.
 */

#include "ngx_proxy_user_certificate.h"


#if (NGX_HTTP_SSL)

ngx_int_t
ngx_proxy_user_certificate(ngx_http_request_t *r,
    u_char digest[PU_SHA256_LEN], ngx_uint_t *verified)
{
    int                ok;
    X509              *cert;
    unsigned           len;
    ngx_str_t          verify;
    ngx_connection_t  *c;

    c = r->connection;

    if (c->ssl == NULL) {
        return NGX_DECLINED;
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return NGX_DECLINED;
    }

    ok = X509_digest(cert, EVP_sha256(), digest, &len);

    X509_free(cert);

    if (ok != 1 || len != PU_SHA256_LEN) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    *verified = ngx_ssl_get_client_verify(c, r->pool, &verify) == NGX_OK
                && verify.len == sizeof("SUCCESS") - 1
                && ngx_strncmp(verify.data, "SUCCESS", verify.len) == 0;

    return NGX_OK;
}

#else

ngx_int_t
ngx_proxy_user_certificate(ngx_http_request_t *r,
    u_char digest[PU_SHA256_LEN], ngx_uint_t *verified)
{
    return NGX_DECLINED;
}

#endif
