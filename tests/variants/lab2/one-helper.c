/* One helper under all of them, which takes byte by byte what it needs; own dialling, with
 * getaddrinfo(), write() and SIGPIPE ignored. */
#include "client_recv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Takes until `until` has come (-1: until nothing), at most most bytes. -1, or how many. */
static ssize_t take(int fd, char *at, size_t most, int until)
{
    size_t got = 0;
    while (got < most) {
        ssize_t n = recvfrom(fd, at + got, until == -1 ? most - got : 1, 0, NULL, NULL);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? (ssize_t)got : -1;
        got += (size_t)n;
        if (until != -1 && at[got - 1] == (char)until)
            break;
    }
    return (ssize_t)got;
}

ssize_t recv_some(int fd, void *buf, size_t cap)
{
    ssize_t n = recvfrom(fd, buf, cap, 0, NULL, NULL);
    return n == -1 && errno == EINTR ? recv_some(fd, buf, cap) : n;
}

ssize_t recv_exactly(int fd, void *buf, size_t len)
{
    return take(fd, buf, len, -1);
}

ssize_t recv_line(int fd, char *line, size_t cap)
{
    if (cap < 2) {
        errno = EINVAL;
        return -1;
    }
    ssize_t n = take(fd, line, cap - 1, '\n');
    if (n == (ssize_t)cap - 1 && line[n - 1] != '\n') {
        errno = EMSGSIZE;
        n = -1;
    }
    line[n == -1 ? 0 : n] = '\0';
    return n;
}

int recv_message(int fd, void *buf, size_t cap, size_t *len)
{
    union {
        char bytes[4];
        uint32_t length;
    } header;
    *len = 0;
    ssize_t n = recv_exactly(fd, header.bytes, 4);
    if (n == 4) {
        header.length = ntohl(header.length);
        if (header.length > cap) {
            errno = EMSGSIZE;
            return -1;
        }
        n = recv_exactly(fd, buf, header.length);
        if (n == (ssize_t)header.length) {
            *len = header.length;
            return 1;
        }
        if (n == 0)
            n = 1; /* cut short, not the end */
    }
    if (n > 0)
        errno = EPROTO;
    return n == 0 ? 0 : -1;
}

static int call(const char *ip, uint16_t port)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(ip, service, &hints, &found) != 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd != -1 && connect(fd, found->ai_addr, found->ai_addrlen) == -1) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len)
{
    signal(SIGPIPE, SIG_IGN);
    *reply = NULL;
    *reply_len = 0;
    int fd = call(ip, port);
    if (fd == -1)
        return -1;
    const char *at = request, *end = at + len;
    while (at < end) {
        ssize_t n = write(fd, at, (size_t)(end - at));
        if (n == -1 && errno != EINTR)
            goto fail;
        at += n == -1 ? 0 : n;
    }
    if (shutdown(fd, SHUT_WR) == -1)
        goto fail;
    char *data = malloc(1 << 16);
    for (size_t got = 0, room = 1 << 16; data != NULL;) {
        ssize_t n = take(fd, data + got, room - got, -1);
        if (n == -1) {
            int error = errno;
            free(data);
            errno = error;
            goto fail;
        }
        got += (size_t)n;
        if (got < room) { /* the end */
            *reply = data;
            *reply_len = got;
            close(fd);
            return 0;
        }
        char *more = realloc(data, room *= 2);
        if (more == NULL)
            free(data);
        data = more;
    }
fail:;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}
