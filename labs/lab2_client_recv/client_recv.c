/* Lab 2, client recv: the one file that you edit.
 *
 * You build five functions: recv_some, recv_exactly, recv_line, recv_message
 * and client_ask. client_recv.h says what each must do, to the last byte, and
 * README.md leads you through them. The TODOs are in the order of the stages:
 * each of them turns one stage of `make grade` green.
 */
#include "client_recv.h"
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Receives one delivery, at most cap bytes, at buf. Returns their number, 0 at
 * the end of the stream, -1 with errno.
 */
ssize_t recv_some(int fd, void *buf, size_t cap)
{
    /* TODO 1/5: one call does it, unless a signal interrupts it. It has three
     * kinds of answer, and so has this function. What is behind the bytes that
     * have come isn't yours: recv() puts no NUL there, and neither do you.
     * man 2 recv, RETURN VALUE; man 7 signal, "Interruption of system calls" */
    (void)fd;
    (void)buf;
    (void)cap;
    errno = ENOSYS; /* "Function not implemented" */
    return -1;
}

/* Receives len bytes at buf, in however many pieces. Returns len, fewer where
 * the stream ended before that, -1 with errno. Takes no byte more than len.
 */
ssize_t recv_exactly(int fd, void *buf, size_t len)
{
    /* TODO 2/5: go on until all have come. Two things change with each piece:
     * where the next one goes, and how many bytes are still missing. Three
     * things end it, and only one of them is a failure.
     * man 2 recv, DESCRIPTION ("whatever is available") and RETURN VALUE */
    (void)fd;
    (void)buf;
    (void)len;
    errno = ENOSYS;
    return -1;
}

/* Receives one line into `line`: with its '\n' and a NUL behind it, for which
 * cap has room. Returns its length, 0 at the end, -1 with errno; EMSGSIZE for
 * a line too long. What comes behind the '\n' stays in the socket.
 */
ssize_t recv_line(int fd, char *line, size_t cap)
{
    if (cap < 2) {
        errno = EINVAL; /* no room for a line */
        return -1;
    }

    /* TODO 3/5: the line ends at its '\n', and nobody knows where that is
     * until it has come. What recv() has handed you can't be put back: so how
     * much do you ask it for? Or can you look before you take?
     * man 2 recv, the flags; man 3 memchr */
    (void)fd;
    (void)line;
    errno = ENOSYS;
    return -1;
}

/* Receives one message at buf: 4 bytes of length in network byte order, then
 * the body. Returns 1 with its length in *len, 0 at the end before a header,
 * -1 with errno: EMSGSIZE (longer than cap), EPROTO (cut short).
 */
int recv_message(int fd, void *buf, size_t cap, size_t *len)
{
    /* TODO 4/5: first the header, which can arrive in pieces like anything
     * else, or not at all. The length in it comes from somebody you don't
     * know: believe it only after you have compared it with your room. Then
     * the body. At which of its ends is a stream cut short?
     * man 3 ntohl, man 3 errno (EMSGSIZE, EPROTO) */
    (void)fd;
    (void)buf;
    (void)cap;
    (void)len;
    errno = ENOSYS;
    return -1;
}

/* Connects to ip and port, sends the request, ends its own side, receives to
 * the end. Returns 0 with the reply in *reply (the caller frees it) and
 * *reply_len; or -1 with errno and *reply NULL. Nothing is left open.
 */
int client_ask(const char *ip, uint16_t port, const void *request, size_t len, char **reply, size_t *reply_len)
{
    *reply = NULL; /* what the caller finds after a failure */
    *reply_len = 0;
    int fd = dial(ip, port, request, len);
    if (fd == -1)
        return -1;

    /* TODO 5/5: the peer may wait for your end before it says a word: close()
     * would end both directions, and you need one of them. Then receive until
     * the end, into memory that grows. Draw every way out: the descriptor is
     * closed on all of them, and a reply that isn't whole is freed.
     * man 2 shutdown, man 3 realloc, man 3 errno */
    close(fd);
    errno = ENOSYS;
    return -1;
}
