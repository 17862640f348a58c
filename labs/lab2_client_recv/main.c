/* client_recv [--exactly N | --line | --message | --all] IP PORT [REQUEST]
 *
 *     client_recv 127.0.0.1 7788 hello              sends hello; one recv_some()
 *     client_recv --exactly 11 127.0.0.1 7788       11 bytes
 *     client_recv --line 127.0.0.1 7788 hello       one line
 *     client_recv --message 127.0.0.1 7788          one message
 *     client_recv --all 127.0.0.1 7788 hello        all that client_ask() gets
 *
 * Writes what it has received to standard output, byte for byte, and nothing
 * else. Exit status: 0 received (the end, with no bytes, is no failure), 1
 * failed, with a line on standard error that says why, 2 the wrong arguments.
 */
#include "client_recv.h"
#include "dial.h"
#include "number.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RECEIVED = 0, FAILED = 1, WRONG_USE = 2 };

enum { ROOM = 1024 };         /* for one delivery: what the notes' recv(1024) asks for */
enum { LONG_ROOM = 1 << 20 }; /* for a line, a message, and the N of --exactly */

struct options {
    const char *mode; /* "--line", …; NULL: one delivery */
    unsigned count;   /* of --exactly */
    const char *ip;
    uint16_t port;
    const char *request; /* "" where there is none */
};

static int show_usage(void)
{
    fprintf(stderr, "usage: client_recv [--exactly N | --line | --message | --all] IP PORT [REQUEST]\n");
    return -1;
}

static int read_options(int argc, char **argv, struct options *options)
{
    static const char *const modes[] = {"--exactly", "--line", "--message", "--all"};
    int i = 1;
    for (size_t k = 0; i < argc && k < sizeof modes / sizeof modes[0]; k++)
        if (strcmp(argv[i], modes[k]) == 0)
            options->mode = modes[k];
    if (options->mode != NULL)
        i++;
    if (options->mode == modes[0] && i < argc && parse_count("--exactly", argv[i++], LONG_ROOM, &options->count) == -1)
        return -1;
    if (argc - i < 2 || argc - i > 3)
        return show_usage();
    options->ip = argv[i];
    options->request = i + 2 < argc ? argv[i + 2] : "";
    return parse_port(argv[i + 1], &options->port);
}

/* Receives in the way that was asked for. Returns how many bytes, or -1. */
static ssize_t receive(int fd, const struct options *options, char *room)
{
    if (options->mode == NULL)
        return recv_some(fd, room, ROOM);
    if (strcmp(options->mode, "--exactly") == 0)
        return recv_exactly(fd, room, options->count);
    if (strcmp(options->mode, "--line") == 0)
        return recv_line(fd, room, LONG_ROOM);

    size_t len;
    int result = recv_message(fd, room, LONG_ROOM, &len);
    return result == 1 ? (ssize_t)len : result;
}

/* For --all: the conversation is client_ask()'s own. */
static int ask(const struct options *options)
{
    char *reply;
    size_t len;
    if (client_ask(options->ip, options->port, options->request, strlen(options->request), &reply, &len) == -1)
        return -1;
    if (len > 0)
        fwrite(reply, 1, len, stdout);
    free(reply);
    return 0;
}

/* For all else: a connection, the request, and one call. */
static int ask_for_one(const struct options *options)
{
    static char room[LONG_ROOM];
    int fd = dial(options->ip, options->port, options->request, strlen(options->request));
    if (fd == -1)
        return -1;
    ssize_t len = receive(fd, options, room);
    int error = errno; /* close() may change it */
    close(fd);
    errno = error;
    if (len == -1)
        return -1;
    fwrite(room, 1, (size_t)len, stdout);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.mode = NULL};
    if (read_options(argc, argv, &options) == -1)
        return WRONG_USE;

    bool all = options.mode != NULL && strcmp(options.mode, "--all") == 0;
    if ((all ? ask(&options) : ask_for_one(&options)) == -1) {
        fprintf(stderr, "client_recv: %s:%u: %s\n", options.ip, options.port, strerror(errno));
        return FAILED;
    }
    return RECEIVED;
}
