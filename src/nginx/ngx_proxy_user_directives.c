
/*
 * The directives' setters: words -> configuration, or one sentence that names
 * the directive, the value and what is allowed.
 */

#include "ngx_proxy_user_conf.h"
#include "ngx_proxy_user_audit.h"
#include "ngx_proxy_user_redis.h"
#include "ngx_proxy_user_strip.h"
#include "ngx_proxy_user_zone.h"


static char *ngx_proxy_user_issuer_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static ngx_int_t ngx_proxy_user_issuer_path(ngx_conf_t *cf,
    ngx_str_t *directive, ngx_str_t *word);
static void ngx_proxy_user_rule_word(ngx_conf_t *cf, const ngx_str_t *name,
    const pu_str_t *word);
static void ngx_proxy_user_issuer_cleanup(void *data);
static void ngx_proxy_user_issuer_warn(void *data, const char *sentence);
static char *ngx_proxy_user_source(ngx_conf_t *cf, ngx_str_t *word,
    ngx_proxy_user_source_t *source);
static ngx_uint_t ngx_proxy_user_source_is_header(
    const ngx_proxy_user_source_t *source);
static ngx_uint_t ngx_proxy_user_source_name(
    const ngx_proxy_user_source_t *source);


ngx_conf_enum_t  ngx_proxy_user_enable[] = {
    { ngx_string("on"), NGX_PROXY_USER_ON },
    { ngx_string("optional"), NGX_PROXY_USER_OPTIONAL },
    { ngx_string("off"), NGX_PROXY_USER_OFF },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  ngx_proxy_user_on_unknown[] = {
    { ngx_string("closed"), NGX_PROXY_USER_CLOSED },
    { ngx_string("stale"), NGX_PROXY_USER_STALE },
    { ngx_null_string, 0 }
};


/* nginx's own enum slot does not tell what would have been allowed */

char *
ngx_proxy_user_enum_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t        *words, allowed;
    ngx_uint_t       *slot, i;
    u_char            text[64];
    ngx_conf_enum_t  *e;

    slot = (ngx_uint_t *) (p + cmd->offset);
    words = cf->args->elts;
    e = cmd->post;

    if (*slot != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    allowed.data = text;
    allowed.len = 0;

    for (i = 0; e[i].name.len; i++) {

        if (e[i].name.len == words[1].len
            && ngx_memcmp(e[i].name.data, words[1].data, words[1].len) == 0)
        {
            *slot = e[i].value;
            return NGX_CONF_OK;
        }

        allowed.len = ngx_snprintf(text + allowed.len,
                                   sizeof(text) - allowed.len, "%s%V",
                                   i ? ", " : "", &e[i].name)
                      - text;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" has the value \"%V\", allowed are %V",
                       &cmd->name, &words[1], &allowed);

    return NGX_CONF_ERROR;
}


char *
ngx_proxy_user_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_proxy_user_main_conf_t *mcf = conf;

    ssize_t     size;
    ngx_str_t  *words;

    if (mcf->zone_size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    words = cf->args->elts;
    size = ngx_parse_size(&words[1]);

    if (size == NGX_ERROR || size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_zone\" has the size \"%V\", allowed "
                           "is a size from %uz bytes", &words[1],
                           8 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    mcf->zone_size = size;

    return NGX_CONF_OK;
}


char *
ngx_proxy_user_redis_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_main_conf_t *mcf = conf;

    if (mcf->redis) {
        return "is duplicate";
    }

    return ngx_proxy_user_redis_parse(cf, &mcf->redis);
}


char *
ngx_proxy_user_issuer_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_main_conf_t *mcf = conf;

    char                 *rv, err[PU_ERROR_SIZE];
    ngx_str_t            *words;
    ngx_conf_t            save;
    ngx_uint_t            i;
    pu_issuer_t          *issuer, **slot;
    ngx_pool_cleanup_t   *cln;

    words = cf->args->elts;

    issuer = pu_issuer_new(ngx_proxy_user_str(&words[1]));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (issuer == NULL || cln == NULL) {
        pu_issuer_free(issuer);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_proxy_user_issuer_cleanup;
    cln->data = issuer;

    save = *cf;
    cf->handler = ngx_proxy_user_issuer_line;
    cf->handler_conf = (char *) issuer;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (!pu_issuer_finish(issuer, err)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_issuer %*s\": %s",
                           issuer->name.len, issuer->name.data, err);
        return NGX_CONF_ERROR;
    }

    slot = mcf->issuer_list->elts;

    for (i = 0; i < mcf->issuer_list->nelts; i++) {

        if (pu_str_eq(slot[i]->name, issuer->name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_issuer\" has the name \"%*s\", "
                               "which another one has",
                               issuer->name.len, issuer->name.data);
            return NGX_CONF_ERROR;
        }

        if (pu_str_eq(slot[i]->url, issuer->url)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_issuer\" has the \"issuer\" "
                               "\"%*s\", which another one has",
                               issuer->url.len, issuer->url.data);
            return NGX_CONF_ERROR;
        }
    }

    slot = ngx_array_push(mcf->issuer_list);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = issuer;

    return NGX_CONF_OK;
}


static void
ngx_proxy_user_issuer_cleanup(void *data)
{
    pu_issuer_free(data);
}


pu_str_t *
ngx_proxy_user_words(ngx_conf_t *cf)
{
    pu_str_t    *list;
    ngx_str_t   *words;
    ngx_uint_t   i;

    words = cf->args->elts;

    list = ngx_palloc(cf->pool, cf->args->nelts * sizeof(pu_str_t));
    if (list == NULL) {
        return NULL;
    }

    for (i = 0; i < cf->args->nelts; i++) {
        list[i] = ngx_proxy_user_str(&words[i]);
    }

    return list;
}


/* One directive of the block; its words go to the core as they are. */

static char *
ngx_proxy_user_issuer_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    pu_issuer_t *issuer = conf;

    char         err[PU_ERROR_SIZE];
    pu_str_t    *list;
    ngx_str_t   *words;
    ngx_uint_t   i;

    words = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_proxy_user_issuer_path(cf, &words[0], &words[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    list = ngx_proxy_user_words(cf);
    if (list == NULL) {
        return NGX_CONF_ERROR;
    }

    if (!pu_issuer_set(issuer, list, cf->args->nelts,
                       ngx_proxy_user_issuer_warn, cf, err))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* A path in the word becomes one relative to the configuration. */

static ngx_int_t
ngx_proxy_user_issuer_path(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_str_t *word)
{
    size_t      at;
    u_char     *p;
    ngx_str_t   path;

    at = pu_issuer_path(ngx_proxy_user_str(directive),
                        ngx_proxy_user_str(word));

    if (at >= word->len) {
        return NGX_OK;
    }

    path.data = word->data + at;
    path.len = word->len - at;

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, at + path.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, word->data, at);
    (void) ngx_cpystrn(p + at, path.data, path.len + 1);

    word->data = p;
    word->len = at + path.len;

    return NGX_OK;
}


static void
ngx_proxy_user_issuer_warn(void *data, const char *sentence)
{
    ngx_conf_t *cf = data;

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "%s", sentence);
}


/* proxy_user_role and proxy_user_scope */

char *
ngx_proxy_user_rule_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char          err[PU_ERROR_SIZE];
    pu_str_t     *list;
    pu_rule_t    *rule;
    ngx_uint_t    i, n, roles;
    ngx_array_t **slot;

    slot = (ngx_array_t **) (p + cmd->offset);
    roles = (cmd->offset == offsetof(ngx_proxy_user_loc_conf_t, roles));

    if (*slot == NGX_CONF_UNSET_PTR) {
        *slot = ngx_array_create(cf->pool, 4, sizeof(pu_rule_t));
        if (*slot == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rule = ngx_array_push(*slot);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(rule, sizeof(pu_rule_t));

    n = cf->args->nelts - 1;

    list = ngx_proxy_user_words(cf);
    rule->words = ngx_palloc(cf->pool, n * sizeof(pu_str_t));

    if (list == NULL || rule->words == NULL
        || ngx_proxy_user_where(cf, &rule->where) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (!pu_rule_read(rule, list + 1, n, roles, (char *) cmd->name.data, err)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err);
        return NGX_CONF_ERROR;
    }

    for (i = 1; i <= n; i++) {
        ngx_proxy_user_rule_word(cf, &cmd->name, &list[i]);
    }

    return NGX_CONF_OK;
}


/* A role or a scope, which may well be called so; or a slip. */

static void
ngx_proxy_user_rule_word(ngx_conf_t *cf, const ngx_str_t *name,
    const pu_str_t *word)
{
    size_t    i;
    u_char    upper[16];
    pu_str_t  method;

    if (word->len > sizeof(upper) || pu_method_permits(*word)) {
        return;
    }

    method.len = word->len;
    method.data = upper;

    for (i = 0; i < word->len; i++) {
        upper[i] = ngx_toupper(word->data[i]);
    }

    if (pu_method_permits(method)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%*s\" in \"%V\" is no method, whose names are "
                           "in capitals: it limits no methods",
                           word->len, word->data, name);
    }
}


ngx_int_t
ngx_proxy_user_where(ngx_conf_t *cf, pu_str_t *where)
{
    u_char     *p;
    ngx_str_t  *name;

    name = &cf->conf_file->file.name;

    p = ngx_pnalloc(cf->pool, name->len + 1 + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    where->data = p;
    where->len = ngx_sprintf(p, "%V:%ui", name, cf->conf_file->line) - p;

    return NGX_OK;
}


char *
ngx_proxy_user_accept_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_loc_conf_t *lcf = conf;

    ngx_str_t   *words, *name;
    ngx_uint_t   i;

    if (lcf->accept != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    lcf->accept = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
    if (lcf->accept == NULL) {
        return NGX_CONF_ERROR;
    }

    words = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        name = ngx_array_push(lcf->accept);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = words[i];
    }

    return NGX_CONF_OK;
}


char *
ngx_proxy_user_credential_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_loc_conf_t *lcf = conf;

    ngx_str_t                   *words;
    ngx_uint_t                   i, n;
    ngx_proxy_user_source_t     *source, *others;
    ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_proxy_user_module);

    if (lcf->sources != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    lcf->sources = ngx_array_create(cf->pool, 2,
                                    sizeof(ngx_proxy_user_source_t));
    if (lcf->sources == NULL) {
        return NGX_CONF_ERROR;
    }

    words = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        source = ngx_array_push(lcf->sources);
        if (source == NULL) {
            return NGX_CONF_ERROR;
        }

        source->warned = 0;

        if (ngx_proxy_user_source(cf, &words[i], source) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }

        if (source->place == NGX_PROXY_USER_API_KEY
            || source->place == NGX_PROXY_USER_CERTIFICATE)
        {
            mcf->keys = 1;
        }

        others = lcf->sources->elts;

        for (n = 0; n + 1 < lcf->sources->nelts; n++) {

            if ((others[n].place == source->place
                 || (ngx_proxy_user_source_is_header(&others[n])
                     && ngx_proxy_user_source_is_header(source)))
                && others[n].name.len == source->name.len
                && ngx_strncasecmp(others[n].name.data, source->name.data,
                                   source->name.len)
                   == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"proxy_user_credential\" has \"%V\" "
                                   "twice", &words[i]);
                return NGX_CONF_ERROR;
            }
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_proxy_user_source(ngx_conf_t *cf, ngx_str_t *word,
    ngx_proxy_user_source_t *source)
{
    size_t                                skip;
    ngx_uint_t                            i;
    static const ngx_proxy_user_source_t  places[] = {
        { NGX_PROXY_USER_HEADER, ngx_string("header="), 0 },
        { NGX_PROXY_USER_COOKIE, ngx_string("cookie="), 0 },
        { NGX_PROXY_USER_QUERY, ngx_string("query="), 0 },
        { NGX_PROXY_USER_API_KEY, ngx_string("api_key="), 0 }
    };

    if (ngx_strcmp(word->data, "bearer") == 0) {
        source->place = NGX_PROXY_USER_BEARER;
        ngx_str_null(&source->name);
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(word->data, "certificate") == 0) {
        source->place = NGX_PROXY_USER_CERTIFICATE;
        ngx_str_null(&source->name);
        return NGX_CONF_OK;
    }

    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        skip = places[i].name.len;

        if (word->len > skip
            && ngx_strncmp(word->data, places[i].name.data, skip) == 0)
        {
            source->place = places[i].place;
            source->name.data = word->data + skip;
            source->name.len = word->len - skip;

            if (ngx_proxy_user_source_name(source)) {
                return NGX_CONF_OK;
            }

            break;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"proxy_user_credential\" has the value \"%V\", "
                       "allowed are bearer (the Authorization header), "
                       "header=Name, cookie=name, query=name, api_key=Header "
                       "and certificate", word);

    return NGX_CONF_ERROR;
}


static ngx_uint_t
ngx_proxy_user_source_is_header(const ngx_proxy_user_source_t *source)
{
    return source->place == NGX_PROXY_USER_HEADER
           || source->place == NGX_PROXY_USER_API_KEY;
}


/* A token of RFC 9110 section 5.6.2; what is compared as it stands. */

static ngx_uint_t
ngx_proxy_user_source_name(const ngx_proxy_user_source_t *source)
{
    u_char      c;
    size_t      i;
    ngx_str_t   name;

    name = source->name;

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if ((c >= '0' && c <= '9')
            || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        {
            continue;
        }

        if (c == '\0' || ngx_strchr("!#$%'*+-.^_`|~", c) == NULL) {
            return 0;
        }
    }

    return !ngx_proxy_user_source_is_header(source)
           || name.len != sizeof("Authorization") - 1
           || ngx_strncasecmp(name.data, (u_char *) "Authorization",
                              name.len)
              != 0;
}


char *
ngx_proxy_user_realm_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_loc_conf_t *lcf = conf;

    ngx_str_t  *words;

    if (lcf->realm.data) {
        return "is duplicate";
    }

    words = cf->args->elts;

    if (pu_str_has_control(ngx_proxy_user_str(&words[1]))
        || words[1].len > 255)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_realm\" has a value that is too "
                           "long or has control characters, allowed are at "
                           "most 255 others");
        return NGX_CONF_ERROR;
    }

    lcf->realm = words[1];

    return NGX_CONF_OK;
}


char *
ngx_proxy_user_strip_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_loc_conf_t *lcf = conf;

    ngx_str_t   *words, *prefix;
    ngx_uint_t   i;

    if (lcf->strip != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    words = cf->args->elts;

    lcf->strip = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
    if (lcf->strip == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2 && ngx_strcmp(words[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        prefix = ngx_array_push(lcf->strip);
        if (prefix == NULL) {
            return NGX_CONF_ERROR;
        }

        prefix->len = words[i].len;
        prefix->data = ngx_pnalloc(cf->pool, words[i].len + 1);
        if (prefix->data == NULL) {
            return NGX_CONF_ERROR;
        }

        (void) ngx_cpystrn(prefix->data, words[i].data, words[i].len + 1);
        ngx_proxy_user_strip_fold(prefix);

        if (!ngx_proxy_user_strip_name(prefix)
            || ngx_proxy_user_strip_reserved(prefix)
            || ngx_strcmp(prefix->data, "off") == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_strip\" has the prefix \"%V\", "
                               "allowed are prefixes of headers that nginx "
                               "and this module do not need themselves, or "
                               "\"off\" alone", &words[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_proxy_user_audit_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_loc_conf_t *lcf = conf;

    if (lcf->audit != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    return ngx_proxy_user_audit_parse(cf, &lcf->audit);
}
