/*
 * The directives of an issuer: what each takes, what it refuses and with
 * which sentence; and the fingerprint of it all.
 */

#include <unistd.h>

#include "mint.h"
#include "unit.h"


static pu_issuer_t *
fresh(void)
{
    static const char *const  none[] = { NULL };

    return mint_issuer_lines(none);
}


/* The line is refused, and the sentence has these words. */
static void
line_refused(const char *file, int line, const char *text, const char *words)
{
    char          err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    err[0] = '\0';
    issuer = fresh();
    unit_check(file, line, !mint_directive(issuer, text, err), text);
    unit_check(file, line, strstr(err, words) != NULL, err);
    unit_check(file, line, err[0] < 'A' || err[0] > 'Z', err);
    unit_check(file, line, err[0] == '\0' || err[strlen(err) - 1] != '.', err);
    pu_issuer_free(issuer);
}

#define LINE_REFUSED(text, words)                                             \
    line_refused(__FILE__, __LINE__, text, words)


static void
line_accepted(const char *file, int line, const char *text)
{
    char          err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    issuer = fresh();
    unit_check(file, line, mint_directive(issuer, text, err), err);
    pu_issuer_free(issuer);
}

#define LINE_ACCEPTED(text)  line_accepted(__FILE__, __LINE__, text)


static void
an_unknown_directive_is_named(void)
{
    LINE_REFUSED("audiences api", "unknown directive \"audiences\"");
    LINE_REFUSED("Issuer https://a", "unknown directive \"Issuer\"");
}


static void
a_decryption_key_is_read_and_judged(void)
{
    LINE_REFUSED("decryption_key_file t/none", "cannot be opened");
    LINE_REFUSED("decryption_key_file t/data/tls-ca.pem",
                 "\"decryption_key_file\": file \"t/data/tls-ca.pem\"");
    LINE_REFUSED("decryption_key_file t/data/ed25519.pem", "kty");
    LINE_REFUSED("decryption_key_file t/data/rsa1024.pem", "1024 bits");
    LINE_REFUSED("decryption_key_file t/data/secp256k1.pem", "");
    CHECK_INT(pu_issuer_path(PU_STR("decryption_key_file"), PU_STR("a")), 0);
}


static void
a_second_line_is_a_duplicate_where_one_is_all(void)
{
    size_t        i;
    char          err[PU_ERROR_SIZE], words[64];
    pu_issuer_t  *issuer;

    static const char *const  lines[] = {
        "issuer https://a", "audience a", "audience_claim a",
        "algorithms RS256", "token_type JWT", "leeway 1s", "max_age 1s",
        "subject a", "name a", "role_claim a", "scope_claim a",
        "default_role a", "provision jit"
    };

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        issuer = fresh();
        CHECK(mint_directive(issuer, lines[i], err));
        CHECK(!mint_directive(issuer, lines[i], err));
        snprintf(words, sizeof(words), "\"%.*s\" directive is duplicate",
                 (int) strcspn(lines[i], " "), lines[i]);
        CHECK_SAYS(err, words);
        pu_issuer_free(issuer);
    }

    issuer = fresh();
    CHECK(mint_directive(issuer, "claim a b", err));
    CHECK(mint_directive(issuer, "claim a b", err));
    CHECK(mint_directive(issuer, "role_map a b", err));
    CHECK(mint_directive(issuer, "role_map a b", err));
    CHECK(issuer->nclaims == 2 && issuer->nroles == 2);
    pu_issuer_free(issuer);
}


static void
the_number_of_values_is_checked(void)
{
    char          err[PU_ERROR_SIZE];
    pu_str_t      words[2];
    pu_issuer_t  *issuer;

    LINE_REFUSED("issuer", "\"issuer\" has 0 values");
    LINE_REFUSED("issuer https://a https://b", "at most 1");
    LINE_REFUSED("audience", "at least 1");
    LINE_REFUSED("claim token_use", "at least 2");
    LINE_REFUSED("role_map admins", "at least 2");
    LINE_REFUSED("leeway 1s 2s", "at most 1");
    LINE_REFUSED("subject a b c d e f g h i", "at most 8");
    LINE_ACCEPTED("subject a b c d e f g h");

    issuer = fresh();
    words[0] = PU_STR("audience");
    words[1] = PU_STR("");
    CHECK(!pu_issuer_set(issuer, words, 2, NULL, NULL, err));
    CHECK_SAYS(err, "\"audience\"");
    CHECK_SAYS(err, "not empty");
    words[1] = PU_STR("a\0b");
    CHECK(!pu_issuer_set(issuer, words, 2, NULL, NULL, err));
    pu_issuer_free(issuer);
}


static void
an_issuer_url_is_https_or_loopback(void)
{
    size_t  i;

    static const char *const  right[] = {
        "https://idp.example", "https://idp.example/", "https://a:8443/b?c=d",
        "https://[2001:db8::1]:443/", "https://10.0.0.1/realms/a",
        "http://127.0.0.1", "http://127.9.8.7:8080/x", "http://[::1]:80/",
        "http://localhost", "http://LOCALHOST:1/",
        "https://user_pool.example/us-east-1_x"
    };
    static const char *const  wrong[] = {
        "", "idp.example", "HTTPS://idp.example", "https:/idp.example",
        "https://", "https:///x", "https://?x", "ftp://idp.example",
        "http://idp.example", "http://10.0.0.1/", "http://128.0.0.1",
        "http://localhost.evil.example", "http://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example", "http://localhost@evil.example",
        "https://user@idp.example", "https://user:pw@idp.example",
        "http://127.1", "http://0177.0.0.1", "http://127.0.0.1:",
        "http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:+1",
        "http://127.0.0.1:80:90", "http://[::1", "http://[::2]/",
        "http://[::1]x", "http://::1/", "http://[127.0.0.1]/",
        "http://[::ffff:127.0.0.1]/", "https://[x]/", "https://a#b",
        "https://a\\b", "https://a b", "https://a\tb", "https://a\nb",
        "https://\xc3\xa4.example", "https://a/{b}", "https://.example",
        "https://-a.example", "http://localhost\\@evil.example/",
        "http://evil.example?@127.0.0.1/", "http:///127.0.0.1"
    };

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        unit_check(__FILE__, __LINE__, pu_issuer_url_ok(pu_str(right[i])),
                   right[i]);
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        unit_check(__FILE__, __LINE__, !pu_issuer_url_ok(pu_str(wrong[i])),
                   wrong[i]);
    }

    CHECK(!pu_issuer_url_ok(PU_STR("https://a\0b")));
    LINE_REFUSED("issuer http://idp.example",
                 "\"issuer\" has the value \"http://idp.example\", allowed is"
                 " an https url");
}


static void
leeway_is_at_most_300_seconds(void)
{
    LINE_ACCEPTED("leeway 0");
    LINE_ACCEPTED("leeway 300s");
    LINE_ACCEPTED("leeway 5m");
    LINE_REFUSED("leeway 301", "allowed is a time of at most 300s");
    LINE_REFUSED("leeway 10m", "\"leeway\" has the value \"10m\"");
    LINE_REFUSED("leeway -1s", "\"leeway\"");
    LINE_REFUSED("leeway 30ss", "\"leeway\"");
    LINE_REFUSED("leeway off", "\"leeway\"");
}


static void
max_age_is_a_time_or_off(void)
{
    LINE_ACCEPTED("max_age off");
    LINE_ACCEPTED("max_age 12h");
    LINE_REFUSED("max_age 0", "\"max_age\" has the value \"0\"");
    LINE_REFUSED("max_age -1", "\"max_age\"");
    LINE_REFUSED("max_age 9223372036854775807", "\"max_age\"");
}


static void
algorithms_are_names_of_the_table(void)
{
    char          err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    LINE_REFUSED("algorithms none", "\"algorithms\" has the value \"none\"");
    LINE_REFUSED("algorithms RS256 None", "allowed is RS256");
    LINE_REFUSED("algorithms rs256", "\"rs256\"");
    LINE_REFUSED("algorithms RS256,ES256", "\"RS256,ES256\"");
    LINE_REFUSED("algorithms HS2567", "HS512 with \"secret_file\"");
    LINE_REFUSED("algorithms ES256K", "\"ES256K\"");

    issuer = fresh();
    CHECK_INT(issuer->algs, PU_ALGS_DEFAULT);
    CHECK(mint_directive(issuer, "algorithms ES256 Ed25519 ES256", err));
    CHECK_INT(issuer->algs, PU_ALG_BIT(PU_ES256) | PU_ALG_BIT(PU_ED25519));
    pu_issuer_free(issuer);
}


static void
other_protocols_tokens_are_no_token_type(void)
{
    LINE_ACCEPTED("token_type at+jwt application/at+jwt JWT absent ID");
    LINE_REFUSED("token_type dpop+jwt", "\"token_type\" has the value");
    LINE_REFUSED("token_type JWT logout+jwt", "\"logout+jwt\"");
    LINE_REFUSED("token_type SecEvent+JWT", "\"SecEvent+JWT\"");
    LINE_REFUSED("token_type application/dpop+jwt", "dpop+jwt");
    LINE_REFUSED("token_type JOSE+JSON", "JOSE+JSON");
}


static void
audience_is_values_or_off(void)
{
    char          err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    LINE_REFUSED("audience off api", "\"off\" alone");
    LINE_REFUSED("audience api off", "\"off\" alone");

    issuer = fresh();
    CHECK(mint_directive(issuer, "audience off", err));
    CHECK(issuer->audience_off && issuer->audience.n == 0);
    pu_issuer_free(issuer);
}


static void
roles_are_role_names(void)
{
    LINE_ACCEPTED("role_map ANY_VALUE admin team:a/b");
    LINE_REFUSED("role_map admins ADMIN", "\"role_map\" has the value "
                 "\"ADMIN\", allowed is a role");
    LINE_REFUSED("role_map admins ok no,no", "\"no,no\"");
    LINE_REFUSED("default_role GET", "\"default_role\"");
}


/* What is wrong with these lines once all are read; empty: nothing. */

static const char *
linked(const char *first, const char *second, size_t *words)
{
    static char  err[PU_ERROR_SIZE];

    pu_issuer_t  *issuer;

    const char *const  lines[] = {
        "issuer https://idp.example.com", "audience api", first, second, NULL
    };

    issuer = mint_issuer_lines(lines);
    issuer->keys = pu_keys_jwks(PU_STR("{\"keys\":[]}"), NULL, NULL, err);
    err[0] = '\0';

    if (pu_issuer_finish(issuer, err)) {
        *words = issuer->link.n;
        CHECK_STR(issuer->link.words[*words - 1], "id");
        err[0] = '\0';
    }

    pu_issuer_free(issuer);

    return err;
}


static void
a_link_needs_provisioned_users(void)
{
    size_t  n;

    LINE_REFUSED("link", "link");
    LINE_REFUSED("link user_name", "link");

    CHECK_SAYS(linked("link email id", "provision known", &n),
               "\"link\" has the value \"email\", allowed are user_name and "
               "external_id");
    CHECK_SAYS(linked("link user_name id", "provision jit", &n),
               "allowed with \"link\" is \"provision known\"");
    CHECK_SAYS(linked("link user_name id", "leeway 1s", &n),
               "allowed with \"link\" is \"provision known\"");

    CHECK_INT(linked("link user_name id", "provision known", &n)[0], 0);
    CHECK_INT(n, 1);
    CHECK_INT(linked("link external_id ext id", "provision known", &n)[0], 0);
    CHECK_INT(n, 2);
}


static void
provision_is_jit_or_known(void)
{
    char          err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    LINE_REFUSED("provision on", "\"provision\" has the value \"on\", "
                 "allowed is jit or known");

    issuer = fresh();
    CHECK(issuer->jit);
    CHECK(mint_directive(issuer, "provision known", err));
    CHECK(!issuer->jit);
    pu_issuer_free(issuer);
}


static void
a_key_file_is_read_and_named(void)
{
    int           fd;
    char          path[] = "/tmp/pu_issuer_testXXXXXX", line[128], *set;
    char          err[PU_ERROR_SIZE];
    EVP_PKEY     *pkey;
    pu_issuer_t  *issuer;

    LINE_REFUSED("jwks_file /nowhere/jwks.json", "\"jwks_file\"");
    LINE_REFUSED("jwks_file /nowhere/jwks.json", "/nowhere/jwks.json");
    LINE_REFUSED("jwks_file /dev/null", "JSON object");

    pkey = mint_key(PU_ES256);
    set = mint_set(mint_jwk(pkey, NULL), NULL);
    fd = mkstemp(path);
    CHECK(write(fd, set, strlen(set)) == (ssize_t) strlen(set));
    close(fd);

    snprintf(line, sizeof(line), "jwks_file %s", path);
    issuer = fresh();
    CHECK(mint_directive(issuer, line, err));
    CHECK(issuer->keys != NULL && issuer->keys->n == 1);
    CHECK(!mint_directive(issuer, line, err));
    pu_issuer_free(issuer);

    CHECK_INT(pu_issuer_path(PU_STR("jwks_file"), PU_STR("a/b")), 0);
    CHECK_INT(pu_issuer_path(PU_STR("ca_file"), PU_STR("a/b")), 0);
    CHECK_INT(pu_issuer_path(PU_STR("issuer"), PU_STR("a/b")), 3);
    CHECK_INT(pu_issuer_path(PU_STR("nothing"), PU_STR("a/b")), 3);
    CHECK_INT(pu_issuer_path(PU_STR("introspection"), PU_STR("https://a")),
              9);
    CHECK_INT(pu_issuer_path(PU_STR("introspection"),
                             PU_STR("client_secret_file=a/b")), 19);
    CHECK_INT(pu_issuer_path(PU_STR("issuer"),
                             PU_STR("client_secret_file=a/b")), 22);

    unlink(path);
    free(set);
    EVP_PKEY_free(pkey);
}


/* A file of the test with these bytes; "path" is a template of mkstemp. */
static void
write_secret(char *path, const char *text)
{
    int  fd;

    fd = mkstemp(path);
    CHECK(write(fd, text, strlen(text)) == (ssize_t) strlen(text));
    close(fd);
}


static void
whom_to_ask_needs_a_url_a_client_and_its_secret(void)
{
    char          good[] = "/tmp/pu_issuer_testXXXXXX";
    char          bad[] = "/tmp/pu_issuer_testXXXXXX";
    char          line[256], err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    LINE_REFUSED("introspection", "has 0 values, needed are at least 1");
    LINE_REFUSED("introspection https://a", "has no \"client_id=\"");
    LINE_REFUSED("introspection https://a client_id=b",
                 "has no \"client_secret_file=\"");
    LINE_REFUSED("introspection https://a client_secret_file=b",
                 "has no \"client_id=\"");
    LINE_REFUSED("introspection https://a client_id=", "\"client_id=\", all");
    LINE_REFUSED("introspection https://a client_id=a client_id=b",
                 "\"client_id=b\", allowed is a url, client_id= and");
    LINE_REFUSED("introspection https://a client_secret=b",
                 "\"client_secret=b\"");
    LINE_REFUSED("introspection https://a client_id=b "
                 "client_secret_file=/nowhere/s", "/nowhere/s");
    LINE_REFUSED("introspection http://a client_id=b "
                 "client_secret_file=/dev/null", "an https url");
    LINE_REFUSED("introspection https://a client_id=b "
                 "client_secret_file=/dev/null", "is empty");

    write_secret(bad, "one\ntwo\n");
    snprintf(line, sizeof(line), "introspection https://a client_id=b "
             "client_secret_file=%s", bad);
    LINE_REFUSED(line, "no text of one line");
    unlink(bad);

    write_secret(good, "s:c/t\r\n");
    snprintf(line, sizeof(line), "introspection https://a "
             "client_secret_file=%s client_id=gate", good);
    issuer = fresh();
    CHECK(mint_directive(issuer, line, err));
    CHECK_STR(issuer->introspection, "https://a");
    CHECK_STR(issuer->client_id, "gate");
    CHECK_STR(issuer->authorization, "Basic Z2F0ZTpzJTNBYyUyRnQ=");
    CHECK(!mint_directive(issuer, line, err));
    pu_issuer_free(issuer);
    unlink(good);
}


static void
what_is_required_is_named(void)
{
    char          err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    issuer = fresh();
    CHECK(!pu_issuer_finish(issuer, err));
    CHECK_SAYS(err, "\"main\" has no \"issuer\" directive");

    CHECK(mint_directive(issuer, "issuer https://a", err));
    CHECK(!pu_issuer_finish(issuer, err));
    CHECK_SAYS(err, "has no \"audience\" directive, write \"audience off\"");

    CHECK(mint_directive(issuer, "audience off", err));
    CHECK(mint_directive(issuer, "discovery off", err));
    CHECK(!pu_issuer_finish(issuer, err));
    CHECK_SAYS(err, "has \"discovery off\" and no \"jwks_file\"");
    CHECK_SAYS(err, "\"secret_file\"");
    pu_issuer_free(issuer);
    pu_issuer_free(NULL);
}


static void
defaults_are_filled(void)
{
    EVP_PKEY     *pkey;
    pu_issuer_t  *issuer;

    pkey = mint_key(PU_ES256);
    issuer = mint_issuer(mint_keys(mint_jwk(pkey, NULL), NULL), NULL);

    CHECK_INT(issuer->leeway, 30);
    CHECK_INT(issuer->max_age, 0);
    CHECK_INT(issuer->algs, PU_ALGS_DEFAULT);
    CHECK(issuer->subject.n == 1);
    CHECK_STR(issuer->subject.words[0], "sub");
    CHECK_STR(issuer->role_claim.words[0], "roles");
    CHECK_STR(issuer->audience_claims.items[0], "aud");
    CHECK(issuer->display.n == 0 && issuer->scope_claim.n == 0);
    CHECK(issuer->type_absent && !issuer->id_token && issuer->jit);
    CHECK_INT(issuer->types.n, 2);
    CHECK_STR(issuer->name, "main");

    pu_issuer_free(issuer);
    EVP_PKEY_free(pkey);
}


static void
fingerprint_of(const char *lines, uint8_t out[PU_FINGERPRINT_LEN])
{
    char          err[PU_ERROR_SIZE];
    pu_keys_t    *keys;
    pu_issuer_t  *issuer;

    keys = pu_keys_jwks(PU_STR("{\"keys\":[]}"), NULL, NULL, err);
    issuer = mint_issuer(keys, lines);
    memcpy(out, issuer->fingerprint, PU_FINGERPRINT_LEN);
    pu_issuer_free(issuer);
}


/* Every line gives another fingerprint than every other. */
static void
each_setting_changes_the_fingerprint(void)
{
    size_t   i, j;
    uint8_t  prints[32][PU_FINGERPRINT_LEN];

    static const char *const  lines[] = {
        "", "issuer https://other.example/", "audience off", "audience api2",
        "audience api api2", "audience apia pi2", "audience_claim client_id",
        "audience_claim aud client_id", "claim a b", "claim a b c",
        "claim a b;claim a c", "claim ab c", "algorithms ES256",
        "token_type JWT", "token_type JWT absent", "token_type ID",
        "subject uid", "subject sub uid", "role_claim groups",
        "role_claim realm roles", "scope_claim scope", "role_map a b",
        "role_map a b c", "role_map a b;role_map a c", "role_map ab c",
        "default_role a", "default_role a b"
    };

    CHECK(sizeof(lines) / sizeof(lines[0]) <= 32);

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        fingerprint_of(lines[i], prints[i]);

        for (j = 0; j < i; j++) {
            unit_check(__FILE__, __LINE__,
                       memcmp(prints[i], prints[j], PU_FINGERPRINT_LEN) != 0,
                       lines[i]);
        }
    }
}


static void
what_no_cached_token_holds_leaves_the_fingerprint(void)
{
    size_t   i;
    uint8_t  print[PU_FINGERPRINT_LEN], same[PU_FINGERPRINT_LEN];

    static const char *const  lines[] = {
        "", "leeway 1s", "max_age 1h", "provision known", "name nick",
        "subject sub", "audience api"
    };

    fingerprint_of("", print);

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        fingerprint_of(lines[i], same);
        CHECK(memcmp(print, same, PU_FINGERPRINT_LEN) == 0);
    }

    fingerprint_of("role_map a b;role_map c d", print);
    fingerprint_of("role_map c d;role_map a b", same);
    CHECK(memcmp(print, same, PU_FINGERPRINT_LEN) == 0);
}


static const unit_test_t  tests[] = {
    UNIT(an_unknown_directive_is_named),
    UNIT(a_decryption_key_is_read_and_judged),
    UNIT(a_second_line_is_a_duplicate_where_one_is_all),
    UNIT(the_number_of_values_is_checked),
    UNIT(an_issuer_url_is_https_or_loopback),
    UNIT_FOR("L13", leeway_is_at_most_300_seconds),
    UNIT(max_age_is_a_time_or_off),
    UNIT(algorithms_are_names_of_the_table),
    UNIT_FOR("H9", other_protocols_tokens_are_no_token_type),
    UNIT(audience_is_values_or_off),
    UNIT(roles_are_role_names),
    UNIT(provision_is_jit_or_known),
    UNIT(a_link_needs_provisioned_users),
    UNIT(a_key_file_is_read_and_named),
    UNIT_FOR("I14", whom_to_ask_needs_a_url_a_client_and_its_secret),
    UNIT(what_is_required_is_named),
    UNIT(defaults_are_filled),
    UNIT(each_setting_changes_the_fingerprint),
    UNIT(what_no_cached_token_holds_leaves_the_fingerprint)
};

UNIT_MAIN(tests)
