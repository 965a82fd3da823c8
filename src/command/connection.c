/*
 * connection: bytes to and from one Redis, in clear or by TLS.
 *
 * Blocking for its caller, never blocking in the kernel: each wait is a poll
 * with what is left of a deadline.  Not what the bytes mean.
 */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "connection.h"
#include "pu_reader.h"


struct connection_s {
    int           fd;
    SSL_CTX      *ctx;
    SSL          *ssl;                  /* NULL: in clear */
    pu_reader_t  *reader;
    int64_t       deadline;             /* ms of the monotonic clock */
    char          error[PU_ERROR_SIZE];
};


static int connection_start(connection_t *c, const address_t *address,
    const char *ca_file);
static int connection_tcp(connection_t *c, const address_t *address);
static int connection_unix(connection_t *c, const address_t *address);
static int connection_to(connection_t *c, int family,
    const struct sockaddr *addr, socklen_t len);
static int connection_connect(connection_t *c, const struct sockaddr *addr,
    socklen_t len);
static int connection_tls(connection_t *c, const address_t *address,
    const char *ca_file);
static int connection_peer(connection_t *c, const address_t *address);
static int connection_handshake(connection_t *c);
static int connection_tls_failed(connection_t *c);
static int connection_write(connection_t *c, const char *data, size_t len);
static ssize_t connection_read(connection_t *c, char *data, size_t size);
static int connection_tls_wait(connection_t *c, int rc);
static int connection_wait(connection_t *c, short events);
static void connection_limit(connection_t *c, int ms);
static int64_t connection_now(void);
static int connection_failed(connection_t *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


connection_t *
connection_open(const address_t *address, const char *ca_file,
    char err[PU_ERROR_SIZE])
{
    connection_t  *c;

    c = calloc(1, sizeof(connection_t));

    if (c == NULL) {
        snprintf(err, PU_ERROR_SIZE, "there is no memory");
        return NULL;
    }

    c->fd = -1;

    if (connection_start(c, address, ca_file)) {
        return c;
    }

    memcpy(err, c->error, PU_ERROR_SIZE);
    connection_close(c);

    return NULL;
}


static int
connection_start(connection_t *c, const address_t *address,
    const char *ca_file)
{
    c->reader = pu_reader_new(REPLY_SIZE_MAX, REPLY_ELEMENTS_MAX);

    if (c->reader == NULL) {
        return connection_failed(c, "there is no memory");
    }

    connection_limit(c, CONNECT_TIMEOUT);

    if (address->kind == ADDRESS_UNIX) {
        return connection_unix(c, address);
    }

    if (!connection_tcp(c, address)) {
        return 0;
    }

    return address->kind == ADDRESS_TCP
           || connection_tls(c, address, ca_file);
}


void
connection_close(connection_t *c)
{
    if (c == NULL) {
        return;
    }

    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);

    if (c->fd != -1) {
        close(c->fd);
    }

    pu_reader_free(c->reader);
    free(c);
}


const char *
connection_error(const connection_t *c)
{
    return c->error;
}


/* Every address of a name is tried; the error is the last one's. */

static int
connection_tcp(connection_t *c, const address_t *address)
{
    int               rc;
    struct addrinfo   hints, *list, *ai;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;

    rc = getaddrinfo(address->host, address->port, &hints, &list);

    if (rc != 0) {
        return connection_failed(c, "its name cannot be resolved: %s",
                                 gai_strerror(rc));
    }

    rc = 0;

    for (ai = list; ai != NULL && !rc; ai = ai->ai_next) {
        rc = connection_to(c, ai->ai_family, ai->ai_addr, ai->ai_addrlen);
    }

    freeaddrinfo(list);

    return rc;
}


static int
connection_unix(connection_t *c, const address_t *address)
{
    struct sockaddr_un  addr;

    memset(&addr, 0, sizeof(addr));
    addr.sun_family = AF_UNIX;

    if (strlen(address->host) >= sizeof(addr.sun_path)) {
        return connection_failed(c, "its path is longer than %zu bytes",
                                 sizeof(addr.sun_path) - 1);
    }

    memcpy(addr.sun_path, address->host, strlen(address->host));

    return connection_to(c, AF_UNIX, (struct sockaddr *) &addr,
                         sizeof(addr));
}


static int
connection_to(connection_t *c, int family, const struct sockaddr *addr,
    socklen_t len)
{
    int  on;

    on = 1;
    c->fd = socket(family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (c->fd == -1) {
        return connection_failed(c, "%s", strerror(errno));
    }

    if (connection_connect(c, addr, len)) {

        if (family != AF_UNIX) {
            (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on,
                              sizeof(on));
        }

        return 1;
    }

    close(c->fd);
    c->fd = -1;

    return 0;
}


static int
connection_connect(connection_t *c, const struct sockaddr *addr,
    socklen_t len)
{
    int        failure;
    socklen_t  size;

    if (connect(c->fd, addr, len) == 0) {
        return 1;
    }

    if (errno != EINPROGRESS) {
        return connection_failed(c, "%s", strerror(errno));
    }

    if (!connection_wait(c, POLLOUT)) {
        return 0;
    }

    size = sizeof(failure);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &size) == -1) {
        failure = errno;
    }

    if (failure != 0) {
        return connection_failed(c, "%s", strerror(failure));
    }

    return 1;
}


/* TLS. */


static int
connection_tls(connection_t *c, const address_t *address,
    const char *ca_file)
{
    int  ok;

    c->ctx = SSL_CTX_new(TLS_client_method());

    if (c->ctx == NULL) {
        return connection_tls_failed(c);
    }

    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);

    /* servers that close without a TLS goodbye are met all over */

    SSL_CTX_set_options(c->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);

    ok = SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) == 1;

    if (ok && ca_file == NULL) {
        ok = SSL_CTX_set_default_verify_paths(c->ctx) == 1;

    } else if (ok && SSL_CTX_load_verify_file(c->ctx, ca_file) != 1) {
        ERR_clear_error();
        return connection_failed(c, "no certificates can be read from "
                                 "\"%.200s\"", ca_file);
    }

    c->ssl = ok ? SSL_new(c->ctx) : NULL;

    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1
        || !connection_peer(c, address))
    {
        return connection_tls_failed(c);
    }

    return connection_handshake(c);
}


/* The certificate must be for this host name or this address. */

static int
connection_peer(connection_t *c, const address_t *address)
{
    char         name[sizeof(address->host)];
    uint8_t      raw[16];
    const char  *host;

    host = address->host;

    if (inet_pton(AF_INET, host, raw) == 1
        || inet_pton(AF_INET6, host, raw) == 1)
    {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(c->ssl), host)
               == 1;
    }

    SSL_set_hostflags(c->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    /* OpenSSL takes a copy, but its macro wants one that is not const */
    memcpy(name, host, sizeof(name));

    return SSL_set1_host(c->ssl, host) == 1
           && SSL_set_tlsext_host_name(c->ssl, name) == 1;
}


static int
connection_handshake(connection_t *c)
{
    int   rc;
    long  verified;

    for ( ;; ) {
        rc = SSL_connect(c->ssl);

        if (rc == 1) {
            return 1;
        }

        verified = SSL_get_verify_result(c->ssl);

        if (verified != X509_V_OK) {
            ERR_clear_error();
            return connection_failed(c, "its certificate is not accepted: "
                                     "%s", X509_verify_cert_error_string(
                                               verified));
        }

        if (!connection_tls_wait(c, rc)) {
            return 0;
        }
    }
}


/* Waits for what an SSL call wants; 0 when it failed for good. */

static int
connection_tls_wait(connection_t *c, int rc)
{
    switch (SSL_get_error(c->ssl, rc)) {

    case SSL_ERROR_WANT_READ:
        return connection_wait(c, POLLIN);

    case SSL_ERROR_WANT_WRITE:
        return connection_wait(c, POLLOUT);

    case SSL_ERROR_ZERO_RETURN:
        return connection_failed(c, "it has closed the connection");

    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return connection_failed(c, "%s", errno ? strerror(errno)
                                          : "it has closed the connection");

    default:
        return connection_tls_failed(c);
    }
}


static int
connection_tls_failed(connection_t *c)
{
    const char  *reason;

    reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();

    return connection_failed(c, "TLS has failed: %s",
                             reason ? reason : "no reason given");
}


/* Commands and replies. */


int
connection_send(connection_t *c, int argc, const char *const *argv,
    const size_t *len)
{
    int         ok, i;
    char       *text;
    long long   n;
    const char *copy[argc];

    /* hiredis takes the pointers without const, and only reads them */

    for (i = 0; i < argc; i++) {
        copy[i] = argv[i];
    }

    n = redisFormatCommandArgv(&text, argc, copy, len);

    if (n < 0) {
        return connection_failed(c, "there is no memory");
    }

    connection_limit(c, COMMAND_TIMEOUT);
    ok = connection_write(c, text, (size_t) n);

    /* it may have been AUTH */

    OPENSSL_cleanse(text, (size_t) n);
    redisFreeCommand(text);

    return ok;
}


redisReply *
connection_reply(connection_t *c, int more)
{
    char         buf[16 * 1024];
    size_t       size;
    ssize_t      n;
    redisReply  *reply;

    connection_limit(c, COMMAND_TIMEOUT + more);
    size = 0;

    for ( ;; ) {

        if (!pu_reader_next(c->reader, &reply)) {
            (void) connection_failed(c, "it does not speak Redis's protocol, "
                                     "or there is no memory for its answer");
            return NULL;
        }

        if (reply != NULL) {
            return reply;
        }

        n = connection_read(c, buf, sizeof(buf));

        if (n <= 0) {
            return NULL;
        }

        size += (size_t) n;

        if (size > REPLY_SIZE_MAX) {
            (void) connection_failed(c, "an answer has more than %d bytes",
                                     REPLY_SIZE_MAX);
            return NULL;
        }

        if (!pu_reader_feed(c->reader, buf, (size_t) n)) {
            (void) connection_failed(c, "there is no memory");
            return NULL;
        }
    }
}


static int
connection_write(connection_t *c, const char *data, size_t len)
{
    int      tls;
    size_t   done;
    ssize_t  n;

    tls = (c->ssl != NULL);

    for (done = 0; done < len; /* void */ ) {

        if (tls) {
            ERR_clear_error();
            n = SSL_write(c->ssl, data + done, (int) (len - done));

            if (n <= 0 && !connection_tls_wait(c, (int) n)) {
                return 0;
            }

        } else {
            n = send(c->fd, data + done, len - done, MSG_NOSIGNAL);

            if (n == -1 && errno != EAGAIN && errno != EINTR) {
                return connection_failed(c, "%s", strerror(errno));
            }

            if (n == -1 && !connection_wait(c, POLLOUT)) {
                return 0;
            }
        }

        done += (n > 0) ? (size_t) n : 0;
    }

    return 1;
}


/* At least one byte; 0 when there will be none. */

static ssize_t
connection_read(connection_t *c, char *data, size_t size)
{
    ssize_t  n;

    for ( ;; ) {

        if (c->ssl != NULL) {
            ERR_clear_error();
            n = SSL_read(c->ssl, data, (int) size);

            if (n > 0) {
                return n;
            }

            if (!connection_tls_wait(c, (int) n)) {
                return 0;
            }

            continue;
        }

        n = recv(c->fd, data, size, 0);

        if (n > 0) {
            return n;
        }

        if (n == 0) {
            return connection_failed(c, "it has closed the connection");
        }

        if (errno != EAGAIN && errno != EINTR) {
            return connection_failed(c, "%s", strerror(errno));
        }

        if (!connection_wait(c, POLLIN)) {
            return 0;
        }
    }
}


/* Time. */


static int
connection_wait(connection_t *c, short events)
{
    int            n;
    int64_t        left;
    struct pollfd  p;

    p.fd = c->fd;
    p.events = events;

    do {
        left = c->deadline - connection_now();
        n = (left > 0) ? poll(&p, 1, (int) left) : 0;
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        return connection_failed(c, "%s", strerror(errno));
    }

    return n > 0 ? 1 : connection_failed(c, "it does not answer");
}


static void
connection_limit(connection_t *c, int ms)
{
    c->deadline = connection_now() + ms;
}


static int64_t
connection_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* Remembers the sentence; always 0. */

static int
connection_failed(connection_t *c, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    vsnprintf(c->error, sizeof(c->error), format, args);
    va_end(args);

    return 0;
}
