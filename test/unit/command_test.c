/*
 * command_test: what is said to Redis, and how it is written: keys, handles,
 * ids of the log.
 */

#include "pu_command.h"
#include "unit.h"


#define ID       "u_AAAAAAAAAAAAAAAAAAAAAA"
#define SHA      "0123456789012345678901234567890123456789"
#define DIGEST   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


static const uint8_t  zeros[PU_SHA256_LEN];


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


static const unit_test_t  tests[] = {
    UNIT(prefixes_are_one_word),
    UNIT(handles_have_one_text),
    UNIT(a_look_up_is_one_call_of_the_script),
    UNIT(a_first_token_brings_its_user),
    UNIT(rights_are_asked_for_by_the_script),
    UNIT(a_single_token_is_asked_for_by_its_digest),
    UNIT(a_single_token_has_one_text_in_the_log),
    UNIT(a_long_name_is_cut_at_a_character),
    UNIT(changes_have_a_fixed_layout),
    UNIT(the_tail_asks_for_what_follows),
    UNIT(every_command_can_be_formatted),
    UNIT(the_script_is_named_by_its_digest),
    UNIT(the_name_index_ignores_case),
    UNIT(log_ids_are_read_written_and_compared),
    UNIT(log_ids_that_are_none_are_refused)
};

UNIT_MAIN(tests)
