/*
 * pu_caller: what verified claims say of the caller, in the issuer's words.
 *
 * Claims are the provider's; subject, roles and scopes are ours.  A role
 * comes from role_map or default_role and from nowhere else: no value of a
 * token becomes a role by its own name.
 */

#include <stdlib.h>

#include "pu_issuer.h"


#define PU_WORDS_FEW  64                /* on the stack */


/* Room for sorting words; the heap only for what few tokens have. */
typedef struct {
    pu_str_t   few[PU_WORDS_FEW];
    pu_str_t  *words;
    size_t     n;
    size_t     max;
} pu_room_t;


static int
pu_room_open(pu_room_t *room, size_t max)
{
    room->n = 0;
    room->max = max;
    room->words = room->few;

    if (max > PU_WORDS_FEW) {
        room->words = malloc(max * sizeof(pu_str_t));
    }

    return room->words != NULL;
}


static void
pu_room_add(pu_room_t *room, pu_str_t word)
{
    if (room->n < room->max) {
        room->words[room->n++] = word;
    }
}


/* Writes the words as a set and closes the room. */
static pu_str_t
pu_room_set(pu_room_t *room, pu_buf_t *b)
{
    pu_str_t  set;

    /* each text is one word: the union can sort them where they are */

    set.data = b->pos;
    pu_set_union(b, room->words, room->n, room->words, room->n);
    set.len = (size_t) (b->pos - set.data);

    if (room->words != room->few) {
        free(room->words);
    }

    return set;
}


/* A string as it is, a number or a boolean as it was written. */
static int
pu_rule_has(const pu_list_t *values, pu_str_t raw)
{
    size_t  i;

    for (i = 0; i < values->n; i++) {

        if (raw.data[0] == '"') {
            if (pu_json_raw_is(raw, values->items[i], 0)) {
                return 1;
            }

        } else if (raw.data[0] != '{' && raw.data[0] != '['
                   && raw.data[0] != 'n'
                   && pu_str_eq(raw, values->items[i]))
        {
            return 1;
        }
    }

    return 0;
}


static int
pu_rule_holds(const pu_named_list_t *rule, pu_str_t payload)
{
    pu_str_t  raw, item;

    if (!pu_json_raw(payload, rule->name, &raw)) {
        return 0;
    }

    if (raw.data[0] != '[') {
        return pu_rule_has(&rule->values, raw);
    }

    while (pu_json_raw_next(&raw, NULL, &item)) {
        if (pu_rule_has(&rule->values, item)) {
            return 1;
        }
    }

    return 0;
}


/* A text that may name somebody: in a variable, a log line, a Redis field. */
static int
pu_caller_text(const json_t *value, pu_str_t *s)
{
    return pu_json_str(value, s) && s->len != 0
           && s->len <= PU_SUBJECT_LEN_MAX && !pu_str_has_control(*s);
}


static void
pu_caller_display(const pu_issuer_t *issuer, json_t *claims,
    pu_caller_t *caller)
{
    json_t  *value;

    if (issuer->display.n != 0) {
        value = pu_json_walk(claims, issuer->display.words,
                             issuer->display.n);
    } else {
        value = json_object_get(claims, "preferred_username");
    }

    if (!pu_caller_text(value, &caller->display)) {
        caller->display = caller->subject;
    }
}


/* What is compared with a user_name or external_id; never guessed. */

static void
pu_caller_link(const pu_issuer_t *issuer, json_t *claims, pu_caller_t *caller)
{
    pu_str_t  s;

    if (issuer->link.n != 0
        && pu_json_str(pu_json_walk(claims, issuer->link.words,
                                    issuer->link.n), &s)
        && s.len <= PU_LINK_LEN_MAX && !pu_str_has_control(s))
    {
        caller->link = s;
    }
}


static int
pu_claim_is(const json_t *claims, const char *name, pu_str_t s)
{
    pu_str_t  value;

    return pu_json_str(json_object_get(claims, name), &value)
           && pu_str_eq(value, s);
}


/* Marks every role_map line of this value; the lines are sorted by value. */
static void
pu_roles_mark(const pu_issuer_t *issuer, pu_str_t value, uint8_t *hits)
{
    size_t  low, high, middle;

    low = 0;
    high = issuer->nroles;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (pu_str_cmp(issuer->role_map[middle].name, value) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }

    for ( /* void */ ; low < issuer->nroles; low++) {
        if (hits[low] || !pu_str_eq(issuer->role_map[low].name, value)) {
            return;
        }

        hits[low] = 1;
    }
}


/* A string is one value and, where it has spaces, several. */
static void
pu_roles_find(const pu_issuer_t *issuer, const json_t *value, uint8_t *hits)
{
    size_t    i;
    pu_str_t  s, word;

    if (pu_json_str(value, &s)) {
        pu_roles_mark(issuer, s, hits);

        while (pu_word_next(&s, &word)) {
            pu_roles_mark(issuer, word, hits);
        }

        return;
    }

    for (i = 0; i < json_array_size(value); i++) {
        if (pu_json_str(json_array_get(value, i), &s)) {
            pu_roles_mark(issuer, s, hits);
        }
    }
}


static void
pu_room_add_list(pu_room_t *room, const pu_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        pu_room_add(room, list->items[i]);
    }
}


static int
pu_caller_roles(const pu_issuer_t *issuer, json_t *claims, pu_buf_t *b,
    pu_caller_t *caller)
{
    size_t      i;
    uint8_t     few[PU_WORDS_FEW], *hits;
    pu_room_t   room;

    hits = few;

    if (issuer->nroles > PU_WORDS_FEW) {
        hits = malloc(issuer->nroles);
    }

    if (hits == NULL || !pu_room_open(&room, issuer->role_words)) {
        if (hits != few) {
            free(hits);
        }

        return 0;
    }

    memset(hits, 0, issuer->nroles);
    pu_roles_find(issuer, pu_json_walk(claims, issuer->role_claim.words,
                                       issuer->role_claim.n), hits);

    pu_room_add_list(&room, &issuer->default_roles);

    for (i = 0; i < issuer->nroles; i++) {
        if (hits[i]) {
            pu_room_add_list(&room, &issuer->role_map[i].values);
        }
    }

    if (hits != few) {
        free(hits);
    }

    caller->roles = pu_room_set(&room, b);

    return 1;
}


static json_t *
pu_scope_value(const pu_issuer_t *issuer, json_t *claims)
{
    json_t  *value;

    if (issuer->scope_claim.n != 0) {
        return pu_json_walk(claims, issuer->scope_claim.words,
                            issuer->scope_claim.n);
    }

    value = json_object_get(claims, "scope");

    return (value != NULL) ? value : json_object_get(claims, "scp");
}


static void
pu_room_add_scope(pu_room_t *room, pu_str_t scope)
{
    if (pu_scope_token(scope)) {
        pu_room_add(room, scope);
    }
}


static int
pu_caller_scopes(const pu_issuer_t *issuer, json_t *claims, pu_buf_t *b,
    pu_caller_t *caller)
{
    size_t      i, max;
    json_t     *value;
    pu_str_t    s, word;
    pu_room_t   room;

    value = pu_scope_value(issuer, claims);
    max = pu_json_str(value, &s) ? s.len / 2 + 1 : json_array_size(value);

    if (!pu_room_open(&room, max)) {
        return 0;
    }

    if (json_is_string(value)) {
        while (pu_word_next(&s, &word)) {
            pu_room_add_scope(&room, word);
        }
    }

    for (i = 0; i < json_array_size(value); i++) {
        if (pu_json_str(json_array_get(value, i), &s)) {
            pu_room_add_scope(&room, s);
        }
    }

    caller->scopes = pu_room_set(&room, b);

    return 1;
}


size_t
pu_issuer_room(const pu_issuer_t *issuer, size_t len)
{
    return issuer->role_bytes + len;
}


pu_reason_t
pu_issuer_caller(const pu_issuer_t *issuer, json_t *claims, pu_str_t payload,
    pu_buf_t *b, pu_caller_t *caller)
{
    size_t   i;
    json_t  *subject;

    memset(caller, 0, sizeof(pu_caller_t));

    for (i = 0; i < issuer->nclaims; i++) {
        if (!pu_rule_holds(&issuer->claims[i], payload)) {
            return PU_TOKEN_CLAIMS;
        }
    }

    subject = pu_json_walk(claims, issuer->subject.words, issuer->subject.n);

    if (!pu_caller_text(subject, &caller->subject)) {
        return PU_TOKEN_CLAIMS;
    }

    caller->service = pu_claim_is(claims, "client_id", caller->subject)
                      || pu_claim_is(claims, "azp", caller->subject);

    pu_caller_display(issuer, claims, caller);
    pu_caller_link(issuer, claims, caller);

    if (!pu_caller_roles(issuer, claims, b, caller)
        || !pu_caller_scopes(issuer, claims, b, caller)
        || b->full)
    {
        return PU_INTERNAL;
    }

    return PU_OK;
}
