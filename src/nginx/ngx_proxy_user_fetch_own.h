/*
 * What the files of a fetch share: fetch.c begins and ends it, transfer.c is
 * libcurl's part of it, fetch_conf.c reads the configuration.
 */

#ifndef NGX_PROXY_USER_FETCH_OWN_H
#define NGX_PROXY_USER_FETCH_OWN_H

#include "ngx_proxy_user_curl.h"
#include "ngx_proxy_user_fetch.h"


#define NGX_PROXY_USER_FETCH_ADDRS  8


struct ngx_proxy_user_fetcher_s {
    const ngx_proxy_user_remote_t  *remote;
    ngx_proxy_user_curl_t          *curl;
    ngx_log_t                      *log;
    ngx_queue_t                     all;
    ngx_uint_t                      n;
};


struct ngx_proxy_user_fetch_s {
    ngx_queue_t                     queue;
    ngx_proxy_user_fetcher_t       *fetcher;
    ngx_proxy_user_fetch_request_t  request;
    ngx_proxy_user_fetch_pt         handler;
    void                           *data;
    ngx_pool_t                     *pool;
    ngx_url_t                       url;
    ngx_resolver_ctx_t             *resolving;
    CURL                           *easy;
    struct curl_slist              *headers;
    struct curl_slist              *resolve;
    ngx_event_t                     deadline;
    ngx_event_t                     done;
    ngx_proxy_user_fetched_t        fetched;
    size_t                          size;       /* of the body's buffer */
    size_t                          header;     /* bytes so far */
    ngx_uint_t                      redirects;
    const char                     *fault;      /* found while it came */
    unsigned                        secure:1;   /* https */
    unsigned                        added:1;    /* libcurl has it */
    u_char                          cache_control[NGX_PROXY_USER_FETCH_FIELD];
    u_char                          age[NGX_PROXY_USER_FETCH_FIELD];
};


/* fetch.c */

/* Splits "url" and, if it may, looks up its host. */
ngx_int_t ngx_proxy_user_fetch_parse(ngx_pool_t *pool, ngx_str_t *url,
    ngx_url_t *u, ngx_uint_t resolve);

/* It is over: whoever asked is told from an event. */
void ngx_proxy_user_fetch_finish(ngx_proxy_user_fetch_t *fetch,
    const char *error);


/* transfer.c */

/* Hands it to libcurl; without addresses its host is one. */
void ngx_proxy_user_fetch_transfer(ngx_proxy_user_fetch_t *fetch,
    const ngx_resolver_addr_t *addrs, ngx_uint_t naddrs);

/* libcurl is done with the fetch "data". */
void ngx_proxy_user_fetch_ended(void *data, CURLcode code);


#endif /* NGX_PROXY_USER_FETCH_OWN_H */
