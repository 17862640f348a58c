/* suite.c: the suite's side of the channel to the grader.
 *
 * One connection a test, opened by the test's first request. A frame is a 4-byte big-endian length and
 * then fields, each with a 4-byte big-endian length of its own. A request's first field is its verb; a
 * reply's first field is "ok", "fail" (the wait can't be met or the expectation isn't: the grader has
 * noted why), "skip" (not tried) or "error" (the suite asked for something that makes no sense).
 */
#define _GNU_SOURCE /* vasprintf */
#include "suite.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_FIELDS = 64 };

static struct {
    int socket;
    uint64_t chance; /* state of the random numbers, seeded by the grader */
} channel = {.socket = -1};

static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "socklab suite: %s: %s\n", why, strerror(errno));
    _exit(70); /* Criterion reports a crash; the grader calls it its own failure */
}

/* In place of the C library's, for BoxFort, which Criterion starts its workers with: where fork() has failed it ends the
 * child -1. That is everything that this user runs, and as root everything there is. */
int kill(pid_t pid, int sig)
{
    if (pid != -1)
        return (int)syscall(SYS_kill, pid, sig);
    errno = EAGAIN;
    give_up("no more processes or threads can be started (ulimit -u)");
}

/* Lives as long as the test: the worker process ends with it. */
static void *allocate(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL)
        give_up("malloc");
    return memory;
}

/* ---- frames ------------------------------------------------------------------------------------ */

struct frame {
    struct bytes fields[MAX_FIELDS];
    size_t count;
};

static void add_bytes(struct frame *frame, struct bytes field)
{
    if (frame->count == MAX_FIELDS) {
        errno = E2BIG;
        give_up("a request has too many fields");
    }
    frame->fields[frame->count++] = field;
}

static void add_text(struct frame *frame, const char *text)
{
    add_bytes(frame, bytes_of(text != NULL ? text : ""));
}

static void add_number(struct frame *frame, long long number)
{
    add_text(frame, format("%lld", number));
}

static void write_all(const void *data, size_t len)
{
    const char *from = data;
    while (len > 0) {
        ssize_t n = send(channel.socket, from, len, MSG_NOSIGNAL);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            give_up("the grader has gone");
        from += n;
        len -= (size_t)n;
    }
}

static void read_all(void *data, size_t len)
{
    char *to = data;
    while (len > 0) {
        ssize_t n = recv(channel.socket, to, len, 0);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1 || n == 0)
            give_up("the grader has gone");
        to += n;
        len -= (size_t)n;
    }
}

static void put_length(unsigned char *to, size_t length)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(length >> (24 - 8 * i));
}

static size_t get_length(const unsigned char *from)
{
    return (size_t)from[0] << 24 | (size_t)from[1] << 16 | (size_t)from[2] << 8 | from[3];
}

static void send_frame(const struct frame *frame)
{
    size_t total = 0;
    for (size_t i = 0; i < frame->count; i++)
        total += 4 + frame->fields[i].len;
    unsigned char *whole = allocate(4 + total);
    put_length(whole, total);
    unsigned char *to = whole + 4;
    for (size_t i = 0; i < frame->count; i++) {
        put_length(to, frame->fields[i].len);
        if (frame->fields[i].len > 0)
            memcpy(to + 4, frame->fields[i].data, frame->fields[i].len);
        to += 4 + frame->fields[i].len;
    }
    write_all(whole, 4 + total);
    free(whole);
}

/* The fields point into one block that lives as long as the test; each is followed by a NUL. */
static struct frame read_frame(void)
{
    unsigned char length[4];
    read_all(length, sizeof length);
    size_t total = get_length(length);
    unsigned char *whole = allocate(total);
    read_all(whole, total);

    struct frame frame = {.count = 0};
    for (size_t at = 0; at + 4 <= total;) {
        size_t len = get_length(whole + at);
        if (len > total - at - 4)
            give_up("a reply is cut short");
        char *field = allocate(len + 1);
        memcpy(field, whole + at + 4, len);
        field[len] = '\0';
        add_bytes(&frame, (struct bytes){field, len});
        at += 4 + len;
    }
    free(whole);
    return frame;
}

/* ---- requests ---------------------------------------------------------------------------------- */

static const char *reply_text(const struct frame *reply, size_t field)
{
    return field < reply->count ? reply->fields[field].data : "";
}

static struct frame exchange_frames(const struct frame *request)
{
    send_frame(request);
    struct frame reply = read_frame();
    const char *word = reply_text(&reply, 0);
    if (strcmp(word, "skip") == 0)
        cr_skip_test("not tried: %s", reply_text(&reply, 1));
    if (strcmp(word, "fail") == 0)
        cr_assert_fail("the grader's report tells");
    if (strcmp(word, "ok") != 0) {
        errno = EPROTO;
        give_up(reply_text(&reply, 1));
    }
    return reply;
}

static void connect_to_grader(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const char *path = getenv("SOCKLAB_CHANNEL");
    if (path == NULL || strlen(path) >= sizeof name.sun_path) {
        errno = EINVAL;
        give_up("SOCKLAB_CHANNEL; a suite is started by the grader: make grade");
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    channel.socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (channel.socket == -1 || connect(channel.socket, (struct sockaddr *)&name, sizeof name) == -1)
        give_up("can't reach the grader");
}

static void open_channel(void)
{
    connect_to_grader();
    struct frame hello = {.count = 0};
    add_text(&hello, "hello");
    add_text(&hello, criterion_current_suite->name);
    add_text(&hello, criterion_current_test->name);
    struct frame welcome = exchange_frames(&hello);
    channel.chance = strtoull(reply_text(&welcome, 1), NULL, 10);
}

static struct frame ask(const struct frame *request)
{
    if (channel.socket == -1)
        open_channel();
    return exchange_frames(request);
}

static struct frame request(const char *verb)
{
    struct frame frame = {.count = 0};
    add_text(&frame, verb);
    return frame;
}

/* The commonest request: a verb, a run's or a peer's number, and up to one word. */
static struct frame ask_about(const char *verb, int id, const char *word)
{
    struct frame frame = request(verb);
    add_number(&frame, id);
    add_text(&frame, word);
    return ask(&frame);
}

static const char *text_about(const char *verb, int id, const char *word)
{
    struct frame reply = ask_about(verb, id, word);
    return reply_text(&reply, 1);
}

static long long number_about(const char *verb, int id, const char *word)
{
    return strtoll(text_about(verb, id, word), NULL, 10);
}

static struct bytes bytes_about(const char *verb, int id, const char *word)
{
    struct frame reply = ask_about(verb, id, word);
    return reply.count > 1 ? reply.fields[1] : (struct bytes){"", 0};
}

/* ---- bytes and chance -------------------------------------------------------------------------- */

struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

const char *format(const char *pattern, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, pattern);
    int n = vasprintf(&text, pattern, args);
    va_end(args);
    if (n == -1)
        give_up("vasprintf");
    return text;
}

/* splitmix64 (Steele, Lea, Flood 2014): good enough to make payloads that can't be guessed. */
static uint64_t next_chance(void)
{
    if (channel.socket == -1)
        open_channel();
    uint64_t z = channel.chance += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

unsigned random_number(unsigned low, unsigned high)
{
    return low + (unsigned)(next_chance() % ((uint64_t)high - low + 1));
}

struct bytes random_bytes(size_t len)
{
    unsigned char *data = allocate(len);
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char)next_chance();
    for (size_t i = len / 3; i < len; i += 1 + len / 3) /* however short, a NUL is among them */
        data[i] = 0;
    return (struct bytes){data, len};
}

struct bytes random_text(size_t len)
{
    char *text = allocate(len + 1);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)random_number('!', '~');
    text[len] = '\0';
    return (struct bytes){text, len};
}

struct bytes join_bytes(struct bytes first, struct bytes second)
{
    char *data = allocate(first.len + second.len + 1);
    memcpy(data, first.data, first.len);
    memcpy(data + first.len, second.data, second.len);
    data[first.len + second.len] = '\0';
    return (struct bytes){data, first.len + second.len};
}

/* ---- peers ------------------------------------------------------------------------------------- */

static struct peer start_peer(const char *verb, int run, struct peer_options options)
{
    struct frame frame = request(verb);
    add_number(&frame, run);
    add_text(&frame, options.script);
    add_text(&frame, options.at);
    add_text(&frame, options.port);
    add_text(&frame, options.to);
    for (size_t i = 0; i < sizeof options.data / sizeof options.data[0]; i++)
        add_bytes(&frame, options.data[i]);
    struct frame reply = ask(&frame);
    return (struct peer){atoi(reply_text(&reply, 1))};
}

struct peer start_listening_peer(struct peer_options options)
{
    return start_peer("peer_listens", 0, options);
}

struct peer start_connecting_peer(struct run server, struct peer_options options)
{
    return start_peer("peer_connects", server.id, options);
}

const char *port_of(struct peer peer)
{
    return text_about("port_of", peer.id, "");
}
const char *address_of(struct peer peer)
{
    return text_about("address_of", peer.id, "");
}
const char *free_port(void)
{
    return text_about("free_port", 0, "");
}
void go(struct peer peer)
{
    ask_about("go", peer.id, "");
}
void wait_done(struct peer peer)
{
    ask_about("wait_done", peer.id, "");
}
void wait_connected(struct peer peer)
{
    ask_about("wait_connected", peer.id, "");
}
void wait_received(struct peer peer, size_t n)
{
    ask_about("wait_received", peer.id, format("%zu", n));
}
bool peer_waits(struct peer peer)
{
    return number_about("peer_waits", peer.id, "") != 0;
}
struct bytes received_by(struct peer peer)
{
    return bytes_about("received_by", peer.id, "");
}

/* ---- sockets in the kernel's table ------------------------------------------------------------- */

const char *state_of_peer(struct peer peer)
{
    return text_about("state_of", peer.id, "peer");
}
const char *state_of_student(struct peer peer)
{
    return text_about("state_of", peer.id, "student");
}

static struct queued queued_at(struct peer peer, const char *whose)
{
    struct queued found = {0, 0, 0};
    sscanf(text_about("queued_at", peer.id, whose), "%lld %lld %lld", &found.unsent, &found.unacked, &found.unread);
    return found;
}

struct queued queued_at_peer(struct peer peer)
{
    return queued_at(peer, "peer");
}
struct queued queued_at_student(struct peer peer)
{
    return queued_at(peer, "student");
}
void wait_peer_settled(struct peer peer)
{
    ask_about("wait_peer_settled", peer.id, "");
}
void wait_full(struct peer peer)
{
    ask_about("wait_full", peer.id, "");
}

long long kernel_gives(const char *option, int asked)
{
    struct frame frame = request("kernel_gives");
    add_text(&frame, option);
    add_number(&frame, asked);
    struct frame reply = ask(&frame);
    return strtoll(reply_text(&reply, 1), NULL, 10);
}

void hold_port_as(const char *port, struct holder holder)
{
    struct frame frame = request("hold_port");
    add_text(&frame, port);
    add_text(&frame, holder.state);
    add_text(&frame, holder.option);
    add_text(&frame, holder.at);
    ask(&frame);
}

/* ---- the student's program --------------------------------------------------------------------- */

static const char *const tool_names[] = {"", "memcheck", "helgrind"};
static const char *const input_names[] = {"bytes", "held", "terminal", "closed"};

struct run start_run(struct run_options options)
{
    if (options.stay && options.input_kind == INPUT_BYTES)
        options.input_kind = INPUT_HELD;
    struct frame frame = request("run");
    add_text(&frame, options.function);
    add_text(&frame, options.times);
    add_text(&frame, options.stay ? "stay" : "");
    add_text(&frame, input_names[options.input_kind]);
    add_bytes(&frame, options.input);
    add_text(&frame, options.faults);
    add_text(&frame, tool_names[options.under]);
    add_number(&frame, options.nofile);
    for (size_t i = 0; i < sizeof options.args / sizeof options.args[0] && options.args[i] != NULL; i++)
        add_text(&frame, options.args[i]);
    struct frame reply = ask(&frame);
    return (struct run){atoi(reply_text(&reply, 1))};
}

struct run run_to_end(struct run_options options)
{
    struct run run = start_run(options);
    wait_exit(run);
    return run;
}

void wait_exit(struct run run)
{
    ask_about("wait_exit", run.id, "");
}
void wait_calls(struct run run, int n)
{
    ask_about("wait_calls", run.id, format("%d", n));
}
void wait_blocked(struct run run, const char *call)
{
    ask_about("wait_blocked", run.id, call);
}
void wait_listening(struct run run)
{
    ask_about("wait_listening", run.id, "");
}
void wait_output(struct run run, const char *text)
{
    ask_about("wait_output", run.id, text);
}

void wait_recorded(struct run run, const char *group, int n)
{
    struct frame frame = request("wait_recorded");
    add_number(&frame, run.id);
    add_text(&frame, group);
    add_number(&frame, n);
    ask(&frame);
}

void type_text(struct run run, const char *text)
{
    ask_about("type_text", run.id, text);
}
void finish(struct run run)
{
    ask_about("finish", run.id, "");
}
void release(struct run run)
{
    ask_about("release", run.id, "");
}

void go_before(struct run run, const char *call, struct peer peer)
{
    wait_recorded(run, call, 1);
    go(peer);
    wait_done(peer);
    release(run);
}

void raise_nofile(struct run run, unsigned limit)
{
    ask_about("raise_nofile", run.id, format("%u", limit));
}
void send_signal(struct run run, int signal_number)
{
    ask_about("send_signal", run.id, format("%d", signal_number));
}
void wait_threads(struct run run, int n)
{
    ask_about("wait_threads", run.id, format("%d", n));
}
void wait_settled(struct run run)
{
    ask_about("wait_settled", run.id, "");
}
void stop(struct run run)
{
    ask_about("stop", run.id, "");
}

int descriptors_of(struct run run)
{
    return (int)number_about("descriptors_of", run.id, "");
}
bool is_open(struct run run, int fd)
{
    return number_about("is_open", run.id, format("%d", fd)) != 0;
}
int threads_of(struct run run)
{
    return (int)number_about("threads_of", run.id, "");
}
long long memory_of(struct run run)
{
    return number_about("memory_of", run.id, "");
}
const char *listener_address(struct run run)
{
    return text_about("listener_address", run.id, "");
}
const char *listener_port(struct run run)
{
    return text_about("listener_port", run.id, "");
}
int listener_backlog(struct run run)
{
    return (int)number_about("listener_backlog", run.id, "");
}
int listener_option(struct run run, const char *option)
{
    return (int)number_about("listener_option", run.id, option);
}
int listener_waiting(struct run run)
{
    return (int)number_about("listener_waiting", run.id, "");
}
int count_calls(struct run run, const char *group)
{
    return (int)number_about("count_calls", run.id, group);
}
int count_failed(struct run run, const char *group)
{
    return (int)number_about("count_failed", run.id, group);
}
bool spins(struct run run, const char *group)
{
    return number_about("spins", run.id, group) != 0;
}

static long long number_about_both(const char *verb, struct run run, struct peer peer, const char *word)
{
    struct frame frame = request(verb);
    add_number(&frame, run.id);
    add_number(&frame, peer.id);
    add_text(&frame, word);
    struct frame reply = ask(&frame);
    return strtoll(reply_text(&reply, 1), NULL, 10);
}

long long option_of(struct run run, struct peer peer, const char *option)
{
    return number_about_both("option_of", run, peer, option);
}
bool is_nonblocking(struct run run, struct peer peer)
{
    return number_about_both("is_nonblocking", run, peer, "") != 0;
}
bool sleeps_for(struct run run, unsigned ms)
{
    return number_about("sleeps_for", run.id, format("%u", ms)) != 0;
}

long long result_of(struct run run, int n)
{
    return number_about("result_of", run.id, format("%d", n));
}
int errno_of(struct run run, int n)
{
    return (int)number_about("errno_of", run.id, format("%d", n));
}
long long number_of(struct run run, const char *name)
{
    return number_about("number_of", run.id, name);
}
const char *error_text(int number)
{
    const char *name = strerrorname_np(number);
    return format("%s: %s", name != NULL ? name : "?", strerror(number));
}
const char *call_name(struct run run, int n)
{
    return text_about("call_name", run.id, format("%d", n));
}
struct bytes bytes_reported(struct run run, const char *name)
{
    return bytes_about("bytes_reported", run.id, name);
}
struct bytes output_of(struct run run)
{
    return bytes_about("output_of", run.id, "");
}
const char *errors_of(struct run run)
{
    return text_about("errors_of", run.id, "");
}

const char *text_of(struct run run, const char *name)
{
    struct frame reply = ask_about("bytes_reported", run.id, name);
    return reply.count > 1 ? reply_text(&reply, 1) : NULL;
}

/* ---- expectations ------------------------------------------------------------------------------ */

void expect_exit(struct run run, int status)
{
    ask_about("expect_exit", run.id, format("%d", status));
}
void expect_result(struct run run, long long result)
{
    ask_about("expect_result", run.id, format("%lld", result));
}

void expect_error(struct run run, int errnum)
{
    expect_error_in(run, (int[]){errnum, 0});
}

void expect_error_in(struct run run, const int *errnums)
{
    struct frame frame = request("expect_error");
    add_number(&frame, run.id);
    for (size_t i = 0; errnums[i] != 0; i++)
        add_number(&frame, errnums[i]);
    ask(&frame);
}

static void expect_bytes(const char *verb, int id, struct bytes expected)
{
    struct frame frame = request(verb);
    add_number(&frame, id);
    add_bytes(&frame, expected);
    ask(&frame);
}

void expect_received(struct peer peer, struct bytes message)
{
    expect_bytes("expect_received", peer.id, message);
}
void expect_output(struct run run, struct bytes output)
{
    expect_bytes("expect_output", run.id, output);
}
void expect_happy(struct peer peer)
{
    ask_about("expect_happy", peer.id, "");
}
void expect_nothing_sent(struct peer peer)
{
    ask_about("expect_nothing_sent", peer.id, "");
}
void expect_output_contains(struct run run, const char *text)
{
    ask_about("expect_output_contains", run.id, text);
}
void expect_line(struct run run, const char *line)
{
    ask_about("expect_line", run.id, line);
}
void expect_errors_contain(struct run run, const char *text)
{
    ask_about("expect_errors_contain", run.id, text);
}

void expect_clean_memory(struct run run)
{
    ask_about("expect_clean_memory", run.id, "");
}

void expect_clean_heap(struct run run)
{
    ask_about("expect_clean_heap", run.id, "");
}

/* Not all that is lost is a leak to valgrind: what a list holds that only grows is none. A block of malloc() takes
 * 16 bytes and more. */
void expect_steady_memory(struct run run)
{
    long long growth = number_of(run, "growth");
    expect(growth < 20LL * 16,
           "from its 21st call to its 41st the memory in use grew by %lld bytes or more: what a call takes it must "
           "give back",
           growth);
}
void expect_no_race(struct run run)
{
    ask_about("expect_no_race", run.id, "");
}

void expect_same(struct run run, const char *what, struct bytes actual, struct bytes expected)
{
    struct frame frame = request("expect_same");
    add_number(&frame, run.id);
    add_text(&frame, what);
    add_bytes(&frame, actual);
    add_bytes(&frame, expected);
    ask(&frame);
}

static _Noreturn void fail_with(const char *pattern, va_list args)
{
    char *message = NULL;
    if (vasprintf(&message, pattern, args) == -1)
        give_up("vasprintf");
    struct frame frame = request("fail");
    add_text(&frame, message);
    ask(&frame);
    abort(); /* not reached: the reply is "fail" */
}

void expect(bool condition, const char *pattern, ...)
{
    if (condition)
        return;
    va_list args;
    va_start(args, pattern);
    fail_with(pattern, args);
}

void fail(const char *pattern, ...)
{
    va_list args;
    va_start(args, pattern);
    fail_with(pattern, args);
}

/* ---- what Criterion names after its pid -------------------------------------------------------- */

/* Criterion makes a socket /tmp/criterion_PID.sock for its workers, and leaves it there; and /dev/shm/bxf*_PID to
 * share memory with them. Where pids aren't unique, as in containers that share these folders, two of a name meet, and
 * neither can say how its tests ended. So they are made in the working directory, which is the grade's own and goes
 * with it: what follows stands before nanomsg's functions and libc's.
 */
static int with_own_socket(const char *name, int socket, const char *address)
{
    static const char shared[] = "ipc:///tmp/criterion_";
    char own[64];
    int (*next)(int, const char *) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, name);
    if (next == NULL)
        give_up(name);
    if (strncmp(address, shared, sizeof shared - 1) != 0)
        return next(socket, address);
    snprintf(own, sizeof own, "ipc://criterion_%s", address + sizeof shared - 1);
    return next(socket, own);
}

int nn_bind(int socket, const char *address);
int nn_connect(int socket, const char *address);

int nn_bind(int socket, const char *address)
{
    return with_own_socket("nn_bind", socket, address);
}

int nn_connect(int socket, const char *address)
{
    return with_own_socket("nn_connect", socket, address);
}

static const char *in_own_folder(const char *name)
{
    while (*name == '/')
        name++;
    return name;
}

int shm_open(const char *name, int oflag, mode_t mode)
{
    return open(in_own_folder(name), oflag | O_CLOEXEC | O_NOFOLLOW, mode);
}

int shm_unlink(const char *name)
{
    return unlink(in_own_folder(name));
}

/* ---- the list of tests ------------------------------------------------------------------------- */

/* With SOCKLAB_LIST set the suite prints its tests, "file TAB line TAB stage TAB test TAB promise", and runs
 * none: the grader asks once after each build. */
ReportHook(PRE_ALL)(struct criterion_test_set *set)
{
    if (getenv("SOCKLAB_LIST") == NULL)
        return;
    FOREACH_SET(struct criterion_suite_set * suite, set->suites)
    {
        if (suite->tests == NULL)
            continue;
        FOREACH_SET(struct criterion_test * test, suite->tests)
        {
            const char *promise = test->data->description;
            printf("%s\t%u\t%s\t%s\t%s\n", basename(test->data->file_), (unsigned)test->data->line_, suite->suite.name,
                   test->name, promise != NULL ? promise : test->name);
        }
    }
    fflush(stdout);
    _exit(0);
}
