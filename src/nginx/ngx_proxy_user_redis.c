
/*
 * One connection to Redis; see the header for what it promises.
 *
 * Down -> connecting -> (TLS) -> hello (AUTH, SELECT, SCRIPT LOAD) -> ready.
 * One timer serves all: the deadline of an attempt, the deadline of the oldest
 * command, or the pause before the next attempt.
 */

#include "ngx_proxy_user_redis.h"
#include "pu_reader.h"

#include <ngx_sha1.h>


#define NGX_PROXY_USER_REDIS_QUEUE     1024
#define NGX_PROXY_USER_REDIS_ELEMENTS  4096
#define NGX_PROXY_USER_REDIS_PAUSE     100      /* ms, doubled ... */
#define NGX_PROXY_USER_REDIS_PAUSE_MAX 500      /* ... up to this */
#define NGX_PROXY_USER_REDIS_REFUSED   10000    /* after a wrong password */
#define NGX_PROXY_USER_REDIS_PROBE     300      /* ms for a later attempt */


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
};


static void ngx_proxy_user_redis_connect(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_connected(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_handshaken(ngx_connection_t *c);
static ngx_uint_t ngx_proxy_user_redis_named(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_hello(ngx_proxy_user_redis_t *redis);
static ngx_int_t ngx_proxy_user_redis_greet(ngx_proxy_user_redis_t *redis,
    const pu_args_t *args);
static void ngx_proxy_user_redis_greeted(void *data, redisReply *reply);
static void ngx_proxy_user_redis_ready(ngx_proxy_user_redis_t *redis);
static ngx_proxy_user_redis_command_t *ngx_proxy_user_redis_format(
    const pu_args_t *args, ngx_proxy_user_redis_pt handler, void *data);
static void ngx_proxy_user_redis_args(pu_args_t *args, pu_str_t word);
static void ngx_proxy_user_redis_write_handler(ngx_event_t *ev);
static void ngx_proxy_user_redis_read_handler(ngx_event_t *ev);
static void ngx_proxy_user_redis_flush_handler(ngx_event_t *ev);
static void ngx_proxy_user_redis_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_proxy_user_redis_flush(ngx_proxy_user_redis_t *redis);
static ngx_int_t ngx_proxy_user_redis_parse_replies(
    ngx_proxy_user_redis_t *redis);
static ngx_int_t ngx_proxy_user_redis_answer(ngx_proxy_user_redis_t *redis,
    redisReply *reply);
static void ngx_proxy_user_redis_arm(ngx_proxy_user_redis_t *redis,
    ngx_msec_t ms);
static void ngx_proxy_user_redis_watch(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_fail(ngx_proxy_user_redis_t *redis,
    const char *why, ngx_err_t err);
static void ngx_proxy_user_redis_disconnect(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_complete(
    ngx_proxy_user_redis_command_t *command, redisReply *reply);
static ngx_uint_t ngx_proxy_user_redis_is(const redisReply *reply,
    const char *code);
static ngx_uint_t ngx_proxy_user_redis_denied(const redisReply *reply);


ngx_proxy_user_redis_t *
ngx_proxy_user_redis_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_redis_conf_t *conf,
    const ngx_proxy_user_redis_options_t *options)
{
    u_char                   digest[20];
    ngx_sha1_t               sha1;
    ngx_proxy_user_redis_t  *redis;

    redis = ngx_calloc(sizeof(ngx_proxy_user_redis_t), cycle->log);
    if (redis == NULL) {
        return NULL;
    }

    redis->conf = conf;
    redis->options = options;
    redis->log = cycle->log;

    /* nginx logs each failed attempt: here only changes are news */

    redis->quiet = *cycle->log;
    redis->quiet.log_level = 0;

    ngx_queue_init(&redis->hello);
    ngx_queue_init(&redis->unsent);
    ngx_queue_init(&redis->sent);

    redis->timer.handler = ngx_proxy_user_redis_timer_handler;
    redis->timer.data = redis;
    redis->timer.log = redis->log;
    redis->timer.cancelable = 1;

    redis->flush.handler = ngx_proxy_user_redis_flush_handler;
    redis->flush.data = redis;
    redis->flush.log = redis->log;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, pu_script, pu_script_len);
    ngx_sha1_final(digest, &sha1);
    (void) ngx_hex_dump((u_char *) redis->script, digest, sizeof(digest));

    ngx_proxy_user_redis_connect(redis);

    return redis;
}


ngx_int_t
ngx_proxy_user_redis_send(ngx_proxy_user_redis_t *redis,
    const pu_args_t *args, ngx_proxy_user_redis_pt handler, void *data)
{
    ngx_proxy_user_redis_command_t  *command;

    if (redis->state == NGX_PROXY_USER_REDIS_DOWN
        || redis->commands >= NGX_PROXY_USER_REDIS_QUEUE)
    {
        return NGX_DECLINED;
    }

    command = ngx_proxy_user_redis_format(args, handler, data);
    if (command == NULL) {
        return NGX_DECLINED;
    }

    ngx_queue_insert_tail(&redis->unsent, &command->queue);
    redis->commands++;

    /* what one turn of the event loop asks for leaves in one packet */

    if (redis->state == NGX_PROXY_USER_REDIS_READY) {
        ngx_post_event(&redis->flush, &ngx_posted_events);
        ngx_proxy_user_redis_watch(redis);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_proxy_user_redis_starting(const ngx_proxy_user_redis_t *redis)
{
    return !redis->once;
}


const char *
ngx_proxy_user_redis_script(const ngx_proxy_user_redis_t *redis)
{
    return redis->script;
}


static void
ngx_proxy_user_redis_connect(ngx_proxy_user_redis_t *redis)
{
    ngx_int_t          rc;
    ngx_addr_t        *addr;
    ngx_msec_t         timeout;
    ngx_connection_t  *c;

    addr = &redis->conf->addrs[redis->address];

    ngx_memzero(&redis->peer, sizeof(ngx_peer_connection_t));
    redis->peer.sockaddr = addr->sockaddr;
    redis->peer.socklen = addr->socklen;
    redis->peer.name = &addr->name;
    redis->peer.get = ngx_event_get_peer;
    redis->peer.log = &redis->quiet;
    redis->peer.log_error = NGX_ERROR_ERR;

    redis->state = NGX_PROXY_USER_REDIS_CONNECTING;

    timeout = redis->conf->connect_timeout;

    if (redis->failed) {
        timeout = ngx_min(timeout, NGX_PROXY_USER_REDIS_PROBE);
    }

    ngx_proxy_user_redis_arm(redis, timeout);

    rc = ngx_event_connect_peer(&redis->peer);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, redis->log, 0,
                   "proxy_user redis %s: connect: %i",
                   redis->options->name, rc);

    c = redis->peer.connection;

    if (c == NULL || (rc != NGX_OK && rc != NGX_AGAIN)) {
        ngx_proxy_user_redis_fail(redis, "cannot connect", ngx_socket_errno);
        return;
    }

    c->data = redis;
    c->read->handler = ngx_proxy_user_redis_read_handler;
    c->write->handler = ngx_proxy_user_redis_write_handler;

    redis->pool = ngx_create_pool(1024, &redis->quiet);
    redis->reader = pu_reader_new(redis->options->max_reply,
                                  NGX_PROXY_USER_REDIS_ELEMENTS);

    if (redis->pool == NULL || redis->reader == NULL) {
        ngx_proxy_user_redis_fail(redis, "no memory", 0);
        return;
    }

    c->pool = redis->pool;

    if (rc == NGX_OK) {
        ngx_proxy_user_redis_connected(redis);
    }
}


static void
ngx_proxy_user_redis_connected(ngx_proxy_user_redis_t *redis)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = redis->peer.connection;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_proxy_user_redis_fail(redis, "cannot connect", err);
        return;
    }

    if (redis->conf->ssl == NULL) {
        ngx_proxy_user_redis_hello(redis);
        return;
    }

    if (ngx_ssl_create_connection(redis->conf->ssl, c,
                                  NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK)
    {
        ngx_proxy_user_redis_fail(redis, "cannot start TLS", 0);
        return;
    }

    /* RFC 6066 section 3: an address is no server name */

    if (!redis->conf->server_is_address
        && SSL_set_tlsext_host_name(c->ssl->connection,
                                    (char *) redis->conf->server_name.data)
           == 0)
    {
        ngx_proxy_user_redis_fail(redis, "cannot set the server name", 0);
        return;
    }

    redis->state = NGX_PROXY_USER_REDIS_HELLO;

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = ngx_proxy_user_redis_handshaken;
        return;
    }

    ngx_proxy_user_redis_handshaken(c);
}


static void
ngx_proxy_user_redis_handshaken(ngx_connection_t *c)
{
    long                     verified;
    ngx_proxy_user_redis_t  *redis;

    redis = c->data;

    if (!c->ssl->handshaked) {
        ngx_proxy_user_redis_fail(redis, "the TLS handshake failed", 0);
        return;
    }

    verified = SSL_get_verify_result(c->ssl->connection);

    if (verified != X509_V_OK) {
        ngx_proxy_user_redis_fail(redis,
                                  X509_verify_cert_error_string(verified), 0);
        return;
    }

    if (!ngx_proxy_user_redis_named(redis)) {
        ngx_proxy_user_redis_fail(redis, "its certificate has another name",
                                  0);
        return;
    }

    c->read->handler = ngx_proxy_user_redis_read_handler;
    c->write->handler = ngx_proxy_user_redis_write_handler;

    ngx_proxy_user_redis_hello(redis);
}


static ngx_uint_t
ngx_proxy_user_redis_named(ngx_proxy_user_redis_t *redis)
{
    X509        *cert;
    ngx_str_t    name;
    ngx_uint_t   ok;

    name = redis->conf->server_name;

    if (!redis->conf->server_is_address) {
        return ngx_ssl_check_host(redis->peer.connection, &name) == NGX_OK;
    }

    cert = SSL_get1_peer_certificate(
                                  redis->peer.connection->ssl->connection);
    if (cert == NULL) {
        return 0;
    }

    ok = X509_check_ip_asc(cert, (char *) name.data, 0) == 1;

    X509_free(cert);

    return ok;
}


/* Everything a connection needs, in one go before the first command. */

static void
ngx_proxy_user_redis_hello(ngx_proxy_user_redis_t *redis)
{
    ngx_int_t                           rc;
    pu_args_t                           args;
    const ngx_proxy_user_redis_conf_t  *conf;

    conf = redis->conf;
    redis->state = NGX_PROXY_USER_REDIS_HELLO;

    rc = NGX_OK;

    if (conf->password.len) {
        args.argc = 0;
        ngx_proxy_user_redis_args(&args, PU_STR("AUTH"));

        if (conf->user.len) {
            ngx_proxy_user_redis_args(&args, ngx_proxy_user_str(&conf->user));
        }

        ngx_proxy_user_redis_args(&args, ngx_proxy_user_str(&conf->password));
        rc |= ngx_proxy_user_redis_greet(redis, &args);
    }

    if (conf->db.len) {
        args.argc = 0;
        ngx_proxy_user_redis_args(&args, PU_STR("SELECT"));
        ngx_proxy_user_redis_args(&args, ngx_proxy_user_str(&conf->db));
        rc |= ngx_proxy_user_redis_greet(redis, &args);
    }

    args.argc = 0;
    ngx_proxy_user_redis_args(&args, PU_STR("SCRIPT"));
    ngx_proxy_user_redis_args(&args, PU_STR("LOAD"));
    ngx_proxy_user_redis_args(&args, (pu_str_t) {
                                  pu_script_len, (const u_char *) pu_script });
    rc |= ngx_proxy_user_redis_greet(redis, &args);

    if (rc != NGX_OK) {
        ngx_proxy_user_redis_fail(redis, "no memory", 0);
        return;
    }

    ngx_post_event(&redis->flush, &ngx_posted_events);
}


static ngx_int_t
ngx_proxy_user_redis_greet(ngx_proxy_user_redis_t *redis,
    const pu_args_t *args)
{
    ngx_proxy_user_redis_command_t  *command;

    command = ngx_proxy_user_redis_format(args, ngx_proxy_user_redis_greeted,
                                          redis);
    if (command == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&redis->hello, &command->queue);
    redis->commands++;
    redis->hellos++;

    return NGX_OK;
}


/*
 * Runs inside the reading loop, which looks at "state" after each answer:
 * hence the connection is not closed here.
 */

static void
ngx_proxy_user_redis_greeted(void *data, redisReply *reply)
{
    ngx_proxy_user_redis_t  *redis = data;

    if (reply == NULL) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_proxy_user_redis_trouble(redis, reply);
        redis->refused = ngx_proxy_user_redis_denied(reply);
        redis->state = NGX_PROXY_USER_REDIS_DOWN;
        return;
    }

    if (--redis->hellos == 0
        && redis->state == NGX_PROXY_USER_REDIS_HELLO)
    {
        ngx_proxy_user_redis_ready(redis);
    }
}


static void
ngx_proxy_user_redis_ready(ngx_proxy_user_redis_t *redis)
{
    ngx_connection_t  *c;

    c = redis->peer.connection;
    c->log = redis->log;
    c->read->log = redis->log;
    c->write->log = redis->log;

    redis->state = NGX_PROXY_USER_REDIS_READY;
    redis->failed = 0;
    redis->once = 1;
    redis->refused = 0;

    ngx_proxy_user_redis_trouble(redis, NULL);

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    ngx_proxy_user_redis_watch(redis);

    ngx_post_event(&redis->flush, &ngx_posted_events);
}


void
ngx_proxy_user_redis_load(ngx_proxy_user_redis_t *redis)
{
    pu_args_t                        args;
    ngx_proxy_user_redis_command_t  *command;

    if (redis->state != NGX_PROXY_USER_REDIS_READY
        || redis->commands >= NGX_PROXY_USER_REDIS_QUEUE)
    {
        return;
    }

    args.argc = 0;
    ngx_proxy_user_redis_args(&args, PU_STR("SCRIPT"));
    ngx_proxy_user_redis_args(&args, PU_STR("LOAD"));
    ngx_proxy_user_redis_args(&args, (pu_str_t) {
                                  pu_script_len, (const u_char *) pu_script });

    command = ngx_proxy_user_redis_format(&args, NULL, NULL);

    if (command) {
        ngx_queue_insert_tail(&redis->unsent, &command->queue);
        redis->commands++;
    }
}


static ngx_proxy_user_redis_command_t *
ngx_proxy_user_redis_format(const pu_args_t *args,
    ngx_proxy_user_redis_pt handler, void *data)
{
    int                              len;
    const char                      *argv[PU_ARGS_MAX];
    ngx_proxy_user_redis_command_t  *command;

    command = ngx_alloc(sizeof(ngx_proxy_user_redis_command_t),
                        ngx_cycle->log);
    if (command == NULL) {
        return NULL;
    }

    ngx_memcpy(argv, args->argv, sizeof(argv));

    len = redisFormatCommandArgv(&command->bytes, args->argc, argv,
                                 args->len);
    if (len < 0) {
        ngx_free(command);
        return NULL;
    }

    command->len = len;
    command->sent = 0;
    command->handler = handler;
    command->data = data;

    return command;
}


static void
ngx_proxy_user_redis_args(pu_args_t *args, pu_str_t word)
{
    args->argv[args->argc] = (const char *) word.data;
    args->len[args->argc] = word.len;
    args->argc++;
}


static void
ngx_proxy_user_redis_write_handler(ngx_event_t *ev)
{
    ngx_connection_t        *c;
    ngx_proxy_user_redis_t  *redis;

    c = ev->data;
    redis = c->data;

    if (redis->state == NGX_PROXY_USER_REDIS_CONNECTING) {
        ngx_proxy_user_redis_connected(redis);
        return;
    }

    if (ngx_proxy_user_redis_flush(redis) != NGX_OK) {
        ngx_proxy_user_redis_fail(redis, "cannot write", ngx_socket_errno);
    }
}


static void
ngx_proxy_user_redis_flush_handler(ngx_event_t *ev)
{
    ngx_proxy_user_redis_t  *redis;

    redis = ev->data;

    if (ngx_proxy_user_redis_flush(redis) != NGX_OK) {
        ngx_proxy_user_redis_fail(redis, "cannot write", ngx_socket_errno);
    }
}


static ngx_int_t
ngx_proxy_user_redis_flush(ngx_proxy_user_redis_t *redis)
{
    ssize_t                          n;
    ngx_queue_t                     *q, *from;
    ngx_connection_t                *c;
    ngx_proxy_user_redis_command_t  *command;

    c = redis->peer.connection;

    if (c == NULL || redis->state < NGX_PROXY_USER_REDIS_HELLO) {
        return NGX_OK;
    }

    for ( ;; ) {
        from = &redis->hello;

        if (ngx_queue_empty(from)) {

            if (redis->state != NGX_PROXY_USER_REDIS_READY
                || ngx_queue_empty(&redis->unsent))
            {
                break;
            }

            from = &redis->unsent;
        }

        q = ngx_queue_head(from);
        command = ngx_queue_data(q, ngx_proxy_user_redis_command_t, queue);

        n = c->send(c, (u_char *) command->bytes + command->sent,
                    command->len - command->sent);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        command->sent += n;

        if (command->sent == command->len) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&redis->sent, q);

            redisFreeCommand(command->bytes);
            command->bytes = NULL;
        }
    }

    return ngx_handle_write_event(c->write, 0);
}


static void
ngx_proxy_user_redis_read_handler(ngx_event_t *ev)
{
    ssize_t                  n;
    u_char                   buf[16384];
    ngx_connection_t        *c;
    ngx_proxy_user_redis_t  *redis;

    c = ev->data;
    redis = c->data;

    if (c->close) {
        /* worker_shutdown_timeout: the requests that wait go as well */
        ngx_proxy_user_redis_fail(redis, NULL, 0);
        return;
    }

    if (redis->state == NGX_PROXY_USER_REDIS_CONNECTING) {
        ngx_proxy_user_redis_connected(redis);
        return;
    }

    for ( ;; ) {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_proxy_user_redis_fail(redis, "it closed the connection", 0);
            return;
        }

        if (!pu_reader_feed(redis->reader, buf, n)) {
            ngx_proxy_user_redis_fail(redis, "an answer is too large", 0);
            return;
        }

        if (ngx_proxy_user_redis_parse_replies(redis) != NGX_OK) {
            return;
        }
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_proxy_user_redis_fail(redis, "cannot read", 0);
    }
}


/* NGX_ERROR: the connection is gone. */

static ngx_int_t
ngx_proxy_user_redis_parse_replies(ngx_proxy_user_redis_t *redis)
{
    ngx_int_t    rc;
    redisReply  *reply;

    for ( ;; ) {

        if (!pu_reader_next(redis->reader, &reply)) {
            ngx_proxy_user_redis_fail(redis, "an answer is not RESP or is "
                                      "too large", 0);
            return NGX_ERROR;
        }

        if (reply == NULL) {
            return NGX_OK;
        }

        rc = ngx_proxy_user_redis_answer(redis, reply);

        freeReplyObject(reply);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_proxy_user_redis_answer(ngx_proxy_user_redis_t *redis, redisReply *reply)
{
    ngx_uint_t                       denied;
    ngx_queue_t                     *q;
    ngx_proxy_user_redis_command_t  *command;

    if (ngx_queue_empty(&redis->sent)) {
        ngx_proxy_user_redis_fail(redis, "it spoke without being asked", 0);
        return NGX_ERROR;
    }

    q = ngx_queue_head(&redis->sent);
    command = ngx_queue_data(q, ngx_proxy_user_redis_command_t, queue);

    ngx_queue_remove(q);
    redis->commands--;

    denied = redis->state == NGX_PROXY_USER_REDIS_READY
             && ngx_proxy_user_redis_denied(reply);

    if (denied) {
        ngx_proxy_user_redis_trouble(redis, reply);
        redis->refused = 1;
    }

    ngx_proxy_user_redis_complete(command, reply);

    if (denied || redis->state == NGX_PROXY_USER_REDIS_DOWN) {
        ngx_proxy_user_redis_fail(redis, NULL, 0);
        return NGX_ERROR;
    }

    if (redis->state == NGX_PROXY_USER_REDIS_READY) {

        if (redis->timer.timer_set) {
            ngx_del_timer(&redis->timer);
        }

        ngx_proxy_user_redis_watch(redis);
    }

    return NGX_OK;
}


/* Never keeps a worker alive: who waits for an answer has its own deadline. */

static void
ngx_proxy_user_redis_arm(ngx_proxy_user_redis_t *redis, ngx_msec_t ms)
{
    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    ngx_add_timer(&redis->timer, ms);
}


/* The deadline is the oldest command's. */

static void
ngx_proxy_user_redis_watch(ngx_proxy_user_redis_t *redis)
{
    if (redis->commands && !redis->timer.timer_set) {
        ngx_proxy_user_redis_arm(redis, redis->options->timeout);
    }
}


static void
ngx_proxy_user_redis_timer_handler(ngx_event_t *ev)
{
    ngx_proxy_user_redis_t  *redis;

    redis = ev->data;

    if (redis->peer.connection) {
        ngx_proxy_user_redis_fail(redis, "no answer in time", 0);

    } else {
        ngx_proxy_user_redis_connect(redis);
    }
}


/*
 * The connection is lost or was not to be had.  First the state becomes what
 * those who are called back may rely on, then they are called back.
 */

static void
ngx_proxy_user_redis_fail(ngx_proxy_user_redis_t *redis, const char *why,
    ngx_err_t err)
{
    ngx_msec_t                       pause;
    ngx_uint_t                       was_ready;
    ngx_queue_t                      lost, *q;
    ngx_proxy_user_redis_command_t  *command;

    if (redis->state == NGX_PROXY_USER_REDIS_CONNECTING
        && redis->address + 1 < redis->conf->naddrs)
    {
        ngx_proxy_user_redis_disconnect(redis);
        redis->address++;
        ngx_proxy_user_redis_connect(redis);
        return;
    }

    was_ready = (redis->state == NGX_PROXY_USER_REDIS_READY
                 && !redis->refused);

    if (why && !redis->troubled && !ngx_exiting) {
        ngx_log_error(NGX_LOG_ERR, redis->log, err,
                      "proxy_user: redis \"%V\" is not available for %s: %s",
                      &redis->conf->url, redis->options->name, why);
        redis->troubled = 1;
    }

    ngx_proxy_user_redis_disconnect(redis);

    ngx_queue_init(&lost);
    ngx_queue_add(&lost, &redis->sent);
    ngx_queue_init(&redis->sent);
    ngx_queue_add(&lost, &redis->hello);
    ngx_queue_init(&redis->hello);
    ngx_queue_add(&lost, &redis->unsent);
    ngx_queue_init(&redis->unsent);

    redis->commands = 0;
    redis->hellos = 0;
    redis->address = 0;
    redis->state = NGX_PROXY_USER_REDIS_DOWN;

    if (was_ready) {
        pause = 0;
        redis->state = NGX_PROXY_USER_REDIS_CONNECTING;

    } else {
        pause = NGX_PROXY_USER_REDIS_PAUSE << ngx_min(redis->failed, 4);
        pause = ngx_min(pause, NGX_PROXY_USER_REDIS_PAUSE_MAX);
        pause = pause * 3 / 4 + ngx_random() % (pause / 2 + 1);

        redis->failed++;
        redis->once = 1;
    }

    if (redis->refused) {
        pause = NGX_PROXY_USER_REDIS_REFUSED;
    }

    ngx_proxy_user_redis_arm(redis, pause);

    while (!ngx_queue_empty(&lost)) {
        q = ngx_queue_head(&lost);
        ngx_queue_remove(q);

        command = ngx_queue_data(q, ngx_proxy_user_redis_command_t, queue);
        ngx_proxy_user_redis_complete(command, NULL);
    }
}


static void
ngx_proxy_user_redis_disconnect(ngx_proxy_user_redis_t *redis)
{
    ngx_connection_t  *c;

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    if (redis->flush.posted) {
        ngx_delete_posted_event(&redis->flush);
    }

    pu_reader_free(redis->reader);
    redis->reader = NULL;

    c = redis->peer.connection;

    if (c) {

        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;
            c->ssl->no_send_shutdown = 1;
            (void) ngx_ssl_shutdown(c);
        }

        ngx_close_connection(c);
        redis->peer.connection = NULL;
    }

    if (redis->pool) {
        ngx_destroy_pool(redis->pool);
        redis->pool = NULL;
    }
}


void
ngx_proxy_user_redis_close(ngx_proxy_user_redis_t *redis)
{
    ngx_queue_t                      all, *q;
    ngx_proxy_user_redis_command_t  *command;

    ngx_proxy_user_redis_disconnect(redis);

    ngx_queue_init(&all);
    ngx_queue_add(&all, &redis->sent);
    ngx_queue_add(&all, &redis->hello);
    ngx_queue_add(&all, &redis->unsent);

    while (!ngx_queue_empty(&all)) {
        q = ngx_queue_head(&all);
        ngx_queue_remove(q);

        command = ngx_queue_data(q, ngx_proxy_user_redis_command_t, queue);
        command->handler = NULL;
        ngx_proxy_user_redis_complete(command, NULL);
    }

    ngx_free(redis);
}


static void
ngx_proxy_user_redis_complete(ngx_proxy_user_redis_command_t *command,
    redisReply *reply)
{
    if (command->bytes) {
        redisFreeCommand(command->bytes);
    }

    if (command->handler) {
        command->handler(command->data, reply);
    }

    ngx_free(command);
}


void
ngx_proxy_user_redis_trouble(ngx_proxy_user_redis_t *redis,
    const redisReply *error)
{
    size_t       len;
    const char  *hint;

    if (error == NULL) {

        if (redis->troubled) {
            redis->troubled = 0;
            ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                          "proxy_user: redis \"%V\" is available again "
                          "for %s", &redis->conf->url, redis->options->name);
        }

        return;
    }

    if (redis->troubled) {
        return;
    }

    redis->troubled = 1;

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

    /* the first word is a code: the rest may repeat what was sent */

    for (len = 0; len < (size_t) error->len && len < 32; len++) {
        if (error->str[len] < 'A' || error->str[len] > 'Z') {
            break;
        }
    }

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "proxy_user: redis \"%V\" is not available for %s: "
                  "it answered \"%*s\"%s",
                  &redis->conf->url, redis->options->name, len, error->str,
                  hint);
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

static ngx_uint_t
ngx_proxy_user_redis_denied(const redisReply *reply)
{
    return ngx_proxy_user_redis_is(reply, "NOAUTH")
           || ngx_proxy_user_redis_is(reply, "WRONGPASS")
           || ngx_proxy_user_redis_is(reply, "ERR invalid password")
           || ngx_proxy_user_redis_is(reply, "ERR Client sent AUTH")
           || ngx_proxy_user_redis_is(reply, "ERR AUTH");
}
