/*
 * mint: makes keys, tokens and issuers for the tests.  No test itself, and
 * linked into every one.
 *
 * It signs with OpenSSL directly and shares no line with what it tests but
 * the base64url encoder, which has vectors of its own.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "mint.h"


static void
mint_need(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "mint: %s has failed\n", what);
        exit(2);
    }
}


static int
mint_is_ecdsa(pu_alg_t alg)
{
    return alg == PU_ES256 || alg == PU_ES384 || alg == PU_ES512;
}


static size_t
mint_ecdsa_size(pu_alg_t alg)
{
    return (alg == PU_ES256) ? 32 : (alg == PU_ES384) ? 48 : 66;
}


EVP_PKEY *
mint_rsa(unsigned bits)
{
    EVP_PKEY  *pkey;

    pkey = EVP_RSA_gen(bits);
    mint_need(pkey != NULL, "EVP_RSA_gen");

    return pkey;
}


EVP_PKEY *
mint_key(pu_alg_t alg)
{
    EVP_PKEY  *pkey;

    switch (alg) {

    case PU_ES256:
        pkey = EVP_EC_gen("P-256");
        break;

    case PU_ES384:
        pkey = EVP_EC_gen("P-384");
        break;

    case PU_ES512:
        pkey = EVP_EC_gen("P-521");
        break;

    case PU_EDDSA:
    case PU_ED25519:
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;

    default:
        return mint_rsa(2048);
    }

    mint_need(pkey != NULL, "key generation");

    return pkey;
}


static void
mint_member(json_t *jwk, const char *name, const uint8_t *data, size_t len)
{
    char    text[4096];
    size_t  n;

    n = pu_base64url_encode(text, data, len);
    mint_need(json_object_set_new(jwk, name, json_stringn(text, n)) == 0,
              "json_object_set_new");
}


static void
mint_number(json_t *jwk, const char *name, EVP_PKEY *pkey,
    const char *parameter, int size)
{
    BIGNUM   *bn;
    uint8_t   data[2048];

    bn = NULL;
    mint_need(EVP_PKEY_get_bn_param(pkey, parameter, &bn) == 1, parameter);

    size = (size == 0) ? BN_num_bytes(bn) : size;
    mint_need(BN_bn2binpad(bn, data, size) == size, "BN_bn2binpad");
    mint_member(jwk, name, data, (size_t) size);

    BN_free(bn);
}


json_t *
mint_jwk(EVP_PKEY *pkey, const char *more)
{
    int       bits;
    char      crv[8];
    size_t    len;
    json_t   *jwk, *members;
    uint8_t   x[32];

    jwk = json_object();

    if (EVP_PKEY_is_a(pkey, "RSA")) {
        json_object_set_new(jwk, "kty", json_string("RSA"));
        mint_number(jwk, "n", pkey, OSSL_PKEY_PARAM_RSA_N, 0);
        mint_number(jwk, "e", pkey, OSSL_PKEY_PARAM_RSA_E, 0);

    } else if (EVP_PKEY_is_a(pkey, "EC")) {
        bits = EVP_PKEY_get_bits(pkey);
        snprintf(crv, sizeof(crv), "P-%03u", (unsigned) bits % 1000);
        json_object_set_new(jwk, "kty", json_string("EC"));
        json_object_set_new(jwk, "crv", json_string(crv));
        mint_number(jwk, "x", pkey, OSSL_PKEY_PARAM_EC_PUB_X, (bits + 7) / 8);
        mint_number(jwk, "y", pkey, OSSL_PKEY_PARAM_EC_PUB_Y, (bits + 7) / 8);

    } else {
        len = sizeof(x);
        mint_need(EVP_PKEY_get_raw_public_key(pkey, x, &len) == 1,
                  "EVP_PKEY_get_raw_public_key");
        json_object_set_new(jwk, "kty", json_string("OKP"));
        json_object_set_new(jwk, "crv", json_string("Ed25519"));
        mint_member(jwk, "x", x, len);
    }

    if (more != NULL) {
        members = json_loads(more, 0, NULL);
        mint_need(members != NULL, more);
        json_object_update(jwk, members);
        json_decref(members);
    }

    return jwk;
}


static char *
mint_set_list(json_t *jwk, va_list list)
{
    char    *text;
    json_t  *set, *keys;

    keys = json_array();

    for ( /* void */ ; jwk != NULL; jwk = va_arg(list, json_t *)) {
        json_array_append_new(keys, jwk);
    }

    set = json_pack("{s:o}", "keys", keys);
    mint_need(set != NULL, "json_pack");
    text = json_dumps(set, JSON_COMPACT);
    json_decref(set);

    return text;
}


char *
mint_set(json_t *jwk, ...)
{
    char     *text;
    va_list   list;

    va_start(list, jwk);
    text = mint_set_list(jwk, list);
    va_end(list);

    return text;
}


pu_keys_t *
mint_keys(json_t *jwk, ...)
{
    char       *text, err[PU_ERROR_SIZE];
    va_list     list;
    pu_keys_t  *keys;

    va_start(list, jwk);
    text = mint_set_list(jwk, list);
    va_end(list);

    keys = pu_keys_jwks(pu_str(text), NULL, NULL, err);
    mint_need(keys != NULL, err);
    free(text);

    return keys;
}


/* DER to R || S */
static pu_str_t
mint_ecdsa(const uint8_t *der, size_t len, size_t size)
{
    uint8_t        *out;
    ECDSA_SIG      *sig;
    const uint8_t  *p;

    p = der;
    sig = d2i_ECDSA_SIG(NULL, &p, (long) len);
    out = malloc(size * 2);
    mint_need(sig != NULL && out != NULL, "d2i_ECDSA_SIG");

    mint_need(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int) size) > 0
              && BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + size, (int) size)
                 > 0, "BN_bn2binpad");

    ECDSA_SIG_free(sig);

    return (pu_str_t) { size * 2, out };
}


pu_str_t
mint_sign(EVP_PKEY *pkey, pu_alg_t alg, pu_str_t text)
{
    size_t         len;
    uint8_t       *out;
    pu_str_t       signature;
    const char    *digest;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    static const char *const  digests[PU_ALG_COUNT] = {
        "SHA256", "SHA384", "SHA512", "SHA256", "SHA384", "SHA512",
        "SHA256", "SHA384", "SHA512"
    };

    digest = digests[alg];
    ctx = EVP_MD_CTX_new();
    mint_need(EVP_DigestSignInit_ex(ctx, &pctx, digest, NULL, NULL, pkey,
                                    NULL) == 1, "EVP_DigestSignInit_ex");

    if (alg == PU_PS256 || alg == PU_PS384 || alg == PU_PS512) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    }

    len = 2048;
    out = malloc(len);
    mint_need(EVP_DigestSign(ctx, out, &len, text.data, text.len) == 1,
              "EVP_DigestSign");
    EVP_MD_CTX_free(ctx);

    if (!mint_is_ecdsa(alg)) {
        return (pu_str_t) { len, out };
    }

    signature = mint_ecdsa(out, len, mint_ecdsa_size(alg));
    free(out);

    return signature;
}


static char *
mint_encode(char *p, pu_str_t s)
{
    return p + pu_base64url_encode(p, s.data, s.len);
}


char *
mint_token_raw(pu_str_t header, pu_str_t payload, pu_str_t signature)
{
    char  *text, *p;

    text = malloc(PU_BASE64URL_LEN(header.len) + PU_BASE64URL_LEN(payload.len)
                  + PU_BASE64URL_LEN(signature.len) + 3);
    mint_need(text != NULL, "malloc");

    p = mint_encode(text, header);
    *p++ = '.';
    p = mint_encode(p, payload);
    *p++ = '.';
    p = mint_encode(p, signature);
    *p = '\0';

    return text;
}


char *
mint_token_bytes(EVP_PKEY *pkey, pu_alg_t alg, pu_str_t header,
    pu_str_t payload)
{
    char      *text;
    pu_str_t   empty, signature;

    empty = (pu_str_t) { 0, NULL };
    text = mint_token_raw(header, payload, empty);

    signature = pu_str(text);
    signature.len--;                    /* the second dot is not signed */
    signature = mint_sign(pkey, alg, signature);
    free(text);

    text = mint_token_raw(header, payload, signature);
    free((void *) (uintptr_t) signature.data);

    return text;
}


char *
mint_token(EVP_PKEY *pkey, pu_alg_t alg, const char *header,
    const char *payload)
{
    char  simple[64];

    if (header == NULL) {
        snprintf(simple, sizeof(simple), "{\"alg\":\"%s\"}",
                 pu_alg_name(alg));
        header = simple;
    }

    return mint_token_bytes(pkey, alg, pu_str(header), pu_str(payload));
}


static int
mint_directive_text(pu_issuer_t *issuer, pu_str_t line,
    char err[PU_ERROR_SIZE])
{
    int        ok;
    size_t     n;
    pu_str_t  *words;

    words = malloc((line.len / 2 + 1) * sizeof(pu_str_t));

    for (n = 0; pu_word_next(&line, &words[n]); n++) { /* void */ }

    mint_need(n != 0, "a directive without words");
    ok = pu_issuer_set(issuer, words, n, NULL, NULL, err);
    free(words);

    return ok;
}


char
mint_spoil(char *letter)
{
    char  was;

    was = *letter;
    *letter = (was == 'A') ? 'B' : 'A';

    return was;
}


int
mint_directive(pu_issuer_t *issuer, const char *line,
    char err[PU_ERROR_SIZE])
{
    return mint_directive_text(issuer, pu_str(line), err);
}


pu_issuer_t *
mint_issuer_lines(const char *const *lines)
{
    char          err[PU_ERROR_SIZE];
    pu_issuer_t  *issuer;

    issuer = pu_issuer_new(PU_STR("main"));
    mint_need(issuer != NULL, "pu_issuer_new");

    for ( /* void */ ; *lines != NULL; lines++) {
        mint_need(mint_directive(issuer, *lines, err), err);
    }

    return issuer;
}


pu_issuer_t *
mint_issuer(pu_keys_t *keys, const char *lines)
{
    char          err[PU_ERROR_SIZE];
    size_t        len;
    pu_issuer_t  *issuer;
    static const char *const  none[] = { NULL };

    issuer = mint_issuer_lines(none);
    issuer->keys = keys;

    for ( /* void */ ; lines != NULL && *lines != '\0'; lines += len) {
        len = strcspn(lines, ";");
        mint_need(mint_directive_text(issuer,
                      (pu_str_t) { len, (const uint8_t *) lines }, err),
                  err);
        len += (lines[len] == ';');
    }

    if (issuer->url.len == 0) {
        mint_need(mint_directive(issuer, "issuer " MINT_ISS, err), err);
    }

    if (issuer->audience.n == 0 && !issuer->audience_off) {
        mint_need(mint_directive(issuer, "audience api", err), err);
    }

    mint_need(pu_issuer_finish(issuer, err), err);

    return issuer;
}
