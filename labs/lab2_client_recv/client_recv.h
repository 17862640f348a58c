/* Lab 2, client recv: the contract.
 *
 * A client asks a server something and receives the answer. Five functions do
 * it, each with another idea of where an answer ends; main.c makes a program
 * of them, and `make grade` judges each by itself. They print nothing and
 * never exit. One that fails returns -1 and leaves the reason in errno: what
 * went wrong first, whatever was called after it to tidy up.
 *
 * Three things are the same in all of them:
 * - Data is bytes: any bytes, NULs among them. Where the network cuts them
 *   means nothing, be it in the middle of a character.
 * - A signal that interrupts a call is no failure and loses nothing.
 * - The end is the peer's orderly close. A reset is not the end: that is -1,
 *   after all that came before it. (The kernel tells it once: the next recv()
 *   would say that the stream has ended.)
 *
 * The first four receive from a connected fd, which blocks (no O_NONBLOCK) and
 * is open afterwards: the caller closes it. They take no byte that is for a
 * later call, and store none outside the room that they are given.
 */
#ifndef CLIENT_RECV_H
#define CLIENT_RECV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Receives one delivery: waits until anything has come, and stores as much of
 * it as one recv() gives, at most cap bytes (1 or more), at buf.
 * Returns how many bytes those are; 0 at the end of the stream; -1 with errno.
 */
ssize_t recv_some(int fd, void *buf, size_t cap);

/* Receives exactly len bytes, in however many pieces they arrive, and stores
 * them at buf, which has room for len. With len 0 it waits for nothing.
 * Returns len, or fewer where the stream ended before that: those that had
 * come, 0 if there were none. -1 with errno: what had come is then lost.
 */
ssize_t recv_exactly(int fd, void *buf, size_t len);

/* Receives one line, with its '\n', and puts a NUL behind it. line has room
 * for cap bytes, the NUL among them: a line has cap - 1 at most. The next line
 * stays where it is. '\r' and NULs are bytes of the line like any other.
 * Returns the line's length without the final NUL (so "\n" is 1). A last line
 * that the stream's end has left without '\n' is returned as it is. 0 is the
 * end: no line any more. -1 with errno; EMSGSIZE for a line that is too long,
 * as soon as cap - 1 bytes have come without a '\n', even if the stream ends
 * right there. It doesn't wait for the rest, which stays unread: there may be no
 * end to it.
 * (What had come may be gone, and what then stands at line means nothing.)
 * EINVAL if cap is below 2.
 */
ssize_t recv_line(int fd, char *line, size_t cap);

/* Receives one message: a header of 4 bytes, which is the body's length as an
 * unsigned number in network byte order, and then the body, stored at buf,
 * which has room for cap bytes. The next message stays where it is.
 * Returns 1 with the body's length in *len; an empty body is a message too. 0
 * is the end before a header. -1 with errno: EMSGSIZE where the header says
 * more than cap, and then nothing has been stored at buf, and the body isn't
 * waited for; EPROTO where the stream ended within the header or the body.
 * With 0 and -1 *len means nothing.
 */
int recv_message(int fd, void *buf, size_t cap, size_t *len);

/* The whole conversation: connects to ip ("127.0.0.1") and port (host order),
 * sends all len bytes at request, ends its own side of the stream, and
 * receives until the peer has ended the other: the reply is all of that, and
 * may be long. (To receive meanwhile is right too.) Closes the connection,
 * however it went: a shutdown() that fails closes nothing.
 * Returns 0 with the reply in *reply, its length in *reply_len. It is memory
 * that the caller frees with free(); for an empty reply that may be NULL. No
 * NUL need follow it. -1 with errno, *reply is NULL and there is nothing to
 * free: a reply that was broken off is no reply. A reset is ECONNRESET, EPIPE
 * or ENOTCONN, whichever call meets it first. EINVAL: ip is no address in
 * figures and dots (a name is none; "127.1" is up to you).
 */
int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len);

#endif
