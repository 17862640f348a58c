/* Waits in poll(), receives from a non-blocking socket, and asks as often as it must. */
#include "client_recv.h"
#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

static int wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    int ready;
    do
        ready = poll(&one, 1, -1);
    while (ready == -1 && errno == EINTR);
    return ready;
}

ssize_t recv_some(int fd, void *buf, size_t cap)
{
    for (;;) {
        if (wait_for(fd, POLLIN) == -1)
            return -1;
        ssize_t n = recv(fd, buf, cap, MSG_DONTWAIT);
        if (n != -1 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
            return n;
    }
}

static ssize_t fill(int fd, char *at, const char *end)
{
    char *begin = at;
    while (at != end) {
        ssize_t n = recv_some(fd, at, (size_t)(end - at));
        if (n == 0)
            break;
        if (n == -1)
            return -1;
        at += n;
    }
    return at - begin;
}

ssize_t recv_exactly(int fd, void *buf, size_t len)
{
    return fill(fd, buf, (char *)buf + len);
}

ssize_t recv_line(int fd, char *line, size_t cap)
{
    if (cap < 2) {
        errno = EINVAL;
        return -1;
    }
    for (size_t len = 0; len < cap - 1;) {
        char byte;
        switch (recv_some(fd, &byte, 1)) {
        case -1:
            return -1;
        case 0:
            line[len] = '\0';
            return (ssize_t)len;
        default:
            line[len++] = byte;
            line[len] = '\0';
            if (byte == '\n')
                return (ssize_t)len;
        }
    }
    errno = EMSGSIZE;
    return -1;
}

int recv_message(int fd, void *buf, size_t cap, size_t *len)
{
    uint32_t header = 0;
    ssize_t n = recv_exactly(fd, &header, 4);
    if (n == 0 || n == -1)
        return (int)n;
    *len = ntohl(header);
    if (n == 4 && *len > cap) {
        errno = EMSGSIZE;
        return -1;
    }
    if (n == 4)
        n = recv_exactly(fd, buf, *len) - (ssize_t)*len;
    else
        n = -2;
    if (n == 0)
        return 1;
    if (n == -1 - (ssize_t)*len && errno != 0 && errno != EAGAIN)
        return -1;
    errno = EPROTO;
    return -1;
}

int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len)
{
    *reply = NULL;
    int fd = dial(ip, port, request, len), result = -1, error;
    if (fd == -1)
        return -1;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    char *data = calloc(1, 1);
    size_t got = 0, room = 1;
    if (data == NULL || shutdown(fd, SHUT_WR) == -1)
        goto out;
    for (;;) {
        ssize_t n = recv_some(fd, data + got, room - got);
        if (n == -1)
            goto out;
        if (n == 0)
            break;
        got += (size_t)n;
        if (got == room) {
            char *more = realloc(data, room * 3);
            if (more == NULL)
                goto out;
            data = more;
            room *= 3;
        }
    }
    result = 0;
out:
    error = errno;
    close(fd);
    if (result == 0) {
        *reply = data;
        *reply_len = got;
    } else
        free(data);
    errno = error;
    return result;
}
