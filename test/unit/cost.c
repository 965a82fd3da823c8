/*
 * cost: what a token costs that nobody has seen before, beside what OpenSSL
 * alone takes for its signature: the same bytes, the same key, in turn.
 *
 * No test itself: cost_test.c holds it in bounds, bench/verify shows it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ecdsa.h>

#include "cost.h"
#include "mint.h"


#define COST_BATCH  20                  /* of one kind before the next */


/* As an access token of a provider: 9 claims, about 700 bytes in RS256. */
static const char  payload[] =
    "{\"iss\":\"" MINT_ISS "\",\"aud\":\"api\","
    "\"sub\":\"7d0c2f5e-3b1a-4c68-9e57-000000000001\",\"azp\":\"portal\","
    "\"iat\":1700000000,\"exp\":1700000300,"
    "\"roles\":[\"reader\",\"writer\",\"auditor\"],"
    "\"scope\":\"read write profile\",\"preferred_username\":\"caller-1\"}";

static const char  lines[] =
    "role_map reader reader;role_map writer writer;role_map auditor auditor";


static void
need(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "cost: %s\n", what);
        exit(2);
    }
}


/* The last part; of ECDSA's r and s, the DER that OpenSSL takes. */
static pu_str_t
cost_signature(const cost_t *cost)
{
    int         n;
    size_t      half;
    int64_t     len;
    uint8_t    *raw, *p;
    pu_str_t    part;
    ECDSA_SIG  *sig;

    part.data = cost->signed_bytes.data + cost->signed_bytes.len + 1;
    part.len = cost->text.len - cost->signed_bytes.len - 1;
    raw = malloc(part.len + 16);        /* DER has some bytes more */
    len = pu_base64url_decode(raw, part);
    need(len > 0, "the token has no signature");

    if (cost->alg != PU_ES256) {
        return (pu_str_t) { (size_t) len, raw };
    }

    half = (size_t) len / 2;
    sig = ECDSA_SIG_new();
    ECDSA_SIG_set0(sig, BN_bin2bn(raw, (int) half, NULL),
                   BN_bin2bn(raw + half, (int) half, NULL));
    p = raw;
    n = i2d_ECDSA_SIG(sig, &p);
    need(n > 0, "no DER");
    ECDSA_SIG_free(sig);

    return (pu_str_t) { (size_t) n, raw };
}


void
cost_open(cost_t *cost, const char *alg)
{
    char          header[64], *text;
    EVP_PKEY     *pkey;
    pu_issuer_t  *issuer;

    cost->alg = pu_alg_find(pu_str(alg));
    need(cost->alg == PU_ES256 || cost->alg == PU_RS256
         || cost->alg == PU_EDDSA, "no algorithm of this measure");

    pkey = mint_key(cost->alg);
    issuer = mint_issuer(mint_keys(mint_jwk(pkey, "{\"kid\":\"k1\"}"), NULL),
                         lines);
    cost->issuer = issuer;
    cost->items[0] = issuer;
    cost->issuers = (pu_issuers_t) { 1, cost->items, NULL };
    cost->key = &issuer->keys->keys[0];

    snprintf(header, sizeof(header),
             "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"k1\"}", alg);
    text = mint_token(pkey, cost->alg, header, payload);
    EVP_PKEY_free(pkey);

    cost->text = pu_str(text);
    cost->signed_bytes = cost->text;
    cost->signed_bytes.len = (size_t) (strrchr(text, '.') - text);
    cost->signature = cost_signature(cost);
}


void
cost_close(cost_t *cost)
{
    pu_issuer_free(cost->issuer);
    free((void *) (uintptr_t) cost->text.data);
    free((void *) (uintptr_t) cost->signature.data);
}


static void
work_core(const cost_t *cost, int n)
{
    pu_token_t  token;

    while (n-- > 0) {
        need(pu_token_verify(&token, cost->text, &cost->issuers, MINT_NOW)
             == PU_OK && token.verified.roles.len != 0,
             "the token is refused");
        pu_token_clear(&token);
    }
}


static const EVP_MD *
cost_digest(const cost_t *cost)
{
    return (cost->alg == PU_EDDSA) ? NULL : EVP_sha256();
}


static void
work_evp(const cost_t *cost, int n)
{
    EVP_MD_CTX  *ctx;

    while (n-- > 0) {
        ctx = EVP_MD_CTX_new();
        need(EVP_DigestVerifyInit(ctx, NULL, cost_digest(cost), NULL,
                                  cost->key->pkey) == 1
             && EVP_DigestVerify(ctx, cost->signature.data,
                                 cost->signature.len,
                                 cost->signed_bytes.data,
                                 cost->signed_bytes.len) == 1,
             "EVP refuses the token");
        EVP_MD_CTX_free(ctx);
    }
}


static void
work_prepared(const cost_t *cost, int n)
{
    EVP_MD_CTX  *ctx;

    while (n-- > 0) {
        ctx = EVP_MD_CTX_new();
        need(EVP_MD_CTX_copy_ex(ctx, cost->key->ready[cost->alg]) == 1
             && EVP_DigestVerify(ctx, cost->signature.data,
                                 cost->signature.len,
                                 cost->signed_bytes.data,
                                 cost->signed_bytes.len) == 1,
             "EVP refuses the token");
        EVP_MD_CTX_free(ctx);
    }
}


/* What others take of the processor is not in it. */
static double
now_ns(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);

    return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}


static int
by_size(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
}


void
cost_work(const cost_t *cost, cost_kind_t kind, int n)
{
    switch (kind) {

    case COST_CORE:
        work_core(cost, n);
        break;

    case COST_EVP:
        work_evp(cost, n);
        break;

    default:
        work_prepared(cost, n);
    }
}


void
cost_measure(const cost_t *cost, int rounds, cost_took_t *took)
{
    int            i, k;
    double         start;
    static double  ns[COST_KINDS][COST_ROUNDS_MAX];

    for (i = -1; i < rounds; i++) {
        for (k = 0; k < COST_KINDS; k++) {
            start = now_ns();
            cost_work(cost, (cost_kind_t) k, COST_BATCH);

            if (i >= 0) {
                ns[k][i] = (now_ns() - start) / COST_BATCH;
            }
        }
    }

    for (k = 0; k < COST_KINDS; k++) {
        qsort(ns[k], (size_t) rounds, sizeof(double), by_size);
        took->median[k] = ns[k][rounds / 2];
        took->least[k] = ns[k][0];
    }
}
