/* A variant: nothing ever waits but poll(). Listener and connections are non-blocking; what has been
 * received and not yet sent waits in a large buffer while both directions go on. */
#define _GNU_SOURCE
#include "server_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 1 << 16 };

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int server_listen(const char *ip, uint16_t port, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (ip != NULL && strlen(ip) > 0 && inet_pton(AF_INET, ip, &address.sin_addr) == 0) {
        errno = EINVAL;
        return -1;
    }
    int error = 0;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (listener == -1)
        return -1;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == -1)
        error = errno;
    else if (listen(listener, backlog) == -1)
        error = errno;
    if (error == 0)
        return listener;
    close(listener);
    errno = error;
    return -1;
}

static bool try_again(int error)
{
    static const int passing[] = {EAGAIN,      EINTR,  ECONNABORTED, EPROTO,    ENETDOWN,
                                  ENETUNREACH, ENONET, ENOPROTOOPT,  EHOSTDOWN, EHOSTUNREACH};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++)
        if (error == passing[i])
            return true;
    return false;
}

int server_accept(int listener, char *peer, size_t cap)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } address;
    set_nonblocking(listener);
    for (;;) {
        struct pollfd one = {.fd = listener, .events = POLLIN};
        poll(&one, 1, -1);
        socklen_t size = sizeof address;
        int connection = accept4(listener, &address.any, &size, SOCK_NONBLOCK);
        if (connection == -1 && try_again(errno))
            continue;
        if (connection == -1 || peer == NULL || cap == 0)
            return connection;
        const unsigned char *ip = (const unsigned char *)&address.in.sin_addr;
        snprintf(peer, cap, "%d.%d.%d.%d:%d", ip[0], ip[1], ip[2], ip[3], ntohs(address.in.sin_port));
        return connection;
    }
}

struct echo {
    char data[MOST];
    size_t from, to;            /* received and not yet sent */
    bool ended;
};

/* 0, also when there is nothing to take yet; -1 with errno. */
static int take(int fd, struct echo *echo)
{
    ssize_t n = recv(fd, echo->data + echo->to, MOST - echo->to, 0);
    if (n == -1)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    echo->ended = n == 0;
    echo->to += (size_t)n;
    if (n > 0)
        say(EVENT_RECEIVED, NULL, (size_t)n);
    return 0;
}

static int give(int fd, struct echo *echo)
{
    ssize_t n = send(fd, echo->data + echo->from, echo->to - echo->from, MSG_NOSIGNAL);
    if (n == -1)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    echo->from += (size_t)n;
    if (echo->from == echo->to)
        echo->from = echo->to = 0;
    return 0;
}

static int converse(int fd, struct echo *echo)
{
    while (!echo->ended || echo->to > echo->from) {
        struct pollfd one = {.fd = fd};
        if (!echo->ended && echo->to < MOST)
            one.events |= POLLIN;
        if (echo->to > echo->from)
            one.events |= POLLOUT;
        if (poll(&one, 1, -1) == -1 && errno != EINTR)
            return -1;
        if ((one.events & POLLIN) != 0 && (one.revents & ~POLLOUT) != 0 && take(fd, echo) == -1)
            return -1;
        if (echo->to > echo->from && give(fd, echo) == -1)
            return -1;
    }
    return 0;
}

int serve_client(int connection)
{
    struct echo *echo = calloc(1, sizeof *echo);
    if (echo == NULL)
        return -1;
    set_nonblocking(connection);
    int result = converse(connection, echo);
    int error = errno;
    free(echo);
    errno = error;
    return result;
}

int server_run(int listener, unsigned clients)
{
    for (unsigned served = 0; clients == 0 || served < clients;) {
        char peer[PEER_CAP];
        int connection = server_accept(listener, peer, sizeof peer);
        if (connection == -1) {
            if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
                return -1;
            usleep(50000);
            continue;
        }
        served++;
        say(EVENT_CLIENT, peer, 0);
        if (served == clients)
            close(listener);
        serve_client(connection);
        close(connection);
        say(EVENT_GONE, peer, 0);
    }
    return 0;
}
