/* A variant: connections are handed over as pointers through a pipe, and workers are made when more clients come
 * than there are; they tell the acceptor through another pipe when one has left. epoll over the three. */
#define _GNU_SOURCE
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct call {
    int fd;
    char from[32];
    struct call *before, *after;
};

/* The acceptor owns everything but the numbers; the others reach it by pipes. */
struct server {
    int listener, work[2], left[2], stop[2], epoll;
    pthread_t acceptor;
    struct call *calls;
    unsigned long workers, busy;
    pthread_mutex_t numbers;
    struct server_stats stats;
};

static void put(int pipe, void *pointer)
{
    while (write(pipe, &pointer, sizeof pointer) == -1 && errno == EINTR)
        ;
}

/* NULL when the pipe has ended, or when NULL was put in. */
static void *take(int pipe)
{
    void *pointer = NULL;
    ssize_t n;
    do
        n = read(pipe, &pointer, sizeof pointer);
    while (n == -1 && errno == EINTR);
    return n > 0 ? pointer : NULL;
}

static void count(struct server *s, int clients, int served, size_t bytes)
{
    pthread_mutex_lock(&s->numbers);
    s->stats.clients += (unsigned long long)clients;
    s->stats.served += (unsigned long long)served;
    s->stats.bytes += bytes;
    pthread_mutex_unlock(&s->numbers);
}

static bool echo(struct server *s, int fd)
{
    char some[256];
    ssize_t n = recv(fd, some, sizeof some, 0);
    if (n == -1)
        return errno == EINTR;
    if (n == 0)
        return false;
    count(s, 0, 0, (size_t)n);
    say(EVENT_RECEIVED, NULL, (size_t)n);
    for (char *at = some; n > 0;) {
        ssize_t m = send(fd, at, (size_t)n, MSG_NOSIGNAL);
        if (m == -1 && errno != EINTR)
            return false;
        at += m > 0 ? m : 0;
        n -= m > 0 ? m : 0;
    }
    return true;
}

static void *worker(void *given)
{
    struct server *s = given;
    struct call *call;
    while ((call = take(s->work[0])) != NULL) {
        say(EVENT_CLIENT, call->from, 0);
        while (echo(s, call->fd))
            ;
        say(EVENT_GONE, call->from, 0);
        put(s->left[1], call);
    }
    return NULL;
}

static void hang_up(struct server *s, struct call *call, int served)
{
    if (call->before != NULL)
        call->before->after = call->after;
    else
        s->calls = call->after;
    if (call->after != NULL)
        call->after->before = call->before;
    close(call->fd);
    free(call);
    count(s, -1, served, 0);
}

static bool enough_workers(struct server *s)
{
    pthread_t thread;
    if (s->busy < s->workers)
        return true;
    if (pthread_create(&thread, NULL, worker, s) != 0)
        return false;
    pthread_detach(thread);
    s->workers++;
    return true;
}

/* Whether accept() should rest for a moment. */
static bool answer(struct server *s)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = accept4(s->listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC);
    if (fd == -1)
        return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        close(fd);
        return true;
    }
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &address.sin_addr, ip, sizeof ip);
    snprintf(call->from, sizeof call->from, "%s:%u", ip, ntohs(address.sin_port));
    call->fd = fd;
    call->after = s->calls;
    if (s->calls != NULL)
        s->calls->before = call;
    s->calls = call;
    count(s, 1, 0, 0);
    if (enough_workers(s)) {
        s->busy++;
        put(s->work[1], call);
    } else
        hang_up(s, call, 0);
    return false;
}

static void one_left(struct server *s)
{
    hang_up(s, take(s->left[0]), 1);
    s->busy--;
}

static void *acceptor(void *given)
{
    struct server *s = given;
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(s->epoll, &event, 1, -1) != 1)
            continue;
        if (event.data.fd == s->stop[0])
            break;
        if (event.data.fd == s->left[0])
            one_left(s);
        else if (answer(s))
            usleep(50000);
    }
    for (struct call *call = s->calls; call != NULL; call = call->after)
        shutdown(call->fd, SHUT_RD);
    while (s->busy > 0)
        one_left(s);
    close(s->work[1]); /* the workers' work has ended */
    return NULL;
}

static void watch(struct server *s, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void give_up(struct server *s)
{
    int all[] = {s->work[0], s->left[0], s->left[1], s->stop[0], s->stop[1], s->epoll};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        close(all[i]);
    pthread_mutex_destroy(&s->numbers);
    free(s);
}

struct server *server_start(int listener)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->listener = listener;
    pthread_mutex_init(&s->numbers, NULL);
    if (pipe2(s->work, O_CLOEXEC) == -1 || pipe2(s->left, O_CLOEXEC) == -1 || pipe2(s->stop, O_CLOEXEC) == -1)
        return NULL;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(s, listener);
    watch(s, s->left[0]);
    watch(s, s->stop[0]);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    int error = pthread_create(&s->acceptor, NULL, acceptor, s);
    if (error == 0)
        return s;
    close(s->work[1]);
    give_up(s);
    errno = error;
    return NULL;
}

struct server_stats server_stats(struct server *s)
{
    pthread_mutex_lock(&s->numbers);
    struct server_stats now = s->stats;
    pthread_mutex_unlock(&s->numbers);
    return now;
}

int server_stop(struct server *s)
{
    put(s->stop[1], s);
    pthread_join(s->acceptor, NULL);
    close(s->listener);
    give_up(s);
    return 0;
}
