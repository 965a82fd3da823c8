/*
 * pu_user: the records of a proxy user and of a handle.
 *
 * Fields <-> struct <-> bytes: one codec for what Redis answers and for what
 * the shared memory keeps.  Strings point into the memory they were read
 * from.  No Redis connection, no cache.
 */

#ifndef PU_USER_H
#define PU_USER_H

#include "pu_profile.h"
#include "pu_reason.h"
#include "pu_str.h"


#define PU_USER_ID_LEN        24        /* "u_" and 22 base64url characters */
#define PU_USER_PACKED_MAX    6144      /* bytes; a larger record is none */
#define PU_HANDLE_PACKED_MAX  2048
#define PU_USER_RECORD_MAX    (PU_USER_PACKED_MAX + PU_HANDLE_PACKED_MAX)
#define PU_ROLES_MAX          256       /* of one user */


typedef enum {
    PU_STATE_ACTIVE = 0,
    PU_STATE_SUSPENDED,
    PU_STATE_DELETED
} pu_user_state_t;

typedef enum {
    PU_HUMAN = 0,
    PU_SERVICE,
    PU_APPLICATION
} pu_user_type_t;

/* Handle kinds; the words "sub", "key", "cert" in Redis keys. */
typedef enum {
    PU_HANDLE_SUB = 0,
    PU_HANDLE_KEY,
    PU_HANDLE_CERT
} pu_handle_kind_t;

/* By what a user who was provisioned is found. */
#define PU_LINK_LEN_MAX       1024

typedef enum {
    PU_LINK_NONE = 0,
    PU_LINK_USER_NAME,
    PU_LINK_EXTERNAL_ID
} pu_link_t;


typedef struct {
    pu_str_t         id;
    pu_str_t         name;
    pu_str_t         issuer;            /* url */
    pu_str_t         subject;
    pu_str_t         roles;             /* role[@granted][=expiry] ... */
    pu_str_t         scopes;            /* a cap; data NULL: none */
    int64_t          epoch;             /* seconds since 1970; 0: none */
    int64_t          expires;           /* seconds since 1970; 0: never */
    int64_t          version;
    pu_user_state_t  state;
    pu_user_type_t   type;
} pu_user_t;

typedef struct {
    pu_str_t         user;              /* its id */
    pu_str_t         id;                /* public; keys and certificates */
    pu_str_t         roles;             /* caps; data NULL: none */
    pu_str_t         scopes;
    pu_str_t         networks;
    int64_t          not_before;        /* seconds since 1970; 0: none */
    int64_t          expires;
    unsigned         revoked:1;
} pu_handle_t;


/* What is hashed for an (issuer url, subject) handle. */
#define PU_HANDLE_PARTS       3

void pu_handle_parts(pu_str_t parts[PU_HANDLE_PARTS], pu_str_t issuer,
    pu_str_t subject);

/* The digest of an (issuer url, subject) handle, its SHA-256; 1 or 0. */
int pu_handle_digest(uint8_t digest[PU_SHA256_LEN], pu_str_t issuer,
    pu_str_t subject);

/* A well-formed user id? */
int pu_user_id_ok(pu_str_t id);

pu_str_t pu_user_type_word(pu_user_type_t type);
pu_str_t pu_user_state_word(pu_user_state_t state);

/* 128 random bits as "u_" + base64url, no NUL; 1, or 0: no randomness. */
int pu_user_id_new(char id[PU_USER_ID_LEN]);

/* 22 base64url characters of 128 random bits; 1 or 0. */
int pu_random_id(char id[22]);


/*
 * Fields in the order of PU_USER_FIELDS and PU_HANDLE_FIELDS, as the script
 * returns them; data NULL is an absent field.  1, or 0 when the record cannot
 * be trusted: no or unknown state, a number, role or network that is none, a
 * field too long.  An absent type is human, an absent number 0.
 */
#define PU_USER_FIELDS                                                        \
    "name", "type", "state", "issuer", "subject", "roles", "scopes",          \
    "epoch", "expires", "version"
#define PU_USER_NFIELDS       10

#define PU_HANDLE_FIELDS                                                      \
    "user", "id", "state", "not_before", "expires", "roles", "scopes",        \
    "networks"
#define PU_HANDLE_NFIELDS     8

int pu_user_read(pu_user_t *user, pu_str_t id, const pu_str_t *fields);
int pu_handle_read(pu_handle_t *handle, const pu_str_t *fields);

/* A number of a record: 1 to 15 digits.  1 and *n, or 0. */
int pu_seconds(pu_str_t s, int64_t *n);

/*
 * For the shared memory.  pack returns the length or 0 when "size" is too
 * small; unpack points into "data" and returns 1, or 0 when the bytes make no
 * sense: what it has read by then means nothing.
 */
size_t pu_user_pack(const pu_user_t *user, uint8_t *out, size_t size);
int pu_user_unpack(pu_user_t *user, const uint8_t *data, size_t len);
size_t pu_handle_pack(const pu_handle_t *handle, uint8_t *out, size_t size);
int pu_handle_unpack(pu_handle_t *handle, const uint8_t *data, size_t len);


/*
 * One grant out of user.roles: takes it off "rest".  "granted" and "expires"
 * are seconds since 1970, 0 when not written.  1; 0 at the end; -1 when it is
 * no grant.
 */
int pu_grant_next(pu_str_t *rest, pu_str_t *role, int64_t *granted,
    int64_t *expires);

/*
 * Writes, as a set, the user's grants that have not ended at "now" together
 * with the set "more".  *until becomes the moment at which the earliest
 * of them ends, or INT64_MAX.  A grant ends at its own expiry or, if its
 * role's profile has a max_grant, so long after it was given, whichever comes
 * first; one that does not say when it was given has then ended.  "profiles"
 * may be NULL: none.
 */
void pu_user_roles(pu_buf_t *b, const pu_user_t *user, pu_str_t more,
    const pu_profiles_t *profiles, int64_t now, int64_t *until);

/* Writes the members of "scopes" that the user's own cap lets through. */
void pu_user_scopes(pu_buf_t *b, const pu_user_t *user, pu_str_t scopes);

/*
 * The state of a user against a token issued at "iat" (SPEC section 3, step
 * 5; INT64_MIN counts as 0): PU_OK or the reason, in that step's order.
 */
pu_reason_t pu_user_judge(const pu_user_t *user, int64_t iat, int64_t now);


/* A handle of this kind at "now": PU_OK or the reason. */
pu_reason_t pu_handle_judge(const pu_handle_t *handle, pu_handle_kind_t kind,
    int64_t now);

/*
 * What a key or certificate is good for at "now", as sets: the user's roles
 * that its own cap lets through, with "profiles" and *until as above; the
 * scopes that both its cap and the user's let through, those of one where the
 * other has no cap, none where neither has.  A role that the cap names and
 * the user only inherits is let through as well.
 */
void pu_handle_roles(pu_buf_t *b, const pu_handle_t *handle,
    const pu_user_t *user, const pu_profiles_t *profiles, int64_t now,
    int64_t *until);
void pu_handle_scopes(pu_buf_t *b, const pu_handle_t *handle,
    const pu_user_t *user);


#endif /* PU_USER_H */
