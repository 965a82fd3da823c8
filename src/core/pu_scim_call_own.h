/*
 * What the files of pu_scim_call share: a request under way.
 */

#ifndef PU_SCIM_CALL_OWN_H
#define PU_SCIM_CALL_OWN_H

#include "pu_scim_call.h"
#include "pu_scim_op.h"


struct pu_scim_call_s {
    const pu_scim_env_t      *env;
    const pu_scim_request_t  *request;
    pu_scim_op_t              op;
    unsigned                  started:1;
    unsigned                  many:1;       /* a bulk request */
    unsigned                  stuck:1;      /* what is left is a ring */

    json_t                   *body;

    /* bulk */
    json_t                   *operations;   /* borrowed from body */
    json_t                   *results;      /* one each, null: none yet */
    json_t                   *ids;          /* bulkId: id, or null: not yet */
    json_t                   *data;         /* of the operation under way */
    char                     *path;
    size_t                    at;
    size_t                    errors;
    size_t                    errors_max;   /* 0: any number */

    pu_scim_text_t            out;
    int                       status;
    const char               *allow;
    char                      etag[32];
    pu_scim_text_t            location;
};


/* The operation for a method and a path; as a state.  *allow: with a 405. */
int pu_call_route(pu_scim_op_t *op, pu_str_t method, pu_str_t path,
    const char **allow);

/* Adds the URL of what the operation is about to call->location. */
void pu_call_location(pu_scim_call_t *call);

/* Makes call->op a new one. */
void pu_call_reset(pu_scim_call_t *call);

/* A bulk request: starts, notes a result, goes on; as states. */
int pu_bulk_start(pu_scim_call_t *call);
void pu_bulk_finish(pu_scim_call_t *call);
int pu_bulk_next(pu_scim_call_t *call);


#endif /* PU_SCIM_CALL_OWN_H */
