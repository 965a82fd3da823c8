/*
 * The tail: one worker of a zone follows the change log in Redis and applies
 * it to the zone, and so all workers see a change at once.
 *
 * Which worker is decided by a lease in the zone.  Runs on a connection of its
 * own; knows no request and calls nobody back.
 */

#ifndef NGX_PROXY_USER_TAIL_H
#define NGX_PROXY_USER_TAIL_H

#include "ngx_proxy_user.h"


typedef struct ngx_proxy_user_tail_s  ngx_proxy_user_tail_t;

/* In a worker, at its start.  NULL when memory is gone. */
ngx_proxy_user_tail_t *ngx_proxy_user_tail_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_redis_conf_t *conf, ngx_proxy_user_zone_t *zone);

/* At its end: gives the lease back. */
void ngx_proxy_user_tail_close(ngx_proxy_user_tail_t *tail);


#endif /* NGX_PROXY_USER_TAIL_H */
