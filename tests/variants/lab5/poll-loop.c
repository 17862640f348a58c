/* A variant: one thread for all, with poll() and non-blocking connections. A pipe says when to stop. */
#define _GNU_SOURCE
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 2048 };

struct one {
    int fd;
    char who[24];
    char data[ROOM];
    size_t at, end;
    bool over;
};

struct server {
    int listener, bell[2];
    pthread_t loop;
    pthread_mutex_t lock;
    struct server_stats stats;
    struct one **all;
    struct pollfd *polls;
    size_t count, room;
    bool stopping;
};

static void count(struct server *s, int clients, int served, size_t bytes)
{
    pthread_mutex_lock(&s->lock);
    s->stats.clients += (unsigned long long)clients;
    s->stats.served += (unsigned long long)served;
    s->stats.bytes += bytes;
    pthread_mutex_unlock(&s->lock);
}

/* Until the socket would make us wait. */
static void go_on(struct server *s, struct one *c)
{
    for (;;) {
        while (c->at < c->end) {
            ssize_t n = send(c->fd, c->data + c->at, c->end - c->at, MSG_NOSIGNAL);
            if (n >= 0)
                c->at += (size_t)n;
            else if (errno == EAGAIN)
                return;
            else if (errno != EINTR) {
                c->over = true;
                return;
            }
        }
        ssize_t n = recv(c->fd, c->data, sizeof c->data, 0);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1 && errno == EAGAIN)
            return;
        if (n <= 0) {
            c->over = true;
            return;
        }
        count(s, 0, 0, (size_t)n);
        say(EVENT_RECEIVED, NULL, (size_t)n);
        c->at = 0;
        c->end = (size_t)n;
    }
}

static bool make_room(struct server *s)
{
    if (s->count < s->room)
        return true;
    size_t room = s->room * 2 + 16;
    struct one **all = realloc(s->all, room * sizeof *all);
    if (all == NULL)
        return false;
    s->all = all;
    struct pollfd *polls = realloc(s->polls, (room + 2) * sizeof *polls);
    if (polls == NULL)
        return false;
    s->polls = polls;
    s->room = room;
    return true;
}

/* Milliseconds to wait before the next try, -1 for none. */
static int take_clients(struct server *s)
{
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        int fd = accept4(s->listener, (struct sockaddr *)&from, &size, SOCK_NONBLOCK);
        if (fd == -1 && errno == EAGAIN)
            return -1;
        if (fd == -1 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
            return 20;
        if (fd == -1)
            continue;
        struct one *c = make_room(s) ? calloc(1, sizeof *c) : NULL;
        if (c == NULL) {
            close(fd);
            continue;
        }
        c->fd = fd;
        snprintf(c->who, sizeof c->who, "%s:%u", inet_ntoa(from.sin_addr), ntohs(from.sin_port));
        s->all[s->count++] = c;
        count(s, 1, 0, 0);
        say(EVENT_CLIENT, c->who, 0);
    }
}

static void drop_the_gone(struct server *s)
{
    for (size_t i = 0; i < s->count;) {
        struct one *c = s->all[i];
        if (!c->over) {
            i++;
            continue;
        }
        close(c->fd);
        say(EVENT_GONE, c->who, 0);
        count(s, -1, 1, 0);
        free(c);
        s->all[i] = s->all[--s->count];
    }
}

static void *loop(void *argument)
{
    struct server *s = argument;
    int pause = -1;
    while (!s->stopping || s->count > 0) {
        s->polls[0] = (struct pollfd){.fd = s->stopping ? -1 : s->bell[0], .events = POLLIN};
        s->polls[1] = (struct pollfd){.fd = s->stopping || pause >= 0 ? -1 : s->listener, .events = POLLIN};
        for (size_t i = 0; i < s->count; i++)
            s->polls[2 + i] = (struct pollfd){.fd = s->all[i]->fd,
                                              .events = s->all[i]->at < s->all[i]->end ? POLLOUT : POLLIN};
        size_t polled = s->count;
        int ready = poll(s->polls, 2 + polled, pause);
        if (ready == -1)
            continue;
        for (size_t i = 0; i < polled; i++)
            if (s->polls[2 + i].revents)
                go_on(s, s->all[i]);
        drop_the_gone(s);
        if (s->polls[0].revents) {
            s->stopping = true;
            for (size_t i = 0; i < s->count; i++)
                shutdown(s->all[i]->fd, SHUT_RD);
        } else if (!s->stopping && (s->polls[1].revents || pause >= 0))
            pause = take_clients(s);
    }
    return NULL;
}

struct server *server_start(int listener)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->listener = listener;
    pthread_mutex_init(&s->lock, NULL);
    int error = ENOMEM;
    s->polls = malloc(2 * sizeof *s->polls);
    if (s->polls == NULL || pipe(s->bell) == -1)
        goto fail;
    fcntl(listener, F_SETFL, O_NONBLOCK);
    error = pthread_create(&s->loop, NULL, loop, s);
    if (error == 0)
        return s;
    close(s->bell[0]);
    close(s->bell[1]);
fail:
    free(s->polls);
    free(s);
    errno = error;
    return NULL;
}

struct server_stats server_stats(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    struct server_stats now = s->stats;
    pthread_mutex_unlock(&s->lock);
    return now;
}

int server_stop(struct server *s)
{
    close(s->bell[1]);
    pthread_join(s->loop, NULL);
    close(s->bell[0]);
    close(s->listener);
    free(s->all);
    free(s->polls);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return 0;
}
