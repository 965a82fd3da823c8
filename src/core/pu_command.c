/*
 * pu_command: the commands sent to Redis, as argument vectors.
 *
 * Not the answers (pu_reply.c), not the script itself (change/) and no
 * socket.  Nothing is allocated.
 */

#include <openssl/err.h>
#include <openssl/evp.h>

#include "pu_command_own.h"
#include "pu_change_lua.h"


#define PU_NAME_LEN_MAX  255            /* LABEL_MAX of the script */


/* The words of the script, in the order of pu_change_op_t. */
static const char *const  pu_change_words[] = {
    "suspend", "resume", "delete", "revoke", "grant", "ungrant",
    "accept_store", "handle_add", "handle_rotate", "handle_link",
    "handle_revoke",
    "token_revoke"
};

/* In the order of pu_handle_kind_t. */
static const char *const  pu_handle_words[] = { "sub", "key", "cert" };

#define PU_HANDLE_WORDS                                                       \
    (sizeof(pu_handle_words) / sizeof(pu_handle_words[0]))


const char *const  pu_script = pu_change_lua;
const size_t       pu_script_len = sizeof(pu_change_lua) - 1;


static int pu_command_adopt(pu_args_t *args, const pu_lookup_t *lookup);
static pu_str_t pu_name_cut(pu_str_t name);
static void pu_args_handle(pu_args_t *args, const pu_change_t *change);
static void pu_args_caps(pu_args_t *args, const pu_change_t *change);


int
pu_script_sha(char sha[PU_SCRIPT_SHA_LEN])
{
    static const char  hex[] = "0123456789abcdef";

    size_t    i;
    unsigned  len;
    uint8_t   digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(pu_script, pu_script_len, digest, &len, EVP_sha1(), NULL)
        != 1 || len * 2 != PU_SCRIPT_SHA_LEN)
    {
        ERR_clear_error();
        return 0;
    }

    for (i = 0; i < len; i++) {
        sha[2 * i] = hex[digest[i] >> 4];
        sha[2 * i + 1] = hex[digest[i] & 0xf];
    }

    return 1;
}


int
pu_prefix_ok(pu_str_t prefix)
{
    size_t   i;
    uint8_t  c;

    if (prefix.len == 0 || prefix.len > PU_PREFIX_LEN_MAX) {
        return 0;
    }

    for (i = 0; i < prefix.len; i++) {
        c = prefix.data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':'
              || c == '-'))
        {
            return 0;
        }
    }

    return 1;
}


size_t
pu_handle_text(char out[PU_HANDLE_TEXT_MAX], pu_handle_kind_t kind,
    const uint8_t digest[PU_SHA256_LEN])
{
    size_t  len;

    len = strlen(pu_handle_words[kind]);

    memcpy(out, pu_handle_words[kind], len);
    out[len++] = ':';

    return len + pu_base64url_encode(out + len, digest, PU_SHA256_LEN);
}


int
pu_handle_parse(pu_str_t text, pu_handle_kind_t *kind,
    uint8_t digest[PU_SHA256_LEN])
{
    size_t    i, len;
    uint8_t   raw[PU_DIGEST_TEXT_LEN];
    pu_str_t  rest;

    for (i = 0; i < PU_HANDLE_WORDS; i++) {
        len = strlen(pu_handle_words[i]);

        if (text.len != len + 1 + PU_DIGEST_TEXT_LEN
            || !pu_str_starts(text, pu_handle_words[i])
            || text.data[len] != ':')
        {
            continue;
        }

        rest.len = PU_DIGEST_TEXT_LEN;
        rest.data = text.data + len + 1;

        if (pu_base64url_decode(raw, rest) != PU_SHA256_LEN) {
            return 0;
        }

        *kind = (pu_handle_kind_t) i;
        memcpy(digest, raw, PU_SHA256_LEN);

        return 1;
    }

    return 0;
}


int
pu_command_lookup(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_lookup_t *lookup)
{
    char  *handle;

    pu_args_script(args, sha, prefix,
                   lookup->create ? "provision"
                   : lookup->link ? "adopt" : "lookup");

    handle = pu_args_room(args, PU_HANDLE_TEXT_MAX);
    pu_args_add(args, handle,
                pu_handle_text(handle, lookup->kind, lookup->digest));

    if (!lookup->create) {
        return lookup->link ? pu_command_adopt(args, lookup) : 1;
    }

    if (!pu_args_random(args, pu_user_id_new, PU_USER_ID_LEN)) {
        return 0;
    }

    pu_args_str(args, lookup->issuer);
    pu_args_str(args, lookup->subject);
    pu_args_str(args, pu_name_cut(lookup->name));
    pu_args_str(args, pu_user_type_word(lookup->service ? PU_SERVICE
                                                        : PU_HUMAN));
    pu_args_str(args, lookup->store);

    if (!pu_args_random(args, pu_random_id, PU_STORE_ID_LEN)) {
        return 0;
    }

    pu_args_jti_digest(args, lookup->jti);

    return 1;
}


static int
pu_command_adopt(pu_args_t *args, const pu_lookup_t *lookup)
{
    int    name, ok;
    char  *index;

    pu_args_str(args, lookup->issuer);
    pu_args_str(args, lookup->subject);

    name = (lookup->link == PU_LINK_USER_NAME);
    pu_args_text(args, name ? "name" : "external");

    index = pu_args_room(args, PU_DIGEST_TEXT_LEN);
    ok = name ? pu_name_index(index, lookup->claim)
              : pu_external_index(index, lookup->claim);
    pu_args_add(args, index, PU_DIGEST_TEXT_LEN);

    if (lookup->iat < 0) {
        pu_args_text(args, "");

    } else {
        pu_args_int(args, lookup->iat);
    }

    pu_args_str(args, lookup->store);
    pu_args_jti_digest(args, lookup->jti);

    return ok;
}


/* A display name of any length must not make a record nobody can read. */

static pu_str_t
pu_name_cut(pu_str_t name)
{
    if (name.len <= PU_NAME_LEN_MAX) {
        return name;
    }

    name.len = PU_NAME_LEN_MAX;

    while (name.len > 0 && (name.data[name.len] & 0xc0) == 0x80) {
        name.len--;
    }

    return name;
}


int
pu_command_change(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_change_t *change)
{
    pu_args_script(args, sha, prefix, pu_change_words[change->op]);

    if (change->op == PU_CHANGE_ACCEPT_STORE) {
        if (!pu_args_random(args, pu_random_id, PU_STORE_ID_LEN)) {
            return 0;
        }

    } else {
        pu_args_str(args, change->user);
    }

    if (change->expected_version < 0
        || change->op == PU_CHANGE_ACCEPT_STORE)
    {
        pu_args_text(args, "");

    } else {
        pu_args_int(args, change->expected_version);
    }

    pu_args_str(args, change->actor);
    pu_args_str(args, change->source);
    pu_args_str(args, change->reason);

    switch (change->op) {

    case PU_CHANGE_DELETE:
        pu_args_str(args, change->name_index);
        pu_args_str(args, change->external_index);
        break;

    case PU_CHANGE_GRANT:
        pu_args_str(args, change->role);
        pu_args_int(args, change->expires_in);
        break;

    case PU_CHANGE_UNGRANT:
        pu_args_str(args, change->role);
        break;

    case PU_CHANGE_TOKEN_REVOKE:
        pu_args_int(args, change->expires);
        break;

    default:
        pu_args_handle(args, change);
        break;
    }

    return 1;
}


static void
pu_args_handle(pu_args_t *args, const pu_change_t *change)
{
    if (change->handle.len != 0) {
        pu_args_str(args, change->handle);
    }

    switch (change->op) {

    case PU_CHANGE_HANDLE_ADD:
        pu_args_str(args, change->public_id);
        pu_args_str(args, change->label);
        pu_args_int(args, change->expires_in);
        pu_args_caps(args, change);
        break;

    case PU_CHANGE_HANDLE_ROTATE:
        pu_args_str(args, change->successor);
        pu_args_str(args, change->public_id);
        pu_args_int(args, change->expires_in);
        break;

    case PU_CHANGE_HANDLE_LINK:
        pu_args_str(args, change->issuer);
        pu_args_str(args, change->subject);
        break;

    default:
        break;
    }
}


/* An empty cap and none are two things: which are caps is said in front. */

static void
pu_args_caps(pu_args_t *args, const pu_change_t *change)
{
    pu_buf_t  b;

    pu_buf_init(&b, pu_args_room(args, 3), 3);

    if (change->roles.data != NULL) {
        pu_buf_char(&b, 'r');
    }

    if (change->scopes.data != NULL) {
        pu_buf_char(&b, 's');
    }

    if (change->networks.data != NULL) {
        pu_buf_char(&b, 'n');
    }

    pu_args_buf(args, &b);
    pu_args_str(args, change->roles);
    pu_args_str(args, change->scopes);
    pu_args_str(args, change->networks);
}


void
pu_command_check(pu_args_t *args, const char *sha, pu_str_t prefix,
    pu_str_t keys)
{
    pu_args_script(args, sha, prefix, "check");
    pu_args_str(args, keys);
}


void
pu_command_rights(pu_args_t *args, const char *sha, pu_str_t prefix)
{
    pu_args_script(args, sha, prefix, "rights");
}


int
pu_used_id_ok(pu_str_t id)
{
    size_t   i;
    uint8_t  c;

    for (i = 0; i < id.len; i++) {
        c = id.data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return 0;
        }
    }

    return id.len != 0 && id.len <= PU_DIGEST_TEXT_LEN;
}


void
pu_command_used(pu_args_t *args, pu_str_t prefix, pu_str_t id, int64_t now)
{
    char      key[sizeof("used:") + PU_DIGEST_TEXT_LEN];
    pu_buf_t  b;

    pu_buf_init(&b, key, sizeof(key) - 1);
    pu_buf_text(&b, "used:");
    pu_buf_str(&b, id);
    *b.pos = '\0';

    pu_args_init(args);

    pu_args_text(args, "SET");
    pu_args_key(args, prefix, key);
    pu_args_int(args, now);
    pu_args_text(args, "EX");
    pu_args_int(args, PU_USED_KEPT);
}


int
pu_name_index(char out[PU_DIGEST_TEXT_LEN], pu_str_t user_name)
{
    int          ok;
    size_t       i;
    uint8_t      c, digest[PU_SHA256_LEN];
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    for (i = 0; ok && i < user_name.len; i++) {
        c = user_name.data[i];

        if (c >= 'A' && c <= 'Z') {
            c = (uint8_t) (c | 0x20);
        }

        ok = EVP_DigestUpdate(ctx, &c, 1) == 1;
    }

    ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;

    EVP_MD_CTX_free(ctx);

    if (!ok) {
        ERR_clear_error();
        return 0;
    }

    (void) pu_base64url_encode(out, digest, sizeof(digest));

    return 1;
}


int
pu_external_index(char out[PU_DIGEST_TEXT_LEN], pu_str_t external_id)
{
    uint8_t  digest[PU_SHA256_LEN];

    if (!pu_sha256(digest, &external_id, 1)) {
        return 0;
    }

    (void) pu_base64url_encode(out, digest, sizeof(digest));

    return 1;
}


/* The log. */


void
pu_command_tail_read(pu_args_t *args, pu_str_t prefix, pu_log_id_t last,
    unsigned block)
{
    pu_args_init(args);

    pu_args_text(args, "XREAD");
    pu_args_text(args, "COUNT");
    pu_args_int(args, PU_TAIL_ENTRIES);
    pu_args_text(args, "BLOCK");
    pu_args_int(args, block);
    pu_args_text(args, "STREAMS");
    pu_args_key(args, prefix, "log");
    pu_args_log_id(args, last);
}


void
pu_command_tail_check(pu_args_t *args, pu_str_t prefix, pu_log_id_t last)
{
    pu_args_init(args);

    pu_args_text(args, "XRANGE");
    pu_args_key(args, prefix, "log");
    pu_args_log_id(args, last);
    pu_args_log_id(args, last);
    pu_args_text(args, "COUNT");
    pu_args_text(args, "1");
}


void
pu_command_log_end(pu_args_t *args, pu_str_t prefix)
{
    pu_args_init(args);

    pu_args_text(args, "XREVRANGE");
    pu_args_key(args, prefix, "log");
    pu_args_text(args, "+");
    pu_args_text(args, "-");
    pu_args_text(args, "COUNT");
    pu_args_text(args, "1");
}
