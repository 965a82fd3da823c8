/*
 * The client certificate of the TLS connection that a request came by.
 *
 * The connection's own and nothing else: no header ever stands for it.
 */

#ifndef NGX_PROXY_USER_CERTIFICATE_H
#define NGX_PROXY_USER_CERTIFICATE_H

#include "ngx_proxy_user.h"


/*
 * NGX_OK: "digest" is the SHA-256 of its DER (RFC 8705 section 3.1), and
 * *verified says whether $ssl_client_verify is SUCCESS: without that it may
 * bind a token, and is nobody's credential.  NGX_DECLINED: there is none.
 */
ngx_int_t ngx_proxy_user_certificate(ngx_http_request_t *r,
    u_char digest[PU_SHA256_LEN], ngx_uint_t *verified);


#endif /* NGX_PROXY_USER_CERTIFICATE_H */
