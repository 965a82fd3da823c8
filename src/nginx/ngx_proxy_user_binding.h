/*
 * Has the caller what the token is bound to: the client certificate of this
 * connection (RFC 8705), a DPoP proof for this request (RFC 9449)?
 *
 * Asked for every request, whatever the configuration and however the token
 * became known.
 */

#ifndef NGX_PROXY_USER_BINDING_H
#define NGX_PROXY_USER_BINDING_H

#include "ngx_proxy_user_identity.h"
#include "pu_dpop.h"


/*
 * PU_OK, also for a token that is bound to nothing, or the reason; sets
 * id->challenged for the answer.  A proof that is right otherwise may have
 * been seen before: then id->proof_id is filled and id->ask_proof set.
 */
pu_reason_t ngx_proxy_user_bind(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);

/*
 * When id->ask_proof is set: asks whether the proof has been seen before.
 * PU_OK with id->leave set: bind_answered says it when the request goes on.
 * Else the answer; nobody's answer is no proof.
 */
pu_reason_t ngx_proxy_user_bind_once(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
pu_reason_t ngx_proxy_user_bind_answered(ngx_proxy_user_identity_t *id);

/*
 * What a url has to be to mean this server: fills scheme, host, port and local
 * of "request" for a request that has named this host.  1, or 0: the host is
 * none of the server's own, and no url means it.
 */
ngx_uint_t ngx_proxy_user_bind_host(ngx_http_request_t *r,
    const ngx_proxy_user_loc_conf_t *conf, ngx_str_t *host,
    pu_dpop_request_t *request);


#endif /* NGX_PROXY_USER_BINDING_H */
