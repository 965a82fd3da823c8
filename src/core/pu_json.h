/*
 * pu_json: bounded strict reading of JSON, and writing it.
 *
 * jansson parses; this file adds what it has no option for (nesting and
 * member limits) and gives typed getters that never coerce.  json_t values
 * follow jansson's ownership: what "parse" returns the caller decrefs, what a
 * getter returns is borrowed.
 */

#ifndef PU_JSON_H
#define PU_JSON_H

#include <jansson.h>

#include "pu_str.h"


typedef struct {
    size_t    size;                     /* bytes of text */
    unsigned  depth;                    /* nesting, the outermost being 1 */
    unsigned  members;                  /* of any one object */
} pu_json_limits_t;


/*
 * An object in UTF-8 (RFC 8259), no duplicate names at any level, nothing
 * after it, no NUL in a name (NUL in a string value is kept: the getter that
 * uses the value refuses it).  NULL for anything else.
 */
json_t *pu_json_object(pu_str_t text, const pu_json_limits_t *limits);

/* A string's bytes, borrowed; 0 when "value" is NULL or no string. */
int pu_json_str(const json_t *value, pu_str_t *s);

/*
 * A NumericDate (RFC 7519 section 2): a finite number within +-2^53, its
 * integer floor.  1 and *seconds, or 0.
 */
int pu_json_date(const json_t *value, int64_t *seconds);

/* Walks "n" names into nested objects; NULL where one is missing. */
json_t *pu_json_walk(json_t *object, const pu_str_t *names, size_t n);

/*
 * The text of one top-level member's value as it was written, found in a text
 * that pu_json_object has accepted; 1, or 0 when there is no such member.
 */
int pu_json_raw(pu_str_t text, pu_str_t name, pu_str_t *raw);

/*
 * Takes the next item off an accepted object's or array's text ("rest" is the
 * whole text at first); 1, or 0 at the end.  "name" gets a member's name as it
 * was written, with its quotes; NULL for an array.
 */
int pu_json_raw_next(pu_str_t *rest, pu_str_t *name, pu_str_t *value);

/*
 * Does a string as it was written mean the bytes "s"?  With "fold", ASCII
 * case is no difference.
 */
int pu_json_raw_is(pu_str_t raw, pu_str_t s, int fold);

/* Writes what a string as it was written means; 1, or 0 for no string. */
int pu_json_unquote(pu_buf_t *b, pu_str_t raw);

/* Writes "raw" without the white space between its tokens. */
void pu_json_compact(pu_buf_t *b, pu_str_t raw);

/*
 * Writes "s" as a JSON string with its quotes.  Valid for every input byte:
 * what is not UTF-8 becomes U+FFFD.  A string that does not fit is cut at a
 * character and still closed, as long as two bytes are left.
 */
void pu_json_quote(pu_buf_t *b, pu_str_t s);

/* Writes a text of words as an array of strings. */
void pu_json_words(pu_buf_t *b, pu_str_t words);


#endif /* PU_JSON_H */
