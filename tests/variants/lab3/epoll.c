/* A variant: an epoll instance for each function that waits, a huge buffer, memory from malloc(), and
 * answers only when nothing more is there to be received. */
#define _GNU_SOURCE
#include "server_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HUGE_SIZE = 2 << 20, PAUSE_MS = 300 };

static int keep_errno_and_close(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int server_listen(const char *ip, uint16_t port, int backlog)
{
    struct sockaddr_in *address = calloc(1, sizeof *address);
    if (address == NULL)
        return -1;
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
    int is_text = ip == NULL || strcmp(ip, "") == 0 || inet_pton(AF_INET, ip, &address->sin_addr) == 1;
    int listener = is_text ? socket(AF_INET, SOCK_STREAM, 0) : -1;
    if (!is_text)
        errno = EINVAL;
    if (listener != -1 && bind(listener, (struct sockaddr *)address, sizeof *address) == -1)
        listener = keep_errno_and_close(listener);
    if (listener != -1 && listen(listener, backlog) == -1)
        listener = keep_errno_and_close(listener);
    int error = errno;
    free(address);
    errno = error;
    return listener;
}

int server_accept(int listener, char *peer, size_t cap)
{
    for (;;) {
        struct sockaddr address;
        socklen_t size = sizeof address;
        int connection = accept(listener, &address, &size);
        if (connection >= 0) {
            struct sockaddr_in *in = (struct sockaddr_in *)&address;
            uint32_t ip = ntohl(in->sin_addr.s_addr);
            if (peer != NULL)
                snprintf(peer, cap, "%u.%u.%u.%u:%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
                         ntohs(in->sin_port));
            return connection;
        }
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN || errno == ENETUNREACH)
            continue;
        if (errno == ENONET || errno == ENOPROTOOPT || errno == EHOSTDOWN || errno == EHOSTUNREACH)
            continue;
        return -1;
    }
}

static int watch(int fd)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll == -1)
        return -1;
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1)
        return keep_errno_and_close(epoll);
    return epoll;
}

/* Bytes, 0 at the end of the stream, -1. */
static ssize_t receive(int fd, int epoll, char *to, size_t room)
{
    ssize_t n;
    do {
        struct epoll_event event;
        epoll_wait(epoll, &event, 1, -1);
        n = recv(fd, to, room, MSG_DONTWAIT);
    } while (n == -1 && (errno == EAGAIN || errno == EINTR));
    return n;
}

static int send_all(int fd, const char *data, size_t len)
{
    size_t sent = 0;
    while (sent != len) {
        ssize_t n = sendto(fd, data + sent, len - sent, MSG_NOSIGNAL, NULL, 0);
        if (n == -1 && errno == EINTR)
            n = 0;
        if (n == -1)
            return -1;
        sent += (size_t)n;
    }
    return 0;
}

static int echo(int connection, int epoll, char *room)
{
    ssize_t n;
    while ((n = receive(connection, epoll, room, HUGE_SIZE)) > 0) {
        say(EVENT_RECEIVED, NULL, (size_t)n);
        if (send_all(connection, room, (size_t)n) == -1)
            return -1;
    }
    return n == 0 ? 0 : -1;
}

int serve_client(int connection)
{
    int result = -1, error;
    int epoll = watch(connection);
    char *room = malloc(HUGE_SIZE);
    if (epoll != -1 && room != NULL)
        result = echo(connection, epoll, room);
    error = errno;
    free(room);
    if (epoll != -1)
        close(epoll);
    errno = error;
    return result;
}

int server_run(int listener, unsigned clients)
{
    int epoll = epoll_create1(0);       /* nothing is ever added: a wait on it is a pause */
    unsigned accepted = 0;
    char peer[PEER_CAP];
    while (clients == 0 || accepted != clients) {
        int connection = server_accept(listener, peer, sizeof peer);
        if (connection != -1) {
            say(EVENT_CLIENT, peer, 0);
            if (++accepted == clients)
                close(listener);
            serve_client(connection);
            close(connection);
            say(EVENT_GONE, peer, 0);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            struct epoll_event event;
            if (epoll_wait(epoll, &event, 1, PAUSE_MS) == -1)
                usleep(PAUSE_MS * 1000);
        } else {
            if (epoll != -1)
                keep_errno_and_close(epoll);
            return -1;
        }
    }
    if (epoll != -1)
        close(epoll);
    return 0;
}
