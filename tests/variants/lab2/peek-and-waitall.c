/* Looks before it takes (MSG_PEEK), and lets the kernel collect (MSG_WAITALL, in a loop). */
#include "client_recv.h"
#include "dial.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static ssize_t receive(int fd, void *buf, size_t len, int flags)
{
    ssize_t n;
    while ((n = recv(fd, buf, len, flags)) == -1 && errno == EINTR)
        continue;
    return n;
}

ssize_t recv_some(int fd, void *buf, size_t cap)
{
    return receive(fd, buf, cap, 0);
}

ssize_t recv_exactly(int fd, void *buf, size_t len)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = receive(fd, (char *)buf + got, len - got, MSG_WAITALL);
        if (n == -1)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

ssize_t recv_line(int fd, char *line, size_t cap)
{
    if (cap < 2) {
        errno = EINVAL;
        return -1;
    }
    size_t len = 0;
    bool ended = false;
    while (!ended && len + 1 < cap) {
        ssize_t seen = receive(fd, line + len, cap - 1 - len, MSG_PEEK);
        if (seen == -1)
            return -1;
        if (seen == 0)
            break;
        const char *newline = memchr(line + len, '\n', (size_t)seen);
        ended = newline != NULL;
        size_t take = ended ? (size_t)(newline - (line + len)) + 1 : (size_t)seen;
        if (recv_exactly(fd, line + len, take) != (ssize_t)take)
            return -1;
        len += take;
    }
    if (!ended && len + 1 == cap) {
        errno = EMSGSIZE;
        return -1;
    }
    line[len] = '\0';
    return (ssize_t)len;
}

/* Looks at the header until it is whole, without taking it; then takes both. */
int recv_message(int fd, void *buf, size_t cap, size_t *len)
{
    uint8_t header[4];
    ssize_t n = recv_exactly(fd, header, sizeof header);
    if (n <= 0)
        return (int)n;
    if (n != sizeof header) {
        errno = EPROTO;
        return -1;
    }
    uint32_t body;
    memcpy(&body, header, sizeof body);
    body = ntohl(body);
    if (cap < body) {
        errno = EMSGSIZE;
        return -1;
    }
    n = recv_exactly(fd, buf, body);
    if (n >= 0 && n < (ssize_t)body) {
        errno = EPROTO;
        n = -1;
    }
    if (n == -1)
        return -1;
    *len = body;
    return 1;
}

int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len)
{
    enum { STEP = 10000 };
    *reply = NULL;
    *reply_len = 0;
    int fd = dial(ip, port, request, len);
    if (fd == -1)
        return -1;
    size_t room = STEP, got = 0;
    char *block = malloc(room);
    int error = block == NULL ? ENOMEM : shutdown(fd, SHUT_WR) == -1 ? errno : 0;
    while (error == 0) {
        ssize_t n = recv_exactly(fd, block + got, room - got); /* fewer: the end */
        if (n == -1) {
            error = errno;
            break;
        }
        got += (size_t)n;
        if (got < room)
            break;
        char *larger = realloc(block, room += STEP);
        if (larger == NULL)
            error = ENOMEM;
        else
            block = larger;
    }
    close(fd);
    if (error != 0) {
        free(block);
        errno = error;
        return -1;
    }
    *reply = block;
    *reply_len = got;
    return 0;
}
