/*
 * Makes one allocation of one process fail: preloaded into nginx, told when by
 * a file that a test writes into.  Not a part of the module, and no more than
 * malloc's own functions: pools become such calls when they are made small.
 *
 * FAULT_MEMORY names the file, which holds a fault_t.  While "pid" is the
 * process's own, or -1, every allocation is counted; the one numbered "at"
 * fails, and with "on" also all that follow.  FAULT_MEMORY_OF: only those that
 * a file asks for whose name begins so.
 */

#define _GNU_SOURCE                     /* dladdr */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>


typedef struct {
    int64_t  pid;
    int64_t  at;
    int64_t  on;
    int64_t  count;
    int64_t  who;       /* where the one that failed was asked for */
} fault_t;


/* What glibc calls its own when it is asked for by another name. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);


static volatile fault_t *fault;
static const char       *of;


__attribute__((constructor))
static void
fault_init(void)
{
    int         fd;
    void       *p;
    const char *name;

    of = getenv("FAULT_MEMORY_OF");
    name = getenv("FAULT_MEMORY");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(fault_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        fault = p;
    }
}


/* dladdr is slow, and the same pages ask all the time. */

static int
fault_of(void *who)
{
    size_t       page;
    Dl_info      info;
    const char  *name;

    static size_t  pages[4096];

    page = (size_t) who >> 12;

    if (pages[page % 4096] >> 1 == page) {
        return pages[page % 4096] & 1;
    }

    pages[page % 4096] = page << 1;

    if (dladdr(who, &info) != 0) {
        name = strrchr(info.dli_fname, '/');
        name = name ? name + 1 : info.dli_fname;
        pages[page % 4096] |= strncmp(name, of, strlen(of)) == 0;
    }

    return pages[page % 4096] & 1;
}


static int
fault_now(void *who)
{
    int64_t n;

    if (fault == NULL || fault->pid == 0
        || (fault->pid != -1 && fault->pid != getpid()))
    {
        return 0;
    }

    if (of != NULL && !fault_of(who)) {
        return 0;
    }

    n = __atomic_add_fetch(&fault->count, 1, __ATOMIC_RELAXED);

    if (n < fault->at || (n > fault->at && !fault->on)) {
        return 0;
    }

    if (n == fault->at) {
        fault->who = (int64_t) (intptr_t) who;
    }

    errno = ENOMEM;
    return 1;
}


void *
malloc(size_t size)
{
    return fault_now(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return fault_now(__builtin_return_address(0)) ? NULL
                                                  : __libc_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    if (size && fault_now(__builtin_return_address(0))) {
        return NULL;
    }

    return __libc_realloc(p, size);
}


void *
memalign(size_t alignment, size_t size)
{
    return fault_now(__builtin_return_address(0))
           ? NULL : __libc_memalign(alignment, size);
}


void *
aligned_alloc(size_t alignment, size_t size)
{
    return fault_now(__builtin_return_address(0))
           ? NULL : __libc_memalign(alignment, size);
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    void *q;

    if (fault_now(__builtin_return_address(0))) {
        return ENOMEM;
    }

    q = __libc_memalign(alignment, size);
    if (q == NULL) {
        return ENOMEM;
    }

    *p = q;
    return 0;
}
