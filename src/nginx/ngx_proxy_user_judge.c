
/*
 * What a known user may do here; see the header.
 */

#include "ngx_proxy_user_handle.h"
#include "ngx_proxy_user_judge.h"


static ngx_int_t ngx_proxy_user_judge_grants(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id);
static ngx_int_t ngx_proxy_user_judge_values(ngx_http_request_t *r,
    const ngx_proxy_user_require_t *require);


pu_reason_t
ngx_proxy_user_judge(ngx_http_request_t *r, ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf, pu_str_t method)
{
    pu_reason_t  reason;

    if (!id->anonymous) {

        if (ngx_proxy_user_judge_grants(r, id) != NGX_OK) {
            return PU_INTERNAL;
        }

        reason = pu_user_judge(&id->user, id->verified.iat, ngx_time());

        if (reason != PU_OK) {
            return reason;
        }
    }

    /* without a credential the lines hold all the same */

    reason = pu_policy_decide(&conf->policy, id->last.roles, id->last.scopes,
                              pu_method(method), &id->last.rule);

    return reason != PU_OK && id->anonymous ? PU_NO_CREDENTIAL : reason;
}


/* The roles and scopes in force now: grants end, tokens differ. */

static ngx_int_t
ngx_proxy_user_judge_grants(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id)
{
    size_t                             size;
    u_char                            *p;
    pu_buf_t                           b;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    id->last.roles = id->verified.roles;
    id->last.scopes = id->verified.scopes;
    id->last.until = INT64_MAX;

    if (id->kind != PU_HANDLE_SUB) {
        return ngx_proxy_user_handle_grants(r, id);
    }

    if (id->user.roles.len) {
        size = id->user.roles.len + id->verified.roles.len + 1;

        p = ngx_pnalloc(r->pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        pu_buf_init(&b, p, size);
        pu_user_roles(&b, &id->user, id->verified.roles, &mcf->profiles,
                      ngx_time(), &id->last.until);
        id->last.roles = pu_buf_written(&b);

        if (b.full) {
            return NGX_ERROR;
        }
    }

    if (id->user.scopes.data) {
        size = id->verified.scopes.len + 1;

        p = ngx_pnalloc(r->pool, size);
        if (p == NULL) {
            return NGX_ERROR;
        }

        pu_buf_init(&b, p, size);
        pu_user_scopes(&b, &id->user, id->verified.scopes);
        id->last.scopes = pu_buf_written(&b);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_proxy_user_judge_accepts(const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_loc_conf_t *conf)
{
    ngx_uint_t           i;
    const pu_issuer_t  **issuer;

    if (conf->accepted == NULL) {
        return 1;
    }

    issuer = conf->accepted->elts;

    for (i = 0; i < conf->accepted->nelts; i++) {
        if (issuer[i] == id->issuer) {
            return 1;
        }
    }

    return 0;
}


pu_reason_t
ngx_proxy_user_judge_require(ngx_http_request_t *r,
    ngx_proxy_user_identity_t *id, const ngx_proxy_user_loc_conf_t *conf)
{
    ngx_uint_t                 i;
    ngx_proxy_user_require_t  *require;

    if (conf->requires == NULL) {
        return PU_OK;
    }

    require = conf->requires->elts;

    for (i = 0; i < conf->requires->nelts; i++) {

        switch (ngx_proxy_user_judge_values(r, &require[i])) {

        case NGX_OK:
            continue;

        case NGX_ERROR:
            return PU_INTERNAL;

        default:
            id->last.rule = &require[i].rule;

            if (id->anonymous) {
                return PU_NO_CREDENTIAL;
            }

            id->last.status = require[i].status;
            return PU_REQUIREMENT_FAILED;
        }
    }

    return PU_OK;
}


/* NGX_OK: all are there; NGX_DECLINED: one is empty or "0". */

static ngx_int_t
ngx_proxy_user_judge_values(ngx_http_request_t *r,
    const ngx_proxy_user_require_t *require)
{
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *values;

    values = require->values.elts;

    for (i = 0; i < require->values.nelts; i++) {

        if (r == NULL) {
            return NGX_DECLINED;
        }

        if (ngx_http_complex_value(r, &values[i], &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (value.len == 0 || (value.len == 1 && value.data[0] == '0')) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_proxy_user_judge_preflight(ngx_http_request_t *r)
{
    ngx_uint_t        i, k, seen;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static const ngx_str_t  names[] = {
        ngx_string("Origin"),
        ngx_string("Access-Control-Request-Method")
    };

    if (r->method != NGX_HTTP_OPTIONS) {
        return 0;
    }

    seen = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (k = 0; k < 2; k++) {

                if (h[i].value.len
                    && h[i].key.len == names[k].len
                    && ngx_strncasecmp(h[i].key.data, names[k].data,
                                       names[k].len)
                       == 0)
                {
                    seen |= 1 << k;
                }
            }
        }
    }

    return seen == 3;
}
