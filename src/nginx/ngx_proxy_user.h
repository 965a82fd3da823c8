/*
 * ngx_proxy_user.h: what the files of this room share: the configuration.
 *
 * Written while a configuration is read, const in request code.
 */

#ifndef NGX_PROXY_USER_H
#define NGX_PROXY_USER_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include "ngx_proxy_user_compat.h"
#include "pu_hash.h"
#include "pu_issuer.h"
#include "pu_policy.h"
#include "pu_profile.h"
#include "pu_token.h"
#include "pu_user.h"


typedef struct ngx_proxy_user_zone_s        ngx_proxy_user_zone_t;
typedef struct ngx_proxy_user_store_s       ngx_proxy_user_store_t;
typedef struct ngx_proxy_user_redis_conf_s  ngx_proxy_user_redis_conf_t;
typedef struct ngx_proxy_user_audit_s       ngx_proxy_user_audit_t;
typedef struct ngx_proxy_user_limits_s      ngx_proxy_user_limits_t;
typedef struct ngx_proxy_user_limited_s     ngx_proxy_user_limited_t;
typedef struct ngx_proxy_user_remote_s      ngx_proxy_user_remote_t;
typedef struct ngx_proxy_user_keyring_s     ngx_proxy_user_keyring_t;
typedef struct ngx_proxy_user_introspector_s
    ngx_proxy_user_introspector_t;
typedef struct ngx_proxy_user_assertion_s   ngx_proxy_user_assertion_t;
typedef struct ngx_proxy_user_scim_s        ngx_proxy_user_scim_t;
typedef struct ngx_proxy_user_events_s      ngx_proxy_user_events_t;
typedef struct ngx_proxy_user_errands_s     ngx_proxy_user_errands_t;
typedef struct ngx_proxy_user_assertions_s  ngx_proxy_user_assertions_t;
typedef struct ngx_proxy_user_cuts_s        ngx_proxy_user_cuts_t;


#define NGX_PROXY_USER_OFF       0
#define NGX_PROXY_USER_ON        1
#define NGX_PROXY_USER_OPTIONAL  2

#define NGX_PROXY_USER_STALE     0
#define NGX_PROXY_USER_CLOSED    1

#define NGX_PROXY_USER_ENFORCE   0
#define NGX_PROXY_USER_REPORT    1


typedef enum {
    NGX_PROXY_USER_BEARER = 0,
    NGX_PROXY_USER_HEADER,
    NGX_PROXY_USER_COOKIE,
    NGX_PROXY_USER_QUERY,
    NGX_PROXY_USER_API_KEY,
    NGX_PROXY_USER_CERTIFICATE
} ngx_proxy_user_place_e;


/* one word of proxy_user_credential */
typedef struct {
    ngx_proxy_user_place_e           place;
    ngx_str_t                        name;        /* as the client sends it */
    unsigned                         warned:1;    /* proxy_user_strip takes it
                                                     away, and we said so */
} ngx_proxy_user_source_t;


/* one line of proxy_user_require */
typedef struct {
    ngx_array_t                      values;      /* ngx_http_complex_value_t */
    ngx_int_t                        status;      /* when one is empty */
    pu_rule_t                        rule;        /* only where it is */
} ngx_proxy_user_require_t;


typedef struct {
    pu_issuers_t                     issuers;
    ngx_array_t                     *issuer_list; /* pu_issuer_t * */
    pu_profiles_t                    profiles;
    ngx_array_t                     *profile_list; /* pu_profile_t */
    ngx_str_t                        report;      /* file; empty: none */
    ngx_proxy_user_redis_conf_t     *redis;       /* NULL: zone only */
    size_t                           zone_size;
    ngx_proxy_user_zone_t           *zone;        /* NULL: no issuer */
    ngx_proxy_user_remote_t        **remotes;     /* one for each issuer */
    ngx_proxy_user_store_t          *store;       /* set in a worker */
    ngx_proxy_user_keyring_t        *keyring;     /* set in a worker */
    ngx_proxy_user_introspector_t   *introspector;    /* set in a worker */
    pu_hash_t                       *hash;        /* set in a worker */
    ngx_proxy_user_limits_t         *limits;      /* the same; or no profile */
    ngx_int_t                        request_id;  /* variable index */
    ngx_uint_t                       files;       /* audit, to be reopened */
    ngx_uint_t                       keys;        /* a place takes handles */
    ngx_array_t                     *asserted;    /* ..._asserted_t, or NULL */
    ngx_proxy_user_assertions_t     *assertions;  /* set in a worker */
    ngx_uint_t                       scims;       /* is there a location? */
    ngx_proxy_user_errands_t        *scim;        /* set in a worker */
    ngx_uint_t                       told;        /* a location for events? */
    ngx_proxy_user_errands_t        *events;      /* set in a worker */
    ngx_proxy_user_cuts_t           *cuts;        /* set in a worker */
} ngx_proxy_user_main_conf_t;


typedef struct {
    ngx_uint_t                       enable;
    ngx_uint_t                       within;      /* what locations in it
                                                     inherit of that */
    ngx_http_handler_pt              handler;     /* of ours; NULL: none */
    ngx_str_t                        answers;     /* its directive */
    ngx_array_t                     *roles;       /* pu_rule_t */
    ngx_array_t                     *scopes;      /* pu_rule_t */
    pu_policy_t                      policy;
    ngx_array_t                     *requires;    /* ..._require_t */
    ngx_uint_t                       mode;
    ngx_uint_t                       preflight;
    const char                      *guard;       /* a directive that is for
                                                     operators; not merged */
    ngx_array_t                     *accept;      /* ngx_str_t, then ... */
    ngx_array_t                     *accepted;    /* const pu_issuer_t * */
    ngx_array_t                     *names;       /* the server's, ...
                                                     ..._server_name_t */
    const pu_issuer_t               *decrypts;    /* encrypted tokens, or
                                                     NULL */
    const pu_issuer_t               *introspects; /* those that are no JWTs,
                                                     or NULL */
    ngx_array_t                     *sources;     /* ..._source_t */
    ngx_str_t                        realm;
    ngx_str_t                        challenge;   /* Bearer realm="..." */
    ngx_uint_t                       on_unknown;
    ngx_array_t                     *strip;       /* ngx_str_t; empty: off */
    ngx_proxy_user_audit_t          *audit;       /* NULL: off */
    pu_rate_t                       *failures;    /* the guard; NULL: off */
    ngx_proxy_user_assertion_t      *assertion;   /* NULL: none */
    ngx_proxy_user_scim_t           *scim;        /* NULL; not inherited */
    ngx_proxy_user_events_t         *events;      /* the same */
    ngx_uint_t                       cut;
} ngx_proxy_user_loc_conf_t;


extern ngx_module_t  ngx_proxy_user_module;
extern ngx_module_t  ngx_proxy_user_filter_module;


static ngx_inline pu_str_t
ngx_proxy_user_str(const ngx_str_t *s)
{
    return (pu_str_t) { s->len, s->data };
}


#endif /* NGX_PROXY_USER_H */
