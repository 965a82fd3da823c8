/*
 * lines: standard input, a line at a time.
 *
 * Whoever asks a question a line and waits for its answer must get it: before
 * it waits for more input, everything printed so far goes out.  Whoever pipes
 * a million lines pays for that once a buffer, not once a line.
 */

#ifndef LINES_H
#define LINES_H

#include "pu_str.h"


#define LINES_SIZE  (64 * 1024)

typedef struct {
    size_t   max;                       /* bytes of a line, less its end */
    size_t   start;
    size_t   end;
    int      eof;
    int      skipping;                  /* the rest of a long line */
    uint8_t  data[LINES_SIZE];
} lines_t;

typedef enum {
    LINE_READ = 0,
    LINE_TOO_LONG,                      /* skipped; it was never kept whole */
    LINE_END,
    LINE_FAILED                         /* errno says why */
} line_t;


/* "max" is less than LINES_SIZE - 2. */
void lines_init(lines_t *lines, size_t max);

/*
 * The next line without its LF or CR LF, valid until the next call.  A last
 * line without a line end counts.
 */
line_t lines_next(lines_t *lines, pu_str_t *line);


#endif /* LINES_H */
