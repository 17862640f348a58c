/* Lab 5, multi-threaded server: the contract.
 *
 * One thread accepts. Each client is served by a thread of its own, so that a
 * client who keeps silent keeps nobody else waiting. (A pool of threads that
 * grows, and needn't shrink, or one thread with poll() for all, is right as well.) All threads of a process
 * have one table of descriptors and one memory: what belongs to one client must
 * be in one place only, and what all share needs a lock or an atomic.
 *
 * None of these functions prints or exits. What happens is told with say()
 * (say.h). How the clients are handled inside is your own affair: what counts
 * is what the clients, the kernel and the caller see.
 */
#ifndef THREADED_SERVER_H
#define THREADED_SERVER_H

#include "say.h"

/* What a running server needs to remember. Its members are yours: the struct
 * stands in threaded_server.c, and nobody else looks inside. */
struct server;

struct server_stats {
    unsigned long long clients; /* connected now: accepted, and not yet closed */
    unsigned long long served;  /* conversations that are over, however they ended */
    unsigned long long bytes;   /* received so far, from all of them together */
};

/* Starts to serve, and returns at once: the clients of the listener are accepted
 * and served in threads.
 *
 * Each client gets every byte back that it sends, until it has ended its side;
 * then its connection is closed. Of each one is told, in this order:
 * say(EVENT_CLIENT, peer, 0), say(EVENT_RECEIVED, NULL, n) for each recv that
 * gave n bytes, and say(EVENT_GONE, peer, 0) when the conversation is over, right
 * before or right after its close(); peer is the client's address as accept()
 * gives it, as "127.0.0.1:54600".
 *
 * However one conversation ends, the others go on. Interrupted calls are made
 * again, the process is never killed by SIGPIPE, and accept() is treated as in
 * lab 3: a connection that broke in the queue (ECONNABORTED, EPROTO, ENETDOWN,
 * ENETUNREACH, ENONET, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH: man 2 accept, Error
 * handling) is passed over, and without a descriptor or memory (EMFILE, ENFILE,
 * ENOBUFS, ENOMEM) there is a pause of a hundredth of a second up to one second.
 * Whether any other error ends the accepting is up to you; it ends no conversation.
 * A client for whom no thread or memory can be had is turned away: its
 * connection is closed, and it counts nowhere, neither as connected nor as
 * served. Whether it is told, client and gone, is up to you.
 *
 * Returns the server, for the two functions below; a process may have several at
 * once, each with a listener, clients and numbers of its own. Or NULL with errno
 * when no thread, memory or descriptor can be had: then the listener is open and
 * the caller's to close. */
struct server *server_start(int listener);

/* The numbers as they are now, while the clients go on. Any thread may ask. Each
 * number is exact as soon as nothing is under way: all clients and all threads
 * wait. (A client may see its end a moment before the numbers do.) */
struct server_stats server_stats(struct server *server);

/* Stops in good order. No new clients are accepted: who is still in the listener's
 * queue may be cut off. What a client sent before this call, and the kernel has
 * received, is still answered: each connection is half-closed for reading, so
 * that recv gives what has come, and then 0. Waits until every conversation is
 * over, told and closed, and every thread of the server has ended, but for last
 * instructions that touch nothing of the server; a client that doesn't take its
 * answers keeps it waiting (lab 6 has a way out), but a lack of descriptors doesn't.
 * Then it closes the listener and frees the server, which nobody may use again.
 * Returns 0, or -1 with errno. That a client has reset is no failure. */
int server_stop(struct server *server);

#endif
