/* recvmsg() and readv(), select() in front of each; header and body by two iovecs where it can. */
#include "client_recv.h"
#include "dial.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/uio.h>

static int wait_readable(int fd)
{
    for (;;) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        int ready = select(fd + 1, &set, NULL, NULL, NULL);
        if (ready != -1 || errno != EINTR)
            return ready;
    }
}

ssize_t recv_some(int fd, void *buf, size_t cap)
{
    struct iovec part = {.iov_base = buf, .iov_len = cap};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;
    do {
        if (wait_readable(fd) == -1)
            return -1;
        n = recvmsg(fd, &message, 0);
    } while (n == -1 && errno == EINTR);
    return n;
}

ssize_t recv_exactly(int fd, void *buf, size_t len)
{
    struct iovec part = {buf, len};
    while (part.iov_len != 0) {
        ssize_t n = readv(fd, &part, 1);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        if (n == 0)
            break;
        part.iov_base = (char *)part.iov_base + n;
        part.iov_len -= (size_t)n;
    }
    return (ssize_t)(len - part.iov_len);
}

ssize_t recv_line(int fd, char *line, size_t cap)
{
    if (cap < 2) {
        errno = EINVAL;
        return -1;
    }
    char *at = line, *last = line + cap - 1;
    *at = '\0';
    while (at < last) {
        ssize_t n = recv_exactly(fd, at, 1);
        if (n == -1)
            return -1;
        if (n == 0)
            break;
        if (*at++ == '\n')
            break;
    }
    if (at == last && at[-1] != '\n') {
        errno = EMSGSIZE;
        return -1;
    }
    *at = '\0';
    return at - line;
}

int recv_message(int fd, void *buf, size_t cap, size_t *len)
{
    uint8_t header[4];
    for (size_t got = 0; got < 4;) {
        ssize_t n = recv_some(fd, header + got, 4 - got);
        if (n == -1)
            return -1;
        if (n == 0) {
            errno = EPROTO;
            return got == 0 ? 0 : -1;
        }
        got += (size_t)n;
    }
    uint32_t length;
    memcpy(&length, header, 4);
    length = be32toh(length);
    if (length > cap) {
        errno = EMSGSIZE;
        return -1;
    }
    ssize_t n = recv_exactly(fd, buf, length);
    if (n == -1)
        return -1;
    if (n < (ssize_t)length) {
        errno = EPROTO;
        return -1;
    }
    *len = (size_t)n;
    return 1;
}

/* First into a list of pieces, then into one block. */
struct piece {
    struct piece *next;
    size_t len;
    char bytes[5000];
};

int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len)
{
    struct piece *first = NULL, **end = &first;
    size_t total = 0;
    int result = -1;
    *reply = NULL;
    *reply_len = 0;
    int fd = dial(ip, port, request, len);
    if (fd == -1)
        return -1;
    if (shutdown(fd, SHUT_WR) == -1)
        goto out;
    for (;;) {
        struct piece *piece = malloc(sizeof *piece);
        if (piece == NULL)
            goto out;
        piece->next = NULL;
        *end = piece;
        end = &piece->next;
        ssize_t n = recv_exactly(fd, piece->bytes, sizeof piece->bytes);
        if (n == -1)
            goto out;
        piece->len = (size_t)n;
        total += piece->len;
        if (piece->len < sizeof piece->bytes)
            break;
    }
    if (total > 0) {
        char *at = *reply = malloc(total);
        if (at == NULL)
            goto out;
        for (struct piece *piece = first; piece != NULL; piece = piece->next) {
            memcpy(at, piece->bytes, piece->len);
            at += piece->len;
        }
        *reply_len = total;
    }
    result = 0;
out:;
    int error = errno;
    while (first != NULL) {
        struct piece *next = first->next;
        free(first);
        first = next;
    }
    close(fd);
    errno = error;
    return result;
}
