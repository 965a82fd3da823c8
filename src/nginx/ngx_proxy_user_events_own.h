/*
 * What the files of events share.  Not for anybody else.
 */

#ifndef NGX_PROXY_USER_EVENTS_OWN_H
#define NGX_PROXY_USER_EVENTS_OWN_H

#include "ngx_proxy_user_events.h"
#include "pu_event.h"


/*
 * Sends what came of a request, in the words of its protocol, or a status of
 * HTTP's own; a refusal is told in the log at level info too.  They return
 * what the request is finalized with.  "text" as in pu_event_answer.
 */
ngx_int_t ngx_proxy_user_events_answer(ngx_http_request_t *r,
    pu_event_kind_t kind, pu_event_outcome_t outcome, pu_reason_t reason,
    const char *text);
ngx_int_t ngx_proxy_user_events_fault(ngx_http_request_t *r,
    pu_event_kind_t kind, ngx_uint_t status, const char *text);


#endif /* NGX_PROXY_USER_EVENTS_OWN_H */
