/*
 * proxy_user_scim: SCIM 2.0 under a location, for a directory.
 *
 * What is said and done is core's (pu_scim_call); here are the directives, the
 * directory's own tokens and the body; the way to Redis is an errand.
 */

#ifndef NGX_PROXY_USER_SCIM_H
#define NGX_PROXY_USER_SCIM_H

#include "ngx_proxy_user.h"
#include "pu_scim_call.h"


#define NGX_PROXY_USER_SCIM_BODY  PU_SCIM_BODY_MAX


/* a line of token_file */
typedef struct {
    ngx_str_t                  name;
    u_char                     digest[PU_SHA256_LEN];
} ngx_proxy_user_scim_token_t;


/* of a location; never inherited */
struct ngx_proxy_user_scim_s {
    ngx_array_t               *tokens;      /* ..._token_t */
    ngx_array_t               *roles;       /* pu_scim_role_t; may be NULL */
    ngx_str_t                  prefix;      /* of the location, no slash */
    size_t                     body_max;
    unsigned                   enabled:1;   /* else only roles were read */
};


char *ngx_proxy_user_scim_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_scim_role_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Checks a location that has such lines, before it is merged. */
char *ngx_proxy_user_scim_merge(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf);

ngx_int_t ngx_proxy_user_scim_handler(ngx_http_request_t *r);

/* In a worker: its connection.  NULL when memory is gone. */
ngx_proxy_user_errands_t *ngx_proxy_user_scim_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf);

/* Adds a header; *header, if given, becomes it.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_proxy_user_scim_put(ngx_http_request_t *r, const char *name,
    pu_str_t value, ngx_table_elt_t **header);

/*
 * Adds the challenge of a 401, with "error" after the realm (RFC 6750 section
 * 3); empty where nothing was presented.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_proxy_user_scim_challenge(ngx_http_request_t *r,
    const char *error);

/*
 * Sends an answer, or an error that is told in the log at level info too;
 * what they return is what the request is finalized with.
 */
ngx_int_t ngx_proxy_user_scim_send(ngx_http_request_t *r,
    const pu_scim_answer_t *answer);
ngx_int_t ngx_proxy_user_scim_error(ngx_http_request_t *r, int status,
    const char *detail);


#endif /* NGX_PROXY_USER_SCIM_H */
