
/*
 * libcurl's multi interface on nginx's event loop; see the header.
 *
 * libcurl wants to be told again while a socket stays readable, so its events
 * are level triggered, whatever nginx uses for its own.
 */

#include "ngx_proxy_user_curl.h"

#include <openssl/err.h>


#define NGX_PROXY_USER_CURL_CONNECTIONS  16     /* to one issuer */


struct ngx_proxy_user_curl_s {
    CURLM                   *multi;
    ngx_log_t               *log;
    ngx_proxy_user_curl_pt   handler;
    ngx_event_t              timer;
};


static ngx_int_t ngx_proxy_user_curl_init(ngx_proxy_user_curl_t *curl);
static int ngx_proxy_user_curl_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *socket);
static void ngx_proxy_user_curl_watch(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t want);
static void ngx_proxy_user_curl_forget(ngx_connection_t *c);
static int ngx_proxy_user_curl_timeout(CURLM *multi, long ms, void *data);
static void ngx_proxy_user_curl_event(ngx_event_t *ev);
static void ngx_proxy_user_curl_timer(ngx_event_t *ev);
static void ngx_proxy_user_curl_act(ngx_proxy_user_curl_t *curl,
    curl_socket_t fd, int events);


ngx_proxy_user_curl_t *
ngx_proxy_user_curl_open(ngx_log_t *log, ngx_proxy_user_curl_pt handler)
{
    ngx_proxy_user_curl_t  *curl;

    curl = ngx_calloc(sizeof(ngx_proxy_user_curl_t), log);
    if (curl == NULL) {
        return NULL;
    }

    curl->log = log;
    curl->handler = handler;

    /* whoever waits has a deadline of its own, which keeps the worker */

    curl->timer.handler = ngx_proxy_user_curl_timer;
    curl->timer.data = curl;
    curl->timer.log = log;
    curl->timer.cancelable = 1;

    /* counted: each has its own curl_global_cleanup */

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        ngx_free(curl);
        return NULL;
    }

    curl->multi = curl_multi_init();

    if (curl->multi == NULL || ngx_proxy_user_curl_init(curl) != NGX_OK) {
        ngx_proxy_user_curl_close(curl);
        return NULL;
    }

    return curl;
}


static ngx_int_t
ngx_proxy_user_curl_init(ngx_proxy_user_curl_t *curl)
{
    CURLM  *multi;

    multi = curl->multi;

    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                          ngx_proxy_user_curl_socket) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             ngx_proxy_user_curl_timeout) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl) != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                             (long) NGX_PROXY_USER_CURL_CONNECTIONS)
           != CURLM_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_proxy_user_curl_close(ngx_proxy_user_curl_t *curl)
{
    if (curl->multi) {
        (void) curl_multi_cleanup(curl->multi);
    }

    if (curl->timer.timer_set) {
        ngx_del_timer(&curl->timer);
    }

    curl_global_cleanup();
    ERR_clear_error();

    ngx_free(curl);
}


ngx_int_t
ngx_proxy_user_curl_add(ngx_proxy_user_curl_t *curl, CURL *easy)
{
    return curl_multi_add_handle(curl->multi, easy) == CURLM_OK ? NGX_OK
                                                                : NGX_ERROR;
}


void
ngx_proxy_user_curl_remove(ngx_proxy_user_curl_t *curl, CURL *easy)
{
    (void) curl_multi_remove_handle(curl->multi, easy);

    ERR_clear_error();
}


/*
 * libcurl's callback.  It must not fail: libcurl would give up every transfer
 * for good.  A socket that nginx has no room for is not heard of, and its
 * transfer ends by its deadline.
 */

static int
ngx_proxy_user_curl_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *socket)
{
    ngx_connection_t       *c = socket;
    ngx_proxy_user_curl_t  *curl = data;

    if (what == CURL_POLL_REMOVE) {

        if (c) {
            ngx_proxy_user_curl_forget(c);
        }

        return 0;
    }

    if (c == NULL) {
        c = ngx_get_connection(fd, curl->log);
        if (c == NULL) {
            return 0;
        }

        c->data = curl;
        c->log = curl->log;
        c->read->log = curl->log;
        c->write->log = curl->log;
        c->read->handler = ngx_proxy_user_curl_event;
        c->write->handler = ngx_proxy_user_curl_event;

        (void) curl_multi_assign(curl->multi, fd, c);
    }

    ngx_proxy_user_curl_watch(c->read, NGX_READ_EVENT, what & CURL_POLL_IN);
    ngx_proxy_user_curl_watch(c->write, NGX_WRITE_EVENT,
                              what & CURL_POLL_OUT);

    return 0;
}


static void
ngx_proxy_user_curl_watch(ngx_event_t *ev, ngx_int_t event, ngx_uint_t want)
{
    if (want && !ev->active) {
        (void) ngx_add_event(ev, event, NGX_LEVEL_EVENT);

    } else if (!want && ev->active) {
        (void) ngx_del_event(ev, event, 0);
    }
}


/*
 * The socket is libcurl's, which keeps it for later, or is to close it, or has
 * just done so when a transfer was removed.
 */

static void
ngx_proxy_user_curl_forget(ngx_connection_t *c)
{
    ngx_uint_t  flags;

    flags = fcntl(c->fd, F_GETFD) == -1 ? NGX_CLOSE_EVENT : 0;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


/*
 * libcurl's callback, from which it must not be called.  nginx would not set
 * a timer again that moves by less than its own slack.
 */

static int
ngx_proxy_user_curl_timeout(CURLM *multi, long ms, void *data)
{
    ngx_proxy_user_curl_t  *curl = data;

    if (curl->timer.timer_set) {
        ngx_del_timer(&curl->timer);
    }

    if (ms >= 0) {
        ngx_add_timer(&curl->timer, ngx_max((ngx_msec_t) ms, 1));
    }

    return 0;
}


static void
ngx_proxy_user_curl_event(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_proxy_user_curl_act(c->data, c->fd,
                            ev->write ? CURL_CSELECT_OUT : CURL_CSELECT_IN);
}


static void
ngx_proxy_user_curl_timer(ngx_event_t *ev)
{
    ngx_proxy_user_curl_act(ev->data, CURL_SOCKET_TIMEOUT, 0);
}


/* nginx and libcurl share OpenSSL's queue of errors: each finds it empty. */

static void
ngx_proxy_user_curl_act(ngx_proxy_user_curl_t *curl, curl_socket_t fd,
    int events)
{
    int       running, left;
    void     *data;
    CURL     *easy;
    CURLMsg  *msg;
    CURLcode  code;

    ERR_clear_error();

    (void) curl_multi_socket_action(curl->multi, fd, events, &running);

    while ((msg = curl_multi_info_read(curl->multi, &left))) {

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        easy = msg->easy_handle;
        code = msg->data.result;
        data = NULL;

        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &data);
        (void) curl_multi_remove_handle(curl->multi, easy);

        curl->handler(data, code);
    }

    ERR_clear_error();
}
