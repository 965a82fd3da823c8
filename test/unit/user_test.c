/*
 * user_test: records of users and handles, from fields to bytes and back.
 */

#include "pu_user.h"
#include "unit.h"


#define ID  "u_AAAAAAAAAAAAAAAAAAAAAA"


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
    CHECK(!pu_user_id_ok(PU_STR("u_=AAAAAAAAAAAAAAAAAAAAA")));
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


/* Whatever was in the memory before. */
static void
a_record_that_is_refused_leaves_nobody(void)
{
    pu_user_t      user;
    user_fields_t  fields;

    fields = alice;
    fields.field[9] = "x";
    memset(&user, 0xff, sizeof(user));
    CHECK(!user_of(&user, &fields));
    CHECK(user.id.len == 0 && user.roles.len == 0);
    CHECK(user.roles.data == NULL && user.scopes.data == NULL);

    memset(&user, 0xff, sizeof(user));
    CHECK(user_of(&user, &seeded));
    CHECK_INT(user.epoch, 0);
    CHECK_INT(user.expires, 0);
    CHECK_INT(user.version, 0);
}


static void
every_type_is_read(void)
{
    pu_user_t      user;
    user_fields_t  fields;

    fields = alice;
    fields.field[1] = "service";
    CHECK(user_of(&user, &fields));
    CHECK_INT(user.type, PU_SERVICE);
    fields.field[1] = "application";
    CHECK(user_of(&user, &fields));
    CHECK_INT(user.type, PU_APPLICATION);
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
    int           i;
    char          text[PU_USER_PACKED_MAX + 1];
    char         *p;
    pu_handle_t   h;

    for (p = text, i = 0; i < PU_ROLES_MAX; i++) {
        p += sprintf(p, "r%03d ", i);
    }

    CHECK(changed(5, text));
    CHECK(handle_of(&h, ID, "active", NULL, NULL, text, NULL, NULL));

    strcpy(p, "extra");
    CHECK(!changed(5, text));
    CHECK(!handle_of(&h, ID, "active", NULL, NULL, text, NULL, NULL));

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


/* What is read can be packed, and the largest that can be is read. */
static void
records_are_read_as_long_as_they_can_be_packed(void)
{
    char           text[PU_USER_PACKED_MAX + 1];
    uint8_t        bytes[PU_USER_RECORD_MAX];
    size_t         n;
    pu_user_t      user;
    pu_handle_t    handle;
    user_fields_t  fields;

    memset(text, 'x', sizeof(text));
    fields = seeded;
    fields.field[0] = text;
    CHECK(user_of(&user, &seeded));
    n = PU_USER_PACKED_MAX - pu_user_pack(&user, bytes, sizeof(bytes));
    text[n] = '\0';
    CHECK(user_of(&user, &fields));
    CHECK_INT(pu_user_pack(&user, bytes, sizeof(bytes)), PU_USER_PACKED_MAX);
    memcpy(text + n, "x", 2);
    CHECK(!user_of(&user, &fields));

    memset(text, 'x', sizeof(text));
    CHECK(handle_of(&handle, ID, "active", NULL, NULL, NULL, "", NULL));
    n = PU_HANDLE_PACKED_MAX - pu_handle_pack(&handle, bytes, sizeof(bytes));
    text[n] = '\0';
    CHECK(handle_of(&handle, ID, "active", NULL, NULL, NULL, text, NULL));
    CHECK_INT(pu_handle_pack(&handle, bytes, PU_HANDLE_PACKED_MAX),
              PU_HANDLE_PACKED_MAX);
    memcpy(text + n, "x", 2);
    CHECK(!handle_of(&handle, ID, "active", NULL, NULL, NULL, text, NULL));
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

    user.state = PU_STATE_SUSPENDED;
    user.epoch = 1;
    user.expires = 0;
    len = pu_user_pack(&user, bytes, sizeof(bytes));
    CHECK(pu_user_unpack(&copy, bytes, len));
    CHECK_INT(copy.state, PU_STATE_SUSPENDED);
    CHECK_INT(copy.epoch, 1);
    CHECK_INT(copy.expires, 0);
    CHECK_STR(copy.id, ID);
    CHECK_STR(copy.scopes, "read write");
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
    CHECK_INT(copy.scopes.len, 0);

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
        CHECK(copy.scopes.data == NULL);
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

    CHECK(handle_of(&handle, ID, "active", "1", NULL, "a", "s t", "::1"));
    len = pu_handle_pack(&handle, bytes, sizeof(bytes));
    CHECK_INT(pu_handle_pack(&handle, bytes, len), len);
    CHECK(pu_handle_unpack(&copy, bytes, len));
    CHECK_INT(copy.not_before, 1);
    CHECK_INT(copy.expires, 0);
    CHECK_STR(copy.user, ID);
    CHECK_STR(copy.roles, "a");
    CHECK_STR(copy.scopes, "s t");
    CHECK_STR(copy.networks, "::1");

    CHECK(handle_of(&handle, ID, "active", NULL, NULL, NULL, NULL, NULL));
    len = pu_handle_pack(&handle, bytes, sizeof(bytes));
    CHECK_INT(bytes[0], 0);             /* no flag: nothing that is optional */
    CHECK(pu_handle_unpack(&copy, bytes, len));
    CHECK(copy.roles.data == NULL && copy.scopes.data == NULL);
    CHECK(copy.networks.data == NULL);
    CHECK_INT(copy.roles.len + copy.scopes.len + copy.networks.len, 0);
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
    UNIT(a_record_that_is_refused_leaves_nobody),
    UNIT(every_type_is_read),
    UNIT(nonsense_in_a_field_makes_the_record_unreadable),
    UNIT(a_role_that_is_none_makes_the_record_unreadable),
    UNIT(records_over_the_limits_are_unreadable),
    UNIT(records_are_read_as_long_as_they_can_be_packed),
    UNIT(packing_keeps_every_user_field),
    UNIT(packing_tells_an_empty_cap_from_none),
    UNIT(packed_records_are_small),
    UNIT(bytes_that_make_no_sense_are_not_unpacked),
    UNIT(random_bytes_are_unpacked_without_harm),
    UNIT(handles_are_read_packed_and_unpacked),
    UNIT(handles_that_make_no_sense_are_unreadable),
    UNIT(an_id_is_of_a_user),
    UNIT(what_is_too_long_is_not_packed),
    UNIT(packed_bytes_are_all_of_the_record),
    UNIT(states_and_types_have_their_words)
};

UNIT_MAIN(tests)
