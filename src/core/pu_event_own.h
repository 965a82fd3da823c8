/*
 * What the files of pu_event share.  Not for anybody else.
 */

#ifndef PU_EVENT_OWN_H
#define PU_EVENT_OWN_H

#include "pu_event.h"


/*
 * Whom a verified event names.  Each fills subject, claim and link, or
 * stranger; DONE, UNMATCHED or BAD with event->text.
 *
 * logout: the claims of a logout token.  id: a subject identifier (RFC 9493),
 * or one as Okta writes it.
 */
pu_event_outcome_t pu_event_logout_subject(pu_event_t *event,
    const pu_issuer_t *issuer);
pu_event_outcome_t pu_event_subject(pu_event_t *event,
    const pu_issuer_t *issuer, json_t *id);

/*
 * The one event in the claims of a security event token: fills effect, word,
 * time and, where there is an effect, whom.
 */
pu_event_outcome_t pu_event_happened(pu_event_t *event,
    const pu_issuer_t *issuer, int64_t now);

/* A string that may name something: not empty, not long, no control bytes. */
int pu_event_name(const json_t *value, size_t max, pu_str_t *s);


#endif /* PU_EVENT_OWN_H */
