/*
 * Users, and many operations at once: what a directory is told when somebody
 * else is quicker and when what Redis says makes no sense.
 */

#include "talk.h"


#define A        "u_AAAAAAAAAAAAAAAAAAAAAA"
#define USER     "/Users/" A

/* Answers. */
#define FOUND(version)                                                        \
    "[found " A " [Ada human active 1 2 " version " ada x1 ~ ~]]"
#define BROKEN   "[found " A " [Ada human active 1 2 three ada x1 ~ ~]]"
#define DONE(version)   "[done :" version " '']"
#define CONFLICT "[conflict :9 '']"

/* Bodies. */
#define PUT      "{\"userName\":\"ada\",\"title\":\"x\"}"
#define OPS(operation)  "{\"Operations\":[" operation "]}"
#define TITLE    OPS("{\"op\":\"add\",\"path\":\"title\",\"value\":\"x\"}")
#define OFF      OPS("{\"op\":\"replace\",\"path\":\"active\","               \
                     "\"value\":false}")

#define ODD      "does not answer as it should"
#define GONE     "there is no such user"
#define OTHER    "the user has another version"
#define FIND     "scim_user "
#define EIGHT(op)                                                             \
    FIND op " " FIND op " " FIND op " " FIND op " " FIND op " " FIND op " "   \
    FIND op " " FIND op


static void
what_makes_no_sense_is_503(void)
{
    static const talk_t  talks[] = {
        { .method = "POST", .path = "/Users", .body = PUT,
          .answers = { "[conflict :1 '']" }, .status = 503, .says = ODD,
          .asks = "user_create" },
        { .method = "POST", .path = "/Users", .body = PUT,
          .answers = { "[not_found :1 '']" }, .status = 503, .says = ODD },
        { .method = "POST", .path = "/Users", .body = PUT,
          .answers = { "~" }, .status = 503, .says = ODD },
        { .method = "POST", .path = "/Users", .body = PUT,
          .answers = { "-READONLY You can't write" }, .status = 503,
          .says = ODD },
        { .method = "GET", .path = USER, .answers = { BROKEN },
          .status = 503, .says = ODD, .asks = "scim_user" },
        { .method = "GET", .path = USER, .answers = { "[many]" },
          .status = 503, .says = ODD },
        { .method = "PATCH", .path = USER, .body = TITLE,
          .answers = { BROKEN }, .status = 503, .says = ODD,
          .asks = "scim_user" },
        { .method = "PUT", .path = USER, .body = PUT,
          .answers = { FOUND("3"), "[unreadable :3 '']" }, .status = 503,
          .says = ODD, .asks = "scim_user user_replace" },
        { .method = "PUT", .path = USER, .body = PUT,
          .answers = { FOUND("3"), "OK" }, .status = 503, .says = ODD },
        { .method = "DELETE", .path = USER,
          .answers = { FOUND("3"), "[refused :3 '']" }, .status = 503,
          .says = ODD, .asks = "scim_user delete" },
        { .method = "DELETE", .path = USER,
          .answers = { FOUND("3"), ":1" }, .status = 503, .says = ODD }
    };

    TALKS(talks)
}


static void
somebody_else_is_quicker(void)
{
    static const talk_t  talks[] = {
        { .method = "PATCH", .path = USER, .body = TITLE,
          .answers = { FOUND("3"), "[not_found :0 '']" }, .status = 404,
          .says = GONE, .asks = "scim_user user_replace" },
        { .method = "PATCH", .path = USER, .body = TITLE,
          .answers = { FOUND("3"), DONE("4"), "[none]" }, .status = 404,
          .says = GONE, .asks = "scim_user user_replace scim_user" },
        { .method = "PATCH", .path = USER, .body = TITLE,
          .answers = { FOUND("3"), CONFLICT, FOUND("9"), DONE("10"),
                       FOUND("10") },
          .status = 200, .says = "\"version\":\"W/\\\"10\\\"\"",
          .asks = "scim_user user_replace scim_user user_replace scim_user",
          .sent = { { 2, 2, "3" }, { 4, 2, "9" } } },
        { .method = "PATCH", .path = USER, .body = TITLE,
          .answers = { FOUND("3"), CONFLICT }, .status = 503,
          .says = "others change this user all the time",
          .asks = EIGHT("user_replace") },
        { .method = "PUT", .path = USER, .body = PUT, .if_match = "\"3\"",
          .answers = { FOUND("3"), CONFLICT }, .status = 412, .says = OTHER,
          .asks = "scim_user user_replace" },
        { .method = "PUT", .path = USER, .body = PUT, .if_match = "\"2\"",
          .answers = { FOUND("3") }, .status = 412, .says = OTHER,
          .asks = "scim_user" },
        { .method = "DELETE", .path = USER,
          .answers = { FOUND("3"), "[not_found :0 '']" }, .status = 404,
          .says = GONE },
        { .method = "DELETE", .path = USER,
          .answers = { FOUND("3"), "[unchanged :3 '']" }, .status = 404,
          .says = GONE },
        { .method = "DELETE", .path = USER, .if_match = "W/\"3\"",
          .answers = { FOUND("3"), CONFLICT }, .status = 412, .says = OTHER,
          .asks = "scim_user delete" },
        { .method = "DELETE", .path = USER, .if_match = "W/\"2\"",
          .answers = { FOUND("3") }, .status = 412, .says = OTHER,
          .asks = "scim_user" },
        { .method = "DELETE", .path = USER,
          .answers = { FOUND("3"), CONFLICT, FOUND("9"), DONE("10") },
          .status = 204, .asks = "scim_user delete scim_user delete",
          .sent = { { 2, 2, "3" }, { 4, 2, "9" } } },
        /* the last time of any version: that can be no conflict */
        { .method = "DELETE", .path = USER,
          .answers = { FOUND("3"), CONFLICT }, .status = 503, .says = ODD,
          .asks = EIGHT("delete"), .sent = { { 14, 2, "3" }, { 16, 2, "" } } }
    };

    TALKS(talks)
}


static void
off_is_off_whatever_else_goes_wrong(void)
{
    static const talk_t  talks[] = {
        { .method = "PATCH", .path = USER, .body = OFF,
          .answers = { BROKEN, DONE("4"), BROKEN }, .status = 503,
          .says = "the user is suspended, but the record cannot be read",
          .asks = "scim_user suspend scim_user",
          .sent = { { 2, 1, A }, { 2, 2, "" } } },
        { .method = "PATCH", .path = USER, .body = OFF,
          .answers = { BROKEN, "[not_found :0 '']" }, .status = 404,
          .says = GONE, .asks = "scim_user suspend" },
        { .method = "PATCH", .path = USER, .body = OFF,
          .answers = { BROKEN, "[refused :0 '']" }, .status = 404,
          .says = GONE, .asks = "scim_user suspend" },
        { .method = "PATCH", .path = USER, .body = OFF,
          .answers = { BROKEN, "[conflict :4 '']" }, .status = 503,
          .says = ODD, .asks = "scim_user suspend" },
        { .method = "PATCH", .path = USER, .body = OFF,
          .answers = { FOUND("3"), "[unreadable :3 '']", DONE("4"),
                       "[none]" },
          .status = 404, .says = GONE,
          .asks = "scim_user user_replace suspend scim_user" },
        { .method = "PATCH", .path = USER, .body = OFF,
          .answers = { FOUND("3"), "[unreadable :3 '']", DONE("4"),
                       FOUND("4"), "[unreadable :4 '']" },
          .status = 503, .says = "the user is suspended, but",
          .asks = "scim_user user_replace suspend scim_user user_replace" }
    };

    TALKS(talks)
}


static void
what_the_script_refuses(void)
{
    static const talk_t  talks[] = {
        { .method = "POST", .path = "/Users", .body = PUT,
          .answers = { "[refused :0 user_name]" }, .status = 409,
          .type = "uniqueness", .says = "another user has this userName" },
        { .method = "POST", .path = "/Users", .body = PUT,
          .answers = { "[refused :0 foreign]" }, .status = 503,
          .says = "the store of users is another one than before" },
        { .method = "POST", .path = "/Users", .body = PUT,
          .answers = { "[refused :0 full]" }, .status = 400,
          .type = "invalidValue", .says = "the user is too large" },
        { .method = "PUT", .path = USER, .body = PUT,
          .answers = { FOUND("3"), "[refused :3 user_name]" },
          .status = 409, .type = "uniqueness",
          .says = "another user has this userName" },
        { .method = "PUT", .path = USER, .body = PUT,
          .answers = { FOUND("3"), "[refused :3 full]" }, .status = 400,
          .type = "invalidValue", .says = "the user is too large" }
    };

    TALKS(talks)
}


/* 255 bytes of a name are kept, and of those whole characters. */

static void
a_long_name_is_cut_between_characters(void)
{
    char    body[400], name[300], cut[300];
    talk_t  talk;

    memset(name, 'x', 254);
    strcpy(name + 254, "\xc3\xa9y");
    memcpy(cut, name, 254);
    cut[254] = '\0';

    snprintf(body, sizeof(body),
             "{\"userName\":\"ada\",\"displayName\":\"%s\"}", name);

    memset(&talk, 0, sizeof(talk));
    talk.method = "PUT";
    talk.path = USER;
    talk.body = body;
    talk.answers[0] = FOUND("3");
    talk.answers[1] = DONE("4");
    talk.answers[2] = FOUND("4");
    talk.status = 200;
    talk.says = "\"id\":\"" A "\"";
    talk.sent[0] = (talk_sent_t) { 2, 12, cut };
    talk_check(__FILE__, __LINE__, &talk);

    /* what fits is kept whole */

    strcpy(name + 253, "\xc3\xa9");
    snprintf(body, sizeof(body),
             "{\"userName\":\"ada\",\"displayName\":\"%s\"}", name);
    talk.sent[0].is = name;
    talk_check(__FILE__, __LINE__, &talk);
}


static void
a_body_is_read_as_far_as_it_goes(void)
{
    char    *body;
    talk_t   talk;

    /* a byte order mark before it is no matter */

    memset(&talk, 0, sizeof(talk));
    talk.method = "PUT";
    talk.path = USER;
    talk.body = "\xef\xbb\xbf" PUT;
    talk.answers[0] = FOUND("3");
    talk.answers[1] = DONE("4");
    talk.answers[2] = FOUND("4");
    talk.status = 200;
    talk.says = "\"id\":\"" A "\"";
    talk.asks = "scim_user user_replace scim_user";
    talk_check(__FILE__, __LINE__, &talk);

    talk.body = "\xef\xbb\xbf\xef\xbb\xbf" PUT;
    talk.status = 400;
    talk.type = "invalidSyntax";
    talk.says = "the body is not one JSON object";
    talk.asks = "";
    talk_check(__FILE__, __LINE__, &talk);

    /* 1 MiB is read, one byte more is not */

    body = malloc(PU_SCIM_BODY_MAX + 2);
    memset(body, ' ', PU_SCIM_BODY_MAX + 1);
    body[PU_SCIM_BODY_MAX + 1] = '\0';
    memcpy(body, PUT, sizeof(PUT) - 1);

    talk.body = body;
    talk.status = 413;
    talk.type = NULL;
    talk.says = "the body has at most 1048576 bytes";
    talk_check(__FILE__, __LINE__, &talk);

    body[PU_SCIM_BODY_MAX] = '\0';
    talk.status = 200;
    talk.says = "\"id\":\"" A "\"";
    talk.asks = "scim_user user_replace scim_user";
    talk_check(__FILE__, __LINE__, &talk);

    free(body);
}


/* Many at once. */

#define BULK(operations)  .method = "POST", .path = "/Bulk",                  \
    .body = "{\"Operations\":[" operations "]}"

static void
bulk_operations_fail_by_themselves(void)
{
    static const talk_t  talks[] = {
        { BULK("5"), .status = 200, .says = "\"status\":\"400\"" },
        { BULK("{\"method\":\"POST\"}"), .status = 200,
          .says = "an operation has a \\\"method\\\" and a \\\"path\\\"" },
        { BULK("{\"path\":\"/Users\"}"), .status = 200,
          .says = "an operation has a \\\"method\\\" and a \\\"path\\\"" },
        { BULK("{\"method\":\"POST\",\"path\":\"/Users\"}"), .status = 200,
          .says = "the operation has no \\\"data\\\"" },
        { BULK("{\"method\":\"PUT\",\"path\":\"" USER "\",\"data\":5}"),
          .status = 200, .says = "the operation has no \\\"data\\\"" },
        { BULK("{\"method\":\"GET\",\"path\":\"" USER "\"}"), .status = 200,
          .says = "a bulk operation is POST, PUT, PATCH or DELETE" },
        { BULK("{\"method\":\"DELETE\",\"path\":\"/Schemas\"}"),
          .status = 200, .says = "a bulk operation is for /Users or" },
        { BULK("{\"method\":\"DELETE\",\"path\":\"/Users/a/b/c\"}"),
          .status = 200, .says = "there is nothing here" },
        /* some say it with its "Operations", some without */
        { BULK("{\"method\":\"PATCH\",\"path\":\"" USER "\",\"data\":"
               "[{\"op\":\"add\",\"path\":\"active\",\"value\":true}]}"),
          .answers = { FOUND("3"), DONE("4"), FOUND("4") }, .status = 200,
          .says = "\"status\":\"200\"",
          .asks = "scim_user user_replace scim_user",
          .sent = { { 2, 14, "1" } } },
        /* a version is an If-Match of its own */
        { BULK("{\"method\":\"DELETE\",\"path\":\"" USER "\",\"version\":"
               "\"W/\\\"2\\\"\"},{\"method\":\"DELETE\",\"path\":\"" USER
               "\"}"),
          .answers = { FOUND("3"), FOUND("3"), DONE("4") }, .status = 200,
          .says = "\"status\":\"204\"",
          .asks = "scim_user scim_user delete" },
        { BULK("{\"method\":\"POST\",\"bulkId\":\"a\",\"path\":\"/Users\"},"
               "{\"method\":\"POST\",\"bulkId\":\"a\",\"path\":\"/Users\"}"),
          .status = 400, .type = "invalidValue",
          .says = "a bulkId is there twice", .asks = "" },
        { BULK("{\"method\":\"POST\",\"bulkId\":\"a\\u0000\",\"path\":"
               "\"/Users\"}"),
          .status = 400, .type = "invalidValue",
          .says = "or has a NUL in it", .asks = "" },
        { BULK("{\"method\":\"DELETE\",\"path\":\"/Users\\u0000\"}"),
          .status = 200, .says = "the path is none", .asks = "" },
        { .method = "POST", .path = "/Bulk", .body = "{\"Operations\":{}}",
          .status = 400, .type = "invalidSyntax", .says = "Operations",
          .asks = "" },
        { .method = "POST", .path = "/Bulk", .body = "{}", .status = 400,
          .type = "invalidSyntax", .says = "Operations", .asks = "" },
        /* what makes no sense to Redis is no matter of the next */
        { BULK("{\"method\":\"DELETE\",\"path\":\"" USER "\"},{\"method\":"
               "\"DELETE\",\"path\":\"" USER "\"}"),
          .answers = { "[many]", FOUND("3"), DONE("4") }, .status = 200,
          .says = "\"status\":\"204\"",
          .asks = "scim_user scim_user delete" },
        /* Redis is away: none of them is known to be done */
        { BULK("{\"method\":\"DELETE\",\"path\":\"" USER "\"}"),
          .status = 503, .says = "the store of users does not answer",
          .asks = "scim_user" },
        { .method = "POST", .path = "/Bulk",
          .body = "{\"failOnErrors\":1,\"Operations\":[{\"method\":\"x\","
                  "\"path\":\"/Users\"},{\"method\":\"DELETE\",\"path\":\""
                  USER "\"}]}",
          .status = 200, .says = "a bulk operation is POST", .asks = "" }
    };

    TALKS(talks)
}


static const unit_test_t  tests[] = {
    UNIT(what_makes_no_sense_is_503),
    UNIT(somebody_else_is_quicker),
    UNIT(off_is_off_whatever_else_goes_wrong),
    UNIT(what_the_script_refuses),
    UNIT(a_long_name_is_cut_between_characters),
    UNIT(a_body_is_read_as_far_as_it_goes),
    UNIT(bulk_operations_fail_by_themselves)
};

UNIT_MAIN(tests)
