
/*
 * One connection to Redis; see the header for what it promises.
 *
 * Down -> connecting -> (TLS) -> hello (AUTH, SELECT, SCRIPT LOAD) -> ready.
 * One timer serves all: the deadline of an attempt, the deadline of the oldest
 * command, or the pause before the next attempt.
 */

#include "ngx_proxy_user_redis_own.h"


static void ngx_proxy_user_redis_flush_handler(ngx_event_t *ev);
static void ngx_proxy_user_redis_write(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_read(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_proxy_user_redis_late(ngx_proxy_user_redis_t *redis);
static ngx_int_t ngx_proxy_user_redis_flush(ngx_proxy_user_redis_t *redis);
static ngx_int_t ngx_proxy_user_redis_parse_replies(
    ngx_proxy_user_redis_t *redis);
static ngx_int_t ngx_proxy_user_redis_answer(ngx_proxy_user_redis_t *redis,
    redisReply *reply);
static ngx_uint_t ngx_proxy_user_redis_good(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_disconnect(ngx_proxy_user_redis_t *redis);
static void ngx_proxy_user_redis_complete(
    ngx_proxy_user_redis_command_t *command, redisReply *reply);


ngx_proxy_user_redis_t *
ngx_proxy_user_redis_open(ngx_cycle_t *cycle,
    const ngx_proxy_user_redis_conf_t *conf,
    const ngx_proxy_user_redis_options_t *options)
{
    ngx_proxy_user_redis_t  *redis;

    redis = ngx_calloc(sizeof(ngx_proxy_user_redis_t), cycle->log);
    if (redis == NULL) {
        return NULL;
    }

    if (!pu_script_sha(redis->script)) {
        ngx_free(redis);
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

    ngx_proxy_user_redis_script_load(&args);

    command = ngx_proxy_user_redis_format(&args, NULL, NULL);

    if (command) {
        ngx_queue_insert_tail(&redis->unsent, &command->queue);
        redis->commands++;
    }
}


ngx_proxy_user_redis_command_t *
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


void
ngx_proxy_user_redis_script_load(pu_args_t *args)
{
    args->argc = 0;

    ngx_proxy_user_redis_arg(args, PU_STR("SCRIPT"));
    ngx_proxy_user_redis_arg(args, PU_STR("LOAD"));
    ngx_proxy_user_redis_arg(args, (pu_str_t) {
                                 pu_script_len, (const u_char *) pu_script });
}


void
ngx_proxy_user_redis_arg(pu_args_t *args, pu_str_t word)
{
    args->argv[args->argc] = (const char *) word.data;
    args->len[args->argc] = word.len;
    args->argc++;
}


void
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

    ngx_proxy_user_redis_write(redis);
}


static void
ngx_proxy_user_redis_flush_handler(ngx_event_t *ev)
{
    ngx_proxy_user_redis_write(ev->data);
}


static void
ngx_proxy_user_redis_write(ngx_proxy_user_redis_t *redis)
{
    ngx_err_t  err;

    if (ngx_proxy_user_redis_flush(redis) == NGX_OK) {
        return;
    }

    err = ngx_socket_errno;

    /* who closed may have said why */

    ngx_proxy_user_redis_read(redis);

    if (redis->peer.connection) {
        ngx_proxy_user_redis_fail(redis, "cannot write", err);
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


void
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


/* What has arrived, although epoll did not report it yet. */

static void
ngx_proxy_user_redis_read(ngx_proxy_user_redis_t *redis)
{
    ngx_event_t  *rev;

    rev = redis->peer.connection->read;
    rev->ready = 1;
    rev->available = -1;

    ngx_proxy_user_redis_read_handler(rev);
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

        /* why it is about to close, as when it has too many clients */

        if (reply->type == REDIS_REPLY_ERROR) {
            ngx_proxy_user_redis_trouble(redis, reply);
        }

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

void
ngx_proxy_user_redis_arm(ngx_proxy_user_redis_t *redis, ngx_msec_t ms)
{
    if (redis->timer.timer_set) {
        ngx_del_timer(&redis->timer);
    }

    ngx_add_timer(&redis->timer, ms);
}


/* The deadline is the oldest command's. */

void
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

    if (redis->peer.connection == NULL) {
        ngx_proxy_user_redis_connect(redis);
        return;
    }

    if (redis->state == NGX_PROXY_USER_REDIS_READY
        && ngx_proxy_user_redis_late(redis))
    {
        return;
    }

    ngx_proxy_user_redis_fail(redis, "no answer in time", 0);
}


/*
 * A worker with thousands of events before this one is late itself: an answer
 * that has arrived meanwhile was in time.  Nothing to read, or no answer in
 * it: 0.
 */

static ngx_uint_t
ngx_proxy_user_redis_late(ngx_proxy_user_redis_t *redis)
{
    ngx_proxy_user_redis_read(redis);

    return redis->commands == 0 || redis->timer.timer_set;
}


/*
 * One that gave right answers, or was long without trouble (it may have been
 * idle), is tried again at once.  One that greets well and answers badly is
 * not, but for a few times: it would come and go as fast as it can.
 */

static ngx_uint_t
ngx_proxy_user_redis_good(ngx_proxy_user_redis_t *redis)
{
    if (redis->state != NGX_PROXY_USER_REDIS_READY || redis->refused) {
        return 0;
    }

    if (redis->proven
        || ngx_current_msec - redis->since
           > redis->options->timeout + NGX_PROXY_USER_REDIS_STEADY)
    {
        redis->failed = 0;
        redis->doubted = 0;
        return 1;
    }

    return ++redis->doubted <= NGX_PROXY_USER_REDIS_DOUBTED;
}


/*
 * The connection is lost or was not to be had.  First the state becomes what
 * those who are called back may rely on, then they are called back.
 */

void
ngx_proxy_user_redis_fail(ngx_proxy_user_redis_t *redis, const char *why,
    ngx_err_t err)
{
    ngx_msec_t                       pause;
    ngx_uint_t                       was_good;
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

    was_good = ngx_proxy_user_redis_good(redis);

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

    if (was_good) {
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
        redis->refused = 0;
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
