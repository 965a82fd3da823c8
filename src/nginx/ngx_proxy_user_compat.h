
/*
 * ngx_proxy_user_compat.h: where versions of nginx differ, 1.22 to 1.30.
 * Everything else is written once for all of them; what differs in libraries
 * is in pu_compat.h.
 */

#ifndef NGX_PROXY_USER_COMPAT_H
#define NGX_PROXY_USER_COMPAT_H

#include <ngx_config.h>
#include <ngx_core.h>


/* From 1.23 on headers of one name are linked, and a new one holds garbage. */

#if (nginx_version >= 1023000)
#define ngx_proxy_user_next_header(h, after)  (h)->next = (after)
#else
#define ngx_proxy_user_next_header(h, after)
#endif


/* Before, some that may come more than once were arrays in headers_in. */

#if (NGX_HTTP_X_FORWARDED_FOR && nginx_version < 1023000)
#define NGX_PROXY_USER_FORWARDED_FOR_ARRAY  1
#endif


#endif /* NGX_PROXY_USER_COMPAT_H */
