/*
 * Groups: what a directory is told when somebody else is quicker, when Redis
 * refuses, and when what it says makes no sense.
 */

#include "talk.h"


#define A        "u_AAAAAAAAAAAAAAAAAAAAAA"
#define B        "u_BBBBBBBBBBBBBBBBBBBBBB"
#define G        "g_GGGGGGGGGGGGGGGGGGGGGG"
#define GROUP    "/Groups/" G

/* Answers. */
#define FOUND(version)                                                        \
    "[found " G " [editors ~ 100 200 " version " ~]]"
#define NONE     "[none]"
#define DONE(version)   "[done :" version " '']"
#define CONFLICT "[conflict :9 '']"
#define MEMBERS  "[found '' " A " " B "]"

/* Bodies. */
#define PUT      "{\"displayName\":\"editors\",\"members\":[{\"value\":\"" A  \
                 "\"}]}"
#define RENAME   "{\"Operations\":[{\"op\":\"replace\",\"path\":"             \
                 "\"displayName\",\"value\":\"writers\"}]}"

#define ODD      "does not answer as it should"
#define GONE     "there is no such group"
#define OTHER    "the group has another version"


static void
what_makes_no_sense_is_503(void)
{
    static const char *const  odd[] = {
        "~", ":1", "[]", "OK", "[found]", "[many]", "[found " G " ~]",
        "[found " G " [x ~ 1 1 one ~]]", "[found " G " [x ~ 1 1 ~ ~]]",
        "[found " G " [x ~ 1 1 1]]", "[found g_1 [x ~ 1 1 1 ~]]",
        "[found " A " [x ~ 1 1 1 ~]]", "[:1 " G "]", "[done :1 '']",
        "-ERR it is broken", "-WRONGTYPE Operation against a key"
    };

    static const char *const  methods[] = {
        "GET", "PUT", "PATCH", "DELETE"
    };

    size_t  i, k;
    talk_t  talk;

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        for (k = 0; k < sizeof(methods) / sizeof(methods[0]); k++) {
            memset(&talk, 0, sizeof(talk));

            talk.method = methods[k];
            talk.path = GROUP;
            talk.body = (k == 2) ? RENAME : (k == 1) ? PUT : NULL;
            talk.answers[0] = odd[i];
            talk.status = 503;
            talk.says = ODD;
            talk.asks = "scim_group";

            talk_check(__FILE__, __LINE__, &talk);
        }
    }
}


static void
a_change_whose_answer_makes_no_sense_is_503(void)
{
    static const talk_t  talks[] = {
        { .method = "POST", .path = "/Groups", .body = PUT,
          .answers = { "[not_found :0 '']" }, .status = 404, .says = GONE,
          .asks = "group_create" },
        { .method = "POST", .path = "/Groups", .body = PUT,
          .answers = { "[made :1 '']" }, .status = 503, .says = ODD },
        { .method = "POST", .path = "/Groups", .body = PUT,
          .answers = { "[unreadable :1 '']" }, .status = 503, .says = ODD },
        { .method = "POST", .path = "/Groups", .body = PUT,
          .answers = { "[done 1 '']" }, .status = 503, .says = ODD },
        { .method = "POST", .path = "/Groups", .body = PUT,
          .answers = { "-OOM command not allowed" }, .status = 503,
          .says = ODD },
        { .method = "PUT", .path = GROUP, .body = PUT,
          .answers = { FOUND("3"), "[found ~]" }, .status = 503, .says = ODD,
          .asks = "scim_group scim_members" },
        { .method = "PUT", .path = GROUP, .body = PUT,
          .answers = { FOUND("3"), "[none '']" }, .status = 503,
          .says = ODD },
        { .method = "PUT", .path = GROUP, .body = PUT,
          .answers = { FOUND("3"), "[found '1234567890123456789012345' " A
                       "]" }, .status = 503, .says = ODD },
        { .method = "DELETE", .path = GROUP,
          .answers = { FOUND("3"), "[unchanged :3 '']" }, .status = 503,
          .says = ODD, .asks = "scim_group group_delete" },
        { .method = "DELETE", .path = GROUP,
          .answers = { FOUND("3"), "~" }, .status = 503, .says = ODD },
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), "[done :4 walk]", "[unchanged :4 '']" },
          .status = 503, .says = ODD,
          .asks = "scim_group group_change group_walk" },
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), "[done :4 walk]", "[conflict :4 '']" },
          .status = 503, .says = ODD },
        /* a cursor that is none: nobody says that all were walked */
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), "[done :4 walk]",
                       "[done :4 1234567890123456789012345]" },
          .status = 503, .says = ODD,
          .asks = "scim_group group_change group_walk" },
        { .method = "GET", .path = GROUP,
          .answers = { FOUND("3"), "[found]" }, .status = 503, .says = ODD },
        { .method = "GET", .path = GROUP,
          .answers = { FOUND("3"), "[found 1 " A "]", "[found ~]" },
          .status = 503, .says = ODD,
          .asks = "scim_group scim_members scim_members" },
        /* Redis is away in the middle */
        { .method = "PUT", .path = GROUP, .body = PUT, .again = 2,
          .answers = { FOUND("3"), MEMBERS }, .status = 503,
          .says = "the store of users does not answer",
          .asks = "scim_group scim_members group_change" }
    };

    TALKS(talks)
}


static void
somebody_else_has_deleted_it(void)
{
    static const talk_t  talks[] = {
        { .method = "GET", .path = GROUP, .answers = { NONE },
          .status = 404, .says = GONE },
        { .method = "DELETE", .path = GROUP, .answers = { NONE },
          .status = 404, .says = GONE, .asks = "scim_group" },
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), "[not_found :0 '']" },
          .status = 404, .says = GONE, .asks = "scim_group group_change" },
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), DONE("4"), NONE },
          .status = 404, .says = GONE,
          .asks = "scim_group group_change scim_group" },
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), "[done :4 walk]", "[not_found :0 '']" },
          .status = 404, .says = GONE,
          .asks = "scim_group group_change group_walk" },
        { .method = "DELETE", .path = GROUP,
          .answers = { FOUND("3"), "[not_found :0 '']" }, .status = 404,
          .says = GONE, .asks = "scim_group group_delete" },
        /* it is gone, and a part of that is our work */
        { .method = "DELETE", .path = GROUP,
          .answers = { FOUND("3"), "[done :4 more]", "[not_found :0 '']" },
          .status = 204, .asks = "scim_group group_delete group_delete" },
        { .method = "DELETE", .path = GROUP,
          .answers = { FOUND("3"), "[done :4 more]", "[done :5 more]",
                       DONE("6") },
          .status = 204,
          .asks = "scim_group group_delete group_delete group_delete",
          .sent = { { 2, 1, G }, { 2, 2, "" }, { 3, 2, "" }, { 4, 2, "" } } },
        { .method = "GET", .path = "/Groups/" A, .status = 404, .says = GONE,
          .asks = "" }
    };

    TALKS(talks)
}


static void
somebody_else_has_changed_it(void)
{
    static const talk_t  talks[] = {
        /* the second time of what is there then, with its version */
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), CONFLICT, FOUND("9"), DONE("10"),
                       FOUND("10") },
          .status = 204,
          .asks = "scim_group group_change scim_group group_change "
                  "scim_group",
          .sent = { { 2, 2, "3" }, { 4, 2, "9" }, { 4, 6, "writers" } } },
        { .method = "PUT", .path = GROUP, .body = PUT,
          .answers = { FOUND("3"), MEMBERS, CONFLICT, FOUND("9"),
                       "[found '' " A "]", DONE("10"), FOUND("10"),
                       "[found '' " A "]" },
          .status = 200, .says = "\"version\":\"W/\\\"10\\\"\"",
          .sent = { { 3, 2, "3" }, { 3, 9, A " " }, { 6, 2, "9" } } },
        /* not for ever */
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), CONFLICT }, .status = 503,
          .says = "others change this group all the time",
          .asks = "scim_group group_change scim_group group_change "
                  "scim_group group_change scim_group group_change "
                  "scim_group group_change scim_group group_change "
                  "scim_group group_change scim_group group_change" },
        /* who has said of which version it is to be is told */
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .if_match = "W/\"2\"", .answers = { FOUND("3") },
          .status = 412, .says = OTHER, .asks = "scim_group" },
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .if_match = " \"2\" , W/\"3\" ", .answers = { FOUND("3"), CONFLICT },
          .status = 412, .says = OTHER, .asks = "scim_group group_change" },
        { .method = "PUT", .path = GROUP, .body = PUT, .if_match = "*",
          .answers = { FOUND("3"), MEMBERS, CONFLICT },
          .status = 412, .says = OTHER },
        { .method = "DELETE", .path = GROUP, .if_match = "\"2\"",
          .answers = { FOUND("3") }, .status = 412, .says = OTHER,
          .asks = "scim_group" },
        { .method = "DELETE", .path = GROUP, .if_match = "\"3\"",
          .answers = { FOUND("3"), CONFLICT }, .status = 412, .says = OTHER,
          .sent = { { 2, 2, "3" } } },
        /* a new one that somebody has touched between two of its pieces */
        { .method = "POST", .path = "/Groups", .body = PUT,
          .answers = { CONFLICT, DONE("9"), FOUND("9"), MEMBERS },
          .status = 201, .says = "\"members\":[{\"value\":\"" A "\"",
          .asks = "group_create group_change scim_group scim_members",
          .sent = { { 2, 2, "" }, { 2, 6, "editors" }, { 2, 9, A " " } } },
        { .method = "POST", .path = "/Groups", .body = PUT,
          .answers = { CONFLICT }, .status = 503,
          .says = "others change this group all the time" }
    };

    TALKS(talks)
}


static void
what_is_full_is_refused(void)
{
    static const talk_t  talks[] = {
        { .method = "POST", .path = "/Groups", .body = PUT,
          .answers = { "[refused :1 members]" }, .status = 400,
          .type = "invalidValue",
          .says = "a group has at most 50000 members" },
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), "[refused :3 groups]" }, .status = 400,
          .type = "invalidValue",
          .says = "a member is in 256 groups already" },
        { .method = "PUT", .path = GROUP, .body = PUT,
          .answers = { FOUND("3"), MEMBERS, "[refused :3 full]" },
          .status = 400, .type = "invalidValue",
          .says = "a member has too many roles already" },
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), "[done :4 walk]", "[refused :4 full]" },
          .status = 400, .type = "invalidValue",
          .says = "a member has too many roles already",
          .asks = "scim_group group_change group_walk" },
        { .method = "PATCH", .path = GROUP,
          .body = "{\"Operations\":[{\"op\":\"remove\"}]}",
          .answers = { FOUND("3") }, .status = 400, .type = "noTarget",
          .says = "remove needs a", .asks = "scim_group" },
        { .method = "PUT", .path = GROUP, .body = "{\"members\":[]}",
          .answers = { FOUND("3") }, .status = 400, .type = "invalidValue",
          .says = "displayName", .asks = "scim_group" },
        { .method = "PUT", .path = GROUP,
          .body = "{\"displayName\":\"x\",\"members\":[5]}",
          .answers = { FOUND("3") }, .status = 400, .type = "invalidValue",
          .says = "a member is an object with a", .asks = "scim_group" }
    };

    TALKS(talks)
}


static void
many_members_come_and_go_in_pieces(void)
{
    static const talk_t  talks[] = {
        { .method = "GET", .path = GROUP,
          .answers = { FOUND("3"), "[found 17 " A " nobody ~ :5]",
                       "[found '' " B "]" },
          .status = 200,
          .says = "\"members\":[{\"value\":\"" A "\",\"type\":\"User\","
                  "\"$ref\":\"http://a/s/Users/" A "\"},{\"value\":\"" B
                  "\",",
          .sent = { { 2, 2, "" }, { 3, 1, G }, { 3, 2, "17" } } },
        /* who cannot be a user is not sent back to be removed */
        { .method = "PUT", .path = GROUP, .body = PUT,
          .answers = { FOUND("3"), "[found 17 nobody ~ " A "]",
                       "[found '' " B "]", DONE("4"), FOUND("4"),
                       "[found '' " A "]" },
          .status = 200, .says = "\"members\":[{\"value\":\"" A "\"",
          .sent = { { 4, 9, A " " }, { 4, 11, B " " } } },
        { .method = "PATCH", .path = GROUP, .body = RENAME,
          .answers = { FOUND("3"), "[done :4 walk]", "[done :4 7]",
                       DONE("4"), FOUND("4") },
          .status = 204,
          .asks = "scim_group group_change group_walk group_walk scim_group",
          .sent = { { 3, 6, "" }, { 4, 6, "7" } } },
        /* nobody is added; all of them are replaced by nobody */
        { .method = "PATCH", .path = GROUP,
          .body = "{\"Operations\":[{\"op\":\"add\",\"path\":\"members\","
                  "\"value\":null}]}",
          .answers = { FOUND("3"), "[unchanged :3 '']", FOUND("3") },
          .status = 204, .asks = "scim_group group_change scim_group",
          .sent = { { 2, 9, "" }, { 2, 11, "" } } },
        { .method = "PATCH", .path = GROUP,
          .body = "{\"Operations\":[{\"op\":\"replace\",\"path\":"
                  "\"members\",\"value\":null}]}",
          .answers = { FOUND("3"), "[found '' " A "]", DONE("4"),
                       FOUND("4") },
          .status = 204, .sent = { { 3, 9, "" }, { 3, 11, A " " } } },
        { .method = "GET", .path = GROUP, .if_none_match = "W/\"3\"",
          .answers = { FOUND("3") }, .status = 304, .asks = "scim_group" },
        { .method = "GET", .path = GROUP, .if_none_match = "W/\"2\"",
          .args = "excludedAttributes=members",
          .answers = { FOUND("3") }, .status = 200,
          .says = "\"displayName\":\"editors\"", .asks = "scim_group" },
        /* a script that is not there is loaded, the same asked again */
        { .method = "DELETE", .path = GROUP,
          .answers = { FOUND("3"), "-NOSCRIPT No matching script.",
                       DONE("4") },
          .status = 204, .asks = "scim_group group_delete group_delete" }
    };

    TALKS(talks)
}


/* 50,000 of one answer; the next one is too many. */

static void
an_answer_has_at_most_so_many_members(void)
{
    size_t            i;
    char              id[] = A;
    talk_t            talk;
    pu_scim_text_t    text;

    memset(&talk, 0, sizeof(talk));
    memset(&text, 0, sizeof(text));

    pu_scim_text_add(&text, "[found ''");

    for (i = 0; i < PU_SCIM_MEMBERS_MAX; i++) {
        snprintf(id + 19, 6, "%05zu", i);
        pu_scim_text_add(&text, " ");
        pu_scim_text_add(&text, id);
    }

    pu_scim_text_put(&text, "]", 2);

    talk.method = "GET";
    talk.path = GROUP;
    talk.answers[0] = FOUND("3");
    talk.answers[1] = text.data;
    talk.status = 200;
    talk.says = "49999\"}]}";
    talk_check(__FILE__, __LINE__, &talk);

    text.len -= 2;
    pu_scim_text_put(&text, " " B "]", sizeof(" " B "]"));
    talk.answers[1] = text.data;
    talk.status = 400;
    talk.type = "tooMany";
    talk.says = "there are more than 50000 members";
    talk_check(__FILE__, __LINE__, &talk);

    pu_scim_text_free(&text);
}


static const unit_test_t  tests[] = {
    UNIT(what_makes_no_sense_is_503),
    UNIT(a_change_whose_answer_makes_no_sense_is_503),
    UNIT(somebody_else_has_deleted_it),
    UNIT(somebody_else_has_changed_it),
    UNIT(what_is_full_is_refused),
    UNIT(many_members_come_and_go_in_pieces),
    UNIT(an_answer_has_at_most_so_many_members)
};

UNIT_MAIN(tests)
