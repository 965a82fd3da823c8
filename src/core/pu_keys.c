/*
 * pu_keys: JWK Sets (RFC 7517 section 5): reading, finding, freeing.
 *
 * Here a set is judged as a whole; its keys one by one are pu_jwk.c's.
 */

#include <stdio.h>
#include <stdlib.h>

#include "pu_json.h"
#include "pu_jwk.h"


#define PU_WARN_SIZE      (PU_ERROR_SIZE + 128)
#define PU_KID_SHOWN_MAX  64


/* Who hears of the keys that are left out. */
typedef struct {
    pu_keys_warn_f   warn;
    void            *data;
} pu_warner_t;


static int
pu_shown(pu_str_t s)
{
    size_t  i;

    if (s.len > PU_KID_SHOWN_MAX) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 0x20 || s.data[i] > 0x7e || s.data[i] == '"') {
            return 0;
        }
    }

    return 1;
}


/* Names the key by its place, and by its kid where a log can bear it. */
static void
pu_keys_left_out(const pu_warner_t *warner, size_t i, const json_t *jwk,
    const char *fault)
{
    char      sentence[PU_WARN_SIZE];
    pu_str_t  kid;

    if (warner->warn == NULL) {
        return;
    }

    if (pu_json_str(json_object_get(jwk, "kid"), &kid) && pu_shown(kid)) {
        snprintf(sentence, sizeof(sentence),
                 "key %zu with kid \"%.*s\" is left out: %s",
                 i + 1, PU_STR_FMT(kid), fault);

    } else {
        snprintf(sentence, sizeof(sentence), "key %zu is left out: %s",
                 i + 1, fault);
    }

    warner->warn(warner->data, sentence);
}


/* Two keys between which a token's kid could not choose? */
static int
pu_keys_ambiguous(const json_t *a, const json_t *b)
{
    pu_str_t  x, y;

    return pu_json_str(json_object_get(a, "kid"), &x)
           && pu_json_str(json_object_get(b, "kid"), &y)
           && pu_str_eq(x, y)
           && pu_json_str(json_object_get(a, "kty"), &x)
           && pu_json_str(json_object_get(b, "kty"), &y)
           && pu_str_eq(x, y)
           && pu_jwk_signs(a) && pu_jwk_signs(b);
}


/* What is wrong with the set as a whole; NULL when nothing is. */
static const char *
pu_keys_set_fault(const json_t *array)
{
    size_t   i, j;
    json_t  *jwk;

    if (!json_is_array(array)) {
        return "the key set is not a JSON object with an array \"keys\"";
    }

    if (json_array_size(array) > PU_JWKS_KEYS_MAX) {
        return "the key set has more than 64 keys";
    }

    for (i = 0; i < json_array_size(array); i++) {
        jwk = json_array_get(array, i);

        if (json_typeof(jwk) != JSON_OBJECT) {
            return "the key set has a key that is not a JSON object";
        }

        if (pu_jwk_is_secret(jwk)) {
            return "the key set has a private or symmetric key, it must "
                   "have public keys only";
        }

        for (j = 0; j < i; j++) {
            if (pu_keys_ambiguous(json_array_get(array, j), jwk)) {
                return "the key set has two signing keys of one type with "
                       "one \"kid\"";
            }
        }
    }

    return NULL;
}


pu_keys_t *
pu_keys_new(size_t n)
{
    pu_keys_t  *keys;

    keys = calloc(1, sizeof(pu_keys_t));

    if (keys == NULL) {
        return NULL;
    }

    keys->keys = calloc(n + 1, sizeof(pu_key_t));

    if (keys->keys == NULL) {
        free(keys);
        return NULL;
    }

    return keys;
}


static pu_keys_t *
pu_keys_read(const json_t *array, const pu_warner_t *warner)
{
    char        fault[PU_ERROR_SIZE];
    size_t      i;
    json_t     *jwk;
    pu_keys_t  *keys;

    keys = pu_keys_new(json_array_size(array));

    if (keys == NULL) {
        return NULL;
    }

    for (i = 0; i < json_array_size(array); i++) {
        jwk = json_array_get(array, i);

        if (pu_jwk_read(&keys->keys[keys->n], jwk, fault)) {
            keys->n++;
            continue;
        }

        pu_keys_left_out(warner, i, jwk, fault);
    }

    return keys;
}


pu_keys_t *
pu_keys_one(const json_t *jwk, char err[PU_ERROR_SIZE])
{
    char        fault[PU_ERROR_SIZE];
    pu_keys_t  *keys;

    keys = pu_keys_new(1);

    if (keys == NULL) {
        snprintf(err, PU_ERROR_SIZE, "memory is gone");
        return NULL;
    }

    if (!pu_jwk_read(&keys->keys[0], jwk, fault)) {
        snprintf(err, PU_ERROR_SIZE, "the key is refused: %.400s", fault);
        pu_keys_free(keys);
        return NULL;
    }

    keys->n = 1;

    return keys;
}


pu_keys_t *
pu_keys_jwks(pu_str_t text, pu_keys_warn_f warn, void *data,
    char err[PU_ERROR_SIZE])
{
    json_t                         *set, *array;
    pu_keys_t                      *keys;
    const char                     *fault;
    const pu_warner_t               warner = { warn, data };
    static const pu_json_limits_t   limits = { PU_JWKS_SIZE_MAX, 8, 64 };

    if (text.len > PU_JWKS_SIZE_MAX) {
        snprintf(err, PU_ERROR_SIZE, "the key set is larger than %d bytes",
                 PU_JWKS_SIZE_MAX);
        return NULL;
    }

    keys = NULL;
    set = pu_json_object(text, &limits);
    array = json_object_get(set, "keys");
    fault = pu_keys_set_fault(array);

    if (fault == NULL) {
        keys = pu_keys_read(array, &warner);
        fault = "memory is gone";
    }

    if (keys == NULL) {
        snprintf(err, PU_ERROR_SIZE, "%s", fault);
    }

    json_decref(set);

    return keys;
}


pu_keys_t *
pu_keys_jwks_file(const char *path, pu_keys_warn_f warn, void *data,
    char err[PU_ERROR_SIZE])
{
    char        fault[PU_ERROR_SIZE];
    size_t      len;
    uint8_t    *text;
    pu_keys_t  *keys;

    text = pu_file_read(path, PU_JWKS_SIZE_MAX, &len, err);

    if (text == NULL) {
        return NULL;
    }

    keys = pu_keys_jwks((pu_str_t) { len, text }, warn, data, fault);

    free(text);

    if (keys == NULL) {
        snprintf(err, PU_ERROR_SIZE, "file \"%.200s\": %.200s", path, fault);
    }

    return keys;
}


void
pu_keys_free(pu_keys_t *keys)
{
    size_t  i;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->n; i++) {
        pu_key_clear(&keys->keys[i]);
    }

    free(keys->keys);
    free(keys);
}


const pu_key_t *
pu_keys_next(const pu_keys_t *keys, pu_alg_t alg, pu_str_t kid,
    const pu_key_t *prev)
{
    const pu_key_t  *key, *end;

    if (keys == NULL || alg < 0 || alg >= PU_ALG_COUNT) {
        return NULL;
    }

    end = keys->keys + keys->n;

    for (key = (prev == NULL) ? keys->keys : prev + 1; key < end; key++) {

        if (!(key->algs & PU_ALG_BIT(alg))) {
            continue;
        }

        if (kid.data == NULL || key->any_kid
            || (key->kid.data != NULL && pu_str_eq(key->kid, kid)))
        {
            return key;
        }
    }

    return NULL;
}


int
pu_keys_named(const pu_keys_t *keys, pu_str_t kid)
{
    size_t  i;

    for (i = 0; keys != NULL && i < keys->n; i++) {
        if (keys->keys[i].kid.data != NULL
            && pu_str_eq(keys->keys[i].kid, kid))
        {
            return 1;
        }
    }

    return 0;
}


const pu_key_t *
pu_keys_marked(const pu_keys_t *keys, const uint8_t mark[PU_KEY_MARK_LEN])
{
    size_t  i;

    if (keys == NULL) {
        return NULL;
    }

    for (i = 0; i < keys->n; i++) {
        if (memcmp(keys->keys[i].mark, mark, PU_KEY_MARK_LEN) == 0) {
            return &keys->keys[i];
        }
    }

    return NULL;
}
