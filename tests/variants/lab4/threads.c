/* A thread that drains while the caller waits for it, select(), readv(); port_state without allocation of its own. */
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "table.h"

struct job {
    int fd, error;
};

static void *drain(void *argument)
{
    struct job *job = argument;
    char left[100], right[1000];
    struct iovec pieces[] = {{left, sizeof left}, {right, sizeof right}};
    for (;;) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(job->fd, &set);
        if (select(job->fd + 1, &set, NULL, NULL, NULL) == -1 && errno != EINTR)
            break;
        ssize_t n = readv(job->fd, pieces, 2);
        if (n == 0)
            return NULL;
        if (n == -1 && errno != EINTR)
            break;
    }
    job->error = errno;
    return NULL;
}

static int end(int connection)
{
    struct job job = {connection, 0};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, drain, &job);
    if (error == 0)
        error = pthread_join(thread, NULL);
    close(connection);
    errno = error != 0 ? error : job.error;
    return errno == 0 ? 0 : -1;
}

int close_first(int connection)
{
    if (shutdown(connection, SHUT_WR) != 0) {
        int error = errno;
        close(connection);
        errno = error;
        return -1;
    }
    return end(connection);
}

int close_last(int connection)
{
    return end(connection);
}

static int failed(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (fd == -1)
        return -1;
    if (ip != NULL && ip[0] != '\0' && inet_pton(AF_INET, ip, &address.sin_addr) != 1) {
        errno = EINVAL;
        return failed(fd);
    }
    if (reuse)
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1)
            return failed(fd);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == -1)
        return failed(fd);
    return listen(fd, backlog) == -1 ? failed(fd) : fd;
}

int reuse_enabled(int fd)
{
    int values[4] = {0};
    socklen_t size = sizeof values;
    return getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, values, &size) == -1 ? -1 : values[0] != 0;
}

static bool has(const struct table_entry *table, size_t count, uint16_t port, int low, int high, int but)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].local_port == port && table[i].state >= low && table[i].state <= high && table[i].state != but)
            return true;
    return false;
}

enum port_state port_state(uint16_t port)
{
    size_t count;
    struct table_entry *table = read_table(&count);
    if (!table)
        return PORT_UNKNOWN;
    enum port_state state = PORT_FREE;
    if (has(table, count, port, TCP_LISTEN, TCP_LISTEN, 0))
        state = PORT_LISTENING;
    else if (has(table, count, port, TCP_ESTABLISHED, TCP_LAST_ACK, TCP_TIME_WAIT) ||
             has(table, count, port, TCP_CLOSING, 99, 0))
        state = PORT_CONNECTED;
    else if (has(table, count, port, TCP_TIME_WAIT, TCP_TIME_WAIT, 0))
        state = PORT_TIME_WAIT;
    free(table);
    return state;
}
