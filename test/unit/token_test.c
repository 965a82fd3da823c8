/*
 * Tokens as a whole: which key, which issuer, which payload.  Form and header
 * are in header_test.c, what claims must say in claims_test.c.
 */

#include <errno.h>

#include "unit.h"
#include "world.h"


static void
a_good_token_says_who_it_is(void)
{
    char                *text;
    world_t              world;
    pu_token_t           token;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];

    world_open(&world, "role_map admins admin;default_role member");
    items[0] = world.issuer;
    issuers = (pu_issuers_t) { 1, items, NULL };

    text = mint_token(world.pkey, PU_ES256,
                      "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}",
                      MINT_WITH("\"iat\":1699999999,\"nbf\":1699999990.5,"
                                "\"scope\":\"write read\",\"roles\":"
                                "[\"admins\"],\"preferred_username\":"
                                "\"Alice A.\",\"azp\":\"web\""));

    CHECK_INT(pu_token_verify(&token, pu_str(text), &issuers, MINT_NOW),
              PU_OK);
    memset(text, '#', strlen(text));
    free(text);

    CHECK(token.issuer == world.issuer);
    CHECK(memcmp(token.verified.issuer, world.issuer->fingerprint,
                 PU_FINGERPRINT_LEN) == 0);
    CHECK(memcmp(token.verified.key, world.issuer->keys->keys[0].mark,
                 PU_KEY_MARK_LEN) == 0);
    CHECK_INT(token.verified.exp, 1700000300);
    CHECK_INT(token.verified.iat, 1699999999);
    CHECK_INT(token.verified.nbf, 1699999990);
    CHECK_STR(token.verified.subject, "alice");
    CHECK_STR(token.verified.roles, "admin member");
    CHECK_STR(token.verified.scopes, "read write");
    CHECK_STR(token.display, "Alice A.");
    CHECK(!token.service);

    pu_token_clear(&token);
    world_close(&world);
}


/* Its name, if it has one, is most of what is kept of it. */
static void
a_long_name_of_a_token_is_kept_whole(void)
{
    char                *text, jti[601], payload[1024];
    world_t              world;
    pu_token_t           token;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];

    world_open(&world, NULL);
    items[0] = world.issuer;
    issuers = (pu_issuers_t) { 1, items, NULL };

    memset(jti, 'j', sizeof(jti) - 1);
    jti[sizeof(jti) - 1] = '\0';
    snprintf(payload, sizeof(payload), MINT_WITH("\"jti\":\"%s\""), jti);
    text = mint_token(world.pkey, PU_ES256, NULL, payload);

    CHECK_INT(pu_token_verify(&token, pu_str(text), &issuers, MINT_NOW),
              PU_OK);
    CHECK(pu_str_is(token.jti, jti));
    CHECK_STR(token.verified.subject, "alice");

    free(text);
    pu_token_clear(&token);
    world_close(&world);
}


/* That memory was short once says nothing of a token that comes later. */
static void
a_bad_token_is_bad_whatever_went_before(void)
{
    world_t  world;

    world_open(&world, NULL);

    errno = ENOMEM;
    CHECK_INT(world_verify(world.issuer, "a.b.c"), PU_TOKEN_MALFORMED);
    errno = ENOMEM;
    CHECK_INT(world_payload(&world, PU_STR("[]")), PU_TOKEN_PAYLOAD);

    world_close(&world);
}


static void
every_algorithm_of_the_default_list_is_accepted(void)
{
    int           alg;
    char         *text;
    EVP_PKEY     *pkey;
    pu_issuer_t  *issuer;

    for (alg = 0; alg < PU_ED25519; alg++) {
        pkey = mint_key((pu_alg_t) alg);
        issuer = mint_issuer(mint_keys(mint_jwk(pkey, NULL), NULL), NULL);
        text = mint_token(pkey, (pu_alg_t) alg, NULL, MINT_CLAIMS);
        CHECK_INT(world_verify(issuer, text), PU_OK);
        free(text);
        pu_issuer_free(issuer);
        EVP_PKEY_free(pkey);
    }
}


static void
an_algorithm_outside_the_list_is_refused(void)
{
    char     *text;
    world_t   world;

    world_open(&world, "algorithms RS256 ES384");
    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\"}"), PU_TOKEN_ALGORITHM);
    CHECK_INT(world_header(&world, "{\"alg\":\"HS256\"}"), PU_TOKEN_ALGORITHM);
    world_close(&world);

    /* the list has names: EdDSA alone does not let Ed25519 in */

    world.pkey = mint_key(PU_EDDSA);
    world.issuer = mint_issuer(mint_keys(mint_jwk(world.pkey, NULL), NULL),
                               "algorithms EdDSA");
    text = mint_token(world.pkey, PU_ED25519, NULL, MINT_CLAIMS);
    CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_ALGORITHM);
    pu_issuer_free(world.issuer);

    world.issuer = mint_issuer(mint_keys(mint_jwk(world.pkey,
                                                  "{\"alg\":\"EdDSA\"}"),
                                         NULL), "algorithms Ed25519");
    CHECK_INT(world_verify(world.issuer, text), PU_OK);
    free(text);
    world_close(&world);
}


/* CVE-2016-10555 and its many children: the public key as an HMAC secret. */
static void
a_public_key_is_no_hmac_secret(void)
{
    size_t     i;
    char      *text, header[64];
    world_t    world;

    static const char *const  names[] = { "HS256", "HS384", "HS512" };

    world_open(&world, NULL);

    for (i = 0; i < 3; i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
        text = mint_token_raw(pu_str(header), PU_STR(MINT_CLAIMS),
                              PU_STR("0123456789abcdef0123456789abcdef"));
        CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_ALGORITHM);
        free(text);
    }

    world_close(&world);
}


static void
a_token_with_a_kid_is_not_tried_on_a_key_without(void)
{
    EVP_PKEY     *pkey;
    world_t       world;

    pkey = mint_key(PU_ES256);
    world.pkey = pkey;
    world.issuer = mint_issuer(mint_keys(mint_jwk(pkey, NULL), NULL), NULL);

    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\"}"), PU_OK);
    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\",\"kid\":\"a\"}"),
              PU_TOKEN_KEY_UNKNOWN);
    CHECK_INT(world_header(&world, "{\"alg\":\"ES256\",\"kid\":\"\"}"),
              PU_TOKEN_KEY_UNKNOWN);
    world_close(&world);
}


/* Five keys of one type; the token has no kid and key "last" made it. */
static pu_reason_t
tried_keys(unsigned last)
{
    int           i;
    char          more[32], *text;
    EVP_PKEY     *keys[6];
    pu_reason_t   reason;
    pu_issuer_t  *issuer;
    json_t       *jwks[6];

    for (i = 0; i < 6; i++) {
        keys[i] = mint_key((i == 0) ? PU_ES384 : PU_ES256);
        snprintf(more, sizeof(more), "{\"kid\":\"%d\"}", i);
        jwks[i] = mint_jwk(keys[i], more);
    }

    issuer = mint_issuer(mint_keys(jwks[0], jwks[1], jwks[2], jwks[3],
                                   jwks[4], jwks[5], NULL), NULL);
    text = mint_token(keys[last], PU_ES256, NULL, MINT_CLAIMS);
    reason = world_verify(issuer, text);

    free(text);
    pu_issuer_free(issuer);

    for (i = 0; i < 6; i++) {
        EVP_PKEY_free(keys[i]);
    }

    return reason;
}


static void
a_token_without_kid_is_tried_on_four_keys_of_its_type(void)
{
    /* key 0 is of another curve and does not count */

    CHECK_INT(tried_keys(1), PU_OK);
    CHECK_INT(tried_keys(4), PU_OK);
    CHECK_INT(tried_keys(5), PU_TOKEN_SIGNATURE);
}


static void
a_key_that_does_not_fit_is_no_key(void)
{
    char         *text, err[PU_ERROR_SIZE];
    EVP_PKEY     *ec, *rsa;
    pu_issuer_t  *issuer;

    ec = mint_key(PU_ES256);
    rsa = mint_key(PU_RS256);

    /* the right kid and the wrong type */

    issuer = mint_issuer(mint_keys(mint_jwk(rsa, "{\"kid\":\"a\"}"), NULL),
                         NULL);
    text = mint_token(ec, PU_ES256, "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                      MINT_CLAIMS);
    CHECK_INT(world_verify(issuer, text), PU_TOKEN_KEY_UNKNOWN);
    free(text);
    pu_issuer_free(issuer);

    /* the right type and the wrong alg */

    issuer = mint_issuer(mint_keys(mint_jwk(rsa, "{\"alg\":\"RS256\"}"),
                                   NULL), NULL);
    text = mint_token(rsa, PU_PS256, NULL, MINT_CLAIMS);
    CHECK_INT(world_verify(issuer, text), PU_TOKEN_KEY_UNKNOWN);
    free(text);
    text = mint_token(rsa, PU_RS256, NULL, MINT_CLAIMS);
    CHECK_INT(world_verify(issuer, text), PU_OK);
    pu_issuer_free(issuer);

    /* a key that was left out when the set was read, and no key at all */

    issuer = mint_issuer(mint_keys(mint_jwk(rsa, "{\"use\":\"enc\"}"), NULL),
                         NULL);
    CHECK_INT(world_verify(issuer, text), PU_TOKEN_KEY_UNKNOWN);
    pu_issuer_free(issuer);

    issuer = mint_issuer(pu_keys_jwks(PU_STR("{\"keys\":[]}"), NULL, NULL,
                                      err), NULL);
    CHECK_INT(world_verify(issuer, text), PU_TOKEN_KEY_UNKNOWN);
    pu_issuer_free(issuer);

    free(text);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(rsa);
}


/* Every byte of header, payload and signature, changed by one bit. */
static void
no_change_of_a_token_is_accepted(void)
{
    char         *text, *changed;
    size_t        i, len;
    world_t       world;
    pu_reason_t   reason;

    world_open(&world, NULL);
    text = mint_token(world.pkey, PU_ES256, NULL, MINT_CLAIMS);
    len = strlen(text);

    for (i = 0; i < len; i++) {
        changed = strdup(text);
        changed[i] ^= 1;
        reason = world_verify(world.issuer, changed);
        CHECK(reason != PU_OK);
        free(changed);

        reason = world_verify_bytes(world.issuer,
                                    (pu_str_t) { i, (uint8_t *) text });
        CHECK(reason != PU_OK);
    }

    free(text);
    world_close(&world);
}


static void
a_payload_is_a_strict_json_object(void)
{
    size_t    i;
    world_t   world;

    static const char *const  wrong[] = {
        "[]", "null", "1", "x", "{", MINT_CLAIMS "x", MINT_CLAIMS "{}",
        "\xef\xbb\xbf" MINT_CLAIMS,
        MINT_WITH("\"sub\":\"bob\""), MINT_WITH("\"\\u0073ub\":\"bob\""),
        MINT_WITH("\"x\":{\"a\":1,\"a\":1}"), MINT_WITH("\"x\":\"\xff\""),
        MINT_WITH("\"x\":\"\\ud800\""), MINT_WITH("\"\\u0000\":1"),
        MINT_WITH("\"x\":1e400"), MINT_WITH("\"x\":NaN"),
        MINT_WITH("\"x\":\"\n\"")
    };

    world_open(&world, NULL);

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        unit_check(__FILE__, __LINE__,
                   world_payload(&world, pu_str(wrong[i]))
                   == PU_TOKEN_PAYLOAD, wrong[i]);
    }

    CHECK_INT(world_payload(&world, PU_STR(MINT_CLAIMS "\0")),
              PU_TOKEN_PAYLOAD);

    /* a NUL in a claim that nobody asked for */

    CHECK_INT(world_payload(&world,
                            PU_STR(MINT_WITH("\"x\":\"\\u0000\""))),
              PU_OK);
    world_close(&world);
}


static void
a_payload_nests_16_deep_and_has_256_members(void)
{
    int       n;
    char     *payload;
    size_t    len;
    world_t   world;

    world_open(&world, NULL);

    CHECK_INT(world_payload(&world, PU_STR(
                  MINT_WITH("\"x\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]"))), PU_OK);
    CHECK_INT(world_payload(&world, PU_STR(
                  MINT_WITH("\"x\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]"))),
              PU_TOKEN_PAYLOAD);

    for (n = 252; n <= 253; n++) {
        payload = malloc(8192);
        len = (size_t) snprintf(payload, 8192, "%.*s",
                                (int) strlen(MINT_CLAIMS) - 1, MINT_CLAIMS);

        for (int i = 0; i < n; i++) {
            len += (size_t) snprintf(payload + len, 8192 - len,
                                     ",\"m%d\":1", i);
        }

        snprintf(payload + len, 8192 - len, "}");
        CHECK_INT(world_payload(&world, pu_str(payload)),
                  (n == 252) ? PU_OK : PU_TOKEN_PAYLOAD);
        free(payload);
    }

    world_close(&world);
}


static pu_reason_t
verify_among(const pu_issuer_t *const *items, size_t n, const char *text,
    const pu_issuer_t **picked)
{
    pu_token_t    token;
    pu_reason_t   reason;
    pu_issuers_t  issuers;

    issuers = (pu_issuers_t) { n, items, NULL };
    reason = pu_token_verify(&token, pu_str(text), &issuers, MINT_NOW);
    *picked = token.issuer;
    pu_token_clear(&token);

    return reason;
}


static void
of_several_issuers_iss_picks_one_and_its_keys_alone_count(void)
{
    char                *text;
    world_t              a, b;
    const pu_issuer_t   *items[2], *picked;

    static const char  b_claims[] =
        "{\"iss\":\"https://b.example\",\"aud\":\"api\",\"sub\":\"alice\","
        "\"exp\":1700000300}";

    world_open(&a, NULL);
    world_open(&b, "issuer https://b.example");
    items[0] = a.issuer;
    items[1] = b.issuer;

    text = mint_token(a.pkey, PU_ES256, NULL, MINT_CLAIMS);
    CHECK_INT(verify_among(items, 2, text, &picked), PU_OK);
    CHECK(picked == a.issuer);
    CHECK_INT(verify_among(items, 0, text, &picked), PU_TOKEN_ISSUER);
    free(text);

    text = mint_token(b.pkey, PU_ES256, NULL, b_claims);
    CHECK_INT(verify_among(items, 2, text, &picked), PU_OK);
    CHECK(picked == b.issuer);
    CHECK_INT(verify_among(items, 1, text, &picked), PU_TOKEN_SIGNATURE);
    CHECK_INT(verify_among(items, 0, text, &picked), PU_TOKEN_ISSUER);
    free(text);

    /* one issuer must not speak for the other */

    text = mint_token(a.pkey, PU_ES256, NULL, b_claims);
    CHECK_INT(verify_among(items, 2, text, &picked), PU_TOKEN_SIGNATURE);
    CHECK(picked == b.issuer);
    CHECK_INT(verify_among(items, 1, text, &picked), PU_TOKEN_ISSUER);
    free(text);

    world_close(&a);
    world_close(&b);
}


/* A token of "kid" with these keys in force for its issuer. */
static pu_reason_t
verify_with(const world_t *world, const pu_keys_t *keys, const char *kid,
    int *unknown)
{
    char                *text, header[64];
    pu_token_t           token;
    pu_reason_t          reason;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];

    snprintf(header, sizeof(header), "{\"alg\":\"ES256\"%s%s%s}",
             *kid ? ",\"kid\":\"" : "", kid, *kid ? "\"" : "");

    items[0] = world->issuer;
    issuers = (pu_issuers_t) { 1, items, &keys };
    text = mint_token(world->pkey, PU_ES256, header, MINT_CLAIMS);
    reason = pu_token_verify(&token, pu_str(text), &issuers, MINT_NOW);
    *unknown = token.kid_unknown;

    CHECK(reason != PU_OK
          || pu_token_in_force(&token.verified, &issuers) == items[0]);

    pu_token_clear(&token);
    free(text);

    return reason;
}


static void
keys_in_force_stand_in_for_the_issuers_own(void)
{
    int         unknown;
    world_t     world, other;
    pu_keys_t  *keys;

    world_open(&world, NULL);
    world_open(&other, NULL);
    keys = mint_keys(mint_jwk(world.pkey, "{\"kid\":\"new\"}"), NULL);

    CHECK_INT(verify_with(&world, world.issuer->keys, "k1", &unknown),
              PU_OK);
    CHECK_INT(verify_with(&world, keys, "new", &unknown), PU_OK);
    CHECK(!unknown);
    CHECK_INT(verify_with(&world, keys, "", &unknown), PU_OK);

    CHECK_INT(verify_with(&world, keys, "k1", &unknown),
              PU_TOKEN_KEY_UNKNOWN);
    CHECK(unknown);
    CHECK_INT(verify_with(&world, NULL, "k1", &unknown),
              PU_TOKEN_KEY_UNKNOWN);
    CHECK(unknown);
    CHECK_INT(verify_with(&world, NULL, "", &unknown), PU_TOKEN_KEY_UNKNOWN);
    CHECK(!unknown);

    /* its name is known, its signature is not: no reason to ask again */

    CHECK_INT(verify_with(&other, keys, "new", &unknown),
              PU_TOKEN_SIGNATURE);
    CHECK(!unknown);

    /* keys that have to come first are no reason to refuse anybody */

    world.issuer->fetched = 1;
    CHECK_INT(verify_with(&world, NULL, "k1", &unknown),
              PU_ISSUER_UNAVAILABLE);
    CHECK(!unknown);
    CHECK_INT(verify_with(&world, keys, "new", &unknown), PU_OK);

    pu_keys_free(keys);
    world_close(&world);
    world_close(&other);
}


static void
of_several_issuers_an_unknown_iss_picks_none(void)
{
    size_t               i;
    char                *text;
    world_t              a, b;
    const pu_issuer_t   *items[2], *picked;

    static const struct {
        const char   *payload;
        pu_reason_t   reason;
    } tokens[] = {
        { "{\"iss\":\"https://c.example\"}", PU_TOKEN_ISSUER },
        { "{\"iss\":\"https://b.example/\"}", PU_TOKEN_ISSUER },
        { "{\"iss\":[\"https://b.example\"]}", PU_TOKEN_ISSUER },
        { "{\"iss\":null}", PU_TOKEN_ISSUER },
        { "{}", PU_TOKEN_ISSUER },
        { "{\"iss\":\"https://b.example\"", PU_TOKEN_PAYLOAD },
        { "{\"iss\":\"a\",\"iss\":\"https://b.example\"}", PU_TOKEN_PAYLOAD },
        { "[]", PU_TOKEN_PAYLOAD }
    };

    world_open(&a, NULL);
    world_open(&b, "issuer https://b.example");
    items[0] = a.issuer;
    items[1] = b.issuer;

    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        text = mint_token(b.pkey, PU_ES256, NULL, tokens[i].payload);
        unit_check(__FILE__, __LINE__,
                   verify_among(items, 2, text, &picked) == tokens[i].reason,
                   tokens[i].payload);
        CHECK(picked == NULL);
        free(text);
    }

    world_close(&a);
    world_close(&b);
}


/* The payload is not worth a look before somebody has signed it. */
static void
with_one_issuer_a_bad_signature_hides_the_payload(void)
{
    char     *text;
    world_t   world, other;

    world_open(&world, NULL);
    world_open(&other, NULL);

    text = mint_token(other.pkey, PU_ES256, NULL, "no JSON");
    CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_SIGNATURE);
    free(text);

    text = mint_token(other.pkey, PU_ES256, NULL, "{\"iss\":\"x\"}");
    CHECK_INT(world_verify(world.issuer, text), PU_TOKEN_SIGNATURE);
    free(text);

    world_close(&world);
    world_close(&other);
}


/* proxy-user token check --signature-only */
static void
the_signature_alone_does_not_read_the_payload(void)
{
    size_t    i;
    char     *text;
    world_t   world;

    static const char *const  payloads[] = {
        "x", "{", "{\"iss\":\"https://other.example\"}", "\xff", MINT_CLAIMS
    };

    world_open(&world, NULL);

    for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        text = mint_token(world.pkey, PU_ES256, NULL, payloads[i]);
        CHECK_INT(pu_token_signature(pu_str(text), world.issuer), PU_OK);
        mint_spoil(&text[strlen(text) - 4]);
        CHECK(pu_token_signature(pu_str(text), world.issuer) != PU_OK);
        free(text);
    }

    text = mint_token(world.pkey, PU_ES256, "{\"alg\":\"ES256\",\"typ\":"
                      "\"logout+jwt\"}", "x");
    CHECK_INT(pu_token_signature(pu_str(text), world.issuer), PU_TOKEN_TYPE);
    free(text);

    text = mint_token(world.pkey, PU_ES256, NULL, "");
    CHECK_INT(pu_token_signature(pu_str(text), world.issuer),
              PU_TOKEN_MALFORMED);
    free(text);
    world_close(&world);
}


/* proxy-user token check without --issuer */
static void
an_issuer_without_a_url_takes_any_iss(void)
{
    char          err[PU_ERROR_SIZE], *text;
    EVP_PKEY     *pkey;
    pu_issuer_t  *issuer;

    static const char *const  lines[] = { "audience api", NULL };

    pkey = mint_key(PU_ES256);
    issuer = mint_issuer_lines(lines);
    issuer->keys = mint_keys(mint_jwk(pkey, NULL), NULL);
    CHECK(!pu_issuer_finish(issuer, err));
    issuer->url_off = 1;
    CHECK(pu_issuer_finish(issuer, err));

    text = mint_token(pkey, PU_ES256, NULL, MINT_CLAIMS);
    CHECK_INT(world_verify(issuer, text), PU_OK);
    free(text);

    text = mint_token(pkey, PU_ES256, NULL, "{\"aud\":\"api\",\"sub\":"
                      "\"alice\",\"exp\":1700000300}");
    CHECK_INT(world_verify(issuer, text), PU_OK);
    free(text);

    pu_issuer_free(issuer);
    EVP_PKEY_free(pkey);
}


static const unit_test_t  tests[] = {
    UNIT(a_good_token_says_who_it_is),
    UNIT(a_long_name_of_a_token_is_kept_whole),
    UNIT(a_bad_token_is_bad_whatever_went_before),
    UNIT(every_algorithm_of_the_default_list_is_accepted),
    UNIT_FOR("H2", an_algorithm_outside_the_list_is_refused),
    UNIT_FOR("K6", a_public_key_is_no_hmac_secret),
    UNIT(a_token_with_a_kid_is_not_tried_on_a_key_without),
    UNIT_FOR("K10", a_token_without_kid_is_tried_on_four_keys_of_its_type),
    UNIT_FOR("K6", a_key_that_does_not_fit_is_no_key),
    UNIT(no_change_of_a_token_is_accepted),
    UNIT_FOR("L1", a_payload_is_a_strict_json_object),
    UNIT_FOR("L1", a_payload_nests_16_deep_and_has_256_members),
    UNIT_FOR("L2", of_several_issuers_iss_picks_one_and_its_keys_alone_count),
    UNIT(keys_in_force_stand_in_for_the_issuers_own),
    UNIT(of_several_issuers_an_unknown_iss_picks_none),
    UNIT_FOR("S6", with_one_issuer_a_bad_signature_hides_the_payload),
    UNIT(the_signature_alone_does_not_read_the_payload),
    UNIT(an_issuer_without_a_url_takes_any_iss)
};

UNIT_MAIN(tests)
