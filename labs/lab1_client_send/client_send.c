/* Lab 1, client send: the one file that you edit.
 *
 * You build four functions: client_connect, send_all, client_send and
 * prompt_line. client_send.h says what each must do, to the last byte, and
 * README.md leads you through them. The TODOs are in the order of the stages:
 * each of them turns one stage of `make grade` green.
 */
#include "client_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connects to a TCP server at ip ("127.0.0.1") and port (host order).
 * Returns the connected descriptor, which the caller closes; or -1 with errno,
 * EINVAL where ip is no address, and nothing left open.
 */
int client_connect(const char *ip, uint16_t port)
{
    /* TODO 1/5: fill in the server's address, make a socket, connect it.
     * An address has a family, a port and four bytes of IP; the port and the
     * bytes are in network order, whatever the order of your machine. Turning
     * text into the four bytes can fail, and has a way of its own to say so.
     * A socket that didn't get connected is still a descriptor.
     * man 7 ip, man 2 socket, man 2 connect, man 3 inet_pton, man 3 htons */
    (void)ip;
    (void)port;
    errno = ENOSYS; /* "Function not implemented" */
    return -1;
}

/* Hands all len bytes at data to the kernel, to be sent on fd.
 * Returns 0, or -1 with errno. A peer that has left is an error, never the end
 * of the program. Doesn't close fd.
 */
int send_all(int fd, const void *data, size_t len)
{
    if (len == 0)
        return 0; /* nothing to send, and nothing wrong */

    /* TODO 2/5: hand the bytes over with one call. They are bytes: don't look
     * for characters in them, or for an end.
     * man 2 send */

    /* TODO 3/5: one call may take fewer bytes than it was given (a short
     * count), and a signal may interrupt it before it took any (EINTR).
     * Neither is a failure. Go on from the right place until all are taken.
     * man 2 send, RETURN VALUE; man 7 signal, "Interruption of system calls" */
    (void)fd;
    (void)data;
    errno = ENOSYS;
    return -1;
}

/* Connects to ip and port, sends all len bytes at data, closes. Reads nothing.
 * Returns 0, or -1 with the errno of what failed first. Nothing is left open.
 */
int client_send(const char *ip, uint16_t port, const void *data, size_t len)
{
    /* TODO 4/5: put the two together. Whatever goes wrong, the descriptor is
     * closed, and the caller learns the first thing that went wrong.
     * Then go back to send_all(): sending to a peer that has left raises a
     * signal, and that signal kills a program that took no care.
     * man 2 close, man 3 errno, man 2 send (EPIPE and the flags) */
    (void)ip;
    (void)port;
    (void)data;
    (void)len;
    errno = ENOSYS;
    return -1;
}

/* Shows prompt, then reads one line from standard input into `line`, without
 * its newline and with a final NUL; cap counts both. Returns 1 with a line, 0
 * at the end of the input, -1 with errno; EMSGSIZE is a line that doesn't fit,
 * and the rest of it is thrown away.
 */
int prompt_line(const char *prompt, char *line, size_t cap)
{
    if (cap == 0) {
        errno = EINVAL; /* no room even for the NUL */
        return -1;
    }

    /* TODO 5/5: show the prompt before you wait: what printf() prints may stay
     * in the program for a while. Then read one line; its end may be a newline
     * or the end of the input, and it may be longer than there is room for.
     * man 3 fflush, man 3 fgets, man 3 getchar, man 3 ferror */
    (void)prompt;
    (void)line;
    errno = ENOSYS;
    return -1;
}
