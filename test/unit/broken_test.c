/*
 * Nobody is believed because a library failed: each call of OpenSSL and
 * jansson that the reading of keys and the verifying of signatures stands on
 * is refused once, and what comes out is a refusal, with a reason and without
 * an error left in OpenSSL's queue.  These functions stand in front of theirs;
 * the n-th call of any of them fails.
 */

#define _GNU_SOURCE                     /* RTLD_NEXT */

#include <dlfcn.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "mint.h"
#include "pu_binding.h"
#include "pu_jwk.h"
#include "pu_key.h"
#include "pu_token.h"
#include "pu_user.h"
#include "unit.h"


#define TRIES  5000


static int  refuse_at;                  /* the n-th call; 0: none */
static int  asked;
static int  gone;                       /* of BN_CTX_get: all that follow */
static int  cut;                        /* a MAC that fails is a short one */


static int
refused(const void *caller)
{
    Dl_info  info;

    if (refuse_at == 0 || dladdr(caller, &info) == 0
        || strstr(info.dli_fname, "/lib/") != NULL
        || strstr(info.dli_fname, "/lib64/") != NULL)
    {
        return 0;
    }

    return ++asked == refuse_at;
}

#define REFUSED()  refused(__builtin_return_address(0))


/* ISO C knows no way from a void pointer to a function. */
#define REFUSABLE(type, name, parameters, arguments, failed)                  \
    type                                                                      \
    name parameters                                                           \
    {                                                                         \
        void   *symbol;                                                       \
        type  (*real) parameters;                                             \
                                                                              \
        if (REFUSED()) {                                                      \
            return failed;                                                    \
        }                                                                     \
                                                                              \
        symbol = dlsym(RTLD_NEXT, #name);                                     \
        memcpy(&real, &symbol, sizeof(symbol));                               \
                                                                              \
        return real arguments;                                                \
    }


REFUSABLE(EVP_MD *, EVP_MD_fetch,
          (OSSL_LIB_CTX *ctx, const char *name, const char *query),
          (ctx, name, query), NULL)

REFUSABLE(EVP_MD_CTX *, EVP_MD_CTX_new, (void), (), NULL)

REFUSABLE(int, EVP_DigestInit_ex2,
          (EVP_MD_CTX *ctx, const EVP_MD *md, const OSSL_PARAM params[]),
          (ctx, md, params), 0)

REFUSABLE(int, EVP_DigestUpdate, (EVP_MD_CTX *ctx, const void *p, size_t n),
          (ctx, p, n), 0)

REFUSABLE(int, EVP_DigestFinal_ex,
          (EVP_MD_CTX *ctx, unsigned char *md, unsigned *n), (ctx, md, n), 0)

REFUSABLE(int, EVP_DigestSignInit_ex,
          (EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const char *md,
           OSSL_LIB_CTX *lib, const char *query, EVP_PKEY *pkey,
           const OSSL_PARAM params[]),
          (ctx, pctx, md, lib, query, pkey, params), 0)

REFUSABLE(int, EVP_DigestVerifyInit_ex,
          (EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const char *md,
           OSSL_LIB_CTX *lib, const char *query, EVP_PKEY *pkey,
           const OSSL_PARAM params[]),
          (ctx, pctx, md, lib, query, pkey, params), 0)

REFUSABLE(int, EVP_PKEY_CTX_set_rsa_padding, (EVP_PKEY_CTX *ctx, int pad),
          (ctx, pad), 0)

REFUSABLE(int, EVP_PKEY_CTX_set_rsa_pss_saltlen, (EVP_PKEY_CTX *ctx, int n),
          (ctx, n), 0)

REFUSABLE(int, EVP_PKEY_CTX_set_rsa_mgf1_md_name,
          (EVP_PKEY_CTX *ctx, const char *md, const char *properties),
          (ctx, md, properties), 0)

REFUSABLE(int, EVP_MD_CTX_copy_ex, (EVP_MD_CTX *out, const EVP_MD_CTX *in),
          (out, in), 0)

REFUSABLE(int, EVP_DigestVerify,
          (EVP_MD_CTX *ctx, const unsigned char *sig, size_t n,
           const unsigned char *text, size_t len), (ctx, sig, n, text, len),
          -1)

REFUSABLE(ECDSA_SIG *, ECDSA_SIG_new, (void), (), NULL)

REFUSABLE(int, ECDSA_SIG_set0, (ECDSA_SIG *sig, BIGNUM *r, BIGNUM *s),
          (sig, r, s), 0)

REFUSABLE(int, i2d_ECDSA_SIG, (const ECDSA_SIG *sig, unsigned char **out),
          (sig, out), -1)

REFUSABLE(BIGNUM *, BN_bin2bn, (const unsigned char *p, int n, BIGNUM *out),
          (p, n, out), NULL)

REFUSABLE(BIGNUM *, BN_lebin2bn, (const unsigned char *p, int n, BIGNUM *out),
          (p, n, out), NULL)

REFUSABLE(BN_CTX *, BN_CTX_new, (void), (), NULL)

REFUSABLE(int, BN_hex2bn, (BIGNUM **bn, const char *text), (bn, text), 0)

REFUSABLE(int, BN_mod_sqr,
          (BIGNUM *r, const BIGNUM *a, const BIGNUM *m, BN_CTX *ctx),
          (r, a, m, ctx), 0)

REFUSABLE(int, BN_mod_mul,
          (BIGNUM *r, const BIGNUM *a, const BIGNUM *b, const BIGNUM *m,
           BN_CTX *ctx), (r, a, b, m, ctx), 0)

REFUSABLE(int, BN_sub_word, (BIGNUM *a, BN_ULONG w), (a, w), 0)

REFUSABLE(int, BN_add_word, (BIGNUM *a, BN_ULONG w), (a, w), 0)

REFUSABLE(int, BN_kronecker, (const BIGNUM *a, const BIGNUM *b, BN_CTX *ctx),
          (a, b, ctx), -2)

REFUSABLE(int, BN_bn2binpad, (const BIGNUM *a, unsigned char *out, int n),
          (a, out, n), -1)

REFUSABLE(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name,
          (OSSL_LIB_CTX *lib, const char *name, const char *query),
          (lib, name, query), NULL)

REFUSABLE(int, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX *ctx), (ctx), -2)

REFUSABLE(int, EVP_PKEY_fromdata,
          (EVP_PKEY_CTX *ctx, EVP_PKEY **pkey, int what, OSSL_PARAM params[]),
          (ctx, pkey, what, params), -1)

REFUSABLE(EVP_PKEY *, EVP_PKEY_new_raw_public_key_ex,
          (OSSL_LIB_CTX *lib, const char *type, const char *query,
           const unsigned char *p, size_t n), (lib, type, query, p, n), NULL)

REFUSABLE(OSSL_PARAM_BLD *, OSSL_PARAM_BLD_new, (void), (), NULL)

REFUSABLE(int, OSSL_PARAM_BLD_push_BN,
          (OSSL_PARAM_BLD *build, const char *name, const BIGNUM *bn),
          (build, name, bn), 0)

REFUSABLE(int, OSSL_PARAM_BLD_push_ulong,
          (OSSL_PARAM_BLD *build, const char *name, unsigned long n),
          (build, name, n), 0)

REFUSABLE(OSSL_PARAM *, OSSL_PARAM_BLD_to_param, (OSSL_PARAM_BLD *build),
          (build), NULL)

REFUSABLE(int, EVP_PKEY_get_bn_param,
          (const EVP_PKEY *pkey, const char *name, BIGNUM **bn),
          (pkey, name, bn), 0)

REFUSABLE(int, EVP_PKEY_get_raw_public_key,
          (const EVP_PKEY *pkey, unsigned char *p, size_t *n), (pkey, p, n),
          0)

REFUSABLE(BIO *, BIO_new_mem_buf, (const void *p, int n), (p, n), NULL)

REFUSABLE(long, BIO_ctrl, (BIO *bio, int command, long n, void *p),
          (bio, command, n, p), 0)

REFUSABLE(json_t *, json_object, (void), (), NULL)

REFUSABLE(json_t *, json_stringn, (const char *text, size_t n), (text, n),
          NULL)

REFUSABLE(json_t *, json_string, (const char *text), (text), NULL)


/* While something is refused there is no chance in how often it is asked. */
int
RAND_bytes(unsigned char *p, int n)
{
    void  *symbol;
    int  (*real)(unsigned char *p, int n);

    if (REFUSED()) {
        return 0;
    }

    if (refuse_at != 0) {
        memset(p, 7, (size_t) n);
        return 1;
    }

    symbol = dlsym(RTLD_NEXT, "RAND_bytes");
    memcpy(&real, &symbol, sizeof(symbol));

    return real(p, n);
}


/* Once it has none, it has none any more. */
BIGNUM *
BN_CTX_get(BN_CTX *ctx)
{
    void    *symbol;
    BIGNUM  *(*real)(BN_CTX *ctx);

    gone |= REFUSED();

    symbol = dlsym(RTLD_NEXT, "BN_CTX_get");
    memcpy(&real, &symbol, sizeof(symbol));

    return gone ? NULL : real(ctx);
}


int
EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *n,
    const unsigned char *text, size_t len)
{
    int    rc, no;
    void  *symbol;
    int  (*real)(EVP_MD_CTX *ctx, unsigned char *sig, size_t *n,
                 const unsigned char *text, size_t len);

    symbol = dlsym(RTLD_NEXT, "EVP_DigestSign");
    memcpy(&real, &symbol, sizeof(symbol));

    no = REFUSED();
    rc = real(ctx, sig, n, text, len);
    *n -= (size_t) (no && cut);

    return (no && !cut) ? 0 : rc;
}


#ifndef __SANITIZE_ADDRESS__

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);


void *
malloc(size_t size)
{
    return REFUSED() ? NULL : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return REFUSED() ? NULL : __libc_calloc(n, size);
}

#endif


/* From now on; who asks whether it happened ends it. */
static void
refuse(int n)
{
    asked = 0;
    refuse_at = n;
}


static int
happened(void)
{
    int  yes;

    yes = refuse_at != 0 && asked >= refuse_at;
    refuse_at = 0;
    gone = 0;

    CHECK_INT(ERR_peek_error(), 0);

    return yes;
}


static const pu_alg_t  algs[] = {
    PU_RS256, PU_PS256, PU_ES256, PU_ES384, PU_ES512, PU_EDDSA
};

#define ALGS  (sizeof(algs) / sizeof(algs[0]))


static void
heard(void *data, const char *sentence)
{
    snprintf(data, PU_ERROR_SIZE, "%s", sentence);
}


/* A key that was half read must verify nothing, and say so. */
static void
a_key_is_read_whole_or_left_out(void)
{
    int         n, yes;
    char       *text, err[PU_ERROR_SIZE], said[PU_ERROR_SIZE];
    size_t      i;
    EVP_PKEY   *pkey;
    pu_keys_t  *keys;

    for (i = 0; i < ALGS; i++) {
        pkey = mint_key(algs[i]);
        text = mint_set(mint_jwk(pkey, "{\"kid\":\"k1\"}"), NULL);
        n = 0;

        do {
            err[0] = said[0] = '\0';
            refuse(++n);
            keys = pu_keys_jwks(pu_str(text), heard, said, err);
            yes = happened();

            CHECK(keys == NULL || keys->n == !yes);
            CHECK(keys != NULL || err[0] != '\0');
            CHECK(keys == NULL || !yes
                  || strstr(said, "key 1 with kid \"k1\" is left out"));
            pu_keys_free(keys);

        } while (yes && n < TRIES);

        CHECK(n > 3);
        free(text);
        EVP_PKEY_free(pkey);
    }
}


static void
pem_is_read_whole_or_refused(BIO *bio)
{
    int         n, yes;
    char        err[PU_ERROR_SIZE], *text;
    size_t      len;
    pu_keys_t  *keys;

    len = (size_t) BIO_get_mem_data(bio, &text);
    n = 0;

    do {
        refuse(++n);
        err[0] = '\0';
        keys = pu_keys_pem((pu_str_t) { len, (const uint8_t *) text }, err);
        yes = happened();

        CHECK_INT(keys == NULL, yes);
        CHECK_INT(err[0] != '\0', yes);
        pu_keys_free(keys);

    } while (yes && n < TRIES);

    CHECK(n > 5);
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


static int
verified(const pu_keys_t *keys, pu_alg_t alg, pu_str_t signature)
{
    return pu_key_verify(&keys->keys[0], alg, PU_STR("text"), signature);
}


static void
a_signature_is_verified_whole_or_wrong(void)
{
    int         n, yes;
    size_t      i;
    EVP_PKEY   *pkey;
    pu_str_t    signature;
    pu_keys_t  *keys;

    for (i = 0; i < ALGS; i++) {
        pkey = mint_key(algs[i]);
        keys = mint_keys(mint_jwk(pkey, NULL), NULL);
        signature = mint_sign(pkey, algs[i], PU_STR("text"));
        n = 0;

        do {
            refuse(++n);
            yes = verified(keys, algs[i], signature);
            CHECK(yes == !happened());

        } while (!yes && n < TRIES);

        CHECK(n > 3);

        CHECK(!verified(keys, PU_ALG_NONE, signature));
        CHECK(!verified(keys, PU_ALG_COUNT, signature));
        CHECK(!verified(keys, PU_HS256, signature));

        free((void *) (uintptr_t) signature.data);
        pu_keys_free(keys);
        EVP_PKEY_free(pkey);
    }
}


/* RFC 4231 section 4.3's way, with a secret as long as the hash. */
static void
a_mac_is_computed_whole_or_wrong(void)
{
    int           n, yes;
    char          err[PU_ERROR_SIZE];
    uint8_t       mac[EVP_MAX_MD_SIZE];
    unsigned      len;
    pu_keys_t    *keys;
    static const char  secret[] = "0123456789abcdef0123456789abcdef";

    CHECK(HMAC(EVP_sha256(), secret, 32, (const uint8_t *) "text", 4, mac,
               &len) != NULL);
    keys = pu_keys_secret(pu_str(secret), err);
    CHECK(keys != NULL);

    for (cut = 0; cut <= 1; cut++) {
        n = 0;

        do {
            refuse(++n);
            yes = verified(keys, PU_HS256, (pu_str_t) { len, mac });
            CHECK(yes == !happened());

        } while (!yes && n < TRIES);

        CHECK_INT(n, 4);
    }

    cut = 0;
    pu_keys_free(keys);
}


static void
a_name_by_chance_is_all_chance(void)
{
    int   n, yes, ok;
    char  key[PU_KEY_LEN], id[PU_USER_ID_LEN];

    n = 0;

    do {
        memset(key, 0, sizeof(key));
        refuse(++n);
        ok = pu_key_new(key);
        yes = happened();
        CHECK(ok == !yes);

    } while (yes && n < TRIES);

    CHECK(n > 12);

    refuse(1);
    ok = pu_user_id_new(id);
    CHECK(happened() && !ok);
    CHECK(pu_user_id_new(id));
    CHECK(pu_user_id_ok((pu_str_t) { sizeof(id), (const uint8_t *) id }));
}


/* That a digest fails is never "no such key". */
static void
a_digest_that_fails_is_no_answer(void)
{
    int         n, yes, rc;
    char        key[PU_KEY_LEN];
    uint8_t     digest[PU_SHA256_LEN];
    pu_str_t    s, parts[3];
    pu_hash_t  *hash;

    pu_verified_t  bound;

    CHECK(pu_key_new(key));
    hash = pu_hash_new();
    s = (pu_str_t) { sizeof(key), (const uint8_t *) key };
    n = 0;

    do {
        refuse(++n);
        rc = pu_key_digest(hash, digest, s);
        yes = happened();
        CHECK_INT(rc, yes ? -1 : 1);

    } while (yes && n < TRIES);

    CHECK_INT(n, 7);
    pu_hash_free(hash);

    parts[0] = parts[2] = s;
    parts[1] = PU_STR("");
    n = 0;

    do {
        refuse(++n);
        rc = pu_sha256(digest, parts, 3);
        yes = happened();
        CHECK(rc == !yes);

    } while (yes && n < TRIES);

    CHECK(n >= 7);
    pu_hash_free(NULL);

    memset(&bound, 0, sizeof(bound));
    bound.bound_cert = 1;
    n = 0;

    do {
        refuse(++n);
        rc = (int) pu_binding_cert(&bound, s);
        yes = happened();
        CHECK_INT(rc, yes ? PU_INTERNAL : PU_TOKEN_BINDING);

    } while (yes && n < TRIES);

}


/*
 * More roles and scopes than there is room for without asking for memory:
 * a hundred values of the claim, or one that stands for a hundred roles.
 */
static void
caller_is_whole_or_nobody(int one_value)
{
    int            i, n, yes;
    char           lines[8192], claims[4096], *text, *p, *q;
    EVP_PKEY      *pkey;
    pu_token_t     token;
    pu_reason_t    reason;
    pu_issuers_t   issuers;
    pu_issuer_t   *issuer;

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
    issuers = (pu_issuers_t) { 1, items, NULL };
    text = mint_token(pkey, PU_ES256, NULL, claims);
    n = 0;

    do {
        refuse(++n);
        reason = pu_token_verify(&token, pu_str(text), &issuers, MINT_NOW);
        yes = happened();

        CHECK(yes ? (reason == PU_INTERNAL || reason == PU_TOKEN_SIGNATURE)
                  : reason == PU_OK);
        CHECK_INT(token.verified.roles.len, yes ? 0 : 100 * 4 - 1);
        CHECK_INT(token.verified.scopes.len, yes ? 0 : 100 * 4 - 1);
        pu_token_clear(&token);

    } while (yes && n < TRIES);

    CHECK(n > 5 && n < TRIES);
    free(text);
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
    UNIT(nobody_is_asked_for_a_password),
    UNIT(a_signature_is_verified_whole_or_wrong),
    UNIT(a_mac_is_computed_whole_or_wrong),
    UNIT(a_name_by_chance_is_all_chance),
    UNIT(a_digest_that_fails_is_no_answer),
    UNIT(a_caller_is_whole_or_nobody)
};

UNIT_MAIN(tests)
