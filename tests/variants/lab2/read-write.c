/* read() and write(), a loop of its own for each function, one exit each. */
#include "client_recv.h"
#include "dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

ssize_t recv_some(int fd, void *buf, size_t cap)
{
    for (;;) {
        ssize_t got = read(fd, buf, cap);
        if (got >= 0 || errno != EINTR)
            return got;
    }
}

ssize_t recv_exactly(int fd, void *buf, size_t len)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n = read(fd, (unsigned char *)buf + got, len - got);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        } else if (!n)
            return (ssize_t)got;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

ssize_t recv_line(int fd, char *line, size_t cap)
{
    if (cap < 2)
        return errno = EINVAL, -1;
    size_t at = 0;
    while (at < cap - 1) {
        ssize_t n = recv_exactly(fd, &line[at], 1);
        if (n < 0)
            return -1;
        if (n == 0 || line[at++] == '\n') {
            line[at] = 0;
            return (ssize_t)at;
        }
    }
    errno = EMSGSIZE;
    return -1;
}

int recv_message(int fd, void *buf, size_t cap, size_t *len)
{
    unsigned char h[4];
    ssize_t n = recv_exactly(fd, h, 4);
    if (n <= 0)
        return (int)n;
    uint32_t want = (uint32_t)h[0] << 24 | (uint32_t)h[1] << 16 | (uint32_t)h[2] << 8 | h[3];
    if (n == 4 && want > cap)
        return errno = EMSGSIZE, -1;
    if (n == 4 && (n = recv_exactly(fd, buf, want)) == (ssize_t)want)
        return *len = want, 1;
    if (n != -1)
        errno = EPROTO;
    return -1;
}

int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len)
{
    char *all = NULL, piece[3000];
    size_t total = 0;
    ssize_t n = -1;
    *reply = NULL;
    int fd = dial(ip, port, NULL, 0);
    if (fd < 0)
        return -1;
    for (size_t sent = 0; sent < len;) {
        ssize_t w = send(fd, (const char *)request + sent, len - sent, MSG_NOSIGNAL);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            goto out;
        sent += (size_t)w;
    }
    if (shutdown(fd, SHUT_WR) < 0)
        goto out;
    while ((n = recv_some(fd, piece, sizeof piece)) > 0) {
        char *more = realloc(all, total + (size_t)n + 1);
        if (!more) {
            n = -1;
            break;
        }
        all = more;
        memcpy(all + total, piece, (size_t)n);
        total += (size_t)n;
        all[total] = '\0';
    }
out:;
    int keep = errno;
    close(fd);
    if (n < 0) {
        free(all);
        errno = keep;
        return -1;
    }
    *reply = all; /* NULL for an empty reply */
    *reply_len = total;
    return 0;
}
