/*
 * pu_scim_request: which operation a request is, and its answer.
 */

#include <stdlib.h>

#include "pu_memory.h"
#include "pu_scim_call_own.h"
#include "pu_scim_schema.h"


#define PU_CALL_SEGMENTS  3


static int pu_call_start(pu_scim_call_t *call);
static int pu_call_body(pu_scim_call_t *call);
static int pu_call_json(pu_str_t type);
static int pu_call_segments(pu_str_t path, pu_str_t seg[PU_CALL_SEGMENTS]);
static int pu_call_search(pu_scim_op_t *op);
static int pu_call_document(pu_scim_op_t *op, pu_str_t method, pu_str_t which,
    pu_str_t id, const char **allow);
static int pu_call_resource(pu_scim_op_t *op, pu_str_t method, pu_str_t id,
    const char **allow);
static int pu_call_not_allowed(pu_scim_op_t *op, const char **allow,
    const char *methods);
static int pu_call_end(pu_scim_call_t *call);
static void pu_call_put_error(pu_scim_call_t *call,
    const pu_scim_error_t *err);


pu_scim_call_t *
pu_scim_call_new(const pu_scim_env_t *env, const pu_scim_request_t *request)
{
    pu_scim_call_t  *call;

    call = calloc(1, sizeof(pu_scim_call_t));

    if (call != NULL) {
        call->env = env;
        call->request = request;
        call->op.env = env;
    }

    return call;
}


void
pu_scim_call_free(pu_scim_call_t *call)
{
    if (call == NULL) {
        return;
    }

    pu_scim_op_free(&call->op);
    pu_scim_text_free(&call->out);
    pu_scim_text_free(&call->location);
    json_decref(call->results);
    json_decref(call->ids);
    json_decref(call->data);
    json_decref(call->body);
    free(call->path);
    free(call);
}


pu_scim_step_t
pu_scim_call_step(pu_scim_call_t *call, const redisReply *reply,
    const pu_args_t **args)
{
    int  rc;

    *args = &call->op.args;

    if (!call->started) {
        call->started = 1;
        rc = pu_call_start(call);

    } else if (pu_reply_noscript(reply)) {
        return PU_SCIM_LOAD;

    } else {
        rc = call->op.next(&call->op, reply);
    }

    while (rc == PU_OP_DONE && call->many) {
        pu_bulk_finish(call);
        rc = pu_bulk_next(call);
    }

    if (rc == PU_OP_ASK) {
        return PU_SCIM_ASK;
    }

    return PU_SCIM_DONE;
}


void
pu_scim_call_lost(pu_scim_call_t *call)
{
    call->many = 0;
    (void) pu_op_fail(&call->op, 503, NULL,
                      "the store of users does not answer");
}


void
pu_scim_call_answer(pu_scim_call_t *call, pu_scim_answer_t *answer)
{
    memset(answer, 0, sizeof(pu_scim_answer_t));

    if (call->status == 0 && !pu_call_end(call)) {
        call->status = 500;
        call->out.len = 0;
    }

    answer->status = call->status;
    answer->body.len = call->out.len;
    answer->body.data = (uint8_t *) call->out.data;
    answer->etag = pu_str(call->etag);
    answer->location.len = call->location.len;
    answer->location.data = (uint8_t *) call->location.data;
    answer->allow = pu_str(call->allow);
}


char *
pu_scim_error_text(int status, const char *type, const char *detail)
{
    char             *text;
    json_t           *doc;
    pu_scim_error_t   err;

    memset(&err, 0, sizeof(pu_scim_error_t));
    (void) pu_scim_fail(&err, status, type, detail, PU_STR(""));

    doc = pu_scim_error_new(&err);
    text = (doc != NULL) ? json_dumps(doc, JSON_COMPACT) : NULL;
    json_decref(doc);

    return text;
}


/* A request. */


static int
pu_call_start(pu_scim_call_t *call)
{
    pu_str_t       seg[PU_CALL_SEGMENTS], method;
    pu_scim_op_t  *op;

    op = &call->op;
    method = call->request->method;

    op->if_match = call->request->if_match;
    op->if_none_match = call->request->if_none_match;

    if (!pu_call_segments(call->request->path, seg)) {
        return pu_op_fail(op, 404, NULL, "there is nothing here");
    }

    if (pu_str_is(method, "POST") || pu_str_is(method, "PUT")
        || pu_str_is(method, "PATCH"))
    {
        if (!pu_call_body(call)) {
            return PU_OP_DONE;
        }

        op->body = call->body;
    }

    if (pu_str_case_eq(seg[0], PU_STR("Bulk")) && seg[1].len == 0) {
        if (!pu_str_is(method, "POST")) {
            return pu_call_not_allowed(op, &call->allow, "POST");
        }

        return pu_bulk_start(call);
    }

    if (!pu_scim_query_url(&op->query, call->request->args, &op->err)) {
        return PU_OP_DONE;
    }

    return pu_call_route(op, method, call->request->path, &call->allow);
}


static int
pu_call_body(pu_scim_call_t *call)
{
    pu_str_t  text;

    static const pu_json_limits_t  limits = {
        PU_SCIM_BODY_MAX, PU_SCIM_BODY_DEPTH, PU_SCIM_BODY_MEMBERS
    };

    text = call->request->body;

    if (!pu_call_json(call->request->content_type)) {
        pu_op_fail(&call->op, 415, NULL, "the body is application/scim+json "
                   "or application/json");
        return 0;
    }

    if (text.len > PU_SCIM_BODY_MAX) {
        pu_op_fail(&call->op, 413, NULL, "the body has at most 1048576 "
                   "bytes");
        return 0;
    }

    /* a byte order mark is no JSON, but some put one */

    if (text.len >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0) {
        text.len -= 3;
        text.data += 3;
    }

    pu_memory_watch();
    call->body = pu_json_object(text, &limits);

    if (call->body == NULL && pu_memory_short()) {
        pu_op_fail(&call->op, 500, NULL, "there is no memory for the body");
        return 0;
    }

    if (call->body == NULL) {
        pu_op_fail(&call->op, 400, "invalidSyntax", "the body is not one "
                   "JSON object in UTF-8, or has a name twice, or is nested "
                   "deeper than 32");
        return 0;
    }

    return 1;
}


/* Nothing said is taken for JSON: curl and some scripts say nothing. */

static int
pu_call_json(pu_str_t type)
{
    size_t  i;

    for (i = 0; i < type.len && type.data[i] != ';' && type.data[i] != ' ';
         i++)
    {
        /* void */
    }

    type.len = i;

    return type.len == 0
           || pu_str_case_eq(type, PU_STR("application/scim+json"))
           || pu_str_case_eq(type, PU_STR("application/json"));
}


/* "/Users/u_1" as its parts; 1, or 0 when there are too many. */

static int
pu_call_segments(pu_str_t path, pu_str_t seg[PU_CALL_SEGMENTS])
{
    size_t  i, n, start;

    memset(seg, 0, PU_CALL_SEGMENTS * sizeof(pu_str_t));

    n = 0;
    start = 0;

    for (i = 0; i <= path.len; i++) {

        if (i < path.len && path.data[i] != '/') {
            continue;
        }

        if (i > start) {
            if (n == PU_CALL_SEGMENTS - 1) {
                return 0;
            }

            seg[n].len = i - start;
            seg[n].data = path.data + start;
            n++;
        }

        start = i + 1;
    }

    return n > 0;
}


int
pu_call_route(pu_scim_op_t *op, pu_str_t method, pu_str_t path,
    const char **allow)
{
    pu_str_t  seg[PU_CALL_SEGMENTS];

    if (!pu_call_segments(path, seg)) {
        return pu_op_fail(op, 404, NULL, "there is nothing here");
    }

    if (pu_str_case_eq(seg[0], PU_STR("Users"))) {
        op->kind = PU_SCIM_USERS;
        return pu_call_resource(op, method, seg[1], allow);
    }

    if (pu_str_case_eq(seg[0], PU_STR("Groups"))) {
        op->kind = PU_SCIM_GROUPS;
        return pu_call_resource(op, method, seg[1], allow);
    }

    if (pu_str_case_eq(seg[0], PU_STR("Me"))) {
        return pu_op_fail(op, 501, NULL, "a directory is no user: there is "
                          "no /Me");
    }

    if (pu_str_is(seg[0], ".search") && seg[1].len == 0) {
        return pu_op_fail(op, 501, NULL, "search /Users or /Groups");
    }

    return pu_call_document(op, method, seg[0], seg[1], allow);
}


static int
pu_call_resource(pu_scim_op_t *op, pu_str_t method, pu_str_t id,
    const char **allow)
{
    int  get, post, change;

    get = pu_str_is(method, "GET") || pu_str_is(method, "HEAD");
    post = pu_str_is(method, "POST");
    change = pu_str_is(method, "PUT") || pu_str_is(method, "PATCH")
             || pu_str_is(method, "DELETE");

    if (pu_str_is(id, ".search")) {
        return post ? pu_call_search(op)
                    : pu_call_not_allowed(op, allow, "POST");
    }

    if (id.len == 0) {
        if (get) {
            return pu_scim_list_start(op);
        }

        if (!post) {
            return pu_call_not_allowed(op, allow, "GET, HEAD, POST");
        }

    } else if (!get && !change) {
        return pu_call_not_allowed(op, allow, "GET, HEAD, PUT, PATCH, DELETE");
    }

    op->id = id;

    if (get) {
        method = PU_STR("GET");
    }

    return (op->kind == PU_SCIM_USERS) ? pu_scim_user_start(op, method)
                                       : pu_scim_group_start(op, method);
}


static int
pu_call_search(pu_scim_op_t *op)
{
    pu_scim_query_free(&op->query);

    if (!pu_scim_query_body(&op->query, op->body, &op->err)) {
        return PU_OP_DONE;
    }

    return pu_scim_list_start(op);
}


static int
pu_call_document(pu_scim_op_t *op, pu_str_t method, pu_str_t which,
    pu_str_t id, const char **allow)
{
    json_t  *doc;

    doc = pu_scim_document_new(which, id, op->env->base);

    if (doc == NULL) {
        return pu_op_fail(op, 404, NULL, "there is nothing here");
    }

    op->doc = doc;

    if (!pu_str_is(method, "GET") && !pu_str_is(method, "HEAD")) {
        return pu_call_not_allowed(op, allow, "GET, HEAD");
    }

    if (op->query.filter != NULL) {
        return pu_op_fail(op, 403, NULL, "what the service can do is not "
                          "filtered");
    }

    return pu_op_done(op, 200);
}


static int
pu_call_not_allowed(pu_scim_op_t *op, const char **allow,
    const char *methods)
{
    *allow = methods;

    return pu_op_fail(op, 405, NULL, "this method means nothing here");
}


/* The answer: 1, or 0 when memory is gone. */

static int
pu_call_end(pu_scim_call_t *call)
{
    pu_scim_op_t  *op;

    op = &call->op;

    if (op->err.status != 0) {
        call->status = op->err.status;
        pu_call_put_error(call, &op->err);
        return !call->out.failed;
    }

    call->status = op->status;
    memcpy(call->etag, op->etag, sizeof(call->etag));

    if (op->doc != NULL) {
        pu_scim_text_json(&call->out, op->doc);

    } else if (op->status == 200 || op->status == 201) {
        pu_scim_text_free(&call->out);
        call->out = op->text;
        memset(&op->text, 0, sizeof(pu_scim_text_t));
    }

    if (op->status == 201) {
        pu_call_location(call);
    }

    return call->status != 0 && !call->out.failed;
}


static void
pu_call_put_error(pu_scim_call_t *call, const pu_scim_error_t *err)
{
    json_t  *doc;

    doc = pu_scim_error_new(err);
    call->out.len = 0;
    pu_scim_text_json(&call->out, doc);
    json_decref(doc);
}


void
pu_call_location(pu_scim_call_t *call)
{
    const pu_scim_op_t  *op;

    op = &call->op;

    pu_scim_text_put(&call->location, op->env->base.data, op->env->base.len);
    pu_scim_text_add(&call->location, (op->kind == PU_SCIM_USERS)
                                      ? "/Users/" : "/Groups/");
    pu_scim_text_put(&call->location, op->id.data, op->id.len);

    if (call->location.failed) {
        call->location.len = 0;
    }
}


void
pu_call_reset(pu_scim_call_t *call)
{
    pu_scim_op_free(&call->op);
    memset(&call->op, 0, sizeof(pu_scim_op_t));

    call->op.env = call->env;
    json_decref(call->data);
    free(call->path);
    call->data = NULL;
    call->path = NULL;
}
