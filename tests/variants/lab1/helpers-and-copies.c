/* Many small helpers; each piece is copied before it is sent; sending calls itself; scanf() and its kind. */
#include "client_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 64 };

static int close_keeping_errno(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool fill_in(struct sockaddr_in *server, const char *ip, uint16_t port)
{
    bzero(server, sizeof *server);
    server->sin_family = AF_INET;
    server->sin_port = (in_port_t)(port << 8 | port >> 8);
    if (htons(1) == 1) /* where the machine's order is the network's */
        server->sin_port = port;
    return inet_pton(AF_INET, ip, &server->sin_addr) > 0;
}

static int dial(const struct sockaddr_in *server)
{
    int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (fd == -1)
        return -1;
    return connect(fd, (const void *)server, sizeof *server) == 0 ? fd : close_keeping_errno(fd);
}

int client_connect(const char *ip, uint16_t port)
{
    struct sockaddr_in server;
    if (fill_in(&server, ip, port))
        return dial(&server);
    errno = EINVAL;
    return -1;
}

static ssize_t send_once(int fd, const void *data, size_t len)
{
    ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
    return n == -1 && errno == EINTR ? send_once(fd, data, len) : n;
}

/* All of a piece of at most PIECE bytes. */
static int send_piece(int fd, const char *data, size_t len)
{
    char copy[PIECE];
    while (len > 0) {
        memcpy(copy, data, len);
        ssize_t n = send_once(fd, copy, len);
        if (n == -1)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int send_all(int fd, const void *data, size_t len)
{
    const char *from = data;
    for (size_t at = 0; at < len; at += PIECE)
        if (send_piece(fd, from + at, len - at < PIECE ? len - at : PIECE) == -1)
            return -1;
    return 0;
}

int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    int fd = client_connect(ip, port);
    if (fd == -1)
        return -1;
    return send_all(fd, data, len) == -1 ? close_keeping_errno(fd) : close(fd);
}

/* What comes after the line: a newline is taken, and where the line goes on it is too long. */
static int end_line(void)
{
    int next = getchar();
    if (next == EOF || next == '\n')
        return ferror(stdin) ? -1 : 1;
    if (scanf("%*[^\n]") == EOF || getchar() == EOF)
        clearerr(stdin); /* the end comes again with the next call */
    errno = EMSGSIZE;
    return -1;
}

int prompt_line(const char *prompt, char *line, size_t cap)
{
    printf("%s", prompt);
    fflush(stdout);
    int first = getchar();
    if (first == EOF)
        return ferror(stdin) ? -1 : 0;
    ungetc(first, stdin);

    char format[32];
    snprintf(format, sizeof format, "%%%zu[^\n]", cap - 1);
    if (cap == 1 || scanf(format, line) != 1) /* no room, or an empty line */
        line[0] = '\0';
    return end_line();
}
