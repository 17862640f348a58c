/* server_run() is a table of label addresses, errors are a set of bits, the echo is vectors. */
#define _GNU_SOURCE
#include "server_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int server_listen(const char *ip, uint16_t port, int backlog)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = -1, error = EINVAL;
    if (ip != NULL && ip[0] != 0 && inet_pton(AF_INET, ip, &at.sin_addr) != 1)
        goto out;
    if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
        return -1;
    if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, backlog) == 0)
        return fd;
    error = errno;
    close(fd);
out:
    errno = error;
    return -1;
}

enum kind { FATAL, AGAIN, LATER };

static enum kind kind_of(int error)
{
    static const unsigned char kinds[256] = {
        [EINTR] = AGAIN,  [ECONNABORTED] = AGAIN, [EPROTO] = AGAIN,    [ENETDOWN] = AGAIN,     [ENETUNREACH] = AGAIN,
        [ENONET] = AGAIN, [ENOPROTOOPT] = AGAIN,  [EHOSTDOWN] = AGAIN, [EHOSTUNREACH] = AGAIN, [EMFILE] = LATER,
        [ENFILE] = LATER, [ENOBUFS] = LATER,      [ENOMEM] = LATER,
    };
    return error >= 0 && error < 256 ? kinds[error] : FATAL;
}

int server_accept(int listener, char *peer, size_t cap)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        unsigned char bytes[sizeof(struct sockaddr_storage)];
    } who = {.bytes = {0}};
    socklen_t size;
    int fd;
    char text[64];
    if (peer != NULL && cap > 0)
        peer[0] = '\0';
again:
    size = sizeof who;
    fd = accept(listener, &who.any, &size);
    if (fd == -1 && kind_of(errno) == AGAIN)
        goto again;
    if (fd == -1 || peer == NULL || cap == 0)
        return fd;
    /* By hand: port and address lie in network order, most significant byte first. */
    int len = sprintf(text, "%u.%u.%u.%u:%u", who.bytes[4], who.bytes[5], who.bytes[6], who.bytes[7],
                      who.bytes[2] * 256u + who.bytes[3]);
    size_t keep = (size_t)len < cap ? (size_t)len : cap - 1;
    memcpy(peer, text, keep);
    peer[keep] = '\0';
    return fd;
}

int serve_client(int connection)
{
    char store[5000];
    struct iovec v;
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    ssize_t n;
hear:
    v = (struct iovec){store, sizeof store};
    m.msg_flags = 0;
    if ((n = recvmsg(connection, &m, 0)) == 0)
        return 0;
    if (n == -1 && errno == EINTR)
        goto hear;
    if (n == -1)
        return -1;
    say(EVENT_RECEIVED, NULL, (size_t)n);
    v = (struct iovec){store, (size_t)n};
speak:
    if ((n = sendmsg(connection, &m, MSG_NOSIGNAL)) == -1 && errno != EINTR)
        return -1;
    if (n > 0) {
        v.iov_base = (char *)v.iov_base + n;
        v.iov_len -= (size_t)n;
    }
    if (v.iov_len > 0)
        goto speak;
    goto hear;
}

int server_run(int listener, unsigned clients)
{
    static const void *const where[] = {[FATAL] = &&fatal, [AGAIN] = &&next, [LATER] = &&later};
    char peer[PEER_CAP];
    unsigned long long left = clients == 0 ? ~0ull : clients;
    struct timespec rest;
    int fd;
next:
    fd = server_accept(listener, peer, sizeof peer);
    if (fd == -1)
        goto *where[kind_of(errno)];
    if (--left == 0)
        close(listener);
    say(EVENT_CLIENT, peer, 0);
    serve_client(fd);
    close(fd);
    say(EVENT_GONE, peer, 0);
    if (left > 0)
        goto next;
    return 0;
later:
    rest = (struct timespec){.tv_nsec = 25000000};
nap:
    if (nanosleep(&rest, &rest) == -1 && errno == EINTR)
        goto nap;
    goto next;
fatal:
    return -1;
}
