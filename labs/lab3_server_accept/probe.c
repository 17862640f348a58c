/* probe [--times N] [--stay] FUNCTION ARGS…
 *
 *     server_listen IP PORT BACKLOG       IP NULL is the null pointer, '' is empty
 *     server_accept [CAP]                 CAP NULL passes no buffer; 64 unless told
 *     serve_client
 *     server_run CLIENTS
 *
 * Calls one function of server_accept.c and reports what came of it (report.h).
 * It never judges. Whatever else a function needs is made here, with plain
 * calls: the probe's own listener is on 127.0.0.1, at a port that the kernel
 * chooses. Options, before or after FUNCTION:
 *
 *     --times N           call it N times
 *     --stay              afterwards keep everything open until standard input ends
 *     --hold              read a line from standard input before each call
 *     --listener KIND     none: a closed descriptor. unlistened: bound, no listen()
 *     --read              server_accept: read each new connection to its end
 *     --take              server_run: on a line from standard input open a file and
 *                         print "taken", to see whether server_run closes it
 */
#include "server_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

enum { PEER_ROOM = 64, CANARY = 0xAA, MAX_TIMES = 100000, MAX_BYTES = 1 << 20 };
enum { CLOSED = 500 }; /* a descriptor that nobody opens: a low one may be the next to be given out */

struct options {
    unsigned times;
    bool stay, hold, read, take;
    const char *listener; /* NULL, "none" or "unlistened" */
    char *words[4];       /* FUNCTION and its arguments */
    int count;
};

/* ---- what a function needs --------------------------------------------------------- */

static int give_up(const char *call)
{
    fprintf(stderr, "probe: %s: %s\n", call, strerror(errno));
    exit(2);
}

static int make_listener(const char *kind)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener == -1)
        give_up("socket");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == -1)
        give_up("bind");
    if (kind == NULL && listen(listener, 128) == -1)
        give_up("listen");
    if (kind == NULL || strcmp(kind, "none") != 0)
        return listener;
    close(listener);
    return CLOSED;
}

/* With a small send buffer: in the usual one megabytes vanish, and send() need not
 * wait for a client that reads slowly. */
static int accept_plainly(int listener)
{
    int connection = accept(listener, NULL, NULL);
    if (connection == -1)
        give_up("accept");
    int size = 4096;
    setsockopt(connection, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return connection;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
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

/* What comes before each call under test. */
static void prepare(const struct options *options, unsigned call)
{
    if (options->hold)
        wait_for_line();
    soil_stack(call);
}

/* ---- the functions under test ------------------------------------------------------ */

static bool listens(int fd)
{
    int answer = 0;
    socklen_t size = sizeof answer;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &answer, &size) == 0 && answer != 0;
}

static void probe_listen(const struct options *options, uint16_t port, int backlog)
{
    const char *ip = strcmp(options->words[1], "NULL") == 0 ? NULL : options->words[1];
    for (unsigned i = 0; i < options->times; i++) {
        prepare(options, i);
        report_begin();
        int listener = server_listen(ip, port, backlog);
        int error = errno;
        report_number("listens", listens(listener));
        report_call(listener, error);
    }
}

/* peer1, peer2, … : who called, by each call. spilled: bytes changed beyond cap. */
static void report_peer(unsigned call, const unsigned char *room, size_t cap)
{
    char name[32];
    snprintf(name, sizeof name, "peer%u", call);
    bool terminated = memchr(room, '\0', cap) != NULL;
    report_text(name, terminated ? (const char *)room : NULL);
    report_number("terminated", terminated);

    size_t spilled = 0;
    for (size_t i = cap; i < PEER_ROOM; i++)
        spilled += room[i] != CANARY;
    report_number("spilled", (long long)spilled);
}

/* What came over the connection, until its end or an error. Whether its calls wait is
 * up to server_accept(); these do. */
static void report_stream(int connection)
{
    fcntl(connection, F_SETFL, 0);
    char *data = malloc(MAX_BYTES);
    size_t len = 0;
    ssize_t n;
    while (data != NULL && len < MAX_BYTES && (n = recv(connection, data + len, MAX_BYTES - len, 0)) > 0)
        len += (size_t)n;
    report_bytes("read", data, len);
    free(data);
}

static void probe_accept(const struct options *options, bool no_buffer, size_t cap)
{
    int listener = make_listener(options->listener);
    for (unsigned i = 0; i < options->times; i++) {
        unsigned char room[PEER_ROOM];
        memset(room, CANARY, sizeof room);
        prepare(options, i);
        report_begin();
        int connection = server_accept(listener, no_buffer ? NULL : (char *)room, cap);
        report_call(connection, errno);
        report_peer(i + 1, room, no_buffer ? 0 : cap);
        if (connection != -1 && options->read)
            report_stream(connection);
    }
}

static void probe_serve(const struct options *options)
{
    int listener = make_listener(options->listener);
    for (unsigned i = 0; i < options->times; i++) {
        int connection = accept_plainly(listener);
        prepare(options, i);
        report_begin();
        int result = serve_client(connection);
        report_call(result, errno);
        report_number("connection_open", is_open(connection));
        close(connection);
    }
}

/* A second thread (lab 5) opens a file when told to, and says so. It gets the
 * lowest number that is free: the listener's, once that is closed. */
static void *take_number(void *taken)
{
    if (wait_for_line()) {
        *(int *)taken = open("/dev/null", O_RDONLY);
        printf("taken\n");
        fflush(stdout);
    }
    return NULL;
}

static void probe_run(const struct options *options, unsigned clients)
{
    int listener = make_listener(options->listener);
    ino_t before = identity(listener);
    int taken = -1;
    pthread_t taker;
    if (options->take && pthread_create(&taker, NULL, take_number, &taken) != 0)
        give_up("pthread_create");
    for (unsigned i = 0; i < options->times; i++) {
        if (i > 0) {
            if (listens(listener)) /* before TODO 6 nobody has closed it */
                close(listener);
            listener = make_listener(options->listener);
        }
        prepare(options, i);
        report_begin();
        int result = server_run(listener, clients);
        report_call(result, errno);
    }
    report_number("listener", listener);
    if (options->take)
        pthread_join(taker, NULL);
    report_number("listener_open", before != 0 && identity(listener) == before);
    report_number("taken", taken);
    report_number("taken_open", is_open(taken));
}

/* ---- the command line -------------------------------------------------------------- */

static int show_usage(void)
{
    fprintf(stderr, "usage: probe [--times N] [--stay] server_listen IP PORT BACKLOG | server_accept [CAP]"
                    " | serve_client | server_run CLIENTS\n");
    return 2;
}

static int take_words(int argc, char **argv, struct options *options)
{
    const struct known_option known[] = {
        {"--times", .number = &options->times, .most = MAX_TIMES},
        {"--listener", .text = &options->listener},
        {"--stay", .on = &options->stay},
        {"--hold", .on = &options->hold},
        {"--read", .on = &options->read},
        {"--take", .on = &options->take},
        {.name = NULL},
    };
    options->count = read_options(argc, argv, known, options->words, 4);
    return options->count > 0 ? 0 : -1;
}

/* "-1" is a backlog too: the kernel takes it for a very large one. */
static int run_listen(const struct options *options)
{
    uint16_t port;
    if (options->count != 4 || parse_port(options->words[2], &port) == -1)
        return show_usage();
    probe_listen(options, port, atoi(options->words[3]));
    return 0;
}

static int run_accept(const struct options *options)
{
    unsigned cap = PEER_ROOM;
    bool no_buffer = options->count == 2 && strcmp(options->words[1], "NULL") == 0;
    if (options->count > 2 ||
        (options->count == 2 && !no_buffer && parse_count("CAP", options->words[1], PEER_ROOM, &cap) == -1))
        return show_usage();
    probe_accept(options, no_buffer, cap);
    return 0;
}

static int run_run(const struct options *options)
{
    unsigned clients;
    if (options->count != 2 || parse_count("CLIENTS", options->words[1], UINT32_MAX, &clients) == -1)
        return show_usage();
    probe_run(options, clients);
    return 0;
}

static int run_function(const struct options *options)
{
    const char *function = options->words[0];
    if (strcmp(function, "server_listen") == 0)
        return run_listen(options);
    if (strcmp(function, "server_accept") == 0)
        return run_accept(options);
    if (strcmp(function, "server_run") == 0)
        return run_run(options);
    if (strcmp(function, "serve_client") != 0 || options->count != 1)
        return show_usage();
    probe_serve(options);
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
