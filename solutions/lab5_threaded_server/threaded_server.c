/* Lab 5, multi-threaded server: a reference. README.md beside it says why it is
 * so and what else is right. */
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_SIZE = 4096, PAUSE_MS = 100, PEER_CAP = sizeof "255.255.255.255:65535" };

/* One client. It belongs to its thread, which frees it; the links belong to the
 * server's list, under its lock. */
struct client {
    struct server *server;
    struct client *next, **link;
    int connection;
    char peer[PEER_CAP];
};

struct server {
    int listener;
    pthread_t acceptor;
    pthread_mutex_t lock;   /* for all that follows */
    pthread_cond_t empty;   /* `clients` has become NULL */
    struct client *clients; /* whose connections are open */
    bool stopping;          /* server_stop has begun */
    struct server_stats stats;
};

/* ---- the clients that there are ---------------------------------------------- */

static void add_client(struct server *server, struct client *client)
{
    pthread_mutex_lock(&server->lock);
    client->next = server->clients;
    client->link = &server->clients;
    if (client->next != NULL)
        client->next->link = &client->next;
    server->clients = client;
    server->stats.clients++;
    pthread_mutex_unlock(&server->lock);
}

/* The connection is closed under the lock: its number may be given to another
 * client at once, and server_stop must not half-close that one for this one. */
static void remove_client(struct client *client, bool was_served)
{
    struct server *server = client->server;
    pthread_mutex_lock(&server->lock);
    *client->link = client->next;
    if (client->next != NULL)
        client->next->link = client->link;
    close(client->connection);
    server->stats.clients--;
    server->stats.served += was_served;
    if (server->clients == NULL)
        pthread_cond_signal(&server->empty);
    pthread_mutex_unlock(&server->lock); /* from here on the server may be gone */
    free(client);
}

static void count_bytes(struct server *server, size_t n)
{
    pthread_mutex_lock(&server->lock);
    server->stats.bytes += n;
    pthread_mutex_unlock(&server->lock);
}

/* ---- a client's thread ------------------------------------------------------- */

/* Lab 1's send_all: short counts, EINTR, and no SIGPIPE. */
static int send_back(int connection, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(connection, data, len, MSG_NOSIGNAL);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Lab 3's serve_client: the buffer is on this thread's own stack. */
static void serve(struct client *client)
{
    for (;;) {
        char buffer[BUFFER_SIZE];
        ssize_t n = recv(client->connection, buffer, sizeof buffer, 0);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1 || n == 0) /* a reset or an end: either way it is over */
            return;
        count_bytes(client->server, (size_t)n);
        say(EVENT_RECEIVED, NULL, (size_t)n);
        if (send_back(client->connection, buffer, (size_t)n) == -1)
            return;
    }
}

static void *client_thread(void *argument)
{
    struct client *client = argument;
    say(EVENT_CLIENT, client->peer, 0);
    serve(client);
    say(EVENT_GONE, client->peer, 0);
    remove_client(client, true);
    return NULL;
}

/* Nobody joins a client's thread, so it is detached: its stack is given back
 * when it ends. Without a thread the client is turned away. */
static void start_client(struct client *client)
{
    pthread_t thread;
    add_client(client->server, client); /* first: the thread may be done before we return */
    if (pthread_create(&thread, NULL, client_thread, client) == 0)
        pthread_detach(thread);
    else
        remove_client(client, false);
}

/* ---- the thread that accepts ------------------------------------------------- */

/* Lab 3's three heaps: one client's trouble, this moment's, the listener's. */
static bool is_passing(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return true;
    default:
        return false;
    }
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static bool is_stopping(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    bool stopping = server->stopping;
    pthread_mutex_unlock(&server->lock);
    return stopping;
}

/* A client with memory of its own: the next accept can't change it. */
static struct client *make_client(struct server *server, int connection, const struct sockaddr_in *address)
{
    struct client *client = malloc(sizeof *client);
    if (client == NULL)
        return NULL;
    *client = (struct client){.server = server, .connection = connection};
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address->sin_addr, ip, sizeof ip);
    snprintf(client->peer, sizeof client->peer, "%s:%u", ip, ntohs(address->sin_port));
    return client;
}

static void welcome(struct server *server, int connection, const struct sockaddr_in *address)
{
    struct client *client = make_client(server, connection, address);
    if (client != NULL)
        start_client(client);
    else
        close(connection); /* no memory: turned away */
}

static void *accept_clients(void *argument)
{
    struct server *server = argument;
    for (;;) {
        struct sockaddr_in address;
        socklen_t size = sizeof address;
        int connection = accept(server->listener, (struct sockaddr *)&address, &size);
        if (connection != -1)
            welcome(server, connection, &address);
        else if (is_shortage(errno) && !is_stopping(server))
            poll(NULL, 0, PAUSE_MS); /* accept says EMFILE on a listener that is shut down too */
        else if (!is_passing(errno))
            return NULL; /* EINVAL: server_stop has shut the listener down */
    }
}

/* ---- the three functions ----------------------------------------------------- */

struct server *server_start(int listener)
{
    struct server *server = malloc(sizeof *server);
    if (server == NULL)
        return NULL;
    *server = (struct server){.listener = listener};
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->empty, NULL);

    int error = pthread_create(&server->acceptor, NULL, accept_clients, server);
    if (error == 0)
        return server;
    free(server);
    errno = error; /* pthread_create leaves errno alone */
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
    shutdown(server->listener, SHUT_RDWR); /* accept gives EINVAL, now and from now on */
    pthread_join(server->acceptor, NULL);  /* so nobody is added to the list any more */

    pthread_mutex_lock(&server->lock);
    for (struct client *client = server->clients; client != NULL; client = client->next)
        shutdown(client->connection, SHUT_RD);
    while (server->clients != NULL)
        pthread_cond_wait(&server->empty, &server->lock);
    pthread_mutex_unlock(&server->lock);

    close(server->listener);
    pthread_cond_destroy(&server->empty);
    pthread_mutex_destroy(&server->lock);
    free(server);
    return 0;
}
