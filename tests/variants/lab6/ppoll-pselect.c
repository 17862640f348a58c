/* ppoll and pselect, writev, state and SIGPIPE changed for the time of a call. */
#define _GNU_SOURCE
#include "buffers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

int buffer_sizes(int fd, struct buffer_sizes *out)
{
    socklen_t len = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &out->send_bytes, &len) == -1 ||
        getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &out->recv_bytes, &len) == -1)
        return -1;
    return 0;
}

int set_buffers(int fd, int send_bytes, int recv_bytes)
{
    if (send_bytes < 0 || recv_bytes < 0) {
        errno = EINVAL;
        return -1;
    }
    return (send_bytes != 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes) == -1) ||
                   (recv_bytes != 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof recv_bytes) == -1)
               ? -1
               : 0;
}

int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = -1, keep;
    if (inet_pton(AF_INET, ip, &peer.sin_addr) != 1 || send_bytes < 0 || recv_bytes < 0) {
        errno = EINVAL;
        return -1;
    }
    if ((fd = socket(AF_INET, SOCK_STREAM, 0)) != -1 && set_buffers(fd, send_bytes, recv_bytes) != -1 &&
        connect(fd, (void *)&peer, sizeof peer) != -1)
        return fd;
    keep = errno;
    if (fd != -1)
        close(fd);
    errno = keep;
    return -1;
}

/* For the time of a call: no SIGPIPE, and a descriptor that doesn't block. */
struct stay {
    int fd, flags;
    sighandler_t pipe;
};

static struct stay enter(int fd)
{
    struct stay stay = {fd, fcntl(fd, F_GETFL, 0), signal(SIGPIPE, SIG_IGN)};
    if (stay.flags != -1 && !(stay.flags & O_NONBLOCK))
        fcntl(fd, F_SETFL, stay.flags | O_NONBLOCK);
    return stay;
}

static void leave(struct stay stay)
{
    int keep = errno;
    if (stay.flags != -1 && !(stay.flags & O_NONBLOCK))
        fcntl(stay.fd, F_SETFL, stay.flags);
    signal(SIGPIPE, stay.pipe);
    errno = keep;
}

ssize_t fill_send_buffer(int fd)
{
    static char a[3000], b[5000];
    struct iovec parts[] = {{a, sizeof a}, {b, sizeof b}};
    struct stay stay = enter(fd);
    ssize_t sum = 0;
    for (;;) {
        ssize_t n = writev(fd, parts, 2);
        if (n >= 0)
            sum += n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR) {
            sum = -1;
            break;
        }
    }
    leave(stay);
    return sum;
}

int queues(int fd, struct queues *out)
{
    if (ioctl(fd, SIOCOUTQ, &out->unacked) == -1)
        return -1;
    if (ioctl(fd, SIOCOUTQNSD, &out->unsent) == -1)
        return -1;
    if (ioctl(fd, FIONREAD, &out->unread) == -1)
        return -1;
    return 0;
}

static struct timespec after_ms(int ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_nsec -= 1000000000L;
        t.tv_sec++;
    }
    return t;
}

/* What is left until then; 0 when it is past. */
static struct timespec until(const struct timespec *then)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec = then->tv_sec - t.tv_sec;
    t.tv_nsec = then->tv_nsec - t.tv_nsec;
    if (t.tv_nsec < 0) {
        t.tv_nsec += 1000000000L;
        t.tv_sec--;
    }
    if (t.tv_sec < 0)
        t = (struct timespec){0, 0};
    return t;
}

static int wait_until(int fd, short events, const struct timespec *then)
{
    for (;;) {
        struct pollfd one = {.fd = fd, .events = events};
        struct timespec left = {0, 0};
        if (then != NULL)
            left = until(then);
        int n = ppoll(&one, 1, then != NULL ? &left : NULL, NULL);
        if (n > 0)
            return one.revents;
        if (n == -1 && errno != EINTR)
            return -1;
        if (then != NULL && left.tv_sec == 0 && left.tv_nsec == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms)
{
    struct timespec then = after_ms(timeout_ms < 0 ? 0 : timeout_ms);
    struct stay stay = enter(fd);
    size_t sum = 0;
    ssize_t n = 0;
    while (n != -1 && sum < len) {
        n = write(fd, (const char *)data + sum, len - sum);
        if (n > 0)
            sum += (size_t)n;
        else if (errno == EINTR)
            n = 0;
        else if (errno == EAGAIN)
            n = wait_until(fd, POLLOUT, timeout_ms < 0 ? NULL : &then);
    }
    leave(stay);
    return n == -1 && sum == 0 ? -1 : (ssize_t)sum;
}

int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    struct stay stay = enter(fd);
    size_t o = 0, i = 0;
    int result = 0;
    while (result == 0 && (o < out_len || i < in_len)) {
        fd_set r, w;
        FD_ZERO(&r);
        FD_ZERO(&w);
        if (i < in_len)
            FD_SET(fd, &r);
        if (o < out_len)
            FD_SET(fd, &w);
        int ready = pselect(fd + 1, &r, &w, NULL, NULL, NULL);
        if (ready == -1 && errno == EINTR)
            continue;
        if (ready == -1) {
            result = -1;
            break;
        }
        if (FD_ISSET(fd, &w)) {
            ssize_t n = write(fd, (const char *)out + o, out_len - o);
            if (n > 0)
                o += (size_t)n;
            if (n == -1 && errno != EAGAIN && errno != EINTR)
                result = -1;
        }
        if (result == 0 && FD_ISSET(fd, &r)) {
            ssize_t n = read(fd, (char *)in + i, in_len - i);
            if (n > 0)
                i += (size_t)n;
            if (n == 0) {
                errno = EPROTO;
                result = -1;
            }
            if (n == -1 && errno != EAGAIN && errno != EINTR)
                result = -1;
        }
    }
    leave(stay);
    return result;
}

int finish(int fd, int timeout_ms)
{
    struct timespec then = after_ms(timeout_ms < 0 ? 0 : timeout_ms);
    int result = shutdown(fd, SHUT_WR), done = 0;
    while (result == 0 && !done) {
        result = wait_until(fd, POLLIN, timeout_ms < 0 ? NULL : &then) == -1 ? -1 : 0;
        char buffer[100000];
        ssize_t n = result == 0 ? read(fd, buffer, sizeof buffer) : 1;
        done = n == 0;
        if (n == -1 && errno != EINTR)
            result = -1;
    }
    int keep = errno;
    close(fd);
    errno = keep;
    return result;
}
