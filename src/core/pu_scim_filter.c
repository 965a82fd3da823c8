/*
 * pu_scim_filter: a recursive descent over the text into a flat array of
 * nodes.  Not what they mean (pu_scim_match.c).
 *
 * Chains of "and" and "or" are lists of one node, so that neither reading nor
 * asking goes deeper than the parentheses do, which are bounded.
 */

#include <stdlib.h>

#include "pu_memory.h"
#include "pu_scim_filter_own.h"


typedef struct {
    pu_str_t           text;
    size_t             pos;
    unsigned           depth;
    pu_scim_filter_t  *filter;
    pu_scim_error_t   *err;
} pu_filter_reader_t;


static const char *const  pu_filter_ops[] = {
    "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"
};

#define PU_FILTER_OPS  (sizeof(pu_filter_ops) / sizeof(pu_filter_ops[0]))


static unsigned pu_filter_or(pu_filter_reader_t *r);
static unsigned pu_filter_and(pu_filter_reader_t *r);
static unsigned pu_filter_list(pu_filter_reader_t *r, pu_filter_kind_t kind,
    const char *word, unsigned (*item)(pu_filter_reader_t *r));
static unsigned pu_filter_term(pu_filter_reader_t *r);
static unsigned pu_filter_group(pu_filter_reader_t *r, int open, int close);
static unsigned pu_filter_attribute(pu_filter_reader_t *r);
static int pu_filter_compare(pu_filter_reader_t *r, unsigned node);
static int pu_filter_value(pu_filter_reader_t *r, pu_filter_node_t *node);
static unsigned pu_filter_node(pu_filter_reader_t *r, pu_filter_kind_t kind);
static unsigned pu_filter_bad(pu_filter_reader_t *r, const char *text);
static void pu_filter_space(pu_filter_reader_t *r);
static int pu_filter_word(pu_filter_reader_t *r, const char *word);
static int pu_filter_char(pu_filter_reader_t *r, int c);
static pu_str_t pu_filter_name(pu_filter_reader_t *r);


pu_scim_filter_t *
pu_scim_filter_new(pu_str_t text, pu_scim_error_t *err)
{
    pu_filter_reader_t  r;

    memset(&r, 0, sizeof(pu_filter_reader_t));

    r.text = text;
    r.err = err;

    if (text.len > PU_SCIM_FILTER_MAX) {
        pu_scim_fail(err, 400, "invalidFilter",
                     "a filter has at most 16384 bytes", text);
        return NULL;
    }

    r.filter = calloc(1, sizeof(pu_scim_filter_t));

    if (r.filter == NULL) {
        pu_scim_fail(err, 500, NULL, "there is no memory", text);
        return NULL;
    }

    r.filter->n = 1;
    r.filter->root = pu_filter_or(&r);

    pu_filter_space(&r);

    if (r.filter->root != PU_FILTER_NONE && r.pos != text.len) {
        r.filter->root = pu_filter_bad(&r, "something follows the filter");
    }

    if (r.filter->root == PU_FILTER_NONE) {
        pu_scim_filter_free(r.filter);
        return NULL;
    }

    return r.filter;
}


void
pu_scim_filter_free(pu_scim_filter_t *filter)
{
    unsigned  i;

    if (filter == NULL) {
        return;
    }

    for (i = 1; i < filter->n; i++) {
        json_decref(filter->nodes[i].value);
    }

    free(filter->nodes);
    free(filter);
}


/* Reading. */


static unsigned
pu_filter_or(pu_filter_reader_t *r)
{
    return pu_filter_list(r, PU_FILTER_OR, "or", pu_filter_and);
}


static unsigned
pu_filter_and(pu_filter_reader_t *r)
{
    return pu_filter_list(r, PU_FILTER_AND, "and", pu_filter_term);
}


/* One item alone needs no list. */

static unsigned
pu_filter_list(pu_filter_reader_t *r, pu_filter_kind_t kind,
    const char *word, unsigned (*item)(pu_filter_reader_t *r))
{
    unsigned  first, last, next, list;

    first = item(r);
    last = first;

    while (last != PU_FILTER_NONE && pu_filter_word(r, word)) {
        next = item(r);

        if (next == PU_FILTER_NONE) {
            return PU_FILTER_NONE;
        }

        r->filter->nodes[last].next = next;
        last = next;
    }

    if (first == last) {
        return first;
    }

    list = pu_filter_node(r, kind);

    if (list != PU_FILTER_NONE) {
        r->filter->nodes[list].first = first;
    }

    return list;
}


static unsigned
pu_filter_term(pu_filter_reader_t *r)
{
    size_t    start;
    unsigned  inner, node;

    pu_filter_space(r);
    start = r->pos;

    if (pu_filter_word(r, "not")) {
        pu_filter_space(r);

        if (r->pos < r->text.len && r->text.data[r->pos] == '(') {
            inner = pu_filter_group(r, '(', ')');
            node = (inner != PU_FILTER_NONE)
                   ? pu_filter_node(r, PU_FILTER_NOT) : PU_FILTER_NONE;

            if (node != PU_FILTER_NONE) {
                r->filter->nodes[node].first = inner;
            }

            return node;
        }

        r->pos = start;
    }

    if (r->pos < r->text.len && r->text.data[r->pos] == '(') {
        return pu_filter_group(r, '(', ')');
    }

    return pu_filter_attribute(r);
}


static unsigned
pu_filter_group(pu_filter_reader_t *r, int open, int close)
{
    unsigned  inner;

    if (!pu_filter_char(r, open)) {
        return pu_filter_bad(r, "a parenthesis is missing");
    }

    if (++r->depth > PU_SCIM_FILTER_DEPTH) {
        return pu_filter_bad(r, "it is nested deeper than 32");
    }

    inner = pu_filter_or(r);
    r->depth--;

    if (inner != PU_FILTER_NONE && !pu_filter_char(r, close)) {
        return pu_filter_bad(r, "a parenthesis is not closed");
    }

    return inner;
}


/* attrPath op value, attrPath "pr", or attrPath "[" filter "]" [.sub op ...] */

static unsigned
pu_filter_attribute(pu_filter_reader_t *r)
{
    pu_str_t           name;
    unsigned           i, inner;
    pu_scim_path_t     path;
    pu_filter_node_t  *node;

    name = pu_filter_name(r);

    if (!pu_scim_path(&path, name) || path.name.len == 0) {
        return pu_filter_bad(r, "an attribute is expected");
    }

    if (pu_scim_path_is(&path, "password")) {
        return pu_filter_bad(r, "\"password\" cannot be asked for");
    }

    if (r->pos == r->text.len || r->text.data[r->pos] != '[') {
        i = pu_filter_node(r, PU_FILTER_COMPARE);

        if (i == PU_FILTER_NONE) {
            return PU_FILTER_NONE;
        }

        r->filter->nodes[i].path = path;

        return pu_filter_compare(r, i) ? i : PU_FILTER_NONE;
    }

    inner = pu_filter_group(r, '[', ']');
    i = (inner != PU_FILTER_NONE) ? pu_filter_node(r, PU_FILTER_VALUES)
                                  : PU_FILTER_NONE;

    if (i == PU_FILTER_NONE) {
        return PU_FILTER_NONE;
    }

    node = &r->filter->nodes[i];
    node->path = path;
    node->first = inner;

    /* not of the grammar, but sent: emails[type eq "work"].value eq "..." */

    if (r->pos < r->text.len && r->text.data[r->pos] == '.') {
        r->pos++;
        node->path.sub = pu_filter_name(r);
        node->compares = 1;

        if (node->path.sub.len == 0) {
            return pu_filter_bad(r, "an attribute is expected");
        }

        return pu_filter_compare(r, i) ? i : PU_FILTER_NONE;
    }

    return i;
}


static int
pu_filter_compare(pu_filter_reader_t *r, unsigned node)
{
    unsigned  op;

    for (op = 0; op < PU_FILTER_OPS; op++) {
        if (pu_filter_word(r, pu_filter_ops[op])) {
            break;
        }
    }

    if (op == PU_FILTER_OPS) {
        pu_filter_bad(r, "eq, ne, co, sw, ew, pr, gt, ge, lt or le is "
                      "expected");
        return 0;
    }

    r->filter->nodes[node].op = (pu_filter_op_t) op;

    return op == PU_OP_PR || pu_filter_value(r, &r->filter->nodes[node]);
}


/* A JSON value: jansson reads it, this only finds its end. */

static int
pu_filter_value(pu_filter_reader_t *r, pu_filter_node_t *node)
{
    size_t          len;
    const uint8_t  *p, *end;

    pu_filter_space(r);

    p = r->text.data + r->pos;
    end = r->text.data + r->text.len;
    len = 0;

    if (p < end && *p == '"') {
        for (len = 1; p + len < end && p[len] != '"'; len++) {
            if (p[len] == '\\') {
                len++;
            }
        }

        len++;

    } else {
        while (p + len < end && p[len] != ' ' && p[len] != ')'
               && p[len] != ']')
        {
            len++;
        }
    }

    if (len == 0 || len > (size_t) (end - p)) {
        pu_filter_bad(r, "a value is missing or its string is not closed");
        return 0;
    }

    node->value = pu_memory_json((pu_str_t) { len, (const uint8_t *) p },
                                 JSON_DECODE_ANY|JSON_ALLOW_NUL);

    if (node->value == NULL) {
        pu_filter_bad(r, "a value is not JSON: a string stands in double "
                      "quotes");
        return 0;
    }

    if (json_string_length(node->value) > PU_USER_NAME_MAX) {
        pu_filter_bad(r, "a value has at most 1024 bytes");
        return 0;
    }

    if ((json_is_boolean(node->value) || json_is_null(node->value))
        && node->op != PU_OP_EQ && node->op != PU_OP_NE)
    {
        pu_filter_bad(r, "true, false and null can only be eq or ne");
        return 0;
    }

    r->pos += len;

    return 1;
}


static unsigned
pu_filter_node(pu_filter_reader_t *r, pu_filter_kind_t kind)
{
    unsigned           size;
    pu_filter_node_t  *nodes;
    pu_scim_filter_t  *filter;

    filter = r->filter;

    if (filter->n == PU_SCIM_FILTER_NODES) {
        return pu_filter_bad(r, "it has too many parts");
    }

    if (filter->n >= filter->size) {
        size = filter->size ? filter->size * 2 : 8;
        nodes = realloc(filter->nodes, size * sizeof(pu_filter_node_t));

        if (nodes == NULL) {
            pu_scim_fail(r->err, 500, NULL, "there is no memory", PU_STR(""));
            return PU_FILTER_NONE;
        }

        filter->nodes = nodes;
        filter->size = size;
    }

    memset(&filter->nodes[filter->n], 0, sizeof(pu_filter_node_t));
    filter->nodes[filter->n].kind = kind;

    return filter->n++;
}


static unsigned
pu_filter_bad(pu_filter_reader_t *r, const char *text)
{
    pu_scim_fail(r->err, 400, "invalidFilter", "the filter is not valid: %s",
                 pu_str(text));

    return PU_FILTER_NONE;
}


static void
pu_filter_space(pu_filter_reader_t *r)
{
    while (r->pos < r->text.len && r->text.data[r->pos] == ' ') {
        r->pos++;
    }
}


/* A word in any case, ended by what is no letter. */

static int
pu_filter_word(pu_filter_reader_t *r, const char *word)
{
    size_t    len, after;
    uint8_t   c;
    pu_str_t  found;

    pu_filter_space(r);

    len = strlen(word);
    found.len = len;
    found.data = r->text.data + r->pos;
    after = r->pos + len;

    if (r->text.len - r->pos < len || !pu_str_case_eq(found, pu_str(word))) {
        return 0;
    }

    c = (after < r->text.len) ? r->text.data[after] : ' ';

    if (c != ' ' && c != '(' && c != ')' && c != ']' && c != '"') {
        return 0;
    }

    r->pos = after;

    return 1;
}


static int
pu_filter_char(pu_filter_reader_t *r, int c)
{
    pu_filter_space(r);

    if (r->pos == r->text.len || r->text.data[r->pos] != c) {
        return 0;
    }

    r->pos++;

    return 1;
}


static pu_str_t
pu_filter_name(pu_filter_reader_t *r)
{
    uint8_t   c;
    pu_str_t  name;

    pu_filter_space(r);

    name.data = r->text.data + r->pos;
    name.len = 0;

    while (r->pos < r->text.len) {
        c = r->text.data[r->pos];

        if (c == ' ' || c == '[' || c == ']' || c == '(' || c == ')'
            || c == '"')
        {
            break;
        }

        r->pos++;
        name.len++;
    }

    return name;
}


int
pu_scim_filter_path(pu_str_t text, pu_scim_path_t *path,
    pu_scim_filter_t **filter, pu_scim_error_t *err)
{
    size_t           open, close;
    pu_str_t         part;
    pu_scim_error_t  inner;

    *filter = NULL;

    for (open = 0; open < text.len && text.data[open] != '['; open++) {
        /* void */
    }

    part.len = open;
    part.data = text.data;

    if (!pu_scim_path(path, part)) {
        return pu_scim_fail(err, 400, "invalidPath",
                            "\"%s\" is not a path", text);
    }

    if (open == text.len) {
        return 1;
    }

    for (close = text.len; close > open && text.data[close - 1] != ']';
         close--)
    {
        /* void */
    }

    if (close == open || path->name.len == 0 || path->sub.len != 0
        || (close < text.len
            && (text.data[close] != '.' || close + 1 == text.len)))
    {
        return pu_scim_fail(err, 400, "invalidPath",
                            "\"%s\" is not a path", text);
    }

    if (close < text.len) {
        path->sub.len = text.len - close - 1;
        path->sub.data = text.data + close + 1;
    }

    part.len = close - open - 2;
    part.data = text.data + open + 1;

    memset(&inner, 0, sizeof(pu_scim_error_t));

    *filter = pu_scim_filter_new(part, &inner);

    if (*filter == NULL) {
        if (inner.status == 400) {
            inner.type = "invalidPath";
        }

        *err = (err->status != 0) ? *err : inner;
    }

    return *filter != NULL;
}
