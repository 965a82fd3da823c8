
/*
 * Where another request would land; see the header.
 */

#include "ngx_proxy_user_place.h"


typedef struct {
    ngx_http_core_loc_conf_t  *found;
    ngx_uint_t                 exact;
} ngx_proxy_user_match_t;


static ngx_int_t ngx_proxy_user_place_server(ngx_http_request_t *r,
    ngx_str_t host, ngx_http_core_srv_conf_t **server);
static ngx_http_core_srv_conf_t *ngx_proxy_user_place_listed(ngx_str_t *name,
    in_port_t port, ngx_http_core_srv_conf_t **last);
static ngx_http_addr_conf_t *ngx_proxy_user_place_addr(ngx_listening_t *ls,
    ngx_uint_t n);
static ngx_http_core_srv_conf_t *ngx_proxy_user_place_named(
    const ngx_http_addr_conf_t *addr, ngx_str_t *name);
static ngx_uint_t ngx_proxy_user_place_is(const ngx_http_server_name_t *sn,
    const ngx_str_t *name);
static ngx_int_t ngx_proxy_user_place_path(ngx_http_request_t *r,
    ngx_http_core_srv_conf_t *server, ngx_str_t uri, ngx_str_t *path);
static ngx_http_core_loc_conf_t *ngx_proxy_user_place_inside(
    ngx_http_core_loc_conf_t *clcf, ngx_str_t *path, ngx_uint_t *final);
static void ngx_proxy_user_place_static(
    ngx_http_location_tree_node_t *node, const ngx_str_t *path,
    ngx_proxy_user_match_t *match);


ngx_int_t
ngx_proxy_user_place(ngx_http_request_t *r, ngx_str_t host, ngx_str_t uri,
    pu_str_t method, ngx_proxy_user_place_t *place)
{
    void                     **loc_conf;
    ngx_int_t                  rc;
    ngx_str_t                  path;
    ngx_uint_t                 final;
    ngx_http_core_loc_conf_t  *clcf, *found;

    rc = ngx_proxy_user_place_server(r, host, &place->server);

    if (rc == NGX_OK) {
        rc = ngx_proxy_user_place_path(r, place->server, uri, &path);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    clcf = place->server->ctx->loc_conf[ngx_http_core_module.ctx_index];
    loc_conf = place->server->ctx->loc_conf;

    final = 0;
    found = ngx_proxy_user_place_inside(clcf, &path, &final);

    if (found) {
        clcf = found;
        loc_conf = clcf->loc_conf;
    }

    if (clcf->limit_except_loc_conf
        && (clcf->limit_except & pu_method(method)))
    {
        loc_conf = clcf->limit_except_loc_conf;
    }

    place->location = clcf;
    place->conf = loc_conf[ngx_proxy_user_module.ctx_index];

    return NGX_OK;
}


/*
 * By name: first among the servers of the address that this request came in
 * by, then everywhere; else the default server, as for every request.
 */

static ngx_int_t
ngx_proxy_user_place_server(ngx_http_request_t *r, ngx_str_t host,
    ngx_http_core_srv_conf_t **server)
{
    u_char                *colon;
    in_port_t              port;
    ngx_int_t              n;
    ngx_str_t              name;
    ngx_http_addr_conf_t  *own;

    *server = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (host.len == 0) {
        return NGX_OK;
    }

    port = 0;
    colon = ngx_strlchr(host.data, host.data + host.len, ':');

    if (colon && host.data[0] != '[') {
        n = ngx_atoi(colon + 1, host.data + host.len - colon - 1);

        if (n < 1 || n > 65535) {
            return NGX_DECLINED;
        }

        port = (in_port_t) n;
        host.len = colon - host.data;
    }

    if (host.len && host.data[host.len - 1] == '.') {
        host.len--;
    }

    name.len = host.len;
    name.data = ngx_pnalloc(r->pool, host.len + 1);

    if (name.data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(name.data, host.data, host.len);

    own = r->http_connection->addr_conf;

    if (port == 0) {
        *server = ngx_proxy_user_place_named(own, &name);

        if (*server) {
            return NGX_OK;
        }
    }

    *server = port ? NULL : own->default_server;
    *server = ngx_proxy_user_place_listed(&name, port, server);

    return *server ? NGX_OK : NGX_DECLINED;
}


/* "last": who answers when nobody has the name. */

static ngx_http_core_srv_conf_t *
ngx_proxy_user_place_listed(ngx_str_t *name, in_port_t port,
    ngx_http_core_srv_conf_t **last)
{
    ngx_uint_t                 i, n;
    ngx_listening_t           *ls;
    ngx_http_port_t           *listed;
    ngx_http_addr_conf_t      *addr;
    ngx_http_core_srv_conf_t  *cscf;

    ls = ngx_cycle->listening.elts;

    for (i = 0; i < ngx_cycle->listening.nelts; i++) {

        if (ls[i].handler != ngx_http_init_connection
            || ls[i].servers == NULL
            || (port && ngx_inet_get_port(ls[i].sockaddr) != port))
        {
            continue;
        }

        listed = ls[i].servers;

        for (n = 0; n < listed->naddrs; n++) {
            addr = ngx_proxy_user_place_addr(&ls[i], n);
            cscf = ngx_proxy_user_place_named(addr, name);

            if (cscf) {
                return cscf;
            }

            if (*last == NULL) {
                *last = addr->default_server;
            }
        }
    }

    return *last;
}


static ngx_http_addr_conf_t *
ngx_proxy_user_place_addr(ngx_listening_t *ls, ngx_uint_t n)
{
    ngx_http_port_t  *port;

    port = ls->servers;

#if (NGX_HAVE_INET6)
    if (ls->sockaddr->sa_family == AF_INET6) {
        return &((ngx_http_in6_addr_t *) port->addrs)[n].conf;
    }
#endif

    return &((ngx_http_in_addr_t *) port->addrs)[n].conf;
}


/* The server with this name, or NULL; names are in lower case. */

static ngx_http_core_srv_conf_t *
ngx_proxy_user_place_named(const ngx_http_addr_conf_t *addr, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_server_name_t     *names;
    ngx_http_virtual_names_t   *virtual;
    ngx_http_core_srv_conf_t   *cscf;
    ngx_proxy_user_loc_conf_t  *conf;

    virtual = addr->virtual_names;

    /* one server alone has no table, and nginx has freed its list by now */

    if (virtual == NULL) {
        conf = addr->default_server->ctx->loc_conf[
                                            ngx_proxy_user_module.ctx_index];
        names = conf->names->elts;

        for (i = 0; i < conf->names->nelts; i++) {
            if (ngx_proxy_user_place_is(&names[i], name)) {
                return addr->default_server;
            }
        }

        return NULL;
    }

    cscf = ngx_hash_find_combined(&virtual->names,
                                  ngx_hash_key(name->data, name->len),
                                  name->data, name->len);

#if (NGX_PCRE)

    for (i = 0; cscf == NULL && i < virtual->nregex; i++) {
        if (ngx_regex_exec(virtual->regex[i].regex->regex, name, NULL, 0)
            >= 0)
        {
            cscf = virtual->regex[i].server;
        }
    }

#endif

    return cscf;
}


/* As nginx's table would have it: "a.b", "*.b", ".b", "a.*", "~regex". */

static ngx_uint_t
ngx_proxy_user_place_is(const ngx_http_server_name_t *sn,
    const ngx_str_t *name)
{
    ngx_str_t  s;

    s = sn->name;

#if (NGX_PCRE)

    if (sn->regex) {
        return ngx_regex_exec(sn->regex->regex, (ngx_str_t *) name, NULL, 0)
               >= 0;
    }

#endif

    if (s.len == name->len
        && ngx_strncasecmp(s.data, name->data, s.len) == 0)
    {
        return 1;
    }

    if (s.len > 2 && s.data[s.len - 1] == '*') {
        s.len--;
        return name->len > s.len
               && ngx_strncasecmp(s.data, name->data, s.len) == 0;
    }

    if (s.len < 2 || (s.data[0] != '.' && s.data[0] != '*')) {
        return 0;
    }

    if (s.data[0] == '*') {
        s.len--;
        s.data++;

    } else if (name->len == s.len - 1) {
        return ngx_strncasecmp(s.data + 1, name->data, name->len) == 0;
    }

    return name->len > s.len
           && ngx_strncasecmp(s.data, name->data + name->len - s.len, s.len)
              == 0;
}


/* The path that locations are compared with, by nginx's own parsers. */

static ngx_int_t
ngx_proxy_user_place_path(ngx_http_request_t *r,
    ngx_http_core_srv_conf_t *server, ngx_str_t uri, ngx_str_t *path)
{
    u_char              *p;
    ngx_http_request_t  *other;

    other = ngx_pcalloc(r->pool, sizeof(ngx_http_request_t));
    p = ngx_pnalloc(r->pool, uri.len + 2);

    if (other == NULL || p == NULL) {
        return NGX_ERROR;
    }

    /* they read the byte that follows */

    ngx_memcpy(p, uri.data, uri.len);
    p[uri.len] = ' ';
    p[uri.len + 1] = '\0';

    other->pool = r->pool;
    other->connection = r->connection;
    other->uri_start = p;
    other->uri_end = p + uri.len;

    if (uri.len == 0 || ngx_http_parse_uri(other) != NGX_OK) {
        return NGX_DECLINED;
    }

    other->uri.len = (other->args_start ? other->args_start - 1
                                        : other->uri_end)
                     - other->uri_start;
    other->uri.data = other->uri_start;

    if (other->complex_uri || other->quoted_uri) {
        other->uri.data = ngx_pnalloc(r->pool, uri.len + 1);

        if (other->uri.data == NULL) {
            return NGX_ERROR;
        }

        if (ngx_http_parse_complex_uri(other, server->merge_slashes)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    *path = other->uri;

    return NGX_OK;
}


/*
 * The longest prefix first, then what is nested in it; then, unless that is
 * final or the prefix forbids it, the regular expressions beside it in their
 * order.  NULL: none.
 */

static ngx_http_core_loc_conf_t *
ngx_proxy_user_place_inside(ngx_http_core_loc_conf_t *clcf, ngx_str_t *path,
    ngx_uint_t *final)
{
    ngx_proxy_user_match_t      match;
    ngx_http_core_loc_conf_t   *nested;
#if (NGX_PCRE)
    ngx_http_core_loc_conf_t  **regex;
#endif

    ngx_memzero(&match, sizeof(ngx_proxy_user_match_t));
    ngx_proxy_user_place_static(clcf->static_locations, path, &match);

    if (match.exact) {
        *final = 1;
        return match.found;
    }

    nested = NULL;

    if (match.found) {
        nested = ngx_proxy_user_place_inside(match.found, path, final);

        if (*final) {
            return nested;
        }
    }

#if (NGX_PCRE)

    regex = (match.found && match.found->noregex) ? NULL
                                                  : clcf->regex_locations;

    for ( /* void */ ; regex && *regex; regex++) {
        if (ngx_regex_exec((*regex)->regex->regex, path, NULL, 0) >= 0) {
            nested = ngx_proxy_user_place_inside(*regex, path, final);
            *final = 1;
            return nested ? nested : *regex;
        }
    }

#endif

    return nested ? nested : match.found;
}


/* A node has what is left of its name behind that of the tree it is in. */

static void
ngx_proxy_user_place_static(ngx_http_location_tree_node_t *node,
    const ngx_str_t *path, ngx_proxy_user_match_t *match)
{
    u_char     *p;
    size_t      len;
    ngx_int_t   cmp;

    p = path->data;
    len = path->len;

    while (node) {
        cmp = ngx_filename_cmp(p, node->name, ngx_min(len, node->len));

        if (cmp == 0 && len < node->len) {
            cmp = -1;
        }

        if (cmp == 0 && len == node->len) {
            match->exact = (node->exact != NULL);
            match->found = node->exact ? node->exact : node->inclusive;
            return;
        }

        if (cmp == 0 && node->inclusive) {
            match->found = node->inclusive;
            p += node->len;
            len -= node->len;
            node = node->tree;
            continue;
        }

        node = (cmp < 0) ? node->left : node->right;
    }
}
