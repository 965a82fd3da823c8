/*
 * pu_command_event: a verified event as one call of the script, and what its
 * answer means.
 *
 * No socket.  Strings are borrowed until the command has been formatted.
 */

#ifndef PU_COMMAND_EVENT_H
#define PU_COMMAND_EVENT_H

#include "pu_command.h"
#include "pu_event.h"


typedef struct {
    const pu_event_t  *event;           /* with an effect, no stranger's */
    pu_str_t           actor;
    pu_str_t           issuer;          /* url */
    pu_str_t           attempt;         /* of pu_random_id: an answer that was
                                           lost is asked for with the same */
    pu_str_t           user_name;       /* what the answer before has said */
    pu_str_t           external_id;     /* about a user to be deleted */
} pu_event_ask_t;

typedef enum {
    PU_EVENT_SAYS_DONE = 0,             /* or it was so already */
    PU_EVENT_SAYS_UNKNOWN,
    PU_EVENT_SAYS_SEEN,
    PU_EVENT_SAYS_NAMES,                /* ask again with these */
    PU_EVENT_SAYS_NOSCRIPT,
    PU_EVENT_SAYS_ERROR
} pu_event_says_t;

/* 1, or 0 when OpenSSL has failed. */
int pu_command_event(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_event_ask_t *ask);

/* NAMES fills user_name and external_id, which point into the reply. */
pu_event_says_t pu_reply_event(const redisReply *reply, pu_str_t *user_name,
    pu_str_t *external_id);


#endif /* PU_COMMAND_EVENT_H */
