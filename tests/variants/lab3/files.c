/* A variant: sockets as files, with read() and write(), SIGPIPE ignored, accept4(), SO_REUSEADDR, and two
 * functions for everything. */
#define _GNU_SOURCE
#include "server_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int server_listen(const char *ip, uint16_t port, int backlog)
{
    struct sockaddr_in addr;
    memset(&addr, 0, sizeof addr);
    addr.sin_family = AF_INET;
    addr.sin_port = htons(port);
    if (ip && *ip) {
        if (inet_pton(AF_INET, ip, &addr.sin_addr) <= 0) {
            errno = EINVAL;
            return -1;
        }
    } else
        addr.sin_addr.s_addr = INADDR_ANY;

    int fd = socket(PF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, backlog) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int server_accept(int listener, char *peer, size_t cap)
{
    for (;;) {
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        int fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
        if (fd >= 0) {
            if (peer && cap)
                snprintf(peer, cap, "%s:%d", inet_ntoa(from.sin_addr), ntohs(from.sin_port));
            return fd;
        }
        switch (errno) {
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENETUNREACH:
        case ENONET:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case EHOSTUNREACH:
            continue;
        default:
            return -1;
        }
    }
}

int serve_client(int connection)
{
    signal(SIGPIPE, SIG_IGN);
    char buf[512];
    ssize_t got;
    while ((got = read(connection, buf, sizeof buf)) != 0) {
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        say(EVENT_RECEIVED, NULL, (size_t)got);
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(connection, buf + done, (size_t)(got - done));
            if (put >= 0)
                done += put;
            else if (errno != EINTR)
                return -1;
        }
    }
    return 0;
}

int server_run(int listener, unsigned clients)
{
    for (unsigned n = 1;; n++) {
        char who[PEER_CAP];
        int fd;
        while ((fd = server_accept(listener, who, sizeof who)) < 0) {
            if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
                return -1;
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        }
        say(EVENT_CLIENT, who, 0);
        if (n == clients)
            close(listener);
        serve_client(fd);
        close(fd);
        say(EVENT_GONE, who, 0);
        if (n == clients)
            return 0;
    }
}
