
/*
 * The policy's directives: setters, and what is left to do once everything
 * has been read.
 */

#include "ngx_proxy_user_conf.h"
#include "ngx_proxy_user_explain.h"


static char *ngx_proxy_user_profile_line(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static void ngx_proxy_user_profile_warn(void *data, const char *sentence);
static char *ngx_proxy_user_require_word(ngx_conf_t *cf, ngx_str_t *word,
    ngx_proxy_user_require_t *require);


ngx_conf_enum_t  ngx_proxy_user_mode[] = {
    { ngx_string("enforce"), NGX_PROXY_USER_ENFORCE },
    { ngx_string("report"), NGX_PROXY_USER_REPORT },
    { ngx_null_string, 0 }
};


ngx_conf_enum_t  ngx_proxy_user_preflight[] = {
    { ngx_string("on"), 1 },
    { ngx_string("off"), 0 },
    { ngx_null_string, 0 }
};


char *
ngx_proxy_user_profile_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_main_conf_t *mcf = conf;

    char          *rv, err[PU_ERROR_SIZE];
    ngx_str_t     *words;
    ngx_conf_t     save;
    pu_profile_t  *profile;

    profile = ngx_array_push(mcf->profile_list);
    if (profile == NULL) {
        return NGX_CONF_ERROR;
    }

    words = cf->args->elts;

    if (!pu_profile_init(profile, ngx_proxy_user_str(&words[1]), err)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err);
        return NGX_CONF_ERROR;
    }

    if (ngx_proxy_user_where(cf, &profile->where) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    save = *cf;
    cf->handler = ngx_proxy_user_profile_line;
    cf->handler_conf = (char *) profile;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv;
}


/* One directive of the block; its words stay as long as the cycle's pool. */

static char *
ngx_proxy_user_profile_line(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    pu_profile_t *profile = conf;

    char       err[PU_ERROR_SIZE];
    pu_str_t  *list;

    list = ngx_proxy_user_words(cf);
    if (list == NULL) {
        return NGX_CONF_ERROR;
    }

    if (!pu_profile_set(profile, list, cf->args->nelts, err)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_proxy_user_profiles_init(ngx_conf_t *cf, ngx_proxy_user_main_conf_t *mcf)
{
    char  err[PU_ERROR_SIZE];

    mcf->profiles.n = mcf->profile_list->nelts;
    mcf->profiles.items = mcf->profile_list->elts;

    if (!pu_profiles_finish(&mcf->profiles, ngx_proxy_user_profile_warn, cf,
                            err))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", err);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_proxy_user_profile_warn(void *data, const char *sentence)
{
    ngx_conf_t *cf = data;

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "%s", sentence);
}


ngx_int_t
ngx_proxy_user_merge_policy(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf,
    const pu_profiles_t *profiles)
{
    ngx_uint_t    i;
    pu_rule_t    *rule;
    pu_permit_t  *permits;

    if (conf->scopes) {
        conf->policy.nscopes = conf->scopes->nelts;
        conf->policy.scopes = conf->scopes->elts;
    }

    if (conf->roles == NULL) {
        return NGX_OK;
    }

    rule = conf->roles->elts;

    conf->policy.nroles = conf->roles->nelts;
    conf->policy.roles = rule;

    for (i = 0; i < conf->roles->nelts; i++) {

        /* lines that are inherited are the same ones */

        if (rule[i].permits) {
            continue;
        }

        permits = ngx_palloc(cf->pool, pu_rule_room(&rule[i], profiles)
                                       * sizeof(pu_permit_t));
        if (permits == NULL) {
            return NGX_ERROR;
        }

        pu_rule_permit(&rule[i], profiles, permits);
    }

    return NGX_OK;
}


char *
ngx_proxy_user_require_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_loc_conf_t *lcf = conf;

    ngx_str_t                 *words;
    ngx_uint_t                 i;
    ngx_proxy_user_require_t  *require;

    if (lcf->requires == NGX_CONF_UNSET_PTR) {
        lcf->requires = ngx_array_create(cf->pool, 2,
                                         sizeof(ngx_proxy_user_require_t));
        if (lcf->requires == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    require = ngx_array_push(lcf->requires);
    if (require == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(require, sizeof(ngx_proxy_user_require_t));

    if (ngx_array_init(&require->values, cf->pool, cf->args->nelts - 1,
                       sizeof(ngx_http_complex_value_t))
        != NGX_OK
        || ngx_proxy_user_where(cf, &require->rule.where) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    words = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (i + 1 == cf->args->nelts
            && ngx_strncmp(words[i].data, "error=", 6) == 0)
        {
            break;
        }

        if (ngx_proxy_user_require_word(cf, &words[i], require)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    require->status = NGX_HTTP_FORBIDDEN;

    if (i < cf->args->nelts
        && ngx_strcmp(words[i].data, "error=401") == 0)
    {
        require->status = NGX_HTTP_UNAUTHORIZED;

    } else if (i < cf->args->nelts
               && ngx_strcmp(words[i].data, "error=403") != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_require\" has the value \"%V\", "
                           "allowed are error=401 and error=403", &words[i]);
        return NGX_CONF_ERROR;
    }

    if (require->values.nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_require\" names no value: first one "
                           "or more with a variable, then error=401 or "
                           "error=403");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* What has no variable in it would be true, or false, for everybody. */

static char *
ngx_proxy_user_require_word(ngx_conf_t *cf, ngx_str_t *word,
    ngx_proxy_user_require_t *require)
{
    ngx_http_complex_value_t          *value;
    ngx_http_compile_complex_value_t   ccv;

    value = ngx_array_push(&require->values);
    if (value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = word;
    ccv.complex_value = value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (value->lengths == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_require\" has the value \"%V\", "
                           "allowed are values with a variable, then "
                           "error=401 or error=403", word);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_proxy_user_policy_report_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_main_conf_t *mcf = conf;

    ngx_str_t  *words;

    if (mcf->report.data) {
        return "is duplicate";
    }

    words = cf->args->elts;

    if (words[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_policy_report\" has the value \"\", "
                           "allowed is a file");
        return NGX_CONF_ERROR;
    }

    mcf->report = words[1];

    return ngx_conf_full_name(cf->cycle, &mcf->report, 1) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_proxy_user_explain_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t  *words;

    words = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(words[1].data, "unguarded") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_explain\" has the value \"%V\", "
                           "allowed is unguarded", &words[1]);
        return NGX_CONF_ERROR;
    }

    ngx_proxy_user_guard(cf, conf, "proxy_user_explain");

    return ngx_proxy_user_answers(cf, conf, ngx_proxy_user_explain_handler);
}


void
ngx_proxy_user_guard(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf,
    const char *directive)
{
    ngx_str_t  *words;

    words = cf->args->elts;

    if (cf->args->nelts == 1
        || ngx_strcmp(words[cf->args->nelts - 1].data, "unguarded") != 0)
    {
        conf->guard = directive;
    }
}


ngx_int_t
ngx_proxy_user_guarded(ngx_conf_t *cf, const ngx_proxy_user_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->enable == NGX_PROXY_USER_ON
        && conf->mode == NGX_PROXY_USER_ENFORCE
        && conf->policy.nroles
        && clcf->satisfy == NGX_HTTP_SATISFY_ALL)
    {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%s\" in location \"%V\" is for operators: there "
                       "must be \"proxy_user on\", \"proxy_user_mode "
                       "enforce\", a \"proxy_user_role\" and \"satisfy "
                       "all\", or \"unguarded\" at the end of its line",
                       conf->guard, &clcf->name);

    return NGX_ERROR;
}
