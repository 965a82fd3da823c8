
/*
 * Brings a connection to Redis up: TCP or a unix socket, TLS, and what a
 * connection needs before its first command.
 */

#include "ngx_proxy_user_redis_own.h"


static void ngx_proxy_user_redis_handshaken(ngx_connection_t *c);
static ngx_uint_t ngx_proxy_user_redis_named(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_hello(ngx_proxy_user_redis_t *redis);
static ngx_int_t ngx_proxy_user_redis_greet(ngx_proxy_user_redis_t *redis,
    const pu_args_t *args);
static void ngx_proxy_user_redis_greeted(void *data, redisReply *reply);
static void ngx_proxy_user_redis_ready(ngx_proxy_user_redis_t *redis);


void
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


void
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
        ngx_proxy_user_redis_arg(&args, PU_STR("AUTH"));

        if (conf->user.len) {
            ngx_proxy_user_redis_arg(&args, ngx_proxy_user_str(&conf->user));
        }

        ngx_proxy_user_redis_arg(&args, ngx_proxy_user_str(&conf->password));
        rc |= ngx_proxy_user_redis_greet(redis, &args);
    }

    if (conf->db.len) {
        args.argc = 0;
        ngx_proxy_user_redis_arg(&args, PU_STR("SELECT"));
        ngx_proxy_user_redis_arg(&args, ngx_proxy_user_str(&conf->db));
        rc |= ngx_proxy_user_redis_greet(redis, &args);
    }

    ngx_proxy_user_redis_script_load(&args);
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


/*
 * A greeting that was right does not end the pauses between attempts: that
 * does the first right answer (ngx_proxy_user_redis_trouble).
 */

static void
ngx_proxy_user_redis_ready(ngx_proxy_user_redis_t *redis)
{
    ngx_connection_t  *c;

    c = redis->peer.connection;
    c->log = redis->log;
    c->read->log = redis->log;
    c->write->log = redis->log;

    redis->state = NGX_PROXY_USER_REDIS_READY;
    redis->since = ngx_current_msec;
    redis->once = 1;
    redis->refused = 0;
    redis->proven = 0;

    if (!redis->doubted) {
        ngx_proxy_user_redis_available(redis);
    }

    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    ngx_proxy_user_redis_watch(redis);

    ngx_post_event(&redis->flush, &ngx_posted_events);
}
