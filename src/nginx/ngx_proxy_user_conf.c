
/*
 * Configuration: create, merge, cross-check.
 *
 * A child level without its own lines inherits the parent's; a child level
 * with lines of one kind replaces the parent's of that kind.
 */

#include "ngx_proxy_user_conf.h"
#include "ngx_proxy_user_assertion.h"
#include "ngx_proxy_user_cut.h"
#include "ngx_proxy_user_events.h"
#include "ngx_proxy_user_redis.h"
#include "ngx_proxy_user_remote.h"
#include "ngx_proxy_user_scim.h"
#include "ngx_proxy_user_strip.h"
#include "ngx_proxy_user_zone.h"


#define NGX_PROXY_USER_ZONE_SIZE  (16 * 1024 * 1024)


static ngx_int_t ngx_proxy_user_zone_make(ngx_conf_t *cf,
    ngx_proxy_user_main_conf_t *mcf);
static void ngx_proxy_user_merge_enable(ngx_proxy_user_loc_conf_t *conf,
    const ngx_proxy_user_loc_conf_t *prev,
    const ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_proxy_user_merge_handler(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf, const ngx_proxy_user_loc_conf_t *prev,
    ngx_http_core_loc_conf_t *clcf);
static void ngx_proxy_user_answers_alone(ngx_conf_t *cf,
    const ngx_str_t *directive, const ngx_http_core_loc_conf_t *clcf);
static ngx_uint_t ngx_proxy_user_keys_only(
    const ngx_proxy_user_loc_conf_t *conf,
    const ngx_proxy_user_main_conf_t *mcf);
static ngx_uint_t ngx_proxy_user_returns(ngx_conf_t *cf);
static char *ngx_proxy_user_merge_accept(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf, ngx_proxy_user_main_conf_t *mcf);
static ngx_int_t ngx_proxy_user_merge_names(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf);
static ngx_int_t ngx_proxy_user_merge_openers(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf, const ngx_proxy_user_main_conf_t *mcf);
static ngx_int_t ngx_proxy_user_merge_several(ngx_conf_t *cf,
    const ngx_proxy_user_loc_conf_t *conf, const char *what,
    const char *token);
static ngx_int_t ngx_proxy_user_merge_sources(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf);
static void ngx_proxy_user_warn_stripped(ngx_conf_t *cf,
    const ngx_proxy_user_loc_conf_t *conf);
static ngx_int_t ngx_proxy_user_merge_strip(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf);
static ngx_int_t ngx_proxy_user_merge_realm(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf);


void *
ngx_proxy_user_create_main_conf(ngx_conf_t *cf)
{
    ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->zone_size = NGX_CONF_UNSET_SIZE;

    mcf->issuer_list = ngx_array_create(cf->pool, 2, sizeof(pu_issuer_t *));
    mcf->profile_list = ngx_array_create(cf->pool, 4, sizeof(pu_profile_t));

    if (mcf->issuer_list == NULL || mcf->profile_list == NULL) {
        return NULL;
    }

    return mcf;
}


char *
ngx_proxy_user_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_proxy_user_main_conf_t *mcf = conf;

    ngx_uint_t     i;
    pu_issuer_t  **issuer;

    ngx_conf_init_size_value(mcf->zone_size, NGX_PROXY_USER_ZONE_SIZE);

    if (ngx_proxy_user_profiles_init(cf, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    issuer = mcf->issuer_list->elts;

    mcf->issuers.n = mcf->issuer_list->nelts;
    mcf->issuers.items = (const pu_issuer_t *const *) issuer;

    if (mcf->issuers.n == 0 && mcf->redis == NULL) {
        return NGX_CONF_OK;
    }

    if (mcf->redis == NULL && mcf->keys) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"proxy_user_credential\" has \"api_key\" or "
                           "\"certificate\" without \"proxy_user_redis\": "
                           "there is no way to make one, so they let nobody "
                           "in");
    }

    for (i = 0; i < mcf->issuers.n; i++) {

        if (mcf->redis == NULL && !issuer[i]->jit) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"provision known\" without "
                               "\"proxy_user_redis\" lets nobody in: there "
                               "is no way to make a user");
        }
    }

    return ngx_proxy_user_remotes(cf, mcf) == NGX_OK
           && ngx_proxy_user_zone_make(cf, mcf) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


/* What the users come from names the zone. */

static ngx_int_t
ngx_proxy_user_zone_make(ngx_conf_t *cf, ngx_proxy_user_main_conf_t *mcf)
{
    u_char     *p;
    ngx_str_t   store;

    ngx_str_set(&store, "zone only");

    if (mcf->redis) {
        store.len = mcf->redis->url.len + mcf->redis->prefix.len + 1;

        p = ngx_pnalloc(cf->pool, store.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        store.data = p;
        (void) ngx_sprintf(p, "%V %V", &mcf->redis->url, &mcf->redis->prefix);
    }

    mcf->zone = ngx_proxy_user_zone_add(cf, mcf->zone_size, &store);

    return mcf->zone ? NGX_OK : NGX_ERROR;
}


void *
ngx_proxy_user_create_loc_conf(ngx_conf_t *cf)
{
    ngx_proxy_user_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET_UINT;
    conf->within = NGX_CONF_UNSET_UINT;
    conf->roles = NGX_CONF_UNSET_PTR;
    conf->scopes = NGX_CONF_UNSET_PTR;
    conf->requires = NGX_CONF_UNSET_PTR;
    conf->mode = NGX_CONF_UNSET_UINT;
    conf->preflight = NGX_CONF_UNSET_UINT;
    conf->accept = NGX_CONF_UNSET_PTR;
    conf->sources = NGX_CONF_UNSET_PTR;
    conf->on_unknown = NGX_CONF_UNSET_UINT;
    conf->strip = NGX_CONF_UNSET_PTR;
    conf->audit = NGX_CONF_UNSET_PTR;
    conf->failures = NGX_CONF_UNSET_PTR;
    conf->assertion = NGX_CONF_UNSET_PTR;
    conf->cut = NGX_CONF_UNSET_UINT;

    return conf;
}


char *
ngx_proxy_user_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_proxy_user_loc_conf_t *prev = parent;
    ngx_proxy_user_loc_conf_t *conf = child;

    char                        *rv;
    ngx_uint_t                   own;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_proxy_user_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->scim) {
        rv = ngx_proxy_user_scim_merge(cf, conf);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (conf->events) {
        rv = ngx_proxy_user_events_merge(cf, conf);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    ngx_proxy_user_merge_enable(conf, prev, clcf);

    if (ngx_proxy_user_merge_handler(cf, conf, prev, clcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    own = conf->roles != NGX_CONF_UNSET_PTR
          || conf->scopes != NGX_CONF_UNSET_PTR
          || conf->requires != NGX_CONF_UNSET_PTR;

    ngx_conf_merge_uint_value(conf->on_unknown, prev->on_unknown,
                              NGX_PROXY_USER_STALE);
    ngx_conf_merge_ptr_value(conf->roles, prev->roles, NULL);
    ngx_conf_merge_ptr_value(conf->scopes, prev->scopes, NULL);
    ngx_conf_merge_ptr_value(conf->requires, prev->requires, NULL);
    ngx_conf_merge_uint_value(conf->mode, prev->mode,
                              NGX_PROXY_USER_ENFORCE);
    ngx_conf_merge_uint_value(conf->preflight, prev->preflight, 0);
    ngx_conf_merge_ptr_value(conf->accept, prev->accept, NULL);
    ngx_conf_merge_ptr_value(conf->sources, prev->sources, NULL);
    ngx_conf_merge_ptr_value(conf->strip, prev->strip, NULL);
    ngx_conf_merge_ptr_value(conf->audit, prev->audit, NULL);
    ngx_conf_merge_ptr_value(conf->failures, prev->failures, NULL);
    ngx_conf_merge_ptr_value(conf->assertion, prev->assertion, NULL);
    ngx_conf_merge_uint_value(conf->cut, prev->cut,
                              NGX_PROXY_USER_CUT_REVOKED);

    if (conf->realm.data == NULL) {
        conf->realm = prev->realm;
    }

    if (ngx_proxy_user_merge_policy(cf, conf, &mcf->profiles) != NGX_OK
        || ngx_proxy_user_merge_sources(cf, conf) != NGX_OK
        || ngx_proxy_user_merge_strip(cf, conf) != NGX_OK
        || ngx_proxy_user_merge_realm(cf, conf) != NGX_OK
        || ngx_proxy_user_assertion_merge(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_proxy_user_merge_accept(cf, conf, mcf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_proxy_user_merge_names(cf, conf) != NGX_OK
        || ngx_proxy_user_merge_openers(cf, conf, mcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (conf->enable != NGX_PROXY_USER_OFF && mcf->issuers.n == 0
        && !ngx_proxy_user_keys_only(conf, mcf))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user\" needs a \"proxy_user_issuer\": "
                           "without one no token can be checked");
        return NGX_CONF_ERROR;
    }

    if (conf->guard && ngx_proxy_user_guarded(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->enable != NGX_PROXY_USER_OFF) {
        ngx_proxy_user_warn_stripped(cf, conf);
    }

    if (clcf->name.len == 0) {
        return NGX_CONF_OK;
    }

    if (conf->enable == NGX_PROXY_USER_OFF && own) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "location \"%V\" has \"proxy_user_role\", "
                           "\"proxy_user_scope\" or \"proxy_user_require\" "
                           "but \"proxy_user\" is off there: everybody is "
                           "let in", &clcf->name);
    }

    if (conf->enable == NGX_PROXY_USER_ON && ngx_proxy_user_returns(cf)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "location \"%V\" has \"proxy_user on\" but nginx "
                           "answers its \"return\" before anybody is asked "
                           "who they are", &clcf->name);
    }

    return NGX_CONF_OK;
}


/*
 * A directory's or an issuer's location is off without saying so: that is for
 * its handler, and what lies within has none.
 */

static void
ngx_proxy_user_merge_enable(ngx_proxy_user_loc_conf_t *conf,
    const ngx_proxy_user_loc_conf_t *prev,
    const ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t  inherited;

    inherited = prev->enable;

    if (!clcf->noname && prev->within != NGX_CONF_UNSET_UINT) {
        inherited = prev->within;
    }

    if (conf->enable == NGX_CONF_UNSET_UINT && (conf->scim || conf->events)) {
        conf->enable = NGX_PROXY_USER_OFF;
        ngx_conf_merge_uint_value(conf->within, inherited,
                                  NGX_PROXY_USER_OFF);
        return;
    }

    ngx_conf_merge_uint_value(conf->enable, inherited, NGX_PROXY_USER_OFF);
    conf->within = conf->enable;
}


/*
 * A content handler goes on in the "if" and limit_except of its place, to
 * which nginx hands it on in an "if" only.
 */

static ngx_int_t
ngx_proxy_user_merge_handler(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf,
    const ngx_proxy_user_loc_conf_t *prev, ngx_http_core_loc_conf_t *clcf)
{
    if (clcf->noname) {
        conf->scim = prev->scim;
        conf->events = prev->events;
        conf->guard = prev->guard;
        conf->handler = prev->handler;
        conf->answers = prev->answers;

        if (clcf->handler == NULL) {
            clcf->handler = conf->handler;
        }
    }

    if (conf->handler == NULL || clcf->handler == conf->handler) {
        return NGX_OK;
    }

    ngx_proxy_user_answers_alone(cf, &conf->answers, clcf);

    return NGX_ERROR;
}


char *
ngx_proxy_user_answers(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf,
    ngx_http_handler_pt handler)
{
    ngx_str_t                 *words;
    ngx_http_core_loc_conf_t  *clcf;

    words = cf->args->elts;
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == handler) {
        return "is duplicate";
    }

    if (clcf->handler) {
        ngx_proxy_user_answers_alone(cf, &words[0], clcf);
        return NGX_CONF_ERROR;
    }

    clcf->handler = handler;
    conf->handler = handler;
    conf->answers = words[0];

    return NGX_CONF_OK;
}


static void
ngx_proxy_user_answers_alone(ngx_conf_t *cf, const ngx_str_t *directive,
    const ngx_http_core_loc_conf_t *clcf)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "location \"%V\" has \"%V\" beside another directive "
                       "that answers, as \"proxy_pass\" does: allowed is one "
                       "of them", &clcf->name, directive);
}


/* Is nothing taken here that an issuer would have to vouch for? */

static ngx_uint_t
ngx_proxy_user_keys_only(const ngx_proxy_user_loc_conf_t *conf,
    const ngx_proxy_user_main_conf_t *mcf)
{
    ngx_uint_t                      i;
    const ngx_proxy_user_source_t  *source;

    source = conf->sources->elts;

    for (i = 0; i < conf->sources->nelts; i++) {
        if (source[i].place != NGX_PROXY_USER_API_KEY
            && source[i].place != NGX_PROXY_USER_CERTIFICATE)
        {
            return 0;
        }
    }

    return mcf->redis != NULL;
}


/*
 * Does the location begin with an unconditional "return"? The rewrite module
 * keeps its settings to itself, but their first member is what it will run,
 * and it may not be built in.
 */

static ngx_uint_t
ngx_proxy_user_returns(ngx_conf_t *cf)
{
    ngx_uint_t            i;
    ngx_array_t         **codes;
    ngx_module_t         *module;
    ngx_http_conf_ctx_t  *ctx;

    ctx = cf->ctx;

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_rewrite_module") != 0) {
            continue;
        }

        codes = ctx->loc_conf[module->ctx_index];

        return codes && *codes && (*codes)->nelts >= sizeof(uintptr_t)
               && *(ngx_http_script_code_pt *) (*codes)->elts
                  == ngx_http_script_return_code;
    }

    return 0;
}


static char *
ngx_proxy_user_merge_accept(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf,
    ngx_proxy_user_main_conf_t *mcf)
{
    ngx_str_t           *name;
    ngx_uint_t           i, n;
    const pu_issuer_t  **issuer;

    if (conf->accept == NULL) {
        return NGX_CONF_OK;
    }

    conf->accepted = ngx_array_create(cf->pool, conf->accept->nelts,
                                      sizeof(pu_issuer_t *));
    if (conf->accepted == NULL) {
        return NGX_CONF_ERROR;
    }

    name = conf->accept->elts;

    for (i = 0; i < conf->accept->nelts; i++) {

        for (n = 0; n < mcf->issuers.n; n++) {
            if (pu_str_eq(mcf->issuers.items[n]->name,
                          ngx_proxy_user_str(&name[i])))
            {
                break;
            }
        }

        if (n == mcf->issuers.n) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_accept\" has the value \"%V\", "
                               "allowed are names of \"proxy_user_issuer\" "
                               "blocks", &name[i]);
            return NGX_CONF_ERROR;
        }

        issuer = ngx_array_push(conf->accepted);
        if (issuer == NULL) {
            return NGX_CONF_ERROR;
        }

        *issuer = mcf->issuers.items[n];
    }

    return NGX_CONF_OK;
}


/* nginx itself forgets them once it has its configuration. */

static ngx_int_t
ngx_proxy_user_merge_names(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf)
{
    ngx_uint_t                 i;
    ngx_http_server_name_t    *from, *to;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    conf->names = ngx_array_create(cf->pool, cscf->server_names.nelts + 1,
                                   sizeof(ngx_http_server_name_t));
    if (conf->names == NULL) {
        return NGX_ERROR;
    }

    from = cscf->server_names.elts;

    for (i = 0; i < cscf->server_names.nelts; i++) {
        to = ngx_array_push(conf->names);
        if (to == NULL) {
            return NGX_ERROR;
        }

        *to = from[i];
    }

    return NGX_OK;
}


/* What does not say whose it is can be the matter of one issuer only. */

static ngx_int_t
ngx_proxy_user_merge_openers(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf,
    const ngx_proxy_user_main_conf_t *mcf)
{
    ngx_uint_t                 i, n, decrypt, introspect;
    const pu_issuer_t *const  *issuer;

    issuer = mcf->issuers.items;
    n = mcf->issuers.n;

    if (conf->accepted) {
        issuer = conf->accepted->elts;
        n = conf->accepted->nelts;
    }

    decrypt = 0;
    introspect = 0;
    conf->decrypts = NULL;
    conf->introspects = NULL;

    for (i = 0; i < n; i++) {

        if (issuer[i]->decryption && issuer[i] != conf->decrypts) {
            conf->decrypts = issuer[i];
            decrypt++;
        }

        if (issuer[i]->introspection.len && issuer[i] != conf->introspects) {
            conf->introspects = issuer[i];
            introspect++;
        }
    }

    if (decrypt > 1) {
        conf->decrypts = NULL;

        if (ngx_proxy_user_merge_several(cf, conf,
                                         "a \"decryption_key_file\"",
                                         "an encrypted token")
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (introspect > 1) {
        conf->introspects = NULL;

        return ngx_proxy_user_merge_several(cf, conf, "\"introspection\"",
                                            "a token that is no JWT");
    }

    return NGX_OK;
}


/* What only hands them down to locations may have several. */

static ngx_int_t
ngx_proxy_user_merge_several(ngx_conf_t *cf,
    const ngx_proxy_user_loc_conf_t *conf, const char *what,
    const char *token)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->enable == NGX_PROXY_USER_OFF || clcf->name.len == 0) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "location \"%V\" accepts more than one issuer with "
                       "%s, allowed is one: %s does not say whose it is, name "
                       "one in \"proxy_user_accept\"", &clcf->name, what,
                       token);
    return NGX_ERROR;
}


static ngx_int_t
ngx_proxy_user_merge_sources(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf)
{
    ngx_proxy_user_source_t  *source;

    if (conf->sources) {
        return NGX_OK;
    }

    conf->sources = ngx_array_create(cf->pool, 1,
                                     sizeof(ngx_proxy_user_source_t));
    if (conf->sources == NULL) {
        return NGX_ERROR;
    }

    source = ngx_array_push(conf->sources);
    if (source == NULL) {
        return NGX_ERROR;
    }

    source->place = NGX_PROXY_USER_BEARER;
    ngx_str_null(&source->name);
    source->warned = 0;

    return NGX_OK;
}


/* Headers are taken out before one is looked at; said once of each word. */

static void
ngx_proxy_user_warn_stripped(ngx_conf_t *cf,
    const ngx_proxy_user_loc_conf_t *conf)
{
    ngx_uint_t                i;
    ngx_proxy_user_source_t  *source;

    source = conf->sources->elts;

    for (i = 0; i < conf->sources->nelts; i++) {

        if ((source[i].place != NGX_PROXY_USER_HEADER
             && source[i].place != NGX_PROXY_USER_API_KEY)
            || source[i].warned
            || !ngx_proxy_user_strip_takes(&source[i].name, conf->strip))
        {
            continue;
        }

        source[i].warned = 1;

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"proxy_user_credential\" has the header "
                           "\"%V\", which \"proxy_user_strip\" takes out of "
                           "every request before it is looked at: it lets "
                           "nobody in", &source[i].name);
    }
}


static ngx_int_t
ngx_proxy_user_merge_strip(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf)
{
    ngx_str_t  *prefix;

    if (conf->strip) {
        return NGX_OK;
    }

    conf->strip = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    if (conf->strip == NULL) {
        return NGX_ERROR;
    }

    prefix = ngx_array_push(conf->strip);
    if (prefix == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(prefix, "x-proxy-user");

    return NGX_OK;
}


/* The start of every challenge: the realm as a quoted-string (RFC 9110). */

static ngx_int_t
ngx_proxy_user_merge_realm(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf)
{
    u_char                    *p;
    size_t                     i;
    ngx_str_t                  realm;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);

    realm = conf->realm.data ? conf->realm : cscf->server_name;

    p = ngx_pnalloc(cf->pool, sizeof("Bearer realm=\"\"") + 2 * realm.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    conf->challenge.data = p;
    p = ngx_cpymem(p, "Bearer realm=\"", sizeof("Bearer realm=\"") - 1);

    for (i = 0; i < realm.len; i++) {

        if (realm.data[i] == '"' || realm.data[i] == '\\') {
            *p++ = '\\';
        }

        *p++ = realm.data[i];
    }

    *p++ = '"';
    conf->challenge.len = p - conf->challenge.data;

    return NGX_OK;
}
