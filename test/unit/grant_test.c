/*
 * grant_test: what records of users and handles permit at a moment.
 */

#include "pu_user.h"
#include "unit.h"


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
a_hundred_roles_work(void)
{
    int        i;
    char       text[8192], out[8192];
    char      *p;
    int64_t    until;
    pu_buf_t   b;
    pu_str_t   rest, word;
    pu_user_t  user;

    for (p = text, i = 0; i < 100; i++) {
        p += sprintf(p, "%steam-%d-editor@1700000000", i ? " " : "",
                     (i * 37) % 100);
    }

    memset(&user, 0, sizeof(user));
    user.roles = pu_str(text);

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


static void
roles_that_fit_to_the_byte_are_all_there(void)
{
    char       out[13];
    int64_t    until;
    pu_buf_t   b;
    pu_user_t  user;

    memset(&user, 0, sizeof(user));
    user.roles = PU_STR("reader writer");

    pu_buf_init(&b, out, sizeof(out));
    pu_user_roles(&b, &user, PU_STR(""), NULL, 0, &until);

    CHECK(!b.full);
    CHECK_STR(pu_buf_written(&b), "reader writer");
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
    CHECK_INT(judged(PU_STATE_ACTIVE, 0, 1, 900), PU_USER_EXPIRED);
}


static void
a_token_counts_only_when_issued_after_the_epoch(void)
{
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, 899), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, 900), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, 901), PU_OK);
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, INT64_MIN), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 900, 0, -5), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 1, 0, 1), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 1, 0, INT64_MIN), PU_TOKEN_REVOKED);
    CHECK_INT(judged(PU_STATE_ACTIVE, 0, 0, INT64_MIN), PU_OK);
    CHECK_INT(judged(PU_STATE_ACTIVE, 0, 0, -5), PU_OK);
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

    handle.expires = 1;                 /* 0 alone is never */
    CHECK_INT(pu_handle_judge(&handle, PU_HANDLE_KEY, 1000), PU_KEY_EXPIRED);

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


static const unit_test_t  tests[] = {
    UNIT(a_hundred_roles_work),
    UNIT(grants_end_and_tell_when),
    UNIT(granted_and_mapped_roles_are_one_set),
    UNIT(roles_that_do_not_fit_end_in_a_whole_word),
    UNIT(roles_that_fit_to_the_byte_are_all_there),
    UNIT(a_cap_narrows_scopes_and_never_adds),
    UNIT(the_state_is_judged_in_order),
    UNIT(a_handle_is_judged),
    UNIT(a_key_narrows_roles_and_never_adds),
    UNIT(a_key_narrows_scopes_and_never_adds),
    UNIT(a_token_counts_only_when_issued_after_the_epoch),
    UNIT(the_first_256_words_count_and_no_more)
};

UNIT_MAIN(tests)
