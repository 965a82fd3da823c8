/*
 * pu_scim_call: one request of a directory, from its text to its answer.
 *
 * A call asks Redis one command after the other; whoever makes it carries
 * them.  It never blocks, never calls back, and every command it asks is
 * bounded; one that must be many (a large group, a filter without an index) is
 * many commands.
 */

#ifndef PU_SCIM_CALL_H
#define PU_SCIM_CALL_H

#include "pu_provision.h"
#include "pu_scim.h"


/* A line of configuration: members of this Group get these roles. */
typedef struct {
    pu_str_t  group;                    /* displayName */
    pu_str_t  roles;                    /* parted by spaces */
} pu_scim_role_t;

/* Must outlive the call. */
typedef struct {
    const char            *sha;         /* of the script */
    pu_str_t               prefix;
    pu_str_t               store;       /* the id once seen, or empty */
    pu_str_t               actor;       /* the name of the token */
    pu_str_t               base;        /* URL of the location, no slash */
    const pu_scim_role_t  *roles;
    size_t                 nroles;      /* 0: a displayName is its role */
} pu_scim_env_t;

/* Must outlive the call. */
typedef struct {
    pu_str_t  method;
    pu_str_t  path;                     /* decoded, below the location */
    pu_str_t  args;                     /* as in the URL */
    pu_str_t  content_type;
    pu_str_t  if_match;
    pu_str_t  if_none_match;
    pu_str_t  body;
} pu_scim_request_t;

typedef struct {
    int       status;
    pu_str_t  body;                     /* may be empty */
    pu_str_t  etag;
    pu_str_t  location;                 /* of what was made */
    pu_str_t  allow;                    /* with a 405 */
} pu_scim_answer_t;

typedef enum {
    PU_SCIM_ASK = 0,                    /* send "args", come again */
    PU_SCIM_LOAD,                       /* load the script, send them again */
    PU_SCIM_DONE
} pu_scim_step_t;

typedef struct pu_scim_call_s  pu_scim_call_t;

/* NULL when memory is gone. */
pu_scim_call_t *pu_scim_call_new(const pu_scim_env_t *env,
    const pu_scim_request_t *request);
void pu_scim_call_free(pu_scim_call_t *call);

/*
 * "reply" is NULL the first time, then the answer to what was asked.  The
 * arguments stay as they are until the next step.
 */
pu_scim_step_t pu_scim_call_step(pu_scim_call_t *call,
    const redisReply *reply, const pu_args_t **args);

/* Redis did not answer: the call is done, 503. */
void pu_scim_call_lost(pu_scim_call_t *call);

/* When it is done; borrowed from the call. */
void pu_scim_call_answer(pu_scim_call_t *call, pu_scim_answer_t *answer);

/*
 * An error that was found before there was a call, as a document for
 * free(); NULL when memory is gone.
 */
char *pu_scim_error_text(int status, const char *type, const char *detail);


#endif /* PU_SCIM_CALL_H */
