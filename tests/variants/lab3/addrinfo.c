/* A variant: getaddrinfo() and getnameinfo() for every address, recvmsg() and sendmsg(), poll() before
 * every call that may wait, and a long pause. */
#define _GNU_SOURCE
#include "server_accept.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1000 };

static int wait_for(int fd, short what)
{
    struct pollfd one = {.fd = fd, .events = what};
    int n;
    do
        n = poll(&one, 1, -1);
    while (n == -1 && errno == EINTR);
    return n;
}

static int listen_on(const struct addrinfo *at, int backlog)
{
    int fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (fd == -1)
        return -1;
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, backlog) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int server_listen(const char *ip, uint16_t port, int backlog)
{
    struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_family = AF_INET,
        .ai_socktype = SOCK_STREAM,
    };
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo *found;
    if (getaddrinfo(ip != NULL && ip[0] != '\0' ? ip : NULL, service, &hints, &found) != 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = listen_on(found, backlog);
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    return fd;
}

static void name(const struct sockaddr *address, socklen_t size, char *peer, size_t cap)
{
    char host[NI_MAXHOST], service[NI_MAXSERV];
    if (peer == NULL || cap == 0)
        return;
    peer[0] = '\0';
    if (getnameinfo(address, size, host, sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(peer, cap, "%s:%s", host, service);
}

static int is_of_no_use(int error)
{
    return error == EBADF || error == EINVAL || error == ENOTSOCK || error == EOPNOTSUPP || error == EFAULT;
}

static int is_short(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

int server_accept(int listener, char *peer, size_t cap)
{
    for (;;) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        if (wait_for(listener, POLLIN) == -1)
            return -1;
        int fd = accept(listener, (struct sockaddr *)&address, &size);
        if (fd != -1) {
            name((struct sockaddr *)&address, size, peer, cap);
            return fd;
        }
        if (is_of_no_use(errno) || is_short(errno))
            return -1;
    }
}

static int send_whole(int fd, struct iovec part)
{
    while (part.iov_len > 0) {
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (wait_for(fd, POLLOUT) == -1)
            return -1;
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n == -1 && errno != EINTR)
            return -1;
        if (n > 0)
            part = (struct iovec){(char *)part.iov_base + n, part.iov_len - (size_t)n};
    }
    return 0;
}

int serve_client(int connection)
{
    char room[ROOM];
    for (;;) {
        struct iovec part = {room, sizeof room};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        if (wait_for(connection, POLLIN) == -1)
            return -1;
        ssize_t n = recvmsg(connection, &message, 0);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        say(EVENT_RECEIVED, NULL, (size_t)n);
        if (send_whole(connection, (struct iovec){room, (size_t)n}) == -1)
            return -1;
    }
}

int server_run(int listener, unsigned clients)
{
    unsigned left = clients;
    do {
        char peer[PEER_CAP];
        int fd = server_accept(listener, peer, sizeof peer);
        if (fd == -1 && is_short(errno)) {
            sleep(1);
            continue;
        }
        if (fd == -1)
            return -1;
        say(EVENT_CLIENT, peer, 0);
        if (clients != 0 && --left == 0)
            close(listener);
        serve_client(fd);
        shutdown(fd, SHUT_WR);
        close(fd);
        say(EVENT_GONE, peer, 0);
    } while (clients == 0 || left > 0);
    return 0;
}
