/*
 * One connection to Redis: nginx carries the bytes, hiredis formats and reads
 * them.
 *
 * Commands go out in order and answers are matched first-in first-out.  One
 * deadline sits on the oldest command: when it passes, the connection is dead
 * and everybody behind fails.  A connection that gave right answers and is lost
 * is tried again at once, then with a back-off that ends with the next right
 * answer; a command before that attempt has ended waits for it, afterwards it
 * fails at once.
 *
 * Lives in a worker, in memory of its own; its log is the cycle's.  No request
 * is known here, and no callback runs before a function of this file has
 * returned.  Its timers never keep a worker from exiting.
 */

#ifndef NGX_PROXY_USER_REDIS_H
#define NGX_PROXY_USER_REDIS_H

#include "ngx_proxy_user.h"
#include "pu_command.h"


struct ngx_proxy_user_redis_conf_s {
    ngx_str_t            url;               /* for the log; no secret in it */
    ngx_addr_t          *addrs;
    ngx_uint_t           naddrs;
    ngx_str_t            user;
    ngx_str_t            password;
    ngx_str_t            db;                /* digits, or empty */
    ngx_str_t            prefix;
    ngx_str_t            server_name;
    ngx_ssl_t           *ssl;               /* NULL: no TLS */
    ngx_uint_t           server_is_address;
    ngx_msec_t           connect_timeout;
    ngx_msec_t           timeout;
    ngx_msec_t           stale;
};


typedef struct ngx_proxy_user_redis_s  ngx_proxy_user_redis_t;

/* "reply" is NULL when the connection was lost; freed after the return. */
typedef void (*ngx_proxy_user_redis_pt)(void *data, redisReply *reply);


typedef struct {
    const char          *name;              /* for the log */
    ngx_msec_t           timeout;           /* of the oldest command */
    size_t               max_reply;         /* bytes */
} ngx_proxy_user_redis_options_t;


/*
 * The URL of proxy_user_redis and its parameters, while a configuration is
 * read; names are resolved here.  NGX_CONF_OK, or NGX_CONF_ERROR with the
 * error logged.
 */
char *ngx_proxy_user_redis_parse(ngx_conf_t *cf,
    ngx_proxy_user_redis_conf_t **conf);

/* Connects; "options" must outlive it.  NULL when memory is gone. */
ngx_proxy_user_redis_t *ngx_proxy_user_redis_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_redis_conf_t *conf,
    const ngx_proxy_user_redis_options_t *options);

/* Closes and frees it; nobody is called back. */
void ngx_proxy_user_redis_close(ngx_proxy_user_redis_t *redis);

/*
 * NGX_OK: "handler" will be called once.  NGX_DECLINED: it will not: the
 * connection is down, or too many commands are under way.
 */
ngx_int_t ngx_proxy_user_redis_send(ngx_proxy_user_redis_t *redis,
    const pu_args_t *args, ngx_proxy_user_redis_pt handler, void *data);

/* Is an attempt to connect under way that no earlier one preceded? */
ngx_uint_t ngx_proxy_user_redis_starting(
    const ngx_proxy_user_redis_t *redis);

/* The SHA-1 of the script, in hex: PU_SCRIPT_SHA_LEN bytes. */
const char *ngx_proxy_user_redis_script(const ngx_proxy_user_redis_t *redis);

/* Loads the script again, when Redis has lost it. */
void ngx_proxy_user_redis_load(ngx_proxy_user_redis_t *redis);

/*
 * One ERR line when trouble begins, one NOTICE when it is over (NULL: a right
 * answer); for what the caller sees in an answer and this file cannot judge.
 */
void ngx_proxy_user_redis_trouble(ngx_proxy_user_redis_t *redis,
    const redisReply *error);


#endif /* NGX_PROXY_USER_REDIS_H */
