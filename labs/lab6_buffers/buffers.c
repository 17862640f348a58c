/* Lab 6, send and receive buffers: the one file that you edit.
 *
 * You write eight functions that look into the two queues of a connection, fill
 * them, and get along with full ones:
 *
 *     buffer_sizes, set_buffers, connect_with_buffers    how large they are
 *     fill_send_buffer                                   how much fits
 *     queues                                             what is in them now
 *     send_within                                        a full one, and a time limit
 *     exchange                                           both ways at once
 *     finish                                             the end, without a loss
 *
 * What each must do, to the last detail, is in buffers.h. README.md goes with
 * you through the six TODOs. Each of them turns one stage of `make grade` green.
 */
#include "buffers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h> /* SIOCOUTQ and its like */
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Writes the sizes of fd's buffers to *out, as the kernel tells them. Returns 0,
 * or -1 with errno. */
int buffer_sizes(int fd, struct buffer_sizes *out)
{
    /* TODO 1/6, first part: two options of the socket. man 2 getsockopt: the
     * length goes in and comes out. man 7 socket, SO_SNDBUF: which number will
     * you see after you have asked for another? */
    (void)fd;
    (void)out;
    errno = ENOSYS; /* "not implemented": delete this once you begin */
    return -1;
}

/* Asks for buffers of these sizes; 0 leaves one as it is. Returns 0, or -1 with
 * errno; EINVAL, and nothing is changed, where a size is negative. */
int set_buffers(int fd, int send_bytes, int recv_bytes)
{
    /* TODO 1/6, second part: man 2 setsockopt. What the kernel makes of your
     * wish is its own affair; a negative one it doesn't refuse. */
    (void)fd;
    (void)send_bytes;
    (void)recv_bytes;
    errno = ENOSYS;
    return -1;
}

/* Connects with such buffers. Returns the descriptor, which the caller closes; or
 * -1 with errno, and then nothing is left open. */
int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes)
{
    /* TODO 1/6, third part: lab 1's four steps, and one more. Where does it go?
     * What the peer may send you at once it is told in the handshake: man 7 tcp,
     * "TCP window scaling"; man 7 socket, SO_RCVBUF. */
    (void)ip;
    (void)port;
    (void)send_bytes;
    (void)recv_bytes;
    errno = ENOSYS;
    return -1;
}

/* Sends until the kernel takes no more without waiting. Returns how many bytes it
 * took; or -1 with errno. */
ssize_t fill_send_buffer(int fd)
{
    /* TODO 2/6: a send that doesn't wait: man 2 send, MSG_DONTWAIT; or the state
     * O_NONBLOCK of the descriptor (man 2 fcntl), which you give back as it was.
     * Such a send has four kinds of answer: all, some, none for now, an error.
     * man 2 send, ERRORS: which errno is "none for now"? */
    (void)fd;
    errno = ENOSYS;
    return -1;
}

/* How many bytes are in fd's queues now. Returns 0, or -1 with errno. */
int queues(int fd, struct queues *out)
{
    /* TODO 3/6: three questions, one call each: man 7 tcp, Ioctls; man 2 ioctl.
     * Of SIOCOUTQ and SIOCOUTQNSD one counts what hasn't left, the other what
     * nobody has acknowledged: which is which? */
    (void)fd;
    (void)out;
    errno = ENOSYS;
    return -1;
}

/* Sends as many of the len bytes as the kernel takes within the time. Returns how
 * many; -1 with errno only if there was none, ETIMEDOUT when the time was over. */
ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms)
{
    if (len == 0)
        return 0; /* nothing to send, and nothing wrong */

    /* TODO 4/6: lab 1's loop, with sends that don't wait; where there is no room,
     * wait until there is some: man 2 poll, POLLOUT. The timeout is for all waits
     * together: remember the moment at which the time is over (man 2
     * clock_gettime, CLOCK_MONOTONIC), and ask before each wait what is left. */
    (void)fd;
    (void)data;
    (void)timeout_ms;
    errno = ENOSYS;
    return -1;
}

/* Sends out and receives in, both at once. Returns 0, or -1 with errno; EPROTO
 * when the peer ended its stream too early. */
int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len)
{
    /* TODO 5/6: one poll() for both directions, then whatever can be done without
     * waiting. Ask it only for what you still want: POLLOUT with nothing left to
     * send is true at once, and again, and again. man 2 poll, revents. */
    (void)fd;
    (void)out;
    (void)out_len;
    (void)in;
    (void)in_len;
    errno = ENOSYS;
    return -1;
}

/* Ends a conversation so that no byte of ours is lost, and closes fd. Returns 0
 * when the peer has ended its side too; or -1 with errno. */
int finish(int fd, int timeout_ms)
{
    /* TODO 6/6: three steps. Say that you are done, and go on listening: man 2
     * shutdown. Read until the end, within the time. Close, on every way out:
     * what does close() do to errno? And what does it do to bytes of yours that
     * are still on their way, if anything lies unread? */
    (void)fd;
    (void)timeout_ms;
    errno = ENOSYS;
    return -1;
}
