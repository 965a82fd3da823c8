/*
 * flat: sends so many requests to an nginx, each with a token of its own that
 * nobody has seen before, and counts the answers.  HS256: a token costs it a
 * microsecond, and the whole of verifying is nginx's.
 *
 * usage: flat PORT SECRET FIRST COUNT USERS
 *
 * The token FIRST + i is of the user (FIRST + i) modulo USERS.  Prints each
 * status and how often it came.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "pu_str.h"


#define BLOCK       32                  /* requests before answers are read */
#define REQUEST     1024

typedef struct {
    int          fd;
    const char  *secret;
    long         users;
    long         exp;
    long         statuses[600];
} flat_t;


static void
need(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(2);
    }
}


static size_t
encode(char *out, const char *text)
{
    return pu_base64url_encode(out, (const uint8_t *) text, strlen(text));
}


static size_t
request(const flat_t *flat, long n, char *out)
{
    char      claims[400], *p, *token;
    uint8_t   mac[EVP_MAX_MD_SIZE];
    unsigned  len;

    snprintf(claims, sizeof(claims),
             "{\"iss\":\"https://idp.example.com\",\"aud\":\"api\","
             "\"sub\":\"7d0c2f5e-3b1a-4c68-9e57-%012ld\",\"azp\":\"portal\","
             "\"roles\":[\"reader\",\"writer\"],\"scope\":\"read write\","
             "\"exp\":%ld,\"n\":%ld}", n % flat->users, flat->exp, n);

    p = out + sprintf(out, "HEAD / HTTP/1.1\r\nHost: localhost\r\n"
                      "Authorization: Bearer ");
    token = p;
    p += encode(p, "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}");
    *p++ = '.';
    p += encode(p, claims);

    len = sizeof(mac);
    HMAC(EVP_sha256(), flat->secret, (int) strlen(flat->secret),
         (const uint8_t *) token, (size_t) (p - token), mac, &len);

    *p++ = '.';
    p += pu_base64url_encode(p, mac, len);
    p += sprintf(p, "\r\n\r\n");

    return (size_t) (p - out);
}


static void
send_all(int fd, const char *data, size_t len)
{
    ssize_t  n;

    for ( /* void */ ; len != 0; data += n, len -= (size_t) n) {
        n = write(fd, data, len);
        need(n > 0, "write");
    }
}


/* Answers to HEAD have no body: each ends with an empty line. */
static void
read_answers(flat_t *flat, int n)
{
    char         buf[65536], *p, *end;
    int          status;
    size_t       used;
    ssize_t      got;

    for (used = 0; n > 0; /* void */ ) {
        got = read(flat->fd, buf + used, sizeof(buf) - 1 - used);
        need(got > 0, "read");
        used += (size_t) got;
        buf[used] = '\0';

        for (p = buf; (end = strstr(p, "\r\n\r\n")) != NULL; p = end + 4) {
            status = atoi(p + sizeof("HTTP/1.1 ") - 1);
            flat->statuses[(status >= 100 && status < 600) ? status : 0]++;
            n--;
        }

        used -= (size_t) (p - buf);
        memmove(buf, p, used);
    }
}


static void
flat_connect(flat_t *flat, int port)
{
    struct sockaddr_in  address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t) port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    flat->fd = socket(AF_INET, SOCK_STREAM, 0);
    need(flat->fd != -1 && connect(flat->fd, (struct sockaddr *) &address,
                                   sizeof(address)) == 0, "connect");
}


int
main(int argc, char **argv)
{
    int            i, block;
    long           n, end;
    char          *text;
    size_t         len;
    static flat_t  flat;

    if (argc != 6) {
        fprintf(stderr, "usage: flat PORT SECRET FIRST COUNT USERS\n");
        return 2;
    }

    flat.secret = argv[2];
    flat.users = atol(argv[5]);
    flat.exp = (long) time(NULL) + 86400;
    need(flat.users > 0, "USERS");
    flat_connect(&flat, atoi(argv[1]));

    text = malloc(BLOCK * REQUEST);
    n = atol(argv[3]);
    end = n + atol(argv[4]);

    while (n < end) {
        block = (end - n < BLOCK) ? (int) (end - n) : BLOCK;

        for (i = 0, len = 0; i < block; i++) {
            len += request(&flat, n++, text + len);
        }

        send_all(flat.fd, text, len);
        read_answers(&flat, block);
    }

    for (i = 0; i < 600; i++) {
        if (flat.statuses[i] != 0) {
            printf("%d %ld\n", i, flat.statuses[i]);
        }
    }

    free(text);
    close(flat.fd);

    return 0;
}
