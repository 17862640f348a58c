/* The connection as a FILE, and /proc/net/tcp read by hand. */
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int to_the_end(int connection)
{
    char buffer[100];
    FILE *file = fdopen(connection, "r");
    if (file == NULL)
        return close(connection), -1;
    for (;;) {
        errno = 0;
        if (fread(buffer, 1, sizeof buffer, file) > 0)
            continue;
        if (!ferror(file) || errno != EINTR)
            break;
        clearerr(file);
    }
    int error = errno, result = ferror(file) ? -1 : 0;
    fclose(file);
    errno = error;
    return result;
}

int close_first(int connection)
{
    if (shutdown(connection, SHUT_WR) == -1 && errno != ENOTCONN) {
        close(connection);
        return -1;
    }
    return to_the_end(connection);
}

int close_last(int connection)
{
    return to_the_end(connection);
}

static bool turn_on(int fd)
{
    const int yes = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0;
}

int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse)
{
    struct in_addr host = {htonl(INADDR_ANY)};
    if (ip && *ip && inet_pton(AF_INET, ip, &host) != 1) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(PF_INET, SOCK_STREAM, 0);
    if (fd == -1)
        return -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = host};
    if ((!reuse || turn_on(fd)) && !bind(fd, (struct sockaddr *)&address, sizeof address) && !listen(fd, backlog))
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

int reuse_enabled(int fd)
{
    int on = -1;
    socklen_t size = sizeof on;
    getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &size);
    return on;
}

static int look(const char *path, unsigned port, int most)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return errno == ENOENT ? most : -1;
    char line[300];
    while (fgets(line, sizeof line, file)) {
        unsigned local, remote, state;
        if (sscanf(line, " %*d: %*[^:]:%x %*[^:]:%x %x", &local, &remote, &state) != 3 || local != port)
            continue;
        int one = state == 0x0A ? PORT_LISTENING : state == 0x06 ? PORT_TIME_WAIT : PORT_CONNECTED;
        most = one > most ? one : most;
    }
    fclose(file);
    return most;
}

enum port_state port_state(uint16_t port)
{
    int most = look("/proc/net/tcp", port, PORT_FREE);
    if (most != -1)
        most = look("/proc/net/tcp6", port, most);
    return (enum port_state)most;
}
