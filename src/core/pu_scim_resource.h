/*
 * pu_scim_resource: a record as a directory sees it, and what a directory
 * says as a record.
 */

#ifndef PU_SCIM_RESOURCE_H
#define PU_SCIM_RESOURCE_H

#include "pu_scim.h"


/*
 * The resource of a record, "base" being the URL of the location; a group is
 * without its members.  What was kept of it is as it was said; a record whose
 * "extra" cannot be read is shown without.  NULL when memory is gone.
 */
json_t *pu_scim_user_new(const pu_directory_user_t *user, pu_str_t base);
json_t *pu_scim_group_new(const pu_directory_group_t *group, pu_str_t base);


/* Who is to be a member: first nobody if "clear", then as "set" says. */
typedef struct {
    int      clear;
    json_t  *set;                       /* id: true or false */
} pu_scim_members_t;

int pu_scim_members_init(pu_scim_members_t *members);
void pu_scim_members_free(pu_scim_members_t *members);

/*
 * Notes members out of a value as it is sent: an array of objects with
 * "value", one such object, or strings.  Who has no user id here is passed
 * over.  1, or 0 and an error.
 */
int pu_scim_members_note(pu_scim_members_t *members, const json_t *value,
    int add, pu_scim_error_t *err);


/*
 * What is to be stored of a resource.  Strings point into "doc" and "extra",
 * which it owns.
 */
typedef struct {
    pu_str_t      key;                  /* userName; of a group displayName */
    pu_str_t      external_id;
    pu_str_t      name;                 /* of a user, for display */
    pu_str_t      type;                 /* of a user: a word, or empty */
    pu_str_t      extra;
    pu_active_t   active;
    json_t       *doc;
    char         *text;
    char          label[2 * PU_LABEL_MAX + 2];
} pu_scim_record_t;

/*
 * Reads a body of POST or PUT, or a resource that PATCH has changed.  What is
 * read-only is passed over.  "members" is for a group, else NULL.  1, or 0 and
 * an error; pu_scim_record_free in either case.
 */
int pu_scim_record_read(pu_scim_record_t *record, pu_scim_kind_t kind,
    const json_t *body, pu_scim_members_t *members, pu_scim_error_t *err);
void pu_scim_record_free(pu_scim_record_t *record);


/*
 * Applies a PATCH body (RFC 7644 section 3.5.2, and as it is really sent) to
 * a resource, in place.  For a group "members" gets what is to become of
 * them.  1; or 0 and an error, and the resource is to be thrown away.
 */
int pu_scim_patch(json_t *resource, pu_scim_kind_t kind, const json_t *body,
    pu_scim_members_t *members, pu_scim_error_t *err);

/*
 * Does a body of PUT, or of PATCH, say active: false to a user of whom nothing
 * is known?  0 also when it makes no sense.
 */
int pu_scim_turns_off(const json_t *body, int patch);


#endif /* PU_SCIM_RESOURCE_H */
