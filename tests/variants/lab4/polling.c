/* poll() before each read(), one function for both ends, and the option set to whatever reuse is. */
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "table.h"

static int wait_for_bytes(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int ready;
    do
        ready = poll(&one, 1, -1);
    while (ready == -1 && errno == EINTR);
    return ready;
}

static int end(int fd, bool first)
{
    int result = -1, error;
    char byte[17];
    ssize_t n = 1;
    if (first && shutdown(fd, SHUT_WR) == -1)
        goto out;
    while (n != 0) {
        if (wait_for_bytes(fd) == -1)
            goto out;
        n = read(fd, byte, sizeof byte);
        if (n < 0) {
            if (errno != EINTR)
                goto out;
            n = 1;
        }
    }
    result = 0;
out:
    error = errno;
    close(fd);
    errno = error;
    return result;
}

int close_first(int connection)
{
    return end(connection, true);
}

int close_last(int connection)
{
    return end(connection, false);
}

int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (ip != NULL && *ip != '\0' && inet_pton(AF_INET, ip, &address.sin_addr) <= 0) {
        errno = EINVAL;
        return -1;
    }
    int on = reuse ? 1 : 0;
    int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, backlog) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int reuse_enabled(int fd)
{
    int value = 0;
    socklen_t length = sizeof value;
    int result = getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &length);
    return result < 0 ? -1 : !!value;
}

enum port_state port_state(uint16_t port)
{
    size_t left;
    struct table_entry *all = read_table(&left), *one = all;
    int listeners = 0, connections = 0, rests = 0;
    if (all == NULL)
        return PORT_UNKNOWN;
    for (; left > 0; left--, one++) {
        if (one->local_port != port)
            continue;
        listeners += one->state == TCP_LISTEN;
        rests += one->state == TCP_TIME_WAIT;
        connections += one->state != TCP_LISTEN && one->state != TCP_TIME_WAIT;
    }
    free(all);
    return listeners ? PORT_LISTENING : connections ? PORT_CONNECTED : rests ? PORT_TIME_WAIT : PORT_FREE;
}
