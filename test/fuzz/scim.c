/*
 * scim: the first line is a filter, a path and a query; the rest is a body of
 * a PATCH and of a POST, of a user and of a group. What is taken must be
 * stored and told again as the same.
 */

#include "fuzz.h"
#include "pu_scim_query.h"
#include "pu_scim_resource.h"


static json_t *
sample(void)
{
    return json_loads("{\"schemas\":[],\"id\":\"u_AAAAAAAAAAAAAAAAAAAAAA\","
                      "\"userName\":\"ada\",\"displayName\":\"g\","
                      "\"emails\":[{\"value\":\"a@x\",\"type\":\"work\"}],"
                      "\"name\":{\"givenName\":\"Ada\"},"
                      "\"meta\":{\"created\":\"2026-01-02T03:04:05Z\"}}", 0,
                      NULL);
}


static void
holds_text(pu_str_t text)
{
    int                match;
    json_t            *r;
    pu_str_t           found;
    pu_find_t          how;
    pu_scim_path_t     path;
    pu_scim_error_t    err;
    pu_scim_query_t    query;
    pu_scim_filter_t  *filter;

    r = sample();

    memset(&err, 0, sizeof(err));
    filter = pu_scim_filter_new(text, &err);
    FUZZ_HOLDS((filter != NULL) == (err.status == 0));

    if (filter != NULL) {
        match = pu_scim_filter_match(filter, r);
        FUZZ_HOLDS(match == 0 || match == 1);
        (void) pu_scim_filter_index(filter, &how, &found);
        json_decref(pu_scim_filter_example_new(filter));
        json_decref(pu_scim_filter_any_new(filter, "value"));
        pu_scim_filter_free(filter);
    }

    memset(&err, 0, sizeof(err));

    if (pu_scim_filter_path(text, &path, &filter, &err)) {
        FUZZ_HOLDS(fuzz_within(path.name, text.data, text.len));
        pu_scim_filter_free(filter);
    }

    memset(&err, 0, sizeof(err));

    if (pu_scim_query_url(&query, text, &err)) {
        FUZZ_HOLDS(query.start >= 1 && query.count >= 0
                   && query.count <= PU_SCIM_COUNT_MAX);
        r = pu_scim_select(&query, r);
        FUZZ_HOLDS(json_object_get(r, "id") != NULL);
    }

    pu_scim_query_free(&query);
    json_decref(r);
}


/* Stored, shown and stored again is the same. */

static void
holds_record(const json_t *body)
{
    json_t               *shown;
    pu_scim_error_t       err;
    pu_scim_record_t      record, again;
    pu_directory_user_t   user;

    memset(&err, 0, sizeof(err));

    if (!pu_scim_record_read(&record, PU_SCIM_USERS, body, NULL, &err)) {
        FUZZ_HOLDS(err.status >= 400);
        pu_scim_record_free(&record);
        return;
    }

    memset(&user, 0, sizeof(user));
    user.id = PU_STR("u_AAAAAAAAAAAAAAAAAAAAAA");
    user.user_name = record.key;
    user.external_id = record.external_id;
    user.state = PU_STR("active");
    user.version_text = PU_STR("1");
    user.extra = record.extra;

    shown = pu_scim_user_new(&user, PU_STR("https://x"));
    FUZZ_HOLDS(shown != NULL);
    FUZZ_HOLDS(pu_scim_record_read(&again, PU_SCIM_USERS, shown, NULL,
                                   &err));
    FUZZ_HOLDS(pu_str_eq(again.key, record.key));
    FUZZ_HOLDS(pu_str_eq(again.extra, record.extra));
    FUZZ_HOLDS(again.active == PU_ACTIVE_YES);

    pu_scim_record_free(&again);
    pu_scim_record_free(&record);
    json_decref(shown);
}


static void
holds_patch(const json_t *body, pu_scim_kind_t kind)
{
    json_t              *r;
    pu_scim_error_t      err;
    pu_scim_record_t     record;
    pu_scim_members_t    members;

    r = sample();
    memset(&err, 0, sizeof(err));
    FUZZ_HOLDS(pu_scim_members_init(&members));

    if (pu_scim_patch(r, kind, body, &members, &err)) {
        FUZZ_HOLDS(err.status == 0);

        if (pu_scim_record_read(&record, kind, r, &members, &err)) {
            FUZZ_HOLDS(record.key.len != 0);
        }

        pu_scim_record_free(&record);

    } else {
        FUZZ_HOLDS(err.status >= 400);
    }

    pu_scim_members_free(&members);
    json_decref(r);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t    *body;
    pu_str_t   rest, line;

    static const pu_json_limits_t  limits = { 65536, 32, 4096 };

    rest.len = size;
    rest.data = data;

    if (!fuzz_line(&rest, &line)) {
        return 0;
    }

    holds_text(line);

    body = pu_json_object(rest, &limits);

    if (body != NULL) {
        holds_record(body);
        holds_patch(body, PU_SCIM_USERS);
        holds_patch(body, PU_SCIM_GROUPS);
        json_decref(body);
    }

    return 0;
}
