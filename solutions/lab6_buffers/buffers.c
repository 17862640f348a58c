/* Lab 6, send and receive buffers: a reference. README.md beside it says why it
 * is so and what else is right. */
#include "buffers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 16384 };

/* close may change errno, and the caller wants that of the call that failed. */
static void close_quietly(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
}

/* No room, or nothing there: the call would have had to wait. */
static bool would_wait(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

/* ---- sizes ------------------------------------------------------------------- */

int buffer_sizes(int fd, struct buffer_sizes *out)
{
    socklen_t size = sizeof out->send_bytes;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &out->send_bytes, &size) == -1)
        return -1;
    size = sizeof out->recv_bytes;
    return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &out->recv_bytes, &size);
}

int set_buffers(int fd, int send_bytes, int recv_bytes)
{
    if (send_bytes < 0 || recv_bytes < 0) { /* the kernel would take it for a very large one */
        errno = EINVAL;
        return -1;
    }
    if (send_bytes > 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes) == -1)
        return -1;
    if (recv_bytes > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof recv_bytes) == -1)
        return -1;
    return 0;
}

int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, ip, &peer.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1)
        return -1;

    /* Before connect: the handshake tells the peer how much it may send. */
    if (set_buffers(fd, send_bytes, recv_bytes) == -1)
        goto fail;
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) == -1)
        goto fail;
    return fd;

fail:
    close_quietly(fd);
    return -1;
}

/* ---- full -------------------------------------------------------------------- */

/* One send that never waits: MSG_DONTWAIT is for this call alone, so that there
 * is no state of fd to restore. */
static ssize_t send_now(int fd, const void *data, size_t len)
{
    ssize_t n;
    do
        n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n == -1 && errno == EINTR);
    return n;
}

ssize_t fill_send_buffer(int fd)
{
    static const char filling[CHUNK];
    ssize_t taken = 0;
    for (;;) {
        ssize_t n = send_now(fd, filling, sizeof filling);
        if (n == -1)
            return would_wait(errno) ? taken : -1;
        taken += n; /* a short count says that it is nearly full: the next one tells */
    }
}

/* ---- what is in the queues --------------------------------------------------- */

int queues(int fd, struct queues *out)
{
    if (ioctl(fd, SIOCOUTQNSD, &out->unsent) == -1)
        return -1;
    if (ioctl(fd, SIOCOUTQ, &out->unacked) == -1)
        return -1;
    return ioctl(fd, SIOCINQ, &out->unread);
}

/* ---- backpressure ------------------------------------------------------------ */

/* A time limit as a moment: however often we wait, it stays where it is. */
struct deadline {
    bool none;
    struct timespec at;
};

static struct deadline deadline_in(int timeout_ms)
{
    struct deadline deadline = {.none = timeout_ms < 0};
    if (deadline.none)
        return deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline.at);
    deadline.at.tv_sec += timeout_ms / 1000;
    deadline.at.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (deadline.at.tv_nsec >= 1000000000L) {
        deadline.at.tv_sec++;
        deadline.at.tv_nsec -= 1000000000L;
    }
    return deadline;
}

/* What poll() wants: the milliseconds that are left, rounded up, or -1 for no limit. */
static int time_left(const struct deadline *deadline)
{
    if (deadline->none)
        return -1;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long left = (deadline->at.tv_sec - now.tv_sec) * 1000000000LL +
                     (deadline->at.tv_nsec - now.tv_nsec); /* nanoseconds */
    return left > 0 ? (int)((left + 999999) / 1000000) : 0;
}

/* Waits until fd is ready for these events (or has failed, which the next call
 * tells): 0. Or -1, with ETIMEDOUT when the time is over. */
static int wait_for(int fd, short events, const struct deadline *deadline)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    for (;;) {
        int left = time_left(deadline);
        int ready = poll(&wanted, 1, left);
        if (ready > 0)
            return 0;
        if (ready == -1 && errno != EINTR)
            return -1;
        if (left == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms)
{
    struct deadline deadline = deadline_in(timeout_ms);
    const char *next = data;
    size_t left = len;
    while (left > 0) {
        ssize_t n = send_now(fd, next, left);
        if (n == -1 && would_wait(errno))
            n = wait_for(fd, POLLOUT, &deadline); /* 0: there is room, nothing is sent yet */
        if (n == -1)
            break;
        next += n;
        left -= (size_t)n;
    }
    return left == len && len > 0 ? -1 : (ssize_t)(len - left);
}

/* ---- the deadlock ------------------------------------------------------------ */

static ssize_t recv_now(int fd, void *data, size_t len)
{
    ssize_t n;
    do
        n = recv(fd, data, len, MSG_DONTWAIT);
    while (n == -1 && errno == EINTR);
    return n;
}

int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    const struct deadline never = {.none = true};
    const char *next = out;
    char *to = in;
    while (out_len > 0 || in_len > 0) {
        /* Ask only for what is still wanted: the other would be ready at once, for ever. */
        short events = (short)((out_len > 0 ? POLLOUT : 0) | (in_len > 0 ? POLLIN : 0));
        if (wait_for(fd, events, &never) == -1)
            return -1;

        if (in_len > 0) {
            ssize_t n = recv_now(fd, to, in_len);
            if (n == 0) {
                errno = EPROTO;
                return -1;
            }
            if (n == -1 && !would_wait(errno))
                return -1;
            if (n > 0) {
                to += n;
                in_len -= (size_t)n;
            }
        }
        if (out_len > 0) {
            ssize_t n = send_now(fd, next, out_len);
            if (n == -1 && !would_wait(errno))
                return -1;
            if (n > 0) {
                next += n;
                out_len -= (size_t)n;
            }
        }
    }
    return 0;
}

/* ---- finish without loss ----------------------------------------------------- */

/* Reads and throws away until the peer has ended its side. What is left unread
 * would make the close a reset, and a reset takes our last bytes with it. */
static int drain(int fd, const struct deadline *deadline)
{
    for (;;) {
        char unwanted[CHUNK];
        ssize_t n = recv_now(fd, unwanted, sizeof unwanted);
        if (n == 0)
            return 0;
        if (n == -1 && !would_wait(errno))
            return -1;
        if (n == -1 && wait_for(fd, POLLIN, deadline) == -1)
            return -1;
        if (n > 0 && time_left(deadline) == 0) { /* nor may a peer keep us that never stops sending */
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

int finish(int fd, int timeout_ms)
{
    struct deadline deadline = deadline_in(timeout_ms);
    int result = shutdown(fd, SHUT_WR);
    if (result == 0)
        result = drain(fd, &deadline);
    close_quietly(fd);
    return result;
}
