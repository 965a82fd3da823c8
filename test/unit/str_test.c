/*
 * Counted strings, the bounded writer, base64url, numbers, times, files.
 */

#include <sys/stat.h>
#include <unistd.h>

#include "pu_str.h"
#include "unit.h"


static int64_t
decode(const char *text, uint8_t *out)
{
    return pu_base64url_decode(out, pu_str(text));
}


static void
strings_compare_by_length_and_bytes(void)
{
    pu_str_t  empty = { 0, NULL };

    CHECK(pu_str_eq(PU_STR("a"), PU_STR("a")));
    CHECK(pu_str_eq(empty, PU_STR("")));
    CHECK(!pu_str_eq(PU_STR("a"), PU_STR("ab")));
    CHECK(!pu_str_eq(PU_STR("a\0b"), PU_STR("a\0c")));
    CHECK(!pu_str_is(PU_STR("RS256\0"), "RS256"));
    CHECK(!pu_str_is(PU_STR("rs256"), "RS256"));
    CHECK(pu_str_case_eq(PU_STR("At+JWT"), PU_STR("aT+jwt")));
    CHECK(!pu_str_case_eq(PU_STR("@"), PU_STR("`")));
    CHECK(!pu_str_case_eq(PU_STR("a"), PU_STR("ab")));
    CHECK_INT(pu_str(NULL).len, 0);
}


static void
strings_order_as_memcmp_with_the_prefix_first(void)
{
    pu_str_t  empty = { 0, NULL };

    CHECK(pu_str_cmp(PU_STR("a"), PU_STR("b")) < 0);
    CHECK(pu_str_cmp(PU_STR("b"), PU_STR("a")) > 0);
    CHECK(pu_str_cmp(PU_STR("a"), PU_STR("ab")) < 0);
    CHECK(pu_str_cmp(PU_STR("ab"), PU_STR("a")) > 0);
    CHECK(pu_str_cmp(PU_STR("a"), PU_STR("a")) == 0);
    CHECK(pu_str_cmp(PU_STR("\xff"), PU_STR("a")) > 0);
    CHECK(pu_str_cmp(empty, empty) == 0);
}


static void
control_bytes_are_found(void)
{
    CHECK(!pu_str_has_control(PU_STR("a b~\x80\xff")));
    CHECK(pu_str_has_control(PU_STR("a\0b")));
    CHECK(pu_str_has_control(PU_STR("a\x1f")));
    CHECK(pu_str_has_control(PU_STR("\x7f")));
    CHECK(pu_str_has_control(PU_STR("a\r\nX: y")));
    CHECK(pu_str_starts(PU_STR("https://x"), "https://"));
    CHECK(!pu_str_starts(PU_STR("http"), "https://"));
}


static void
buffer_drops_what_does_not_fit(void)
{
    char      memory[8];
    pu_buf_t  b;

    pu_buf_init(&b, memory, 4);
    memory[4] = '#';

    pu_buf_text(&b, "abc");
    CHECK(!b.full);
    pu_buf_text(&b, "de");
    CHECK(b.full);
    CHECK_STR(pu_buf_written(&b), "abc");
    pu_buf_char(&b, 'f');
    CHECK_STR(pu_buf_written(&b), "abcf");
    pu_buf_char(&b, 'g');
    CHECK_STR(pu_buf_written(&b), "abcf");
    CHECK(memory[4] == '#');
}


static void
buffer_writes_numbers(void)
{
    char      memory[128];
    pu_buf_t  b;

    pu_buf_init(&b, memory, sizeof(memory));
    pu_buf_int(&b, 0);
    pu_buf_char(&b, ' ');
    pu_buf_int(&b, -7);
    pu_buf_char(&b, ' ');
    pu_buf_int(&b, INT64_MAX);
    pu_buf_char(&b, ' ');
    pu_buf_int(&b, INT64_MIN);
    CHECK_STR(pu_buf_written(&b),
              "0 -7 9223372036854775807 -9223372036854775808");
}


static void
buffer_writes_numbers_as_printf(void)
{
    int       i, k;
    char      memory[32], other[32];
    int64_t   n, power;
    pu_buf_t  b;

    for (power = 1, i = 0; i < 18; i++, power *= 10) {
        for (k = -101; k <= 101; k++) {
            n = power + k;
            pu_buf_init(&b, memory, sizeof(memory));
            pu_buf_int(&b, n);
            snprintf(other, sizeof(other), "%lld", (long long) n);
            CHECK_STR(pu_buf_written(&b), other);
        }
    }
}


static void
base64url_of_rfc_4648_section_10(void)
{
    size_t   i;
    char     text[16];
    uint8_t  out[16];

    static const struct {
        const char  *plain;
        const char  *coded;
    } vectors[] = {
        { "", "" }, { "f", "Zg" }, { "fo", "Zm8" }, { "foo", "Zm9v" },
        { "foob", "Zm9vYg" }, { "fooba", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy" }, { "\xfb\xff", "-_8" }
    };

    for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        CHECK_INT(decode(vectors[i].coded, out), strlen(vectors[i].plain));
        CHECK(memcmp(out, vectors[i].plain, strlen(vectors[i].plain)) == 0);
        CHECK_INT(pu_base64url_encode(text,
                                      (const uint8_t *) vectors[i].plain,
                                      strlen(vectors[i].plain)),
                  strlen(vectors[i].coded));
        CHECK(memcmp(text, vectors[i].coded, strlen(vectors[i].coded)) == 0);
        CHECK_INT(PU_BASE64URL_LEN(strlen(vectors[i].plain)),
                  strlen(vectors[i].coded));
    }
}


static void
base64url_refuses_every_byte_outside_its_alphabet(void)
{
    int       c;
    size_t    place;
    uint8_t   text[7], out[8];
    pu_str_t  s = { 7, text };

    for (place = 0; place < 7; place++) {
        for (c = 0; c < 256; c++) {
            memset(text, 'A', 7);
            text[place] = (uint8_t) c;

            if (c != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                 "qrstuvwxyz0123456789-_", c) != NULL)
            {
                CHECK(place == 6 || pu_base64url_decode(out, s) == 5);
            } else {
                CHECK_INT(pu_base64url_decode(out, s), -1);
            }
        }
    }
}


static void
base64url_refuses_a_length_of_one_modulo_four(void)
{
    uint8_t  out[8];

    CHECK_INT(decode("A", out), -1);
    CHECK_INT(decode("AAAAA", out), -1);
    CHECK_INT(decode("A===", out), -1);

    /* whatever comes behind it */

    CHECK_INT(pu_base64url_decode(out, (pu_str_t) { 1, (const uint8_t *)
                                                    "AAAA" }), -1);
    CHECK_INT(pu_base64url_decode(out, (pu_str_t) { 5, (const uint8_t *)
                                                    "AAAAAAAA" }), -1);
}


static void
base64url_refuses_stray_bits_and_padding(void)
{
    uint8_t  out[8];

    CHECK_INT(decode("Zg", out), 1);
    CHECK_INT(decode("Zh", out), -1);
    CHECK_INT(decode("Zm8", out), 2);
    CHECK_INT(decode("Zm9", out), -1);
    CHECK_INT(decode("Zg==", out), -1);
    CHECK_INT(decode("Zm8=", out), -1);
    CHECK_INT(decode("Zm9v ", out), -1);
    CHECK_INT(decode("Zm9v\n", out), -1);
}


static void
sha256_is_over_the_parts_in_order(void)
{
    char      text[PU_DIGEST_TEXT_LEN];
    uint8_t   digest[PU_SHA256_LEN];
    pu_str_t  parts[3];

    parts[0] = PU_STR("a");
    parts[1] = (pu_str_t) { 0, NULL };
    parts[2] = PU_STR("bc");

    /* FIPS 180-2 appendix B.1: SHA-256("abc") */

    CHECK(pu_sha256(digest, parts, 3));
    CHECK_INT(pu_base64url_encode(text, digest, sizeof(digest)),
              PU_DIGEST_TEXT_LEN);
    CHECK(memcmp(text, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
                 PU_DIGEST_TEXT_LEN) == 0);
}


static void
integers_are_whole_and_in_range(void)
{
    size_t   i;
    int64_t  n;

    static const char *const  wrong[] = {
        "", "-", "+", "1 ", " 1", "1.0", "0x1", "1e3", "--1", "+-1",
        "9223372036854775808", "-9223372036854775809",
        "99999999999999999999999"
    };

    CHECK(pu_str_int(PU_STR("0"), &n) && n == 0);
    CHECK(pu_str_int(PU_STR("-12"), &n) && n == -12);
    CHECK(pu_str_int(PU_STR("+12"), &n) && n == 12);
    CHECK(pu_str_int(PU_STR("9223372036854775807"), &n) && n == INT64_MAX);
    CHECK(pu_str_int(PU_STR("-9223372036854775808"), &n) && n == INT64_MIN);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK(!pu_str_int(pu_str(wrong[i]), &n));
    }
}


static void
times_are_as_nginx_reads_them(void)
{
    size_t  i;

    static const char *const  wrong[] = {
        "", "s", "m", "-1", "-1s", "+1", "1x", "1m1h", "1s1s", "1s5", "30ss",
        "1h ", " 1", "1.5h", "10ms", "99999999999999999999",
        "9223372036854775807m"
    };

    CHECK_INT(pu_str_duration(PU_STR("0")), 0);
    CHECK_INT(pu_str_duration(PU_STR("10")), 10);
    CHECK_INT(pu_str_duration(PU_STR("30s")), 30);
    CHECK_INT(pu_str_duration(PU_STR("5m")), 300);
    CHECK_INT(pu_str_duration(PU_STR("1h30m")), 5400);
    CHECK_INT(pu_str_duration(PU_STR("1h30")), 3630);
    CHECK_INT(pu_str_duration(PU_STR("1d")), 86400);
    CHECK_INT(pu_str_duration(PU_STR("1w2d")), 777600);
    CHECK_INT(pu_str_duration(PU_STR("1M")), 2592000);
    CHECK_INT(pu_str_duration(PU_STR("1y")), 31536000);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CHECK_INT(pu_str_duration(pu_str(wrong[i])), -1);
    }
}


static void
files_are_read_whole_or_refused(void)
{
    int       fd;
    char      path[] = "/tmp/pu_str_testXXXXXX", err[PU_ERROR_SIZE];
    char      block[5000];
    size_t    len;
    uint8_t  *data;

    memset(block, 'x', sizeof(block));
    fd = mkstemp(path);
    CHECK(fd != -1 && write(fd, block, sizeof(block)) == sizeof(block));
    close(fd);

    data = pu_file_read(path, sizeof(block), &len, err);
    CHECK(data != NULL && len == sizeof(block));
    CHECK(data != NULL && memcmp(data, block, sizeof(block)) == 0);
    free(data);

    CHECK(pu_file_read(path, sizeof(block) - 1, &len, err) == NULL);
    CHECK_SAYS(err, "too large");
    CHECK_SAYS(err, path);

    unlink(path);
    CHECK(pu_file_read(path, 10, &len, err) == NULL);
    CHECK_SAYS(err, "No such file");

    CHECK(pu_file_read("/tmp", 10, &len, err) == NULL);
    CHECK_SAYS(err, "cannot be read");

    data = pu_file_read("/dev/null", 10, &len, err);
    CHECK(data != NULL && len == 0);
    free(data);
}


static const unit_test_t  tests[] = {
    UNIT(strings_compare_by_length_and_bytes),
    UNIT(strings_order_as_memcmp_with_the_prefix_first),
    UNIT(control_bytes_are_found),
    UNIT(buffer_drops_what_does_not_fit),
    UNIT(buffer_writes_numbers),
    UNIT(buffer_writes_numbers_as_printf),
    UNIT(base64url_of_rfc_4648_section_10),
    UNIT_FOR("C8", base64url_refuses_every_byte_outside_its_alphabet),
    UNIT_FOR("C10", base64url_refuses_a_length_of_one_modulo_four),
    UNIT_FOR("C10", base64url_refuses_stray_bits_and_padding),
    UNIT(sha256_is_over_the_parts_in_order),
    UNIT(integers_are_whole_and_in_range),
    UNIT(times_are_as_nginx_reads_them),
    UNIT(files_are_read_whole_or_refused)
};

UNIT_MAIN(tests)
