/*
 * records: the bytes are a record in the shared memory, of a user, a handle
 * and a token.  What unpacks lies within them and packs again.
 */

#include "fuzz.h"
#include "pu_token.h"
#include "pu_user.h"


static void
holds_user(const uint8_t *data, size_t size)
{
    size_t       room;
    int64_t      until;
    uint8_t     *out;
    pu_buf_t     b;
    pu_user_t    user, again;

    if (!pu_user_unpack(&user, data, size)) {
        return;
    }

    FUZZ_HOLDS(fuzz_within(user.id, data, size));
    FUZZ_HOLDS(fuzz_within(user.name, data, size));
    FUZZ_HOLDS(fuzz_within(user.issuer, data, size));
    FUZZ_HOLDS(fuzz_within(user.subject, data, size));
    FUZZ_HOLDS(fuzz_within(user.roles, data, size));
    FUZZ_HOLDS(fuzz_within(user.scopes, data, size));
    FUZZ_HOLDS(pu_user_judge(&user, FUZZ_NOW, FUZZ_NOW) < PU_REASON_COUNT);

    room = size + 64;
    out = malloc(room);

    pu_buf_init(&b, out, room);
    pu_user_roles(&b, &user, PU_STR("a b"), NULL, FUZZ_NOW, &until);
    pu_buf_init(&b, out, room);
    pu_user_scopes(&b, &user, PU_STR("read write"));

    room = pu_user_pack(&user, out, room);
    FUZZ_HOLDS(room != 0 && pu_user_unpack(&again, out, room));
    FUZZ_HOLDS(pu_str_eq(again.id, user.id));
    FUZZ_HOLDS(pu_str_eq(again.roles, user.roles));
    free(out);
}


static void
holds_handle(const uint8_t *data, size_t size)
{
    pu_handle_t  handle;

    if (pu_handle_unpack(&handle, data, size)) {
        FUZZ_HOLDS(fuzz_within(handle.user, data, size));
        FUZZ_HOLDS(fuzz_within(handle.id, data, size));
        FUZZ_HOLDS(fuzz_within(handle.roles, data, size));
        FUZZ_HOLDS(fuzz_within(handle.scopes, data, size));
        FUZZ_HOLDS(fuzz_within(handle.networks, data, size));
    }
}


static void
holds_verified(const uint8_t *data, size_t size)
{
    pu_issuers_t         issuers;
    pu_verified_t        verified;
    const pu_issuer_t   *items[1];

    if (!pu_verified_unpack(&verified, data, size)) {
        return;
    }

    FUZZ_HOLDS(fuzz_within(verified.subject, data, size));
    FUZZ_HOLDS(fuzz_within(verified.roles, data, size));
    FUZZ_HOLDS(fuzz_within(verified.scopes, data, size));
    FUZZ_HOLDS(fuzz_within(verified.claims, data, size));

    items[0] = fuzz_issuer();
    issuers = (pu_issuers_t) { 1, items, NULL };

    (void) pu_token_times(&verified, items[0], FUZZ_NOW);
    (void) pu_token_in_force(&verified, &issuers);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    holds_user(data, size);
    holds_handle(data, size);
    holds_verified(data, size);

    return 0;
}
