
/*
 * What a token is bound to; see the header.
 *
 * The url of a proof is compared with what the client asked for, as nginx
 * knows it: the scheme of this connection, a host that is this server's own,
 * the path before any rewrite.  The Host header alone proves nothing: who was
 * sent a token by mistake could send it on with the proof that came with it.
 */

#include "ngx_proxy_user_binding.h"
#include "ngx_proxy_user_credential.h"
#include "ngx_proxy_user_zone.h"
#include "pu_binding.h"
#include "pu_dpop.h"


static pu_reason_t ngx_proxy_user_bind_cert(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static pu_reason_t ngx_proxy_user_bind_key(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static ngx_uint_t ngx_proxy_user_bind_named(ngx_http_request_t *r,
    const ngx_proxy_user_loc_conf_t *conf, ngx_str_t *host);
static ngx_uint_t ngx_proxy_user_bind_name(const ngx_str_t *name,
    const ngx_str_t *host);
static ngx_uint_t ngx_proxy_user_bind_local(ngx_http_request_t *r,
    ngx_str_t *host);
static in_port_t ngx_proxy_user_bind_port(ngx_http_request_t *r,
    const pu_dpop_request_t *request);
static void ngx_proxy_user_bind_leave(ngx_proxy_user_identity_t *id);


static const ngx_str_t  ngx_proxy_user_dpop = ngx_string("DPoP");


pu_reason_t
ngx_proxy_user_bind(ngx_http_request_t *r, ngx_proxy_user_identity_t *id)
{
    pu_reason_t  reason;

    id->challenged = id->dpop || id->verified.bound_key
                     ? NGX_PROXY_USER_DPOP_TOKEN : NGX_PROXY_USER_BEARER_TOKEN;

    /* RFC 9449 section 7.1: that scheme is for tokens bound to a key */

    if (id->dpop && !id->verified.bound_key) {
        return PU_TOKEN_BINDING;
    }

    if (id->verified.bound_cert) {
        reason = ngx_proxy_user_bind_cert(r, id);

        if (reason != PU_OK) {
            return reason;
        }
    }

    /* one proof for one request, whatever locations it comes through */

    if (id->verified.bound_key && !id->bound) {
        return ngx_proxy_user_bind_key(r, id);
    }

    return PU_OK;
}


/* The connection's own; a header may be anybody's. */

static pu_reason_t
ngx_proxy_user_bind_cert(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
#if (NGX_HTTP_SSL)
    int           len;
    X509         *cert;
    u_char       *der;
    pu_reason_t   reason;

    if (r->connection->ssl == NULL) {
        return PU_TOKEN_BINDING;
    }

    cert = SSL_get_peer_certificate(r->connection->ssl->connection);

    if (cert == NULL) {
        return PU_TOKEN_BINDING;
    }

    der = NULL;
    len = i2d_X509(cert, &der);

    reason = (len > 0) ? pu_binding_cert(&id->verified,
                                         (pu_str_t) { len, der })
                       : PU_INTERNAL;

    OPENSSL_free(der);
    X509_free(cert);

    return reason;
#else
    return PU_TOKEN_BINDING;
#endif
}


static pu_reason_t
ngx_proxy_user_bind_key(ngx_http_request_t *r, ngx_proxy_user_identity_t *id)
{
    u_char             digest[PU_SHA256_LEN];
    pu_str_t           text;
    ngx_str_t          proof;
    ngx_uint_t         n;
    pu_dpop_request_t  request;

    /* RFC 9449 section 7.2: not by another scheme */

    if (id->source.place == NGX_PROXY_USER_BEARER && !id->dpop) {
        return PU_TOKEN_BINDING;
    }

    ngx_str_null(&proof);
    n = ngx_proxy_user_header(r, &ngx_proxy_user_dpop, &proof);

    if (n > 1) {
        return PU_CREDENTIAL_AMBIGUOUS;
    }

    id->challenged = NGX_PROXY_USER_DPOP_PROOF;

    if (n == 0
        || !ngx_proxy_user_bind_host(r, id->last.conf, &id->host, &request))
    {
        return PU_TOKEN_BINDING;
    }

    text = ngx_proxy_user_str(&id->token);

    if (!pu_sha256(digest, &text, 1)) {
        return PU_INTERNAL;
    }

    request.method = ngx_proxy_user_str(&id->method);
    request.path = ngx_proxy_user_str(&id->uri);
    request.token = digest;
    request.jkt = id->verified.jkt;
    request.now = ngx_time();

    switch (pu_dpop_check(ngx_proxy_user_str(&proof), &request, id->proof_id,
                          &id->proof_made))
    {
    case PU_DPOP_OK:
        id->ask_proof = 1;
        return PU_OK;

    case PU_DPOP_OTHER_KEY:
        id->challenged = NGX_PROXY_USER_DPOP_TOKEN;
        return PU_TOKEN_BINDING;

    case PU_DPOP_INVALID:
        return PU_TOKEN_BINDING;

    default:
        return PU_INTERNAL;
    }
}


ngx_uint_t
ngx_proxy_user_bind_host(ngx_http_request_t *r,
    const ngx_proxy_user_loc_conf_t *conf, ngx_str_t *host,
    pu_dpop_request_t *request)
{
    ngx_log_t  log;

    request->scheme = PU_STR("http");

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        request->scheme = PU_STR("https");
    }
#endif

    request->host = ngx_proxy_user_str(host);
    request->port = ngx_proxy_user_bind_port(r, request);
    request->local = 0;

    if (ngx_connection_local_sockaddr(r->connection, NULL, 0) == NGX_OK) {
        request->local = ngx_inet_get_port(r->connection->local_sockaddr);
    }

    if (ngx_proxy_user_bind_named(r, conf, host)
        || ngx_proxy_user_bind_local(r, host))
    {
        return 1;
    }

    log = ngx_proxy_user_identity_log(r);

    ngx_log_error(NGX_LOG_INFO, &log, 0,
                  "proxy_user: neither a DPoP proof nor a global revocation "
                  "counts for a host that is not in server_name, "
                  "client: %V", &r->connection->addr_text);

    return 0;
}


/* A server is also chosen when no other has the name: that does not count. */

static ngx_uint_t
ngx_proxy_user_bind_named(ngx_http_request_t *r,
    const ngx_proxy_user_loc_conf_t *conf, ngx_str_t *host)
{
    ngx_uint_t               i;
    ngx_http_server_name_t  *name;

    name = conf->names->elts;

    for (i = 0; host->len && i < conf->names->nelts; i++) {

#if (NGX_PCRE)
        if (name[i].regex) {

            if (ngx_http_regex_exec(r, name[i].regex, host) == NGX_OK) {
                return 1;
            }

            continue;
        }
#endif

        if (ngx_proxy_user_bind_name(&name[i].name, host)) {
            return 1;
        }
    }

    return 0;
}


/* "name", ".name" (it, and what is below), "*.name", "name.*" */

static ngx_uint_t
ngx_proxy_user_bind_name(const ngx_str_t *name, const ngx_str_t *host)
{
    size_t      len;
    u_char     *tail;
    ngx_str_t   part;

    part = *name;

    if (part.len > 2 && part.data[part.len - 1] == '*') {
        return host->len > part.len - 1
               && ngx_strncasecmp(host->data, part.data, part.len - 1) == 0;
    }

    if (part.len > 1 && part.data[0] == '*') {
        part.data++;
        part.len--;

    } else if (part.len > 1 && part.data[0] == '.') {
        len = part.len - 1;

        if (host->len == len
            && ngx_strncasecmp(host->data, part.data + 1, len) == 0)
        {
            return 1;
        }

    } else {
        return host->len == part.len
               && ngx_strncasecmp(host->data, part.data, part.len) == 0;
    }

    tail = host->data + host->len - part.len;

    return host->len > part.len
           && ngx_strncasecmp(tail, part.data, part.len) == 0;
}


/* The address the client has connected to, and this machine's name for it. */

static ngx_uint_t
ngx_proxy_user_bind_local(ngx_http_request_t *r, ngx_str_t *host)
{
    u_char     text[NGX_SOCKADDR_STRLEN + 2];
    ngx_str_t  address;

    if (ngx_connection_local_sockaddr(r->connection, NULL, 0) != NGX_OK) {
        return 0;
    }

    address.data = text + 1;
    address.len = ngx_sock_ntop(r->connection->local_sockaddr,
                                r->connection->local_socklen, text + 1,
                                NGX_SOCKADDR_STRLEN, 0);

#if (NGX_HAVE_INET6)
    if (r->connection->local_sockaddr->sa_family == AF_INET6) {
        text[0] = '[';
        text[address.len + 1] = ']';
        address.data = text;
        address.len += 2;
    }
#endif

    if (address.len == host->len
        && ngx_strncasecmp(address.data, host->data, host->len) == 0)
    {
        return 1;
    }

    return host->len == sizeof("localhost") - 1
           && ngx_strncasecmp(host->data, (u_char *) "localhost", host->len)
              == 0
           && ((address.len > 4
                && ngx_strncmp(address.data, "127.", 4) == 0)
               || (address.len == 5
                   && ngx_strncmp(address.data, "[::1]", 5) == 0));
}


/*
 * The port the client has named: what is in front of nginx may have another
 * than nginx.  Where none is named it is the scheme's.
 */

static in_port_t
ngx_proxy_user_bind_port(ngx_http_request_t *r,
    const pu_dpop_request_t *request)
{
    u_char     *p, *last;
    ngx_int_t   port;
    ngx_str_t   host;

    port = pu_str_is(request->scheme, "https") ? 443 : 80;

    if (r->headers_in.host == NULL) {
        return port;
    }

    host = r->headers_in.host->value;
    last = host.data + host.len;

    for (p = last; p > host.data && p[-1] >= '0' && p[-1] <= '9'; p--) {
        /* void */
    }

    if (p == last || p == host.data || p[-1] != ':') {
        return port;
    }

    port = ngx_atoi(p, last - p);

    return (port < 1 || port > 65535) ? 0 : port;
}


/* Has the proof been seen before?  No answer is no proof (fail closed). */

pu_reason_t
ngx_proxy_user_bind_once(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    id->answer = NGX_PROXY_USER_ANSWER_UNKNOWN;

    if (mcf->store && mcf->redis) {
        id->question = ngx_proxy_user_ask(mcf->store,
                                          NGX_PROXY_USER_ASK_ONCE,
                                          id->proof_id,
                                          ngx_proxy_user_identity_told, id);
        if (id->question) {
            id->leave = ngx_proxy_user_bind_leave;
            return PU_OK;
        }

    } else if (mcf->store) {

        switch (ngx_proxy_user_zone_once(mcf->zone, id->proof_id, ngx_time(),
                                         id->proof_made))
        {
        case NGX_OK:
            id->answer = NGX_PROXY_USER_ANSWER_NO;
            break;

        case NGX_DECLINED:
            id->answer = NGX_PROXY_USER_ANSWER_YES;
            break;
        }
    }

    return ngx_proxy_user_bind_answered(id);
}


pu_reason_t
ngx_proxy_user_bind_answered(ngx_proxy_user_identity_t *id)
{
    id->ask_proof = 0;

    switch (id->answer) {

    case NGX_PROXY_USER_ANSWER_NO:
        id->bound = 1;
        return PU_OK;

    case NGX_PROXY_USER_ANSWER_YES:
        id->challenged = NGX_PROXY_USER_DPOP_PROOF;
        return PU_TOKEN_BINDING;

    default:
        return PU_STORE_UNAVAILABLE;
    }
}


static void
ngx_proxy_user_bind_leave(ngx_proxy_user_identity_t *id)
{
    ngx_proxy_user_ask_drop(id->question);
    id->question = NULL;
}
