/* Calls the kernel by number, with syscall(), where others call socket(), connect(), send() and close(). */
#define _GNU_SOURCE
#include "client_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Simplified: a signal that interrupts connect() makes it fail. (Calling it a
 * second time is no cure: the first goes on by itself. man 2 connect, EINTR.)
 */
int client_connect(const char *ip, uint16_t port)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};

    /* "No address" is 0, not -1, and errno is left alone. Asking before there
     * is a socket means that there is nothing to close. */
    if (inet_pton(AF_INET, ip, &server.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }

    int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    if (fd == -1)
        return -1;
    if (syscall(SYS_connect, fd, &server, sizeof server) == -1)
        goto fail;
    return fd;

fail:;
    int error = errno; /* close() may change it */
    syscall(SYS_close, fd);
    errno = error;
    return -1;
}

int send_all(int fd, const void *data, size_t len)
{
    const char *next = data;
    while (len > 0) {
        /* MSG_NOSIGNAL: a peer that has left is EPIPE, and not SIGPIPE too. */
        ssize_t n = syscall(SYS_sendto, fd, next, len, MSG_NOSIGNAL, NULL, 0);
        if (n == -1 && errno == EINTR)
            continue; /* nothing was taken: the same again */
        if (n == -1)
            return -1;
        next += n; /* a short count: the rest is still ours */
        len -= (size_t)n;
    }
    return 0;
}

int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    int fd = client_connect(ip, port);
    if (fd == -1)
        return -1;

    int result = send_all(fd, data, len);
    int error = errno;
    syscall(SYS_close, fd);
    errno = error;
    return result;
}

int prompt_line(const char *prompt, char *line, size_t cap)
{
    if (cap == 0) {
        errno = EINVAL;
        return -1;
    }
    /* On a pipe stdout keeps what it has until it is full or flushed. */
    if (fputs(prompt, stdout) == EOF || fflush(stdout) == EOF)
        return -1;

    size_t len = 0;
    bool fits = true;
    int c; /* an int: EOF is not a char */
    while ((c = getchar()) != EOF && c != '\n') {
        if (len + 1 < cap) /* one byte is kept for the NUL */
            line[len++] = (char)c;
        else
            fits = false; /* read on: the rest of this line goes too */
    }
    line[len] = '\0';

    if (c == EOF && ferror(stdin))
        return -1;
    if (!fits) {
        errno = EMSGSIZE;
        return -1;
    }
    return c == EOF && len == 0 ? 0 : 1;
}
