/* Lab 1, client send: the suite. Each test is one promise of client_send.h. */
#include "suite.h"

#include <errno.h>
#include <string.h>

/* Each function is judged alone, so that a mistake in one isn't counted in another: in the tests of
 * send_all() the probe connects. What is sent differs in every run. */

static struct bytes a_text(void)
{
    return bytes_of(format("nihaoma-%u", random_number(0, UINT32_MAX)));
}

static struct bytes a_message(void)
{
    return random_bytes(random_number(1000, 5000));
}

/* What the nth call returned, for a message: "3", or "-1 (ECONNREFUSED: Connection refused)". */
static const char *returned(struct run run, int n)
{
    long long result = result_of(run, n);
    return result == -1 ? format("-1 (%s)", error_text(errno_of(run, n))) : format("%lld", result);
}

/* ---- connecting: client_connect() -------------------------------------------------------------- */

static void expect_connected(struct run run)
{
    expect(result_of(run, 1) != -1, "client_connect() returned %s, though a server listens there", returned(run, 1));
}

/* It keeps its descriptors when the calls are done, so that they can be counted. */
static void expect_nothing_left_open(struct run run, int calls)
{
    wait_calls(run, calls);
    int left = descriptors_of(run) - 3; /* standard input, output and error */
    expect(left == 0, "after %d calls, %d descriptors are still open", calls, left);
}

Test(connecting, reaches_the_server, .description = "client_connect() connects to a server that listens")
{
    struct peer server = peer_listens("expect end");
    struct run run = run_student(.function = "client_connect", .args = {LOOPBACK, port_of(server)});
    expect_connected(run);
    expect_happy(server);
}

Test(connecting, returns_the_connection, .description = "what client_connect() returns is the connection itself")
{
    struct bytes greeting = a_text();
    struct peer server = peer_listens("receive to end");
    run_student(.function = "client_connect", .args = {LOOPBACK, port_of(server), greeting.data});
    expect_received(server, greeting);
}

Test(connecting, dials_the_address_it_is_given, .description = "it dials the address it is given, whichever that is")
{
    const char *address = format("127.%u.%u.%u", random_number(1, 254), random_number(0, 255), random_number(2, 254));
    struct peer server = peer_listens("expect end", .at = address);
    struct run run = run_student(.function = "client_connect", .args = {address, port_of(server)});
    expect_connected(run);
    expect_happy(server);
}

Test(connecting, refused, .description = "where nobody listens it returns -1, and errno is ECONNREFUSED")
{
    struct peer nobody = peer_listens("refuse");
    struct run run = run_student(.function = "client_connect", .args = {LOOPBACK, port_of(nobody)});
    expect_error(run, ECONNREFUSED);
}

Test(connecting, text_that_is_no_address, .description = "text that is no address is EINVAL, and nobody is dialled")
{
    const char *texts[] = {"abc", "localhost", "300.0.0.1", "127.0.0.1.1", "127.0.0.1 x", "", NULL};
    for (const char **text = texts; *text != NULL; text++) {
        struct peer server = peer_listens("expect end");
        struct run run = run_student(.function = "client_connect", .args = {*text, port_of(server)});
        expect(result_of(run, 1) == -1 && errno_of(run, 1) == EINVAL,
               "client_connect(\"%s\", …) returned %s, not -1 with EINVAL", *text, returned(run, 1));
        expect_nothing_sent(server);
    }
}

Test(connecting, no_socket_to_be_had, .description = "when socket() fails its errno comes back")
{
    struct peer server = peer_listens("expect end");
    struct run run = run_student(.function = "client_connect", .args = {LOOPBACK, port_of(server)},
                                 .faults = "socket fails with EMFILE");
    expect_error(run, EMFILE);
}

Test(connecting, errno_survives_close, .description = "errno is that of connect(), whatever close() does to it")
{
    struct peer server = peer_listens("expect end");
    struct run run = run_student(.function = "client_connect", .args = {LOOPBACK, port_of(server)},
                                 .faults = "connect fails with ETIMEDOUT; close leaves errno EIO");
    expect_error(run, ETIMEDOUT);
}

Test(connecting, nothing_left_open_when_refused,
     .description = "50 calls that are refused, or fail at once, leave no descriptor open")
{
    struct peer nobody = peer_listens("refuse");
    const char *faults[] = {NULL, "connect fails with ENETUNREACH"};
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = "client_connect", .args = {LOOPBACK, port_of(nobody)}, .times = "50",
                                       .stay = true, .faults = faults[i]);
        expect_nothing_left_open(run, 50);
    }
}

Test(connecting, nothing_left_open_without_address,
     .description = "50 calls with an address that is none leave no descriptor open")
{
    struct run run = start_student(.function = "client_connect", .args = {"300.0.0.1", "7788"}, .times = "50",
                                   .stay = true);
    expect_nothing_left_open(run, 50);
}

Test(connecting, descriptor_0_is_one_too,
     .description = "with standard input closed socket() returns 0, and that is a descriptor like any other")
{
    struct bytes greeting = a_text();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "client_connect", .args = {LOOPBACK, port_of(server), greeting.data},
                                 .input_kind = INPUT_CLOSED);
    expect_connected(run);
    expect_received(server, greeting);
}

/* ---- sending_text: send_all(), one send() is enough --------------------------------------------- */

Test(sending_text, a_short_text_arrives, .description = "send_all() sends a short text")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server), text.data});
    expect_result(run, 0);
    expect_received(server, text);
}

Test(sending_text, bytes_not_characters, .description = "你好 is 6 bytes in UTF-8 and 4 in GBK, and all of them arrive")
{
    struct bytes texts[] = {bytes_of("\xe4\xbd\xa0\xe5\xa5\xbd"), bytes_of("\xc4\xe3\xba\xc3")};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("receive to end");
        struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = texts[i]);
        expect_result(run, 0);
        expect_received(server, texts[i]);
    }
}

Test(sending_text, nothing_but_the_message,
     .description = "nothing goes out but the len bytes, even where more bytes follow in memory")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = text);
    expect_result(run, 0);
    expect_received(server, text);
}

Test(sending_text, nothing_to_send, .description = "len 0 sends nothing, and is a success")
{
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = bytes_of(""));
    expect_result(run, 0);
    expect_received(server, bytes_of(""));
}

Test(sending_text, the_connection_stays_open,
     .description = "send_all() leaves the connection open: two messages go one after the other")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server), text.data}, .times = "2");
    expect(number_of(run, "open") == 1, "send_all() closed a descriptor that belongs to its caller");
    expect(result_of(run, 2) == 0, "the second send_all() returned %s, not 0", returned(run, 2));
    expect_received(server, join_bytes(text, text));
}

Test(sending_text, a_failure_is_told, .description = "when send() fails, send_all() returns -1 with its errno")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("expect end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server), text.data},
                                 .faults = "send fails with ENOBUFS");
    expect_error(run, ENOBUFS);
}

/* ---- sending_everything: send_all(), whatever send() does --------------------------------------- */

Test(sending_everything, any_bytes, .description = "any bytes arrive as they are, NULs too")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message);
    expect_result(run, 0);
    expect_received(server, message);
}

Test(sending_everything, short_counts, .description = "send() may take fewer bytes than you give it; the rest follows")
{
    struct bytes message = random_bytes(7 * random_number(150, 700) + 1); /* the last piece is one byte */
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message,
                                 .faults = "send takes at most 7 bytes");
    expect_result(run, 0);
    expect_received(server, message);
}

Test(sending_everything, counts_that_vary, .description = "send() may take another number of bytes each time")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message,
                                 .faults = "send takes 1 to 500 bytes");
    expect_result(run, 0);
    expect_received(server, message);
}

Test(sending_everything, interrupted_at_first,
     .description = "a signal may interrupt send() before it has taken any byte (EINTR)")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message,
                                 .faults = "send 1-40 fails with EINTR");
    expect_result(run, 0);
    expect_received(server, message);
}

Test(sending_everything, interrupted_midway,
     .description = "EINTR among short counts: nothing is lost and nothing is sent twice")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message,
                                 .faults = "every 3rd send fails with EINTR; send takes 1 to 500 bytes");
    expect_result(run, 0);
    expect_received(server, message);
}

Test(sending_everything, other_errors_end_it,
     .description = "any other error in the middle ends it: -1, and errno as send() left it")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message,
                                 .faults = "send 3 fails with ENOBUFS; send takes at most 100 bytes");
    expect_error(run, ENOBUFS);
}

Test(sending_everything, round_lengths, .description = "a message may be of any length: 1 byte, 4096, 65536")
{
    const size_t lengths[] = {1, 1024, 4096, 65536};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct bytes message = random_bytes(lengths[i]);
        struct peer server = peer_listens("receive to end");
        struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message);
        expect_result(run, 0);
        expect_received(server, message);
    }
}

Test(sending_everything, again_after_an_error,
     .description = "a call that failed leaves nothing behind: the next one sends its message whole")
{
    struct bytes message = random_bytes(200);
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message,
                                 .times = "2", .faults = "send 2 fails with ENOBUFS; send takes at most 1 byte");
    expect_result(run, 0);
    struct bytes first = {message.data, 1};
    expect_received(server, join_bytes(first, message));
}

/* The peer reads none of it: what counts is that send_all() comes as far as waiting for room. */
Test(sending_everything, more_than_a_stack_holds,
     .description = "a message may be 64 MiB: more than there is room for on the stack")
{
    struct peer server = peer_listens("small buffers; never read");
    start_student(.function = "send_all", .args = {"--mebibytes", "64", LOOPBACK, port_of(server)});
    wait_full(server);
}

/* Many a counter holds 0 for 2 to the 32nd. The peer leaves soon: nobody sends four gigabytes here. */
Test(sending_everything, more_than_an_int_counts,
     .description = "a message may be 4 GiB: more than an int or an unsigned can count")
{
    struct peer server = peer_listens("receive 1000 bytes; reset");
    struct run run = run_student(.function = "send_all", .args = {"--mebibytes", "4096", LOOPBACK, port_of(server)});
    expect(result_of(run, 1) == -1, "of 4 GiB the peer took 1000 bytes, and reset; send_all() returned %s, not -1",
           returned(run, 1));
    expect_error_in(run, (int[]){ECONNRESET, EPIPE, ENOMEM, 0});
}

/* Only who waits in poll(), or has a time limit, is struck. */
Test(sending_everything, waits_for_room,
     .description = "while it waits for room a signal may come, and a long time may go by")
{
    struct bytes message = random_bytes(random_number(50000, 60000));
    const char *faults[] = {"every 2nd poll fails with EINTR",
                            "poll 1-3 reaches its time limit; send 1-2 reaches its time limit"};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("small buffers; receive to end slowly");
        struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message,
                                     .faults = faults[i]);
        expect_result(run, 0);
        expect_received(server, message);
    }
}

Test(sending_everything, megabytes_to_a_slow_reader,
     .description = "a megabyte and more arrives whole at a peer that reads slowly")
{
    struct bytes message = random_bytes(random_number(1000000, 1500000));
    struct peer server = peer_listens("receive to end slowly");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message);
    expect_result(run, 0);
    expect_received(server, message);
}

/* "No more from me" isn't "I don't listen any more": a read would give 0 here. */
Test(sending_everything, a_peer_that_only_listens,
     .description = "a peer that has ended its own side still listens: all arrives there")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("accept; half-close; receive to end");
    struct run run = run_student(.function = "send_all", .args = {"--when-left", LOOPBACK, port_of(server)},
                                 .input = message);
    expect_result(run, 0);
    expect_received(server, message);
}

/* ---- peer_leaves: client_send(), and send_all() to a peer that has gone ------------------------- */

/* This peer half-closes when it has the message, so that a client which reads an answer (and shouldn't) gets on. */
Test(peer_leaves, connects_sends_closes, .description = "client_send() connects, sends the bytes, and closes")
{
    struct bytes message = a_message();
    struct peer server = peer_listens(format("receive %zu bytes; half-close; expect end", message.len));
    struct run run = run_student(.function = "client_send", .args = {LOOPBACK, port_of(server)}, .input = message);
    expect_result(run, 0);
    expect_received(server, message);
}

Test(peer_leaves, takes_as_long_as_the_peer,
     .description = "client_send() waits for a slow peer, however long that takes")
{
    struct peer server = peer_listens("small buffers; never read");
    struct run run = start_student(.function = "client_send", .args = {LOOPBACK, port_of(server), "--mebibytes", "64"});
    wait_blocked(run, "send");
    long long limit = option_of(run, server, "TCP_USER_TIMEOUT");
    expect(limit == 0, "a peer that takes nothing for %lld ms is given up: so says the connection's TCP_USER_TIMEOUT",
           limit);
}

Test(peer_leaves, nobody_there, .description = "where nobody listens client_send() returns -1 with ECONNREFUSED")
{
    struct peer nobody = peer_listens("refuse");
    struct run run = run_student(.function = "client_send", .args = {LOOPBACK, port_of(nobody), "hello"});
    expect_error(run, ECONNREFUSED);
}

Test(peer_leaves, survives_a_peer_that_left,
     .description = "sending to a peer that has left is an error, and not the end of your program")
{
    struct peer server = peer_listens("accept; wait for go; reset");
    struct run run = start_student(.function = "send_all", .args = {"--when-left", LOOPBACK, port_of(server), "hello"},
                                   .times = "2");
    wait_blocked(run, "poll"); /* the probe's connect() is over: a reset before that would make it fail */
    go(server);
    wait_exit(run);
    for (int call = 1; call <= 2; call++)
        expect(result_of(run, call) == -1 && (errno_of(run, call) == ECONNRESET || errno_of(run, call) == EPIPE),
               "call %d of send_all(), after the peer had left, returned %s, not -1 with ECONNRESET or EPIPE", call,
               returned(run, call));
}

Test(peer_leaves, leaves_midway,
     .description = "a peer may leave in the middle: an error, and not the end of your program")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("receive 1 byte; close");
    struct run run = start_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message,
                                   .faults = "send 2 waits; send takes at most 1 byte");
    wait_done(server);
    release(run);
    wait_exit(run);
    expect_error_in(run, (int[]){ECONNRESET, EPIPE, 0});
}

Test(peer_leaves, reset_before_the_send,
     .description = "a peer that resets the connection first is an error, and client_send() tells it")
{
    struct peer server = peer_listens("accept; wait for go; reset");
    struct run run = start_student(.function = "client_send", .args = {LOOPBACK, port_of(server), "hello"},
                                   .faults = "send 1 waits");
    go_before(run, "send", server);
    wait_exit(run);
    expect_error_in(run, (int[]){ECONNRESET, EPIPE, 0});
}

Test(peer_leaves, errno_survives_close,
     .description = "errno is that of the send that failed, whatever close() does to it")
{
    struct peer server = peer_listens("expect end");
    struct run run = run_student(.function = "client_send", .args = {LOOPBACK, port_of(server), "hello"},
                                 .faults = "send fails with ETIMEDOUT; close leaves errno EIO");
    expect_error(run, ETIMEDOUT);
}

Test(peer_leaves, nothing_left_open, .description = "50 calls, good and bad, leave no descriptor open")
{
    struct peer server = peer_listens("50 times: receive to end");
    struct run run = start_student(.function = "client_send", .args = {LOOPBACK, port_of(server), "hello"},
                                   .times = "50", .stay = true, .faults = "every 2nd send fails with ETIMEDOUT");
    expect_nothing_left_open(run, 50);
}

Test(peer_leaves, closes_once, .description = "a descriptor is closed once: a second close() may hit another one")
{
    struct peer server = peer_listens("4 times: receive to end");
    struct run run = run_student(.function = "client_send", .args = {LOOPBACK, port_of(server), "hello"}, .times = "4",
                                 .faults = "every 2nd send fails with ETIMEDOUT");
    expect(count_failed(run, "close") == 0, "close() was called %d times on a descriptor that was closed already",
           count_failed(run, "close"));
}

Test(peer_leaves, an_empty_message, .description = "with nothing to send client_send() still connects and closes")
{
    struct peer server = peer_listens("expect end");
    struct run run = run_student(.function = "client_send", .args = {LOOPBACK, port_of(server), ""});
    expect_result(run, 0);
    expect_happy(server);
}

Test(peer_leaves, another_server, .description = "the next call goes to the server that it names, not to the first")
{
    struct bytes text = a_text();
    struct peer first = peer_listens("receive to end"), second = peer_listens("receive to end", .at = "127.0.0.2");
    run_student(.function = "client_send", .args = {LOOPBACK, port_of(first), text.data, "127.0.0.2", port_of(second)});
    expect_received(first, text);
    expect_received(second, text);
}

Test(peer_leaves, prints_nothing, .description = "client_send() prints nothing, whatever happens: its caller may")
{
    struct peer nobody = peer_listens("refuse");
    struct run run = run_student(.function = "client_send", .args = {LOOPBACK, port_of(nobody), "hello"});
    expect_output(run, bytes_of(""));
    expect(errors_of(run)[0] == '\0', "client_send() wrote to standard error: %s", errors_of(run));
}

Test(peer_leaves, again_and_again,
     .description = "client_send() can be called again: each call is a conversation of its own")
{
    struct peer server = peer_listens("3 times: expect 'hello'; expect end");
    run_student(.function = "client_send", .args = {LOOPBACK, port_of(server), "hello"}, .times = "3");
    expect_happy(server);
}

Test(peer_leaves, waits_for_no_answer,
     .description = "client_send() returns once all is sent, though the peer never says a word")
{
    struct peer server = peer_listens("receive 5 bytes; stay silent");
    struct run run = run_student(.function = "client_send", .args = {LOOPBACK, port_of(server), "hello"});
    expect_result(run, 0);
}

/* Only a time limit that the connection has can be over: who sets none isn't struck. */
Test(peer_leaves, has_no_time_limit,
     .description = "a peer may be slow: client_send() waits until all is sent, however long that takes")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "client_send", .args = {LOOPBACK, port_of(server)}, .input = message,
                                 .faults = "send 1-2 reaches its time limit");
    expect_result(run, 0);
    expect_received(server, message);
}

Test(peer_leaves, descriptor_0_is_one_too,
     .description = "with standard input closed the connection is descriptor 0: it sends, and is closed")
{
    struct peer first = peer_listens("receive to end"), second = peer_listens("receive to end");
    struct run run = start_student(.function = "client_send",
                                   .args = {LOOPBACK, port_of(first), "hello", LOOPBACK, port_of(second)},
                                   .input_kind = INPUT_CLOSED, .faults = "socket 2 waits");
    wait_calls(run, 1);
    expect(result_of(run, 1) == 0, "client_send() returned %s, not 0", returned(run, 1));
    expect_received(first, bytes_of("hello"));
}

Test(peer_leaves, the_program_sends_a_message, .description = "the program sends its MESSAGE and exits with 0")
{
    struct bytes message = join_bytes(bytes_of("你好, "), a_text());
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.args = {LOOPBACK, port_of(server), message.data});
    expect_exit(run, 0);
    expect_received(server, message);
}

Test(peer_leaves, the_program_sends_its_input,
     .description = "with MESSAGE - the program sends all of standard input, whatever the bytes")
{
    struct bytes message = random_bytes(200000);
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.args = {LOOPBACK, port_of(server), "-"}, .input = message);
    expect_exit(run, 0);
    expect_received(server, message);
}

Test(peer_leaves, the_program_says_why, .description = "when it can't send, the program says why and exits with 1")
{
    struct peer nobody = peer_listens("refuse");
    struct run run = run_student(.args = {LOOPBACK, port_of(nobody), "hello"});
    expect_exit(run, 1);
    expect_errors_contain(run, format("client_send: 127.0.0.1:%s: Connection refused\n", port_of(nobody)));
}

/* ---- prompts: prompt_line() and the whole dialogue ---------------------------------------------- */

/* Bytes as a learner can read them in a message. */
static const char *shown_byte(unsigned char byte)
{
    if (byte == '\n')
        return "\\n";
    if (byte == '\r')
        return "\\r";
    return byte >= ' ' && byte <= '~' ? format("%c", byte) : format("\\x%02x", byte);
}

static const char *shown(struct bytes bytes)
{
    const char *text = "";
    for (size_t i = 0; i < bytes.len && i < 40; i++)
        text = format("%s%s", text, shown_byte(((const unsigned char *)bytes.data)[i]));
    return format("\"%s\"%s", text, bytes.len > 40 ? "…" : "");
}

/* The nth call of prompt_line() returned 1, with this line. */
static void expect_answer(struct run run, int n, struct bytes line)
{
    expect(result_of(run, n) == 1, "call %d of prompt_line() returned %s, not 1 with the line %s", n, returned(run, n),
           shown(line));
    struct bytes got = bytes_reported(run, format("line%d", n));
    expect(got.len == line.len && memcmp(got.data, line.data, line.len) == 0,
           "call %d of prompt_line() gave the line %s, not %s", n, shown(got), shown(line));
}

Test(prompts, asks_and_returns_the_line,
     .description = "prompt_line() shows the prompt and returns the line without its newline")
{
    struct bytes line = a_text();
    struct run run = run_student(.function = "prompt_line", .args = {"message: ", "100"},
                                 .input = join_bytes(line, bytes_of("\n")));
    expect_answer(run, 1, line);
    expect_output(run, bytes_of("message: "));
}

Test(prompts, the_prompt_comes_first, .description = "the prompt is there before it waits, through a pipe too")
{
    struct run run = start_student(.function = "prompt_line", .args = {"message: ", "100"}, .input_kind = INPUT_HELD);
    wait_output(run, "message: ");
    type_text(run, "hello\n");
    finish(run); /* the line is reported after the call */
    expect_answer(run, 1, bytes_of("hello"));
}

Test(prompts, a_line_in_parts, .description = "a line may come in parts, as somebody types it, and is one line")
{
    struct run run = start_student(.function = "prompt_line", .args = {"message: ", "100"}, .input_kind = INPUT_HELD);
    wait_output(run, "message: ");
    type_text(run, "hel");
    wait_blocked(run, "read");
    type_text(run, "lo\n");
    finish(run);
    expect_answer(run, 1, bytes_of("hello"));
}

Test(prompts, the_prompt_as_it_is, .description = "the prompt is shown as it is, with every % in it")
{
    struct run run = run_student(.function = "prompt_line", .args = {"100%d sure, %s%%? ", "100"},
                                 .input = bytes_of("yes\n"));
    expect_answer(run, 1, bytes_of("yes"));
    expect_output(run, bytes_of("100%d sure, %s%%? "));
}

Test(prompts, each_call_gets_the_next_line,
     .description = "each call gets the next line, even if all of them came at once")
{
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "100"}, .times = "3",
                                 .input = bytes_of("one\ntwo\nthree\n"));
    expect_answer(run, 1, bytes_of("one"));
    expect_answer(run, 2, bytes_of("two"));
    expect_answer(run, 3, bytes_of("three"));
    expect_output(run, bytes_of("> > > "));
}

Test(prompts, the_end_of_the_input, .description = "at the end of the input it returns 0")
{
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "100"}, .times = "2",
                                 .input = bytes_of("hello\n"));
    expect_answer(run, 1, bytes_of("hello"));
    expect_result(run, 0);
}

/* The first run tells a last line that is lost from one that the call before it has taken. */
Test(prompts, a_last_line_without_newline, .description = "a last line without a newline is a line")
{
    struct run only = run_student(.function = "prompt_line", .args = {"> ", "100"}, .input = bytes_of("only"));
    expect_answer(only, 1, bytes_of("only"));
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "100"}, .times = "3",
                                 .input = bytes_of("one\ntwo"));
    expect_answer(run, 1, bytes_of("one"));
    expect_answer(run, 2, bytes_of("two"));
    expect_result(run, 0);
}

Test(prompts, an_empty_line, .description = "an empty line is a line")
{
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "100"}, .times = "2",
                                 .input = bytes_of("\nhello\n"));
    expect_answer(run, 1, bytes_of(""));
    expect_answer(run, 2, bytes_of("hello"));
}

Test(prompts, only_the_newline_goes,
     .description = "only the newline goes: blanks, carriage returns and bytes beyond ASCII stay")
{
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "100"}, .times = "3",
                                 .input = bytes_of("  two \t words \nfrom Windows\r\n\xc4\xe3\xff\xfe\n"));
    expect_answer(run, 1, bytes_of("  two \t words "));
    expect_answer(run, 2, bytes_of("from Windows\r"));
    expect_answer(run, 3, bytes_of("\xc4\xe3\xff\xfe"));
}

Test(prompts, a_long_line, .description = "a line of thousands of bytes is a line, where there is room for it")
{
    struct bytes line = random_text(random_number(1000, 4000));
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "4096"},
                                 .input = join_bytes(line, bytes_of("\n")));
    expect_answer(run, 1, line);
}

Test(prompts, a_line_that_just_fits,
     .description = "a line that just fits with its NUL is a line, the next one is right, and so is the last")
{
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "6"}, .times = "3",
                                 .input = bytes_of("hello\nworld\nagain"));
    expect_answer(run, 1, bytes_of("hello"));
    expect_answer(run, 2, bytes_of("world"));
    expect_answer(run, 3, bytes_of("again"));
}

static void expect_too_long(struct run run, int n)
{
    expect(result_of(run, n) == -1 && errno_of(run, n) == EMSGSIZE,
           "call %d of prompt_line() returned %s for a line too long, not -1 with EMSGSIZE", n, returned(run, n));
}

Test(prompts, a_line_too_long,
     .description = "a line that doesn't fit is EMSGSIZE, and the next call gets the next line")
{
    struct bytes rest = random_text(random_number(0, 6000));
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "6"}, .times = "2",
                                 .input = join_bytes(join_bytes(bytes_of("hello!"), rest), bytes_of("\nnext\n")));
    expect_too_long(run, 1);
    expect_answer(run, 2, bytes_of("next"));
}

Test(prompts, a_room_of_1_byte, .description = "a room of 1 byte holds an empty line, and no other")
{
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "1"}, .times = "4",
                                 .input = bytes_of("\na\nlast"));
    expect_answer(run, 1, bytes_of(""));
    expect_too_long(run, 2);
    expect_too_long(run, 3);
    expect_result(run, 0);
}

Test(prompts, stays_in_its_room, .description = "it writes nothing beyond the cap bytes it was given")
{
    unsigned cap = random_number(2, 30);
    struct run run = run_student(.function = "prompt_line", .args = {"> ", format("%u", cap)}, .times = "3",
                                 .input = bytes_of(format("%s\n%s\n%s", (const char *)random_text(cap - 1).data,
                                                          (const char *)random_text(cap).data,
                                                          (const char *)random_text(cap + 60).data)));
    expect(number_of(run, "beyond") == 0, "prompt_line() with cap %u wrote %lld bytes beyond them", cap,
           number_of(run, "beyond"));
}

Test(prompts, reading_fails, .description = "when reading fails it returns -1 with that errno, and not 0")
{
    struct run run = run_student(.function = "prompt_line", .args = {"> ", "100"}, .input_kind = INPUT_CLOSED);
    expect_error(run, EBADF);
}

Test(prompts, a_dialogue_at_a_terminal,
     .description = "at a terminal the program asks for IP, port and message, and sends it")
{
    struct peer server = peer_listens("receive to end");
    struct run run = start_student(.input_kind = INPUT_TERMINAL);
    wait_output(run, "server IP: ");
    type_text(run, "127.0.0.1\n");
    wait_output(run, "port: ");
    type_text(run, format("%s\n", port_of(server)));
    wait_output(run, "message: ");
    type_text(run, "你好, server\n");
    expect_exit(run, 0);
    expect_received(server, bytes_of("你好, server"));
}

Test(prompts, a_dialogue_through_a_pipe, .description = "through a pipe it is the same dialogue")
{
    struct bytes message = a_text();
    struct peer server = peer_listens("receive to end");
    struct bytes answers = bytes_of(format("127.0.0.1\n%s\n%s\n", port_of(server), (const char *)message.data));
    struct run run = start_student(.input_kind = INPUT_HELD, .input = answers);
    expect_exit(run, 0);
    expect_output(run, bytes_of("server IP: port: message: "));
    expect_received(server, message);
}

Test(prompts, no_memory_goes_wrong, .description = "in the whole dialogue no memory is misused or lost (valgrind)")
{
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.input = bytes_of(format("127.0.0.1\n%s\n\n", port_of(server))), .under = MEMCHECK);
    expect_exit(run, 0);
    expect_clean_memory(run);

    const char *lines = "";
    for (int i = 0; i < 41; i++)
        lines = format("%shello\n", lines);
    expect_steady_memory(
        run_student(.function = "prompt_line", .args = {"", "100"}, .input = bytes_of(lines), .times = "41"));
}
