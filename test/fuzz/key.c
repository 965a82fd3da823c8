/*
 * key: the first line is an API key, the second a list of networks, the rest
 * an address.  A text that is taken for a key is one; a list that is whole
 * lets through what each of its words lets through.
 */

#include "fuzz.h"
#include "pu_key.h"
#include "pu_network.h"


static void
holds_key(pu_str_t text)
{
    uint8_t     digest[PU_SHA256_LEN], whole[PU_SHA256_LEN];
    pu_hash_t  *hash;

    hash = pu_hash_new();

    if (pu_key_digest(hash, digest, text) == 1) {
        FUZZ_HOLDS(text.len == PU_KEY_LEN);
        FUZZ_HOLDS(pu_key_id_ok(pu_key_id(text)));
        FUZZ_HOLDS(fuzz_within(pu_key_id(text), text.data, text.len));
        FUZZ_HOLDS(pu_sha256(whole, &text, 1));
        FUZZ_HOLDS(memcmp(digest, whole, sizeof(whole)) == 0);
    }

    pu_hash_free(hash);
}


static void
holds_networks(pu_str_t list, pu_str_t address)
{
    int           any;
    pu_str_t      word, rest;
    pu_network_t  network;

    any = 0;
    rest = list;

    while (pu_word_next(&rest, &word)) {
        any |= pu_networks_have(word, address.data, address.len);

        if (pu_network_read(&network, word) != 0) {
            FUZZ_HOLDS(network.len == 4 || network.len == 16);
            FUZZ_HOLDS(network.bits <= network.len * 8);

        } else {
            FUZZ_HOLDS(!pu_networks_ok(list));
        }
    }

    FUZZ_HOLDS(any == pu_networks_have(list, address.data, address.len));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pu_str_t  rest, key, list;

    rest = (pu_str_t) { size, data };

    if (fuzz_line(&rest, &key)) {
        holds_key(key);

        if (fuzz_line(&rest, &list)) {
            holds_networks(list, rest);
        }
    }

    return 0;
}
