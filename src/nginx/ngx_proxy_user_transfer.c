
/*
 * libcurl's part of a fetch: the options of a transfer, what comes of it.
 *
 * libcurl's own resolver, whose thread it would wait for, is never started,
 * and it opens no file.
 */

#include "ngx_proxy_user_fetch_own.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>


#define NGX_PROXY_USER_FETCH_BUFFER     4096    /* first size, doubled */
#define NGX_PROXY_USER_FETCH_HEADERS    65536   /* bytes of all of them */
#define NGX_PROXY_USER_FETCH_REDIRECTS  3


static ngx_int_t ngx_proxy_user_fetch_addresses(
    ngx_proxy_user_fetch_t *fetch, const ngx_resolver_addr_t *addrs,
    ngx_uint_t naddrs);
static ngx_int_t ngx_proxy_user_fetch_headers(ngx_proxy_user_fetch_t *fetch);
static ngx_int_t ngx_proxy_user_fetch_options(ngx_proxy_user_fetch_t *fetch);
static ngx_int_t ngx_proxy_user_fetch_tls(ngx_proxy_user_fetch_t *fetch);
static CURLcode ngx_proxy_user_fetch_context(CURL *easy, void *ctx,
    void *data);
static int ngx_proxy_user_fetch_no_resolver(void *state, void *reserved,
    void *data);
static size_t ngx_proxy_user_fetch_header(char *line, size_t size, size_t n,
    void *data);
static ngx_uint_t ngx_proxy_user_fetch_field(ngx_str_t *line,
    const char *name);
static void ngx_proxy_user_fetch_keep(ngx_str_t *field, u_char *room,
    ngx_str_t *value);
static size_t ngx_proxy_user_fetch_body(char *bytes, size_t size, size_t n,
    void *data);
static ngx_int_t ngx_proxy_user_fetch_grow(ngx_proxy_user_fetch_t *fetch,
    size_t need);
static void ngx_proxy_user_fetch_redirect(ngx_proxy_user_fetch_t *fetch);
static size_t ngx_proxy_user_fetch_origin(const char *url);
static const char *ngx_proxy_user_fetch_why(ngx_proxy_user_fetch_t *fetch,
    CURLcode code);


void
ngx_proxy_user_fetch_transfer(ngx_proxy_user_fetch_t *fetch,
    const ngx_resolver_addr_t *addrs, ngx_uint_t naddrs)
{
    fetch->easy = curl_easy_init();

    if (fetch->easy == NULL
        || (naddrs
            && ngx_proxy_user_fetch_addresses(fetch, addrs, naddrs) != NGX_OK)
        || ngx_proxy_user_fetch_headers(fetch) != NGX_OK
        || ngx_proxy_user_fetch_options(fetch) != NGX_OK
        || ngx_proxy_user_fetch_tls(fetch) != NGX_OK
        || ngx_proxy_user_curl_add(fetch->fetcher->curl, fetch->easy)
           != NGX_OK)
    {
        ngx_proxy_user_fetch_finish(fetch, "libcurl cannot be used");
        return;
    }

    fetch->added = 1;
}


/* "host:port:address,[address]", which stands in for any look-up. */

static ngx_int_t
ngx_proxy_user_fetch_addresses(ngx_proxy_user_fetch_t *fetch,
    const ngx_resolver_addr_t *addrs, ngx_uint_t naddrs)
{
    size_t       size;
    u_char      *line, *p, *last, text[NGX_SOCKADDR_STRLEN];
    ngx_str_t    addr;
    ngx_uint_t   i;

    naddrs = ngx_min(naddrs, NGX_PROXY_USER_FETCH_ADDRS);

    size = fetch->url.host.len + sizeof(":65535:")
           + naddrs * (NGX_SOCKADDR_STRLEN + sizeof(",[]"));

    line = ngx_pnalloc(fetch->pool, size);
    if (line == NULL) {
        return NGX_ERROR;
    }

    last = line + size;
    p = ngx_slprintf(line, last, "%V:%ui:", &fetch->url.host,
                     (ngx_uint_t) fetch->url.port);

    for (i = 0; i < naddrs; i++) {
        addr.data = text;
        addr.len = ngx_sock_ntop(addrs[i].sockaddr, addrs[i].socklen, text,
                                 sizeof(text), 0);

        p = ngx_slprintf(p, last,
                         addrs[i].sockaddr->sa_family == AF_INET
                         ? "%s%V" : "%s[%V]",
                         i ? "," : "", &addr);
    }

    *p = '\0';

    fetch->resolve = curl_slist_append(NULL, (char *) line);

    return fetch->resolve
           && curl_easy_setopt(fetch->easy, CURLOPT_RESOLVE, fetch->resolve)
              == CURLE_OK
           && curl_easy_setopt(fetch->easy, CURLOPT_RESOLVER_START_FUNCTION,
                               ngx_proxy_user_fetch_no_resolver)
              == CURLE_OK
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_proxy_user_fetch_headers(ngx_proxy_user_fetch_t *fetch)
{
    u_char             *line, *last;
    size_t              size;
    ngx_uint_t          ok;
    struct curl_slist  *list;

    list = curl_slist_append(NULL, "Accept: application/json");
    ok = (list != NULL);

    /* older ones wait for a word before they send a form of 1 KiB */

    if (ok && fetch->request.form.data) {
        ok = (curl_slist_append(list, "Expect:") != NULL);
    }

    if (ok && fetch->request.authorization.len) {
        size = fetch->request.authorization.len + sizeof("Authorization: ");

        line = ngx_pnalloc(fetch->pool, size);
        if (line == NULL) {
            curl_slist_free_all(list);
            return NGX_ERROR;
        }

        last = ngx_sprintf(line, "Authorization: %V",
                           &fetch->request.authorization);
        *last = '\0';

        ok = (curl_slist_append(list, (char *) line) != NULL);
        OPENSSL_cleanse(line, size);
    }

    fetch->headers = list;

    return ok && curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, list)
                 == CURLE_OK
           ? NGX_OK : NGX_ERROR;
}


#define ngx_proxy_user_fetch_set(option, value)                               \
    (curl_easy_setopt(fetch->easy, option, value) == CURLE_OK)

static ngx_int_t
ngx_proxy_user_fetch_options(ngx_proxy_user_fetch_t *fetch)
{
    ngx_str_t  *form;

    form = &fetch->request.form;

    if (form->data
        && (!ngx_proxy_user_fetch_set(CURLOPT_POSTFIELDSIZE,
                                      (long) form->len)
            || !ngx_proxy_user_fetch_set(CURLOPT_POSTFIELDS, form->data)))
    {
        return NGX_ERROR;
    }

    /* a proxy that the environment names is nobody we know */

    return ngx_proxy_user_fetch_set(CURLOPT_URL, fetch->request.url.data)
           && ngx_proxy_user_fetch_set(CURLOPT_PRIVATE, (void *) fetch)
           && ngx_proxy_user_fetch_set(CURLOPT_NOSIGNAL, 1L)
           && ngx_proxy_user_fetch_set(CURLOPT_PROXY, "")
           && ngx_proxy_user_fetch_set(CURLOPT_FOLLOWLOCATION, 0L)
           && ngx_proxy_user_fetch_set(CURLOPT_HTTP_VERSION,
                                       (long) CURL_HTTP_VERSION_1_1)
           && ngx_proxy_user_fetch_set(CURLOPT_USERAGENT,
                                       "ngx_proxy_user_module")
           && ngx_proxy_user_fetch_set(CURLOPT_HEADERFUNCTION,
                                       ngx_proxy_user_fetch_header)
           && ngx_proxy_user_fetch_set(CURLOPT_HEADERDATA, fetch)
           && ngx_proxy_user_fetch_set(CURLOPT_WRITEFUNCTION,
                                       ngx_proxy_user_fetch_body)
           && ngx_proxy_user_fetch_set(CURLOPT_WRITEDATA, fetch)
           ? NGX_OK : NGX_ERROR;
}


/*
 * The certificates to trust are in memory since the configuration was read:
 * libcurl opens no file.
 */

static ngx_int_t
ngx_proxy_user_fetch_tls(ngx_proxy_user_fetch_t *fetch)
{
    if (!fetch->secure) {
        return NGX_OK;
    }

    if (fetch->fetcher->remote->trust == NULL) {
        return NGX_ERROR;
    }

    return ngx_proxy_user_fetch_set(CURLOPT_SSL_VERIFYPEER, 1L)
           && ngx_proxy_user_fetch_set(CURLOPT_SSL_VERIFYHOST, 2L)
           && ngx_proxy_user_fetch_set(CURLOPT_SSLVERSION,
                                       (long) CURL_SSLVERSION_TLSv1_2)
           && ngx_proxy_user_fetch_set(CURLOPT_CAINFO, (char *) NULL)
           && ngx_proxy_user_fetch_set(CURLOPT_CAPATH, (char *) NULL)
           && ngx_proxy_user_fetch_set(CURLOPT_SSL_CTX_FUNCTION,
                                       ngx_proxy_user_fetch_context)
           && ngx_proxy_user_fetch_set(CURLOPT_SSL_CTX_DATA, fetch)
           ? NGX_OK : NGX_ERROR;
}


/* libcurl's callback. */

static CURLcode
ngx_proxy_user_fetch_context(CURL *easy, void *ctx, void *data)
{
    ngx_proxy_user_fetch_t *fetch = data;

    SSL_CTX_set1_cert_store(ctx, fetch->fetcher->remote->trust);

    return CURLE_OK;
}


/* libcurl's callback: it wants to look up what we have told it. */

static int
ngx_proxy_user_fetch_no_resolver(void *state, void *reserved, void *data)
{
    return 1;
}


/* libcurl's callback for each line; anything but the size ends it. */

static size_t
ngx_proxy_user_fetch_header(char *line, size_t size, size_t n, void *data)
{
    ngx_proxy_user_fetch_t *fetch = data;

    ngx_str_t  value;

    size *= n;
    fetch->header += size;

    if (fetch->header > NGX_PROXY_USER_FETCH_HEADERS) {
        fetch->fault = "its header is too large";
        return 0;
    }

    value.data = (u_char *) line;
    value.len = size;

    if (ngx_proxy_user_fetch_field(&value, "cache-control:")) {
        ngx_proxy_user_fetch_keep(&fetch->fetched.cache_control,
                                  fetch->cache_control, &value);

    } else if (ngx_proxy_user_fetch_field(&value, "age:")) {
        fetch->fetched.age.len = 0;
        ngx_proxy_user_fetch_keep(&fetch->fetched.age, fetch->age, &value);

    } else if (ngx_proxy_user_fetch_field(&value, "content-encoding:")
               && (value.len != 8
                   || ngx_strncasecmp(value.data, (u_char *) "identity", 8)
                      != 0))
    {
        fetch->fault = "its answer is encoded";
        return 0;
    }

    return size;
}


/* Is it this field?  Then "line" becomes its value. */

static ngx_uint_t
ngx_proxy_user_fetch_field(ngx_str_t *line, const char *name)
{
    size_t  len;

    len = ngx_strlen(name);

    if (line->len < len
        || ngx_strncasecmp(line->data, (u_char *) name, len) != 0)
    {
        return 0;
    }

    line->data += len;
    line->len -= len;

    while (line->len && (*line->data == ' ' || *line->data == '\t')) {
        line->data++;
        line->len--;
    }

    while (line->len && line->data[line->len - 1] <= ' ') {
        line->len--;
    }

    return 1;
}


/* Several lines of one field are a list (RFC 9110 section 5.3). */

static void
ngx_proxy_user_fetch_keep(ngx_str_t *field, u_char *room, ngx_str_t *value)
{
    size_t  left;

    field->data = room;

    if (field->len && field->len < NGX_PROXY_USER_FETCH_FIELD) {
        room[field->len++] = ',';
    }

    left = NGX_PROXY_USER_FETCH_FIELD - field->len;
    left = ngx_min(left, value->len);

    ngx_memcpy(room + field->len, value->data, left);
    field->len += left;
}


/* libcurl's callback for a piece of the body. */

static size_t
ngx_proxy_user_fetch_body(char *bytes, size_t size, size_t n, void *data)
{
    ngx_proxy_user_fetch_t *fetch = data;

    ngx_str_t  *body;

    size *= n;
    body = &fetch->fetched.body;

    if (size > fetch->request.max - body->len) {
        fetch->fault = "its answer is too large";
        return 0;
    }

    if (ngx_proxy_user_fetch_grow(fetch, body->len + size) != NGX_OK) {
        fetch->fault = "there is no memory for its answer";
        return 0;
    }

    ngx_memcpy(body->data + body->len, bytes, size);
    body->len += size;

    return size;
}


static ngx_int_t
ngx_proxy_user_fetch_grow(ngx_proxy_user_fetch_t *fetch, size_t need)
{
    size_t      size;
    u_char     *p;
    ngx_str_t  *body;

    body = &fetch->fetched.body;

    if (need <= fetch->size) {
        return NGX_OK;
    }

    size = ngx_max(need, ngx_max(2 * fetch->size,
                                 NGX_PROXY_USER_FETCH_BUFFER));

    p = ngx_alloc(size, fetch->fetcher->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (body->data) {
        ngx_memcpy(p, body->data, body->len);
        ngx_free(body->data);
    }

    body->data = p;
    fetch->size = size;

    return NGX_OK;
}


void
ngx_proxy_user_fetch_ended(void *data, CURLcode code)
{
    ngx_proxy_user_fetch_t *fetch = data;

    long  status;

    fetch->added = 0;

    if (code != CURLE_OK) {
        ngx_proxy_user_fetch_finish(fetch,
                                    ngx_proxy_user_fetch_why(fetch, code));
        return;
    }

    status = 0;
    (void) curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    fetch->fetched.status = status;

    if (fetch->request.redirects && status >= 301 && status <= 308
        && status != 304)
    {
        ngx_proxy_user_fetch_redirect(fetch);
        return;
    }

    ngx_proxy_user_fetch_finish(fetch, NULL);
}


static void
ngx_proxy_user_fetch_redirect(ngx_proxy_user_fetch_t *fetch)
{
    char    *url, *from;
    size_t   len;

    url = NULL;
    from = (char *) fetch->request.url.data;

    (void) curl_easy_getinfo(fetch->easy, CURLINFO_REDIRECT_URL, &url);

    if (url == NULL) {
        ngx_proxy_user_fetch_finish(fetch, NULL);
        return;
    }

    len = ngx_proxy_user_fetch_origin(from);

    if (ngx_proxy_user_fetch_origin(url) != len
        || ngx_strncasecmp((u_char *) url, (u_char *) from, len) != 0)
    {
        ngx_proxy_user_fetch_finish(fetch, "it redirects to another origin");
        return;
    }

    if (fetch->redirects++ == NGX_PROXY_USER_FETCH_REDIRECTS) {
        ngx_proxy_user_fetch_finish(fetch, "it redirects too often");
        return;
    }

    fetch->fetched.body.len = 0;
    fetch->fetched.cache_control.len = 0;
    fetch->fetched.age.len = 0;

    if (!ngx_proxy_user_fetch_set(CURLOPT_URL, url)
        || ngx_proxy_user_curl_add(fetch->fetcher->curl, fetch->easy)
           != NGX_OK)
    {
        ngx_proxy_user_fetch_finish(fetch, "libcurl cannot be used");
        return;
    }

    fetch->added = 1;
}


/* The length of "scheme://host:port". */

static size_t
ngx_proxy_user_fetch_origin(const char *url)
{
    const char  *p;

    p = ngx_strstr(url, "://");

    return p ? (size_t) (p + 3 - url) + strcspn(p + 3, "/?#") : 0;
}


/* Never in libcurl's own words about this answer: they quote it. */

static const char *
ngx_proxy_user_fetch_why(ngx_proxy_user_fetch_t *fetch, CURLcode code)
{
    long  verified;

    if (fetch->fault) {
        return fetch->fault;
    }

    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        verified = X509_V_OK;

        (void) curl_easy_getinfo(fetch->easy, CURLINFO_SSL_VERIFYRESULT,
                                 &verified);

        /* the chain is good, or has not been found bad */

        return verified == X509_V_OK || verified == X509_V_ERR_UNSPECIFIED
               ? "its certificate has another name"
               : X509_verify_cert_error_string(verified);
    }

    return curl_easy_strerror(code);
}
