/*
 * pu_command: what is said to Redis and what its answers mean.
 *
 * Commands are argument vectors with lengths, never text; replies are
 * hiredis' redisReply trees.  No socket: nginx and the command bring
 * their own.  Every look-up and every change is one call of one script,
 * made of the files in change/, which is the only writer (SPEC section 5).
 */

#ifndef PU_COMMAND_H
#define PU_COMMAND_H

#include <hiredis/hiredis.h>

#include "pu_user.h"


#define PU_ARGS_MAX           32
#define PU_HANDLE_CAPS_MAX    1800    /* roles, scopes, networks, label */
#define PU_PREFIX_LEN_MAX     64
#define PU_STORE_ID_LEN       22
#define PU_SCRIPT_SHA_LEN     40
#define PU_HANDLE_TEXT_MAX    (5 + PU_DIGEST_TEXT_LEN)    /* "cert:" */
#define PU_LOG_ID_TEXT_MAX    41        /* two numbers of 20 and "-" */
#define PU_TAIL_ENTRIES       512       /* of one round */
#define PU_LOG_LENGTH         1000000   /* about; older entries are trimmed */

/* The text of that script, embedded when this was built. */
extern const char *const  pu_script;
extern const size_t       pu_script_len;

/* What SCRIPT LOAD answers to it: 40 lower-case hex digits.  1 or 0. */
int pu_script_sha(char sha[PU_SCRIPT_SHA_LEN]);


/*
 * A command as redisFormatCommandArgv takes it.  Small parts live in "room",
 * so it must not be copied; everything else points at the caller's strings,
 * which must outlive it.
 */
typedef struct {
    int          argc;
    const char  *argv[PU_ARGS_MAX];
    size_t       len[PU_ARGS_MAX];
    size_t       used;
    char         room[512];
} pu_args_t;


/* Prefix: 1 to 64 of A-Za-z0-9_.:- */
int pu_prefix_ok(pu_str_t prefix);

/* "<kind>:<digest in base64url>"; returns the length. */
size_t pu_handle_text(char out[PU_HANDLE_TEXT_MAX], pu_handle_kind_t kind,
    const uint8_t digest[PU_SHA256_LEN]);

/* The reverse; 1, or 0 when it is no such text. */
int pu_handle_parse(pu_str_t text, pu_handle_kind_t *kind,
    uint8_t digest[PU_SHA256_LEN]);


/*
 * A look-up of a handle and its user: read only unless "create" is set, then
 * get-or-create (a first token makes its user; of two the second gets the
 * first's), or "link", then a user who was provisioned gets the handle.
 * "sha" is what SCRIPT LOAD answered, PU_SCRIPT_SHA_LEN long.
 */
typedef struct {
    pu_handle_kind_t  kind;
    const uint8_t    *digest;           /* PU_SHA256_LEN */
    pu_str_t          store;            /* the store id once seen, or empty */
    unsigned          create:1;         /* the rest is for this */
    unsigned          service:1;
    pu_str_t          name;
    pu_str_t          issuer;           /* url */
    pu_str_t          subject;
    pu_link_t         link;             /* by what a provisioned user is */
    pu_str_t          claim;            /* found, and its value; with issuer */
    int64_t           iat;              /* and subject; INT64_MIN: none */
    const uint8_t    *jti;              /* digest of the token's name: if it
                                           is revoked nobody is made; or
                                           NULL */
} pu_lookup_t;

/* 1, or 0 when there is no randomness for a new id or OpenSSL has failed. */
int pu_command_lookup(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_lookup_t *lookup);

typedef enum {
    PU_LOOKUP_FOUND = 0,
    PU_LOOKUP_NONE,                     /* no such handle; not made */
    PU_LOOKUP_FOREIGN,                  /* not made: another store id */
    PU_LOOKUP_UNREADABLE,               /* a record that cannot be trusted */
    PU_LOOKUP_REVOKED,                  /* not made: a revoked token */
    PU_LOOKUP_NOSCRIPT,                 /* load the script and repeat */
    PU_LOOKUP_ERROR                     /* Redis answered an error */
} pu_lookup_status_t;

typedef struct {
    pu_user_t    user;
    pu_handle_t  handle;
    pu_str_t     store;                 /* {prefix}:meta store, or empty */
    pu_str_t     accepted;              /* {prefix}:meta accepted, or empty */
    unsigned     created:1;
} pu_found_t;

/*
 * Reads the reply; strings in "found" point into it.  store and accepted are
 * filled for FOUND, NONE and FOREIGN.
 */
pu_lookup_status_t pu_reply_lookup(const redisReply *reply,
    pu_found_t *found);

/*
 * A user's record by id, and the id by user_name: plain commands that read.
 * NAME: 1, or 0 when OpenSSL has failed; its reply is a string or nil.  USER:
 * FOUND, NONE, UNREADABLE or ERROR (a reply of NULL is one); strings point
 * into the reply.
 */
void pu_command_who(pu_args_t *args, pu_str_t prefix, pu_str_t id);
int pu_command_who_name(pu_args_t *args, pu_str_t prefix, pu_str_t user_name);
pu_lookup_status_t pu_reply_who(const redisReply *reply, pu_str_t id,
    pu_user_t *user);


/*
 * A single token, or a proof, by the digest of its name, {prefix}:jti:<digest>.
 * Is there one?  GET: nil when not.  Make one for so many seconds unless there
 * is: SET NX EX, nil when there was.  unreadable: is this the answer to a key
 * that somebody has made something else of?
 */
void pu_command_jti(pu_args_t *args, pu_str_t prefix,
    const uint8_t digest[PU_SHA256_LEN]);
void pu_command_once(pu_args_t *args, pu_str_t prefix,
    const uint8_t digest[PU_SHA256_LEN], int64_t seconds);
int pu_reply_jti_unreadable(const redisReply *reply);

/* "jti:<digest>" in a log entry's "handle"; 1, or 0 when it is no such text. */
int pu_jti_parse(pu_str_t text, uint8_t digest[PU_SHA256_LEN]);


/* The change log. */
typedef struct {
    uint64_t  ms;
    uint64_t  seq;
} pu_log_id_t;

typedef struct {
    pu_log_id_t  id;
    pu_str_t     op;
    pu_str_t     user;                  /* user id, or empty */
    pu_str_t     handle;                /* "<kind>:<digest>", or empty */
    pu_str_t     version;
    pu_str_t     actor;
    pu_str_t     source;
    pu_str_t     reason;
} pu_log_entry_t;

/*
 * A stream entry ([id, [field, value, ...]]) as XRANGE and XREAD give it.
 * 1, or 0 when it has no such shape; an unknown field is passed over.
 */
int pu_log_entry(const redisReply *reply, pu_log_entry_t *entry);

int pu_log_id_parse(pu_str_t text, pu_log_id_t *id);
size_t pu_log_id_text(char out[PU_LOG_ID_TEXT_MAX], pu_log_id_t id);
int pu_log_id_cmp(pu_log_id_t a, pu_log_id_t b);

/*
 * One round of the tail: XREAD BLOCK "block" ms after "last" (at most
 * PU_TAIL_ENTRIES), then an XRANGE that shows whether "last" is still there:
 * it runs when the first has ended, so what XREAD gave follows "last" without
 * a gap.
 */
void pu_command_tail_read(pu_args_t *args, pu_str_t prefix, pu_log_id_t last,
    unsigned block);
void pu_command_tail_check(pu_args_t *args, pu_str_t prefix,
    pu_log_id_t last);

/* The newest entry: XREVRANGE + - COUNT 1; the reply is an array of 0 or 1. */
void pu_command_log_end(pu_args_t *args, pu_str_t prefix);

/*
 * The entries of an XREAD reply (nil: none) for pu_log_entry; 1 and *entries
 * (NULL when none), or 0 when it is no such reply.
 */
int pu_reply_entries(const redisReply *reply, const redisReply **entries);


/*
 * A change by an administrator.  expected_version -1 is unconditional.
 * "expires_in" is for a grant and for a handle that is added: seconds from
 * Redis's own now, 0 for none; and for the old key of a rotation, which ends
 * then.  Handles are the texts above; caps with data NULL are none.
 */
typedef enum {
    PU_CHANGE_SUSPEND = 0,
    PU_CHANGE_RESUME,
    PU_CHANGE_DELETE,
    PU_CHANGE_REVOKE,
    PU_CHANGE_GRANT,
    PU_CHANGE_UNGRANT,
    PU_CHANGE_ACCEPT_STORE,
    PU_CHANGE_HANDLE_ADD,               /* a key or certificate */
    PU_CHANGE_HANDLE_ROTATE,            /* a key */
    PU_CHANGE_HANDLE_LINK,              /* an identity */
    PU_CHANGE_HANDLE_REVOKE,            /* any; "user" may be empty */
    PU_CHANGE_TOKEN_REVOKE              /* "user" is the digest of its name */
} pu_change_op_t;

typedef struct {
    pu_change_op_t  op;
    pu_str_t        user;
    pu_str_t        role;
    int64_t         expires_in;
    int64_t         expires;            /* of a revoked token, seconds since
                                           1970; 0: 30 days from now */
    int64_t         expected_version;
    pu_str_t        actor;
    pu_str_t        source;
    pu_str_t        reason;
    pu_str_t        name_index;         /* of a user to be deleted: the */
    pu_str_t        external_index;     /* index texts below, or empty */
    pu_str_t        handle;
    pu_str_t        successor;          /* of a rotation */
    pu_str_t        public_id;          /* of what is added */
    pu_str_t        label;
    pu_str_t        roles;              /* caps, words */
    pu_str_t        scopes;
    pu_str_t        networks;
    pu_str_t        issuer;             /* of a link: url */
    pu_str_t        subject;
} pu_change_t;

typedef enum {
    PU_CHANGE_DONE = 0,
    PU_CHANGE_UNCHANGED,                /* it was so already */
    PU_CHANGE_NOT_FOUND,
    PU_CHANGE_CONFLICT,                 /* expected_version is not it */
    PU_CHANGE_REFUSED,                  /* e.g. the user is deleted */
    PU_CHANGE_UNREADABLE,
    PU_CHANGE_NOSCRIPT,
    PU_CHANGE_ERROR
} pu_change_status_t;

/* 1, or 0 when there is no randomness for a store id. */
int pu_command_change(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_change_t *change);

/* *version is the user's version afterwards, 0 where it does not apply. */
pu_change_status_t pu_reply_change(const redisReply *reply,
    int64_t *version);

/*
 * The word that goes with it, or empty.  REFUSED: deleted, role, full (too
 * many roles), handles (too many), taken (somebody else's), id (make another
 * key), revoked, expired.  NOT_FOUND: handle, or it is the user.  UNREADABLE:
 * what is: user, roles, log, meta, handle, handles.  DONE and UNCHANGED of
 * ACCEPT_STORE: the store id; of TOKEN_REVOKE: until when, in seconds.
 */
pu_str_t pu_reply_detail(const redisReply *reply);

/*
 * Do these records fit together?  "keys": what follows {prefix}: in their
 * names, parted by spaces, at most 4096 bytes.  The reply: for each at fault
 * its name and a word of 85-check.lua.
 */
void pu_command_check(pu_args_t *args, const char *sha, pu_str_t prefix,
    pu_str_t keys);

/*
 * May this user of Redis do all that the module and the command need?  The
 * reply: an array of texts, "<command> (<why>)", of what is refused.
 */
void pu_command_rights(pu_args_t *args, const char *sha, pu_str_t prefix);

/*
 * When a key or certificate was last used: SET {prefix}:used:<public id>,
 * kept for PU_USED_KEPT seconds.  The id must be one that pu_used_id_ok takes:
 * 1 to 43 of base64url's characters.
 */
#define PU_USED_KEPT  (400 * 24 * 3600)

int pu_used_id_ok(pu_str_t id);
void pu_command_used(pu_args_t *args, pu_str_t prefix, pu_str_t id,
    int64_t now);

/*
 * The digests in the keys {prefix}:name:<digest> and
 * {prefix}:external:<digest>, as base64url.  A user_name is the same in
 * capitals and small letters (of ASCII; anything else byte for byte).  1 or 0.
 */
int pu_name_index(char out[PU_DIGEST_TEXT_LEN], pu_str_t user_name);
int pu_external_index(char out[PU_DIGEST_TEXT_LEN], pu_str_t external_id);


/*
 * The counter of a user's quota in the period that begins at "start",
 * {prefix}:quota:<user id>:<period>:<start>: adds "n" to it (may be negative);
 * the reply is an integer.  expire: it goes in so many seconds.
 */
void pu_command_quota_add(pu_args_t *args, pu_str_t prefix, pu_str_t user,
    pu_period_t period, int64_t start, int64_t n);
void pu_command_quota_expire(pu_args_t *args, pu_str_t prefix,
    pu_str_t user, pu_period_t period, int64_t start, int64_t seconds);


#endif /* PU_COMMAND_H */
