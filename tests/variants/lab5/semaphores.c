/* A spinlock, atomic counters, a semaphore; recvmmsg() and sendmmsg(). */
#define _GNU_SOURCE
#include "threaded_server.h"
#include <arpa/inet.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct client {
    struct server *server;
    struct client *next, **link;
    int connection;
    char peer[INET_ADDRSTRLEN + sizeof ":65535"];
};

struct server {
    int listener;
    pthread_t acceptor;
    atomic_bool stopping;
    atomic_ullong bytes;
    sem_t over;              /* posted once by each thread of a client */
    unsigned long started;   /* the acceptor's; server_stop's after the join */
    pthread_spinlock_t lock; /* guards all below */
    bool some_ended;
    int error;
    pthread_t ended;
    struct client *first;
    struct server_stats stats;
};

static bool send_all(int connection, const char *data, size_t len)
{
    while (len > 0) {
        struct iovec rest = {(char *)data, len};
        struct mmsghdr message = {.msg_hdr = {.msg_iov = &rest, .msg_iovlen = 1}};
        int n = sendmmsg(connection, &message, 1, MSG_NOSIGNAL);
        if (n == 1) {
            data += message.msg_len;
            len -= message.msg_len;
        } else if (n == -1 && errno != EINTR)
            return false;
    }
    return true;
}

static void serve_client(struct client *client)
{
    char buffer[16384];
    for (;;) {
        struct iovec room = {buffer, sizeof buffer};
        struct mmsghdr message = {.msg_hdr = {.msg_iov = &room, .msg_iovlen = 1}};
        int n = recvmmsg(client->connection, &message, 1, 0, NULL);
        if (n == -1 && errno == EINTR)
            continue;
        if (n != 1 || message.msg_len == 0)
            return;
        atomic_fetch_add(&client->server->bytes, message.msg_len);
        say(EVENT_RECEIVED, NULL, message.msg_len);
        if (!send_all(client->connection, buffer, message.msg_len))
            return;
    }
}

/* With the lock held: off the list and closed, in one step. */
static void take_off(struct client *client)
{
    struct server *server = client->server;
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    close(client->connection);
    server->stats.clients--;
}

static void *run_client(void *argument)
{
    struct client *client = argument;
    struct server *server = client->server;
    say(EVENT_CLIENT, client->peer, 0);
    serve_client(client);
    say(EVENT_GONE, client->peer, 0);

    pthread_spin_lock(&server->lock);
    take_off(client);
    server->stats.served++;
    bool join_one = server->some_ended;
    pthread_t before = server->ended;
    server->some_ended = true;
    server->ended = pthread_self();
    pthread_spin_unlock(&server->lock);
    sem_post(&server->over);
    free(client);
    if (join_one)
        pthread_join(before, NULL);
    return NULL;
}

static void start_client(struct server *server, int connection, const struct sockaddr_in *address)
{
    struct client *client = malloc(sizeof *client);
    if (client == NULL) {
        close(connection);
        return;
    }
    char ip[INET_ADDRSTRLEN] = "?";
    inet_ntop(AF_INET, &address->sin_addr, ip, sizeof ip);
    snprintf(client->peer, sizeof client->peer, "%s:%u", ip, ntohs(address->sin_port));
    client->server = server;
    client->connection = connection;

    pthread_spin_lock(&server->lock);
    client->next = server->first;
    client->link = &server->first;
    if (client->next != NULL)
        client->next->link = &client->next;
    server->first = client;
    server->stats.clients++;
    pthread_spin_unlock(&server->lock);

    pthread_t thread;
    if (pthread_create(&thread, NULL, run_client, client) == 0) {
        server->started++;
        return;
    }
    pthread_spin_lock(&server->lock);
    take_off(client);
    pthread_spin_unlock(&server->lock);
    free(client);
}

static bool is_stopping(struct server *server)
{
    return atomic_load(&server->stopping);
}

static void take_a_breath(void)
{
    struct timespec pause = {0, 50 * 1000 * 1000};
    while (nanosleep(&pause, &pause) == -1 && errno == EINTR)
        continue;
}

/* -1: no more accepting, for errno's reason */
static int accept_client(struct server *server, struct sockaddr_in *address)
{
    for (;;) {
        socklen_t size = sizeof *address;
        int connection = accept(server->listener, (struct sockaddr *)address, &size);
        if (connection != -1)
            return connection;
        int error = errno;
        if (is_stopping(server))
            return -1;
        switch (error) {
        case EINTR:
        case ECONNABORTED:
        case EPERM:
        case ETIMEDOUT:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
            continue;
        case EAGAIN:
            poll(&(struct pollfd){.fd = server->listener, .events = POLLIN}, 1, 100);
            continue;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            take_a_breath();
            continue;
        default:
            pthread_spin_lock(&server->lock);
            server->error = error;
            pthread_spin_unlock(&server->lock);
            return -1;
        }
    }
}

static void *run_acceptor(void *argument)
{
    struct server *server = argument;
    struct sockaddr_in address;
    int connection;
    while ((connection = accept_client(server, &address)) != -1)
        start_client(server, connection, &address);
    return NULL;
}

struct server *server_start(int listener)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->listener = listener;
    pthread_spin_init(&server->lock, PTHREAD_PROCESS_PRIVATE);
    sem_init(&server->over, 0, 0);
    int error = pthread_create(&server->acceptor, NULL, run_acceptor, server);
    if (error == 0)
        return server;
    sem_destroy(&server->over);
    pthread_spin_destroy(&server->lock);
    free(server);
    errno = error;
    return NULL;
}

struct server_stats server_stats(struct server *server)
{
    pthread_spin_lock(&server->lock);
    struct server_stats stats = server->stats;
    pthread_spin_unlock(&server->lock);
    stats.bytes = atomic_load(&server->bytes);
    return stats;
}

int server_stop(struct server *server)
{
    atomic_store(&server->stopping, true);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);

    pthread_spin_lock(&server->lock);
    for (struct client *client = server->first; client != NULL; client = client->next)
        shutdown(client->connection, SHUT_RD);
    pthread_spin_unlock(&server->lock);
    while (server->started > 0)
        if (sem_wait(&server->over) == 0)
            server->started--;
    if (server->some_ended)
        pthread_join(server->ended, NULL);

    int error = server->error;
    if (close(server->listener) == -1)
        error = errno;
    sem_destroy(&server->over);
    pthread_spin_destroy(&server->lock);
    free(server);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
