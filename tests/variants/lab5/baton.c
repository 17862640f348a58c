/* No acceptor: whoever has accepted a client hands the listener on to a new thread and serves it. */
#define _GNU_SOURCE
#include "threaded_server.h"
#include <arpa/inet.h>
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
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    bool stopping, some_ended, accepting;
    unsigned long threads;
    int error;
    pthread_t ended;
    struct client *first;
    struct server_stats stats;
};

static bool send_all(int connection, const char *data, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = send(connection, data + sent, len - sent, MSG_NOSIGNAL);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return false;
        sent += (size_t)n;
    }
    return true;
}

static void serve_client(struct client *client)
{
    struct server *server = client->server;
    char buffer[16384];
    for (;;) {
        ssize_t n = recv(client->connection, buffer, sizeof buffer, 0);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        pthread_mutex_lock(&server->lock);
        server->stats.bytes += (unsigned long long)n;
        pthread_mutex_unlock(&server->lock);
        say(EVENT_RECEIVED, NULL, (size_t)n);
        if (!send_all(client->connection, buffer, (size_t)n))
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

static void *run_acceptor(void *argument);

/* The last thing a thread does: it joins the one that left before it. */
static void leave(struct server *server, bool was_accepting)
{
    pthread_mutex_lock(&server->lock);
    bool join_one = server->some_ended;
    pthread_t before = server->ended;
    server->some_ended = true;
    server->ended = pthread_self();
    server->threads--;
    if (was_accepting)
        server->accepting = false;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (join_one)
        pthread_join(before, NULL);
}

static int add_thread(struct server *server)
{
    pthread_t thread;
    pthread_mutex_lock(&server->lock);
    server->threads++;
    pthread_mutex_unlock(&server->lock);
    int error = pthread_create(&thread, NULL, run_acceptor, server);
    if (error == 0)
        return 0;
    pthread_mutex_lock(&server->lock);
    server->threads--;
    pthread_mutex_unlock(&server->lock);
    return error;
}

/* The conversation, in the thread that accepted it. */
static void run_client(struct client *client)
{
    struct server *server = client->server;
    say(EVENT_CLIENT, client->peer, 0);
    serve_client(client);
    say(EVENT_GONE, client->peer, 0);
    pthread_mutex_lock(&server->lock);
    take_off(client);
    server->stats.served++;
    pthread_mutex_unlock(&server->lock);
    free(client);
    leave(server, false);
}

static struct client *enlist(struct server *server, int connection, const struct sockaddr_in *address)
{
    struct client *client = malloc(sizeof *client);
    if (client == NULL) {
        close(connection);
        return NULL;
    }
    char ip[INET_ADDRSTRLEN] = "?";
    inet_ntop(AF_INET, &address->sin_addr, ip, sizeof ip);
    snprintf(client->peer, sizeof client->peer, "%s:%u", ip, ntohs(address->sin_port));
    client->server = server;
    client->connection = connection;

    pthread_mutex_lock(&server->lock);
    client->next = server->first;
    client->link = &server->first;
    if (client->next != NULL)
        client->next->link = &client->next;
    server->first = client;
    server->stats.clients++;
    pthread_mutex_unlock(&server->lock);

    return client;
}

static bool is_stopping(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    bool stopping = server->stopping;
    pthread_mutex_unlock(&server->lock);
    return stopping;
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
            pthread_mutex_lock(&server->lock);
            server->error = error;
            pthread_mutex_unlock(&server->lock);
            return -1;
        }
    }
}

static void *run_acceptor(void *argument)
{
    struct server *server = argument;
    struct sockaddr_in address;
    int connection;
    while ((connection = accept_client(server, &address)) != -1) {
        struct client *client = enlist(server, connection, &address);
        if (client == NULL)
            continue;
        if (add_thread(server) == 0) {
            run_client(client);
            return NULL;
        }
        pthread_mutex_lock(&server->lock);
        take_off(client);
        pthread_mutex_unlock(&server->lock);
        free(client);
    }
    leave(server, true);
    return NULL;
}

struct server *server_start(int listener)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->listener = listener;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    server->accepting = true;
    int error = add_thread(server);
    if (error == 0)
        return server;
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
    errno = error;
    return NULL;
}

struct server_stats server_stats(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    struct server_stats stats = server->stats;
    pthread_mutex_unlock(&server->lock);
    return stats;
}

int server_stop(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    shutdown(server->listener, SHUT_RDWR);

    pthread_mutex_lock(&server->lock);
    while (server->accepting)
        pthread_cond_wait(&server->changed, &server->lock);
    for (struct client *client = server->first; client != NULL; client = client->next)
        shutdown(client->connection, SHUT_RD);
    while (server->threads > 0)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->ended, NULL);

    int error = server->error;
    if (close(server->listener) == -1)
        error = errno;
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
