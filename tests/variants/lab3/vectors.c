/* A variant: a tiny buffer, readv() and writev() in two parts, select() before each of them, getpeername(),
 * recursion for the clients, and helpers with pointers to results. */
#define _GNU_SOURCE
#include "server_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TINY = 24 };

static int make_address(const char *ip, uint16_t port, struct sockaddr_in *out)
{
    struct in_addr host = {.s_addr = 0};
    if (ip != NULL && ip[0] != '\0' && inet_pton(AF_INET, ip, &host) != 1)
        return EINVAL;
    memset(out, 0, sizeof *out);
    out->sin_family = AF_INET;
    out->sin_addr = host;
    out->sin_port = (in_port_t)((port & 0xFF) << 8 | port >> 8);    /* htons() by hand: little-endian only */
    return 0;
}

static int make_listener(const struct sockaddr_in *address, int backlog, int *out)
{
    *out = socket(AF_INET, SOCK_STREAM, 0);
    if (*out == -1)
        return errno;
    if (bind(*out, (const struct sockaddr *)address, sizeof *address) == 0 && listen(*out, backlog) == 0)
        return 0;
    int error = errno;
    close(*out);
    return error;
}

int server_listen(const char *ip, uint16_t port, int backlog)
{
    struct sockaddr_in address;
    int listener = -1;
    int error = make_address(ip, port, &address);
    if (error == 0)
        error = make_listener(&address, backlog, &listener);
    if (error == 0)
        return listener;
    errno = error;
    return -1;
}

static int gone_wrong_for_one(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == ENETUNREACH || error == ENONET ||
           error == ENOPROTOOPT || error == EHOSTDOWN || error == EHOSTUNREACH;
}

int server_accept(int listener, char *peer, size_t cap)
{
    struct sockaddr_in accepted;
    socklen_t size = sizeof accepted;
    int connection = (int)TEMP_FAILURE_RETRY(accept(listener, (struct sockaddr *)&accepted, &size));
    if (connection == -1 && gone_wrong_for_one(errno))
        return server_accept(listener, peer, cap);
    if (connection == -1)
        return -1;

    struct sockaddr_in asked;
    size = sizeof asked;
    if (getpeername(connection, (struct sockaddr *)&asked, &size) == -1)
        asked = accepted;               /* it has gone already */
    int on = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (peer == NULL || cap == 0)
        return connection;

    char text[PEER_CAP], ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &asked.sin_addr, ip, sizeof ip);
    int len = snprintf(text, sizeof text, "%s:%hu", ip, ntohs(asked.sin_port));
    size_t kept = (size_t)len < cap - 1 ? (size_t)len : cap - 1;
    memcpy(peer, text, kept);
    peer[kept] = '\0';
    return connection;
}

static void wait_until(int fd, int for_writing)
{
    fd_set set;
    int n;
    do {
        FD_ZERO(&set);
        FD_SET(fd, &set);
        n = select(fd + 1, for_writing ? NULL : &set, for_writing ? &set : NULL, NULL, NULL);
    } while (n == -1 && errno == EINTR);
}

static ssize_t take_some(int fd, char *to)
{
    struct iovec parts[] = {{to, TINY / 3}, {to + TINY / 3, TINY - TINY / 3}};
    wait_until(fd, 0);
    return TEMP_FAILURE_RETRY(readv(fd, parts, 2));
}

static int give_all(int fd, char *from, size_t len)
{
    while (len > 0) {
        struct iovec parts[] = {{from, len / 2}, {from + len / 2, len - len / 2}};
        wait_until(fd, 1);
        ssize_t n = TEMP_FAILURE_RETRY(writev(fd, parts, 2));
        if (n == -1)
            return -1;
        from += n;
        len -= (size_t)n;
    }
    return 0;
}

int serve_client(int connection)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    char some[TINY];
    ssize_t n;
    while ((n = take_some(connection, some)) > 0) {
        say(EVENT_RECEIVED, NULL, (size_t)n);
        if (give_all(connection, some, (size_t)n) == -1)
            return -1;
    }
    return (int)n;
}

static int serve_next(int listener, int is_last)
{
    char peer[PEER_CAP];
    int connection = server_accept(listener, peer, sizeof peer);
    if (connection == -1)
        return -1;
    if (is_last)
        close(listener);
    say(EVENT_CLIENT, peer, 0);
    (void)serve_client(connection);
    close(connection);
    say(EVENT_GONE, peer, 0);
    return 0;
}

int server_run(int listener, unsigned clients)
{
    for (unsigned served = 0; clients == 0 || served < clients;) {
        if (serve_next(listener, clients == served + 1) == 0) {
            served++;
            continue;
        }
        if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
            return -1;
        select(0, NULL, NULL, NULL, &(struct timeval){.tv_usec = 10000});
    }
    return 0;
}
