/* Lab 3, server accept: a reference. README.md beside it says why it is so and
 * what else is right. */
#include "server_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_SIZE = 4096, PAUSE_MS = 100 };

/* ---- the listener ------------------------------------------------------------ */

/* 0, or -1 with EINVAL. inet_pton() itself says "bad text" by 0, not by -1, and
 * leaves errno alone. */
static int fill_address(struct sockaddr_in *address, const char *ip, uint16_t port)
{
    *address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_ANY),
    };
    if (ip == NULL || ip[0] == '\0')
        return 0;
    if (inet_pton(AF_INET, ip, &address->sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    return 0;
}

/* close may change errno, and the caller wants that of the call that failed. */
static void close_quietly(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
}

int server_listen(const char *ip, uint16_t port, int backlog)
{
    struct sockaddr_in address;
    if (fill_address(&address, ip, port) == -1)
        return -1;

    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener == -1)
        return -1;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == -1)
        goto fail;
    if (listen(listener, backlog) == -1)
        goto fail;
    return listener;

fail:
    close_quietly(listener);
    return -1;
}

/* ---- one connection ---------------------------------------------------------- */

/* Errors of accept after which the next accept may go well. All but EINTR tell
 * of a connection that broke while it waited in the queue. */
static bool is_passing(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return true;
    default: /* EOPNOTSUPP too: a socket that can't listen never will */
        return false;
    }
}

static void write_peer(const struct sockaddr_in *address, char *peer, size_t cap)
{
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address->sin_addr, ip, sizeof ip);
    snprintf(peer, cap, "%s:%u", ip, ntohs(address->sin_port));
}

int server_accept(int listener, char *peer, size_t cap)
{
    struct sockaddr_in address;
    int connection;
    do {
        socklen_t size = sizeof address; /* accept changes it: set it each time */
        connection = accept(listener, (struct sockaddr *)&address, &size);
    } while (connection == -1 && is_passing(errno));

    if (connection != -1 && peer != NULL && cap > 0)
        write_peer(&address, peer, cap);
    return connection;
}

/* Lab 1's send_all: short counts, EINTR, and no SIGPIPE. */
static int send_back(int connection, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(connection, data, len, MSG_NOSIGNAL);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int serve_client(int connection)
{
    for (;;) {
        char buffer[BUFFER_SIZE];
        ssize_t n = recv(connection, buffer, sizeof buffer, 0);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        if (n == 0) /* the end of its stream: it will send no more */
            return 0;
        say(EVENT_RECEIVED, NULL, (size_t)n);
        if (send_back(connection, buffer, (size_t)n) == -1)
            return -1;
    }
}

/* ---- one after another ------------------------------------------------------- */

/* No descriptor or no memory: not for ever, but the waiting client would make an
 * immediate retry fail again, thousands of times a second. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* poll with nothing to wait for: a pause. */
static void pause_briefly(void)
{
    poll(NULL, 0, PAUSE_MS);
}

static int next_client(int listener, char *peer, size_t cap)
{
    for (;;) {
        int connection = server_accept(listener, peer, cap);
        if (connection != -1 || !is_shortage(errno))
            return connection;
        pause_briefly();
    }
}

int server_run(int listener, unsigned clients)
{
    unsigned accepted = 0;
    while (clients == 0 || accepted < clients) {
        char peer[PEER_CAP];
        int connection = next_client(listener, peer, sizeof peer);
        if (connection == -1)
            return -1;
        accepted++;
        say(EVENT_CLIENT, peer, 0);

        /* From here on the kernel refuses newcomers; this connection goes on. */
        if (clients != 0 && accepted == clients)
            close(listener);

        serve_client(connection); /* its failure ends this client alone */
        close(connection);
        say(EVENT_GONE, peer, 0);
    }
    return 0;
}
