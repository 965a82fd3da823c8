/*
 * What a known user may do here: the state of the user, roles and scopes in
 * force, the lines of the location, requirements.
 *
 * Decides for the live request and for a question about another one alike.
 * Knows no store, waits for nothing, answers nobody.
 */

#ifndef NGX_PROXY_USER_JUDGE_H
#define NGX_PROXY_USER_JUDGE_H

#include "ngx_proxy_user_identity.h"


/*
 * Of id->user, found, or of nobody when id->anonymous: fills id->last.roles,
 * scopes and rule.  PU_OK or the reason.  "r" lends its pool and the
 * configuration.
 */
pu_reason_t ngx_proxy_user_judge(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf,
    pu_str_t method);

/* Do credentials of id->issuer count here? */
ngx_uint_t ngx_proxy_user_judge_accepts(const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf);

/*
 * The lines of proxy_user_require, after that.  Values are those of "r"; NULL:
 * they are not known, and count as empty.
 */
pu_reason_t ngx_proxy_user_judge_require(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf);

/*
 * Is it a browser's question before a request to another origin (Fetch
 * standard, "a CORS-preflight request")?  It never has a credential.
 */
ngx_uint_t ngx_proxy_user_judge_preflight(ngx_http_request_t *r);


#endif /* NGX_PROXY_USER_JUDGE_H */
