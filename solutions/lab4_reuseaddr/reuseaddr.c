/* Lab 4, SO_REUSEADDR: a reference. README.md beside it says why it is so and
 * what else is right. */
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "table.h"

enum { BUFFER_SIZE = 4096 };

/* close may change errno, and the caller wants that of the call that failed. */
static void close_quietly(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
}

/* ---- the end of a conversation ----------------------------------------------- */

/* Takes what still comes, until the peer has ended its side. Bytes left unread
 * would make close a reset. 0, or -1 with errno. */
static int drain(int connection)
{
    for (;;) {
        char buffer[BUFFER_SIZE];
        ssize_t n = recv(connection, buffer, sizeof buffer, 0);
        if (n == 0)
            return 0;
        if (n == -1 && errno != EINTR)
            return -1;
    }
}

int close_first(int connection)
{
    int result = shutdown(connection, SHUT_WR);
    if (result == 0)
        result = drain(connection);
    close_quietly(connection);
    return result;
}

int close_last(int connection)
{
    int result = drain(connection);
    close_quietly(connection);
    return result;
}

/* ---- the listener ------------------------------------------------------------ */

/* 0, or -1 with EINVAL: inet_pton() itself says "bad text" by 0. */
static int fill_address(struct sockaddr_in *address, const char *ip, uint16_t port)
{
    *address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_ANY),
    };
    if (ip == NULL || ip[0] == '\0')
        return 0;
    if (inet_pton(AF_INET, ip, &address->sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

/* bind looks at the option and never again: afterwards it is too late. */
static int set_reuse(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse)
{
    struct sockaddr_in address;
    if (fill_address(&address, ip, port) == -1)
        return -1;

    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener == -1)
        return -1;
    if (reuse && set_reuse(listener) == -1)
        goto fail;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == -1)
        goto fail;
    if (listen(listener, backlog) == -1)
        goto fail;
    return listener;

fail:
    close_quietly(listener);
    return -1;
}

int reuse_enabled(int fd)
{
    int on;
    socklen_t size = sizeof on;
    if (getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &size) == -1)
        return -1;
    return on != 0;
}

/* ---- what holds a port ------------------------------------------------------- */

/* What one socket means for its port. */
static enum port_state meaning(int state)
{
    if (state == TCP_LISTEN)
        return PORT_LISTENING;
    if (state == TCP_TIME_WAIT)
        return PORT_TIME_WAIT;
    return PORT_CONNECTED; /* half-closed, half-opened: a program still has it, or the kernel sends its rest */
}

enum port_state port_state(uint16_t port)
{
    size_t count;
    struct table_entry *table = read_table(&count);
    if (table == NULL)
        return PORT_UNKNOWN;

    enum port_state found = PORT_FREE;
    for (size_t i = 0; i < count; i++) {
        enum port_state one = meaning(table[i].state);
        if (table[i].local_port == port && one > found)
            found = one;
    }
    free(table);
    return found;
}
