/* server_accept [--backlog N] [--clients N] [IP] PORT
 *
 * A program around the four functions of server_accept.c, to run by hand. It
 * prints one line an event and runs until --clients are served or until Ctrl-C.
 * Exit status: 0 all clients served, 1 a call failed, 2 wrong usage.
 */
#include "server_accept.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "number.h"

enum { DEFAULT_BACKLOG = 128, MAX_COUNT = 1000000000 };

struct options {
    unsigned backlog;
    unsigned clients;
    const char *ip; /* NULL: every address */
    uint16_t port;
};

static int show_usage(void)
{
    fprintf(stderr, "usage: server_accept [--backlog N] [--clients N] [IP] PORT\n");
    return -1;
}

/* The options come first, then IP and PORT, or PORT alone. */
static int read_options(int argc, char **argv, struct options *options)
{
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        unsigned *number;
        if (strcmp(argv[i], "--backlog") == 0)
            number = &options->backlog;
        else if (strcmp(argv[i], "--clients") == 0)
            number = &options->clients;
        else
            return show_usage();
        if (parse_count(argv[i], argv[i + 1], MAX_COUNT, number) == -1)
            return -1;
    }
    if (argc - i == 2)
        options->ip = argv[i++];
    if (argc - i != 1 || argv[i][0] == '-')
        return show_usage();
    return parse_port(argv[i], &options->port);
}

/* One line on standard error says what failed, why, and what to do about it. */
static int listen_failed(const struct options *options)
{
    const char *reason = strerror(errno);
    const char *advice = "";
    if (errno == EADDRINUSE)
        advice = ". Port 0 takes any free port; lab 4 shows why this one is still busy";
    else if (errno == EADDRNOTAVAIL)
        advice = ". This machine doesn't have that address: `ip -4 addr` lists its own";
    fprintf(stderr, "server_accept: can't listen on %s:%u: %s%s\n", options->ip != NULL ? options->ip : "0.0.0.0",
            options->port, reason, advice);
    return 1;
}

/* Says where the listener really is: with port 0 only the kernel knows. */
static int announce(int listener)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) == -1)
        return -1;

    /* getnameinfo() writes any family's address as text: README.md, extensions. */
    char ip[NI_MAXHOST], port[NI_MAXSERV], text[NI_MAXHOST + NI_MAXSERV + 1];
    if (getnameinfo((struct sockaddr *)&address, size, ip, sizeof ip, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    snprintf(text, sizeof text, "%s:%s", ip, port);
    say(EVENT_LISTENING, text, 0);
    return 0;
}

static int failed(const char *call, int listener)
{
    fprintf(stderr, "server_accept: %s: %s\n", call, strerror(errno));
    close(listener);
    return 1;
}

/* Before TODO 4 nobody accepts, and yet there is much to see: README.md, part 1. */
static _Noreturn void wait_for_ctrl_c(void)
{
    fprintf(stderr, "server_accept: server_run: %s yet; the listener stays until Ctrl-C\n", strerror(ENOSYS));
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    struct options options = {.backlog = DEFAULT_BACKLOG};
    if (read_options(argc, argv, &options) == -1)
        return 2;

    int listener = server_listen(options.ip, options.port, (int)options.backlog);
    if (listener == -1)
        return listen_failed(&options);

    if (announce(listener) == -1)
        return failed("getsockname", listener);
    if (server_run(listener, options.clients) == 0)
        return 0; /* all served: server_run has closed the listener */
    if (errno == ENOSYS)
        wait_for_ctrl_c();
    return failed("server_run", listener);
}
