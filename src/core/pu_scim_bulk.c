/*
 * pu_scim_bulk: many operations in one request (RFC 7644 section 3.7).
 *
 * They are done one after the other.  One that names what another makes
 * (bulkId) waits for it; those that wait for each other in a ring are refused.
 */

#include <stdlib.h>

#include "pu_scim_call_own.h"


static int pu_bulk_ids(pu_scim_call_t *call);
static int pu_bulk_begin(pu_scim_call_t *call, size_t i);
static int pu_bulk_ready(pu_scim_call_t *call, const json_t *operation);
static int pu_bulk_resolved(pu_scim_call_t *call, const json_t *value);
static json_t *pu_bulk_fill_new(pu_scim_call_t *call, json_t *value);
static pu_str_t pu_bulk_reference(pu_str_t text);
static void pu_bulk_location(pu_scim_call_t *call, json_t *result,
    json_t *method);
static void pu_bulk_answer(pu_scim_call_t *call);
static json_t *pu_bulk_id(pu_scim_call_t *call, pu_str_t name);


int
pu_bulk_start(pu_scim_call_t *call)
{
    json_t        *fail;
    pu_scim_op_t  *op;

    op = &call->op;
    call->operations = pu_scim_get(call->body, PU_STR("Operations"));
    fail = pu_scim_get(call->body, PU_STR("failOnErrors"));

    if (!json_is_array(call->operations) || !pu_scim_names_ok(call->body)) {
        return pu_op_fail(op, 400, "invalidSyntax",
                          "a bulk request has an array \"Operations\", and "
                          "no name twice");
    }

    if (json_array_size(call->operations) > PU_SCIM_BULK_MAX) {
        return pu_op_fail(op, 413, "tooMany",
                          "a bulk request has at most 1000 operations");
    }

    if (json_is_integer(fail) && json_integer_value(fail) > 0) {
        call->errors_max = (size_t) json_integer_value(fail);
    }

    if (!pu_bulk_ids(call)) {
        return PU_OP_DONE;
    }

    call->many = 1;

    return pu_bulk_next(call);
}


static int
pu_bulk_ids(pu_scim_call_t *call)
{
    size_t        i;
    json_t       *id;
    const char   *name;

    call->results = json_array();
    call->ids = json_object();

    for (i = 0; i < json_array_size(call->operations); i++) {
        id = pu_scim_get(json_array_get(call->operations, i),
                         PU_STR("bulkId"));
        name = json_string_value(id);

        if (name != NULL) {

            if (json_string_length(id) != strlen(name)
                || json_object_get(call->ids, name) != NULL)
            {
                return pu_op_fail(&call->op, 400, "invalidValue",
                                  "a bulkId is there twice, or has a NUL "
                                  "in it")
                       != PU_OP_DONE;
            }

            (void) json_object_set_new(call->ids, name, json_null());
        }

        (void) json_array_append_new(call->results, json_null());
    }

    return 1;
}


/*
 * The first operation that can be done and is not; when only those are left
 * that wait for each other, they fail.
 */

int
pu_bulk_next(pu_scim_call_t *call)
{
    size_t  i, n, left;

    if (!call->many) {
        return PU_OP_DONE;
    }

    n = json_array_size(call->operations);
    left = n;

    for (i = 0; i < n; i++) {

        if (!json_is_null(json_array_get(call->results, i))) {
            continue;
        }

        if (call->errors_max != 0 && call->errors >= call->errors_max) {
            break;
        }

        if (left == n) {
            left = i;
        }

        /* once nothing could be done, nothing more is made */

        if (!call->stuck
            && pu_bulk_ready(call, json_array_get(call->operations, i)))
        {
            return pu_bulk_begin(call, i);
        }
    }

    if (left < n && i == n) {
        call->stuck = 1;
        call->at = left;
        pu_call_reset(call);
        return pu_op_fail(&call->op, 409, NULL, "it waits for a bulkId that "
                          "was not made");
    }

    call->many = 0;
    pu_bulk_answer(call);

    return PU_OP_DONE;
}


/* Does it wait for nothing that is still to be made? */

static int
pu_bulk_ready(pu_scim_call_t *call, const json_t *operation)
{
    return pu_bulk_resolved(call, pu_scim_get(operation, PU_STR("path")))
           && pu_bulk_resolved(call, pu_scim_get(operation, PU_STR("data")));
}


static int
pu_bulk_resolved(pu_scim_call_t *call, const json_t *value)
{
    void      *iter;
    size_t     i;
    json_t    *o;
    pu_str_t   text;

    if (pu_json_str(value, &text)) {
        text = pu_bulk_reference(text);

        return text.len == 0
               || !json_is_null(pu_bulk_id(call, text));
    }

    for (i = 0; json_is_array(value) && i < json_array_size(value); i++) {
        if (!pu_bulk_resolved(call, json_array_get(value, i))) {
            return 0;
        }
    }

    o = (json_t *) (uintptr_t) value;

    for (iter = json_is_object(value) ? json_object_iter(o) : NULL;
         iter != NULL;
         iter = json_object_iter_next(o, iter))
    {
        if (!pu_bulk_resolved(call, json_object_iter_value(iter))) {
            return 0;
        }
    }

    return 1;
}


/* It is the end of a string of jansson's, which a NUL follows. */

static json_t *
pu_bulk_id(pu_scim_call_t *call, pu_str_t name)
{
    return json_object_get(call->ids, (const char *) name.data);
}


/* "bulkId:x", "/Users/bulkId:x": x, else empty. */

static pu_str_t
pu_bulk_reference(pu_str_t text)
{
    size_t    i;
    pu_str_t  rest;

    for (i = text.len; i > 0 && text.data[i - 1] != '/'; i--) { /* void */ }

    rest.len = text.len - i;
    rest.data = text.data + i;

    if (rest.len <= 7
        || !pu_str_case_eq((pu_str_t) { 7, rest.data }, PU_STR("bulkId:")))
    {
        return PU_STR("");
    }

    rest.len -= 7;
    rest.data += 7;

    return rest;
}


/* A copy with the ids in place of the references; NULL: memory. */

static json_t *
pu_bulk_fill_new(pu_scim_call_t *call, json_t *value)
{
    void            *iter;
    size_t           i;
    json_t          *copy, *id;
    pu_str_t         text, name;
    pu_scim_text_t   filled;

    if (pu_json_str(value, &text)) {
        name = pu_bulk_reference(text);
        id = (name.len != 0) ? pu_bulk_id(call, name) : NULL;

        if (!json_is_string(id)) {
            return json_incref(value);
        }

        memset(&filled, 0, sizeof(pu_scim_text_t));
        pu_scim_text_put(&filled, text.data, text.len - name.len - 7);
        pu_scim_text_put(&filled, json_string_value(id),
                         json_string_length(id));
        copy = pu_scim_string_new((pu_str_t) {
                                  filled.len, (uint8_t *) filled.data });
        pu_scim_text_free(&filled);

        return copy;
    }

    if (json_is_array(value)) {
        copy = json_array();

        for (i = 0; i < json_array_size(value); i++) {
            (void) json_array_append_new(copy,
                       pu_bulk_fill_new(call, json_array_get(value, i)));
        }

        return copy;
    }

    if (!json_is_object(value)) {
        return json_incref(value);
    }

    copy = json_object();

    for (iter = json_object_iter(value);
         iter != NULL;
         iter = json_object_iter_next(value, iter))
    {
        (void) json_object_set_new(copy, json_object_iter_key(iter),
                   pu_bulk_fill_new(call, json_object_iter_value(iter)));
    }

    return copy;
}


static int
pu_bulk_begin(pu_scim_call_t *call, size_t i)
{
    json_t        *operation, *path, *data;
    pu_str_t       method, version, text;
    const char    *allow;
    pu_scim_op_t  *op;

    call->at = i;
    pu_call_reset(call);

    op = &call->op;
    operation = json_array_get(call->operations, i);
    data = pu_scim_get(operation, PU_STR("data"));
    path = pu_scim_get(operation, PU_STR("path"));

    if (!pu_json_str(pu_scim_get(operation, PU_STR("method")), &method)
        || !json_is_string(path) || !pu_scim_query_url(&op->query,
                                                       PU_STR(""), &op->err))
    {
        return pu_op_fail(op, 400, "invalidSyntax",
                          "an operation has a \"method\" and a \"path\"");
    }

    path = pu_bulk_fill_new(call, path);
    call->path = (path != NULL && json_string_length(path)
                                  == strlen(json_string_value(path)))
                 ? strdup(json_string_value(path)) : NULL;
    json_decref(path);

    if (call->path == NULL) {
        return pu_op_fail(op, 400, "invalidPath", "the path is none");
    }

    if (pu_json_str(pu_scim_get(operation, PU_STR("version")), &version)) {
        op->if_match = version;
    }

    if (pu_str_is(method, "POST") || pu_str_is(method, "PUT")
        || pu_str_is(method, "PATCH"))
    {
        if (!json_is_object(data) && !json_is_array(data)) {
            return pu_op_fail(op, 400, "invalidSyntax",
                              "the operation has no \"data\"");
        }

        /* a PATCH may be its operations alone (RFC 7644 section 3.7.3) */

        call->data = pu_bulk_fill_new(call, data);

        if (json_is_array(data)) {
            call->data = json_pack("{s:o}", "Operations", call->data);
        }

        op->body = call->data;

    } else if (!pu_str_is(method, "DELETE")) {
        return pu_op_fail(op, 400, "invalidValue",
                          "a bulk operation is POST, PUT, PATCH or DELETE");
    }

    text = pu_str(call->path);

    if (!pu_str_starts(text, "/Users") && !pu_str_starts(text, "/Groups")) {
        return pu_op_fail(op, 400, "invalidPath",
                          "a bulk operation is for /Users or /Groups");
    }

    return pu_call_route(op, method, text, &allow);
}


/* The result of the operation that has ended. */

void
pu_bulk_finish(pu_scim_call_t *call)
{
    int            status;
    char           number[4];
    json_t        *result, *operation, *id, *value;
    pu_scim_op_t  *op;

    op = &call->op;

    if (op->err.status == 0 && op->status == 0) {
        (void) pu_op_fail(op, 500, NULL, "there is no memory");
    }

    status = op->err.status ? op->err.status : op->status;
    operation = json_array_get(call->operations, call->at);
    id = pu_scim_get(operation, PU_STR("bulkId"));
    result = json_object();

    value = pu_scim_get(operation, PU_STR("method"));

    if (value != NULL) {
        (void) json_object_set(result, "method", value);
    }

    if (json_is_string(id)) {
        (void) json_object_set(result, "bulkId", id);
    }

    number[0] = (char) ('0' + status / 100);
    number[1] = (char) ('0' + status / 10 % 10);
    number[2] = (char) ('0' + status % 10);
    number[3] = '\0';

    (void) json_object_set_new(result, "status", json_string(number));

    pu_bulk_location(call, result, value);

    if (op->err.status != 0) {
        call->errors++;
        (void) json_object_set_new(result, "response",
                                   pu_scim_error_new(&op->err));

    } else if (op->etag[0] != '\0') {
        (void) json_object_set_new(result, "version",
                                   json_string(op->etag));
    }

    if (status == 201 && json_is_string(id)) {
        (void) json_object_set_new(call->ids, json_string_value(id),
                                   pu_scim_string_new(op->id));
    }

    (void) json_array_set_new(call->results, call->at, result);
}


/* A POST that failed has made nothing to name (RFC 7644 section 3.7). */

static void
pu_bulk_location(pu_scim_call_t *call, json_t *result, json_t *method)
{
    pu_str_t       text;
    pu_scim_op_t  *op;

    op = &call->op;

    if (op->id.len == 0
        || (op->err.status != 0 && pu_json_str(method, &text)
            && pu_str_is(text, "POST")))
    {
        return;
    }

    call->location.len = 0;
    pu_call_location(call);
    (void) json_object_set_new(result, "location",
               pu_scim_string_new((pu_str_t) {
                   call->location.len,
                   (uint8_t *) call->location.data }));
    call->location.len = 0;
}


static void
pu_bulk_answer(pu_scim_call_t *call)
{
    size_t   i;
    json_t  *list;

    pu_call_reset(call);

    list = json_array();

    for (i = 0; i < json_array_size(call->results); i++) {
        if (!json_is_null(json_array_get(call->results, i))) {
            (void) json_array_append(list, json_array_get(call->results, i));
        }
    }

    call->op.doc = json_pack("{s:[s], s:o}",
                             "schemas", PU_SCIM_MESSAGE "BulkResponse",
                             "Operations", list);
    (void) pu_op_done(&call->op, 200);
}
