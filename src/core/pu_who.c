/*
 * pu_who: asks Redis for a user by id or user_name.
 *
 * For questions about users.  Who comes with a credential is looked up by its
 * handle, by the script.
 */

#include "pu_command_own.h"


void
pu_command_who(pu_args_t *args, pu_str_t prefix, pu_str_t id)
{
    size_t    i;
    char      rest[sizeof("user:") + PU_USER_ID_LEN];
    pu_buf_t  b;

    static const char *const  fields[PU_USER_NFIELDS] = { PU_USER_FIELDS };

    pu_buf_init(&b, rest, sizeof(rest));
    pu_buf_text(&b, "user:");
    pu_buf_str(&b, id);
    pu_buf_char(&b, '\0');

    pu_args_init(args);
    pu_args_text(args, "HMGET");
    pu_args_key(args, prefix, rest);

    for (i = 0; i < PU_USER_NFIELDS; i++) {
        pu_args_text(args, fields[i]);
    }
}


int
pu_command_who_name(pu_args_t *args, pu_str_t prefix, pu_str_t user_name)
{
    char  rest[sizeof("name:") + PU_DIGEST_TEXT_LEN];

    memcpy(rest, "name:", sizeof("name:") - 1);

    if (!pu_name_index(rest + sizeof("name:") - 1, user_name)) {
        return 0;
    }

    rest[sizeof(rest) - 1] = '\0';

    pu_args_init(args);
    pu_args_text(args, "GET");
    pu_args_key(args, prefix, rest);

    return 1;
}


pu_lookup_status_t
pu_reply_who(const redisReply *reply, pu_str_t id, pu_user_t *user)
{
    size_t    i;
    pu_str_t  fields[PU_USER_NFIELDS];

    if (reply == NULL || !pu_reply_fields(reply, fields, PU_USER_NFIELDS)) {
        return PU_LOOKUP_ERROR;
    }

    for (i = 0; i < PU_USER_NFIELDS && fields[i].data == NULL; i++) {
        /* void */
    }

    if (i == PU_USER_NFIELDS) {
        return PU_LOOKUP_NONE;
    }

    return pu_user_read(user, id, fields) ? PU_LOOKUP_FOUND
                                          : PU_LOOKUP_UNREADABLE;
}
