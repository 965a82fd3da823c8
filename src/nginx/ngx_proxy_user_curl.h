/*
 * libcurl's multi interface on nginx's event loop: its sockets become nginx's
 * connections, its timer nginx's timer.
 *
 * Knows transfers and nothing of what is fetched.  One in a worker for each
 * issuer, so that no issuer's connections are another's and one that hangs
 * takes nobody else's.
 */

#ifndef NGX_PROXY_USER_CURL_H
#define NGX_PROXY_USER_CURL_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <curl/curl.h>


typedef struct ngx_proxy_user_curl_s  ngx_proxy_user_curl_t;

/* The transfer whose CURLOPT_PRIVATE is "data" has ended and is removed. */
typedef void (*ngx_proxy_user_curl_pt)(void *data, CURLcode code);


/* In a worker; NULL when memory is gone. */
ngx_proxy_user_curl_t *ngx_proxy_user_curl_open(ngx_log_t *log,
    ngx_proxy_user_curl_pt handler);

/* All transfers must have ended or been removed. */
void ngx_proxy_user_curl_close(ngx_proxy_user_curl_t *curl);

/* "handler" is called from an event, never before this returns. */
ngx_int_t ngx_proxy_user_curl_add(ngx_proxy_user_curl_t *curl, CURL *easy);

/* The transfer is dropped; nobody is called. */
void ngx_proxy_user_curl_remove(ngx_proxy_user_curl_t *curl, CURL *easy);


#endif /* NGX_PROXY_USER_CURL_H */
