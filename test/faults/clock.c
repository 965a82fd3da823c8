/*
 * Steps the wall clock of one process: preloaded into nginx, told how far by a
 * file that a test writes into.  The machine's own clock and the monotonic one
 * stay what they are, as when somebody sets the time.
 *
 * FAULT_CLOCK names the file, which holds the seconds as an int64_t.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


static volatile int64_t *offset;


__attribute__((constructor))
static void
fault_init(void)
{
    int         fd;
    void       *p;
    const char *name;

    name = getenv("FAULT_CLOCK");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDONLY);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        offset = p;
    }
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc;

    rc = (int) syscall(SYS_clock_gettime, id, ts);

    if (rc == 0 && offset
        && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    {
        ts->tv_sec += *offset;
    }

    return rc;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec ts;

    (void) tz;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return -1;
    }

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}


time_t
time(time_t *t)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
        return -1;
    }

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
