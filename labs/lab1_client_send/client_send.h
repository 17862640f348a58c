/* Lab 1, client send: the contract.
 *
 * A client dials a server, hands it a message and hangs up. Four functions do
 * it; main.c makes a program of them, and `make grade` judges each by itself.
 * They never exit, and print nothing but the prompt. One that fails returns
 * -1 and leaves the reason in errno: what went wrong first, whatever was
 * called after it to tidy up.
 *
 * The peer is whoever is at the other end of the connection.
 */
#ifndef CLIENT_SEND_H
#define CLIENT_SEND_H

#include <stddef.h>
#include <stdint.h>

/* Connects to a TCP server. `ip` is an IPv4 address as text, "127.0.0.1";
 * names such as "localhost" come later, and "127.1" is up to you. `port` is in
 * host order: 7788 is 7788.
 * Returns the connected descriptor, which the caller closes; 0 is a good one.
 * -1 with errno: EINVAL where ip is no address (and nobody is dialled), else
 * that of the call that failed (a connect() that a signal interrupts may count
 * as failed). After -1 nothing is left open.
 */
int client_connect(const char *ip, uint16_t port);

/* Hands all len bytes at data to the kernel, to be sent on fd, which blocks (no
 * O_NONBLOCK). They may be any bytes: text in any encoding, a picture, NULs; and
 * any number of them, 64 MiB or 4 GiB. With len 0 nothing is sent.
 * Returns 0 once the kernel has taken them all, even if it took them in parts,
 * or a signal came in between, and however long a slow peer takes. -1 with
 * errno: how many had gone by then isn't told. A peer that has left is such an
 * error (EPIPE, ECONNRESET), and never the end of your program. (Ignoring
 * SIGPIPE, and leaving it so, is one way.) The caller closes fd: it is open
 * afterwards.
 */
int send_all(int fd, const void *data, size_t len);

/* The whole conversation: connects to ip and port, sends all len bytes at
 * data, closes. Reads nothing, and waits for no answer.
 * Returns 0, or -1 with errno as client_connect() or send_all() left it.
 * Nothing is left open either way.
 */
int client_send(const char *ip, uint16_t port, const void *data, size_t len);

/* Asks for one line: shows prompt on standard output, then waits for a line on
 * standard input (by stdio or by read(), as you like). Each call gets the next
 * line.
 * Returns 1 with the line in `line`, which has room for cap bytes (1 or more):
 * without its newline, with a final NUL, and no other byte changed: blanks
 * stay, and so does '\r'. An empty line is a line, and so is a last one that
 * has no newline. Returns 0 at the end of the input.
 * -1 with errno: that of reading, or EMSGSIZE for a line that doesn't fit with
 * its NUL. The rest of that line is thrown away: the next call reads the next.
 * Once reading itself has failed, be it with EINTR, no call need give a line.
 * After 0 and -1 nothing that stands at `line` counts.
 */
int prompt_line(const char *prompt, char *line, size_t cap);

#endif
