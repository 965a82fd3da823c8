
/*
 * The guard; see the header.
 *
 * A failure is counted when it has happened, not when a credential is shown:
 * who shows good ones is never counted, and only waits while somebody else at
 * his address fails, with a credential that was not good before.
 */

#include "ngx_proxy_user_guard.h"
#include "ngx_proxy_user_limit.h"
#include "ngx_proxy_user_zone_limit.h"


static ngx_int_t ngx_proxy_user_guard_key(ngx_http_request_t *r,
    const ngx_proxy_user_main_conf_t *mcf, u_char *key);
static pu_str_t ngx_proxy_user_guard_address(const ngx_connection_t *c);
static ngx_uint_t ngx_proxy_user_guard_read(pu_rate_t *rate,
    const ngx_str_t *words, ngx_uint_t n);


ngx_uint_t
ngx_proxy_user_guard_open(ngx_http_request_t *r, pu_left_t *left)
{
    u_char                             key[NGX_PROXY_USER_KEY_LEN];
    const ngx_proxy_user_loc_conf_t   *conf;
    const ngx_proxy_user_main_conf_t  *mcf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);
    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    if (conf->failures == NULL
        || ngx_proxy_user_guard_key(r, mcf, key) != NGX_OK)
    {
        return 1;
    }

    return ngx_proxy_user_zone_failures(mcf->zone, key, conf->failures, left);
}


pu_reason_t
ngx_proxy_user_guard_reason(ngx_http_request_t *r, pu_reason_t reason,
    pu_left_t *left)
{
    return ngx_proxy_user_guard_open(r, left) ? reason : PU_TOO_MANY_FAILURES;
}


void
ngx_proxy_user_guard_failed(ngx_http_request_t *r, pu_reason_t reason)
{
    u_char                             key[NGX_PROXY_USER_KEY_LEN];
    const ngx_proxy_user_loc_conf_t   *conf;
    const ngx_proxy_user_main_conf_t  *mcf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);
    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);

    if (conf->failures == NULL
        || pu_reason_status(reason) != NGX_HTTP_UNAUTHORIZED
        || reason == PU_NO_CREDENTIAL
        || reason == PU_TOKEN_EXPIRED
        || reason == PU_TOKEN_NOT_YET_VALID
        || ngx_proxy_user_guard_key(r, mcf, key) != NGX_OK)
    {
        return;
    }

    ngx_proxy_user_zone_failed(mcf->zone, key, conf->failures);
}


ngx_int_t
ngx_proxy_user_guard_headers(ngx_http_request_t *r, const pu_left_t *left)
{
    u_char                            policy[PU_LIMIT_TEXT_MAX];
    u_char                            text[PU_LIMIT_TEXT_MAX];
    pu_buf_t                          p, l;
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_proxy_user_module);

    pu_buf_init(&p, policy, sizeof(policy));
    pu_guard_policy(&p, conf->failures);

    pu_buf_init(&l, text, sizeof(text));
    pu_guard_left(&l, left);

    return ngx_proxy_user_limit_headers(r, pu_buf_written(&p),
                                        pu_buf_written(&l), left->reset);
}


static ngx_int_t
ngx_proxy_user_guard_key(ngx_http_request_t *r,
    const ngx_proxy_user_main_conf_t *mcf, u_char *key)
{
    u_char    salt[NGX_PROXY_USER_SALT_LEN];
    pu_str_t  parts[2];

    if (mcf->zone == NULL || mcf->hash == NULL) {
        return NGX_DECLINED;
    }

    parts[1] = ngx_proxy_user_guard_address(r->connection);

    if (parts[1].len == 0) {
        return NGX_DECLINED;
    }

    ngx_proxy_user_zone_salt(mcf->zone, salt);
    parts[0] = (pu_str_t) { NGX_PROXY_USER_SALT_LEN, salt };

    return pu_hash_sha256(mcf->hash, key, parts, 2) ? NGX_OK : NGX_ERROR;
}


/*
 * The bytes that stand for the client.  A socket for both families shows IPv4
 * as addresses of one /64, which must not be taken for one network.
 */

static pu_str_t
ngx_proxy_user_guard_address(const ngx_connection_t *c)
{
    const struct sockaddr_in   *in;
#if (NGX_HAVE_INET6)
    const struct sockaddr_in6  *in6;
#endif

    switch (c->sockaddr->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        in6 = (const struct sockaddr_in6 *) c->sockaddr;

        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            return (pu_str_t) { 4, &in6->sin6_addr.s6_addr[12] };
        }

        return (pu_str_t) { 8, in6->sin6_addr.s6_addr };
#endif

    case AF_INET:
        in = (const struct sockaddr_in *) c->sockaddr;

        return (pu_str_t) { 4, (const uint8_t *) &in->sin_addr };

    default:
        return PU_STR("");
    }
}


char *
ngx_proxy_user_guard_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_proxy_user_loc_conf_t *lcf = conf;

    pu_rate_t  *rate;
    ngx_str_t  *words, none;

    if (lcf->failures != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    words = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(words[1].data, "off") == 0) {
        lcf->failures = NULL;
        return NGX_CONF_OK;
    }

    rate = ngx_pcalloc(cf->pool, sizeof(pu_rate_t));
    if (rate == NULL) {
        return NGX_CONF_ERROR;
    }

    if (!ngx_proxy_user_guard_read(rate, &words[1], cf->args->nelts - 1)) {
        ngx_str_null(&none);

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_guard\" has the value \"%V%s%V\", "
                           "allowed are \"off\", or \"rate=\" with a number "
                           "from 1 to 1000000 and \"r/s\" or \"r/m\", then "
                           "\"burst=\" with a number from 0 to 1000000",
                           &words[1], cf->args->nelts == 3 ? " " : "",
                           cf->args->nelts == 3 ? &words[2] : &none);
        return NGX_CONF_ERROR;
    }

    lcf->failures = rate;

    return NGX_CONF_OK;
}


/* As the "rate" of a profile, but for the name in front of it. */

static ngx_uint_t
ngx_proxy_user_guard_read(pu_rate_t *rate, const ngx_str_t *words,
    ngx_uint_t n)
{
    char          err[PU_ERROR_SIZE];
    pu_str_t      list[3];
    pu_profile_t  profile;

    if (words[0].len < sizeof("rate=")
        || ngx_strncmp(words[0].data, "rate=", sizeof("rate=") - 1) != 0)
    {
        return 0;
    }

    list[0] = PU_STR("rate");
    list[1] = (pu_str_t) { words[0].len - (sizeof("rate=") - 1),
                           words[0].data + sizeof("rate=") - 1 };

    if (n == 2) {
        list[2] = ngx_proxy_user_str(&words[1]);
    }

    ngx_memzero(&profile, sizeof(pu_profile_t));

    if (!pu_profile_set(&profile, list, n + 1, err)) {
        return 0;
    }

    *rate = profile.rate;

    return 1;
}
