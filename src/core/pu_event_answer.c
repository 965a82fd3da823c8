/*
 * pu_event_answer: what a provider is answered, in the words of the protocol
 * that it speaks: RFC 6749's for a log-out and a global revocation, RFC 8935's
 * for a security event token.
 */

#include "pu_event_own.h"
#include "pu_json.h"


/* In the order of pu_event_kind_t. */
static const int  pu_event_good[] = { 0, 200, 202, 204 };


static int pu_event_status(pu_event_kind_t kind, pu_event_outcome_t outcome,
    pu_reason_t reason);
static int pu_event_status_global(pu_event_outcome_t outcome,
    pu_reason_t reason);
static const char *pu_event_code(pu_event_kind_t kind, int status,
    pu_reason_t reason);
static const char *pu_event_code_push(pu_reason_t reason);
static const char *pu_event_said(pu_event_outcome_t outcome);
static void pu_event_body(pu_buf_t *body, pu_event_kind_t kind,
    const char *code, pu_str_t text);


int
pu_event_answer(pu_buf_t *body, pu_event_kind_t kind,
    pu_event_outcome_t outcome, pu_reason_t reason, const char *text)
{
    int       status;
    pu_str_t  said;

    status = pu_event_status(kind, outcome, reason);

    if (status < 300) {
        return status;
    }

    if (text == NULL) {
        text = pu_event_said(outcome);
    }

    said = text ? pu_str(text) : pu_reason_text(reason);

    pu_event_body(body, kind, pu_event_code(kind, status, reason), said);

    return status;
}


void
pu_event_fault(pu_buf_t *body, pu_event_kind_t kind, const char *text)
{
    pu_event_body(body, kind, "invalid_request", pu_str(text));
}


/*
 * Who names nobody here has done nothing wrong: a stream tells of everybody.
 * Only a global revocation has to be told.
 */

static int
pu_event_status(pu_event_kind_t kind, pu_event_outcome_t outcome,
    pu_reason_t reason)
{
    if (outcome == PU_EVENT_UNAVAILABLE
        || (outcome == PU_EVENT_BAD && reason == PU_ISSUER_UNAVAILABLE))
    {
        return 503;
    }

    if (outcome == PU_EVENT_BAD && reason == PU_INTERNAL) {
        return 500;
    }

    if (outcome == PU_EVENT_BAD && reason == PU_TOO_MANY_FAILURES) {
        return 429;
    }

    if (outcome == PU_EVENT_DONE) {
        return pu_event_good[kind];
    }

    if (kind == PU_EVENT_GLOBAL) {
        return pu_event_status_global(outcome, reason);
    }

    if (outcome == PU_EVENT_UNKNOWN
        || (outcome == PU_EVENT_SEEN && kind == PU_EVENT_PUSH))
    {
        return pu_event_good[kind];
    }

    return 400;
}


static int
pu_event_status_global(pu_event_outcome_t outcome, pu_reason_t reason)
{
    switch (outcome) {

    case PU_EVENT_UNKNOWN:
        return 404;

    case PU_EVENT_SEEN:
        return 401;

    case PU_EVENT_UNMATCHED:
        return 422;

    default:
        return pu_reason_status(reason);
    }
}


static const char *
pu_event_code(pu_event_kind_t kind, int status, pu_reason_t reason)
{
    if (kind == PU_EVENT_PUSH) {
        return (status == 429) ? "access_denied" : pu_event_code_push(reason);
    }

    switch (status) {

    case 401:
        return "invalid_token";

    case 404:
        return "user_unknown";

    case 429:
    case 503:
        return "temporarily_unavailable";

    case 500:
        return "server_error";

    default:
        return "invalid_request";
    }
}


/* RFC 8935 section 2.4 */

static const char *
pu_event_code_push(pu_reason_t reason)
{
    switch (reason) {

    case PU_TOKEN_ISSUER:
        return "invalid_issuer";

    case PU_TOKEN_AUDIENCE:
        return "invalid_audience";

    case PU_TOKEN_ALGORITHM:
    case PU_TOKEN_KEY_UNKNOWN:
        return "invalid_key";

    case PU_TOKEN_SIGNATURE:
        return "authentication_failed";

    default:
        return "invalid_request";
    }
}


static const char *
pu_event_said(pu_event_outcome_t outcome)
{
    switch (outcome) {

    case PU_EVENT_UNKNOWN:
        return "there is no such user here";

    case PU_EVENT_SEEN:
        return "this token has been used before";

    case PU_EVENT_UNAVAILABLE:
        return "this cannot be done now: send it again";

    default:
        return NULL;
    }
}


static void
pu_event_body(pu_buf_t *body, pu_event_kind_t kind, const char *code,
    pu_str_t text)
{
    int  push;

    push = (kind == PU_EVENT_PUSH);

    pu_buf_text(body, push ? "{\"err\":" : "{\"error\":");
    pu_json_quote(body, pu_str(code));
    pu_buf_text(body, push ? ",\"description\":" : ",\"error_description\":");
    pu_json_quote(body, text);
    pu_buf_char(body, '}');
}
