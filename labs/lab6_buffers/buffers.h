/* Lab 6, send and receive buffers: the contract.
 *
 * Between your program and the peer's lie two queues in two kernels: what you
 * have sent waits in your send buffer, what has arrived waits in the peer's
 * receive buffer until its program reads it; and the same the other way. send()
 * only puts bytes into the first of these boxes. Your functions look into the
 * boxes, fill them, and get along with full ones.
 *
 * None of these functions prints or exits. One that fails returns -1 and leaves
 * the reason in errno. An interrupted call (EINTR) is made again; whether an
 * interrupted connect() is a failure is up to you. A peer that has left is an
 * error, and never the end of your program (SIGPIPE).
 * The caller closes fd, but for finish(), which does it always. Whether fd
 * blocks (O_NONBLOCK) is after each function as it was before it.
 * A timeout is the whole time that a function may take, in milliseconds,
 * whatever the peer does: 0 is "don't wait" (what needs no waiting may be done),
 * any negative one is no limit, and INT_MAX is a limit like any other.
 * Who waits doesn't burn the processor.
 */
#ifndef BUFFERS_H
#define BUFFERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- 1: sizes ---- */

/* How large the two buffers of a socket are, in bytes, as the kernel says. */
struct buffer_sizes {
    int send_bytes;
    int recv_bytes;
};

/* Writes the sizes of fd's buffers to *out, just as the kernel tells them.
 * Returns 0, or -1 with errno. */
int buffer_sizes(int fd, struct buffer_sizes *out);

/* Asks the kernel for buffers of these sizes; 0 leaves that buffer as it is. The
 * kernel makes of it what it likes (it doubles, and knows a least and a most):
 * that is no error, and nothing is asked a second time.
 * Returns 0, or -1 with errno: EINVAL where a size is negative, and then neither
 * buffer is changed. */
int set_buffers(int fd, int send_bytes, int recv_bytes);

/* Connects to ip ("127.0.0.1"; names come later) at port (7788 is 7788) with
 * buffers that set_buffers() would ask for, in time for them to hold for the
 * whole connection: never is more on its way to you than recv_bytes allows.
 * Returns the connected descriptor, which the caller closes; or -1 with errno,
 * EINVAL where ip is no address (whether "127.1" is one is up to you) or a size
 * is negative (and nobody is dialled).
 * After -1 nothing is left open. */
int connect_with_buffers(const char *ip, uint16_t port, int send_bytes, int recv_bytes);

/* ---- 2: full ---- */

/* Sends bytes, whichever, until the kernel takes no more without waiting for it.
 * Returns how many it took, 0 if there was no room at all; or -1 with errno where
 * a send failed for any other reason (EPIPE, …), even after some bytes. Doesn't
 * wait. */
ssize_t fill_send_buffer(int fd);

/* ---- 3: what is in the queues ---- */

/* Bytes in the two queues of one socket, as the kernel counts them now (three
 * questions are never quite one moment). */
struct queues {
    int unsent;  /* sent by the program, and still here: the kernel hasn't let them go */
    int unacked; /* sent by the program, and not acknowledged by the peer's kernel; counts the unsent too */
    int unread;  /* arrived here, and not read by the program */
};

/* Writes to *out how many bytes are in fd's queues now. Takes none of them.
 * Returns 0, or -1 with errno (a socket that listens has none: EINVAL). */
int queues(int fd, struct queues *out);

/* ---- 4: backpressure ---- */

/* Sends the len bytes at data in order, as many as the kernel takes before the
 * timeout is over. Waits only where there is no room, as poll() sees it: Linux
 * says POLLOUT once a third of the buffer is free. Whether it asks poll() before
 * the first send or after it is up to you.
 * Returns how many it took: len, or fewer when the time was over or the
 * connection broke after them. -1 only if it took none (and len isn't 0), with
 * errno: ETIMEDOUT when the time was over, else that of the call that failed. */
ssize_t send_within(int fd, const void *data, size_t len, int timeout_ms);

/* ---- 5: the deadlock ---- */

/* Sends the out_len bytes at out, and receives in_len bytes into in, both at
 * once: neither waits for the other, whatever the peer does first, and however
 * small the buffers are. Takes nothing that comes after the in_len bytes, and
 * ends neither side's stream. Either length may be 0.
 * Returns 0 when all is sent and all is received; -1 with errno when a call
 * failed, EPROTO when the peer ended its stream before in_len bytes had come
 * (either errno where a send fails as well). */
int exchange(int fd, const void *out, size_t out_len, void *in, size_t in_len);

/* ---- 6: finish without loss ---- */

/* Ends a conversation so that no byte of ours is lost. Says that no more will
 * come (the peer can still send); reads what still comes, and throws it away,
 * until the peer has ended its side too or the time is over, even if it never
 * stops sending; closes fd, once, whatever happens.
 * Returns 0 when the peer's end has come; or -1 with errno: ETIMEDOUT when the
 * time was over before, else that of the call that failed first: ECONNRESET
 * when the peer resets meanwhile. When it had reset before, that may be
 * shutdown(), which says ENOTCONN, or EPIPE: that is as good. */
int finish(int fd, int timeout_ms);

#endif
