/*
 * pu_event_subject: what a verified security event token says has happened,
 * and whom an event names.
 *
 * People are named as the issuer's own tokens name them.  By an address or
 * another claim somebody is found only where the issuer's "link" line says
 * that this claim names people here: nobody is guessed.
 */

#include "pu_event_own.h"
#include "pu_json.h"
#include "pu_token_own.h"


#define PU_EVENT_NAME_MAX     1024      /* what a link may be */
#define PU_EVENT_MILLIS       100000000000     /* no time in seconds */

#define PU_EVENT_BASE         "https://schemas.openid.net/secevent/"


typedef struct {
    const char   *uri;                  /* after the base */
    const char   *word;
    pu_effect_t   effect;
} pu_event_row_t;


static const pu_event_row_t  pu_event_rows[] = {
    { "caep/event-type/session-revoked", "session-revoked",
      PU_EFFECT_REVOKE },
    { "caep/event-type/credential-change", "credential-change",
      PU_EFFECT_REVOKE },
    { "risc/event-type/sessions-revoked", "sessions-revoked",
      PU_EFFECT_REVOKE },
    { "risc/event-type/account-disabled", "account-disabled",
      PU_EFFECT_SUSPEND },
    { "risc/event-type/account-enabled", "account-enabled",
      PU_EFFECT_RESUME },
    { "risc/event-type/account-purged", "account-purged",
      PU_EFFECT_DELETE },
    { "ssf/event-type/verification", "verification", PU_EFFECT_NONE },
    { "ssf/event-type/stream-updated", "stream-updated", PU_EFFECT_NONE }
};

#define PU_EVENT_ROWS  (sizeof(pu_event_rows) / sizeof(pu_event_rows[0]))


static const pu_event_row_t *pu_event_row(const char *uri);
static pu_event_outcome_t pu_event_credential(pu_event_t *event,
    const json_t *payload);
static int pu_event_when(pu_event_t *event, const json_t *payload,
    int64_t now);
static pu_event_outcome_t pu_event_person(pu_event_t *event,
    const pu_issuer_t *issuer, const char *name, pu_str_t value);
static int pu_event_path_is(const pu_path_t *path, const char *name);
static int pu_event_format_is(const json_t *id, const char *name);


/* RFC 8417 allows several events of one moment; Shared Signals one. */

pu_event_outcome_t
pu_event_happened(pu_event_t *event, const pu_issuer_t *issuer, int64_t now)
{
    void                  *only;
    json_t                *events, *payload, *id;
    const char            *uri;
    pu_event_outcome_t     outcome;
    const pu_event_row_t  *row;

    events = json_object_get(event->claims, "events");

    if (!json_is_object(events) || json_object_size(events) != 1) {
        event->text = "there must be one event";
        return PU_EVENT_BAD;
    }

    only = json_object_iter(events);
    uri = json_object_iter_key(only);
    payload = json_object_iter_value(only);

    if (!json_is_object(payload) || !pu_event_when(event, payload, now)) {
        event->text = "the event is no object, or its time is none";
        return PU_EVENT_BAD;
    }

    row = pu_event_row(uri);

    if (row == NULL) {
        event->word = "unknown";
        event->type = pu_str(uri);
        return PU_EVENT_DONE;
    }

    event->word = row->word;
    event->effect = row->effect;

    if (strcmp(row->word, "credential-change") == 0) {
        outcome = pu_event_credential(event, payload);

        if (outcome != PU_EVENT_DONE) {
            return outcome;
        }
    }

    if (event->effect == PU_EFFECT_NONE) {
        return PU_EVENT_DONE;
    }

    /* Okta has it within the event, as drafts of the standard had */

    id = json_object_get(event->claims, "sub_id");

    if (id == NULL) {
        id = json_object_get(payload, "subject");
    }

    if (!json_is_object(id)) {
        event->text = "there is no sub_id";
        return PU_EVENT_BAD;
    }

    return pu_event_subject(event, issuer, id);
}


static const pu_event_row_t *
pu_event_row(const char *uri)
{
    size_t  i, len;

    len = sizeof(PU_EVENT_BASE) - 1;

    if (strncmp(uri, PU_EVENT_BASE, len) != 0) {
        return NULL;
    }

    for (i = 0; i < PU_EVENT_ROWS; i++) {
        if (strcmp(pu_event_rows[i].uri, uri + len) == 0) {
            return &pu_event_rows[i];
        }
    }

    return NULL;
}


/* A credential more takes no trust from what was issued; all else does. */

static pu_event_outcome_t
pu_event_credential(pu_event_t *event, const json_t *payload)
{
    pu_str_t  how;

    if (!pu_json_str(json_object_get(payload, "change_type"), &how)) {
        event->text = "there is no change_type";
        return PU_EVENT_BAD;
    }

    if (pu_str_is(how, "create")) {
        event->effect = PU_EFFECT_NONE;
        return PU_EVENT_DONE;
    }

    if (pu_str_is(how, "revoke") || pu_str_is(how, "update")
        || pu_str_is(how, "delete"))
    {
        return PU_EVENT_DONE;
    }

    event->text = "its change_type is none";

    return PU_EVENT_BAD;
}


/*
 * The event's own time, else the token's.  Okta counts milliseconds.  What
 * says that it is yet to come has happened by now.
 */

static int
pu_event_when(pu_event_t *event, const json_t *payload, int64_t now)
{
    int64_t        time;
    const json_t  *value;

    value = json_object_get(payload, "event_timestamp");

    if (value == NULL) {
        value = json_object_get(event->claims, "toe");
    }

    if (value != NULL) {

        if (!pu_json_date(value, &time) || time < 0) {
            return 0;
        }

        event->time = (time > PU_EVENT_MILLIS) ? time / 1000 : time;
    }

    if (event->time > now) {
        event->time = now;
    }

    return 1;
}


pu_event_outcome_t
pu_event_logout_subject(pu_event_t *event, const pu_issuer_t *issuer)
{
    json_t  *value;

    value = pu_json_walk(event->claims, issuer->subject.words,
                         issuer->subject.n);

    if (value != NULL
        && !pu_event_name(value, PU_SUBJECT_LEN_MAX, &event->subject))
    {
        event->text = "its subject is none";
        return PU_EVENT_BAD;
    }

    if (issuer->link_by != PU_LINK_NONE) {
        value = pu_json_walk(event->claims, issuer->link.words,
                             issuer->link.n);

        if (pu_event_name(value, PU_EVENT_NAME_MAX, &event->claim)) {
            event->link = issuer->link_by;
        }
    }

    if (event->subject.data == NULL && event->link == PU_LINK_NONE) {
        event->text = "it has no subject: by a session alone nobody is found";
        return PU_EVENT_BAD;
    }

    return PU_EVENT_DONE;
}


/* Of a complex subject only the user means something here. */

pu_event_outcome_t
pu_event_subject(pu_event_t *event, const pu_issuer_t *issuer, json_t *id)
{
    json_t    *user;
    pu_str_t   iss, name;

    user = json_object_get(id, "user");

    if (json_is_object(user)
        && (json_object_get(id, "format") == NULL
            || pu_event_format_is(id, "complex")))
    {
        id = user;
    }

    if (pu_event_format_is(id, "email")) {

        if (!pu_event_name(json_object_get(id, "email"), PU_EVENT_NAME_MAX,
                           &name))
        {
            event->text = "its email is none";
            return PU_EVENT_BAD;
        }

        return pu_event_person(event, issuer, "email", name);
    }

    if (!pu_event_format_is(id, "iss_sub")) {
        event->text = "no user is found by a subject of this format";
        return PU_EVENT_UNMATCHED;
    }

    if (!pu_json_str(json_object_get(id, "iss"), &iss)
        || !pu_event_name(json_object_get(id, "sub"), PU_SUBJECT_LEN_MAX,
                          &name))
    {
        event->text = "its iss or sub is none";
        return PU_EVENT_BAD;
    }

    if (!issuer->url_off && !pu_str_eq(iss, issuer->url)) {
        event->stranger = 1;
        return PU_EVENT_DONE;
    }

    return pu_event_person(event, issuer, "sub", name);
}


/* Which of the issuer's claims that is, and what it means here. */

static pu_event_outcome_t
pu_event_person(pu_event_t *event, const pu_issuer_t *issuer,
    const char *name, pu_str_t value)
{
    if (pu_event_path_is(&issuer->subject, name)) {
        event->subject = value;
    }

    if (issuer->link_by != PU_LINK_NONE
        && pu_event_path_is(&issuer->link, name))
    {
        event->claim = value;
        event->link = issuer->link_by;
    }

    if (event->subject.data == NULL && event->link == PU_LINK_NONE) {
        event->text = "users of this issuer are not found by this";
        return PU_EVENT_UNMATCHED;
    }

    return PU_EVENT_DONE;
}


static int
pu_event_path_is(const pu_path_t *path, const char *name)
{
    return path->n == 1 && pu_str_is(path->words[0], name);
}


static int
pu_event_format_is(const json_t *id, const char *name)
{
    pu_str_t  format;

    return pu_json_str(json_object_get(id, "format"), &format)
           && pu_str_is(format, name);
}
