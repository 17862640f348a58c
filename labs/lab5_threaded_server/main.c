/* threaded_server [IP] PORT
 *
 * A program around the three functions of threaded_server.c, to run by hand. It
 * prints one line an event, and runs until Ctrl-C (SIGINT) or SIGTERM; then it
 * stops in good order and says what there was.
 * Exit status: 0 stopped, 1 a call failed, 2 wrong usage.
 */
#include "threaded_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "number.h"

static int show_usage(void)
{
    fprintf(stderr, "usage: threaded_server [IP] PORT\n");
    return 2;
}

/* Lab 3's listener, with lab 4's option: yours to compare with. */
static int listen_at(const char *ip, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, ip, &address.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener == -1)
        return -1;
    int on = 1;
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, SOMAXCONN) == 0)
        return listener;

    int error = errno;
    close(listener);
    errno = error;
    return -1;
}

/* Says where the listener really is: with port 0 only the kernel knows. */
static void announce(int listener)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    char ip[INET_ADDRSTRLEN], text[INET_ADDRSTRLEN + sizeof ":65535"];
    if (getsockname(listener, (struct sockaddr *)&address, &size) == -1 ||
        inet_ntop(AF_INET, &address.sin_addr, ip, sizeof ip) == NULL)
        return;
    snprintf(text, sizeof text, "%s:%u", ip, ntohs(address.sin_port));
    say(EVENT_LISTENING, text, 0);
}

static int failed(const char *call)
{
    fprintf(stderr, "threaded_server: %s: %s\n", call, strerror(errno));
    return 1;
}

/* The two signals that ask for an end. Blocked before any thread is made, for a
 * new thread inherits the mask of the one that makes it: so they interrupt
 * nobody's call, and wait until sigwait() takes them. */
static void hold_stop_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
}

int main(int argc, char **argv)
{
    uint16_t port;
    const char *ip = argc == 3 ? argv[1] : "0.0.0.0";
    if (argc < 2 || argc > 3 || argv[1][0] == '-')
        return show_usage();
    if (parse_port(argv[argc - 1], &port) == -1)
        return 2;

    sigset_t signals;
    hold_stop_signals(&signals);
    int listener = listen_at(ip, port);
    if (listener == -1)
        return failed("can't listen");
    announce(listener);
    struct server *server = server_start(listener);
    if (server == NULL)
        return failed("server_start");

    int signal_number;
    sigwait(&signals, &signal_number);
    struct server_stats stats = server_stats(server);
    fprintf(stderr, "threaded_server: stopping with %llu clients; %llu were served, and %llu bytes received\n",
            stats.clients, stats.served, stats.bytes);
    if (server_stop(server) == -1)
        return failed("server_stop");
    return 0;
}
