/*
 * DPoP proofs: the published ones, and one of our own with one thing wrong at
 * a time; urls that are the same and urls that are not.
 */

#include <openssl/err.h>

#include "mint.h"
#include "pu_dpop.h"
#include "unit.h"


/* RFC 9449 sections 4.1 and 7.1, and the key's thumbprint of section 6.1 */

#define RFC_HEADER                                                            \
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI" \
    "6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOV" \
    "ZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtM" \
    "jU2In19."

static const char  rfc_4_1[] = RFC_HEADER
    "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8"
    "vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ."
    "2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK"
    "70nfbV37xRZT3Lg";

static const char  rfc_7_1[] = RFC_HEADER
    "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9"
    "yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2Mj"
    "YxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFb"
    "yJ9."
    "2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-"
    "jfxSYoMxhAJpLjA";

#define RFC_JKT    "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
#define RFC_TOKEN  "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"


typedef struct {
    EVP_PKEY           *pkey;
    json_t             *jwk;
    uint8_t             token[PU_SHA256_LEN];
    uint8_t             jkt[PU_SHA256_LEN];
    char                ath[PU_DIGEST_TEXT_LEN + 1];
    pu_dpop_request_t   request;
} scene_t;


static void
scene_open(scene_t *scene)
{
    char        err[PU_ERROR_SIZE];
    pu_str_t    token;
    pu_keys_t  *keys;

    memset(scene, 0, sizeof(scene_t));

    scene->pkey = mint_key(PU_ES256);
    scene->jwk = mint_jwk(scene->pkey, NULL);
    keys = mint_keys(json_incref(scene->jwk), NULL);
    memcpy(scene->jkt, keys->keys[0].thumbprint, PU_SHA256_LEN);
    pu_keys_free(keys);
    (void) err;

    token = PU_STR("a-token");
    pu_sha256(scene->token, &token, 1);
    pu_base64url_encode(scene->ath, scene->token, PU_SHA256_LEN);

    scene->request = (pu_dpop_request_t) {
        PU_STR("GET"), PU_STR("https"), PU_STR("api.example"), 443, 443,
        PU_STR("/a/b"), scene->token, scene->jkt, MINT_NOW
    };
}


static void
scene_close(scene_t *scene)
{
    EVP_PKEY_free(scene->pkey);
    json_decref(scene->jwk);
}


/* Exactly as long as the text: the sanitizer sees a step too far. */
static pu_dpop_t
check(const scene_t *scene, const char *text, uint8_t id[PU_SHA256_LEN])
{
    uint8_t    *copy, other[PU_SHA256_LEN];
    int64_t     iat;
    pu_str_t    s;
    pu_dpop_t   result;

    s = pu_str(text);
    copy = malloc(s.len + (s.len == 0));
    memcpy(copy, s.data, s.len);
    s.data = copy;

    result = pu_dpop_check(s, &scene->request, (id == NULL) ? other : id, &iat);
    CHECK(result != PU_DPOP_OK || llabs(iat - scene->request.now) <= 60);
    free(copy);
    CHECK(ERR_peek_error() == 0);

    return result;
}


/* A proof of the scene's key; "jwk" NULL is the right one. */
static char *
proof(const scene_t *scene, const char *head, const char *jwk,
    const char *claims)
{
    char  header[2048], payload[1024], *own, *text;

    own = json_dumps(scene->jwk, 0);
    snprintf(header, sizeof(header), "{%s,\"jwk\":%s}", head,
             (jwk == NULL) ? own : jwk);
    snprintf(payload, sizeof(payload), "{%s\"ath\":\"%s\"}", claims,
             scene->ath);
    text = mint_token(scene->pkey, PU_ES256, header, payload);
    free(own);

    return text;
}


#define HEAD    "\"typ\":\"dpop+jwt\",\"alg\":\"ES256\""
#define HTU     "\"htu\":\"https://api.example/a/b\","
#define CLAIMS  "\"jti\":\"1\",\"htm\":\"GET\"," HTU "\"iat\":1700000000,"


static pu_dpop_t
claims_give(const scene_t *scene, const char *claims)
{
    char       *text;
    pu_dpop_t   result;

    text = proof(scene, HEAD, NULL, claims);
    result = check(scene, text, NULL);
    free(text);

    return result;
}


static char *
long_proof(const scene_t *scene, const char *payload)
{
    char  header[2048], *own, *text;

    own = json_dumps(scene->jwk, 0);
    snprintf(header, sizeof(header), "{" HEAD ",\"jwk\":%s}", own);
    text = mint_token(scene->pkey, PU_ES256, header, payload);
    free(own);

    return text;
}


static pu_dpop_t
header_gives(const scene_t *scene, const char *head, const char *jwk)
{
    char       *text;
    pu_dpop_t   result;

    text = proof(scene, head, jwk, CLAIMS);
    result = check(scene, text, NULL);
    free(text);

    return result;
}


static void
the_published_proofs(void)
{
    uint8_t    token[PU_SHA256_LEN], jkt[PU_DIGEST_TEXT_LEN];
    pu_str_t   text;
    scene_t    scene;

    memset(&scene, 0, sizeof(scene));
    text = PU_STR(RFC_TOKEN);
    pu_sha256(token, &text, 1);
    CHECK_INT(pu_base64url_decode(jkt, PU_STR(RFC_JKT)), PU_SHA256_LEN);

    scene.request = (pu_dpop_request_t) {
        PU_STR("GET"), PU_STR("https"), PU_STR("resource.example.org"), 443,
        443, PU_STR("/protectedresource"), token, jkt, 1562262618
    };

    CHECK_INT(check(&scene, rfc_7_1, NULL), PU_DPOP_OK);
    scene.request.now += PU_DPOP_PAST;
    CHECK_INT(check(&scene, rfc_7_1, NULL), PU_DPOP_OK);
    scene.request.now++;
    CHECK_INT(check(&scene, rfc_7_1, NULL), PU_DPOP_INVALID);
    scene.request.now = 1562262618 - PU_DPOP_FUTURE;
    CHECK_INT(check(&scene, rfc_7_1, NULL), PU_DPOP_OK);
    scene.request.now--;
    CHECK_INT(check(&scene, rfc_7_1, NULL), PU_DPOP_INVALID);
    scene.request.now = 1562262618;

    /* for the token endpoint: it has no ath */

    scene.request.method = PU_STR("POST");
    scene.request.host = PU_STR("server.example.com");
    scene.request.path = PU_STR("/token");
    CHECK_INT(check(&scene, rfc_4_1, NULL), PU_DPOP_INVALID);
}


static void
a_proof_is_known_by_key_and_name(void)
{
    char     *text;
    uint8_t   a[PU_SHA256_LEN], b[PU_SHA256_LEN], c[PU_SHA256_LEN];
    scene_t   scene, other;

    scene_open(&scene);
    scene_open(&other);

    text = proof(&scene, HEAD, NULL, CLAIMS);
    CHECK_INT(check(&scene, text, a), PU_DPOP_OK);
    CHECK_INT(check(&other, text, b), PU_DPOP_OTHER_KEY);
    free(text);

    text = proof(&scene, HEAD ",\"kid\":\"x\"", NULL, CLAIMS);
    CHECK_INT(check(&scene, text, b), PU_DPOP_OK);
    CHECK(memcmp(a, b, PU_SHA256_LEN) == 0);
    free(text);

    text = proof(&other, HEAD, NULL, CLAIMS);
    CHECK_INT(check(&other, text, c), PU_DPOP_OK);
    CHECK(memcmp(a, c, PU_SHA256_LEN) != 0);

    /* signed by another than it names, and cut */

    mint_spoil(&text[strlen(text) - 10]);
    CHECK_INT(check(&other, text, NULL), PU_DPOP_INVALID);
    text[strlen(text) - 1] = '\0';
    CHECK_INT(check(&other, text, NULL), PU_DPOP_INVALID);
    CHECK_INT(check(&other, "", NULL), PU_DPOP_INVALID);
    CHECK_INT(check(&other, "a.b", NULL), PU_DPOP_INVALID);
    free(text);

    scene_close(&scene);
    scene_close(&other);
}


static void
every_claim_is_asked_for(void)
{
    size_t   i;
    scene_t  scene;

    static const char *const  good[] = {
        CLAIMS, CLAIMS "\"nonce\":\"n\",\"exp\":1,",
        "\"jti\":\"1\",\"htm\":\"GET\"," HTU "\"iat\":1700000000.75,",
        "\"jti\":\"1\",\"htm\":\"GET\","
        "\"htu\":\"HTTPS://API.example:443/x/../a/%62?q=1#f\","
        "\"iat\":1699999940,"
    };
    static const char *const  bad[] = {
        "", "\"htm\":\"GET\"," HTU "\"iat\":1700000000,",
        "\"jti\":\"1\"," HTU "\"iat\":1700000000,",
        "\"jti\":\"1\",\"htm\":\"GET\",\"iat\":1700000000,",
        "\"jti\":\"1\",\"htm\":\"GET\"," HTU,
        "\"jti\":\"\",\"htm\":\"GET\"," HTU "\"iat\":1700000000,",
        "\"jti\":1,\"htm\":\"GET\"," HTU "\"iat\":1700000000,",
        "\"jti\":\"1\\u0000\",\"htm\":\"GET\"," HTU "\"iat\":1700000000,",
        "\"jti\":\"1\",\"htm\":\"get\"," HTU "\"iat\":1700000000,",
        "\"jti\":\"1\",\"htm\":\"POST\"," HTU "\"iat\":1700000000,",
        "\"jti\":\"1\",\"htm\":[\"GET\"]," HTU "\"iat\":1700000000,",
        "\"jti\":\"1\",\"htm\":\"GET\",\"htu\":\"https://api.example/a\","
        "\"iat\":1700000000,",
        "\"jti\":\"1\",\"htm\":\"GET\"," HTU "\"iat\":\"1700000000\",",
        "\"jti\":\"1\",\"htm\":\"GET\"," HTU "\"iat\":1699999939,",
        "\"jti\":\"1\",\"htm\":\"GET\"," HTU "\"iat\":1700000011,",
        CLAIMS "\"ath\":\"x\","
    };

    scene_open(&scene);

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   claims_give(&scene, good[i]) == PU_DPOP_OK, good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   claims_give(&scene, bad[i]) == PU_DPOP_INVALID, bad[i]);
    }

    scene.token[0] ^= 1;
    CHECK_INT(claims_give(&scene, CLAIMS), PU_DPOP_INVALID);

    scene_close(&scene);
}


/* What has to be remembered, and what has to be read, is bounded. */
static void
a_name_and_a_proof_are_short(void)
{
    char     *text, name[300], claims[1024], payload[6400];
    size_t    n;
    scene_t   scene;

    scene_open(&scene);

    for (n = 255; n <= 256; n++) {
        memset(name, 'j', n);
        name[n] = '\0';
        snprintf(claims, sizeof(claims), "\"jti\":\"%s\",\"htm\":\"GET\","
                 HTU "\"iat\":1700000000,", name);
        CHECK_INT(claims_give(&scene, claims),
                  (n == 255) ? PU_DPOP_OK : PU_DPOP_INVALID);
    }

    /* the payload of a proof may be long, its text not */

    for (n = 5000; n <= 6000; n += 1000) {
        memset(payload, ' ', n);
        snprintf(payload + n, 400, "{" CLAIMS "\"ath\":\"%s\"}", scene.ath);
        text = long_proof(&scene, payload);
        CHECK_INT(strlen(text) <= PU_DPOP_LEN_MAX, n == 5000);
        CHECK_INT(check(&scene, text, NULL),
                  (n == 5000) ? PU_DPOP_OK : PU_DPOP_INVALID);
        free(text);
    }

    scene_close(&scene);
}


static void
every_part_of_the_header_is_asked_for(void)
{
    char     wide[1024];
    size_t   i;
    scene_t  scene;

    static const char *const  heads[] = {
        "\"alg\":\"ES256\"", "\"typ\":\"JWT\",\"alg\":\"ES256\"",
        "\"typ\":1,\"alg\":\"ES256\"", "\"typ\":\"dpop+jwt\"",
        "\"typ\":\"dpop+jwt\",\"alg\":\"none\"",
        "\"typ\":\"dpop+jwt\",\"alg\":\"HS256\"",
        "\"typ\":\"dpop+jwt\",\"alg\":\"RS256\"",
        "\"typ\":\"dpop+jwt\",\"alg\":\"ES384\"",
        HEAD ",\"crit\":[\"x\"]", HEAD ",\"b64\":false"
    };
    static const char *const  jwks[] = {
        "null", "{}", "[]", "\"x\"", "7",
        "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZg\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"A===\",\"y\":\"A===\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{\"kty\":\"RSA\",\"n\":\"A===\",\"e\":\"A===\"}",
        ("{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
         "\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}")
    };

    scene_open(&scene);
    CHECK_INT(header_gives(&scene, HEAD, NULL), PU_DPOP_OK);

    for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   header_gives(&scene, heads[i], NULL) == PU_DPOP_INVALID,
                   heads[i]);
    }

    for (i = 0; i < sizeof(jwks) / sizeof(jwks[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   header_gives(&scene, HEAD, jwks[i]) == PU_DPOP_INVALID,
                   jwks[i]);
    }

    /* a private key is no public one, and one for something else is none */

    json_object_set_new(scene.jwk, "d", json_string("AQAB"));
    CHECK_INT(header_gives(&scene, HEAD, NULL), PU_DPOP_INVALID);
    json_object_del(scene.jwk, "d");
    json_object_set_new(scene.jwk, "use", json_string("enc"));
    CHECK_INT(header_gives(&scene, HEAD, NULL), PU_DPOP_INVALID);
    json_object_del(scene.jwk, "use");

    memset(wide, 'x', sizeof(wide) - 1);
    wide[sizeof(wide) - 1] = '\0';
    memcpy(wide, HEAD ",\"x\":\"", sizeof(HEAD ",\"x\":\"") - 1);
    wide[900] = '"';
    wide[901] = '\0';
    CHECK_INT(header_gives(&scene, wide, NULL), PU_DPOP_OK);

    scene_close(&scene);
}


static void
urls_that_are_the_same(void)
{
    size_t   i;
    scene_t  scene;

    static const struct {
        const char  *url;
        const char  *path;
        int          same;
    } urls[] = {
        { "https://api.example/", "/", 1 },
        { "https://api.example", "/", 1 },
        { "https://api.example?x", "/", 1 },
        { "https://api.example#x", "/", 1 },
        { "https://api.example:/a", "/a", 1 },
        { "https://api.example:443/a", "/a", 1 },
        { "https://api.example:0443/a", "/a", 1 },
        { "https://api.example:8443/a", "/a", 0 },
        { "https://api.example:44x/a", "/a", 0 },
        { "https://api.example:-443/a", "/a", 0 },
        { "https://API.EXAMPLE/a", "/a", 1 },
        { "https://api.example./a", "/a", 0 },
        { "https://x.api.example/a", "/a", 0 },
        { "https://user@api.example/a", "/a", 0 },
        { "https://api.example@evil/a", "/a", 0 },
        { "https://evil/api.example/a", "/a", 0 },
        { "https://api.example\\a", "/a", 0 },
        { "http://api.example/a", "/a", 0 },
        { "httpx://api.example/a", "/a", 0 },
        { "https:/api.example/a", "/a", 0 },
        { "//api.example/a", "/a", 0 },
        { "/a", "/a", 0 },
        { "", "/a", 0 },
        { "https://", "/", 0 },
        { "https:///a", "/a", 0 },
        { "https://api.example/a/", "/a", 0 },
        { "https://api.example/A", "/a", 0 },
        { "https://api.example/a//b", "/a/b", 0 },
        { "https://api.example/%61", "/a", 1 },
        { "https://api.example/%7ea", "/~a", 1 },
        { "https://api.example/%2fa", "/%2Fa", 1 },
        { "https://api.example/%2fa", "//a", 0 },
        { "https://api.example/a%", "/a%", 0 },
        { "https://api.example/a%6", "/a%6", 0 },
        { "https://api.example/a%zz", "/a%zz", 0 },
        { "https://api.example/./a", "/a", 1 },
        { "https://api.example/b/../a", "/a", 1 },
        { "https://api.example/b/%2e%2e/a", "/a", 1 },
        { "https://api.example/../../a", "/a", 1 },
        { "https://api.example/a/.", "/a/", 1 },
        { "https://api.example/a/b/..", "/a/", 1 },
        { "https://api.example/a/..", "/", 1 },
        { "https://api.example/a", "/x/../a", 1 },
        { "https://api.example/a?x=/../b", "/a", 1 },
        { "https://api.example/a\r\n", "/a", 0 },
        { "https://api.example/a", "*", 0 }
    };

    scene_open(&scene);

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        scene.request.path = pu_str(urls[i].path);
        unit_check(__FILE__, __LINE__,
                   pu_dpop_url(pu_str(urls[i].url), &scene.request)
                   == urls[i].same, urls[i].url);
    }

    scene.request.host = PU_STR("[::1]");
    scene.request.scheme = PU_STR("http");
    scene.request.port = 80;
    scene.request.local = 8080;
    scene.request.path = PU_STR("/");
    CHECK(pu_dpop_url(PU_STR("http://[::1]/"), &scene.request));
    CHECK(pu_dpop_url(PU_STR("http://[::1]:80"), &scene.request));
    CHECK(pu_dpop_url(PU_STR("http://[::1]:8080"), &scene.request));
    CHECK(!pu_dpop_url(PU_STR("http://[::1]:81"), &scene.request));
    CHECK(!pu_dpop_url(PU_STR("http://::1/"), &scene.request));
    CHECK(!pu_dpop_url(PU_STR("https://[::1]/"), &scene.request));

    scene_close(&scene);
}


static const unit_test_t  tests[] = {
    UNIT(the_published_proofs),
    UNIT_FOR("B11", a_proof_is_known_by_key_and_name),
    UNIT_FOR("B6, B7, B8, B9, B10", every_claim_is_asked_for),
    UNIT_FOR("B4, B6", a_name_and_a_proof_are_short),
    UNIT_FOR("B4, B5", every_part_of_the_header_is_asked_for),
    UNIT_FOR("B8", urls_that_are_the_same)
};

UNIT_MAIN(tests)
