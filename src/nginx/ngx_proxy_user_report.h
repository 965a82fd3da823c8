/*
 * The policy of the whole configuration: walks every location once nginx has
 * put them in order, warns of what looks wrong, and writes the report.
 *
 * Runs while a configuration is read, in the master; nothing is left of it at
 * request time.
 */

#ifndef NGX_PROXY_USER_REPORT_H
#define NGX_PROXY_USER_REPORT_H

#include "ngx_proxy_user.h"


/* In postconfiguration.  NGX_ERROR when the report cannot be written. */
ngx_int_t ngx_proxy_user_report(ngx_conf_t *cf,
    ngx_proxy_user_main_conf_t *mcf);


#endif /* NGX_PROXY_USER_REPORT_H */
