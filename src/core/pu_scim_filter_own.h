/*
 * A filter as it was read: what the reader (pu_scim_filter.c) and the one who
 * asks (pu_scim_match.c) share.
 */

#ifndef PU_SCIM_FILTER_OWN_H
#define PU_SCIM_FILTER_OWN_H

#include "pu_scim_filter.h"


#define PU_FILTER_NONE  0               /* node 0 is never used */


typedef enum {
    PU_FILTER_AND = 0,
    PU_FILTER_OR,
    PU_FILTER_NOT,
    PU_FILTER_VALUES,                   /* attr[...], with or without cmp */
    PU_FILTER_COMPARE
} pu_filter_kind_t;

/* In the order of pu_filter_ops. */
typedef enum {
    PU_OP_EQ = 0,
    PU_OP_NE,
    PU_OP_CO,
    PU_OP_SW,
    PU_OP_EW,
    PU_OP_GT,
    PU_OP_GE,
    PU_OP_LT,
    PU_OP_LE,
    PU_OP_PR
} pu_filter_op_t;

typedef struct {
    pu_filter_kind_t  kind;
    pu_filter_op_t    op;
    unsigned          first;            /* of AND, OR, NOT, VALUES */
    unsigned          next;             /* of the same parent */
    unsigned          compares:1;       /* VALUES: something follows "]" */
    pu_scim_path_t    path;
    json_t           *value;            /* NULL for "pr" */
} pu_filter_node_t;

struct pu_scim_filter_s {
    unsigned           root;
    unsigned           n;
    unsigned           size;
    pu_filter_node_t  *nodes;
};


#endif /* PU_SCIM_FILTER_OWN_H */
