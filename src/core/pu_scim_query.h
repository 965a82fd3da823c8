/*
 * pu_scim_query: what a list is asked for, and which attributes an answer has
 * (RFC 7644 sections 3.4.2 and 3.9).
 */

#ifndef PU_SCIM_QUERY_H
#define PU_SCIM_QUERY_H

#include "pu_scim_filter.h"


/* Owns everything it points to. */
typedef struct {
    json_t            *texts;           /* what the rest points into */
    pu_scim_filter_t  *filter;          /* NULL: none */
    pu_scim_path_t     sort;            /* no name: by creation */
    int64_t            start;           /* 1 is the first */
    int64_t            count;           /* 0 to PU_SCIM_COUNT_MAX */
    unsigned           descending:1;
    unsigned           selective:1;     /* "attributes" was said */
} pu_scim_query_t;

/* The part of a URL after "?"; 1, or 0 and an error.  Free it either way. */
int pu_scim_query_url(pu_scim_query_t *query, pu_str_t args,
    pu_scim_error_t *err);

/* A SearchRequest (RFC 7644 section 3.4.3); the same. */
int pu_scim_query_body(pu_scim_query_t *query, const json_t *body,
    pu_scim_error_t *err);

void pu_scim_query_free(pu_scim_query_t *query);


/*
 * The resource with those attributes that were asked for; may be the same
 * one, changed.  Takes the reference; NULL when memory is gone.
 */
json_t *pu_scim_select(const pu_scim_query_t *query, json_t *resource);

/* Is this attribute (without parts) asked for? */
int pu_scim_selected(const pu_scim_query_t *query, const char *name);


#endif /* PU_SCIM_QUERY_H */
