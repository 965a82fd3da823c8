/*
 * pu_event: where the token is, and everything that is asked of it, in the
 * order in which it is refused: form, type, algorithm, key, signature, claims.
 *
 * What happened, and to whom, is pu_event_subject.c's.
 */

#include <stdlib.h>

#include "pu_authorization.h"
#include "pu_event_own.h"
#include "pu_json.h"
#include "pu_jws.h"
#include "pu_memory.h"
#include "pu_token_own.h"
#include "pu_user.h"


#define PU_EVENT_MEMBERS_MAX  64
#define PU_EVENT_MARGIN       300       /* clocks of several machines differ */

#define PU_EVENT_LOGOUT_URI                                                   \
    "http://schemas.openid.net/event/backchannel-logout"


/* In the order of pu_event_kind_t. */
static const char *const  pu_event_types[] = {
    NULL, "logout+jwt", "secevent+jwt", "global-token-revocation+jwt"
};


static pu_event_outcome_t pu_event_bad(pu_event_t *event, const char *text);
static pu_str_t pu_event_trim(pu_str_t s);
static pu_reason_t pu_event_token(pu_event_t *event,
    const pu_event_request_t *request, pu_str_t text);
static pu_reason_t pu_event_form(pu_event_t *event, pu_str_t body,
    uint8_t *room, pu_str_t *token);
static int pu_event_decode(pu_str_t text, uint8_t *room, pu_str_t *value);
static pu_reason_t pu_event_bearer(pu_str_t value, pu_str_t *token);
static pu_reason_t pu_event_signed(pu_event_t *event,
    const pu_event_request_t *request, const pu_jws_t *jws);
static int pu_event_type_ok(pu_event_kind_t kind, const json_t *typ);
static pu_reason_t pu_event_claims(pu_event_t *event,
    const pu_event_request_t *request);
static pu_reason_t pu_event_audience(const pu_event_t *event,
    const pu_event_request_t *request);
static int pu_event_endpoint(const pu_event_request_t *request,
    const json_t *value);
static int pu_event_endpoint_is(const pu_event_request_t *request,
    pu_str_t url);
static pu_reason_t pu_event_times(pu_event_t *event,
    const pu_event_request_t *request);
static int pu_event_date(const json_t *claims, const char *name,
    int64_t *seconds);
static pu_reason_t pu_event_id(pu_event_t *event,
    const pu_event_request_t *request);
static pu_event_outcome_t pu_event_content(pu_event_t *event,
    const pu_event_request_t *request);
static pu_event_outcome_t pu_event_logout(pu_event_t *event,
    const pu_issuer_t *issuer);
static pu_event_outcome_t pu_event_global(pu_event_t *event,
    const pu_event_request_t *request);


static pu_event_outcome_t
pu_event_bad(pu_event_t *event, const char *text)
{
    event->text = text;

    return PU_EVENT_BAD;
}


static pu_str_t
pu_event_trim(pu_str_t s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len != 0
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
    {
        s.len--;
    }

    return s;
}


pu_event_kind_t
pu_event_kind(pu_str_t content_type)
{
    size_t    n;
    pu_str_t  type;

    for (n = 0; n < content_type.len && content_type.data[n] != ';'; n++) {
        /* void */
    }

    type = pu_event_trim((pu_str_t) { n, content_type.data });

    if (pu_str_case_eq(type, PU_STR("application/x-www-form-urlencoded"))) {
        return PU_EVENT_LOGOUT;
    }

    if (pu_str_case_eq(type, PU_STR("application/secevent+jwt"))) {
        return PU_EVENT_PUSH;
    }

    return pu_str_case_eq(type, PU_STR("application/json")) ? PU_EVENT_GLOBAL
                                                            : PU_EVENT_OTHER;
}


pu_event_outcome_t
pu_event_verify(pu_event_t *event, const pu_event_request_t *request,
    pu_reason_t *reason)
{
    uint8_t             *room;
    pu_str_t             token;
    pu_event_outcome_t   outcome;

    memset(event, 0, sizeof(pu_event_t));

    room = NULL;
    token = request->body;
    *reason = PU_OK;

    pu_memory_watch();

    if (request->kind == PU_EVENT_LOGOUT) {
        room = malloc(request->body.len + 1);
        *reason = room ? pu_event_form(event, request->body, room, &token)
                       : PU_INTERNAL;

    } else if (request->kind == PU_EVENT_GLOBAL) {
        *reason = pu_event_bearer(request->authorization, &token);
    }

    if (*reason == PU_OK) {
        *reason = token.len ? pu_event_token(event, request, token)
                            : PU_NO_CREDENTIAL;
    }

    free(room);

    /* who is told that an event is bad does not send it again */

    if (*reason != PU_OK) {
        *reason = pu_memory_reason(*reason);
        return PU_EVENT_BAD;
    }

    outcome = pu_event_content(event, request);

    if (outcome == PU_EVENT_BAD) {
        *reason = pu_memory_reason(PU_CREDENTIAL_MALFORMED);
    }

    return outcome;
}


void
pu_event_clear(pu_event_t *event)
{
    json_decref(event->claims);
    json_decref(event->asked);

    memset(event, 0, sizeof(pu_event_t));
}


/* One logout_token among whatever else a form may have. */

static pu_reason_t
pu_event_form(pu_event_t *event, pu_str_t body, uint8_t *room,
    pu_str_t *token)
{
    size_t    i, start, found;
    pu_str_t  part;

    static const pu_str_t  name = { 13, (const uint8_t *) "logout_token=" };

    found = 0;
    start = 0;

    for (i = 0; i <= body.len; i++) {

        if (i < body.len && body.data[i] != '&') {
            continue;
        }

        part = (pu_str_t) { i - start, body.data + start };
        start = i + 1;

        if (part.len < name.len
            || memcmp(part.data, name.data, name.len) != 0)
        {
            continue;
        }

        part.data += name.len;
        part.len -= name.len;

        if (++found > 1) {
            event->text = "there is more than one logout_token";
            return PU_CREDENTIAL_AMBIGUOUS;
        }

        if (!pu_event_decode(part, room, token)) {
            return PU_TOKEN_MALFORMED;
        }
    }

    if (found == 0) {
        event->text = "there is no logout_token";
        return PU_NO_CREDENTIAL;
    }

    return PU_OK;
}


/* "room" has as many bytes as "text". */

static int
pu_event_decode(pu_str_t text, uint8_t *room, pu_str_t *value)
{
    int      high, low;
    size_t   i, n;
    uint8_t  c;

    n = 0;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if (c == '%') {
            high = (i + 2 < text.len) ? pu_hex_digit(text.data[i + 1]) : -1;
            low = (high == -1) ? -1 : pu_hex_digit(text.data[i + 2]);

            if (low == -1) {
                return 0;
            }

            c = (uint8_t) (high << 4 | low);
            i += 2;

        } else if (c == '+') {
            c = ' ';
        }

        room[n++] = c;
    }

    *value = (pu_str_t) { n, room };

    return 1;
}


static pu_reason_t
pu_event_bearer(pu_str_t value, pu_str_t *token)
{
    pu_reason_t         reason;
    pu_authorization_t  authorization;

    reason = pu_authorization_read(&authorization, value);
    *token = authorization.token;

    /* the provider's token is bound to no key of a caller's */

    return authorization.dpop ? PU_NO_CREDENTIAL : reason;
}


static pu_reason_t
pu_event_token(pu_event_t *event, const pu_event_request_t *request,
    pu_str_t text)
{
    pu_jws_t     jws;
    pu_reason_t  reason;

    reason = pu_jws_read(&jws, text);

    if (reason == PU_OK) {
        reason = pu_event_signed(event, request, &jws);
    }

    pu_jws_clear(&jws);

    return reason == PU_OK ? pu_event_claims(event, request) : reason;
}


/* What a symmetric key has signed anybody may have who can check it. */

static pu_reason_t
pu_event_signed(pu_event_t *event, const pu_event_request_t *request,
    const pu_jws_t *jws)
{
    pu_reason_t         reason;
    const pu_key_t     *key;
    const pu_issuer_t  *issuer;

    issuer = request->issuer;

    if (!(issuer->algs & PU_ALG_BIT(jws->alg) & ~PU_ALGS_HMAC)) {
        return PU_TOKEN_ALGORITHM;
    }

    if (!pu_event_type_ok(request->kind, jws->typ)) {
        return PU_TOKEN_TYPE;
    }

    if (request->keys == NULL && issuer->fetched) {
        return PU_ISSUER_UNAVAILABLE;
    }

    reason = pu_jws_verify(jws, request->keys, &key);

    event->kid_unknown = (reason == PU_TOKEN_KEY_UNKNOWN
                          && jws->kid.data != NULL
                          && !pu_keys_named(request->keys, jws->kid));

    if (reason != PU_OK) {
        return reason;
    }

    event->claims = pu_token_payload(jws->payload);

    if (event->claims == NULL) {
        return PU_TOKEN_PAYLOAD;
    }

    if (!pu_issuer_is(issuer, event->claims)) {
        return PU_TOKEN_ISSUER;
    }

    event->authentic = 1;

    return PU_OK;
}


/*
 * A logout token may lack a type of its own: providers of before there was one
 * still send such.  Then its "events" say what it is.
 */

static int
pu_event_type_ok(pu_event_kind_t kind, const json_t *typ)
{
    pu_str_t  type;

    if (typ == NULL) {
        return kind == PU_EVENT_LOGOUT;
    }

    if (!pu_json_str(typ, &type)) {
        return 0;
    }

    type = pu_type_bare(type);

    return pu_str_case_eq(type, pu_str(pu_event_types[kind]))
           || (kind == PU_EVENT_LOGOUT
               && pu_str_case_eq(type, PU_STR("JWT")));
}


static pu_reason_t
pu_event_claims(pu_event_t *event, const pu_event_request_t *request)
{
    pu_reason_t  reason;

    reason = pu_event_audience(event, request);

    if (reason == PU_OK) {
        reason = pu_event_times(event, request);
    }

    return reason == PU_OK ? pu_event_id(event, request) : reason;
}


/* A global revocation is for this very place, whatever else is ours. */

static pu_reason_t
pu_event_audience(const pu_event_t *event, const pu_event_request_t *request)
{
    int               ours;
    const json_t     *aud;
    const pu_list_t  *list;

    aud = json_object_get(event->claims, "aud");

    if (request->kind == PU_EVENT_GLOBAL) {
        ours = pu_event_endpoint(request, aud);

    } else if (request->audience == NULL && request->issuer->audience_off) {
        ours = 1;

    } else {
        list = request->audience ? request->audience
                                 : &request->issuer->audience;
        ours = pu_audience_check(list, aud);
    }

    return (ours == 1) ? PU_OK : PU_TOKEN_AUDIENCE;
}


static int
pu_event_endpoint(const pu_event_request_t *request, const json_t *value)
{
    int       found;
    size_t    i;
    pu_str_t  url;

    if (pu_json_str(value, &url)) {
        return pu_event_endpoint_is(request, url);
    }

    if (!json_is_array(value) || json_array_size(value) > 32) {
        return 0;
    }

    found = 0;

    for (i = 0; i < json_array_size(value); i++) {

        if (!pu_json_str(json_array_get(value, i), &url)) {
            return 0;
        }

        found |= pu_event_endpoint_is(request, url);
    }

    return found;
}


/* As the request says it, or as the configuration does: byte for byte. */

static int
pu_event_endpoint_is(const pu_event_request_t *request, pu_str_t url)
{
    size_t            i;
    const pu_list_t  *list;

    if (request->endpoint != NULL && pu_dpop_url(url, request->endpoint)) {
        return 1;
    }

    list = request->audience;

    for (i = 0; list != NULL && i < list->n; i++) {
        if (pu_str_eq(list->items[i], url) && pu_issuer_url_ok(url)) {
            return 1;
        }
    }

    return 0;
}


static pu_reason_t
pu_event_times(pu_event_t *event, const pu_event_request_t *request)
{
    int      push;
    int64_t  exp, nbf, iat, leeway, end;

    push = (request->kind == PU_EVENT_PUSH);
    leeway = request->issuer->leeway;

    if (!pu_event_date(event->claims, "exp", &exp)
        || !pu_event_date(event->claims, "nbf", &nbf)
        || !pu_event_date(event->claims, "iat", &iat))
    {
        event->text = "a time is none";
        return PU_TOKEN_CLAIMS;
    }

    if ((exp == PU_TIME_NONE) != push) {
        event->text = push ? "there must be no exp" : "there is no exp";
        return PU_TOKEN_CLAIMS;
    }

    if (iat == PU_TIME_NONE && request->kind != PU_EVENT_GLOBAL) {
        event->text = "there is no iat";
        return PU_TOKEN_CLAIMS;
    }

    if (!push && request->now - leeway >= exp) {
        return PU_TOKEN_EXPIRED;
    }

    if ((nbf != PU_TIME_NONE && request->now + leeway < nbf)
        || (iat != PU_TIME_NONE && request->now + leeway < iat))
    {
        return PU_TOKEN_NOT_YET_VALID;
    }

    if (iat != PU_TIME_NONE && request->now - leeway - iat > PU_EVENT_AGE_MAX)
    {
        return PU_TOKEN_TOO_OLD;
    }

    /* as long as it could be sent again it has to be remembered */

    if (iat == PU_TIME_NONE) {

        if (exp - request->now - leeway > PU_EVENT_AGE_MAX) {
            event->text = "exp is too far away";
            return PU_TOKEN_CLAIMS;
        }

        iat = request->now;
        end = exp;

    } else {
        end = iat + PU_EVENT_AGE_MAX;
    }

    event->time = iat;
    event->keep = end - request->now + 2 * leeway + PU_EVENT_MARGIN;

    return PU_OK;
}


static int
pu_event_date(const json_t *claims, const char *name, int64_t *seconds)
{
    json_t  *value;

    value = json_object_get(claims, name);
    *seconds = PU_TIME_NONE;

    return value == NULL || pu_json_date(value, seconds);
}


int
pu_event_name(const json_t *value, size_t max, pu_str_t *s)
{
    return pu_json_str(value, s) && s->len != 0 && s->len <= max
           && !pu_str_has_control(*s);
}


/*
 * Its name, apart from the names of tokens and of other kinds of events: the
 * name of a token has no NUL in it, so that neither can be taken for the other
 * in the same place.
 */

static pu_reason_t
pu_event_id(pu_event_t *event, const pu_event_request_t *request)
{
    size_t    len;
    uint8_t   room[64 + PU_EVENT_JTI_MAX];
    pu_buf_t  b;
    pu_str_t  jti, parts[PU_HANDLE_PARTS];

    if (!pu_event_name(json_object_get(event->claims, "jti"),
                       PU_EVENT_JTI_MAX, &jti))
    {
        event->text = "there is no jti";
        return PU_TOKEN_CLAIMS;
    }

    len = sizeof(room);

    pu_buf_init(&b, room, len);
    pu_buf_text(&b, pu_event_types[request->kind]);
    pu_buf_char(&b, '\0');
    pu_buf_str(&b, jti);

    pu_handle_parts(parts, request->issuer->url, pu_buf_written(&b));

    return pu_sha256(event->id, parts, PU_HANDLE_PARTS) ? PU_OK : PU_INTERNAL;
}


static pu_event_outcome_t
pu_event_content(pu_event_t *event, const pu_event_request_t *request)
{
    switch (request->kind) {

    case PU_EVENT_LOGOUT:
        return pu_event_logout(event, request->issuer);

    case PU_EVENT_PUSH:

        if (json_object_get(event->claims, "sub") != NULL) {
            return pu_event_bad(event, "there must be no sub: the subject is "
                                "in sub_id");
        }

        return pu_event_happened(event, request->issuer, request->now);

    default:
        return pu_event_global(event, request);
    }
}


/* Back-Channel Logout 1.0 section 2.6 */

static pu_event_outcome_t
pu_event_logout(pu_event_t *event, const pu_issuer_t *issuer)
{
    const json_t  *events;

    events = json_object_get(event->claims, "events");

    if (!json_is_object(events)
        || !json_is_object(json_object_get(events, PU_EVENT_LOGOUT_URI)))
    {
        return pu_event_bad(event, "its events have no backchannel-logout");
    }

    if (json_object_get(event->claims, "nonce") != NULL) {
        return pu_event_bad(event, "there must be no nonce");
    }

    event->effect = PU_EFFECT_REVOKE;
    event->word = "backchannel-logout";

    return pu_event_logout_subject(event, issuer);
}


static pu_event_outcome_t
pu_event_global(pu_event_t *event, const pu_event_request_t *request)
{
    json_t                 *id;
    const pu_json_limits_t  limits = {
        PU_EVENT_BODY_MAX, 16, PU_EVENT_MEMBERS_MAX
    };

    event->asked = pu_json_object(request->body, &limits);
    id = json_object_get(event->asked, "sub_id");

    if (!json_is_object(id)) {
        return pu_event_bad(event, "the body is no object with a sub_id");
    }

    event->effect = PU_EFFECT_REVOKE;
    event->word = "global-token-revocation";

    return pu_event_subject(event, request->issuer, id);
}
