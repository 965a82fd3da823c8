
/*
 * What the log says of a Redis that is of no use: one line when that begins,
 * one when it is over.  And which of its errors are the configuration's.
 */

#include "ngx_proxy_user_redis_own.h"


static size_t ngx_proxy_user_redis_said(u_char *text,
    const redisReply *error);
static ngx_uint_t ngx_proxy_user_redis_is(const redisReply *reply,
    const char *code);


void
ngx_proxy_user_redis_available(ngx_proxy_user_redis_t *redis)
{
    if (redis->troubled) {
        redis->troubled = 0;
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "proxy_user: redis \"%V\" is available again "
                      "for %s", &redis->conf->url, redis->options->name);
    }
}


void
ngx_proxy_user_redis_trouble(ngx_proxy_user_redis_t *redis,
    const redisReply *error)
{
    size_t       len;
    u_char       text[NGX_PROXY_USER_REDIS_TEXT];
    const char  *hint;

    if (error == NULL) {
        redis->failed = 0;
        redis->proven = 1;
        redis->doubted = 0;
        ngx_proxy_user_redis_available(redis);
        return;
    }

    if (redis->troubled) {
        return;
    }

    redis->troubled = 1;

    if (error->type != REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "proxy_user: redis \"%V\" is not available for %s: "
                      "its answer makes no sense",
                      &redis->conf->url, redis->options->name);
        return;
    }

    hint = "";

    if (ngx_proxy_user_redis_denied(error)) {
        hint = "; check password_file and the user's rights";

    } else if (ngx_proxy_user_redis_is(error, "MOVED")
               || ngx_proxy_user_redis_is(error, "ASK"))
    {
        hint = "; this is a Redis Cluster, which needs a node of its own";

    } else if (ngx_proxy_user_redis_is(error, "READONLY")) {
        hint = "; this is a replica, users cannot be made here";
    }

    len = ngx_proxy_user_redis_said(text, error);

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "proxy_user: redis \"%V\" is not available for %s: "
                  "it answered \"%*s\"%s",
                  &redis->conf->url, redis->options->name, len, text, hint);
}


/*
 * The error's text, made fit for a log.  What Redis does not know it repeats
 * with its arguments, and one of them may be a password.
 */

static size_t
ngx_proxy_user_redis_said(u_char *text, const redisReply *error)
{
    u_char   c;
    size_t   i, len;

    len = ngx_min((size_t) error->len, NGX_PROXY_USER_REDIS_TEXT);

    if (ngx_proxy_user_redis_is(error, "ERR unknown command")) {
        len = sizeof("ERR unknown command") - 1;
    }

    for (i = 0; i < len; i++) {
        c = error->str[i];
        text[i] = (c < 0x20 || c >= 0x7f) ? '?' : c;
    }

    return len;
}


static ngx_uint_t
ngx_proxy_user_redis_is(const redisReply *reply, const char *code)
{
    size_t  len;

    len = ngx_strlen(code);

    return reply->type == REDIS_REPLY_ERROR
           && (size_t) reply->len >= len
           && ngx_memcmp(reply->str, code, len) == 0;
}


/* Errors that will be the same until somebody changes the configuration. */

ngx_uint_t
ngx_proxy_user_redis_denied(const redisReply *reply)
{
    return ngx_proxy_user_redis_is(reply, "NOAUTH")
           || ngx_proxy_user_redis_is(reply, "WRONGPASS")
           || ngx_proxy_user_redis_is(reply, "ERR invalid password")
           || ngx_proxy_user_redis_is(reply, "ERR Client sent AUTH")
           || ngx_proxy_user_redis_is(reply, "ERR AUTH")

           /* the script is longer than Redis reads before it knows who */
           || ngx_proxy_user_redis_is(reply,
                                      "ERR Protocol error: unauthenticated");
}
