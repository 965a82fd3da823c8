
/*
 * proxy_user_events: the directive.  In the master, while a configuration is
 * read.
 */

#include "ngx_proxy_user_body.h"
#include "ngx_proxy_user_conf.h"
#include "ngx_proxy_user_events.h"
#include "pu_event.h"


static ngx_int_t ngx_proxy_user_events_word(ngx_conf_t *cf,
    ngx_proxy_user_events_t *events, ngx_str_t *word, ngx_array_t *audience);
static ngx_int_t ngx_proxy_user_events_issuer(ngx_conf_t *cf,
    ngx_proxy_user_events_t *events,
    const ngx_proxy_user_main_conf_t *mcf);


char *
ngx_proxy_user_events_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_loc_conf_t *lcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_array_t               *audience;
    ngx_proxy_user_events_t   *events;

    if (lcf->events) {
        return "is duplicate";
    }

    events = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_events_t));
    audience = ngx_array_create(cf->pool, 2, sizeof(pu_str_t));

    if (events == NULL || audience == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_proxy_user_events_word(cf, events, &value[i], audience)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (events->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_events\" has no \"issuer=name\"");
        return NGX_CONF_ERROR;
    }

    events->audience.n = audience->nelts;
    events->audience.items = audience->elts;

    lcf->events = events;

    return ngx_proxy_user_answers(cf, lcf, ngx_proxy_user_events_handler);
}


static ngx_int_t
ngx_proxy_user_events_word(ngx_conf_t *cf, ngx_proxy_user_events_t *events,
    ngx_str_t *word, ngx_array_t *audience)
{
    pu_str_t  *one;

    if (word->len > 7 && ngx_strncmp(word->data, "issuer=", 7) == 0
        && events->name.len == 0)
    {
        events->name.len = word->len - 7;
        events->name.data = word->data + 7;
        return NGX_OK;
    }

    if (word->len > 9 && ngx_strncmp(word->data, "audience=", 9) == 0) {

        one = ngx_array_push(audience);
        if (one == NULL) {
            return NGX_ERROR;
        }

        *one = (pu_str_t) { word->len - 9, word->data + 9 };
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"proxy_user_events\" has \"%V\", allowed are "
                       "\"issuer=name\" once and \"audience=value\"", word);

    return NGX_ERROR;
}


char *
ngx_proxy_user_events_merge(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_proxy_user_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_proxy_user_events_issuer(cf, conf->events, mcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (mcf->redis == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_events\" needs \"proxy_user_redis\": "
                           "without it nothing that happens is kept");
        return NGX_CONF_ERROR;
    }

    if (conf->enable != NGX_CONF_UNSET_UINT
        && conf->enable != NGX_PROXY_USER_OFF)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" has \"proxy_user\" beside "
                           "\"proxy_user_events\", where the issuer itself "
                           "comes: allowed is \"off\"", &clcf->name);
        return NGX_CONF_ERROR;
    }

    conf->events->body_max = ngx_proxy_user_body_max(cf, PU_EVENT_BODY_MAX);
    mcf->told = 1;

    return NGX_CONF_OK;
}


/* Only who alone can sign can be believed. */

static ngx_int_t
ngx_proxy_user_events_issuer(ngx_conf_t *cf, ngx_proxy_user_events_t *events,
    const ngx_proxy_user_main_conf_t *mcf)
{
    ngx_uint_t          i;
    const pu_issuer_t  *issuer;

    for (i = 0; i < mcf->issuers.n; i++) {
        issuer = mcf->issuers.items[i];

        if (!pu_str_eq(issuer->name, ngx_proxy_user_str(&events->name))) {
            continue;
        }

        if (issuer->secret || (issuer->keys == NULL && !issuer->fetched)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_events\" has the issuer \"%V\", "
                               "allowed are issuers with public keys: a "
                               "\"jwks_file\", \"jwks_uri\" or \"discovery\"",
                               &events->name);
            return NGX_ERROR;
        }

        events->issuer = issuer;
        events->index = i;
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"proxy_user_events\" has the issuer \"%V\", allowed "
                       "are names of \"proxy_user_issuer\" blocks",
                       &events->name);

    return NGX_ERROR;
}
