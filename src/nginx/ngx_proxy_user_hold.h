/*
 * A hold: a timer that keeps a worker from ending, after a reload, while a
 * request waits for something whose own timers do not keep it: an answer of
 * Redis.  It has no deadline, Redis' connection has.
 */

#ifndef NGX_PROXY_USER_HOLD_H
#define NGX_PROXY_USER_HOLD_H

#include "ngx_proxy_user.h"


/* "hold" is zeroed, and released before it is freed. */
void ngx_proxy_user_hold(ngx_event_t *hold);

/* May be called again, or without a hold. */
void ngx_proxy_user_release(ngx_event_t *hold);


#endif /* NGX_PROXY_USER_HOLD_H */
