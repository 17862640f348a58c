/* client_ask() through stdio, which owns its descriptor; the rest by small steps, byte by byte. */
#include "client_recv.h"
#include "dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ssize_t recv_some(int fd, void *buf, size_t cap)
{
    ssize_t n = -1;
    errno = EINTR;
    while (n == -1 && errno == EINTR)
        n = recv(fd, buf, cap, 0);
    return n;
}

/* A byte at a time is slow, and right. */
ssize_t recv_exactly(int fd, void *buf, size_t len)
{
    size_t got = 0;
    for (ssize_t n; got < len; got++)
        if ((n = recv_some(fd, (char *)buf + got, 1)) != 1)
            return n == 0 ? (ssize_t)got : -1;
    return (ssize_t)got;
}

ssize_t recv_line(int fd, char *line, size_t cap)
{
    if (cap < 2) {
        errno = EINVAL;
        return -1;
    }
    char *own = malloc(cap); /* the caller's room is filled when all is well */
    if (own == NULL)
        return -1;
    ssize_t result = 0, n = 0;
    while ((size_t)result < cap - 1 && (n = recv_some(fd, own + result, 1)) == 1)
        if (own[result++] == '\n')
            break;
    if (n == -1)
        result = -1;
    else if (n == 1 && own[result - 1] != '\n') {
        errno = EMSGSIZE;
        result = -1;
    }
    if (result != -1) {
        own[result] = '\0';
        memcpy(line, own, (size_t)result + 1);
    }
    int error = errno;
    free(own);
    errno = error;
    return result;
}

int recv_message(int fd, void *buf, size_t cap, size_t *len)
{
    size_t length = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char byte;
        ssize_t n = recv_some(fd, &byte, 1);
        if (n == 0 && i > 0)
            errno = EPROTO;
        if (n != 1)
            return n == 0 && i == 0 ? 0 : -1;
        length = length << 8 | byte;
    }
    if (length > cap) {
        errno = EMSGSIZE;
        return -1;
    }
    ssize_t n = recv_exactly(fd, buf, length);
    if (n != -1 && (size_t)n != length)
        errno = EPROTO;
    *len = length;
    return n != -1 && (size_t)n == length ? 1 : -1;
}

int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len)
{
    *reply = NULL;
    *reply_len = 0;
    int fd = dial(ip, port, request, len);
    if (fd == -1)
        return -1;
    FILE *out = NULL;
    ssize_t n = -1;
    char piece[1500];
    if (shutdown(fd, SHUT_WR) == 0 && (out = open_memstream(reply, reply_len)) != NULL)
        while ((n = recv_some(fd, piece, sizeof piece)) > 0)
            fwrite(piece, 1, (size_t)n, out);
    int error = errno;
    if (out != NULL)
        fclose(out);
    close(fd);
    if (n == -1) {
        free(*reply);
        *reply = NULL;
    }
    errno = error;
    return n == -1 ? -1 : 0;
}
