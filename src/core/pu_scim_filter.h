/*
 * pu_scim_filter: filters (RFC 7644 section 3.4.2.2), read once and asked of
 * many resources.
 *
 * Operators and attribute names in any case; values are JSON.  Nesting and
 * length are bounded; nothing is looked up here.
 */

#ifndef PU_SCIM_FILTER_H
#define PU_SCIM_FILTER_H

#include "pu_scim.h"


typedef struct pu_scim_filter_s  pu_scim_filter_t;

/*
 * NULL and an error (400 invalidFilter, or 500) when it is none.  The text
 * must outlive it.  "password" cannot be asked for: nobody is told about it.
 */
pu_scim_filter_t *pu_scim_filter_new(pu_str_t text, pu_scim_error_t *err);
void pu_scim_filter_free(pu_scim_filter_t *filter);

/* Does the resource, as a directory sees it, pass?  1 or 0. */
int pu_scim_filter_match(const pu_scim_filter_t *filter,
    const json_t *resource);

/*
 * Is one look-up enough: must every match have this id, user_name or
 * external_id?  1 and *how, *text (borrowed), or 0.
 */
int pu_scim_filter_index(const pu_scim_filter_t *filter, pu_find_t *how,
    pu_str_t *text);

/* Does it ask for the core attribute of this name? */
int pu_scim_filter_uses(const pu_scim_filter_t *filter, const char *name);

/*
 * The equalities that must all hold, as an object ({"type": "work"}); NULL
 * when the filter is anything else.
 */
json_t *pu_scim_filter_example_new(const pu_scim_filter_t *filter);

/*
 * The strings that the named attribute may equal, where the filter says no
 * more than that ('value eq "a" or value eq "b"'), as an array; NULL for any
 * other filter.
 */
json_t *pu_scim_filter_any_new(const pu_scim_filter_t *filter,
    const char *name);

/*
 * "path" of a PATCH: attrPath or attrPath "[" filter "]" ["." sub].  *filter
 * is NULL where there is none.  1, or 0 and an error.
 */
int pu_scim_filter_path(pu_str_t text, pu_scim_path_t *path,
    pu_scim_filter_t **filter, pu_scim_error_t *err);


#endif /* PU_SCIM_FILTER_H */
