
/*
 * A worker stays while somebody waits; see the header.
 */

#include "ngx_proxy_user_hold.h"


#define NGX_PROXY_USER_HOLD  1000       /* ms; of no consequence */


static void
ngx_proxy_user_hold_on(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_PROXY_USER_HOLD);
}


void
ngx_proxy_user_hold(ngx_event_t *hold)
{
    hold->handler = ngx_proxy_user_hold_on;
    hold->data = hold;
    hold->log = ngx_cycle->log;

    ngx_add_timer(hold, NGX_PROXY_USER_HOLD);
}


void
ngx_proxy_user_release(ngx_event_t *hold)
{
    if (hold->timer_set) {
        ngx_del_timer(hold);
    }
}
