/*
 * Where a credential may stand in a request, and the one that does.
 */

#ifndef NGX_PROXY_USER_CREDENTIAL_H
#define NGX_PROXY_USER_CREDENTIAL_H

#include "ngx_proxy_user.h"


typedef struct {
    const ngx_proxy_user_source_t  *source;
    ngx_str_t                       token;      /* points into the request */
    u_char                          digest[PU_SHA256_LEN]; /* certificate's */
    pu_handle_kind_t                kind;
    unsigned                        dpop:1;
} ngx_proxy_user_credential_t;


/*
 * Looks in the places this location accepts (RFC 6750 section 2: no more than
 * one may be used).  A client certificate is one only where there is no other.
 * PU_OK, PU_NO_CREDENTIAL, PU_CREDENTIAL_AMBIGUOUS, PU_CREDENTIAL_MALFORMED or
 * PU_TOKEN_MALFORMED.  What stands there is not looked at further.
 */
pu_reason_t ngx_proxy_user_credential(ngx_http_request_t *r,
    const ngx_proxy_user_loc_conf_t *conf,
    ngx_proxy_user_credential_t *credential);

/* How often the request has that header; *value is the last one's, if any. */
ngx_uint_t ngx_proxy_user_header(ngx_http_request_t *r,
    const ngx_str_t *name, ngx_str_t *value);


#endif /* NGX_PROXY_USER_CREDENTIAL_H */
