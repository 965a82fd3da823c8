/*
 * pu_provision: users and groups that a directory or an administrator makes
 * before anybody has signed in, as commands for the script.
 *
 * Not what a directory's own language says (pu_scim) and no socket.  Strings
 * are borrowed until the command has been formatted.  Functions that make a
 * command return 1, or 0 when OpenSSL fails.
 */

#ifndef PU_PROVISION_H
#define PU_PROVISION_H

#include "pu_command.h"


#define PU_GROUP_ID_LEN       24        /* "g_" and 22 base64url characters */
#define PU_USER_NAME_MAX      1024      /* user_name, external_id */
#define PU_LABEL_MAX          255       /* name */
#define PU_EXTRA_MAX          65536
#define PU_MEMBERS_CHUNK      150       /* of one change of a group */
#define PU_MEMBERS_TEXT_MAX   (PU_MEMBERS_CHUNK * (PU_USER_ID_LEN + 1))
#define PU_PAGE_MAX           1000


/* "g_" and 128 random bits; 1 or 0. */
int pu_group_id_new(char id[PU_GROUP_ID_LEN]);
int pu_group_id_ok(pu_str_t id);


/*
 * user_create.  pu_reply_change reads the answer: DONE; REFUSED with the
 * detail user_name or handle (somebody has it), role, full, foreign;
 * UNREADABLE.
 *
 * With "subject" the user is given the handle (issuer, subject): only if
 * nobody has it or somebody who was deleted, and then the user's epoch is
 * Redis's time.
 */
typedef struct {
    pu_str_t        id;                 /* of pu_user_id_new */
    pu_str_t        actor;
    pu_str_t        source;
    pu_str_t        reason;
    pu_str_t        user_name;          /* 1 to PU_USER_NAME_MAX */
    pu_str_t        external_id;        /* or empty */
    pu_str_t        name;               /* for display; cut when too long */
    pu_str_t        roles;              /* names, or empty */
    pu_str_t        scopes;             /* a cap; data NULL: none */
    pu_str_t        issuer;             /* url, or empty */
    pu_str_t        subject;            /* or empty */
    pu_str_t        store;              /* the id once seen, or empty */
    pu_str_t        extra;              /* JSON, or empty */
    int64_t         expires;            /* seconds since 1970; 0: never */
    pu_user_type_t  type;
    unsigned        suspended:1;
} pu_user_create_t;

int pu_command_user_create(pu_args_t *args, const char *sha, pu_str_t prefix,
    const pu_user_create_t *user);


/*
 * user_replace.  The old names are those of the record of expected_version:
 * their index entries are given up.  UNCHANGED where nothing is different;
 * NOT_FOUND for a deleted user too.
 */
typedef enum {
    PU_ACTIVE_KEEP = 0,
    PU_ACTIVE_YES,
    PU_ACTIVE_NO
} pu_active_t;

typedef struct {
    pu_str_t        id;
    pu_str_t        actor;
    pu_str_t        source;
    pu_str_t        reason;
    pu_str_t        user_name;
    pu_str_t        old_user_name;
    pu_str_t        external_id;
    pu_str_t        old_external_id;
    pu_str_t        name;
    pu_str_t        type;               /* a word, or empty: as it was */
    pu_str_t        extra;
    int64_t         expected_version;   /* -1: any */
    pu_active_t     active;
} pu_user_replace_t;

int pu_command_user_replace(pu_args_t *args, const char *sha,
    pu_str_t prefix, const pu_user_replace_t *user);


/*
 * group_create, group_change, group_walk, group_delete: a group and up to
 * PU_MEMBERS_CHUNK members at a time, ids parted by spaces; who is no living
 * user is passed over.  The detail of the answer: "walk" of a change: the
 * walk is needed; of a walk: where to go on; "more" of a delete: again.
 * REFUSED: full (roles of a member), groups (a member has too many).
 */
typedef struct {
    pu_str_t  id;
    pu_str_t  actor;
    pu_str_t  source;
    pu_str_t  display_name;
    pu_str_t  external_id;
    pu_str_t  roles;                    /* what members get */
    pu_str_t  add;
    pu_str_t  remove;                   /* not of a create */
    pu_str_t  extra;
    pu_str_t  after;                    /* of a walk */
    int64_t   expected_version;         /* -1: any */
} pu_group_write_t;

int pu_command_group_create(pu_args_t *args, const char *sha,
    pu_str_t prefix, const pu_group_write_t *group);
int pu_command_group_change(pu_args_t *args, const char *sha,
    pu_str_t prefix, const pu_group_write_t *group);
int pu_command_group_walk(pu_args_t *args, const char *sha,
    pu_str_t prefix, const pu_group_write_t *group);
int pu_command_group_delete(pu_args_t *args, const char *sha,
    pu_str_t prefix, const pu_group_write_t *group);


/* Reading: in the order of SCIM_USER and SCIM_GROUP of the script. */
typedef struct {
    pu_str_t  id;
    pu_str_t  name;
    pu_str_t  type;
    pu_str_t  state;
    pu_str_t  created;
    pu_str_t  modified;
    pu_str_t  version_text;
    pu_str_t  user_name;
    pu_str_t  external_id;
    pu_str_t  groups;                   /* ids */
    pu_str_t  extra;
    int64_t   version;
} pu_directory_user_t;

typedef struct {
    pu_str_t  id;
    pu_str_t  display_name;
    pu_str_t  external_id;
    pu_str_t  created;
    pu_str_t  modified;
    pu_str_t  version_text;
    pu_str_t  extra;
    int64_t   version;
} pu_directory_group_t;

typedef enum {
    PU_FIND_ID = 0,
    PU_FIND_NAME,                       /* user_name, in any case */
    PU_FIND_EXTERNAL
} pu_find_t;

/* "text": an id of the right form, a user_name or an external_id. */
int pu_command_find_user(pu_args_t *args, const char *sha, pu_str_t prefix,
    pu_find_t how, pu_str_t text);
int pu_command_find_group(pu_args_t *args, const char *sha, pu_str_t prefix,
    pu_str_t id);

/* "count": at most PU_PAGE_MAX. */
int pu_command_users(pu_args_t *args, const char *sha, pu_str_t prefix,
    int64_t from, int64_t count);
int pu_command_groups(pu_args_t *args, const char *sha, pu_str_t prefix,
    int64_t from, int64_t count);
int pu_command_members(pu_args_t *args, const char *sha, pu_str_t prefix,
    pu_str_t group, pu_str_t after, int64_t count);

typedef enum {
    PU_READ_FOUND = 0,
    PU_READ_NONE,
    PU_READ_MANY,                       /* of one external_id */
    PU_READ_NOSCRIPT,
    PU_READ_ERROR                       /* or unreadable */
} pu_read_t;

/* ERROR: "user" has what could be read, or is zeroed. */
pu_read_t pu_reply_user(const redisReply *reply, pu_directory_user_t *user);
pu_read_t pu_reply_group(const redisReply *reply,
    pu_directory_group_t *group);

/*
 * A page: FOUND, NOSCRIPT or ERROR.  "total" is of the index, "next" how many
 * of it have been passed over or read.  pu_reply_user_at reads the record at
 * "i" < n: 1, or 0 when it makes no sense.
 */
typedef struct {
    int64_t            total;
    int64_t            next;
    size_t             n;
    const redisReply  *reply;
} pu_page_t;

pu_read_t pu_reply_page(const redisReply *reply, pu_page_t *page);
int pu_reply_user_at(const pu_page_t *page, size_t i,
    pu_directory_user_t *user);
int pu_reply_group_at(const pu_page_t *page, size_t i,
    pu_directory_group_t *group);

/* Members: "next" (empty at the end) points into the reply. */
pu_read_t pu_reply_members(const redisReply *reply, pu_str_t *next,
    size_t *n);
pu_str_t pu_reply_member_at(const redisReply *reply, size_t i);


#endif /* PU_PROVISION_H */
