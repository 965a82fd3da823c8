/*
 * words: the bytes are what the small readers meet: an Accept header, a url, a
 * time, a number, a log id, a handle, grants, a role.
 */

#include "fuzz.h"
#include "pu_accept.h"
#include "pu_command.h"
#include "pu_json.h"


static void
holds_log_id(pu_str_t text)
{
    char         again[PU_LOG_ID_TEXT_MAX];
    size_t       n;
    pu_log_id_t  id, same;

    if (!pu_log_id_parse(text, &id)) {
        return;
    }

    n = pu_log_id_text(again, id);
    FUZZ_HOLDS(n <= PU_LOG_ID_TEXT_MAX);
    FUZZ_HOLDS(pu_log_id_parse((pu_str_t) { n, (uint8_t *) again }, &same));
    FUZZ_HOLDS(pu_log_id_cmp(id, same) == 0);
}


static void
holds_handle(pu_str_t text)
{
    char               again[PU_HANDLE_TEXT_MAX];
    size_t             n;
    uint8_t            digest[PU_SHA256_LEN];
    pu_handle_kind_t   kind;

    if (pu_handle_parse(text, &kind, digest)) {
        n = pu_handle_text(again, kind, digest);
        FUZZ_HOLDS(pu_str_eq(text, (pu_str_t) { n, (uint8_t *) again }));
    }
}


static void
holds_grants(pu_str_t rest)
{
    int       rc;
    int64_t   granted, expires;
    pu_str_t  role, before;

    do {
        before = rest;
        rc = pu_grant_next(&rest, &role, &granted, &expires);
        FUZZ_HOLDS(rc != 1 || pu_role_name(role));
        FUZZ_HOLDS(rc != 1 || rest.len < before.len);
    } while (rc == 1);
}


/* Any bytes quoted are a JSON string. */
static void
holds_quoted(pu_str_t text)
{
    uint8_t           *room;
    json_t            *value;
    pu_buf_t           b;
    pu_str_t           quoted;

    room = malloc(text.len * 6 + 16);
    pu_buf_init(&b, room, text.len * 6 + 16);
    pu_json_quote(&b, text);
    quoted = pu_buf_written(&b);

    value = json_loadb((const char *) quoted.data, quoted.len,
                       JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    FUZZ_HOLDS(json_is_string(value));
    json_decref(value);
    free(room);
}


static void
holds_set(pu_str_t text)
{
    size_t     size;
    uint8_t   *room;
    pu_buf_t   b;
    pu_str_t   words[64], word, rest;

    size = text.len + 1;
    room = malloc(size);
    pu_buf_init(&b, room, size);
    pu_set_union(&b, &text, 1, words, 64);

    for (rest = pu_buf_written(&b); pu_word_next(&rest, &word); ) {
        FUZZ_HOLDS(pu_set_has(text, word));
    }

    free(room);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t   n;
    pu_str_t  text;

    text = (pu_str_t) { size, data };

    (void) pu_accepts(text, PU_STR("application/problem+json"));
    (void) pu_issuer_url_ok(text);
    (void) pu_scope_token(text);
    (void) pu_prefix_ok(text);
    (void) pu_str_int(text, &n);

    FUZZ_HOLDS(!pu_seconds(text, &n) || n >= 0);
    FUZZ_HOLDS(pu_str_duration(text) >= -1);
    FUZZ_HOLDS(!pu_role_name(text) || size <= 64);
    FUZZ_HOLDS(!pu_user_id_ok(text) || size == PU_USER_ID_LEN);

    holds_log_id(text);
    holds_handle(text);
    holds_grants(text);
    holds_quoted(text);
    holds_set(text);

    return 0;
}
