/* Wrong: it sends the NUL too, and the report must name that. */
#include "hello.h"

#include "dial.h"

int hello(const char *ip, uint16_t port)
{
    int fd = dial(ip, port, NULL, 0);
    if (fd == -1)
        return -1;
    ssize_t n = send(fd, "hello\n", sizeof "hello\n", MSG_NOSIGNAL);
    close(fd);
    return n == -1 ? -1 : 0;
}
