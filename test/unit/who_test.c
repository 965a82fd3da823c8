/*
 * who_test: what is said to Redis when somebody asks about a user, and what
 * its answer is worth.
 */

#include "pu_command.h"
#include "unit.h"


#define ID  "u_AAAAAAAAAAAAAAAAAAAAAA"


static void
an_id_is_asked_for_by_the_fields_of_a_record(void)
{
    pu_args_t  args;

    pu_command_who(&args, PU_STR("pu"), PU_STR(ID));

    CHECK_INT(args.argc, 2 + PU_USER_NFIELDS);
    CHECK_STR(((pu_str_t) { args.len[0], (const uint8_t *) args.argv[0] }),
              "HMGET");
    CHECK_STR(((pu_str_t) { args.len[1], (const uint8_t *) args.argv[1] }),
              "{pu}:user:" ID);
    CHECK_STR(((pu_str_t) { args.len[2], (const uint8_t *) args.argv[2] }),
              "name");
}


static void
a_name_is_asked_for_by_its_digest(void)
{
    size_t     i;
    char       key[2][128];
    pu_args_t  args;

    static const char *const  names[] = { "Alice@Example.com",
                                          "alice@example.com" };

    for (i = 0; i < 2; i++) {
        CHECK(pu_command_who_name(&args, PU_STR("pu"), pu_str(names[i])));
        CHECK_INT(args.argc, 2);
        CHECK_INT(args.len[1], sizeof("{pu}:name:") - 1 + PU_DIGEST_TEXT_LEN);
        memcpy(key[i], args.argv[1], args.len[1]);
    }

    CHECK(memcmp(key[0], key[1], args.len[1]) == 0);
    CHECK(memcmp(key[0], "{pu}:name:", 10) == 0);
}


/* A reply of so many fields; "state" is the third. */

static pu_lookup_status_t
status_of(size_t n, const char *state, const char *version, pu_user_t *user)
{
    size_t       i;
    redisReply   items[PU_USER_NFIELDS + 1], *elements[PU_USER_NFIELDS + 1];
    redisReply   reply;

    static char  text[2][16];

    memset(items, 0, sizeof(items));
    memset(&reply, 0, sizeof(reply));

    for (i = 0; i < n; i++) {
        items[i].type = REDIS_REPLY_NIL;
        elements[i] = &items[i];
    }

    if (state != NULL && n > 2) {
        snprintf(text[0], sizeof(text[0]), "%s", state);
        items[2].type = REDIS_REPLY_STRING;
        items[2].str = text[0];
        items[2].len = strlen(state);
    }

    if (version != NULL && n > 9) {
        snprintf(text[1], sizeof(text[1]), "%s", version);
        items[9].type = REDIS_REPLY_STRING;
        items[9].str = text[1];
        items[9].len = strlen(version);
    }

    reply.type = REDIS_REPLY_ARRAY;
    reply.elements = n;
    reply.element = elements;

    return pu_reply_who(&reply, PU_STR(ID), user);
}


static void
an_answer_is_a_user_none_or_not_to_be_trusted(void)
{
    pu_user_t   user;
    redisReply  error;

    CHECK_INT(status_of(PU_USER_NFIELDS, "suspended", "3", &user),
              PU_LOOKUP_FOUND);
    CHECK_STR(user.id, ID);
    CHECK_INT(user.state, PU_STATE_SUSPENDED);

    CHECK_INT(status_of(PU_USER_NFIELDS, NULL, NULL, &user),
              PU_LOOKUP_NONE);
    CHECK_INT(status_of(PU_USER_NFIELDS, "asleep", "3", &user),
              PU_LOOKUP_UNREADABLE);
    CHECK_INT(status_of(PU_USER_NFIELDS, NULL, "3", &user),
              PU_LOOKUP_UNREADABLE);
    CHECK_INT(status_of(PU_USER_NFIELDS, "active", "x", &user),
              PU_LOOKUP_UNREADABLE);
    CHECK_INT(status_of(PU_USER_NFIELDS - 1, "active", NULL, &user),
              PU_LOOKUP_ERROR);
    CHECK_INT(status_of(PU_USER_NFIELDS + 1, "active", "3", &user),
              PU_LOOKUP_ERROR);
    CHECK_INT(status_of(0, NULL, NULL, &user), PU_LOOKUP_ERROR);
    CHECK_INT(pu_reply_who(NULL, PU_STR(ID), &user), PU_LOOKUP_ERROR);

    memset(&error, 0, sizeof(error));
    error.type = REDIS_REPLY_ERROR;
    CHECK_INT(pu_reply_who(&error, PU_STR(ID), &user), PU_LOOKUP_ERROR);
}


static const unit_test_t  tests[] = {
    UNIT(an_id_is_asked_for_by_the_fields_of_a_record),
    UNIT(a_name_is_asked_for_by_its_digest),
    UNIT(an_answer_is_a_user_none_or_not_to_be_trusted)
};

UNIT_MAIN(tests)
