/*
 * Tokens whose form or header is wrong, each rightly signed where it can be.
 */

#include "pu_token_own.h"
#include "unit.h"
#include "world.h"


/* The token with one of its parts left out, doubled or emptied. */
static void
three_parts_and_none_empty(void)
{
    size_t     i;
    char      *text, changed[1024], *head, *body, *sign, *rest;
    world_t    world;

    static const char *const  forms[] = {
        "", ".", "..", "...", "%s", "%s.", "%s.%s", "%s.%s.", ".%s.%s",
        "%s..%s", "..%s", "%s.%s.%s.", ".%s.%s.%s", "%s.%s..%s",
        "%s.%s.%s.%s"
    };

    world_open(&world, NULL);
    text = mint_token(world.pkey, PU_ES256, NULL, MINT_CLAIMS);
    CHECK_INT(world_verify(world.issuer, text), PU_OK);

    rest = strdup(text);
    head = strtok(rest, ".");
    body = strtok(NULL, ".");
    sign = strtok(NULL, ".");

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
        snprintf(changed, sizeof(changed), forms[i], head, body, sign, head);
#pragma GCC diagnostic pop
        unit_check(__FILE__, __LINE__,
                   world_verify(world.issuer, changed) == PU_TOKEN_MALFORMED,
                   forms[i]);
    }

    free(rest);
    free(text);
    world_close(&world);
}


static void
a_text_over_16_kib_is_too_large(void)
{
    char      *text;
    size_t     len;
    world_t    world;
    pu_str_t   whole;

    world_open(&world, NULL);
    text = malloc(PU_TOKEN_LEN_MAX + 1);

    memset(text, '.', PU_TOKEN_LEN_MAX + 1);
    whole = (pu_str_t) { PU_TOKEN_LEN_MAX + 1, (uint8_t *) text };
    CHECK_INT(world_verify_bytes(world.issuer, whole), PU_TOKEN_TOO_LARGE);
    whole.len--;
    CHECK_INT(world_verify_bytes(world.issuer, whole), PU_TOKEN_MALFORMED);

    /* a signature too long for any key, in a token of allowed length */

    len = (size_t) snprintf(text, 64, "eyJhbGciOiJFUzI1NiJ9.e30.");
    memset(text + len, 'A', PU_TOKEN_LEN_MAX - len);
    len += (PU_TOKEN_LEN_MAX - len) / 4 * 4;
    CHECK_INT(world_verify_bytes(world.issuer,
                                 (pu_str_t) { len, (uint8_t *) text }),
              PU_TOKEN_SIGNATURE);

    free(text);
    world_close(&world);
}


static void
a_token_of_16_kib_is_accepted(void)
{
    char      *payload, *text;
    size_t     len;
    world_t    world;

    world_open(&world, NULL);

    len = (PU_TOKEN_LEN_MAX - 21 - 87 - 3) / 4 * 3;
    payload = malloc(len + 1);
    memset(payload, ' ', len);
    memcpy(payload + len - strlen(MINT_CLAIMS), MINT_CLAIMS,
           strlen(MINT_CLAIMS) + 1);

    text = mint_token(world.pkey, PU_ES256, NULL, payload);
    CHECK(strlen(text) <= PU_TOKEN_LEN_MAX);
    CHECK(strlen(text) > PU_TOKEN_LEN_MAX - 8);
    CHECK_INT(world_verify(world.issuer, text), PU_OK);

    free(text);
    free(payload);
    world_close(&world);
}


static void
an_encrypted_token_is_malformed_without_a_key_for_it(void)
{
    world_t  world;

    world_open(&world, NULL);

    /* {"alg":"dir","enc":"A256GCM"}: five parts, the second empty */

    CHECK_INT(world_verify(world.issuer, "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0N"
                           "NIn0..AAAAAAAAAAAAAAAA.AAAA."
                           "AAAAAAAAAAAAAAAAAAAAAA"), PU_TOKEN_MALFORMED);
    CHECK_INT(world_verify(world.issuer, "e30.AAAA.AAAA.AAAA.AAAA"),
              PU_TOKEN_MALFORMED);
    CHECK_INT(world_verify(world.issuer, "2YotnFZFEjr1zCsicMWpAA"),
              PU_TOKEN_MALFORMED);
    world_close(&world);
}


/* Each other byte, in each part. */
static void
a_byte_outside_the_alphabet_is_malformed(void)
{
    int        c;
    char      *text;
    size_t     len, place, i;
    uint8_t    kept;
    world_t    world;

    world_open(&world, NULL);
    text = mint_token(world.pkey, PU_ES256, NULL, MINT_CLAIMS);
    len = strlen(text);

    const size_t  places[] = { 3, strcspn(text, ".") + 6, len - 6 };

    for (i = 0; i < 3; i++) {
        place = places[i];
        kept = (uint8_t) text[place];

        for (c = 0; c < 256; c++) {
            if (c == '.' || c == '-' || c == '_'
                || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
                || (c >= 'a' && c <= 'z'))
            {
                continue;
            }

            text[place] = (char) c;
            CHECK_INT(world_verify_bytes(world.issuer,
                                         (pu_str_t) { len, (uint8_t *) text }),
                      PU_TOKEN_MALFORMED);
        }

        text[place] = (char) kept;
    }

    CHECK_INT(world_verify_bytes(world.issuer, (pu_str_t) { len + 1,
                                                      (uint8_t *) text }),
              PU_TOKEN_MALFORMED);
    free(text);

    CHECK_INT(world_verify(world.issuer, "{\"payload\":\"e30\",\"signatures\":"
                           "[]}"), PU_TOKEN_MALFORMED);
    world_close(&world);
}


static void
padding_and_stray_bits_are_malformed(void)
{
    char     *text, changed[1024];
    size_t    len;
    world_t   world;

    world_open(&world, NULL);
    text = mint_token(world.pkey, PU_ES256, NULL, MINT_CLAIMS);
    len = strlen(text);

    snprintf(changed, sizeof(changed), "%s==", text);
    CHECK_INT(world_verify(world.issuer, changed), PU_TOKEN_MALFORMED);
    snprintf(changed, sizeof(changed), "%s\n", text);
    CHECK_INT(world_verify(world.issuer, changed), PU_TOKEN_MALFORMED);
    snprintf(changed, sizeof(changed), " %s", text);
    CHECK_INT(world_verify(world.issuer, changed), PU_TOKEN_MALFORMED);
    snprintf(changed, sizeof(changed), "%sAAA", text);
    CHECK_INT(world_verify(world.issuer, changed), PU_TOKEN_MALFORMED);

    /* 64 bytes end in a character that has only two bits: A, Q, g or w */

    CHECK(strchr("AQgw", text[len - 1]) != NULL);
    text[len - 1]++;
    CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_MALFORMED);

    free(text);
    world_close(&world);
}


static void
a_header_is_a_strict_json_object(void)
{
    size_t    i;
    world_t   world;

    static const char *const  wrong[] = {
        "[]", "null", "\"ES256\"", "{", "{\"alg\":\"ES256\"} x",
        "{\"alg\":\"ES256\"}{}", "{\"alg\":\"ES256\",}",
        "\xef\xbb\xbf{\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\"}",
        "{\"alg\":\"none\",\"alg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\"}",
        "{\"alg\":\"ES256\",\"x\":{\"a\":1,\"a\":1}}",
        "{\"alg\":\"ES256\",\"x\":\"\xff\"}",
        "{\"alg\":\"ES256\",\"x\\u0000\":1}",
        "{'alg':'ES256'}", "{alg:ES256}"
    };

    world_open(&world, NULL);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   world_header(&world, wrong[i]) == PU_TOKEN_MALFORMED,
                   wrong[i]);
    }

    CHECK_INT(world_header_bytes(&world, PU_STR("{\"alg\":\"ES256\"}\0")),
              PU_TOKEN_MALFORMED);
    CHECK_INT(world_header(&world, " {\"alg\" : \"ES256\"}\n"), PU_OK);
    world_close(&world);
}


/* {"alg":"ES256", and "fill" spaces} */
static char *
header_of_size(size_t size)
{
    char  *header;

    header = malloc(size + 1);
    memset(header, ' ', size);
    memcpy(header, "{\"alg\":\"ES256\"", 14);
    header[size - 1] = '}';
    header[size] = '\0';

    return header;
}


static void
a_header_has_at_most_2_kib(void)
{
    char     *header;
    world_t   world;

    world_open(&world, NULL);

    header = header_of_size(2048);
    CHECK_INT(world_header(&world, header), PU_OK);
    free(header);

    header = header_of_size(2049);
    CHECK_INT(world_header(&world, header), PU_TOKEN_MALFORMED);
    free(header);

    header = header_of_size(4096);
    CHECK_INT(world_header(&world, header), PU_TOKEN_MALFORMED);
    free(header);
    world_close(&world);
}


static void
a_header_nests_8_deep_and_has_32_members(void)
{
    int       n;
    char      header[1024];
    size_t    len;
    world_t   world;

    world_open(&world, NULL);

    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\",\"x\":[[[[[[[]]]]]]]}"),
              PU_OK);
    CHECK_INT(world_header(&world,
                           "{\"alg\":\"ES256\",\"x\":[[[[[[[[]]]]]]]]}"),
              PU_TOKEN_MALFORMED);

    for (n = 31; n <= 32; n++) {
        len = (size_t) snprintf(header, sizeof(header), "{\"alg\":\"ES256\"");

        for (int i = 0; i < n; i++) {
            len += (size_t) snprintf(header + len, sizeof(header) - len,
                                     ",\"m%d\":1", i);
        }

        snprintf(header + len, sizeof(header) - len, "}");
        CHECK_INT(world_header(&world, header),
                  (n == 31) ? PU_OK : PU_TOKEN_MALFORMED);
    }

    world_close(&world);
}


static void
an_algorithm_is_a_known_name_byte_for_byte(void)
{
    size_t    i;
    world_t   world;

    static const char *const  wrong[] = {
        "{}", "{\"typ\":\"JWT\"}", "{\"alg\":null}", "{\"alg\":256}",
        "{\"alg\":[\"ES256\"]}", "{\"alg\":{\"a\":1}}", "{\"alg\":true}",
        "{\"alg\":\"\"}", "{\"alg\":\"es256\"}", "{\"alg\":\"ES256 \"}",
        "{\"alg\":\" ES256\"}", "{\"alg\":\"ES256\\u0000\"}",
        "{\"alg\":\"ES2567\"}", "{\"alg\":\"ES25\"}", "{\"ALG\":\"ES256\"}",
        "{\"alg\":\"HS999\"}", "{\"alg\":\"ES256K\"}", "{\"alg\":\"dir\"}",
        "{\"alg\":\"RSA-OAEP\"}"
    };

    world_open(&world, NULL);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   world_header(&world, wrong[i]) == PU_TOKEN_ALGORITHM,
                   wrong[i]);
    }

    CHECK_INT(world_header(&world, "{\"\\u0061lg\":\"\\u0045S256\"}"), PU_OK);
    world_close(&world);
}


static void
none_is_no_algorithm_however_it_is_written(void)
{
    size_t    i;
    char     *text, header[64];
    world_t   world;

    static const char *const  names[] = {
        "none", "None", "NONE", "nOnE", "none "
    };

    world_open(&world, NULL);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
        CHECK_INT(world_header(&world, header), PU_TOKEN_ALGORITHM);

        text = mint_token_raw(pu_str(header), PU_STR(MINT_CLAIMS),
                              PU_STR(""));
        CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_MALFORMED);
        free(text);

        text = mint_token_raw(pu_str(header), PU_STR(MINT_CLAIMS),
                              PU_STR("x"));
        CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_ALGORITHM);
        free(text);
    }

    world_close(&world);
}


static void
a_critical_extension_is_refused_whatever_it_says(void)
{
    size_t    i;
    char      header[128];
    world_t   world;

    static const char *const  values[] = {
        "[]", "[\"b64\"]", "[\"exp\"]", "[\"alg\",\"alg\"]", "null", "false",
        "\"\"", "{}", "0", "[\"http://example.com/UNDEFINED\"]"
    };

    world_open(&world, NULL);

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"crit\":%s}",
                 values[i]);
        CHECK_INT(world_header(&world, header), PU_TOKEN_CRITICAL);
    }

    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\",\"exp\":1,\"crit\":"
                           "[\"exp\"]}"), PU_TOKEN_CRITICAL);
    world_close(&world);
}


/*
 * They ask for what this build does not do, as crit would, and so they get
 * crit's word.
 */
static void
b64_zip_and_enc_are_extensions(void)
{
    size_t    i;
    world_t   world;

    static const char *const  headers[] = {
        "{\"alg\":\"ES256\",\"b64\":false}",
        "{\"alg\":\"ES256\",\"b64\":true}",
        "{\"alg\":\"ES256\",\"b64\":null}",
        "{\"alg\":\"ES256\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"ES256\",\"zip\":\"DEF\"}",
        "{\"alg\":\"ES256\",\"zip\":\"\"}",
        "{\"alg\":\"ES256\",\"enc\":\"A256GCM\"}",
        "{\"alg\":\"ES256\",\"enc\":null}",
        "{\"alg\":\"ES256\",\"\\u0065nc\":\"A128GCM\"}"
    };

    world_open(&world, NULL);

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   world_header(&world, headers[i]) == PU_TOKEN_CRITICAL,
                   headers[i]);
    }

    world_close(&world);
}


/* CVE-2018-0114: a key that the token brings along is nobody's key. */
static void
keys_in_the_header_are_never_used(void)
{
    char      *jwk, *text, header[1024];
    json_t    *json;
    world_t    world, evil;

    world_open(&world, NULL);
    world_open(&evil, NULL);

    json = mint_jwk(evil.pkey, "{\"kid\":\"k1\"}");
    jwk = json_dumps(json, JSON_COMPACT);
    json_decref(json);

    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"k1\","
             "\"jwk\":%s,\"jku\":\"https://evil.example/jwks\","
             "\"x5u\":\"file:///etc/passwd\",\"x5c\":[\"MIIB\"]}", jwk);

    text = mint_token(evil.pkey, PU_ES256, header, MINT_CLAIMS);
    CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_SIGNATURE);
    CHECK_INT(world_verify(evil.issuer, text), PU_OK);
    free(text);

    /* they are there in real tokens, and ignored */

    CHECK_INT(world_header(&world, header), PU_OK);

    free(jwk);
    world_close(&world);
    world_close(&evil);
}


static void
a_kid_is_a_short_text_that_only_compares(void)
{
    size_t    i;
    char      header[600], kid[258];
    world_t   world;

    static const char *const  wrong[] = {
        "1", "null", "[\"k1\"]", "{}", "true", "\"k1\\u0000\"",
        "\"\\u0001\"", "\"k\\n1\"", "\"\\u007f\""
    };
    static const char *const  unknown[] = {
        "", "k", "k2", "K1", "k11", " k1", "../../k1", "k1' OR '1'='1", "*",
        "/dev/null"
    };

    world_open(&world, NULL);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":%s}",
                 wrong[i]);
        unit_check(__FILE__, __LINE__,
                   world_header(&world, header) == PU_TOKEN_MALFORMED,
                   header);
    }

    for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}",
                 unknown[i]);
        unit_check(__FILE__, __LINE__,
                   world_header(&world, header) == PU_TOKEN_KEY_UNKNOWN,
                   header);
    }

    memset(kid, 'k', sizeof(kid));
    kid[256] = '\0';
    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}",
             kid);
    CHECK_INT(world_header(&world, header), PU_TOKEN_KEY_UNKNOWN);
    kid[256] = 'k';
    kid[257] = '\0';
    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"%s\"}",
             kid);
    CHECK_INT(world_header(&world, header), PU_TOKEN_MALFORMED);

    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\",\"kid\":\"\\u006b1\"}"),
              PU_OK);
    world_close(&world);
}


static pu_reason_t
with_typ(const world_t *world, const char *typ)
{
    char  header[128];

    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":%s}", typ);

    return world_header(world, header);
}


static void
the_default_types_are_absent_jwt_and_at_jwt(void)
{
    size_t    i;
    world_t   world;

    static const char *const  right[] = {
        "\"JWT\"", "\"jwt\"", "\"at+jwt\"", "\"AT+JWT\"",
        "\"application/at+jwt\"", "\"Application/JWT\""
    };
    static const char *const  wrong[] = {
        "\"\"", "\"JOSE\"", "\"JWS\"", "\"application/\"", "\"text/JWT\"",
        "\"application/application/JWT\"", "\"JWT \"", "\"JWT\\u0000\"",
        "\"at+jwt2\"", "1", "null", "[\"JWT\"]", "true", "{}",
        "\"dpop+jwt\"", "\"logout+jwt\"", "\"secevent+jwt\"",
        "\"JOSE+JSON\"", "\"application/dpop+jwt\"", "\"DPoP+JWT\"",
        "\"ID\"", "\"absent\"", "\"global-token-revocation+jwt\""
    };

    world_open(&world, NULL);
    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\"}"), PU_OK);

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        CHECK_INT(with_typ(&world, right[i]), PU_OK);
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   with_typ(&world, wrong[i]) == PU_TOKEN_TYPE, wrong[i]);
    }

    world_close(&world);
}


static void
token_type_replaces_the_default_types(void)
{
    world_t  world;

    world_open(&world, "token_type application/at+jwt x+jwt");
    CHECK_INT(with_typ(&world, "\"at+jwt\""), PU_OK);
    CHECK_INT(with_typ(&world, "\"application/X+jwt\""), PU_OK);
    CHECK_INT(with_typ(&world, "\"JWT\""), PU_TOKEN_TYPE);
    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\"}"), PU_TOKEN_TYPE);
    world_close(&world);

    world_open(&world, "token_type absent");
    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\"}"), PU_OK);
    CHECK_INT(with_typ(&world, "\"JWT\""), PU_TOKEN_TYPE);
    CHECK_INT(with_typ(&world, "\"absent\""), PU_TOKEN_TYPE);
    world_close(&world);

    world_open(&world, "token_type ID");
    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\"}"), PU_OK);
    CHECK_INT(with_typ(&world, "\"JWT\""), PU_OK);
    CHECK_INT(with_typ(&world, "\"ID\""), PU_TOKEN_TYPE);
    world_close(&world);
}


/* RFC 7515 section 4.1.9: what is before a subtype may be left out. */
static void
a_type_is_compared_without_application(void)
{
    CHECK_STR(pu_type_bare(PU_STR("application/at+jwt")), "at+jwt");
    CHECK_STR(pu_type_bare(PU_STR("APPLICATION/x")), "x");
    CHECK_STR(pu_type_bare(PU_STR("application/")), "application/");
    CHECK_STR(pu_type_bare(PU_STR("text/application/x")),
              "text/application/x");
    CHECK_STR(pu_type_bare(PU_STR("")), "");
}


static const unit_test_t  tests[] = {
    UNIT_FOR("C7, C9", three_parts_and_none_empty),
    UNIT_FOR("C7", a_text_over_16_kib_is_too_large),
    UNIT(a_token_of_16_kib_is_accepted),
    UNIT(an_encrypted_token_is_malformed_without_a_key_for_it),
    UNIT_FOR("C8", a_byte_outside_the_alphabet_is_malformed),
    UNIT_FOR("C10", padding_and_stray_bits_are_malformed),
    UNIT_FOR("H1", a_header_is_a_strict_json_object),
    UNIT_FOR("H1", a_header_has_at_most_2_kib),
    UNIT_FOR("H1", a_header_nests_8_deep_and_has_32_members),
    UNIT_FOR("H2", an_algorithm_is_a_known_name_byte_for_byte),
    UNIT_FOR("H3", none_is_no_algorithm_however_it_is_written),
    UNIT_FOR("H4", a_critical_extension_is_refused_whatever_it_says),
    UNIT_FOR("H5, H6, H10", b64_zip_and_enc_are_extensions),
    UNIT_FOR("H7", keys_in_the_header_are_never_used),
    UNIT_FOR("H8", a_kid_is_a_short_text_that_only_compares),
    UNIT_FOR("H9", the_default_types_are_absent_jwt_and_at_jwt),
    UNIT_FOR("H9", token_type_replaces_the_default_types),
    UNIT(a_type_is_compared_without_application)
};

UNIT_MAIN(tests)
