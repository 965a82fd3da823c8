/*
 * pu_url: is this a url that the gateway may trust an identity provider at?
 *
 * A judge of configuration, not a general parser: what it does not know it
 * refuses.
 */

#include <arpa/inet.h>
#include <netinet/in.h>

#include "pu_issuer.h"


#define PU_HOST_MAX  255


/* A NUL-terminated copy for inet_pton; 0 when it is too long for any host. */
static int
pu_url_copy(char out[PU_HOST_MAX + 1], pu_str_t host)
{
    if (host.len == 0 || host.len > PU_HOST_MAX) {
        return 0;
    }

    memcpy(out, host.data, host.len);
    out[host.len] = '\0';

    return 1;
}


static int
pu_url_loopback(pu_str_t host, int brackets)
{
    char             text[PU_HOST_MAX + 1];
    struct in_addr   v4;
    struct in6_addr  v6;

    if (!pu_url_copy(text, host)) {
        return 0;
    }

    if (brackets) {
        return inet_pton(AF_INET6, text, &v6) == 1
               && IN6_IS_ADDR_LOOPBACK(&v6);
    }

    if (pu_str_case_eq(host, PU_STR("localhost"))) {
        return 1;
    }

    return inet_pton(AF_INET, text, &v4) == 1
           && (ntohl(v4.s_addr) >> 24) == 127;
}


static int
pu_url_host_ok(pu_str_t host, int brackets)
{
    char             text[PU_HOST_MAX + 1];
    size_t           i;
    uint8_t          c;
    struct in6_addr  v6;

    if (!pu_url_copy(text, host)) {
        return 0;
    }

    if (brackets) {
        return inet_pton(AF_INET6, text, &v6) == 1;
    }

    for (i = 0; i < host.len; i++) {
        c = host.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')
            && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_')
        {
            return 0;
        }
    }

    return host.data[0] != '.' && host.data[0] != '-';
}


static int
pu_url_port_ok(pu_str_t port)
{
    int64_t  n;

    return port.len != 0 && port.data[0] >= '0' && port.data[0] <= '9'
           && pu_str_int(port, &n) && n >= 1 && n <= 65535;
}


/* Splits "host[:port]" or "[address][:port]"; 0 when it is neither. */
static int
pu_url_authority(pu_str_t authority, pu_str_t *host, int *brackets)
{
    pu_str_t        rest;
    const uint8_t  *p, *end;

    end = authority.data + authority.len;
    *brackets = authority.len != 0 && authority.data[0] == '[';

    if (*brackets) {
        p = memchr(authority.data, ']', authority.len);

        if (p == NULL) {
            return 0;
        }

        host->data = authority.data + 1;
        host->len = (size_t) (p - host->data);
        p++;

    } else {
        p = (authority.len == 0) ? NULL
                                 : memchr(authority.data, ':', authority.len);
        p = (p == NULL) ? end : p;
        host->data = authority.data;
        host->len = (size_t) (p - host->data);
    }

    if (p == end) {
        return 1;
    }

    rest = (pu_str_t) { (size_t) (end - p) - 1, p + 1 };

    return *p == ':' && pu_url_port_ok(rest);
}


int
pu_issuer_url_ok(pu_str_t url)
{
    int       secure, brackets;
    size_t    i;
    pu_str_t  rest, host;

    secure = pu_str_starts(url, "https://");

    if (!secure && !pu_str_starts(url, "http://")) {
        return 0;
    }

    for (i = 0; i < url.len; i++) {
        if (url.data[i] <= 0x20 || url.data[i] >= 0x7f
            || memchr("\"#<>\\^`{|}", url.data[i], 10) != NULL)
        {
            return 0;
        }
    }

    rest.len = secure ? sizeof("https://") - 1 : sizeof("http://") - 1;
    rest.data = url.data + rest.len;
    rest.len = url.len - rest.len;

    /* user:password@ is no host byte and so no host */

    for (i = 0; i < rest.len; i++) {
        if (rest.data[i] == '/' || rest.data[i] == '?') {
            rest.len = i;
        }
    }

    if (!pu_url_authority(rest, &host, &brackets)
        || !pu_url_host_ok(host, brackets))
    {
        return 0;
    }

    return secure || pu_url_loopback(host, brackets);
}
