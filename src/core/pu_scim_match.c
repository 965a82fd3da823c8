/*
 * pu_scim_match: does a resource pass a filter, and what else one can be used
 * for: a look-up, an example.
 */

#include "pu_scim_filter_own.h"


static int pu_filter_ask(const pu_scim_filter_t *filter, unsigned i,
    const json_t *resource);
static int pu_filter_ask_values(const pu_scim_filter_t *filter,
    const pu_filter_node_t *node, const json_t *resource);
static int pu_filter_ask_compare(const pu_filter_node_t *node,
    const json_t *resource);
static int pu_filter_any(const pu_filter_node_t *node, const json_t *value,
    pu_filter_op_t op);
static int pu_filter_one(const pu_filter_node_t *node, const json_t *value,
    pu_filter_op_t op);
static int pu_filter_text(const pu_filter_node_t *node, pu_str_t a,
    pu_str_t b, pu_filter_op_t op);
static int pu_filter_order(int sign, pu_filter_op_t op);
static int pu_filter_exact(const pu_filter_node_t *node);
static int pu_filter_case_cmp(pu_str_t a, pu_str_t b, int exact);
static int pu_filter_node_index(const pu_scim_filter_t *filter, unsigned i,
    pu_find_t *how, pu_str_t *text);
static int pu_filter_equals(const pu_filter_node_t *node);


int
pu_scim_filter_match(const pu_scim_filter_t *filter, const json_t *resource)
{
    return pu_filter_ask(filter, filter->root, resource);
}


static int
pu_filter_ask(const pu_scim_filter_t *filter, unsigned i,
    const json_t *resource)
{
    int                      wanted;
    unsigned                 item;
    const pu_filter_node_t  *node;

    node = &filter->nodes[i];

    switch (node->kind) {

    case PU_FILTER_AND:
    case PU_FILTER_OR:
        wanted = (node->kind == PU_FILTER_OR);

        for (item = node->first; item != PU_FILTER_NONE;
             item = filter->nodes[item].next)
        {
            if (pu_filter_ask(filter, item, resource) == wanted) {
                return wanted;
            }
        }

        return !wanted;

    case PU_FILTER_NOT:
        return !pu_filter_ask(filter, node->first, resource);

    case PU_FILTER_VALUES:
        return pu_filter_ask_values(filter, node, resource);

    default:
        return pu_filter_ask_compare(node, resource);
    }
}


/* Is there a value of the attribute that passes the filter in brackets? */

static int
pu_filter_ask_values(const pu_scim_filter_t *filter,
    const pu_filter_node_t *node, const json_t *resource)
{
    size_t         i, n;
    const json_t  *values, *one;

    values = pu_scim_at(resource, &node->path);
    n = json_is_array(values) ? json_array_size(values)
                              : json_is_object(values) ? 1 : 0;

    for (i = 0; i < n; i++) {
        one = json_is_array(values) ? json_array_get(values, i) : values;

        if (json_is_object(one) && pu_filter_ask(filter, node->first, one)
            && (!node->compares
                || pu_filter_any(node, pu_scim_get(one, node->path.sub),
                                 node->op)))
        {
            return 1;
        }
    }

    return 0;
}


static int
pu_filter_ask_compare(const pu_filter_node_t *node, const json_t *resource)
{
    const json_t  *value;

    value = pu_scim_at(resource, &node->path);

    if (node->op == PU_OP_NE) {
        return !pu_filter_any(node, value, PU_OP_EQ);
    }

    return pu_filter_any(node, value, node->op);
}


/* Any value of several; the sub-attribute, or "value", of complex ones. */

static int
pu_filter_any(const pu_filter_node_t *node, const json_t *value,
    pu_filter_op_t op)
{
    size_t         i;
    const json_t  *one;

    if (op == PU_OP_NE) {
        return !pu_filter_any(node, value, PU_OP_EQ);
    }

    if (json_is_array(value)) {
        for (i = 0; i < json_array_size(value); i++) {
            one = json_array_get(value, i);

            if (!json_is_array(one) && pu_filter_any(node, one, op)) {
                return 1;
            }
        }

        return json_array_size(value) == 0 && op == PU_OP_EQ
               && json_is_null(node->value);
    }

    if (json_is_object(value)) {
        if (node->path.sub.len != 0) {
            return pu_filter_one(node, pu_scim_get(value, node->path.sub),
                                 op);
        }

        if (op == PU_OP_PR) {
            return json_object_size(value) != 0;
        }

        return pu_filter_one(node, pu_scim_get(value, PU_STR("value")), op);
    }

    return pu_filter_one(node, value, op);
}


static int
pu_filter_one(const pu_filter_node_t *node, const json_t *value,
    pu_filter_op_t op)
{
    int       a, b;
    double    x, y;
    pu_str_t  s, t;

    if (op == PU_OP_PR) {
        return value != NULL && !json_is_null(value)
               && !(json_is_string(value) && json_string_length(value) == 0)
               && !(json_is_array(value) && json_array_size(value) == 0);
    }

    if (json_is_null(node->value)) {
        return op == PU_OP_EQ && (value == NULL || json_is_null(value));
    }

    if (json_is_boolean(value) || json_is_boolean(node->value)) {
        return op == PU_OP_EQ && pu_scim_bool(value, &a)
               && pu_scim_bool(node->value, &b) && a == b;
    }

    if (pu_json_str(value, &s) && pu_json_str(node->value, &t)) {
        return pu_filter_text(node, s, t, op);
    }

    if (json_is_number(value) && json_is_number(node->value)) {
        x = json_number_value(value);
        y = json_number_value(node->value);

        return pu_filter_order((x > y) - (x < y), op);
    }

    return 0;
}


static int
pu_filter_text(const pu_filter_node_t *node, pu_str_t a, pu_str_t b,
    pu_filter_op_t op)
{
    int       exact;
    size_t    i;
    int64_t   t, u;
    pu_str_t  part;

    exact = pu_filter_exact(node);

    switch (op) {

    case PU_OP_CO:
    case PU_OP_SW:
    case PU_OP_EW:
        part.len = b.len;

        for (i = (op == PU_OP_EW && a.len > b.len) ? a.len - b.len : 0;
             i + b.len <= a.len;
             i++)
        {
            part.data = a.data + i;

            if (pu_filter_case_cmp(part, b, exact) == 0) {
                return 1;
            }

            if (op == PU_OP_SW) {
                break;
            }
        }

        return 0;

    default:
        if (pu_scim_time(a, &t) && pu_scim_time(b, &u)) {
            return pu_filter_order((t > u) - (t < u), op);
        }

        return pu_filter_order(pu_filter_case_cmp(a, b, exact), op);
    }
}


static int
pu_filter_order(int sign, pu_filter_op_t op)
{
    switch (op) {

    case PU_OP_EQ:
        return sign == 0;

    case PU_OP_GT:
        return sign > 0;

    case PU_OP_GE:
        return sign >= 0;

    case PU_OP_LT:
        return sign < 0;

    case PU_OP_LE:
        return sign <= 0;

    default:
        return 0;
    }
}


/* What is compared byte for byte: identifiers (RFC 7643 section 3.1). */

static int
pu_filter_exact(const pu_filter_node_t *node)
{
    return pu_scim_path_is(&node->path, "id")
           || pu_scim_path_is(&node->path, "externalId")
           || pu_scim_path_is(&node->path, "$ref")
           || pu_str_case_eq(node->path.sub, PU_STR("$ref"))
           || pu_scim_path_is(&node->path, "members")
           || pu_scim_path_is(&node->path, "groups");
}


static int
pu_filter_case_cmp(pu_str_t a, pu_str_t b, int exact)
{
    size_t   i;
    uint8_t  x, y;

    if (exact) {
        return pu_str_cmp(a, b);
    }

    for (i = 0; i < a.len && i < b.len; i++) {
        x = a.data[i];
        y = b.data[i];

        x = (uint8_t) ((x >= 'A' && x <= 'Z') ? x | 0x20 : x);
        y = (uint8_t) ((y >= 'A' && y <= 'Z') ? y | 0x20 : y);

        if (x != y) {
            return (x < y) ? -1 : 1;
        }
    }

    return (a.len > b.len) - (a.len < b.len);
}


/* What else a filter can be used for. */


int
pu_scim_filter_index(const pu_scim_filter_t *filter, pu_find_t *how,
    pu_str_t *text)
{
    return pu_filter_node_index(filter, filter->root, how, text);
}


static int
pu_filter_node_index(const pu_scim_filter_t *filter, unsigned i,
    pu_find_t *how, pu_str_t *text)
{
    unsigned                 item;
    const pu_filter_node_t  *node;

    node = &filter->nodes[i];

    if (node->kind == PU_FILTER_AND) {
        for (item = node->first; item != PU_FILTER_NONE;
             item = filter->nodes[item].next)
        {
            if (pu_filter_node_index(filter, item, how, text)) {
                return 1;
            }
        }

        return 0;
    }

    if (node->kind != PU_FILTER_COMPARE || node->op != PU_OP_EQ
        || node->path.sub.len != 0 || !pu_json_str(node->value, text))
    {
        return 0;
    }

    if (pu_scim_path_is(&node->path, "userName")) {
        *how = PU_FIND_NAME;

    } else if (pu_scim_path_is(&node->path, "externalId")) {
        *how = PU_FIND_EXTERNAL;

    } else if (pu_scim_path_is(&node->path, "id")) {
        *how = PU_FIND_ID;

    } else {
        return 0;
    }

    return 1;
}


/* An equality without a path below its name. */

static int
pu_filter_equals(const pu_filter_node_t *node)
{
    return node->kind == PU_FILTER_COMPARE && node->op == PU_OP_EQ
           && node->path.schema.len == 0 && node->path.sub.len == 0;
}


json_t *
pu_scim_filter_example_new(const pu_scim_filter_t *filter)
{
    json_t                  *example;
    unsigned                 item;
    const pu_filter_node_t  *node;

    node = &filter->nodes[filter->root];
    item = (node->kind == PU_FILTER_AND) ? node->first : filter->root;
    example = json_object();

    while (example != NULL && item != PU_FILTER_NONE) {
        node = &filter->nodes[item];

        if (!pu_filter_equals(node)
            || !pu_scim_set_new(example, node->path.name,
                                json_incref(node->value)))
        {
            json_decref(example);
            return NULL;
        }

        item = node->next;
    }

    return example;
}


json_t *
pu_scim_filter_any_new(const pu_scim_filter_t *filter, const char *name)
{
    json_t                  *list;
    unsigned                 item;
    const pu_filter_node_t  *node;

    node = &filter->nodes[filter->root];
    item = (node->kind == PU_FILTER_OR) ? node->first : filter->root;
    list = json_array();

    while (list != NULL && item != PU_FILTER_NONE) {
        node = &filter->nodes[item];

        if (!pu_filter_equals(node) || !json_is_string(node->value)
            || !pu_scim_path_is(&node->path, name)
            || json_array_append(list, node->value) != 0)
        {
            json_decref(list);
            return NULL;
        }

        item = node->next;
    }

    return list;
}


int
pu_scim_filter_uses(const pu_scim_filter_t *filter, const char *name)
{
    unsigned                 i;
    const pu_filter_node_t  *node;

    for (i = 1; i < filter->n; i++) {
        node = &filter->nodes[i];

        if ((node->kind == PU_FILTER_COMPARE
             || node->kind == PU_FILTER_VALUES)
            && pu_scim_path_is(&node->path, name))
        {
            return 1;
        }
    }

    return 0;
}
