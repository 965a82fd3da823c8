/*
 * pu_scim: SCIM 2.0 (RFC 7643, RFC 7644): words, limits, errors, paths.
 *
 * The language of a directory, without nginx and without a socket.  What is
 * said to Redis is made by pu_provision.  Values are jansson's and follow its
 * ownership: a function named "new" returns what the caller decrefs, all
 * others borrow.
 */

#ifndef PU_SCIM_H
#define PU_SCIM_H

#include <jansson.h>

#include "pu_json.h"
#include "pu_provision.h"


#define PU_SCIM_BODY_MAX        (1024 * 1024)
#define PU_SCIM_BODY_DEPTH      32
#define PU_SCIM_BODY_MEMBERS    4096    /* of one object */
#define PU_SCIM_BULK_MAX        1000    /* operations */
#define PU_SCIM_COUNT_MAX       200     /* resources of one page */
#define PU_SCIM_COUNT_DEFAULT   100
#define PU_SCIM_FILTER_MAX      16384   /* bytes */
#define PU_SCIM_FILTER_DEPTH    32
#define PU_SCIM_FILTER_NODES    2048
#define PU_SCIM_PATCH_MAX       1000    /* operations of one PATCH */
#define PU_SCIM_MEMBERS_MAX     50000   /* of a group, and of one answer */

#define PU_SCIM_USER                                                          \
    "urn:ietf:params:scim:schemas:core:2.0:User"
#define PU_SCIM_GROUP                                                         \
    "urn:ietf:params:scim:schemas:core:2.0:Group"
#define PU_SCIM_ENTERPRISE                                                    \
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
#define PU_SCIM_MESSAGE   "urn:ietf:params:scim:api:messages:2.0:"


typedef enum {
    PU_SCIM_USERS = 0,
    PU_SCIM_GROUPS
} pu_scim_kind_t;


/* RFC 7644 section 3.12.  status 0: there is none. */
typedef struct {
    int          status;
    const char  *type;                  /* scimType, or NULL */
    char         detail[200];           /* a sentence; no NUL inside */
} pu_scim_error_t;

/*
 * Says what is wrong, if nothing was said before; always returns 0.  "text"
 * may hold one "%s", which is "word" cut to what fits.
 */
int pu_scim_fail(pu_scim_error_t *err, int status, const char *type,
    const char *text, pu_str_t word);

/* The error as a document. */
json_t *pu_scim_error_new(const pu_scim_error_t *err);


/* A member of an object whose name is the same but for ASCII case. */
json_t *pu_scim_get(const json_t *object, pu_str_t name);

/* The same member's name as it is written there; NULL when there is none. */
const char *pu_scim_key(const json_t *object, pu_str_t name);

/* Sets or (value NULL) removes it.  Takes the reference; 1, or 0: memory. */
int pu_scim_set_new(json_t *object, pu_str_t name, json_t *value);

/* No two names of one object are the same but for case, at no level; 1 or 0 */
int pu_scim_names_ok(const json_t *value);

/*
 * What directories send for a boolean: true, "True", ["false"],
 * {"value": "false"}.  1 and *b, or 0.
 */
int pu_scim_bool(const json_t *value, int *b);

/* A JSON string of a counted one; U+FFFD where it is not UTF-8. */
json_t *pu_scim_string_new(pu_str_t s);

/* "2011-05-13T04:42:34Z" of seconds in digits; empty where they are none. */
json_t *pu_scim_time_new(pu_str_t seconds);

/* RFC 3339, any offset: milliseconds since 1970; 1 or 0. */
int pu_scim_time(pu_str_t text, int64_t *ms);


/*
 * An attribute's path (RFC 7644 section 3.10): [schema ":"] name ["." sub].
 * "schema" is empty for a core attribute, else the URN of an extension; a path
 * that is a schema alone has no name.  Points into the text.
 */
typedef struct {
    pu_str_t  schema;
    pu_str_t  name;
    pu_str_t  sub;
} pu_scim_path_t;

/* 1, or 0 when it is no path. */
int pu_scim_path(pu_scim_path_t *path, pu_str_t text);

/* The value at schema and name, of "resource"; NULL. */
json_t *pu_scim_at(const json_t *resource, const pu_scim_path_t *path);

/* Is it the core attribute of this name? */
int pu_scim_path_is(const pu_scim_path_t *path, const char *name);


/* A growing text, for answers that are too long for a json_t. */
typedef struct {
    char    *data;
    size_t   len;
    size_t   size;
    int      failed;                    /* memory is gone */
} pu_scim_text_t;

void pu_scim_text_put(pu_scim_text_t *text, const void *data, size_t len);
void pu_scim_text_add(pu_scim_text_t *text, const char *s);
void pu_scim_text_json(pu_scim_text_t *text, const json_t *value);
void pu_scim_text_free(pu_scim_text_t *text);


#endif /* PU_SCIM_H */
