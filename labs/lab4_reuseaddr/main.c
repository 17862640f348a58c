/* reuseaddr [--no-reuse] [--last] [IP] PORT
 * reuseaddr --state PORT
 *
 * A program around the five functions of reuseaddr.c, to run by hand. The first
 * form serves one client: it says good-bye, ends the conversation first (with
 * --last the client does) and exits. Run it twice, and it meets its own
 * TIME_WAIT. The second form says what holds a port.
 * Exit status: 0 done, 1 a call failed, 2 wrong usage.
 */
#include "reuseaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "number.h"
#include "say.h"

enum { BACKLOG = 8, PEER_CAP = sizeof "255.255.255.255:65535" };

struct options {
    bool reuse, last, state;
    const char *ip; /* NULL: every address */
    uint16_t port;
};

static int show_usage(void)
{
    fprintf(stderr, "usage: reuseaddr [--no-reuse] [--last] [IP] PORT\n       reuseaddr --state PORT\n");
    return -1;
}

static int read_options(int argc, char **argv, struct options *options)
{
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--no-reuse") == 0)
            options->reuse = false;
        else if (strcmp(argv[i], "--last") == 0)
            options->last = true;
        else if (strcmp(argv[i], "--state") == 0)
            options->state = true;
        else
            return show_usage();
    }
    if (argc - i == 2 && !options->state)
        options->ip = argv[i++];
    if (argc - i != 1)
        return show_usage();
    return parse_port(argv[i], &options->port);
}

static int failed(const char *call)
{
    fprintf(stderr, "reuseaddr: %s: %s\n", call, strerror(errno));
    return 1;
}

/* ---- reuseaddr --state PORT ---------------------------------------------------- */

static int show_state(uint16_t port)
{
    static const char *const words[] = {
        [PORT_FREE] = "free",
        [PORT_TIME_WAIT] = "held by TIME_WAIT",
        [PORT_CONNECTED] = "held by a connection",
        [PORT_LISTENING] = "listening",
    };
    enum port_state state = port_state(port);
    if (state == PORT_UNKNOWN)
        return failed("port_state");
    printf("%u: %s\n", port, words[state]);
    return 0;
}

/* ---- reuseaddr [IP] PORT ------------------------------------------------------- */

/* Before TODO 2: a listener without the option, on every address. A restart that
 * fails is what this lab begins with. */
static int listen_plainly(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener == -1)
        return -1;
    fprintf(stderr, "reuseaddr: reuse_listen: %s yet; a plain listener takes its place\n", strerror(ENOSYS));
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, BACKLOG) == 0)
        return listener;
    int error = errno;
    close(listener);
    errno = error;
    return -1;
}

static int get_listener(const struct options *options)
{
    int listener = reuse_listen(options->ip, options->port, BACKLOG, options->reuse);
    if (listener == -1 && errno == ENOSYS)
        return listen_plainly(options->port);
    return listener;
}

/* One line on standard error says what failed, why, and what to do about it. */
static int listen_failed(const struct options *options)
{
    const char *reason = strerror(errno);
    const char *advice = errno == EADDRINUSE ? ". `reuseaddr --state PORT` says what holds it" : "";
    fprintf(stderr, "reuseaddr: can't listen on %s:%u: %s%s\n", options->ip != NULL ? options->ip : "0.0.0.0",
            options->port, reason, advice);
    return 1;
}

static void say_address(enum event event, const struct sockaddr_in *address)
{
    char ip[INET_ADDRSTRLEN], text[PEER_CAP];
    inet_ntop(AF_INET, &address->sin_addr, ip, sizeof ip);
    snprintf(text, sizeof text, "%s:%u", ip, ntohs(address->sin_port));
    say(event, text, 0);
}

static int announce(int listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) == -1)
        return -1;
    say_address(EVENT_LISTENING, &address);
    return 0;
}

/* One client. The listener has done its work once that is accepted. */
static int serve_one(int listener, bool last)
{
    struct sockaddr_in client = {.sin_family = AF_INET};
    socklen_t size = sizeof client;
    int connection = accept(listener, (struct sockaddr *)&client, &size);
    close(listener);
    if (connection == -1)
        return failed("accept");
    say_address(EVENT_CLIENT, &client);

    static const char words[] = "good-bye\n";
    if (send(connection, words, sizeof words - 1, MSG_NOSIGNAL) == -1) {
        close(connection);
        return failed("send");
    }
    if ((last ? close_last(connection) : close_first(connection)) == -1)
        return failed(last ? "close_last" : "close_first");
    say_address(EVENT_GONE, &client);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.reuse = true};
    if (read_options(argc, argv, &options) == -1)
        return 2;
    if (options.state)
        return show_state(options.port);

    int listener = get_listener(&options);
    if (listener == -1)
        return listen_failed(&options);
    if (announce(listener) == -1) {
        close(listener);
        return failed("getsockname");
    }
    return serve_one(listener, options.last);
}
