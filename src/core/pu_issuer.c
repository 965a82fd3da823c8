/*
 * pu_issuer: the directives of one issuer block.
 *
 * A table of directives in the manner of nginx's own, but free of nginx, so
 * that the command and the unit tests read the same words the same way.  What
 * is done once all are read is in pu_issuer_finish.c, what the settings mean
 * for a token's claims in pu_caller.c.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include "pu_issuer_own.h"


#define PU_LEEWAY_DEFAULT    30
#define PU_TIMEOUT_DEFAULT   5000       /* ms */
#define PU_MAX_AGE_MAX       (100 * 365 * 24 * 3600LL)
#define PU_ARGS_ANY          SIZE_MAX


/* All memory of an issuer is in a chain of these. */
typedef struct pu_chunk_s {
    struct pu_chunk_s               *next;
    _Alignas(max_align_t) uint8_t    data[];
} pu_chunk_t;


static int pu_set_url(pu_issuer_t *issuer, const pu_line_t *line, char *err);
static int pu_set_audience(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
static int pu_set_list(pu_issuer_t *issuer, const pu_line_t *line, char *err);
static int pu_set_claim(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
static int pu_set_decryption(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
static int pu_set_algorithms(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
static int pu_set_token_type(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
static int pu_set_leeway(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
static int pu_set_max_age(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
static int pu_set_path(pu_issuer_t *issuer, const pu_line_t *line, char *err);
static int pu_set_role_map(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
static int pu_set_default_role(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
static int pu_set_provision(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);


/* "seen" has a bit for each: at most 32. */
static const pu_directive_t  pu_directives[] = {

    { "issuer", 1, 1, 0, 0, pu_set_url, 0 },

    { "audience", 1, PU_ARGS_ANY, 0, 0, pu_set_audience, 0 },

    { "audience_claim", 1, PU_ARGS_ANY, 0, 0, pu_set_list,
      offsetof(pu_issuer_t, audience_claims) },

    { "claim", 2, PU_ARGS_ANY, 1, 0, pu_set_claim, 0 },

    { "jwks_file", 1, 1, 0, 1, pu_set_jwks_file, 0 },

    { "secret_file", 1, 1, 0, 1, pu_set_secret_file, 0 },

    { "decryption_key_file", 1, 1, 0, 1, pu_set_decryption, 0 },

    { "algorithms", 1, PU_ARGS_ANY, 0, 0, pu_set_algorithms, 0 },

    { "token_type", 1, PU_ARGS_ANY, 0, 0, pu_set_token_type, 0 },

    { "leeway", 1, 1, 0, 0, pu_set_leeway, 0 },

    { "max_age", 1, 1, 0, 0, pu_set_max_age, 0 },

    { "subject", 1, PU_PATH_MAX, 0, 0, pu_set_path,
      offsetof(pu_issuer_t, subject) },

    { "name", 1, PU_PATH_MAX, 0, 0, pu_set_path,
      offsetof(pu_issuer_t, display) },

    { "role_claim", 1, PU_PATH_MAX, 0, 0, pu_set_path,
      offsetof(pu_issuer_t, role_claim) },

    { "scope_claim", 1, PU_PATH_MAX, 0, 0, pu_set_path,
      offsetof(pu_issuer_t, scope_claim) },

    { "role_map", 2, PU_ARGS_ANY, 1, 0, pu_set_role_map, 0 },

    { "default_role", 1, PU_ARGS_ANY, 0, 0, pu_set_default_role, 0 },

    { "provision", 1, 1, 0, 0, pu_set_provision, 0 },

    { "link", 2, PU_PATH_MAX, 0, 0, pu_set_path,
      offsetof(pu_issuer_t, link) },

    { "jwks_uri", 1, 1, 0, 0, pu_set_jwks_uri, 0 },

    { "discovery", 1, 1, 0, 0, pu_set_discovery, 0 },

    { "ca_file", 1, 1, 0, 1, pu_set_ca_file, 0 },

    { "timeout", 1, 1, 0, 0, pu_set_timeout, 0 },

    { "introspection", 1, 3, 0, 0, pu_set_introspection, 0 }
};

#define PU_DIRECTIVES  (sizeof(pu_directives) / sizeof(pu_directives[0]))

/* Tokens of other protocols: never an access token, whoever asks. */
static const char *const  pu_types_never[] = {
    "dpop+jwt", "logout+jwt", "secevent+jwt", "JOSE+JSON", "JOSE"
};


int
pu_issuer_fail(char *err, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    vsnprintf(err, PU_ERROR_SIZE, format, args);
    va_end(args);

    return 0;
}


int
pu_line_fail(const pu_line_t *line, pu_str_t value, const char *allowed,
    char *err)
{
    if (value.len > PU_VALUE_SHOWN_MAX) {
        value.len = PU_VALUE_SHOWN_MAX;
    }

    return pu_issuer_fail(err, "\"%s\" has the value \"%.*s\", allowed is %s",
                          line->directive->name, PU_STR_FMT(value), allowed);
}


/* Zeroed memory that lives as long as the issuer. */
static void *
pu_issuer_alloc(pu_issuer_t *issuer, size_t size)
{
    pu_chunk_t  *chunk;

    chunk = calloc(1, sizeof(pu_chunk_t) + size);

    if (chunk == NULL) {
        return NULL;
    }

    chunk->next = issuer->memory;
    issuer->memory = chunk;

    return chunk->data;
}


int
pu_issuer_copy(pu_issuer_t *issuer, pu_str_t *to, pu_str_t from)
{
    uint8_t  *data;

    data = pu_issuer_alloc(issuer, from.len + 1);

    if (data == NULL) {
        return 0;
    }

    if (from.len != 0) {
        memcpy(data, from.data, from.len);
    }

    *to = (pu_str_t) { from.len, data };

    return 1;
}


int
pu_issuer_list(pu_issuer_t *issuer, pu_list_t *list, const pu_str_t *words,
    size_t n)
{
    size_t  i;

    list->items = pu_issuer_alloc(issuer, n * sizeof(pu_str_t));

    if (list->items == NULL) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (!pu_issuer_copy(issuer, &list->items[i], words[i])) {
            return 0;
        }
    }

    list->n = n;

    return 1;
}


/* Adds to an array that grows when its length is a power of two. */
static int
pu_issuer_push(pu_issuer_t *issuer, pu_named_list_t **array, size_t *n,
    const pu_line_t *line)
{
    pu_named_list_t  *larger, *item;

    if ((*n & (*n - 1)) == 0) {
        larger = pu_issuer_alloc(issuer,
                                 (*n * 2 + 1) * sizeof(pu_named_list_t));
        if (larger == NULL) {
            return 0;
        }

        if (*n != 0) {
            memcpy(larger, *array, *n * sizeof(pu_named_list_t));
        }

        *array = larger;
    }

    item = &(*array)[*n];

    if (!pu_issuer_copy(issuer, &item->name, line->args[0])
        || !pu_issuer_list(issuer, &item->values, line->args + 1,
                           line->n - 1))
    {
        return 0;
    }

    (*n)++;

    return 1;
}


pu_issuer_t *
pu_issuer_new(pu_str_t name)
{
    pu_issuer_t  *issuer;

    issuer = calloc(1, sizeof(pu_issuer_t));

    if (issuer == NULL) {
        return NULL;
    }

    issuer->algs = PU_ALGS_DEFAULT;
    issuer->leeway = PU_LEEWAY_DEFAULT;
    issuer->timeout = PU_TIMEOUT_DEFAULT;
    issuer->jit = 1;

    if (!pu_issuer_copy(issuer, &issuer->name, name)) {
        pu_issuer_free(issuer);
        return NULL;
    }

    return issuer;
}


void
pu_issuer_free(pu_issuer_t *issuer)
{
    pu_chunk_t  *chunk, *next;

    if (issuer == NULL) {
        return;
    }

    if (issuer->authorization.len != 0) {
        OPENSSL_cleanse((void *) (uintptr_t) issuer->authorization.data,
                        issuer->authorization.len);
    }

    for (chunk = issuer->memory; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }

    pu_keys_free(issuer->keys);
    pu_jwe_keys_free(issuer->decryption);
    free(issuer);
}


static const pu_directive_t *
pu_directive_find(pu_str_t name)
{
    size_t  i;

    for (i = 0; i < PU_DIRECTIVES; i++) {
        if (pu_str_is(name, pu_directives[i].name)) {
            return &pu_directives[i];
        }
    }

    return NULL;
}


size_t
pu_issuer_path(pu_str_t directive, pu_str_t word)
{
    const pu_directive_t  *found;

    found = pu_directive_find(directive);

    if (found != NULL && found->file) {
        return 0;
    }

    return pu_str_is(directive, "introspection")
           && pu_str_starts(word, PU_SECRET_WORD)
           ? sizeof(PU_SECRET_WORD) - 1 : word.len;
}


static int
pu_directive_unknown(pu_str_t name, char *err)
{
    if (name.len > PU_VALUE_SHOWN_MAX) {
        name.len = PU_VALUE_SHOWN_MAX;
    }

    return pu_issuer_fail(err, "unknown directive \"%.*s\" in an issuer",
                          PU_STR_FMT(name));
}


static int
pu_line_check(const pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    size_t                 i;
    const pu_directive_t  *directive;

    directive = line->directive;

    if (!directive->repeatable
        && (issuer->seen & 1u << (directive - pu_directives)))
    {
        return pu_issuer_fail(err, "\"%s\" directive is duplicate",
                              directive->name);
    }

    if (line->n < directive->min) {
        return pu_issuer_fail(err, "\"%s\" has %zu values, needed are at "
                              "least %zu", directive->name, line->n,
                              directive->min);
    }

    if (line->n > directive->max) {
        return pu_issuer_fail(err, "\"%s\" has %zu values, allowed are at "
                              "most %zu", directive->name, line->n,
                              directive->max);
    }

    /* an empty value is a variable that somebody forgot to fill */

    for (i = 0; i < line->n; i++) {
        if (line->args[i].len == 0
            || memchr(line->args[i].data, '\0', line->args[i].len) != NULL)
        {
            return pu_line_fail(line, PU_STR(""), "a text that is not empty",
                                err);
        }
    }

    return 1;
}


int
pu_issuer_set(pu_issuer_t *issuer, const pu_str_t *words, size_t n,
    pu_keys_warn_f warn, void *data, char err[PU_ERROR_SIZE])
{
    pu_line_t  line;

    line.directive = pu_directive_find(words[0]);
    line.args = words + 1;
    line.n = n - 1;
    line.warn = warn;
    line.data = data;

    if (line.directive == NULL) {
        return pu_directive_unknown(words[0], err);
    }

    if (!pu_line_check(issuer, &line, err)) {
        return 0;
    }

    /* a setter that fails without a sentence has found no memory */

    pu_issuer_fail(err, "memory is gone");

    if (!line.directive->set(issuer, &line, err)) {
        return 0;
    }

    err[0] = '\0';
    issuer->seen |= 1u << (line.directive - pu_directives);

    return 1;
}


static int
pu_set_url(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    if (!pu_issuer_url_ok(line->args[0])) {
        return pu_line_fail(line, line->args[0], "an https url, or an http "
                            "url of a loopback address", err);
    }

    return pu_issuer_copy(issuer, &issuer->url, line->args[0]);
}


static int
pu_set_audience(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    size_t  i;

    for (i = 0; i < line->n; i++) {
        if (!pu_str_is(line->args[i], "off")) {
            continue;
        }

        if (line->n != 1) {
            return pu_line_fail(line, line->args[i],
                                "\"off\" alone, or values", err);
        }

        issuer->audience_off = 1;
        return 1;
    }

    return pu_issuer_list(issuer, &issuer->audience, line->args, line->n);
}


static int
pu_set_list(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    (void) err;

    return pu_issuer_list(issuer,
                 (pu_list_t *) (void *) ((char *) issuer
                                         + line->directive->offset),
                 line->args, line->n);
}


static int
pu_set_claim(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    (void) err;

    return pu_issuer_push(issuer, &issuer->claims, &issuer->nclaims, line);
}


static int
pu_set_decryption(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    char       fault[PU_ERROR_SIZE];
    pu_str_t   path;

    if (!pu_issuer_copy(issuer, &path, line->args[0])) {
        return 0;
    }

    issuer->decryption = pu_jwe_keys_file((const char *) path.data, fault);

    if (issuer->decryption == NULL) {
        return pu_issuer_fail(err, "\"decryption_key_file\": %.480s", fault);
    }

    return 1;
}


/* Whether they fit the keys is asked when all lines are read. */
static int
pu_set_algorithms(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    size_t    i;
    unsigned  algs;
    pu_alg_t  alg;

    algs = 0;

    for (i = 0; i < line->n; i++) {
        alg = pu_alg_find(line->args[i]);

        if (alg == PU_ALG_NONE) {
            return pu_line_fail(line, line->args[i], PU_ALGS_TEXT ", and "
                                PU_ALGS_HMAC_TEXT " with \"secret_file\"",
                                err);
        }

        algs |= PU_ALG_BIT(alg);
    }

    issuer->algs = algs;

    return 1;
}


static int
pu_type_never(pu_str_t type)
{
    size_t    i;
    pu_str_t  bare;

    bare = type;

    if (bare.len > sizeof("application/") - 1) {
        bare.len = sizeof("application/") - 1;

        if (pu_str_case_eq(bare, PU_STR("application/"))) {
            type.data += bare.len;
            type.len -= bare.len;
        }
    }

    for (i = 0; i < sizeof(pu_types_never) / sizeof(char *); i++) {
        if (pu_str_case_eq(type, pu_str(pu_types_never[i]))) {
            return 1;
        }
    }

    return 0;
}


static int
pu_set_token_type(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    size_t      i;
    pu_list_t  *types;

    types = &issuer->types;
    types->items = pu_issuer_alloc(issuer, line->n * sizeof(pu_str_t));

    if (types->items == NULL) {
        return 0;
    }

    for (i = 0; i < line->n; i++) {

        if (pu_type_never(line->args[i])) {
            return pu_line_fail(line, line->args[i], "a type of access "
                                "tokens, \"absent\" or \"ID\"", err);
        }

        /* two words that are no media types */

        if (pu_str_is(line->args[i], "absent")) {
            issuer->type_absent = 1;

        } else if (pu_str_is(line->args[i], "ID")) {
            issuer->id_token = 1;

        } else if (pu_issuer_copy(issuer, &types->items[types->n],
                                  line->args[i]))
        {
            types->n++;

        } else {
            return 0;
        }
    }

    return 1;
}


static int
pu_set_leeway(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    issuer->leeway = pu_str_duration(line->args[0]);

    if (issuer->leeway < 0 || issuer->leeway > PU_LEEWAY_MAX) {
        return pu_line_fail(line, line->args[0],
                            "a time of at most 300s", err);
    }

    return 1;
}


static int
pu_set_max_age(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    if (pu_str_is(line->args[0], "off")) {
        issuer->max_age = 0;
        return 1;
    }

    issuer->max_age = pu_str_duration(line->args[0]);

    if (issuer->max_age <= 0 || issuer->max_age > PU_MAX_AGE_MAX) {
        return pu_line_fail(line, line->args[0],
                            "a time of at least 1s, or \"off\"", err);
    }

    return 1;
}


static int
pu_set_path(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    size_t      i;
    pu_path_t  *path;

    (void) err;

    path = (pu_path_t *) (void *) ((char *) issuer + line->directive->offset);

    for (i = 0; i < line->n; i++) {
        if (!pu_issuer_copy(issuer, &path->words[i], line->args[i])) {
            return 0;
        }
    }

    path->n = line->n;

    return 1;
}


static int
pu_line_roles(const pu_line_t *line, size_t first, char *err)
{
    size_t  i;

    for (i = first; i < line->n; i++) {
        if (!pu_role_name(line->args[i])) {
            return pu_line_fail(line, line->args[i], "a role: 1 to 64 of "
                                "A-Z a-z 0-9 _ . : / - with a lower-case "
                                "letter or a digit", err);
        }
    }

    return 1;
}


static int
pu_set_role_map(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    return pu_line_roles(line, 1, err)
           && pu_issuer_push(issuer, &issuer->role_map, &issuer->nroles,
                             line);
}


static int
pu_set_default_role(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    return pu_line_roles(line, 0, err)
           && pu_issuer_list(issuer, &issuer->default_roles, line->args,
                             line->n);
}


static int
pu_set_provision(pu_issuer_t *issuer, const pu_line_t *line, char *err)
{
    if (pu_str_is(line->args[0], "jit")) {
        issuer->jit = 1;

    } else if (pu_str_is(line->args[0], "known")) {
        issuer->jit = 0;

    } else {
        return pu_line_fail(line, line->args[0], "jit or known", err);
    }

    return 1;
}
