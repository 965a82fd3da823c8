/*
 * pu_issuer_finish: from an issuer's lines to an issuer that can be asked.
 *
 * What is missing, what is the default, and the fingerprint by which a cached
 * token knows the settings it was verified under.
 */

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "pu_discovery.h"
#include "pu_issuer_own.h"


/* What is wrong with one algorithm of the list, given the keys. */
static int
pu_issuer_algorithm(const pu_issuer_t *issuer, pu_alg_t alg, char *err)
{
    unsigned  hmac;

    hmac = (PU_ALG_BIT(alg) & PU_ALGS_HMAC) != 0;

    if (!hmac && issuer->secret) {
        return pu_issuer_fail(err, "\"algorithms\" has the value \"%s\", "
                              "allowed with \"secret_file\" are "
                              PU_ALGS_HMAC_TEXT, pu_alg_name(alg));
    }

    if (hmac && !issuer->secret) {
        return pu_issuer_fail(err, "\"algorithms\" has the value \"%s\", "
                              "allowed without \"secret_file\" are "
                              PU_ALGS_TEXT, pu_alg_name(alg));
    }

    if (hmac && !(issuer->keys->keys[0].algs & PU_ALG_BIT(alg))) {
        return pu_issuer_fail(err, "\"algorithms\" has the value \"%s\", "
                              "allowed is an algorithm whose hash is not "
                              "longer than the secret in \"secret_file\", "
                              "this one needs %zu bytes", pu_alg_name(alg),
                              pu_secret_needed(alg));
    }

    return 1;
}


/*
 * RFC 8725 section 3.1: a list that has both kinds lets a token choose
 * whether a public key is a key or a secret.  So no list has both, whatever
 * the keys are.
 */
static int
pu_issuer_algorithms(const pu_issuer_t *issuer, char *err)
{
    int  alg;

    if (issuer->secret && issuer->algs == PU_ALGS_DEFAULT) {
        return pu_issuer_fail(err, "the issuer \"%.*s\" has \"secret_file\" "
                              "and no \"algorithms\" directive, needed are "
                              "one or more of " PU_ALGS_HMAC_TEXT,
                              PU_STR_FMT(issuer->name));
    }

    for (alg = 0; alg < PU_ALG_COUNT; alg++) {
        if ((issuer->algs & PU_ALG_BIT(alg))
            && !pu_issuer_algorithm(issuer, (pu_alg_t) alg, err))
        {
            return 0;
        }
    }

    return 1;
}


/* Keys come from one place: a token must not choose between two. */
static int
pu_issuer_one_source(const pu_issuer_t *issuer, char *err)
{
    int  places;

    places = (issuer->keys != NULL) + (issuer->jwks_uri.len != 0)
             + (issuer->discovery_on != 0);

    if (places > 1) {
        return pu_issuer_fail(err, "the issuer \"%.*s\" has more than one of "
                              "\"jwks_file\", \"secret_file\", "
                              "\"jwks_uri\" and \"discovery\", allowed is "
                              "one", PU_STR_FMT(issuer->name));
    }

    if (places == 0 && issuer->discovery_off
        && issuer->introspection.len == 0)
    {
        return pu_issuer_fail(err, "the issuer \"%.*s\" has \"discovery "
                              "off\" and no \"jwks_file\", needed is a place "
                              "of its public keys, \"secret_file\" for HS "
                              "algorithms, or \"introspection\"",
                              PU_STR_FMT(issuer->name));
    }

    return 1;
}


static int
pu_issuer_complete(const pu_issuer_t *issuer, char *err)
{
    if (issuer->url.len == 0 && !issuer->url_off) {
        return pu_issuer_fail(err, "the issuer \"%.*s\" has no \"issuer\" "
                              "directive, needed is the url that its tokens "
                              "have in \"iss\"", PU_STR_FMT(issuer->name));
    }

    if (issuer->audience.n == 0 && !issuer->audience_off) {
        return pu_issuer_fail(err, "the issuer \"%.*s\" has no \"audience\" "
                              "directive, write \"audience off\" to accept "
                              "tokens for anyone", PU_STR_FMT(issuer->name));
    }

    return pu_issuer_one_source(issuer, err)
           && pu_issuer_algorithms(issuer, err);
}


/* Discovery is on where no other place is named. */
static int
pu_issuer_discovery(pu_issuer_t *issuer)
{
    int       ok;
    uint8_t   room[PU_URL_LEN_MAX];
    pu_buf_t  b;

    issuer->fetched = (issuer->jwks_uri.len != 0
                       || issuer->discovery.len != 0);

    if (issuer->keys != NULL || issuer->fetched || issuer->discovery_off) {
        return 1;
    }

    issuer->fetched = 1;

    pu_buf_init(&b, room, sizeof(room));
    pu_discovery_url(&b, issuer->url);
    ok = pu_issuer_copy(issuer, &issuer->discovery, pu_buf_written(&b));

    return ok && !b.full;
}


static int
pu_issuer_defaults(pu_issuer_t *issuer)
{
    static const pu_str_t  aud = { 3, (const uint8_t *) "aud" };
    static const pu_str_t  sub = { 3, (const uint8_t *) "sub" };
    static const pu_str_t  roles = { 5, (const uint8_t *) "roles" };
    static const pu_str_t  types[] = {
        { 3, (const uint8_t *) "JWT" },
        { 6, (const uint8_t *) "at+jwt" }
    };

    if (issuer->subject.n == 0) {
        issuer->subject.words[0] = sub;
        issuer->subject.n = 1;
    }

    if (issuer->role_claim.n == 0) {
        issuer->role_claim.words[0] = roles;
        issuer->role_claim.n = 1;
    }

    if (issuer->audience_claims.n == 0
        && !pu_issuer_list(issuer, &issuer->audience_claims, &aud, 1))
    {
        return 0;
    }

    /* "token_type ID" alone says nothing of typ: ID tokens have JWT or none */

    if (issuer->types.n == 0 && !issuer->type_absent) {
        issuer->type_absent = 1;

        return pu_issuer_list(issuer, &issuer->types, types, 2);
    }

    return 1;
}


static void
pu_issuer_count_roles(pu_issuer_t *issuer, const pu_list_t *roles)
{
    size_t  i;

    for (i = 0; i < roles->n; i++) {
        issuer->role_words++;
        issuer->role_bytes += roles->items[i].len + 1;
    }
}


static int
pu_role_map_cmp(const void *a, const void *b)
{
    return pu_str_cmp(((const pu_named_list_t *) a)->name,
                      ((const pu_named_list_t *) b)->name);
}


/* Each text with its length before it: no two settings hash the same bytes. */
static int
pu_digest_str(EVP_MD_CTX *ctx, pu_str_t s)
{
    uint64_t  len;

    len = s.len;

    return EVP_DigestUpdate(ctx, &len, sizeof(len)) == 1
           && (len == 0 || EVP_DigestUpdate(ctx, s.data, s.len) == 1);
}


static int
pu_digest_int(EVP_MD_CTX *ctx, uint64_t n)
{
    return EVP_DigestUpdate(ctx, &n, sizeof(n)) == 1;
}


static int
pu_digest_list(EVP_MD_CTX *ctx, const pu_str_t *items, size_t n)
{
    int     ok;
    size_t  i;

    ok = pu_digest_int(ctx, n);

    for (i = 0; ok && i < n; i++) {
        ok = pu_digest_str(ctx, items[i]);
    }

    return ok;
}


static int
pu_digest_named(EVP_MD_CTX *ctx, const pu_named_list_t *items, size_t n)
{
    int     ok;
    size_t  i;

    ok = pu_digest_int(ctx, n);

    for (i = 0; ok && i < n; i++) {
        ok = pu_digest_str(ctx, items[i].name)
             && pu_digest_list(ctx, items[i].values.items,
                               items[i].values.n);
    }

    return ok;
}


/*
 * Of the words of "link" the first says by what, the rest are the claim.  Two
 * ways to a user at once would be two accounts for one person.
 */
static int
pu_issuer_link(pu_issuer_t *issuer, char *err)
{
    size_t      i;
    pu_str_t    by;
    pu_path_t  *link;

    link = &issuer->link;

    if (link->n == 0) {
        return 1;
    }

    by = link->words[0];

    if (pu_str_is(by, "user_name")) {
        issuer->link_by = PU_LINK_USER_NAME;

    } else if (pu_str_is(by, "external_id")) {
        issuer->link_by = PU_LINK_EXTERNAL_ID;

    } else {
        return pu_issuer_fail(err, "\"link\" has the value \"%.*s\", allowed "
                              "are user_name and external_id, then the claim",
                              (int) (by.len > 100 ? 100 : by.len),
                              (const char *) by.data);
    }

    if (issuer->jit) {
        return pu_issuer_fail(err, "the issuer \"%.*s\" has \"link\" and "
                              "makes users by \"provision jit\", allowed with "
                              "\"link\" is \"provision known\": else one "
                              "person would have two accounts",
                              PU_STR_FMT(issuer->name));
    }

    for (i = 1; i < link->n; i++) {
        link->words[i - 1] = link->words[i];
    }

    link->n--;

    return 1;
}


/*
 * Leeway and max_age are not part of it: they are applied at every use.  Nor
 * are display name and provisioning: nothing of them is in a cached token.
 */
static int
pu_issuer_digest(const pu_issuer_t *issuer, EVP_MD_CTX *ctx)
{
    return pu_digest_str(ctx, issuer->url)
           && pu_digest_list(ctx, issuer->audience.items, issuer->audience.n)
           && pu_digest_list(ctx, issuer->audience_claims.items,
                             issuer->audience_claims.n)
           && pu_digest_named(ctx, issuer->claims, issuer->nclaims)
           && pu_digest_int(ctx, issuer->algs)
           && pu_digest_list(ctx, issuer->types.items, issuer->types.n)
           && pu_digest_list(ctx, issuer->subject.words, issuer->subject.n)
           && pu_digest_list(ctx, issuer->role_claim.words,
                             issuer->role_claim.n)
           && pu_digest_list(ctx, issuer->scope_claim.words,
                             issuer->scope_claim.n)
           && pu_digest_named(ctx, issuer->role_map, issuer->nroles)
           && pu_digest_list(ctx, issuer->default_roles.items,
                             issuer->default_roles.n)
           && pu_digest_int(ctx, issuer->audience_off)
           && pu_digest_int(ctx, issuer->type_absent)
           && pu_digest_int(ctx, issuer->id_token)
           && pu_digest_str(ctx, (issuer->decryption == NULL)
                                 ? PU_STR("")
                                 : pu_jwe_keys_mark(issuer->decryption))
           && pu_digest_str(ctx, issuer->introspection)
           && pu_digest_str(ctx, issuer->client_id);
}


static int
pu_issuer_fingerprint(pu_issuer_t *issuer)
{
    int          ok;
    uint8_t      digest[PU_SHA256_LEN];
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    ok = ctx != NULL
         && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1
         && pu_issuer_digest(issuer, ctx)
         && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;

    EVP_MD_CTX_free(ctx);

    if (!ok) {
        ERR_clear_error();
        return 0;
    }

    memcpy(issuer->fingerprint, digest, PU_FINGERPRINT_LEN);

    return 1;
}


int
pu_issuer_finish(pu_issuer_t *issuer, char err[PU_ERROR_SIZE])
{
    size_t  i;

    if (!pu_issuer_complete(issuer, err) || !pu_issuer_link(issuer, err)) {
        return 0;
    }

    if (!pu_issuer_discovery(issuer) || !pu_issuer_defaults(issuer)) {
        return pu_issuer_fail(err, "memory is gone");
    }

    if (issuer->nroles != 0) {
        qsort(issuer->role_map, issuer->nroles, sizeof(pu_named_list_t),
              pu_role_map_cmp);
    }

    issuer->role_words = 0;
    issuer->role_bytes = 0;
    pu_issuer_count_roles(issuer, &issuer->default_roles);

    for (i = 0; i < issuer->nroles; i++) {
        pu_issuer_count_roles(issuer, &issuer->role_map[i].values);
    }

    if (!pu_issuer_fingerprint(issuer)) {
        return pu_issuer_fail(err, "SHA-256 has failed");
    }

    return 1;
}
