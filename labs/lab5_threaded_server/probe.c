/* probe [--stay] FUNCTION
 *
 *     server_start            starts a server
 *     server_stats            the same, then asks for the numbers once for each line "ask"
 *     server_stop             the same, then stops it on the line "stop"; on the line "another"
 *                             starts a second one and asks that for its numbers, which the
 *                             next "stop" stops; "ask" asks the first one
 *
 * Calls one function of threaded_server.c (and server_start() before it) and
 * reports what came of it (report.h). It never judges. The listener is the
 * probe's own, on 127.0.0.1, at a port that the kernel chooses. A pointer is
 * reported as 0, and NULL as -1. Options, before or after FUNCTION:
 *
 *     --stay              afterwards keep everything as it is until standard input ends
 *     --ask-always        server_stats: a second thread asks as well, again and again,
 *                         until the line "enough"
 *
 * The server's threads go on after server_start() has returned, and are under
 * test; what this file does meanwhile isn't.
 */
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

struct options {
    const char *function;
    bool stay, ask_always;
};

static int give_up(const char *call)
{
    fprintf(stderr, "probe: %s: %s\n", call, strerror(errno));
    exit(2);
}

/* With a small send buffer, which its connections inherit: in the usual one megabytes
 * vanish, and nobody need wait for a client that takes no answer. */
static int make_listener(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener == -1)
        give_up("socket");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == -1)
        give_up("bind");
    int size = 16384;
    setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (listen(listener, SOMAXCONN) == -1)
        give_up("listen");
    return listener;
}

/* Which of all files and sockets a descriptor is: its number may belong to another by
 * and by. 0 for a closed one. */
static ino_t identity(int fd)
{
    struct stat file;
    return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

/* The next line of standard input; false once it has ended. Byte by byte: the next line
 * may be for someone else. */
static bool read_line(char *line, size_t cap)
{
    size_t len = 0;
    char byte;
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        if (byte == '\n') {
            line[len] = '\0';
            return true;
        }
        if (len + 1 < cap)
            line[len++] = byte;
    }
    return false;
}

static bool wait_for(const char *word)
{
    char line[16];
    while (read_line(line, sizeof line))
        if (strcmp(line, word) == 0)
            return true;
    return false;
}

/* ---- the functions under test ------------------------------------------------------ */

/* Memory that a function forgets to fill is zero by chance. Here it is not. */
static void soil_heap(void)
{
    void *pieces[64];
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        if ((pieces[i] = malloc(16 * (i + 1))) != NULL)
            memset(pieces[i], 0xA5, 16 * (i + 1));
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        free(pieces[i]);
}

/* Static, so that valgrind finds them until they are stopped, even when main() has returned. */
static struct running {
    struct server *server;
    int listener;
    ino_t identity; /* of the listener */
} first, second;

/* Whether there is a server. */
static bool start(struct running *one)
{
    one->listener = make_listener();
    soil_heap();
    report_begin();
    one->server = server_start(one->listener);
    report_started(one->server != NULL ? 0 : -1, errno);
    one->identity = identity(one->listener);
    return one->server != NULL;
}

/* Asked again and again, while the clients go on: no number may ever be one that never
 * was, and what has been counted stays counted. */
struct asking {
    _Atomic bool enough;
    long long asked, went_down;
};

static void *ask_always(void *argument)
{
    report_aside();
    struct asking *asking = argument;
    struct server_stats before = {0};
    while (!atomic_load(&asking->enough)) {
        struct server_stats now = server_stats(first.server);
        asking->went_down += now.served < before.served || now.bytes < before.bytes;
        asking->asked++;
        before = now;
        usleep(200);
    }
    return NULL;
}

static void report_stats(struct running *one)
{
    struct server_stats stats = server_stats(one->server);
    report_number("clients", (long long)stats.clients);
    report_number("served", (long long)stats.served);
    report_number("bytes", (long long)stats.bytes);
    report_started(0, 0);
}

static void probe_stats(bool always)
{
    struct asking asking = {.asked = 0};
    pthread_t asker;
    if (always && pthread_create(&asker, NULL, ask_always, &asking) != 0)
        give_up("pthread_create");
    if (always) {
        wait_for("enough");
        atomic_store(&asking.enough, true);
        pthread_join(asker, NULL);
    }
    report_number("asked", asking.asked);
    report_number("went_down", asking.went_down);
    while (wait_for("ask"))
        report_stats(&first);
}

static void stop(struct running *one)
{
    report_begin();
    int result = server_stop(one->server);
    int error = errno;
    one->server = NULL;
    report_number("listener_open", one->identity != 0 && identity(one->listener) == one->identity);
    report_started(result, error);
}

static void probe_stop(void)
{
    char line[16];
    while (read_line(line, sizeof line)) {
        struct running *asked = first.server != NULL ? &first : &second;
        if (strcmp(line, "another") == 0 && start(&second))
            report_stats(&second);
        if (strcmp(line, "ask") == 0 && asked->server != NULL)
            report_stats(asked);
        if (strcmp(line, "stop") == 0 && asked->server != NULL)
            stop(asked);
    }
}

/* ---- the command line -------------------------------------------------------------- */

static int show_usage(void)
{
    fprintf(stderr, "usage: probe [--stay] server_start | server_stats [--ask-always] | server_stop\n");
    return 2;
}

static int read_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--stay") == 0)
            options->stay = true;
        else if (strcmp(argv[i], "--ask-always") == 0)
            options->ask_always = true;
        else if (options->function == NULL)
            options->function = argv[i];
        else
            return -1;
    }
    return options->function != NULL ? 0 : -1;
}

static int run_function(const struct options *options)
{
    const char *function = options->function;
    bool stats = strcmp(function, "server_stats") == 0, stop = strcmp(function, "server_stop") == 0;
    if (!stats && !stop && strcmp(function, "server_start") != 0)
        return show_usage();

    if (!start(&first))
        return 0;
    if (stats)
        probe_stats(options->ask_always);
    if (stop)
        probe_stop();
    return 0;
}

int main(int argc, char **argv)
{
    report_open();
    signal(SIGPIPE, SIG_DFL); /* whoever started the probe may ignore it */
    struct options options = {.stay = false};
    if (read_options(argc, argv, &options) == -1)
        return show_usage();
    int status = run_function(&options);
    char line[16];
    while (status == 0 && options.stay && read_line(line, sizeof line))
        ;
    return status;
}
