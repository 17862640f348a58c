/* A variant: C11's own threads, mutexes and conditions, and a table of places instead of a list. */
#include "threaded_server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <threads.h>
#include <unistd.h>

struct place {
    bool taken;
    int fd;
    char peer[NI_MAXHOST + 8];
    struct server *server;
};

struct server {
    int listener;
    _Atomic bool stopping;
    thrd_t acceptor;
    mtx_t lock;
    cnd_t left;
    struct place **places;
    size_t room;
    struct server_stats stats;
};

static void leave(struct place *place, bool was_here)
{
    struct server *server = place->server;
    mtx_lock(&server->lock);
    place->taken = false;
    close(place->fd);
    server->stats.clients--;
    server->stats.served += was_here;
    cnd_broadcast(&server->left);
    mtx_unlock(&server->lock);
}

static bool give_back(int fd, const char *from, size_t len)
{
    size_t done = 0;
    do {
        ssize_t n = send(fd, from + done, len - done, MSG_NOSIGNAL);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return false;
    } while (done < len);
    return true;
}

static int talk(void *given)
{
    struct place *place = given;
    static thread_local char words[3000];
    say(EVENT_CLIENT, place->peer, 0);
    for (;;) {
        ssize_t n = recv(place->fd, words, sizeof words, 0);
        if (n == 0 || (n == -1 && errno != EINTR))
            break;
        if (n == -1)
            continue;
        mtx_lock(&place->server->lock);
        place->server->stats.bytes += (size_t)n;
        mtx_unlock(&place->server->lock);
        say(EVENT_RECEIVED, NULL, (size_t)n);
        if (!give_back(place->fd, words, (size_t)n))
            break;
    }
    say(EVENT_GONE, place->peer, 0);
    leave(place, true);
    return 0;
}

/* A free place, under the lock; places never move, for a thread may look at one. */
static struct place *find_place(struct server *server)
{
    for (size_t i = 0; i < server->room; i++)
        if (!server->places[i]->taken)
            return server->places[i];
    struct place **more = realloc(server->places, (server->room + 1) * sizeof *more);
    if (more == NULL)
        return NULL;
    server->places = more;
    more[server->room] = calloc(1, sizeof **more);
    return more[server->room] != NULL ? more[server->room++] : NULL;
}

static void welcome(struct server *server, int fd, const struct sockaddr *address, socklen_t size)
{
    mtx_lock(&server->lock);
    struct place *place = find_place(server);
    if (place == NULL) {
        close(fd);
        mtx_unlock(&server->lock);
        return;
    }
    char port[8];
    getnameinfo(address, size, place->peer, NI_MAXHOST, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    strcat(strcat(place->peer, ":"), port);
    place->taken = true;
    place->fd = fd;
    place->server = server;
    server->stats.clients++;
    mtx_unlock(&server->lock);
    thrd_t thread;
    if (thrd_create(&thread, talk, place) == thrd_success)
        thrd_detach(thread);
    else
        leave(place, false);
}

static int door(void *given)
{
    struct server *server = given;
    for (;;) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int fd = accept(server->listener, (struct sockaddr *)&address, &size);
        if (fd != -1) {
            welcome(server, fd, (struct sockaddr *)&address, size);
            continue;
        }
        switch (errno) {
        case EBADF: case EINVAL: case ENOTSOCK: case EFAULT: case EOPNOTSUPP:
            return 0;
        case EMFILE: case ENFILE: case ENOBUFS: case ENOMEM:
            if (server->stopping)
                return 0;
            thrd_sleep(&(struct timespec){.tv_nsec = 15000000}, NULL);
        }
    }
}

struct server *server_start(int listener)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    server->listener = listener;
    mtx_init(&server->lock, mtx_plain);
    cnd_init(&server->left);
    if (thrd_create(&server->acceptor, door, server) == thrd_success)
        return server;
    free(server);
    errno = EAGAIN;
    return NULL;
}

struct server_stats server_stats(struct server *server)
{
    struct server_stats stats;
    mtx_lock(&server->lock);
    memcpy(&stats, &server->stats, sizeof stats);
    mtx_unlock(&server->lock);
    return stats;
}

int server_stop(struct server *server)
{
    server->stopping = true;
    shutdown(server->listener, SHUT_RDWR);
    thrd_join(server->acceptor, NULL);
    mtx_lock(&server->lock);
    for (size_t i = 0; i < server->room; i++)
        if (server->places[i]->taken)
            shutdown(server->places[i]->fd, SHUT_RD);
    while (server->stats.clients > 0)
        cnd_wait(&server->left, &server->lock);
    mtx_unlock(&server->lock);
    close(server->listener);
    for (size_t i = 0; i < server->room; i++)
        free(server->places[i]);
    free(server->places);
    mtx_destroy(&server->lock);
    cnd_destroy(&server->left);
    free(server);
    return 0;
}
