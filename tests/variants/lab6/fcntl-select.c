/* O_NONBLOCK by fcntl and back again, select(), read() and write(), SIGPIPE ignored. */
#include "buffers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int buffer_sizes(int fd, struct buffer_sizes *out)
{
    struct buffer_sizes got;
    socklen_t len = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got.recv_bytes, &len) < 0)
        return -1;
    len = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &got.send_bytes, &len) < 0)
        return -1;
    *out = got;
    return 0;
}

static int set_one(int fd, int option, int size)
{
    return size == 0 ? 0 : setsockopt(fd, SOL_SOCKET, option, &size, sizeof size);
}

int set_buffers(int fd, int send_bytes, int recv_bytes)
{
    if (send_bytes < 0 || recv_bytes < 0)
        return errno = EINVAL, -1;
    if (set_one(fd, SO_RCVBUF, recv_bytes) < 0 || set_one(fd, SO_SNDBUF, send_bytes) < 0)
        return -1;
    return 0;
}

int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes)
{
    struct sockaddr_in a;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    if (inet_pton(AF_INET, ip, &a.sin_addr) <= 0 || send_bytes < 0 || recv_bytes < 0) {
        errno = EINVAL;
        return -1;
    }
    int s = socket(PF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (s < 0)
        return -1;
    if (set_buffers(s, send_bytes, recv_bytes) < 0 || connect(s, (struct sockaddr *)&a, sizeof a) < 0) {
        int e = errno;
        close(s);
        errno = e;
        return -1;
    }
    return s;
}

/* The state of fd, changed for a while. */
static int begin(int fd)
{
    signal(SIGPIPE, SIG_IGN);
    int flags = fcntl(fd, F_GETFL);
    if (flags != -1)
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return flags;
}

static void end(int fd, int flags)
{
    int e = errno;
    fcntl(fd, F_SETFL, flags);
    errno = e;
}

ssize_t fill_send_buffer(int fd)
{
    char x[1000];
    memset(x, 'x', sizeof x);
    int flags = begin(fd);
    ssize_t sum = 0, n;
    for (;;) {
        n = write(fd, x, sizeof x);
        if (n > 0)
            sum += n;
        else if (n < 0 && errno != EINTR)
            break;
    }
    if (errno != EWOULDBLOCK)
        sum = -1;
    end(fd, flags);
    return sum;
}

int queues(int fd, struct queues *out)
{
    int unread, unacked, unsent;
    if (ioctl(fd, FIONREAD, &unread) < 0 || ioctl(fd, TIOCOUTQ, &unacked) < 0 || ioctl(fd, 0x894B, &unsent) < 0)
        return -1;
    out->unread = unread;
    out->unacked = unacked;
    out->unsent = unsent;
    return 0;
}

static long long now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* 1 ready, 0 the time is over, -1. Interrupted: what is left of the time. */
static int ready(int fd, int reads, int writes, long long until)
{
    for (;;) {
        fd_set r, w;
        FD_ZERO(&r);
        FD_ZERO(&w);
        if (reads)
            FD_SET(fd, &r);
        if (writes)
            FD_SET(fd, &w);
        long long left = until - now_us();
        if (left < 0)
            left = 0;
        struct timeval tv = {left / 1000000, left % 1000000};
        int n = select(fd + 1, &r, &w, NULL, until < 0 ? NULL : &tv);
        if (n > 0)
            return (FD_ISSET(fd, &r) ? 1 : 0) | (FD_ISSET(fd, &w) ? 2 : 0);
        if (n < 0 && errno != EINTR)
            return -1;
        if (until >= 0 && now_us() >= until)
            return 0;
    }
}

ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms)
{
    long long until = timeout_ms < 0 ? -1 : now_us() + timeout_ms * 1000LL;
    int flags = begin(fd);
    size_t sent = 0;
    ssize_t result = 0;
    while (sent < len) {
        ssize_t n = write(fd, (const char *)data + sent, len - sent);
        if (n > 0) {
            sent += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            result = -1;
            break;
        }
        int is = ready(fd, 0, 1, until);
        if (is == 0)
            errno = ETIMEDOUT;
        if (is <= 0) {
            result = -1;
            break;
        }
    }
    end(fd, flags);
    return sent > 0 ? (ssize_t)sent : result;
}

int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    size_t sent = 0, got = 0;
    int flags = begin(fd), result = 0;
    while (result == 0 && (sent < out_len || got < in_len)) {
        int is = ready(fd, got < in_len, sent < out_len, -1);
        if (is & 2) {
            ssize_t n = write(fd, (const char *)out + sent, out_len - sent);
            if (n > 0)
                sent += (size_t)n;
            else if (errno != EINTR && errno != EAGAIN)
                result = -1;
        }
        if ((is & 1) && result == 0) {
            ssize_t n = read(fd, (char *)in + got, in_len - got);
            if (n > 0)
                got += (size_t)n;
            else if (n == 0) {
                errno = EPROTO;
                result = -1;
            } else if (errno != EINTR && errno != EAGAIN)
                result = -1;
        }
    }
    end(fd, flags);
    return result;
}

int finish(int fd, int timeout_ms)
{
    long long until = timeout_ms < 0 ? -1 : now_us() + timeout_ms * 1000LL;
    int result = -1;
    if (shutdown(fd, SHUT_WR) < 0)
        goto out;
    for (;;) {
        char x[512];
        int is = ready(fd, 1, 0, until);
        if (is == 0)
            errno = ETIMEDOUT;
        if (is <= 0)
            goto out;
        ssize_t n = read(fd, x, sizeof x);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            goto out;
    }
    result = 0;
out:;
    int e = errno;
    close(fd);
    errno = e;
    return result;
}
