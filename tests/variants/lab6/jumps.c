/* Failures are thrown with longjmp(), and caught by exchange() and finish(). */
#define _GNU_SOURCE
#include "buffers.h"
#include <arpa/inet.h>
#include <setjmp.h>
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
    for (;;) {
        int wait = -1;
        if (deadline != INT64_MAX) {
            int64_t left = deadline - now_ns();
            if (left <= 0)
                return 0;
            int64_t ms = (left + 999999) / 1000000;
            wait = ms > INT_MAX ? INT_MAX : (int)ms;
        }
        struct pollfd question = {.fd = fd, .events = events};
        int ready = poll(&question, 1, wait);
        if (ready > 0)
            return 1;
        if (ready == -1 && errno != EINTR)
            return -1;
    }
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

/* Failures are thrown: errno goes through the jump. */
struct attempt {
    jmp_buf out;
};

static _Noreturn void throw(struct attempt * attempt, int error)
{
    errno = error;
    longjmp(attempt->out, error);
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

static void wait_or_throw(struct attempt *attempt, int fd, short events, int64_t deadline)
{
    int ready = wait_until(fd, events, deadline);
    if (ready <= 0)
        throw(attempt, ready == 0 ? ETIMEDOUT : errno);
}

static size_t send_or_throw(struct attempt *attempt, int fd, const char *data, size_t len)
{
    ssize_t n = len == 0 ? 0 : send_now(fd, data, len);
    if (n == -1 && !no_room(errno))
        throw(attempt, errno);
    return n == -1 ? 0 : (size_t)n;
}

static size_t receive_or_throw(struct attempt *attempt, int fd, char *data, size_t len)
{
    ssize_t n = len == 0 ? -2 : recv_now(fd, data, len);
    if (n == 0)
        throw(attempt, EPROTO);
    if (n == -1 && !no_room(errno))
        throw(attempt, errno);
    return n < 0 ? 0 : (size_t)n;
}

static void exchange_all(struct attempt *attempt, int fd, const char *out, const char *out_end, char *in, char *in_end)
{
    while (out < out_end || in < in_end) {
        size_t got = receive_or_throw(attempt, fd, in, (size_t)(in_end - in));
        size_t sent = send_or_throw(attempt, fd, out, (size_t)(out_end - out));
        in += got;
        out += sent;
        if (got + sent == 0)
            wait_or_throw(attempt, fd, (short)((in < in_end ? POLLIN : 0) | (out < out_end ? POLLOUT : 0)), INT64_MAX);
    }
}

int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    struct attempt attempt;
    if (out_len == 0 && in_len == 0)
        return 0;
    if (setjmp(attempt.out) != 0)
        return -1;
    char nothing = 0;
    const char *from = out_len > 0 ? out : &nothing;
    char *to = in_len > 0 ? in : &nothing;
    exchange_all(&attempt, fd, from, from + out_len, to, to + in_len);
    return 0;
}

static void drain_or_throw(struct attempt *attempt, int fd, int64_t deadline)
{
    char bin[PIECE];
    for (ssize_t n, overtime = 0; (n = recv_now(fd, bin, sizeof bin)) != 0;) {
        if (n == -1 && !no_room(errno))
            throw(attempt, errno);
        if (n == -1)
            wait_or_throw(attempt, fd, POLLIN, deadline);
        else if (deadline != INT64_MAX && now_ns() >= deadline && (overtime += n) >= MOST_OVERTIME)
            throw(attempt, ETIMEDOUT);
    }
}

static void finish_or_throw(struct attempt *attempt, int fd, int timeout_ms)
{
    int64_t deadline = deadline_after(timeout_ms);
    if (shutdown(fd, SHUT_WR) == -1)
        throw(attempt, errno);
    drain_or_throw(attempt, fd, deadline);
}

int finish(int fd, int timeout_ms)
{
    struct attempt attempt;
    int error = setjmp(attempt.out);
    if (error == 0)
        finish_or_throw(&attempt, fd, timeout_ms);
    close(fd);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
