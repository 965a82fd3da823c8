/*
 * pu_judge: is this public number one that may verify anything?
 *
 * Pure arithmetic over bytes from a key set, at load time.  A key that fails
 * here would verify signatures that others can make.
 */

#include <openssl/bn.h>

#include "pu_jwk.h"


#define PU_ED25519_PRIME                                                      \
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed"
#define PU_ED25519_D                                                          \
    "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3"


/* The odd primes up to 167. */
static const uint8_t  pu_primes[] = {
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71,
    73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151,
    157, 163, 167
};

/*
 * The y coordinates, little-endian and without the sign bit, of the points
 * whose order divides 8: with such a key anybody can sign.
 */
static const uint8_t  pu_ed25519_small[5][32] = {
    { 0 },
    { 1 },
    { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89,
      0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39,
      0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
    { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76,
      0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
      0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
    { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f }
};


/* Is "rest" a power of 65537 modulo "prime"? */
static int
pu_roca_power(unsigned rest, unsigned prime)
{
    unsigned  power;

    power = 1;

    do {
        if (power == rest) {
            return 1;
        }

        power = power * (65537 % prime) % prime;

    } while (power != 1);

    return 0;
}


/* big-endian bytes modulo a small prime */
static unsigned
pu_bytes_mod(const uint8_t *n, size_t len, unsigned prime)
{
    size_t    i;
    unsigned  rest;

    rest = 0;

    for (i = 0; i < len; i++) {
        rest = (rest << 8 | n[i]) % prime;
    }

    return rest;
}


const char *
pu_rsa_modulus_fault(const uint8_t *n, size_t len)
{
    int       roca;
    size_t    i;
    unsigned  rest;

    if (len == 0 || n[0] == 0) {
        return "its modulus has leading zero bytes";
    }

    if (!(n[len - 1] & 1)) {
        return "its modulus is even";
    }

    roca = 1;

    for (i = 0; i < sizeof(pu_primes); i++) {
        rest = pu_bytes_mod(n, len, pu_primes[i]);

        if (rest == 0) {
            return "its modulus has a small factor";
        }

        roca = roca && pu_roca_power(rest, pu_primes[i]);
    }

    /*
     * CVE-2017-15361: the primes of the flawed generator are powers of 65537
     * modulo a product of small primes, so their product is one too.  Of good
     * moduli one in two hundred million looks like that.
     */

    return roca ? "its modulus has the ROCA fingerprint (CVE-2017-15361)"
                : NULL;
}


/*
 * -x^2 + y^2 = 1 + d x^2 y^2 has an x for this y when (y^2 - 1)(d y^2 + 1)
 * is a square (RFC 8032 section 5.1.3).
 */
static int
pu_ed25519_on_curve(BIGNUM *y, BN_CTX *ctx)
{
    int      ok;
    BIGNUM  *p, *d, *u, *v;

    BN_CTX_start(ctx);

    p = BN_CTX_get(ctx);
    d = BN_CTX_get(ctx);
    u = BN_CTX_get(ctx);
    v = BN_CTX_get(ctx);

    ok = v != NULL
         && BN_hex2bn(&p, PU_ED25519_PRIME) != 0
         && BN_hex2bn(&d, PU_ED25519_D) != 0
         && BN_mod_sqr(u, y, p, ctx) == 1
         && BN_mod_mul(v, u, d, p, ctx) == 1
         && BN_sub_word(u, 1) == 1
         && BN_add_word(v, 1) == 1
         && BN_mod_mul(u, u, v, p, ctx) == 1
         && BN_kronecker(u, p, ctx) == 1;

    BN_CTX_end(ctx);

    return ok;
}


/* Is y, without its sign bit, below 2^255 - 19? */
static int
pu_ed25519_canonical(const uint8_t y[32])
{
    int  i;

    if (y[31] != 0x7f || y[0] < 0xed) {
        return 1;
    }

    for (i = 1; i < 31; i++) {
        if (y[i] != 0xff) {
            return 1;
        }
    }

    return 0;
}


const char *
pu_ed25519_fault(const uint8_t x[32])
{
    int       on_curve;
    size_t    i;
    BIGNUM   *bn;
    BN_CTX   *ctx;
    uint8_t   y[32];

    memcpy(y, x, 32);
    y[31] &= 0x7f;

    if (!pu_ed25519_canonical(y)) {
        return "its point is not in canonical form";
    }

    for (i = 0; i < sizeof(pu_ed25519_small) / 32; i++) {
        if (memcmp(y, pu_ed25519_small[i], 32) == 0) {
            return "its point is of small order";
        }
    }

    ctx = BN_CTX_new();
    bn = BN_lebin2bn(y, 32, NULL);

    on_curve = ctx != NULL && bn != NULL && pu_ed25519_on_curve(bn, ctx);

    BN_free(bn);
    BN_CTX_free(ctx);

    return on_curve ? NULL : "its point is not on the curve";
}
