/* probe [--times N] [--stay] FUNCTION ARGS…
 *
 *     close_first, close_last
 *     reuse_listen IP PORT BACKLOG REUSE    IP NULL is the null pointer, '' is empty; REUSE is
 *                                           on, off, or turns (on at the first call, then off, …)
 *     reuse_enabled KIND                    of a socket that the probe makes: plain, reuse, reuseport,
 *                                           reset (by its peer), closed, file (no socket)
 *     port_state PORT…                      of each in turn
 *
 * Calls one function of reuseaddr.c and reports what came of it (report.h). It
 * never judges. Whatever else a function needs is made here, with plain calls:
 * the connection comes in at a listener of the probe's own, on 127.0.0.1.
 * Options, before or after FUNCTION:
 *
 *     --times N     call it N times
 *     --stay        afterwards keep everything open until standard input ends
 *     --hold        read a line from standard input before each call
 *     --say TEXT    close_…: send TEXT over the connection first
 *     --full        from now on no descriptor is free: open() and its like give EMFILE
 *     --empty       the kernel's table has no socket in it
 *     --call PORT   close_…: the connection goes out, to that port of 127.0.0.1
 */
#define _GNU_SOURCE /* fopen64() */
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "number.h"
#include "options.h"
#include "report.h"

enum { MAX_TIMES = 100000, CLOSED = 500, WORDS = 6 }; /* CLOSED: a descriptor that nobody opens */

struct options {
    unsigned times;
    bool stay, hold, full, empty;
    const char *say;
    unsigned call;      /* 0: the connection comes in */
    char *words[WORDS]; /* FUNCTION and its arguments */
    int count;
};

/* ---- what a function needs --------------------------------------------------------- */

static int give_up(const char *call)
{
    fprintf(stderr, "probe: %s: %s\n", call, strerror(errno));
    exit(2);
}

static int make_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd != -1 ? fd : give_up("socket");
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int make_listener(void)
{
    int listener = make_socket();
    struct sockaddr_in address = loopback(0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == -1)
        give_up("bind");
    if (listen(listener, 128) == -1)
        give_up("listen");
    return listener;
}

/* A connection: from the listener's queue, or to the port that options name. */
static int make_connection(const struct options *options, int listener)
{
    if (options->call == 0) {
        int connection = accept(listener, NULL, NULL);
        return connection != -1 ? connection : give_up("accept");
    }
    int connection = make_socket();
    struct sockaddr_in address = loopback((uint16_t)options->call);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) == -1)
        give_up("connect");
    return connection;
}

static void send_text(int fd, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n == -1)
            give_up("send");
        text += n;
        len -= (size_t)n;
    }
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

/* Until a line has come (true) or standard input has ended. */
static bool wait_for_line(void)
{
    char byte = '\0';
    while (byte != '\n' && read(STDIN_FILENO, &byte, 1) == 1)
        ;
    return byte == '\n';
}

/* Memory that a function forgets to fill is zero or large by chance. Here it is
 * neither: the first call finds zeros on the stack, the second ones, and so on. */
__attribute__((noinline)) static void soil_stack(unsigned call)
{
    volatile unsigned char soil[8192];
    for (size_t i = 0; i < sizeof soil; i++)
        soil[i] = call % 2 == 0 ? 0x00 : 0xFF;
}

/* With a limit that the open descriptors have reached already. */
static void use_up_descriptors(void)
{
    struct rlimit limit = {STDERR_FILENO + 1, STDERR_FILENO + 1};
    if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
        give_up("setrlimit");
}

static bool table_is_empty;

/* In the place of the C library's: read_table() reads the kernel's table by it. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the library's names are reserved */
FILE *fopen(const char *path, const char *mode)
{
    bool empty = table_is_empty && strncmp(path, "/proc/net/tcp", strlen("/proc/net/tcp")) == 0;
    return fopen64(empty ? "/dev/null" : path, mode);
}

/* What comes before each call under test. */
static void prepare(const struct options *options, unsigned call)
{
    if (options->full)
        use_up_descriptors();
    table_is_empty = options->empty;
    if (options->hold)
        wait_for_line();
    soil_stack(call);
}

/* ---- the functions under test ------------------------------------------------------ */

static void probe_close(const struct options *options, int (*function)(int connection))
{
    int listener = options->call == 0 ? make_listener() : -1;
    for (unsigned i = 0; i < options->times; i++) {
        int connection = make_connection(options, listener);
        if (options->say != NULL)
            send_text(connection, options->say);
        prepare(options, i);
        report_begin();
        int result = function(connection);
        report_call(result, errno);
        report_number("connection", connection);
        report_number("connection_open", is_open(connection));
    }
}

static long long option_of(int fd, int option)
{
    int answer = 0;
    socklen_t size = sizeof answer;
    return getsockopt(fd, SOL_SOCKET, option, &answer, &size) == 0 ? answer : -1;
}

static void probe_listen(const struct options *options, uint16_t port, int backlog)
{
    const char *ip = strcmp(options->words[1], "NULL") == 0 ? NULL : options->words[1];
    const char *reuse_word = options->words[4];
    for (unsigned i = 0; i < options->times; i++) {
        bool reuse = strcmp(reuse_word, "on") == 0 || (strcmp(reuse_word, "turns") == 0 && i % 2 == 0);
        prepare(options, i);
        report_begin();
        int listener = reuse_listen(ip, port, backlog, reuse);
        int error = errno;
        report_number("listens", option_of(listener, SO_ACCEPTCONN) > 0);
        report_number("reuse", option_of(listener, SO_REUSEADDR));
        report_call(listener, error);
    }
}

static void set_option(int fd, int option)
{
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, option, &on, sizeof on) == -1)
        give_up("setsockopt");
}

/* A connection that its peer has reset: the kernel knows, and has told nobody. */
static int make_reset(void)
{
    int listener = make_listener(), connection = make_socket();
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) == -1)
        give_up("getsockname");
    if (connect(connection, (struct sockaddr *)&address, sizeof address) == -1)
        give_up("connect");
    int peer = accept(listener, NULL, NULL);
    struct linger by_reset = {.l_onoff = 1, .l_linger = 0};
    if (peer == -1 || setsockopt(peer, SOL_SOCKET, SO_LINGER, &by_reset, sizeof by_reset) == -1)
        give_up("accept");
    close(peer);
    close(listener);
    struct pollfd news = {.fd = connection};
    if (poll(&news, 1, -1) == -1)
        give_up("poll");
    return connection;
}

/* A descriptor of that kind, -1 if there is no such kind. */
static int make_kind(const char *kind)
{
    if (strcmp(kind, "closed") == 0)
        return CLOSED;
    if (strcmp(kind, "file") == 0)
        return open("/dev/null", O_RDWR);
    if (strcmp(kind, "reset") == 0)
        return make_reset();
    bool reuse = strcmp(kind, "reuse") == 0, reuseport = strcmp(kind, "reuseport") == 0;
    if (!reuse && !reuseport && strcmp(kind, "plain") != 0)
        return -1;
    int fd = make_socket();
    if (reuse || reuseport)
        set_option(fd, reuse ? SO_REUSEADDR : SO_REUSEPORT);
    return fd;
}

static int probe_enabled(const struct options *options)
{
    int fd = options->count == 2 ? make_kind(options->words[1]) : -1;
    if (fd == -1)
        return -1;
    for (unsigned i = 0; i < options->times; i++) {
        prepare(options, i);
        report_begin();
        int result = reuse_enabled(fd);
        report_call(result, errno);
        report_number("still_open", is_open(fd));
    }
    report_number("untold", option_of(fd, SO_ERROR));
    return 0;
}

static void probe_state(const struct options *options, const uint16_t *ports, unsigned count)
{
    for (unsigned i = 0; i < options->times * count; i++) {
        prepare(options, i);
        report_begin();
        int result = port_state(ports[i % count]);
        report_call(result, errno);
    }
}

/* ---- the command line -------------------------------------------------------------- */

static int show_usage(void)
{
    fprintf(stderr, "probe: usage: probe [--times N] [--stay] close_first | close_last"
                    " | reuse_listen IP PORT BACKLOG REUSE | reuse_enabled KIND | port_state PORT…\n");
    return 2;
}

static int take_words(int argc, char **argv, struct options *options)
{
    const struct known_option known[] = {
        {"--times", .number = &options->times, .most = MAX_TIMES},
        {"--call", .number = &options->call, .most = UINT16_MAX},
        {"--say", .text = &options->say},
        {"--stay", .on = &options->stay},
        {"--hold", .on = &options->hold},
        {"--full", .on = &options->full},
        {"--empty", .on = &options->empty},
        {.name = NULL},
    };
    options->count = read_options(argc, argv, known, options->words, WORDS);
    return options->count > 0 ? 0 : -1;
}

static int run_listen(const struct options *options)
{
    uint16_t port;
    if (options->count != 5 || parse_port(options->words[2], &port) == -1)
        return show_usage();
    probe_listen(options, port, atoi(options->words[3]));
    return 0;
}

static int run_state(const struct options *options)
{
    uint16_t ports[WORDS];
    for (int i = 1; i < options->count; i++)
        if (parse_port(options->words[i], &ports[i - 1]) == -1)
            return show_usage();
    if (options->count < 2)
        return show_usage();
    probe_state(options, ports, (unsigned)options->count - 1);
    return 0;
}

static int run_function(const struct options *options)
{
    const char *function = options->words[0];
    if (strcmp(function, "reuse_listen") == 0)
        return run_listen(options);
    if (strcmp(function, "reuse_enabled") == 0)
        return probe_enabled(options) == -1 ? show_usage() : 0;
    if (strcmp(function, "port_state") == 0)
        return run_state(options);
    if (strcmp(function, "close_first") == 0)
        probe_close(options, close_first);
    else if (strcmp(function, "close_last") == 0)
        probe_close(options, close_last);
    else
        return show_usage();
    return 0;
}

int main(int argc, char **argv)
{
    report_open();
    signal(SIGPIPE, SIG_DFL); /* whoever started the probe may ignore it */
    struct options options = {.times = 1};
    if (take_words(argc, argv, &options) == -1)
        return show_usage();
    int status = run_function(&options);
    while (status == 0 && options.stay && wait_for_line())
        ;
    return status;
}
