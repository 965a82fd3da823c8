/*
 * pu_memory: the reserve and the functions that two libraries get for malloc
 * and free.
 *
 * Whoever has objects of jansson from before may give them back through these:
 * what is not in the block is malloc's.
 */

#include <errno.h>
#include <stdlib.h>

#include <cjose/cjose.h>

#include "pu_memory.h"


/* What the parser makes of a byte of text, "[{},{}," being the most. */
#define PU_MEMORY_JSON   128
#define PU_MEMORY_ALIGN  16

/*
 * Enough for every token.  Pages nobody writes to are not there: this costs
 * address space, where a block for each token would cost malloc a walk through
 * all it has in store when it is given back.
 */
#define PU_MEMORY_OWN    (1024 * 1024)


typedef struct {
    uint8_t  *data;                     /* NULL: not open */
    size_t    size;
    size_t    used;
    uint8_t   own[PU_MEMORY_OWN] __attribute__((aligned(PU_MEMORY_ALIGN)));
} pu_memory_t;


static pu_memory_t *
pu_memory(void)
{
    static pu_memory_t  reserve;

    return &reserve;
}


static int
pu_memory_has(const void *p)
{
    const pu_memory_t  *m;

    m = pu_memory();

    return m->data != NULL && (const uint8_t *) p >= m->data
           && (const uint8_t *) p < m->data + m->size;
}


/* Each piece has its size in front. */
static void *
pu_memory_take(size_t size)
{
    size_t        whole;
    uint8_t      *p;
    pu_memory_t  *m;

    m = pu_memory();
    whole = (size + 2 * PU_MEMORY_ALIGN - 1) & ~(size_t) (PU_MEMORY_ALIGN - 1);

    if (m->data == NULL || whole < size || whole > m->size - m->used) {
        return NULL;
    }

    p = m->data + m->used;
    m->used += whole;

    memcpy(p, &size, sizeof(size_t));

    return p + PU_MEMORY_ALIGN;
}


/* glibc may have tried in vain before it found some: errno is for refusals. */
static void *
pu_memory_alloc(size_t size)
{
    int    saved;
    void  *p;

    saved = errno;
    p = malloc(size);

    if (p == NULL) {
        return pu_memory_take(size);
    }

    errno = saved;

    return p;
}


static void *
pu_memory_realloc(void *old, size_t size)
{
    void    *p;
    size_t   had;

    if (old != NULL && !pu_memory_has(old)) {
        p = realloc(old, size);

        if (p != NULL || size == 0) {
            return p;
        }

        /* it is not known how long it is, and it must not be lost */

        return NULL;
    }

    p = pu_memory_alloc(size);

    if (p != NULL && old != NULL) {
        memcpy(&had, (uint8_t *) old - PU_MEMORY_ALIGN, sizeof(size_t));
        memcpy(p, old, had < size ? had : size);
    }

    return p;
}


static void
pu_memory_free(void *p)
{
    if (!pu_memory_has(p)) {
        free(p);
    }
}


int
pu_memory_open(size_t size)
{
    pu_memory_t  *m;

    m = pu_memory();

    m->data = (size <= PU_MEMORY_OWN) ? m->own : malloc(size);
    m->size = size;
    m->used = 0;

    /* cjose hands them on to jansson */

    cjose_set_alloc_funcs(pu_memory_alloc, pu_memory_realloc, pu_memory_free);

    return m->data != NULL;
}


int
pu_memory_used(void)
{
    return pu_memory()->used != 0;
}


void
pu_memory_close(void)
{
    pu_memory_t  *m;

    m = pu_memory();

    if (m->data != m->own) {
        free(m->data);
    }

    m->data = NULL;

    /* others may use the libraries when this code is no longer loaded */

    cjose_set_alloc_funcs(malloc, realloc, free);

    if (m->used) {
        errno = ENOMEM;
    }
}


json_t *
pu_memory_json(pu_str_t text, size_t flags)
{
    json_t  *value;

    if (text.len > SIZE_MAX / PU_MEMORY_JSON / 2
        || !pu_memory_open(text.len * PU_MEMORY_JSON + 4096))
    {
        return NULL;
    }

    value = json_loadb((const char *) text.data, text.len, flags, NULL);

    if (pu_memory_used()) {
        json_decref(value);
        value = NULL;
    }

    pu_memory_close();

    return value;
}


void
pu_memory_watch(void)
{
    errno = 0;
}


int
pu_memory_short(void)
{
    return errno == ENOMEM;
}


pu_reason_t
pu_memory_reason(pu_reason_t reason)
{
    return (reason != PU_OK && pu_memory_short()) ? PU_INTERNAL : reason;
}
