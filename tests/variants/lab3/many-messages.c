/* recvmmsg() with two messages and MSG_WAITFORONE, sendmmsg(), and an absolute clock_nanosleep(). */
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
    if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP)) == -1)
        return -1;
    if (bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, backlog) == 0)
        return fd;
    error = errno;
    close(fd);
out:
    errno = error;
    return -1;
}

static bool passes_by(int error)
{
    static const int list[] = {EINTR,  ECONNABORTED, EPROTO,    ENETDOWN,    ENETUNREACH,
                               ENONET, ENOPROTOOPT,  EHOSTDOWN, EHOSTUNREACH};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (list[i] == error)
            return true;
    return false;
}

int server_accept(int listener, char *peer, size_t cap)
{
    struct sockaddr_in who;
    if (peer != NULL && cap != 0)
        *peer = 0;
    for (;;) {
        memset(&who, 0, sizeof who);
        socklen_t room = sizeof who;
        int fd = accept4(listener, (struct sockaddr *)&who, &room, SOCK_CLOEXEC);
        if (fd != -1) {
            char ip[INET_ADDRSTRLEN] = "";
            inet_ntop(AF_INET, &who.sin_addr, ip, sizeof ip);
            if (peer != NULL && cap != 0)
                snprintf(peer, cap, "%s:%hu", ip, ntohs(who.sin_port));
            return fd;
        }
        if (!passes_by(errno))
            return -1;
    }
}

static void breathe(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += 80000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

int server_run(int listener, unsigned clients)
{
    bool limited = clients != 0;
    char who[PEER_CAP];
    do {
        int fd;
        while ((fd = server_accept(listener, who, sizeof who)) == -1) {
            if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
                return -1;
            breathe();
        }
        if (limited && --clients == 0)
            close(listener);
        say(EVENT_CLIENT, who, 0);
        (void)serve_client(fd);
        close(fd);
        say(EVENT_GONE, who, 0);
    } while (!limited || clients != 0);
    return 0;
}

enum { SLOTS = 2, SLOT = 9000 };

static int give_back(int fd, char *data, size_t len)
{
    struct iovec piece = {data, len};
    struct mmsghdr one = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    while (piece.iov_len > 0) {
        int n = sendmmsg(fd, &one, 1, MSG_NOSIGNAL);
        if (n == -1 && errno != EINTR)
            return -1;
        if (n == 1) {
            piece.iov_base = (char *)piece.iov_base + one.msg_len;
            piece.iov_len -= one.msg_len;
        }
    }
    return 0;
}

int serve_client(int connection)
{
    static _Thread_local char data[SLOTS][SLOT];
    for (;;) {
        struct iovec pieces[SLOTS];
        struct mmsghdr some[SLOTS];
        memset(some, 0, sizeof some);
        for (int i = 0; i < SLOTS; i++) {
            pieces[i] = (struct iovec){data[i], SLOT};
            some[i].msg_hdr.msg_iov = &pieces[i];
            some[i].msg_hdr.msg_iovlen = 1;
        }
        int count = recvmmsg(connection, some, SLOTS, MSG_WAITFORONE, NULL);
        if (count == -1) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        for (int i = 0; i < count; i++) {
            if (some[i].msg_len == 0)
                return 0;
            say(EVENT_RECEIVED, NULL, some[i].msg_len);
            if (give_back(connection, data[i], some[i].msg_len) == -1)
                return -1;
        }
    }
}
