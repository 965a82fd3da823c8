
/*
 * The line "proxy_user_redis url [name=value ...];" -> addresses, secrets and
 * times.  Runs while a configuration is read; opens no connection.
 */

#include "ngx_proxy_user_redis.h"


#define NGX_PROXY_USER_SECRET_MAX  1024


typedef struct {
    ngx_str_t    name;
    ngx_int_t  (*set)(ngx_conf_t *cf, ngx_str_t *value, void *field);
    size_t       offset;
} ngx_proxy_user_redis_param_t;


typedef struct {
    ngx_proxy_user_redis_conf_t  *conf;
    ngx_str_t                     password_file;
    ngx_str_t                     ca_file;
    ngx_str_t                     cert_file;
    ngx_str_t                     key_file;
    ngx_str_t                     server_name;
    ngx_str_t                     prefix;
    ngx_msec_t                    connect_timeout;
    ngx_msec_t                    timeout;
    ngx_msec_t                    stale;
} ngx_proxy_user_redis_line_t;


static ngx_int_t ngx_proxy_user_redis_str(ngx_conf_t *cf, ngx_str_t *value,
    void *field);
static ngx_int_t ngx_proxy_user_redis_time(ngx_conf_t *cf, ngx_str_t *value,
    void *field);
static ngx_int_t ngx_proxy_user_redis_param(ngx_conf_t *cf,
    ngx_proxy_user_redis_line_t *line, ngx_str_t *word);
static ngx_int_t ngx_proxy_user_redis_url(ngx_conf_t *cf,
    ngx_proxy_user_redis_line_t *line, ngx_str_t *url, ngx_uint_t *tls);
static ngx_int_t ngx_proxy_user_redis_inet(ngx_conf_t *cf,
    ngx_proxy_user_redis_line_t *line, ngx_str_t *url, ngx_str_t rest);
static ngx_int_t ngx_proxy_user_redis_unix(ngx_conf_t *cf,
    ngx_proxy_user_redis_conf_t *conf, ngx_str_t *url);
static ngx_int_t ngx_proxy_user_redis_db(ngx_conf_t *cf,
    ngx_proxy_user_redis_conf_t *conf, ngx_str_t *url, ngx_str_t db);
static ngx_int_t ngx_proxy_user_redis_password(ngx_conf_t *cf,
    ngx_proxy_user_redis_line_t *line);
static void ngx_proxy_user_redis_cleanse(void *data);
static ngx_int_t ngx_proxy_user_redis_tls(ngx_conf_t *cf,
    ngx_proxy_user_redis_line_t *line);


#define NGX_PROXY_USER_PARAM(name, setter)                                    \
    { ngx_string(#name "="), setter,                                          \
      offsetof(ngx_proxy_user_redis_line_t, name) }

static const ngx_proxy_user_redis_param_t  ngx_proxy_user_redis_params[] = {
    NGX_PROXY_USER_PARAM(password_file, ngx_proxy_user_redis_str),
    NGX_PROXY_USER_PARAM(ca_file, ngx_proxy_user_redis_str),
    NGX_PROXY_USER_PARAM(cert_file, ngx_proxy_user_redis_str),
    NGX_PROXY_USER_PARAM(key_file, ngx_proxy_user_redis_str),
    NGX_PROXY_USER_PARAM(server_name, ngx_proxy_user_redis_str),
    NGX_PROXY_USER_PARAM(prefix, ngx_proxy_user_redis_str),
    NGX_PROXY_USER_PARAM(connect_timeout, ngx_proxy_user_redis_time),
    NGX_PROXY_USER_PARAM(timeout, ngx_proxy_user_redis_time),
    NGX_PROXY_USER_PARAM(stale, ngx_proxy_user_redis_time),
    { ngx_null_string, NULL, 0 }
};


char *
ngx_proxy_user_redis_parse(ngx_conf_t *cf,
    ngx_proxy_user_redis_conf_t **conf)
{
    ngx_str_t                    *words;
    ngx_uint_t                    i, tls;
    ngx_proxy_user_redis_line_t   line;

    words = cf->args->elts;

    ngx_memzero(&line, sizeof(ngx_proxy_user_redis_line_t));
    line.connect_timeout = NGX_CONF_UNSET_MSEC;
    line.timeout = NGX_CONF_UNSET_MSEC;
    line.stale = NGX_CONF_UNSET_MSEC;

    line.conf = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_redis_conf_t));
    if (line.conf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_proxy_user_redis_url(cf, &line, &words[1], &tls) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_proxy_user_redis_param(cf, &line, &words[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_conf_init_msec_value(line.connect_timeout, 1000);
    ngx_conf_init_msec_value(line.timeout, 100);
    ngx_conf_init_msec_value(line.stale, 30000);

    line.conf->connect_timeout = line.connect_timeout;
    line.conf->timeout = line.timeout;
    line.conf->stale = line.stale;

    if (line.prefix.data == NULL) {
        ngx_str_set(&line.prefix, "pu");
    }

    if (!pu_prefix_ok(ngx_proxy_user_str(&line.prefix))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" has the prefix \"%V\", "
                           "allowed are 1 to 64 of A-Za-z0-9_.:-",
                           &line.prefix);
        return NGX_CONF_ERROR;
    }

    line.conf->prefix = line.prefix;

    if (line.password_file.len
        && ngx_proxy_user_redis_password(cf, &line) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (line.conf->user.len && line.conf->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" names the user \"%V\" and "
                           "needs \"password_file=\"", &line.conf->user);
        return NGX_CONF_ERROR;
    }

    if (tls) {

        if (ngx_proxy_user_redis_tls(cf, &line) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

    } else if (line.ca_file.len || line.cert_file.len || line.key_file.len
               || line.server_name.len)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" has \"ca_file=\", "
                           "\"cert_file=\", \"key_file=\" and "
                           "\"server_name=\" only with \"rediss://\"");
        return NGX_CONF_ERROR;
    }

    *conf = line.conf;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_proxy_user_redis_param(ngx_conf_t *cf, ngx_proxy_user_redis_line_t *line,
    ngx_str_t *word)
{
    ngx_str_t                            value;
    const ngx_proxy_user_redis_param_t  *param;

    for (param = ngx_proxy_user_redis_params; param->name.len; param++) {

        if (word->len > param->name.len
            && ngx_strncmp(word->data, param->name.data, param->name.len)
               == 0)
        {
            value.data = word->data + param->name.len;
            value.len = word->len - param->name.len;

            if (param->set(cf, &value, (char *) line + param->offset)
                == NGX_OK)
            {
                return NGX_OK;
            }

            break;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"proxy_user_redis\" has the parameter \"%V\", "
                       "allowed are password_file= ca_file= cert_file= "
                       "key_file= server_name= prefix= connect_timeout= "
                       "timeout= stale=, each once, times above 0", word);
    return NGX_ERROR;
}


static ngx_int_t
ngx_proxy_user_redis_str(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_str_t  *str = field;

    if (str->data) {
        return NGX_ERROR;
    }

    *str = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_redis_time(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_int_t    ms;
    ngx_msec_t  *msec = field;

    ms = ngx_parse_time(value, 0);

    if (*msec != NGX_CONF_UNSET_MSEC || ms == NGX_ERROR || ms == 0
        || ms > NGX_MAX_INT32_VALUE)
    {
        return NGX_ERROR;
    }

    *msec = ms;

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_redis_url(ngx_conf_t *cf, ngx_proxy_user_redis_line_t *line,
    ngx_str_t *url, ngx_uint_t *tls)
{
    size_t     skip;
    ngx_str_t  rest;

    *tls = 0;

    line->conf->url = *url;

    if (ngx_strncmp(url->data, "unix:/", 6) == 0) {
        return ngx_proxy_user_redis_unix(cf, line->conf, url);
    }

    if (ngx_strncmp(url->data, "redis://", 8) == 0) {
        skip = 8;

    } else if (ngx_strncmp(url->data, "rediss://", 9) == 0) {
        skip = 9;
        *tls = 1;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" has the url \"%V\", allowed "
                           "are redis://[user@]host[:port][/db], "
                           "rediss://... and unix:/path[:db]", url);
        return NGX_ERROR;
    }

    rest.data = url->data + skip;
    rest.len = url->len - skip;

    return ngx_proxy_user_redis_inet(cf, line, url, rest);
}


static ngx_int_t
ngx_proxy_user_redis_inet(ngx_conf_t *cf, ngx_proxy_user_redis_line_t *line,
    ngx_str_t *url, ngx_str_t rest)
{
    u_char                       *p, *last;
    ngx_url_t                     u;
    ngx_str_t                     db;
    ngx_proxy_user_redis_conf_t  *conf;

    conf = line->conf;
    last = rest.data + rest.len;

    ngx_str_null(&db);

    p = ngx_strlchr(rest.data, last, '/');
    if (p) {
        db.data = p + 1;
        db.len = last - db.data;
        rest.len = p - rest.data;
    }

    p = ngx_strlchr(rest.data, rest.data + rest.len, '@');
    if (p) {
        conf->user.data = rest.data;
        conf->user.len = p - rest.data;
        rest.len -= p + 1 - rest.data;
        rest.data = p + 1;

        if (ngx_strlchr(conf->user.data, p, ':') || conf->user.len == 0) {
            conf->url.len = 0;
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_redis\" has a password or an "
                               "empty user in its url: write the user alone "
                               "and \"password_file=\"");
            return NGX_ERROR;
        }
    }

    if (db.len && ngx_proxy_user_redis_db(cf, conf, url, db) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = rest;
    u.default_port = 6379;

    if (rest.len == 0 || ngx_strncmp(rest.data, "unix:", 5) == 0
        || ngx_parse_url(cf->pool, &u) != NGX_OK || u.uri.len)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" has the url \"%V\" whose "
                           "host cannot be used%s%s", url,
                           u.err ? ": " : "", u.err ? u.err : "");
        return NGX_ERROR;
    }

    conf->addrs = u.addrs;
    conf->naddrs = u.naddrs;
    conf->server_name = u.host;

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_redis_unix(ngx_conf_t *cf, ngx_proxy_user_redis_conf_t *conf,
    ngx_str_t *url)
{
    u_char     *p, *last;
    ngx_str_t   db;
    ngx_url_t   u;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = *url;

    last = url->data + url->len;

    p = ngx_strlchr(url->data + 5, last, ':');
    if (p) {
        db.data = p + 1;
        db.len = last - db.data;
        u.url.len = p - url->data;

        if (ngx_proxy_user_redis_db(cf, conf, url, db) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* ngx_parse_url reads a unix path to the NUL */

    u.url.data = ngx_pnalloc(cf->pool, u.url.len + 1);
    if (u.url.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(u.url.data, url->data, u.url.len + 1);

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" has the url \"%V\" whose "
                           "path cannot be used: %s", url,
                           u.err ? u.err : "no memory");
        return NGX_ERROR;
    }

    conf->addrs = u.addrs;
    conf->naddrs = u.naddrs;

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_redis_db(ngx_conf_t *cf, ngx_proxy_user_redis_conf_t *conf,
    ngx_str_t *url, ngx_str_t db)
{
    ngx_int_t  n;

    n = ngx_atoi(db.data, db.len);

    if (n == NGX_ERROR || n > 65535) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" has the database \"%V\" in "
                           "\"%V\", allowed is a number", &db, url);
        return NGX_ERROR;
    }

    conf->db = db;

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_redis_password(ngx_conf_t *cf,
    ngx_proxy_user_redis_line_t *line)
{
    char                 err[PU_ERROR_SIZE];
    size_t               len;
    u_char              *secret;
    ngx_pool_cleanup_t  *cln;

    if (ngx_conf_full_name(cf->cycle, &line->password_file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    secret = pu_file_read((char *) line->password_file.data,
                          NGX_PROXY_USER_SECRET_MAX, &len, err);
    if (secret == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" cannot use its "
                           "\"password_file\": %s", err);
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_free(secret);
        return NGX_ERROR;
    }

    line->conf->password.data = secret;
    line->conf->password.len = len;

    cln->handler = ngx_proxy_user_redis_cleanse;
    cln->data = &line->conf->password;

    while (len && (secret[len - 1] == LF || secret[len - 1] == CR)) {
        len--;
    }

    line->conf->password.len = len;

    if (len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" has an empty "
                           "\"password_file\" \"%V\"", &line->password_file);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_proxy_user_redis_cleanse(void *data)
{
    ngx_str_t  *password = data;

    OPENSSL_cleanse(password->data, password->len);
    ngx_free(password->data);
}


static ngx_int_t
ngx_proxy_user_redis_tls(ngx_conf_t *cf, ngx_proxy_user_redis_line_t *line)
{
    u_char               addr[16];
    ngx_str_t            name;
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    if ((line->cert_file.len == 0) != (line->key_file.len == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" needs \"cert_file=\" and "
                           "\"key_file=\" together");
        return NGX_ERROR;
    }

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (line->ca_file.len) {

        if (ngx_ssl_trusted_certificate(cf, ssl, &line->ca_file, 4)
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_redis\" cannot use "
                               "\"ca_file=%V\", allowed is a file of "
                               "certificates in PEM", &line->ca_file);
            return NGX_ERROR;
        }

    } else if (SSL_CTX_set_default_verify_paths(ssl->ctx) != 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" cannot read the system's "
                           "certificates: write \"ca_file=\"");
        return NGX_ERROR;
    }

    if (line->cert_file.len
        && ngx_ssl_certificate(cf, ssl, &line->cert_file, &line->key_file,
                               NULL)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_redis\" cannot use "
                           "\"cert_file=%V\" with \"key_file=%V\", allowed "
                           "are a certificate and its private key in PEM",
                           &line->cert_file, &line->key_file);
        return NGX_ERROR;
    }

    name = line->server_name.len ? line->server_name
                                 : line->conf->server_name;

    if (name.len > 2 && name.data[0] == '[') {
        name.data++;
        name.len -= 2;
    }

    line->conf->server_is_address =
                       ngx_inet_addr(name.data, name.len) != INADDR_NONE
                       || ngx_inet6_addr(name.data, name.len, addr) == NGX_OK;

    /* OpenSSL wants it with a NUL */

    line->conf->server_name.len = name.len;
    line->conf->server_name.data = ngx_pnalloc(cf->pool, name.len + 1);
    if (line->conf->server_name.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(line->conf->server_name.data, name.data,
                       name.len + 1);
    line->conf->ssl = ssl;

    return NGX_OK;
}
