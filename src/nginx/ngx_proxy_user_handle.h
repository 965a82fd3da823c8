/*
 * API keys and client certificates: a handle out of a request, and what its
 * record permits.
 *
 * Knows no location's rules; ngx_proxy_user_access.c decides.
 */

#ifndef NGX_PROXY_USER_HANDLE_H
#define NGX_PROXY_USER_HANDLE_H

#include "ngx_proxy_user_identity.h"


/*
 * A key by its own check digits, or the certificate that was found with the
 * credential: sets id->judged and id->proof, PU_OK (then id->handle is
 * filled) or the reason.  No look-up.
 */
void ngx_proxy_user_handle_prove(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);

/*
 * What a look-up of the handle has found, for this client at this moment:
 * PU_OK, then id->caps, id->issuer and what stands for a token's claims are
 * filled; or the reason.
 */
pu_reason_t ngx_proxy_user_handle_found(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_record_t *record);

/* The reason for a handle that nobody has. */
pu_reason_t ngx_proxy_user_handle_unknown(
    const ngx_proxy_user_identity_t *id);

/* The roles and scopes in force now, into id->last. */
ngx_int_t ngx_proxy_user_handle_grants(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);


#endif /* NGX_PROXY_USER_HANDLE_H */
