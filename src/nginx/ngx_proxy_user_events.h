/*
 * proxy_user_events: a provider says that somebody has logged out, was
 * disabled or is gone, and every nginx acts on it.
 *
 * What is said is core's (pu_event); here are the directive, the request and
 * the issuer's keys; the way to Redis is an errand.
 */

#ifndef NGX_PROXY_USER_EVENTS_H
#define NGX_PROXY_USER_EVENTS_H

#include "ngx_proxy_user.h"


/* of a location; inherited by nothing but its own "if" and limit_except */
struct ngx_proxy_user_events_s {
    ngx_str_t                  name;        /* of the issuer */
    const pu_issuer_t         *issuer;
    ngx_uint_t                 index;       /* its own among the issuers */
    pu_list_t                  audience;    /* n 0: the issuer's */
    size_t                     body_max;
};


char *ngx_proxy_user_events_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Checks a location that has such a line, before it is merged. */
char *ngx_proxy_user_events_merge(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf);

ngx_int_t ngx_proxy_user_events_handler(ngx_http_request_t *r);

/* In a worker: its connection.  NULL when memory is gone. */
ngx_proxy_user_errands_t *ngx_proxy_user_events_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_main_conf_t *mcf);


#endif /* NGX_PROXY_USER_EVENTS_H */
