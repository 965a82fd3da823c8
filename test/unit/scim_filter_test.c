/*
 * Filters and paths: what is read, what a resource passes, what is refused.
 */

#include "pu_scim_filter.h"
#include "unit.h"


static const char  resource_text[] =
    "{\"userName\": \"Ada\", \"externalId\": \"X1\", \"active\": true,"
    " \"level\": 7, \"title\": \"\", \"emails\": ["
    "{\"value\": \"ada@example.com\", \"type\": \"work\"},"
    "{\"value\": \"a@home\", \"type\": \"home\", \"primary\": true}],"
    " \"meta\": {\"created\": \"2026-01-02T03:04:05Z\"},"
    " \"urn:x:y:2.0:User\": {\"locker\": \"b7\"}}";

typedef struct {
    const char  *text;
    int          match;                 /* -1: no filter */
} filter_case_t;

static const filter_case_t  cases[] = {
    { "userName eq \"ada\"", 1 },
    { "USERNAME EQ \"ADA\"", 1 },
    { "externalId eq \"x1\"", 0 },
    { "externalId eq \"X1\"", 1 },
    { "active eq true", 1 },
    { "active eq \"TRUE\"", 1 },
    { "active ne false", 1 },
    { "level gt 6", 1 },
    { "level le 6.5", 0 },
    { "title pr", 0 },
    { "nothing pr", 0 },
    { "nothing ne \"x\"", 1 },
    { "nothing eq null", 1 },
    { "emails[type eq \"work\" and value ew \".com\"]", 1 },
    { "emails[type eq \"home\" and value ew \".com\"]", 0 },
    { "emails[type eq \"home\"].value eq \"a@home\"", 1 },
    { "emails.type eq \"home\"", 1 },
    { "emails co \"HOME\"", 1 },
    { "emails[primary eq true]", 1 },
    { "meta.created ge \"2026-01-02T04:04:05+01:00\"", 1 },
    { "meta.created gt \"2026-01-02T03:04:05.000Z\"", 0 },
    { "urn:x:y:2.0:User:locker eq \"b7\"", 1 },
    { "not (userName sw \"b\") and (level eq 7 or level eq 8)", 1 },
    { "userName eq \"x\" or userName eq \"y\" or userName eq \"ada\"", 1 },
    { "userName eq \"ada\" and level eq 1 or active eq true", 1 },
    { "(((userName eq \"ada\")))", 1 },
    { "userName eq\"ada\"", 1 },
    { "not(active eq false)", 1 },
    { "", -1 },
    { " ", -1 },
    { "userName", -1 },
    { "userName eq", -1 },
    { "userName eq ada", -1 },
    { "userName eq \"ada", -1 },
    { "userName eq \"ada\\\"", -1 },
    { "userName eq \"ada\" x", -1 },
    { "userName eq \"a\" and", -1 },
    { "and userName eq \"a\"", -1 },
    { "(userName eq \"a\"", -1 },
    { "userName eq \"a\")", -1 },
    { "emails[type eq \"a\"", -1 },
    { "emails[type eq \"a\"].", -1 },
    { "emails[]", -1 },
    { "active lt true", -1 },
    { "1a pr", -1 },
    { "a..b pr", -1 },
    { "a.b.c pr", -1 },
    { "password pr", -1 },
    { "Password sw \"a\"", -1 },
    { "userName xx \"a\"", -1 }
};


static void
a_filter_finds_what_it_says(void)
{
    size_t             i;
    json_t            *resource;
    pu_scim_error_t    err;
    pu_scim_filter_t  *filter;

    resource = json_loads(resource_text, 0, NULL);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&err, 0, sizeof(err));
        filter = pu_scim_filter_new(pu_str(cases[i].text), &err);

        if (cases[i].match < 0) {
            unit_check(__FILE__, __LINE__,
                       filter == NULL && err.status == 400
                       && strcmp(err.type, "invalidFilter") == 0,
                       cases[i].text);

        } else {
            unit_check(__FILE__, __LINE__,
                       filter != NULL
                       && pu_scim_filter_match(filter, resource)
                          == cases[i].match,
                       cases[i].text);
        }

        pu_scim_filter_free(filter);
    }

    json_decref(resource);
}


static void
one_look_up_is_enough_for_what_must_be_equal(void)
{
    size_t             i;
    pu_str_t           text;
    pu_find_t          how;
    pu_scim_error_t    err;
    pu_scim_filter_t  *filter;

    static const struct {
        const char  *text;
        int          index;
        pu_find_t    how;
        const char  *found;
    } plans[] = {
        { "userName eq \"a\"", 1, PU_FIND_NAME, "a" },
        { "title pr and externalId eq \"b\"", 1, PU_FIND_EXTERNAL, "b" },
        { "id eq \"c\" and userName eq \"a\"", 1, PU_FIND_ID, "c" },
        { "userName eq \"a\" or title pr", 0, PU_FIND_ID, "" },
        { "not (userName eq \"a\")", 0, PU_FIND_ID, "" },
        { "userName ne \"a\"", 0, PU_FIND_ID, "" },
        { "userName sw \"a\"", 0, PU_FIND_ID, "" },
        { "userName eq 5", 0, PU_FIND_ID, "" },
        { "emails[id eq \"a\"]", 0, PU_FIND_ID, "" }
    };

    memset(&err, 0, sizeof(err));

    for (i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        filter = pu_scim_filter_new(pu_str(plans[i].text), &err);

        CHECK(filter != NULL);
        CHECK_INT(pu_scim_filter_index(filter, &how, &text),
                  plans[i].index);

        if (plans[i].index) {
            CHECK_INT(how, plans[i].how);
            CHECK_STR(text, plans[i].found);
        }

        pu_scim_filter_free(filter);
    }
}


static void
nesting_and_length_are_bounded(void)
{
    char              *text;
    size_t             deep;
    pu_scim_error_t    err;
    pu_scim_filter_t  *filter;

    text = malloc(20000);

    for (deep = 31; deep < 35; deep++) {
        memset(&err, 0, sizeof(err));
        memset(text, '(', deep);
        memcpy(text + deep, "a pr", 4);
        memset(text + deep + 4, ')', deep);

        filter = pu_scim_filter_new((pu_str_t) { 2 * deep + 4,
                                                 (uint8_t *) text }, &err);
        CHECK_INT(filter != NULL, deep <= PU_SCIM_FILTER_DEPTH);
        pu_scim_filter_free(filter);
    }

    memset(text, '(', 20000);
    memset(&err, 0, sizeof(err));
    CHECK(pu_scim_filter_new((pu_str_t) { 20000, (uint8_t *) text }, &err)
          == NULL);
    CHECK_SAYS(err.detail, "16384");
    memset(&err, 0, sizeof(err));
    CHECK(pu_scim_filter_new((pu_str_t) { 16000, (uint8_t *) text }, &err)
          == NULL);
    CHECK_SAYS(err.detail, "deeper than 32");

    free(text);
}


static void
a_path_has_a_schema_a_name_and_a_part(void)
{
    size_t           i;
    pu_scim_path_t   path;

    static const struct {
        const char  *text;
        int          ok;
        const char  *schema, *name, *sub;
    } paths[] = {
        { "userName", 1, "", "userName", "" },
        { "name.givenName", 1, "", "name", "givenName" },
        { PU_SCIM_USER ":name.givenName", 1, "", "name", "givenName" },
        { "URN:ietf:params:scim:schemas:core:2.0:user:title", 1, "", "title",
          "" },
        { PU_SCIM_ENTERPRISE, 1, PU_SCIM_ENTERPRISE, "", "" },
        { PU_SCIM_ENTERPRISE ":manager.value", 1, PU_SCIM_ENTERPRISE,
          "manager", "value" },
        { "urn:a:b:2.0:User", 1, "urn:a:b:2.0:User", "", "" },
        { "urn:a:b:2.0:User:c", 1, "urn:a:b:2.0:User", "c", "" },
        { "$ref", 1, "", "$ref", "" },
        { "", 0, "", "", "" },
        { ".", 0, "", "", "" },
        { "a.", 0, "", "", "" },
        { "a.b.c", 0, "", "", "" },
        { "9a", 0, "", "", "" },
        { "a b", 0, "", "", "" },
        { "urn:", 0, "", "", "" },
        { "urn:a:", 0, "", "", "" },
        { PU_SCIM_USER ":", 0, "", "", "" }
    };

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   pu_scim_path(&path, pu_str(paths[i].text))
                   == paths[i].ok, paths[i].text);

        if (paths[i].ok) {
            CHECK_STR(path.schema, paths[i].schema);
            CHECK_STR(path.name, paths[i].name);
            CHECK_STR(path.sub, paths[i].sub);
        }
    }
}


static void
times_are_those_of_rfc_3339(void)
{
    json_t   *text;
    int64_t   ms;

    CHECK(pu_scim_time(PU_STR("1970-01-01T00:00:00Z"), &ms));
    CHECK_INT(ms, 0);
    CHECK(pu_scim_time(PU_STR("2000-02-29T12:30:15.250+01:30"), &ms));
    CHECK_INT(ms, 951822015250);
    CHECK(!pu_scim_time(PU_STR("2000-02-29"), &ms));
    CHECK(!pu_scim_time(PU_STR("2000-13-01T00:00:00Z"), &ms));
    CHECK(!pu_scim_time(PU_STR("2000-01-01T00:00:00+1"), &ms));

    text = pu_scim_time_new(PU_STR("951780600"));
    CHECK_STR(pu_str(json_string_value(text)), "2000-02-28T23:30:00Z");
    json_decref(text);
    text = pu_scim_time_new(PU_STR("0"));
    CHECK_STR(pu_str(json_string_value(text)), "1970-01-01T00:00:00Z");
    json_decref(text);
}


static const unit_test_t  tests[] = {
    UNIT(a_filter_finds_what_it_says),
    UNIT(one_look_up_is_enough_for_what_must_be_equal),
    UNIT(nesting_and_length_are_bounded),
    UNIT(a_path_has_a_schema_a_name_and_a_part),
    UNIT(times_are_those_of_rfc_3339)
};

UNIT_MAIN(tests)
