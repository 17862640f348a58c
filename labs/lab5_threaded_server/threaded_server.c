/* Lab 5, multi-threaded server.
 *
 * You write three functions, and the threads behind them:
 *
 *     server_start    begins to accept, and returns at once
 *     server_stats    how many clients there are, were, and how many bytes came
 *     server_stop     ends it all in good order
 *
 * What each must do, to the last detail, is in threaded_server.h. README.md goes
 * with you through the six TODOs. Each of them turns one stage green.
 */
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What all threads of one server share. Add what you need, and note beside each
 * member who may touch it, and under which lock. */
struct server {
    int listener;
};

/* The conversation with one client: lab 3's serve_client(), as it was. */
static void serve_client(int connection)
{
    /* TODO 1/6, second half: receive, tell it with say(EVENT_RECEIVED, NULL, n),
     * send the same back, until recv gives 0. Every byte goes back: a send may
     * take fewer than you gave it, and a signal may interrupt any call. Where
     * must the buffer be, when many threads run this function at once? */
    (void)connection;
}

/* Begins to accept and to serve, and returns at once. The server; or NULL with
 * errno, and then the listener stays open. */
struct server *server_start(int listener)
{
    /* TODO 1/6, first half: a thread that accepts, and a thread for each client
     * that it gives: pthread_create(3), which says why it fails by its result and
     * not by errno. A client's thread serves, and closes the connection. */

    /* TODO 2/6: a thread gets one pointer, and reads through it later, perhaps
     * after the next accept. So what it points to must belong to this client
     * alone: the connection, and who called (inet_ntop(3), ntohs). Who frees it,
     * and when? Now each client can be told with EVENT_CLIENT and EVENT_GONE. */

    /* TODO 3/6: hundreds at once, thousands one after another. What is left of a
     * thread that has ended? pthread_join(3) and pthread_detach(3), NOTES. */

    /* TODO 5/6: what one client, or a moment, can do to you: SIGPIPE, a reset,
     * accept() without a descriptor, pthread_create() without a thread, malloc()
     * without memory. */
    (void)serve_client; /* delete this line once something calls it */
    (void)listener;
    errno = ENOSYS; /* "not implemented": delete this once you begin */
    return NULL;
}

/* The numbers as they are now. Any thread may ask, at any moment. */
struct server_stats server_stats(struct server *server)
{
    /* TODO 4/6: count. More than one thread does, and `n++` is three steps: read,
     * add, write. pthread_mutex_lock(3p), or <stdatomic.h>. Reading a number that
     * another thread may be writing needs it as well. */
    (void)server;
    return (struct server_stats){0};
}

/* No new clients; what was received is answered; no thread is left; the listener
 * is closed, the server freed. 0, or -1 with errno. */
int server_stop(struct server *server)
{
    /* TODO 6/6: wake the thread that sleeps in accept (shutdown(2) works on a
     * listener too), and wait for its end. Then half-close each connection for
     * reading, and wait until the last conversation is over. Which descriptors
     * are still whose, while all that goes on? */
    (void)server;
    errno = ENOSYS;
    return -1;
}
