/*
 * command_test: what is said to Redis, and what is made of its answers.
 *
 * Answers are bytes as they come from a socket, read by hiredis' own reader;
 * most of them are such as no good Redis would send.
 */

#include "pu_command.h"
#include "unit.h"


#define ID       "u_AAAAAAAAAAAAAAAAAAAAAA"
#define SHA      "0123456789012345678901234567890123456789"
#define DIGEST   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

/* Parts of replies. */
#define FOUND    "$5\r\nfound\r\n"
#define STORE    "$5\r\nSTORE\r\n"
#define NIL      "$-1\r\n"
#define HANDLE   "*8\r\n$24\r\n" ID "\r\n" NIL "$6\r\nactive\r\n" NIL NIL NIL \
                 NIL NIL
#define USER     "*10\r\n$5\r\nAlice\r\n$5\r\nhuman\r\n$6\r\nactive\r\n"      \
                 "$1\r\ni\r\n$1\r\ns\r\n$0\r\n\r\n" NIL "$1\r\n0\r\n" NIL     \
                 "$1\r\n3\r\n"


static const uint8_t  zeros[PU_SHA256_LEN];


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
arg_is(const pu_args_t *args, int i, const char *expected)
{
    pu_str_t  arg;

    CHECK(i < args->argc);

    if (i < args->argc) {
        arg.data = (const uint8_t *) args->argv[i];
        arg.len = args->len[i];
        CHECK_STR(arg, expected);
    }
}


static void
prefixes_are_one_word(void)
{
    char      text[PU_PREFIX_LEN_MAX + 1];
    pu_str_t  prefix;

    CHECK(pu_prefix_ok(PU_STR("pu")));
    CHECK(pu_prefix_ok(PU_STR("a-B_c.d:9")));
    CHECK(!pu_prefix_ok(PU_STR("")));
    CHECK(!pu_prefix_ok(PU_STR("a b")));
    CHECK(!pu_prefix_ok(PU_STR("a}b")));
    CHECK(!pu_prefix_ok(PU_STR("a{b")));
    CHECK(!pu_prefix_ok(PU_STR("a*")));
    CHECK(!pu_prefix_ok(PU_STR("a\0b")));

    memset(text, 'x', sizeof(text));
    prefix.data = (const uint8_t *) text;

    prefix.len = PU_PREFIX_LEN_MAX;
    CHECK(pu_prefix_ok(prefix));
    prefix.len++;
    CHECK(!pu_prefix_ok(prefix));
}


static void
handles_have_one_text(void)
{
    char              text[PU_HANDLE_TEXT_MAX];
    uint8_t           digest[PU_SHA256_LEN];
    pu_str_t          s;
    pu_handle_kind_t  kind;

    s.data = (const uint8_t *) text;

    s.len = pu_handle_text(text, PU_HANDLE_SUB, zeros);
    CHECK_STR(s, "sub:" DIGEST);
    s.len = pu_handle_text(text, PU_HANDLE_KEY, zeros);
    CHECK_STR(s, "key:" DIGEST);
    s.len = pu_handle_text(text, PU_HANDLE_CERT, zeros);
    CHECK_STR(s, "cert:" DIGEST);

    CHECK(pu_handle_parse(s, &kind, digest));
    CHECK_INT(kind, PU_HANDLE_CERT);
    CHECK(memcmp(digest, zeros, sizeof(zeros)) == 0);

    CHECK(!pu_handle_parse(PU_STR(""), &kind, digest));
    CHECK(!pu_handle_parse(PU_STR("sub:"), &kind, digest));
    CHECK(!pu_handle_parse(PU_STR(DIGEST), &kind, digest));
    CHECK(!pu_handle_parse(PU_STR("sub" DIGEST), &kind, digest));
    CHECK(!pu_handle_parse(PU_STR("sub:" DIGEST "A"), &kind, digest));
    CHECK(!pu_handle_parse(PU_STR("sup:" DIGEST), &kind, digest));
    CHECK(!pu_handle_parse(PU_STR("SUB:" DIGEST), &kind, digest));
    CHECK(!pu_handle_parse(PU_STR("cert" DIGEST), &kind, digest));
    CHECK(!pu_handle_parse(PU_STR("sub:" "*AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                                  "AAAAAAAAA"), &kind, digest));
}


static void
a_look_up_is_one_call_of_the_script(void)
{
    pu_args_t    args;
    pu_lookup_t  lookup;

    memset(&lookup, 0, sizeof(lookup));
    lookup.digest = zeros;

    CHECK(pu_command_lookup(&args, SHA, PU_STR("pu"), &lookup));
    CHECK_INT(args.argc, 6);
    arg_is(&args, 0, "EVALSHA");
    arg_is(&args, 1, SHA);
    arg_is(&args, 2, "1");
    arg_is(&args, 3, "{pu}:log");
    arg_is(&args, 4, "lookup");
    arg_is(&args, 5, "sub:" DIGEST);
}


static void
a_first_token_brings_its_user(void)
{
    pu_str_t     id;
    pu_args_t    args;
    pu_lookup_t  lookup;

    memset(&lookup, 0, sizeof(lookup));
    lookup.digest = zeros;
    lookup.create = 1;
    lookup.service = 1;
    lookup.store = PU_STR("STORE");
    lookup.issuer = PU_STR("https://i");
    lookup.subject = PU_STR("a\nb");
    lookup.name = PU_STR("Alice");

    CHECK(pu_command_lookup(&args, SHA, PU_STR("pu"), &lookup));
    CHECK_INT(args.argc, 14);
    arg_is(&args, 4, "provision");

    id.data = (const uint8_t *) args.argv[6];
    id.len = args.len[6];
    CHECK(pu_user_id_ok(id));

    arg_is(&args, 7, "https://i");
    arg_is(&args, 8, "a\nb");
    arg_is(&args, 9, "Alice");
    arg_is(&args, 10, "service");
    arg_is(&args, 11, "STORE");
    CHECK_INT(args.len[12], PU_STORE_ID_LEN);
    arg_is(&args, 13, "");
    CHECK(args.used <= sizeof(args.room));

    lookup.jti = zeros;
    CHECK(pu_command_lookup(&args, SHA, PU_STR("pu"), &lookup));
    CHECK_INT(args.argc, 14);
    arg_is(&args, 13, DIGEST);
}


static void
rights_are_asked_for_by_the_script(void)
{
    pu_args_t  args;

    pu_command_rights(&args, SHA, PU_STR("pu"));
    CHECK_INT(args.argc, 5);
    arg_is(&args, 3, "{pu}:log");
    arg_is(&args, 4, "rights");
}


static void
a_single_token_is_asked_for_by_its_digest(void)
{
    pu_args_t  args;

    pu_command_jti(&args, PU_STR("pu"), zeros);
    CHECK_INT(args.argc, 2);
    arg_is(&args, 0, "GET");
    arg_is(&args, 1, "{pu}:jti:" DIGEST);

    /* made only where there is none, and never for ever */

    pu_command_once(&args, PU_STR("a:b"), zeros, 600);
    CHECK_INT(args.argc, 6);
    arg_is(&args, 0, "SET");
    arg_is(&args, 1, "{a:b}:jti:" DIGEST);
    arg_is(&args, 2, "seen");
    arg_is(&args, 3, "NX");
    arg_is(&args, 4, "EX");
    arg_is(&args, 5, "600");

    pu_command_once(&args, PU_STR("pu"), zeros, INT64_MAX);
    arg_is(&args, 5, "9223372036854775807");
}


static void
a_single_token_has_one_text_in_the_log(void)
{
    char      text[4 + PU_DIGEST_TEXT_LEN];
    uint8_t   digest[PU_SHA256_LEN];
    size_t    i;
    pu_str_t  s;

    memset(digest, 1, sizeof(digest));
    CHECK(pu_jti_parse(PU_STR("jti:" DIGEST), digest));
    CHECK(memcmp(digest, zeros, sizeof(zeros)) == 0);

    memset(digest, 1, sizeof(digest));
    CHECK(!pu_jti_parse(PU_STR(""), digest));
    CHECK(!pu_jti_parse(PU_STR("jti:"), digest));
    CHECK(!pu_jti_parse(PU_STR(DIGEST), digest));
    CHECK(!pu_jti_parse(PU_STR("jti:" DIGEST "A"), digest));
    CHECK(!pu_jti_parse(PU_STR("jtiA" DIGEST), digest));
    CHECK(!pu_jti_parse(PU_STR("JTI:" DIGEST), digest));
    CHECK(!pu_jti_parse(PU_STR("sub:" DIGEST), digest));
    CHECK(!pu_jti_parse(PU_STR("jti:" DIGEST " "), digest));

    memcpy(text, "jti:" DIGEST, sizeof(text));
    s = (pu_str_t) { sizeof(text) - 1, (const uint8_t *) text };
    CHECK(!pu_jti_parse(s, digest));
    s.len++;
    CHECK(pu_jti_parse(s, digest));
    memset(digest, 1, sizeof(digest));

    for (i = 4; i < sizeof(text); i++) {
        text[i] = '*';
        CHECK(!pu_jti_parse(s, digest));
        text[i] = '=';
        CHECK(!pu_jti_parse(s, digest));
        text[i] = 'A';
    }

    /* bits that no digest has would make a second text of it */

    text[sizeof(text) - 1] = 'B';
    CHECK(!pu_jti_parse(s, digest));

    for (i = 0; i < sizeof(digest); i++) {
        CHECK_INT(digest[i], 1);
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


static void
a_long_name_is_cut_at_a_character(void)
{
    char         name[1000];
    size_t       i;
    pu_args_t    args;
    pu_lookup_t  lookup;

    /* two bytes a character: 255 would cut one in half */

    for (i = 0; i < sizeof(name); i += 2) {
        memcpy(name + i, "\xc3\xb6", 2);
    }

    memset(&lookup, 0, sizeof(lookup));
    lookup.digest = zeros;
    lookup.create = 1;
    lookup.name.data = (const uint8_t *) name;
    lookup.name.len = sizeof(name);

    CHECK(pu_command_lookup(&args, SHA, PU_STR("pu"), &lookup));
    CHECK_INT(args.len[9], 254);

    /* and what is no character at all is cut somewhere */

    memset(name, 0x80, sizeof(name));
    CHECK(pu_command_lookup(&args, SHA, PU_STR("pu"), &lookup));
    CHECK(args.len[9] <= 255);
}


static void
changes_have_a_fixed_layout(void)
{
    pu_args_t    args;
    pu_change_t  change = {
        .op = PU_CHANGE_GRANT, .user = PU_STR(ID), .role = PU_STR("admin"),
        .expires_in = 1800, .expected_version = 12, .actor = PU_STR("root"),
        .source = PU_STR("cli"), .reason = PU_STR("why \"not\"")
    };

    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    CHECK_INT(args.argc, 12);
    arg_is(&args, 4, "grant");
    arg_is(&args, 5, ID);
    arg_is(&args, 6, "12");
    arg_is(&args, 7, "root");
    arg_is(&args, 8, "cli");
    arg_is(&args, 9, "why \"not\"");
    arg_is(&args, 10, "admin");
    arg_is(&args, 11, "1800");

    change.op = PU_CHANGE_UNGRANT;
    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    CHECK_INT(args.argc, 11);
    arg_is(&args, 10, "admin");

    change.op = PU_CHANGE_DELETE;
    change.expected_version = -1;
    change.name_index = PU_STR(DIGEST);
    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    CHECK_INT(args.argc, 12);
    arg_is(&args, 4, "delete");
    arg_is(&args, 6, "");
    arg_is(&args, 10, DIGEST);
    arg_is(&args, 11, "");

    change.op = PU_CHANGE_SUSPEND;
    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    CHECK_INT(args.argc, 10);
    arg_is(&args, 4, "suspend");

    change.op = PU_CHANGE_ACCEPT_STORE;
    change.expected_version = 5;
    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    CHECK_INT(args.argc, 10);
    arg_is(&args, 4, "accept_store");
    CHECK_INT(args.len[5], PU_STORE_ID_LEN);
    arg_is(&args, 6, "");
}


static void
the_tail_asks_for_what_follows(void)
{
    pu_args_t    args;
    pu_log_id_t  last = { UINT64_MAX, UINT64_MAX };

    pu_command_tail_read(&args, PU_STR("pu"), last, 1000);
    CHECK_INT(args.argc, 8);
    arg_is(&args, 0, "XREAD");
    arg_is(&args, 2, "512");
    arg_is(&args, 4, "1000");
    arg_is(&args, 6, "{pu}:log");
    arg_is(&args, 7, "18446744073709551615-18446744073709551615");

    last.ms = 5;
    last.seq = 0;
    pu_command_tail_check(&args, PU_STR("pu"), last);
    CHECK_INT(args.argc, 6);
    arg_is(&args, 0, "XRANGE");
    arg_is(&args, 2, "5-0");
    arg_is(&args, 3, "5-0");

    pu_command_log_end(&args, PU_STR("pu"));
    arg_is(&args, 0, "XREVRANGE");
    arg_is(&args, 2, "+");
    arg_is(&args, 5, "1");
}


static void
every_command_can_be_formatted(void)
{
    char         *text;
    long long     n;
    pu_args_t     args;
    pu_lookup_t   lookup;
    char          prefix[PU_PREFIX_LEN_MAX];
    pu_str_t      long_prefix;

    memset(prefix, 'x', sizeof(prefix));
    long_prefix.data = (const uint8_t *) prefix;
    long_prefix.len = sizeof(prefix);

    memset(&lookup, 0, sizeof(lookup));
    lookup.digest = zeros;
    lookup.create = 1;
    lookup.kind = PU_HANDLE_CERT;

    CHECK(pu_command_lookup(&args, SHA, long_prefix, &lookup));
    CHECK(args.used <= sizeof(args.room));
    CHECK(args.argc <= PU_ARGS_MAX);

    n = redisFormatCommandArgv(&text, args.argc, args.argv, args.len);
    CHECK(n > 0);
    free(text);
}


static void
the_script_is_named_by_its_digest(void)
{
    char    sha[PU_SCRIPT_SHA_LEN];
    size_t  i;

    CHECK(pu_script_len == strlen(pu_script));
    CHECK(strstr(pu_script, "XADD") != NULL);
    CHECK(pu_script_sha(sha));

    for (i = 0; i < sizeof(sha); i++) {
        CHECK(strchr("0123456789abcdef", sha[i]) != NULL);
    }
}


static void
the_name_index_ignores_case(void)
{
    char      a[PU_DIGEST_TEXT_LEN], b[PU_DIGEST_TEXT_LEN];
    pu_str_t  s;

    CHECK(pu_name_index(a, PU_STR("Alice@Example.COM")));
    CHECK(pu_name_index(b, PU_STR("alice@example.com")));
    CHECK(memcmp(a, b, sizeof(a)) == 0);

    s.data = (const uint8_t *) a;
    s.len = sizeof(a);
    CHECK_STR(s, "_42YGfwOEr8NJIkuRZh-JJoo3Og2qFytYOKOqqjG2XY");

    CHECK(pu_external_index(a, PU_STR("alice@example.com")));
    CHECK(memcmp(a, b, sizeof(a)) == 0);
    CHECK(pu_external_index(a, PU_STR("Alice@example.com")));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
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
log_ids_are_read_written_and_compared(void)
{
    char         text[PU_LOG_ID_TEXT_MAX];
    pu_str_t     s;
    pu_log_id_t  a, b;

    CHECK(pu_log_id_parse(PU_STR("0-0"), &a));
    CHECK(pu_log_id_parse(
              PU_STR("18446744073709551615-18446744073709551615"), &b));
    CHECK(b.ms == UINT64_MAX && b.seq == UINT64_MAX);

    s.data = (const uint8_t *) text;
    s.len = pu_log_id_text(text, b);
    CHECK_STR(s, "18446744073709551615-18446744073709551615");
    s.len = pu_log_id_text(text, a);
    CHECK_STR(s, "0-0");

    CHECK(pu_log_id_cmp(a, b) < 0);
    CHECK(pu_log_id_cmp(b, a) > 0);
    CHECK(pu_log_id_cmp(b, b) == 0);

    b = a;
    b.seq = 1;
    CHECK(pu_log_id_cmp(a, b) < 0);
    CHECK(pu_log_id_cmp(b, a) > 0);
}


static void
log_ids_that_are_none_are_refused(void)
{
    static const char *const  texts[] = {
        "", "-", "1-", "-1", "1", "1-2-3", "+1-2", "1-+2", "1--2", " 1-2",
        "1-2 ", "a-b", "1-*", "18446744073709551616-0",
        "0-18446744073709551616", "000000000000000000001-1",
        "99999999999999999999-0"
    };

    size_t       i;
    pu_log_id_t  id;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(!pu_log_id_parse(pu_str(texts[i]), &id));
    }
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
    UNIT(prefixes_are_one_word),
    UNIT(handles_have_one_text),
    UNIT(a_look_up_is_one_call_of_the_script),
    UNIT(a_first_token_brings_its_user),
    UNIT(rights_are_asked_for_by_the_script),
    UNIT(a_single_token_is_asked_for_by_its_digest),
    UNIT(a_single_token_has_one_text_in_the_log),
    UNIT(a_single_tokens_key_may_be_of_another_type),
    UNIT(a_long_name_is_cut_at_a_character),
    UNIT(changes_have_a_fixed_layout),
    UNIT(the_tail_asks_for_what_follows),
    UNIT(every_command_can_be_formatted),
    UNIT(the_script_is_named_by_its_digest),
    UNIT(the_name_index_ignores_case),
    UNIT(a_found_user_is_read),
    UNIT(the_other_words_of_a_look_up),
    UNIT(a_reply_of_another_shape_is_never_no_such_user),
    UNIT(a_found_user_of_another_shape_is_unreadable),
    UNIT(every_cut_and_every_flipped_byte_is_survived),
    UNIT(the_words_of_a_change),
    UNIT(a_change_is_done_only_when_redis_says_so),
    UNIT(a_log_entry_is_read),
    UNIT(a_log_entry_of_another_shape_is_none),
    UNIT(log_ids_are_read_written_and_compared),
    UNIT(log_ids_that_are_none_are_refused),
    UNIT(an_answer_of_xread_has_entries_or_none)
};

UNIT_MAIN(tests)
