/* A variant: each conversation in a thread that is joined at once, the listener closed by a thread too, a
 * sockaddr_storage, inet_aton-free parsing with inet_pton(AF_INET) first, and a byte-by-byte copy. */
#include "server_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int server_listen(const char *ip, uint16_t port, int backlog)
{
    const char *where = ip == NULL || *ip == '\0' ? "0.0.0.0" : ip;
    struct in_addr host;
    switch (inet_pton(AF_INET, where, &host)) {
    case 1:
        break;
    case 0:
        errno = EINVAL;
        /* fall through */
    default:
        return -1;
    }

    struct sockaddr_storage storage = {.ss_family = AF_INET};
    struct sockaddr_in *in = (struct sockaddr_in *)&storage;
    in->sin_addr = host;
    in->sin_port = htons(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1)
        return -1;
    int error = 0;
    if (bind(fd, (struct sockaddr *)&storage, sizeof *in) != 0 || listen(fd, backlog) != 0)
        error = errno;
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

int server_accept(int listener, char *peer, size_t cap)
{
    struct sockaddr_storage storage;
    socklen_t size;
    int fd;
again:
    size = sizeof storage;
    fd = accept(listener, (struct sockaddr *)&storage, &size);
    if (fd == -1)
        switch (errno) {
        case EINTR: case ECONNABORTED: case EPROTO: case ENETDOWN: case ENETUNREACH:
        case ENONET: case ENOPROTOOPT: case EHOSTDOWN: case EHOSTUNREACH:
            goto again;
        default:
            return -1;
        }

    char text[64] = "";
    const struct sockaddr_in *in = (const struct sockaddr_in *)&storage;
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
    sprintf(text + strlen(text), ":%u", ntohs(in->sin_port));
    for (size_t i = 0; peer != NULL && i < cap; i++) {
        peer[i] = i + 1 < cap ? text[i] : '\0';
        if (peer[i] == '\0')
            break;
    }
    return fd;
}

/* recv() with SO_RCVTIMEO, so that it can look up now and then: EAGAIN is no error here. */
int serve_client(int connection)
{
    struct timeval moment = {.tv_sec = 1};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment);
    for (;;) {
        char in[2000], out[2000];
        ssize_t n = recvfrom(connection, in, sizeof in, 0, NULL, NULL);
        if (n == 0)
            return 0;
        if (n == -1 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n == -1)
            return -1;
        say(EVENT_RECEIVED, NULL, (size_t)n);
        memcpy(out, in, (size_t)n);
        for (char *at = out; at < out + n;) {
            ssize_t put = send(connection, at, (size_t)(out + n - at), MSG_NOSIGNAL | MSG_MORE * (n > 1000));
            if (put == -1 && errno != EINTR)
                return -1;
            at += put > 0 ? put : 0;
        }
    }
}

static void *serve_in_thread(void *connection)
{
    serve_client(*(int *)connection);
    return NULL;
}

static void serve_and_wait(int connection)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve_in_thread, &connection) == 0)
        pthread_join(thread, NULL);
    else
        serve_client(connection);
}

int server_run(int listener, unsigned clients)
{
    unsigned accepted = 0;
    for (;;) {
        char peer[PEER_CAP];
        int fd = server_accept(listener, peer, sizeof peer);
        if (fd == -1 && errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM)
            return -1;
        if (fd == -1) {
            struct timespec moment = {.tv_nsec = 10 * 1000 * 1000}, left;
            while (nanosleep(&moment, &left) == -1)
                moment = left;
            continue;
        }
        accepted++;
        say(EVENT_CLIENT, peer, 0);
        if (accepted == clients)
            close(listener);
        serve_and_wait(fd);
        close(fd);
        say(EVENT_GONE, peer, 0);
        if (accepted == clients)
            return 0;
    }
}
