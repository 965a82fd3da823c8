/*
 * pu_grant: what a user's record permits at a moment.
 *
 * Grants, their ends, the cap on scopes, and the state against a token.  Not
 * which role may do what: that is the location's (pu_policy.c).
 */

#include "pu_user.h"


/* What the script takes for a number; Lua counts exactly so far. */
#define PU_DIGITS_MAX  15


static int pu_grant_part(pu_str_t *word, int mark, pu_str_t *part);
static size_t pu_roles_held(const pu_user_t *user, pu_str_t *held,
    const pu_profiles_t *profiles, int64_t now, int64_t *until);
static int64_t pu_grant_ends(const pu_profiles_t *profiles, pu_str_t role,
    int64_t granted, int64_t expires);
static int pu_held(const pu_str_t *held, size_t n,
    const pu_profiles_t *profiles, pu_str_t role);
static void pu_sort_in(pu_str_t *words, size_t n, pu_str_t word);
static void pu_set_put(pu_buf_t *b, pu_str_t word, pu_str_t *last);


int
pu_seconds(pu_str_t s, int64_t *n)
{
    return s.len != 0 && s.len <= PU_DIGITS_MAX && s.data[0] >= '0'
           && s.data[0] <= '9' && pu_str_int(s, n);
}


int
pu_grant_next(pu_str_t *rest, pu_str_t *role, int64_t *granted,
    int64_t *expires)
{
    pu_str_t  word, part;

    *granted = 0;
    *expires = 0;

    if (!pu_word_next(rest, &word)) {
        return 0;
    }

    if (pu_grant_part(&word, '=', &part)
        && (!pu_seconds(part, expires) || *expires == 0))
    {
        return -1;
    }

    if (pu_grant_part(&word, '@', &part) && !pu_seconds(part, granted)) {
        return -1;
    }

    *role = word;

    return pu_role_name(word) ? 1 : -1;
}


/* Takes the mark and what follows it off the word. */

static int
pu_grant_part(pu_str_t *word, int mark, pu_str_t *part)
{
    const uint8_t  *end;

    end = word->data + word->len;
    part->data = memchr(word->data, mark, word->len);

    if (part->data == NULL) {
        return 0;
    }

    word->len = (size_t) (part->data - word->data);
    part->data++;
    part->len = (size_t) (end - part->data);

    return 1;
}


/*
 * "more" is sorted already and may be long; only the user's few grants are
 * sorted here, on the stack, and both are merged.
 */

void
pu_user_roles(pu_buf_t *b, const pu_user_t *user, pu_str_t more,
    const pu_profiles_t *profiles, int64_t now, int64_t *until)
{
    int       has;
    size_t    i, n;
    pu_str_t  held[PU_ROLES_MAX], word, last;

    n = pu_roles_held(user, held, profiles, now, until);

    last = pu_str(NULL);

    has = pu_word_next(&more, &word);

    for (i = 0; i < n || has; /* void */ ) {

        if (has && (i == n || pu_str_cmp(word, held[i]) <= 0)) {
            pu_set_put(b, word, &last);
            has = pu_word_next(&more, &word);

        } else {
            pu_set_put(b, held[i++], &last);
        }
    }
}


/* A broken grant ends the list: what cannot be read gives nothing. */

static size_t
pu_roles_held(const pu_user_t *user, pu_str_t *held,
    const pu_profiles_t *profiles, int64_t now, int64_t *until)
{
    size_t    n;
    int64_t   granted, expires;
    pu_str_t  rest, role;

    *until = INT64_MAX;
    rest = user->roles;
    n = 0;

    while (n < PU_ROLES_MAX
           && pu_grant_next(&rest, &role, &granted, &expires) == 1)
    {
        expires = pu_grant_ends(profiles, role, granted, expires);

        if (expires <= now) {
            continue;
        }

        if (expires < *until) {
            *until = expires;
        }

        pu_sort_in(held, n++, role);
    }

    return n;
}


/* Not knowing when it was given is no reason to let it live for ever. */

static int64_t
pu_grant_ends(const pu_profiles_t *profiles, pu_str_t role, int64_t granted,
    int64_t expires)
{
    const pu_profile_t  *profile;

    if (expires == 0) {
        expires = INT64_MAX;
    }

    if (profiles == NULL || !profiles->max_grant) {
        return expires;
    }

    profile = pu_profile_find(profiles, role);

    if (profile == NULL || profile->max_grant == 0) {
        return expires;
    }

    granted = (granted != 0) ? granted + profile->max_grant : 0;

    return (granted < expires) ? granted : expires;
}


static void
pu_sort_in(pu_str_t *words, size_t n, pu_str_t word)
{
    while (n > 0 && pu_str_cmp(words[n - 1], word) > 0) {
        words[n] = words[n - 1];
        n--;
    }

    words[n] = word;
}


static void
pu_set_put(pu_buf_t *b, pu_str_t word, pu_str_t *last)
{
    size_t  space;

    if (last->data != NULL && pu_str_eq(*last, word)) {
        return;
    }

    space = (last->data != NULL);

    /* word and space together; after one is lost nothing follows it */

    if (b->full || word.len + space > (size_t) (b->end - b->pos)) {
        b->full = 1;
        return;
    }

    if (space) {
        pu_buf_char(b, ' ');
    }

    pu_buf_str(b, word);
    *last = word;
}


void
pu_user_scopes(pu_buf_t *b, const pu_user_t *user, pu_str_t scopes)
{
    pu_str_t  word, last;

    last = pu_str(NULL);

    while (pu_word_next(&scopes, &word)) {

        if (user->scopes.data == NULL || pu_set_has(user->scopes, word)) {
            pu_set_put(b, word, &last);
        }
    }
}


pu_reason_t
pu_user_judge(const pu_user_t *user, int64_t iat, int64_t now)
{
    if (user->state == PU_STATE_SUSPENDED) {
        return PU_USER_SUSPENDED;
    }

    if (user->state != PU_STATE_ACTIVE) {
        return PU_USER_DELETED;
    }

    /* INT64_MIN, not said, is before any epoch */

    if (user->epoch > 0 && iat <= user->epoch) {
        return PU_TOKEN_REVOKED;
    }

    if (user->expires > 0 && user->expires <= now) {
        return PU_USER_EXPIRED;
    }

    return PU_OK;
}


/* In the order of pu_handle_kind_t. */

pu_reason_t
pu_handle_judge(const pu_handle_t *handle, pu_handle_kind_t kind, int64_t now)
{
    static const struct {
        pu_reason_t  revoked;
        pu_reason_t  early;
        pu_reason_t  expired;
    } reasons[] = {
        { PU_TOKEN_REVOKED, PU_TOKEN_NOT_YET_VALID, PU_TOKEN_EXPIRED },
        { PU_KEY_REVOKED, PU_KEY_UNKNOWN, PU_KEY_EXPIRED },
        { PU_CERTIFICATE_UNKNOWN, PU_CERTIFICATE_UNKNOWN,
          PU_CERTIFICATE_UNKNOWN }
    };

    if (handle->revoked) {
        return reasons[kind].revoked;
    }

    if (handle->not_before > now) {
        return reasons[kind].early;
    }

    if (handle->expires > 0 && handle->expires <= now) {
        return reasons[kind].expired;
    }

    return PU_OK;
}


void
pu_handle_roles(pu_buf_t *b, const pu_handle_t *handle, const pu_user_t *user,
    const pu_profiles_t *profiles, int64_t now, int64_t *until)
{
    size_t    i, n, let;
    pu_str_t  held[PU_ROLES_MAX], words[PU_ROLES_MAX], last, rest, word;

    n = pu_roles_held(user, held, profiles, now, until);
    last = pu_str(NULL);

    if (handle->roles.data == NULL) {
        for (i = 0; i < n; i++) {
            pu_set_put(b, held[i], &last);
        }

        return;
    }

    rest = handle->roles;
    let = 0;

    while (let < PU_ROLES_MAX && pu_word_next(&rest, &word)) {
        if (pu_held(held, n, profiles, word)) {
            pu_sort_in(words, let++, word);
        }
    }

    for (i = 0; i < let; i++) {
        pu_set_put(b, words[i], &last);
    }
}


/* Is the role one of these, or inherited by one of them? */

static int
pu_held(const pu_str_t *held, size_t n, const pu_profiles_t *profiles,
    pu_str_t role)
{
    size_t               i;
    const pu_profile_t  *profile;

    for (i = 0; i < n; i++) {

        if (pu_str_eq(held[i], role)) {
            return 1;
        }

        if (profiles == NULL) {
            continue;
        }

        profile = pu_profile_find(profiles, held[i]);

        if (profile != NULL && pu_profile_holds(profiles, profile, role)) {
            return 1;
        }
    }

    return 0;
}


/* A record's words may be in any order; what is shown is a set. */

void
pu_handle_scopes(pu_buf_t *b, const pu_handle_t *handle,
    const pu_user_t *user)
{
    size_t    i, n;
    pu_str_t  rest, word, last, words[PU_ROLES_MAX];

    rest = (handle->scopes.data != NULL) ? handle->scopes : user->scopes;
    n = 0;

    while (n < PU_ROLES_MAX && pu_word_next(&rest, &word)) {
        if (user->scopes.data == NULL || pu_set_has(user->scopes, word)) {
            pu_sort_in(words, n++, word);
        }
    }

    last = pu_str(NULL);

    for (i = 0; i < n; i++) {
        pu_set_put(b, words[i], &last);
    }
}
