/* Lab 2, client recv: a solution. README.md beside it says why it is so. */
#include "client_recv.h"
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096 };

ssize_t recv_some(int fd, void *buf, size_t cap)
{
    ssize_t n;
    do
        n = recv(fd, buf, cap, 0);
    while (n == -1 && errno == EINTR); /* nothing was taken: the same again */
    return n;
}

ssize_t recv_exactly(int fd, void *buf, size_t len)
{
    char *next = buf;
    size_t missing = len;
    while (missing > 0) {
        ssize_t n = recv_some(fd, next, missing);
        if (n == -1)
            return -1;
        if (n == 0)
            break; /* the end: what has come is the answer */
        next += n;
        missing -= (size_t)n;
    }
    return (ssize_t)(len - missing);
}

/* Simplified: a system call a byte. It is the only way to leave the next line
 * alone without looking ahead, and it is slow. (A buffer that is kept beside
 * the descriptor would be quick: a FILE is such a thing.)
 */
ssize_t recv_line(int fd, char *line, size_t cap)
{
    if (cap < 2) {
        errno = EINVAL;
        return -1;
    }
    size_t len = 0;
    do {
        if (len + 1 == cap) { /* one byte is kept for the NUL */
            errno = EMSGSIZE;
            return -1;
        }
        ssize_t n = recv_some(fd, line + len, 1);
        if (n == -1)
            return -1;
        if (n == 0)
            break; /* the end: a last line without '\n', or none */
        len++;
    } while (line[len - 1] != '\n');
    line[len] = '\0';
    return (ssize_t)len;
}

int recv_message(int fd, void *buf, size_t cap, size_t *len)
{
    uint32_t header;
    ssize_t n = recv_exactly(fd, &header, sizeof header);
    if (n <= 0)
        return (int)n; /* an error, or the end where it may be */
    if (n < (ssize_t)sizeof header)
        goto cut_short;

    size_t body = ntohl(header);
    if (body > cap) { /* before a byte of it is stored */
        errno = EMSGSIZE;
        return -1;
    }
    n = recv_exactly(fd, buf, body);
    if (n == -1)
        return -1;
    if ((size_t)n < body)
        goto cut_short;
    *len = body;
    return 1;

cut_short:
    errno = EPROTO;
    return -1;
}

/* Receives to the end, into memory that the caller frees. 0, or -1 with errno
 * and nothing left to free.
 */
static int recv_to_end(int fd, char **reply, size_t *reply_len)
{
    char *data = NULL;
    size_t cap = 0, len = 0;
    for (;;) {
        if (len == cap) {
            cap = cap == 0 ? FIRST_ROOM : 2 * cap;
            char *more = realloc(data, cap);
            if (more == NULL)
                goto fail;
            data = more; /* realloc() may have moved it */
        }
        ssize_t n = recv_some(fd, data + len, cap - len);
        if (n == -1)
            goto fail; /* a reset too: half a reply is none */
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *reply = data;
    *reply_len = len;
    return 0;

fail:;
    int error = errno; /* free() may change it */
    free(data);
    errno = error;
    return -1;
}

/* Simplified: sends all, and only then receives. A peer that answers a long
 * request while it still reads can fill both directions, and then both wait:
 * lab 6 does the two at once.
 */
int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len)
{
    *reply = NULL;
    *reply_len = 0;
    int fd = dial(ip, port, request, len);
    if (fd == -1)
        return -1;

    int result = shutdown(fd, SHUT_WR); /* "no more from me" */
    if (result == 0)
        result = recv_to_end(fd, reply, reply_len);
    int error = errno; /* close() may change it */
    close(fd);
    errno = error;
    return result;
}
