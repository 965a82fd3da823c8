/*
 * address: the URL of a Redis, taken apart.
 *
 * No name is resolved and nothing is connected here.
 */

#include <stdio.h>

#include "connection.h"


#define DB_MAX  65535


static int address_tcp(address_t *a, pu_str_t rest, const char *url,
    char err[PU_ERROR_SIZE]);
static int address_unix(address_t *a, pu_str_t rest, const char *url,
    char err[PU_ERROR_SIZE]);
static int address_user(address_t *a, pu_str_t *rest,
    char err[PU_ERROR_SIZE]);
static int address_host(address_t *a, pu_str_t rest, const char *url,
    char err[PU_ERROR_SIZE]);
static int address_port(address_t *a, pu_str_t port, const char *url,
    char err[PU_ERROR_SIZE]);
static int address_db(address_t *a, pu_str_t db, const char *url,
    char err[PU_ERROR_SIZE]);
static int address_bad(const char *url, const char *what,
    char err[PU_ERROR_SIZE]);
static int address_copy(char *out, size_t size, pu_str_t s);
static size_t address_find(pu_str_t s, char c);
static size_t address_find_last(pu_str_t s, char c);
static pu_str_t address_part(pu_str_t s, size_t from, size_t to);


int
address_parse(address_t *a, const char *url, char err[PU_ERROR_SIZE])
{
    pu_str_t  text;

    memset(a, 0, sizeof(address_t));

    text = pu_str(url);

    if (pu_str_starts(text, "redis://")) {
        a->kind = ADDRESS_TCP;
        return address_tcp(a, address_part(text, 8, text.len), url, err);
    }

    if (pu_str_starts(text, "rediss://")) {
        a->kind = ADDRESS_TLS;
        return address_tcp(a, address_part(text, 9, text.len), url, err);
    }

    if (pu_str_starts(text, "unix:/")) {
        a->kind = ADDRESS_UNIX;
        return address_unix(a, address_part(text, 5, text.len), url, err);
    }

    /* it may hold anything, a password as well: it is not repeated */

    snprintf(err, PU_ERROR_SIZE, "the Redis URL must start with redis://, "
             "rediss:// or unix:/, for example redis://127.0.0.1:6379/0");

    return 0;
}


static int
address_tcp(address_t *a, pu_str_t rest, const char *url,
    char err[PU_ERROR_SIZE])
{
    size_t  slash;

    if (!address_user(a, &rest, err)) {
        return 0;
    }

    slash = address_find(rest, '/');

    if (slash + 1 < rest.len
        && !address_db(a, address_part(rest, slash + 1, rest.len), url, err))
    {
        return 0;
    }

    return address_host(a, address_part(rest, 0, slash), url, err);
}


static int
address_user(address_t *a, pu_str_t *rest, char err[PU_ERROR_SIZE])
{
    size_t    at;
    pu_str_t  user;

    at = address_find_last(*rest, '@');

    if (at == rest->len) {
        return 1;
    }

    user = address_part(*rest, 0, at);
    *rest = address_part(*rest, at + 1, rest->len);

    if (address_find(user, ':') != user.len) {
        snprintf(err, PU_ERROR_SIZE, "a password does not belong into the "
                 "Redis URL, where everybody on this machine can see it: put "
                 "it into a file and say --password-file FILE");
        return 0;
    }

    if (user.len == 0 || !address_copy(a->user, sizeof(a->user), user)) {
        snprintf(err, PU_ERROR_SIZE, "the user name in the Redis URL must "
                 "have 1 to %zu bytes", sizeof(a->user) - 1);
        return 0;
    }

    return 1;
}


static int
address_host(address_t *a, pu_str_t rest, const char *url,
    char err[PU_ERROR_SIZE])
{
    size_t    end;
    pu_str_t  host, port;

    if (pu_str_starts(rest, "[")) {
        end = address_find(rest, ']');

        if (end == rest.len) {
            return address_bad(url, "its \"[\" has no \"]\"", err);
        }

        host = address_part(rest, 1, end);
        port = address_part(rest, end + 1, rest.len);

    } else {
        end = address_find(rest, ':');
        host = address_part(rest, 0, end);
        port = address_part(rest, end, rest.len);
    }

    if (host.len == 0 || !address_copy(a->host, sizeof(a->host), host)) {
        return address_bad(url, "its host is missing or too long", err);
    }

    if (port.len == 0) {
        return address_copy(a->port, sizeof(a->port), PU_STR("6379"));
    }

    return address_port(a, port, url, err);
}


/* "port" still has its colon. */

static int
address_port(address_t *a, pu_str_t port, const char *url,
    char err[PU_ERROR_SIZE])
{
    int64_t  n;

    port = address_part(port, (port.data[0] == ':'), port.len);

    if (!pu_str_int(port, &n) || n < 1 || n > 65535
        || !address_copy(a->port, sizeof(a->port), port))
    {
        return address_bad(url, "its port must be a number from 1 to 65535",
                           err);
    }

    return 1;
}


static int
address_unix(address_t *a, pu_str_t rest, const char *url,
    char err[PU_ERROR_SIZE])
{
    size_t  colon;

    colon = address_find_last(rest, ':');

    if (colon != rest.len
        && !address_db(a, address_part(rest, colon + 1, rest.len), url, err))
    {
        return 0;
    }

    if (!address_copy(a->host, sizeof(a->host),
                      address_part(rest, 0, colon)))
    {
        return address_bad(url, "its path is too long", err);
    }

    return 1;
}


static int
address_db(address_t *a, pu_str_t db, const char *url,
    char err[PU_ERROR_SIZE])
{
    int64_t  n;

    if (!pu_str_int(db, &n) || n < 0 || n > DB_MAX) {
        return address_bad(url, "its database must be a number from 0", err);
    }

    a->db = (int) n;

    return 1;
}


static int
address_bad(const char *url, const char *what, char err[PU_ERROR_SIZE])
{
    snprintf(err, PU_ERROR_SIZE, "the Redis URL \"%.200s\" is not valid: %s; "
             "allowed are redis://[user@]host[:port][/db], the same with "
             "rediss://, and unix:/path[:db]", url, what);

    return 0;
}


static int
address_copy(char *out, size_t size, pu_str_t s)
{
    if (s.len >= size) {
        return 0;
    }

    memcpy(out, s.data, s.len);
    out[s.len] = '\0';

    return 1;
}


/* Where it is, or the length. */

static size_t
address_find(pu_str_t s, char c)
{
    size_t  i;

    for (i = 0; i < s.len && s.data[i] != (uint8_t) c; i++) { /* void */ }

    return i;
}


static size_t
address_find_last(pu_str_t s, char c)
{
    size_t  i;

    for (i = s.len; i > 0; i--) {
        if (s.data[i - 1] == (uint8_t) c) {
            return i - 1;
        }
    }

    return s.len;
}


static pu_str_t
address_part(pu_str_t s, size_t from, size_t to)
{
    pu_str_t  part;

    from = (from < s.len) ? from : s.len;
    to = (to < s.len) ? to : s.len;

    part.data = s.data + from;
    part.len = (to > from) ? to - from : 0;

    return part;
}
