/*
 * JSON in: limits, strictness, dates, values as written.  JSON out: valid for
 * every input byte and every size of buffer.
 */

#include <jansson.h>

#include "pu_json.h"
#include "unit.h"


static const pu_json_limits_t  limits = { 4096, 4, 4 };


static int
accepts(const char *text)
{
    json_t  *value;

    value = pu_json_object(pu_str(text), &limits);
    json_decref(value);

    return value != NULL;
}


static int
accepts_bytes(pu_str_t text)
{
    json_t  *value;

    value = pu_json_object(text, &limits);
    json_decref(value);

    return value != NULL;
}


static void
only_an_object_is_accepted(void)
{
    CHECK(accepts("{}"));
    CHECK(accepts(" {\"a\": [1, true, null]}\r\n\t"));
    CHECK(!accepts(""));
    CHECK(!accepts("[]"));
    CHECK(!accepts("\"a\""));
    CHECK(!accepts("1"));
    CHECK(!accepts("null"));
    CHECK(!accepts("{"));
    CHECK(!accepts("}"));
    CHECK(!accepts("{\"a\":1,}"));
    CHECK(!accepts("{a:1}"));
    CHECK(!accepts("{'a':1}"));
    CHECK(!accepts("{\"a\":01}"));
    CHECK(!accepts("{\"a\":NaN}"));
    CHECK(!accepts("{\"a\":1}/**/"));
}


static void
nothing_may_follow_the_object(void)
{
    CHECK(!accepts("{}{}"));
    CHECK(!accepts("{} x"));
    CHECK(!accepts("{},"));
    CHECK(!accepts_bytes(PU_STR("{}\0")));
    CHECK(!accepts_bytes(PU_STR("{}\0{}")));
}


static void
a_byte_order_mark_is_refused(void)
{
    CHECK(!accepts("\xef\xbb\xbf{}"));
}


static void
only_utf8_is_accepted(void)
{
    CHECK(accepts("{\"a\":\"\xc3\xa4\xf0\x9f\x98\x80\"}"));
    CHECK(!accepts("{\"a\":\"\xff\"}"));
    CHECK(!accepts("{\"a\":\"\xc3\"}"));
    CHECK(!accepts("{\"a\":\"\xc0\xaf\"}"));
    CHECK(!accepts("{\"a\":\"\xed\xa0\x80\"}"));
    CHECK(!accepts("{\"a\":\"\xf4\x90\x80\x80\"}"));
    CHECK(!accepts("{\"a\":\"\\ud800\"}"));
    CHECK(!accepts("{\"a\":\"\\udc00\\ud800\"}"));
    CHECK(!accepts("{\"a\":\"\n\"}"));
}


static void
duplicate_names_are_refused_at_every_level(void)
{
    CHECK(!accepts("{\"a\":1,\"a\":1}"));
    CHECK(!accepts("{\"a\":1,\"\\u0061\":2}"));
    CHECK(!accepts("{\"x\":{\"a\":1,\"a\":2}}"));
    CHECK(!accepts("{\"x\":[{\"a\":1,\"a\":2}]}"));
    CHECK(accepts("{\"a\":1,\"A\":1}"));
    CHECK(accepts("{\"a\":{\"a\":1}}"));
}


static void
a_nul_in_a_name_is_refused_and_in_a_value_kept(void)
{
    json_t    *value;
    pu_str_t   s;

    CHECK(!accepts("{\"a\\u0000\":1}"));
    CHECK(!accepts("{\"x\":{\"\\u0000\":1}}"));
    CHECK(!accepts_bytes(PU_STR("{\"a\0\":1}")));
    CHECK(!accepts_bytes(PU_STR("{\"a\":\"\0\"}")));

    value = pu_json_object(PU_STR("{\"a\":\"x\\u0000y\"}"), &limits);
    CHECK(pu_json_str(json_object_get(value, "a"), &s));
    CHECK(pu_str_eq(s, PU_STR("x\0y")));
    json_decref(value);
}


static void
nesting_stops_at_the_limit(void)
{
    size_t     i;
    char      *deep;

    CHECK(accepts("{\"a\":[[[1]]]}"));
    CHECK(!accepts("{\"a\":[[[[1]]]]}"));
    CHECK(accepts("{\"a\":{\"a\":{\"a\":{}}}}"));
    CHECK(!accepts("{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}"));
    CHECK(accepts("{\"a\":\"[[[[[[{{{{{{\\\"[[[[[[\"}"));
    CHECK(!accepts("]{}"));
    CHECK(!accepts("{\"a\":1}}}}}}}"));

    /* never reaches a parser that recurses */

    deep = malloc(4000);
    memset(deep, '[', 4000);
    CHECK(!accepts_bytes((pu_str_t) { 4000, (const uint8_t *) deep }));

    for (i = 0; i + 5 <= 4000; i += 5) {
        memcpy(deep + i, "{\"a\":", 5);
    }

    CHECK(!accepts_bytes((pu_str_t) { 4000, (const uint8_t *) deep }));
    free(deep);
}


static void
members_stop_at_the_limit(void)
{
    CHECK(accepts("{\"a\":1,\"b\":1,\"c\":1,\"d\":1}"));
    CHECK(!accepts("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1}"));
    CHECK(!accepts("{\"x\":{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1}}"));
    CHECK(accepts("{\"x\":{\"a\":1,\"b\":1,\"c\":1},"
                  "\"y\":{\"a\":1,\"b\":1,\"c\":1}}"));
    CHECK(accepts("{\"a:::::\":\"::::::\\\":::::\"}"));
    CHECK(accepts("{\"a\":[1,2,3,4,5,6,7,8,9]}"));
}


static void
size_stops_at_the_limit(void)
{
    const pu_json_limits_t  five = { 7, 4, 4 };

    json_decref(pu_json_object(PU_STR("{\"a\":1}"), &five));
    CHECK(pu_json_object(PU_STR("{\"a\":12}"), &five) == NULL);
    CHECK(pu_json_object(PU_STR("{\"a\":1} "), &five) == NULL);
}


/* The date of {"d": text}; INT64_MIN when it is refused. */
static int64_t
date(const char *text)
{
    char      document[128];
    json_t   *value;
    int64_t   seconds;

    snprintf(document, sizeof(document), "{\"d\":%s}", text);
    value = pu_json_object(pu_str(document), &limits);

    if (!pu_json_date(json_object_get(value, "d"), &seconds)) {
        seconds = INT64_MIN;
    }

    json_decref(value);

    return seconds;
}


static void
a_date_is_a_finite_number_within_2_to_the_53(void)
{
    size_t  i;

    static const char *const  wrong[] = {
        "\"1\"", "true", "false", "null", "[1]", "{}", "1e300", "-1e300",
        "9007199254740993", "-9007199254740993", "9.1e15",
        "9223372036854775807", "-9223372036854775808", "1e400",
        "99999999999999999999"
    };

    CHECK_INT(date("0"), 0);
    CHECK_INT(date("1700000000"), 1700000000);
    CHECK_INT(date("-5"), -5);
    CHECK_INT(date("1.9"), 1);
    CHECK_INT(date("-1.1"), -2);
    CHECK_INT(date("1.7e9"), 1700000000);
    CHECK_INT(date("9007199254740992"), 9007199254740992);
    CHECK_INT(date("-9007199254740992"), -9007199254740992);
    CHECK_INT(date("9007199254740992.0"), 9007199254740992);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_INT(date(wrong[i]), INT64_MIN);
    }

    CHECK(!pu_json_date(NULL, &(int64_t) { 0 }));
}


static void
strings_are_never_made_of_other_types(void)
{
    json_t    *value;
    pu_str_t   s;

    value = pu_json_object(PU_STR("{\"a\":1,\"b\":\"\",\"c\":null}"),
                           &limits);
    CHECK(!pu_json_str(json_object_get(value, "a"), &s));
    CHECK(!pu_json_str(json_object_get(value, "c"), &s));
    CHECK(!pu_json_str(json_object_get(value, "d"), &s));
    CHECK(pu_json_str(json_object_get(value, "b"), &s));
    CHECK(s.len == 0 && s.data != NULL);
    json_decref(value);
}


static void
a_path_walks_into_objects_and_knows_no_dots(void)
{
    json_t    *value;
    pu_str_t   path[3];

    value = pu_json_object(PU_STR("{\"a\":{\"b\":{\"c\":1}},\"a.b\":2}"),
                           &limits);

    path[0] = PU_STR("a");
    path[1] = PU_STR("b");
    path[2] = PU_STR("c");
    CHECK_INT(json_integer_value(pu_json_walk(value, path, 3)), 1);
    CHECK(pu_json_walk(value, path, 0) == value);

    path[2] = PU_STR("d");
    CHECK(pu_json_walk(value, path, 3) == NULL);

    path[0] = PU_STR("a.b");
    CHECK_INT(json_integer_value(pu_json_walk(value, path, 1)), 2);
    CHECK(pu_json_walk(value, path, 2) == NULL);

    path[0] = PU_STR("a\0x");
    CHECK(pu_json_walk(value, path, 1) == NULL);
    CHECK(pu_json_walk(NULL, path, 1) == NULL);
    json_decref(value);
}


static void
raw_finds_the_value_as_it_was_written(void)
{
    pu_str_t  text, raw;

    text = PU_STR(" { \"n\" : 1.0 , \"s\":\"a\\\"}\", \"o\": {\"n\": [2,\"]\"]}"
                  ",\"\\u0061\\n\\ud83d\\ude00\":-0e0,\"t\":true }");

    CHECK(pu_json_raw(text, PU_STR("n"), &raw));
    CHECK_STR(raw, "1.0");
    CHECK(pu_json_raw(text, PU_STR("s"), &raw));
    CHECK_STR(raw, "\"a\\\"}\"");
    CHECK(pu_json_raw(text, PU_STR("o"), &raw));
    CHECK_STR(raw, "{\"n\": [2,\"]\"]}");
    CHECK(pu_json_raw(text, PU_STR("a\n\xf0\x9f\x98\x80"), &raw));
    CHECK_STR(raw, "-0e0");
    CHECK(pu_json_raw(text, PU_STR("t"), &raw));
    CHECK_STR(raw, "true");
    CHECK(!pu_json_raw(text, PU_STR("N"), &raw));
    CHECK(!pu_json_raw(text, PU_STR(""), &raw));
    CHECK(!pu_json_raw(text, PU_STR("a"), &raw));
    CHECK(!pu_json_raw(PU_STR("{}"), PU_STR("a"), &raw));
    CHECK(!pu_json_raw(PU_STR("{\"a\":{\"b\":1}}"), PU_STR("b"), &raw));
}


static void
raw_walks_an_array(void)
{
    pu_str_t  rest, raw;

    rest = PU_STR("[ 1 , \"a,]\",[2,3], {\"x\":4} ]");

    CHECK(pu_json_raw_next(&rest, NULL, &raw));
    CHECK_STR(raw, "1");
    CHECK(pu_json_raw_next(&rest, NULL, &raw));
    CHECK_STR(raw, "\"a,]\"");
    CHECK(pu_json_raw_next(&rest, NULL, &raw));
    CHECK_STR(raw, "[2,3]");
    CHECK(pu_json_raw_next(&rest, NULL, &raw));
    CHECK_STR(raw, "{\"x\":4}");
    CHECK(!pu_json_raw_next(&rest, NULL, &raw));

    rest = PU_STR("[]");
    CHECK(!pu_json_raw_next(&rest, NULL, &raw));
}


/* Reads outside would be seen by the address sanitizer. */
static void
raw_stays_inside_of_any_text(void)
{
    char      *copy;
    size_t     len;
    uint8_t    out[256];
    pu_buf_t   b;
    pu_str_t   text, raw, rest, name;

    static const char  whole[] =
        " {\"a\\u0062\\ud83d\\ude00\":[1,{\"x\":\"\\\\\"}],\"b\":\"c\\n\"}";

    for (len = 0; len < sizeof(whole); len++) {
        copy = malloc(len + 1);
        memcpy(copy, whole, len);
        text = (pu_str_t) { len, (const uint8_t *) copy };
        text = (pu_str_t) { len, memmove(copy + 1, copy, len) };
        rest = text;

        while (pu_json_raw_next(&rest, &name, &raw)) {
            pu_buf_init(&b, out, sizeof(out));
            pu_json_compact(&b, raw);
            pu_json_unquote(&b, raw);
            pu_json_unquote(&b, name);
        }

        CHECK(!pu_json_raw(text, PU_STR("nothing"), &raw));
        free(copy);
    }
}


static void
a_string_as_written_means_its_bytes(void)
{
    uint8_t   out[64];
    pu_buf_t  b;

    pu_buf_init(&b, out, sizeof(out));
    CHECK(pu_json_unquote(&b, PU_STR("\"a\\u00e4\\/\\b\\f\\n\\r\\t\\\\"
                                     "\\u20AC\\ud83d\\ude00\"")));
    CHECK_STR(pu_buf_written(&b),
              "a\xc3\xa4/\b\f\n\r\t\\\xe2\x82\xac\xf0\x9f\x98\x80");

    CHECK(!pu_json_unquote(&b, PU_STR("1")));
    CHECK(!pu_json_unquote(&b, PU_STR("\"")));
    CHECK(!pu_json_unquote(&b, PU_STR("\"\\x\"")));
    CHECK(!pu_json_unquote(&b, PU_STR("\"\\u12\"")));
    CHECK(!pu_json_unquote(&b, PU_STR("\"\\ud800\"")));
    CHECK(!pu_json_unquote(&b, PU_STR("\"\\ud800\\u0041\"")));

    CHECK(pu_json_raw_is(PU_STR("\"\\u0061b\""), PU_STR("ab"), 0));
    CHECK(!pu_json_raw_is(PU_STR("\"ab\""), PU_STR("a"), 0));
    CHECK(!pu_json_raw_is(PU_STR("\"a\""), PU_STR("ab"), 0));
    CHECK(!pu_json_raw_is(PU_STR("\"Ab\""), PU_STR("ab"), 0));
    CHECK(pu_json_raw_is(PU_STR("\"Ab\""), PU_STR("ab"), 1));
}


static void
compact_takes_out_white_space_between_tokens_only(void)
{
    uint8_t   out[64];
    pu_buf_t  b;

    pu_buf_init(&b, out, sizeof(out));
    pu_json_compact(&b, PU_STR(" { \"a b\" :\t[ 1 ,\n\"c \\\" d\" ] } "));
    CHECK_STR(pu_buf_written(&b), "{\"a b\":[1,\"c \\\" d\"]}");
}


static void
quote_escapes_what_json_does_not_allow(void)
{
    uint8_t   out[128];
    pu_buf_t  b;

    pu_buf_init(&b, out, sizeof(out));
    pu_json_quote(&b, PU_STR("a\"\\/\n\0\x1f\x7f\xc3\xa4\xff\xc3"));
    CHECK_STR(pu_buf_written(&b),
              "\"a\\\"\\\\/\\u000a\\u0000\\u001f\\u007f\xc3\xa4"
              "\xef\xbf\xbd\xef\xbf\xbd\"");
    CHECK(!b.full);
}


/* All pairs of bytes: what comes out is JSON, and the same if it was UTF-8. */
static void
quote_is_valid_json_for_every_input(void)
{
    int        i, j;
    json_t    *value;
    uint8_t    in[3], out[64];
    pu_buf_t   b;
    pu_str_t   s, back;

    in[2] = 0x80;

    for (i = 0; i < 256; i++) {
        for (j = 0; j < 256; j++) {
            in[0] = (uint8_t) i;
            in[1] = (uint8_t) j;
            pu_buf_init(&b, out, sizeof(out));
            pu_json_quote(&b, (pu_str_t) { 3, in });
            s = pu_buf_written(&b);
            value = json_loadb((const char *) s.data, s.len,
                               JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);
            CHECK(value != NULL && pu_json_str(value, &back));
            json_decref(value);
        }
    }
}


static void
quote_that_does_not_fit_is_cut_and_closed(void)
{
    size_t     size;
    json_t    *value;
    uint8_t    out[64];
    pu_buf_t   b;
    pu_str_t   s;

    s = PU_STR("a\xc3\xa4\n\xf0\x9f\x98\x80z");

    for (size = 0; size < 24; size++) {
        memset(out, '#', sizeof(out));
        pu_buf_init(&b, out, size);
        pu_json_quote(&b, s);
        CHECK(out[size] == '#');
        CHECK_INT(b.full, size < 16);

        if (size < 2) {
            CHECK_INT(pu_buf_written(&b).len, 0);
            continue;
        }

        value = json_loadb((const char *) out, pu_buf_written(&b).len,
                           JSON_DECODE_ANY, NULL);
        CHECK(json_is_string(value));
        json_decref(value);
    }
}


static void
words_become_an_array_of_whole_words(void)
{
    size_t     size;
    json_t    *value;
    uint8_t    out[64];
    pu_buf_t   b;

    pu_buf_init(&b, out, sizeof(out));
    pu_json_words(&b, PU_STR("a  \"b\" c"));
    CHECK_STR(pu_buf_written(&b), "[\"a\",\"\\\"b\\\"\",\"c\"]");

    pu_buf_init(&b, out, sizeof(out));
    pu_json_words(&b, (pu_str_t) { 0, NULL });
    CHECK_STR(pu_buf_written(&b), "[]");

    for (size = 0; size < 16; size++) {
        memset(out, '#', sizeof(out));
        pu_buf_init(&b, out, size);
        pu_json_words(&b, PU_STR("abc def"));
        CHECK(out[size] == '#');
        CHECK_INT(b.full, size < 13);

        if (size >= 2) {
            value = json_loadb((const char *) out, pu_buf_written(&b).len, 0,
                               NULL);
            CHECK_INT(json_array_size(value),
                      (size < 7) ? 0 : (size < 13) ? 1 : 2);
            CHECK(json_is_array(value));
            json_decref(value);
        }
    }
}


static const unit_test_t  tests[] = {
    UNIT(only_an_object_is_accepted),
    UNIT(nothing_may_follow_the_object),
    UNIT(a_byte_order_mark_is_refused),
    UNIT(only_utf8_is_accepted),
    UNIT(duplicate_names_are_refused_at_every_level),
    UNIT(a_nul_in_a_name_is_refused_and_in_a_value_kept),
    UNIT(nesting_stops_at_the_limit),
    UNIT(members_stop_at_the_limit),
    UNIT(size_stops_at_the_limit),
    UNIT(a_date_is_a_finite_number_within_2_to_the_53),
    UNIT(strings_are_never_made_of_other_types),
    UNIT(a_path_walks_into_objects_and_knows_no_dots),
    UNIT(raw_finds_the_value_as_it_was_written),
    UNIT(raw_walks_an_array),
    UNIT(raw_stays_inside_of_any_text),
    UNIT(a_string_as_written_means_its_bytes),
    UNIT(compact_takes_out_white_space_between_tokens_only),
    UNIT(quote_escapes_what_json_does_not_allow),
    UNIT(quote_is_valid_json_for_every_input),
    UNIT(quote_that_does_not_fit_is_cut_and_closed),
    UNIT(words_become_an_array_of_whole_words)
};

UNIT_MAIN(tests)
