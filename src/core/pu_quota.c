/*
 * pu_quota: the commands for a quota's counter in Redis.
 *
 * A counter is no record: it is not changed by the script, and nobody has to
 * hear of it.
 */

#include "pu_command.h"
#include "pu_command_own.h"


#define PU_QUOTA_KEY_MAX  96            /* but for the prefix */


static void pu_args_quota(pu_args_t *args, pu_str_t prefix, pu_str_t user,
    pu_period_t period, int64_t start);


void
pu_command_quota_add(pu_args_t *args, pu_str_t prefix, pu_str_t user,
    pu_period_t period, int64_t start, int64_t n)
{
    pu_args_init(args);
    pu_args_text(args, "INCRBY");
    pu_args_quota(args, prefix, user, period, start);
    pu_args_int(args, n);
}


void
pu_command_quota_expire(pu_args_t *args, pu_str_t prefix, pu_str_t user,
    pu_period_t period, int64_t start, int64_t seconds)
{
    pu_args_init(args);
    pu_args_text(args, "EXPIRE");
    pu_args_quota(args, prefix, user, period, start);
    pu_args_int(args, seconds);
}


static void
pu_args_quota(pu_args_t *args, pu_str_t prefix, pu_str_t user,
    pu_period_t period, int64_t start)
{
    char      rest[PU_QUOTA_KEY_MAX];
    pu_buf_t  b;

    pu_buf_init(&b, rest, sizeof(rest) - 1);
    pu_buf_text(&b, "quota:");
    pu_buf_str(&b, user);
    pu_buf_char(&b, ':');
    pu_buf_str(&b, pu_period_word(period));
    pu_buf_char(&b, ':');
    pu_buf_int(&b, start);
    rest[pu_buf_written(&b).len] = '\0';

    pu_args_key(args, prefix, rest);
}
