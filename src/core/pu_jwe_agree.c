/*
 * pu_jwe_agree: a JWE whose content key both sides agree on (ECDH-ES, RFC 7518
 * sections 4.6, 5.2 and 5.3), opened with OpenSSL alone.
 *
 * libcjose 0.6.2.1 leaves memory behind for each of these that it opens or
 * refuses, and everybody can send one.  Form, header, lengths and the other
 * key have been judged by pu_jwe.c.
 */

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include "pu_jwe_own.h"
#include "pu_json.h"


#define PU_AGREED_MAX     66            /* bytes, P-521 */
#define PU_CEK_MAX        64
#define PU_TAG_MAX        32


/* The parts in one piece, in the order in which they are authenticated. */
typedef struct {
    uint8_t   *memory;                  /* owned */
    size_t     size;
    pu_str_t   aad;                     /* the header as it came */
    pu_str_t   iv;
    pu_str_t   text;
    uint8_t    tag[PU_TAG_MAX + 2];
} pu_content_t;


EVP_PKEY *
pu_jwe_private(const pu_key_t *pub, pu_str_t d)
{
    char             group[80];
    size_t           len, point_len;
    int64_t          n;
    BIGNUM          *number;
    uint8_t          bytes[PU_AGREED_MAX + 2], point[1 + 2 * PU_AGREED_MAX];
    EVP_PKEY        *pkey;
    OSSL_PARAM      *params;
    EVP_PKEY_CTX    *ctx;
    OSSL_PARAM_BLD  *build;

    if (d.len > PU_BASE64URL_LEN(PU_AGREED_MAX)
        || EVP_PKEY_get_group_name(pub->pkey, group, sizeof(group), &len) != 1
        || EVP_PKEY_get_octet_string_param(pub->pkey, OSSL_PKEY_PARAM_PUB_KEY,
                                           point, sizeof(point), &point_len)
           != 1)
    {
        return NULL;
    }

    n = pu_base64url_decode(bytes, d);
    number = (n > 0) ? BN_bin2bn(bytes, (int) n, NULL) : NULL;
    build = OSSL_PARAM_BLD_new();
    params = NULL;
    pkey = NULL;

    if (number != NULL && build != NULL
        && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                           group, len) == 1
        && OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, point_len) == 1
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number)
           == 1)
    {
        params = OSSL_PARAM_BLD_to_param(build);
    }

    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    if (ctx != NULL && params != NULL && EVP_PKEY_fromdata_init(ctx) == 1
        && EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_clear_free(number);
    OPENSSL_cleanse(bytes, sizeof(bytes));

    return pkey;
}


/* What both sides can compute; its length, or 0. */
static size_t
pu_agree_secret(uint8_t out[PU_AGREED_MAX], EVP_PKEY *own, EVP_PKEY *other)
{
    int            ok;
    size_t         len;
    EVP_PKEY_CTX  *ctx;

    len = PU_AGREED_MAX;
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);

    ok = ctx != NULL
         && EVP_PKEY_derive_init(ctx) == 1
         && EVP_PKEY_derive_set_peer(ctx, other) == 1
         && EVP_PKEY_derive(ctx, out, &len) == 1;

    EVP_PKEY_CTX_free(ctx);

    return ok ? len : 0;
}


static void
pu_big_endian(uint8_t out[4], size_t n)
{
    out[0] = (uint8_t) (n >> 24);
    out[1] = (uint8_t) (n >> 16);
    out[2] = (uint8_t) (n >> 8);
    out[3] = (uint8_t) n;
}


/* apu or apv, decoded, with its length in front. */
static void
pu_agree_party(pu_buf_t *b, const json_t *header, const char *name)
{
    int64_t   n;
    uint8_t   bytes[PU_JWE_PARTY_MAX + 2], len[4];
    pu_str_t  text;

    n = 0;

    if (pu_json_str(json_object_get(header, name), &text)
        && text.len <= PU_BASE64URL_LEN(PU_JWE_PARTY_MAX))
    {
        n = pu_base64url_decode(bytes, text);
        n = (n < 0) ? 0 : n;
    }

    pu_big_endian(len, (size_t) n);
    pu_buf_put(b, len, 4);
    pu_buf_put(b, bytes, (size_t) n);
}


/*
 * The Concat KDF of NIST SP 800-56A with SHA-256 (RFC 7518 section 4.6.2).
 * "cek" has room for PU_CEK_MAX.
 */
static int
pu_agree_cek(uint8_t *cek, pu_str_t secret, const json_t *header,
    const pu_jwe_enc_t *enc)
{
    size_t     done;
    uint8_t    room[4 + 16 + 2 * (4 + PU_JWE_PARTY_MAX) + 4], number[4];
    pu_buf_t   b;
    pu_str_t   parts[3];

    pu_buf_init(&b, room, sizeof(room));
    pu_big_endian(number, strlen(enc->name));
    pu_buf_put(&b, number, 4);
    pu_buf_text(&b, enc->name);
    pu_agree_party(&b, header, "apu");
    pu_agree_party(&b, header, "apv");
    pu_big_endian(number, enc->cek * 8);
    pu_buf_put(&b, number, 4);

    if (b.full) {
        return 0;
    }

    parts[0] = (pu_str_t) { 4, number };
    parts[1] = secret;
    parts[2] = pu_buf_written(&b);

    for (done = 0; done < enc->cek; done += PU_SHA256_LEN) {
        pu_big_endian(number, done / PU_SHA256_LEN + 1);

        if (!pu_sha256(cek + done, parts, 3)) {
            return 0;
        }
    }

    return 1;
}


static int
pu_content_read(pu_content_t *content, const pu_jwe_enc_t *enc,
    const pu_str_t parts[PU_JWE_PARTS])
{
    int64_t   n;
    uint8_t  *p;

    p = malloc(parts[PU_HEADER].len + parts[PU_IV].len
               + parts[PU_CIPHERTEXT].len + 8);
    content->memory = p;

    if (p == NULL || parts[PU_TAG].len > PU_BASE64URL_LEN(PU_TAG_MAX)
        || pu_base64url_decode(content->tag, parts[PU_TAG])
           != (int64_t) enc->tag)
    {
        return 0;
    }

    content->aad = (pu_str_t) { parts[PU_HEADER].len, p };
    memcpy(p, parts[PU_HEADER].data, content->aad.len);
    p += content->aad.len;

    n = pu_base64url_decode(p, parts[PU_IV]);

    if (n != (int64_t) enc->iv) {
        return 0;
    }

    content->iv = (pu_str_t) { enc->iv, p };
    p += enc->iv;
    n = pu_base64url_decode(p, parts[PU_CIPHERTEXT]);

    if (n <= 0) {
        return 0;
    }

    content->text = (pu_str_t) { (size_t) n, p };
    p += n;

    /* the bits of the header: a header is far shorter than 2^32 of them */

    pu_big_endian(p, 0);
    pu_big_endian(p + 4, content->aad.len * 8);
    content->size = (size_t) (p + 8 - content->memory);

    return 1;
}


/* Bytes of the plain text, or -1.  "tag" NULL: it is not this one's to see. */
static int64_t
pu_content_decrypt(uint8_t *out, const EVP_CIPHER *cipher,
    const uint8_t *key, const pu_content_t *content, const uint8_t *tag)
{
    int              ok, n, last;
    EVP_CIPHER_CTX  *ctx;

    n = 0;
    last = 0;
    ctx = EVP_CIPHER_CTX_new();

    ok = ctx != NULL
         && EVP_DecryptInit_ex(ctx, cipher, NULL, key, content->iv.data) == 1;

    if (ok && tag != NULL) {
        ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16,
                                 (void *) (uintptr_t) tag) == 1
             && EVP_DecryptUpdate(ctx, NULL, &n, content->aad.data,
                                  (int) content->aad.len) == 1;
    }

    ok = ok
         && EVP_DecryptUpdate(ctx, out, &n, content->text.data,
                              (int) content->text.len) == 1
         && EVP_DecryptFinal_ex(ctx, out + n, &last) == 1;

    EVP_CIPHER_CTX_free(ctx);

    return ok ? n + last : -1;
}


/* RFC 7518 section 5.2.2.2: nothing is decrypted before the tag is right. */
static int64_t
pu_content_cbc(uint8_t *out, const pu_jwe_enc_t *enc, const uint8_t *cek,
    const pu_content_t *content)
{
    int       ok;
    size_t    half, len;
    uint8_t   mac[EVP_MAX_MD_SIZE];

    half = enc->cek / 2;

    ok = EVP_Q_mac(NULL, "HMAC", NULL, (half == 16) ? "SHA256" : "SHA512",
                   NULL, cek, half, content->memory, content->size, mac,
                   sizeof(mac), &len) != NULL
         && len >= enc->tag
         && CRYPTO_memcmp(mac, content->tag, enc->tag) == 0;

    OPENSSL_cleanse(mac, sizeof(mac));

    return ok ? pu_content_decrypt(out, (half == 16) ? EVP_aes_128_cbc()
                                                     : EVP_aes_256_cbc(),
                                   cek + half, content, NULL)
              : -1;
}


static int
pu_content_open(const pu_content_t *content, const pu_jwe_enc_t *enc,
    const uint8_t *cek, pu_str_t *plain)
{
    int64_t   n;
    uint8_t  *out;

    /* of cjose's kind: pu_jwe_plain_free frees both */

    out = cjose_get_alloc()(content->text.len + EVP_MAX_BLOCK_LENGTH);

    if (out == NULL) {
        return 0;
    }

    if (enc->block == 1) {
        n = pu_content_decrypt(out, (enc->cek == 16) ? EVP_aes_128_gcm()
                                                     : EVP_aes_256_gcm(),
                               cek, content, content->tag);
    } else {
        n = pu_content_cbc(out, enc, cek, content);
    }

    if (n < 0) {
        OPENSSL_cleanse(out, content->text.len);
        cjose_get_dealloc()(out);
        return 0;
    }

    *plain = (pu_str_t) { (size_t) n, out };

    return 1;
}


int
pu_jwe_agree(const pu_jwe_key_t *key, const pu_jwe_enc_t *enc,
    const json_t *header, const pu_str_t parts[PU_JWE_PARTS],
    pu_str_t *plain)
{
    int            ok;
    char           err[PU_ERROR_SIZE];
    size_t         len;
    uint8_t        secret[PU_AGREED_MAX], cek[PU_CEK_MAX];
    pu_key_t       other;
    pu_content_t   content;

    memset(&other, 0, sizeof(other));
    memset(&content, 0, sizeof(content));

    len = pu_jwe_public(&other, json_object_get(header, "epk"), err)
          ? pu_agree_secret(secret, key->own, other.pkey) : 0;

    ok = len != 0
         && pu_agree_cek(cek, (pu_str_t) { len, secret }, header, enc)
         && pu_content_read(&content, enc, parts)
         && pu_content_open(&content, enc, cek, plain);

    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(cek, sizeof(cek));
    free(content.memory);
    pu_key_clear(&other);

    return ok;
}
