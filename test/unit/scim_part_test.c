/*
 * The parts of a resource: what PATCH makes of them, what is kept of those
 * that are sent, and filters and paths that are seldom written.
 */

#include "pu_scim_filter.h"
#include "pu_scim_resource.h"
#include "unit.h"


#define EXT      "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
#define WORK     "{\"type\":\"work\",\"value\":\"a@x\"}"
#define HOME     "{\"type\":\"home\",\"value\":\"b@x\"}"

/* Operations with a path, a value or both. */
#define OP(op, path)  "{\"op\":\"" op "\",\"path\":\"" path "\"}"
#define OPV(op, path, value)                                                  \
    "{\"op\":\"" op "\",\"path\":\"" path "\",\"value\":" value "}"


/* "extra" after all of it, or "type: detail", for free(). */

static char *
patched(const char *resource, const char *operations)
{
    int                ok;
    char              *text;
    json_t            *r, *body;
    pu_scim_error_t    err;
    pu_scim_record_t   record;

    memset(&err, 0, sizeof(err));
    memset(&record, 0, sizeof(record));
    r = json_loads(resource, 0, NULL);
    json_object_set_new(r, "userName", json_string("ada"));
    body = json_pack("{s:o}", "Operations", json_loads(operations, 0, NULL));

    ok = pu_scim_patch(r, PU_SCIM_USERS, body, NULL, &err)
         && pu_scim_record_read(&record, PU_SCIM_USERS, r, NULL, &err);

    text = malloc(1024);

    if (ok) {
        snprintf(text, 1024, "%.*s", PU_STR_FMT(record.extra));

    } else {
        CHECK_INT(err.status, 400);
        snprintf(text, 1024, "%s: %s", err.type, err.detail);
    }

    pu_scim_record_free(&record);
    json_decref(body);
    json_decref(r);

    return text;
}


static void
a_patch_changes_what_it_names(void)
{
    char    *text;
    size_t   i;

    static const struct {
        const char  *resource;
        const char  *operations;
        const char  *result;
    } cases[] = {
        /* values out of several, by "value" or as a whole */
        { "{\"emails\":[" WORK "," HOME "]}",
          "[" OPV("remove", "emails", "[{\"value\":\"a@x\"}]") "]",
          "{\"emails\":[" HOME "]}" },
        { "{\"emails\":[" WORK "," HOME "]}",
          "[" OPV("remove", "emails", "{\"VALUE\":\"b@x\",\"x\":1}") "]",
          "{\"emails\":[" WORK "]}" },
        { "{\"emails\":[" WORK "," HOME "]}",
          "[" OPV("remove", "emails", "[\"a@x\",\"b@x\",\"c@x\"]") "]", "" },
        { "{\"emails\":[" WORK "]}",
          "[" OPV("remove", "emails", "[{\"type\":\"work\"}]") "]",
          "{\"emails\":[" WORK "]}" },
        { "{\"addresses\":[{\"type\":\"work\"},{\"type\":\"home\"}]}",
          "[" OPV("remove", "addresses", "[{\"type\":\"work\"}]") "]",
          "{\"addresses\":[{\"type\":\"home\"}]}" },
        { "{\"emails\":[" WORK "]}",
          "[" OPV("remove", "emails", "null") "]", "" },
        { "{\"tags\":[\"a\",\"b\",\"a\"]}",
          "[" OPV("remove", "tags", "\"a\"") "]", "{\"tags\":[\"b\"]}" },

        /* what is there is not added again */
        { "{\"emails\":[" WORK "]}",
          "[" OPV("add", "emails", "[" WORK "," HOME "]") "]",
          "{\"emails\":[" WORK "," HOME "]}" },
        { "{\"emails\":[" WORK "]}", "[" OPV("add", "emails", WORK) "]",
          "{\"emails\":[" WORK "]}" },
        { "{\"tags\":[\"a\"]}", "[" OPV("add", "tags", "[\"a\",\"c\"]") "]",
          "{\"tags\":[\"a\",\"c\"]}" },

        /* parts */
        { "{\"name\":{\"givenName\":\"Ada\",\"familyName\":\"L\"}}",
          "[" OPV("replace", "name", "{\"FAMILYNAME\":\"M\"}") "]",
          "{\"name\":{\"familyName\":\"M\",\"givenName\":\"Ada\"}}" },
        { "{}", "[" OP("remove", "name.givenName") "]", "" },
        { "{\"name\":{\"givenName\":\"Ada\"}}",
          "[" OP("remove", "name.givenName") "]", "" },
        { "{\"name\":{\"givenName\":\"Ada\",\"familyName\":\"L\"}}",
          "[" OPV("replace", "name.givenName", "null") "]",
          "{\"name\":{\"familyName\":\"L\"}}" },
        { "{\"emails\":[" WORK "," HOME "]}",
          "[" OPV("replace", "emails.type", "\"other\"") "]",
          "{\"emails\":[{\"type\":\"other\",\"value\":\"a@x\"},"
          "{\"type\":\"other\",\"value\":\"b@x\"}]}" },
        { "{\"emails\":[" WORK "," HOME "]}",
          "[" OP("remove", "emails.type") "]",
          "{\"emails\":[{\"value\":\"a@x\"},{\"value\":\"b@x\"}]}" },
        { "{}", "[" OPV("add", "emails.value", "\"a@x\"") "]",
          "{\"emails\":[{\"value\":\"a@x\"}]}" },
        { "{}", "[" OPV("add", "thing.part", "5") "]",
          "{\"thing\":{\"part\":5}}" },

        /* filters */
        { "{\"emails\":[" WORK "," HOME "]}",
          "[" OPV("replace", "emails[type eq \\\"work\\\"]",
                  "{\"value\":\"c@x\"}") "]",
          "{\"emails\":[{\"type\":\"work\",\"value\":\"c@x\"}," HOME "]}" },
        { "{\"emails\":[" WORK "," HOME "]}",
          "[" OP("remove", "emails[type eq \\\"work\\\"]") "]",
          "{\"emails\":[" HOME "]}" },
        { "{\"emails\":[" WORK "," HOME "]}",
          "[" OP("remove", "emails[type eq \\\"work\\\"].value") "]",
          "{\"emails\":[{\"type\":\"work\"}," HOME "]}" },
        { "{\"emails\":[" WORK "]}",
          "[" OP("remove", "emails[type eq \\\"home\\\"]") "]",
          "{\"emails\":[" WORK "]}" },
        { "{}",
          "[" OPV("add", "emails[type eq \\\"work\\\" and primary eq true]",
                  "{\"value\":\"a@x\"}") "]",
          "{\"emails\":[{\"primary\":true,\"type\":\"work\","
          "\"value\":\"a@x\"}]}" },
        { "{\"emails\":[" WORK "]}",
          "[" OPV("add", "emails[type eq \\\"home\\\"]",
                  "{\"value\":\"b@x\"}") "]",
          "{\"emails\":[" WORK "," HOME "]}" },
        { "{\"emails\":[" WORK "]}",
          "[" OPV("add", "emails[type eq \\\"work\\\"]", "\"x\"") "]",
          "invalidValue: a value of \"emails\" is an object" },
        { "{\"emails\":[" WORK "]}",
          "[" OPV("add", "emails[type eq \\\"home\\\"]", "\"x\"") "]",
          "invalidValue: a value of \"emails\" is an object" },
        { "{\"emails\":[" WORK "]}",
          "[" OPV("replace", "emails[type ne \\\"work\\\"]", "{}") "]",
          "noTarget: nothing in \"emails\" passes the filter" },
        { "{}", "[" OPV("add", "emails[type.x eq \\\"a\\\"]", "{}") "]",
          "noTarget: nothing in \"emails\" passes the filter" },
        { "{}", "[" OP("remove", "emails[type]") "]",
          "invalidPath: the filter is not valid: eq, ne, co, sw, ew, pr, gt, "
          "ge, lt or le is expected" },
        { "{}", "[" OP("remove", "emails.type[x pr]") "]",
          "invalidPath: \"emails.type[x pr]\" is not a path" },
        { "{}", "[" OP("remove", "emails[x pr]y") "]",
          "invalidPath: \"emails[x pr]y\" is not a path" },
        { "{}", "[" OP("remove", "emails[x pr].") "]",
          "invalidPath: \"emails[x pr].\" is not a path" },
        { "{}", "[" OP("remove", "emails[x pr") "]",
          "invalidPath: \"emails[x pr\" is not a path" },
        { "{}", "[" OP("remove", "1x[x pr]") "]",
          "invalidPath: \"1x[x pr]\" is not a path" },

        /* extensions */
        { "{}", "[" OP("remove", EXT ":department") "]", "" },
        { "{\"" EXT "\":{\"department\":\"d\"}}", "[" OP("remove", EXT) "]",
          "" },
        { "{\"" EXT "\":{\"department\":\"d\"}}",
          "[{\"op\":\"add\",\"value\":{\"" EXT "\":null}}]", "" },
        { "{\"" EXT "\":{\"department\":\"d\",\"division\":\"v\"}}",
          "[" OPV("replace", EXT, "{\"Department\":\"e\"}") "]",
          "{\"" EXT "\":{\"department\":\"e\",\"division\":\"v\"}}" },
        { "{}", "[" OPV("add", EXT ":manager",
                        "{\"value\":\"u\",\"displayName\":null}") "]",
          "{\"" EXT "\":{\"manager\":{\"value\":\"u\"}}}" },
        { "{}", "[" OPV("add", EXT, "5") "]",
          "invalidValue: \"" EXT "\" is an object" },

        { "{}", "[{\"op\":\"add\",\"value\":5}]",
          "invalidValue: without a path the value is an object" },
        { "{}", "[{\"op\":\"add\",\"value\":{\"userName.x\":5}}]",
          "invalidPath: \"userName\" has no parts" },
        { "{}", "[{\"op\":\"add\",\"value\":{\"a..b\":5}}]",
          "invalidPath: \"a..b\" is not a path" },
        { "{}", "[" OP("remove", "meta.created") "]",
          "mutability: \"meta\" is read-only" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text = patched(cases[i].resource, cases[i].operations);
        unit_str(__FILE__, __LINE__, pu_str(text), pu_str(cases[i].result),
                 cases[i].operations);
        free(text);
    }
}


static void
what_is_sent_is_kept_or_refused(void)
{
    char    *text;
    size_t   i;

    static const char *const  cases[][2] = {
        { "{\"a.b\":\"x\"}",
          "invalidSyntax: \"a.b\" is not the name of an attribute" },
        { "{\"1\":\"x\"}",
          "invalidSyntax: \"1\" is not the name of an attribute" },
        { "{\"1\":null,\"a.b\":null,\"title\":null}", "" },
        { "{\"active\":null}", "invalidValue: \"active\" is true or false" },
        { "{\"schemas\":\"x\"}",
          "invalidSyntax: \"schemas\" is an array of strings" },
        { "{\"title\":5}", "invalidValue: \"title\" is a string" },
        { "{\"name\":\"x\"}", "invalidValue: \"name\" is an object" },
        { "{\"name\":{\"givenName\":5}}",
          "invalidValue: \"givenName\" is a string" },
        { "{\"name\":{\"givenName\":null,\"x\":1}}",
          "{\"name\":{\"x\":1}}" },
        { "{\"name\":{}}", "" },
        { "{\"name\":{\"givenName\":null}}", "" },
        { "{\"emails\":\"a@x\"}", "{\"emails\":[{\"value\":\"a@x\"}]}" },
        { "{\"emails\":[null,{},\"a@x\",{\"value\":null}]}",
          "{\"emails\":[{\"value\":\"a@x\"}]}" },
        { "{\"emails\":[null]}", "" },
        { "{\"emails\":[{\"value\":\"a@x\"},{\"primary\":\"no\"}]}",
          "invalidValue: \"primary\" is true or false" },
        { "{\"emails\":[5]}", "invalidValue: \"emails\" is an object" },
        { "{\"" EXT "\":{\"department\":null}}", "" },
        { "{\"" EXT "\":{\"department\":null,\"DIVISION\":\"v\","
          "\"Own\":[1]}}", "{\"" EXT "\":{\"Own\":[1],\"division\":\"v\"}}" },
        { "{\"" EXT "\":{\"department\":5}}",
          "invalidValue: \"department\" is a string" },
        { "{\"" EXT "\":{\"manager\":{}}}", "" },
        { "{\"urn:x:y:2.0:User\":5}", "{\"urn:x:y:2.0:User\":5}" },
        { "{\"userType\":\"service\"}", "{\"userType\":\"service\"}" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text = patched(cases[i][0], "[" OP("remove", "nothing") "]");
        unit_str(__FILE__, __LINE__, pu_str(text), pu_str(cases[i][1]),
                 cases[i][0]);
        free(text);
    }
}


/* A type that is one of ours, and no other. */

static void
a_type_is_a_word(void)
{
    size_t            i;
    json_t           *body;
    pu_scim_error_t   err;
    pu_scim_record_t  record;

    static const char *const  types[][2] = {
        { "human", "human" }, { "service", "service" },
        { "application", "application" }, { "Employee", "" }, { "", "" }
    };

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        memset(&err, 0, sizeof(err));
        body = json_pack("{s:s, s:s}", "userName", "ada", "userType",
                         types[i][0]);
        CHECK(pu_scim_record_read(&record, PU_SCIM_USERS, body, NULL, &err));
        CHECK_STR(record.type, types[i][1]);
        pu_scim_record_free(&record);
        json_decref(body);
    }
}


static void
too_many_operations_are_none(void)
{
    size_t            i;
    json_t           *body, *list, *user;
    pu_scim_error_t   err;

    memset(&err, 0, sizeof(err));
    body = json_pack("{s:[]}", "Operations");
    list = json_object_get(body, "Operations");

    for (i = 0; i < PU_SCIM_PATCH_MAX; i++) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "op", "add",
                                              "path", "active", "value", 0));
    }

    CHECK(pu_scim_turns_off(body, 1));

    json_array_append(list, json_array_get(list, 0));
    CHECK(!pu_scim_turns_off(body, 1));

    user = json_object();
    CHECK(!pu_scim_patch(user, PU_SCIM_USERS, body, NULL, &err));
    CHECK_INT(err.status, 400);
    CHECK_STR(pu_str(err.detail), "a PATCH has 1 to 1000 operations");

    json_decref(user);
    json_decref(body);
}


static void
rare_filters_find_what_they_say(void)
{
    size_t             i;
    json_t            *r;
    pu_scim_error_t    err;
    pu_scim_filter_t  *filter;

    static const struct {
        const char  *text;
        int          match;
    } cases[] = {
        { "emails pr", 1 }, { "meta pr", 1 }, { "empty pr", 0 },
        { "list pr", 0 }, { "not (list pr)", 1 },
        { "emails[type eq \"work\"].value ne \"a@x\"", 0 },
        { "emails[type eq \"work\"].value ne \"b@x\"", 1 },
        { "emails.value ne \"a@x\"", 0 }, { "emails.value ne \"z@x\"", 1 },
        { "meta[version eq \"1\"]", 1 }, { "meta[version eq \"2\"]", 0 },
        { "level co 7", 0 }, { "level sw 7", 0 }, { "level ew 7", 0 },
        { "level eq 7", 1 }, { "level eq \"7\"", 0 }, { "level lt 8", 1 },
        { "level ge 8", 0 }, { "list eq null", 1 }, { "emails eq null", 0 },
        { "nested.value eq \"x\"", 0 }, { "tags eq \"b\"", 1 },
        { "tags ne \"b\"", 0 }, { "tags gt \"b\"", 0 }
    };

    r = json_loads("{\"emails\":[" WORK "," HOME "],\"meta\":{\"version\":"
                   "\"1\"},\"empty\":{},\"list\":[],\"level\":7,\"nested\":"
                   "[[{\"value\":\"x\"}]],\"tags\":[\"a\",\"b\"]}", 0, NULL);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&err, 0, sizeof(err));
        filter = pu_scim_filter_new(pu_str(cases[i].text), &err);
        unit_check(__FILE__, __LINE__,
                   filter != NULL
                   && pu_scim_filter_match(filter, r) == cases[i].match,
                   cases[i].text);
        pu_scim_filter_free(filter);
    }

    json_decref(r);
}


/* "first", then "part" n times. */

static const char *
refused(const char *first, const char *part, size_t n, const char *last)
{
    size_t                   i;
    pu_scim_text_t           text;
    pu_scim_filter_t        *filter;
    static pu_scim_error_t   err;

    memset(&text, 0, sizeof(text));
    memset(&err, 0, sizeof(err));
    pu_scim_text_add(&text, first);

    for (i = 0; i < n; i++) {
        pu_scim_text_add(&text, part);
    }

    pu_scim_text_add(&text, last);
    filter = pu_scim_filter_new((pu_str_t) { text.len,
                                    (const uint8_t *) text.data }, &err);
    pu_scim_filter_free(filter);
    pu_scim_text_free(&text);

    CHECK((filter == NULL) == (err.status == 400));
    CHECK(filter != NULL || strcmp(err.type, "invalidFilter") == 0);

    return err.detail;
}


static void
a_filter_has_its_limits(void)
{
    const char  *many = "the filter is not valid: it has too many parts";

    /* nodes of two kinds, of which each may be the first too many */

    CHECK_STR(pu_str(refused("", "a[b pr] or ", 1000, "a pr")), "");
    CHECK_STR(pu_str(refused("", "a[b pr] or ", 1400, "a pr")), many);
    CHECK_STR(pu_str(refused("a pr or ", "a[b pr] or ", 1400, "a pr")), many);
    CHECK_STR(pu_str(refused("", "not(a pr) or ", 1200, "a pr")), many);
    CHECK_STR(pu_str(refused("", "a pr or ", 2047, "a pr")), many);
    CHECK_STR(pu_str(refused("a eq \"", "x", 1024, "\"")), "");
    CHECK_STR(pu_str(refused("a eq \"", "x", 1025, "\"")),
              "the filter is not valid: a value has at most 1024 bytes");
}


/* No attribute has a name of more than 255 bytes. */

static void
a_name_has_its_limit(void)
{
    char              name[257];
    json_t           *r;
    pu_str_t          s;
    pu_scim_path_t    path;

    memset(name, 'n', 256);
    name[256] = '\0';

    r = json_pack("{s:i}", name, 5);
    CHECK(!pu_scim_names_ok(r));
    json_decref(r);

    name[255] = '\0';
    r = json_pack("{s:i}", name, 5);
    CHECK(pu_scim_names_ok(r));
    name[0] = 'N';
    CHECK_INT(json_integer_value(pu_scim_get(r, pu_str(name))), 5);
    json_object_set_new(r, name, json_null());
    CHECK(!pu_scim_names_ok(r));
    json_decref(r);

    name[255] = 'n';
    s.len = 255;
    s.data = (const uint8_t *) name;
    CHECK(pu_scim_path(&path, s));
    s.len = 256;
    CHECK(!pu_scim_path(&path, s));
    CHECK(!pu_scim_path(&path, PU_STR("")));
    CHECK(!pu_scim_path(&path, PU_STR("urn:x\n:y")));
    CHECK(!pu_scim_path(&path, PU_STR("urn:x:")));
}


static const unit_test_t  tests[] = {
    UNIT(a_patch_changes_what_it_names),
    UNIT(what_is_sent_is_kept_or_refused),
    UNIT(a_type_is_a_word),
    UNIT(too_many_operations_are_none),
    UNIT(rare_filters_find_what_they_say),
    UNIT(a_filter_has_its_limits),
    UNIT(a_name_has_its_limit)
};

UNIT_MAIN(tests)
