/*
 * A token becomes a proven identity: from the zone, verified, or by what its
 * issuer says.
 *
 * Knows no location and decides nothing: whether the identity may come in here
 * is for ngx_proxy_user_access.c.
 */

#ifndef NGX_PROXY_USER_PROOF_H
#define NGX_PROXY_USER_PROOF_H

#include "ngx_proxy_user_identity.h"


/*
 * Proves id->token; one that does not say itself whose it is, by id->opener,
 * whose key opens it or who is asked about it.  Sets id->judged and id->proof,
 * PU_OK (then issuer, verified and handle are filled, in the request's pool)
 * or the reason.  Or sets id->leave: news is awaited, after which it has to be
 * called again unless id->judged is set by then.
 */
void ngx_proxy_user_prove(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);

/*
 * When id->jti is named and not good: asks Redis whether the token has been
 * revoked.  Sets id->asked, and id->question unless it cannot be asked.
 */
void ngx_proxy_user_prove_ask(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);

/*
 * What came of that, id->answer: keeps the token in the zone, or not.  PU_OK
 * or the reason.
 */
pu_reason_t ngx_proxy_user_prove_named(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, ngx_uint_t stale);

/*
 * Reads the claims once more for what only a new user needs, verifying
 * id->token once more if they were not kept: fills id->display and
 * id->service.  PU_OK or the reason.
 */
pu_reason_t ngx_proxy_user_prove_again(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);


#endif /* NGX_PROXY_USER_PROOF_H */
