
/*
 * ngx_proxy_user_module: the table of contents.
 *
 * Directives, contexts, phases and process hooks, and where each is made.  No
 * request logic and no parsing here.
 */

#include "ngx_proxy_user.h"
#include "ngx_proxy_user_access.h"
#include "ngx_proxy_user_assertion.h"
#include "ngx_proxy_user_audit.h"
#include "ngx_proxy_user_conf.h"
#include "ngx_proxy_user_cut.h"
#include "ngx_proxy_user_errand.h"
#include "ngx_proxy_user_events.h"
#include "ngx_proxy_user_guard.h"
#include "ngx_proxy_user_introspect.h"
#include "ngx_proxy_user_limit.h"
#include "ngx_proxy_user_keyring.h"
#include "ngx_proxy_user_report.h"
#include "ngx_proxy_user_scim.h"
#include "ngx_proxy_user_store.h"
#include "ngx_proxy_user_variables.h"


static ngx_int_t ngx_proxy_user_init(ngx_conf_t *cf);
static ngx_int_t ngx_proxy_user_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_proxy_user_init_process(ngx_cycle_t *cycle);
static void ngx_proxy_user_exit_process(ngx_cycle_t *cycle);
static void ngx_proxy_user_close(void *data);


#define NGX_PROXY_USER_ANYWHERE                                               \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF                   \
     |NGX_HTTP_LMT_CONF)


static ngx_command_t  ngx_proxy_user_commands[] = {

    { ngx_string("proxy_user_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_proxy_user_zone_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_proxy_user_redis_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_proxy_user_issuer_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_profile"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_proxy_user_profile_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_policy_report"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_proxy_user_policy_report_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_TAKE1,
      ngx_proxy_user_enum_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_proxy_user_loc_conf_t, enable),
      ngx_proxy_user_enable },

    { ngx_string("proxy_user_role"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_1MORE,
      ngx_proxy_user_rule_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_proxy_user_loc_conf_t, roles),
      NULL },

    { ngx_string("proxy_user_scope"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_1MORE,
      ngx_proxy_user_rule_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_proxy_user_loc_conf_t, scopes),
      NULL },

    { ngx_string("proxy_user_require"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_1MORE,
      ngx_proxy_user_require_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_mode"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_TAKE1,
      ngx_proxy_user_enum_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_proxy_user_loc_conf_t, mode),
      ngx_proxy_user_mode },

    { ngx_string("proxy_user_preflight"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_TAKE1,
      ngx_proxy_user_enum_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_proxy_user_loc_conf_t, preflight),
      ngx_proxy_user_preflight },

    { ngx_string("proxy_user_explain"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_proxy_user_explain_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_accept"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_1MORE,
      ngx_proxy_user_accept_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_credential"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_1MORE,
      ngx_proxy_user_credential_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_realm"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_TAKE1,
      ngx_proxy_user_realm_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_on_unknown"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_TAKE1,
      ngx_proxy_user_enum_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_proxy_user_loc_conf_t, on_unknown),
      ngx_proxy_user_on_unknown },

    { ngx_string("proxy_user_strip"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_1MORE,
      ngx_proxy_user_strip_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_assertion"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_1MORE,
      ngx_proxy_user_assertion_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_scim"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_proxy_user_scim_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_scim_role"),
      NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      ngx_proxy_user_scim_role_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_events"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_proxy_user_events_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_jwks"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_proxy_user_jwks_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_cut"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_TAKE1,
      ngx_proxy_user_enum_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_proxy_user_loc_conf_t, cut),
      ngx_proxy_user_cut },

    { ngx_string("proxy_user_audit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_proxy_user_audit_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("proxy_user_guard"),
      NGX_PROXY_USER_ANYWHERE|NGX_CONF_TAKE12,
      ngx_proxy_user_guard_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_proxy_user_module_ctx = {
    ngx_proxy_user_variables_add,          /* preconfiguration */
    ngx_proxy_user_init,                   /* postconfiguration */

    ngx_proxy_user_create_main_conf,       /* create main configuration */
    ngx_proxy_user_init_main_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_proxy_user_create_loc_conf,        /* create location configuration */
    ngx_proxy_user_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_proxy_user_module = {
    NGX_MODULE_V1,
    &ngx_proxy_user_module_ctx,            /* module context */
    ngx_proxy_user_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_proxy_user_init_module,            /* init module */
    ngx_proxy_user_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_proxy_user_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


typedef struct {
    ngx_http_phases        phase;
    ngx_http_handler_pt    handler;
} ngx_proxy_user_phase_t;


static const ngx_proxy_user_phase_t  ngx_proxy_user_phases[] = {
    { NGX_HTTP_PREACCESS_PHASE, ngx_proxy_user_preaccess_handler },
    { NGX_HTTP_ACCESS_PHASE, ngx_proxy_user_access_handler },
    { NGX_HTTP_PRECONTENT_PHASE, ngx_proxy_user_precontent_handler },
    { NGX_HTTP_LOG_PHASE, ngx_proxy_user_audit_handler }
};


static ngx_int_t
ngx_proxy_user_init(ngx_conf_t *cf)
{
    ngx_str_t                    name;
    ngx_uint_t                   i;
    ngx_http_handler_pt         *h;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_proxy_user_module);

    if (ngx_proxy_user_report(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* loaded but not configured: nginx is as it was */

    if (mcf->zone == NULL) {
        return NGX_OK;
    }

    ngx_str_set(&name, "request_id");

    mcf->request_id = ngx_http_get_variable_index(cf, &name);
    if (mcf->request_id == NGX_ERROR) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0;
         i < sizeof(ngx_proxy_user_phases) / sizeof(ngx_proxy_user_phases[0]);
         i++)
    {
        h = ngx_array_push(
                   &cmcf->phases[ngx_proxy_user_phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_proxy_user_phases[i].handler;
    }

    return NGX_OK;
}


/*
 * With "master_process off" a reload starts no process: the new cycle's store
 * is opened here.  The old one's is closed with its cycle, when the requests
 * that use it have ended.
 */

static ngx_int_t
ngx_proxy_user_init_module(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_SINGLE
        || cycle->old_cycle == NULL
        || ngx_is_init_cycle(cycle->old_cycle))
    {
        return NGX_OK;
    }

    return ngx_proxy_user_init_process(cycle);
}


static ngx_int_t
ngx_proxy_user_init_process(ngx_cycle_t *cycle)
{
    ngx_pool_cleanup_t          *cln;
    ngx_proxy_user_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_proxy_user_module);

    if (mcf == NULL || (mcf->zone == NULL && !mcf->scims)) {
        return NGX_OK;
    }

    /*
     * A new worker has the master's time, from before the configuration was
     * read: a deadline set now would be over at once.
     */

    ngx_time_update();

    cln = ngx_pool_cleanup_add(cycle->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_proxy_user_close;
    cln->data = mcf;

    if (mcf->scims) {
        mcf->scim = ngx_proxy_user_scim_open(cycle, mcf);

        if (mcf->scim == NULL) {
            return NGX_ERROR;
        }
    }

    if (mcf->zone == NULL) {
        return NGX_OK;
    }

    if (mcf->told) {
        mcf->events = ngx_proxy_user_events_open(cycle, mcf);

        if (mcf->events == NULL) {
            return NGX_ERROR;
        }
    }

    mcf->store = ngx_proxy_user_store_open(cycle, mcf);
    mcf->hash = pu_hash_new();
    mcf->keyring = ngx_proxy_user_keyring_open(cycle, mcf);
    mcf->introspector = ngx_proxy_user_introspector_open(cycle, mcf);

    if (mcf->asserted) {
        mcf->assertions = ngx_proxy_user_assertions_open(cycle->log);

        if (mcf->assertions == NULL) {
            return NGX_ERROR;
        }
    }

    mcf->cuts = ngx_proxy_user_cuts_open(cycle, mcf);

    if (mcf->store == NULL || mcf->hash == NULL || mcf->cuts == NULL
        || mcf->keyring == NULL || mcf->introspector == NULL)
    {
        return NGX_ERROR;
    }

    if (mcf->profiles.n) {
        mcf->limits = ngx_proxy_user_limits_open(cycle, mcf);

        if (mcf->limits == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Before nginx looks for sockets that were left open. */

static void
ngx_proxy_user_exit_process(ngx_cycle_t *cycle)
{
    ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_proxy_user_module);

    if (mcf) {
        ngx_proxy_user_close(mcf);
    }
}


static void
ngx_proxy_user_close(void *data)
{
    ngx_proxy_user_main_conf_t *mcf = data;

    if (mcf->cuts) {
        ngx_proxy_user_cuts_close(mcf->cuts);
        mcf->cuts = NULL;
    }

    if (mcf->limits) {
        ngx_proxy_user_limits_close(mcf->limits);
        mcf->limits = NULL;
    }

    if (mcf->store) {
        ngx_proxy_user_store_close(mcf->store);
        mcf->store = NULL;
    }

    if (mcf->scim) {
        ngx_proxy_user_errands_close(mcf->scim);
        mcf->scim = NULL;
    }

    if (mcf->events) {
        ngx_proxy_user_errands_close(mcf->events);
        mcf->events = NULL;
    }

    if (mcf->assertions) {
        ngx_proxy_user_assertions_close(mcf->assertions);
        mcf->assertions = NULL;
    }

    if (mcf->keyring) {
        ngx_proxy_user_keyring_close(mcf->keyring);
        mcf->keyring = NULL;
    }

    if (mcf->introspector) {
        ngx_proxy_user_introspector_close(mcf->introspector);
        mcf->introspector = NULL;
    }

    pu_hash_free(mcf->hash);
    mcf->hash = NULL;
}
