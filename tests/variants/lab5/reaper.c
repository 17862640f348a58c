/* A variant: threads that are joined, by the acceptor when it gets round to it; atomics for the numbers; poll()
 * over listener and an eventfd; SIGPIPE ignored, read() and write(). */
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct guest {
    struct guest *next;
    struct server *home;
    pthread_t thread;
    int fd;
    struct sockaddr_in address;
    atomic_bool done;
};

struct server {
    int listener, bell;
    pthread_t acceptor;
    struct guest *guests; /* the acceptor's alone */
    atomic_ullong now, served, bytes;
};

static void *entertain(void *given)
{
    struct guest *me = given;
    char who[64], ip[INET_ADDRSTRLEN];
    snprintf(who, sizeof who, "%s:%hu", inet_ntop(AF_INET, &me->address.sin_addr, ip, sizeof ip), ntohs(me->address.sin_port));
    say(EVENT_CLIENT, who, 0);
    char *room = malloc(8192);
    for (ssize_t n; room != NULL && ((n = read(me->fd, room, 8192)) > 0 || (n == -1 && errno == EINTR));) {
        if (n == -1)
            continue;
        me->home->bytes += (unsigned long long)n;
        say(EVENT_RECEIVED, NULL, (size_t)n);
        char *from = room;
        while (n > 0) {
            ssize_t m = write(me->fd, from, (size_t)n);
            if (m == -1 && errno == EINTR)
                continue;
            if (m == -1)
                goto over;
            from += m;
            n -= m;
        }
    }
over:
    free(room);
    say(EVENT_GONE, who, 0);
    shutdown(me->fd, SHUT_RDWR); /* the client has its end now; the number is the acceptor's to close */
    atomic_store(&me->done, 1);
    atomic_fetch_add(&me->home->served, 1);
    atomic_fetch_sub(&me->home->now, 1);
    uint64_t one = 1;
    while (write(me->home->bell, &one, sizeof one) == -1 && errno == EINTR)
        ;
    return NULL;
}

static void reap(struct server *s)
{
    for (struct guest **link = &s->guests; *link != NULL;) {
        struct guest *guest = *link;
        if (!atomic_load(&guest->done)) {
            link = &guest->next;
            continue;
        }
        pthread_join(guest->thread, NULL);
        close(guest->fd);
        *link = guest->next;
        free(guest);
    }
}

static void take(struct server *s)
{
    struct guest *guest = calloc(1, sizeof *guest);
    socklen_t size = sizeof guest->address;
    if (guest == NULL)
        return;
    guest->home = s;
    guest->fd = accept(s->listener, (struct sockaddr *)&guest->address, &size);
    int error = errno;
    if (guest->fd == -1) {
        free(guest);
        if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
            usleep(30000);
        return;
    }
    s->now++;
    if (pthread_create(&guest->thread, NULL, entertain, guest)) {
        s->now--;
        close(guest->fd);
        free(guest);
        return;
    }
    guest->next = s->guests;
    s->guests = guest;
}

static void *accept_all(void *given)
{
    struct server *s = given;
    uint64_t rung = 0;
    struct pollfd both[2] = {{.fd = s->bell, .events = POLLIN}, {.fd = s->listener, .events = POLLIN}};
    while (rung < 1000000) { /* the stop rings so often at once */
        if (poll(both, 2, -1) == -1)
            continue;
        if (both[0].revents)
            while (read(s->bell, &rung, sizeof rung) == -1 && errno == EINTR)
                ;
        reap(s);
        if (rung < 1000000 && both[1].revents)
            take(s);
    }
    for (struct guest *guest = s->guests; guest != NULL; guest = guest->next)
        shutdown(guest->fd, SHUT_RD);
    while (s->guests != NULL) {
        struct guest *guest = s->guests;
        s->guests = guest->next;
        pthread_join(guest->thread, NULL);
        close(guest->fd);
        free(guest);
    }
    return NULL;
}

struct server *server_start(int listener)
{
    signal(SIGPIPE, SIG_IGN);
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->listener = listener;
    s->bell = eventfd(0, EFD_CLOEXEC);
    int error = pthread_create(&s->acceptor, NULL, accept_all, s);
    if (error == 0)
        return s;
    close(s->bell);
    free(s);
    errno = error;
    return NULL;
}

struct server_stats server_stats(struct server *s)
{
    return (struct server_stats){.clients = atomic_load(&s->now), .served = atomic_load(&s->served), .bytes = s->bytes};
}

int server_stop(struct server *s)
{
    uint64_t many = 1000000;
    while (write(s->bell, &many, sizeof many) == -1 && errno == EINTR)
        ;
    pthread_join(s->acceptor, NULL);
    close(s->bell);
    close(s->listener);
    free(s);
    return 0;
}
