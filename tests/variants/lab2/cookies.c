/* Streams of fopencookie() without buffers. */
#define _GNU_SOURCE
#include "client_recv.h"
#include "dial.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct source {
    int fd;
    int error;
};

ssize_t recv_some(int fd, void *buf, size_t cap)
{
    ssize_t n;
    while ((n = recvfrom(fd, buf, cap, 0, NULL, NULL)) == -1 && errno == EINTR)
        continue;
    return n;
}

static ssize_t fetch(void *cookie, char *to, size_t size)
{
    struct source *source = cookie;
    ssize_t n = recv_some(source->fd, to, size);
    if (n == -1)
        source->error = errno;
    return n;
}

static FILE *stream_of(struct source *source)
{
    FILE *stream = fopencookie(source, "r", (cookie_io_functions_t){.read = fetch});
    if (stream != NULL)
        setvbuf(stream, NULL, _IONBF, 0);
    return stream;
}

ssize_t recv_exactly(int fd, void *buf, size_t len)
{
    if (len == 0)
        return 0;
    struct source source = {fd, 0};
    FILE *stream = stream_of(&source);
    if (stream == NULL)
        return -1;
    size_t got = fread(buf, 1, len, stream);
    fclose(stream);
    if (source.error == 0)
        return (ssize_t)got;
    errno = source.error;
    return -1;
}

ssize_t recv_line(int fd, char *line, size_t cap)
{
    if (cap < 2) {
        errno = EINVAL;
        return -1;
    }
    struct source source = {fd, 0};
    FILE *stream = stream_of(&source);
    if (stream == NULL)
        return -1;
    size_t i = 0;
    int c = 0;
    while (i < cap - 1 && c != '\n' && (c = getc(stream)) != EOF)
        line[i++] = (char)c;
    line[i] = '\0';
    fclose(stream);
    if (c != EOF && c != '\n')
        source.error = EMSGSIZE;
    if (source.error == 0)
        return (ssize_t)i;
    errno = source.error;
    return -1;
}

int recv_message(int fd, void *buf, size_t cap, size_t *len)
{
    unsigned char head[4];
    ssize_t n = recv_exactly(fd, head, 4);
    int error = 0;
    if (n == -1 || n == 0)
        return (int)n;
    unsigned long size = 0;
    for (ssize_t i = 0; i < n; i++)
        size = size << 8 | head[i];
    if (n < 4)
        error = EPROTO;
    else if (size > cap)
        error = EMSGSIZE;
    else if ((n = recv_exactly(fd, buf, size)) == -1)
        return -1;
    else if ((unsigned long)n < size)
        error = EPROTO;
    if (error != 0) {
        errno = error;
        return -1;
    }
    *len = size;
    return 1;
}

int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len)
{
    *reply = NULL;
    *reply_len = 0;
    struct source source = {dial(ip, port, request, len), 0};
    if (source.fd == -1)
        return -1;
    FILE *stream = NULL;
    char *all = NULL;
    size_t used = 0, room = 0;
    if (shutdown(source.fd, SHUT_WR) == -1 || (stream = stream_of(&source)) == NULL)
        source.error = errno;
    while (source.error == 0) {
        char *more = realloc(all, room += room + 10000);
        if (more == NULL) {
            source.error = ENOMEM;
            break;
        }
        all = more;
        used += fread(all + used, 1, room - used, stream);
        if (used < room)
            break;
    }
    if (stream != NULL)
        fclose(stream);
    close(source.fd);
    if (source.error != 0) {
        free(all);
        errno = source.error;
        return -1;
    }
    *reply = all;
    *reply_len = used;
    return 0;
}
