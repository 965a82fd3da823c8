/*
 * pu_args: building the argument vector of a command.
 *
 * Every command has a fixed number of arguments and fixed room, within
 * PU_ARGS_MAX and the size of "room".  Nothing is allocated.
 */

#include "pu_command_own.h"


void
pu_args_init(pu_args_t *args)
{
    args->argc = 0;
    args->used = 0;
}


void
pu_args_add(pu_args_t *args, const void *data, size_t len)
{
    /* hiredis passes an empty argument to memcpy: give it an address */

    args->argv[args->argc] = (len == 0) ? "" : data;
    args->len[args->argc] = len;
    args->argc++;
}


void
pu_args_text(pu_args_t *args, const char *text)
{
    pu_args_add(args, text, strlen(text));
}


void
pu_args_str(pu_args_t *args, pu_str_t s)
{
    pu_args_add(args, s.data, s.len);
}


char *
pu_args_room(pu_args_t *args, size_t size)
{
    char  *room;

    room = args->room + args->used;
    args->used += size;

    return room;
}


void
pu_args_buf(pu_args_t *args, const pu_buf_t *b)
{
    pu_args_str(args, pu_buf_written(b));
}


void
pu_args_int(pu_args_t *args, int64_t n)
{
    pu_buf_t  b;

    pu_buf_init(&b, pu_args_room(args, 20), 20);
    pu_buf_int(&b, n);
    pu_args_buf(args, &b);
}


void
pu_args_key(pu_args_t *args, pu_str_t prefix, const char *rest)
{
    size_t    size;
    pu_buf_t  b;

    size = PU_PREFIX_LEN_MAX + sizeof("{}:") + strlen(rest);

    pu_buf_init(&b, pu_args_room(args, size), size);
    pu_buf_char(&b, '{');
    pu_buf_str(&b, prefix);
    pu_buf_text(&b, "}:");
    pu_buf_text(&b, rest);
    pu_args_buf(args, &b);
}


void
pu_args_log_id(pu_args_t *args, pu_log_id_t id)
{
    char  *room;

    room = pu_args_room(args, PU_LOG_ID_TEXT_MAX);
    pu_args_add(args, room, pu_log_id_text(room, id));
}


void
pu_args_script(pu_args_t *args, const char *sha, pu_str_t prefix,
    const char *op)
{
    pu_args_init(args);

    pu_args_text(args, "EVALSHA");
    pu_args_add(args, sha, PU_SCRIPT_SHA_LEN);
    pu_args_text(args, "1");
    pu_args_key(args, prefix, "log");
    pu_args_text(args, op);
}


int
pu_args_random(pu_args_t *args, int (*fill)(char *), size_t len)
{
    char  *room;

    room = pu_args_room(args, len);
    pu_args_add(args, room, len);

    return fill(room);
}


int
pu_args_digest(pu_args_t *args, pu_str_t text,
    int (*digest)(char *out, pu_str_t text))
{
    char  *room;

    if (text.len == 0) {
        pu_args_text(args, "");
        return 1;
    }

    room = pu_args_room(args, PU_DIGEST_TEXT_LEN);
    pu_args_add(args, room, PU_DIGEST_TEXT_LEN);

    return digest(room, text);
}
