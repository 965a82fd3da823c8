/*
 * $proxy_user_assertion: a signed statement for the backend of who the proxy
 * user is, and the public keys to check it with.
 *
 * Each worker remembers what it has signed, in bounded memory of its own: a
 * warm request signs nothing.
 */

#ifndef NGX_PROXY_USER_ASSERTION_H
#define NGX_PROXY_USER_ASSERTION_H

#include "ngx_proxy_user_identity.h"
#include "pu_assertion.h"


/* One line proxy_user_assertion. */
struct ngx_proxy_user_assertion_s {
    ngx_array_t                     *signers;   /* pu_signer_t *; the first
                                                   signs */
    time_t                           ttl;
    ngx_str_t                        audience;  /* empty: none */
    ngx_str_t                        issuer;    /* empty: to be filled in */
};

/* A line that is in force in a server. */
typedef struct {
    const ngx_http_core_srv_conf_t  *server;
    ngx_proxy_user_assertion_t      *assertion;
} ngx_proxy_user_asserted_t;


/* Directives, while a configuration is read. */
char *ngx_proxy_user_assertion_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_jwks_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* After inheriting: fills in the issuer, notes it for its server. */
ngx_int_t ngx_proxy_user_assertion_merge(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf);


/* In a worker, at its start and end.  NULL when memory is gone. */
ngx_proxy_user_assertions_t *ngx_proxy_user_assertions_open(ngx_log_t *log);
void ngx_proxy_user_assertions_close(ngx_proxy_user_assertions_t *cache);

/*
 * What the location of "r" says of the user it has let in, in the pool of the
 * request; empty when it says nothing.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_proxy_user_assertion(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, pu_str_t *value);


#endif /* NGX_PROXY_USER_ASSERTION_H */
