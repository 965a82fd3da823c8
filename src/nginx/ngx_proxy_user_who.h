/*
 * A user by id or by user_name, for whoever asks about users and not as one.
 *
 * One or two questions to Redis, nothing is cached and nobody is made.
 * Without Redis only an id is known, if the zone still has it.
 */

#ifndef NGX_PROXY_USER_WHO_H
#define NGX_PROXY_USER_WHO_H

#include "ngx_proxy_user_store.h"


typedef struct ngx_proxy_user_who_s  ngx_proxy_user_who_t;

/*
 * NULL: "handler" will not be called, the store is unavailable.  Otherwise it
 * is called once, from an event of its own, unless detached before; there is
 * no handle in the record of its answer.  "text" may go away.
 */
ngx_proxy_user_who_t *ngx_proxy_user_who_ask(ngx_http_request_t *r,
    pu_str_t text, ngx_uint_t name, ngx_proxy_user_store_pt handler,
    void *data);

void ngx_proxy_user_who_detach(ngx_proxy_user_who_t *who);


#endif /* NGX_PROXY_USER_WHO_H */
