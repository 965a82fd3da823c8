/*
 * pu_scim_schema: what is known of each attribute, and the documents that
 * tell a directory so (RFC 7643 sections 5 to 7).
 */

#ifndef PU_SCIM_SCHEMA_H
#define PU_SCIM_SCHEMA_H

#include "pu_scim.h"


typedef enum {
    PU_ATTR_STRING = 0,
    PU_ATTR_BOOLEAN,
    PU_ATTR_REFERENCE,
    PU_ATTR_DATE,
    PU_ATTR_COMPLEX
} pu_scim_type_t;

typedef struct pu_scim_attr_s  pu_scim_attr_t;

struct pu_scim_attr_s {
    const char            *name;
    pu_scim_type_t         type;
    unsigned               flags;
    const pu_scim_attr_t  *sub;         /* ended by a name that is NULL */
};

#define PU_ATTR_MULTI      0x01
#define PU_ATTR_REQUIRED   0x02
#define PU_ATTR_EXACT      0x04         /* case matters */
#define PU_ATTR_READONLY   0x08
#define PU_ATTR_SECRET     0x10         /* written, never told */
#define PU_ATTR_UNIQUE     0x20
#define PU_ATTR_ALWAYS     0x40         /* in every answer */

/* The attribute at schema and name; NULL when nobody knows it. */
const pu_scim_attr_t *pu_scim_attr(pu_scim_kind_t kind,
    const pu_scim_path_t *path);

/*
 * The documents below {base}: one word of "ServiceProviderConfig",
 * "ResourceTypes", "Schemas", and, of the last two, the id of one of them or
 * empty.  NULL when there is none of that name (or no memory).
 */
json_t *pu_scim_document_new(pu_str_t which, pu_str_t id, pu_str_t base);


#endif /* PU_SCIM_SCHEMA_H */
