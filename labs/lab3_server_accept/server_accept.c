/* Lab 3, server accept.
 *
 * You write four functions. Together they make a server that echoes: it takes
 * one client after another and sends back every byte that the client sent.
 *
 *     server_listen   a listener: the socket that waits for clients
 *     server_accept   the next client's connection, and who called
 *     serve_client    the conversation with one client
 *     server_run      one client after another
 *
 * What each must do, to the last detail, is in server_accept.h. README.md goes
 * with you through the six TODOs. Each of them turns one stage green.
 */
#include "server_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* A listener at ip:port; NULL or "" is every address, port 0 any free port.
 * Returns it, and the caller closes it; or -1 with errno, and then nothing is
 * left open. */
int server_listen(const char *ip, uint16_t port, int backlog)
{
    /* TODO 1/6: the three calls that make a listener, in the order of listen(2),
     * NOTES. Put every address, or the one in ip, into a sockaddr_in first:
     * ip(7), "Address format", and inet_pton(3), RETURN VALUE. On a failure,
     * close what you opened, and give the errno of the call that failed. */
    (void)ip;
    (void)port;
    (void)backlog;
    errno = ENOSYS; /* "not implemented": delete this once you begin */
    return -1;
}

/* Waits for the next client. Returns its connection, which the caller closes,
 * with "127.0.0.1:54600" in peer; or -1 with errno. */
int server_accept(int listener, char *peer, size_t cap)
{
    if (peer != NULL && cap > 0)
        peer[0] = '\0'; /* a text at every moment, even if it is empty */

    /* TODO 2/6: wait for a client and learn its address: accept(2), what it says
     * of addrlen, and EINTR. The address holds bytes in network order; the text
     * is made of it by inet_ntop(3) and ntohs (byteorder(3)). cap may be too
     * small for the text: cut it, and never write beyond cap. */

    /* TODO 5/6, first half: some errors of accept tell of one client, and the
     * next one may be fine. Which, and what to do: accept(2), "Error handling". */
    (void)listener;
    errno = ENOSYS;
    return -1;
}

/* Sends back every byte that comes, until the client has ended its side: 0. Or
 * -1 with errno. Doesn't close the connection. */
int serve_client(int connection)
{
    /* TODO 3/6: receive some bytes, tell it with say(EVENT_RECEIVED, …), send the
     * same bytes back, all of them, and again. What ends the loop is in recv(2),
     * RETURN VALUE. A send may take fewer bytes than you gave it, a signal may
     * interrupt either call, and a client that has gone must not kill you:
     * send(2), MSG_NOSIGNAL. Labs 1 and 2 met all of these. */
    (void)connection;
    errno = ENOSYS;
    return -1;
}

/* Serves one client after another: `clients` in all, or without end if it is 0.
 * Returns 0 with the listener closed; or -1 with errno and the listener open. */
int server_run(int listener, unsigned clients)
{
    /* TODO 4/6: for each client: accept, say(EVENT_CLIENT, …), serve, close,
     * say(EVENT_GONE, …). A conversation that failed is that client's own
     * affair. Which of the two sockets do you close here? close(2). */

    /* TODO 5/6, second half: accept may find no free descriptor. The client still
     * waits in the queue, so what would an immediate retry do? Wait a moment
     * first: nanosleep(2), or poll(2) with its timeout. The header says how long. */

    /* TODO 6/6: the last client is accepted, and no more are wanted. Let the kernel
     * turn newcomers away while you serve this one. What closing a listener does
     * to a connection that it gave you, you find out in README.md, part 6. */
    (void)listener;
    (void)clients;
    errno = ENOSYS;
    return -1;
}
