/*
 * jwe: the bytes are an encrypted token as it came, for keys of each type; or,
 * after a first byte of "h", its header in a text whose other parts are of
 * the right form.  Nobody has locked it: it is refused.  The whole of it as a
 * key file must be safe too.
 */

#include "fuzz.h"
#include "pu_jwe.h"


static const char *const  fuzz_files[] = {
    "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZg\"}",
    "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}",
    "{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"mPUKT_bAWGHIhg0TpjjqVsP1rXWQu_vwVOHHtNkdYoA\","
    "\"y\":\"8BQAsImGeAS46fyWw5MhYfGTT0IjBpFw2SS34Dv4Irs\","
    "\"d\":\"AtH35vJsQ9SGjYfOsjUxYXQKrPH3FjZHmEtSKoSN8cM\"}"
};

#define FUZZ_FILES  (sizeof(fuzz_files) / sizeof(fuzz_files[0]))


static void
refused(pu_str_t text)
{
    char                    err[PU_ERROR_SIZE];
    size_t                  i;
    pu_str_t                plain;
    pu_reason_t             reason;
    static pu_jwe_keys_t   *keys[FUZZ_FILES];

    for (i = 0; i < FUZZ_FILES; i++) {
        if (keys[i] == NULL) {
            keys[i] = pu_jwe_keys(pu_str(fuzz_files[i]), err);
            FUZZ_HOLDS(keys[i] != NULL);
        }

        reason = pu_jwe_decrypt(keys[i], text, &plain);
        FUZZ_HOLDS(reason != PU_OK && reason != PU_INTERNAL);
        FUZZ_HOLDS(plain.data == NULL);
    }
}


static void
header(pu_str_t bytes)
{
    char               *text;
    size_t              n;
    const char *const   rest[] = {
        "..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
        "..AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA."
        "AAAAAAAAAAAAAAAAAAAAAA",
        ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAA.AAAA."
        "AAAAAAAAAAAAAAAAAAAAAA"
    };

    text = malloc(PU_BASE64URL_LEN(bytes.len) + 200);
    FUZZ_HOLDS(text != NULL);

    for (n = 0; n < sizeof(rest) / sizeof(rest[0]); n++) {
        strcpy(text + pu_base64url_encode(text, bytes.data, bytes.len),
               rest[n]);
        refused(pu_str(text));
    }

    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char            err[PU_ERROR_SIZE];
    pu_str_t        text;
    pu_jwe_keys_t  *keys;

    text = (pu_str_t) { size, data };

    if (size != 0 && data[0] == 'h') {
        header((pu_str_t) { size - 1, data + 1 });
        return 0;
    }

    refused(text);

    if (size != 0 && (data[0] == '{' || data[0] == '-')) {
        err[0] = '\0';
        keys = pu_jwe_keys(text, err);
        FUZZ_HOLDS((keys == NULL) == (err[0] != '\0'));
        pu_jwe_keys_free(keys);
    }

    return 0;
}
