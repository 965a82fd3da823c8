/*
 * pu_issuer_source: where an issuer's keys come from, and whom to ask about
 * tokens that are no JWTs: the directives of that.  What is missing is found
 * in pu_issuer_finish.c.
 */

#include <stdlib.h>

#include <openssl/crypto.h>

#include "pu_discovery.h"
#include "pu_introspection.h"
#include "pu_issuer_own.h"


#define PU_TIMEOUT_MAX         60000    /* ms */
#define PU_CLIENT_SECRET_MAX   4096
#define PU_CLIENT_ID_MAX       1024
#define PU_CLIENT_ID_WORD      "client_id="
#define PU_CLIENT_TEXT         "a url, client_id= and client_secret_file="

#define PU_URL_TEXT                                                           \
    "an https url, or an http url of a loopback address, of at most 2048 "    \
    "bytes"


/* Public keys or a secret: between two places a token must not choose. */
static int
pu_keys_first(const pu_issuer_t *issuer, const pu_line_t *line,
    const char *allowed, char *err)
{
    if (issuer->keys != NULL) {
        return pu_line_fail(line, line->args[0], allowed, err);
    }

    return 1;
}


int
pu_set_jwks_file(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    char       fault[PU_ERROR_SIZE];
    pu_str_t   path;

    if (!pu_keys_first(issuer, line, "no \"secret_file\" beside it", err)
        || !pu_issuer_copy(issuer, &path, line->args[0]))
    {
        return 0;
    }

    issuer->keys = pu_keys_jwks_file((const char *) path.data, line->warn,
                                     line->data, fault);

    if (issuer->keys == NULL) {
        return pu_issuer_fail(err, "\"jwks_file\": %.480s", fault);
    }

    if (issuer->keys->n == 0 && line->warn != NULL) {
        line->warn(line->data, "\"jwks_file\" has no usable key, every token "
                   "of this issuer will be refused");
    }

    return 1;
}


int
pu_set_secret_file(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    char       fault[PU_ERROR_SIZE];
    pu_str_t   path;

    if (!pu_keys_first(issuer, line, "no \"jwks_file\" beside it", err)
        || !pu_issuer_copy(issuer, &path, line->args[0]))
    {
        return 0;
    }

    issuer->keys = pu_keys_secret_file((const char *) path.data, fault);
    issuer->secret = 1;

    if (issuer->keys == NULL) {
        return pu_issuer_fail(err, "\"secret_file\": %.480s", fault);
    }

    return 1;
}


static int
pu_set_place(pu_issuer_t *issuer, const pu_line_t *line, pu_str_t *place,
    char *err)
{
    pu_str_t  url;

    url = line->args[0];

    if (url.len > PU_URL_LEN_MAX || !pu_issuer_url_ok(url)) {
        return pu_line_fail(line, url, PU_URL_TEXT, err);
    }

    return pu_issuer_copy(issuer, place, url);
}


int
pu_set_jwks_uri(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    return pu_set_place(issuer, line, &issuer->jwks_uri, err);
}


int
pu_set_discovery(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    if (pu_str_is(line->args[0], "on")) {
        issuer->discovery_on = 1;
        return 1;
    }

    if (pu_str_is(line->args[0], "off")) {
        issuer->discovery_off = 1;
        return 1;
    }

    if (line->args[0].len > PU_URL_LEN_MAX
        || !pu_issuer_url_ok(line->args[0]))
    {
        return pu_line_fail(line, line->args[0], "on, off or " PU_URL_TEXT,
                            err);
    }

    issuer->discovery_on = 1;

    return pu_issuer_copy(issuer, &issuer->discovery, line->args[0]);
}


/* The secret itself is not kept, only the header that says it. */
static int
pu_set_authorization(pu_issuer_t *issuer, pu_str_t secret)
{
    int        ok;
    size_t     size;
    uint8_t   *room;
    pu_buf_t   b;

    size = PU_BASIC(issuer->client_id.len + secret.len);
    room = malloc(size);

    if (room == NULL) {
        return 0;
    }

    pu_buf_init(&b, room, size);

    ok = pu_introspection_basic(&b, issuer->client_id, secret)
         && pu_issuer_copy(issuer, &issuer->authorization,
                           pu_buf_written(&b));

    OPENSSL_cleanse(room, size);
    free(room);

    return ok;
}


static int
pu_set_client(pu_issuer_t *issuer, const char *path, char *err)
{
    int        ok;
    char       fault[PU_ERROR_SIZE];
    size_t     size;
    uint8_t   *bytes;
    pu_str_t   secret;

    bytes = pu_file_read(path, PU_CLIENT_SECRET_MAX, &size, fault);

    if (bytes == NULL) {
        return pu_issuer_fail(err, "\"introspection\" cannot use its "
                              "\"client_secret_file\": %.400s", fault);
    }

    secret = (pu_str_t) { size, bytes };

    while (secret.len != 0 && (bytes[secret.len - 1] == '\n'
                               || bytes[secret.len - 1] == '\r'))
    {
        secret.len--;           /* a line end is no part of it */
    }

    if (secret.len == 0 || pu_str_has_control(secret)) {
        ok = pu_issuer_fail(err, "\"introspection\" has a "
                            "\"client_secret_file\" that is %s, needed is "
                            "the secret alone, in one line",
                            secret.len == 0 ? "empty"
                                            : "no text of one line");

    } else {
        ok = pu_set_authorization(issuer, secret);
    }

    OPENSSL_cleanse(bytes, size);
    free(bytes);

    return ok;
}


/* What follows "name" in a word that begins with it; 1, or 0. */
static int
pu_word_value(pu_str_t word, const char *name, pu_str_t *value)
{
    size_t  len;

    len = strlen(name);

    if (!pu_str_starts(word, name) || value->len != 0 || word.len == len) {
        return 0;
    }

    *value = (pu_str_t) { word.len - len, word.data + len };

    return 1;
}


int
pu_set_introspection(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    size_t    i;
    pu_str_t  id, path;

    id = PU_STR("");
    path = PU_STR("");

    for (i = 1; i < line->n; i++) {
        if (!pu_word_value(line->args[i], PU_CLIENT_ID_WORD, &id)
            && !pu_word_value(line->args[i], PU_SECRET_WORD, &path))
        {
            return pu_line_fail(line, line->args[i], PU_CLIENT_TEXT, err);
        }
    }

    if (id.len == 0 || path.len == 0) {
        return pu_issuer_fail(err, "\"introspection\" has no \"%s\", needed "
                              "is " PU_CLIENT_TEXT, id.len == 0
                              ? PU_CLIENT_ID_WORD : PU_SECRET_WORD);
    }

    if (id.len > PU_CLIENT_ID_MAX) {
        return pu_line_fail(line, id, "a client_id of at most 1024 bytes",
                            err);
    }

    if (!pu_set_place(issuer, line, &issuer->introspection, err)
        || !pu_issuer_copy(issuer, &issuer->client_id, id)
        || !pu_issuer_copy(issuer, &path, path))
    {
        return 0;
    }

    return pu_set_client(issuer, (const char *) path.data, err);
}


int
pu_set_ca_file(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    (void) err;

    return pu_issuer_copy(issuer, &issuer->ca_file, line->args[0]);
}


/* Milliseconds too, as everywhere in nginx. */
int
pu_set_timeout(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    int64_t   ms;
    pu_str_t  text;

    text = line->args[0];

    if (text.len > 2 && memcmp(text.data + text.len - 2, "ms", 2) == 0) {
        text.len -= 2;

        if (text.data[0] < '0' || text.data[0] > '9'
            || !pu_str_int(text, &ms))
        {
            ms = -1;
        }

    } else {
        ms = pu_str_duration(text);
        ms = (ms > PU_TIMEOUT_MAX) ? ms : ms * 1000;
    }

    if (ms <= 0 || ms > PU_TIMEOUT_MAX) {
        return pu_line_fail(line, line->args[0], "a time from 1ms to 60s",
                            err);
    }

    issuer->timeout = ms;

    return 1;
}
