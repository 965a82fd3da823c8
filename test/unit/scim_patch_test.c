/*
 * PATCH and records: what becomes of a resource, what of "active", and what is
 * refused as a whole.
 */

#include "pu_scim_resource.h"
#include "unit.h"


typedef struct {
    const char   *operations;
    int           status;               /* 0: it is taken */
    pu_active_t   active;
    const char   *extra;
} patch_case_t;

static const patch_case_t  cases[] = {
    { "[{\"op\":\"Replace\",\"path\":\"active\",\"value\":\"False\"}]", 0,
      PU_ACTIVE_NO, "{\"title\":\"a\"}" },
    { "[{\"op\":\"replace\",\"value\":{\"active\":false}}]", 0,
      PU_ACTIVE_NO, "{\"title\":\"a\"}" },
    { "[{\"op\":\"add\",\"path\":\"ACTIVE\",\"value\":[\"false\"]}]", 0,
      PU_ACTIVE_NO, "{\"title\":\"a\"}" },
    { "[{\"op\":\"replace\",\"path\":\"active\",\"value\":{\"value\":"
      "\"true\"}}]", 0, PU_ACTIVE_YES, "{\"title\":\"a\"}" },
    { "[{\"op\":\"replace\",\"path\":\"title\",\"value\":\"b\"}]", 0,
      PU_ACTIVE_KEEP, "{\"title\":\"b\"}" },
    { "[{\"op\":\"remove\",\"path\":\"title\"}]", 0, PU_ACTIVE_KEEP, "" },
    { "[{\"op\":\"replace\",\"path\":\"title\",\"value\":null}]", 0,
      PU_ACTIVE_KEEP, "" },
    { "[{\"op\":\"add\",\"path\":\"emails[type eq \\\"work\\\"].value\","
      "\"value\":\"x\"}]", 0, PU_ACTIVE_KEEP,
      "{\"emails\":[{\"type\":\"work\",\"value\":\"x\"}],\"title\":\"a\"}" },
    { "[{\"op\":\"add\",\"value\":{\"name.givenName\":\"Ada\"}}]", 0,
      PU_ACTIVE_KEEP, "{\"name\":{\"givenName\":\"Ada\"},\"title\":\"a\"}" },
    { "[{\"op\":\"add\",\"path\":\"roles\",\"value\":[{\"primary\":\"True\","
      "\"value\":\"x\"}]}]", 0, PU_ACTIVE_KEEP,
      "{\"roles\":[{\"primary\":true,\"value\":\"x\"}],\"title\":\"a\"}" },
    { "[{\"op\":\"add\",\"path\":\"roles\",\"value\":[{\"primary\":true,"
      "\"value\":\"x\"}]},{\"op\":\"add\",\"path\":\"roles\",\"value\":"
      "{\"primary\":\"True\",\"value\":\"y\"}}]", 0, PU_ACTIVE_KEEP,
      "{\"roles\":[{\"primary\":false,\"value\":\"x\"},"
      "{\"primary\":true,\"value\":\"y\"}],\"title\":\"a\"}" },
    { "[{\"op\":\"add\",\"path\":\"roles\",\"value\":[{\"primary\":true,"
      "\"value\":\"x\"},{\"value\":\"y\"}]},{\"op\":\"replace\",\"path\":"
      "\"roles[value eq \\\"y\\\"].primary\",\"value\":true}]", 0,
      PU_ACTIVE_KEEP, "{\"roles\":[{\"primary\":false,\"value\":\"x\"},"
      "{\"primary\":true,\"value\":\"y\"}],\"title\":\"a\"}" },
    { "[{\"op\":\"add\",\"path\":\"roles\",\"value\":[{\"primary\":true,"
      "\"value\":\"x\"}]},{\"op\":\"add\",\"path\":\"roles\",\"value\":"
      "{\"value\":\"y\"}}]", 0, PU_ACTIVE_KEEP,
      "{\"roles\":[{\"primary\":true,\"value\":\"x\"},"
      "{\"value\":\"y\"}],\"title\":\"a\"}" },
    { "[{\"op\":\"replace\",\"path\":\"password\",\"value\":\"x\"}]", 0,
      PU_ACTIVE_KEEP, "{\"title\":\"a\"}" },
    { "[{\"op\":\"replace\",\"path\":\"active\",\"value\":\"no\"}]", 400, 0,
      NULL },
    { "[{\"op\":\"replace\",\"path\":\"active\",\"value\":null}]", 400, 0,
      NULL },
    { "[{\"op\":\"replace\",\"path\":\"active\"}]", 400, 0, NULL },
    { "[{\"op\":\"remove\",\"path\":\"active\"}]", 400, 0, NULL },
    { "[{\"op\":\"remove\"}]", 400, 0, NULL },
    { "[{\"op\":\"copy\",\"path\":\"title\",\"value\":\"x\"}]", 400, 0,
      NULL },
    { "[{\"path\":\"title\",\"value\":\"x\"}]", 400, 0, NULL },
    { "[{\"op\":\"add\",\"path\":5,\"value\":\"x\"}]", 400, 0, NULL },
    { "[{\"op\":\"add\",\"path\":\"id\",\"value\":\"x\"}]", 400, 0, NULL },
    { "[{\"op\":\"add\",\"path\":\"userName\",\"value\":{}}]", 400, 0, NULL },
    { "[{\"op\":\"add\",\"path\":\"title.x\",\"value\":\"x\"}]", 400, 0,
      NULL },
    { "[{\"op\":\"add\",\"OP\":\"add\",\"path\":\"title\",\"value\":\"x\"}]",
      400, 0, NULL },
    { "[]", 400, 0, NULL },
    { "[5]", 400, 0, NULL },
    { "{}", 400, 0, NULL }
};


static json_t *
body_of(const char *operations)
{
    json_t  *list;

    list = json_loads(operations, 0, NULL);

    return json_pack("{s:o}", "Operations", list);
}


static void
a_user_is_patched_as_directories_do(void)
{
    int               ok;
    size_t            i;
    json_t           *r, *body;
    pu_scim_error_t   err;
    pu_scim_record_t  record;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&err, 0, sizeof(err));
        memset(&record, 0, sizeof(record));
        r = json_pack("{s:s, s:s, s:s}", "id", "u_1", "userName", "ada",
                      "title", "a");
        body = body_of(cases[i].operations);

        ok = pu_scim_patch(r, PU_SCIM_USERS, body, NULL, &err)
             && pu_scim_record_read(&record, PU_SCIM_USERS, r, NULL, &err);

        unit_check(__FILE__, __LINE__,
                   ok == (cases[i].status == 0)
                   && err.status == cases[i].status, cases[i].operations);

        if (ok) {
            CHECK_STR(record.key, "ada");
            CHECK_INT(record.active, cases[i].active);
            CHECK_STR(record.extra, cases[i].extra);
        }

        pu_scim_record_free(&record);
        json_decref(body);
        json_decref(r);
    }
}


static void
members_are_noted_in_order(void)
{
    size_t              i;
    json_t             *r, *body;
    pu_scim_error_t     err;
    pu_scim_members_t   members;

#define A  "u_AAAAAAAAAAAAAAAAAAAAAA"
#define B  "u_BBBBBBBBBBBBBBBBBBBBBB"

    static const struct {
        const char  *operations;
        int          clear;
        const char  *set;
    } notes[] = {
        { "[{\"op\":\"add\",\"path\":\"members\",\"value\":[{\"value\":\""
          A "\",\"$ref\":null},{\"value\":\"nobody\"}]}]", 0,
          "{\"" A "\":true}" },
        { "[{\"op\":\"Remove\",\"path\":\"members\",\"value\":[{\"value\":\""
          A "\"}]}]", 0, "{\"" A "\":false}" },
        { "[{\"op\":\"remove\",\"path\":\"members[value eq \\\"" A "\\\" or "
          "value eq \\\"" B "\\\"]\"}]", 0,
          "{\"" A "\":false,\"" B "\":false}" },
        { "[{\"op\":\"remove\",\"path\":\"members\"},{\"op\":\"add\","
          "\"value\":{\"members\":{\"value\":\"" B "\"}}}]", 1,
          "{\"" B "\":true}" },
        { "[{\"op\":\"add\",\"path\":\"members\",\"value\":\"" A "\"},"
          "{\"op\":\"replace\",\"path\":\"members\",\"value\":[]}]", 1, "{}" }
    };

    for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        memset(&err, 0, sizeof(err));
        CHECK(pu_scim_members_init(&members));

        r = json_pack("{s:s}", "displayName", "g");
        body = body_of(notes[i].operations);

        unit_check(__FILE__, __LINE__,
                   pu_scim_patch(r, PU_SCIM_GROUPS, body, &members, &err),
                   notes[i].operations);
        CHECK_INT(members.clear, notes[i].clear);

        json_decref(body);
        json_decref(r);
        r = json_loads(notes[i].set, 0, NULL);
        unit_check(__FILE__, __LINE__, json_equal(r, members.set),
                   notes[i].set);
        json_decref(r);
        pu_scim_members_free(&members);
    }
}


/* Of somebody of whom nothing is known. */

static void
an_off_switch_is_known_by_itself(void)
{
    size_t   i;
    json_t  *body;

    static const struct {
        const char  *body;
        int          patch;
        int          off;
    } switches[] = {
        { "{\"Operations\":[{\"op\":\"Replace\",\"path\":\"active\","
          "\"value\":\"False\"}]}", 1, 1 },
        { "{\"operations\":[{\"op\":\"replace\",\"value\":"
          "{\"active\":false}}]}", 1, 1 },
        { "{\"Operations\":[{\"op\":\"remove\",\"path\":\"emails[type "
          "eq \\\"work\\\"]\"},{\"op\":\"add\",\"path\":\"active\","
          "\"value\":false},{\"op\":\"replace\",\"path\":\"title\","
          "\"value\":\"x\"}]}", 1, 1 },
        { "{\"Operations\":[{\"op\":\"add\",\"path\":\"active\",\"value\":"
          "false},{\"op\":\"add\",\"path\":\"active\",\"value\":true}]}",
          1, 0 },
        { "{\"Operations\":[{\"op\":\"add\",\"path\":\"active\",\"value\":"
          "true},{\"op\":\"add\",\"path\":\"active\",\"value\":false}]}",
          1, 1 },
        { "{\"Operations\":[{\"op\":\"replace\",\"path\":\"title\","
          "\"value\":\"false\"}]}", 1, 0 },
        { "{\"Operations\":[{\"op\":\"remove\",\"path\":\"active\"}]}",
          1, 0 },
        { "{\"Operations\":[{\"op\":\"replace\",\"path\":\"active\","
          "\"value\":\"no\"}]}", 1, 0 },
        { "{\"Operations\":[5,null,[],{}]}", 1, 0 },
        { "{\"Operations\":[]}", 1, 0 },
        { "{\"Operations\":{}}", 1, 0 },
        { "{\"active\":false}", 1, 0 },
        { "[]", 1, 0 },
        { "{\"userName\":\"a\",\"active\":\"False\"}", 0, 1 },
        { "{\"userName\":\"a\",\"ACTIVE\":false}", 0, 1 },
        { "{\"userName\":\"a\",\"active\":true}", 0, 0 },
        { "{\"userName\":\"a\"}", 0, 0 },
        { "{\"active\":false}", 0, 0 },
        { "{\"userName\":\"a\",\"active\":0}", 0, 0 },
        { "[]", 0, 0 }
    };

    for (i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        body = json_loads(switches[i].body, 0, NULL);
        CHECK(body != NULL);
        unit_int(__FILE__, __LINE__,
                 pu_scim_turns_off(body, switches[i].patch),
                 switches[i].off, switches[i].body);
        json_decref(body);
    }
}


static const unit_test_t  tests[] = {
    UNIT(a_user_is_patched_as_directories_do),
    UNIT(members_are_noted_in_order),
    UNIT(an_off_switch_is_known_by_itself)
};

UNIT_MAIN(tests)
