/* Tries again after a nap where others wait; exchange with a process of its own for sending. */
#include "buffers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int get(int fd, int name, int *value)
{
    socklen_t len = sizeof *value;
    return getsockopt(fd, SOL_SOCKET, name, value, &len);
}

int buffer_sizes(int fd, struct buffer_sizes *out)
{
    return get(fd, SO_SNDBUF, &out->send_bytes) == 0 && get(fd, SO_RCVBUF, &out->recv_bytes) == 0 ? 0 : -1;
}

int set_buffers(int fd, int send_bytes, int recv_bytes)
{
    if (send_bytes < 0 || recv_bytes < 0) {
        errno = EINVAL;
        return -1;
    }
    if (send_bytes > 0)
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes) == -1)
            return -1;
    if (recv_bytes > 0)
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &recv_bytes, sizeof recv_bytes) == -1)
            return -1;
    return 0;
}

int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (send_bytes < 0 || recv_bytes < 0 || inet_pton(AF_INET, ip, &to.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1)
        return -1;
    if (set_buffers(fd, send_bytes, recv_bytes) == 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* One byte a call: slow, and right. */
ssize_t fill_send_buffer(int fd)
{
    ssize_t sum = 0;
    for (;;)
        switch (send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL)) {
        case 1:
            sum++;
            break;
        default:
            if (errno == EAGAIN)
                return sum;
            if (errno != EINTR)
                return -1;
        }
}

int queues(int fd, struct queues *out)
{
    if (ioctl(fd, SIOCOUTQNSD, &out->unsent) < 0)
        return -1;
    if (ioctl(fd, SIOCOUTQ, &out->unacked) < 0)
        return -1;
    if (ioctl(fd, SIOCINQ, &out->unread) < 0)
        return -1;
    return 0;
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void nap(void)
{
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

static bool over(long long began, int timeout_ms)
{
    return timeout_ms >= 0 && now() - began >= timeout_ms * 1000000LL;
}

ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms)
{
    long long began = now();
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = send(fd, (const char *)data + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (errno == EAGAIN && over(began, timeout_ms)) {
            errno = ETIMEDOUT;
            break;
        } else if (errno == EAGAIN)
            nap();
        else if (errno != EINTR)
            break;
    }
    return sent == 0 && len > 0 ? -1 : (ssize_t)sent;
}

/* The child's exit status is its errno. */
static int send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n == -1 && errno != EINTR)
            return errno;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    pid_t child = fork();
    if (child == -1)
        return -1;
    if (child == 0)
        _exit(send_all(fd, out, out_len));
    int error = 0;
    size_t got = 0;
    while (got < in_len && error == 0) {
        ssize_t n = recv(fd, (char *)in + got, in_len - got, 0);
        if (n > 0)
            got += (size_t)n;
        else if (n == 0)
            error = EPROTO;
        else if (errno != EINTR)
            error = errno;
    }
    int status = 0;
    while (waitpid(child, &status, 0) == -1 && errno == EINTR)
        continue;
    if (error == 0 && WEXITSTATUS(status) != 0)
        error = WEXITSTATUS(status);
    errno = error;
    return error == 0 ? 0 : -1;
}

int finish(int fd, int timeout_ms)
{
    long long began = now();
    int error = shutdown(fd, SHUT_WR) == -1 ? errno : 0;
    while (error == 0) {
        char bin[8192];
        ssize_t n = recv(fd, bin, sizeof bin, MSG_DONTWAIT);
        if (n == 0)
            break;
        if (n == -1 && errno != EAGAIN && errno != EINTR)
            error = errno;
        else if (over(began, timeout_ms))
            error = ETIMEDOUT;
        else if (n == -1)
            nap();
    }
    close(fd);
    errno = error;
    return error == 0 ? 0 : -1;
}
