/*
 * The variables: they read identity and decision and compute nothing.
 */

#ifndef NGX_PROXY_USER_VARIABLES_H
#define NGX_PROXY_USER_VARIABLES_H

#include "ngx_proxy_user.h"


/* Preconfiguration of the module. */
ngx_int_t ngx_proxy_user_variables_add(ngx_conf_t *cf);


#endif /* NGX_PROXY_USER_VARIABLES_H */
