/*
 * moment: a time on the command line: seconds since 1970, a date, or a span
 * such as 30m, whose direction the option says.
 */

#ifndef MOMENT_H
#define MOMENT_H

#include <stdint.h>


/* 1 and *seconds, less than zero for a span; or 0. */
int moment_read(const char *text, int64_t *seconds);


#endif /* MOMENT_H */
