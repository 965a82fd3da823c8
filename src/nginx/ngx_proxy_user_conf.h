/*
 * Configuration: create, merge, cross-check; the directives' setters.
 *
 * Everything here runs while a configuration is read, in the master.
 */

#ifndef NGX_PROXY_USER_CONF_H
#define NGX_PROXY_USER_CONF_H

#include "ngx_proxy_user.h"


void *ngx_proxy_user_create_main_conf(ngx_conf_t *cf);
char *ngx_proxy_user_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_proxy_user_create_loc_conf(ngx_conf_t *cf);
char *ngx_proxy_user_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

/* http level */
char *ngx_proxy_user_zone_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_redis_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_issuer_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_profile_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_policy_report_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

/* http, server, location, limit_except */
char *ngx_proxy_user_enum_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_rule_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_require_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_accept_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_credential_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_realm_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_strip_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_proxy_user_audit_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* location */
char *ngx_proxy_user_explain_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* The words of a line for the core, in cf->pool; NULL when memory is gone. */
pu_str_t *ngx_proxy_user_words(ngx_conf_t *cf);

/*
 * For the setter of a content handler: it answers in this location, and no
 * other directive does.  Whoever comes later and takes its place is found by
 * the merge.
 */
char *ngx_proxy_user_answers(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf,
    ngx_http_handler_pt handler);

/*
 * Is a content handler that is for operators guarded, or said not to be?  In
 * its setter "words" from the second on are looked at: the last may be
 * "unguarded".  Sets conf->guard; the merge then refuses the configuration
 * unless an enforced "proxy_user on" with a role line is in force there under
 * "satisfy all".
 */
void ngx_proxy_user_guard(ngx_conf_t *cf, ngx_proxy_user_loc_conf_t *conf,
    const char *directive);
ngx_int_t ngx_proxy_user_guarded(ngx_conf_t *cf,
    const ngx_proxy_user_loc_conf_t *conf);

/* "file:line" of the directive that is read, in the configuration's pool */
ngx_int_t ngx_proxy_user_where(ngx_conf_t *cf, pu_str_t *where);

/* Once all profiles are read. */
ngx_int_t ngx_proxy_user_profiles_init(ngx_conf_t *cf,
    ngx_proxy_user_main_conf_t *mcf);

/* What the role lines in force permit, by the profiles. */
ngx_int_t ngx_proxy_user_merge_policy(ngx_conf_t *cf,
    ngx_proxy_user_loc_conf_t *conf, const pu_profiles_t *profiles);

/* words of the directives that take one of a few */
extern ngx_conf_enum_t  ngx_proxy_user_enable[];
extern ngx_conf_enum_t  ngx_proxy_user_on_unknown[];
extern ngx_conf_enum_t  ngx_proxy_user_mode[];
extern ngx_conf_enum_t  ngx_proxy_user_preflight[];


#endif /* NGX_PROXY_USER_CONF_H */
