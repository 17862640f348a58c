/* A variant: a pool that grows. The acceptor queues connections; a worker is made when none is idle, and stays.
 * Counters are C11 atomics, the stop is a flag, a broadcast and joins. */
#define _GNU_SOURCE
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct job {
    struct job *next;
    int fd;
    char who[32];
    bool served;
};

struct server {
    int listener;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *waiting, *active;
    pthread_t *workers;
    size_t count, room, idle, queued;
    bool stopping;
    _Atomic bool no_more;
    _Atomic unsigned long long clients, served, bytes;
};

static void talk(struct server *s, int fd)
{
    char buffer[1000];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) != 0) {
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            return;
        atomic_fetch_add_explicit(&s->bytes, (unsigned long long)n, memory_order_relaxed);
        for (ssize_t at = 0; at < n;) {
            ssize_t put = send(fd, buffer + at, (size_t)(n - at), MSG_NOSIGNAL);
            if (put == -1 && errno != EINTR)
                return;
            at += put > 0 ? put : 0;
        }
        say(EVENT_RECEIVED, NULL, (size_t)n);
    }
}

static void *work(void *argument)
{
    struct server *s = argument;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->waiting == NULL && !s->stopping) {
            s->idle++;
            pthread_cond_wait(&s->work, &s->lock);
            s->idle--;
        }
        struct job *job = s->waiting;
        if (job == NULL)
            break;
        s->waiting = job->next;
        s->queued--;
        job->next = s->active;
        s->active = job;
        if (s->stopping)
            shutdown(job->fd, SHUT_RD);
        pthread_mutex_unlock(&s->lock);
        say(EVENT_CLIENT, job->who, 0);
        talk(s, job->fd);
        pthread_mutex_lock(&s->lock);
        struct job **link = &s->active;
        while (*link != job)
            link = &(*link)->next;
        *link = job->next;
        close(job->fd);
        pthread_mutex_unlock(&s->lock);
        say(EVENT_GONE, job->who, 0);
        s->clients--;
        s->served++;
        free(job);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Under the lock. Whether there is now a worker for each that waits. */
static bool enough_workers(struct server *s)
{
    while (s->idle < s->queued) {
        if (s->count == s->room) {
            size_t room = s->room * 2 + 8;
            pthread_t *more = realloc(s->workers, room * sizeof *more);
            if (more == NULL)
                return false;
            s->workers = more;
            s->room = room;
        }
        if (pthread_create(&s->workers[s->count], NULL, work, s) != 0)
            return false;
        s->count++;
        return true;
    }
    return true;
}

static void queue(struct server *s, int fd, const struct sockaddr_in *from)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        close(fd);
        return;
    }
    job->fd = fd;
    char ip[32];
    snprintf(job->who, sizeof job->who, "%s:%d", inet_ntop(AF_INET, &from->sin_addr, ip, sizeof ip), ntohs(from->sin_port));
    pthread_mutex_lock(&s->lock);
    struct job **last = &s->waiting;
    while (*last != NULL)
        last = &(*last)->next;
    *last = job;
    s->queued++;
    s->clients++;
    if (!enough_workers(s)) {
        *last = NULL;
        s->queued--;
        s->clients--;
        close(fd);
        free(job);
    }
    pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

static void *accept_all(void *argument)
{
    struct server *s = argument;
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        int fd = accept4(s->listener, (struct sockaddr *)&from, &size, SOCK_CLOEXEC);
        if (fd >= 0)
            queue(s, fd, &from);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (s->no_more)
                return NULL;
            else
                nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        } else if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK || errno == EOPNOTSUPP)
            return NULL;
    }
}

struct server *server_start(int listener)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->listener = listener;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    int error = pthread_create(&s->acceptor, NULL, accept_all, s);
    if (error != 0) {
        free(s);
        s = NULL;
        errno = error;
    }
    return s;
}

struct server_stats server_stats(struct server *s)
{
    return (struct server_stats){s->clients, s->served, s->bytes};
}

int server_stop(struct server *s)
{
    s->no_more = true;
    shutdown(s->listener, SHUT_RD);
    pthread_join(s->acceptor, NULL);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    for (struct job *job = s->active; job != NULL; job = job->next)
        shutdown(job->fd, SHUT_RD);
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->count; i++)
        pthread_join(s->workers[i], NULL);
    int result = close(s->listener);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->work);
    free(s->workers);
    free(s);
    return result;
}
