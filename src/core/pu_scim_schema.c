/*
 * pu_scim_schema: the tables of attributes, and the documents made of them.
 */

#include "pu_scim_schema.h"


#define PU_ATTR_END  { NULL, PU_ATTR_STRING, 0, NULL }

#define PU_ATTR_VALUE_OF(kind)                                                \
    { "value", kind, 0, NULL },                                               \
    { "display", PU_ATTR_STRING, 0, NULL },                                   \
    { "type", PU_ATTR_STRING, 0, NULL },                                      \
    { "primary", PU_ATTR_BOOLEAN, 0, NULL },                                  \
    PU_ATTR_END


static const pu_scim_attr_t  pu_scim_name_attrs[] = {
    { "formatted", PU_ATTR_STRING, 0, NULL },
    { "familyName", PU_ATTR_STRING, 0, NULL },
    { "givenName", PU_ATTR_STRING, 0, NULL },
    { "middleName", PU_ATTR_STRING, 0, NULL },
    { "honorificPrefix", PU_ATTR_STRING, 0, NULL },
    { "honorificSuffix", PU_ATTR_STRING, 0, NULL },
    PU_ATTR_END
};

static const pu_scim_attr_t  pu_scim_value_attrs[] = {
    PU_ATTR_VALUE_OF(PU_ATTR_STRING)
};

static const pu_scim_attr_t  pu_scim_reference_attrs[] = {
    PU_ATTR_VALUE_OF(PU_ATTR_REFERENCE)
};

static const pu_scim_attr_t  pu_scim_address_attrs[] = {
    { "formatted", PU_ATTR_STRING, 0, NULL },
    { "streetAddress", PU_ATTR_STRING, 0, NULL },
    { "locality", PU_ATTR_STRING, 0, NULL },
    { "region", PU_ATTR_STRING, 0, NULL },
    { "postalCode", PU_ATTR_STRING, 0, NULL },
    { "country", PU_ATTR_STRING, 0, NULL },
    { "type", PU_ATTR_STRING, 0, NULL },
    { "primary", PU_ATTR_BOOLEAN, 0, NULL },
    PU_ATTR_END
};

static const pu_scim_attr_t  pu_scim_groups_attrs[] = {
    { "value", PU_ATTR_STRING, PU_ATTR_READONLY|PU_ATTR_EXACT, NULL },
    { "$ref", PU_ATTR_REFERENCE, PU_ATTR_READONLY|PU_ATTR_EXACT, NULL },
    { "type", PU_ATTR_STRING, PU_ATTR_READONLY, NULL },
    PU_ATTR_END
};

static const pu_scim_attr_t  pu_scim_members_attrs[] = {
    { "value", PU_ATTR_STRING, PU_ATTR_EXACT, NULL },
    { "$ref", PU_ATTR_REFERENCE, PU_ATTR_EXACT, NULL },
    { "type", PU_ATTR_STRING, 0, NULL },
    PU_ATTR_END
};

static const pu_scim_attr_t  pu_scim_manager_attrs[] = {
    { "value", PU_ATTR_STRING, PU_ATTR_EXACT, NULL },
    { "$ref", PU_ATTR_REFERENCE, PU_ATTR_EXACT, NULL },
    { "displayName", PU_ATTR_STRING, 0, NULL },
    PU_ATTR_END
};

static const pu_scim_attr_t  pu_scim_meta_attrs[] = {
    { "resourceType", PU_ATTR_STRING, PU_ATTR_READONLY|PU_ATTR_EXACT, NULL },
    { "created", PU_ATTR_DATE, PU_ATTR_READONLY, NULL },
    { "lastModified", PU_ATTR_DATE, PU_ATTR_READONLY, NULL },
    { "location", PU_ATTR_REFERENCE, PU_ATTR_READONLY|PU_ATTR_EXACT, NULL },
    { "version", PU_ATTR_STRING, PU_ATTR_READONLY|PU_ATTR_EXACT, NULL },
    PU_ATTR_END
};

/* What every resource has (RFC 7643 section 3.1). */
static const pu_scim_attr_t  pu_scim_common_attrs[] = {
    { "schemas", PU_ATTR_REFERENCE,
      PU_ATTR_MULTI|PU_ATTR_READONLY|PU_ATTR_ALWAYS|PU_ATTR_EXACT, NULL },
    { "id", PU_ATTR_STRING,
      PU_ATTR_READONLY|PU_ATTR_ALWAYS|PU_ATTR_EXACT|PU_ATTR_UNIQUE, NULL },
    { "externalId", PU_ATTR_STRING, PU_ATTR_EXACT, NULL },
    { "meta", PU_ATTR_COMPLEX, PU_ATTR_READONLY, pu_scim_meta_attrs },
    PU_ATTR_END
};

static const pu_scim_attr_t  pu_scim_user_attrs[] = {
    { "userName", PU_ATTR_STRING, PU_ATTR_REQUIRED|PU_ATTR_UNIQUE, NULL },
    { "name", PU_ATTR_COMPLEX, 0, pu_scim_name_attrs },
    { "displayName", PU_ATTR_STRING, 0, NULL },
    { "nickName", PU_ATTR_STRING, 0, NULL },
    { "profileUrl", PU_ATTR_REFERENCE, 0, NULL },
    { "title", PU_ATTR_STRING, 0, NULL },
    { "userType", PU_ATTR_STRING, 0, NULL },
    { "preferredLanguage", PU_ATTR_STRING, 0, NULL },
    { "locale", PU_ATTR_STRING, 0, NULL },
    { "timezone", PU_ATTR_STRING, 0, NULL },
    { "active", PU_ATTR_BOOLEAN, 0, NULL },
    { "password", PU_ATTR_STRING, PU_ATTR_SECRET|PU_ATTR_EXACT, NULL },
    { "emails", PU_ATTR_COMPLEX, PU_ATTR_MULTI, pu_scim_value_attrs },
    { "phoneNumbers", PU_ATTR_COMPLEX, PU_ATTR_MULTI, pu_scim_value_attrs },
    { "ims", PU_ATTR_COMPLEX, PU_ATTR_MULTI, pu_scim_value_attrs },
    { "photos", PU_ATTR_COMPLEX, PU_ATTR_MULTI, pu_scim_reference_attrs },
    { "addresses", PU_ATTR_COMPLEX, PU_ATTR_MULTI, pu_scim_address_attrs },
    { "groups", PU_ATTR_COMPLEX, PU_ATTR_MULTI|PU_ATTR_READONLY,
      pu_scim_groups_attrs },
    { "entitlements", PU_ATTR_COMPLEX, PU_ATTR_MULTI, pu_scim_value_attrs },
    { "roles", PU_ATTR_COMPLEX, PU_ATTR_MULTI, pu_scim_value_attrs },
    { "x509Certificates", PU_ATTR_COMPLEX, PU_ATTR_MULTI,
      pu_scim_value_attrs },
    PU_ATTR_END
};

static const pu_scim_attr_t  pu_scim_group_attrs[] = {
    { "displayName", PU_ATTR_STRING, PU_ATTR_REQUIRED, NULL },
    { "members", PU_ATTR_COMPLEX, PU_ATTR_MULTI, pu_scim_members_attrs },
    PU_ATTR_END
};

static const pu_scim_attr_t  pu_scim_enterprise_attrs[] = {
    { "employeeNumber", PU_ATTR_STRING, 0, NULL },
    { "costCenter", PU_ATTR_STRING, 0, NULL },
    { "organization", PU_ATTR_STRING, 0, NULL },
    { "division", PU_ATTR_STRING, 0, NULL },
    { "department", PU_ATTR_STRING, 0, NULL },
    { "manager", PU_ATTR_COMPLEX, 0, pu_scim_manager_attrs },
    PU_ATTR_END
};


typedef struct {
    const char            *id;
    const char            *name;
    const char            *text;
    const pu_scim_attr_t  *attrs;
} pu_scim_schema_t;

static const pu_scim_schema_t  pu_scim_schemas[] = {
    { PU_SCIM_USER, "User", "A proxy user.", pu_scim_user_attrs },
    { PU_SCIM_GROUP, "Group", "A group that gives roles to its members.",
      pu_scim_group_attrs },
    { PU_SCIM_ENTERPRISE, "EnterpriseUser", "What an employer says.",
      pu_scim_enterprise_attrs }
};

#define PU_SCIM_SCHEMAS  (sizeof(pu_scim_schemas) / sizeof(pu_scim_schemas[0]))


static const pu_scim_attr_t *pu_scim_attr_in(const pu_scim_attr_t *attrs,
    pu_str_t name);
static json_t *pu_scim_attrs_new(const pu_scim_attr_t *attrs);
static json_t *pu_scim_attr_new(const pu_scim_attr_t *attr);
static json_t *pu_scim_schema_new(const pu_scim_schema_t *schema,
    pu_str_t base);
static json_t *pu_scim_type_new(size_t i, pu_str_t base);
static json_t *pu_scim_config_new(pu_str_t base);
static json_t *pu_scim_meta_new(const char *type, pu_str_t base,
    const char *where, const char *id);
static json_t *pu_scim_documents_new(pu_str_t which, pu_str_t id,
    pu_str_t base, size_t n);


const pu_scim_attr_t *
pu_scim_attr(pu_scim_kind_t kind, const pu_scim_path_t *path)
{
    const pu_scim_attr_t  *attr;

    if (path->schema.len != 0) {
        return (kind == PU_SCIM_USERS
                && pu_str_case_eq(path->schema, PU_STR(PU_SCIM_ENTERPRISE)))
               ? pu_scim_attr_in(pu_scim_enterprise_attrs, path->name) : NULL;
    }

    attr = pu_scim_attr_in(pu_scim_common_attrs, path->name);

    if (attr != NULL) {
        return attr;
    }

    return pu_scim_attr_in((kind == PU_SCIM_USERS) ? pu_scim_user_attrs
                                                   : pu_scim_group_attrs,
                           path->name);
}


static const pu_scim_attr_t *
pu_scim_attr_in(const pu_scim_attr_t *attrs, pu_str_t name)
{
    while (attrs->name != NULL) {
        if (pu_str_case_eq(name, pu_str(attrs->name))) {
            return attrs;
        }

        attrs++;
    }

    return NULL;
}


json_t *
pu_scim_document_new(pu_str_t which, pu_str_t id, pu_str_t base)
{
    if (pu_str_case_eq(which, PU_STR("ServiceProviderConfig"))) {
        return (id.len == 0) ? pu_scim_config_new(base) : NULL;
    }

    if (pu_str_case_eq(which, PU_STR("ResourceTypes"))) {
        return pu_scim_documents_new(which, id, base, 2);
    }

    if (pu_str_case_eq(which, PU_STR("Schemas"))) {
        return pu_scim_documents_new(which, id, base, PU_SCIM_SCHEMAS);
    }

    return NULL;
}


/* All of a list, or the one that is asked for. */

static json_t *
pu_scim_documents_new(pu_str_t which, pu_str_t id, pu_str_t base, size_t n)
{
    int          types;
    size_t       i;
    json_t      *list, *one;
    const char  *name;

    types = pu_str_case_eq(which, PU_STR("ResourceTypes"));
    list = json_array();

    for (i = 0; i < n; i++) {
        name = types ? pu_scim_schemas[i].name : pu_scim_schemas[i].id;

        if (id.len != 0 && !pu_str_case_eq(id, pu_str(name))) {
            continue;
        }

        one = types ? pu_scim_type_new(i, base)
                    : pu_scim_schema_new(&pu_scim_schemas[i], base);

        if (id.len != 0) {
            json_decref(list);
            return one;
        }

        (void) json_array_append_new(list, one);
    }

    if (id.len != 0) {
        json_decref(list);
        return NULL;
    }

    return json_pack("{s:[s], s:i, s:i, s:i, s:o}",
                     "schemas", PU_SCIM_MESSAGE "ListResponse",
                     "totalResults", (int) n, "startIndex", 1,
                     "itemsPerPage", (int) n, "Resources", list);
}


static json_t *
pu_scim_schema_new(const pu_scim_schema_t *schema, pu_str_t base)
{
    return json_pack("{s:[s], s:s, s:s, s:s, s:o, s:o}",
                     "schemas",
                     "urn:ietf:params:scim:schemas:core:2.0:Schema",
                     "id", schema->id, "name", schema->name,
                     "description", schema->text,
                     "attributes", pu_scim_attrs_new(schema->attrs),
                     "meta", pu_scim_meta_new("Schema", base, "/Schemas/",
                                              schema->id));
}


static json_t *
pu_scim_attrs_new(const pu_scim_attr_t *attrs)
{
    json_t  *list;

    list = json_array();

    while (attrs->name != NULL) {
        (void) json_array_append_new(list, pu_scim_attr_new(attrs));
        attrs++;
    }

    return list;
}


static json_t *
pu_scim_attr_new(const pu_scim_attr_t *attr)
{
    json_t      *doc;
    const char  *mutability, *returned;

    static const char *const  types[] = {
        "string", "boolean", "reference", "dateTime", "complex"
    };

    mutability = (attr->flags & PU_ATTR_READONLY) ? "readOnly"
                 : (attr->flags & PU_ATTR_SECRET) ? "writeOnly"
                                                  : "readWrite";
    returned = (attr->flags & PU_ATTR_SECRET) ? "never"
               : (attr->flags & PU_ATTR_ALWAYS) ? "always" : "default";

    doc = json_pack("{s:s, s:s, s:b, s:s, s:b, s:b, s:s, s:s, s:s}",
                    "name", attr->name, "type", types[attr->type],
                    "multiValued", (attr->flags & PU_ATTR_MULTI) != 0,
                    "description", attr->name,
                    "required", (attr->flags & PU_ATTR_REQUIRED) != 0,
                    "caseExact", (attr->flags & PU_ATTR_EXACT) != 0,
                    "mutability", mutability, "returned", returned,
                    "uniqueness", (attr->flags & PU_ATTR_UNIQUE) ? "server"
                                                                 : "none");

    if (doc != NULL && attr->sub != NULL) {
        (void) json_object_set_new(doc, "subAttributes",
                                   pu_scim_attrs_new(attr->sub));
    }

    if (doc != NULL && attr->type == PU_ATTR_REFERENCE) {
        (void) json_object_set_new(doc, "referenceTypes",
                                   json_pack("[s]", "uri"));
    }

    return doc;
}


static json_t *
pu_scim_type_new(size_t i, pu_str_t base)
{
    json_t      *doc;
    const char  *name;

    name = pu_scim_schemas[i].name;

    doc = json_pack("{s:[s], s:s, s:s, s:s, s:s, s:s, s:o}",
                    "schemas",
                    "urn:ietf:params:scim:schemas:core:2.0:ResourceType",
                    "id", name, "name", name,
                    "endpoint", (i == 0) ? "/Users" : "/Groups",
                    "description", pu_scim_schemas[i].text,
                    "schema", pu_scim_schemas[i].id,
                    "meta", pu_scim_meta_new("ResourceType", base,
                                             "/ResourceTypes/", name));

    if (doc != NULL && i == 0) {
        (void) json_object_set_new(doc, "schemaExtensions",
                                   json_pack("[{s:s, s:b}]", "schema",
                                             PU_SCIM_ENTERPRISE,
                                             "required", 0));
    }

    return doc;
}


static json_t *
pu_scim_config_new(pu_str_t base)
{
    return json_pack("{s:[s], s:{s:b}, s:{s:b, s:i, s:i}, s:{s:b, s:i},"
                     " s:{s:b}, s:{s:b}, s:{s:b}, s:[{s:s, s:s, s:s, s:b}],"
                     " s:o}",
                     "schemas", "urn:ietf:params:scim:schemas:core:2.0:"
                     "ServiceProviderConfig",
                     "patch", "supported", 1,
                     "bulk", "supported", 1,
                     "maxOperations", PU_SCIM_BULK_MAX,
                     "maxPayloadSize", PU_SCIM_BODY_MAX,
                     "filter", "supported", 1,
                     "maxResults", PU_SCIM_COUNT_MAX,
                     "changePassword", "supported", 0,
                     "sort", "supported", 1,
                     "etag", "supported", 1,
                     "authenticationSchemes",
                     "type", "oauthbearertoken", "name", "Bearer token",
                     "description", "The token of this directory.",
                     "primary", 1,
                     "meta", pu_scim_meta_new("ServiceProviderConfig", base,
                                              "/ServiceProviderConfig", ""));
}


static json_t *
pu_scim_meta_new(const char *type, pu_str_t base, const char *where,
    const char *id)
{
    json_t          *location;
    pu_scim_text_t   text;

    memset(&text, 0, sizeof(pu_scim_text_t));

    pu_scim_text_put(&text, base.data, base.len);
    pu_scim_text_add(&text, where);
    pu_scim_text_add(&text, id);

    location = pu_scim_string_new((pu_str_t) {
                                  text.len, (uint8_t *) text.data });
    pu_scim_text_free(&text);

    return json_pack("{s:s, s:o}", "resourceType", type, "location",
                     location);
}
