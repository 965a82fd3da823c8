/*
 * pu_reason: reads the one table of pu_reason.h.
 *
 * A reason outside the table is a bug somewhere else; it reads as `internal`,
 * which refuses.
 */

#include "pu_reason.h"


typedef struct {
    pu_str_t        word;
    pu_str_t        text;
    int             status;
    pu_challenge_t  challenge;
} pu_reason_row_t;

#define PU_ROW_STR(literal)                                                   \
    { sizeof(literal) - 1, (const uint8_t *) (literal) }


static const pu_reason_row_t  pu_reason_rows[PU_REASON_COUNT] = {
#define PU_REASON_ROW(name, word, status, challenge, text)                    \
    [PU_##name] = { PU_ROW_STR(word), PU_ROW_STR(text), status,               \
                    PU_CHALLENGE_##challenge },
    PU_REASONS(PU_REASON_ROW)
#undef PU_REASON_ROW
};


static const pu_reason_row_t *
pu_reason_row(pu_reason_t reason)
{
    if ((unsigned) reason >= PU_REASON_COUNT) {
        reason = PU_INTERNAL;
    }

    return &pu_reason_rows[reason];
}


pu_str_t
pu_reason_word(pu_reason_t reason)
{
    return pu_reason_row(reason)->word;
}


int
pu_reason_status(pu_reason_t reason)
{
    return pu_reason_row(reason)->status;
}


pu_challenge_t
pu_reason_challenge(pu_reason_t reason)
{
    return pu_reason_row(reason)->challenge;
}


pu_str_t
pu_reason_text(pu_reason_t reason)
{
    return pu_reason_row(reason)->text;
}


pu_str_t
pu_status_title(int status)
{
    switch (status) {

    case 200:
        return PU_STR("OK");

    case 400:
        return PU_STR("Bad Request");

    case 401:
        return PU_STR("Unauthorized");

    case 403:
        return PU_STR("Forbidden");

    case 429:
        return PU_STR("Too Many Requests");

    case 503:
        return PU_STR("Service Unavailable");

    default:
        return PU_STR("Internal Server Error");
    }
}
