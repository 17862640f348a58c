/* Nothing blocks: connect() and send() don't wait, poll() does; what was received is kept for the next line. */
#include "client_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int wait_until_writable(int fd)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    int ready;
    do
        ready = poll(&writable, 1, -1);
    while (ready == -1 && errno == EINTR);
    return ready;
}

static int finish_connecting(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (wait_until_writable(fd) == -1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
        return -1;
    errno = error;
    return error == 0 ? 0 : -1;
}

int client_connect(const char *ip, uint16_t port)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, ip, &server.sin_addr) <= 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd == -1)
        return -1;
    int result = connect(fd, (struct sockaddr *)&server, sizeof server);
    if (result == -1 && errno == EINPROGRESS)
        result = finish_connecting(fd);
    if (result == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int send_all(int fd, const void *data, size_t len)
{
    const unsigned char *next = data;
    while (len > 0) {
        ssize_t n = send(fd, next, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            next += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (wait_until_writable(fd) == -1)
                return -1;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    int fd = client_connect(ip, port);
    if (fd == -1)
        return -1;
    int result = send_all(fd, data, len), error = errno;
    close(fd);
    errno = error;
    return result;
}

/* ---- lines out of larger pieces ---- */

static struct {
    char bytes[4096];
    size_t from, to;
} input;

/* The next byte; 256 at the end of the input, -1 with errno. */
static int next_byte(void)
{
    if (input.from == input.to) {
        ssize_t n;
        do
            n = read(STDIN_FILENO, input.bytes, sizeof input.bytes);
        while (n == -1 && errno == EINTR);
        if (n <= 0)
            return n == 0 ? 256 : -1;
        input.from = 0;
        input.to = (size_t)n;
    }
    return (unsigned char)input.bytes[input.from++];
}

int prompt_line(const char *prompt, char *line, size_t cap)
{
    if (fputs(prompt, stdout) == EOF || fflush(stdout) == EOF)
        return -1;
    size_t len = 0;
    int byte;
    while ((byte = next_byte()) >= 0 && byte < 256 && byte != '\n')
        if (++len < cap)
            line[len - 1] = (char)byte;
    if (byte == -1)
        return -1;
    if (byte == 256 && len == 0)
        return 0;
    line[len < cap ? len : cap - 1] = '\0';
    if (len < cap)
        return 1;
    errno = EMSGSIZE;
    return -1;
}
