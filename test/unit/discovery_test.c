/*
 * The discovery document: whose it is, where the keys are, and what of it is
 * not believed.
 */

#include "pu_discovery.h"
#include "unit.h"


#define ISSUER  "https://idp.example"


static void
the_address_is_the_issuers_url_and_a_known_path(void)
{
    size_t    i;
    char      room[256];
    pu_buf_t  b;

    static const char *const  urls[][2] = {
        { "https://a", "https://a/.well-known/openid-configuration" },
        { "https://a/", "https://a/.well-known/openid-configuration" },
        { "https://a/b", "https://a/b/.well-known/openid-configuration" },
        { "https://a/b/", "https://a/b/.well-known/openid-configuration" },
        { "https://a/b//", "https://a/b//.well-known/openid-configuration" }
    };

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        pu_buf_init(&b, room, sizeof(room));
        pu_discovery_url(&b, pu_str(urls[i][0]));
        CHECK_STR(pu_buf_written(&b), urls[i][1]);
    }
}


static int
reads(const char *text, char err[PU_ERROR_SIZE], char uri[64])
{
    int       ok;
    pu_buf_t  b;
    pu_str_t  written;

    pu_buf_init(&b, uri, 63);
    err[0] = '\0';
    ok = pu_discovery_read(pu_str(text), PU_STR(ISSUER), &b, err);

    written = pu_buf_written(&b);
    uri[written.len] = '\0';

    return ok;
}


static void
a_document_of_ours_says_where_the_keys_are(void)
{
    size_t  i;
    char    uri[64], err[PU_ERROR_SIZE];

    static const char *const  documents[][2] = {
        { "{\"issuer\":\"https://idp.example\","
          "\"jwks_uri\":\"https://idp.example/jwks\"}",
          "https://idp.example/jwks" },
        { "{\"a\":[{}],\"jwks_uri\":\"https:\\/\\/keys.example\\/k?x=1\","
          "\"issuer\":\"https:\\u002f/idp.example\"}",
          "https://keys.example/k?x=1" },
        { "{\"issuer\":\"https://idp.example\","
          "\"jwks_uri\":\"http://127.0.0.1:9/jwks\"}",
          "http://127.0.0.1:9/jwks" }
    };

    for (i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        CHECK(reads(documents[i][0], err, uri));
        CHECK_STR(pu_str(uri), documents[i][1]);
        CHECK_STR(pu_str(err), "");
    }
}


static void
another_document_is_refused(void)
{
    size_t  i;
    char    uri[64], err[PU_ERROR_SIZE];

    static const char *const  documents[][2] = {
        { "", "no JSON object" },
        { "[]", "no JSON object" },
        { "{", "no JSON object" },
        { "{} x", "no JSON object" },
        { "<html>", "no JSON object" },
        { "{}", "no \"issuer\"" },
        { "{\"jwks_uri\":\"https://idp.example/jwks\"}", "no \"issuer\"" },
        { "{\"issuer\":[\"https://idp.example\"]}", "no \"issuer\"" },
        { "{\"issuer\":\"https://idp.example/\"}",
          "the issuer \"https://idp.example/\", which is another one" },
        { "{\"issuer\":\"https://IDP.example\"}", "another one" },
        { "{\"issuer\":\"https://idp.exampl\"}", "another one" },
        { "{\"issuer\":\"a\\n[alert] b\\\"\\u00e9\"}",
          "\"a?[alert]?b???\", which" },
        { "{\"issuer\":\"https://idp.example\\u0000\"}", "another one" },
        { "{\"issuer\":\"https://a\",\"issuer\":\"https://idp.example\"}",
          "no JSON object" },
        { "{\"issuer\":\"https://idp.example\"}", "no \"jwks_uri\"" },
        { "{\"issuer\":\"https://idp.example\",\"jwks_uri\":1}",
          "no \"jwks_uri\"" },
        { "{\"issuer\":\"https://idp.example\",\"jwks_uri\":\"/jwks\"}",
          "no \"jwks_uri\"" },
        { "{\"issuer\":\"https://idp.example\","
          "\"jwks_uri\":\"http://idp.example/jwks\"}", "no \"jwks_uri\"" },
        { "{\"issuer\":\"https://idp.example\","
          "\"jwks_uri\":\"file:///etc/passwd\"}", "no \"jwks_uri\"" },
        { "{\"issuer\":\"https://idp.example\","
          "\"jwks_uri\":\"https://a@b/jwks\"}", "no \"jwks_uri\"" },
        { "{\"issuer\":\"https://idp.example\","
          "\"jwks_uri\":\"https://a/\\u0000\"}", "no \"jwks_uri\"" },
        { "{\"issuer\":\"https://idp.example\","
          "\"jwks_uri\":\"https://a/\\r\\nX: y\"}", "no \"jwks_uri\"" },
        { "{\"issuer\":\"https://idp.example\",\"jwks_uri\":\"https://a/"
          "0123456789012345678901234567890123456789012345678901234567890\"}",
          "too long" }
    };

    for (i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        CHECK(!reads(documents[i][0], err, uri));
        CHECK_SAYS(err, documents[i][1]);
    }
}


static void
no_document_is_larger_than_a_key_set(void)
{
    char      uri[64], err[PU_ERROR_SIZE], *text;
    size_t    len;
    pu_buf_t  b;

    static const char  start[] = "{\"issuer\":\"https://idp.example\","
                                 "\"jwks_uri\":\"https://a\",\"x\":\"";

    text = malloc(300 * 1024);
    memset(text, 'x', 300 * 1024);
    memcpy(text, start, sizeof(start) - 1);

    for (len = 256 * 1024; len <= 256 * 1024 + 1; len++) {
        memset(text + sizeof(start) - 1, 'x', len - sizeof(start) + 1);
        text[len - 2] = '"';
        text[len - 1] = '}';

        pu_buf_init(&b, uri, sizeof(uri));
        CHECK_INT(pu_discovery_read((pu_str_t) { len, (uint8_t *) text },
                                    PU_STR(ISSUER), &b, err),
                  len == 256 * 1024);
    }

    free(text);
}


static const unit_test_t  tests[] = {
    UNIT(the_address_is_the_issuers_url_and_a_known_path),
    UNIT(a_document_of_ours_says_where_the_keys_are),
    UNIT(another_document_is_refused),
    UNIT(no_document_is_larger_than_a_key_set)
};


UNIT_MAIN(tests)
