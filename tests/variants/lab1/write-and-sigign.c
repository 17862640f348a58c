/* write() for send(), SIGPIPE ignored by the whole program, inet_addr() with its one ambiguity, fgets(). */
#include "client_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int client_connect(const char *ip, uint16_t port)
{
    struct sockaddr_in server;
    memset(&server, 0, sizeof(server));
    server.sin_family = AF_INET;
    server.sin_port = htons(port);
    server.sin_addr.s_addr = inet_addr(ip);
    if ((server.sin_addr.s_addr == INADDR_NONE && strcmp(ip, "255.255.255.255") != 0) || strchr(ip, ' ') != NULL) {
        errno = EINVAL;
        return -1;
    }

    int sock;
    if ((sock = socket(PF_INET, SOCK_STREAM, IPPROTO_TCP)) < 0)
        return -1;
    if (connect(sock, (struct sockaddr *)&server, sizeof(server)) < 0) {
        int saved = errno;
        close(sock);
        errno = saved;
        return -1;
    }
    return sock;
}

int send_all(int fd, const void *data, size_t len)
{
    signal(SIGPIPE, SIG_IGN);
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = write(fd, (const char *)data + sent, len - sent);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        sent += (size_t)n;
    }
    return 0;
}

int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    int sock = client_connect(ip, port);
    if (sock < 0)
        return -1;
    if (send_all(sock, data, len) < 0) {
        int saved = errno;
        close(sock);
        errno = saved;
        return -1;
    }
    return close(sock);
}

/* fgets() leaves a line's newline behind when the line fills the room: one look at the next byte tells. */
int prompt_line(const char *prompt, char *line, size_t cap)
{
    printf("%s", prompt);
    fflush(stdout);
    if (cap == 1) {
        line[0] = '\0';
    } else if (fgets(line, (int)cap, stdin) == NULL) {
        return ferror(stdin) ? -1 : 0;
    }
    size_t len = strlen(line);
    if (len > 0 && line[len - 1] == '\n') {
        line[len - 1] = '\0';
        return 1;
    }
    int next = getchar();
    if (next == '\n')
        return 1;
    if (next == EOF)
        return ferror(stdin) ? -1 : len > 0;
    while (next != '\n' && next != EOF)
        next = getchar();
    errno = EMSGSIZE;
    return -1;
}
