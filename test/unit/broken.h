/*
 * broken: each call of OpenSSL, of jansson and for memory that the core's
 * files make may be refused, one at a time.  These functions stand in front
 * of the libraries' own; the n-th call of any of them fails.
 *
 * For one program that includes it and defines _GNU_SOURCE before (RTLD_NEXT):
 * a helper of all of them would stand in front of everybody's memory.
 */

#ifndef BROKEN_H
#define BROKEN_H

#include <dlfcn.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <jansson.h>

#include "unit.h"


#define TRIES  5000


static int  refuse_at;                  /* the n-th call; 0: none */
static int  asked;
static int  gone;                       /* of BN_CTX_get: all that follow */
static int  cut;                        /* a MAC that fails is a short one */
static int  yes_to_all;                 /* whatever signature is asked for */


/* Not a library's: dladdr is slow, and the same callers come all the time. */
static int
ours(const void *caller)
{
    size_t   i;
    Dl_info  info;

    static struct {
        const void  *caller;
        int          ours;
    } known[1024];

    i = ((uintptr_t) caller >> 2) % (sizeof(known) / sizeof(known[0]));

    if (known[i].caller != caller) {
        known[i].caller = caller;
        known[i].ours = dladdr(caller, &info) != 0
                        && strstr(info.dli_fname, "/lib/") == NULL
                        && strstr(info.dli_fname, "/lib64/") == NULL;
    }

    return known[i].ours;
}


static int
refused(const void *caller)
{
    return refuse_at != 0 && ours(caller) && ++asked == refuse_at;
}

#define REFUSED()  refused(__builtin_return_address(0))

#define NO_MEMORY()  REFUSED()
#include "held.h"


/* OpenSSL says why; jansson has nowhere to say it. */
#define REFUSABLE(type, name, parameters, arguments, failed)                  \
    REFUSABLE_AND(ERR_raise(ERR_LIB_EVP, ERR_R_INTERNAL_ERROR),               \
                  type, name, parameters, arguments, failed)
#define REFUSABLE_QUIETLY(type, name, parameters, arguments, failed)          \
    REFUSABLE_AND((void) 0, type, name, parameters, arguments, failed)

/* ISO C knows no way from a void pointer to a function. */
#define REFUSABLE_AND(say, type, name, parameters, arguments, failed)         \
    type                                                                      \
    name parameters                                                           \
    {                                                                         \
        void   *symbol;                                                       \
        type  (*real) parameters;                                             \
                                                                              \
        if (REFUSED()) {                                                      \
            say;                                                              \
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

REFUSABLE_QUIETLY(json_t *, json_object, (void), (), NULL)

REFUSABLE_QUIETLY(json_t *, json_stringn, (const char *text, size_t n),
                  (text, n), NULL)

REFUSABLE_QUIETLY(json_t *, json_string, (const char *text), (text), NULL)


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


/* What it has put there before it failed is nothing to use or to free. */
int
EVP_PKEY_fromdata(EVP_PKEY_CTX *ctx, EVP_PKEY **pkey, int what,
    OSSL_PARAM params[])
{
    void  *symbol;
    int  (*real)(EVP_PKEY_CTX *ctx, EVP_PKEY **pkey, int what,
                 OSSL_PARAM params[]);

    if (REFUSED()) {
        ERR_raise(ERR_LIB_EVP, ERR_R_INTERNAL_ERROR);
        *pkey = (EVP_PKEY *) 1;
        return -1;
    }

    symbol = dlsym(RTLD_NEXT, "EVP_PKEY_fromdata");
    memcpy(&real, &symbol, sizeof(symbol));

    return real(ctx, pkey, what, params);
}


int
EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t n,
    const unsigned char *text, size_t len)
{
    void  *symbol;
    int  (*real)(EVP_MD_CTX *ctx, const unsigned char *sig, size_t n,
                 const unsigned char *text, size_t len);

    if (REFUSED()) {
        ERR_raise(ERR_LIB_EVP, ERR_R_INTERNAL_ERROR);
        return -1;
    }

    symbol = dlsym(RTLD_NEXT, "EVP_DigestVerify");
    memcpy(&real, &symbol, sizeof(symbol));

    return yes_to_all ? 1 : real(ctx, sig, n, text, len);
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


/*
 * Refuses the first call, the second, and so on, until there is none left to
 * refuse; "attempt" returns what happened() said.  Twice, as OpenSSL keeps
 * for itself what it needed the first time: then nothing may be left behind.
 * The number of the attempt that was not refused anything.
 */
static int
refuse_each(int (*attempt)(void *data), void *data)
{
    int   n, yes, round;
    long  before;

    for (round = 0; round < 2; round++) {
        n = 0;

        do {
            OPENSSL_thread_stop();              /* its errors take memory */
            before = held;

            refuse(++n);
            yes = attempt(data);

            OPENSSL_thread_stop();
            CHECK(round == 0 || held == before);

        } while (yes && n < TRIES);
    }

    return n;
}


#endif /* BROKEN_H */
