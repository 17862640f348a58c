/* Lab 4, SO_REUSEADDR: the suite. Each test is one promise of reuseaddr.h. */
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Who holds TIME_WAIT is read in the kernel's table, after both sides have gone. The TIME_WAIT that a
 * listener has to get past is made by the grader, at a port of the test's own, by a server that had
 * SO_REUSEADDR alone: a restarted server of the student's couldn't tell that from SO_REUSEPORT. */

static struct bytes a_text(void)
{
    return random_text(random_number(10, 40));
}

static const char *an_address(void)
{
    return format("127.%u.%u.%u", random_number(1, 254), random_number(0, 255), random_number(2, 254));
}

/* "3", or "-1 (Address already in use)". */
static const char *result_text(struct run run, int call)
{
    long long result = result_of(run, call);
    return result != -1 ? format("%lld", result) : format("-1 (%s)", error_text(errno_of(run, call)));
}

static const char *shown(const char *state)
{
    return state[0] != '\0' ? state : "gone";
}

/* ---- closing: close_first() and close_last() --------------------------------------------------- */

static const char *const both[] = {"close_first", "close_last"};

/* The two ends of the connection are in these states; "" is gone. */
static void expect_ends(struct peer peer, const char *students, const char *peers)
{
    const char *one = state_of_student(peer), *other = state_of_peer(peer);
    expect(strcmp(one, students) == 0 && strcmp(other, peers) == 0,
           "in the kernel's table your program's end is %s and the peer's is %s, not %s and %s", shown(one),
           shown(other), shown(students), shown(peers));
}

static void expect_returned(struct run run, const char *function, int result)
{
    wait_exit(run);
    expect(result_of(run, 1) == result, "%s() returned %s, not %d", function, result_text(run, 1), result);
}

static void expect_closed(struct run run, const char *function)
{
    expect(number_of(run, "connection_open") == 0, "%s() returned %lld, and the connection is still open", function,
           result_of(run, 1));
}

Test(closing, first_holds_it,
     .description = "after close_first() what was sent has arrived, the peer has gone, and this side holds TIME_WAIT")
{
    struct bytes words = a_text();
    struct run run = start_student(.function = "close_first", .args = {"--say", words.data});
    struct peer peer = peer_connects(run, "receive to end; close");
    expect_received(peer, words);
    expect_returned(run, "close_first", 0);
    expect_ends(peer, "TIME_WAIT", "");
}

Test(closing, last_leaves_it_to_the_peer,
     .description = "close_last() waits until the peer has ended its side, and the peer holds TIME_WAIT")
{
    struct bytes words = a_text();
    struct run run = start_student(.function = "close_last", .args = {"--say", words.data});
    struct peer peer = peer_connects(run, "expect $1; wait for go; half-close; expect end", .data = {words});
    wait_received(peer, words.len);
    wait_blocked(run, "recv");
    expect_ends(peer, "ESTABLISHED", "ESTABLISHED");
    go(peer);
    expect_happy(peer);
    expect_returned(run, "close_last", 0);
    expect_ends(peer, "", "TIME_WAIT");
}

Test(closing, first_listens_on,
     .description = "close_first() ends its own side and waits for the peer's: half the connection stays alive")
{
    struct run run = start_student(.function = "close_first",
                                   .faults = "recv 1 reaches its time limit; poll 1 reaches its time limit");
    struct peer peer = peer_connects(run, "expect end; wait for go; send 1000 random bytes; close");
    wait_blocked(run, "recv");
    expect_ends(peer, "FIN_WAIT2", "CLOSE_WAIT");
    go(peer);
    expect_happy(peer);
    expect_returned(run, "close_first", 0);
    expect_ends(peer, "TIME_WAIT", "");
}

/* More than a program takes that stops at a round number, 256 KiB; and who reads byte by byte gets there too. */
#define MUCH "270000 random bytes"

Test(closing, first_takes_what_comes_late,
     .description = "what the peer sends after it was told is taken, piece by piece, up to its end")
{
    struct run run = start_student(.function = "close_first");
    struct peer peer = peer_connects(run, "expect end; send 5 random bytes 3000 random bytes 9000 random bytes"
                                          " 1 random byte in pieces; wait until read; send " MUCH "; close");
    expect_happy(peer);
    expect_returned(run, "close_first", 0);
    expect_ends(peer, "TIME_WAIT", "");
}

Test(closing, last_takes_what_comes,
     .description = "close_last() takes what the peer sends, however much, up to its end")
{
    struct bytes words = a_text();
    struct run run = start_student(.function = "close_last", .args = {"--say", words.data});
    struct peer peer = peer_connects(run, "send 5 random bytes 9000 random bytes 1 random byte in pieces;"
                                          " send " MUCH "; wait until read; half-close; receive to end");
    expect_received(peer, words);
    expect_returned(run, "close_last", 0);
    expect_ends(peer, "", "TIME_WAIT");
}

Test(closing, in_thousands_of_pieces,
     .description = "both take all, if it comes in ten thousand pieces: only the end is the end")
{
    const char *scripts[] = {"expect end; send 130000 random bytes; close",
                             "send 130000 random bytes; half-close; expect end"};
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = both[i], .faults = "recv takes 1 to 20 bytes");
        struct peer peer = peer_connects(run, scripts[i]);
        expect_happy(peer);
        expect_returned(run, both[i], 0);
    }
}

Test(closing, first_takes_what_had_come,
     .description = "what lay unread when close_first() was called makes no reset of the end")
{
    struct bytes words = a_text();
    struct run run = start_student(.function = "close_first", .args = {"--say", words.data, "--hold"},
                                   .input_kind = INPUT_HELD);
    struct peer peer = peer_connects(run, "send 60000 random bytes; receive to end; close");
    wait_received(peer, words.len);
    wait_peer_settled(peer);
    type_text(run, "\n");
    expect_received(peer, words);
    expect_returned(run, "close_first", 0);
    expect_ends(peer, "TIME_WAIT", "");
}

Test(closing, bytes_before_the_end,
     .description = "where the peer has ended its side already, the bytes before its end are taken all the same")
{
    struct bytes words = random_text(30000);
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = both[i], .args = {"--say", words.data, "--hold"},
                                       .input_kind = INPUT_HELD);
        struct peer peer = peer_connects(run, "small buffers; send 100 random bytes; half-close; wait until read;"
                                              " receive to end slowly");
        wait_peer_settled(peer);
        type_text(run, "\n");
        expect_received(peer, words);
        expect_returned(run, both[i], 0);
        expect_ends(peer, "", "TIME_WAIT");
    }
}

Test(closing, a_slow_peer_gets_everything,
     .description = "what was sent before arrives, also at a peer that reads late and slowly")
{
    const char *scripts[] = {"small buffers; wait for go; receive to end slowly; close",
                             "small buffers; wait for go; half-close; receive to end slowly"};
    struct bytes words = random_text(30000);
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = both[i], .args = {"--say", words.data});
        struct peer peer = peer_connects(run, scripts[i]);
        wait_blocked(run, "recv");
        go(peer);
        expect_received(peer, words);
        expect_returned(run, both[i], 0);
        expect_ends(peer, i == 0 ? "TIME_WAIT" : "", i == 0 ? "" : "TIME_WAIT");
    }
}

Test(closing, who_called_makes_no_difference,
     .description = "on a connection that went out it is the same: who ends first holds TIME_WAIT")
{
    const char *scripts[] = {"accept; wait for go; receive to end; close",
                             "accept; wait for go; half-close; receive to end"};
    for (int i = 0; i < 2; i++) {
        struct peer peer = peer_listens(scripts[i]);
        struct run run = start_student(.function = both[i], .args = {"--call", port_of(peer)});
        wait_blocked(run, "recv");
        go(peer);
        expect_happy(peer);
        expect_returned(run, both[i], 0);
        expect_ends(peer, i == 0 ? "TIME_WAIT" : "", i == 0 ? "" : "TIME_WAIT");
    }
}

Test(closing, interrupted, .description = "a signal may interrupt recv() (EINTR): both wait on for the peer")
{
    const char *scripts[] = {"expect end; wait for go; close", "wait for go; half-close; expect end"};
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = both[i], .faults = "recv 1-40 fails with EINTR");
        struct peer peer = peer_connects(run, scripts[i]);
        wait_blocked(run, "recv");
        go(peer);
        expect_happy(peer);
        expect_returned(run, both[i], 0);
        expect_ends(peer, i == 0 ? "TIME_WAIT" : "", i == 0 ? "" : "TIME_WAIT");
    }
}

/* Only the interrupted call is made again: a second shutdown() would fail here. */
Test(closing, interrupted_late,
     .description = "so it is when the peer's end has come by then: only that call is made again")
{
    struct run run = start_student(.function = "close_first", .faults = "recv 1 waits; recv 1 fails with EINTR");
    struct peer peer = peer_connects(run, "expect end; close");
    wait_done(peer);
    release(run);
    expect_returned(run, "close_first", 0);
}

Test(closing, reset_meanwhile,
     .description = "a reset isn't an end: -1 with ECONNRESET, whatever close() does to errno")
{
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = both[i], .faults = "close leaves errno EIO");
        struct peer peer = peer_connects(run, i == 0 ? "expect end; wait for go; reset" : "wait for go; reset");
        wait_blocked(run, "recv");
        go(peer);
        wait_exit(run);
        expect_error(run, ECONNRESET);
        expect_closed(run, both[i]);
    }
}

Test(closing, reset_before, .description = "where the peer had reset before, it is -1 too, with what the kernel says")
{
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = both[i], .args = {"--hold"}, .input_kind = INPUT_HELD,
                                       .faults = "close leaves errno EIO");
        struct peer peer = peer_connects(run, "reset");
        wait_done(peer);
        type_text(run, "\n");
        wait_exit(run);
        expect_error_in(run, (int[]){ECONNRESET, ENOTCONN, EPIPE, 0});
        expect_closed(run, both[i]);
    }
}

Test(closing, closed_in_every_case, .description = "both close the connection in every case, and only once")
{
    const char *scripts[] = {"expect end; close", "half-close; expect end", "expect end; reset", "reset"};
    for (int i = 0; i < 4; i++) {
        const char *function = both[i % 2], *end = i < 2 ? "ended" : "reset";
        struct run run = start_student(.function = function, .times = "10", .stay = true,
                                       .faults = "close 2 fails with EINTR");
        peer_connects(run, format("10 clients in turn: %s", scripts[i]));
        wait_calls(run, 10);
        int left = descriptors_of(run) - 4; /* standard input, output and error, and the probe's listener */
        expect(left == 0, "after 10 connections that the peer %s, %s() has left %d descriptors open", end, function,
               left);
        expect(count_failed(run, "close") == 0,
               "%s() closes a connection that is closed already: the number may be somebody else's by then", function);
    }
}

/* ---- restarting: reuse_listen() ---------------------------------------------------------------- */

static void expect_listening_at(struct run run, const char *address)
{
    wait_calls(run, 1);
    expect(result_of(run, 1) >= 0, "reuse_listen() returned %s, not a listener", result_text(run, 1));
    const char *found = listener_address(run);
    expect(found[0] != '\0', "reuse_listen() returned, and nothing listens: what it returned is no listener");
    expect(number_of(run, "listens") == 1, "reuse_listen() returned %lld, which isn't the listener", result_of(run, 1));
    expect_same(run, "the listener's address in the kernel's table", bytes_of(found), bytes_of(address));
}

static void expect_reached_at(struct run run, const char *address)
{
    struct peer client = peer_connects(run, "stay silent", .to = address);
    wait_connected(client);
}

Test(restarting, past_time_wait,
     .description = "with reuse it listens at a port that only the TIME_WAIT of an earlier server holds")
{
    const char *free = free_port(), *port = free_port();
    struct run first = start_student(.function = "reuse_listen", .args = {LOOPBACK, free, "128", "on"}, .stay = true);
    expect_listening_at(first, format("127.0.0.1:%s", free));
    hold_port(port, "TIME_WAIT");
    struct run run = start_student(.function = "reuse_listen", .args = {LOOPBACK, port, "128", "on"}, .stay = true);
    expect_listening_at(run, format("127.0.0.1:%s", port));
    expect_reached_at(run, LOOPBACK);
}

Test(restarting, every_address_past_time_wait,
     .description = "so it does at every address, which is what NULL and an empty text mean")
{
    const char *texts[] = {"NULL", ""};
    for (int i = 0; i < 2; i++) {
        const char *port = free_port();
        hold_port(port, "TIME_WAIT");
        struct run run = start_student(.function = "reuse_listen", .args = {texts[i], port, "128", "on"}, .stay = true);
        expect_listening_at(run, format("0.0.0.0:%s", port));
        expect_reached_at(run, an_address());
    }
}

Test(restarting, past_connections_that_go_on,
     .description = "so it does while a connection of an earlier server still goes on, or ends")
{
    const char *states[] = {"ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT2"};
    const char *port = free_port();
    for (int i = 0; i < 3; i++)
        hold_port(port, states[i]);
    struct run run = start_student(.function = "reuse_listen", .args = {LOOPBACK, port, "128", "on"}, .stay = true);
    expect_listening_at(run, format("127.0.0.1:%s", port));
}

Test(restarting, the_program_twice,
     .description = "the program serves a client and ends; started again it has its port at once, TIME_WAIT or not")
{
    const char *port = free_port();
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.args = {LOOPBACK, port});
        struct peer client = peer_connects(run, "expect 'good-bye\n'; expect end; close");
        expect_happy(client);
        expect_exit(run, 0);
        expect_ends(client, "TIME_WAIT", "");
    }
}

Test(restarting, any_free_port, .description = "port 0 is any free port, another one for each listener")
{
    struct run run = start_student(.function = "reuse_listen", .args = {LOOPBACK, "0", "128", "on"}, .times = "2",
                                   .stay = true);
    wait_calls(run, 2);
    for (int call = 1; call <= 2; call++)
        expect(result_of(run, call) >= 0, "call %d of reuse_listen() with port 0 returned %s, not a listener", call,
               result_text(run, call));
    expect_reached_at(run, LOOPBACK);
}

Test(restarting, one_address_and_the_backlog,
     .description = "given one address it listens at that alone; the backlog goes to the kernel as it is")
{
    const char *address = an_address(), *port = free_port();
    unsigned backlogs[] = {random_number(1, 100), 0};
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = "reuse_listen",
                                       .args = {address, port, format("%u", backlogs[i]), "on"}, .stay = true);
        expect_listening_at(run, format("%s:%s", address, port));
        expect(listener_backlog(run) == (int)backlogs[i], "the kernel holds a backlog of %d, not of %u",
               listener_backlog(run), backlogs[i]);
        stop(run);
    }
}

Test(restarting, text_that_is_no_address, .description = "text that is no address is EINVAL")
{
    const char *texts[] = {"300.0.0.1", "127.0.0.1 x", "localhost", NULL};
    for (const char **text = texts; *text != NULL; text++) {
        struct run run = run_student(.function = "reuse_listen", .args = {*text, "0", "128", "on"});
        expect(result_of(run, 1) == -1 && errno_of(run, 1) == EINVAL,
               "reuse_listen(\"%s\", …) returned %s, not -1 with EINVAL", *text, result_text(run, 1));
    }
}

Test(restarting, each_call_may_fail,
     .description = "each of its calls may fail, setsockopt() too: -1, with the errno of that call")
{
    const char *calls[] = {"socket", "setsockopt", "bind", "listen"};
    int errors[] = {EMFILE, ENOPROTOOPT, EACCES, EADDRINUSE};
    const char *names[] = {"EMFILE", "ENOPROTOOPT", "EACCES", "EADDRINUSE"};
    for (int i = 0; i < 4; i++) {
        const char *faults = format("%s fails with %s; close leaves errno EIO", calls[i], names[i]);
        struct run run = run_student(.function = "reuse_listen", .args = {LOOPBACK, "0", "128", "on"},
                                     .faults = faults);
        expect(result_of(run, 1) == -1 && errno_of(run, 1) == errors[i],
               "when %s() failed with %s, reuse_listen() returned %s, not -1 with that errno", calls[i], names[i],
               result_text(run, 1));
    }
}

Test(restarting, nothing_left_open, .description = "30 calls that fail leave no descriptor open")
{
    struct peer other = peer_listens("don't accept");
    const char *addresses[] = {LOOPBACK, "300.0.0.1", LOOPBACK};
    const char *ports[] = {port_of(other), "0", "0"};
    const char *faults[] = {NULL, NULL, "setsockopt 16-30 fails with ENOPROTOOPT; listen fails with EADDRINUSE"};
    const char *reasons[] = {"the port was taken", "the text was no address", "listen() failed, or setsockopt()"};
    for (int i = 0; i < 3; i++) {
        struct run run = start_student(.function = "reuse_listen", .args = {addresses[i], ports[i], "128", "on"},
                                       .times = "30", .stay = true, .faults = faults[i]);
        wait_calls(run, 30);
        int left = descriptors_of(run) - 3; /* standard input, output and error */
        expect(left == 0, "after 30 calls that failed since %s, %d descriptors are still open", reasons[i], left);
    }
}

/* ---- purpose: reuse_listen() with and without, and reuse_enabled() ----------------------------- */

static void expect_refused(const char *ip, const char *port, const char *reuse, const char *why)
{
    struct run run = run_student(.function = "reuse_listen", .args = {ip, port, "128", reuse});
    expect(result_of(run, 1) == -1 && errno_of(run, 1) == EADDRINUSE,
           "with reuse %s, and %s, reuse_listen() returned %s, not -1 with EADDRINUSE", reuse, why,
           result_text(run, 1));
}

Test(purpose, refused_without_it,
     .description = "without reuse it is refused a port that TIME_WAIT holds, or a connection of an earlier server")
{
    const char *states[] = {"TIME_WAIT", "ESTABLISHED"};
    for (int i = 0; i < 2; i++) {
        const char *port = free_port();
        hold_port(port, states[i]);
        expect_refused(LOOPBACK, port, "off", format("a connection in state %s at that port", states[i]));
    }
}

Test(purpose, off_is_off, .description = "without reuse it listens at a free port, and the option stays off")
{
    const char *port = free_port();
    struct run run = start_student(.function = "reuse_listen", .args = {LOOPBACK, port, "128", "off"}, .stay = true);
    expect_listening_at(run, format("127.0.0.1:%s", port));
    expect(listener_option(run, "SO_REUSEADDR") == 0, "the listener has SO_REUSEADDR, and reuse was false");
}

Test(purpose, each_call_for_itself,
     .description = "without reuse it is off, also where an earlier call had turned it on")
{
    struct run run = run_student(.function = "reuse_listen", .args = {LOOPBACK, "0", "128", "turns"}, .times = "2");
    for (int call = 1; call <= 2; call++)
        expect(result_of(run, call) >= 0, "call %d of reuse_listen() with port 0 returned %s, not a listener", call,
               result_text(run, call));
    expect(number_of(run, "reuse") == 0,
           "the second listener has SO_REUSEADDR: reuse was true for the first one, and false for this");
}

Test(purpose, no_second_listener,
     .description = "a second listener at a port is refused while the first lives, with reuse too")
{
    const char *port = free_port();
    struct run run = start_student(.function = "reuse_listen", .args = {LOOPBACK, port, "128", "on"}, .times = "2",
                                   .stay = true);
    wait_calls(run, 2);
    expect(result_of(run, 1) >= 0, "the first reuse_listen() returned %s, not a listener", result_text(run, 1));
    expect(result_of(run, 2) == -1 && errno_of(run, 2) == EADDRINUSE,
           "the second of two listeners was let in at the port of the first: reuse_listen() returned %s, not -1 "
           "with EADDRINUSE (in the kernel SO_REUSEADDR is %d, SO_REUSEPORT %d)",
           result_text(run, 2), listener_option(run, "SO_REUSEADDR"), listener_option(run, "SO_REUSEPORT"));
}

Test(purpose, another_servers_port,
     .description = "a port where another server listens is refused, whatever the addresses, with reuse too")
{
    const char *port = free_port();
    hold_port(port, "LISTEN");
    expect_refused(LOOPBACK, port, "on", "another server listening at that port");
    expect_refused("NULL", port, "on", "another server listening at that port of 127.0.0.1");
    const char *every = free_port();
    hold_port(every, "LISTEN", .at = "0.0.0.0");
    expect_refused(LOOPBACK, every, "on", "another server listening at that port of every address");
}

Test(purpose, both_servers_need_it,
     .description = "on Linux the earlier server must have had the option too: without, its TIME_WAIT is in the way")
{
    const char *port = free_port();
    hold_port(port, "TIME_WAIT", .option = "none");
    expect_refused(LOOPBACK, port, "on", "the TIME_WAIT of a server without the option at that port");
}

Test(purpose, reuseport_is_another_option,
     .description = "SO_REUSEPORT is another option: it gets past what SO_REUSEADDR doesn't, and isn't asked for")
{
    const char *port = free_port();
    hold_port(port, "TIME_WAIT", .option = "SO_REUSEPORT");
    expect_refused(LOOPBACK, port, "on", "the TIME_WAIT of a server with SO_REUSEPORT alone at that port");
}

static void expect_enabled(const char *kind, int answer, const char *what)
{
    struct run run = run_student(.function = "reuse_enabled", .args = {kind}, .times = "2");
    for (int call = 1; call <= 2; call++)
        expect(result_of(run, call) == answer, "reuse_enabled() of %s returned %lld, not %d", what,
               result_of(run, call), answer);
    expect(number_of(run, "still_open") == 1, "reuse_enabled() has closed the socket, which is the caller's");
}

Test(purpose, tells_whether, .description = "reuse_enabled() is 1 for a socket with the option and 0 for one without")
{
    expect_enabled("reuse", 1, "a socket with SO_REUSEADDR");
    expect_enabled("plain", 0, "a socket without SO_REUSEADDR");
}

Test(purpose, tells_it_from_the_other, .description = "reuse_enabled() is 0 for a socket with SO_REUSEPORT alone")
{
    expect_enabled("reuseport", 0, "a socket with SO_REUSEPORT alone");
}

Test(purpose, a_look_changes_nothing,
     .description = "reuse_enabled() leaves all as it is: a reset that nobody has been told of is still told")
{
    struct run run = run_student(.function = "reuse_enabled", .args = {"reset"});
    expect_result(run, 0);
    expect(number_of(run, "untold") == ECONNRESET,
           "the peer had reset the connection, and after reuse_enabled() the kernel has forgotten it: the caller's "
           "recv() would give 0, as after a good end");
}

Test(purpose, no_socket_no_answer, .description = "reuse_enabled() of what is no socket is -1, with the kernel's errno")
{
    struct run closed = run_student(.function = "reuse_enabled", .args = {"closed"});
    expect_error(closed, EBADF);
    struct run file = run_student(.function = "reuse_enabled", .args = {"file"});
    expect_error(file, ENOTSOCK);
}

/* ---- asking: port_state() ---------------------------------------------------------------------- */

enum { FREE, TIME_WAIT, CONNECTED, LISTENING }; /* as in reuseaddr.h */

static const char *state_name(long long state)
{
    static const char *const names[] = {"PORT_FREE", "PORT_TIME_WAIT", "PORT_CONNECTED", "PORT_LISTENING"};
    if (state == -1)
        return "PORT_UNKNOWN";
    return state >= FREE && state <= LISTENING ? names[state] : "none of the five";
}

static void expect_answer(struct run run, int call, int state, const char *why)
{
    long long answer = result_of(run, call);
    expect(answer == state, "port_state() returned %lld (%s), not %s: %s", answer, state_name(answer),
           state_name(state), why);
}

static void expect_state(const char *port, int state, const char *why)
{
    expect_answer(run_student(.function = "port_state", .args = {port}), 1, state, why);
}

Test(asking, free_or_listening, .description = "a port is free, whatever holds others, or a server listens there")
{
    const char *port = free_port();
    hold_port(free_port(), "LISTEN");
    hold_port(free_port(), "TIME_WAIT");
    hold_port(free_port(), "ESTABLISHED");
    expect_state(port, FREE, "no socket has that port, and other ports are held in every way there is");
    hold_port(port, "LISTEN");
    expect_state(port, LISTENING, "a server listens there");

    struct run run = run_student(.function = "port_state", .args = {port, free_port()});
    expect_answer(run, 1, LISTENING, "a server listens there");
    expect_answer(run, 2, FREE, "no socket has that port: a server listened at the one asked for before");
}

Test(asking, held_by_time_wait, .description = "when the server has gone, TIME_WAIT holds its port")
{
    const char *port = free_port();
    hold_port(port, "TIME_WAIT");
    expect_state(port, TIME_WAIT, "a connection in TIME_WAIT is all that is left there");
}

Test(asking, held_by_a_connection, .description = "a connection holds the port when its listener has gone")
{
    const char *port = free_port();
    hold_port(port, "ESTABLISHED");
    expect_state(port, CONNECTED, "nobody listens, and a connection that was accepted goes on");
}

Test(asking, held_by_half_a_connection, .description = "so does a connection that only one of its sides has ended")
{
    const char *states[] = {"ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT2"};
    for (int i = 0; i < 3; i++) {
        const char *port = free_port();
        hold_port(port, states[i]);
        expect_state(port, CONNECTED, format("nobody listens, and a connection is there in state %s", states[i]));
    }
}

Test(asking, held_in_any_state,
     .description = "so does one that is still being made, and one whose last bytes are still on their way")
{
    static const char *const states[] = {"ESTABLISHED", "FIN_WAIT1", "CLOSING", "LAST_ACK", "SYN_SENT"};
    const char *ports[5];
    for (int i = 0; i < 5; i++) {
        ports[i] = free_port();
        hold_port(ports[i], states[i]);
    }
    struct run run = run_student(.function = "port_state", .args = {ports[0], ports[1], ports[2], ports[3], ports[4]});
    for (int i = 0; i < 5; i++)
        expect_answer(run, i + 1, CONNECTED,
                      format("nobody listens, and a connection is there in state %s", states[i]));
}

Test(asking, each_call_looks_anew, .description = "each call tells what holds the port now, not what held it before")
{
    const char *port = free_port();
    struct run run = start_student(.function = "port_state", .args = {port, "--hold"}, .times = "2",
                                   .input_kind = INPUT_HELD);
    type_text(run, "\n");
    wait_calls(run, 1);
    expect_answer(run, 1, FREE, "no socket has that port");
    hold_port(port, "LISTEN");
    type_text(run, "\n");
    wait_exit(run);
    expect_answer(run, 2, LISTENING, "since the first call a server has begun to listen there");
}

Test(asking, a_high_port, .description = "ports go up to 65535, and high ones are found as well")
{
    struct peer server = peer_listens("don't accept"); /* the kernel's choice, mostly above 32767 */
    const char *port = port_of(server);
    expect_state(port, LISTENING, format("a server listens there, at port %s", port));
}

Test(asking, the_other_ends_port_is_its_own,
     .description = "a port is free when only the other end of its old connections is left")
{
    const char *port = free_port();
    hold_port(port, "");
    expect_state(port, FREE, "a client ended first and has TIME_WAIT, at a port of its own");
}

Test(asking, a_listener_before_all,
     .description = "where a server listens, has connections, and there is TIME_WAIT, it is the listener that counts")
{
    const char *port = free_port();
    hold_port(port, "TIME_WAIT");
    hold_port(port, "ESTABLISHED");
    hold_port(port, "LISTEN");
    expect_state(port, LISTENING, "a server listens there, beside a connection and TIME_WAIT");
}

Test(asking, a_connection_before_time_wait,
     .description = "of a connection and TIME_WAIT it is the connection that counts")
{
    /* The table has IPv4 before IPv6: so one comes first here, and the other there. */
    const char *first = free_port(), *last = free_port();
    hold_port(first, "ESTABLISHED");
    hold_port(first, "TIME_WAIT", .at = "::1");
    for (int i = 0; i < 3; i++)
        hold_port(last, "TIME_WAIT"); /* the more are not the harder */
    hold_port(last, "ESTABLISHED", .at = "::1");
    expect_state(first, CONNECTED, "a connection that goes on is there, beside TIME_WAIT");
    expect_state(last, CONNECTED, "a connection that goes on is there, beside TIME_WAIT");
}

Test(asking, at_any_address, .description = "it is at any address that the port is held: 127.x.x.x, and IPv6 as well")
{
    const char *there = free_port(), *ipv6 = free_port();
    hold_port(there, "LISTEN", .at = an_address());
    expect_state(there, LISTENING, "a server listens there, at another address than 127.0.0.1");
    hold_port(ipv6, "TIME_WAIT");
    hold_port(ipv6, "LISTEN", .at = "::");
    expect_state(ipv6, LISTENING, "a server listens there, at every address, IPv6 and IPv4");
}

Test(asking, no_table_no_answer, .description = "when the table can't be read it is PORT_UNKNOWN, with errno")
{
    struct run run = run_student(.function = "port_state", .args = {free_port(), "--full"});
    expect_error(run, EMFILE);
}

Test(asking, an_empty_table, .description = "a table with no socket in it is no failure: the port is free")
{
    struct run run = run_student(.function = "port_state", .args = {free_port(), "--empty"});
    expect_answer(run, 1, FREE, "the table could be read, and there is no socket in it at all");
}

Test(asking, the_program_says_it, .description = "the program says it in a line: reuseaddr --state PORT")
{
    const char *port = free_port();
    hold_port(port, "TIME_WAIT");
    struct run run = run_student(.args = {"--state", port});
    expect_exit(run, 0);
    expect_line(run, format("%s: held by TIME_WAIT", port));
}

Test(asking, no_memory_goes_wrong, .description = "no memory is misused or lost by looking at the table (valgrind)")
{
    const char *port = free_port();
    hold_port(port, "LISTEN");
    struct run run = run_student(.function = "port_state", .args = {port}, .times = "2", .under = MEMCHECK);
    expect_result(run, LISTENING);
    expect_clean_memory(run);
    expect_steady_memory(run_student(.function = "port_state", .args = {port}, .times = "41"));
}
