/* buffers [--buffers N] COMMAND … IP PORT: a program around your functions, to
 * look into the boxes between you and a peer.
 *
 *     sizes SEND RECV IP PORT      asked 4096 4096 got 8192 8192
 *     fill IP PORT                 filled 10240
 *     queues BYTES IP PORT         at each Enter: unsent 0 unacked 5 unread 3, and then sends BYTES
 *     send BYTES MS IP PORT        sent 10240 of 100000
 *     exchange BYTES IP PORT       exchanged 65536
 *     watch BYTES IP PORT          sends BYTES; the queues of both ends as CSV meanwhile
 *     finish BYTES MS IP PORT      finished 65536
 *
 * --buffers N asks for buffers of N bytes at our end; the kernel's own otherwise.
 * Exit status: 0 done, 1 a function failed, 2 wrong usage.
 */
#include "buffers.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "far_end.h"
#include "number.h"

enum { DONE = 0, FAILED = 1, WRONG_USE = 2 };
enum { MAX_BYTES = 64 << 20, MAX_MS = INT32_MAX, LOOK_EVERY_MS = 20 };

struct options {
    unsigned buffers; /* 0: the kernel's own */
    unsigned numbers[2];
    const char *ip;
    uint16_t port;
};

static int failed(const char *function)
{
    fprintf(stderr, "buffers: %s: %s\n", function, strerror(errno));
    return FAILED;
}

static int dial(const struct options *options)
{
    int size = (int)options->buffers;
    int fd = connect_with_buffers(options->ip, options->port, size, size);
    if (fd == -1)
        failed("connect_with_buffers");
    return fd;
}

/* What is sent: abc…z, again and again, so that a byte tells its place. */
static char *make_message(size_t len)
{
    char *message = malloc(len + 1);
    if (message == NULL) {
        fprintf(stderr, "buffers: no memory for %zu bytes\n", len);
        exit(FAILED);
    }
    for (size_t i = 0; i < len; i++)
        message[i] = (char)('a' + i % 26);
    message[len] = '\0';
    return message;
}

/* ---- the commands ------------------------------------------------------------ */

static int show_sizes(const struct options *options)
{
    int send_bytes = (int)options->numbers[0], recv_bytes = (int)options->numbers[1];
    int fd = connect_with_buffers(options->ip, options->port, send_bytes, recv_bytes);
    if (fd == -1)
        return failed("connect_with_buffers");
    struct buffer_sizes got;
    int result = buffer_sizes(fd, &got);
    if (result == 0)
        printf("asked %d %d got %d %d\n", send_bytes, recv_bytes, got.send_bytes, got.recv_bytes);
    close(fd);
    return result == 0 ? DONE : failed("buffer_sizes");
}

static int fill(const struct options *options)
{
    int fd = dial(options);
    if (fd == -1)
        return FAILED;
    ssize_t filled = fill_send_buffer(fd);
    if (filled != -1)
        printf("filled %zd\n", filled);
    int status = filled != -1 ? DONE : failed("fill_send_buffer");
    close(fd);
    return status;
}

/* Until Enter (true) or the end of the input. */
static bool wait_for_enter(void)
{
    char byte = '\0';
    while (byte != '\n' && read(STDIN_FILENO, &byte, 1) == 1)
        continue;
    return byte == '\n';
}

static int show_queues(const struct options *options)
{
    int fd = dial(options);
    if (fd == -1)
        return FAILED;
    char *message = make_message(options->numbers[0]);
    int status = DONE;
    struct queues now;
    while (status == DONE && wait_for_enter()) {
        if (queues(fd, &now) == -1)
            status = failed("queues");
        else
            printf("unsent %d unacked %d unread %d\n", now.unsent, now.unacked, now.unread);
        fflush(stdout);
        send(fd, message, options->numbers[0], MSG_DONTWAIT | MSG_NOSIGNAL); /* what doesn't fit is left out */
    }
    free(message);
    close(fd);
    return status;
}

static int send_some(const struct options *options)
{
    int fd = dial(options);
    if (fd == -1)
        return FAILED;
    char *message = make_message(options->numbers[0]);
    ssize_t sent = send_within(fd, message, options->numbers[0], (int)options->numbers[1]);
    if (sent != -1)
        printf("sent %zd of %u\n", sent, options->numbers[0]);
    int status = sent != -1 ? DONE : failed("send_within");
    free(message);
    close(fd);
    return status;
}

static int exchange_with_echo(const struct options *options)
{
    int fd = dial(options);
    if (fd == -1)
        return FAILED;
    size_t len = options->numbers[0];
    char *message = make_message(len), *answer = make_message(len);
    memset(answer, 0, len);
    int status = exchange(fd, message, len, answer, len) == 0 ? DONE : failed("exchange");
    if (status == DONE && memcmp(message, answer, len) != 0) {
        fprintf(stderr, "buffers: what came back isn't what was sent\n");
        status = FAILED;
    }
    if (status == DONE)
        printf("exchanged %zu\n", len);
    free(message);
    free(answer);
    close(fd);
    return status;
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* One line of the table. peer_unread is -1 where the peer's end can't be seen. */
static int print_row(int fd, long long since, struct queues *now)
{
    if (queues(fd, now) == -1)
        return -1;
    printf("%lld,%d,%d,%d,%ld\n", now_ms() - since, now->unsent, now->unacked, now->unread, far_end_unread(fd));
    fflush(stdout);
    return 0;
}

/* Sends and looks in turn, until all has arrived and has been read. */
static int watch_queues(int fd, const char *message, size_t len)
{
    long long since = now_ms();
    struct queues now = {.unacked = 0};
    printf("ms,unsent,unacked,unread,peer_unread\n");
    for (;;) {
        if (print_row(fd, since, &now) == -1)
            return failed("queues");
        if (len == 0 && now.unacked == 0 && far_end_unread(fd) <= 0)
            return DONE;
        ssize_t n = len > 0 ? send_within(fd, message, len, LOOK_EVERY_MS) : 0;
        if (n == -1 && errno != ETIMEDOUT)
            return failed("send_within");
        if (n > 0) {
            message += n;
            len -= (size_t)n;
        }
        if (len == 0)
            poll(NULL, 0, LOOK_EVERY_MS);
    }
}

static int watch(const struct options *options)
{
    int fd = dial(options);
    if (fd == -1)
        return FAILED;
    char *message = make_message(options->numbers[0]);
    int status = watch_queues(fd, message, options->numbers[0]);
    free(message);
    close(fd);
    return status;
}

static int send_and_finish(const struct options *options)
{
    int fd = dial(options);
    if (fd == -1)
        return FAILED;
    unsigned len = options->numbers[0];
    char *message = make_message(len);
    ssize_t sent = send_within(fd, message, len, -1);
    int status = sent == (ssize_t)len ? DONE : failed("send_within");
    free(message);
    if (finish(fd, (int)options->numbers[1]) == -1)
        return failed("finish");
    if (status == DONE)
        printf("finished %u\n", len);
    return status;
}

/* ---- the command line -------------------------------------------------------- */

static const struct command {
    const char *name;
    const char *numbers[2]; /* what stands before IP PORT */
    unsigned most[2];
    int (*run)(const struct options *options);
} commands[] = {
    {"sizes", {"SEND", "RECV"}, {INT32_MAX, INT32_MAX}, show_sizes},
    {"fill", {NULL, NULL}, {0, 0}, fill},
    {"queues", {"BYTES", NULL}, {MAX_BYTES, 0}, show_queues},
    {"send", {"BYTES", "MS"}, {MAX_BYTES, MAX_MS}, send_some},
    {"exchange", {"BYTES", NULL}, {MAX_BYTES, 0}, exchange_with_echo},
    {"watch", {"BYTES", NULL}, {MAX_BYTES, 0}, watch},
    {"finish", {"BYTES", "MS"}, {MAX_BYTES, MAX_MS}, send_and_finish},
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int show_usage(void)
{
    fprintf(stderr, "usage:");
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(stderr, "%s buffers [--buffers N] %s", i == 0 ? "" : "      ", commands[i].name);
        for (int j = 0; j < 2 && commands[i].numbers[j] != NULL; j++)
            fprintf(stderr, " %s", commands[i].numbers[j]);
        fprintf(stderr, " IP PORT\n");
    }
    return WRONG_USE;
}

/* The words after the command's name: its numbers, then IP and PORT. */
static int run_command(const struct command *command, char **words, int count, struct options *options)
{
    int i = 0;
    for (; i < 2 && command->numbers[i] != NULL; i++)
        if (i >= count || parse_count(command->numbers[i], words[i], command->most[i], &options->numbers[i]) == -1)
            return i >= count ? show_usage() : WRONG_USE;
    if (count - i != 2)
        return show_usage();
    options->ip = words[i];
    if (parse_port(words[i + 1], &options->port) == -1)
        return WRONG_USE;
    return command->run(options);
}

int main(int argc, char **argv)
{
    struct options options = {.buffers = 0};
    int at = 1;
    if (argc > 2 && strcmp(argv[1], "--buffers") == 0) {
        if (parse_count("--buffers", argv[2], INT32_MAX, &options.buffers) == -1)
            return WRONG_USE;
        at = 3;
    }
    for (size_t i = 0; at < argc && i < COMMANDS; i++)
        if (strcmp(argv[at], commands[i].name) == 0)
            return run_command(&commands[i], argv + at + 1, argc - at - 1, &options);
    return show_usage();
}
