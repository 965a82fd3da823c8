/*
 * key: API keys.
 *
 * The text of a key is made here, printed once and forgotten: Redis gets its
 * digest.  Caps, the change and the list are shared with certificates
 * (handles.c).
 */

#include <stdio.h>

#include <openssl/crypto.h>

#include "handles.h"
#include "pu_key.h"


#define KEY_TRIES        3
#define OVERLAP_DEFAULT  (24 * 3600)


/* A key in the making. */
typedef struct {
    char    text[PU_KEY_LEN + 1];
    char    id[PU_KEY_ID_LEN + 1];
    char    handle[PU_HANDLE_TEXT_MAX];
    size_t  handle_len;
} new_key_t;

/* A key that is there, by its public id. */
typedef struct {
    char    what[32];
    char    id[PU_KEY_ID_LEN + 1];
    char    handle[PU_HANDLE_TEXT_MAX];
    char    user[PU_USER_ID_LEN];
} key_found_t;


static int key_create_check(const options_t *options,
    const char *const *args);
static int key_who_check(const options_t *options, const char *const *args);
static int key_id_check(const options_t *options, const char *const *args);
static int key_create(session_t *s, const char *const *args);
static int key_list(session_t *s, const char *const *args);
static int key_rotate(session_t *s, const char *const *args);
static int key_revoke(session_t *s, const char *const *args);
static int key_add(session_t *s, pu_change_t *change, pu_str_t *handle);
static int key_make(new_key_t *key);
static void key_print(const session_t *s, const pu_change_t *change,
    const new_key_t *key, int64_t version);
static pu_str_t key_id_of(const char *text);
static int key_find(session_t *s, const char *text, key_found_t *found);
static int key_find_user(session_t *s, key_found_t *found);
static int key_overlap(const options_t *options, int64_t *seconds);


const verb_t  key_verbs[] = {

    { "key", "create", "WHO", 1, OPT_CAPS,
      "a new API key for this user, printed once",
      "What is given narrows what the user may do, and never adds to it: "
      "without\n--role the key is good for all roles of the user, with it "
      "for those of them\nthat are named. Redis keeps only a digest: a key "
      "that is lost is made anew.\n\n"
      "Examples:\n"
      "  proxy-user key create name:backup --label nightly --expires 90d\n"
      "  proxy-user key create u_5dzqWvtKuu0rmB0zUvlQ1g --role reader \\\n"
      "      --network 10.0.0.0/8 --json\n",
      key_create_check, key_create },

    { "key", "list", "WHO", 1, 0,
      "the keys of this user, without their secrets",
      "USED is when a key was last good for a request, to the minute.\n\n"
      "Examples:\n"
      "  proxy-user key list name:backup\n",
      key_who_check, key_list },

    { "key", "rotate", "KEYID", 1,
      OPT_BIT(OPT_OVERLAP) | OPT_BIT(OPT_REASON),
      "a successor, printed once; the overlap has both",
      "The successor has the same caps and label, and lives as long as the "
      "old key was\nmeant to. KEYID is the part between puk_ and the next "
      "_.\n\n"
      "Examples:\n"
      "  proxy-user key rotate k3x9a7c2p1 --overlap 2h\n"
      "  proxy-user key rotate k3x9a7c2p1 --overlap 0s --reason leaked\n",
      key_id_check, key_rotate },

    { "key", "revoke", "KEYID", 1, OPT_BIT(OPT_REASON),
      "this key is refused from now on, everywhere",
      "A whole key may stand for KEYID, so that one that was found "
      "somewhere can be\nshut off.\n\n"
      "Examples:\n"
      "  proxy-user key revoke k3x9a7c2p1 --reason 'found in a log'\n",
      key_id_check, key_revoke },

    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }
};


static int
key_create_check(const options_t *options, const char *const *args)
{
    int  code;

    code = session_who_form(args[0]);

    return (code == EXIT_DONE) ? caps_check(options) : code;
}


static int
key_who_check(const options_t *options, const char *const *args)
{
    (void) options;

    return session_who_form(args[0]);
}


/* Never repeats the text: it may be a whole key. */

static int
key_id_check(const options_t *options, const char *const *args)
{
    int64_t  seconds;

    if (key_id_of(args[0]).len == 0) {
        return fail(EXIT_USAGE, "this is no KEYID: allowed are %d letters "
                    "a-z and digits, the part of a key between puk_ and the "
                    "next _", PU_KEY_ID_LEN);
    }

    return key_overlap(options, &seconds);
}


static int
key_overlap(const options_t *options, int64_t *seconds)
{
    const char  *text;

    text = options->values[OPT_OVERLAP];
    *seconds = OVERLAP_DEFAULT;

    if (text == NULL) {
        return EXIT_DONE;
    }

    *seconds = pu_str_duration(pu_str(text));

    if (*seconds < 0 || *seconds > HANDLE_EXPIRES_MAX) {
        return fail(EXIT_USAGE, "\"%s\" is no time for --overlap: allowed "
                    "are numbers with s, m, h, d, w, M or y, such as 24h, "
                    "from 0s to 100y", text);
    }

    return EXIT_DONE;
}


static int
key_create(session_t *s, const char *const *args)
{
    int          code;
    char         id[PU_USER_ID_LEN];
    caps_t       caps;
    pu_change_t  change = { .op = PU_CHANGE_HANDLE_ADD };

    code = session_who(s, args[0], id);

    if (code == EXIT_DONE) {
        code = caps_read(s, &caps, &change);
    }

    if (code != EXIT_DONE) {
        return code;
    }

    change.user.data = (const uint8_t *) id;
    change.user.len = sizeof(id);

    return key_add(s, &change, &change.handle);
}


static int
key_list(session_t *s, const char *const *args)
{
    return handles_list(s, args[0], PU_HANDLE_KEY);
}


static int
key_rotate(session_t *s, const char *const *args)
{
    int          code;
    key_found_t  found;
    pu_change_t  change = { .op = PU_CHANGE_HANDLE_ROTATE };

    code = key_overlap(s->options, &change.expires_in);

    if (code == EXIT_DONE) {
        code = key_find(s, args[0], &found);
    }

    if (code == EXIT_DONE) {
        code = key_find_user(s, &found);
    }

    if (code != EXIT_DONE) {
        return code;
    }

    change.handle.data = (const uint8_t *) found.handle;
    change.handle.len = 4 + PU_DIGEST_TEXT_LEN;
    change.user.data = (const uint8_t *) found.user;
    change.user.len = sizeof(found.user);

    return key_add(s, &change, &change.successor);
}


/* A new key as the handle of a change; another one if its id is taken. */

static int
key_add(session_t *s, pu_change_t *change, pu_str_t *handle)
{
    int      code, try, changed, again;
    new_key_t   key;
    int64_t  version;

    again = 1;
    code = EXIT_REFUSED;

    for (try = 0; again && try < KEY_TRIES; try++) {

        if (!key_make(&key)) {
            return fail(EXIT_REFUSED, "the system gives no random numbers; "
                        "try again");
        }

        handle->data = (const uint8_t *) key.handle;
        handle->len = key.handle_len;
        change->public_id = pu_str(key.id);

        code = handle_change(s, change, "the key", &changed, &version,
                             &again);
    }

    if (again) {
        code = fail(EXIT_REFUSED, "%d public ids were taken; try again",
                    KEY_TRIES);
    }

    if (code == EXIT_DONE) {
        key_print(s, change, &key, version);
    }

    OPENSSL_cleanse(&key, sizeof(key));

    return code;
}


static int
key_make(new_key_t *key)
{
    int         ok;
    uint8_t     digest[PU_SHA256_LEN];
    pu_str_t    text;
    pu_hash_t  *hash;

    memset(key, 0, sizeof(new_key_t));

    text.data = (const uint8_t *) key->text;
    text.len = PU_KEY_LEN;

    hash = pu_hash_new();
    ok = hash != NULL && pu_key_new(key->text)
         && pu_key_digest(hash, digest, text) == 1;

    pu_hash_free(hash);

    if (ok) {
        memcpy(key->id, pu_key_id(text).data, PU_KEY_ID_LEN);
        key->handle_len = pu_handle_text(key->handle, PU_HANDLE_KEY, digest);
    }

    return ok;
}


static void
key_print(const session_t *s, const pu_change_t *change, const new_key_t *key,
    int64_t version)
{
    json_t  *object;

    if (s->options->values[OPT_JSON] == NULL) {
        puts(key->text);
        return;
    }

    object = json_object();

    json_object_set_new(object, "user", output_json(change->user));
    json_object_set_new(object, "op", json_string("handle_add"));
    json_object_set_new(object, "id", json_string(key->id));
    json_object_set_new(object, "key", json_string(key->text));
    json_object_set_new(object, "changed", json_true());
    json_object_set_new(object, "version", json_integer(version));

    output_json_print(object);
}


static int
key_revoke(session_t *s, const char *const *args)
{
    int          code, changed, again;
    int64_t      version;
    key_found_t  found;
    pu_change_t  change = { .op = PU_CHANGE_HANDLE_REVOKE };

    code = key_find(s, args[0], &found);

    if (code != EXIT_DONE) {
        return code;
    }

    change.handle.data = (const uint8_t *) found.handle;
    change.handle.len = 4 + PU_DIGEST_TEXT_LEN;

    code = handle_change(s, &change, found.what, &changed, &version, &again);

    if (code == EXIT_DONE) {
        handle_print(s, &change, "key", found.id, "handle_revoke",
                     changed ? "is revoked" : "was revoked already", changed,
                     version);
    }

    return code;
}


/* The public id, of a whole key too; empty when it is neither. */

static pu_str_t
key_id_of(const char *text)
{
    pu_str_t  id;

    id = pu_str(text);

    if (pu_str_starts(id, "puk_") && id.len == PU_KEY_LEN) {
        id = pu_key_id(id);
    }

    return pu_key_id_ok(id) ? id : PU_STR("");
}


static int
key_find(session_t *s, const char *text, key_found_t *found)
{
    int          code;
    uint8_t      digest[PU_DIGEST_TEXT_LEN];
    pu_str_t     id, value;
    cli_args_t   args;
    redisReply  *reply;

    id = key_id_of(text);
    snprintf(found->id, sizeof(found->id), "%.*s", PU_STR_FMT(id));
    snprintf(found->what, sizeof(found->what), "key %s", found->id);

    args_start(&args, "GET");
    args_key(&args, s, "keyid:", id);

    code = session_call(s, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    value = reply_text(reply);

    if (reply->type == REDIS_REPLY_NIL) {
        code = fail(EXIT_REFUSED, "there is no key %s; proxy-user key list "
                    "WHO shows a user's keys", found->id);

    } else if (value.len != PU_DIGEST_TEXT_LEN
               || pu_base64url_decode(digest, value) != PU_SHA256_LEN)
    {
        code = fail(EXIT_REFUSED, "the record %s that leads to the key "
                    "cannot be read; proxy-user doctor shows what is wrong",
                    args.room);

    } else {
        (void) pu_handle_text(found->handle, PU_HANDLE_KEY, digest);
    }

    freeReplyObject(reply);

    return code;
}


static int
key_find_user(session_t *s, key_found_t *found)
{
    int          code;
    pu_str_t     handle, user;
    cli_args_t   args;
    redisReply  *reply;

    handle.data = (const uint8_t *) found->handle;
    handle.len = 4 + PU_DIGEST_TEXT_LEN;

    args_start(&args, "HGET");
    args_key(&args, s, "handle:", handle);
    args_text(&args, "user");

    code = session_call(s, &args, &reply);

    if (code != EXIT_DONE) {
        return code;
    }

    user = reply_text(reply);

    if (pu_user_id_ok(user)) {
        memcpy(found->user, user.data, PU_USER_ID_LEN);

    } else {
        code = fail(EXIT_REFUSED, "%s cannot be read; proxy-user doctor shows "
                    "what is wrong", found->what);
    }

    freeReplyObject(reply);

    return code;
}
