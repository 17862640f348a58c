/* A passing epoll descriptor for each wait; finish() drains with MSG_TRUNC and no buffer. */
#define _GNU_SOURCE
#include "buffers.h"
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 65536, MOST_OVERTIME = 32 << 20 };

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t deadline_after(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : now_ns() + timeout_ms * INT64_C(1000000);
}

/* 1: ready (or broken); 0: the time is over; -1 with errno */
static int wait_until(int fd, short events, int64_t deadline)
{
    int set = epoll_create1(EPOLL_CLOEXEC), ready = -1;
    if (set == -1)
        return -1;
    struct epoll_event event = {.events = (events & POLLIN ? EPOLLIN : 0u) | (events & POLLOUT ? EPOLLOUT : 0u)};
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0)
        do {
            int64_t left = deadline == INT64_MAX ? -1 : deadline - now_ns();
            if (deadline != INT64_MAX && left <= 0) {
                ready = 0;
                break;
            }
            int64_t ms = deadline == INT64_MAX ? -1 : (left + 999999) / 1000000;
            ready = epoll_wait(set, &event, 1, ms > INT_MAX ? INT_MAX : (int)ms);
        } while (ready == 0 || (ready == -1 && errno == EINTR));
    int error = errno;
    close(set);
    errno = error;
    return ready;
}

static ssize_t send_now(int fd, const void *data, size_t len)
{
    ssize_t n;
    do
        n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n == -1 && errno == EINTR);
    return n;
}

static ssize_t recv_now(int fd, void *data, size_t len)
{
    ssize_t n;
    do
        n = recv(fd, data, len, MSG_DONTWAIT);
    while (n == -1 && errno == EINTR);
    return n;
}

static bool no_room(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

int buffer_sizes(int fd, struct buffer_sizes *out)
{
    struct buffer_sizes sizes = {0, 0};
    socklen_t len = sizeof sizes.send_bytes, recv_len = sizeof sizes.recv_bytes;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sizes.send_bytes, &len) == -1 ||
        getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &sizes.recv_bytes, &recv_len) == -1)
        return -1;
    *out = sizes;
    return 0;
}

int set_buffers(int fd, int send_bytes, int recv_bytes)
{
    if (send_bytes < 0 || recv_bytes < 0) {
        errno = EINVAL;
        return -1;
    }
    if (send_bytes > 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes) == -1)
        return -1;
    if (recv_bytes > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof recv_bytes) == -1)
        return -1;
    return 0;
}

/* Made again after EINTR: the kernel may have gone on with it meanwhile. */
static int dial(int fd, const struct sockaddr_in *address)
{
    bool again = false;
    for (;;) {
        if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || (again && errno == EISCONN))
            return 0;
        if (again && errno == EALREADY) {
            if (wait_until(fd, POLLOUT, INT64_MAX) == -1)
                return -1;
        } else if (errno != EINTR)
            return -1;
        again = true;
    }
}

int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (send_bytes < 0 || recv_bytes < 0 || inet_pton(AF_INET, ip, &address.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1)
        return -1;
    if (set_buffers(fd, send_bytes, recv_bytes) == 0 && dial(fd, &address) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

ssize_t fill_send_buffer(int fd)
{
    static const char piece[PIECE];
    ssize_t total = 0;
    for (;;) {
        ssize_t n = send_now(fd, piece, sizeof piece);
        if (n == -1)
            return no_room(errno) ? total : -1;
        total += n;
    }
}

int queues(int fd, struct queues *out)
{
    struct queues now = {0, 0, 0};
    if (ioctl(fd, SIOCOUTQ, &now.unacked) == -1 || ioctl(fd, SIOCOUTQNSD, &now.unsent) == -1 ||
        ioctl(fd, SIOCINQ, &now.unread) == -1)
        return -1;
    *out = now;
    return 0;
}

ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms)
{
    int64_t deadline = deadline_after(timeout_ms);
    const char *next = data;
    size_t left = len;
    while (left > 0) {
        ssize_t n = send_now(fd, next, left);
        if (n >= 0) {
            next += n;
            left -= (size_t)n;
            if (timeout_ms > 0 && left > 0 && now_ns() >= deadline)
                break;
            continue;
        }
        if (!no_room(errno))
            break;
        int ready = wait_until(fd, POLLOUT, deadline);
        if (ready == 0)
            errno = ETIMEDOUT;
        if (ready <= 0)
            break;
    }
    return left == len && len > 0 ? -1 : (ssize_t)(len - left);
}

int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    const char *to_send = out;
    char *to_fill = in;
    while (out_len > 0 || in_len > 0) {
        bool moved = false;
        if (in_len > 0) {
            ssize_t n = recv_now(fd, to_fill, in_len);
            if (n == 0) {
                errno = EPROTO;
                return -1;
            }
            if (n == -1 && !no_room(errno))
                return -1;
            if (n > 0) {
                to_fill += n;
                in_len -= (size_t)n;
                moved = true;
            }
        }
        if (out_len > 0) {
            ssize_t n = send_now(fd, to_send, out_len);
            if (n == -1 && !no_room(errno))
                return -1;
            if (n > 0) {
                to_send += n;
                out_len -= (size_t)n;
                moved = true;
            }
        }
        short events = (short)((in_len > 0 ? POLLIN : 0) | (out_len > 0 ? POLLOUT : 0));
        if (!moved && wait_until(fd, events, INT64_MAX) == -1)
            return -1;
    }
    return 0;
}

/* 0: the peer's end has come; -1 with errno. MSG_TRUNC: TCP throws the bytes away without a buffer. */
static int drain(int fd, int64_t deadline)
{
    for (ssize_t n, overtime = 0;;) {
        n = recv(fd, NULL, PIECE, MSG_DONTWAIT | MSG_TRUNC);
        if (n == 0)
            return 0;
        if (n > 0 && deadline != INT64_MAX && now_ns() >= deadline && (overtime += n) >= MOST_OVERTIME)
            return errno = ETIMEDOUT, -1;
        if (n > 0 || errno == EINTR)
            continue;
        if (!no_room(errno))
            return -1;
        int ready = wait_until(fd, POLLIN, deadline);
        if (ready == 0)
            errno = ETIMEDOUT;
        if (ready <= 0)
            return -1;
    }
}

int finish(int fd, int timeout_ms)
{
    int64_t deadline = deadline_after(timeout_ms);
    int result = shutdown(fd, SHUT_WR);
    if (result == 0)
        result = drain(fd, deadline);
    int error = errno;
    close(fd);
    errno = error;
    return result;
}
