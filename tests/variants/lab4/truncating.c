/* recv() with MSG_TRUNC, which takes bytes without storing them; the table sorted first. */
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "table.h"

static uint16_t wanted;

int close_last(int connection)
{
    for (;;) {
        ssize_t n = recv(connection, NULL, 1 << 20, MSG_TRUNC);
        if (n > 0 || (n == -1 && errno == EINTR))
            continue;
        int error = errno;
        close(connection);
        errno = error;
        return n == 0 ? 0 : -1;
    }
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

int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse)
{
    struct sockaddr_in here = {AF_INET, htons(port), {INADDR_ANY}, {0}};
    if (ip != NULL && ip[0] != '\0' && inet_pton(AF_INET, ip, &here.sin_addr) != 1)
        return errno = EINVAL, -1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1)
        return -1;
    int bad = reuse ? setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) : 0;
    bad = bad ? bad : bind(fd, (const struct sockaddr *)&here, sizeof here);
    bad = bad ? bad : listen(fd, backlog);
    if (!bad)
        return fd;
    int error = errno;
    close(fd);
    return errno = error, -1;
}

int reuse_enabled(int fd)
{
    struct linger room = {0, 0}; /* larger than an int: the kernel says how much it used */
    socklen_t size = sizeof room;
    if (getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &room, &size) == -1)
        return -1;
    return room.l_onoff != 0;
}

static int weight(const struct table_entry *one)
{
    if (one->local_port != wanted)
        return 0;
    return one->state == TCP_LISTEN ? 3 : one->state == TCP_TIME_WAIT ? 1 : 2;
}

static int compare(const void *one, const void *other)
{
    return weight(other) - weight(one);
}

enum port_state port_state(uint16_t port)
{
    size_t count;
    struct table_entry *table = read_table(&count);
    if (table == NULL)
        return PORT_UNKNOWN;
    wanted = port;
    qsort(table, count, sizeof *table, compare);
    int most = count > 0 ? weight(&table[0]) : 0;
    free(table);
    return (enum port_state)most;
}
