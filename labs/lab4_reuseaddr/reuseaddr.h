/* Lab 4, SO_REUSEADDR: the contract.
 *
 * When two programs have talked over TCP, the one that ended first is left with
 * a rest of the connection, in the state TIME_WAIT, for a minute. No program
 * has it any more, and it holds the port. Here are an end that leaves it on
 * this side, one that leaves it on the other, a listener that gets past it, and
 * a look at what holds a port.
 *
 * None of these functions prints or exits. Each returns -1 with errno set when
 * it fails. Ports are in host order: 7788 is 7788.
 */
#ifndef REUSEADDR_H
#define REUSEADDR_H

#include <stdbool.h>
#include <stdint.h>

/* Ends the conversation before the peer does, in good order: tells the peer that
 * no more will come, takes all that the peer still sends and throws it away,
 * until the peer has ended its side too. What was sent before arrives, nothing
 * is reset, and this side is left with TIME_WAIT. (Unless the peer had ended its
 * side already: then it was first.)
 * The connection is as accept() gives it: it blocks, without a time limit. The
 * function waits for the peer as long as the peer takes, for ever if it never ends:
 * lab 6 sets a limit. Interrupted calls are made again, but not close(): on Linux it
 * has closed by then.
 * Returns 0; or -1 with errno when a call failed (whether close() counts is up to
 * you): ECONNRESET when the peer resets meanwhile; when it had reset before, what
 * any call says that notices: ECONNRESET, ENOTCONN or EPIPE. The connection is
 * closed in every case, once. */
int close_first(int connection);

/* Lets the peer end the conversation first: takes all that it sends and throws
 * it away until it has ended its side, and tells it only then that no more will
 * come (close() is enough). What was sent before arrives, and the peer is left
 * with TIME_WAIT. Waits, returns and closes as close_first does. */
int close_last(int connection);

/* A listener at ip:port, as in lab 3: NULL or "" is every IPv4 address of this
 * machine, port 0 any free port; backlog goes to the kernel as it is.
 * With reuse, SO_REUSEADDR lets it have a port that only TIME_WAIT or the
 * connections of an earlier server hold, if that server had the option as well.
 * Without reuse the option is off, and such a port is refused. A port where
 * another server listens is refused in either case.
 * Returns the listener, which the caller closes. Or -1 with the errno of the
 * call that failed, and then nothing is left open: EADDRINUSE for a port that
 * is refused; EINVAL for an ip that isn't a dotted IPv4 address ("300.0.0.1",
 * "127.0.0.1 x", "abc": names come later; "127.1" is up to you). */
int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse);

/* Whether this socket has SO_REUSEADDR: 1 or 0; or -1 with errno (EBADF,
 * ENOTSOCK, …). The socket is the caller's, and stays as it is; an error that it
 * hasn't told anybody yet is still there to be told. */
int reuse_enabled(int fd);

/* What holds a port. The later in this list, the harder to get past. */
enum port_state {
    PORT_UNKNOWN = -1, /* the table can't be read: errno says why */
    PORT_FREE,         /* no socket of this port is in the table, which may be empty */
    PORT_TIME_WAIT,    /* TIME_WAIT and nothing else: it passes by itself */
    PORT_CONNECTED,    /* a connection, in any other state (SYN_SENT too); and nobody listens */
    PORT_LISTENING,    /* a listener: no option gets past it */
};

/* What holds this port now, at any address of this machine, IPv4 or IPv6, by the
 * kernel's table (read_table() in table.h). Where several sockets hold it, the
 * one that is hardest to get past decides. A socket holds the port of its own
 * end: who is connected to port 7788 of a server holds another port. */
enum port_state port_state(uint16_t port);

#endif
