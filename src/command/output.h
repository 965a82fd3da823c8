/*
 * output: what people and programs read.
 *
 * Everything that came from Redis or from an argument goes through here
 * before it meets a terminal.
 */

#ifndef OUTPUT_H
#define OUTPUT_H

#include <jansson.h>
#include <stdio.h>

#include "pu_str.h"


/* The exit codes. */
enum {
    EXIT_DONE = 0,
    EXIT_REFUSED,                       /* or not found */
    EXIT_USAGE,
    EXIT_UNREACHABLE
};


/* One sentence to stderr, "proxy-user: ..."; returns "code". */
int fail(int code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* malloc, which the caller frees; without memory it ends the command. */
void *output_alloc(size_t size);


/*
 * Writes "s" with what could steer a terminal made visible: control bytes
 * and what is not UTF-8 as \xNN, marks that reverse the reading direction as
 * \uNNNN.  Returns the number of characters written.
 */
size_t output_text(FILE *out, pu_str_t s);


/* Rows of columns, as wide as the widest cell.  Owns what its cells hold. */
#define TABLE_COLUMNS_MAX  16

typedef struct {
    size_t   len;
    char    *data;
} table_cell_t;

typedef struct {
    size_t         columns;
    size_t         n;                   /* cells */
    size_t         size;
    table_cell_t  *cells;
} table_t;

void table_init(table_t *table, size_t columns);
void table_free(table_t *table);

/* The next cell, left to right; empty is shown as "-". */
void table_add(table_t *table, pu_str_t cell);
void table_print(const table_t *table, FILE *out);


/* A JSON string; bytes that are not UTF-8 become U+FFFD. */
json_t *output_json(pu_str_t s);

/* One document and a line feed to stdout; takes the reference. */
void output_json_print(json_t *value);


/* "2026-01-31T12:00:00Z"; "ms" adds three digits.  A C string in "out". */
#define OUTPUT_TIME_SIZE  64

void output_time(char out[OUTPUT_TIME_SIZE], int64_t seconds);
void output_time_ms(char out[OUTPUT_TIME_SIZE], uint64_t ms);

/*
 * Has everything reached stdout?  "code", or EXIT_REFUSED and a sentence; a
 * reader who has gone away (as head does) is no error.
 */
int output_end(int code);


#endif /* OUTPUT_H */
