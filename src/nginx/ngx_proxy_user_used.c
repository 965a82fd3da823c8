
/*
 * When a key or certificate was last used; see the header.
 */

#include "ngx_proxy_user_used.h"


static void ngx_proxy_user_used_answered(void *data, redisReply *reply);


void
ngx_proxy_user_used(ngx_proxy_user_redis_t *redis,
    ngx_proxy_user_zone_t *zone, pu_str_t prefix, const u_char *digest,
    pu_str_t id)
{
    pu_args_t  args;

    if (!pu_used_id_ok(id) || !ngx_proxy_user_zone_used(zone, digest)) {
        return;
    }

    pu_command_used(&args, prefix, id, ngx_time());

    (void) ngx_proxy_user_redis_send(redis, &args,
                                     ngx_proxy_user_used_answered, NULL);
}


/* A Redis that refuses writes says so to who needs them. */

static void
ngx_proxy_user_used_answered(void *data, redisReply *reply)
{
    /* void */
}
