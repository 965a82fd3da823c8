
/*
 * The variables; each is a row of the table below.
 *
 * Empty, never an error, where there is nothing to tell.  Text from a token
 * or a record goes out only without control bytes: nginx forwards CR and LF
 * in a variable as a new header.
 */

#include "ngx_proxy_user_variables.h"
#include "ngx_proxy_user_assertion.h"
#include "ngx_proxy_user_identity.h"


#define NGX_PROXY_USER_TIME_LEN  (NGX_INT64_LEN + sizeof(".000000") - 1)
#define NGX_PROXY_USER_CLAIM     "proxy_user_claim_"


typedef enum {
    NGX_PROXY_USER_VAR_ID = 0,
    NGX_PROXY_USER_VAR_NAME,
    NGX_PROXY_USER_VAR_TYPE,
    NGX_PROXY_USER_VAR_ISSUER,
    NGX_PROXY_USER_VAR_SUBJECT,
    NGX_PROXY_USER_VAR_ROLES,
    NGX_PROXY_USER_VAR_SCOPES,
    NGX_PROXY_USER_VAR_HANDLE,
    NGX_PROXY_USER_VAR_CREDENTIAL,
    NGX_PROXY_USER_VAR_DECISION,
    NGX_PROXY_USER_VAR_REASON,
    NGX_PROXY_USER_VAR_RULE,
    NGX_PROXY_USER_VAR_CACHE,
    NGX_PROXY_USER_VAR_TOKEN_CACHE,
    NGX_PROXY_USER_VAR_TIME
} ngx_proxy_user_var_e;


static ngx_int_t ngx_proxy_user_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_proxy_user_variable_claim(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_proxy_user_variable_assertion(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static pu_str_t ngx_proxy_user_variable_identity(
    const ngx_proxy_user_identity_t *id, ngx_uint_t which);
static pu_str_t ngx_proxy_user_variable_decision(
    const ngx_proxy_user_identity_t *id, ngx_uint_t which);
static ngx_int_t ngx_proxy_user_variable_made(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id, ngx_uint_t which, pu_str_t *value);
static void ngx_proxy_user_variable_set(ngx_http_variable_value_t *v,
    pu_str_t value);
static void ngx_proxy_user_variable_put(ngx_http_variable_value_t *v,
    pu_str_t value);


#define NGX_PROXY_USER_VAR(name, which)                                       \
    { ngx_string("proxy_user_" name), NULL, ngx_proxy_user_variable,          \
      NGX_PROXY_USER_VAR_ ## which, NGX_HTTP_VAR_NOCACHEABLE, 0 }

static const ngx_http_variable_t  ngx_proxy_user_vars[] = {
    NGX_PROXY_USER_VAR("id", ID),
    NGX_PROXY_USER_VAR("name", NAME),
    NGX_PROXY_USER_VAR("type", TYPE),
    NGX_PROXY_USER_VAR("issuer", ISSUER),
    NGX_PROXY_USER_VAR("subject", SUBJECT),
    NGX_PROXY_USER_VAR("roles", ROLES),
    NGX_PROXY_USER_VAR("scopes", SCOPES),
    NGX_PROXY_USER_VAR("handle", HANDLE),
    NGX_PROXY_USER_VAR("credential", CREDENTIAL),
    NGX_PROXY_USER_VAR("decision", DECISION),
    NGX_PROXY_USER_VAR("reason", REASON),
    NGX_PROXY_USER_VAR("rule", RULE),
    NGX_PROXY_USER_VAR("cache", CACHE),
    NGX_PROXY_USER_VAR("token_cache", TOKEN_CACHE),
    NGX_PROXY_USER_VAR("time", TIME),

    { ngx_string("proxy_user_assertion"), NULL,
      ngx_proxy_user_variable_assertion, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string(NGX_PROXY_USER_CLAIM), NULL, ngx_proxy_user_variable_claim,
      0, NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_proxy_user_variables_add(ngx_conf_t *cf)
{
    ngx_str_t                   name;
    ngx_http_variable_t        *var;
    const ngx_http_variable_t  *v;

    for (v = ngx_proxy_user_vars; v->name.len; v++) {
        name = v->name;

        var = ngx_http_add_variable(cf, &name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    pu_str_t                          value;
    const ngx_proxy_user_identity_t  *id;

    value = PU_STR("");

    id = ngx_proxy_user_identity_find(r);

    if (id == NULL) {
        ngx_proxy_user_variable_set(v, value);
        return NGX_OK;
    }

    switch (data) {

    case NGX_PROXY_USER_VAR_HANDLE:
    case NGX_PROXY_USER_VAR_TIME:

        if (ngx_proxy_user_variable_made(r, id, data, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        break;

    case NGX_PROXY_USER_VAR_DECISION:
    case NGX_PROXY_USER_VAR_REASON:
    case NGX_PROXY_USER_VAR_RULE:
    case NGX_PROXY_USER_VAR_CACHE:
    case NGX_PROXY_USER_VAR_TOKEN_CACHE:
        value = ngx_proxy_user_variable_decision(id, data);
        break;

    default:
        value = ngx_proxy_user_variable_identity(id, data);
        break;
    }

    ngx_proxy_user_variable_set(v, value);

    return NGX_OK;
}


static pu_str_t
ngx_proxy_user_variable_identity(const ngx_proxy_user_identity_t *id,
    ngx_uint_t which)
{
    if (!ngx_proxy_user_identity_shown(id)) {
        return PU_STR("");
    }

    switch (which) {

    case NGX_PROXY_USER_VAR_ISSUER:
        return ngx_proxy_user_identity_issuer(id);

    case NGX_PROXY_USER_VAR_SUBJECT:
        return id->verified.subject;

    case NGX_PROXY_USER_VAR_CREDENTIAL:
        return ngx_proxy_user_identity_credential(id);

    default:
        break;
    }

    if (!id->found) {
        return PU_STR("");
    }

    switch (which) {

    case NGX_PROXY_USER_VAR_ID:
        return id->user.id;

    case NGX_PROXY_USER_VAR_NAME:
        return id->user.name;

    case NGX_PROXY_USER_VAR_TYPE:
        return pu_user_type_word(id->user.type);

    case NGX_PROXY_USER_VAR_ROLES:
        return id->last.roles;

    case NGX_PROXY_USER_VAR_SCOPES:
        return id->last.scopes;

    default:
        return PU_STR("");
    }
}


static pu_str_t
ngx_proxy_user_variable_decision(const ngx_proxy_user_identity_t *id,
    ngx_uint_t which)
{
    switch (which) {

    case NGX_PROXY_USER_VAR_CACHE:
        return ngx_proxy_user_cache_word(id->cache);

    case NGX_PROXY_USER_VAR_TOKEN_CACHE:
        return ngx_proxy_user_cache_word(id->token_cache);

    default:
        break;
    }

    if (id->last.verdict == NGX_PROXY_USER_UNDECIDED) {
        return PU_STR("");
    }

    switch (which) {

    case NGX_PROXY_USER_VAR_DECISION:
        return ngx_proxy_user_verdict_word(id->last.verdict);

    case NGX_PROXY_USER_VAR_REASON:
        return pu_reason_word(id->last.reason);

    default:
        return id->last.rule ? id->last.rule->where : PU_STR("");
    }
}


static ngx_int_t
ngx_proxy_user_variable_made(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id, ngx_uint_t which, pu_str_t *value)
{
    u_char  *p;

    if (which == NGX_PROXY_USER_VAR_HANDLE) {

        if (!ngx_proxy_user_identity_shown(id)) {
            return NGX_OK;
        }

        p = ngx_pnalloc(r->pool, PU_HANDLE_TEXT_MAX);
        if (p == NULL) {
            return NGX_ERROR;
        }

        value->data = p;
        value->len = ngx_proxy_user_identity_handle(id, p);

        return NGX_OK;
    }

    if (id->last.verdict == NGX_PROXY_USER_UNDECIDED) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_PROXY_USER_TIME_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = ngx_sprintf(p, "%uL.%06uL", id->spent / 1000000,
                             id->spent % 1000000)
                 - p;

    return NGX_OK;
}


/* Read when asked for. */

static ngx_int_t
ngx_proxy_user_variable_claim(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *variable = (ngx_str_t *) data;

    pu_str_t                          name, value;
    ngx_log_t                         log;
    const ngx_proxy_user_identity_t  *id;

    value = PU_STR("");

    id = ngx_proxy_user_identity_find(r);

    if (id && ngx_proxy_user_identity_shown(id)) {
        name.len = variable->len - (sizeof(NGX_PROXY_USER_CLAIM) - 1);
        name.data = variable->data + sizeof(NGX_PROXY_USER_CLAIM) - 1;

        switch (ngx_proxy_user_identity_claim(r, id, name, &value)) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            log = ngx_proxy_user_identity_log(r);

            ngx_log_error(NGX_LOG_WARN, &log, 0,
                          "proxy_user: the claim for \"$%V\" has a control "
                          "byte: the variable is empty, client: %V",
                          variable, &r->connection->addr_text);
            break;

        default:
            return NGX_ERROR;
        }
    }

    ngx_proxy_user_variable_set(v, value);

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_variable_assertion(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    pu_str_t                    value;
    ngx_proxy_user_identity_t  *id;

    value = PU_STR("");

    id = ngx_proxy_user_identity_find(r);

    if (id && ngx_proxy_user_identity_shown(id)
        && ngx_proxy_user_assertion(r, id, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what we have signed ourselves is base64url and dots */

    ngx_proxy_user_variable_put(v, value);

    return NGX_OK;
}


/* nginx would forward a line end in a variable as a new header. */

static void
ngx_proxy_user_variable_set(ngx_http_variable_value_t *v, pu_str_t value)
{
    if (pu_str_has_control(value)) {
        value.len = 0;
    }

    ngx_proxy_user_variable_put(v, value);
}


static void
ngx_proxy_user_variable_put(ngx_http_variable_value_t *v, pu_str_t value)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = value.len;
    v->data = (u_char *) (uintptr_t) value.data;
}
