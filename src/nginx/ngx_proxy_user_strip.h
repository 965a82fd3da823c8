/*
 * Takes identity headers that came from outside out of the request.
 */

#ifndef NGX_PROXY_USER_STRIP_H
#define NGX_PROXY_USER_STRIP_H

#include "ngx_proxy_user.h"


/*
 * A prefix in the form in which it is compared: lower case, "_" and "." as
 * "-".  In place.
 */
void ngx_proxy_user_strip_fold(ngx_str_t *prefix);

/* Can the name of a header begin so? (RFC 9110 section 5.6.2) */
ngx_uint_t ngx_proxy_user_strip_name(const ngx_str_t *prefix);

/* Would this (folded) prefix take a header away that nginx itself needs? */
ngx_uint_t ngx_proxy_user_strip_reserved(const ngx_str_t *prefix);

/* Is a header of this name taken out? */
ngx_uint_t ngx_proxy_user_strip_takes(const ngx_str_t *name,
    const ngx_array_t *prefixes);

/* NGX_OK, or NGX_ERROR: no memory. */
ngx_int_t ngx_proxy_user_strip(ngx_http_request_t *r,
    const ngx_array_t *prefixes);


#endif /* NGX_PROXY_USER_STRIP_H */
