
/*
 * proxy_user_scim and proxy_user_scim_role: the directives and the file with
 * the directories' tokens.  In the master, while a configuration is read.
 */

#include "ngx_proxy_user_body.h"
#include "ngx_proxy_user_conf.h"
#include "ngx_proxy_user_scim.h"


#define NGX_PROXY_USER_SCIM_FILE_MAX  (256 * 1024)
#define NGX_PROXY_USER_SCIM_NAME_MAX  64
#define NGX_PROXY_USER_SCIM_HEX_LEN   (2 * PU_SHA256_LEN)


static ngx_proxy_user_scim_t *ngx_proxy_user_scim_get(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf);
static char *ngx_proxy_user_scim_tokens(ngx_conf_t *cf,
    ngx_proxy_user_scim_t *scim, ngx_str_t *path);
static char *ngx_proxy_user_scim_lines(ngx_conf_t *cf,
    ngx_proxy_user_scim_t *scim, const ngx_str_t *path, ngx_str_t text);
static ngx_int_t ngx_proxy_user_scim_line(ngx_conf_t *cf,
    ngx_proxy_user_scim_t *scim, ngx_str_t line);


char *
ngx_proxy_user_scim_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                       *rv;
    ngx_str_t                  *value, path;
    ngx_proxy_user_scim_t      *scim;
    ngx_http_core_loc_conf_t   *clcf;

    scim = ngx_proxy_user_scim_get(cf, conf);
    if (scim == NULL) {
        return NGX_CONF_ERROR;
    }

    if (scim->enabled) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strncmp(value[1].data, "token_file=", 11) != 0
        || value[1].len == 11)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_scim\" has \"%V\", allowed is "
                           "\"token_file=path\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->named || clcf->exact_match
#if (NGX_PCRE)
        || clcf->regex
#endif
        || clcf->name.len == 0 || clcf->name.data[0] != '/')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_scim\" needs a location that is a "
                           "prefix, as in \"location /scim/v2/\"");
        return NGX_CONF_ERROR;
    }

    path.len = value[1].len - 11;
    path.data = value[1].data + 11;

    rv = ngx_proxy_user_scim_tokens(cf, scim, &path);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    scim->enabled = 1;
    scim->prefix = clcf->name;

    while (scim->prefix.len && scim->prefix.data[scim->prefix.len - 1] == '/')
    {
        scim->prefix.len--;
    }

    return ngx_proxy_user_answers(cf, conf, ngx_proxy_user_scim_handler);
}


static ngx_proxy_user_scim_t *
ngx_proxy_user_scim_get(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf)
{
    if (conf->scim == NULL) {
        conf->scim = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_scim_t));
    }

    return conf->scim;
}


static char *
ngx_proxy_user_scim_tokens(ngx_conf_t *cf, ngx_proxy_user_scim_t *scim,
    ngx_str_t *path)
{
    char       err[PU_ERROR_SIZE], *rv;
    size_t     len;
    uint8_t   *data;
    ngx_str_t  text;

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    data = pu_file_read((char *) path->data, NGX_PROXY_USER_SCIM_FILE_MAX,
                        &len, err);

    if (data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_scim\" token_file: %s", err);
        return NGX_CONF_ERROR;
    }

    text.len = len;
    text.data = data;

    rv = ngx_proxy_user_scim_lines(cf, scim, path, text);
    free(data);

    return rv;
}


static char *
ngx_proxy_user_scim_lines(ngx_conf_t *cf, ngx_proxy_user_scim_t *scim,
    const ngx_str_t *path, ngx_str_t text)
{
    size_t      i, start;
    ngx_int_t   rc;
    ngx_str_t   line;
    ngx_uint_t  n;

    scim->tokens = ngx_array_create(cf->pool, 2,
                                    sizeof(ngx_proxy_user_scim_token_t));
    if (scim->tokens == NULL) {
        return NGX_CONF_ERROR;
    }

    start = 0;
    n = 0;

    for (i = 0; i <= text.len; i++) {

        if (i < text.len && text.data[i] != LF) {
            continue;
        }

        line.len = i - start;
        line.data = text.data + start;
        start = i + 1;
        n++;

        if (line.len && line.data[line.len - 1] == CR) {
            line.len--;
        }

        rc = ngx_proxy_user_scim_line(cf, scim, line);

        if (rc == NGX_DECLINED) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "line %ui of \"%V\" is no line of a "
                               "token_file: allowed is \"name:sha256hex\", "
                               "the name being 1 to 64 of A-Za-z0-9_.@- and "
                               "no token being there twice", n, path);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (scim->tokens->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has no token: a token_file has lines "
                           "\"name:sha256hex\"", path);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* Empty lines and lines that begin with "#" are passed over. */

static ngx_int_t
ngx_proxy_user_scim_line(ngx_conf_t *cf, ngx_proxy_user_scim_t *scim,
    ngx_str_t line)
{
    u_char                        c, digest[PU_SHA256_LEN];
    size_t                        i, len;
    ngx_int_t                     n;
    ngx_proxy_user_scim_token_t  *token;

    if (line.len == 0 || line.data[0] == '#') {
        return NGX_OK;
    }

    for (len = 0; len < line.len && line.data[len] != ':'; len++) {
        c = line.data[len];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '@'
              || c == '-'))
        {
            return NGX_DECLINED;
        }
    }

    if (len == 0 || len > NGX_PROXY_USER_SCIM_NAME_MAX
        || line.len != len + 1 + NGX_PROXY_USER_SCIM_HEX_LEN)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < PU_SHA256_LEN; i++) {
        n = ngx_hextoi(line.data + len + 1 + 2 * i, 2);

        if (n == NGX_ERROR) {
            return NGX_DECLINED;
        }

        digest[i] = n;
    }

    token = scim->tokens->elts;

    for (i = 0; i < scim->tokens->nelts; i++) {
        if (ngx_memcmp(token[i].digest, digest, PU_SHA256_LEN) == 0) {
            return NGX_DECLINED;
        }
    }

    token = ngx_array_push(scim->tokens);
    if (token == NULL) {
        return NGX_ERROR;
    }

    line.len = len;
    token->name.len = len;
    token->name.data = ngx_pstrdup(cf->pool, &line);
    ngx_memcpy(token->digest, digest, PU_SHA256_LEN);

    return token->name.data ? NGX_OK : NGX_ERROR;
}


char *
ngx_proxy_user_scim_role_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    u_char                 *p;
    size_t                  len;
    ngx_str_t              *value;
    ngx_uint_t              i;
    pu_scim_role_t         *role;
    ngx_proxy_user_scim_t  *scim;

    scim = ngx_proxy_user_scim_get(cf, conf);
    if (scim == NULL) {
        return NGX_CONF_ERROR;
    }

    if (scim->roles == NULL) {
        scim->roles = ngx_array_create(cf->pool, 4, sizeof(pu_scim_role_t));
        if (scim->roles == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;
    len = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (!pu_role_name(ngx_proxy_user_str(&value[i]))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_scim_role\" has the role \"%V\", "
                               "allowed are 1 to 64 of A-Za-z0-9_.:/- with at "
                               "least one lower-case letter or digit",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        len += value[i].len + 1;
    }

    role = scim->roles->elts;

    for (i = 0; i < scim->roles->nelts; i++) {
        if (pu_str_eq(role[i].group, ngx_proxy_user_str(&value[1]))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_scim_role\" has the group \"%V\" "
                               "twice: allowed is one line with all its "
                               "roles", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    role = ngx_array_push(scim->roles);
    p = ngx_pnalloc(cf->pool, len);

    if (role == NULL || p == NULL) {
        return NGX_CONF_ERROR;
    }

    role->group = ngx_proxy_user_str(&value[1]);
    role->roles.data = p;

    for (i = 2; i < cf->args->nelts; i++) {
        p = ngx_cpymem(p, value[i].data, value[i].len);
        *p++ = ' ';
    }

    role->roles.len = len - 1;

    return NGX_CONF_OK;
}


char *
ngx_proxy_user_scim_merge(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_proxy_user_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!conf->scim->enabled) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" has \"proxy_user_scim_role\", "
                           "which is allowed beside \"proxy_user_scim\" only",
                           &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (mcf->redis == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_scim\" needs \"proxy_user_redis\": "
                           "without it there is nothing to provision");
        return NGX_CONF_ERROR;
    }

    if (conf->enable != NGX_CONF_UNSET_UINT
        && conf->enable != NGX_PROXY_USER_OFF)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" has \"proxy_user\" beside "
                           "\"proxy_user_scim\", which has tokens of its "
                           "own: allowed is \"off\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    mcf->scims = 1;

    conf->scim->body_max = ngx_proxy_user_body_max(cf,
                                                   NGX_PROXY_USER_SCIM_BODY);

    return NGX_CONF_OK;
}
