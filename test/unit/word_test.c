/*
 * Words, sets of words, role names, scope tokens; and the reason table, which
 * is words too.
 */

#include "pu_reason.h"
#include "pu_str.h"
#include "unit.h"


static void
words_are_parted_by_spaces_only(void)
{
    pu_str_t  rest, word;

    rest = PU_STR("  a  b\tc d ");

    CHECK(pu_word_next(&rest, &word));
    CHECK_STR(word, "a");
    CHECK(pu_word_next(&rest, &word));
    CHECK_STR(word, "b\tc");
    CHECK(pu_word_next(&rest, &word));
    CHECK_STR(word, "d");
    CHECK(!pu_word_next(&rest, &word));
    CHECK(!pu_word_next(&rest, &word));

    rest = (pu_str_t) { 0, NULL };
    CHECK(!pu_word_next(&rest, &word));
    rest = PU_STR("   ");
    CHECK(!pu_word_next(&rest, &word));
}


static void
a_set_has_whole_words_only(void)
{
    CHECK(pu_set_has(PU_STR("admin editor"), PU_STR("admin")));
    CHECK(pu_set_has(PU_STR("admin editor"), PU_STR("editor")));
    CHECK(!pu_set_has(PU_STR("administrator"), PU_STR("admin")));
    CHECK(!pu_set_has(PU_STR("superadmin"), PU_STR("admin")));
    CHECK(!pu_set_has(PU_STR("admin editor"), PU_STR("admin editor")));
    CHECK(!pu_set_has(PU_STR("Admin"), PU_STR("admin")));
    CHECK(!pu_set_has(PU_STR("admin"), PU_STR("")));
    CHECK(!pu_set_has(PU_STR(""), PU_STR("")));
    CHECK(!pu_set_has((pu_str_t) { 0, NULL }, PU_STR("admin")));
}


static void
a_union_is_sorted_and_has_each_word_once(void)
{
    char      memory[64];
    pu_buf_t  b;
    pu_str_t  texts[3], words[16];

    texts[0] = PU_STR("c a  c");
    texts[1] = (pu_str_t) { 0, NULL };
    texts[2] = PU_STR("b ab a B");

    pu_buf_init(&b, memory, sizeof(memory));
    pu_set_union(&b, texts, 3, words, 16);
    CHECK_STR(pu_buf_written(&b), "B a ab b c");
    CHECK(!b.full);

    pu_buf_init(&b, memory, sizeof(memory));
    pu_set_union(&b, texts, 0, words, 16);
    CHECK_STR(pu_buf_written(&b), "");
}


static void
a_union_past_its_room_says_so(void)
{
    char      memory[64];
    pu_buf_t  b;
    pu_str_t  text, words[2];

    text = PU_STR("aa bb cc");

    pu_buf_init(&b, memory, sizeof(memory));
    pu_set_union(&b, &text, 1, words, 2);
    CHECK(b.full);
    CHECK_STR(pu_buf_written(&b), "aa bb");

    text = PU_STR("aa bb");
    pu_buf_init(&b, memory, 4);
    memory[4] = '#';
    pu_set_union(&b, &text, 1, words, 2);
    CHECK(b.full);
    CHECK_STR(pu_buf_written(&b), "aa");
    CHECK(memory[4] == '#');
}


static void
a_union_of_thousands_is_sorted(void)
{
    int        n;
    char      *memory, *out;
    pu_buf_t   b, written;
    pu_str_t  *words, text, rest, last, word;

    memory = malloc(65536);
    out = malloc(65536);
    words = malloc(5000 * sizeof(pu_str_t));

    pu_buf_init(&b, memory, 65536);

    for (n = 0; n < 5000; n++) {
        pu_buf_int(&b, n * 7919 % 4001);
        pu_buf_char(&b, ' ');
    }

    text = pu_buf_written(&b);
    pu_buf_init(&written, out, 65536);
    pu_set_union(&written, &text, 1, words, 5000);
    CHECK(!written.full);

    rest = pu_buf_written(&written);
    last = PU_STR("");

    for (n = 0; pu_word_next(&rest, &word); n++) {
        CHECK(pu_str_cmp(last, word) < 0);
        last = word;
    }

    CHECK_INT(n, 4001);

    free(memory);
    free(out);
    free(words);
}


static void
role_names_are_no_methods_and_no_spaces(void)
{
    char    name[66];
    size_t  i;

    static const char *const  right[] = {
        "a", "7", "admin", "Admin", "team:orders/read.only_v-2", "GET1"
    };
    static const char *const  wrong[] = {
        "", "ADMIN", "GET", "_", "a b", "a,b", "a@b", "a=b", "a*", "\xc3\xa4",
        "a\n", "a\x7f", "{a}", "a\"b"
    };

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        CHECK(pu_role_name(pu_str(right[i])));
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK(!pu_role_name(pu_str(wrong[i])));
    }

    memset(name, 'a', sizeof(name));
    CHECK(pu_role_name((pu_str_t) { 64, (const uint8_t *) name }));
    CHECK(!pu_role_name((pu_str_t) { 65, (const uint8_t *) name }));
    CHECK(!pu_role_name(PU_STR("a\0b")));
}


static void
scope_tokens_are_those_of_rfc_6749(void)
{
    int      c;
    uint8_t  text[256];

    for (c = 0; c < 256; c++) {
        text[0] = (uint8_t) c;
        CHECK_INT(pu_scope_token((pu_str_t) { 1, text }),
                  c == 0x21 || (c >= 0x23 && c <= 0x5b)
                  || (c >= 0x5d && c <= 0x7e));
    }

    memset(text, 'a', sizeof(text));
    CHECK(!pu_scope_token((pu_str_t) { 0, text }));
    CHECK(pu_scope_token((pu_str_t) { 255, text }));
    CHECK(!pu_scope_token((pu_str_t) { 256, text }));
}


static void
every_reason_has_a_word_of_its_own_and_a_status(void)
{
    int       i, j, status;
    pu_str_t  word;

    for (i = 0; i < PU_REASON_COUNT; i++) {
        word = pu_reason_word((pu_reason_t) i);
        status = pu_reason_status((pu_reason_t) i);

        CHECK(word.len != 0);
        CHECK(status == 200 || status == 400 || status == 401
              || status == 403 || status == 429 || status == 500
              || status == 503);

        for (j = 0; j < i; j++) {
            CHECK(!pu_str_eq(word, pu_reason_word((pu_reason_t) j)));
        }
    }
}


static void
only_three_reasons_let_a_request_pass(void)
{
    int  i, passing;

    passing = 0;

    for (i = 0; i < PU_REASON_COUNT; i++) {
        passing += pu_reason_status((pu_reason_t) i) == 200;
    }

    CHECK_INT(passing, 3);
    CHECK_INT(pu_reason_status(PU_OK), 200);
    CHECK_INT(pu_reason_status(PU_ANONYMOUS), 200);
    CHECK_INT(pu_reason_status(PU_PREFLIGHT), 200);
}


static void
challenges_are_those_of_rfc_6750(void)
{
    int  i;

    /* no error attribute without a credential (section 3.1) */

    CHECK_INT(pu_reason_challenge(PU_NO_CREDENTIAL), PU_CHALLENGE_BARE);
    CHECK_INT(pu_reason_text(PU_NO_CREDENTIAL).len, 0);
    CHECK_INT(pu_reason_challenge(PU_SCOPE_MISSING), PU_CHALLENGE_SCOPE);
    CHECK_INT(pu_reason_challenge(PU_ROLE_MISSING), PU_CHALLENGE_NONE);
    CHECK_STR(pu_reason_word(PU_TOKEN_SIGNATURE), "token_signature");
    CHECK_STR(pu_reason_text(PU_TOKEN_EXPIRED), "the token has expired");

    for (i = 0; i < PU_REASON_COUNT; i++) {
        if (pu_reason_status((pu_reason_t) i) == 401) {
            CHECK(pu_reason_challenge((pu_reason_t) i)
                  != PU_CHALLENGE_NONE);
        }
    }
}


static void
a_reason_outside_the_table_refuses(void)
{
    CHECK_INT(pu_reason_status(PU_REASON_COUNT), 500);
    CHECK_INT(pu_reason_status((pu_reason_t) -1), 500);
    CHECK_STR(pu_reason_word((pu_reason_t) 1000), "internal");
}


static const unit_test_t  tests[] = {
    UNIT(words_are_parted_by_spaces_only),
    UNIT(a_set_has_whole_words_only),
    UNIT(a_union_is_sorted_and_has_each_word_once),
    UNIT(a_union_past_its_room_says_so),
    UNIT(a_union_of_thousands_is_sorted),
    UNIT(role_names_are_no_methods_and_no_spaces),
    UNIT(scope_tokens_are_those_of_rfc_6749),
    UNIT(every_reason_has_a_word_of_its_own_and_a_status),
    UNIT(only_three_reasons_let_a_request_pass),
    UNIT(challenges_are_those_of_rfc_6750),
    UNIT(a_reason_outside_the_table_refuses)
};

UNIT_MAIN(tests)
