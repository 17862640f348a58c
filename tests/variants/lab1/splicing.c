/* The bytes go through a pipe, page by page, and are spliced into the socket; the line comes by fread() of one byte. */
#define _GNU_SOURCE
#include "client_send.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int client_connect(const char *ip, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_port = htobe16(port);
    int fd = -1, error = EINVAL;
    if (inet_pton(AF_INET, ip, &to.sin_addr) == 1) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        error = fd == -1 ? errno : 0;
    }
    while (error == 0 || error == EINTR) {
        if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
            return fd;
        error = errno;
    }
    if (fd != -1)
        close(fd);
    errno = error;
    return -1;
}

static int plain(int fd, const char *data, size_t len)
{
    for (size_t i = 0; i < len;) {
        ssize_t n = send(fd, data + i, len - i, MSG_NOSIGNAL);
        if (n == -1 && errno != EINTR)
            return errno;
        if (n > 0)
            i += (size_t)n;
    }
    return 0;
}

/* Returns 0 or an errno. One page at a time into an empty pipe: that never blocks. */
static int through(int in, int out, int fd, const char *data, size_t len)
{
    size_t filled = 0, sent = 0;
    while (sent < len) {
        if (filled == sent) {
            size_t size = len - filled < 4096 ? len - filled : 4096;
            ssize_t n = write(in, data + filled, size);
            if (n > 0)
                filled += (size_t)n;
            else if (n == -1 && errno != EINTR)
                return plain(fd, data + sent, len - sent); /* the pipe is empty: nothing is lost */
            continue;
        }
        ssize_t n = splice(out, NULL, fd, NULL, filled - sent, 0);
        if (n > 0)
            sent += (size_t)n;
        else if (n == 0 || errno == EINVAL)
            return plain(fd, data + sent, len - sent);
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

int send_all(int fd, const void *data, size_t len)
{
    int ends[2], error;
    if (len == 0)
        return 0;
    if (pipe2(ends, O_CLOEXEC) == -1) {
        error = plain(fd, data, len);
    } else {
        sigset_t broken, old, pending;
        sigemptyset(&broken);
        sigaddset(&broken, SIGPIPE);
        sigpending(&pending);
        pthread_sigmask(SIG_BLOCK, &broken, &old);
        error = through(ends[1], ends[0], fd, data, len);
        if (error == EPIPE && !sigismember(&pending, SIGPIPE)) {
            struct timespec now = {0};
            int sig;
            do
                sig = sigtimedwait(&broken, NULL, &now);
            while (sig == -1 && errno == EINTR);
        }
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        close(ends[0]);
        close(ends[1]);
    }
    if (error != 0)
        errno = error;
    return error != 0 ? -1 : 0;
}

int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    int fd = client_connect(ip, port), error = 0;
    if (fd < 0)
        return -1;
    if (send_all(fd, data, len) != 0)
        error = errno;
    close(fd);
    return error == 0 ? 0 : (errno = error, -1);
}

int prompt_line(const char *prompt, char *line, size_t cap)
{
    if (cap == 0) {
        errno = EINVAL;
        return -1;
    }
    fputs_unlocked(prompt, stdout);
    fflush_unlocked(stdout);
    size_t used = 0;
    bool over = false, begun = false, ended = false;
    while (!ended) {
        char byte;
        if (fread(&byte, sizeof byte, 1, stdin) == 1) {
            begun = true;
            ended = byte == '\n';
            if (!ended && !over) {
                over = used + 1 == cap;
                if (!over)
                    line[used++] = byte;
            }
        } else if (ferror(stdin)) {
            int error = errno;
            clearerr(stdin);
            if (error != EINTR) {
                errno = over ? EMSGSIZE : error;
                return -1;
            }
        } else {
            ended = true;
        }
    }
    if (!begun)
        return 0;
    line[used] = '\0';
    if (over)
        errno = EMSGSIZE;
    return over ? -1 : 1;
}
