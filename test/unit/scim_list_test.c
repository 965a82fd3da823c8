/*
 * Lists: which question each makes, pages that come in pieces, records that
 * are gone or broken, how far a search goes, and how it is sorted.
 */

#include "talk.h"


#define A        "u_AAAAAAAAAAAAAAAAAAAAAA"
#define B        "u_BBBBBBBBBBBBBBBBBBBBBB"
#define C        "u_CCCCCCCCCCCCCCCCCCCCCC"
#define D        "u_DDDDDDDDDDDDDDDDDDDDDD"
#define G        "g_GGGGGGGGGGGGGGGGGGGGGG"
#define H        "g_HHHHHHHHHHHHHHHHHHHHHH"

#define USER(name, extra)                                                     \
    " [~ human active 1 2 3 " name " ~ ~ '" extra "']"
#define BROKEN   " [~ human active 1 2 three x ~ ~ ~]"
#define GROUP(id, name)  " " id " [" name " ~ 1 2 3 ~]"

#define ODD      "does not answer as it should"
#define EMPTY    "\"totalResults\":0,\"startIndex\":1,\"itemsPerPage\":0,"    \
                 "\"Resources\":[]}"


static void
each_filter_makes_its_question(void)
{
    static const talk_t  talks[] = {
        { .method = "GET", .path = "/Groups",
          .args = "filter=id%20eq%20%22" G "%22",
          .answers = { "[found" GROUP(G, "x") "]", "[found '' " A "]" },
          .status = 200, .says = "\"totalResults\":1,",
          .asks = "scim_group scim_members", .sent = { { 1, 1, G } } },
        { .method = "GET", .path = "/Groups",
          .args = "filter=id+eq+%22" G "%22&attributes=displayName",
          .answers = { "[found" GROUP(G, "x") "]" }, .status = 200,
          .says = "\"id\":\"" G "\",\"displayName\":\"x\"}]}",
          .asks = "scim_group" },
        { .method = "GET", .path = "/Groups",
          .args = "filter=id+eq+%22" G "%22",
          .answers = { "[none]" }, .status = 200, .says = EMPTY,
          .asks = "scim_group" },
        { .method = "GET", .path = "/Groups",
          .args = "filter=id+eq+%22nobody%22", .status = 200, .says = EMPTY,
          .asks = "" },
        { .method = "GET", .path = "/Groups",
          .args = "filter=externalId+eq+%22x%22&excludedAttributes=members",
          .answers = { "[found :2 :2" GROUP(G, "x")
                       " " H " [y x 1 2 3 ~]]" },
          .status = 200, .says = "\"totalResults\":1,",
          .asks = "scim_groups" },
        { .method = "GET", .path = "/Groups",
          .args = "filter=members.value+eq+%22" A "%22", .status = 400,
          .type = "invalidFilter", .says = "groups are not found by",
          .asks = "" },
        { .method = "GET", .path = "/Groups",
          .args = "filter=members%5Bvalue+eq+%22" A "%22%5D", .status = 400,
          .type = "invalidFilter", .says = "groups are not found by",
          .asks = "" },
        { .method = "GET", .path = "/Groups",
          .args = "filter=id+eq+%22" G "%22",
          .answers = { "[many]" , "[found :0 :0]" }, .status = 200,
          .says = EMPTY, .asks = "scim_group scim_groups" },

        /* externalId is not unique: then everybody is asked */
        { .method = "GET", .path = "/Users",
          .args = "filter=externalId+eq+%22x%22",
          .answers = { "[many]", "[found :2 :2 " A
                       " [~ ~ active 1 2 3 a x ~ ~] " B
                       " [~ ~ active 1 2 3 b x ~ ~]]" },
          .status = 200, .says = "\"totalResults\":2,",
          .asks = "scim_user scim_users" },
        /* the index is behind the record */
        { .method = "GET", .path = "/Users",
          .args = "filter=userName+eq+%22ada%22",
          .answers = { "[found " A USER("eve", "") "]" }, .status = 200,
          .says = EMPTY, .asks = "scim_user" },
        { .method = "GET", .path = "/Users",
          .args = "filter=userName+eq+%22" A "%22",
          .answers = { "[found " A " [~ ~ active 1 2 3 ~ ~ ~ ~]]" },
          .status = 200, .says = "\"totalResults\":1,",
          .asks = "scim_user", .sent = { { 1, 1, "id" }, { 1, 2, A } } },
        { .method = "GET", .path = "/Users",
          .args = "filter=id+eq+%22x%22", .status = 200, .says = EMPTY,
          .asks = "" },
        { .method = "GET", .path = "/Users",
          .args = "filter=userName+eq+%22ada%22&startIndex=2",
          .answers = { "[found " A USER("ada", "") "]" }, .status = 200,
          .says = "\"totalResults\":1,\"startIndex\":2,\"itemsPerPage\":0,"
                  "\"Resources\":[]}" },
        { .method = "GET", .path = "/Users",
          .args = "filter=userName+eq+%22ada%22&count=0",
          .answers = { "[found " A USER("ada", "") "]" }, .status = 200,
          .says = "\"totalResults\":1,\"startIndex\":1,\"itemsPerPage\":0,"
                  "\"Resources\":[]}" }
    };

    TALKS(talks)
}


static void
what_makes_no_sense_is_503(void)
{
    static const talk_t  talks[] = {
        { .method = "GET", .path = "/Users", .answers = { "~" },
          .status = 503, .says = ODD, .asks = "scim_users" },
        { .method = "GET", .path = "/Users", .answers = { "[found :1]" },
          .status = 503, .says = ODD },
        { .method = "GET", .path = "/Users", .answers = { "[found 1 2]" },
          .status = 503, .says = ODD },
        { .method = "GET", .path = "/Users", .answers = { "[found :-1 :0]" },
          .status = 503, .says = ODD },
        { .method = "GET", .path = "/Users",
          .answers = { "[found :1 :1 " A "]" }, .status = 503, .says = ODD },
        { .method = "GET", .path = "/Users", .answers = { "[none :0 :0]" },
          .status = 503, .says = ODD },
        { .method = "GET", .path = "/Users", .args = "filter=title+pr",
          .answers = { "[many :1 :1]" }, .status = 503, .says = ODD },
        { .method = "GET", .path = "/Users", .args = "sortBy=userName",
          .answers = { "-ERR broken" }, .status = 503, .says = ODD },
        { .method = "GET", .path = "/Users",
          .args = "filter=userName+eq+%22ada%22", .answers = { "[]" },
          .status = 503, .says = ODD, .asks = "scim_user" },
        { .method = "GET", .path = "/Users",
          .args = "filter=userName+eq+%22ada%22",
          .answers = { "[found " A BROKEN "]" }, .status = 503, .says = ODD },
        { .method = "GET", .path = "/Users", .args = "sortBy=userName",
          .answers = { "[found :1 :1 " A USER("a", "") "]",
                       "[found " A BROKEN "]" },
          .status = 503, .says = ODD, .asks = "scim_users scim_user" },
        { .method = "GET", .path = "/Groups", .args = "sortBy=displayName",
          .answers = { "[found :1 :1" GROUP(G, "x") "]", "[found " G " ~]" },
          .status = 503, .says = ODD, .asks = "scim_groups scim_group" },
        { .method = "GET", .path = "/Groups",
          .answers = { "[found :1 :1" GROUP(G, "x") "]", "[none]" },
          .status = 503, .says = ODD, .asks = "scim_groups scim_members" }
    };

    TALKS(talks)
}


static void
a_page_may_come_in_pieces(void)
{
    static const talk_t  talks[] = {
        { .method = "GET", .path = "/Users",
          .args = "count=3&startIndex=2&attributes=userName",
          .answers = { "[found :9 :2 " A USER("a", "") "]",
                       "[found :9 :4 " B USER("b", "") " " C USER("c", "")
                       "]" },
          .status = 200,
          .says = "\"totalResults\":9,\"startIndex\":2,\"itemsPerPage\":3,",
          .asks = "scim_users scim_users",
          .sent = { { 1, 1, "1" }, { 1, 2, "3" }, { 2, 1, "2" },
                    { 2, 2, "2" } } },
        /* a broken one is passed over; who says "0 further" is not asked
           for ever */
        { .method = "GET", .path = "/Users", .args = "attributes=userName",
          .answers = { "[found :3 :2 " A BROKEN " " B USER("b", "") "]",
                       "[found :3 :2]" },
          .status = 200,
          .says = "\"totalResults\":3,\"startIndex\":1,\"itemsPerPage\":1,",
          .asks = "scim_users scim_users" },
        { .method = "GET", .path = "/Groups", .args = "count=2",
          .answers = { "[found :2 :2" GROUP(G, "x") GROUP(H, "y") "]",
                       "[found 7 " A "]", "[found '' " B "]", "[found '']" },
          .status = 200, .says = "/Users/" B "\"}]},{",
          .asks = "scim_groups scim_members scim_members scim_members",
          .sent = { { 2, 1, G }, { 2, 2, "" }, { 3, 1, G }, { 3, 2, "7" },
                    { 4, 1, H }, { 4, 2, "" } } },
        { .method = "GET", .path = "/Users",
          .args = "filter=title+pr&attributes=userName&count=1",
          .answers = { "[found :3 :2 " A BROKEN " " B USER("b", "") "]",
                       "[found :3 :3 " C USER("c", "{\"title\":\"x\"}")
                       "]" },
          .status = 200, .says = "\"totalResults\":1,\"startIndex\":1,"
                                 "\"itemsPerPage\":1,",
          .asks = "scim_users scim_users", .sent = { { 2, 1, "2" } } },
        { .method = "GET", .path = "/Users", .args = "filter=title+pr",
          .answers = { "[found :3 :0]" }, .status = 200, .says = EMPTY,
          .asks = "scim_users" }
    };

    TALKS(talks)
}


/* 5,000 are enough when the page is full, 20,000 are enough in any case. */

static void
a_search_ends(void)
{
    static const talk_t  talks[] = {
        { .method = "GET", .path = "/Users",
          .args = "filter=title+pr&count=1&attributes=userName",
          .answers = { "[found :90000 :5000 " A
                       USER("a", "{\"title\":\"x\"}") " " B
                       USER("b", "{\"title\":\"y\"}") "]" },
          .status = 200, .says = "\"totalResults\":3,\"startIndex\":1,"
                                 "\"itemsPerPage\":1,",
          .asks = "scim_users" },
        { .method = "GET", .path = "/Users",
          .args = "filter=title+pr&count=2&attributes=userName",
          .answers = { "[found :90000 :5000 " A
                       USER("a", "{\"title\":\"x\"}") "]",
                       "[found :90000 :20000]" },
          .status = 400, .type = "tooMany",
          .says = "more than 20000 records", .asks = "scim_users scim_users" },
        { .method = "GET", .path = "/Users", .args = "sortBy=userName",
          .answers = { "[found :20001 :20000 " A USER("a", "") "]" },
          .status = 400, .type = "tooMany",
          .says = "more than 20000 records", .asks = "scim_users" },
        { .method = "GET", .path = "/Users",
          .args = "filter=title+pr&count=0",
          .answers = { "[found :20000 :20000 " A USER("a", "") "]" },
          .status = 200, .says = EMPTY, .asks = "scim_users" }
    };

    TALKS(talks)
}


/* The order of the look-ups that follow is that of the page. */

#define FOUR                                                                  \
    "[found :4 :4 " A USER("Zoe", "{\"emails\":[{\"value\":\"z@x\"},"         \
    "{\"value\":\"A@x\",\"primary\":true}],\"level\":5,\"name\":"             \
    "{\"familyName\":\"B\"},\"on\":true}") " "                                \
    B USER("ada", "{\"emails\":[{\"value\":\"b@x\"}],\"name\":"               \
    "{\"familyName\":\"a\"},\"on\":false}") " "                               \
    C USER("Bob", "{\"emails\":[],\"name\":{\"givenName\":\"x\"}}") " "       \
    D USER("ADA", "{\"nick\":5}") "]"

#define SORTED(query, a, b, c, d)                                             \
    { .method = "GET", .path = "/Users", .args = "attributes=id&" query,      \
      .answers = { FOUR, "[none]" }, .again = 1, .status = 200,               \
      .says = "\"totalResults\":4,\"startIndex\":1,\"itemsPerPage\":0,"       \
              "\"Resources\":[]}",                                            \
      .asks = "scim_users scim_user scim_user scim_user scim_user",           \
      .sent = { { 2, 2, a }, { 3, 2, b }, { 4, 2, c }, { 5, 2, d } } }

static void
it_is_sorted_by_any_attribute(void)
{
    static const talk_t  talks[] = {
        SORTED("sortBy=userName", B, D, C, A),
        SORTED("sortBy=userName&sortOrder=descending", A, C, D, B),
        SORTED("sortBy=USERNAME&sortOrder=up", B, D, C, A),
        SORTED("sortBy=emails", A, B, C, D),
        SORTED("sortBy=emails.value", A, B, C, D),
        SORTED("sortBy=name.familyName", B, A, C, D),
        SORTED("sortBy=on", B, A, C, D),
        SORTED("sortBy=nothing", A, B, C, D),
        SORTED("sortBy=urn:x:y:2.0:User:z", A, B, C, D),
        { .method = "GET", .path = "/Users",
          .args = "sortBy=userName&startIndex=2&count=2&attributes=userName",
          .answers = { FOUR, "[found " D USER("ADA", "") "]",
                       "[found " C USER("Bob", "") "]" },
          .status = 200,
          .says = "\"totalResults\":4,\"startIndex\":2,\"itemsPerPage\":2,"
                  "\"Resources\":[{\"schemas\"",
          .asks = "scim_users scim_user scim_user" },
        { .method = "GET", .path = "/Groups",
          .args = "sortBy=displayName&attributes=displayName",
          .answers = { "[found :2 :2" GROUP(G, "y") GROUP(H, "X") "]",
                       "[found" GROUP(H, "X") "]",
                       "[found" GROUP(G, "y") "]" },
          .status = 200, .says = "\"displayName\":\"X\"},{",
          .asks = "scim_groups scim_group scim_group",
          .sent = { { 2, 1, H }, { 3, 1, G } } },
        { .method = "GET", .path = "/Users", .args = "sortBy=password",
          .status = 400, .type = "invalidValue", .says = "sortBy",
          .asks = "" },
        { .method = "GET", .path = "/Users", .args = "sortBy=a.b.c",
          .status = 400, .type = "invalidValue", .says = "sortBy",
          .asks = "" }
    };

    TALKS(talks)
}


/* Only so much of a text is sorted by: then the older one is first. */

static void
a_long_text_is_sorted_by_its_beginning(void)
{
    char    x[301], answer[2000];
    talk_t  talk;

    memset(x, 'x', 300);
    x[300] = '\0';

    snprintf(answer, sizeof(answer),
             "[found :2 :2 " A " [~ ~ active 1 2 3 %sb ~ ~ ~] "
             B " [~ ~ active 1 2 3 %sa ~ ~ ~]]", x, x);

    memset(&talk, 0, sizeof(talk));
    talk.method = "GET";
    talk.path = "/Users";
    talk.args = "sortBy=userName";
    talk.answers[0] = answer;
    talk.answers[1] = "[none]";
    talk.again = 1;
    talk.status = 200;
    talk.says = "\"totalResults\":2";
    talk.sent[0] = (talk_sent_t) { 2, 2, A };
    talk.sent[1] = (talk_sent_t) { 3, 2, B };
    talk_check(__FILE__, __LINE__, &talk);

    /* within that it counts */

    x[250] = '\0';
    snprintf(answer, sizeof(answer),
             "[found :2 :2 " A " [~ ~ active 1 2 3 %sb ~ ~ ~] "
             B " [~ ~ active 1 2 3 %sa ~ ~ ~]]", x, x);
    talk.sent[0].is = B;
    talk.sent[1].is = A;
    talk_check(__FILE__, __LINE__, &talk);
}


static const unit_test_t  tests[] = {
    UNIT(each_filter_makes_its_question),
    UNIT(what_makes_no_sense_is_503),
    UNIT(a_page_may_come_in_pieces),
    UNIT(a_search_ends),
    UNIT(it_is_sorted_by_any_attribute),
    UNIT(a_long_text_is_sorted_by_its_beginning)
};

UNIT_MAIN(tests)
