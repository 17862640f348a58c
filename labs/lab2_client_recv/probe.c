/* The probe of lab 2: calls one of your functions and reports what came of it.
 * The suite runs it where a function is judged by itself.
 *
 *     probe [OPTIONS] recv_some|recv_exactly|recv_line|recv_message IP PORT SIZE
 *     probe [OPTIONS] client_ask IP PORT [REQUEST]
 *
 * The first four get a connection that the probe makes, and room for SIZE
 * bytes. The first call is made as soon as something has come, or the peer has
 * left: so whoever doesn't wait is told so by the tests of waiting alone, and
 * each time. client_ask gets REQUEST as the C string it is; without REQUEST, all of
 * standard input. Options, before or after FUNCTION:
 *
 *     --times N         call it N times, on the same connection
 *     --stay            afterwards keep every descriptor until standard input ends
 *     --at-once         make the first call right after connect()
 *     --when-left       before the first call wait until the peer has closed or reset
 *     --when-queued N   before the first call wait until N bytes are in the receive queue
 *     --free            client_ask: free each reply at once, and report none
 *     --then PORT       client_ask: the second call and those after it are for PORT
 *     --rest            after the last call receive what is left, to the end
 *
 * What each call gave is reported as data1, data2, …; "nul1" says whether a NUL
 * follows it, "len1" is recv_message's *len and client_ask's *reply_len, "null1"
 * whether *reply is NULL. "before" and "behind" count bytes outside the room
 * that a call changed, "touched" those inside it that the last one changed.
 *
 * Exit status: 0 it did what was asked, 2 it could not. It never judges.
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include "client_recv.h"
#include "dial.h"
#include "number.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DONE = 0, WRONG_USE = 2, MOST = 1 << 24, MOST_ROOM = 1 << 25, MOST_TOLD = 1 << 22, MOST_CALLS = 1000 };

/* The room lies between guard bytes, and is full of them before each call. */
enum { GUARD = 0xAA, GUARD_LEN = 4096 };

struct options {
    unsigned times;
    unsigned queued; /* --when-queued */
    bool stay, at_once, when_left, rest, free;
    const char *then; /* --then: the port that client_ask's further calls are for */
    char *words[4];   /* FUNCTION and its arguments */
    int count;
};

static unsigned char *room; /* where the guard bytes before it begin */
static size_t size;

static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "probe: %s\n", why);
    exit(WRONG_USE);
}

static unsigned count_argument(const char *what, const char *text, unsigned most)
{
    unsigned count;
    if (parse_count(what, text, most, &count) == -1)
        exit(WRONG_USE);
    return count;
}

static const char *numbered(const char *name, unsigned call)
{
    static char text[32];
    snprintf(text, sizeof text, "%s%u", name, call);
    return text;
}

/* ---- the first four: a connection and room ---- */

static void wait_until_peer_left(int fd)
{
    struct pollfd left = {.fd = fd, .events = POLLRDHUP};
    while (poll(&left, 1, -1) == -1 && errno == EINTR)
        continue;
}

/* With SO_RCVLOWAT poll() sleeps until so many bytes are there. */
static void wait_until_queued(int fd, int bytes)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
    while (poll(&readable, 1, -1) == -1 && errno == EINTR)
        continue;
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &(int){1}, sizeof(int));
}

static long long count_changed(const unsigned char *bytes, size_t len)
{
    long long changed = 0;
    for (size_t i = 0; i < len; i++)
        changed += bytes[i] != GUARD;
    return changed;
}

static long long larger(long long a, long long b)
{
    return a > b ? a : b;
}

/* One call. len is what recv_message() says, and left alone by the others. */
static ssize_t call(const char *function, int fd, size_t *len)
{
    unsigned char *buf = room + GUARD_LEN;
    if (strcmp(function, "recv_some") == 0)
        return recv_some(fd, buf, size);
    if (strcmp(function, "recv_exactly") == 0)
        return recv_exactly(fd, buf, size);
    if (strcmp(function, "recv_line") == 0)
        return recv_line(fd, (char *)buf, size);
    return recv_message(fd, buf, size, len);
}

static void report_received(unsigned number, ssize_t result, const size_t *len)
{
    const unsigned char *buf = room + GUARD_LEN;
    size_t got = result <= 0 ? 0 : len != NULL ? *len : (size_t)result;
    if (len != NULL)
        report_number(numbered("len", number), (long long)*len);
    if (got > size)
        got = size;
    if (got > MOST_TOLD)
        got = MOST_TOLD;
    report_bytes(numbered("data", number), buf, got);
    report_number(numbered("nul", number), buf[got] == '\0');
}

static void report_rest(int fd)
{
    char *rest = malloc(MOST);
    if (rest == NULL)
        give_up("out of memory");
    size_t len = 0;
    ssize_t n;
    while ((n = recv(fd, rest + len, MOST - len, 0)) > 0)
        len += (size_t)n;
    report_bytes("rest", rest, len);
    free(rest);
}

static void probe_receive(const struct options *options, uint16_t port)
{
    const char *function = options->words[0];
    bool message = strcmp(function, "recv_message") == 0;
    size = count_argument("SIZE", options->words[3], MOST_ROOM);
    room = malloc(size + (size_t)2 * GUARD_LEN);
    int fd = dial(options->words[1], port, NULL, 0);
    if (room == NULL || fd == -1)
        give_up("no memory, or no connection");
    if (options->when_left)
        wait_until_peer_left(fd);
    else if (!options->at_once)
        wait_until_queued(fd, (int)options->queued);

    long long before = 0, behind = 0;
    for (unsigned i = 1; i <= options->times; i++) {
        size_t len = (size_t)-1;
        memset(room, GUARD, size + (size_t)2 * GUARD_LEN);
        report_begin();
        ssize_t result = call(function, fd, &len);
        report_call(result, errno);
        report_received(i, result, message ? &len : NULL);
        before = larger(before, count_changed(room, GUARD_LEN));
        behind = larger(behind, count_changed(room + GUARD_LEN + size, GUARD_LEN));
    }
    report_number("before", before);
    report_number("behind", behind);
    report_number("touched", count_changed(room + GUARD_LEN, size));
    report_number("open", fcntl(fd, F_GETFD) != -1);
    if (options->rest)
        report_rest(fd);
    free(room);
}

/* ---- client_ask ---- */

static char *read_input(size_t *len)
{
    char *data = malloc(MOST);
    if (data == NULL)
        give_up("out of memory");
    *len = 0;
    ssize_t n;
    while ((n = read(STDIN_FILENO, data + *len, MOST - *len)) > 0)
        *len += (size_t)n;
    return data;
}

/* All replies are kept to the end: each is memory of its own. */
static void probe_ask(const struct options *options, uint16_t port)
{
    static char *replies[MOST_CALLS];
    static size_t lens[MOST_CALLS];
    char *request = options->words[3];
    size_t len = request != NULL ? strlen(request) : 0;
    char *input = request == NULL ? read_input(&len) : NULL;

    bool good[MOST_CALLS] = {false};
    for (unsigned i = 0; i < options->times; i++) {
        replies[i] = (char *)&good; /* neither NULL nor from malloc() */
        lens[i] = (size_t)-1;
        if (i == 1 && options->then != NULL && parse_port(options->then, &port) == -1)
            exit(WRONG_USE);
        report_begin();
        int result = client_ask(options->words[1], port, input != NULL ? input : request, len, &replies[i], &lens[i]);
        report_call(result, errno);
        good[i] = result == 0;
        report_number(numbered("null", i + 1), replies[i] == NULL);
        report_number(numbered("len", i + 1), (long long)lens[i]);
        if (good[i] && options->free) {
            free(replies[i]);
            good[i] = false;
        }
    }
    for (unsigned i = 0; i < options->times; i++)
        if (good[i] && lens[i] <= MOST)
            report_bytes(numbered("data", i + 1), replies[i], lens[i]);
    for (unsigned i = 0; i < options->times; i++)
        if (good[i])
            free(replies[i]);
    free(input);
}

/* ---- the command line ---- */

static void read_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--stay") == 0)
            options->stay = true;
        else if (strcmp(argv[i], "--at-once") == 0)
            options->at_once = true;
        else if (strcmp(argv[i], "--when-left") == 0)
            options->when_left = true;
        else if (strcmp(argv[i], "--free") == 0)
            options->free = true;
        else if (strcmp(argv[i], "--rest") == 0)
            options->rest = true;
        else if (strcmp(argv[i], "--times") == 0 && i + 1 < argc)
            options->times = count_argument("--times", argv[++i], MOST_CALLS);
        else if (strcmp(argv[i], "--then") == 0 && i + 1 < argc)
            options->then = argv[++i];
        else if (strcmp(argv[i], "--when-queued") == 0 && i + 1 < argc)
            options->queued = count_argument("--when-queued", argv[++i], MOST);
        else if (options->count < 4)
            options->words[options->count++] = argv[i];
        else
            give_up("too many arguments");
    }
}

static bool receives(const char *function)
{
    static const char *const names[] = {"recv_some", "recv_exactly", "recv_line", "recv_message"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(function, names[i]) == 0)
            return true;
    return false;
}

static void stay_until_input_ends(void)
{
    char ignored[256];
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0)
        continue;
}

int main(int argc, char **argv)
{
    report_open();
    signal(SIGPIPE, SIG_DFL); /* whoever started the probe may ignore it */

    struct options options = {.times = 1, .queued = 1};
    read_options(argc, argv, &options);
    if (options.count < 3)
        give_up("usage: probe [OPTIONS] FUNCTION IP PORT [SIZE | REQUEST]");
    uint16_t port;
    if (parse_port(options.words[2], &port) == -1)
        return WRONG_USE;
    if (receives(options.words[0]) && options.count == 4)
        probe_receive(&options, port);
    else if (strcmp(options.words[0], "client_ask") == 0)
        probe_ask(&options, port);
    else
        give_up("call which function, with what?");
    if (options.stay)
        stay_until_input_ends();
    return DONE;
}
