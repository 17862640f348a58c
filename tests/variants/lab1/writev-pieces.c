/* writev() with several pieces at a time, a handler for SIGPIPE that does nothing, stdout without a buffer. */
#include "client_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIECE = 1000, PIECES = 8 };

static void do_nothing(int signo)
{
    (void)signo;
}

int client_connect(const char *ip, uint16_t port)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
    int understood = inet_pton(AF_INET, ip, &server.sin_addr);
    if (understood == 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd != -1 && connect(fd, (struct sockaddr *)&server, sizeof server) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    return fd;
}

static int cut_into_pieces(const char *data, size_t len, struct iovec *pieces)
{
    int count = 0;
    for (; len > 0 && count < PIECES; count++) {
        pieces[count].iov_base = (void *)(uintptr_t)data;
        pieces[count].iov_len = len < PIECE ? len : PIECE;
        data += pieces[count].iov_len;
        len -= pieces[count].iov_len;
    }
    return count;
}

int send_all(int fd, const void *data, size_t len)
{
    struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    sigaction(SIGPIPE, &action, NULL);
    const char *from = data, *end = from + len;
    while (from != end) {
        struct iovec pieces[PIECES];
        int count = cut_into_pieces(from, (size_t)(end - from), pieces);
        ssize_t n = writev(fd, pieces, count);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        from += n;
    }
    return 0;
}

int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    int fd = client_connect(ip, port);
    if (fd == -1)
        return -1;
    int error = send_all(fd, data, len) == -1 ? errno : 0;
    close(fd);
    errno = error;
    return error ? -1 : 0;
}

int prompt_line(const char *prompt, char *line, size_t cap)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("%s", prompt);
    size_t len = 0;
    int c = fgetc(stdin);
    if (c == EOF)
        return ferror(stdin) ? -1 : 0;
    for (; c != '\n' && c != EOF; c = fgetc(stdin)) {
        if (len < cap)
            line[len] = (char)c;
        len++;
    }
    if (c == EOF && ferror(stdin))
        return -1;
    if (len >= cap) {
        errno = EMSGSIZE;
        return -1;
    }
    line[len] = '\0';
    return 1;
}
