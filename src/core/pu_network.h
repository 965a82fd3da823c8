/*
 * pu_network: is an address in a list of networks?
 *
 * Networks are words in CIDR notation (RFC 4632, RFC 4291 section 2.3), a
 * bare address being a network of its own.  An IPv4 address mapped into IPv6
 * (RFC 4291 section 2.5.5.2) counts as the IPv4 address that it is.
 */

#ifndef PU_NETWORK_H
#define PU_NETWORK_H

#include "pu_str.h"


#define PU_NETWORKS_MAX  64             /* of one key */

typedef struct {
    uint8_t   bytes[16];                /* 4 of them for IPv4 */
    size_t    len;                      /* 4 or 16 */
    unsigned  bits;
} pu_network_t;


/* 1; 0 when it is no network; -1 when it has bits behind its prefix. */
int pu_network_read(pu_network_t *network, pu_str_t word);

/* Is the whole text words that are networks, at most PU_NETWORKS_MAX? */
int pu_networks_ok(pu_str_t list);

/*
 * Is the address, "len" (4 or 16) bytes in network order, in one of them?
 * Another length never is.
 */
int pu_networks_have(pu_str_t list, const uint8_t *address, size_t len);


#endif /* PU_NETWORK_H */
