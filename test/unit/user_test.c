/*
 * user_test: records of users and handles, from fields to bytes and back,
 * and what they permit at a moment.
 */

#include "pu_user.h"
#include "unit.h"


#define ID    "u_AAAAAAAAAAAAAAAAAAAAAA"
#define NONE  { 0, NULL }


/* name, type, state, issuer, subject, roles, scopes, epoch, expires, version */
typedef struct {
    const char  *field[PU_USER_NFIELDS];
} user_fields_t;


static const user_fields_t  alice = {
    { "Alice", "human", "active", "https://idp.example.com", "alice",
      "admin@1700000000 reader", "read write", "1600000000", "1900000000",
      "7" }
};

static const user_fields_t  seeded = {
    { NULL, NULL, "active", NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};


static int
user_of(pu_user_t *user, const user_fields_t *fields)
{
    size_t    i;
    pu_str_t  f[PU_USER_NFIELDS];

    for (i = 0; i < PU_USER_NFIELDS; i++) {
        f[i] = pu_str(fields->field[i]);
    }

    return pu_user_read(user, PU_STR(ID), f);
}


/* Alice with one field changed. */

static int
changed(size_t field, const char *value)
{
    pu_user_t      user;
    user_fields_t  fields;

    fields = alice;
    fields.field[field] = value;

    return user_of(&user, &fields);
}


static void
ids_have_one_form(void)
{
    char      id[PU_USER_ID_LEN], other[PU_USER_ID_LEN];
    pu_str_t  s;

    CHECK(pu_user_id_new(id));
    CHECK(pu_user_id_new(other));
    CHECK(memcmp(id, other, sizeof(id)) != 0);

    s.data = (const uint8_t *) id;
    s.len = sizeof(id);

    CHECK(pu_user_id_ok(s));
    CHECK(pu_user_id_ok(PU_STR("u_AAAAAAAAAAAAAAAAA-_001")));

    s.len--;
    CHECK(!pu_user_id_ok(s));
    CHECK(!pu_user_id_ok(PU_STR("")));
    CHECK(!pu_user_id_ok(PU_STR("u_")));
    CHECK(!pu_user_id_ok(PU_STR(ID "A")));
    CHECK(!pu_user_id_ok(PU_STR("k_AAAAAAAAAAAAAAAAAAAAAA")));
    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAAAAAAAAAAAAA=")));
    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAA AAAAAAAAAAA")));
    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAA\0AAAAAAAAAAA")));
    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAA\nAAAAAAAAAAA")));

    /* what stands beside the letters and digits in ASCII */

    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAA@AAAAAAAAAAA")));
    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAA[AAAAAAAAAAA")));
    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAA`AAAAAAAAAAA")));
    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAA{AAAAAAAAAAA")));
    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAA/AAAAAAAAAAA")));
    CHECK(!pu_user_id_ok(PU_STR("u_AAAAAAAAAA:AAAAAAAAAAA")));
    CHECK(pu_user_id_ok(PU_STR("u_azAZ09-_azAZ09-_azAZ09")));
}


static void
the_handle_digest_separates_issuer_and_subject(void)
{
    char      text[PU_DIGEST_TEXT_LEN];
    uint8_t   a[PU_SHA256_LEN], b[PU_SHA256_LEN];
    pu_str_t  s;

    CHECK(pu_handle_digest(a, PU_STR("https://i"), PU_STR("s2")));

    s.len = pu_base64url_encode(text, a, sizeof(a));
    s.data = (const uint8_t *) text;

    CHECK_STR(s, "Rv9GAjeNwGUe2z7owznUUROK0lEC85lZWYAzaYcXfAA");

    CHECK(pu_handle_digest(b, PU_STR("https://is"), PU_STR("2")));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
}


static void
a_full_record_is_read(void)
{
    pu_user_t  user;

    CHECK(user_of(&user, &alice));
    CHECK_STR(user.id, ID);
    CHECK_STR(user.name, "Alice");
    CHECK_STR(user.issuer, "https://idp.example.com");
    CHECK_STR(user.subject, "alice");
    CHECK_STR(user.roles, "admin@1700000000 reader");
    CHECK_STR(user.scopes, "read write");
    CHECK_INT(user.epoch, 1600000000);
    CHECK_INT(user.expires, 1900000000);
    CHECK_INT(user.version, 7);
    CHECK_INT(user.state, PU_STATE_ACTIVE);
    CHECK_INT(user.type, PU_HUMAN);
}


static void
a_record_seeded_by_hand_needs_its_state_only(void)
{
    pu_user_t  user;

    CHECK(user_of(&user, &seeded));
    CHECK_INT(user.type, PU_HUMAN);
    CHECK_INT(user.name.len, 0);
    CHECK_INT(user.epoch, 0);
    CHECK_INT(user.expires, 0);
    CHECK_INT(user.version, 0);
    CHECK(user.scopes.data == NULL);
}


static void
nonsense_in_a_field_makes_the_record_unreadable(void)
{
    static const char *const  numbers[] = {
        "", " ", "-1", "+1", "1.5", "1e9", "0x10", "1 ", " 1", "x",
        "1234567890123456", "99999999999999999999999", "nan"
    };

    size_t  i, field;

    CHECK(changed(0, ""));
    CHECK(!changed(1, ""));
    CHECK(!changed(1, "Human"));
    CHECK(!changed(1, "robot"));
    CHECK(!changed(2, NULL));
    CHECK(!changed(2, ""));
    CHECK(!changed(2, "Active"));
    CHECK(!changed(2, "active "));
    CHECK(!changed(2, "disabled"));
    CHECK(changed(2, "suspended"));
    CHECK(changed(2, "deleted"));

    for (field = 7; field < PU_USER_NFIELDS; field++) {

        CHECK(changed(field, "0"));
        CHECK(changed(field, "999999999999999"));

        for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
            CHECK(!changed(field, numbers[i]));
        }
    }
}


static void
a_role_that_is_none_makes_the_record_unreadable(void)
{
    static const char *const  good[] = {
        NULL, "", " ", "admin", "admin@0", "admin@1=2", "admin=1",
        " a  b@1 ", "a:b/c-d._E9", "a a"
    };
    static const char *const  bad[] = {
        "ADMIN", "admin@", "admin=", "admin=0", "admin@=1", "admin@-1",
        "admin@1=", "admin@1=x", "admin@1@2", "admin=1=2", "admin=1@2",
        "@1", "=1", "ad,min", "ad\tmin", "ad\"min", "r\xc3\xb6le",
        "reader admin@x", "a@99999999999999999999"
    };

    size_t  i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        CHECK(changed(5, good[i]));
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!changed(5, bad[i]));
    }
}


static void
records_over_the_limits_are_unreadable(void)
{
    int        i;
    char       text[PU_USER_PACKED_MAX + 1];
    char      *p;

    for (p = text, i = 0; i < PU_ROLES_MAX; i++) {
        p += sprintf(p, "r%03d ", i);
    }

    CHECK(changed(5, text));

    strcpy(p, "extra");
    CHECK(!changed(5, text));

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';

    for (i = 0; i < 5; i++) {
        if (i != 1 && i != 2) {
            CHECK(!changed((size_t) i, text));
        }
    }

    CHECK(!changed(6, text));

    text[4096] = '\0';
    CHECK(changed(0, text));
}


static void
a_hundred_roles_work(void)
{
    int        i;
    char       text[8192], out[8192];
    char      *p;
    int64_t    until;
    pu_buf_t   b;
    pu_str_t   rest, word;
    pu_user_t  user;

    user_fields_t  fields = alice;

    for (p = text, i = 0; i < 100; i++) {
        p += sprintf(p, "%steam-%d-editor@1700000000", i ? " " : "",
                     (i * 37) % 100);
    }

    fields.field[5] = text;
    CHECK(user_of(&user, &fields));

    pu_buf_init(&b, out, sizeof(out));
    pu_user_roles(&b, &user, PU_STR("team-5-editor zebra"), NULL, 0,
                  &until);
    CHECK(!b.full);

    rest = pu_buf_written(&b);

    for (i = 0; pu_word_next(&rest, &word); i++) { /* void */ }

    CHECK_INT(i, 101);
    CHECK(pu_set_has(pu_buf_written(&b), PU_STR("team-99-editor")));
}


static void
packing_keeps_every_user_field(void)
{
    size_t     len;
    uint8_t    bytes[PU_USER_RECORD_MAX];
    pu_user_t  user, copy;

    CHECK(user_of(&user, &alice));
    user.type = PU_APPLICATION;
    user.state = PU_STATE_DELETED;

    len = pu_user_pack(&user, bytes, sizeof(bytes));

    CHECK(len > 0);
    CHECK(pu_user_unpack(&copy, bytes, len));
    CHECK_STR(copy.id, ID);
    CHECK_STR(copy.name, "Alice");
    CHECK_STR(copy.issuer, "https://idp.example.com");
    CHECK_STR(copy.subject, "alice");
    CHECK_STR(copy.roles, "admin@1700000000 reader");
    CHECK_STR(copy.scopes, "read write");
    CHECK_INT(copy.epoch, 1600000000);
    CHECK_INT(copy.expires, 1900000000);
    CHECK_INT(copy.version, 7);
    CHECK_INT(copy.state, PU_STATE_DELETED);
    CHECK_INT(copy.type, PU_APPLICATION);
}


static void
packing_tells_an_empty_cap_from_none(void)
{
    size_t         len;
    uint8_t        bytes[PU_USER_RECORD_MAX];
    pu_user_t      user, copy;
    user_fields_t  fields;

    fields = seeded;
    CHECK(user_of(&user, &fields));
    len = pu_user_pack(&user, bytes, sizeof(bytes));
    CHECK(pu_user_unpack(&copy, bytes, len));
    CHECK(copy.scopes.data == NULL);

    fields.field[6] = "";
    CHECK(user_of(&user, &fields));
    len = pu_user_pack(&user, bytes, sizeof(bytes));
    CHECK(pu_user_unpack(&copy, bytes, len));
    CHECK(copy.scopes.data != NULL);
    CHECK_INT(copy.scopes.len, 0);
}


static void
packed_records_are_small(void)
{
    size_t         strings;
    uint8_t        bytes[PU_USER_RECORD_MAX];
    pu_user_t      user;
    user_fields_t  fields;

    fields = alice;
    CHECK(user_of(&user, &fields));

    strings = user.id.len + user.name.len + user.issuer.len
              + user.subject.len + user.roles.len + user.scopes.len;

    CHECK(pu_user_pack(&user, bytes, sizeof(bytes)) <= strings + 48);
}


static void
bytes_that_make_no_sense_are_not_unpacked(void)
{
    size_t        len, i;
    uint8_t       bytes[PU_USER_RECORD_MAX], *cut;
    pu_user_t     user, copy;
    pu_handle_t   handle;

    CHECK(user_of(&user, &alice));
    len = pu_user_pack(&user, bytes, sizeof(bytes));

    CHECK_INT(pu_user_pack(&user, bytes, len - 1), 0);
    CHECK_INT(pu_user_pack(&user, bytes, 0), 0);

    /* memory of exactly this size, for the sanitizer to watch */

    for (i = 0; i < len; i++) {
        cut = malloc(i ? i : 1);
        memcpy(cut, bytes, i);
        CHECK(!pu_user_unpack(&copy, cut, i));
        (void) pu_handle_unpack(&handle, cut, i);
        free(cut);
    }

    CHECK(!pu_user_unpack(&copy, bytes, len + 1));

    bytes[1] = 0x03;
    CHECK(!pu_user_unpack(&copy, bytes, len));
    bytes[1] = 0x30;
    CHECK(!pu_user_unpack(&copy, bytes, len));
}


static void
random_bytes_are_unpacked_without_harm(void)
{
    size_t       i, k, len;
    uint8_t      bytes[128], *exact;
    uint32_t     seed;
    pu_user_t    user;
    pu_handle_t  handle;

    seed = 1;

    for (i = 0; i < 20000; i++) {

        for (k = 0; k < sizeof(bytes); k++) {
            seed = seed * 1103515245 + 12345;
            bytes[k] = (k % 2) ? 0 : (uint8_t) (seed >> 16) & 0x1f;
        }

        len = seed % sizeof(bytes);
        exact = malloc(len ? len : 1);
        memcpy(exact, bytes, len);

        if (pu_user_unpack(&user, exact, len)) {
            CHECK(user.scopes.len <= len);
        }

        if (pu_handle_unpack(&handle, exact, len)) {
            CHECK(handle.scopes.len <= len);
        }

        free(exact);
    }
}


static int
handle_of(pu_handle_t *handle, const char *user, const char *state,
    const char *not_before, const char *expires, const char *roles,
    const char *scopes, const char *networks)
{
    pu_str_t  f[PU_HANDLE_NFIELDS];

    f[0] = pu_str(user);
    f[1] = pu_str("abcdefghij");
    f[2] = pu_str(state);
    f[3] = pu_str(not_before);
    f[4] = pu_str(expires);
    f[5] = pu_str(roles);
    f[6] = pu_str(scopes);
    f[7] = pu_str(networks);

    return pu_handle_read(handle, f);
}


static void
handles_are_read_packed_and_unpacked(void)
{
    size_t       len;
    uint8_t      bytes[PU_HANDLE_PACKED_MAX];
    pu_handle_t  handle, copy;

    CHECK(handle_of(&handle, ID, "revoked", "5", "9", "reader", "", "::1"));

    len = pu_handle_pack(&handle, bytes, sizeof(bytes));
    CHECK(len > 0);
    CHECK(pu_handle_unpack(&copy, bytes, len));
    CHECK_STR(copy.user, ID);
    CHECK_STR(copy.id, "abcdefghij");
    CHECK_STR(copy.roles, "reader");
    CHECK(copy.scopes.data != NULL && copy.scopes.len == 0);
    CHECK_STR(copy.networks, "::1");
    CHECK_INT(copy.not_before, 5);
    CHECK_INT(copy.expires, 9);
    CHECK(copy.revoked);

    CHECK(handle_of(&handle, ID, "active", NULL, NULL, NULL, NULL, NULL));
    len = pu_handle_pack(&handle, bytes, sizeof(bytes));
    CHECK(pu_handle_unpack(&copy, bytes, len));
    CHECK(copy.roles.data == NULL && copy.scopes.data == NULL);
    CHECK(copy.networks.data == NULL);
    CHECK_INT(copy.not_before, 0);
    CHECK(!copy.revoked);
    CHECK_INT(pu_handle_pack(&handle, bytes, len - 1), 0);
    CHECK(!pu_handle_unpack(&copy, bytes, len - 1));
}


static void
handles_that_make_no_sense_are_unreadable(void)
{
    pu_handle_t  h;

    CHECK(!handle_of(&h, NULL, "active", NULL, NULL, NULL, NULL, NULL));
    CHECK(!handle_of(&h, "", "active", NULL, NULL, NULL, NULL, NULL));
    CHECK(!handle_of(&h, "alice", "active", NULL, NULL, NULL, NULL, NULL));
    CHECK(!handle_of(&h, ID, NULL, NULL, NULL, NULL, NULL, NULL));
    CHECK(!handle_of(&h, ID, "", NULL, NULL, NULL, NULL, NULL));
    CHECK(!handle_of(&h, ID, "suspended", NULL, NULL, NULL, NULL, NULL));
    CHECK(!handle_of(&h, ID, "active", "soon", NULL, NULL, NULL, NULL));
    CHECK(!handle_of(&h, ID, "active", NULL, "-1", NULL, NULL, NULL));
    CHECK(!handle_of(&h, ID, "active", NULL, NULL, "ADMIN", NULL, NULL));
    CHECK(!handle_of(&h, ID, "active", NULL, NULL, "admin@1", NULL, NULL));
    CHECK(!handle_of(&h, ID, "active", NULL, NULL, NULL, NULL, "::1/129"));
    CHECK(!handle_of(&h, ID, "active", NULL, NULL, NULL, NULL, "here"));
}


/* The roles of a user at a moment, as text. */

static pu_str_t
roles_at(const char *roles, const char *more, int64_t now, int64_t *until)
{
    static char  out[512];

    pu_buf_t   b;
    pu_user_t  user;

    memset(&user, 0, sizeof(user));
    user.roles = pu_str(roles);

    pu_buf_init(&b, out, sizeof(out));
    pu_user_roles(&b, &user, pu_str(more), NULL, now, until);

    return pu_buf_written(&b);
}


static void
grants_end_and_tell_when(void)
{
    int64_t  until;

    CHECK_STR(roles_at(NULL, NULL, 10, &until), "");
    CHECK_INT(until, INT64_MAX);

    CHECK_STR(roles_at("b a@1", "", 10, &until), "a b");
    CHECK_INT(until, INT64_MAX);

    CHECK_STR(roles_at("b=20 a@1=15 c=10 d@9=1", "", 10, &until), "a b");
    CHECK_INT(until, 15);

    CHECK_STR(roles_at("a=10", "", 9, &until), "a");
    CHECK_STR(roles_at("a=10", "", 10, &until), "");
    CHECK_STR(roles_at("a=10", "", 11, &until), "");
    CHECK_INT(until, INT64_MAX);

    /* granted twice: the longer one counts */

    CHECK_STR(roles_at("a=10 a=20", "", 15, &until), "a");
}


static void
granted_and_mapped_roles_are_one_set(void)
{
    int64_t  until;

    CHECK_STR(roles_at("m a", "a b z", 0, &until), "a b m z");
    CHECK_STR(roles_at("", "a b z", 0, &until), "a b z");
    CHECK_STR(roles_at("z z a", "", 0, &until), "a z");
    CHECK_STR(roles_at("b=5", "a b", 9, &until), "a b");
    CHECK_STR(roles_at("ab", "a", 0, &until), "a ab");
}


static void
roles_that_do_not_fit_end_in_a_whole_word(void)
{
    char       out[12];
    int64_t    until;
    pu_buf_t   b;
    pu_user_t  user;

    memset(&user, 0, sizeof(user));
    user.roles = PU_STR("reader writer x");

    pu_buf_init(&b, out, sizeof(out));
    pu_user_roles(&b, &user, PU_STR(""), NULL, 0, &until);

    CHECK(b.full);
    CHECK_STR(pu_buf_written(&b), "reader");
}


static pu_str_t
scopes_of(const char *cap, const char *scopes)
{
    static char  out[128];

    pu_buf_t   b;
    pu_user_t  user;

    memset(&user, 0, sizeof(user));
    user.scopes = pu_str(cap);

    pu_buf_init(&b, out, sizeof(out));
    pu_user_scopes(&b, &user, pu_str(scopes));

    return pu_buf_written(&b);
}


static void
a_cap_narrows_scopes_and_never_adds(void)
{
    CHECK_STR(scopes_of(NULL, "read write"), "read write");
    CHECK_STR(scopes_of("", "read write"), "");
    CHECK_STR(scopes_of("write", "read write"), "write");
    CHECK_STR(scopes_of("admin read write", "read"), "read");
    CHECK_STR(scopes_of("admin", ""), "");
    CHECK_STR(scopes_of("rea", "read"), "");
}


static pu_reason_t
judged(pu_user_state_t state, int64_t epoch, int64_t expires, int64_t iat)
{
    pu_user_t  user;

    memset(&user, 0, sizeof(user));
    user.state = state;
    user.epoch = epoch;
    user.expires = expires;

    return pu_user_judge(&user, iat, 1000);
}


static pu_reason_t
handle_judged(pu_handle_kind_t kind, int revoked, int64_t now)
{
    pu_handle_t  handle;

    memset(&handle, 0, sizeof(handle));
    handle.not_before = 1000;
    handle.expires = 1002;
    handle.revoked = revoked ? 1 : 0;

    return pu_handle_judge(&handle, kind, now);
}


static void
a_handle_is_judged(void)
{
    pu_handle_t  handle;

    memset(&handle, 0, sizeof(handle));
    CHECK_INT(pu_handle_judge(&handle, PU_HANDLE_SUB, 1000), PU_OK);
    CHECK_INT(pu_handle_judge(&handle, PU_HANDLE_KEY, 1000), PU_OK);
    CHECK_INT(pu_handle_judge(&handle, PU_HANDLE_CERT, 1000), PU_OK);

    CHECK_INT(handle_judged(PU_HANDLE_SUB, 0, 1000), PU_OK);
    CHECK_INT(handle_judged(PU_HANDLE_SUB, 0, 999), PU_TOKEN_NOT_YET_VALID);
    CHECK_INT(handle_judged(PU_HANDLE_SUB, 0, 1002), PU_TOKEN_EXPIRED);
    CHECK_INT(handle_judged(PU_HANDLE_SUB, 1, 1000), PU_TOKEN_REVOKED);

    CHECK_INT(handle_judged(PU_HANDLE_KEY, 0, 1001), PU_OK);
    CHECK_INT(handle_judged(PU_HANDLE_KEY, 0, 999), PU_KEY_UNKNOWN);
    CHECK_INT(handle_judged(PU_HANDLE_KEY, 0, 1002), PU_KEY_EXPIRED);
    CHECK_INT(handle_judged(PU_HANDLE_KEY, 1, 1002), PU_KEY_REVOKED);

    CHECK_INT(handle_judged(PU_HANDLE_CERT, 0, 1001), PU_OK);
    CHECK_INT(handle_judged(PU_HANDLE_CERT, 0, 999), PU_CERTIFICATE_UNKNOWN);
    CHECK_INT(handle_judged(PU_HANDLE_CERT, 0, 1002), PU_CERTIFICATE_UNKNOWN);
    CHECK_INT(handle_judged(PU_HANDLE_CERT, 1, 1000), PU_CERTIFICATE_UNKNOWN);
}


/* What a handle with these caps is good for at 1000; NULL: no cap. */

static pu_str_t
narrowed(const char *user, const char *handle, int scopes)
{
    static char  text[256];

    int64_t      until;
    pu_buf_t     b;
    pu_user_t    u;
    pu_handle_t  h;

    memset(&u, 0, sizeof(u));
    memset(&h, 0, sizeof(h));
    pu_buf_init(&b, text, sizeof(text));

    if (scopes) {
        u.scopes = pu_str(user);
        h.scopes = pu_str(handle);
        pu_handle_scopes(&b, &h, &u);

    } else {
        u.roles = pu_str(user);
        h.roles = pu_str(handle);
        pu_handle_roles(&b, &h, &u, NULL, 1000, &until);
    }

    return pu_buf_written(&b);
}


static void
a_key_narrows_roles_and_never_adds(void)
{
    CHECK_STR(narrowed("writer@5 reader", NULL, 0), "reader writer");
    CHECK_STR(narrowed("writer@5 reader", "reader", 0), "reader");
    CHECK_STR(narrowed("writer@5 reader", "writer reader x", 0),
              "reader writer");
    CHECK_STR(narrowed("writer@5 reader", "admin", 0), "");
    CHECK_STR(narrowed("writer@5 reader", "", 0), "");
    CHECK_STR(narrowed("", "admin", 0), "");
    CHECK_STR(narrowed("writer=1000 reader=1001", "reader writer", 0),
              "reader");
}


static void
a_key_narrows_scopes_and_never_adds(void)
{
    CHECK_STR(narrowed(NULL, "write read read", 1), "read write");
    CHECK_STR(narrowed("write read", NULL, 1), "read write");
    CHECK_STR(narrowed("read", "write read", 1), "read");
    CHECK_STR(narrowed("read", "write", 1), "");
    CHECK_STR(narrowed("read", "", 1), "");
    CHECK_STR(narrowed("", "read", 1), "");
    CHECK_STR(narrowed(NULL, "", 1), "");
    CHECK_STR(narrowed("", NULL, 1), "");
    CHECK_STR(narrowed(NULL, NULL, 1), "");
}


static void
the_state_is_judged_in_order(void)
{
    CHECK_INT(judged(PU_STATE_ACTIVE, 0, 0, 900), PU_OK);
    CHECK_INT(judged(PU_STATE_SUSPENDED, 0, 0, 900), PU_USER_SUSPENDED);
    CHECK_INT(judged(PU_STATE_DELETED, 0, 0, 900), PU_USER_DELETED);
    CHECK_INT(judged((pu_user_state_t) 9, 0, 0, 900), PU_USER_DELETED);

    CHECK_INT(judged(PU_STATE_SUSPENDED, 950, 1, 900), PU_USER_SUSPENDED);
    CHECK_INT(judged(PU_STATE_DELETED, 950, 1, 900), PU_USER_DELETED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 950, 1, 900), PU_TOKEN_REVOKED);

    CHECK_INT(judged(PU_STATE_ACTIVE, 0, 1000, 900), PU_USER_EXPIRED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 0, 1001, 900), PU_OK);
}


static void
a_token_counts_only_when_issued_after_the_epoch(void)
{
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, 899), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, 900), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, 901), PU_OK);
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, INT64_MIN), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, -5), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 0, 0, INT64_MIN), PU_OK);
    CHECK_INT(judged(PU_STATE_ACTIVE, 0, 0, -5), PU_OK);
}


/* "a a a ..." */
static const char *
letters(char *text, size_t n)
{
    memset(text, ' ', 2 * n);

    for (text[2 * n - 1] = '\0'; n-- > 0; /* void */ ) {
        text[2 * n] = 'a';
    }

    return text;
}


static void
more_roles_than_256_are_unreadable(void)
{
    char         text[1024];
    pu_handle_t  h;

    letters(text, PU_ROLES_MAX);
    CHECK(changed(5, text));
    CHECK(handle_of(&h, ID, "active", NULL, NULL, text, NULL, NULL));

    letters(text, PU_ROLES_MAX + 1);
    CHECK(!changed(5, text));
    CHECK(!handle_of(&h, ID, "active", NULL, NULL, text, NULL, NULL));
}


/* Whoever did not read it from Redis has no more room for it either. */
static void
the_first_256_words_count_and_no_more(void)
{
    char  text[1024];

    letters(text, PU_ROLES_MAX);
    text[2 * PU_ROLES_MAX - 2] = 'z';
    CHECK_STR(narrowed(text, NULL, 0), "a z");
    CHECK_STR(narrowed("a z", text, 0), "a z");
    CHECK_STR(narrowed(NULL, text, 1), "a z");

    letters(text, PU_ROLES_MAX + 1);
    text[2 * PU_ROLES_MAX] = 'z';
    CHECK_STR(narrowed(text, NULL, 0), "a");
    CHECK_STR(narrowed("a z", text, 0), "a");
    CHECK_STR(narrowed(NULL, text, 1), "a");
}


static void
an_id_is_of_a_user(void)
{
    pu_str_t   f[PU_USER_NFIELDS];
    pu_user_t  user;

    memset(f, 0, sizeof(f));
    f[2] = PU_STR("active");

    CHECK(pu_user_read(&user, PU_STR(ID), f));
    CHECK(!pu_user_read(&user, PU_STR("alice"), f));
    CHECK(!pu_user_read(&user, PU_STR(""), f));
}


static void
what_is_too_long_is_not_packed(void)
{
    char         text[PU_USER_PACKED_MAX];
    size_t       n;
    uint8_t      bytes[PU_USER_PACKED_MAX + 64];
    pu_user_t    user;
    pu_handle_t  handle;

    memset(text, 'x', sizeof(text));
    CHECK(user_of(&user, &seeded));
    n = pu_user_pack(&user, bytes, sizeof(bytes));
    CHECK(n > 0);
    CHECK_INT(pu_user_pack(&user, bytes, n), n);
    CHECK_INT(pu_user_pack(&user, bytes, n - 1), 0);

    user.name = (pu_str_t) { PU_USER_PACKED_MAX - n, (uint8_t *) text };
    CHECK_INT(pu_user_pack(&user, bytes, sizeof(bytes)), PU_USER_PACKED_MAX);
    user.name.len++;
    CHECK_INT(pu_user_pack(&user, bytes, sizeof(bytes)), 0);

    user.name.len = 0;
    user.id.len--;
    CHECK_INT(pu_user_pack(&user, bytes, sizeof(bytes)), 0);

    CHECK(handle_of(&handle, ID, "active", NULL, NULL, NULL, NULL, NULL));
    n = pu_handle_pack(&handle, bytes, sizeof(bytes));
    handle.scopes = (pu_str_t) { PU_HANDLE_PACKED_MAX - n, (uint8_t *) text };
    CHECK_INT(pu_handle_pack(&handle, bytes, sizeof(bytes)),
              PU_HANDLE_PACKED_MAX);
    handle.scopes.len++;
    CHECK_INT(pu_handle_pack(&handle, bytes, sizeof(bytes)), 0);

    handle.scopes.len = 0;
    handle.user.len--;
    CHECK_INT(pu_handle_pack(&handle, bytes, sizeof(bytes)), 0);
}


/* A byte too many, or the length of a part that is not there. */
static void
packed_bytes_are_all_of_the_record(void)
{
    size_t       n;
    uint8_t      bytes[256];
    pu_user_t    user;
    pu_handle_t  handle;

    memset(bytes, 0, sizeof(bytes));
    CHECK(user_of(&user, &seeded));
    n = pu_user_pack(&user, bytes, sizeof(bytes));
    CHECK(pu_user_unpack(&user, bytes, n));
    CHECK(!pu_user_unpack(&user, bytes, n + 1));
    bytes[10] = 1;                      /* of the scopes */
    CHECK(!pu_user_unpack(&user, bytes, n));

    memset(bytes, 0, sizeof(bytes));
    CHECK(handle_of(&handle, ID, "active", NULL, NULL, NULL, NULL, NULL));
    n = pu_handle_pack(&handle, bytes, sizeof(bytes));
    CHECK(pu_handle_unpack(&handle, bytes, n));
    CHECK(!pu_handle_unpack(&handle, bytes, n + 1));
    bytes[7] = 1;                       /* of the networks */
    CHECK(!pu_handle_unpack(&handle, bytes, n));

    /* the bytes are there, but they are another part's */

    CHECK(handle_of(&handle, ID, "active", NULL, NULL, NULL, NULL, "::1"));
    n = pu_handle_pack(&handle, bytes, sizeof(bytes));
    CHECK(pu_handle_unpack(&handle, bytes, n));
    bytes[3] = 1;                       /* of the roles */
    CHECK(!pu_handle_unpack(&handle, bytes, n));
}


static void
states_and_types_have_their_words(void)
{
    CHECK_STR(pu_user_state_word(PU_STATE_ACTIVE), "active");
    CHECK_STR(pu_user_state_word(PU_STATE_SUSPENDED), "suspended");
    CHECK_STR(pu_user_state_word(PU_STATE_DELETED), "deleted");
    CHECK_STR(pu_user_type_word(PU_HUMAN), "human");
    CHECK_STR(pu_user_type_word(PU_SERVICE), "service");
    CHECK_STR(pu_user_type_word(PU_APPLICATION), "application");
}


static const unit_test_t  tests[] = {
    UNIT(ids_have_one_form),
    UNIT(the_handle_digest_separates_issuer_and_subject),
    UNIT(a_full_record_is_read),
    UNIT(a_record_seeded_by_hand_needs_its_state_only),
    UNIT(nonsense_in_a_field_makes_the_record_unreadable),
    UNIT(a_role_that_is_none_makes_the_record_unreadable),
    UNIT(records_over_the_limits_are_unreadable),
    UNIT(a_hundred_roles_work),
    UNIT(packing_keeps_every_user_field),
    UNIT(packing_tells_an_empty_cap_from_none),
    UNIT(packed_records_are_small),
    UNIT(bytes_that_make_no_sense_are_not_unpacked),
    UNIT(random_bytes_are_unpacked_without_harm),
    UNIT(handles_are_read_packed_and_unpacked),
    UNIT(handles_that_make_no_sense_are_unreadable),
    UNIT(grants_end_and_tell_when),
    UNIT(granted_and_mapped_roles_are_one_set),
    UNIT(roles_that_do_not_fit_end_in_a_whole_word),
    UNIT(a_cap_narrows_scopes_and_never_adds),
    UNIT(the_state_is_judged_in_order),
    UNIT(a_handle_is_judged),
    UNIT(a_key_narrows_roles_and_never_adds),
    UNIT(a_key_narrows_scopes_and_never_adds),
    UNIT(a_token_counts_only_when_issued_after_the_epoch),
    UNIT(more_roles_than_256_are_unreadable),
    UNIT(the_first_256_words_count_and_no_more),
    UNIT(an_id_is_of_a_user),
    UNIT(what_is_too_long_is_not_packed),
    UNIT(packed_bytes_are_all_of_the_record),
    UNIT(states_and_types_have_their_words)
};

UNIT_MAIN(tests)
