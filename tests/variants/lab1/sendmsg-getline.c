/* sendmsg() with an iovec that moves, SIGPIPE blocked for a while and taken out of the queue, getline(). */
#include "client_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int client_connect(const char *ip, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error = EINVAL;
    if (fd == -1)
        return -1;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, ip, &server.sin_addr) == 1) {
        if (connect(fd, (struct sockaddr *)&server, sizeof server) == 0)
            return fd;
        error = errno;
    }
    close(fd);
    errno = error;
    return -1;
}

static int send_parts(int fd, struct iovec *part)
{
    while (part->iov_len > 0) {
        struct msghdr message = {.msg_iov = part, .msg_iovlen = 1};
        ssize_t n = sendmsg(fd, &message, 0);
        if (n == -1 && errno != EINTR)
            return -1;
        size_t taken = n == -1 ? 0 : (size_t)n;
        part->iov_base = (char *)part->iov_base + taken;
        part->iov_len -= taken;
    }
    return 0;
}

/* What a library does that may not change what the program thinks of SIGPIPE. */
int send_all(int fd, const void *data, size_t len)
{
    sigset_t pipe_alone, before;
    sigemptyset(&pipe_alone);
    sigaddset(&pipe_alone, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe_alone, &before);

    struct iovec all = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    int result = send_parts(fd, &all);
    int error = errno;

    struct timespec no_time = {0, 0};
    if (result == -1 && error == EPIPE)
        sigtimedwait(&pipe_alone, NULL, &no_time);
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return result;
}

int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    int result = -1, fd = client_connect(ip, port);
    if (fd != -1) {
        result = send_all(fd, data, len);
        int error = errno;
        shutdown(fd, SHUT_WR);
        close(fd);
        errno = error;
    }
    return result;
}

int prompt_line(const char *prompt, char *line, size_t cap)
{
    fputs(prompt, stdout);
    fflush(stdout);

    char *whole = NULL;
    size_t room = 0;
    int result = 1;
    ssize_t n = getline(&whole, &room, stdin);
    if (n == -1) {
        result = ferror(stdin) ? -1 : 0;
    } else {
        if (whole[n - 1] == '\n')
            whole[--n] = '\0';
        if ((size_t)n < cap) {
            memcpy(line, whole, (size_t)n + 1);
        } else {
            errno = EMSGSIZE;
            result = -1;
        }
    }
    int error = errno;
    free(whole);
    errno = error;
    return result;
}
