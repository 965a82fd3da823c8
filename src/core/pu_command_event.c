/*
 * pu_command_event: operation "event" of change/78-event.lua, in the order of
 * its arguments.
 */

#include "pu_command_event.h"
#include "pu_command_own.h"


#define PU_INDEX_TEXT_MAX  (9 + PU_DIGEST_TEXT_LEN)     /* "external:" */


/* In the order of pu_effect_t. */
static const char *const  pu_effect_words[] = {
    "", "revoke", "suspend", "resume", "delete"
};


static int pu_args_person(pu_args_t *args, const pu_event_ask_t *ask);
static int pu_args_index(pu_args_t *args, const pu_event_t *event);


int
pu_command_event(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_event_ask_t *ask)
{
    char              *room;
    const pu_event_t  *event;

    event = ask->event;

    pu_args_script(args, sha, prefix, "event");

    if (!pu_args_person(args, ask) || !pu_args_index(args, event)) {
        return 0;
    }

    pu_args_str(args, ask->actor);
    pu_args_text(args, "events");
    pu_args_text(args, event->word);

    if (!pu_args_digest(args, ask->user_name, pu_name_index)
        || !pu_args_digest(args, ask->external_id, pu_external_index))
    {
        return 0;
    }

    pu_args_text(args, pu_effect_words[event->effect]);

    room = pu_args_room(args, PU_DIGEST_TEXT_LEN);
    pu_args_add(args, room,
                pu_base64url_encode(room, event->id, PU_SHA256_LEN));

    pu_args_int(args, event->keep);
    pu_args_str(args, ask->attempt);
    pu_args_str(args, ask->issuer);
    pu_args_str(args, ask->user_name);
    pu_args_str(args, ask->external_id);
    pu_args_int(args, event->time > 0 ? event->time : 0);

    return 1;
}


static int
pu_args_person(pu_args_t *args, const pu_event_ask_t *ask)
{
    char     *room;
    uint8_t   digest[PU_SHA256_LEN];

    if (ask->event->subject.data == NULL) {
        pu_args_text(args, "");
        return 1;
    }

    if (!pu_handle_digest(digest, ask->issuer, ask->event->subject)) {
        return 0;
    }

    room = pu_args_room(args, PU_HANDLE_TEXT_MAX);
    pu_args_add(args, room, pu_handle_text(room, PU_HANDLE_SUB, digest));

    return 1;
}


static int
pu_args_index(pu_args_t *args, const pu_event_t *event)
{
    int      name, ok;
    char    *room;
    size_t   len;

    if (event->link == PU_LINK_NONE) {
        pu_args_text(args, "");
        return 1;
    }

    name = (event->link == PU_LINK_USER_NAME);
    room = pu_args_room(args, PU_INDEX_TEXT_MAX);
    len = name ? sizeof("name:") - 1 : sizeof("external:") - 1;

    memcpy(room, name ? "name:" : "external:", len);

    ok = name ? pu_name_index(room + len, event->claim)
              : pu_external_index(room + len, event->claim);

    pu_args_add(args, room, len + PU_DIGEST_TEXT_LEN);

    return ok;
}


pu_event_says_t
pu_reply_event(const redisReply *reply, pu_str_t *user_name,
    pu_str_t *external_id)
{
    int64_t   version;
    pu_str_t  detail;

    detail = pu_reply_detail(reply);

    switch (pu_reply_change(reply, &version)) {

    case PU_CHANGE_DONE:
    case PU_CHANGE_UNCHANGED:
        return PU_EVENT_SAYS_DONE;

    case PU_CHANGE_NOT_FOUND:
        return PU_EVENT_SAYS_UNKNOWN;

    case PU_CHANGE_CONFLICT:
        return pu_reply_str(pu_reply_at(reply, 3), user_name)
               && pu_reply_str(pu_reply_at(reply, 4), external_id)
               ? PU_EVENT_SAYS_NAMES : PU_EVENT_SAYS_ERROR;

    case PU_CHANGE_REFUSED:

        if (pu_str_is(detail, "seen")) {
            return PU_EVENT_SAYS_SEEN;
        }

        /* whoever was deleted has nothing left that could be taken */

        return pu_str_is(detail, "deleted") ? PU_EVENT_SAYS_DONE
                                            : PU_EVENT_SAYS_ERROR;

    case PU_CHANGE_NOSCRIPT:
        return PU_EVENT_SAYS_NOSCRIPT;

    default:
        return PU_EVENT_SAYS_ERROR;
    }
}
