/* Lab 2, client recv: the suite. Each test is one promise of client_recv.h. */
#include "suite.h"

#include <errno.h>
#include <string.h>

/* Each function is judged alone: in the tests of the first four the probe connects. A peer that sends
 * "in pieces" sends the next one only after the one before has been received, so that each recv() finds
 * one; and with "--when-queued" or "--when-left" all has arrived before the first recv(). */

static struct bytes a_text(void)
{
    return bytes_of(format("nihaoma-%u", random_number(0, UINT32_MAX)));
}

static struct bytes a_message(void)
{
    return random_bytes(random_number(1000, 5000));
}

static struct bytes part(struct bytes whole, size_t from, size_t to)
{
    return (struct bytes){(const char *)whole.data + from, to - from};
}

static const char *number_text(size_t number)
{
    return format("%zu", number);
}

/* What the nth call returned, for a message: "3", or "-1 (ECONNREFUSED: Connection refused)". */
static const char *returned(struct run run, int n)
{
    long long result = result_of(run, n);
    return result == -1 ? format("-1 (%s)", error_text(errno_of(run, n))) : format("%lld", result);
}

/* ---- what each call gave ----------------------------------------------------------------------- */

static struct bytes data_of(struct run run, int n)
{
    return bytes_reported(run, format("data%d", n));
}

/* The nth call returned the number of these bytes, and stored them. */
static void expect_data(struct run run, int n, struct bytes data)
{
    expect(result_of(run, n) == (long long)data.len, "%s returned %s, not %zu", call_name(run, n), returned(run, n),
           data.len);
    expect_same(run, format("what call %d stored", n), data_of(run, n), data);
}

static void expect_end(struct run run, int n)
{
    expect(result_of(run, n) == 0, "%s, at the end of the stream, returned %s, not 0", call_name(run, n),
           returned(run, n));
}

static void expect_failure(struct run run, int n, int errnum)
{
    expect(result_of(run, n) == -1 && errno_of(run, n) == errnum, "%s returned %s, not -1 (%s)", call_name(run, n),
           returned(run, n), error_text(errnum));
}

/* What the probe, after the calls, still found in the socket. */
static void expect_rest(struct run run, struct bytes rest)
{
    expect(number_of(run, "open") == 1, "the connection was closed, and it belongs to the caller");
    expect_same(run, "what was left in the socket", bytes_reported(run, "rest"), rest);
}

static void expect_in_room(struct run run)
{
    expect(number_of(run, "before") == 0, "%lld bytes were written before the room", number_of(run, "before"));
    expect(number_of(run, "behind") == 0, "%lld bytes were written behind the room", number_of(run, "behind"));
}

/* ---- one recv: recv_some() --------------------------------------------------------------------- */

Test(one_recv, returns_what_came, .description = "recv_some() stores what has come, and returns how much that is")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("send $1; close", .data = {text});
    struct run run = run_student(.function = "recv_some", .args = {"--when-left", LOOPBACK, port_of(server), "1024"});
    expect_data(run, 1, text);
}

Test(one_recv, waits_for_no_more, .description = "it returns once anything has come, and doesn't wait for more")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("send $1; stay silent", .data = {text});
    struct run run = run_student(.function = "recv_some", .args = {LOOPBACK, port_of(server), "1024"});
    expect_data(run, 1, text);
}

Test(one_recv, waits_for_the_first, .description = "while nothing has come it waits, and a silent peer is no end")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("accept; wait for go; send $1; close", .data = {text});
    struct run run = start_student(.function = "recv_some", .args = {"--at-once", LOOPBACK, port_of(server), "1024"});
    wait_blocked(run, "recv");
    go(server);
    wait_exit(run);
    expect_data(run, 1, text);
}

Test(one_recv, at_most_cap, .description = "cap is the most: what there is no room for stays for the next call")
{
    struct bytes message = random_bytes(random_number(200, 400));
    unsigned cap = random_number(50, 90);
    struct peer server = peer_listens("send $1; close", .data = {message});
    struct run run = run_student(.function = "recv_some", .times = "2",
                                 .args = {"--when-left", "--rest", LOOPBACK, port_of(server), number_text(cap)});
    expect_data(run, 1, part(message, 0, cap));
    expect_data(run, 2, part(message, cap, (size_t)2 * cap));
    expect_rest(run, part(message, (size_t)2 * cap, message.len));
}

Test(one_recv, one_piece_a_call, .description = "what is sent in pieces comes in pieces: each call gets the next")
{
    struct bytes one = a_text(), two = a_text(), three = a_text();
    struct peer server = peer_listens("send $1 $2 $3 in pieces; close", .data = {one, two, three});
    struct run run = run_student(.function = "recv_some", .args = {LOOPBACK, port_of(server), "1024"}, .times = "3");
    expect_data(run, 1, one);
    expect_data(run, 2, two);
    expect_data(run, 3, three);
}

Test(one_recv, the_end_comes_last, .description = "the end of the stream is 0, after all that came before it")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("send $1; close", .data = {text});
    struct run run = run_student(.function = "recv_some", .times = "3",
                                 .args = {"--when-left", LOOPBACK, port_of(server), "1024"});
    expect_data(run, 1, text);
    expect_end(run, 2);
    expect_end(run, 3);
}

Test(one_recv, any_bytes, .description = "any bytes are stored as they are, NULs too, and thousands of them as well")
{
    struct bytes message = join_bytes(bytes_of("before\xff\n"),
                                      join_bytes((struct bytes){"\0", 1}, random_bytes(6000)));
    struct peer server = peer_listens("send $1; close", .data = {message});
    struct run run = run_student(.function = "recv_some", .args = {"--when-left", LOOPBACK, port_of(server), "65536"});
    expect_data(run, 1, message);
}

Test(one_recv, stays_in_its_room, .description = "a full room is filled, and nothing is written outside it")
{
    struct bytes message = random_bytes(random_number(20, 60));
    struct peer server = peer_listens("send $1; close", .data = {message});
    struct run run = run_student(.function = "recv_some", .times = "2",
                                 .args = {"--when-left", LOOPBACK, port_of(server), number_text(message.len)});
    expect_data(run, 1, message);
    expect_in_room(run);
}

Test(one_recv, a_reset_is_no_end, .description = "a reset is -1 with ECONNRESET, and not the end")
{
    struct peer server = peer_listens("accept; wait for go; reset");
    struct run run = start_student(.function = "recv_some", .args = {"--when-left", LOOPBACK, port_of(server), "1024"});
    wait_blocked(run, "poll"); /* the probe's connect() is over: a reset before that would make it fail */
    go(server);
    wait_exit(run);
    expect_failure(run, 1, ECONNRESET);
    expect_in_room(run);
}

/* The kernel tells a reset once: whoever hears of it while asking for more, and says nothing, has lost it. */
Test(one_recv, a_reset_after_some, .description = "what came before a reset is given first, and then the reset is told")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("accept; wait for go; send $1; reset", .data = {text});
    struct run run = start_student(.function = "recv_some", .args = {"--when-left", LOOPBACK, port_of(server), "1024"},
                                   .times = "2");
    wait_blocked(run, "poll");
    go(server);
    wait_exit(run);
    expect_data(run, 1, text);
    expect_failure(run, 2, ECONNRESET);
}

Test(one_recv, a_failure_is_told, .description = "when recv() fails it returns -1, with recv()'s errno")
{
    struct peer server = peer_listens("send 'hello'; close");
    struct run run = run_student(.function = "recv_some", .args = {LOOPBACK, port_of(server), "1024"},
                                 .faults = "recv fails with ETIMEDOUT");
    expect_failure(run, 1, ETIMEDOUT);
    expect_in_room(run);
}

Test(one_recv, interrupted, .description = "a signal that interrupts recv() loses nothing (EINTR)")
{
    struct bytes text = a_text();
    struct peer server = peer_listens("send $1; close", .data = {text});
    struct run run = run_student(.function = "recv_some", .args = {"--when-left", LOOPBACK, port_of(server), "1024"},
                                 .times = "2", .faults = "recv 1-40 fails with EINTR");
    expect_data(run, 1, text);
    expect_end(run, 2);
}

Test(one_recv, the_program_prints_it,
     .description = "the program sends its REQUEST and prints what came, byte for byte")
{
    struct bytes reply = join_bytes(a_text(), bytes_of("\xc4\xe3\xba\xc3"));
    struct peer server = peer_listens("expect 'hello'; wait for go; send $1; close", .data = {reply});
    struct run run = start_student(.args = {LOOPBACK, port_of(server), "hello"});
    wait_blocked(run, "recv");
    go(server);
    expect_exit(run, 0);
    expect_output(run, reply);
}

/* ---- exactly n bytes: recv_exactly() ------------------------------------------------------------ */

Test(exactly_n, all_at_once, .description = "recv_exactly() gets len bytes where all are there")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("send $1; close", .data = {message});
    struct run run = run_student(.function = "recv_exactly",
                                 .args = {"--when-left", LOOPBACK, port_of(server), number_text(message.len)});
    expect_data(run, 1, message);
}

Test(exactly_n, in_pieces, .description = "a message may arrive in pieces")
{
    struct bytes one = a_text(), two = a_text(), three = a_text();
    struct bytes message = join_bytes(one, join_bytes(two, three));
    struct peer server = peer_listens("send $1 $2 $3 in pieces; close", .data = {one, two, three});
    struct run run = run_student(.function = "recv_exactly",
                                 .args = {LOOPBACK, port_of(server), number_text(message.len)});
    expect_data(run, 1, message);
}

Test(exactly_n, inside_a_character, .description = "a piece may end inside a character: 你好 in UTF-8 and in GBK")
{
    struct bytes texts[] = {bytes_of("\xe4\xbd\xa0\xe5\xa5\xbd"), bytes_of("\xc4\xe3\xba\xc3")};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens(format("send $1 in pieces of %u; close", i == 0 ? random_number(1, 2) : 1),
                                          .data = {texts[i]});
        struct run run = run_student(.function = "recv_exactly",
                                     .args = {LOOPBACK, port_of(server), number_text(texts[i].len)});
        expect_data(run, 1, texts[i]);
    }
}

Test(exactly_n, two_sends_are_no_border,
     .description = "two messages may arrive as one: the second stays for the next call")
{
    unsigned len = random_number(10, 99);
    struct bytes first = random_bytes(len), second = random_bytes(len), third = random_bytes(7);
    struct peer server = peer_listens("send $1 $2 $3; close", .data = {first, second, third});
    struct run run = run_student(.function = "recv_exactly", .times = "2",
                                 .args = {"--when-left", "--rest", LOOPBACK, port_of(server), number_text(len)});
    expect_data(run, 1, first);
    expect_data(run, 2, second);
    expect_rest(run, third);
}

Test(exactly_n, borders_within_and_between,
     .description = "a piece may hold the end of one message and the start of the next")
{
    unsigned len = random_number(30, 99);
    struct bytes all = random_bytes((size_t)2 * len);
    struct peer server = peer_listens("send $1 $2 $3 in pieces; close", .data = {part(all, 0, 9), part(all, 9, len + 5),
                                                                                 part(all, len + 5, (size_t)2 * len)});
    struct run run = run_student(.function = "recv_exactly", .times = "2",
                                 .args = {LOOPBACK, port_of(server), number_text(len)});
    expect_data(run, 1, part(all, 0, len));
    expect_data(run, 2, part(all, len, (size_t)2 * len));
}

Test(exactly_n, waits_for_no_more,
     .description = "with len bytes it returns, though the peer says nothing more and stays")
{
    struct bytes one = a_text(), two = a_text();
    struct peer server = peer_listens("send $1 $2 in pieces; stay silent", .data = {one, two});
    struct run run = run_student(.function = "recv_exactly",
                                 .args = {LOOPBACK, port_of(server), number_text(one.len + two.len)});
    expect_data(run, 1, join_bytes(one, two));
}

Test(exactly_n, cut_short, .description = "where the stream ends before that, it returns how many bytes had come")
{
    struct bytes one = a_text(), two = a_text();
    struct peer server = peer_listens("send $1 $2 in pieces; close", .data = {one, two});
    struct run run = run_student(.function = "recv_exactly", .args = {LOOPBACK, port_of(server), "1000"}, .times = "2");
    expect_data(run, 1, join_bytes(one, two));
    expect_end(run, 2);
}

Test(exactly_n, nothing_at_all, .description = "where the stream has ended before the first byte, it returns 0")
{
    struct peer server = peer_listens("close");
    struct run run = run_student(.function = "recv_exactly", .args = {LOOPBACK, port_of(server), "10"});
    expect_end(run, 1);
}

Test(exactly_n, short_counts, .description = "recv() may give fewer bytes than there are, another number each time")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("send $1; close", .data = {message});
    struct run run = run_student(.function = "recv_exactly",
                                 .args = {"--when-left", LOOPBACK, port_of(server), number_text(message.len)},
                                 .faults = "recv takes 1 to 300 bytes");
    expect_data(run, 1, message);
}

Test(exactly_n, interrupted, .description = "EINTR, at first or midway: nothing is lost and nothing comes twice")
{
    struct bytes message = a_message();
    struct peer server = peer_listens("send $1; close", .data = {message});
    struct run run = run_student(.function = "recv_exactly",
                                 .args = {"--when-left", LOOPBACK, port_of(server), number_text(message.len)},
                                 .faults = "recv 1-2 fails with EINTR; every 3rd recv fails with EINTR; "
                                           "recv takes 1 to 500 bytes");
    expect_data(run, 1, message);
}

Test(exactly_n, a_failure_midway, .description = "a failure midway is -1 with recv()'s errno, however much had come")
{
    struct peer server = peer_listens("send 200 random bytes; close");
    struct run run = run_student(.function = "recv_exactly", .args = {"--when-left", LOOPBACK, port_of(server), "200"},
                                 .faults = "recv 3 fails with ETIMEDOUT; recv takes at most 50 bytes");
    expect_failure(run, 1, ETIMEDOUT);
}

Test(exactly_n, a_reset_midway, .description = "a reset midway is -1 with ECONNRESET, and not the end")
{
    struct peer server = peer_listens("send 5 random bytes; wait until read; reset");
    struct run run = run_student(.function = "recv_exactly", .args = {LOOPBACK, port_of(server), "10"});
    expect_failure(run, 1, ECONNRESET);
}

Test(exactly_n, a_long_message, .description = "a message may be long: a hundred thousand bytes")
{
    struct bytes message = random_bytes(random_number(70000, 120000));
    struct peer server = peer_listens("send $1; close", .data = {message});
    struct run run = run_student(.function = "recv_exactly",
                                 .args = {LOOPBACK, port_of(server), number_text(message.len)});
    expect_data(run, 1, message);
}

Test(exactly_n, no_bytes, .description = "with len 0 it returns 0 at once, and takes nothing")
{
    struct peer server = peer_listens("stay silent");
    struct run run = run_student(.function = "recv_exactly", .args = {"--at-once", LOOPBACK, port_of(server), "0"});
    expect(result_of(run, 1) == 0, "recv_exactly() of 0 bytes returned %s, not 0", returned(run, 1));
    expect_in_room(run);
}

Test(exactly_n, stays_in_its_room, .description = "nothing is written outside the room of len bytes")
{
    struct bytes message = random_bytes(random_number(20, 60));
    struct peer server = peer_listens("send $1 $1 in pieces of 7; close", .data = {message});
    struct run run = run_student(.function = "recv_exactly", .times = "3",
                                 .args = {LOOPBACK, port_of(server), number_text(message.len)});
    expect_data(run, 1, message);
    expect_data(run, 2, message);
    expect_in_room(run);
}

Test(exactly_n, the_program_prints_it, .description = "with --exactly N the program prints N bytes, and nothing else")
{
    struct bytes message = a_message(), head = part(message, 0, message.len - 9);
    struct peer server = peer_listens("send $1 in pieces of 700; wait until read; send $2 'more' at once; close",
                                      .data = {head, part(message, message.len - 9, message.len)});
    struct run run = run_student(.args = {"--exactly", number_text(message.len), LOOPBACK, port_of(server)});
    expect_exit(run, 0);
    expect_output(run, message);
}

/* ---- lines: recv_line() ------------------------------------------------------------------------- */

/* The nth call gave this line, with a NUL behind it. */
static void expect_line_of(struct run run, int n, struct bytes line)
{
    expect_data(run, n, line);
    expect(number_of(run, format("nul%d", n)) == 1, "no NUL stands behind the line that call %d stored", n);
}

static void expect_text_line(struct run run, int n, const char *line)
{
    expect_line_of(run, n, bytes_of(line));
}

Test(lines, a_line, .description = "recv_line() gets a line with its newline, and puts a NUL behind it")
{
    struct bytes line = join_bytes(a_text(), bytes_of("\n"));
    struct peer server = peer_listens("send $1; close", .data = {line});
    struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "100"});
    expect_line_of(run, 1, line);
}

Test(lines, the_next_line_stays,
     .description = "what comes behind the newline stays in the socket, for whoever receives next")
{
    struct bytes line = join_bytes(a_text(), bytes_of("\n"));
    struct bytes rest = join_bytes(a_text(), join_bytes(bytes_of("\nand "), random_bytes(50)));
    struct peer server = peer_listens("send $1 $2; close", .data = {line, rest});
    struct run run = run_student(.function = "recv_line",
                                 .args = {"--when-left", "--rest", LOOPBACK, port_of(server), "100"});
    expect_line_of(run, 1, line);
    expect_rest(run, rest);
}

Test(lines, each_call_gets_the_next,
     .description = "each call gets the next line, if all came at once or in odd pieces")
{
    const char *scripts[] = {"send 'one\\ntwo\\n' 'three\\n' at once; close",
                             "send 'on' 'e' '\\ntwo' '\\nthree\\n' in pieces; close", NULL};
    for (const char **script = scripts; *script != NULL; script++) {
        struct peer server = peer_listens(*script);
        struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "100"}, .times = "4");
        expect_text_line(run, 1, "one\n");
        expect_text_line(run, 2, "two\n");
        expect_text_line(run, 3, "three\n");
        expect_end(run, 4);
    }
}

Test(lines, waits_for_no_more, .description = "with its newline the line is there: nothing more is waited for")
{
    struct peer server = peer_listens("send 'hel' 'lo\\n' in pieces; stay silent");
    struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "100"});
    expect_text_line(run, 1, "hello\n");
}

Test(lines, a_last_line_without_newline, .description = "a last line without a newline is a line; then comes the end")
{
    struct peer server = peer_listens("send 'one\\ntw' 'o' in pieces; close");
    struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "100"}, .times = "3");
    expect_text_line(run, 1, "one\n");
    expect_text_line(run, 2, "two");
    expect_end(run, 3);
}

Test(lines, no_line_at_all, .description = "at the end of the stream it returns 0")
{
    struct peer server = peer_listens("close");
    struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "100"});
    expect_end(run, 1);
}

Test(lines, an_empty_line, .description = "an empty line is a line: its length is 1, and it isn't the end")
{
    struct peer server = peer_listens("send '\\n\\nhello\\n'; close");
    struct run run = run_student(.function = "recv_line", .args = {"--when-left", LOOPBACK, port_of(server), "100"},
                                 .times = "3");
    expect_text_line(run, 1, "\n");
    expect_text_line(run, 2, "\n");
    expect_text_line(run, 3, "hello\n");
}

Test(lines, only_the_newline_ends_it, .description = "only a newline ends a line: \\r, 0xff and NULs are bytes of it")
{
    struct bytes first = bytes_of("from Windows\r\n"), second = {"a\0b\xff\rc\n", 7}, third = bytes_of("next\n");
    struct peer server = peer_listens("send $1 $2 $3; close", .data = {first, second, third});
    struct run run = run_student(.function = "recv_line", .args = {"--when-left", LOOPBACK, port_of(server), "100"},
                                 .times = "3");
    expect_line_of(run, 1, first);
    expect_line_of(run, 2, second);
    expect_line_of(run, 3, third);
}

Test(lines, inside_a_character, .description = "a piece may end inside a character of the line, in UTF-8 and in GBK")
{
    struct bytes line = bytes_of("\xe4\xbd\xa0\xe5\xa5\xbd, \xc4\xe3\xba\xc3\n");
    struct peer server = peer_listens("send $1 in pieces of 1; close", .data = {line});
    struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "100"});
    expect_line_of(run, 1, line);
}

Test(lines, just_fits, .description = "a line that just fits with its NUL is a line, and the next one is right")
{
    struct peer server = peer_listens("send 'hello\\n' 'world\\n'; close");
    struct run run = run_student(.function = "recv_line", .args = {"--when-left", LOOPBACK, port_of(server), "7"},
                                 .times = "2");
    expect_text_line(run, 1, "hello\n");
    expect_text_line(run, 2, "world\n");
    expect_in_room(run);
}

Test(lines, too_long, .description = "a line that doesn't fit is EMSGSIZE, and it doesn't wait for the end of it")
{
    size_t lens[] = {random_number(100, 900), 50 - 1}; /* the second fills the room: then it is known already */
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("send $1; stay silent", .data = {random_text(lens[i])});
        struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "50"});
        expect_failure(run, 1, EMSGSIZE);
        expect_in_room(run);
    }
    struct peer server = peer_listens("send 'hello'; close"); /* nor does it look for the end */
    struct run run = run_student(.function = "recv_line", .args = {"--when-left", LOOPBACK, port_of(server), "6"});
    expect_failure(run, 1, EMSGSIZE);
}

Test(lines, too_long_by_one,
     .description = "a line that is one byte too long is EMSGSIZE, and the line behind it is left alone")
{
    unsigned cap = random_number(5, 40);
    struct bytes line = join_bytes(random_text(cap - 1), bytes_of("\n")), next = join_bytes(a_text(), bytes_of("\n"));
    struct peer server = peer_listens("send $1 $2; close", .data = {line, next});
    struct run run = run_student(.function = "recv_line",
                                 .args = {"--when-left", "--rest", LOOPBACK, port_of(server), number_text(cap)});
    expect_failure(run, 1, EMSGSIZE);
    expect_in_room(run);
    struct bytes rest = bytes_reported(run, "rest");
    expect(rest.len >= next.len && memcmp((const char *)rest.data + rest.len - next.len, next.data, next.len) == 0,
           "of the line behind the one that was too long, bytes are missing in the socket");
}

Test(lines, a_long_line, .description = "a line of thousands of bytes is a line, where there is room for it")
{
    struct bytes line = join_bytes(random_text(random_number(9000, 10000)), bytes_of("\n"));
    struct peer server = peer_listens("send $1; close", .data = {line});
    struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "65536"});
    expect_line_of(run, 1, line);
}

Test(lines, interrupted, .description = "EINTR anywhere in a line: nothing is lost and nothing comes twice")
{
    struct peer server = peer_listens("send 'hello\\nworld\\n'; close");
    struct run run = run_student(.function = "recv_line", .args = {"--when-left", LOOPBACK, port_of(server), "100"},
                                 .times = "2", .faults = "recv 1 fails with EINTR; every 2nd recv fails with EINTR");
    expect_text_line(run, 1, "hello\n");
    expect_text_line(run, 2, "world\n");
}

Test(lines, a_failure_is_told, .description = "when recv() fails it returns -1 with that errno: no line, and no end")
{
    struct peer server = peer_listens("send 'hello\\n'; close");
    struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "100"},
                                 .faults = "recv fails with ETIMEDOUT");
    expect_failure(run, 1, ETIMEDOUT);
}

Test(lines, a_reset_midway, .description = "a reset within a line is -1 with ECONNRESET, and no last line")
{
    struct peer server = peer_listens("send 'hel'; wait until read; reset");
    struct run run = run_student(.function = "recv_line", .args = {LOOPBACK, port_of(server), "100"});
    expect_failure(run, 1, ECONNRESET);
    expect_in_room(run);
}

Test(lines, the_program_prints_it, .description = "with --line the program prints the line, and nothing else")
{
    struct bytes line = join_bytes(a_text(), bytes_of("\n"));
    struct peer server = peer_listens("expect 'hello\n'; wait for go; send $1 'more\n'; close", .data = {line});
    struct run run = start_student(.args = {"--line", LOOPBACK, port_of(server), "hello\n"});
    wait_blocked(run, "recv");
    go(server);
    expect_exit(run, 0);
    expect_output(run, line);
}

/* ---- a length in front: recv_message() ---------------------------------------------------------- */

static struct bytes header(uint32_t length)
{
    static unsigned char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(length >> (24 - 8 * i));
    return join_bytes((struct bytes){bytes, 4}, bytes_of(""));
}

static struct bytes framed(struct bytes body)
{
    return join_bytes(header((uint32_t)body.len), body);
}

/* The nth call returned 1, with this body. */
static void expect_body(struct run run, int n, struct bytes body)
{
    expect(result_of(run, n) == 1, "%s returned %s, not 1 (a message)", call_name(run, n), returned(run, n));
    expect(number_of(run, format("len%d", n)) == (long long)body.len, "%s set *len to %lld, not %zu", call_name(run, n),
           number_of(run, format("len%d", n)), body.len);
    expect_same(run, format("the body that call %d stored", n), data_of(run, n), body);
}

static void expect_refused(struct run run)
{
    expect_failure(run, 1, EMSGSIZE);
    expect(number_of(run, "touched") == 0, "the message was refused, and %lld bytes had been stored at buf by then",
           number_of(run, "touched"));
    expect_in_room(run);
}

Test(length_prefix, a_message, .description = "recv_message() gets a message: 4 bytes of length, and then the body")
{
    struct bytes body = random_bytes(random_number(20, 90));
    struct peer server = peer_listens("send $1; close", .data = {framed(body)});
    struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "1000"});
    expect_body(run, 1, body);
}

Test(length_prefix, all_four_bytes_count,
     .description = "all four bytes of the length count, and the high one comes first")
{
    unsigned len = 65536 + 256 * random_number(1, 200) + random_number(128, 255); /* no byte may have a sign */
    struct bytes body = random_bytes(len);
    struct peer server = peer_listens("send $1; close", .data = {framed(body)});
    struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "200000"});
    expect_body(run, 1, body);
}

Test(length_prefix, in_pieces, .description = "header and body may arrive in pieces, cut anywhere")
{
    struct bytes one = random_bytes(random_number(5, 20)), two = random_bytes(random_number(5, 20));
    struct bytes all = join_bytes(framed(one), framed(two));
    struct peer server = peer_listens(format("send $1 in pieces of %u; close", random_number(1, 3)), .data = {all});
    struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "100"}, .times = "3");
    expect_body(run, 1, one);
    expect_body(run, 2, two);
    expect_end(run, 3);
}

Test(length_prefix, the_next_message_stays,
     .description = "messages may arrive as one: what is behind the first stays in the socket")
{
    struct bytes body = random_bytes(random_number(10, 99)), next = framed(random_bytes(30));
    struct peer server = peer_listens("send $1 $2; close", .data = {framed(body), next});
    struct run run = run_student(.function = "recv_message",
                                 .args = {"--when-left", "--rest", LOOPBACK, port_of(server), "1000"});
    expect_body(run, 1, body);
    expect_rest(run, next);
}

Test(length_prefix, one_too_long, .description = "a body of cap + 1 bytes is EMSGSIZE, and nothing of it is stored")
{
    struct bytes body = random_bytes(random_number(20, 99));
    struct peer server = peer_listens("send $1; close", .data = {framed(body)});
    struct run run = run_student(.function = "recv_message",
                                 .args = {"--when-left", LOOPBACK, port_of(server), number_text(body.len - 1)});
    expect_refused(run);
}

Test(length_prefix, hostile_lengths,
     .description = "what is too long, by bytes or by gigabytes, is EMSGSIZE at once: nobody waits for it")
{
    uint32_t lengths[] = {UINT32_MAX, 0x80000000u, random_number(0x80000001u, UINT32_MAX - 1),
                          random_number(250, 5000)};
    for (int i = 0; i < 4; i++) {
        struct bytes lie = join_bytes(header(lengths[i]), random_bytes(200));
        struct peer server = peer_listens("send $1; stay silent", .data = {lie});
        struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "100"});
        expect_refused(run);
    }
}

Test(length_prefix, exactly_cap, .description = "a body of exactly cap bytes fits, and fills the room")
{
    struct bytes body = random_bytes(random_number(20, 99));
    struct peer server = peer_listens("send $1; close", .data = {framed(body)});
    struct run run = run_student(.function = "recv_message",
                                 .args = {LOOPBACK, port_of(server), number_text(body.len)});
    expect_body(run, 1, body);
    expect_in_room(run);
}

/* It never comes whole: what counts is that it isn't refused. */
Test(length_prefix, megabytes, .description = "what cap allows isn't too long: 20 MiB are a message too")
{
    struct bytes lie = join_bytes(header(20 << 20), random_bytes(100));
    struct peer server = peer_listens("send $1; close", .data = {lie});
    struct run run = run_student(.function = "recv_message",
                                 .args = {LOOPBACK, port_of(server), number_text(32 << 20)});
    expect_failure(run, 1, EPROTO);
}

Test(length_prefix, an_empty_message,
     .description = "a message may be empty: 1 with length 0, and nothing is waited for")
{
    struct peer server = peer_listens("send $1; stay silent", .data = {header(0)});
    struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "100"});
    expect_body(run, 1, bytes_of(""));
}

Test(length_prefix, the_end, .description = "the end before a header is 0, after a message and before the first")
{
    struct peer empty = peer_listens("close"), server = peer_listens("send $1; close", .data = {framed(a_text())});
    struct run nothing = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(empty), "100"});
    expect_end(nothing, 1);
    struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "100"}, .times = "2");
    expect_end(run, 2);
}

Test(length_prefix, cut_in_the_header,
     .description = "an end within the header is EPROTO, and not the end of the stream")
{
    struct peer server = peer_listens("send $1; close", .data = {part(header(5), 0, random_number(1, 3))});
    struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "100"});
    expect_failure(run, 1, EPROTO);
}

Test(length_prefix, cut_in_the_body, .description = "an end within the body is EPROTO, even if no byte of it had come")
{
    struct bytes whole = framed(random_bytes(50));
    size_t ends[] = {4, random_number(5, 53)};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("send $1; close", .data = {part(whole, 0, ends[i])});
        struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "100"});
        expect_failure(run, 1, EPROTO);
    }
}

Test(length_prefix, interrupted, .description = "short counts and EINTR, in header and body: nothing is lost")
{
    struct bytes one = random_bytes(random_number(50, 90)), two = random_bytes(random_number(50, 90));
    struct peer server = peer_listens("send $1 $2; close", .data = {framed(one), framed(two)});
    struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "100"}, .times = "2",
                                 .faults = "every 2nd recv fails with EINTR; recv takes 1 to 3 bytes");
    expect_body(run, 1, one);
    expect_body(run, 2, two);
}

Test(length_prefix, a_failure_is_told,
     .description = "when recv() fails, in header or body, it returns -1 with that errno")
{
    const char *faults[] = {"recv fails with ETIMEDOUT",
                            "recv 3 fails with ETIMEDOUT; recv 6 fails with ETIMEDOUT; recv takes at most 3 bytes"};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("send $1; close", .data = {framed(random_bytes(50))});
        struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "100"},
                                     .faults = faults[i]);
        expect_failure(run, 1, ETIMEDOUT);
    }
}

Test(length_prefix, a_reset_midway, .description = "a reset is ECONNRESET, in the header as in the body: not EPROTO")
{
    struct bytes whole = framed(random_bytes(50));
    size_t ends[] = {random_number(1, 3), random_number(5, 53)};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens("send $1; wait until read; reset", .data = {part(whole, 0, ends[i])});
        struct run run = run_student(.function = "recv_message", .args = {LOOPBACK, port_of(server), "100"});
        expect_failure(run, 1, ECONNRESET);
    }
}

Test(length_prefix, the_program_prints_it,
     .description = "with --message the program prints the body, and nothing else")
{
    struct bytes body = a_message();
    struct peer server = peer_listens("expect 'hello'; send $1; close", .data = {framed(body)});
    struct run run = run_student(.args = {"--message", LOOPBACK, port_of(server), "hello"});
    expect_exit(run, 0);
    expect_output(run, body);
}

/* ---- the whole reply: client_ask() and the program ---------------------------------------------- */

/* The nth call returned 0, with this reply. */
static void expect_reply(struct run run, int n, struct bytes reply)
{
    expect(result_of(run, n) == 0, "%s returned %s, not 0", call_name(run, n), returned(run, n));
    expect(number_of(run, format("len%d", n)) == (long long)reply.len, "%s set *reply_len to %lld, not %zu",
           call_name(run, n), number_of(run, format("len%d", n)), reply.len);
    expect_same(run, format("the reply of call %d", n), data_of(run, n), reply);
}

static void expect_no_reply(struct run run, int errnum)
{
    expect_failure(run, 1, errnum);
    expect(number_of(run, "null1") == 1, "client_ask() returned -1, and *reply isn't NULL");
}

Test(whole_reply, asks_and_is_answered, .description = "client_ask() sends the request, waits, and gets the reply")
{
    struct bytes request = a_text(), reply = a_text();
    struct peer server = peer_listens("expect $1; wait for go; send $2; close", .data = {request, reply});
    struct run run = start_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), request.data});
    wait_blocked(run, "recv"); /* no answer yet: a direction that was ended too early shows here */
    go(server);
    wait_exit(run);
    expect_reply(run, 1, reply);
    expect_happy(server);
}

Test(whole_reply, ends_its_own_side,
     .description = "it ends its own side first: the peer may wait for that before it answers")
{
    struct bytes request = a_message(), reply = a_message();
    struct peer server = peer_listens("receive to end; send $1; close", .data = {reply});
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server)}, .input = request);
    expect_reply(run, 1, reply);
    expect_received(server, request);
}

Test(whole_reply, broken_off, .description = "a reply that a reset breaks off is no reply: -1, ECONNRESET, *reply NULL")
{
    struct peer server = peer_listens("receive to end; send 5000 random bytes; wait until read; reset");
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"});
    expect_no_reply(run, ECONNRESET);
    expect_exit(run, 0);
}

Test(whole_reply, in_pieces, .description = "the reply is all that comes until the end, in however many pieces")
{
    struct bytes one = a_message(), two = a_text(), three = a_message();
    struct peer server = peer_listens("receive to end; send $1 $2 $3 in pieces; close", .data = {one, two, three});
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"});
    expect_reply(run, 1, join_bytes(one, join_bytes(two, three)));
}

Test(whole_reply, a_long_reply,
     .description = "a reply may be long: hundreds of thousands of bytes, in small pieces or large")
{
    struct bytes reply = random_bytes(random_number(150000, 250000));
    struct peer server = peer_listens("receive to end; send $1; close", .data = {reply});
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"},
                                 .faults = "recv takes 1 to 5000 bytes");
    expect_reply(run, 1, reply);
}

Test(whole_reply, round_lengths, .description = "a reply may be of any length: 1 byte, 1024, 4096, 65536")
{
    const size_t lengths[] = {1, 1024, 4096, 65536};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct bytes reply = random_bytes(lengths[i]);
        struct peer server = peer_listens("receive to end; send $1; close", .data = {reply});
        struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"});
        expect_reply(run, 1, reply);
    }
}

Test(whole_reply, an_empty_reply,
     .description = "a peer that ends without a word has given an empty reply: 0, length 0")
{
    struct peer server = peer_listens("receive to end; close");
    struct run run = start_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"},
                                   .stay = true);
    wait_calls(run, 1);
    expect(descriptors_of(run) == 3, "after an empty reply the connection is still open");
    finish(run);
    expect_reply(run, 1, bytes_of(""));
    expect_exit(run, 0);
}

Test(whole_reply, an_empty_request, .description = "with nothing to send it ends its side at once, and is answered")
{
    struct bytes reply = a_text();
    struct peer server = peer_listens("expect end; send $1; close", .data = {reply});
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), ""});
    expect_reply(run, 1, reply);
}

Test(whole_reply, the_reply_is_the_callers, .description = "each reply is memory of its own, which the caller frees")
{
    struct peer server = peer_listens("2 times: expect 'hello'; expect end; send 3000 random bytes; close");
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"}, .times = "2");
    struct bytes first = data_of(run, 1), second = data_of(run, 2);
    expect(first.len == 3000 && second.len == 3000, "two replies of 3000 bytes came as %zu and %zu", first.len,
           second.len);
    expect(memcmp(first.data, second.data, 3000) != 0, "the second reply was written over the first");
    expect_exit(run, 0); /* free() took both */
}

Test(whole_reply, reset_in_place_of_a_reply, .description = "a reset in place of a reply is -1, and not an empty reply")
{
    struct peer server = peer_listens("receive to end; reset");
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"});
    expect_no_reply(run, ECONNRESET);
}

Test(whole_reply, a_failure_is_told,
     .description = "errno is that of what failed first, whatever free() and close() do to it")
{
    struct peer server = peer_listens("receive to end; send 5000 random bytes; close");
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"},
                                 .faults = "recv 2 fails with ETIMEDOUT; recv takes at most 100 bytes; "
                                           "close leaves errno EIO");
    if (count_calls(run, "recv") == 0)
        return; /* fread() has its own, which nothing strikes */
    expect_no_reply(run, ETIMEDOUT);
}

Test(whole_reply, nobody_there, .description = "where nobody listens it is ECONNREFUSED, and *reply is NULL")
{
    struct peer nobody = peer_listens("refuse");
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(nobody), "hello"});
    expect_no_reply(run, ECONNREFUSED);
}

Test(whole_reply, text_that_is_no_address, .description = "text that is no address is EINVAL, and *reply is NULL")
{
    const char *texts[] = {"300.0.0.1", "localhost"};
    for (int i = 0; i < 2; i++) {
        struct run run = run_student(.function = "client_ask", .args = {texts[i], "7788", "hello"});
        expect_no_reply(run, EINVAL);
    }
}

Test(whole_reply, interrupted,
     .description = "EINTR while it sends and receives: nothing is lost and nothing comes twice")
{
    struct bytes request = a_message(), reply = a_message();
    struct peer server = peer_listens("receive to end; send $1; close", .data = {reply});
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server)}, .input = request,
                                 .faults = "every 2nd send fails with EINTR; send takes at most 700 bytes; "
                                           "every 2nd recv fails with EINTR; recv takes 1 to 900 bytes");
    expect_reply(run, 1, reply);
    expect_received(server, request);
}

Test(whole_reply, nothing_left_open, .description = "50 calls, good, bad and refused, leave no descriptor open")
{
    struct peer servers[] = {peer_listens("50 times: receive to end; send 'hello'; close"), peer_listens("refuse")};
    for (int i = 0; i < 2; i++) {
        struct run run = start_student(.function = "client_ask", .args = {LOOPBACK, port_of(servers[i]), "hello"},
                                       .times = "50", .stay = true, .faults = "every 3rd recv fails with ETIMEDOUT");
        wait_calls(run, 50);
        int left = descriptors_of(run) - 3; /* standard input, output and error */
        expect(left == 0, "after 50 calls, %d descriptors are still open", left);
    }
}

/* Only who has a time limit is struck. The first poll() may be for connect(), which may have one. */
Test(whole_reply, has_no_time_limit,
     .description = "a peer may think for long: client_ask() waits until it has the whole reply")
{
    struct bytes reply = a_message();
    struct peer server = peer_listens("receive to end; send $1 in pieces of 500; close", .data = {reply});
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"},
                                 .faults = "recv 1-2 reaches its time limit; poll 2-4 reaches its time limit");
    expect_reply(run, 1, reply);
}

/* The request is on its way, in the kernel's hands, when client_ask() closes: only a reset takes it back. */
Test(whole_reply, ended_before_it_has_read,
     .description = "a peer may end its side before it has read: it gets the whole request all the same")
{
    struct bytes request = random_bytes(random_number(30000, 40000));
    struct peer server = peer_listens("small buffers; half-close; wait for go; receive to end");
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server)}, .input = request);
    expect_reply(run, 1, bytes_of(""));
    go(server);
    expect_received(server, request);

    /* Midway through the request its end is there to be seen. */
    server = peer_listens("receive 1000 bytes; half-close; wait for go; receive to end");
    run = start_student(.function = "client_ask", .args = {LOOPBACK, port_of(server)}, .input = request,
                        .faults = "send 2 waits; send takes at most 1000 bytes");
    wait_peer_settled(server);
    release(run);
    go(server);
    wait_exit(run);
    expect_reply(run, 1, bytes_of(""));
    expect_received(server, request);
}

Test(whole_reply, descriptor_0_is_one_too,
     .description = "with standard input closed the connection is descriptor 0: it asks, and is answered")
{
    struct bytes reply = a_text();
    struct peer server = peer_listens("expect 'hello'; expect end; send $1; close", .data = {reply});
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"},
                                 .input_kind = INPUT_CLOSED);
    expect_reply(run, 1, reply);
}

Test(whole_reply, another_server, .description = "the next call asks the server that it names, not the first")
{
    struct bytes one = a_text(), two = join_bytes(a_text(), bytes_of("!"));
    struct peer first = peer_listens("receive to end; send $1; close", .data = {one});
    struct peer second = peer_listens("receive to end; send $1; close", .data = {two});
    struct run run = run_student(.function = "client_ask", .times = "2",
                                 .args = {"--then", port_of(second), LOOPBACK, port_of(first), "hello"});
    expect_reply(run, 1, one);
    expect_reply(run, 2, two);
}

Test(whole_reply, prints_nothing, .description = "none of the functions prints, whatever happens: their caller may")
{
    const char *functions[] = {"client_ask", "recv_message", "recv_line"};
    struct bytes answers[] = {bytes_of(""), part(framed(a_text()), 0, 7), bytes_of("much too long")};
    const char *rooms[] = {"hello", "100", "5"};
    for (int i = 0; i < 3; i++) {
        struct peer server = i == 0 ? peer_listens("refuse") : peer_listens("send $1; close", .data = {answers[i]});
        struct run run = run_student(.function = functions[i], .args = {LOOPBACK, port_of(server), rooms[i]});
        expect_output(run, bytes_of(""));
        expect(errors_of(run)[0] == '\0', "%s wrote to standard error: %s", call_name(run, 1), errors_of(run));
    }
}

Test(whole_reply, closes_once, .description = "a descriptor is closed once: a second close() may hit another one")
{
    struct peer server = peer_listens("4 times: receive to end; send 'hello'; close");
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"}, .times = "4",
                                 .faults = "every 3rd recv fails with ETIMEDOUT");
    expect(count_failed(run, "close") == 0, "close() was called %d times on a descriptor that was closed already",
           count_failed(run, "close"));
}

Test(whole_reply, survives_a_peer_that_left,
     .description = "a peer that leaves before the request is an error, not the end of your program")
{
    /* After the peer's end a reset is EPIPE at once, and with it comes SIGPIPE. */
    const char *scripts[] = {"accept; wait for go; reset", "accept; wait for go; half-close; reset"};
    for (int i = 0; i < 2; i++) {
        struct peer server = peer_listens(scripts[i]);
        struct run run = start_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"},
                                       .faults = "send 1 waits");
        go_before(run, "send", server);
        wait_exit(run);
        expect_error_in(run, (int[]){ECONNRESET, EPIPE, ENOTCONN, 0});
    }
}

Test(whole_reply, left_before_its_own_end,
     .description = "a peer that leaves before shutdown() is an error, and the connection is closed all the same")
{
    struct peer server = peer_listens("accept; wait for go; reset");
    struct run run = start_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"}, .stay = true,
                                   .faults = "shutdown 1 waits");
    go_before(run, "shutdown", server);
    wait_calls(run, 1);
    expect(descriptors_of(run) == 3, "the peer had left, shutdown() failed, and the connection is still open");
    expect_error_in(run, (int[]){ECONNRESET, EPIPE, ENOTCONN, 0});
}

Test(whole_reply, the_program_prints_it,
     .description = "the program prints the whole reply, byte for byte, and exits with 0")
{
    struct bytes reply = random_bytes(random_number(5000, 9000));
    struct peer server = peer_listens("expect 'hello'; expect end; send $1 in pieces of 3000; close", .data = {reply});
    struct run run = run_student(.args = {"--all", LOOPBACK, port_of(server), "hello"});
    expect_exit(run, 0);
    expect_output(run, reply);
}

Test(whole_reply, the_program_says_why,
     .description = "of a reply that was broken off it prints nothing, says why, and exits with 1")
{
    struct peer server = peer_listens("expect 'hello'; expect end; send 'half'; wait until read; reset");
    struct run run = run_student(.args = {"--all", LOOPBACK, port_of(server), "hello"});
    expect_exit(run, 1);
    expect_output(run, bytes_of(""));
    expect_errors_contain(run, format("client_recv: 127.0.0.1:%s: Connection reset by peer\n", port_of(server)));
}

Test(whole_reply, no_memory_goes_wrong,
     .description = "over three replies, one broken off, no memory is misused or lost (valgrind)")
{
    struct peer server = peer_listens("3 times: receive to end; send 9000 random bytes; close");
    struct run run = run_student(.function = "client_ask", .args = {LOOPBACK, port_of(server), "hello"}, .times = "3",
                                 .faults = "recv 2 fails with ECONNRESET; recv takes at most 5000 bytes",
                                 .under = MEMCHECK);
    expect_exit(run, 0);
    expect_clean_memory(run);

    struct peer many = peer_listens("41 times: receive to end; send 10 random bytes; close");
    expect_steady_memory(
        run_student(.function = "client_ask", .args = {"--free", LOOPBACK, port_of(many), "hello"}, .times = "41"));
}
