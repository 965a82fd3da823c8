
/*
 * Records that cannot be read; see the header.
 */

#include "ngx_proxy_user_unread.h"


static ngx_uint_t ngx_proxy_user_unread_told(ngx_proxy_user_unread_t *unread,
    const u_char *digest);


void
ngx_proxy_user_unread_handle(ngx_proxy_user_unread_t *unread, ngx_log_t *log,
    pu_handle_kind_t kind, const u_char *digest)
{
    char    text[PU_HANDLE_TEXT_MAX];
    size_t  len;

    if (ngx_proxy_user_unread_told(unread, digest)) {
        return;
    }

    len = pu_handle_text(text, kind, digest);

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "proxy_user: the record of handle \"%*s\" or of its user "
                  "cannot be read", len, text);
}


void
ngx_proxy_user_unread_jti(ngx_proxy_user_unread_t *unread, ngx_log_t *log,
    const u_char *digest)
{
    char    text[PU_DIGEST_TEXT_LEN];
    size_t  len;

    if (ngx_proxy_user_unread_told(unread, digest)) {
        return;
    }

    len = pu_base64url_encode(text, digest, PU_SHA256_LEN);

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "proxy_user: whether a token is revoked cannot be read: "
                  "the key \"jti:%*s\" is of another type", len, text);
}


static ngx_uint_t
ngx_proxy_user_unread_told(ngx_proxy_user_unread_t *unread,
    const u_char *digest)
{
    if (unread->at == ngx_time()
        && ngx_memcmp(unread->digest, digest, PU_SHA256_LEN) == 0)
    {
        return 1;
    }

    unread->at = ngx_time();
    ngx_memcpy(unread->digest, digest, PU_SHA256_LEN);

    return 0;
}
