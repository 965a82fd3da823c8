/*
 * held: how many blocks of memory there are, and none when it is told so.
 *
 * For one program that includes it and defines before what NO_MEMORY() is: a
 * helper of all of them would stand in front of everybody's memory.  The
 * count stays 0 with AddressSanitizer, which has its own malloc.
 */

#ifndef HELD_H
#define HELD_H

#include <stddef.h>


static long  held;                      /* by anybody */


#ifndef __SANITIZE_ADDRESS__

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void __libc_free(void *p);


static void *
counted(void *p)
{
    held += (p != NULL);

    return p;
}


void *
malloc(size_t size)
{
    return NO_MEMORY() ? NULL : counted(__libc_malloc(size));
}


void *
calloc(size_t n, size_t size)
{
    return NO_MEMORY() ? NULL : counted(__libc_calloc(n, size));
}


void *
realloc(void *p, size_t size)
{
    return (p == NULL) ? counted(__libc_malloc(size))
                       : __libc_realloc(p, size);
}


void
free(void *p)
{
    held -= (p != NULL);
    __libc_free(p);
}

#endif


#endif /* HELD_H */
