/* epoll, sendmsg and recvmsg, TCP_INFO for what isn't sent. */
#define _GNU_SOURCE
#include "buffers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>

int buffer_sizes(int fd, struct buffer_sizes *out)
{
    const int options[] = {SO_SNDBUF, SO_RCVBUF};
    int *sizes[] = {&out->send_bytes, &out->recv_bytes};
    for (int i = 0; i < 2; i++) {
        socklen_t len = sizeof(int);
        if (getsockopt(fd, SOL_SOCKET, options[i], sizes[i], &len) == -1)
            return -1;
    }
    return 0;
}

int set_buffers(int fd, int send_bytes, int recv_bytes)
{
    const int options[] = {SO_SNDBUF, SO_RCVBUF};
    const int sizes[] = {send_bytes, recv_bytes};
    for (int i = 0; i < 2; i++)
        if (sizes[i] < 0) {
            errno = EINVAL;
            return -1;
        }
    for (int i = 0; i < 2; i++)
        if (sizes[i] != 0 && setsockopt(fd, SOL_SOCKET, options[i], &sizes[i], sizeof sizes[i]) != 0)
            return -1;
    return 0;
}

int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes)
{
    struct in_addr address;
    if (send_bytes < 0 || recv_bytes < 0 || inet_pton(AF_INET, ip, &address) != 1) {
        errno = EINVAL;
        return -1;
    }
    struct sockaddr_in name = {AF_INET, htons(port), address, {0}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && set_buffers(fd, send_bytes, recv_bytes) == 0 && connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

static ssize_t give(int fd, const void *data, size_t len)
{
    struct iovec part = {(void *)data, len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return TEMP_FAILURE_RETRY(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static ssize_t take(int fd, void *data, size_t len)
{
    struct iovec part = {data, len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return TEMP_FAILURE_RETRY(recvmsg(fd, &message, MSG_DONTWAIT));
}

ssize_t fill_send_buffer(int fd)
{
    char piece[4096] = {0};
    ssize_t sum = 0, n;
    while ((n = give(fd, piece, sizeof piece)) > 0)
        sum += n;
    return errno == EAGAIN ? sum : -1;
}

int queues(int fd, struct queues *out)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    if (ioctl(fd, SIOCINQ, &out->unread) == -1 || ioctl(fd, SIOCOUTQ, &out->unacked) == -1)
        return -1;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
        return -1;
    out->unsent = (int)info.tcpi_notsent_bytes;
    return 0;
}

/* ---- one watcher for all that waits ---- */

struct watch {
    int epoll, fd;
    unsigned events;
    long long end; /* ms, -1 for none */
};

static long long ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int watch_begin(struct watch *watch, int fd, int timeout_ms)
{
    *watch = (struct watch){epoll_create1(EPOLL_CLOEXEC), fd, 0, timeout_ms < 0 ? -1 : ms() + timeout_ms};
    struct epoll_event event = {.events = 0};
    return watch->epoll == -1 ? -1 : epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void watch_end(struct watch *watch)
{
    int error = errno;
    close(watch->epoll);
    errno = error;
}

static int watch_for(struct watch *watch, unsigned events)
{
    if (watch->events != events) {
        struct epoll_event event = {.events = events};
        epoll_ctl(watch->epoll, EPOLL_CTL_MOD, watch->fd, &event);
        watch->events = events;
    }
    for (;;) {
        long long left = watch->end < 0 ? -1 : watch->end - ms();
        if (watch->end >= 0 && left < 0)
            left = 0;
        struct epoll_event event;
        int n = epoll_wait(watch->epoll, &event, 1, (int)left);
        if (n > 0)
            return 0;
        if (n == -1 && errno != EINTR)
            return -1;
        if (watch->end >= 0 && ms() >= watch->end) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms)
{
    struct watch watch;
    if (len == 0)
        return 0;
    if (watch_begin(&watch, fd, timeout_ms) == -1)
        return -1;
    size_t at = 0;
    ssize_t n = 0;
    while (at < len && n != -1) {
        n = give(fd, (const char *)data + at, len - at);
        if (n > 0)
            at += (size_t)n;
        else if (errno == EAGAIN)
            n = watch_for(&watch, EPOLLOUT);
    }
    watch_end(&watch);
    return at > 0 ? (ssize_t)at : -1;
}

int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    struct watch watch;
    if (watch_begin(&watch, fd, -1) == -1)
        return -1;
    size_t sent = 0, got = 0;
    int result = 0;
    while (result == 0 && (sent < out_len || got < in_len)) {
        int moved = 0;
        if (sent < out_len) {
            ssize_t n = give(fd, (const char *)out + sent, out_len - sent);
            if (n == -1 && errno != EAGAIN)
                result = -1;
            if (n > 0)
                sent += (size_t)n, moved = 1;
        }
        if (result == 0 && got < in_len) {
            ssize_t n = take(fd, (char *)in + got, in_len - got);
            if (n == 0)
                errno = EPROTO;
            if (n == 0 || (n == -1 && errno != EAGAIN))
                result = -1;
            if (n > 0)
                got += (size_t)n, moved = 1;
        }
        if (result == 0 && !moved && (sent < out_len || got < in_len))
            result = watch_for(&watch, (sent < out_len ? EPOLLOUT : 0u) | (got < in_len ? EPOLLIN : 0u));
    }
    watch_end(&watch);
    return result;
}

int finish(int fd, int timeout_ms)
{
    struct watch watch = {.epoll = -1};
    int result = shutdown(fd, SHUT_WR);
    if (result == 0)
        result = watch_begin(&watch, fd, timeout_ms);
    char waste[2000];
    ssize_t n;
    while (result == 0 && (n = take(fd, waste, sizeof waste)) != 0)
        if (n == -1)
            result = errno == EAGAIN ? watch_for(&watch, EPOLLIN) : -1;
    if (watch.epoll != -1)
        watch_end(&watch);
    int error = errno;
    close(fd);
    errno = error;
    return result;
}
