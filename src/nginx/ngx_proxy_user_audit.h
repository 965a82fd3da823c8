/*
 * The audit line: one JSON object for each decided request, written in the
 * log phase.
 */

#ifndef NGX_PROXY_USER_AUDIT_H
#define NGX_PROXY_USER_AUDIT_H

#include "ngx_proxy_user.h"


/*
 * The line "proxy_user_audit file | syslog:... [name=value ...] | off;" while
 * a configuration is read.  *audit is NULL for "off".  NGX_CONF_OK, or
 * NGX_CONF_ERROR with the error logged.
 */
char *ngx_proxy_user_audit_parse(ngx_conf_t *cf,
    ngx_proxy_user_audit_t **audit);

/* The log phase's handler; always NGX_OK. */
ngx_int_t ngx_proxy_user_audit_handler(ngx_http_request_t *r);


#endif /* NGX_PROXY_USER_AUDIT_H */
