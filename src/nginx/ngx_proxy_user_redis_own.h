/*
 * What the files of a Redis connection share: redis.c sends and matches
 * answers, redis_connect.c brings a connection up, redis_error.c logs what is
 * wrong with it.  For nobody else.
 */

#ifndef NGX_PROXY_USER_REDIS_OWN_H
#define NGX_PROXY_USER_REDIS_OWN_H

#include "ngx_proxy_user_redis.h"
#include "pu_reader.h"


#define NGX_PROXY_USER_REDIS_QUEUE     1024
#define NGX_PROXY_USER_REDIS_ELEMENTS  4096
#define NGX_PROXY_USER_REDIS_TEXT      128      /* of an error, in the log */
#define NGX_PROXY_USER_REDIS_PAUSE     100      /* ms, doubled ... */
#define NGX_PROXY_USER_REDIS_PAUSE_MAX 500      /* ... up to this */
#define NGX_PROXY_USER_REDIS_REFUSED   10000    /* after a wrong password */
#define NGX_PROXY_USER_REDIS_PROBE     300      /* ms for a later attempt */
#define NGX_PROXY_USER_REDIS_STEADY    1000     /* ms beside the deadline */
#define NGX_PROXY_USER_REDIS_DOUBTED   3        /* losses without a pause */


typedef enum {
    NGX_PROXY_USER_REDIS_DOWN = 0,
    NGX_PROXY_USER_REDIS_CONNECTING,
    NGX_PROXY_USER_REDIS_HELLO,
    NGX_PROXY_USER_REDIS_READY
} ngx_proxy_user_redis_state_e;


typedef struct {
    ngx_queue_t                            queue;
    ngx_proxy_user_redis_pt                handler;
    void                                  *data;
    char                                  *bytes;   /* hiredis' */
    size_t                                 len;
    size_t                                 sent;
} ngx_proxy_user_redis_command_t;


struct ngx_proxy_user_redis_s {
    const ngx_proxy_user_redis_conf_t     *conf;
    const ngx_proxy_user_redis_options_t  *options;
    ngx_log_t                             *log;
    ngx_log_t                              quiet;
    ngx_peer_connection_t                  peer;
    ngx_pool_t                            *pool;    /* of the connection */
    pu_reader_t                           *reader;
    ngx_proxy_user_redis_state_e           state;
    ngx_uint_t                             address; /* index, this attempt */
    ngx_uint_t                             failed;  /* attempts in a row */
    ngx_msec_t                             since;   /* ready */
    ngx_uint_t                             doubted; /* losses of a ready one
                                                       without a right answer,
                                                       in a row */
    ngx_uint_t                             hellos;  /* answers to come */
    ngx_uint_t                             commands;
    ngx_queue_t                            hello;   /* goes before the rest */
    ngx_queue_t                            unsent;
    ngx_queue_t                            sent;
    ngx_event_t                            timer;
    ngx_event_t                            flush;
    char                                   script[PU_SCRIPT_SHA_LEN];
    unsigned                               once:1;  /* an attempt has ended */
    unsigned                               refused:1;
    unsigned                               troubled:1;
    unsigned                               proven:1;  /* a right answer */
};


/* redis_connect.c */

void ngx_proxy_user_redis_connect(ngx_proxy_user_redis_t *redis);

/* The socket is writable for the first time, or has failed. */
void ngx_proxy_user_redis_connected(ngx_proxy_user_redis_t *redis);

/* redis.c */

ngx_proxy_user_redis_command_t *ngx_proxy_user_redis_format(
    const pu_args_t *args, ngx_proxy_user_redis_pt handler, void *data);
void ngx_proxy_user_redis_script_load(pu_args_t *args);
void ngx_proxy_user_redis_arg(pu_args_t *args, pu_str_t word);
void ngx_proxy_user_redis_read_handler(ngx_event_t *ev);
void ngx_proxy_user_redis_write_handler(ngx_event_t *ev);
void ngx_proxy_user_redis_arm(ngx_proxy_user_redis_t *redis, ngx_msec_t ms);

/* Arms the deadline of the oldest command, if there is one. */
void ngx_proxy_user_redis_watch(ngx_proxy_user_redis_t *redis);

/*
 * The connection is lost or was not to be had.  "why" is NULL when that has
 * been logged.
 */
void ngx_proxy_user_redis_fail(ngx_proxy_user_redis_t *redis,
    const char *why, ngx_err_t err);

/* redis_error.c */

/* Trouble is over, as far as anybody can tell. */
void ngx_proxy_user_redis_available(ngx_proxy_user_redis_t *redis);

/* An error that stays until somebody changes the configuration? */
ngx_uint_t ngx_proxy_user_redis_denied(const redisReply *reply);


#endif /* NGX_PROXY_USER_REDIS_OWN_H */
