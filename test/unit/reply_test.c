/*
 * reply_test: what is made of the answers of Redis.
 *
 * Answers are bytes as they come from a socket, read by hiredis' own reader;
 * most of them are such as no good Redis would send.
 */

#include "pu_command.h"
#include "unit.h"


#define ID       "u_AAAAAAAAAAAAAAAAAAAAAA"

/* Parts of replies. */
#define FOUND    "$5\r\nfound\r\n"
#define STORE    "$5\r\nSTORE\r\n"
#define NIL      "$-1\r\n"
#define HANDLE   "*8\r\n$24\r\n" ID "\r\n" NIL "$6\r\nactive\r\n" NIL NIL NIL \
                 NIL NIL
#define USER     "*10\r\n$5\r\nAlice\r\n$5\r\nhuman\r\n$6\r\nactive\r\n"      \
                 "$1\r\ni\r\n$1\r\ns\r\n$0\r\n\r\n" NIL "$1\r\n0\r\n" NIL     \
                 "$1\r\n3\r\n"


/* The reply in these bytes, or NULL. */

static redisReply *
reply_of(const char *bytes, size_t len)
{
    void         *reply;
    redisReader  *reader;

    reply = NULL;
    reader = redisReaderCreate();

    redisReaderFeed(reader, bytes, len);

    if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
        reply = NULL;
    }

    redisReaderFree(reader);

    return reply;
}


static pu_lookup_status_t
looked_up(const char *bytes)
{
    pu_found_t           found;
    redisReply          *reply;
    pu_lookup_status_t   status;

    reply = reply_of(bytes, strlen(bytes));
    CHECK(reply != NULL);

    status = pu_reply_lookup(reply, &found);
    freeReplyObject(reply);

    return status;
}


static pu_change_status_t
changed(const char *bytes, int64_t *version)
{
    redisReply          *reply;
    pu_change_status_t   status;

    reply = reply_of(bytes, strlen(bytes));
    CHECK(reply != NULL);

    status = pu_reply_change(reply, version);
    freeReplyObject(reply);

    return status;
}


static void
a_found_user_is_read(void)
{
    pu_found_t   found;
    redisReply  *reply;
    const char  *bytes = "*6\r\n" FOUND STORE NIL ":1\r\n" HANDLE USER;

    reply = reply_of(bytes, strlen(bytes));

    CHECK_INT(pu_reply_lookup(reply, &found), PU_LOOKUP_FOUND);
    CHECK(found.created);
    CHECK_STR(found.store, "STORE");
    CHECK(found.accepted.data == NULL);
    CHECK_STR(found.user.id, ID);
    CHECK_STR(found.user.name, "Alice");
    CHECK_INT(found.user.version, 3);
    CHECK(found.user.scopes.data == NULL);
    CHECK_STR(found.handle.user, ID);

    freeReplyObject(reply);
}


static void
the_other_words_of_a_look_up(void)
{
    CHECK_INT(looked_up("*6\r\n$4\r\nnone\r\n" STORE NIL ":0\r\n*0\r\n*0\r\n"),
              PU_LOOKUP_NONE);
    CHECK_INT(looked_up("*6\r\n$7\r\nforeign\r\n" STORE NIL
                        ":0\r\n*0\r\n*0\r\n"), PU_LOOKUP_FOREIGN);
    CHECK_INT(looked_up("*6\r\n$10\r\nunreadable\r\n" NIL NIL
                        ":0\r\n*0\r\n*0\r\n"), PU_LOOKUP_UNREADABLE);
    CHECK_INT(looked_up("-NOSCRIPT No matching script.\r\n"),
              PU_LOOKUP_NOSCRIPT);
    CHECK_INT(looked_up("-ERR broken\r\n"), PU_LOOKUP_ERROR);
    CHECK_INT(looked_up("-\r\n"), PU_LOOKUP_ERROR);
}


static void
a_reply_of_another_shape_is_never_no_such_user(void)
{
    static const char *const  replies[] = {
        ":1\r\n", "+OK\r\n", "+none\r\n", "$4\r\nnone\r\n", NIL, "*-1\r\n",
        "*0\r\n", "*1\r\n$4\r\nnone\r\n", "*4\r\n" NIL NIL NIL NIL,
        "*6\r\n:1\r\n" STORE NIL ":0\r\n*0\r\n*0\r\n",
        "*6\r\n*1\r\n$4\r\nnone\r\n" STORE NIL ":0\r\n*0\r\n*0\r\n",
        "*6\r\n+none\r\n" STORE NIL ":0\r\n*0\r\n*0\r\n",
        "*6\r\n$4\r\nNone\r\n" STORE NIL ":0\r\n*0\r\n*0\r\n",
        "*6\r\n$5\r\nnone\n\r\n" STORE NIL ":0\r\n*0\r\n*0\r\n",
        "*6\r\n$4\r\nnone\r\n:5\r\n" NIL ":0\r\n*0\r\n*0\r\n",
        "*6\r\n$4\r\nnone\r\n" STORE "*0\r\n:0\r\n*0\r\n*0\r\n",
        "*6\r\n$4\r\nnone\r\n" STORE NIL "$1\r\n0\r\n*0\r\n*0\r\n",
        "*6\r\n$4\r\nnone\r\n"
        "$65\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxx\r\n" NIL ":0\r\n*0\r\n*0\r\n"
    };

    size_t  i;

    for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        CHECK_INT(looked_up(replies[i]), PU_LOOKUP_ERROR);
    }

    CHECK_INT(pu_reply_lookup(NULL, &(pu_found_t) { .created = 0 }),
              PU_LOOKUP_ERROR);
}


static void
a_found_user_of_another_shape_is_unreadable(void)
{
    static const char *const  rests[] = {
        "*0\r\n*0\r\n",
        HANDLE "*0\r\n",
        HANDLE ":1\r\n",
        HANDLE "$1\r\nx\r\n",
        NIL NIL,
        "*7\r\n" NIL NIL NIL NIL NIL NIL NIL USER,
        "*8\r\n:1\r\n" NIL "$6\r\nactive\r\n" NIL NIL NIL NIL NIL USER,
        "*8\r\n$5\r\nalice\r\n" NIL "$6\r\nactive\r\n" NIL NIL NIL NIL NIL
        USER,
        "*8\r\n" NIL NIL "$6\r\nactive\r\n" NIL NIL NIL NIL NIL USER,
        "*8\r\n$24\r\n" ID "\r\n" NIL "$6\r\nACTIVE\r\n" NIL NIL NIL NIL NIL
        USER,
        "*8\r\n$24\r\n" ID "\r\n" NIL "$6\r\nactive\r\n:5\r\n" NIL NIL NIL NIL
        USER,
        HANDLE "*10\r\n" NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL,
        HANDLE "*10\r\n" NIL NIL "*1\r\n$6\r\nactive\r\n" NIL NIL NIL NIL NIL
        NIL NIL,
        HANDLE "*10\r\n" NIL NIL "$6\r\nactive\r\n" NIL NIL NIL NIL
        "$1\r\nx\r\n" NIL NIL,
        HANDLE "*11\r\n" NIL NIL "$6\r\nactive\r\n" NIL NIL NIL NIL NIL NIL
        NIL NIL
    };

    char    bytes[1024];
    size_t  i;

    for (i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        snprintf(bytes, sizeof(bytes), "*6\r\n" FOUND STORE NIL ":0\r\n%s",
                 rests[i]);
        CHECK_INT(looked_up(bytes), PU_LOOKUP_UNREADABLE);
    }

    CHECK_INT(looked_up("*4\r\n" FOUND STORE NIL ":0\r\n"),
              PU_LOOKUP_UNREADABLE);
}


static void
every_cut_and_every_flipped_byte_is_survived(void)
{
    char                 bytes[512];
    size_t               i, len;
    unsigned             bit;
    pu_found_t           found;
    redisReply          *reply;
    const redisReply    *entries;
    pu_log_entry_t       entry;
    int64_t              version;
    static const char    good[] = "*6\r\n" FOUND STORE NIL ":1\r\n" HANDLE
                                  USER;

    len = sizeof(good) - 1;

    for (i = 0; i < len * 8; i++) {
        memcpy(bytes, good, len);
        bit = i % 8;
        bytes[i / 8] = (char) (bytes[i / 8] ^ (1 << bit));

        reply = reply_of(bytes, len);

        if (reply == NULL) {
            continue;
        }

        if (pu_reply_lookup(reply, &found) == PU_LOOKUP_FOUND) {
            CHECK(pu_user_id_ok(found.user.id));
        }

        (void) pu_reply_change(reply, &version);
        (void) pu_reply_detail(reply);
        (void) pu_log_entry(reply, &entry);
        (void) pu_reply_entries(reply, &entries);

        freeReplyObject(reply);
    }

    for (i = 0; i < len; i++) {
        reply = reply_of(good, i);
        CHECK(reply == NULL);
    }
}


static void
the_words_of_a_change(void)
{
    int64_t      version;
    redisReply  *reply;
    const char  *bytes = "*3\r\n$7\r\nrefused\r\n:4\r\n$7\r\ndeleted\r\n";

    CHECK_INT(changed("*3\r\n$4\r\ndone\r\n:8\r\n$0\r\n\r\n", &version),
              PU_CHANGE_DONE);
    CHECK_INT(version, 8);
    CHECK_INT(changed("*3\r\n$9\r\nunchanged\r\n:8\r\n$0\r\n\r\n", &version),
              PU_CHANGE_UNCHANGED);
    CHECK_INT(changed("*3\r\n$9\r\nnot_found\r\n:0\r\n$0\r\n\r\n", &version),
              PU_CHANGE_NOT_FOUND);
    CHECK_INT(changed("*3\r\n$8\r\nconflict\r\n:8\r\n$0\r\n\r\n", &version),
              PU_CHANGE_CONFLICT);
    CHECK_INT(changed("*3\r\n$10\r\nunreadable\r\n:8\r\n$0\r\n\r\n",
                      &version), PU_CHANGE_UNREADABLE);
    CHECK_INT(changed(bytes, &version), PU_CHANGE_REFUSED);
    CHECK_INT(changed("-NOSCRIPT x\r\n", &version), PU_CHANGE_NOSCRIPT);

    reply = reply_of(bytes, strlen(bytes));
    CHECK_STR(pu_reply_detail(reply), "deleted");
    freeReplyObject(reply);

    CHECK_INT(pu_reply_detail(NULL).len, 0);
}


static void
a_change_is_done_only_when_redis_says_so(void)
{
    static const char *const  replies[] = {
        "+done\r\n", "$4\r\ndone\r\n", ":1\r\n", NIL, "*-1\r\n", "*0\r\n",
        "*1\r\n$4\r\ndone\r\n", "*3\r\n$4\r\nDONE\r\n:1\r\n$0\r\n\r\n",
        "*3\r\n:1\r\n:1\r\n:1\r\n", "*3\r\n$4\r\ndone\r\n$1\r\n1\r\n:1\r\n",
        "*3\r\n" NIL ":1\r\n" NIL, "-ERR x\r\n", "-READONLY x\r\n",
        "-NOSCRIP\r\n"
    };

    size_t   i;
    int64_t  version;

    for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        CHECK_INT(changed(replies[i], &version), PU_CHANGE_ERROR);
        CHECK(version <= 1);
    }
}


static void
a_single_tokens_key_may_be_of_another_type(void)
{
    size_t       i;
    redisReply  *reply;

    static const struct {
        const char  *bytes;
        int          unreadable;
    } cases[] = {
        { "-WRONGTYPE Operation against a key\r\n", 1 },
        { "-WRONGTYP\r\n", 0 },
        { "-ERR WRONGTYPE\r\n", 0 },
        { "-NOPERM this user\r\n", 0 },
        { "-\r\n", 0 },
        { "+WRONGTYPE Operation\r\n", 0 },
        { "$9\r\nWRONGTYPE\r\n", 0 },
        { "$-1\r\n", 0 },
        { ":9\r\n", 0 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        reply = reply_of(cases[i].bytes, strlen(cases[i].bytes));
        CHECK(reply != NULL);
        CHECK_INT(pu_reply_jti_unreadable(reply), cases[i].unreadable);
        freeReplyObject(reply);
    }
}


static int
entry_of(const char *bytes, pu_log_entry_t *entry, redisReply **reply)
{
    *reply = reply_of(bytes, strlen(bytes));

    return pu_log_entry(*reply, entry);
}


static void
a_log_entry_is_read(void)
{
    redisReply      *reply;
    pu_log_entry_t   entry;

    CHECK(entry_of("*2\r\n$4\r\n12-3\r\n*16\r\n$2\r\nop\r\n$6\r\ndelete\r\n"
                   "$4\r\nuser\r\n$24\r\n" ID "\r\n$6\r\nhandle\r\n$0\r\n\r\n"
                   "$7\r\nversion\r\n$1\r\n2\r\n$5\r\nactor\r\n$4\r\nroot\r\n"
                   "$6\r\nsource\r\n$3\r\ncli\r\n$6\r\nreason\r\n$1\r\nx\r\n"
                   "$7\r\nunknown\r\n$1\r\ny\r\n", &entry, &reply));

    CHECK_INT(entry.id.ms, 12);
    CHECK_INT(entry.id.seq, 3);
    CHECK_STR(entry.op, "delete");
    CHECK_STR(entry.user, ID);
    CHECK_STR(entry.handle, "");
    CHECK_STR(entry.version, "2");
    CHECK_STR(entry.actor, "root");
    CHECK_STR(entry.source, "cli");
    CHECK_STR(entry.reason, "x");

    freeReplyObject(reply);
}


static void
a_log_entry_of_another_shape_is_none(void)
{
    static const char *const  replies[] = {
        NIL, ":1\r\n", "$4\r\n12-3\r\n", "*0\r\n", "*1\r\n$4\r\n12-3\r\n",
        "*2\r\n$4\r\n12-3\r\n" NIL, "*2\r\n$4\r\n12-3\r\n:1\r\n",
        "*2\r\n$2\r\n12\r\n*0\r\n", "*2\r\n:12\r\n*0\r\n",
        "*2\r\n$4\r\n12-3\r\n*1\r\n$2\r\nop\r\n",
        "*2\r\n$4\r\n12-3\r\n*2\r\n$2\r\nop\r\n" NIL,
        "*2\r\n$4\r\n12-3\r\n*2\r\n$2\r\nop\r\n:1\r\n",
        "*2\r\n$4\r\n12-3\r\n*2\r\n*0\r\n$1\r\nx\r\n",
        "*2\r\n*0\r\n*0\r\n"
    };

    size_t           i;
    redisReply      *reply;
    pu_log_entry_t   entry;

    for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        CHECK(!entry_of(replies[i], &entry, &reply));
        freeReplyObject(reply);
    }

    CHECK(!pu_log_entry(NULL, &entry));
}


static void
an_answer_of_xread_has_entries_or_none(void)
{
    static const char *const  bad[] = {
        ":1\r\n", "+OK\r\n", "-ERR\r\n", "*0\r\n", "*1\r\n*0\r\n",
        "*1\r\n*1\r\n$1\r\nk\r\n", ("*1\r\n*2\r\n$1\r\nk\r\n" NIL),
        "*1\r\n*2\r\n$1\r\nk\r\n:1\r\n",
        "*2\r\n*2\r\n$1\r\nk\r\n*0\r\n*2\r\n$1\r\nk\r\n*0\r\n"
    };

    size_t             i;
    redisReply        *reply;
    const char        *one = "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n:1\r\n";
    const redisReply  *entries;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reply = reply_of(bad[i], strlen(bad[i]));
        CHECK(!pu_reply_entries(reply, &entries));
        CHECK(entries == NULL);
        freeReplyObject(reply);
    }

    CHECK(!pu_reply_entries(NULL, &entries));

    reply = reply_of("*-1\r\n", 5);
    CHECK(pu_reply_entries(reply, &entries));
    CHECK(entries == NULL);
    freeReplyObject(reply);

    reply = reply_of(one, strlen(one));
    CHECK(pu_reply_entries(reply, &entries));
    CHECK(entries != NULL && entries->elements == 1);
    freeReplyObject(reply);
}


static const unit_test_t  tests[] = {
    UNIT(a_single_tokens_key_may_be_of_another_type),
    UNIT(a_found_user_is_read),
    UNIT(the_other_words_of_a_look_up),
    UNIT(a_reply_of_another_shape_is_never_no_such_user),
    UNIT(a_found_user_of_another_shape_is_unreadable),
    UNIT(every_cut_and_every_flipped_byte_is_survived),
    UNIT(the_words_of_a_change),
    UNIT(a_change_is_done_only_when_redis_says_so),
    UNIT(a_log_entry_is_read),
    UNIT(a_log_entry_of_another_shape_is_none),
    UNIT(an_answer_of_xread_has_entries_or_none)
};

UNIT_MAIN(tests)
