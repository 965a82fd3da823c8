/*
 * pu_network: networks in CIDR notation; see the header.
 */

#include <arpa/inet.h>

#include "pu_network.h"


static int pu_network_bits(pu_str_t text, unsigned max, unsigned *bits);
static void pu_network_unmap(pu_network_t *network);
static int pu_network_exact(const pu_network_t *network);
static int pu_network_has(const pu_network_t *network,
    const pu_network_t *address);


int
pu_network_read(pu_network_t *network, pu_str_t word)
{
    char    text[INET6_ADDRSTRLEN];
    int     family;
    size_t  len;

    for (len = 0; len < word.len && word.data[len] != '/'; len++) {
        /* void */
    }

    if (len == 0 || len >= sizeof(text) || memchr(word.data, '\0', len)) {
        return 0;
    }

    memcpy(text, word.data, len);
    text[len] = '\0';

    family = memchr(text, ':', len) ? AF_INET6 : AF_INET;

    network->len = (family == AF_INET6) ? 16 : 4;
    network->bits = (unsigned) network->len * 8;

    if (inet_pton(family, text, network->bytes) != 1) {
        return 0;
    }

    if (len < word.len) {
        word.data += len + 1;
        word.len -= len + 1;

        if (!pu_network_bits(word, network->bits, &network->bits)) {
            return 0;
        }
    }

    pu_network_unmap(network);

    return pu_network_exact(network) ? 1 : -1;
}


static int
pu_network_bits(pu_str_t text, unsigned max, unsigned *bits)
{
    int64_t  n;

    if (text.len == 0 || text.len > 3 || text.data[0] < '0'
        || text.data[0] > '9' || (text.data[0] == '0' && text.len > 1)
        || !pu_str_int(text, &n) || n > max)
    {
        return 0;
    }

    *bits = (unsigned) n;

    return 1;
}


static void
pu_network_unmap(pu_network_t *network)
{
    static const uint8_t  mapped[12] = { [10] = 0xff, [11] = 0xff };

    if (network->len == 16 && network->bits >= 96
        && memcmp(network->bytes, mapped, sizeof(mapped)) == 0)
    {
        memmove(network->bytes, network->bytes + 12, 4);
        network->len = 4;
        network->bits -= 96;
    }
}


static int
pu_network_exact(const pu_network_t *network)
{
    size_t    i;
    unsigned  bits;

    bits = network->bits;

    for (i = 0; i < network->len; i++) {

        if (bits >= 8) {
            bits -= 8;
            continue;
        }

        if (network->bytes[i] & (0xff >> bits)) {
            return 0;
        }

        bits = 0;
    }

    return 1;
}


int
pu_networks_ok(pu_str_t list)
{
    size_t        n;
    pu_str_t      word;
    pu_network_t  network;

    for (n = 0; pu_word_next(&list, &word); n++) {
        if (n == PU_NETWORKS_MAX || pu_network_read(&network, word) == 0) {
            return 0;
        }
    }

    return 1;
}


int
pu_networks_have(pu_str_t list, const uint8_t *address, size_t len)
{
    pu_str_t      word;
    pu_network_t  network, client;

    if (len != 4 && len != 16) {
        return 0;
    }

    memcpy(client.bytes, address, len);
    client.len = len;
    client.bits = (unsigned) len * 8;

    pu_network_unmap(&client);

    while (pu_word_next(&list, &word)) {
        if (pu_network_read(&network, word) != 0
            && pu_network_has(&network, &client))
        {
            return 1;
        }
    }

    return 0;
}


static int
pu_network_has(const pu_network_t *network, const pu_network_t *address)
{
    size_t    whole;
    unsigned  rest;

    if (network->len != address->len) {
        return 0;
    }

    whole = network->bits / 8;
    rest = network->bits % 8;

    if (memcmp(network->bytes, address->bytes, whole) != 0) {
        return 0;
    }

    return rest == 0
           || (network->bytes[whole] ^ address->bytes[whole]) >> (8 - rest)
              == 0;
}
