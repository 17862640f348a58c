/* The probe of lab 1: calls one of your functions and reports what came of it.
 * The suite runs it where a function is judged by itself.
 *
 *     probe [--times N] [--stay] FUNCTION …
 *
 *     client_connect IP PORT [TEXT]             sends TEXT on what it returned
 *     send_all [OPTION] IP PORT [TEXT]          on a connection the probe makes
 *     client_send IP PORT [TEXT [IP PORT]]      then TEXT to the second one
 *     prompt_line PROMPT CAP
 *
 * send_all and client_send get TEXT as the C string it is; without TEXT, all of
 * standard input, which no NUL follows. --times calls the function N times, and
 * each call is reported. --stay keeps every descriptor
 * afterwards until standard input ends. send_all's own OPTION: --when-left
 * waits, before the first call, until the peer has closed or reset the
 * connection; --mebibytes N is so many zeros in place of TEXT. client_send takes
 * that too, where TEXT would stand.
 *
 * Exit status: 0 it did what was asked, 2 it could not. It never judges.
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include "client_send.h"
#include "number.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DONE = 0, WRONG_USE = 2 };

/* What lies behind the data to send, and behind the room for a line: a
 * function that goes too far sends these, or writes over them. */
enum { GUARD = 0xAA, GUARD_LEN = 64 };

static unsigned times = 1;

static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "probe: %s\n", why);
    exit(WRONG_USE);
}

static uint16_t port_argument(const char *text)
{
    uint16_t port;
    if (parse_port(text, &port) == -1)
        exit(WRONG_USE);
    return port;
}

/* ---- the data ---- */

struct data {
    unsigned char *bytes;
    size_t len;
};

/* The data is followed by guard bytes, and those by a NUL: a function that looks
 * for the end of a text goes too far, but not out of the memory. */
static struct data read_data(void)
{
    struct data data = {NULL, 0};
    size_t cap = 1 << 20;
    ssize_t n;
    do {
        cap *= 2;
        data.bytes = realloc(data.bytes, cap + GUARD_LEN + 1);
        if (data.bytes == NULL)
            give_up("out of memory");
        while ((n = read(STDIN_FILENO, data.bytes + data.len, cap - data.len)) > 0)
            data.len += (size_t)n;
    } while (data.len == cap);
    memset(data.bytes + data.len, GUARD, GUARD_LEN);
    data.bytes[data.len + GUARD_LEN] = '\0';
    return data;
}

static struct data data_argument(char *text)
{
    return text == NULL ? read_data() : (struct data){(unsigned char *)text, strlen(text)};
}

/* Memory that nobody writes to costs none. */
static struct data zeros(const char *mebibytes)
{
    unsigned count;
    if (parse_count("--mebibytes", mebibytes, 4096, &count) == -1)
        exit(WRONG_USE);
    size_t len = (size_t)count << 20;
    void *bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        give_up("out of memory");
    return (struct data){bytes, len};
}

/* ---- the calls ---- */

static void call_client_connect(char **argv)
{
    uint16_t port = port_argument(argv[1]);
    for (unsigned i = 0; i < times; i++) {
        report_begin();
        int fd = client_connect(argv[0], port);
        report_call(fd, errno);
        if (argv[2] != NULL)
            send(fd, argv[2], strlen(argv[2]), MSG_NOSIGNAL); /* the peer sees what comes of it */
    }
}

/* The probe's own connection, so that send_all() needs nothing else of yours. Its
 * send buffer is small: in the default one megabytes vanish, and send() needn't
 * wait for a slow peer. */
static int dial(const char *ip, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *server;
    if (getaddrinfo(ip, port, &hints, &server) != 0)
        give_up("no such address");
    int fd = socket(server->ai_family, server->ai_socktype, server->ai_protocol);
    int size = 4096;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (fd == -1 || connect(fd, server->ai_addr, server->ai_addrlen) == -1)
        give_up("cannot connect");
    freeaddrinfo(server);
    return fd;
}

static void wait_until_peer_left(int fd)
{
    struct pollfd left = {.fd = fd, .events = POLLRDHUP};
    while (poll(&left, 1, -1) == -1 && errno == EINTR)
        continue;
}

/* Leaves the descriptor open: it goes when the probe goes. */
static void call_send_all(char **argv)
{
    bool when_left = strcmp(argv[0], "--when-left") == 0, many = strcmp(argv[0], "--mebibytes") == 0;
    const char *mebibytes = argv[1];
    argv += when_left ? 1 : many ? 2 : 0;
    if (argv[0] == NULL || argv[1] == NULL)
        give_up("send_all: which server?");

    struct data data = many ? zeros(mebibytes) : data_argument(argv[2]);
    int fd = dial(argv[0], argv[1]);
    if (when_left)
        wait_until_peer_left(fd);
    for (unsigned i = 0; i < times; i++) {
        report_begin();
        int result = send_all(fd, data.bytes, data.len);
        report_call(result, errno);
    }
    report_number("open", fcntl(fd, F_GETFD) != -1);
}

static void call_client_send(char **argv)
{
    uint16_t port = port_argument(argv[1]);
    bool many = argv[2] != NULL && strcmp(argv[2], "--mebibytes") == 0 && argv[3] != NULL;
    struct data data = many ? zeros(argv[3]) : data_argument(argv[2]);
    for (unsigned i = 0; i < times; i++) {
        report_begin();
        int result = client_send(argv[0], port, data.bytes, data.len);
        report_call(result, errno);
    }
    if (argv[2] != NULL && argv[3] != NULL && argv[4] != NULL) {
        uint16_t second = port_argument(argv[4]);
        report_begin();
        int result = client_send(argv[3], second, data.bytes, data.len);
        report_call(result, errno);
    }
}

/* Each call's line is reported as line1, line2, …, as far as its NUL; where
 * there is none, as far as the room. "beyond" counts guard bytes that changed. */
static void call_prompt_line(char **argv)
{
    unsigned cap;
    if (parse_count("CAP", argv[1], 1 << 20, &cap) == -1)
        exit(WRONG_USE);
    unsigned char *line = malloc(cap + GUARD_LEN);
    if (line == NULL)
        give_up("out of memory");

    long long beyond = 0;
    for (unsigned i = 1; i <= times; i++) {
        memset(line, GUARD, cap + GUARD_LEN);
        report_begin();
        int result = prompt_line(argv[0], (char *)line, cap);
        report_call(result, errno);

        char name[32];
        snprintf(name, sizeof name, "line%u", i);
        if (result == 1)
            report_bytes(name, line, strnlen((char *)line, cap));
        for (size_t at = cap; at < cap + GUARD_LEN; at++)
            beyond += line[at] != GUARD;
    }
    report_number("beyond", beyond);
    free(line);
}

static const struct {
    const char *name;
    int least, most; /* how many arguments */
    void (*call)(char **argv);
} functions[] = {
    {"client_connect", 2, 3, call_client_connect},
    {"send_all", 2, 4, call_send_all},
    {"client_send", 2, 5, call_client_send},
    {"prompt_line", 2, 2, call_prompt_line},
};

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

    bool stay = false;
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--stay") == 0)
            stay = true;
        else if (strcmp(argv[at], "--times") != 0 || at + 1 == argc)
            give_up("usage: probe [--times N] [--stay] FUNCTION …");
        else if (parse_count("--times", argv[++at], 1000000, &times) == -1)
            return WRONG_USE;
    }

    for (size_t i = 0; at < argc && i < sizeof functions / sizeof functions[0]; i++) {
        if (strcmp(argv[at], functions[i].name) != 0)
            continue;
        int count = argc - at - 1;
        if (count < functions[i].least || count > functions[i].most)
            give_up("wrong number of arguments");
        functions[i].call(argv + at + 1);
        if (stay)
            stay_until_input_ends();
        return DONE;
    }
    give_up("call which function?");
}
