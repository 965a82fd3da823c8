/*
 * pu_event: what an identity provider says has happened to somebody, as it
 * was posted: an OpenID Connect logout token (Back-Channel Logout 1.0), a
 * security event token (RFC 8417, pushed by RFC 8935: Shared Signals, CAEP and
 * RISC), or a global token revocation as Okta sends it.
 *
 * One request goes in; a verified event comes out, or the reason why it is
 * none.  Nothing is looked up and nothing is done here: whether the event was
 * seen before, who it is about and what becomes of them is Redis's
 * (pu_command_event.h).  No nginx, no network.
 */

#ifndef PU_EVENT_H
#define PU_EVENT_H

#include "pu_dpop.h"
#include "pu_token.h"


#define PU_EVENT_BODY_MAX     (64 * 1024)
#define PU_EVENT_JTI_MAX      255
#define PU_EVENT_AGE_MAX      (24 * 3600)   /* seconds since "iat" */
#define PU_EVENT_ANSWER_MAX   512


/* What was posted; the media type says it, and the token's typ must fit. */
typedef enum {
    PU_EVENT_OTHER = 0,
    PU_EVENT_LOGOUT,                    /* a form with a logout_token */
    PU_EVENT_PUSH,                      /* a security event token */
    PU_EVENT_GLOBAL                     /* JSON, the token in Authorization */
} pu_event_kind_t;

typedef enum {
    PU_EFFECT_NONE = 0,
    PU_EFFECT_REVOKE,
    PU_EFFECT_SUSPEND,
    PU_EFFECT_RESUME,
    PU_EFFECT_DELETE
} pu_effect_t;

/* What came of a request. */
typedef enum {
    PU_EVENT_DONE = 0,
    PU_EVENT_UNKNOWN,                   /* there is no such user */
    PU_EVENT_SEEN,                      /* it was done before */
    PU_EVENT_UNMATCHED,                 /* no subject of this form can be
                                           matched with a user */
    PU_EVENT_BAD,                       /* the request or its token */
    PU_EVENT_UNAVAILABLE                /* nobody knows: send it again */
} pu_event_outcome_t;


typedef struct {
    pu_event_kind_t            kind;
    pu_str_t                   authorization;   /* header; or empty */
    pu_str_t                   body;
    const pu_list_t           *audience;        /* NULL: the issuer's */
    const pu_dpop_request_t   *endpoint;        /* our own url; NULL: not
                                                   known, so nobody's */
    const pu_issuer_t         *issuer;
    const pu_keys_t           *keys;            /* in force, or NULL */
    int64_t                    now;             /* seconds since 1970 */
} pu_event_request_t;


typedef struct {
    pu_effect_t   effect;
    const char   *word;                 /* what happened, for the log; static */
    int64_t       time;                 /* when, seconds since 1970 */

    /* what it is known by afterwards, and for how many seconds from now */
    uint8_t       id[PU_SHA256_LEN];
    int64_t       keep;

    /* of whom; with an effect there is one of the two or both, unless ... */
    pu_str_t      subject;              /* of the issuer; data NULL: none */
    pu_str_t      claim;                /* what a provisioned user is found */
    pu_link_t     link;                 /* by; PU_LINK_NONE: nothing */

    unsigned      stranger:1;           /* ... it is another issuer's */
    unsigned      authentic:1;          /* the issuer has signed it */
    unsigned      kid_unknown:1;        /* no key in force has its kid */

    pu_str_t      type;                 /* of an event nobody knows here */
    const char   *text;                 /* why it is bad, in words; static */
    json_t       *claims;               /* owned; strings point here, ... */
    json_t       *asked;                /* ... or here */
} pu_event_t;


/* By the Content-Type of a request; parameters are passed over. */
pu_event_kind_t pu_event_kind(pu_str_t content_type);

/*
 * Verifies a request of any kind but OTHER.  DONE: "event" is filled.  BAD:
 * *reason and event->text (may be NULL) say why; PU_NO_CREDENTIAL when there
 * was no token in it, PU_ISSUER_UNAVAILABLE when the issuer's keys have to be
 * fetched first, PU_CREDENTIAL_MALFORMED when the token is good and what it
 * says makes no event.  UNMATCHED: event->text.  The caller clears "event" in
 * every case; what was posted may go away before.  Leaves no OpenSSL error
 * behind.
 */
pu_event_outcome_t pu_event_verify(pu_event_t *event,
    const pu_event_request_t *request, pu_reason_t *reason);

void pu_event_clear(pu_event_t *event);

/*
 * The status that an outcome has for this kind of request, and the JSON body
 * that goes with it, in at most PU_EVENT_ANSWER_MAX bytes; none is written
 * where there is none.  "text" may be NULL: what the reason says.
 */
int pu_event_answer(pu_buf_t *body, pu_event_kind_t kind,
    pu_event_outcome_t outcome, pu_reason_t reason, const char *text);

/* The same body for a status that is HTTP's and not the protocol's. */
void pu_event_fault(pu_buf_t *body, pu_event_kind_t kind, const char *text);


#endif /* PU_EVENT_H */
