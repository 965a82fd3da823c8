/*
 * record: a user as the command shows it.
 *
 * More fields than the module reads, from the same hash; strings point into
 * the reply they came in.
 */

#ifndef RECORD_H
#define RECORD_H

#include "session.h"


typedef struct {
    pu_str_t   id;
    pu_user_t  user;                    /* meaningful when readable */
    pu_str_t   created;
    pu_str_t   modified;
    pu_str_t   source;
    pu_str_t   suspended_by;
    pu_str_t   user_name;
    pu_str_t   external_id;
    unsigned   exists:1;
    unsigned   readable:1;
} record_t;

/* The command whose reply record_read takes. */
void record_request(const session_t *s, cli_args_t *args, pu_str_t id);
void record_read(record_t *record, pu_str_t id, const redisReply *reply);

/* "active" ..., or "unreadable". */
pu_str_t record_state(const record_t *record);

/* Is this role granted, and not ended at "now"? */
int record_has_role(const record_t *record, pu_str_t role, int64_t now);

/*
 * The roles granted that have not ended, as a set in "out"; *size becomes
 * its length.
 */
pu_str_t record_roles(const record_t *record, int64_t now, void *out,
    size_t size);

json_t *record_json(const record_t *record, int64_t now);


#endif /* RECORD_H */
