/* select() stands before each send() and each read(); one way out for each function. */
#include "client_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum direction { TO_READ, TO_WRITE };

static int wait_for(int fd, enum direction direction)
{
    for (;;) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        int n = select(fd + 1, direction == TO_READ ? &set : NULL, direction == TO_WRITE ? &set : NULL, NULL, NULL);
        if (n != -1 || errno != EINTR)
            return n;
    }
}

/* Four numbers and three dots, read by hand. */
static bool parse_address(const char *text, struct in_addr *address)
{
    uint32_t all = 0;
    for (int i = 0; i < 4; i++) {
        unsigned part = 0, digits = 0;
        for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
            part = 10 * part + (unsigned)(*text - '0');
        if (digits == 0 || part > 255 || *text != (i < 3 ? '.' : '\0'))
            return false;
        all = all << 8 | part;
        text += i < 3;
    }
    address->s_addr = htonl(all);
    return true;
}

int client_connect(const char *ip, uint16_t port)
{
    int fd = -1, error = 0;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (!parse_address(ip, &server.sin_addr))
        error = EINVAL;
    else if ((fd = socket(AF_INET, SOCK_STREAM, 0)) == -1)
        error = errno;
    else if (connect(fd, (struct sockaddr *)&server, sizeof server) == -1)
        error = errno;
    if (error != 0 && fd != -1)
        close(fd);
    if (error != 0)
        errno = error;
    return error == 0 ? fd : -1;
}

int send_all(int fd, const void *data, size_t len)
{
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    int result = 0;
    for (size_t sent = 0; sent < len && result == 0;) {
        ssize_t n = wait_for(fd, TO_WRITE) == -1 ? -1 : send(fd, (const char *)data + sent, len - sent, 0);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno != EINTR)
            result = -1;
    }
    int error = errno;
    signal(SIGPIPE, before);
    errno = error;
    return result;
}

int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    int result = -1, error, fd = client_connect(ip, port);
    if (fd == -1)
        goto out;
    result = send_all(fd, data, len);
    error = errno;
    close(fd);
    errno = error;
out:
    return result;
}

int prompt_line(const char *prompt, char *line, size_t cap)
{
    if (write(STDOUT_FILENO, prompt, strlen(prompt)) == -1)
        return -1;
    size_t len = 0;
    char byte = '\0';
    ssize_t n;
    while ((n = wait_for(STDIN_FILENO, TO_READ) == -1 ? -1 : read(STDIN_FILENO, &byte, 1)) == 1 && byte != '\n') {
        line[len < cap ? len : cap - 1] = byte;
        len += len < cap;
    }
    if (n == -1)
        return -1;
    bool fits = len < cap;
    line[fits ? len : cap - 1] = '\0';
    errno = fits ? errno : EMSGSIZE;
    return !fits ? -1 : n == 1 || len > 0;
}
