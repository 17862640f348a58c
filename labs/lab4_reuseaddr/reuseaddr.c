/* Lab 4, SO_REUSEADDR.
 *
 * You write five functions. Together they show why a server that is started
 * again so often says "Address already in use", and what to do about it.
 *
 *     close_first     ends a conversation so that TIME_WAIT is on this side
 *     close_last      ends it so that TIME_WAIT is on the other side
 *     reuse_listen    lab 3's listener, which can get past TIME_WAIT
 *     reuse_enabled   whether a socket can
 *     port_state      what holds a port
 *
 * What each must do, to the last detail, is in reuseaddr.h. README.md goes with
 * you through the four TODOs. Each of them turns one stage green.
 */
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "table.h"

/* Ends the conversation before the peer does; this side gets TIME_WAIT. Closes
 * the connection in every case. Returns 0, or -1 with errno. */
int close_first(int connection)
{
    /* TODO 1/4: tell the peer that no more will come, but go on listening:
     * shutdown(2). Then receive until the peer has ended its side too, whatever
     * comes, and close. A signal may interrupt recv; a peer may reset instead of
     * ending; and what does close do to errno? Before you write it, draw the
     * two sides on paper: which of them says first that it has finished? */
    (void)connection;
    errno = ENOSYS; /* "not implemented": delete this once you begin */
    return -1;
}

/* Lets the peer end first; the peer gets TIME_WAIT. Closes the connection in
 * every case. Returns 0, or -1 with errno. */
int close_last(int connection)
{
    /* TODO 1/4, second half: the same steps in another order. Who says it first
     * here, and when is it your turn to say that no more will come? */
    (void)connection;
    errno = ENOSYS;
    return -1;
}

/* A listener at ip:port; with reuse it gets past TIME_WAIT. Returns it, and the
 * caller closes it; or -1 with errno, and then nothing is left open. */
int reuse_listen(const char *ip, uint16_t port, int backlog, bool reuse)
{
    /* TODO 2/4: lab 3's server_listen, and one call more: setsockopt(2), with
     * SO_REUSEADDR of socket(7). Which of the other calls is it that is refused
     * without the option? So where does the new one belong? It takes a pointer
     * to an int, and it can fail like the rest. */

    /* TODO 3/4: the caller says with reuse whether it wants the option. */
    (void)ip;
    (void)port;
    (void)backlog;
    (void)reuse;
    errno = ENOSYS;
    return -1;
}

/* Whether the socket has SO_REUSEADDR: 1 or 0, or -1 with errno. */
int reuse_enabled(int fd)
{
    /* TODO 3/4, second half: ask the kernel, getsockopt(2). Its last argument is
     * a pointer, for the same reason as accept's in lab 3. */
    (void)fd;
    errno = ENOSYS;
    return -1;
}

/* What holds this port; PORT_UNKNOWN with errno when that can't be told. */
enum port_state port_state(uint16_t port)
{
    /* TODO 4/4: read_table() of table.h gives you every socket there is. Which of
     * them hold this port? What does the state of each say, and which one counts
     * if there are several? The states have names: TCP_LISTEN and so on. */
    (void)port;
    errno = ENOSYS;
    return PORT_UNKNOWN;
}
