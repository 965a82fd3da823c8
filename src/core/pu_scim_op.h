/*
 * pu_scim_op: one operation on users or groups; a request is one, or, in
 * bulk, many.
 *
 * Each state is a function that gets a reply and either asks for something
 * (it fills "args", sets "next" and returns PU_OP_ASK) or ends the operation.
 * Not for anybody but the files of pu_scim_call.
 */

#ifndef PU_SCIM_OP_H
#define PU_SCIM_OP_H

#include "pu_command_own.h"
#include "pu_scim_call.h"
#include "pu_scim_query.h"
#include "pu_scim_resource.h"


#define PU_OP_ASK    0
#define PU_OP_DONE   1

#define PU_OP_TRIES  8                  /* against others who change it */


typedef struct pu_scim_op_s  pu_scim_op_t;

typedef int (*pu_scim_next_t)(pu_scim_op_t *op, const redisReply *reply);

/* What is sorted: a key, and whose it is. */
typedef struct {
    char    *key;
    size_t   at;                        /* of equal ones the older is first */
    char     id[PU_USER_ID_LEN];
} pu_scim_sorted_t;

struct pu_scim_op_s {
    const pu_scim_env_t      *env;
    pu_args_t                 args;
    pu_scim_next_t            next;

    /* what is asked for */
    pu_scim_kind_t            kind;
    pu_str_t                  id;
    const json_t             *body;
    pu_str_t                  if_match;
    pu_str_t                  if_none_match;
    pu_scim_query_t           query;
    unsigned                  patch:1;
    unsigned                  created:1;
    unsigned                  removing:1;
    unsigned                  quiet:1;      /* the answer has no body */
    unsigned                  shut:1;       /* suspended all the same */

    /* on the way */
    char                      new_id[PU_USER_ID_LEN];
    unsigned                  tries;
    int64_t                   version;
    pu_scim_record_t          record;
    pu_scim_members_t         members;
    void                     *iter;         /* of the members to send */
    pu_scim_text_t            old;          /* user_name, external_id */
    pu_str_t                  old_key;
    pu_str_t                  old_external;
    char                      after[24];
    size_t                    after_len;
    char                      add[PU_MEMBERS_TEXT_MAX];
    char                      remove[PU_MEMBERS_TEXT_MAX];

    /* lists */
    int64_t                   from;
    int64_t                   total;
    int64_t                   scanned;
    size_t                    shown;
    size_t                    nmembers;
    json_t                   *found;        /* resources of the page */
    pu_scim_sorted_t         *sorted;
    size_t                    nsorted;
    size_t                    sorted_size;

    /* what is answered */
    int                       status;
    json_t                   *doc;
    pu_scim_text_t            text;         /* instead of doc */
    pu_scim_error_t           err;
    char                      etag[32];
};

/* "op" is zeroed and has what is asked for. */
void pu_scim_op_free(pu_scim_op_t *op);

/* Starts; as a state. */
int pu_scim_user_start(pu_scim_op_t *op, pu_str_t method);
int pu_scim_group_start(pu_scim_op_t *op, pu_str_t method);
int pu_scim_list_start(pu_scim_op_t *op);

/* Ends it: with an error, or with a status. */
int pu_op_fail(pu_scim_op_t *op, int status, const char *type,
    const char *text);
int pu_op_done(pu_scim_op_t *op, int status);

/* Ends it with what went wrong with Redis or a record. */
int pu_op_unreadable(pu_scim_op_t *op);

/* Goes on in "next" when "asked" (what pu_command_... returned). */
int pu_op_ask(pu_scim_op_t *op, pu_scim_next_t next, int asked);

void pu_op_etag(pu_scim_op_t *op, int64_t version);

/* Does the header (If-Match, If-None-Match) mean this version? */
int pu_op_matches(pu_str_t header, int64_t version);

/*
 * The members of a group as text, piece by piece: asks for the first piece,
 * or those after op->after; "next" reads them with pu_op_members, which
 * returns 1 when there are more, 0 at the end, -1 when the operation has
 * ended.
 */
int pu_op_ask_members(pu_scim_op_t *op, pu_str_t group, pu_scim_next_t next);
int pu_op_members(pu_scim_op_t *op, const redisReply *reply,
    pu_scim_text_t *text);


#endif /* PU_SCIM_OP_H */
