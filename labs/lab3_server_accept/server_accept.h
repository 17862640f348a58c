/* Lab 3, server accept: the contract.
 *
 * A server has two kinds of socket. The listener is the one that bind and
 * listen made: it takes new connections and can't carry a message. Each
 * connection that accept returns is a socket of its own: it carries the
 * messages of one client and ends with that client.
 *
 * None of these functions prints or exits. What happens is told with say()
 * (say.h). Each returns -1 with errno set when it fails, and then leaves no
 * descriptor of its own open. Ports are in host order: 7788 is 7788. The
 * sockets that they are given block (no O_NONBLOCK).
 */
#ifndef SERVER_ACCEPT_H
#define SERVER_ACCEPT_H

#include <stddef.h>
#include <stdint.h>

#include "say.h"

/* Room for any peer's text: "255.255.255.255:65535" and the final NUL. */
enum { PEER_CAP = sizeof "255.255.255.255:65535" };

/* A listener at ip:port. NULL or "" is every IPv4 address of this machine; port
 * 0 is any free port. backlog goes to the kernel as it is.
 * Returns the listener, which the caller closes. Or -1 with the errno of the
 * call that failed; EINVAL for an ip that isn't a dotted IPv4 address
 * ("300.0.0.1", "abc": names come later; "127.1" is up to you). */
int server_listen(const char *ip, uint16_t port, int backlog);

/* Waits for the next client. Returns its connection, which the caller closes.
 * peer gets who called, as "127.0.0.1:54600", cut to fit cap bytes with the
 * final NUL; with peer NULL or cap 0 nothing is stored. After -1 what stands
 * there means nothing.
 * An accept that a signal interrupts is made again, and so is one that failed
 * by one client's trouble: ECONNABORTED, EPROTO, and ENETDOWN, ENETUNREACH,
 * ENONET, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH (accept(2), "Error handling").
 * Every other error is -1 with errno, at once: EMFILE, EBADF, EINVAL when the
 * socket isn't listening, EOPNOTSUPP when it never can (accept(2) would have
 * that retried), … */
int server_accept(int listener, char *peer, size_t cap);

/* Sends back every byte that comes, until the client has ended its side. Calls
 * say(EVENT_RECEIVED, NULL, n) for each recv (or read, …) that gave n bytes,
 * even if they can't be sent back.
 * Returns 0 when recv gives 0 and all is sent back; -1 with errno when a call
 * failed (ECONNRESET, EPIPE, …). The process is never killed by SIGPIPE, and
 * interrupted calls are made again. The connection stays open: the caller
 * closes it. */
int serve_client(int connection);

/* Serves one client after another: accepts, calls say(EVENT_CLIENT, peer, 0),
 * serves, closes the connection, calls say(EVENT_GONE, peer, 0). However one
 * client's conversation ends, the next one is served.
 * clients is how many to accept in all; 0 is no limit. As soon as the last of
 * them is accepted the listener is closed, and only then that client is served.
 * (A close() that reports an error has closed all the same, and is no failure.)
 * When accept finds no descriptor or no memory (EMFILE, ENFILE, ENOBUFS,
 * ENOMEM) it waits, at least a hundredth of a second and at most one second
 * (a signal may cut that short), and tries again.
 * Returns 0 once the last client is served: the listener is closed, once, by
 * this function. Or -1 with errno when accept fails otherwise, which means that
 * the listener is of no use: it is still open and the caller's to close. */
int server_run(int listener, unsigned clients);

#endif
