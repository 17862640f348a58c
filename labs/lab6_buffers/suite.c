/* Lab 6, send and receive buffers: the suite. Each test is one promise of buffers.h. */
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* No size of a buffer stands here as the right one: kernels differ. What a kernel makes of a wish is tried
 * on a socket of the grader's own, and what a queue holds is compared with the kernel's own count.
 *
 * With small buffers at both ends some ten thousand bytes fit between the two programs, and everything
 * that matters happens with little data. */
#define SMALL "--send-buffer", "4096", "--recv-buffer", "4096"
#define WITH(server) LOOPBACK, port_of(server)
#define LONG "20000"         /* ms: a time limit that no right program reaches */
#define LONGEST "2147483647" /* ms, 24 days: the longest that an int holds */

enum {
    SMALL_BUFFER = 4096,
    BETWEEN = 30000,
    MUCH = 4 * BETWEEN /* far more than fits between the two */,
    TOO_MUCH = 2 * MUCH
};

static const char *number(long long n)
{
    return format("%lld", n);
}

static unsigned a_size(void)
{
    return random_number(5000, 20000);
}

/* What the nth call returned, for a message: "3", or "-1 (ECONNREFUSED: Connection refused)". */
static const char *returned(struct run run, int n)
{
    long long result = result_of(run, n);
    return result == -1 ? format("-1 (%s)", error_text(errno_of(run, n))) : number(result);
}

/* It must still wait, asleep, for what only the peer can do. */
static void expect_waits(struct run run, unsigned ms, const char *for_what)
{
    if (!sleeps_for(run, ms))
        fail("%s returned %s, %s", call_name(run, 1), returned(run, 1), for_what);
}

/* The first n bytes of a message. */
static struct bytes first_of(struct bytes message, long long n)
{
    return (struct bytes){message.data, n > 0 ? (size_t)n : 0};
}

/* A peer has a step for each go() that reads a little. */
static const char *a_little_at_each_go(const char *step)
{
    const char *script = "";
    for (int i = 0; i < 28; i++)
        script = format("%swait for go; %s; ", script, step);
    return script;
}

/* ---- sizes: buffer_sizes(), set_buffers(), connect_with_buffers() ------------------------------- */

static void expect_option(struct run run, struct peer server, const char *option, int asked)
{
    long long has = option_of(run, server, option), wanted = kernel_gives(option, asked);
    expect(has == wanted, "%s is %lld; asked for %d bytes, this kernel gives %lld", option, has, asked, wanted);
}

/* An untouched buffer has the size that the kernel chose, or has grown since. */
static void expect_untouched(struct run run, struct peer server, const char *option)
{
    long long has = option_of(run, server, option), own = kernel_gives(option, 0);
    expect(has >= own, "%s is %lld, less than the %lld that it is where nobody asks", option, has, own);
}

Test(sizes, tells_what_the_kernel_has, .description = "buffer_sizes() tells what the kernel has")
{
    unsigned send_bytes = a_size(), recv_bytes = send_bytes + random_number(1000, 20000);
    struct peer server = peer_listens("stay silent");
    struct run run = start_student(.function = "buffer_sizes", .stay = true,
                                   .args = {"--send-buffer", number(send_bytes), "--recv-buffer", number(recv_bytes),
                                            WITH(server)});
    wait_calls(run, 1);
    expect_result(run, 0);
    long long send_has = option_of(run, server, "SO_SNDBUF"), recv_has = option_of(run, server, "SO_RCVBUF");
    expect(number_of(run, "send_bytes") == send_has, "send_bytes was %lld, and the kernel's send buffer is %lld",
           number_of(run, "send_bytes"), send_has);
    expect(number_of(run, "recv_bytes") == recv_has, "recv_bytes was %lld, and the kernel's receive buffer is %lld",
           number_of(run, "recv_bytes"), recv_has);
}

Test(sizes, asks_for_both, .description = "set_buffers() asks for both sizes, and takes what the kernel gives")
{
    unsigned send_bytes = a_size(), recv_bytes = send_bytes + random_number(1000, 20000);
    struct peer server = peer_listens("stay silent");
    struct run run = start_student(.function = "set_buffers", .stay = true,
                                   .args = {WITH(server), number(send_bytes), number(recv_bytes)});
    wait_calls(run, 1);
    expect_result(run, 0);
    expect_option(run, server, "SO_SNDBUF", (int)send_bytes);
    expect_option(run, server, "SO_RCVBUF", (int)recv_bytes);
}

Test(sizes, one_alone, .description = "a size of 0 leaves that buffer as it is")
{
    unsigned size = a_size();
    struct peer server = peer_listens("2 times: stay silent");
    struct run first = start_student(.function = "set_buffers", .args = {WITH(server), number(size), "0"},
                                     .stay = true);
    wait_calls(first, 1);
    expect_result(first, 0);
    expect_option(first, server, "SO_SNDBUF", (int)size);
    expect_untouched(first, server, "SO_RCVBUF");
    struct peer other = peer_listens("stay silent");
    struct run second = start_student(.function = "set_buffers", .args = {WITH(other), "0", number(size)},
                                      .stay = true);
    wait_calls(second, 1);
    expect_result(second, 0);
    expect_option(second, other, "SO_RCVBUF", (int)size);
    expect_untouched(second, other, "SO_SNDBUF");
}

Test(sizes, the_least_and_the_most, .description = "a wish that the kernel cuts or raises is no error: 1 byte, 1 GiB")
{
    const int sizes[] = {1, 1 << 30};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("stay silent");
        struct run run = start_student(.function = "set_buffers", .stay = true,
                                       .args = {WITH(server), number(sizes[i]), number(sizes[i])});
        wait_calls(run, 1);
        expect_result(run, 0);
        expect_option(run, server, "SO_SNDBUF", sizes[i]);
        expect_option(run, server, "SO_RCVBUF", sizes[i]);
    }
}

Test(sizes, a_negative_size, .description = "a negative size is EINVAL, and neither buffer is changed")
{
    const char *sizes[][2] = {{"-1", "5000"}, {"5000", "-1"}};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("stay silent");
        struct run run = start_student(.function = "set_buffers", .args = {WITH(server), sizes[i][0], sizes[i][1]},
                                       .stay = true);
        wait_calls(run, 1);
        expect_error(run, EINVAL);
        expect_untouched(run, server, "SO_SNDBUF");
        expect_untouched(run, server, "SO_RCVBUF");
    }
}

Test(sizes, a_failure_is_told, .description = "when getsockopt() or setsockopt() fails, its errno comes back")
{
    struct peer server = peer_listens("3 times: expect end");
    struct run run = run_student(.function = "buffer_sizes", .args = {WITH(server)},
                                 .faults = "getsockopt fails with ENOBUFS");
    expect_error(run, ENOBUFS);
    run = run_student(.function = "set_buffers", .args = {WITH(server), "5000", "5000"},
                      .faults = "setsockopt 1 fails with ENOBUFS");
    expect_error(run, ENOBUFS);
    run = run_student(.function = "set_buffers", .args = {WITH(server), "5000", "5000"},
                      .faults = "setsockopt 2 fails with ENOBUFS");
    expect_error(run, ENOBUFS);
}

Test(sizes, connects_with_them, .description = "connect_with_buffers() connects, and the buffers are as asked for")
{
    unsigned send_bytes = a_size(), recv_bytes = send_bytes + random_number(1000, 20000);
    const char *address = format("127.%u.%u.%u", random_number(1, 254), random_number(0, 255), random_number(2, 254));
    struct peer server = peer_listens("stay silent", .at = address);
    struct run run = start_student(.function = "connect_with_buffers", .stay = true,
                                   .args = {address, port_of(server), number(send_bytes), number(recv_bytes)});
    wait_calls(run, 1);
    expect(result_of(run, 1) != -1, "connect_with_buffers() returned %s, though a server listens there",
           returned(run, 1));
    expect_option(run, server, "SO_SNDBUF", (int)send_bytes);
    expect_option(run, server, "SO_RCVBUF", (int)recv_bytes);
}

Test(sizes, in_time, .description = "the receive buffer's size holds from the first byte: no more than that comes")
{
    unsigned size = random_number(3000, 5000);
    struct peer server = peer_listens("send 60000 random bytes; stay silent");
    struct run run = start_student(.function = "connect_with_buffers", .args = {WITH(server), "0", number(size)},
                                   .stay = true);
    wait_calls(run, 1);
    wait_peer_settled(server);
    long long unread = queued_at_student(server).unread, most = option_of(run, server, "SO_RCVBUF");
    expect(unread <= most, "%lld bytes lie unread in a receive buffer of %lld: the peer was told another size", unread,
           most);
}

Test(sizes, unasked, .description = "with 0 and 0 connect_with_buffers() leaves both to the kernel")
{
    struct peer server = peer_listens("stay silent");
    struct run run = start_student(.function = "connect_with_buffers", .args = {WITH(server), "0", "0"}, .stay = true);
    wait_calls(run, 1);
    expect_untouched(run, server, "SO_SNDBUF");
    expect_untouched(run, server, "SO_RCVBUF");
}

Test(sizes, nobody_is_dialled,
     .description = "text that is no address, or a negative size, is EINVAL, and nobody is dialled")
{
    const char *wrong[][3] = {
        {"127.0.0.1 x", "0", "0"}, {"localhost", "0", "0"}, {LOOPBACK, "-1", "0"}, {LOOPBACK, "0", "-1"}};
    for (int i = 0; i < 4; i++) {
        struct peer server = peer_listens("expect end");
        struct run run = run_student(.function = "connect_with_buffers",
                                     .args = {wrong[i][0], port_of(server), wrong[i][1], wrong[i][2]});
        expect_error(run, EINVAL);
        expect_nothing_sent(server);
    }
}

static void expect_none_left(struct run run, int error)
{
    wait_calls(run, 50);
    expect_error(run, error);
    int left = descriptors_of(run) - 3; /* standard input, output and error */
    expect(left == 0, "after 50 calls, %d descriptors are still open", left);
}

Test(sizes, nothing_left_open,
     .description = "50 calls that fail leave no descriptor open, and errno is that of connect()")
{
    struct peer nobody = peer_listens("refuse");
    struct run run = start_student(.function = "connect_with_buffers", .args = {WITH(nobody), "5000", "5000"},
                                   .times = "50", .stay = true, .faults = "close leaves errno EIO");
    expect_none_left(run, ECONNREFUSED);
    struct run negative = start_student(.function = "connect_with_buffers", .args = {WITH(nobody), "5000", "-1"},
                                        .times = "50", .stay = true);
    expect_none_left(negative, EINVAL);
}

Test(sizes, a_size_that_fails, .description = "when a size can't be set nobody is dialled, and nothing is left open")
{
    struct peer server = peer_listens("expect end");
    struct run run = start_student(.function = "connect_with_buffers", .args = {WITH(server), "5000", "5000"},
                                   .stay = true, .faults = "setsockopt 2 fails with ENOBUFS; close leaves errno EIO");
    wait_calls(run, 1);
    expect_error(run, ENOBUFS);
    expect_nothing_sent(server);
    expect(descriptors_of(run) == 3, "after the call, %d descriptors are still open", descriptors_of(run) - 3);
}

Test(sizes, the_program, .description = "the program prints what was asked for and what came of it")
{
    unsigned send_bytes = a_size(), recv_bytes = a_size();
    struct peer server = peer_listens("expect end");
    struct run run = run_student(.args = {"sizes", number(send_bytes), number(recv_bytes), WITH(server)});
    expect_exit(run, 0);
    expect_line(run, format("asked %u %u got %lld %lld", send_bytes, recv_bytes,
                            kernel_gives("SO_SNDBUF", (int)send_bytes), kernel_gives("SO_RCVBUF", (int)recv_bytes)));
}

/* ---- full: fill_send_buffer() -------------------------------------------------------------------- */

#define UNREAD "small buffers; accept; wait for go; receive to end"

/* All that was sent is in one of two boxes: here, or at the peer. Into a buffer that was asked for with so many bytes
 * so many fit at least, for the kernel makes it twice as large, to have room for what it notes beside them. */
static void expect_full(struct run run, struct peer server, long long taken, unsigned asked)
{
    wait_peer_settled(server);
    struct queued here = queued_at_student(server), there = queued_at_peer(server);
    long long boxes = here.unacked + there.unread;
    expect(taken == boxes,
           "fill_send_buffer() returned %s; %lld bytes lie in the send buffer, and %lld at the peer, unread",
           returned(run, 1), here.unacked, there.unread);
    expect(taken >= asked, "it stopped after %lld bytes; the send buffer alone was asked for with %u, and takes more",
           taken, asked);
}

/* The peer reads at last: just so many bytes come. */
static void expect_arrives(struct run run, struct peer server, long long taken)
{
    go(server);
    finish(run);
    wait_done(server);
    expect((long long)received_by(server).len == taken, "%lld bytes are said to be taken, and the peer received %zu",
           taken, received_by(server).len);
}

Test(full, fills_until_nothing_fits,
     .description = "fill_send_buffer() sends until no more fits, and tells how many bytes that were")
{
    unsigned asked = random_number(5000, 6000);
    struct peer server = peer_listens(UNREAD);
    struct run run = start_student(.function = "fill_send_buffer", .stay = true,
                                   .args = {"--send-buffer", number(asked), WITH(server)});
    wait_calls(run, 1);
    expect(result_of(run, 1) > 0, "fill_send_buffer() returned %s", returned(run, 1));
    expect_full(run, server, result_of(run, 1), asked);
    expect_arrives(run, server, result_of(run, 1));
}

Test(full, a_larger_one, .description = "a larger buffer takes more")
{
    unsigned asked = random_number(40000, 60000);
    struct peer server = peer_listens(UNREAD);
    struct run run = start_student(.function = "fill_send_buffer", .stay = true,
                                   .args = {"--send-buffer", number(asked), WITH(server)});
    wait_calls(run, 1);
    expect_full(run, server, result_of(run, 1), asked);
}

Test(full, again_when_full, .description = "in a buffer that is full there is room for 0 bytes: no failure")
{
    struct peer server = peer_listens(UNREAD);
    struct run run = start_student(.function = "fill_send_buffer", .args = {SMALL, WITH(server)}, .times = "3",
                                   .stay = true);
    wait_calls(run, 3);
    long long sum = 0;
    for (int call = 1; call <= 3; call++) {
        expect(result_of(run, call) != -1, "%s returned %s; the buffer was full, which is 0 bytes more",
               call_name(run, call), returned(run, call));
        sum += result_of(run, call);
    }
    expect_full(run, server, sum, SMALL_BUFFER);
}

Test(full, blocks_as_before, .description = "a descriptor that blocked blocks again afterwards")
{
    struct peer server = peer_listens("small buffers; never read");
    struct run run = start_student(.function = "fill_send_buffer", .args = {SMALL, WITH(server)}, .stay = true);
    wait_calls(run, 1);
    expect(!is_nonblocking(run, server), "fill_send_buffer() left the descriptor with O_NONBLOCK");
}

Test(full, nonblocking_as_before, .description = "one that didn't block still doesn't")
{
    struct peer server = peer_listens("small buffers; never read");
    struct run run = start_student(.function = "fill_send_buffer", .args = {"--nonblocking", SMALL, WITH(server)},
                                   .stay = true);
    wait_calls(run, 1);
    expect_full(run, server, result_of(run, 1), SMALL_BUFFER);
    expect(is_nonblocking(run, server), "the descriptor had O_NONBLOCK, and fill_send_buffer() took it away");
}

Test(full, interrupted, .description = "a signal may interrupt a send (EINTR): it goes on")
{
    struct peer server = peer_listens(UNREAD);
    struct run run = start_student(.function = "fill_send_buffer", .args = {SMALL, WITH(server)}, .stay = true,
                                   .faults = "every 2nd send fails with EINTR");
    wait_calls(run, 1);
    expect_full(run, server, result_of(run, 1), SMALL_BUFFER);
}

Test(full, short_counts, .description = "each send may take fewer bytes than it was given: all are counted")
{
    struct peer server = peer_listens(UNREAD);
    struct run run = start_student(.function = "fill_send_buffer", .args = {SMALL, WITH(server)}, .stay = true,
                                   .faults = "send takes 100 to 900 bytes");
    wait_calls(run, 1);
    expect_full(run, server, result_of(run, 1), SMALL_BUFFER);
}

Test(full, a_failure_is_told, .description = "any other error of send is -1, with its errno, even after some bytes")
{
    const char *faults[] = {"send fails with ENOBUFS", "send 2 fails with ENOBUFS"};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("small buffers; never read");
        struct run run = run_student(.function = "fill_send_buffer", .args = {SMALL, WITH(server)},
                                     .faults = faults[i]);
        expect_error(run, ENOBUFS);
    }
}

/* The peer has gone before the call. (wait_blocked: the probe's connect() is over; a reset before would make it fail.) */
static void expect_survives(const char *function, struct peer server, struct run run)
{
    wait_blocked(run, "poll");
    go(server);
    wait_exit(run);
    expect(result_of(run, 1) == -1 && (errno_of(run, 1) == ECONNRESET || errno_of(run, 1) == EPIPE),
           "%s, after the peer had left, returned %s, not -1 with ECONNRESET or EPIPE", function, returned(run, 1));
}

Test(full, a_peer_that_left, .description = "a peer that has left is an error, and not the end of your program")
{
    struct peer server = peer_listens("accept; wait for go; reset");
    struct run run = start_student(.function = "fill_send_buffer", .args = {"--when-left", SMALL, WITH(server)},
                                   .times = "2");
    expect_survives("fill_send_buffer()", server, run);
    expect(result_of(run, 2) == -1, "the second call returned %s, not -1", returned(run, 2));
}

Test(full, the_program, .description = "the program prints how much was filled")
{
    struct peer server = peer_listens(UNREAD);
    struct run run = run_student(.args = {"--buffers", "4096", "fill", WITH(server)});
    expect_exit(run, 0);
    wait_peer_settled(server);
    go(server);
    wait_done(server);
    expect_line(run, format("filled %zu", received_by(server).len));
}

/* ---- in_the_queues: queues() --------------------------------------------------------------------- */

static void expect_queues(struct run run, struct queued kernel)
{
    expect_result(run, 0);
    expect(number_of(run, "unread") == kernel.unread, "unread was %lld, and in the kernel %lld bytes wait to be read",
           number_of(run, "unread"), kernel.unread);
    expect(number_of(run, "unacked") == kernel.unacked,
           "unacked was %lld, and in the kernel %lld bytes are not acknowledged", number_of(run, "unacked"),
           kernel.unacked);
    expect(number_of(run, "unsent") == kernel.unsent, "unsent was %lld, and in the kernel %lld bytes haven't left",
           number_of(run, "unsent"), kernel.unsent);
}

Test(in_the_queues, counts_all_three,
     .description = "queues() tells what hasn't left, what isn't acknowledged, and what lies unread")
{
    struct bytes message = random_bytes(random_number(7000, 9000));
    struct peer server = peer_listens("small buffers; send 1234 random bytes; wait for go; go deaf; stay silent");
    struct run run = start_student(.function = "queues", .stay = true, .input = message,
                                   .args = {"--hold", "--send-buffer", "20000", WITH(server),
                                            number((long long)message.len)});
    wait_peer_settled(server);
    go(server);
    wait_done(server);
    type_text(run, "\n\n");
    wait_calls(run, 1);
    expect_queues(run, queued_at_student(server));
}

Test(in_the_queues, nothing_yet, .description = "on a fresh connection all three are 0")
{
    struct peer server = peer_listens("stay silent");
    struct run run = start_student(.function = "queues", .args = {WITH(server)}, .stay = true);
    wait_calls(run, 1);
    expect_queues(run, (struct queued){0, 0, 0});
}

Test(in_the_queues, arrived_is_not_sent, .description = "what the peer's kernel has is acknowledged, read or not")
{
    struct bytes message = random_bytes(random_number(500, 3000));
    struct peer server = peer_listens("never read");
    struct run run = start_student(.function = "queues", .stay = true, .input = message,
                                   .args = {"--hold", WITH(server), number((long long)message.len)});
    type_text(run, "\n");
    wait_connected(server);
    wait_recorded(run, "send", 0);
    type_text(run, "\n");
    wait_calls(run, 1);
    expect_result(run, 0);
    wait_peer_settled(server);
    expect(queued_at_peer(server).unread == (long long)message.len, "the peer's kernel has %lld of %zu bytes",
           queued_at_peer(server).unread, message.len);
    expect(number_of(run, "unread") == 0, "unread was %lld, and the peer has sent nothing", number_of(run, "unread"));
}

/* More than 64 KiB, where the kernel allows a buffer for it: as much as comes, it must still be there. */
Test(in_the_queues, takes_nothing,
     .description = "looking takes nothing out, however much it is: the second look shows the same")
{
    struct peer server = peer_listens("send 150000 random bytes; stay silent");
    struct run run = start_student(.function = "queues", .args = {"--hold", "--recv-buffer", "200000", WITH(server)},
                                   .times = "2", .stay = true);
    wait_peer_settled(server);
    long long before = queued_at_student(server).unread;
    type_text(run, "\n\n\n");
    wait_calls(run, 2);
    expect(queued_at_student(server).unread == before, "of %lld bytes %lld are left to be read after queues()", before,
           queued_at_student(server).unread);
    expect_queues(run, queued_at_student(server));
}

Test(in_the_queues, a_listener_has_none, .description = "a socket that listens has no such queues: -1 with EINVAL")
{
    struct peer server = peer_listens("stay silent");
    struct run run = run_student(.function = "queues", .args = {"--listener", WITH(server)});
    expect_error(run, EINVAL);
}

Test(in_the_queues, a_failure_is_told, .description = "when one of the questions fails, its errno comes back")
{
    for (int call = 1; call <= 3; call++) {
        struct peer server = peer_listens("expect end");
        struct run run = run_student(.function = "queues", .args = {WITH(server)},
                                     .faults = format("ioctl %d fails with ENOBUFS", call));
        if (count_calls(run, "ioctl") >= call)
            expect_error(run, ENOBUFS);
    }
}

Test(in_the_queues, the_program, .description = "the program prints the three at each Enter, and then sends")
{
    struct peer server = peer_listens("small buffers; send 'hello'; never read");
    struct run run = start_student(.args = {"--buffers", "4096", "queues", "9000", WITH(server)},
                                   .input_kind = INPUT_HELD);
    wait_peer_settled(server);
    type_text(run, "\n");
    wait_full(server);
    expect_line(run, "unsent 0 unacked 0 unread 5");
    struct queued kernel = queued_at_student(server);
    type_text(run, "\n");
    finish(run);
    expect_exit(run, 0);
    expect_line(run, format("unsent %lld unacked %lld unread 5", kernel.unsent, kernel.unacked));
}

/* ---- backpressure: send_within() ----------------------------------------------------------------- */

/* The result is a count, and the peer receives just these first bytes of the message. */
static void expect_sent_so_far(struct run run, struct peer server, struct bytes message, long long sent)
{
    expect(sent > 0 && sent < (long long)message.len, "send_within() returned %s; some of %zu bytes fit, and not all",
           returned(run, 1), message.len);
    go(server);
    finish(run);
    expect_received(server, first_of(message, sent));
}

static void expect_sent_all(struct run run, struct peer server, struct bytes message)
{
    wait_exit(run);
    expect_result(run, (long long)message.len);
    expect_received(server, message);
}

Test(backpressure, to_a_peer_that_reads, .description = "send_within() sends all of it to a peer that reads")
{
    struct bytes message = random_bytes(random_number(1000, 3000));
    struct peer server = peer_listens("receive to end");
    struct run run = start_student(.function = "send_within", .input = message,
                                   .args = {WITH(server), LONG, number((long long)message.len)});
    expect_sent_all(run, server, message);
}

Test(backpressure, waits_for_room,
     .description = "where there is no room it waits until there is, within the time, be it 24 days")
{
    struct bytes message = random_bytes(BETWEEN);
    struct peer server = peer_listens("small buffers; accept; wait for go; receive to end slowly");
    struct run run = start_student(.function = "send_within", .input = message,
                                   .args = {SMALL, WITH(server), LONGEST, number(BETWEEN)});
    wait_full(server);
    go(server);
    expect_sent_all(run, server, message);
}

Test(backpressure, no_limit, .description = "any negative timeout is no limit; who waits doesn't burn the processor")
{
    struct bytes message = random_bytes(BETWEEN);
    struct peer server = peer_listens(UNREAD);
    struct run run = start_student(.function = "send_within", .input = message,
                                   .args = {SMALL, WITH(server), "-1000", number(BETWEEN)});
    wait_full(server);
    expect_waits(run, 60, "while there was no room, and there was no time limit");
    go(server);
    expect_sent_all(run, server, message);
}

Test(backpressure, when_the_time_is_over,
     .description = "when the time is over it returns how many bytes were taken, and these arrive")
{
    struct bytes message = random_bytes(BETWEEN);
    struct peer server = peer_listens(UNREAD);
    struct run run = start_student(.function = "send_within", .input = message, .stay = true,
                                   .args = {SMALL, WITH(server), "40", number(BETWEEN)});
    wait_calls(run, 1);
    expect_sent_so_far(run, server, message, result_of(run, 1));
}

Test(backpressure, the_whole_time, .description = "the time is for all waits together: it doesn't begin anew at each")
{
    struct bytes message = random_bytes(TOO_MUCH);
    struct peer server = peer_listens(
        format("small buffers; accept; %sreceive to end", a_little_at_each_go("receive 7000 bytes")));
    struct run run = start_student(.function = "send_within", .input = message,
                                   .args = {SMALL, WITH(server), "500", number(TOO_MUCH)});
    wait_full(server);
    int slept = 0;
    while (slept < 560 && sleeps_for(run, 20)) {
        go(server);
        slept += 20;
    }
    expect(slept < 560, "the timeout was 500 ms, and send_within() has slept for 560 ms and still waits");
}

Test(backpressure, no_time_at_all, .description = "with a timeout of 0 it takes what fits, and doesn't wait")
{
    struct bytes message = random_bytes(BETWEEN);
    struct peer server = peer_listens(UNREAD);
    struct run run = start_student(.function = "send_within", .input = message, .stay = true,
                                   .args = {SMALL, WITH(server), "0", number(BETWEEN)});
    wait_calls(run, 1);
    expect_sent_so_far(run, server, message, result_of(run, 1));
}

Test(backpressure, nothing_taken, .description = "when not a byte was taken in time it is -1 with ETIMEDOUT")
{
    const char *timeouts[] = {"0", "30"};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("small buffers; never read");
        struct run run = start_student(.function = "send_within", .input = random_bytes(1000), .input_kind = INPUT_HELD,
                                       .args = {"--fill", "--hold", SMALL, WITH(server), timeouts[i], "1000"});
        wait_full(server);
        wait_peer_settled(server); /* nothing is on its way that could leave room */
        type_text(run, "\n");
        finish(run);
        expect_error(run, ETIMEDOUT);
    }
}

Test(backpressure, nothing_to_send, .description = "len 0 is 0, at once")
{
    struct peer server = peer_listens("small buffers; never read");
    struct run run = run_student(.function = "send_within", .args = {"--fill", SMALL, WITH(server), LONG, "0"});
    expect_result(run, 0);
}

Test(backpressure, short_counts, .description = "each send may take fewer bytes than it was given; the rest follows")
{
    struct bytes message = random_bytes(BETWEEN);
    struct peer server = peer_listens("small buffers; accept; wait for go; receive to end");
    struct run run = start_student(.function = "send_within", .input = message, .faults = "send takes 1 to 500 bytes",
                                   .args = {SMALL, WITH(server), LONG, number(BETWEEN)});
    wait_full(server);
    go(server);
    expect_sent_all(run, server, message);
}

Test(backpressure, interrupted, .description = "a signal may interrupt each call (EINTR): it goes on")
{
    struct bytes message = random_bytes(BETWEEN);
    struct peer server = peer_listens("small buffers; accept; wait for go; receive to end");
    struct run run = start_student(.function = "send_within", .input = message,
                                   .faults = "poll 1-40 fails with EINTR; every 3rd send fails with EINTR",
                                   .args = {SMALL, WITH(server), LONG, number(BETWEEN)});
    wait_full(server);
    go(server);
    expect_sent_all(run, server, message);
}

/* The wait is held until its time is over, and only then interrupted: the first wait, or a later one of who polls
 * before each send. Who has taken nothing by then is right as well. */
Test(backpressure, interrupted_late, .description = "an interrupted wait doesn't begin anew: the time has run on")
{
    for (unsigned i = 1; i <= 3; i++) {
        struct peer server = peer_listens("small buffers; never read");
        struct run run = start_student(.function = "send_within", .input = random_bytes(BETWEEN),
                                       .faults = format("poll %u waits; poll %u fails with EINTR", i, i),
                                       .args = {SMALL, WITH(server), "200", number(BETWEEN)});
        for (int slept = 0; slept < 260 && sleeps_for(run, 20);)
            slept += 20;
        release(run);
        expect(!sleeps_for(run, 50), "the timeout was 200 ms; interrupted after 260 ms, send_within() waits again");
        wait_exit(run);
        long long sent = result_of(run, 1);
        expect((sent > 0 && sent < BETWEEN) || (sent == -1 && errno_of(run, 1) == ETIMEDOUT),
               "send_within() returned %s; some of %d bytes fit, and not all", returned(run, 1), BETWEEN);
    }
}

Test(backpressure, breaks_midway,
     .description = "a connection that breaks after some bytes: how many were taken is told, not -1")
{
    struct bytes message = random_bytes(BETWEEN);
    struct peer server = peer_listens("small buffers; accept; wait for go; reset");
    struct run run = start_student(.function = "send_within", .input = message,
                                   .args = {SMALL, WITH(server), LONG, number(BETWEEN)});
    wait_full(server);
    expect_waits(run, 20, "and there was still time"); /* it has filled all there is */
    long long taken = queued_at_student(server).unacked + queued_at_peer(server).unread;
    go(server);
    wait_exit(run);
    expect(result_of(run, 1) == taken, "the kernel had taken %lld bytes when the peer reset; send_within() returned %s",
           taken, returned(run, 1));
}

Test(backpressure, a_failure_is_told, .description = "when the first send fails it is -1, with its errno")
{
    struct peer server = peer_listens("expect end");
    struct run run = run_student(.function = "send_within", .input = random_bytes(1000),
                                 .faults = "send fails with ENOBUFS", .args = {WITH(server), LONG, "1000"});
    expect_error(run, ENOBUFS);
}

Test(backpressure, a_peer_that_left, .description = "a peer that has left is an error, and not the end of your program")
{
    struct peer server = peer_listens("accept; wait for go; reset");
    struct run run = start_student(.function = "send_within", .input = random_bytes(1000), .times = "2",
                                   .args = {"--when-left", WITH(server), LONG, "1000"});
    expect_survives("send_within()", server, run);
    expect(result_of(run, 2) == -1, "the second call returned %s, not -1", returned(run, 2));
}

Test(backpressure, blocks_as_before, .description = "a descriptor that blocked blocks again afterwards")
{
    struct peer server = peer_listens("small buffers; never read");
    struct run run = start_student(.function = "send_within", .input = random_bytes(BETWEEN), .stay = true,
                                   .args = {SMALL, WITH(server), "0", number(BETWEEN)});
    wait_calls(run, 1);
    expect(!is_nonblocking(run, server), "send_within() left the descriptor with O_NONBLOCK");
}

Test(backpressure, nonblocking_as_before, .description = "one that didn't block still doesn't")
{
    struct bytes message = random_bytes(BETWEEN);
    struct peer server = peer_listens(UNREAD);
    struct run run = start_student(.function = "send_within", .input = message, .stay = true,
                                   .args = {"--nonblocking", SMALL, WITH(server), LONG, number(BETWEEN)});
    wait_full(server);
    go(server);
    wait_calls(run, 1);
    expect_result(run, BETWEEN);
    expect(is_nonblocking(run, server), "the descriptor had O_NONBLOCK, and send_within() took it away");
}

Test(backpressure, the_program, .description = "the program prints how many bytes were sent")
{
    struct peer server = peer_listens(UNREAD);
    struct run run = run_student(.args = {"--buffers", "4096", "send", "60000", "20", WITH(server)});
    expect_exit(run, 0);
    wait_peer_settled(server);
    go(server);
    wait_done(server);
    expect_line(run, format("sent %zu of 60000", received_by(server).len));
}

/* The numbers of one row; false if it is none. */
static bool read_row(const char *line, long long row[5])
{
    char end = '\0';
    return sscanf(line, "%lld,%lld,%lld,%lld,%lld%c", &row[0], &row[1], &row[2], &row[3], &row[4], &end) == 6 &&
           end == '\n';
}

Test(backpressure, watch_writes_a_table,
     .description = "watch writes what is in both ends' queues, a row a moment, until all is read")
{
    struct peer server = peer_listens("small buffers; accept; wait for go; receive to end slowly");
    struct run run = start_student(.args = {"--buffers", "4096", "watch", "60000", WITH(server)});
    wait_full(server);
    expect_waits(run, 60, "the program has ended, and the peer has read nothing");
    struct queued here = queued_at_student(server), there = queued_at_peer(server);
    go(server);
    expect_exit(run, 0);
    wait_done(server);
    expect(received_by(server).len == 60000, "the peer received %zu of 60000 bytes", received_by(server).len);

    const char *line = output_of(run).data;
    const char *header = "ms,unsent,unacked,unread,peer_unread\n";
    expect(strncmp(line, header, strlen(header)) == 0, "the first line isn't the table's header");
    long long row[5] = {0}, before = 0;
    bool full = false;
    for (line += strlen(header); *line != '\0'; line = strchr(line, '\n') + 1) {
        expect(strchr(line, '\n') != NULL && read_row(line, row), "a line of the table isn't five whole numbers: %s",
               line);
        expect(row[0] >= before && row[1] <= row[2], "a row can't be: %lld,%lld,%lld,…", row[0], row[1], row[2]);
        full = full || (row[1] == here.unsent && row[2] == here.unacked && row[4] == there.unread);
        before = row[0];
    }
    expect(full, "no row shows both ends as they were, full: unsent %lld, unacked %lld, peer_unread %lld", here.unsent,
           here.unacked, there.unread);
    expect(row[1] == 0 && row[2] == 0, "the last row still has %lld bytes in the send buffer", row[2]);
}

/* ---- deadlock: exchange() ------------------------------------------------------------------------ */

static void expect_in(struct run run, struct bytes expected)
{
    expect_result(run, 0);
    expect_same(run, "what exchange() received", bytes_reported(run, "in"), expected);
    expect(number_of(run, "beyond") == 0, "exchange() wrote beyond the %zu bytes that it was to receive", expected.len);
}

Test(deadlock, a_few_bytes, .description = "exchange() sends its bytes and receives those of the peer")
{
    struct bytes out = random_bytes(random_number(100, 900)), in = random_bytes(random_number(100, 900));
    struct peer server = peer_listens(format("send $1; receive %zu bytes; expect end", out.len), .data = {in});
    struct run run = start_student(.function = "exchange", .input = out, .stay = true,
                                   .args = {"--hold", WITH(server), number((long long)out.len),
                                            number((long long)in.len)});
    wait_peer_settled(server); /* all that it is to receive is there */
    type_text(run, "\n");
    finish(run);
    expect_in(run, in);
    expect_received(server, out);
}

Test(deadlock, sixty_four_kib_to_an_echo, .description = "64 KiB go to an echo and back, though the buffers are small")
{
    struct bytes out = random_bytes(65536);
    struct peer server = peer_listens("small buffers; echo");
    struct run run = run_student(.function = "exchange", .input = out, .args = {SMALL, WITH(server), "65536", "65536"});
    expect_in(run, out);
    expect_happy(server);
}

Test(deadlock, both_send_first, .description = "the peer sends all before it reads anything, and so would you")
{
    struct bytes out = random_bytes(BETWEEN), in = random_bytes(BETWEEN);
    struct peer server = peer_listens(
        format("small buffers; send $1; wait until read; receive %d bytes; expect end", BETWEEN), .data = {in});
    struct run run = run_student(.function = "exchange", .input = out,
                                 .args = {SMALL, WITH(server), number(BETWEEN), number(BETWEEN)});
    expect_in(run, in);
    expect_received(server, out);
}

Test(deadlock, both_wait_first, .description = "the peer sends nothing before it has all of yours")
{
    struct bytes out = random_bytes(BETWEEN), in = random_bytes(BETWEEN);
    struct peer server = peer_listens(format("small buffers; receive %d bytes; send $1; expect end", BETWEEN),
                                      .data = {in});
    struct run run = run_student(.function = "exchange", .input = out,
                                 .args = {SMALL, WITH(server), number(BETWEEN), number(BETWEEN)});
    expect_in(run, in);
    expect_received(server, out);
}

Test(deadlock, nothing_beyond, .description = "what comes after the in_len bytes is left for the next one to read")
{
    struct bytes out = random_bytes(300), in = random_bytes(random_number(200, 900)), more = random_bytes(500);
    struct peer server = peer_listens("send $1 at once; receive 300 bytes; wait for go; half-close; expect end",
                                      .data = {join_bytes(in, more)});
    struct run run = start_student(.function = "exchange", .input = out, .input_kind = INPUT_HELD,
                                   .args = {"--hold", "--rest", WITH(server), "300", number((long long)in.len)});
    wait_peer_settled(server); /* all of it is there */
    type_text(run, "\n");
    wait_calls(run, 1);
    go(server);
    finish(run);
    expect_in(run, in);
    expect_same(run, "what was left after exchange()", bytes_reported(run, "rest"), more);
    expect_received(server, out);
}

/* All that it is to receive is there, and the end behind it. */
Test(deadlock, nothing_to_send, .description = "with out_len 0 it only receives, though the peer has ended its side")
{
    struct bytes in = random_bytes(random_number(100, 900));
    struct peer server = peer_listens("send $1; half-close; expect end", .data = {in});
    struct run run = start_student(.function = "exchange", .stay = true,
                                   .args = {"--hold", WITH(server), "0", number((long long)in.len)});
    wait_peer_settled(server);
    type_text(run, "\n");
    finish(run);
    expect_in(run, in);
    expect_happy(server);
}

Test(deadlock, nothing_to_receive, .description = "with in_len 0 it only sends, whatever the peer has sent")
{
    struct bytes out = random_bytes(BETWEEN), more = bytes_of("not for you");
    struct peer server = peer_listens("small buffers; send $1; half-close; receive to end slowly", .data = {more});
    struct run run = start_student(.function = "exchange", .input = out, .input_kind = INPUT_HELD,
                                   .args = {"--hold", "--rest", SMALL, WITH(server), number(BETWEEN), "0"});
    wait_peer_settled(server);
    type_text(run, "\n");
    finish(run);
    expect_in(run, bytes_of(""));
    expect_same(run, "what was left after exchange()", bytes_reported(run, "rest"), more);
    expect_received(server, out);
}

Test(deadlock, two_in_a_row, .description = "it ends neither side's stream: a second exchange follows")
{
    struct bytes out = random_bytes(random_number(100, 900));
    struct peer server = peer_listens("echo");
    struct run run = run_student(.function = "exchange", .input = out, .times = "2",
                                 .args = {WITH(server), number((long long)out.len), number((long long)out.len)});
    expect(result_of(run, 1) == 0, "the first exchange() returned %s, not 0", returned(run, 1));
    expect_same(run, "what the first exchange() received", bytes_reported(run, "in"), out);
    expect(result_of(run, 2) == 0, "the second exchange() returned %s, not 0", returned(run, 2));
    expect_same(run, "what the second exchange() received", bytes_reported(run, "in2"), out);
    expect_received(server, join_bytes(out, out));
}

Test(deadlock, waits_for_the_answer,
     .description = "all is sent, and it waits for the answer without burning the processor")
{
    struct bytes out = random_bytes(500), in = random_bytes(500);
    struct peer server = peer_listens("receive 500 bytes; wait for go; send $1; expect end", .data = {in});
    struct run run = start_student(.function = "exchange", .input = out, .args = {WITH(server), "500", "500"});
    wait_received(server, 500);
    expect_waits(run, 50, "before the answer had come");
    go(server);
    wait_exit(run);
    expect_in(run, in);
    expect_happy(server);
}

Test(deadlock, waits_for_room,
     .description = "all is received, and it waits for room to send without burning the processor")
{
    struct bytes out = random_bytes(BETWEEN), in = random_bytes(500);
    const char *scripts[] = {"small buffers; send $1 'and more' at once; wait for go; receive to end",
                             "small buffers; send $1; half-close; wait for go; receive to end"};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens(scripts[i], .data = {in});
        struct run run = start_student(.function = "exchange", .input = out, .input_kind = INPUT_HELD,
                                       .args = {"--hold", SMALL, "--rest", WITH(server), number(BETWEEN), "500"});
        wait_peer_settled(server);
        type_text(run, "\n");
        wait_full(server);
        expect_waits(run, 50, "before all was sent");
        stop(run);
    }
}

Test(deadlock, ends_too_early, .description = "a peer that ends its stream too early is EPROTO, one that resets isn't")
{
    struct peer server = peer_listens("send 100 random bytes; half-close; receive to end");
    struct run run = run_student(.function = "exchange", .input = random_bytes(500),
                                 .args = {WITH(server), "500", "101"});
    expect_error(run, EPROTO);

    struct peer bad = peer_listens("accept; wait for go; reset");
    struct run broken = start_student(.function = "exchange", .args = {WITH(bad), "0", "101"});
    wait_connected(bad);
    expect_waits(broken, 20, "and nothing had come yet");
    go(bad);
    wait_exit(broken);
    expect_error(broken, ECONNRESET);
}

Test(deadlock, a_peer_that_left, .description = "a peer that has left is an error, and not the end of your program")
{
    struct peer server = peer_listens("accept; wait for go; reset");
    struct run run = start_student(.function = "exchange", .input = random_bytes(500), .times = "2",
                                   .args = {"--when-left", WITH(server), "500", "0"});
    expect_survives("exchange()", server, run);
    expect(result_of(run, 2) == -1, "the second call returned %s, not -1", returned(run, 2));
}

Test(deadlock, interrupted_and_short, .description = "EINTR and short counts, on both ways, are no failures")
{
    struct bytes out = random_bytes(20000);
    struct peer server = peer_listens("small buffers; echo");
    struct run run = run_student(.function = "exchange", .input = out,
                                 .faults = "every 3rd send fails with EINTR; every 4th recv fails with EINTR; "
                                           "every 5th poll fails with EINTR; send takes 1 to 900 bytes; "
                                           "recv takes 1 to 900 bytes",
                                 .args = {SMALL, WITH(server), "20000", "20000"});
    expect_in(run, out);
    expect_happy(server);
}

Test(deadlock, blocks_as_before, .description = "a descriptor that blocked blocks again afterwards")
{
    struct bytes out = random_bytes(500);
    struct peer server = peer_listens("receive 500 bytes; send 500 random bytes; stay silent");
    struct run run = start_student(.function = "exchange", .input = out, .args = {WITH(server), "500", "500"},
                                   .stay = true);
    wait_calls(run, 1);
    expect_result(run, 0);
    expect(!is_nonblocking(run, server), "exchange() left the descriptor with O_NONBLOCK");

    struct peer early = peer_listens("send 100 random bytes; half-close; receive to end");
    struct run cut = start_student(.function = "exchange", .input = out, .args = {WITH(early), "500", "101"},
                                   .stay = true);
    wait_calls(cut, 1);
    expect_error(cut, EPROTO);
    if (state_of_student(early)[0] != '\0') /* who has shut it down leaves nothing that could block */
        expect(!is_nonblocking(cut, early), "exchange() failed, and left the descriptor with O_NONBLOCK");
}

Test(deadlock, the_program, .description = "the program exchanges its bytes with an echo")
{
    struct peer server = peer_listens("small buffers; echo");
    struct run run = run_student(.args = {"--buffers", "4096", "exchange", "65536", WITH(server)});
    expect_exit(run, 0);
    expect_line(run, "exchanged 65536");
    expect_happy(server);
}

/* ---- finishing: finish() ------------------------------------------------------------------------- */

static void expect_closed(struct run run)
{
    expect(number_of(run, "open") == 0, "finish() returned %s and has left the connection open", returned(run, 1));
    int failed = count_failed(run, "close");
    expect(failed == 0, "close() failed %d times in finish(): the number may belong to somebody else by then", failed);
}

Test(finishing, ends_and_waits_for_the_end,
     .description = "finish() ends our stream, waits for the peer's end, and closes")
{
    struct bytes message = random_bytes(random_number(1000, 3000));
    struct peer server = peer_listens("receive to end; wait for go; close");
    struct run run = start_student(.function = "finish", .input = message,
                                   .args = {WITH(server), LONG, number((long long)message.len)});
    wait_received(server, message.len);
    wait_peer_settled(server);
    expect_waits(run, 20, "and the peer hadn't ended its side yet");
    go(server);
    wait_exit(run);
    expect_result(run, 0);
    expect_closed(run);
    expect_received(server, message);
}

Test(finishing, nothing_is_lost,
     .description = "with bytes of ours still here, and the peer's unread, all of ours arrive")
{
    struct bytes message = random_bytes(8000);
    struct peer server = peer_listens("small buffers; send 3000 random bytes; wait for go; receive to end");
    struct run run = start_student(.function = "finish", .input = message,
                                   .args = {SMALL, WITH(server), LONG, number((long long)message.len)});
    wait_connected(server);
    sleeps_for(run, 20);
    go(server);
    expect_received(server, message);
    wait_exit(run);
    expect_result(run, 0);
}

/* With the longest time there is: it is not over yet. */
Test(finishing, late_words, .description = "what the peer still says is read, however much it is, and thrown away")
{
    struct peer server = peer_listens("receive to end; send 'late'; wait until read; wait for go; "
                                      "send 300000 random bytes; wait until read; send 'the end'; close");
    struct run run = start_student(.function = "finish", .input = random_bytes(100),
                                   .args = {WITH(server), LONGEST, "100"});
    wait_peer_settled(server);
    expect_waits(run, 20, "and neither had the peer ended its side nor were 24 days over (a timeout of INT_MAX)");
    go(server);
    expect_happy(server);
    wait_exit(run);
    expect_result(run, 0);
}

Test(finishing, the_time_is_over, .description = "when the time is over it closes all the same: -1 with ETIMEDOUT")
{
    const char *timeouts[] = {"0", "30"};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("receive to end; wait for go; close");
        struct run run = run_student(.function = "finish", .args = {WITH(server), timeouts[i]},
                                     .faults = "close leaves errno EIO");
        expect_error(run, ETIMEDOUT);
        expect_closed(run);
    }
    struct peer silent = peer_listens("small buffers; never read");
    struct run run = start_student(.function = "finish", .input = random_bytes(8000),
                                   .args = {SMALL, WITH(silent), "30", "8000"});
    wait_connected(silent);
    expect(!sleeps_for(run, 1000), "the timeout was 30 ms, and with bytes of ours unread finish() sleeps for a second");
    wait_exit(run);
    expect_error(run, ETIMEDOUT);
}

Test(finishing, the_whole_time,
     .description = "the time is for all of it: a peer that goes on sending doesn't lengthen it")
{
    struct peer server = peer_listens(
        format("receive to end; send 9 random bytes in pieces of 1; %sstay silent", a_little_at_each_go("send 'x'")));
    struct run run = start_student(.function = "finish", .args = {WITH(server), "200"}, .stay = true);
    int slept = 0;
    while (slept < 260 && sleeps_for(run, 10)) {
        go(server);
        slept += 10;
    }
    expect(slept < 260, "the timeout was 200 ms, and finish() has slept for 260 ms and still waits");
    wait_calls(run, 1);
    expect(result_of(run, 1) == -1, "the time was over, and finish() returned %s, not -1", returned(run, 1));
}

Test(finishing, no_limit, .description = "any negative timeout is no limit; who waits doesn't burn the processor")
{
    struct peer server = peer_listens("receive to end; wait for go; close");
    struct run run = start_student(.function = "finish", .args = {WITH(server), "-1000"});
    wait_peer_settled(server);
    expect_waits(run, 60, "and there was no time limit");
    go(server);
    wait_exit(run);
    expect_result(run, 0);
}

Test(finishing, a_reset_is_told, .description = "a reset is no end: -1 with ECONNRESET, and closed")
{
    struct peer server = peer_listens("accept; wait for go; reset");
    struct run run = start_student(.function = "finish", .args = {WITH(server), LONG},
                                   .faults = "close leaves errno EIO");
    wait_connected(server);
    expect_waits(run, 20, "and the peer hadn't ended its side yet");
    go(server);
    wait_exit(run);
    expect_error(run, ECONNRESET);
    expect_closed(run);
}

Test(finishing, a_peer_that_left, .description = "on a connection that is broken already: -1, and closed")
{
    struct peer server = peer_listens("accept; wait for go; reset");
    struct run run = start_student(.function = "finish", .args = {"--when-left", WITH(server), LONG});
    wait_blocked(run, "poll");
    go(server);
    wait_exit(run);
    expect_error_in(run, (int[]){ENOTCONN, ECONNRESET, EPIPE, 0});
    expect_closed(run);
}

Test(finishing, a_failure_is_told,
     .description = "when shutdown() or recv() fails its errno comes back, and it is closed")
{
    const char *faults[] = {"shutdown fails with ENOBUFS", "recv fails with ENOBUFS"};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("accept; wait for go; close");
        struct run run = start_student(.function = "finish", .args = {WITH(server), LONG},
                                       .faults = format("%s; close leaves errno EIO", faults[i]));
        wait_connected(server);
        go(server);
        wait_exit(run);
        expect_error(run, ENOBUFS);
        expect_closed(run);
    }
}

Test(finishing, interrupted, .description = "a signal may interrupt each call (EINTR): it goes on")
{
    struct bytes message = random_bytes(500);
    struct peer server = peer_listens("receive to end; send 'late'; wait until read; close");
    struct run run = run_student(.function = "finish", .input = message,
                                 .faults = "recv 1-40 fails with EINTR; poll 1-40 fails with EINTR",
                                 .args = {WITH(server), LONG, "500"});
    expect_result(run, 0);
    expect_received(server, message);
}

Test(finishing, the_program, .description = "the program's bytes arrive though it never reads what the peer says")
{
    struct peer server = peer_listens("small buffers; send 3000 random bytes; wait for go; receive to end");
    struct run run = start_student(.args = {"--buffers", "4096", "finish", "8000", LONG, WITH(server)});
    wait_connected(server);
    sleeps_for(run, 20); /* or it has ended, and what the peer hadn't room for is lost */
    go(server);
    wait_done(server);
    expect(received_by(server).len == 8000, "the peer received %zu of 8000 bytes", received_by(server).len);
    expect_exit(run, 0);
    expect_line(run, "finished 8000");
}

Test(finishing, no_memory_goes_wrong,
     .description = "from the first byte to the last no memory is misused or lost (valgrind)")
{
    struct peer server = peer_listens("small buffers; echo");
    struct run run = start_student(.function = "exchange", .under = MEMCHECK, .input = random_bytes(20000),
                                   .args = {SMALL, WITH(server), "20000", "20000"});
    expect_clean_memory(run);
}
