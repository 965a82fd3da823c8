/*
 * What a list is asked for, and which attributes an answer has.
 */

#include "pu_scim_query.h"
#include "unit.h"


#define EXT      "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

static const char  user[] =
    "{\"schemas\":[\"s\"],\"id\":\"u_1\",\"userName\":\"ada\",\"name\":"
    "{\"givenName\":\"Ada\",\"familyName\":\"L\"},\"emails\":[{\"value\":"
    "\"a@x\",\"type\":\"work\",\"primary\":true},{\"value\":\"b@x\"}],"
    "\"tags\":[\"t\"],\"" EXT "\":{\"department\":\"d\",\"costCenter\":\"c\"}}";


/* The answer to a query, or the error, as a text for free(). */

static char *
selected(const char *args)
{
    char             *text;
    json_t           *r;
    pu_scim_error_t   err;
    pu_scim_query_t   query;

    memset(&err, 0, sizeof(err));
    r = json_loads(user, 0, NULL);

    if (pu_scim_query_url(&query, pu_str(args), &err)) {
        r = pu_scim_select(&query, r);
        text = json_dumps(r, JSON_COMPACT|JSON_PRESERVE_ORDER);

    } else {
        text = strdup(err.detail);
    }

    pu_scim_query_free(&query);
    json_decref(r);

    return text;
}


#define S    "{\"schemas\":[\"s\"],\"id\":\"u_1\""
#define NAME ",\"userName\":\"ada\",\"name\":{\"givenName\":\"Ada\","          \
             "\"familyName\":\"L\"}"
#define MAIL ",\"emails\":[{\"value\":\"a@x\",\"type\":\"work\",\"primary\":"  \
             "true},{\"value\":\"b@x\"}]"
#define TAGS ",\"tags\":[\"t\"]"
#define ENT  ",\"" EXT "\":{\"department\":\"d\",\"costCenter\":\"c\"}"

static void
an_answer_has_what_is_asked_for(void)
{
    char    *text;
    size_t   i;

    static const char *const  cases[][2] = {
        { "", S NAME MAIL TAGS ENT "}" },
        { "attributes=", S NAME MAIL TAGS ENT "}" },
        { "attributes=userName", S ",\"userName\":\"ada\"}" },
        { "attributes=%20USERNAME%20,", S ",\"userName\":\"ada\"}" },
        { "ATTRIBUTES=username&attributes=id", S ",\"userName\":\"ada\"}" },
        { "attributes=nothing", S "}" },
        { "attributes=name.givenName", S ",\"name\":{\"givenName\":\"Ada\"}}" },
        { "attributes=name.givenName,name.familyName",
          S ",\"name\":{\"givenName\":\"Ada\",\"familyName\":\"L\"}}" },
        { "attributes=name,name.givenName",
          S ",\"name\":{\"givenName\":\"Ada\",\"familyName\":\"L\"}}" },
        { "attributes=name.givenName,name",
          S ",\"name\":{\"givenName\":\"Ada\",\"familyName\":\"L\"}}" },
        { "attributes=emails.value",
          S ",\"emails\":[{\"value\":\"a@x\"},{\"value\":\"b@x\"}]}" },
        { "attributes=emails.value,emails.type",
          S ",\"emails\":[{\"value\":\"a@x\",\"type\":\"work\"},"
          "{\"value\":\"b@x\"}]}" },
        { "attributes=emails.type,emails.value",
          S ",\"emails\":[{\"type\":\"work\",\"value\":\"a@x\"},"
          "{\"value\":\"b@x\"}]}" },
        { "attributes=emails,emails.type", S MAIL "}" },
        { "attributes=" EXT, S ENT "}" },
        { "attributes=" EXT ":department",
          S ",\"" EXT "\":{\"department\":\"d\"}}" },
        { "attributes=" EXT ":department," EXT ":COSTCENTER", S ENT "}" },
        { "attributes=" EXT ":nothing", S "}" },
        { "attributes=urn:x:y:2.0:User:z", S "}" },
        { "attributes=a.b.c", S "}" },

        { "excludedAttributes=schemas,id", S NAME MAIL TAGS ENT "}" },
        { "excludedAttributes=EMAILS,tags", S NAME ENT "}" },
        { "excludedAttributes=name.familyName,emails,tags",
          S ",\"userName\":\"ada\",\"name\":{\"givenName\":\"Ada\"}" ENT "}" },
        { "excludedAttributes=emails.type,emails.primary,tags",
          S NAME ",\"emails\":[{\"value\":\"a@x\"},{\"value\":\"b@x\"}]"
          ENT "}" },
        { "excludedAttributes=tags.value," EXT, S NAME MAIL TAGS "}" },
        { "excludedAttributes=" EXT ":department",
          S NAME MAIL TAGS ",\"" EXT "\":{\"costCenter\":\"c\"}}" },
        { "excludedAttributes=urn:x:y:2.0:User:z,a.b.c",
          S NAME MAIL TAGS ENT "}" },
        /* of both the first counts: RFC 7644 has no answer to both */
        { "attributes=userName&excludedAttributes=userName",
          S ",\"userName\":\"ada\"}" },

        { "sortBy=a.b.c", "\"sortBy\" is the name of an attribute" },
        { "sortBy=" EXT, "\"sortBy\" is the name of an attribute" },
        { "sortBy=Password", "\"sortBy\" is the name of an attribute" },
        { "count=x", "\"count\" is a number" },
        { "count=", "\"count\" is a number" },
        { "startIndex=99999999999999999999x", "\"startIndex\" is a number" },
        { "STARTINDEX=1.5", "\"STARTINDEX\" is a number" },
        { "unknown=%&&=x&count=5", S NAME MAIL TAGS ENT "}" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text = selected(cases[i][0]);
        unit_str(__FILE__, __LINE__, pu_str(text), pu_str(cases[i][1]),
                 cases[i][0]);
        free(text);
    }
}


static void
numbers_are_taken_to_what_is_allowed(void)
{
    size_t           i;
    json_t          *body;
    pu_scim_error_t  err;
    pu_scim_query_t  query;

    static const struct {
        const char  *args;
        const char  *body;
        int64_t      start;
        int64_t      count;
    } cases[] = {
        { "", "{}", 1, 100 },
        { "startIndex=0&count=-1", "{\"startIndex\":0,\"count\":-1}", 1, 0 },
        { "startIndex=-5&count=0", "{\"STARTINDEX\":-5,\"Count\":0}", 1, 0 },
        { "startIndex=7&count=201", "{\"startIndex\":7,\"count\":201}", 7,
          200 },
        { "startIndex=99999999999999999999&count=99999999999999999999",
          "{\"startIndex\":9223372036854775807,"
          "\"count\":9223372036854775807}", INT32_MAX, 200 },
        { "startIndex=2147483648&count=1",
          "{\"startIndex\":2147483648,\"count\":1}", INT32_MAX, 1 },
        { "count=1&count=2", "{\"count\":2,\"startIndex\":\"5\"}", 1, 2 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&err, 0, sizeof(err));
        CHECK(pu_scim_query_url(&query, pu_str(cases[i].args), &err));
        CHECK_INT(query.start, cases[i].start);
        CHECK_INT(query.count, cases[i].count);
        pu_scim_query_free(&query);

        body = json_loads(cases[i].body, 0, NULL);
        CHECK(pu_scim_query_body(&query, body, &err));
        CHECK_INT(query.start, cases[i].start);
        CHECK_INT(query.count, cases[i].count);
        pu_scim_query_free(&query);
        json_decref(body);
    }
}


static void
a_search_says_the_same_in_a_body(void)
{
    json_t           *body;
    pu_scim_error_t   err;
    pu_scim_query_t   query;

    memset(&err, 0, sizeof(err));
    body = json_loads("{\"filter\":\"userName eq \\\"a\\\"\",\"sortBy\":"
                      "\"userName\",\"sortOrder\":\"Descending\","
                      "\"attributes\":[\"userName\",5,\"emails.value\"],"
                      "\"excludedAttributes\":\"members\"}", 0, NULL);

    CHECK(pu_scim_query_body(&query, body, &err));
    CHECK(query.filter != NULL);
    CHECK_STR(query.sort.name, "userName");
    CHECK(query.descending);
    CHECK(query.selective);
    CHECK(pu_scim_selected(&query, "username"));
    CHECK(pu_scim_selected(&query, "emails"));
    CHECK(!pu_scim_selected(&query, "members"));

    pu_scim_query_free(&query);
    json_decref(body);

    body = json_loads("{\"excludedAttributes\":[\"members\","
                      "\"emails.value\"]}", 0, NULL);

    CHECK(pu_scim_query_body(&query, body, &err));
    CHECK(!query.selective);
    CHECK(!query.descending);
    CHECK(!pu_scim_selected(&query, "members"));
    CHECK(pu_scim_selected(&query, "emails"));

    pu_scim_query_free(&query);
    json_decref(body);
}


static void
what_is_too_long_is_refused(void)
{
    size_t            i;
    char             *text;
    json_t           *r;
    pu_str_t          args;
    pu_scim_error_t   err;
    pu_scim_query_t   query;

    text = malloc(32769);
    memset(text, 'x', 32769);
    args.len = 32768;
    args.data = (uint8_t *) text;
    memset(&err, 0, sizeof(err));

    CHECK(pu_scim_query_url(&query, args, &err));
    pu_scim_query_free(&query);

    args.len++;
    CHECK(!pu_scim_query_url(&query, args, &err));
    CHECK_INT(err.status, 400);
    CHECK_STR(pu_str(err.type), "invalidValue");
    CHECK_STR(pu_str(err.detail), "the query is too long");
    pu_scim_query_free(&query);

    /* the 201st name of a parameter is not looked at */

    strcpy(text, "attributes=");

    for (i = 0; i < 200; i++) {
        strcat(text, "z,");
    }

    strcat(text, "userName");
    memset(&err, 0, sizeof(err));
    CHECK(pu_scim_query_url(&query, pu_str(text), &err));

    r = pu_scim_select(&query, json_loads(user, 0, NULL));
    CHECK_INT(json_object_size(r), 2);
    json_decref(r);
    pu_scim_query_free(&query);
    free(text);
}


static void
what_is_no_text_is_shown_as_one(void)
{
    size_t    i;
    json_t   *value;

    static const struct {
        const char  *bytes;
        size_t       len;
        const char  *shown;
        size_t       shown_len;
    } cases[] = {
        { "", 0, "", 0 },
        { "a\xc3\xa9", 3, "a\xc3\xa9", 3 },
        { "a\xff" "b", 3, "a\xef\xbf\xbd" "b", 5 },
        { "\xc3", 1, "\xef\xbf\xbd", 3 },
        { "\xed\xa0\x80\x00", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x00",
          10 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        value = pu_scim_string_new((pu_str_t) { cases[i].len,
                                       (const uint8_t *) cases[i].bytes });

        CHECK_INT(json_string_length(value), cases[i].shown_len);
        CHECK(memcmp(json_string_value(value), cases[i].shown,
                     cases[i].shown_len) == 0);
        json_decref(value);
    }
}


static void
words_and_times_are_read_as_they_are_sent(void)
{
    int      b;
    size_t   i;
    json_t  *value;
    int64_t  ms;

    static const struct {
        const char  *text;
        int          b;                 /* -1: it is none */
    } bools[] = {
        { "true", 1 }, { "\"FALSE\"", 0 }, { "[true]", 1 },
        { "[\"false\"]", 0 }, { "{\"Value\":true}", 1 },
        { "[{\"value\":\"True\"}]", 1 }, { "[]", -1 },
        { "[true,true]", -1 }, { "{\"value\":true,\"x\":1}", -1 },
        { "\"yes\"", -1 }, { "1", -1 }, { "null", -1 },
        { "[[true]]", -1 }, { "{\"x\":true}", -1 }
    };

    for (i = 0; i < sizeof(bools) / sizeof(bools[0]); i++) {
        value = json_loads(bools[i].text, JSON_DECODE_ANY, NULL);
        b = -1;
        unit_int(__FILE__, __LINE__, pu_scim_bool(value, &b),
                 bools[i].b >= 0, bools[i].text);
        unit_int(__FILE__, __LINE__, b, bools[i].b, bools[i].text);
        json_decref(value);
    }

    value = pu_scim_time_new(PU_STR("253402300799"));
    CHECK_STR(pu_str(json_string_value(value)), "9999-12-31T23:59:59Z");
    json_decref(value);
    value = pu_scim_time_new(PU_STR("253402300800"));
    CHECK_STR(pu_str(json_string_value(value)), "");
    json_decref(value);
    value = pu_scim_time_new(PU_STR("never"));
    CHECK_STR(pu_str(json_string_value(value)), "");
    json_decref(value);

    CHECK(pu_scim_time(PU_STR("1970-01-01T00:00:01"), &ms));
    CHECK_INT(ms, 1000);
    CHECK(pu_scim_time(PU_STR("1970-01-01T00:00:01z"), &ms));
    CHECK_INT(ms, 1000);
    CHECK(pu_scim_time(PU_STR("1970-01-01T00:00:01-01:30"), &ms));
    CHECK_INT(ms, 5401000);
    CHECK(!pu_scim_time(PU_STR("1970-01-01T00:00:01+1:30"), &ms));
    CHECK(!pu_scim_time(PU_STR("1970-01-01T00:00:01+0x:30"), &ms));
    CHECK(!pu_scim_time(PU_STR("1970-01-01T00:00:01+01:3x"), &ms));
    CHECK(!pu_scim_time(PU_STR("1970-01-01T00:00:01*01:30"), &ms));
}


static const unit_test_t  tests[] = {
    UNIT(an_answer_has_what_is_asked_for),
    UNIT(numbers_are_taken_to_what_is_allowed),
    UNIT(a_search_says_the_same_in_a_body),
    UNIT(what_is_too_long_is_refused),
    UNIT(what_is_no_text_is_shown_as_one),
    UNIT(words_and_times_are_read_as_they_are_sent)
};

UNIT_MAIN(tests)
