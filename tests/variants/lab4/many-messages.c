/* recvmmsg() with four messages, a parser of one's own for the address, qsort() for the table. */
#define _GNU_SOURCE
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "table.h"

int reuse_enabled(int fd)
{
    int value = 0;
    return getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &(socklen_t){sizeof value}) == -1 ? -1 : !!value;
}

/* 0 or the error of close; EINTR is none: on Linux the descriptor is closed all the same. */
static int close_error(int fd)
{
    return close(fd) == 0 || errno == EINTR ? 0 : errno;
}

static int end_mine(int fd)
{
    return TEMP_FAILURE_RETRY(shutdown(fd, SHUT_WR)) == 0 ? 0 : errno;
}

static int take_all(int fd)
{
    enum { MANY = 4, EACH = 4000 };
    char pits[MANY][EACH];
    for (;;) {
        struct iovec v[MANY];
        struct mmsghdr m[MANY] = {{.msg_len = 0}};
        for (int i = 0; i < MANY; i++) {
            v[i] = (struct iovec){pits[i], EACH};
            m[i].msg_hdr.msg_iov = &v[i];
            m[i].msg_hdr.msg_iovlen = 1;
        }
        int count = recvmmsg(fd, m, MANY, MSG_WAITFORONE, NULL);
        if (count == -1 && errno != EINTR)
            return errno;
        while (count-- > 0)
            if (m[count].msg_len == 0)
                return 0;
    }
}

static int answer(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

int close_first(int connection)
{
    int error = end_mine(connection);
    if (error == 0)
        error = take_all(connection);
    int late = close_error(connection);
    return answer(error != 0 ? error : late);
}

int close_last(int connection)
{
    int error = take_all(connection);
    if (error == 0)
        error = end_mine(connection);
    int late = close_error(connection);
    return answer(error != 0 ? error : late);
}

static bool dotted(const char *s, uint32_t *host_order)
{
    *host_order = 0;
    for (int part = 0; part < 4; part++) {
        unsigned n = 0;
        int digits = 0;
        if (part > 0 && *s++ != '.')
            return false;
        for (; *s >= '0' && *s <= '9'; s++) {
            if (digits > 0 && n == 0) /* a leading zero */
                return false;
            n = 10 * n + (unsigned)(*s - '0');
            if (++digits > 3 || n > 255)
                return false;
        }
        if (digits == 0)
            return false;
        *host_order = *host_order << 8 | n;
    }
    return *s == '\0';
}

int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse)
{
    uint32_t address = 0;
    if (ip != NULL && ip[0] && !dotted(ip, &address))
        return answer(EINVAL);
    struct sockaddr_in at;
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    int error = 0, value = reuse ? 1 : 0;
    error = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof value) ? errno : 0;
    error = error ? error : bind(fd, (struct sockaddr *)&at, sizeof at) ? errno : 0;
    error = error ? error : listen(fd, backlog) ? errno : 0;
    if (error == 0)
        return fd;
    close(fd);
    return answer(error);
}

static enum port_state rank(const struct table_entry *e, uint16_t port)
{
    if (e->local_port != port)
        return PORT_FREE;
    return e->state == TCP_LISTEN ? PORT_LISTENING : e->state == TCP_TIME_WAIT ? PORT_TIME_WAIT : PORT_CONNECTED;
}

static int by_rank(const void *a, const void *b, void *port)
{
    return (int)rank(a, *(uint16_t *)port) - (int)rank(b, *(uint16_t *)port);
}

enum port_state port_state(uint16_t port)
{
    size_t count = 0;
    struct table_entry *t = read_table(&count);
    if (!t)
        return PORT_UNKNOWN;
    enum port_state state = PORT_FREE;
    if (count > 0) {
        qsort_r(t, count, sizeof *t, by_rank, &port);
        state = rank(&t[count - 1], port);
    }
    free(t);
    return state;
}
