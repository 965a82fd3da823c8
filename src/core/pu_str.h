/*
 * pu_str: a counted string, a bounded writer, and sets of words.
 *
 * Nothing here trusts a terminating NUL and nothing allocates.  A pu_str_t
 * never owns its bytes: whoever handed it out says how long they live.
 */

#ifndef PU_STR_H
#define PU_STR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>


typedef struct {
    size_t          len;
    const uint8_t  *data;
} pu_str_t;

#define PU_STR(literal)                                                       \
    ((pu_str_t) { sizeof(literal) - 1, (const uint8_t *) (literal) })

/* for printf's "%.*s" */
#define PU_STR_FMT(s)  (int) (s).len, (const char *) (s).data

#define PU_SHA256_LEN          32
#define PU_BASE64URL_LEN(n)    (((n) * 4 + 2) / 3)
#define PU_DIGEST_TEXT_LEN     PU_BASE64URL_LEN(PU_SHA256_LEN)    /* 43 */

/* an error sentence for people: lower case, no full stop */
#define PU_ERROR_SIZE          512


/* A pu_str_t over a C string, which must outlive it; NULL is empty. */
pu_str_t pu_str(const char *s);

int pu_str_eq(pu_str_t a, pu_str_t b);
int pu_str_is(pu_str_t a, const char *literal);

/* ASCII case folded, for what a standard compares that way. */
int pu_str_case_eq(pu_str_t a, pu_str_t b);

/* As memcmp, a prefix being the smaller. */
int pu_str_cmp(pu_str_t a, pu_str_t b);

int pu_str_starts(pu_str_t s, const char *prefix);

/* Is there a byte below 0x20 or a 0x7f? */
int pu_str_has_control(pu_str_t s);


/*
 * A bounded writer over the caller's memory.  What does not fit is dropped
 * and remembered in "full"; everything written before stays as it is.
 */
typedef struct {
    uint8_t  *start;
    uint8_t  *pos;
    uint8_t  *end;
    int       full;
} pu_buf_t;

void pu_buf_init(pu_buf_t *b, void *memory, size_t size);
void pu_buf_int(pu_buf_t *b, int64_t n);

/* What has been written so far. */
pu_str_t pu_buf_written(const pu_buf_t *b);

/* Inline: an audit line is mostly literals, whose length the compiler knows. */

static inline void
pu_buf_put(pu_buf_t *b, const void *data, size_t len)
{
    if (len > (size_t) (b->end - b->pos)) {
        b->full = 1;
        return;
    }

    if (len != 0) {
        memcpy(b->pos, data, len);
        b->pos += len;
    }
}


static inline void
pu_buf_str(pu_buf_t *b, pu_str_t s)
{
    pu_buf_put(b, s.data, s.len);
}


static inline void
pu_buf_text(pu_buf_t *b, const char *s)
{
    pu_buf_put(b, s, strlen(s));
}


static inline void
pu_buf_char(pu_buf_t *b, int c)
{
    uint8_t  byte;

    byte = (uint8_t) c;

    pu_buf_put(b, &byte, 1);
}


/*
 * Strict base64url without padding (RFC 7515 section 2, RFC 4648 section 5):
 * no byte outside the alphabet, no length of 1 modulo 4, no stray bits.
 * decode: "out" has room for len * 3 / 4 bytes; returns the number of bytes
 * written, or -1.  encode: "out" has room for PU_BASE64URL_LEN(len); no NUL
 * is added; returns the number of characters.
 */
int64_t pu_base64url_decode(uint8_t *out, pu_str_t text);
size_t pu_base64url_encode(char *out, const uint8_t *data, size_t len);

/* 1 done, 0 when OpenSSL has failed.  Empty parts are allowed. */
int pu_sha256(uint8_t out[PU_SHA256_LEN], const pu_str_t *parts, size_t n);

/* The value of a hexadecimal digit, or -1. */
int pu_hex_digit(uint8_t c);

/*
 * A decimal integer, optionally signed, and nothing else.  1 and *n, or 0
 * (empty, other bytes, outside int64).
 */
int pu_str_int(pu_str_t s, int64_t *n);

/* A whole time such as "30s", "5m", "1h30m", "10" (seconds); seconds or -1. */
int64_t pu_str_duration(pu_str_t s);

/*
 * Reads a whole file of at most "max" bytes into malloc'ed memory that the
 * caller frees; configuration time only.  NULL and a sentence in "err".
 */
uint8_t *pu_file_read(const char *path, size_t max, size_t *len,
    char err[PU_ERROR_SIZE]);


/*
 * Words: a text of words parted by single or repeated spaces.  A *set* is a
 * text of words in byte order, each once, parted by one space: roles and
 * scopes are kept so, compare so and are shown so.
 */

/* Takes the next word off "rest"; 1, or 0 at the end. */
int pu_word_next(pu_str_t *rest, pu_str_t *word);

/* Is "word" in the set (or any text of words)? */
int pu_set_has(pu_str_t set, pu_str_t word);

/*
 * Writes the union of "n" texts of words as a set.  "words" is room for
 * sorting; words past "max" or past the buffer set b->full.
 */
void pu_set_union(pu_buf_t *b, const pu_str_t *texts, size_t n,
    pu_str_t *words, size_t max);

/* Role name: 1 to 64 of A-Za-z0-9_.:/- with a lower-case letter or digit. */
int pu_role_name(pu_str_t s);

/* RFC 6749 section 3.3 scope-token of at most 255 bytes. */
int pu_scope_token(pu_str_t s);


#endif /* PU_STR_H */
