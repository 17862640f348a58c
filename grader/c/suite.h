/* suite.h: what a lab's Criterion suite includes.
 *
 * A suite asks, the grader acts, the student's program is only watched. No function below opens a
 * socket, starts a process or waits on a clock: each sends one request to the grader over a Unix
 * socket and returns what the grader saw.
 *
 *     Test(send_everything, short_counts, .description = "send() may take fewer bytes than you gave it")
 *     {
 *         struct bytes message = random_bytes(100000);
 *         struct peer server = peer_listens("receive to end");
 *         struct run run = run_student(.args = {LOOPBACK, port_of(server), "-"}, .input = message,
 *                                      .faults = "send takes at most 7 bytes");
 *         expect_exit(run, 0);
 *         expect_received(server, message);
 *     }
 *
 * The suite's name is a stage of lab.toml; the description is the promise that the student reads.
 *
 * An expectation that isn't met ends the test. So does a wait that can't be met: the student's
 * program ended, crashed, is stuck or ran out of time. The grader then tells both sides' story, the
 * cause and the student's line by itself, so a message says only what contradicts the promise.
 * Whatever a test started is ended and freed when the test ends, however it ends: there is nothing to
 * close. Strings and bytes returned live as long as the test.
 */
#ifndef SOCKLAB_SUITE_H
#define SOCKLAB_SUITE_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOPBACK "127.0.0.1"

/* ---- bytes and chance -------------------------------------------------------------------------- */

struct bytes {
    const void *data;
    size_t len;
};

/* All chance comes from the test's seed, which comes from the run's seed: SEED=… repeats it. */
struct bytes random_bytes(size_t len);               /* any bytes, NULs among them */
struct bytes random_text(size_t len);                /* printable ASCII, no blanks */
unsigned random_number(unsigned low, unsigned high); /* low <= n <= high */

struct bytes bytes_of(const char *text); /* without the final NUL */
struct bytes join_bytes(struct bytes first, struct bytes second);
const char *format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

struct run {
    int id;
};

/* ---- peers: scripted clients and servers ------------------------------------------------------- */

struct peer {
    int id;
};

struct peer_options {
    const char *script;   /* docs/peers.md has the language */
    const char *at;       /* its own address, 127.0.0.1 unless told */
    const char *port;     /* its own port, any free one unless told */
    const char *to;       /* peer_connects: the address to connect to, unless the listener's own */
    struct bytes data[4]; /* $1 to $4 in the script */
};

/* A server for the student's client; and a client for the student's server, which connects to the
 * listener that `server` has in the kernel's table (and waits until there is one). */
#define peer_listens(...) start_listening_peer((struct peer_options){.script = __VA_ARGS__})
#define peer_connects(server, ...) start_connecting_peer((server), (struct peer_options){.script = __VA_ARGS__})
struct peer start_listening_peer(struct peer_options options);
struct peer start_connecting_peer(struct run server, struct peer_options options);

const char *port_of(struct peer peer);
const char *address_of(struct peer peer);       /* "127.0.0.1:54600", its own end of the first connection */
const char *free_port(void);                    /* a port nobody holds, below the range of automatic ones */
void go(struct peer peer);                      /* lets "wait for go" go on */
void wait_done(struct peer peer);               /* until its script has ended; the test fails if it can't */
void wait_connected(struct peer peer);          /* until (all of) its connections stand */
void wait_received(struct peer peer, size_t n); /* until its first connection has received n bytes */
bool peer_waits(struct peer peer);              /* its script is at rest: only the student can move it */

/* ---- sockets in the kernel's table ------------------------------------------------------------- */

/* The two ends of a peer's first connection, once nothing is on its way between them: "ESTABLISHED",
 * "TIME_WAIT", … ; "" where the kernel has no entry (any more). */
const char *state_of_peer(struct peer peer);    /* its own end */
const char *state_of_student(struct peer peer); /* the other one */

/* Bytes in the queues of one end, as the kernel counts them at this moment. */
struct queued {
    long long unsent;  /* sent by the program, and still there */
    long long unacked; /* sent, and not acknowledged by the other end's kernel; counts the unsent too */
    long long unread;  /* arrived there, and not read by its program */
};
struct queued queued_at_peer(struct peer peer);
struct queued queued_at_student(struct peer peer);
void wait_peer_settled(struct peer peer); /* until nothing is on its way, and the peer's script is at rest */
void wait_full(struct peer peer);         /* until the student's bytes find no more room, for the peer doesn't read */

long long kernel_gives(const char *option, int asked); /* what this kernel makes of "SO_SNDBUF" 4096; of 0: unasked */

/* Leaves a port as another server does, and sees it so in the kernel's table. The server's own end is in
 * "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT2" or "TIME_WAIT", or in "FIN_WAIT1", "CLOSING" or "LAST_ACK" with
 * bytes that its client doesn't read, and its listener is closed; in "" its client closed first, and has the
 * TIME_WAIT at a port of its own. "LISTEN" is the listener alone, "SYN_SENT" a caller that nobody answers.
 * What was left there before stays, so that a port can be held in several ways. */
struct holder {
    const char *state;
    const char *option; /* what that server had set: "SO_REUSEADDR" unless told, "SO_REUSEPORT" or "none" */
    const char *at;     /* its address, 127.0.0.1 unless told; "::" is every one, IPv6 too */
};
#define hold_port(port, ...) hold_port_as((port), (struct holder){.state = __VA_ARGS__})
void hold_port_as(const char *port, struct holder holder);

/* ---- the student's program --------------------------------------------------------------------- */

enum tool { PLAIN, MEMCHECK, HELGRIND };

enum input {
    INPUT_BYTES,    /* standard input holds .input, then ends (the default; empty unless told) */
    INPUT_HELD,     /* a pipe: .input first, then what type_text() writes; ends with finish() */
    INPUT_TERMINAL, /* the same through a pseudo-terminal (standard output is one too) */
    INPUT_CLOSED,   /* descriptor 0 is closed, so the next one opened is 0 */
};

struct run_options {
    const char *function; /* set: probe.c calls this one function; not set: main.c's program */
    const char *args[16];
    const char *times; /* probe: call it so many times ("50") */
    bool stay;         /* probe: afterwards keep all descriptors until finish(); needs INPUT_HELD,
                                   which it chooses by itself */
    struct bytes input;
    enum input input_kind;
    const char *faults; /* "send takes at most 7 bytes; close leaves errno EIO": docs/faults.md */
    enum tool under;    /* run under valgrind */
    unsigned nofile;    /* RLIMIT_NOFILE, as it is unless told */
};

#define run_student(...) run_to_end((struct run_options){__VA_ARGS__})
#define start_student(...) start_run((struct run_options){__VA_ARGS__})
struct run run_to_end(struct run_options options); /* start_run and wait_exit */
struct run start_run(struct run_options options);

/* Each waits for one thing that the kernel, the program's report or its output shows. The test fails
 * if it can't come any more: the program has ended, is stuck elsewhere, or ran out of time. */
void wait_exit(struct run run);
void wait_calls(struct run run, int n);                       /* the probe has finished n calls */
void wait_blocked(struct run run, const char *call);          /* it sleeps in "accept", "recv", "read", … */
void wait_listening(struct run run);                          /* a listener of its own is in the kernel's table */
void wait_output(struct run run, const char *text);           /* its standard output contains text */
void wait_recorded(struct run run, const char *group, int n); /* it has made n calls of that group */
void wait_threads(struct run run, int n);                     /* it has n threads at most */
void wait_settled(struct run run); /* all its threads sleep, and no peer has anything to do: nothing is under way */

void type_text(struct run run, const char *text); /* to held input or the terminal */
void finish(struct run run);                      /* ends held input, then wait_exit */
void release(struct run run);                     /* lets a call that a fault holds ("accept 2 waits") go on */
/* The peer's doing comes first, while the program's first call of that group is held ("send 1 waits"): go(peer) and
 * wait_done(peer), then release(run). */
void go_before(struct run run, const char *call, struct peer peer);
void raise_nofile(struct run run, unsigned limit); /* prlimit(2) on the running program */
void send_signal(struct run run, int signal_number);
void stop(struct run run); /* kills it: for a server that has no end of its own */

/* What the grader saw. The first group is the kernel's view and needs a program that still runs. */
int descriptors_of(struct run run); /* open descriptors, without the kit's own */
bool is_open(struct run run, int fd);
int threads_of(struct run run);
long long memory_of(struct run run);          /* KiB that it can write into: heap, stacks of threads, and the like */
const char *listener_address(struct run run); /* "127.0.0.1:7788"; "" if it has no listener */
const char *listener_port(struct run run);
int listener_backlog(struct run run);                    /* what listen() was given, as the kernel holds it */
int listener_option(struct run run, const char *option); /* its listener's "SO_REUSEADDR" or "SO_REUSEPORT" */
int listener_waiting(struct run run);                    /* complete connections that accept() hasn't taken */
int count_calls(struct run run, const char *group);      /* recorded calls of "accept", "send", … */
int count_failed(struct run run, const char *group);     /* those that failed, unless a fault made them */
bool spins(struct run run, const char *group);           /* it repeats that call, which fails, within 9 ms */

/* Its own descriptor of a peer's first connection: an option's value ("SO_SNDBUF"), and O_NONBLOCK. */
long long option_of(struct run run, struct peer peer, const char *option);
bool is_nonblocking(struct run run, struct peer peer);

/* From now on it sleeps so long before its call returns. Only certain sleep counts, never what a busy machine adds:
 * who has to return after 50 ms doesn't sleep for 60. */
bool sleeps_for(struct run run, unsigned ms);

long long result_of(struct run run, int n); /* the probe's nth call, from 1 */
int errno_of(struct run run, int n);
const char *error_text(int number);           /* "EPROTO: Protocol error" */
const char *call_name(struct run run, int n); /* "recv_line()", or "call 2 of recv_line()" where there are more */
const char *text_of(struct run run, const char *name); /* the probe's report_text(name, …), NULL if there is none */
struct bytes bytes_reported(struct run run, const char *name);
long long number_of(struct run run, const char *name); /* the probe's report_number(name, …) */
struct bytes output_of(struct run run);                /* standard output so far */
const char *errors_of(struct run run);                 /* standard error so far */
struct bytes received_by(struct peer peer); /* by its first connection, so far; of more than 2 MiB the first 2 */

/* ---- expectations: each ends the test if it isn't met ------------------------------------------ */

void expect_exit(struct run run, int status);
void expect_result(struct run run, long long result);         /* of the probe's only or last call */
void expect_error(struct run run, int errnum);                /* its result was -1, with this errno */
void expect_error_in(struct run run, const int *errnums);     /* -1 with one of these; ends with 0 */
void expect_received(struct peer peer, struct bytes message); /* waits for its end: just these bytes */
void expect_happy(struct peer peer);                          /* waits for its end: its script was kept */
void expect_nothing_sent(struct peer peer);                   /* nobody connected to it */
void expect_output(struct run run, struct bytes output);      /* the whole of standard output */
void expect_output_contains(struct run run, const char *text);
void expect_line(struct run run, const char *line);           /* one whole line of standard output */
void expect_errors_contain(struct run run, const char *text); /* standard error */
void expect_clean_memory(struct run run);                     /* valgrind found no error and no leak */
void expect_clean_heap(struct run run);                       /* the same, but descriptors may be open */
void expect_steady_memory(struct run run);                    /* from its 21st to its 41st call: see report.h */
void expect_no_race(struct run run);                          /* helgrind found no data race in the student's lines */

/* `what` holds just these bytes: "the line that prompt_line() gave". Says where the two differ. */
void expect_same(struct run run, const char *what, struct bytes actual, struct bytes expected);

/* Says it in the suite's own words. `pattern`: what was seen, then what should have been, one sentence. */
void expect(bool condition, const char *pattern, ...) __attribute__((format(printf, 2, 3)));
void fail(const char *pattern, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
