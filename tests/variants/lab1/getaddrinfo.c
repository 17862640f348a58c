/* getaddrinfo() with AI_NUMERICHOST, sendto() in small pieces, read() a byte at a time. */
#include "client_send.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* It tells its errors by its result. Some mean that there was no memory: errno knows those. */
static struct addrinfo *find_server(const char *ip, uint16_t port)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo hints = {
        .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *server = NULL;
    int error = *ip == '\0' ? EAI_NONAME : getaddrinfo(ip, service, &hints, &server);
    if (error != 0 && error != EAI_SYSTEM)
        errno = error == EAI_MEMORY ? ENOMEM : EINVAL;
    return server;
}

int client_connect(const char *ip, uint16_t port)
{
    struct addrinfo *server = find_server(ip, port);
    if (server == NULL)
        return -1;
    int fd = socket(server->ai_family, server->ai_socktype, server->ai_protocol);
    int connected = fd == -1 ? -1 : connect(fd, server->ai_addr, server->ai_addrlen);
    int error = errno;
    freeaddrinfo(server);
    if (connected == -1 && fd != -1)
        close(fd);
    errno = error;
    return connected == -1 ? -1 : fd;
}

int send_all(int fd, const void *data, size_t len)
{
    enum { PIECE = 512 };
    for (const char *from = data, *end = from + len; from < end;) {
        size_t piece = (size_t)(end - from) < PIECE ? (size_t)(end - from) : PIECE;
        ssize_t n;
        do
            n = sendto(fd, from, piece, MSG_NOSIGNAL, NULL, 0);
        while (n == -1 && errno == EINTR);
        if (n == -1)
            return -1;
        from += n;
    }
    return 0;
}

int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    int fd, result, error;
    if ((fd = client_connect(ip, port)) == -1)
        return -1;
    result = send_all(fd, data, len);
    error = errno;
    close(fd);
    errno = error;
    return result;
}

static int write_prompt(const char *prompt)
{
    for (size_t left = strlen(prompt); left > 0;) {
        ssize_t n = write(STDOUT_FILENO, prompt, left);
        if (n == -1 && errno != EINTR)
            return -1;
        prompt += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int prompt_line(const char *prompt, char *line, size_t cap)
{
    if (write_prompt(prompt) == -1)
        return -1;
    size_t len = 0;
    for (;;) {
        char byte;
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        if (n == 0 && len == 0)
            return 0;
        if (n == 0 || byte == '\n')
            break;
        if (len + 1 < cap)
            line[len] = byte;
        len++;
    }
    line[len < cap ? len : cap - 1] = '\0';
    if (len < cap)
        return 1;
    errno = EMSGSIZE;
    return -1;
}
