/*
 * key_test: the text of an API key, and networks.
 */

#include "pu_key.h"
#include "pu_network.h"
#include "unit.h"


/* Made by another program: SHA-256 of the first 58 characters begins 1e72a7 */
#define KEY  "puk_abcdefghij_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


static int
digest_of(pu_str_t key, uint8_t digest[PU_SHA256_LEN])
{
    int         rc;
    pu_hash_t  *hash;

    hash = pu_hash_new();
    rc = pu_key_digest(hash, digest, key);
    pu_hash_free(hash);

    return rc;
}


static int
taken(const char *key)
{
    uint8_t  digest[PU_SHA256_LEN];

    return digest_of(pu_str(key), digest);
}


static void
a_new_key_has_the_form_and_its_check_fits(void)
{
    char      key[PU_KEY_LEN], other[PU_KEY_LEN];
    uint8_t   digest[PU_SHA256_LEN], whole[PU_SHA256_LEN];
    pu_str_t  s;

    CHECK(pu_key_new(key));
    CHECK(pu_key_new(other));
    CHECK(memcmp(key + 4, other + 4, PU_KEY_ID_LEN) != 0);
    CHECK(memcmp(key + 15, other + 15, PU_KEY_SECRET_LEN) != 0);

    s.len = sizeof(key);
    s.data = (const uint8_t *) key;

    CHECK_INT(s.len, 64);
    CHECK(pu_str_starts(s, "puk_"));
    CHECK_INT(key[14], '_');
    CHECK(pu_key_id_ok(pu_key_id(s)));
    CHECK_INT(digest_of(s, digest), 1);

    CHECK(pu_sha256(whole, &s, 1));
    CHECK(memcmp(digest, whole, sizeof(whole)) == 0);
}


/* Of 5000 letters each of 36 is missing once in 10^61. */
static void
a_public_id_is_made_of_all_letters_and_digits(void)
{
    int       i, seen[256];
    char      key[PU_KEY_LEN];
    size_t    n;
    pu_str_t  id;

    memset(seen, 0, sizeof(seen));

    for (i = 0; i < 500; i++) {
        CHECK(pu_key_new(key));
        id = pu_key_id((pu_str_t) { sizeof(key), (const uint8_t *) key });
        CHECK(pu_key_id_ok(id));

        for (n = 0; n < id.len; n++) {
            seen[id.data[n]] = 1;
        }
    }

    for (i = 0, n = 0; i < 256; i++) {
        n += (size_t) seen[i];
    }

    CHECK_INT(n, 36);
}


static void
every_letter_of_a_key_counts(void)
{
    char      key[PU_KEY_LEN];
    size_t    i;
    uint8_t   digest[PU_SHA256_LEN];
    pu_str_t  s;

    CHECK(pu_key_new(key));

    s.len = sizeof(key);
    s.data = (const uint8_t *) key;

    for (i = 0; i < sizeof(key); i++) {
        key[i] ^= 1;
        CHECK_INT(digest_of(s, digest), 0);
        key[i] ^= 1;
    }

    CHECK_INT(digest_of(s, digest), 1);
}


static void
a_key_of_another_form_is_none(void)
{
    uint8_t  digest[PU_SHA256_LEN];

    CHECK_INT(taken(KEY "1e72a7"), 1);

    CHECK_INT(taken(""), 0);
    CHECK_INT(taken("puk_"), 0);
    CHECK_INT(taken(KEY), 0);
    CHECK_INT(taken(KEY "1e72a"), 0);
    CHECK_INT(taken(KEY "1e72a7a"), 0);
    CHECK_INT(taken(KEY "1E72A7"), 0);
    CHECK_INT(taken(KEY "1e72ax"), 0);
    CHECK_INT(taken(KEY "1e72a7 "), 0);
    CHECK_INT(taken(" " KEY "1e72a7"), 0);
    CHECK_INT(digest_of((pu_str_t) { 64, (const uint8_t *)
              "puk_abcdefghij_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
              "1e72\0" }, digest), 0);
}


static void
a_public_id_has_one_form(void)
{
    CHECK(pu_key_id_ok(PU_STR("abcdefghij")));
    CHECK(pu_key_id_ok(PU_STR("0123456789")));
    CHECK(!pu_key_id_ok(PU_STR("")));
    CHECK(!pu_key_id_ok(PU_STR("abcdefghi")));
    CHECK(!pu_key_id_ok(PU_STR("abcdefghijk")));
    CHECK(!pu_key_id_ok(PU_STR("Abcdefghij")));
    CHECK(!pu_key_id_ok(PU_STR("abcde-ghij")));
    CHECK(!pu_key_id_ok(PU_STR("abcde\0ghij")));
}


static int
network(const char *text)
{
    pu_network_t  n;

    return pu_network_read(&n, pu_str(text));
}


static void
networks_are_read(void)
{
    CHECK_INT(network("10.0.0.0/8"), 1);
    CHECK_INT(network("10.1.2.3"), 1);
    CHECK_INT(network("0.0.0.0/0"), 1);
    CHECK_INT(network("2001:db8::/32"), 1);
    CHECK_INT(network("::1"), 1);
    CHECK_INT(network("::/0"), 1);
    CHECK_INT(network("::ffff:10.0.0.0/104"), 1);

    CHECK_INT(network("10.0.0.1/8"), -1);
    CHECK_INT(network("10.0.0.1/31"), -1);
    CHECK_INT(network("2001:db8::1/32"), -1);
    CHECK_INT(network("::ffff:10.0.0.1/104"), -1);

    CHECK_INT(network(""), 0);
    CHECK_INT(network("/8"), 0);
    CHECK_INT(network("10.0.0.0/"), 0);
    CHECK_INT(network("10.0.0.0/33"), 0);
    CHECK_INT(network("10.0.0.0/08"), 0);
    CHECK_INT(network("10.0.0.0/+8"), 0);
    CHECK_INT(network("10.0.0.0/-1"), 0);
    CHECK_INT(network("10.0.0.0/8/8"), 0);
    CHECK_INT(network("10.0.0/8"), 0);
    CHECK_INT(network("10.0.0.256"), 0);
    CHECK_INT(network("2001:db8::/129"), 0);
    CHECK_INT(network("2001:db8:::/32"), 0);
    CHECK_INT(network("localhost"), 0);
    CHECK_INT(network("1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bb"),
              0);
}


static int
has(const char *list, const char *address, size_t len)
{
    return pu_networks_have(pu_str(list), (const uint8_t *) address, len);
}


static void
an_address_is_in_a_network_or_not(void)
{
    CHECK(has("10.0.0.0/8", "\x0a\x01\x02\x03", 4));
    CHECK(!has("10.0.0.0/8", "\x0b\x01\x02\x03", 4));
    CHECK(has("192.168.4.0/22", "\xc0\xa8\x07\xff", 4));
    CHECK(!has("192.168.4.0/22", "\xc0\xa8\x08\x00", 4));
    CHECK(has("10.1.2.3", "\x0a\x01\x02\x03", 4));
    CHECK(!has("10.1.2.3", "\x0a\x01\x02\x04", 4));
    CHECK(has("0.0.0.0/0", "\xff\xff\xff\xff", 4));
    CHECK(has("192.0.2.0/24 10.0.0.0/8", "\x0a\x01\x02\x03", 4));

    /* bits behind the prefix of a record made by hand mean nothing */

    CHECK(has("10.9.9.9/8", "\x0a\x01\x02\x03", 4));
    CHECK(!has("10.9.9.9/8", "\x0b\x09\x09\x09", 4));

    CHECK(has("2001:db8::/33", "\x20\x01\x0d\xb8\x7f\0\0\0\0\0\0\0\0\0\0\x01",
              16));
    CHECK(!has("2001:db8::/33",
               "\x20\x01\x0d\xb8\x80\0\0\0\0\0\0\0\0\0\0\x01", 16));

    CHECK(!has("", "\x0a\x01\x02\x03", 4));
    CHECK(!has("::/0", "\x0a\x01\x02\x03", 4));
    CHECK(!has("0.0.0.0/0", "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16));
    CHECK(!has("0.0.0.0/0", "", 0));
    CHECK(!has("0.0.0.0/0", "\x0a\x01\x02", 3));
    CHECK(!has("nonsense", "\x0a\x01\x02\x03", 4));
}


static void
a_mapped_address_is_the_one_it_maps(void)
{
    static const char  mapped[] =
        "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03";

    CHECK(has("10.0.0.0/8", mapped, 16));
    CHECK(has("::ffff:10.0.0.0/104", mapped, 16));
    CHECK(has("::ffff:10.0.0.0/104", "\x0a\x01\x02\x03", 4));
    CHECK(!has("11.0.0.0/8", mapped, 16));
    CHECK(!has("::/0", mapped, 16));
}


static void
a_list_is_whole_or_nothing(void)
{
    char    list[PU_NETWORKS_MAX * 8 + 16];
    size_t  i, len;

    CHECK(pu_networks_ok(PU_STR("")));
    CHECK(pu_networks_ok(PU_STR("10.0.0.0/8 ::1")));
    CHECK(!pu_networks_ok(PU_STR("10.0.0.0/8 office")));
    CHECK(!pu_networks_ok(PU_STR("10.0.0.0/8,::1")));

    for (i = 0, len = 0; i < PU_NETWORKS_MAX; i++) {
        len += (size_t) snprintf(list + len, sizeof(list) - len, "1.1.1.1 ");
    }

    CHECK(pu_networks_ok(pu_str(list)));
    snprintf(list + len, sizeof(list) - len, "1.1.1.1");
    CHECK(!pu_networks_ok(pu_str(list)));
}


static void
a_public_id_is_ten_small_letters_and_digits(void)
{
    size_t  i;

    static const char *const  bad[] = {
        "", "abcdefghi", "abcdefghijk", "abcdefghi`", "abcdefghi{",
        "abcdefghi/", "abcdefghi:", "Abcdefghij", "abcd_fghij", "abcd fghij"
    };

    CHECK(pu_key_id_ok(PU_STR("abcdefghij")));
    CHECK(pu_key_id_ok(PU_STR("0az9000000")));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_check(__FILE__, __LINE__, !pu_key_id_ok(pu_str(bad[i])), bad[i]);
    }
}


/* The check of a text that somebody made up fits: anybody can compute it. */
static int
made_up(const char *start)
{
    char      text[PU_KEY_LEN + 1];
    uint8_t   digest[PU_SHA256_LEN];
    pu_str_t  s;

    s = pu_str(start);
    CHECK_INT(s.len, PU_KEY_LEN - PU_KEY_CHECK_LEN);
    CHECK(pu_sha256(digest, &s, 1));
    snprintf(text, sizeof(text), "%s%02x%02x%02x", start, digest[0],
             digest[1], digest[2]);

    return taken(text);
}


static void
a_check_that_fits_does_not_make_a_key(void)
{
    CHECK_INT(made_up(KEY), 1);
    CHECK_INT(made_up("puk_abcdEfghij_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBka"
                      "GxwdHh8"), 0);
    CHECK_INT(made_up("puk_abcdefghij-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBka"
                      "GxwdHh8"), 0);
    CHECK_INT(made_up("pux_abcdefghij_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBka"
                      "GxwdHh8"), 0);
    CHECK_INT(made_up("puk_abcdefghij_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBka"
                      "GxwdHh9"), 0);
    CHECK_INT(made_up("puk_abcdefghij_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBka"
                      "GxwdHh+"), 0);
}


static const unit_test_t  tests[] = {
    UNIT(a_new_key_has_the_form_and_its_check_fits),
    UNIT(a_public_id_is_made_of_all_letters_and_digits),
    UNIT(every_letter_of_a_key_counts),
    UNIT(a_key_of_another_form_is_none),
    UNIT(a_public_id_has_one_form),
    UNIT(networks_are_read),
    UNIT(an_address_is_in_a_network_or_not),
    UNIT(a_mapped_address_is_the_one_it_maps),
    UNIT(a_list_is_whole_or_nothing),
    UNIT(a_public_id_is_ten_small_letters_and_digits),
    UNIT(a_check_that_fits_does_not_make_a_key)
};

UNIT_MAIN(tests)
