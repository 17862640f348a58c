/* A variant: the argument is one variable of the acceptor, which waits until the new thread has copied it. The
 * acceptor looks up now and then by a time-out on the listener; numbers behind a flag of atomic exchange. */
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sched.h>
#include <unistd.h>

struct guest {
    int fd;
    struct sockaddr_in from;
    struct server *server;
    struct guest *next;
};

struct server {
    int listener;
    pthread_t acceptor;
    sem_t copied;
    atomic_flag busy;
    struct guest *guests;
    struct server_stats stats;
    atomic_int stopping;
};

static void enter(struct server *s)
{
    while (atomic_flag_test_and_set_explicit(&s->busy, memory_order_acquire))
        sched_yield();
}

static void leave(struct server *s)
{
    atomic_flag_clear_explicit(&s->busy, memory_order_release);
}

static void *serve(void *given)
{
    struct guest me = *(const struct guest *)given; /* the list holds this copy, on our own stack */
    struct server *s = me.server;
    enter(s);
    me.next = s->guests;
    s->guests = &me;
    leave(s);
    sem_post(&s->copied);

    char who[40];
    snprintf(who, sizeof who, "%s:%u", inet_ntoa(me.from.sin_addr), ntohs(me.from.sin_port));
    say(EVENT_CLIENT, who, 0);
    char data[64];
    for (;;) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(me.fd, &set);
        if (select(me.fd + 1, &set, NULL, NULL, NULL) == -1)
            continue;
        ssize_t n = recv(me.fd, data, sizeof data, MSG_DONTWAIT);
        if (n == 0)
            break;
        if (n == -1 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n == -1)
            break;
        enter(s);
        s->stats.bytes += (size_t)n;
        leave(s);
        say(EVENT_RECEIVED, NULL, (size_t)n);
        ssize_t sent = 0;
        while (sent < n) {
            ssize_t m = send(me.fd, data + sent, (size_t)(n - sent), MSG_NOSIGNAL);
            if (m == -1 && errno != EINTR)
                break;
            sent += m > 0 ? m : 0;
        }
        if (sent < n)
            break;
    }
    say(EVENT_GONE, who, 0);
    enter(s);
    struct guest **link = &s->guests;
    while (*link != &me)
        link = &(*link)->next;
    *link = me.next;
    close(me.fd);
    s->stats.clients--;
    s->stats.served++;
    leave(s);
    return NULL;
}

static void *door(void *given)
{
    struct server *s = given;
    struct guest guest = {.server = s};
    while (!atomic_load(&s->stopping)) {
        socklen_t size = sizeof guest.from;
        guest.fd = accept(s->listener, (struct sockaddr *)&guest.from, &size);
        if (guest.fd == -1) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                select(0, NULL, NULL, NULL, &(struct timeval){.tv_usec = 40000});
            continue;
        }
        enter(s);
        s->stats.clients++;
        leave(s);
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, &guest) != 0) {
            enter(s);
            s->stats.clients--;
            leave(s);
            close(guest.fd);
            continue;
        }
        pthread_detach(thread);
        while (sem_wait(&s->copied) == -1)
            ;
    }
    return NULL;
}

struct server *server_start(int listener)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->listener = listener;
    atomic_flag_clear(&s->busy);
    sem_init(&s->copied, 0, 0);
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 30000}, sizeof(struct timeval));
    int error = pthread_create(&s->acceptor, NULL, door, s);
    if (error == 0)
        return s;
    free(s);
    errno = error;
    return NULL;
}

struct server_stats server_stats(struct server *s)
{
    enter(s);
    struct server_stats now = s->stats;
    leave(s);
    return now;
}

int server_stop(struct server *s)
{
    atomic_store(&s->stopping, 1);
    pthread_join(s->acceptor, NULL);
    enter(s);
    for (struct guest *guest = s->guests; guest != NULL; guest = guest->next)
        shutdown(guest->fd, SHUT_RD);
    leave(s);
    for (unsigned long long left = 1; left > 0;) {
        enter(s);
        left = s->stats.clients;
        leave(s);
        if (left > 0)
            usleep(2000);
    }
    close(s->listener);
    sem_destroy(&s->copied);
    free(s);
    return 0;
}
