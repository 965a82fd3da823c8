/*
 * handle_test: the changes of handles as commands for Redis, and the look-up
 * that gives a first token its provisioned user.
 */

#include "pu_command.h"
#include "unit.h"


#define SHA     "0123456789abcdef0123456789abcdef01234567"
#define ID      "u_AAAAAAAAAAAAAAAAAAAAAA"
#define DIGEST  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY     "key:" DIGEST
#define IDP     "https://idp.example.com"


static void
args_are(const pu_args_t *args, int from, const char *const *expected, int n)
{
    int       i;
    pu_str_t  s;

    CHECK_INT(args->argc, from + n);

    for (i = 0; i < n && from + i < args->argc; i++) {
        s.data = (const uint8_t *) args->argv[from + i];
        s.len = args->len[from + i];
        CHECK_STR(s, expected[i]);
    }
}


static pu_change_t
change_of(pu_change_op_t op)
{
    pu_change_t  change = {
        .op = op, .user = PU_STR(ID), .expected_version = -1,
        .actor = PU_STR("root"), .source = PU_STR("cli"),
        .reason = PU_STR("why"), .handle = PU_STR(KEY)
    };

    return change;
}


static void
a_handle_is_added_with_its_caps(void)
{
    pu_args_t    args;
    pu_change_t  change = change_of(PU_CHANGE_HANDLE_ADD);

    change.public_id = PU_STR("abcdefghij");
    change.label = PU_STR("backup");
    change.expires_in = 60;
    change.roles = PU_STR("reader");
    change.networks = PU_STR("");

    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    args_are(&args, 4, (const char *[]) {
        "handle_add", ID, "", "root", "cli", "why", KEY, "abcdefghij",
        "backup", "60", "rn", "reader", "", ""
    }, 14);

    change.roles.data = NULL;
    change.roles.len = 0;
    change.networks.data = NULL;
    change.scopes = PU_STR("read");

    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    args_are(&args, 14, (const char *[]) { "s", "", "read", "" }, 4);
}


static void
a_key_is_rotated_linked_and_revoked(void)
{
    pu_args_t    args;
    pu_change_t  change = change_of(PU_CHANGE_HANDLE_ROTATE);

    change.successor = PU_STR("key:B");
    change.public_id = PU_STR("abcdefghij");
    change.expires_in = 0;

    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    args_are(&args, 4, (const char *[]) {
        "handle_rotate", ID, "", "root", "cli", "why", KEY, "key:B",
        "abcdefghij", "0"
    }, 10);

    change = change_of(PU_CHANGE_HANDLE_LINK);
    change.issuer = PU_STR(IDP);
    change.subject = PU_STR("alice");

    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    args_are(&args, 4, (const char *[]) {
        "handle_link", ID, "", "root", "cli", "why", KEY, IDP, "alice"
    }, 9);

    change = change_of(PU_CHANGE_HANDLE_REVOKE);
    change.user = PU_STR("");

    CHECK(pu_command_change(&args, SHA, PU_STR("pu"), &change));
    args_are(&args, 4, (const char *[]) {
        "handle_revoke", "", "", "root", "cli", "why", KEY
    }, 7);
}


static pu_lookup_t
lookup_of(pu_link_t link, const char *claim, int64_t iat)
{
    static const uint8_t  digest[PU_SHA256_LEN];

    pu_lookup_t  lookup = {
        .kind = PU_HANDLE_SUB, .digest = digest, .store = PU_STR("S"),
        .issuer = PU_STR(IDP), .subject = PU_STR("alice"), .link = link,
        .claim = pu_str(claim), .iat = iat
    };

    return lookup;
}


static void
a_first_token_asks_for_its_provisioned_user(void)
{
    char         index[PU_DIGEST_TEXT_LEN + 1] = { 0 };
    pu_args_t    args;
    pu_lookup_t  lookup;

    CHECK(pu_name_index(index, PU_STR("alice@example.com")));
    lookup = lookup_of(PU_LINK_USER_NAME, "Alice@Example.com", 1001);

    CHECK(pu_command_lookup(&args, SHA, PU_STR("pu"), &lookup));
    args_are(&args, 4, (const char *[]) {
        "adopt", "sub:" DIGEST, IDP, "alice", "name", index, "1001", "S", ""
    }, 9);

    CHECK(pu_external_index(index, PU_STR("Alice")));
    lookup = lookup_of(PU_LINK_EXTERNAL_ID, "Alice", INT64_MIN);
    lookup.jti = lookup.digest;

    CHECK(pu_command_lookup(&args, SHA, PU_STR("pu"), &lookup));
    args_are(&args, 4, (const char *[]) {
        "adopt", "sub:" DIGEST, IDP, "alice", "external", index, "", "S", DIGEST
    }, 9);

    lookup = lookup_of(PU_LINK_NONE, "", 0);
    CHECK(pu_command_lookup(&args, SHA, PU_STR("pu"), &lookup));
    args_are(&args, 4, (const char *[]) { "lookup", "sub:" DIGEST }, 2);
}


static const unit_test_t  tests[] = {
    UNIT(a_handle_is_added_with_its_caps),
    UNIT(a_key_is_rotated_linked_and_revoked),
    UNIT(a_first_token_asks_for_its_provisioned_user)
};

UNIT_MAIN(tests)
