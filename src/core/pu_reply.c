/*
 * pu_reply: what Redis answered, as records.
 *
 * A reply comes from outside: the type, number and length of everything in it
 * is checked before it is used, and what has another shape is an error, never
 * "no such user".  Strings point into the reply.
 */

#include "pu_command_own.h"


#define PU_STORE_LEN_MAX  64            /* STORE_MAX of the script */


/* A word of the script and what it means. */
typedef struct {
    const char  *word;
    int          status;
} pu_reply_word_t;


static const pu_reply_word_t  pu_lookup_words[] = {
    { "found", PU_LOOKUP_FOUND },
    { "none", PU_LOOKUP_NONE },
    { "foreign", PU_LOOKUP_FOREIGN },
    { "unreadable", PU_LOOKUP_UNREADABLE },
    { "revoked", PU_LOOKUP_REVOKED },
    { NULL, PU_LOOKUP_ERROR }
};

static const pu_reply_word_t  pu_change_results[] = {
    { "done", PU_CHANGE_DONE },
    { "unchanged", PU_CHANGE_UNCHANGED },
    { "not_found", PU_CHANGE_NOT_FOUND },
    { "conflict", PU_CHANGE_CONFLICT },
    { "refused", PU_CHANGE_REFUSED },
    { "unreadable", PU_CHANGE_UNREADABLE },
    { NULL, PU_CHANGE_ERROR }
};


static int pu_reply_word(const redisReply *reply,
    const pu_reply_word_t *words);
static int pu_reply_optional(const redisReply *reply, pu_str_t *s);
static int pu_reply_store(const redisReply *reply, pu_str_t *store);
static int pu_reply_records(const redisReply *reply, pu_found_t *found);
static pu_str_t *pu_log_field(pu_log_entry_t *entry, pu_str_t name);
static int pu_log_number(pu_str_t s, uint64_t *n);


pu_lookup_status_t
pu_reply_lookup(const redisReply *reply, pu_found_t *found)
{
    int                created;
    const redisReply  *made;

    memset(found, 0, sizeof(pu_found_t));

    if (pu_reply_noscript(reply)) {
        return PU_LOOKUP_NOSCRIPT;
    }

    made = pu_reply_at(reply, 3);

    if (made == NULL || made->type != REDIS_REPLY_INTEGER
        || !pu_reply_store(pu_reply_at(reply, 1), &found->store)
        || !pu_reply_store(pu_reply_at(reply, 2), &found->accepted))
    {
        return PU_LOOKUP_ERROR;
    }

    created = (made->integer == 1);

    switch (pu_reply_word(pu_reply_at(reply, 0), pu_lookup_words)) {

    case PU_LOOKUP_FOUND:
        break;

    case PU_LOOKUP_NONE:
        return PU_LOOKUP_NONE;

    case PU_LOOKUP_FOREIGN:
        return PU_LOOKUP_FOREIGN;

    case PU_LOOKUP_UNREADABLE:
        return PU_LOOKUP_UNREADABLE;

    case PU_LOOKUP_REVOKED:
        return PU_LOOKUP_REVOKED;

    default:
        return PU_LOOKUP_ERROR;
    }

    found->created = created ? 1 : 0;

    return pu_reply_records(reply, found) ? PU_LOOKUP_FOUND
                                          : PU_LOOKUP_UNREADABLE;
}


static int
pu_reply_records(const redisReply *reply, pu_found_t *found)
{
    pu_str_t  handle[PU_HANDLE_NFIELDS], user[PU_USER_NFIELDS];

    return pu_reply_fields(pu_reply_at(reply, 4), handle, PU_HANDLE_NFIELDS)
           && pu_reply_fields(pu_reply_at(reply, 5), user, PU_USER_NFIELDS)
           && pu_handle_read(&found->handle, handle)
           && pu_user_read(&found->user, found->handle.user, user);
}


pu_change_status_t
pu_reply_change(const redisReply *reply, int64_t *version)
{
    const redisReply  *n;

    *version = 0;

    if (pu_reply_noscript(reply)) {
        return PU_CHANGE_NOSCRIPT;
    }

    n = pu_reply_at(reply, 1);

    if (n == NULL || n->type != REDIS_REPLY_INTEGER) {
        return PU_CHANGE_ERROR;
    }

    *version = n->integer;

    return (pu_change_status_t) pu_reply_word(pu_reply_at(reply, 0),
                                              pu_change_results);
}


pu_str_t
pu_reply_detail(const redisReply *reply)
{
    pu_str_t  detail;

    if (!pu_reply_str(pu_reply_at(reply, 2), &detail)
        || detail.len > PU_STORE_LEN_MAX)
    {
        detail.len = 0;
        detail.data = NULL;
    }

    return detail;
}


int
pu_log_entry(const redisReply *reply, pu_log_entry_t *entry)
{
    size_t             i;
    pu_str_t           id, name, value, *field;
    const redisReply  *fields;

    memset(entry, 0, sizeof(pu_log_entry_t));

    fields = pu_reply_at(reply, 1);

    if (!pu_reply_str(pu_reply_at(reply, 0), &id)
        || !pu_log_id_parse(id, &entry->id)
        || fields == NULL || fields->type != REDIS_REPLY_ARRAY
        || fields->elements % 2 != 0)
    {
        return 0;
    }

    for (i = 0; i < fields->elements; i += 2) {

        if (!pu_reply_str(pu_reply_at(fields, i), &name)
            || !pu_reply_str(pu_reply_at(fields, i + 1), &value))
        {
            return 0;
        }

        field = pu_log_field(entry, name);

        if (field != NULL) {
            *field = value;
        }
    }

    return 1;
}


static pu_str_t *
pu_log_field(pu_log_entry_t *entry, pu_str_t name)
{
    if (pu_str_is(name, "op")) {
        return &entry->op;
    }

    if (pu_str_is(name, "user")) {
        return &entry->user;
    }

    if (pu_str_is(name, "handle")) {
        return &entry->handle;
    }

    if (pu_str_is(name, "version")) {
        return &entry->version;
    }

    if (pu_str_is(name, "actor")) {
        return &entry->actor;
    }

    if (pu_str_is(name, "source")) {
        return &entry->source;
    }

    return pu_str_is(name, "reason") ? &entry->reason : NULL;
}


int
pu_log_id_parse(pu_str_t text, pu_log_id_t *id)
{
    size_t    i;
    pu_str_t  ms, seq;

    for (i = 0; i < text.len && text.data[i] != '-'; i++) { /* void */ }

    if (i == text.len) {
        return 0;
    }

    ms.len = i;
    ms.data = text.data;
    seq.len = text.len - i - 1;
    seq.data = text.data + i + 1;

    return pu_log_number(ms, &id->ms) && pu_log_number(seq, &id->seq);
}


static int
pu_log_number(pu_str_t s, uint64_t *n)
{
    size_t    i;
    uint64_t  value, digit;

    if (s.len == 0 || s.len > 20) {
        return 0;
    }

    value = 0;

    for (i = 0; i < s.len; i++) {

        if (s.data[i] < '0' || s.data[i] > '9') {
            return 0;
        }

        digit = (uint64_t) (s.data[i] - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return 0;
        }

        value = value * 10 + digit;
    }

    *n = value;

    return 1;
}


size_t
pu_log_id_text(char out[PU_LOG_ID_TEXT_MAX], pu_log_id_t id)
{
    char      digits[20];
    size_t    i, k, len;
    uint64_t  n;

    len = 0;

    for (i = 0; i < 2; i++) {
        n = (i == 0) ? id.ms : id.seq;
        k = sizeof(digits);

        do {
            digits[--k] = (char) ('0' + n % 10);
            n /= 10;
        } while (n != 0);

        if (i == 1) {
            out[len++] = '-';
        }

        memcpy(out + len, digits + k, sizeof(digits) - k);
        len += sizeof(digits) - k;
    }

    return len;
}


int
pu_log_id_cmp(pu_log_id_t a, pu_log_id_t b)
{
    if (a.ms != b.ms) {
        return (a.ms < b.ms) ? -1 : 1;
    }

    if (a.seq != b.seq) {
        return (a.seq < b.seq) ? -1 : 1;
    }

    return 0;
}


int
pu_reply_entries(const redisReply *reply, const redisReply **entries)
{
    const redisReply  *stream, *list;

    *entries = NULL;

    if (reply == NULL) {
        return 0;
    }

    if (reply->type == REDIS_REPLY_NIL) {
        return 1;
    }

    stream = pu_reply_at(reply, 0);
    list = pu_reply_at(stream, 1);

    if (reply->elements != 1 || list == NULL
        || list->type != REDIS_REPLY_ARRAY)
    {
        return 0;
    }

    if (list->elements != 0) {
        *entries = list;
    }

    return 1;
}


static int
pu_reply_word(const redisReply *reply, const pu_reply_word_t *words)
{
    pu_str_t  word;

    if (!pu_reply_str(reply, &word)) {
        word.len = 0;
        word.data = NULL;
    }

    while (words->word != NULL && !pu_str_is(word, words->word)) {
        words++;
    }

    return words->status;
}


int
pu_reply_noscript(const redisReply *reply)
{
    pu_str_t  text;

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return 0;
    }

    text.len = (size_t) reply->len;
    text.data = (const uint8_t *) reply->str;

    return pu_str_starts(text, "NOSCRIPT");
}


const redisReply *
pu_reply_at(const redisReply *reply, size_t i)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || i >= reply->elements)
    {
        return NULL;
    }

    return reply->element[i];
}


int
pu_reply_str(const redisReply *reply, pu_str_t *s)
{
    if (reply == NULL || reply->type != REDIS_REPLY_STRING
        || reply->str == NULL)
    {
        return 0;
    }

    s->len = (size_t) reply->len;
    s->data = (const uint8_t *) reply->str;

    return 1;
}


/* A string, or nil, which is one with data NULL. */

static int
pu_reply_optional(const redisReply *reply, pu_str_t *s)
{
    s->len = 0;
    s->data = NULL;

    if (reply != NULL && reply->type == REDIS_REPLY_NIL) {
        return 1;
    }

    return pu_reply_str(reply, s);
}


int
pu_reply_fields(const redisReply *reply, pu_str_t *fields, size_t n)
{
    size_t  i;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != n)
    {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (!pu_reply_optional(reply->element[i], &fields[i])) {
            return 0;
        }
    }

    return 1;
}


static int
pu_reply_store(const redisReply *reply, pu_str_t *store)
{
    return pu_reply_optional(reply, store) && store->len <= PU_STORE_LEN_MAX;
}
