/* Nonblocking connections and epoll; the option comes right after socket(). */
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "table.h"

static int drain(int fd)
{
    int result = -1, queue = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (queue == -1)
        return -1;
    if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event) == -1)
        goto out;
    for (;;) {
        char buffer[512];
        struct iovec piece = {buffer, sizeof buffer};
        struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
        ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
        if (n == 0) {
            result = 0;
            break;
        }
        if (n == -1 && errno == EAGAIN)
            epoll_wait(queue, &event, 1, -1);
        else if (n == -1 && errno != EINTR)
            break;
    }
out:;
    int error = errno;
    close(queue);
    errno = error;
    return result;
}

int close_last(int connection)
{
    fcntl(connection, F_SETFL, O_NONBLOCK);
    int result = drain(connection), error = errno;
    close(connection);
    errno = error;
    return result;
}

int close_first(int connection)
{
    if (shutdown(connection, SHUT_WR) == 0)
        return close_last(connection);
    int error = errno;
    close(connection);
    errno = error;
    return -1;
}

static int open_socket(bool reuse)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = -1;
    if (fd != -1 && reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse)
{
    struct sockaddr_storage room = {0};
    struct sockaddr_in *address = (struct sockaddr_in *)&room;
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
    if (ip != NULL && ip[0] && inet_pton(AF_INET, ip, &address->sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = open_socket(reuse);
    if (fd == -1)
        return -1;
    if (bind(fd, (struct sockaddr *)address, sizeof *address) == 0 && listen(fd, backlog) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int reuse_enabled(int fd)
{
    int on;
    return getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &(socklen_t){sizeof on}) == -1 ? -1 : on == 1;
}

enum port_state port_state(uint16_t port)
{
    static const signed char meanings[TCP_CLOSING + 1] = {
        [TCP_ESTABLISHED] = PORT_CONNECTED, [TCP_SYN_SENT] = PORT_CONNECTED, [TCP_SYN_RECV] = PORT_CONNECTED,
        [TCP_FIN_WAIT1] = PORT_CONNECTED,   [TCP_FIN_WAIT2] = PORT_CONNECTED, [TCP_TIME_WAIT] = PORT_TIME_WAIT,
        [TCP_CLOSE] = PORT_CONNECTED,       [TCP_CLOSE_WAIT] = PORT_CONNECTED, [TCP_LAST_ACK] = PORT_CONNECTED,
        [TCP_LISTEN] = PORT_LISTENING,      [TCP_CLOSING] = PORT_CONNECTED,
    };
    size_t count = 0;
    struct table_entry *table = read_table(&count);
    bool seen[PORT_LISTENING + 1] = {false};
    for (size_t i = 0; table != NULL && i < count; i++)
        if (table[i].local_port == port)
            seen[meanings[table[i].state]] = true;
    int error = errno;
    bool known = table != NULL;
    free(table);
    errno = error;
    for (int state = PORT_LISTENING; known && state > PORT_FREE; state--)
        if (seen[state])
            return (enum port_state)state;
    return known ? PORT_FREE : PORT_UNKNOWN;
}
