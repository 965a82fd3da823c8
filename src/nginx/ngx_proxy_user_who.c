
/*
 * A user by id or user_name; see the header.  What is asked outlives who
 * asked: Redis still points at it.
 */

#include "ngx_proxy_user_who.h"
#include "ngx_proxy_user_redis.h"
#include "ngx_proxy_user_hold.h"


struct ngx_proxy_user_who_s {
    const ngx_proxy_user_main_conf_t  *mcf;
    ngx_proxy_user_store_pt            handler; /* NULL: detached */
    void                              *data;
    ngx_event_t                        hold;
    ngx_event_t                        done;
    ngx_proxy_user_answer_t            answer;
    ngx_proxy_user_record_t            record;
};


static ngx_int_t ngx_proxy_user_who_user(ngx_proxy_user_who_t *who,
    pu_str_t id);
static ngx_int_t ngx_proxy_user_who_send(ngx_proxy_user_who_t *who,
    const pu_args_t *args, ngx_proxy_user_redis_pt handler);
static void ngx_proxy_user_who_named(void *data, redisReply *reply);
static void ngx_proxy_user_who_found(void *data, redisReply *reply);
static void ngx_proxy_user_who_finish(ngx_proxy_user_who_t *who,
    pu_reason_t reason);
static void ngx_proxy_user_who_done(ngx_event_t *ev);


ngx_proxy_user_who_t *
ngx_proxy_user_who_ask(ngx_http_request_t *r, pu_str_t text, ngx_uint_t name,
    ngx_proxy_user_store_pt handler, void *data)
{
    ngx_int_t              rc;
    pu_args_t              args;
    ngx_proxy_user_who_t  *who;

    who = ngx_calloc(sizeof(ngx_proxy_user_who_t), ngx_cycle->log);
    if (who == NULL) {
        return NULL;
    }

    who->mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);
    who->handler = handler;
    who->data = data;
    who->answer.record = &who->record;
    who->answer.cache = NGX_PROXY_USER_CACHE_MISS;
    who->done.handler = ngx_proxy_user_who_done;
    who->done.data = who;
    who->done.log = ngx_cycle->log;

    if (who->mcf->store == NULL) {
        rc = NGX_DECLINED;

    } else if (!name) {
        rc = ngx_proxy_user_who_user(who, text);

    } else if (who->mcf->redis == NULL) {
        ngx_proxy_user_who_finish(who, PU_USER_UNKNOWN);
        rc = NGX_OK;

    } else {
        rc = pu_command_who_name(&args, ngx_proxy_user_str(
                                        &who->mcf->redis->prefix), text)
             ? ngx_proxy_user_who_send(who, &args, ngx_proxy_user_who_named)
             : NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        ngx_proxy_user_hold(&who->hold);
        return who;
    }

    ngx_free(who);

    return NULL;
}


static ngx_int_t
ngx_proxy_user_who_user(ngx_proxy_user_who_t *who, pu_str_t id)
{
    pu_args_t  args;

    if (!pu_user_id_ok(id)) {
        ngx_proxy_user_who_finish(who, PU_USER_UNKNOWN);
        return NGX_OK;
    }

    ngx_memcpy(who->record.id, id.data, PU_USER_ID_LEN);

    if (who->mcf->redis == NULL) {
        ngx_proxy_user_who_finish(who,
                                  ngx_proxy_user_zone_by_id(who->mcf->zone,
                                                            &who->record)
                                  == NGX_OK ? PU_OK : PU_USER_UNKNOWN);
        return NGX_OK;
    }

    pu_command_who(&args, ngx_proxy_user_str(&who->mcf->redis->prefix),
                    (pu_str_t) { PU_USER_ID_LEN, who->record.id });

    return ngx_proxy_user_who_send(who, &args, ngx_proxy_user_who_found);
}


static ngx_int_t
ngx_proxy_user_who_send(ngx_proxy_user_who_t *who, const pu_args_t *args,
    ngx_proxy_user_redis_pt handler)
{
    return ngx_proxy_user_redis_send(
                                ngx_proxy_user_store_redis(who->mcf->store),
                                args, handler, who);
}


static void
ngx_proxy_user_who_named(void *data, redisReply *reply)
{
    ngx_proxy_user_who_t *who = data;

    pu_str_t  id;

    if (reply && reply->type == REDIS_REPLY_NIL) {
        ngx_proxy_user_who_finish(who, PU_USER_UNKNOWN);
        return;
    }

    if (reply == NULL || reply->type != REDIS_REPLY_STRING) {
        ngx_proxy_user_who_finish(who, PU_STORE_UNAVAILABLE);
        return;
    }

    id = (pu_str_t) { reply->len, (const uint8_t *) reply->str };

    if (ngx_proxy_user_who_user(who, id) != NGX_OK) {
        ngx_proxy_user_who_finish(who, PU_STORE_UNAVAILABLE);
    }
}


static void
ngx_proxy_user_who_found(void *data, redisReply *reply)
{
    ngx_proxy_user_who_t *who = data;

    pu_user_t  user;

    switch (pu_reply_who(reply,
                          (pu_str_t) { PU_USER_ID_LEN, who->record.id },
                          &user))
    {
    case PU_LOOKUP_FOUND:
        break;

    case PU_LOOKUP_NONE:
        ngx_proxy_user_who_finish(who, PU_USER_UNKNOWN);
        return;

    default:
        ngx_proxy_user_who_finish(who, PU_STORE_UNAVAILABLE);
        return;
    }

    who->record.user_len = pu_user_pack(&user, who->record.user,
                                        sizeof(who->record.user));

    ngx_proxy_user_who_finish(who, who->record.user_len
                                   ? PU_OK : PU_STORE_UNAVAILABLE);
}


static void
ngx_proxy_user_who_finish(ngx_proxy_user_who_t *who, pu_reason_t reason)
{
    who->answer.reason = reason;
    ngx_post_event(&who->done, &ngx_posted_events);
}


static void
ngx_proxy_user_who_done(ngx_event_t *ev)
{
    ngx_proxy_user_who_t *who = ev->data;

    if (who->handler) {
        who->handler(who->data, &who->answer);
    }

    ngx_proxy_user_release(&who->hold);
    ngx_free(who);
}


void
ngx_proxy_user_who_detach(ngx_proxy_user_who_t *who)
{
    if (who) {
        who->handler = NULL;
        ngx_proxy_user_release(&who->hold);
    }
}
