/*
 * A small HTTP client: one GET or POST, an answer of a bounded size within a
 * deadline, or a sentence why there is none.
 *
 * Knows no key and no token.  Nothing blocks: names are looked up by nginx's
 * resolver or were when the configuration was read, and libcurl is told their
 * addresses.  TLS is always verified; only redirects within an origin are
 * followed, and those only for who asks for it.
 */

#ifndef NGX_PROXY_USER_FETCH_H
#define NGX_PROXY_USER_FETCH_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <openssl/x509_vfy.h>


#define NGX_PROXY_USER_FETCH_FIELD  256         /* of a header that is kept */


typedef struct ngx_proxy_user_fetcher_s  ngx_proxy_user_fetcher_t;
typedef struct ngx_proxy_user_fetch_s    ngx_proxy_user_fetch_t;


/* A host whose addresses were found when the configuration was read. */

typedef struct {
    ngx_str_t                   host;
    ngx_addr_t                 *addrs;
    ngx_uint_t                  naddrs;
} ngx_proxy_user_host_t;


/* What fetching for one issuer needs; made with the configuration. */

typedef struct ngx_proxy_user_remote_s  ngx_proxy_user_remote_t;

struct ngx_proxy_user_remote_s {
    ngx_array_t                *hosts;      /* ngx_proxy_user_host_t */
    ngx_resolver_t             *resolver;   /* NULL: none */
    X509_STORE                 *trust;      /* NULL: no https url */
};


/* "url" is of a kind that pu_issuer_url_ok accepts. */

typedef struct {
    ngx_str_t                   url;
    ngx_str_t                   form;       /* data NULL: GET, else POST */
    ngx_str_t                   authorization;      /* empty: none */
    size_t                      max;        /* bytes of the answer's body */
    ngx_msec_t                  timeout;    /* for all of it */
    unsigned                    redirects:1;
    unsigned                    background:1;   /* nobody waits: a worker
                                                   may end meanwhile */
} ngx_proxy_user_fetch_request_t;


typedef struct {
    const char                 *error;      /* NULL: there is an answer */
    ngx_uint_t                  status;
    ngx_str_t                   body;
    ngx_str_t                   cache_control;
    ngx_str_t                   age;
} ngx_proxy_user_fetched_t;


/* "fetched" is valid until it returns. */
typedef void (*ngx_proxy_user_fetch_pt)(void *data,
    const ngx_proxy_user_fetched_t *fetched);


/*
 * While a configuration is read.  trust: the certificates of a file, or the
 * system's when "file" is empty; NULL after it has said why.  host: looks up
 * the host of "url" for the issuer "name", unless it is an address or "remote"
 * has a resolver.
 */
X509_STORE *ngx_proxy_user_fetch_trust(ngx_conf_t *cf, ngx_str_t *file);
ngx_int_t ngx_proxy_user_fetch_host(ngx_conf_t *cf,
    ngx_proxy_user_remote_t *remote, ngx_str_t *name, ngx_str_t *url);


/* In a worker; "remote" must outlive it.  NULL when memory is gone. */
ngx_proxy_user_fetcher_t *ngx_proxy_user_fetcher_open(ngx_log_t *log,
    const ngx_proxy_user_remote_t *remote);

/* Nobody is called back. */
void ngx_proxy_user_fetcher_close(ngx_proxy_user_fetcher_t *fetcher);

/*
 * Begins a fetch; "request" may go away.  "handler" is called once, from an
 * event of its own, unless the fetch is cancelled before.  NULL when there are
 * too many or memory is gone.
 */
ngx_proxy_user_fetch_t *ngx_proxy_user_fetch_start(
    ngx_proxy_user_fetcher_t *fetcher,
    const ngx_proxy_user_fetch_request_t *request,
    ngx_proxy_user_fetch_pt handler, void *data);

void ngx_proxy_user_fetch_cancel(ngx_proxy_user_fetch_t *fetch);


#endif /* NGX_PROXY_USER_FETCH_H */
