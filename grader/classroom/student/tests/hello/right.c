/* Right: 100 points. dial() is what lab 2 gives. */
#include "hello.h"

#include "dial.h"

int hello(const char *ip, uint16_t port)
{
    int fd = dial(ip, port, NULL, 0);
    if (fd == -1)
        return -1;
    ssize_t n = send(fd, "hello\n", 6, MSG_NOSIGNAL);
    close(fd);
    return n == -1 ? -1 : 0;
}
