/*
 * pu_report: the policy of a configuration, for people and for programs.
 *
 * A table of locations and roles, as text and as JSON, and what looks wrong in
 * it.  Works when a configuration is read; writes no file and knows no nginx:
 * whoever walks the locations fills in the rows.  The same configuration gives
 * the same bytes, so that two of them can be compared.
 */

#ifndef PU_REPORT_H
#define PU_REPORT_H

#include "pu_issuer.h"
#include "pu_profile.h"


typedef enum {
    PU_ACCESS_PUBLIC = 0,               /* proxy_user off */
    PU_ACCESS_OPTIONAL,
    PU_ACCESS_USER                      /* proxy_user on */
} pu_access_t;

/* A location, or the part of one that a limit_except makes. */
typedef struct {
    pu_str_t                   location;    /* as it is written */
    pu_access_t                access;
    uint32_t                   methods;     /* that the row is for */
    const pu_policy_t         *policy;
    size_t                     requires;    /* lines of proxy_user_require */
    unsigned                   report:1;    /* proxy_user_mode report */
    unsigned                   preflight:1;
} pu_report_row_t;

typedef struct {
    pu_str_t                   names;       /* of server_name, by spaces */
    pu_str_t                   where;       /* "file:line" */
    size_t                     n;
    const pu_report_row_t     *rows;
} pu_report_server_t;

typedef struct {
    size_t                     nservers;
    const pu_report_server_t  *servers;
    const pu_profiles_t       *profiles;
    size_t                     nissuers;
    const pu_issuer_t *const  *issuers;
    unsigned                   grants:1;    /* is there a Redis? */
} pu_report_t;


/*
 * The table; malloc'ed, with a NUL.  NULL when memory was short: it is whole or
 * there is none.
 */
char *pu_report_text(const pu_report_t *report);
char *pu_report_json(const pu_report_t *report);

/*
 * Tells of roles in lines that no profile or map can give, of profiles that
 * no line uses, and of locations that nobody can enter since nobody can have
 * a role for them.
 */
void pu_report_warn(const pu_report_t *report, pu_profile_warn_f warn,
    void *data);

/* Do the profiles leave nothing of these lines, whoever has their roles? */
int pu_policy_closed(const pu_policy_t *policy, uint32_t methods);

/*
 * Words of methods: "*" when all of "full" are there, "-" for none.  GET stands
 * for GET and HEAD.
 */
void pu_methods_text(pu_buf_t *b, uint32_t methods, uint32_t full);


#endif /* PU_REPORT_H */
