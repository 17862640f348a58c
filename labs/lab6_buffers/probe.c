/* probe [--times N] [--stay] [OPTIONS] FUNCTION IP PORT …: calls one function of
 * buffers.c and reports what came of it (report.h). It never judges.
 *
 *     buffer_sizes IP PORT
 *     set_buffers IP PORT SEND RECV              before the probe connects
 *     connect_with_buffers IP PORT SEND RECV
 *     fill_send_buffer IP PORT
 *     queues IP PORT [LEN]                       after LEN bytes were sent
 *     send_within IP PORT TIMEOUT LEN
 *     exchange IP PORT LEN IN_LEN
 *     finish IP PORT TIMEOUT [LEN]               after LEN bytes were sent
 *
 * The LEN bytes are the first of standard input. But for connect_with_buffers the
 * connection is the probe's own. Options, before FUNCTION:
 *
 *     --times N           call it N times
 *     --stay              afterwards keep everything open until standard input ends
 *     --hold              read a line from standard input before each call (queues: and before it sends)
 *     --send-buffer N     ask for these buffers before the connection is made
 *     --recv-buffer N
 *     --nonblocking       the connection doesn't block
 *     --fill              fill its send buffer first; with --hold once more after the line
 *     --when-left         wait until the peer has closed or reset the connection
 *     --rest              exchange: read afterwards to the end what else has come
 *     --listener          queues: ask a socket that listens
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include "buffers.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "number.h"
#include "options.h"
#include "report.h"

enum { DONE = 0, WRONG_USE = 2 };
enum { MAX_BYTES = 64 << 20, GUARD = 0xAA, GUARD_LEN = 64 };

static struct {
    unsigned times, send_buffer, recv_buffer;
    bool stay, hold, nonblocking, fill, when_left, rest, listener;
} options = {.times = 1};

static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "probe: %s\n", why);
    exit(WRONG_USE);
}

/* ---- what a function needs --------------------------------------------------- */

/* Sizes and timeouts can be negative here: what comes of it is for the function. */
static int number_argument(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < INT32_MIN || value > INT32_MAX)
        give_up("that is no number");
    return (int)value;
}

/* Which of all files and sockets a descriptor is: its number may belong to another by
 * and by. 0 for a closed one. */
static ino_t identity(int fd)
{
    struct stat file;
    return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

/* Until a line has come (true) or standard input has ended. Byte by byte: the next
 * line may be for someone else. */
static bool wait_for_line(void)
{
    char byte = '\0';
    while (byte != '\n' && read(STDIN_FILENO, &byte, 1) == 1)
        continue;
    return byte == '\n';
}

/* len bytes of standard input, and guard bytes behind them. */
static unsigned char *read_data(size_t len)
{
    unsigned char *data = malloc(len + GUARD_LEN);
    if (data == NULL || len > MAX_BYTES)
        give_up("out of memory");
    memset(data, GUARD, len + GUARD_LEN);
    for (size_t got = 0; got < len;) {
        ssize_t n = read(STDIN_FILENO, data + got, len - got);
        if (n <= 0)
            give_up("standard input is too short");
        got += (size_t)n;
    }
    return data;
}

/* How many bytes behind the first len were changed. */
static long long changed_beyond(const unsigned char *data, size_t len)
{
    long long changed = 0;
    for (size_t i = len; i < len + GUARD_LEN; i++)
        changed += data[i] != GUARD;
    return changed;
}

static int make_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1)
        give_up("no socket");
    int size = (int)options.send_buffer;
    if (size > 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    size = (int)options.recv_buffer;
    if (size > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return fd;
}

static void connect_it(int fd, const char *ip, const char *port)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *server;
    if (getaddrinfo(ip, port, &hints, &server) != 0)
        give_up("no such address");
    if (connect(fd, server->ai_addr, server->ai_addrlen) == -1)
        give_up("cannot connect");
    freeaddrinfo(server);
}

static void fill_it(int fd)
{
    static const char filling[16384];
    while (send(fd, filling, sizeof filling, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        continue;
}

static void wait_until_peer_left(int fd)
{
    struct pollfd left = {.fd = fd, .events = POLLRDHUP};
    while (poll(&left, 1, -1) == -1 && errno == EINTR)
        continue;
}

/* The probe's own connection, so that a function needs nothing else of yours. */
static int dial(char **argv)
{
    int fd = make_socket();
    connect_it(fd, argv[0], argv[1]);
    return fd;
}

static void send_it(int fd, const unsigned char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n == -1)
            give_up("cannot send");
        data += n;
        len -= (size_t)n;
    }
}

/* What comes right before each call under test. */
static void prepare(int fd)
{
    if (options.fill)
        fill_it(fd);
    if (options.when_left)
        wait_until_peer_left(fd);
    if (options.nonblocking)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (options.hold) {
        wait_for_line();
        if (options.fill) /* what the peer's kernel has taken since has left room */
            fill_it(fd);
    }
}

/* ---- the functions under test ------------------------------------------------ */

static void call_buffer_sizes(char **argv)
{
    int fd = dial(argv);
    for (unsigned i = 0; i < options.times; i++) {
        struct buffer_sizes sizes = {-7, -7};
        prepare(fd);
        report_begin();
        int result = buffer_sizes(fd, &sizes);
        int error = errno;
        report_number("send_bytes", sizes.send_bytes);
        report_number("recv_bytes", sizes.recv_bytes);
        report_call(result, error);
    }
}

static void call_set_buffers(char **argv)
{
    int fd = make_socket();
    int send_bytes = number_argument(argv[2]), recv_bytes = number_argument(argv[3]);
    for (unsigned i = 0; i < options.times; i++) {
        prepare(fd);
        report_begin();
        int result = set_buffers(fd, send_bytes, recv_bytes);
        report_call(result, errno);
    }
    connect_it(fd, argv[0], argv[1]);
}

static void call_connect_with_buffers(char **argv)
{
    unsigned port;
    if (parse_count("PORT", argv[1], UINT16_MAX, &port) == -1)
        exit(WRONG_USE);
    int send_bytes = number_argument(argv[2]), recv_bytes = number_argument(argv[3]);
    for (unsigned i = 0; i < options.times; i++) {
        report_begin();
        int result = connect_with_buffers(argv[0], (uint16_t)port, send_bytes, recv_bytes);
        report_call(result, errno);
    }
}

static void call_fill_send_buffer(char **argv)
{
    int fd = dial(argv);
    for (unsigned i = 0; i < options.times; i++) {
        prepare(fd);
        report_begin();
        ssize_t result = fill_send_buffer(fd);
        report_call(result, errno);
    }
}

static int listen_plainly(void)
{
    int fd = make_socket();
    if (listen(fd, 1) == -1)
        give_up("cannot listen");
    return fd;
}

static void call_queues(char **argv)
{
    size_t len = argv[2] != NULL ? (size_t)number_argument(argv[2]) : 0;
    unsigned char *data = read_data(len);
    int fd = options.listener ? listen_plainly() : dial(argv);
    if (options.hold)
        wait_for_line();
    send_it(fd, data, len);
    for (unsigned i = 0; i < options.times; i++) {
        struct queues now = {-7, -7, -7};
        prepare(fd);
        report_begin();
        int result = queues(fd, &now);
        int error = errno;
        report_number("unsent", now.unsent);
        report_number("unacked", now.unacked);
        report_number("unread", now.unread);
        report_call(result, error);
    }
    free(data);
}

static void call_send_within(char **argv)
{
    int timeout = number_argument(argv[2]);
    size_t len = (size_t)number_argument(argv[3]);
    unsigned char *data = read_data(len);
    int fd = dial(argv);
    for (unsigned i = 0; i < options.times; i++) {
        prepare(fd);
        report_begin();
        ssize_t result = send_within(fd, data, len, timeout);
        report_call(result, errno);
    }
    free(data);
}

/* rest: what came after that, until the peer's end. */
static void report_rest(int fd)
{
    unsigned char *rest = malloc(MAX_BYTES);
    size_t len = 0;
    ssize_t n;
    fcntl(fd, F_SETFL, 0);
    while (rest != NULL && len < MAX_BYTES && (n = recv(fd, rest + len, MAX_BYTES - len, 0)) > 0)
        len += (size_t)n;
    report_bytes("rest", rest, len);
    free(rest);
}

static void call_exchange(char **argv)
{
    size_t len = (size_t)number_argument(argv[2]), in_len = (size_t)number_argument(argv[3]);
    unsigned char *data = read_data(len);
    int fd = dial(argv);
    for (unsigned i = 0; i < options.times; i++) {
        unsigned char *in = malloc(in_len + GUARD_LEN);
        if (in == NULL)
            give_up("out of memory");
        memset(in, GUARD, in_len + GUARD_LEN);
        prepare(fd);
        report_begin();
        int result = exchange(fd, data, len, in, in_len);
        int error = errno;
        report_bytes(i == 0 ? "in" : "in2", in, in_len); /* of the first call, and of the last */
        report_number("beyond", changed_beyond(in, in_len));
        report_call(result, error);
        free(in);
    }
    if (options.rest)
        report_rest(fd);
    free(data);
}

/* open: whether the connection still is. A number alone may be somebody else's. */
static void call_finish(char **argv)
{
    int timeout = number_argument(argv[2]);
    size_t len = argv[3] != NULL ? (size_t)number_argument(argv[3]) : 0;
    unsigned char *data = read_data(len);
    for (unsigned i = 0; i < options.times; i++) {
        int fd = dial(argv);
        ino_t before = identity(fd);
        send_it(fd, data, len);
        prepare(fd);
        report_begin();
        int result = finish(fd, timeout);
        int error = errno;
        report_number("open", identity(fd) == before);
        report_call(result, error);
    }
    free(data);
}

/* ---- the command line -------------------------------------------------------- */

static const struct {
    const char *name;
    int least, most; /* how many arguments */
    void (*call)(char **argv);
} functions[] = {
    {"buffer_sizes", 2, 2, call_buffer_sizes},
    {"set_buffers", 4, 4, call_set_buffers},
    {"connect_with_buffers", 4, 4, call_connect_with_buffers},
    {"fill_send_buffer", 2, 2, call_fill_send_buffer},
    {"queues", 2, 3, call_queues},
    {"send_within", 4, 4, call_send_within},
    {"exchange", 4, 4, call_exchange},
    {"finish", 3, 4, call_finish},
};

static const struct known_option known_options[] = {
    {"--times", .number = &options.times, .most = INT32_MAX},
    {"--send-buffer", .number = &options.send_buffer, .most = INT32_MAX},
    {"--recv-buffer", .number = &options.recv_buffer, .most = INT32_MAX},
    {"--stay", .on = &options.stay},
    {"--hold", .on = &options.hold},
    {"--nonblocking", .on = &options.nonblocking},
    {"--fill", .on = &options.fill},
    {"--when-left", .on = &options.when_left},
    {"--rest", .on = &options.rest},
    {"--listener", .on = &options.listener},
    {.name = NULL},
};

int main(int argc, char **argv)
{
    report_open();
    signal(SIGPIPE, SIG_DFL); /* whoever started the probe may ignore it */

    char *words[16] = {NULL};
    int count = read_options(argc, argv, known_options, words, 15);
    if (count == -1)
        give_up("there is no such option, or it needs a number, or there are too many words");

    for (size_t i = 0; count > 0 && i < sizeof functions / sizeof functions[0]; i++) {
        if (strcmp(words[0], functions[i].name) != 0)
            continue;
        if (count - 1 < functions[i].least || count - 1 > functions[i].most)
            give_up("wrong number of arguments");
        functions[i].call(words + 1);
        while (options.stay && wait_for_line())
            continue;
        return DONE;
    }
    give_up("call which function?");
}
