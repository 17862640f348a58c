/* Lab 3, server accept: the suite. Each test is one promise of server_accept.h. */
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Each function is judged alone, so that a mistake in one isn't counted in another: the probe makes the
 * listener for server_accept() and server_run(), and the connection for serve_client(). */

/* What a good client does, with other bytes each time. */
#define ECHO_ROUND "send 20 random bytes; expect the same; half-close; expect end"

/* It says a word, waits for the test, says another: it keeps the server busy until go(). */
#define TWO_WORDS "send 5 random bytes; expect the same; wait for go; " ECHO_ROUND

static struct bytes a_text(void)
{
    return random_text(random_number(10, 40));
}

static struct bytes a_message(void)
{
    return random_bytes(random_number(1000, 5000));
}

static const char *an_address(void)
{
    return format("127.%u.%u.%u", random_number(1, 254), random_number(0, 255), random_number(2, 254));
}

/* With its port, which has five digits, it is as long as a peer's text can be. */
static const char *a_long_address(void)
{
    return format("127.%u.%u.%u", random_number(100, 254), random_number(100, 254), random_number(100, 254));
}

/* The first call gave a descriptor. */
static void expect_descriptor(struct run run, const char *function)
{
    wait_calls(run, 1);
    expect(result_of(run, 1) >= 0, "%s returned %lld (%s), not a descriptor", function, result_of(run, 1),
           error_text(errno_of(run, 1)));
}

/* ---- listening: server_listen() ---------------------------------------------------------------- */

static void expect_listening_at(struct run run, const char *address)
{
    expect_descriptor(run, "server_listen()");
    const char *found = listener_address(run);
    expect(found[0] != '\0', "server_listen() returned, and nothing listens: what it returned is no listener");
    expect(number_of(run, "listens") == 1, "server_listen() returned %lld, which isn't the listener",
           result_of(run, 1));
    expect_same(run, "the listener's address in the kernel's table", bytes_of(found), bytes_of(address));
}

static void expect_reached_at(struct run run, const char *address)
{
    struct peer client = peer_connects(run, "stay silent", .to = address);
    wait_connected(client);
}

Test(listening, listens_where_it_was_told,
     .description = "server_listen() listens at the address and the port that it was given")
{
    const char *port = free_port();
    struct run run = start_student(.function = "server_listen", .args = {LOOPBACK, port, "128"}, .stay = true);
    expect_listening_at(run, format("127.0.0.1:%s", port));
    expect_reached_at(run, LOOPBACK);
}

Test(listening, any_free_port, .description = "port 0 is any free port, another one for each listener")
{
    struct run run = start_student(.function = "server_listen", .args = {LOOPBACK, "0", "128"}, .times = "3",
                                   .stay = true);
    wait_calls(run, 3);
    for (int call = 1; call <= 3; call++) {
        expect(result_of(run, call) >= 0, "call %d of server_listen() with port 0 returned %lld (%s), not a listener",
               call, result_of(run, call), error_text(errno_of(run, call)));
        expect(call == 1 || result_of(run, call) != result_of(run, call - 1),
               "two calls of server_listen() returned the same listener, %lld", result_of(run, call));
    }
    expect_reached_at(run, LOOPBACK);
}

Test(listening, only_the_address_it_was_given,
     .description = "given one address it listens at that address alone, whichever it is")
{
    const char *address = an_address(), *port = free_port();
    struct run run = start_student(.function = "server_listen", .args = {address, port, "128"}, .stay = true);
    expect_listening_at(run, format("%s:%s", address, port));
}

Test(listening, null_is_every_address, .description = "NULL is every address: it is reached at 127.0.0.2 too")
{
    struct run run = start_student(.function = "server_listen", .args = {"NULL", "0", "128"}, .stay = true);
    expect_descriptor(run, "server_listen(NULL, …)");
    expect_reached_at(run, LOOPBACK);
    expect_reached_at(run, an_address());
}

Test(listening, empty_is_every_address, .description = "an empty text is every address as well")
{
    struct run run = start_student(.function = "server_listen", .args = {"", "0", "128"}, .stay = true);
    expect_descriptor(run, "server_listen(\"\", …)");
    expect_reached_at(run, LOOPBACK);
    expect_reached_at(run, an_address());
}

Test(listening, the_backlog_it_was_given, .description = "the kernel gets the backlog that server_listen() was given")
{
    unsigned numbers[] = {7, random_number(1, 100), 0};
    for (int i = 0; i < 3; i++) {
        struct run run = start_student(.function = "server_listen", .args = {LOOPBACK, "0", format("%u", numbers[i])},
                                       .stay = true);
        expect_descriptor(run, "server_listen()");
        expect(listener_backlog(run) == (int)numbers[i], "the kernel holds a backlog of %d, not of %u",
               listener_backlog(run), numbers[i]);
    }
}

Test(listening, a_queue_of_129, .description = "with a backlog of 128, 129 clients connect before anybody accepts")
{
    struct run run = start_student(.function = "server_listen", .args = {LOOPBACK, "0", "128"}, .stay = true);
    expect_descriptor(run, "server_listen()");
    expect(listener_backlog(run) == 128, "the kernel holds a backlog of %d, not of 128", listener_backlog(run));
    struct peer clients = peer_connects(run, "129 clients, each: stay silent");
    wait_connected(clients);
    expect(listener_waiting(run) == 129, "%d clients wait in the queue, not 129", listener_waiting(run));
}

Test(listening, text_that_is_no_address, .description = "text that is no address is EINVAL")
{
    const char *texts[] = {"300.0.0.1", "abc", "localhost", "127.0.0.1.1", "127.0.0.1 x", NULL};
    for (const char **text = texts; *text != NULL; text++) {
        struct run run = run_student(.function = "server_listen", .args = {*text, "0", "128"});
        expect(result_of(run, 1) == -1 && errno_of(run, 1) == EINVAL,
               "server_listen(\"%s\", …) returned %lld (%s), not -1 with EINVAL", *text, result_of(run, 1),
               error_text(errno_of(run, 1)));
    }
}

Test(listening, a_port_that_is_taken,
     .description = "where another server listens already it returns -1 with EADDRINUSE")
{
    struct peer other = peer_listens("don't accept");
    struct run run = run_student(.function = "server_listen", .args = {LOOPBACK, port_of(other), "128"});
    expect_error(run, EADDRINUSE);
}

Test(listening, an_address_of_another_machine,
     .description = "an address that this machine doesn't have is EADDRNOTAVAIL")
{
    struct run run = run_student(.function = "server_listen", .args = {"192.0.2.1", "0", "128"});
    expect_error(run, EADDRNOTAVAIL);
}

Test(listening, each_call_may_fail,
     .description = "socket(), bind() and listen() may fail: -1, with the errno of that call")
{
    const char *calls[] = {"socket", "bind", "listen"};
    int errors[] = {EMFILE, EACCES, EADDRINUSE};
    const char *names[] = {"EMFILE", "EACCES", "EADDRINUSE"};
    for (int i = 0; i < 3; i++) {
        struct run run = run_student(.function = "server_listen", .args = {LOOPBACK, "0", "128"},
                                     .faults = format("%s fails with %s", calls[i], names[i]));
        expect(result_of(run, 1) == -1 && errno_of(run, 1) == errors[i],
               "when %s() failed with %s, server_listen() returned %lld (%s), not -1 with that errno", calls[i],
               names[i], result_of(run, 1), error_text(errno_of(run, 1)));
    }
}

Test(listening, errno_survives_close,
     .description = "errno is that of the call that failed, whatever close() does to it")
{
    struct peer other = peer_listens("don't accept");
    struct run bound = run_student(.function = "server_listen", .args = {LOOPBACK, port_of(other), "128"},
                                   .faults = "close leaves errno EIO");
    expect_error(bound, EADDRINUSE);
    struct run listened = run_student(.function = "server_listen", .args = {LOOPBACK, "0", "128"},
                                      .faults = "listen fails with EADDRINUSE; close leaves errno EIO");
    expect_error(listened, EADDRINUSE);
}

Test(listening, nothing_left_open, .description = "50 calls that fail leave no descriptor open")
{
    struct peer other = peer_listens("don't accept");
    const char *addresses[] = {LOOPBACK, "300.0.0.1", LOOPBACK};
    const char *ports[] = {port_of(other), "0", "0"};
    const char *faults[] = {NULL, NULL, "listen fails with EADDRINUSE"};
    const char *reasons[] = {"the port was taken", "the text was no address", "listen() failed"};
    for (int i = 0; i < 3; i++) {
        struct run run = start_student(.function = "server_listen", .args = {addresses[i], ports[i], "128"},
                                       .times = "50", .stay = true, .faults = faults[i]);
        wait_calls(run, 50);
        int left = descriptors_of(run) - 3; /* standard input, output and error */
        expect(left == 0, "after 50 calls that failed since %s, %d descriptors are still open", reasons[i], left);
    }
}

Test(listening, descriptor_0_is_a_descriptor, .description = "0 is a descriptor like any other, and no failure")
{
    struct run run = run_student(.function = "server_listen", .args = {LOOPBACK, "0", "128"},
                                 .input_kind = INPUT_CLOSED);
    expect(result_of(run, 1) >= 0, "with descriptor 0 free, server_listen() returned %lld (%s), not a listener",
           result_of(run, 1), error_text(errno_of(run, 1)));
}

/* ---- accepting: server_accept() ---------------------------------------------------------------- */

/* The probe reports the texts after its calls: they are there for certain once it has ended. Until then
 * it stays, so that its listener is there even if server_accept() returns at once. */
static void expect_peer_text(struct run run, int call, const char *text)
{
    finish(run);
    expect(result_of(run, call) >= 0, "call %d of server_accept() returned %lld (%s), not a connection", call,
           result_of(run, call), error_text(errno_of(run, call)));
    expect_same(run, "the peer that server_accept() gave", bytes_reported(run, format("peer%d", call)), bytes_of(text));
}

/* Its first characters, as many as fit with the final NUL. */
static const char *cut_to_fit(const char *text, unsigned cap)
{
    return format("%.*s", (int)cap - 1, text);
}

Test(accepting, tells_who_called, .description = "server_accept() returns a connection and says who called, as IP:PORT")
{
    struct run run = start_student(.function = "server_accept", .stay = true);
    struct peer client = peer_connects(run, "stay silent");
    expect_peer_text(run, 1, address_of(client));
}

Test(accepting, callers_from_other_addresses, .description = "the address is the caller's, whichever that is")
{
    struct run run = start_student(.function = "server_accept", .times = "2", .stay = true);
    struct peer first = peer_connects(run, "stay silent", .at = an_address());
    wait_calls(run, 1);
    struct peer second = peer_connects(run, "stay silent", .at = "127.0.0.9");
    expect_peer_text(run, 1, address_of(first));
    expect_peer_text(run, 2, address_of(second));
}

Test(accepting, returns_the_connection, .description = "what it returns is the connection to that client")
{
    struct bytes message = a_text();
    struct run run = start_student(.function = "server_accept", .args = {"--read"}, .stay = true);
    peer_connects(run, "send $1; close", .data = {message});
    finish(run);
    expect_same(run, "what came over the connection", bytes_reported(run, "read"), message);
}

Test(accepting, each_call_the_next_client,
     .description = "each call gives the next client, in the order of their calls")
{
    struct run run = start_student(.function = "server_accept", .args = {"--hold"}, .times = "2", .stay = true);
    struct peer first = peer_connects(run, "stay silent");
    wait_connected(first);
    struct peer second = peer_connects(run, "stay silent");
    wait_connected(second);
    type_text(run, "\n\n");
    expect_peer_text(run, 1, address_of(first));
    expect_peer_text(run, 2, address_of(second));
    expect(result_of(run, 1) != result_of(run, 2), "both clients got the descriptor %lld: each connection has its own",
           result_of(run, 1));
}

Test(accepting, came_and_went_before_accept,
     .description = "a client that came, spoke and left before accept is a client, and its bytes are there")
{
    struct bytes message = a_text();
    struct run run = start_student(.function = "server_accept", .args = {"--hold", "--read"}, .stay = true);
    struct peer client = peer_connects(run, "send $1; close", .data = {message});
    wait_done(client);
    type_text(run, "\n");
    expect_peer_text(run, 1, address_of(client));
    expect_same(run, "what came over the connection", bytes_reported(run, "read"), message);
}

Test(accepting, came_and_reset_before_accept,
     .description = "so is one that has reset before accept: the kernel still gives its connection, and its name")
{
    struct run run = start_student(.function = "server_accept", .args = {"--hold"}, .stay = true);
    struct peer client = peer_connects(run, "send 'hello'; reset");
    wait_done(client);
    type_text(run, "\n");
    wait_calls(run, 1);
    expect_peer_text(run, 1, address_of(client));
}

Test(accepting, a_buffer_that_just_fits,
     .description = "a buffer that just fits the text and its NUL gets the whole text")
{
    struct run run = start_student(.function = "server_accept", .args = {"16"}, .stay = true);
    struct peer client = peer_connects(run, "stay silent");
    expect_peer_text(run, 1, cut_to_fit(address_of(client), 16));
    expect(number_of(run, "spilled") == 0, "with cap 16, %lld bytes behind the buffer were changed",
           number_of(run, "spilled"));
}

Test(accepting, a_small_buffer,
     .description = "a text that doesn't fit is cut, with its NUL, and nothing beyond cap is touched")
{
    unsigned caps[] = {1, random_number(2, 9), random_number(10, 15)};
    for (int i = 0; i < 3; i++) {
        struct run run = start_student(.function = "server_accept", .args = {format("%u", caps[i])}, .stay = true);
        struct peer client = peer_connects(run, "stay silent");
        finish(run);
        expect_descriptor(run, format("server_accept() with cap %u", caps[i]));
        expect(number_of(run, "spilled") == 0, "with cap %u, %lld bytes behind the buffer were changed", caps[i],
               number_of(run, "spilled"));
        expect(number_of(run, "terminated") == 1, "with cap %u, the buffer holds no NUL, so the text has no end",
               caps[i]);
        expect_peer_text(run, 1, cut_to_fit(address_of(client), caps[i]));
    }
}

Test(accepting, no_buffer, .description = "with peer NULL or cap 0 nothing is stored, and the client is accepted")
{
    const char *caps[] = {"NULL", "0"};
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = "server_accept", .args = {caps[i]}, .stay = true);
        peer_connects(run, "stay silent");
        finish(run);
        expect_descriptor(run, i == 0 ? "server_accept() with peer NULL" : "server_accept() with cap 0");
        expect(number_of(run, "spilled") == 0, "with cap 0, %lld bytes of the buffer were changed",
               number_of(run, "spilled"));
    }
}

Test(accepting, interrupted, .description = "a signal may interrupt accept() (EINTR): it waits on for the client")
{
    struct run run = start_student(.function = "server_accept", .faults = "accept 1-40 fails with EINTR", .stay = true);
    struct peer client = peer_connects(run, "stay silent");
    expect_peer_text(run, 1, address_of(client));
}

Test(accepting, not_a_listener,
     .description = "a socket that doesn't listen is EINVAL, a closed one EBADF, one that can't listen EOPNOTSUPP")
{
    struct run unlistened = run_student(.function = "server_accept", .args = {"--listener", "unlistened"});
    expect_error(unlistened, EINVAL);
    struct run closed = run_student(.function = "server_accept", .args = {"--listener", "none"});
    expect_error(closed, EBADF);
    struct run unable = start_student(.function = "server_accept", .stay = true,
                                      .faults = "accept 1 fails with EOPNOTSUPP");
    peer_connects(unable, "stay silent"); /* so that a poll() before accept() comes back */
    wait_calls(unable, 1);
    expect(result_of(unable, 1) == -1 && errno_of(unable, 1) == EOPNOTSUPP,
           "accept() failed with EOPNOTSUPP, and server_accept() returned %lld (%s), not -1 with that errno",
           result_of(unable, 1), error_text(errno_of(unable, 1)));
}

Test(accepting, no_descriptor_left,
     .description = "with no descriptor left it returns -1 with EMFILE, and doesn't wait")
{
    struct run run = start_student(.function = "server_accept", .faults = "accept fails with EMFILE", .stay = true);
    peer_connects(run, "stay silent"); /* so that a poll() before accept() comes back */
    wait_calls(run, 1);
    expect_error(run, EMFILE);
}

/* ---- talking: serve_client() ------------------------------------------------------------------- */

/* The sum of all lines "received N", and how many there are. */
static size_t said_received(struct run run, int *lines)
{
    size_t sum = 0;
    *lines = 0;
    for (const char *at = output_of(run).data; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, "received ", 9) == 0) {
            sum += strtoul(at + 9, NULL, 10);
            ++*lines;
        }
    }
    return sum;
}

Test(talking, echoes_until_the_end, .description = "serve_client() sends back what comes, and returns 0 at the end")
{
    struct bytes message = a_text();
    struct run run = start_student(.function = "serve_client");
    struct peer client = peer_connects(run, "send $1; expect $1; half-close; expect end", .data = {message});
    wait_exit(run);
    expect_result(run, 0);
    expect_happy(client);
}

Test(talking, several_rounds, .description = "each further message is answered as well, not just the first")
{
    struct run run = start_student(.function = "serve_client");
    struct peer client = peer_connects(run, "send $1; expect $1; send $2; expect $2; send $3; expect $3; " ECHO_ROUND,
                                       .data = {a_text(), random_bytes(1), a_message()});
    expect_happy(client);
}

Test(talking, in_pieces, .description = "a message that arrives in pieces comes back whole")
{
    struct run run = start_student(.function = "serve_client");
    struct peer client = peer_connects(run, "send $1 in pieces of 7; expect $1; half-close; expect end",
                                       .data = {a_text()});
    expect_happy(client);
}

Test(talking, any_bytes, .description = "bytes are bytes: NULs, newlines and all others come back as they were")
{
    struct bytes message = random_bytes(random_number(66000, 70000));
    struct run run = start_student(.function = "serve_client");
    struct peer client = peer_connects(run, "send $1; half-close; receive to end", .data = {message});
    expect_received(client, message);
}

/* No byte means anything: not a NUL, not ^D, not a newline, and not "q". */
Test(talking, each_byte_alone, .description = "a byte that comes alone comes back, whichever of the 256 it is")
{
    char every[256];
    for (int i = 0; i < 256; i++)
        every[i] = (char)(i + 1); /* the NUL comes last */
    struct bytes message = {every, sizeof every};
    struct run run = start_student(.function = "serve_client");
    struct peer client = peer_connects(run, "send $1 in pieces of 1; half-close; receive to end", .data = {message});
    expect_received(client, message);
}

/* Nor does a word mean anything, or the way in which a line ends. */
Test(talking, words_are_bytes, .description = "words that other servers obey come back as they were, with their \\r\\n")
{
    struct run run = start_student(.function = "serve_client");
    struct peer client = peer_connects(
        run, "send 'hi\r\n'; expect 'hi\r\n'; send 'quit\n'; expect 'quit\n'; send 'exit'; expect 'exit'; "
             "send 'QUIT\r\n'; expect 'QUIT\r\n'; send 'bye\n'; expect 'bye\n'; half-close; expect end");
    expect_happy(client);
}

/* Only who has a time limit is struck. */
Test(talking, has_no_time_limit, .description = "a client may be silent, or read nothing, for as long as it likes")
{
    struct bytes message = random_bytes(random_number(50000, 60000));
    struct bytes first = {message.data, 1000}, rest = {(const char *)message.data + 1000, message.len - 1000};
    struct run run = start_student(.function = "serve_client",
                                   .faults = "recv 1-2 reaches its time limit; send 1-2 reaches its time limit; "
                                             "poll 1-9 reaches its time limit");
    struct peer client = peer_connects(
        run, "small buffers; send $1; wait until read; send $2; half-close; receive to end slowly",
        .data = {first, rest});
    expect_received(client, message);
}

Test(talking, a_slow_reader, .description = "tens of kilobytes come back whole to a client that reads slowly")
{
    struct bytes message = random_bytes(random_number(50000, 60000));
    struct bytes first = {message.data, 1000}, rest = {(const char *)message.data + 1000, message.len - 1000};
    struct run run = start_student(.function = "serve_client");
    struct peer client = peer_connects(
        run, "small buffers; send $1; wait until read; send $2; half-close; receive to end slowly",
        .data = {first, rest});
    expect_received(client, message);
}

Test(talking, short_counts, .description = "send() may take fewer bytes than you gave it; all come back all the same")
{
    struct bytes message = a_message();
    struct run run = start_student(.function = "serve_client", .faults = "send takes 1 to 50 bytes");
    struct peer client = peer_connects(run, "send $1; half-close; receive to end", .data = {message});
    expect_received(client, message);
    wait_exit(run);
    expect_result(run, 0);
}

Test(talking, a_few_bytes_at_a_time,
     .description = "recv() may give fewer bytes than there are; all come back all the same")
{
    struct bytes message = a_message();
    struct run run = start_student(.function = "serve_client", .faults = "recv takes 1 to 50 bytes");
    struct peer client = peer_connects(run, "send $1; half-close; receive to end", .data = {message});
    expect_received(client, message);
}

Test(talking, interrupted_while_it_receives, .description = "a signal may interrupt recv() (EINTR): nothing is lost")
{
    struct run run = start_student(.function = "serve_client", .faults = "every 2nd recv fails with EINTR");
    struct peer client = peer_connects(run, "send $1; expect $1; " ECHO_ROUND, .data = {a_message()});
    expect_happy(client);
    wait_exit(run);
    expect_result(run, 0);
}

Test(talking, interrupted_while_it_sends,
     .description = "a signal may interrupt send() (EINTR): nothing is lost and nothing comes twice")
{
    struct bytes message = a_message();
    struct run run = start_student(.function = "serve_client",
                                   .faults = "send 1 fails with EINTR; every 3rd send fails with EINTR; "
                                             "send takes 1 to 500 bytes");
    struct peer client = peer_connects(run, "send $1; half-close; receive to end", .data = {message});
    expect_received(client, message);
    wait_exit(run);
    expect_result(run, 0);
}

Test(talking, other_errors_end_it, .description = "any other error of recv() or send() ends it: -1, with that errno")
{
    struct run receiving = start_student(.function = "serve_client", .faults = "recv 2 fails with ETIMEDOUT");
    peer_connects(receiving, "send 'one'; expect 'one'; send 'two'; receive to end");
    wait_exit(receiving);
    expect_error(receiving, ETIMEDOUT);

    struct run sending = start_student(.function = "serve_client", .faults = "send 2 fails with EHOSTUNREACH");
    peer_connects(sending, "send '1'; expect '1'; send '2'; receive to end");
    wait_exit(sending);
    expect_error(sending, EHOSTUNREACH);
    expect(number_of(sending, "connection_open") == 1,
           "send() failed, and serve_client() has closed the connection: that is up to its caller");
    int lines;
    expect(said_received(sending, &lines) == 2,
           "send() failed after '1' and '2' had come, 2 bytes, and the lines \"received N\" add up to %zu",
           said_received(sending, &lines));
}

Test(talking, a_client_that_says_nothing,
     .description = "a client that ends without a word is the end, and no error: 0")
{
    struct run run = start_student(.function = "serve_client");
    struct peer client = peer_connects(run, "half-close; expect end");
    expect_happy(client);
    wait_exit(run);
    expect_result(run, 0);
}

Test(talking, a_reset_is_no_end, .description = "a reset is an error, and not the end: -1 with ECONNRESET")
{
    struct run run = start_student(.function = "serve_client");
    peer_connects(run, "send 'hello'; expect 'hello'; reset");
    wait_exit(run);
    expect_error(run, ECONNRESET);
}

Test(talking, survives_a_client_that_left,
     .description = "sending to a client that has left is an error, and not the end of your program")
{
    struct run run = start_student(.function = "serve_client", .args = {"--hold"}, .input_kind = INPUT_HELD,
                                   .faults = "recv takes at most 100 bytes; send takes at most 30 bytes");
    struct peer client = peer_connects(run, "send $1; close", .data = {a_message()});
    wait_done(client);
    type_text(run, "\n");
    wait_exit(run);
    expect_error_in(run, (int[]){EPIPE, ECONNRESET, 0});
}

Test(talking, leaves_the_connection_open, .description = "the connection stays open: closing it is up to the caller")
{
    const char *endings[] = {ECHO_ROUND, "send 'hello'; expect 'hello'; reset"};
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = "serve_client");
        peer_connects(run, endings[i]);
        wait_exit(run);
        expect(number_of(run, "connection_open") == 1, "serve_client() has closed the connection%s",
               i == 0 ? "" : " after an error");
    }
}

Test(talking, tells_what_it_received,
     .description = "it says EVENT_RECEIVED with the number of bytes that each recv() gave")
{
    struct bytes message = a_message();
    struct run run = start_student(.function = "serve_client", .faults = "recv takes 1 to 100 bytes");
    struct peer client = peer_connects(run, "send $1; half-close; receive to end", .data = {message});
    expect_received(client, message);
    wait_exit(run);
    int lines;
    size_t sum = said_received(run, &lines);
    expect(sum == message.len, "the lines \"received N\" add up to %zu bytes, and %zu came", sum, message.len);
    expect((size_t)lines >= message.len / 100,
           "recv() gave at most 100 bytes at a time, and there are only %d lines for %zu", lines, message.len);
    expect(strstr(output_of(run).data, "received 0\n") == NULL,
           "\"received 0\" was said: the end is no bytes received");
}

Test(talking, each_client_anew, .description = "a second conversation has nothing left over from the first")
{
    struct run run = start_student(.function = "serve_client", .times = "2");
    struct peer clients = peer_connects(run, "2 clients in turn: " ECHO_ROUND);
    expect_happy(clients);
    wait_exit(run);
    expect(result_of(run, 1) == 0 && result_of(run, 2) == 0,
           "two calls of serve_client() returned %lld and %lld, not 0 and 0", result_of(run, 1), result_of(run, 2));
}

/* ---- one_after_another: server_run() and the program ------------------------------------------- */

/* After a run that served many: each client's connection is closed. The server may keep a few of its own. */
static void expect_no_leak(struct run run, int before, int clients)
{
    int left = descriptors_of(run) - before;
    expect(left < clients / 2, "after %d clients, %d more descriptors are open than before", clients, left);
}

Test(one_after_another, serves_three_clients,
     .description = "server_run() serves its clients one after another, then returns 0")
{
    struct run run = start_student(.function = "server_run", .args = {"3"}, .stay = true);
    struct peer first = peer_connects(run, "wait for go; " ECHO_ROUND);
    wait_connected(first);
    wait_settled(run); /* the server waits for the client's first word, as it must */
    go(first);
    expect_happy(first);
    wait_settled(run); /* and now for the next one */
    struct peer others = peer_connects(run, "2 clients in turn: " ECHO_ROUND);
    finish(run);
    expect_result(run, 0);
    expect_happy(first);
    expect_happy(others);
}

Test(one_after_another, clients_in_the_queue,
     .description = "clients that wait in the queue are served when their turn comes")
{
    struct run run = start_student(.function = "server_run", .args = {"10"}, .stay = true);
    struct peer clients = peer_connects(run, "10 clients, each: " ECHO_ROUND);
    finish(run);
    expect_result(run, 0);
    expect_happy(clients);
}

Test(one_after_another, a_second_time, .description = "called again with a new listener, server_run() begins anew")
{
    struct run run = start_student(.function = "server_run", .args = {"2"}, .times = "2", .stay = true);
    for (int call = 1; call <= 2; call++) {
        struct peer clients = peer_connects(run, "2 clients in turn: " ECHO_ROUND);
        expect_happy(clients);
        wait_calls(run, call);
        expect(result_of(run, call) == 0, "call %d of server_run() returned %lld (%s), not 0", call,
               result_of(run, call), error_text(errno_of(run, call)));
    }
}

Test(one_after_another, no_limit, .description = "with 0 there is no limit: it goes on to accept")
{
    struct run run = start_student(.function = "server_run", .args = {"0"});
    struct peer clients = peer_connects(run, "5 clients in turn: " ECHO_ROUND);
    expect_happy(clients);
    struct peer one_more = peer_connects(run, ECHO_ROUND);
    expect_happy(one_more);
    expect(listener_address(run)[0] != '\0', "after six clients the listener is gone, though there is no limit");
}

Test(one_after_another, a_limit_far_away, .description = "with a limit of four billion clients it goes on to accept")
{
    struct run run = start_student(.function = "server_run", .args = {"4000000000"});
    struct peer clients = peer_connects(run, "2 clients in turn: " ECHO_ROUND);
    expect_happy(clients);
}

Test(one_after_another, nothing_left_open, .description = "two dozen clients later no connection is left open")
{
    struct run run = start_student(.function = "server_run", .args = {"24"}, .stay = true);
    wait_listening(run);
    int before = descriptors_of(run);
    struct peer clients = peer_connects(run, "24 clients in turn: " ECHO_ROUND);
    expect_happy(clients);
    wait_calls(run, 1);
    expect_no_leak(run, before, 24);
}

Test(one_after_another, the_program_tells_what_happens,
     .description = "the program tells of each client: client, received, gone, with its name and its bytes")
{
    struct bytes first_word = a_message(), second_word = a_text();
    struct run run = start_student(.args = {"--clients", "2", LOOPBACK, "0"});
    struct peer first = peer_connects(run, "send $1; expect $1; half-close; expect end", .data = {first_word});
    expect_happy(first);
    struct peer second = peer_connects(run, "send $1; expect $1; half-close; expect end", .data = {second_word},
                                       .at = a_long_address());
    expect_happy(second);
    expect_exit(run, 0);
    expect_output_contains(run, format("listening 127.0.0.1:"));
    expect_line(run, format("client %s", address_of(first)));
    expect_line(run, format("gone %s", address_of(first)));
    expect_line(run, format("client %s", address_of(second)));
    expect_line(run, format("gone %s", address_of(second)));
    const char *output = output_of(run).data;
    const char *first_gone = strstr(output, format("gone %s\n", address_of(first)));
    const char *received = strstr(output, "received ");
    expect(received == NULL || strstr(output, format("client %s\n", address_of(first))) < received,
           "the first client was told after what it said: a client is told when it has been accepted");
    expect(first_gone < strstr(output, format("client %s\n", address_of(second))),
           "the second client was told before the first was told gone: one after another");
    int lines;
    size_t sum = said_received(run, &lines), sent = first_word.len + second_word.len;
    expect(sum == sent, "the lines \"received N\" add up to %zu bytes, and the clients sent %zu", sum, sent);
}

Test(one_after_another, closed_before_it_is_gone,
     .description = "\"gone\" is told when the connection is closed, and not before")
{
    struct run run = start_student(.function = "server_run", .args = {"0"}, .faults = "close 1 waits");
    struct peer client = peer_connects(run, "half-close; expect end");
    wait_settled(run);
    const char *told = output_of(run).data;
    bool open = strcmp(state_of_student(client), "CLOSE_WAIT") == 0; /* fclose()'s own close() isn't held */
    expect(!open || told == NULL || strstr(told, "gone ") == NULL,
           "\"gone\" was told, and the connection is still open");
    release(run);
    expect_happy(client);
    wait_output(run, format("gone %s\n", address_of(client)));
}

Test(one_after_another, a_close_that_fails,
     .description = "a close() that reports EINTR has closed: a second one may hit somebody else's descriptor")
{
    /* The listener is the second to be closed. */
    const char *faults[] = {"close 1 fails with EINTR; close 3 fails with EINTR", "close 2 fails with EINTR"};
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = "server_run", .args = {"2"}, .faults = faults[i]);
        struct peer clients = peer_connects(run, "2 clients in turn: " ECHO_ROUND);
        expect_happy(clients);
        wait_exit(run);
        expect_result(run, 0);
        expect(count_failed(run, "close") == 0, "close() was called again on a descriptor that was closed already");
    }
}

/* ---- bad_clients: server_accept() and server_run() --------------------------------------------- */

Test(bad_clients, a_connection_aborted_in_the_queue,
     .description = "a connection that broke in the queue (ECONNABORTED) doesn't end the server")
{
    struct run run = start_student(.function = "server_run", .args = {"2"}, .stay = true,
                                   .faults = "accept 1-40 fails with ECONNABORTED; accept 42 fails with ECONNABORTED");
    struct peer clients = peer_connects(run, "2 clients in turn: " ECHO_ROUND);
    finish(run);
    expect_result(run, 0);
    expect_happy(clients);
}

Test(bad_clients, a_network_that_broke_in_the_queue,
     .description = "so it is with the network errors that accept(2) lists: server_accept() takes the next client")
{
    struct run run = start_student(.function = "server_accept", .times = "7", .stay = true,
                                   .faults = "accept 1 fails with EPROTO; accept 3 fails with ENETDOWN;"
                                             "accept 5 fails with ENETUNREACH; accept 7 fails with ENONET;"
                                             "accept 9 fails with ENOPROTOOPT; accept 11 fails with EHOSTDOWN;"
                                             "accept 13 fails with EHOSTUNREACH");
    struct peer clients = peer_connects(run, "7 clients, each: stay silent");
    wait_connected(clients);
    finish(run);
    for (int call = 1; call <= 7; call++)
        expect(result_of(run, call) >= 0,
               "when accept() failed with one of them, server_accept() returned %lld (%s), not the next connection",
               result_of(run, call), error_text(errno_of(run, call)));
}

Test(bad_clients, a_reset_ends_one_client, .description = "a client that resets ends its own conversation and no other")
{
    struct run run = start_student(.function = "server_run", .args = {"3"}, .stay = true);
    struct peer bad = peer_connects(run, "2 clients in turn: send 'hello'; expect 'hello'; reset");
    expect_happy(bad);
    struct peer good = peer_connects(run, ECHO_ROUND);
    finish(run);
    expect_result(run, 0);
    expect_happy(good);
}

Test(bad_clients, the_last_one_resets,
     .description = "a bad last client makes no failure of the whole: 0, and its end is told")
{
    struct run run = start_student(.args = {"--clients", "1", LOOPBACK, "0"});
    struct peer bad = peer_connects(run, "send 'hello'; expect 'hello'; reset");
    expect_exit(run, 0);
    expect_line(run, format("gone %s", address_of(bad)));
}

Test(bad_clients, a_reset_in_the_queue, .description = "a client that resets while it waits in the queue does no harm")
{
    struct run run = start_student(.function = "server_run", .args = {"0"});
    struct peer first = peer_connects(run, TWO_WORDS);
    wait_received(first, 5);
    struct peer bad = peer_connects(run, "send 'hello'; reset");
    wait_done(bad);
    go(first);
    struct peer good = peer_connects(run, ECHO_ROUND);
    expect_happy(first);
    expect_happy(good);
}

Test(bad_clients, silence_then_close, .description = "a client that leaves without a word is followed by the next")
{
    struct run run = start_student(.function = "server_run", .args = {"4"}, .stay = true);
    struct peer silent = peer_connects(run, "3 clients in turn: close");
    expect_happy(silent);
    struct peer good = peer_connects(run, ECHO_ROUND);
    finish(run);
    expect_result(run, 0);
    expect_happy(good);
}

Test(bad_clients, leaves_without_its_answer,
     .description = "a client that doesn't wait for its answer doesn't kill the server")
{
    struct run run = start_student(.function = "server_run", .args = {"3"}, .faults = "recv takes at most 100 bytes");
    struct peer first = peer_connects(run, TWO_WORDS);
    wait_received(first, 5);
    struct peer bad = peer_connects(run, "send $1; close", .data = {a_message()});
    wait_done(bad);
    go(first);
    struct peer good = peer_connects(run, ECHO_ROUND);
    expect_happy(good);
    wait_exit(run);
    expect_result(run, 0);
}

Test(bad_clients, bad_ones_leave_nothing_open, .description = "two dozen clients that reset leave no descriptor open")
{
    struct run run = start_student(.function = "server_run", .args = {"25"}, .stay = true);
    wait_listening(run);
    int before = descriptors_of(run);
    struct peer bad = peer_connects(run, "24 clients in turn: send 'hello'; expect 'hello'; reset");
    expect_happy(bad);
    struct peer good = peer_connects(run, ECHO_ROUND);
    expect_happy(good);
    wait_calls(run, 1);
    expect_no_leak(run, before, 24);
}

Test(bad_clients, no_descriptor_left,
     .description = "with no descriptor left it waits, without burning the processor, and serves when there is one")
{
    struct run run = start_student(.function = "server_run", .args = {"1"}, .nofile = 4);
    struct peer client = peer_connects(run, ECHO_ROUND);
    wait_recorded(run, "accept", 2);
    expect(!spins(run, "accept"),
           "accept() failed and is tried again almost at once, over and over: less than 9 ms lie between");
    raise_nofile(run, 64);
    expect_happy(client);
    wait_exit(run);
    expect_result(run, 0);
}

/* Nine waits are over at once, the first by a signal: how long is the tenth? */
Test(bad_clients, each_wait_is_short,
     .description = "each of these waits is a second at most, however often there is no descriptor")
{
    struct run run = start_student(.function = "server_run", .args = {"1"},
                                   .faults = "accept 1 waits; accept 1-10 fails with EMFILE; nap 1 fails with EINTR; "
                                             "nap 2-9 reaches its time limit; poll 1 fails with EINTR; "
                                             "poll 2-9 reaches its time limit");
    struct peer client = peer_connects(run, ECHO_ROUND);
    wait_connected(client);
    release(run);
    if (sleeps_for(run, 300) && count_calls(run, "accept") < 10)
        return; /* it waits by a call that nothing strikes: all its waits are in the way */
    expect(!sleeps_for(run, 1100), "accept() failed for the tenth time, and server_run() waits for more than a second");
    expect_happy(client);
    wait_exit(run);
    expect_result(run, 0);
}

Test(bad_clients, who_waits_is_served,
     .description = "who waits in the queue meanwhile is served later, and not hung up on")
{
    struct run run = start_student(.function = "server_run", .args = {"2"}, .stay = true,
                                   .faults = "accept 1 fails with EMFILE");
    struct peer clients = peer_connects(run, "2 clients in turn: " ECHO_ROUND);
    finish(run);
    expect_result(run, 0);
    expect_happy(clients);
}

Test(bad_clients, no_memory_for_a_moment,
     .description = "so it is when the kernel is short of memory or of files for a moment")
{
    struct run run = start_student(.function = "server_run", .args = {"1"}, .stay = true,
                                   .faults = "accept 1 fails with ENFILE; accept 2 fails with ENOBUFS; "
                                             "accept 3 fails with ENOMEM");
    struct peer client = peer_connects(run, ECHO_ROUND);
    finish(run);
    expect_result(run, 0);
    expect_happy(client);
}

Test(bad_clients, a_listener_of_no_use,
     .description = "a listener of no use is -1 with errno at once, and the caller's to close")
{
    struct run closed = run_student(.function = "server_run", .args = {"2", "--listener", "none"});
    expect_error(closed, EBADF);
    struct run unlistened = run_student(.function = "server_run", .args = {"0", "--listener", "unlistened"});
    expect_error(unlistened, EINVAL);
    expect(number_of(unlistened, "listener_open") == 1,
           "server_run() returned -1 and has closed the listener: that is the caller's");
}

/* ---- passive_and_active: server_run() and its last client -------------------------------------- */

static void expect_no_listener(struct run run, const char *when)
{
    const char *address = listener_address(run);
    expect(address[0] == '\0', "%s, %s still listens: new clients are let in that nobody will serve", when, address);
}

Test(passive_and_active, closes_the_listener_before_the_last,
     .description = "the last client accepted, new ones are refused, and its conversation goes on")
{
    struct run run = start_student(.function = "server_run", .args = {"1"});
    struct peer client = peer_connects(run, TWO_WORDS);
    wait_received(client, 5);
    expect_no_listener(run, "while the last client is served");
    go(client);
    expect_happy(client);
    wait_exit(run);
    expect_result(run, 0);
}

Test(passive_and_active, not_before_the_last,
     .description = "of two clients the first leaves the listener, the second ends it")
{
    struct run run = start_student(.function = "server_run", .args = {"2"});
    struct peer first = peer_connects(run, TWO_WORDS);
    wait_received(first, 5);
    expect(listener_address(run)[0] != '\0', "while the first of two clients is served, the listener is gone");
    struct peer second = peer_connects(run, "send 6 random bytes; expect the same; wait for go; " ECHO_ROUND);
    wait_connected(second);
    go(first);
    wait_received(second, 6);
    expect_no_listener(run, "while the second of two clients is served");
    go(second);
    expect_happy(first);
    expect_happy(second);
    wait_exit(run);
    expect_result(run, 0);
}

Test(passive_and_active, one_in_the_queue_is_turned_away,
     .description = "a client still in the queue is turned away when the listener closes, before the last is served")
{
    struct run run = start_student(.function = "server_run", .args = {"2"});
    struct peer first = peer_connects(run, TWO_WORDS);
    wait_received(first, 5);
    struct peer last = peer_connects(run, TWO_WORDS);
    wait_connected(last);
    struct peer too_late = peer_connects(run, "expect reset");
    wait_connected(too_late);
    go(first);
    expect_happy(too_late);
    go(last);
    expect_happy(last);
}

Test(passive_and_active, closed_once,
     .description = "the listener is closed once: its number may belong to somebody else by then")
{
    struct run run = start_student(.function = "server_run", .args = {"1", "--take"}, .input_kind = INPUT_HELD);
    struct peer client = peer_connects(run, TWO_WORDS);
    wait_received(client, 5);
    type_text(run, "\n");
    wait_output(run, "taken");
    go(client);
    expect_happy(client);
    finish(run);
    expect(number_of(run, "taken_open") == 1,
           "descriptor %lld was the listener, then a file; server_run() has closed that as well",
           number_of(run, "taken"));
}

Test(passive_and_active, the_listener_is_closed_at_the_end,
     .description = "when it returns 0 the listener is closed, even if close() reported an error")
{
    struct run run = start_student(.function = "server_run", .args = {"2"}, .faults = "close fails with EIO");
    struct peer clients = peer_connects(run, "2 clients in turn: " ECHO_ROUND);
    expect_happy(clients);
    wait_exit(run);
    expect_result(run, 0);
    expect(number_of(run, "listener_open") == 0, "server_run() returned 0 and the listener is still open");
}

Test(passive_and_active, no_memory_goes_wrong,
     .description = "from the first client to the last no memory is misused or lost (valgrind)")
{
    struct run run = start_student(.args = {"--clients", "2", LOOPBACK, "0"}, .under = MEMCHECK);
    wait_listening(run);
    wait_settled(run); /* it waits for a client, as it must: valgrind is slow enough to find one there else */
    struct peer clients = peer_connects(run, "2 clients in turn: " ECHO_ROUND);
    expect_happy(clients);
    expect_exit(run, 0);
    expect_clean_memory(run);
}
