/*
 * Nobody is believed because a library failed: each call of OpenSSL and
 * jansson that the reading of keys and the verifying of signatures stands on
 * is refused once, and what comes out is a refusal, with a reason, without
 * an error left in OpenSSL's queue, and with nothing left in memory.
 */

#define _GNU_SOURCE                     /* RTLD_NEXT */

#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "broken.h"
#include "mint.h"
#include "pu_binding.h"
#include "pu_jwk.h"
#include "pu_key.h"
#include "pu_token.h"
#include "pu_user.h"


static const pu_alg_t  algs[] = {
    PU_RS256, PU_PS256, PU_ES256, PU_ES384, PU_ES512, PU_EDDSA
};

#define ALGS  (sizeof(algs) / sizeof(algs[0]))


static void
heard(void *data, const char *sentence)
{
    snprintf(data, PU_ERROR_SIZE, "%s", sentence);
}


/* A set of one key with the kid "k1". */
static int
set_is_read(void *text)
{
    int         yes;
    char        err[PU_ERROR_SIZE], said[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    err[0] = said[0] = '\0';
    keys = pu_keys_jwks(pu_str(text), heard, said, err);
    yes = happened();

    CHECK(keys == NULL || keys->n == !yes);
    CHECK(keys != NULL || (err[0] != '\0' && strcmp(err, "(null)") != 0));
    CHECK(keys == NULL || !yes
          || strstr(said, "key 1 with kid \"k1\" is left out"));
    pu_keys_free(keys);

    return yes;
}


/* A key that was half read must verify nothing, and say so. */
static void
a_key_is_read_whole_or_left_out(void)
{
    char      *text;
    size_t     i;
    EVP_PKEY  *pkey;

    for (i = 0; i < ALGS; i++) {
        pkey = mint_key(algs[i]);
        text = mint_set(mint_jwk(pkey, "{\"kid\":\"k1\"}"), NULL);
        CHECK(refuse_each(set_is_read, text) > 3);
        free(text);
        EVP_PKEY_free(pkey);
    }
}


static int
pem_is_read(void *data)
{
    int         yes;
    char        err[PU_ERROR_SIZE];
    pu_str_t   *text;
    pu_keys_t  *keys;

    text = data;
    err[0] = '\0';
    keys = pu_keys_pem(*text, err);
    yes = happened();

    CHECK_INT(keys == NULL, yes);
    CHECK_INT(err[0] != '\0', yes);
    pu_keys_free(keys);

    return yes;
}


static void
pem_is_read_whole_or_refused(BIO *bio)
{
    char      *p;
    pu_str_t   text;

    text.len = (size_t) BIO_get_mem_data(bio, &p);
    text.data = (const uint8_t *) p;
    CHECK(refuse_each(pem_is_read, &text) > 5);
}


static X509 *
certificate(EVP_PKEY *pkey)
{
    X509  *cert;

    cert = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, pkey);
    CHECK(X509_sign(cert, pkey, EVP_sha256()) > 0);

    return cert;
}


static void
a_pem_key_is_read_whole_or_refused(void)
{
    BIO       *bio;
    X509      *cert;
    size_t     i;
    EVP_PKEY  *pkey;

    for (i = 0; i < ALGS; i++) {
        pkey = mint_key(algs[i]);
        bio = BIO_new(BIO_s_mem());
        CHECK(PEM_write_bio_PUBKEY(bio, pkey) == 1);
        pem_is_read_whole_or_refused(bio);
        BIO_free(bio);
        EVP_PKEY_free(pkey);
    }

    pkey = mint_key(PU_ES256);
    cert = certificate(pkey);
    bio = BIO_new(BIO_s_mem());
    CHECK(PEM_write_bio_X509(bio, cert) == 1);
    pem_is_read_whole_or_refused(bio);
    X509_free(cert);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}


static int
members_are_written(void *data)
{
    int      ok, yes;
    json_t  *jwk;

    jwk = json_object();
    ok = pu_pkey_jwk(jwk, data);
    ERR_clear_error();                          /* its callers do */
    yes = happened();
    CHECK(ok == !yes);
    json_decref(jwk);

    return yes;
}


static void
the_members_of_a_key_are_written_all_or_it_is_said(void)
{
    size_t     i;
    EVP_PKEY  *pkey;

    for (i = 0; i < ALGS; i++) {
        pkey = mint_key(algs[i]);
        CHECK(refuse_each(members_are_written, pkey) > 4);
        EVP_PKEY_free(pkey);
    }
}


/* A terminal may be there, and nobody at it. */
static void
nobody_is_asked_for_a_password(void)
{
    char  err[PU_ERROR_SIZE];

    static const char  text[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "Proc-Type: 4,ENCRYPTED\n"
        "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
        "-----END PUBLIC KEY-----\n";

    CHECK(pu_keys_pem(pu_str(text), err) == NULL);
    CHECK_SAYS(err, "the text has no PEM public key or certificate");
    CHECK_INT(pu_pem_no_password(err, sizeof(err), 0, NULL), -1);
}


/* A good signature of "text". */
typedef struct {
    pu_keys_t  *keys;
    pu_alg_t    alg;
    pu_str_t    signature;
} signed_t;


static int
holds(const signed_t *it, pu_alg_t alg)
{
    return pu_key_verify(&it->keys->keys[0], alg, PU_STR("text"),
                         it->signature);
}


static int
signature_is_verified(void *data)
{
    int        ok, yes;
    signed_t  *it;

    it = data;
    ok = holds(it, it->alg);
    yes = happened();
    CHECK(ok == !yes);

    return yes;
}


/* Also when OpenSSL, asked for what it did not get, should say yes. */
static void
a_signature_is_verified_whole_or_wrong(void)
{
    size_t     i;
    EVP_PKEY  *pkey;
    signed_t   it;

    for (i = 0; i < ALGS; i++) {
        pkey = mint_key(algs[i]);
        it.alg = algs[i];
        it.keys = mint_keys(mint_jwk(pkey, NULL), NULL);
        it.signature = mint_sign(pkey, algs[i], PU_STR("text"));

        for (yes_to_all = 0; yes_to_all <= 1; yes_to_all++) {
            CHECK(refuse_each(signature_is_verified, &it) > 3);
        }

        yes_to_all = 0;

        CHECK(!holds(&it, PU_ALG_NONE));
        CHECK(!holds(&it, PU_ALG_COUNT));
        CHECK(!holds(&it, PU_HS256));

        free((void *) (uintptr_t) it.signature.data);
        pu_keys_free(it.keys);
        EVP_PKEY_free(pkey);
    }
}


/* CVE-2022-21449: zero is nothing that OpenSSL should have to refuse. */
static void
r_and_s_are_in_range_whatever_openssl_says(void)
{
    uint8_t    bytes[64];
    EVP_PKEY  *pkey;
    signed_t   it;

    pkey = mint_key(PU_ES256);
    it.alg = PU_ES256;
    it.keys = mint_keys(mint_jwk(pkey, NULL), NULL);
    it.signature = (pu_str_t) { sizeof(bytes), bytes };
    yes_to_all = 1;

    memset(bytes, 0, sizeof(bytes));
    CHECK(!holds(&it, PU_ES256));
    memset(bytes, 1, 32);
    CHECK(!holds(&it, PU_ES256));
    memset(bytes, 1, 64);
    memset(bytes, 0, 32);
    CHECK(!holds(&it, PU_ES256));
    bytes[31] = 1;
    CHECK(holds(&it, PU_ES256));
    bytes[31] = 0;
    bytes[0] = 0x80;
    CHECK(holds(&it, PU_ES256));
    bytes[0] = 0xff;
    memset(bytes + 1, 0xff, 31);
    CHECK(!holds(&it, PU_ES256));

    yes_to_all = 0;
    pu_keys_free(it.keys);
    EVP_PKEY_free(pkey);
}


/* RFC 4231 section 4.3's way, with a secret as long as the hash. */
static void
a_mac_is_computed_whole_or_wrong(void)
{
    char        err[PU_ERROR_SIZE];
    uint8_t     mac[EVP_MAX_MD_SIZE];
    unsigned    len;
    signed_t    it;
    static const char  secret[] = "0123456789abcdef0123456789abcdef";

    CHECK(HMAC(EVP_sha256(), secret, 32, (const uint8_t *) "text", 4, mac,
               &len) != NULL);
    it.alg = PU_HS256;
    it.keys = pu_keys_secret(pu_str(secret), err);
    it.signature = (pu_str_t) { len, mac };
    CHECK(it.keys != NULL);

    for (cut = 0; cut <= 1; cut++) {
        CHECK_INT(refuse_each(signature_is_verified, &it), 4);
    }

    cut = 0;
    pu_keys_free(it.keys);
}


/* One that is not whole has no check that could fit. */
static int
key_is_new(void *data)
{
    int   ok, yes;
    char  key[PU_KEY_LEN];

    (void) data;
    memset(key, 0, sizeof(key));
    ok = pu_key_new(key);
    yes = happened();
    CHECK(ok == !yes);
    CHECK(ok == (key[PU_KEY_LEN - 1] != '\0'));

    return yes;
}


static void
a_name_by_chance_is_all_chance(void)
{
    int   ok;
    char  id[PU_USER_ID_LEN];

    CHECK(refuse_each(key_is_new, NULL) > 12);

    refuse(1);
    ok = pu_user_id_new(id);
    CHECK(happened() && !ok);
    CHECK(pu_user_id_new(id));
    CHECK(pu_user_id_ok((pu_str_t) { sizeof(id), (const uint8_t *) id }));
}


static int
hash_is_new(void *data)
{
    int         yes;
    pu_hash_t  *hash;

    (void) data;
    hash = pu_hash_new();
    yes = happened();
    CHECK((hash == NULL) == yes);
    pu_hash_free(hash);

    return yes;
}


/* What a digest is asked of. */
typedef struct {
    pu_str_t    text;
    pu_hash_t  *hash;
} digested_t;


static int
key_is_looked_at(void *data)
{
    int          rc, yes;
    uint8_t      digest[PU_SHA256_LEN];
    digested_t  *it;

    it = data;
    rc = pu_key_digest(it->hash, digest, it->text);
    yes = happened();
    CHECK_INT(rc, yes ? -1 : 1);

    return yes;
}


static int
parts_are_digested(void *data)
{
    int          ok, yes;
    uint8_t      digest[PU_SHA256_LEN];
    pu_str_t     parts[3];
    digested_t  *it;

    it = data;
    parts[0] = parts[2] = it->text;
    parts[1] = PU_STR("");
    ok = pu_sha256(digest, parts, 3);
    yes = happened();
    CHECK(ok == !yes);

    return yes;
}


static int
certificate_is_compared(void *data)
{
    int            yes;
    digested_t    *it;
    pu_reason_t    reason;
    pu_verified_t  bound;

    it = data;
    memset(&bound, 0, sizeof(bound));
    bound.bound_cert = 1;
    reason = pu_binding_cert(&bound, it->text);
    yes = happened();
    CHECK_INT(reason, yes ? PU_INTERNAL : PU_TOKEN_BINDING);

    return yes;
}


/* That a digest fails is never "no such key". */
static void
a_digest_that_fails_is_no_answer(void)
{
    char        key[PU_KEY_LEN];
    digested_t  it;

    CHECK(pu_key_new(key));
    it.hash = pu_hash_new();
    it.text = (pu_str_t) { sizeof(key), (const uint8_t *) key };

    CHECK(refuse_each(hash_is_new, NULL) > 2);
    CHECK_INT(refuse_each(key_is_looked_at, &it), 7);
    pu_hash_free(it.hash);

    CHECK(refuse_each(parts_are_digested, &it) >= 7);
    CHECK(refuse_each(certificate_is_compared, &it) >= 6);
    pu_hash_free(NULL);
}


/* A token, and who issued it. */
typedef struct {
    char          *text;
    pu_issuers_t   issuers;
} carried_t;


static int
caller_is_read(void *data)
{
    int           yes;
    carried_t    *it;
    pu_token_t    token;
    pu_reason_t   reason;

    it = data;
    reason = pu_token_verify(&token, pu_str(it->text), &it->issuers,
                             MINT_NOW);
    yes = happened();

    CHECK(yes ? (reason == PU_INTERNAL || reason == PU_TOKEN_SIGNATURE)
              : reason == PU_OK);
    CHECK_INT(token.verified.roles.len, yes ? 0 : 100 * 4 - 1);
    CHECK_INT(token.verified.scopes.len, yes ? 0 : 100 * 4 - 1);
    pu_token_clear(&token);

    return yes;
}


/*
 * More roles and scopes than there is room for without asking for memory:
 * a hundred values of the claim, or one that stands for a hundred roles.
 */
static void
caller_is_whole_or_nobody(int one_value)
{
    int           i, n;
    char          lines[8192], claims[4096], *p, *q;
    EVP_PKEY     *pkey;
    carried_t     it;
    pu_token_t    token;
    pu_issuer_t  *issuer;

    const pu_issuer_t  *items[1];

    p = lines + sprintf(lines, "role_claim roles");
    q = claims + sprintf(claims, MINT_WITH("\"jti\":\"7\",\"roles\":["));
    q--;

    for (i = 0; i < 100; i++) {
        p += (i == 0 || !one_value) ? sprintf(p, ";role_map v%d", i) : 0;
        p += sprintf(p, " r%02d", i);
        q += sprintf(q, "%s\"v%d\"", i ? "," : "", i);
    }

    q += sprintf(q, "],\"scope\":\"");

    for (i = 0; i < 100; i++) {
        q += sprintf(q, "%ss%02d", i ? " " : "", i);
    }

    sprintf(q, "\"}");

    pkey = mint_key(PU_ES256);
    issuer = mint_issuer(mint_keys(mint_jwk(pkey, NULL), NULL), lines);
    items[0] = issuer;
    it.issuers = (pu_issuers_t) { 1, items, NULL };
    it.text = mint_token(pkey, PU_ES256, NULL, claims);

    n = refuse_each(caller_is_read, &it);
    CHECK(n > 5 && n < TRIES);

    CHECK_INT(pu_token_verify(&token, pu_str(it.text), &it.issuers, MINT_NOW),
              PU_OK);
    pu_token_clear(&token);

#ifndef __SANITIZE_ADDRESS__
    /* without room for its parts nothing is known of a token */

    refuse(1);
    CHECK_INT(pu_token_verify(&token, pu_str(it.text), &it.issuers, MINT_NOW),
              PU_INTERNAL);
    CHECK(happened());
    pu_token_clear(&token);
#endif

    free(it.text);
    pu_issuer_free(issuer);
    EVP_PKEY_free(pkey);
}


static void
a_caller_is_whole_or_nobody(void)
{
    caller_is_whole_or_nobody(0);
    caller_is_whole_or_nobody(1);
}


static const unit_test_t  tests[] = {
    UNIT(a_key_is_read_whole_or_left_out),
    UNIT(a_pem_key_is_read_whole_or_refused),
    UNIT(the_members_of_a_key_are_written_all_or_it_is_said),
    UNIT(nobody_is_asked_for_a_password),
    UNIT(a_signature_is_verified_whole_or_wrong),
    UNIT(r_and_s_are_in_range_whatever_openssl_says),
    UNIT(a_mac_is_computed_whole_or_wrong),
    UNIT(a_name_by_chance_is_all_chance),
    UNIT(a_digest_that_fails_is_no_answer),
    UNIT(a_caller_is_whole_or_nobody)
};

UNIT_MAIN(tests)
