/* A variant: every worker calls accept() itself; whoever gets a client and leaves nobody behind at the door makes
 * another worker first. Too many idle ones go home. A rwlock and a spin lock instead of a mutex. */
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { AT_THE_DOOR = 3, MOST = 4096 };

struct server {
    int listener;
    pthread_rwlock_t lock;
    pthread_spinlock_t numbers;
    unsigned waiting, workers;
    bool stopping;
    int busy[MOST];
    size_t count;
    sem_t ended;
    struct server_stats stats;
};

static void *worker(void *given);

static int another(struct server *s)
{
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    pthread_rwlock_wrlock(&s->lock);
    s->waiting++;
    s->workers++;
    pthread_rwlock_unlock(&s->lock);
    int error = pthread_create(&thread, &detached, worker, s);
    pthread_attr_destroy(&detached);
    if (error != 0) {
        pthread_rwlock_wrlock(&s->lock);
        s->waiting--;
        s->workers--;
        pthread_rwlock_unlock(&s->lock);
    }
    return error;
}

static void add(struct server *s, int clients, int served, size_t bytes)
{
    pthread_spin_lock(&s->numbers);
    s->stats.clients += (unsigned long long)clients;
    s->stats.served += (unsigned long long)served;
    s->stats.bytes += bytes;
    pthread_spin_unlock(&s->numbers);
}

static void talk(struct server *s, int fd)
{
    char buffer[512];
    for (;;) {
        struct iovec part = {buffer, sizeof buffer};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t n = recvmsg(fd, &message, 0);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        add(s, 0, 0, (size_t)n);
        say(EVENT_RECEIVED, NULL, (size_t)n);
        part.iov_len = (size_t)n;
        while (part.iov_len > 0) {
            ssize_t m = sendmsg(fd, &message, MSG_NOSIGNAL);
            if (m == -1 && errno == EINTR)
                continue;
            if (m == -1)
                return;
            part.iov_base = (char *)part.iov_base + m;
            part.iov_len -= (size_t)m;
        }
    }
}

/* Serves one; the place in busy[] is found again by the number. */
static void serve(struct server *s, int fd, const struct sockaddr_in *from)
{
    char who[32], ip[16];
    snprintf(who, sizeof who, "%s:%u", inet_ntop(AF_INET, &from->sin_addr, ip, sizeof ip), ntohs(from->sin_port));
    say(EVENT_CLIENT, who, 0);
    talk(s, fd);
    say(EVENT_GONE, who, 0);
    pthread_rwlock_wrlock(&s->lock);
    for (size_t i = 0; i < s->count; i++)
        if (s->busy[i] == fd) {
            s->busy[i] = s->busy[--s->count];
            break;
        }
    close(fd);
    pthread_rwlock_unlock(&s->lock);
    add(s, -1, 1, 0);
}

static void *worker(void *given)
{
    struct server *s = given;
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        int fd = accept(s->listener, (struct sockaddr *)&from, &size);
        int error = errno;
        pthread_rwlock_wrlock(&s->lock);
        bool over = s->stopping || (fd == -1 && (error == EINVAL || error == EBADF));
        if (over || fd != -1)
            s->waiting--;
        bool alone = s->waiting == 0;
        if (!over && fd != -1) {
            add(s, 1, 0, 0);
            s->busy[s->count++] = fd;
        }
        pthread_rwlock_unlock(&s->lock);
        if (over) {
            if (fd != -1)
                close(fd);
            break;
        }
        if (fd == -1) {
            if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
                nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
            continue;
        }
        if (alone && another(s) != 0) { /* nobody would be left at the door: this one is turned away */
            pthread_rwlock_wrlock(&s->lock);
            s->count--;
            close(fd);
            s->waiting++;
            pthread_rwlock_unlock(&s->lock);
            add(s, -1, 0, 0);
            continue;
        }
        serve(s, fd, &from);
        pthread_rwlock_wrlock(&s->lock);
        bool enough = s->waiting >= AT_THE_DOOR || s->stopping;
        s->waiting += !enough;
        pthread_rwlock_unlock(&s->lock);
        if (enough)
            break;
    }
    pthread_rwlock_wrlock(&s->lock);
    s->workers--;
    if (s->workers == 0)
        sem_post(&s->ended);
    pthread_rwlock_unlock(&s->lock);
    return NULL;
}

struct server *server_start(int listener)
{
    struct server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->listener = listener;
    pthread_rwlock_init(&s->lock, NULL);
    pthread_spin_init(&s->numbers, 0);
    sem_init(&s->ended, 0, 0);
    for (int i = 0; i < AT_THE_DOOR; i++) {
        int error = another(s);
        if (error != 0 && i == 0) {
            free(s);
            errno = error;
            return NULL;
        }
    }
    return s;
}

struct server_stats server_stats(struct server *s)
{
    pthread_spin_lock(&s->numbers);
    struct server_stats now = s->stats;
    pthread_spin_unlock(&s->numbers);
    return now;
}

int server_stop(struct server *s)
{
    pthread_rwlock_wrlock(&s->lock);
    s->stopping = true;
    for (size_t i = 0; i < s->count; i++)
        shutdown(s->busy[i], SHUT_RD);
    pthread_rwlock_unlock(&s->lock);
    shutdown(s->listener, SHUT_RDWR);
    while (sem_wait(&s->ended) == -1)
        ;
    pthread_rwlock_wrlock(&s->lock); /* so that the last has gone out */
    pthread_rwlock_unlock(&s->lock);
    close(s->listener);
    pthread_rwlock_destroy(&s->lock);
    pthread_spin_destroy(&s->numbers);
    sem_destroy(&s->ended);
    free(s);
    return 0;
}
