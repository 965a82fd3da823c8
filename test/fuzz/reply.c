/*
 * reply: the bytes are what Redis sends, in two pieces.  Every reply that the
 * reader lets through is taken for an answer to everything we ask.
 */

#include "fuzz.h"
#include "pu_command.h"
#include "pu_reader.h"


#define REPLY_BYTES_MAX     65536
#define REPLY_ELEMENTS_MAX  4096


static void
holds_reply(const redisReply *reply)
{
    size_t                i;
    int64_t               version;
    pu_found_t            found;
    pu_log_entry_t        entry;
    pu_lookup_status_t    status;
    const redisReply     *entries;

    status = pu_reply_lookup(reply, &found);
    FUZZ_HOLDS(status <= PU_LOOKUP_ERROR);

    if (status == PU_LOOKUP_FOUND) {
        FUZZ_HOLDS(pu_user_id_ok(found.user.id));
        FUZZ_HOLDS(found.user.state <= PU_STATE_DELETED);
    }

    FUZZ_HOLDS(pu_reply_change(reply, &version) <= PU_CHANGE_ERROR);
    (void) pu_reply_detail(reply);
    (void) pu_log_entry(reply, &entry);

    if (pu_reply_entries(reply, &entries) && entries != NULL) {
        for (i = 0; i < entries->elements; i++) {
            (void) pu_log_entry(entries->element[i], &entry);
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        part, i;
    redisReply   *reply;
    pu_reader_t  *reader;

    reader = pu_reader_new(REPLY_BYTES_MAX, REPLY_ELEMENTS_MAX);
    FUZZ_HOLDS(reader != NULL);

    for (i = 0; i < 2; i++) {
        part = (i == 0) ? size / 2 : size - size / 2;

        if (!pu_reader_feed(reader, data, part)) {
            break;
        }

        data += part;

        while (pu_reader_next(reader, &reply) && reply != NULL) {
            holds_reply(reply);
            freeReplyObject(reply);
        }
    }

    pu_reader_free(reader);

    return 0;
}
