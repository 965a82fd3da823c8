/*
 * connection: one Redis connection of the command.
 *
 * A socket, TLS when asked for, and hiredis' reader and formatter: the same
 * with every hiredis, and every wait has a deadline.  Knows nothing of users.
 */

#ifndef CONNECTION_H
#define CONNECTION_H

#include <hiredis/hiredis.h>

#include "pu_str.h"


#define CONNECT_TIMEOUT       5000      /* ms, all addresses together */
#define COMMAND_TIMEOUT       5000      /* ms, one command or reply */
#define REPLY_SIZE_MAX        (64 * 1024 * 1024)
#define REPLY_ELEMENTS_MAX    (1024 * 1024)     /* of one array */

typedef enum {
    ADDRESS_TCP = 0,
    ADDRESS_TLS,
    ADDRESS_UNIX
} address_kind_t;

typedef struct {
    address_kind_t  kind;
    char            user[256];          /* empty: Redis's default user */
    char            host[256];          /* or the path of a socket */
    char            port[8];
    int             db;
} address_t;

/*
 * redis://[user@]host[:port][/db], rediss://..., unix:/path[:db].  1, or 0
 * and a sentence in "err", which never repeats a password.
 */
int address_parse(address_t *address, const char *url,
    char err[PU_ERROR_SIZE]);


typedef struct connection_s  connection_t;

/*
 * Connects, and for rediss:// makes sure of the server's certificate: by
 * "ca_file", or the system's when it is NULL.  NULL and a sentence in "err".
 */
connection_t *connection_open(const address_t *address, const char *ca_file,
    char err[PU_ERROR_SIZE]);

/* NULL is allowed. */
void connection_close(connection_t *c);

/* Sends one command; replies come in the same order.  1 or 0. */
int connection_send(connection_t *c, int argc, const char *const *argv,
    const size_t *len);

/*
 * The next reply, which the caller frees with freeReplyObject; it waits at
 * most COMMAND_TIMEOUT and "more" ms.  NULL when there is none: the
 * connection is of no use then.
 */
redisReply *connection_reply(connection_t *c, int more);

/* Why the last call failed; part of a sentence. */
const char *connection_error(const connection_t *c);


#endif /* CONNECTION_H */
