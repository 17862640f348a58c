/* SO_SNDTIMEO and SO_RCVTIMEO with calls that block; exchange with a thread for each way. */
#include "buffers.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int buffer_sizes(int fd, struct buffer_sizes *out)
{
    socklen_t a = sizeof out->send_bytes, b = sizeof out->recv_bytes;
    int x = getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &out->send_bytes, &a);
    return x == 0 ? getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &out->recv_bytes, &b) : x;
}

int set_buffers(int fd, int send_bytes, int recv_bytes)
{
    if (send_bytes < 0 || recv_bytes < 0) {
        errno = EINVAL;
        return -1;
    }
    int r = 0;
    if (send_bytes)
        r = setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(int));
    if (r == 0 && recv_bytes)
        r = setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof(int));
    return r;
}

int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes)
{
    char service[8];
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *found;
    snprintf(service, sizeof service, "%u", port);
    if (send_bytes < 0 || recv_bytes < 0 || getaddrinfo(ip, service, &hints, &found) != 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(found->ai_family, found->ai_socktype, found->ai_protocol), e;
    if (fd != -1 && (set_buffers(fd, send_bytes, recv_bytes) == -1 || connect(fd, found->ai_addr, found->ai_addrlen) == -1)) {
        e = errno;
        close(fd);
        errno = e;
        fd = -1;
    }
    e = errno;
    freeaddrinfo(found);
    errno = e;
    return fd;
}

ssize_t fill_send_buffer(int fd)
{
    static char nothing[65536];
    ssize_t sum = 0;
    for (;;) {
        ssize_t n = sendto(fd, nothing, sizeof nothing, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
        if (n >= 0)
            sum += n;
        else if (errno == EAGAIN)
            return sum;
        else if (errno != EINTR)
            return -1;
    }
}

int queues(int fd, struct queues *out)
{
    if (ioctl(fd, SIOCINQ, &out->unread) || ioctl(fd, SIOCOUTQ, &out->unacked) || ioctl(fd, SIOCOUTQNSD, &out->unsent))
        return -1;
    return 0;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct timeval interval(double s)
{
    struct timeval tv = {(time_t)s, (suseconds_t)((s - (double)(time_t)s) * 1e6)};
    if (tv.tv_sec == 0 && tv.tv_usec == 0)
        tv.tv_usec = 1; /* 0 would mean for ever */
    return tv;
}

ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms)
{
    double end = seconds() + timeout_ms / 1000.0;
    struct timeval before;
    socklen_t size = sizeof before;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &before, &size) == -1)
        return -1;
    int fl = MSG_NOSIGNAL | (timeout_ms == 0 ? MSG_DONTWAIT : 0);
    size_t sent = 0;
    int e = 0;
    while (sent < len) {
        double left = end - seconds();
        struct timeval limit = {0, 0};
        if (timeout_ms > 0) {
            if (left <= 0) {
                e = ETIMEDOUT;
                break;
            }
            limit = interval(left);
        }
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        ssize_t n = send(fd, (const char *)data + sent, len - sent, fl);
        if (n > 0)
            sent += (size_t)n;
        else if (errno == EAGAIN && timeout_ms == 0) {
            e = ETIMEDOUT;
            break;
        } else if (errno != EINTR && errno != EAGAIN) {
            e = errno;
            break;
        }
        if (n == -1 && errno == EAGAIN && timeout_ms < 0) { /* the caller's descriptor doesn't block: sleep a little */
            struct timespec nap = {0, 1000000};
            nanosleep(&nap, NULL);
        } else if (n == -1 && errno == EAGAIN) {
            struct timespec nap = {0, 1000000};
            nanosleep(&nap, NULL);
        }
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &before, sizeof before);
    if (sent == 0 && len > 0) {
        errno = e;
        return -1;
    }
    return (ssize_t)sent;
}

struct half {
    int fd;
    char *data;
    size_t len;
    atomic_int *first; /* the error of the half that failed first: the other is only woken by it */
};

static void fail_first(struct half *h, int error)
{
    int none = 0;
    atomic_compare_exchange_strong(h->first, &none, error);
    shutdown(h->fd, SHUT_RDWR); /* wakes the other half */
}

static void *send_half(void *argument)
{
    struct half *h = argument;
    while (h->len > 0) {
        ssize_t n = send(h->fd, h->data, h->len, MSG_NOSIGNAL);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1) {
            fail_first(h, errno);
            return NULL;
        }
        h->data += n;
        h->len -= (size_t)n;
    }
    return NULL;
}

static void *recv_half(void *argument)
{
    struct half *h = argument;
    while (h->len > 0) {
        ssize_t n = recv(h->fd, h->data, h->len, 0);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0) {
            fail_first(h, n == 0 ? EPROTO : errno);
            return NULL;
        }
        h->data += n;
        h->len -= (size_t)n;
    }
    return NULL;
}

int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    atomic_int first = 0;
    struct half ours = {fd, (char *)out, out_len, &first}, theirs = {fd, in, in_len, &first};
    pthread_t sender;
    int e = pthread_create(&sender, NULL, send_half, &ours);
    if (e != 0) {
        errno = e;
        return -1;
    }
    recv_half(&theirs);
    pthread_join(sender, NULL);
    if (first == 0)
        return 0;
    errno = first;
    return -1;
}

int finish(int fd, int timeout_ms)
{
    double end = seconds() + timeout_ms / 1000.0;
    int e = 0;
    if (shutdown(fd, SHUT_WR) == -1)
        e = errno;
    while (e == 0) {
        static char rest[65536];
        double left = end - seconds();
        struct timeval limit = {0, 0};
        if (timeout_ms > 0)
            limit = interval(left > 0 ? left : 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ssize_t n = recv(fd, rest, sizeof rest, timeout_ms == 0 ? MSG_DONTWAIT : 0);
        if (n == 0)
            break;
        if (n == -1 && errno != EINTR && errno != EAGAIN)
            e = errno;
        else if (timeout_ms >= 0 && seconds() >= end)
            e = ETIMEDOUT;
    }
    close(fd);
    errno = e;
    return e == 0 ? 0 : -1;
}
