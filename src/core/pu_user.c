/*
 * pu_user: the codec of users and handles.
 *
 * Reads what Redis answers, writes and reads the bytes of the shared memory.
 * Never allocates; strings point into whatever was read.  Not what a record
 * permits (pu_grant.c), not the cache and not the connection.
 */

#include <openssl/rand.h>

#include "pu_network.h"
#include "pu_user.h"


#define PU_RANDOM_ID_BYTES    16
#define PU_RANDOM_ID_LEN      PU_BASE64URL_LEN(PU_RANDOM_ID_BYTES)

/* Flags of a packed record: which optional parts follow. */
#define PU_PACK_EPOCH         0x01
#define PU_PACK_EXPIRES       0x02
#define PU_PACK_SCOPES        0x04
#define PU_PACK_ROLES         0x08
#define PU_PACK_NOT_BEFORE    0x10
#define PU_PACK_REVOKED       0x20
#define PU_PACK_NETWORKS      0x40


/* A cursor over packed bytes; "bad" once something did not fit. */
typedef struct {
    const uint8_t  *pos;
    const uint8_t  *end;
    int             bad;
} pu_unpack_t;


/* In the order of PU_USER_FIELDS. */
enum {
    PU_FIELD_NAME = 0,
    PU_FIELD_TYPE,
    PU_FIELD_STATE,
    PU_FIELD_ISSUER,
    PU_FIELD_SUBJECT,
    PU_FIELD_ROLES,
    PU_FIELD_SCOPES,
    PU_FIELD_EPOCH,
    PU_FIELD_EXPIRES,
    PU_FIELD_VERSION
};

/* In the order of PU_HANDLE_FIELDS. */
enum {
    PU_HANDLE_USER = 0,
    PU_HANDLE_ID,
    PU_HANDLE_STATE,
    PU_HANDLE_NOT_BEFORE,
    PU_HANDLE_EXPIRES,
    PU_HANDLE_ROLES,
    PU_HANDLE_SCOPES,
    PU_HANDLE_NETWORKS
};


static const char *const  pu_user_types[] = {
    "human", "service", "application"
};

static const char *const  pu_user_states[] = {
    "active", "suspended", "deleted"
};

#define PU_COUNT(a)  (sizeof(a) / sizeof((a)[0]))


static int pu_word_index(pu_str_t word, const char *const *words, size_t n);
static int pu_field_seconds(pu_str_t field, int64_t *n);
static int pu_grants_ok(pu_str_t roles);
static int pu_role_words_ok(pu_str_t roles);
static size_t pu_user_packed_len(const pu_user_t *user);
static size_t pu_handle_packed_len(const pu_handle_t *handle);
static void pu_pack_int(pu_buf_t *b, int64_t n);
static void pu_pack_len(pu_buf_t *b, pu_str_t s);
static int64_t pu_unpack_int(pu_unpack_t *u, int present);
static size_t pu_unpack_len(pu_unpack_t *u);
static int pu_unpack_byte(pu_unpack_t *u);
static pu_str_t pu_unpack_str(pu_unpack_t *u, size_t len, int present);


void
pu_handle_parts(pu_str_t parts[PU_HANDLE_PARTS], pu_str_t issuer,
    pu_str_t subject)
{
    static const uint8_t  zero = 0;

    parts[0] = issuer;
    parts[1].len = 1;
    parts[1].data = &zero;
    parts[2] = subject;
}


int
pu_handle_digest(uint8_t digest[PU_SHA256_LEN], pu_str_t issuer,
    pu_str_t subject)
{
    pu_str_t  parts[PU_HANDLE_PARTS];

    pu_handle_parts(parts, issuer, subject);

    return pu_sha256(digest, parts, PU_HANDLE_PARTS);
}


int
pu_user_id_ok(pu_str_t id)
{
    size_t   i;
    uint8_t  c;

    if (id.len != PU_USER_ID_LEN || !pu_str_starts(id, "u_")) {
        return 0;
    }

    for (i = 2; i < id.len; i++) {
        c = id.data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return 0;
        }
    }

    return 1;
}


pu_str_t
pu_user_type_word(pu_user_type_t type)
{
    return pu_str(pu_user_types[type]);
}


pu_str_t
pu_user_state_word(pu_user_state_t state)
{
    return pu_str(pu_user_states[state]);
}


int
pu_random_id(char id[PU_RANDOM_ID_LEN])
{
    uint8_t  raw[PU_RANDOM_ID_BYTES];

    if (RAND_bytes(raw, sizeof(raw)) != 1) {
        return 0;
    }

    (void) pu_base64url_encode(id, raw, sizeof(raw));

    return 1;
}


int
pu_user_id_new(char id[PU_USER_ID_LEN])
{
    id[0] = 'u';
    id[1] = '_';

    return pu_random_id(id + 2);
}


/* Fields from Redis. */


int
pu_user_read(pu_user_t *user, pu_str_t id, const pu_str_t *fields)
{
    int  state, type;

    memset(user, 0, sizeof(pu_user_t));

    state = pu_word_index(fields[PU_FIELD_STATE], pu_user_states,
                          PU_COUNT(pu_user_states));

    type = (fields[PU_FIELD_TYPE].data == NULL)
           ? PU_HUMAN
           : pu_word_index(fields[PU_FIELD_TYPE], pu_user_types,
                           PU_COUNT(pu_user_types));

    if (state < 0 || type < 0 || !pu_user_id_ok(id)
        || !pu_field_seconds(fields[PU_FIELD_EPOCH], &user->epoch)
        || !pu_field_seconds(fields[PU_FIELD_EXPIRES], &user->expires)
        || !pu_field_seconds(fields[PU_FIELD_VERSION], &user->version)
        || !pu_grants_ok(fields[PU_FIELD_ROLES]))
    {
        return 0;
    }

    user->id = id;
    user->state = (pu_user_state_t) state;
    user->type = (pu_user_type_t) type;
    user->name = fields[PU_FIELD_NAME];
    user->issuer = fields[PU_FIELD_ISSUER];
    user->subject = fields[PU_FIELD_SUBJECT];
    user->roles = fields[PU_FIELD_ROLES];
    user->scopes = fields[PU_FIELD_SCOPES];

    return pu_user_packed_len(user) <= PU_USER_PACKED_MAX;
}


int
pu_handle_read(pu_handle_t *handle, const pu_str_t *fields)
{
    pu_str_t  state;

    memset(handle, 0, sizeof(pu_handle_t));

    state = fields[PU_HANDLE_STATE];

    if (pu_str_is(state, "revoked")) {
        handle->revoked = 1;

    } else if (!pu_str_is(state, "active")) {
        return 0;
    }

    if (!pu_user_id_ok(fields[PU_HANDLE_USER])
        || !pu_field_seconds(fields[PU_HANDLE_NOT_BEFORE],
                             &handle->not_before)
        || !pu_field_seconds(fields[PU_HANDLE_EXPIRES], &handle->expires)
        || !pu_role_words_ok(fields[PU_HANDLE_ROLES])
        || !pu_networks_ok(fields[PU_HANDLE_NETWORKS]))
    {
        return 0;
    }

    handle->user = fields[PU_HANDLE_USER];
    handle->id = fields[PU_HANDLE_ID];
    handle->roles = fields[PU_HANDLE_ROLES];
    handle->scopes = fields[PU_HANDLE_SCOPES];
    handle->networks = fields[PU_HANDLE_NETWORKS];

    return pu_handle_packed_len(handle) <= PU_HANDLE_PACKED_MAX;
}


static int
pu_word_index(pu_str_t word, const char *const *words, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (word.data != NULL && pu_str_is(word, words[i])) {
            return (int) i;
        }
    }

    return -1;
}


/* Absent leaves the 0 that is there; nothing of ours is before 1970. */

static int
pu_field_seconds(pu_str_t field, int64_t *n)
{
    return field.data == NULL || pu_seconds(field, n);
}


static int
pu_grants_ok(pu_str_t roles)
{
    int       rc;
    size_t    n;
    int64_t   granted, expires;
    pu_str_t  role;

    for (n = 0; (rc = pu_grant_next(&roles, &role, &granted, &expires)) == 1;
         n++)
    {
        if (n == PU_ROLES_MAX) {
            return 0;
        }
    }

    return rc == 0;
}


static int
pu_role_words_ok(pu_str_t roles)
{
    size_t    n;
    pu_str_t  role;

    for (n = 0; pu_word_next(&roles, &role); n++) {
        if (n == PU_ROLES_MAX || !pu_role_name(role)) {
            return 0;
        }
    }

    return 1;
}


/*
 * Bytes for the shared memory, in the machine's own byte order:
 *
 *   user:    flags, state and type, five lengths, version, [epoch],
 *            [expires], id, name, issuer, subject, roles, scopes
 *   handle:  flags, four lengths, [not_before], [expires], user, id, roles,
 *            scopes, networks
 */


size_t
pu_user_pack(const pu_user_t *user, uint8_t *out, size_t size)
{
    size_t    len;
    uint8_t   flags;
    pu_buf_t  b;

    len = pu_user_packed_len(user);

    if (len > size || len > PU_USER_PACKED_MAX
        || user->id.len != PU_USER_ID_LEN)
    {
        return 0;
    }

    flags = (uint8_t) ((user->epoch ? PU_PACK_EPOCH : 0)
                       | (user->expires ? PU_PACK_EXPIRES : 0)
                       | (user->scopes.data ? PU_PACK_SCOPES : 0));

    pu_buf_init(&b, out, len);

    pu_buf_char(&b, flags);
    pu_buf_char(&b, user->state | user->type << 4);

    pu_pack_len(&b, user->name);
    pu_pack_len(&b, user->issuer);
    pu_pack_len(&b, user->subject);
    pu_pack_len(&b, user->roles);
    pu_pack_len(&b, user->scopes);

    pu_buf_put(&b, &user->version, sizeof(user->version));
    pu_pack_int(&b, user->epoch);
    pu_pack_int(&b, user->expires);

    pu_buf_str(&b, user->id);
    pu_buf_str(&b, user->name);
    pu_buf_str(&b, user->issuer);
    pu_buf_str(&b, user->subject);
    pu_buf_str(&b, user->roles);
    pu_buf_str(&b, user->scopes);

    return len;
}


int
pu_user_unpack(pu_user_t *user, const uint8_t *data, size_t len)
{
    int          flags, word;
    size_t       name, issuer, subject, roles, scopes;
    pu_unpack_t  u;

    u = (pu_unpack_t) { data, data + len, 0 };

    flags = pu_unpack_byte(&u);
    word = pu_unpack_byte(&u);

    name = pu_unpack_len(&u);
    issuer = pu_unpack_len(&u);
    subject = pu_unpack_len(&u);
    roles = pu_unpack_len(&u);
    scopes = pu_unpack_len(&u);

    user->version = pu_unpack_int(&u, 1);
    user->epoch = pu_unpack_int(&u, flags & PU_PACK_EPOCH);
    user->expires = pu_unpack_int(&u, flags & PU_PACK_EXPIRES);

    user->id = pu_unpack_str(&u, PU_USER_ID_LEN, 1);
    user->name = pu_unpack_str(&u, name, 1);
    user->issuer = pu_unpack_str(&u, issuer, 1);
    user->subject = pu_unpack_str(&u, subject, 1);
    user->roles = pu_unpack_str(&u, roles, 1);
    user->scopes = pu_unpack_str(&u, scopes, flags & PU_PACK_SCOPES);

    if (u.bad || u.pos != u.end || (word & 0xf) > PU_STATE_DELETED
        || word >> 4 > PU_APPLICATION)
    {
        return 0;
    }

    user->state = (pu_user_state_t) (word & 0xf);
    user->type = (pu_user_type_t) (word >> 4);

    return 1;
}


size_t
pu_handle_pack(const pu_handle_t *handle, uint8_t *out, size_t size)
{
    size_t    len;
    uint8_t   flags;
    pu_buf_t  b;

    len = pu_handle_packed_len(handle);

    if (len > size || len > PU_HANDLE_PACKED_MAX
        || handle->user.len != PU_USER_ID_LEN)
    {
        return 0;
    }

    flags = (uint8_t) ((handle->not_before ? PU_PACK_NOT_BEFORE : 0)
                       | (handle->expires ? PU_PACK_EXPIRES : 0)
                       | (handle->roles.data ? PU_PACK_ROLES : 0)
                       | (handle->scopes.data ? PU_PACK_SCOPES : 0)
                       | (handle->networks.data ? PU_PACK_NETWORKS : 0)
                       | (handle->revoked ? PU_PACK_REVOKED : 0));

    pu_buf_init(&b, out, len);

    pu_buf_char(&b, flags);

    pu_pack_len(&b, handle->id);
    pu_pack_len(&b, handle->roles);
    pu_pack_len(&b, handle->scopes);
    pu_pack_len(&b, handle->networks);

    pu_pack_int(&b, handle->not_before);
    pu_pack_int(&b, handle->expires);

    pu_buf_str(&b, handle->user);
    pu_buf_str(&b, handle->id);
    pu_buf_str(&b, handle->roles);
    pu_buf_str(&b, handle->scopes);
    pu_buf_str(&b, handle->networks);

    return len;
}


int
pu_handle_unpack(pu_handle_t *handle, const uint8_t *data, size_t len)
{
    int          flags;
    size_t       id, roles, scopes, networks;
    pu_unpack_t  u;

    u = (pu_unpack_t) { data, data + len, 0 };

    flags = pu_unpack_byte(&u);

    id = pu_unpack_len(&u);
    roles = pu_unpack_len(&u);
    scopes = pu_unpack_len(&u);
    networks = pu_unpack_len(&u);

    handle->not_before = pu_unpack_int(&u, flags & PU_PACK_NOT_BEFORE);
    handle->expires = pu_unpack_int(&u, flags & PU_PACK_EXPIRES);

    handle->user = pu_unpack_str(&u, PU_USER_ID_LEN, 1);
    handle->id = pu_unpack_str(&u, id, 1);
    handle->roles = pu_unpack_str(&u, roles, flags & PU_PACK_ROLES);
    handle->scopes = pu_unpack_str(&u, scopes, flags & PU_PACK_SCOPES);
    handle->networks = pu_unpack_str(&u, networks, flags & PU_PACK_NETWORKS);
    handle->revoked = (flags & PU_PACK_REVOKED) != 0;

    return !u.bad && u.pos == u.end;
}


static size_t
pu_user_packed_len(const pu_user_t *user)
{
    size_t  fixed;

    fixed = 2 + 5 * sizeof(uint16_t) + sizeof(int64_t);

    if (user->epoch) {
        fixed += sizeof(int64_t);
    }

    if (user->expires) {
        fixed += sizeof(int64_t);
    }

    return fixed + user->id.len + user->name.len + user->issuer.len
           + user->subject.len + user->roles.len + user->scopes.len;
}


static size_t
pu_handle_packed_len(const pu_handle_t *handle)
{
    size_t  fixed;

    fixed = 1 + 4 * sizeof(uint16_t);

    if (handle->not_before) {
        fixed += sizeof(int64_t);
    }

    if (handle->expires) {
        fixed += sizeof(int64_t);
    }

    return fixed + handle->user.len + handle->id.len + handle->roles.len
           + handle->scopes.len + handle->networks.len;
}


/* Zero is said by the flag alone. */

static void
pu_pack_int(pu_buf_t *b, int64_t n)
{
    if (n != 0) {
        pu_buf_put(b, &n, sizeof(n));
    }
}


static void
pu_pack_len(pu_buf_t *b, pu_str_t s)
{
    uint16_t  len;

    len = (uint16_t) s.len;
    pu_buf_put(b, &len, sizeof(len));
}


static int
pu_unpack_byte(pu_unpack_t *u)
{
    if (u->bad || u->pos == u->end) {
        u->bad = 1;
        return 0;
    }

    return *u->pos++;
}


static int64_t
pu_unpack_int(pu_unpack_t *u, int present)
{
    int64_t  n;

    if (!present) {
        return 0;
    }

    if (u->bad || (size_t) (u->end - u->pos) < sizeof(n)) {
        u->bad = 1;
        return 0;
    }

    memcpy(&n, u->pos, sizeof(n));
    u->pos += sizeof(n);

    return n;
}


static size_t
pu_unpack_len(pu_unpack_t *u)
{
    uint16_t  len;

    if (u->bad || (size_t) (u->end - u->pos) < sizeof(len)) {
        u->bad = 1;
        return 0;
    }

    memcpy(&len, u->pos, sizeof(len));
    u->pos += sizeof(len);

    return len;
}


static pu_str_t
pu_unpack_str(pu_unpack_t *u, size_t len, int present)
{
    pu_str_t  s;

    s.len = 0;
    s.data = NULL;

    if (u->bad || (size_t) (u->end - u->pos) < len || (!present && len)) {
        u->bad = 1;
        return s;
    }

    if (present) {
        s.len = len;
        s.data = u->pos;
        u->pos += len;
    }

    return s;
}
