
/*
 * pu_compat.h: where versions of a library differ for the core. Everything
 * else is written once for all of them; what differs in nginx is in
 * ngx_proxy_user_compat.h.
 */

#ifndef PU_COMPAT_H
#define PU_COMPAT_H

#include <hiredis/hiredis.h>


/* hiredis 0.14 counts the elements of an array in an int. */

#if (HIREDIS_MAJOR >= 1)
typedef size_t  pu_elements_t;
#else
typedef int     pu_elements_t;
#endif


#endif /* PU_COMPAT_H */
