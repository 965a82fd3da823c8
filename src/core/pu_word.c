/*
 * pu_word: words, sets of words, and what a role or scope may look like.
 *
 * Sets are plain texts, so that what is stored, compared and shown is the
 * same bytes.  Nothing here allocates: the caller brings the room.
 */

#include "pu_str.h"


int
pu_word_next(pu_str_t *rest, pu_str_t *word)
{
    size_t  n;

    while (rest->len != 0 && rest->data[0] == ' ') {
        rest->data++;
        rest->len--;
    }

    if (rest->len == 0) {
        return 0;
    }

    for (n = 1; n < rest->len && rest->data[n] != ' '; n++) {
        /* void */
    }

    word->data = rest->data;
    word->len = n;
    rest->data += n;
    rest->len -= n;

    return 1;
}


int
pu_set_has(pu_str_t set, pu_str_t word)
{
    pu_str_t  next;

    if (word.len == 0) {
        return 0;
    }

    while (pu_word_next(&set, &next)) {
        if (pu_str_eq(next, word)) {
            return 1;
        }
    }

    return 0;
}


static void
pu_words_sift(pu_str_t *words, size_t root, size_t n)
{
    size_t    child;
    pu_str_t  moved;

    moved = words[root];

    for ( ;; ) {
        child = root * 2 + 1;

        if (child >= n) {
            break;
        }

        if (child + 1 < n && pu_str_cmp(words[child], words[child + 1]) < 0) {
            child++;
        }

        if (pu_str_cmp(moved, words[child]) >= 0) {
            break;
        }

        words[root] = words[child];
        root = child;
    }

    words[root] = moved;
}


/*
 * A heap sort: glibc's qsort allocates, and a token's author must not choose
 * the worst case of a simpler one.
 */
static void
pu_words_sort(pu_str_t *words, size_t n)
{
    size_t    i;
    pu_str_t  last;

    for (i = n / 2; i-- > 0; /* void */ ) {
        pu_words_sift(words, i, n);
    }

    for (i = n; i-- > 1; /* void */ ) {
        last = words[i];
        words[i] = words[0];
        words[0] = last;
        pu_words_sift(words, 0, i);
    }
}


void
pu_set_union(pu_buf_t *b, const pu_str_t *texts, size_t n, pu_str_t *words,
    size_t max)
{
    size_t    i, count;
    pu_str_t  rest, word;

    count = 0;

    for (i = 0; i < n; i++) {
        rest = texts[i];

        while (pu_word_next(&rest, &word)) {
            if (count == max) {
                b->full = 1;
                break;
            }

            words[count++] = word;
        }
    }

    pu_words_sort(words, count);

    for (i = 0; i < count; i++) {
        if (i != 0 && pu_str_eq(words[i], words[i - 1])) {
            continue;
        }

        /* word and space together, so that a full buffer ends in a word */

        if (words[i].len + (i != 0) > (size_t) (b->end - b->pos)) {
            b->full = 1;
            return;
        }

        if (i != 0) {
            *b->pos++ = ' ';
        }

        memcpy(b->pos, words[i].data, words[i].len);
        b->pos += words[i].len;
    }
}


int
pu_role_name(pu_str_t s)
{
    int      telling;
    size_t   i;
    uint8_t  c;

    if (s.len == 0 || s.len > 64) {
        return 0;
    }

    telling = 0;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            telling = 1;
            continue;
        }

        if (!(c >= 'A' && c <= 'Z')
            && (c == '\0' || strchr("_.:/-", c) == NULL))
        {
            return 0;
        }
    }

    /* capitals only would be taken for a method in a rule */

    return telling;
}


int
pu_scope_token(pu_str_t s)
{
    size_t   i;
    uint8_t  c;

    if (s.len == 0 || s.len > 255) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            return 0;
        }
    }

    return 1;
}
