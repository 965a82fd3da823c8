/*
 * Makes each connect() of a process late: preloaded into nginx, so that who
 * accepts has said and done all it wants before nginx writes its first byte.
 *
 * Does nothing without FAULT_CONNECT, the microseconds.
 */

#define _GNU_SOURCE

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>


static useconds_t late;


/* nginx keeps little of its environment. */
__attribute__((constructor))
static void
fault_init(void)
{
    const char *us;

    us = getenv("FAULT_CONNECT");

    if (us) {
        late = (useconds_t) atoi(us);
    }
}


int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
    int rc;

    rc = (int) syscall(SYS_connect, fd, address, len);
    usleep(late);

    return rc;
}
