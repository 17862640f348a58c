/* poll() before each call, small steps, what is left of the time by subtraction after each wait. */
#include "buffers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int buffer_sizes(int fd, struct buffer_sizes *out)
{
    int value = 0;
    socklen_t len = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len) != 0)
        return -1;
    out->send_bytes = value;
    len = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len) != 0)
        return -1;
    out->recv_bytes = value;
    return 0;
}

int set_buffers(int fd, int send_bytes, int recv_bytes)
{
    if ((send_bytes | recv_bytes) < 0) {
        errno = EINVAL;
        return -1;
    }
    if (send_bytes != 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes) != 0)
        return -1;
    if (recv_bytes != 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof recv_bytes) != 0)
        return -1;
    struct buffer_sizes got; /* looked at, and not minded */
    return buffer_sizes(fd, &got);
}

int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1)
        return -1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int error = 0;
    if (inet_pton(AF_INET, ip, &to.sin_addr) != 1)
        error = EINVAL;
    else if (set_buffers(fd, send_bytes, recv_bytes) == -1)
        error = errno;
    else if (connect(fd, (struct sockaddr *)&to, sizeof to) == -1)
        error = errno;
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static struct pollfd asked(int fd, short events)
{
    struct pollfd p = {fd, events, 0};
    return p;
}

ssize_t fill_send_buffer(int fd)
{
    char step[700];
    memset(step, '.', sizeof step);
    ssize_t sum = 0;
    for (;;) {
        ssize_t n = send(fd, step, sizeof step, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n == -1)
            return -1;
        sum += n;
    }
    return sum;
}

int queues(int fd, struct queues *out)
{
    struct queues now;
    int *answers[] = {&now.unread, &now.unsent, &now.unacked};
    const unsigned long questions[] = {SIOCINQ, SIOCOUTQNSD, SIOCOUTQ};
    for (int i = 0; i < 3; i++)
        if (ioctl(fd, questions[i], answers[i]) != 0)
            return -1;
    *out = now;
    return 0;
}

/* Waits at most *left ms, and takes from it what the wait took. */
static int wait_some(struct pollfd *p, double *left)
{
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    int n = poll(p, 1, *left < 0 ? -1 : (int)(*left + 0.999));
    int error = errno;
    clock_gettime(CLOCK_MONOTONIC, &b);
    if (*left >= 0) {
        *left -= (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
        if (*left < 0)
            *left = 0;
    }
    errno = error;
    return n;
}

ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms)
{
    const unsigned char *p = data;
    double left = timeout_ms;
    size_t taken = 0;
    int error = 0;
    while (taken < len) {
        struct pollfd w = asked(fd, POLLOUT);
        int n = wait_some(&w, &left);
        if (n == 0 && left <= 0) {
            error = ETIMEDOUT;
            break;
        }
        if (n == -1 && errno == EINTR && left != 0)
            continue;
        if (n == -1) {
            error = errno == EINTR ? ETIMEDOUT : errno;
            break;
        }
        size_t step = len - taken < 3000 ? len - taken : 3000;
        ssize_t m = send(fd, p + taken, step, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (m >= 0)
            taken += (size_t)m;
        else if (errno != EAGAIN && errno != EINTR) {
            error = errno;
            break;
        }
    }
    if (taken == 0 && len != 0) {
        errno = error;
        return -1;
    }
    return (ssize_t)taken;
}

int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    /* Through boxes of its own, as a program would that has other things to do as well. */
    unsigned char *outbox = malloc(out_len + 1);
    size_t head = 0, got = 0;
    int result = -1, error = ENOMEM;
    if (outbox == NULL)
        goto done;
    if (out_len > 0)
        memcpy(outbox, out, out_len);
    while (head < out_len || got < in_len) {
        struct pollfd both = asked(fd, 0);
        if (head < out_len)
            both.events |= POLLOUT;
        if (got < in_len)
            both.events |= POLLIN;
        if (poll(&both, 1, -1) == -1) {
            error = errno;
            if (error == EINTR)
                continue;
            goto done;
        }
        if (both.revents & (POLLIN | POLLERR | POLLHUP) && got < in_len) {
            unsigned char box[1024];
            size_t room = in_len - got < sizeof box ? in_len - got : sizeof box;
            ssize_t n = recv(fd, box, room, MSG_DONTWAIT);
            if (n > 0) {
                memcpy((unsigned char *)in + got, box, (size_t)n);
                got += (size_t)n;
            } else if (n == 0) {
                error = EPROTO;
                goto done;
            } else if (errno != EINTR && errno != EAGAIN) {
                error = errno;
                goto done;
            }
        }
        if (both.revents & (POLLOUT | POLLERR | POLLHUP) && head < out_len) {
            ssize_t n = send(fd, outbox + head, out_len - head, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n >= 0)
                head += (size_t)n;
            else if (errno != EINTR && errno != EAGAIN) {
                error = errno;
                goto done;
            }
        }
    }
    result = 0;
done:
    free(outbox);
    errno = error;
    return result;
}

int finish(int fd, int timeout_ms)
{
    double left = timeout_ms;
    int error = 0;
    if (shutdown(fd, SHUT_WR) == -1)
        error = errno;
    while (error == 0) {
        struct pollfd p = asked(fd, POLLIN);
        int n = wait_some(&p, &left);
        if (n == 0 && left <= 0) {
            error = ETIMEDOUT;
            break;
        }
        if (n <= 0) {
            if (n == -1 && errno != EINTR)
                error = errno;
            continue;
        }
        char discard[100];
        ssize_t m = recv(fd, discard, sizeof discard, 0);
        if (m == 0)
            break;
        if (m == -1 && errno != EINTR)
            error = errno;
    }
    close(fd);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
