/* getaddrinfo() with AI_NUMERICHOST, MSG_WAITALL in a loop, a switch over all states. */
#include "reuseaddr.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "table.h"

static int finish(int connection, int result)
{
    int error = errno;
    close(connection);
    errno = error;
    return result;
}

static int swallow(int connection)
{
    static char sink[1 << 16];
    ssize_t n;
    while ((n = recv(connection, sink, sizeof sink, MSG_WAITALL)) != 0)
        if (n == -1 && errno != EINTR)
            return -1;
    return 0;
}

/* What shutdown() says doesn't matter: if the peer has reset, recv() says so too. */
int close_first(int connection)
{
    shutdown(connection, SHUT_WR);
    return finish(connection, swallow(connection));
}

int close_last(int connection)
{
    int result = swallow(connection);
    if (result == 0)
        shutdown(connection, SHUT_RDWR);
    return finish(connection, result);
}

int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(ip == NULL || ip[0] == '\0' ? NULL : ip, service, &hints, &found) != 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, found->ai_protocol), on = 42, error;
    if (fd == -1)
        goto free_only;
    if (reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        goto close_too;
    if (bind(fd, found->ai_addr, found->ai_addrlen) != 0)
        goto close_too;
    if (listen(fd, backlog) == 0) {
        freeaddrinfo(found);
        return fd;
    }
close_too:
    finish(fd, -1);
free_only:
    error = errno;
    freeaddrinfo(found);
    errno = error;
    return -1;
}

int reuse_enabled(int fd)
{
    unsigned char on;
    socklen_t size = sizeof on;
    if (getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &size) != 0)
        return -1;
    return on ? 1 : 0;
}

static int rank(int state)
{
    switch (state) {
    case TCP_LISTEN:
        return PORT_LISTENING;
    case TCP_ESTABLISHED:
    case TCP_SYN_SENT:
    case TCP_SYN_RECV:
    case TCP_FIN_WAIT1:
    case TCP_FIN_WAIT2:
    case TCP_CLOSE_WAIT:
    case TCP_LAST_ACK:
    case TCP_CLOSING:
        return PORT_CONNECTED;
    case TCP_TIME_WAIT:
        return PORT_TIME_WAIT;
    }
    return PORT_FREE;
}

enum port_state port_state(uint16_t port)
{
    size_t count;
    struct table_entry *table = read_table(&count);
    int found = PORT_UNKNOWN;
    if (table != NULL) {
        found = PORT_FREE;
        while (count-- > 0)
            if (table[count].local_port == port && rank(table[count].state) > found)
                found = rank(table[count].state);
        free(table);
    }
    return (enum port_state)found;
}
