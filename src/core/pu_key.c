/*
 * pu_key: makes and reads API keys; see the header.
 *
 * The check says that a text was once made as a key or copied well, nothing
 * more: anybody can compute it.
 */

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "pu_key.h"


#define PU_KEY_START        "puk_"
#define PU_KEY_START_LEN    (sizeof(PU_KEY_START) - 1)
#define PU_KEY_SECRET_AT    (PU_KEY_START_LEN + PU_KEY_ID_LEN + 1)
#define PU_KEY_CHECK_AT     (PU_KEY_SECRET_AT + PU_KEY_SECRET_LEN)

/* Bytes from here on would make some letters likelier than others. */
#define PU_KEY_FAIR         (256 - 256 % 36)


static int pu_key_id_new(char id[PU_KEY_ID_LEN]);
static int pu_key_form(pu_str_t key);
static void pu_key_check(char out[PU_KEY_CHECK_LEN],
    const uint8_t digest[PU_SHA256_LEN]);


int
pu_key_new(char key[PU_KEY_LEN])
{
    int       ok;
    uint8_t   secret[32], digest[PU_SHA256_LEN];
    pu_str_t  text;

    memcpy(key, PU_KEY_START, PU_KEY_START_LEN);

    ok = pu_key_id_new(key + PU_KEY_START_LEN)
         && RAND_bytes(secret, sizeof(secret)) == 1;

    if (ok) {
        key[PU_KEY_SECRET_AT - 1] = '_';
        (void) pu_base64url_encode(key + PU_KEY_SECRET_AT, secret,
                                   sizeof(secret));

        text.len = PU_KEY_CHECK_AT;
        text.data = (const uint8_t *) key;
        ok = pu_sha256(digest, &text, 1);
    }

    if (ok) {
        pu_key_check(key + PU_KEY_CHECK_AT, digest);
    }

    OPENSSL_cleanse(secret, sizeof(secret));

    return ok;
}


static int
pu_key_id_new(char id[PU_KEY_ID_LEN])
{
    static const char  letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    size_t   n;
    uint8_t  byte;

    for (n = 0; n < PU_KEY_ID_LEN; /* void */ ) {

        if (RAND_bytes(&byte, 1) != 1) {
            return 0;
        }

        if (byte < PU_KEY_FAIR) {
            id[n++] = letters[byte % 36];
        }
    }

    return 1;
}


int
pu_key_id_ok(pu_str_t id)
{
    size_t   i;
    uint8_t  c;

    if (id.len != PU_KEY_ID_LEN) {
        return 0;
    }

    for (i = 0; i < id.len; i++) {
        c = id.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
            return 0;
        }
    }

    return 1;
}


pu_str_t
pu_key_id(pu_str_t key)
{
    return (pu_str_t) { PU_KEY_ID_LEN, key.data + PU_KEY_START_LEN };
}


int
pu_key_digest(pu_hash_t *hash, uint8_t digest[PU_SHA256_LEN], pu_str_t key)
{
    char      check[PU_KEY_CHECK_LEN];
    pu_str_t  start;

    if (!pu_key_form(key)) {
        return 0;
    }

    start.len = PU_KEY_CHECK_AT;
    start.data = key.data;

    if (!pu_hash_sha256(hash, digest, &start, 1)) {
        return -1;
    }

    pu_key_check(check, digest);

    if (memcmp(check, key.data + PU_KEY_CHECK_AT, PU_KEY_CHECK_LEN) != 0) {
        return 0;
    }

    return pu_hash_sha256(hash, digest, &key, 1) ? 1 : -1;
}


static int
pu_key_form(pu_str_t key)
{
    uint8_t   secret[32];
    int64_t   n;
    pu_str_t  text;

    if (key.len != PU_KEY_LEN || !pu_str_starts(key, PU_KEY_START)
        || !pu_key_id_ok(pu_key_id(key))
        || key.data[PU_KEY_SECRET_AT - 1] != '_')
    {
        return 0;
    }

    text.len = PU_KEY_SECRET_LEN;
    text.data = key.data + PU_KEY_SECRET_AT;

    n = pu_base64url_decode(secret, text);

    OPENSSL_cleanse(secret, sizeof(secret));

    return n == sizeof(secret);
}


static void
pu_key_check(char out[PU_KEY_CHECK_LEN], const uint8_t digest[PU_SHA256_LEN])
{
    static const char  hex[] = "0123456789abcdef";

    size_t  i;

    for (i = 0; i < PU_KEY_CHECK_LEN / 2; i++) {
        out[2 * i] = hex[digest[i] >> 4];
        out[2 * i + 1] = hex[digest[i] & 0xf];
    }
}
