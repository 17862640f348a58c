/* Lab 5, multi-threaded server: the suite. Each test is one promise of threaded_server.h. */
#include "suite.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* What a good client does, with other bytes each time. */
#define ECHO_ROUND "send 20 random bytes; expect the same; half-close; expect end"

/* It says a word, waits for the test, says another. */
#define TWO_WORDS "send 5 random bytes; expect the same; wait for go; " ECHO_ROUND

static struct run a_server(void)
{
    return start_student(.function = "server_start", .stay = true);
}

/* A server in which some calls go wrong, or wait. */
static struct run a_server_where(const char *faults)
{
    return start_student(.function = "server_start", .stay = true, .faults = faults);
}

static struct run the_program(void)
{
    return start_student(.args = {LOOPBACK, "0"});
}

static const char *text_from(struct bytes output)
{
    return format("%.*s", (int)output.len, (const char *)output.data);
}

/* ---- threads: a thread a client ---------------------------------------------------------------- */

Test(threads, answers_a_client, .description = "a client gets back what it sends, until it has ended its side")
{
    struct run run = a_server();
    struct peer client = peer_connects(run, "send $1; expect $1; send $2; expect $2; half-close; expect end",
                                       .data = {random_text(random_number(10, 40)), random_text(12)});
    expect_happy(client);
    wait_settled(run); /* and it goes on */
}

Test(threads, returns_at_once, .description = "server_start() returns at once, before there is any client")
{
    struct run run = a_server();
    wait_calls(run, 1);
    expect_result(run, 0);
}

Test(threads, a_silent_one_blocks_nobody, .description = "a silent client keeps nobody else waiting")
{
    struct run run = a_server();
    peer_connects(run, "stay silent");
    wait_settled(run);
    struct peer client = peer_connects(run, ECHO_ROUND);
    expect_happy(client);
}

/* As if hours had gone by, where the program has set a time limit. */
Test(threads, silent_for_long, .description = "a client may keep silent for as long as it likes, and is then answered")
{
    struct run run = a_server_where("recv 1-3 reaches its time limit; poll 1-3 reaches its time limit");
    struct peer client = peer_connects(run, "wait for go; " ECHO_ROUND);
    wait_connected(client);
    wait_settled(run);
    go(client);
    expect_happy(client);
}

Test(threads, talks_with_two_at_once, .description = "two conversations go on side by side, and each ends by itself")
{
    struct run run = a_server();
    struct peer first = peer_connects(run, TWO_WORDS);
    wait_received(first, 5);
    struct peer second = peer_connects(run, TWO_WORDS);
    wait_received(second, 5);
    go(second);
    expect_happy(second);
    go(first);
    expect_happy(first);
}

Test(threads, a_deaf_one_blocks_nobody,
     .description = "a client that sends much and takes no answer keeps nobody else waiting")
{
    struct run run = a_server();
    peer_connects(run, "small buffers; send $1; stay silent", .data = {random_bytes(300000)});
    wait_settled(run);
    struct peer client = peer_connects(run, ECHO_ROUND);
    expect_happy(client);
}

Test(threads, any_bytes, .description = "bytes are bytes, and tens of kilobytes of them come back whole")
{
    struct bytes message = random_bytes(random_number(66000, 70000));
    struct run run = a_server();
    struct peer client = peer_connects(run, "send $1; half-close; receive to end", .data = {message});
    expect_received(client, message);
}

Test(threads, short_counts, .description = "send() may take fewer bytes than you gave it; all come back all the same")
{
    struct bytes message = random_bytes(random_number(1000, 5000));
    struct run run = a_server_where("send takes 1 to 50 bytes");
    struct peer client = peer_connects(run, "send $1; half-close; receive to end", .data = {message});
    expect_received(client, message);
}

Test(threads, interrupted, .description = "a signal may interrupt accept(), recv() and send() (EINTR): nothing is lost")
{
    struct bytes message = random_bytes(random_number(1000, 5000));
    struct run run = a_server_where(
        "accept 1-40 fails with EINTR; recv 1-40 fails with EINTR; recv takes at most 700 bytes;"
        "every 2nd send fails with EINTR; send takes at most 400 bytes");
    struct peer client = peer_connects(run, "send $1; half-close; receive to end", .data = {message});
    expect_received(client, message);
}

/* ---- own_argument: what belongs to one client alone -------------------------------------------- */

Test(own_argument, tells_who_came_and_went,
     .description = "each client is told with its address, when it comes and when it goes")
{
    struct run run = a_server();
    struct peer client = peer_connects(
        run, "send $1; expect $1; half-close; expect end", .data = {random_text(random_number(10, 40))},
        .at = format("127.%u.%u.%u", random_number(100, 254), random_number(100, 254), random_number(100, 254)));
    expect_happy(client);
    wait_settled(run);
    expect_line(run, format("client %s", address_of(client)));
    expect_line(run, format("gone %s", address_of(client)));
}

Test(own_argument, threads_that_start_late,
     .description = "a client's thread may start late, when the next client has come: it serves its own")
{
    struct run run = a_server_where("thread_start 2-9 waits");
    struct peer first = peer_connects(run, TWO_WORDS), second = peer_connects(run, TWO_WORDS);
    wait_connected(first);
    wait_connected(second);
    wait_settled(run);
    release(run);
    wait_received(first, 5);
    wait_received(second, 5);
    go(first);
    expect_happy(first);
    wait_output(run, format("gone %s", address_of(first)));
    go(second);
    expect_happy(second);
    wait_output(run, format("gone %s", address_of(second)));
    expect_line(run, format("client %s", address_of(first)));
    expect_line(run, format("client %s", address_of(second)));
}

/* pthread_create() has made the thread, and hasn't returned: what the acceptor would say afterwards comes late. */
Test(own_argument, told_before_its_words,
     .description = "that a client came is told before its first words, however slow the acceptor is")
{
    struct run run = a_server_where("pthread_create 2 returns late");
    struct peer client = peer_connects(run, "send 'hello'; expect 'hello'; half-close; expect end");
    wait_settled(run);
    release(run);
    expect_happy(client);
    wait_settled(run);
    const char *told = text_from(output_of(run)), *came = strstr(told, "client "), *words = strstr(told, "received ");
    expect(came != NULL && words != NULL && came < words, "\"client %s\" was told after what the client had sent",
           address_of(client));
}

Test(own_argument, its_own_words, .description = "no client gets another's bytes, even if its answer is long in coming")
{
    struct run run = a_server_where("send 1 waits");
    struct peer first = peer_connects(run, "send $1; expect $1; half-close; expect end", .data = {random_text(30)});
    wait_settled(run);
    struct peer second = peer_connects(run, "send $1; expect $1; half-close; expect end", .data = {random_text(30)});
    wait_settled(run);
    release(run);
    expect_happy(first);
    expect_happy(second);
}

Test(own_argument, its_own_name, .description = "who goes is told by its own address, while others come and stay")
{
    struct run run = a_server();
    struct peer first = peer_connects(run, TWO_WORDS);
    wait_received(first, 5);
    struct peer second = peer_connects(run, TWO_WORDS, .at = "127.0.0.7");
    wait_received(second, 5);
    go(first);
    expect_happy(first);
    wait_settled(run);
    expect_line(run, format("gone %s", address_of(first)));
    expect(strstr(text_from(output_of(run)), format("gone %s", address_of(second))) == NULL,
           "\"gone %s\" was told, and that client is still there", address_of(second));
}

/* The notes' own transcript. One byte a turn, for that is one recv() whatever the buffer. */
#define A_TURN "wait for go; send 1 random bytes; expect the same; "

static void take_turn(struct run run, struct peer client)
{
    go(client);
    wait_settled(run);
}

Test(own_argument, talks_in_turn,
     .description = "two clients talk in turn, over several rounds, and the output tells it in that order")
{
    struct run run = the_program();
    struct peer one = peer_connects(run, A_TURN A_TURN "wait for go; half-close; expect end");
    wait_settled(run);
    take_turn(run, one);
    struct peer two = peer_connects(run, A_TURN A_TURN A_TURN "wait for go; half-close; expect end");
    wait_settled(run);
    for (int turn = 1; turn <= 3; turn++)
        take_turn(run, two);
    take_turn(run, one);
    take_turn(run, one); /* it goes */
    take_turn(run, two);
    expect_happy(one);
    expect_happy(two);
    const char *first = address_of(one), *second = address_of(two);
    expect_same(run, "what the program told of two clients in turn", output_of(run),
                bytes_of(format("listening %s\nclient %s\nreceived 1\nclient %s\nreceived 1\nreceived 1\nreceived 1\n"
                                "received 1\ngone %s\ngone %s\n",
                                listener_address(run), first, second, first, second)));

    run = a_server_where("send takes at most 5 bytes");
    struct peer client = peer_connects(run, "send 40 random bytes; expect the same; half-close; expect end");
    expect_happy(client);
    wait_settled(run);
    int told = 0, received = count_calls(run, "recv");
    for (const char *at = output_of(run).data; (at = strstr(at, "received ")) != NULL; at++)
        told++;
    expect(told <= received || received == 0, /* it may read by stdio */
           "\"received\" was told %d times, and recv() was called %d times: it tells of recv(), not of send()", told,
           received);
}

Test(own_argument, no_memory_goes_wrong,
     .description = "what belongs to a client is freed, once, and not used afterwards (valgrind)")
{
    struct run run = start_student(.function = "server_start", .stay = true, .under = MEMCHECK);
    struct peer clients = peer_connects(run, "3 clients, each: " ECHO_ROUND);
    expect_happy(clients);
    /* One after another: what a thread has left on its stack hides no block of the one before. */
    for (int i = 0; i < 4; i++)
        expect_happy(peer_connects(run, ECHO_ROUND));
    wait_settled(run);
    finish(run);
    expect_clean_heap(run);
}

/* ---- hundreds: at once, and one after another --------------------------------------------------- */

#define A_WORD "send 8 random bytes; expect the same; "

Test(hundreds, a_hundred_at_once, .description = "a hundred clients talk at once, and each gets its own bytes back")
{
    struct run run = a_server();
    struct peer clients = peer_connects(
        run, "100 clients, each: send 1000 random bytes; expect the same; half-close; expect end");
    expect_happy(clients);
}

Test(hundreds, two_hundred_and_fifty_six,
     .description = "255 clients have got their answer and keep silent; number 256 is served")
{
    struct run run = a_server();
    struct peer silent = peer_connects(run, "255 clients, each: " A_WORD "stay silent");
    expect_happy(silent);
    struct peer last = peer_connects(run, ECHO_ROUND);
    expect_happy(last);
}

static const long long A_STACK = 8200; /* KiB, with what is around it */

struct size {
    int threads, descriptors;
    long long memory;
};

static struct size size_of(struct run run)
{
    wait_settled(run);
    return (struct size){threads_of(run), descriptors_of(run), memory_of(run)};
}

/* A mistake costs something for each client. A pool may have grown to as many as were there at once, and who tidies
 * up when the next client comes has always one left. */
static void expect_no_growth(struct run run, struct size before, int clients)
{
    struct size now = size_of(run);
    int descriptors = now.descriptors - before.descriptors, threads = now.threads - before.threads;
    expect(descriptors < clients * 3 / 4,
           "%d clients have come and gone, and there are %d open descriptors where there were %d", clients,
           now.descriptors, before.descriptors);
    expect(threads < clients * 3 / 4, "%d clients have come and gone, and there are %d threads where there were %d",
           clients, now.threads, before.threads);
    long long more = now.memory - before.memory - (threads > 0 ? threads * A_STACK : 0);
    expect(more < 8 * A_STACK, "%d clients have come and gone, and %lld KiB of memory are held for each of them still",
           clients, more / clients);
}

Test(hundreds, a_thousand_in_turn,
     .description = "a thousand clients one after another leave no thread, no descriptor and no memory behind")
{
    struct run run = a_server();
    struct peer some = peer_connects(run, "20 clients in turn: " ECHO_ROUND);
    expect_happy(some);
    struct size before = size_of(run);
    struct peer more = peer_connects(run, "200 clients in turn: " ECHO_ROUND);
    expect_happy(more);
    expect_no_growth(run, before, 200);
    struct peer many = peer_connects(run, "800 clients in turn: " ECHO_ROUND);
    expect_happy(many);
    expect_no_growth(run, before, 1000);
}

Test(hundreds, the_same_crowd_again,
     .description = "a crowd that comes again takes no more than it took the first time")
{
    struct run run = a_server();
    struct peer first = peer_connects(run, "60 clients, each: " A_WORD "wait for go; half-close; expect end");
    wait_connected(first);
    go(first);
    expect_happy(first);
    struct size before = size_of(run);
    for (int time = 2; time <= 4; time++) {
        struct peer again = peer_connects(run, "60 clients, each: " A_WORD "wait for go; half-close; expect end");
        go(again);
        expect_happy(again);
    }
    expect_no_growth(run, before, 180);
}

/* ---- counters: server_stats() ------------------------------------------------------------------- */

static struct run a_counting_server(void)
{
    return start_student(.function = "server_stats", .input_kind = INPUT_HELD);
}

/* Each question is one more call for the probe; server_start() was the first. */
static void expect_stats(struct run run, int question, long long clients, long long served, long long bytes)
{
    wait_settled(run);
    type_text(run, "ask\n");
    wait_calls(run, 1 + question);
    expect(number_of(run, "clients") == clients,
           "server_stats() says that %lld clients are connected now, and there are %lld", number_of(run, "clients"),
           clients);
    expect(number_of(run, "served") == served, "server_stats() says that %lld clients were served, and there were %lld",
           number_of(run, "served"), served);
    expect(number_of(run, "bytes") == bytes, "server_stats() says that %lld bytes were received, and there were %lld",
           number_of(run, "bytes"), bytes);
}

Test(counters, clients_now, .description = "clients is how many are connected at this moment")
{
    struct run run = a_counting_server();
    expect_stats(run, 1, 0, 0, 0);
    struct peer one = peer_connects(run, "stay silent");
    wait_connected(one);
    wait_settled(run);
    expect_stats(run, 2, 1, 0, 0);
    struct peer clients = peer_connects(run, "3 clients, each: wait for go; half-close; expect end");
    wait_connected(clients);
    expect_stats(run, 3, 4, 0, 0);
    go(clients);
    expect_happy(clients);
    expect_stats(run, 4, 1, 3, 0);
}

Test(counters, bytes_so_far,
     .description = "bytes is how many were received, of those who stay as of those who have gone")
{
    unsigned first = random_number(100, 200), second = random_number(5000, 9000);
    struct run run = a_counting_server();
    struct peer one = peer_connects(run, "send $1; expect $1; stay silent", .data = {random_bytes(first)});
    expect_happy(one);
    expect_stats(run, 1, 1, 0, first);
    struct peer two = peer_connects(run, "send $1; expect $1; half-close; expect end", .data = {random_bytes(second)});
    expect_happy(two);
    expect_stats(run, 2, 1, 1, first + second);
}

Test(counters, bad_ones_count_too,
     .description = "a conversation that a reset ends is over as well, and its bytes came")
{
    struct run run = a_counting_server();
    struct peer bad = peer_connects(run, "7 clients in turn: send 'hello'; expect 'hello'; reset");
    expect_happy(bad);
    expect_stats(run, 1, 0, 7, 35);
    expect_line(run, format("gone %s", address_of(bad)));

    run = start_student(.function = "server_stats", .input_kind = INPUT_HELD, .faults = "send 1 fails with EPIPE");
    peer_connects(run, "send 'hello'; expect closed"); /* received all the same, though no answer goes out */
    expect_stats(run, 1, 0, 1, 5);
}

Test(counters, who_was_turned_away_counts_nowhere,
     .description = "a client for whom there was no thread is neither connected nor served")
{
    struct run run = start_student(.function = "server_stats", .input_kind = INPUT_HELD,
                                   .faults = "pthread_create 3 fails with EAGAIN");
    struct peer clients[3]; /* which of them it hits depends on the threads that a server has of its own */
    for (int i = 0; i < 3; i++) {
        clients[i] = peer_connects(run, "send 'x'; expect 'x'; wait for go; half-close; expect end");
        wait_settled(run);
    }
    long long served = 0;
    for (int i = 0; i < 3; i++) {
        go(clients[i]);
        wait_done(clients[i]);
        served += received_by(clients[i]).len > 0;
    }
    expect_stats(run, 1, 0, served, served);
}

Test(counters, exact_after_a_storm,
     .description = "forty clients at once, a hundred words each: no client and no byte is lost")
{
    struct run run = start_student(.function = "server_stats", .args = {"--ask-always"}, .input_kind = INPUT_HELD);
    struct peer storm = peer_connects(run, "40 clients, each: send $1 in pieces of 5; half-close; receive to end",
                                      .data = {random_bytes(100)});
    expect_happy(storm);
    type_text(run, "enough\n");
    wait_settled(run);
    type_text(run, "ask\n");
    wait_calls(run, 2);
    expect(number_of(run, "served") == 40 && number_of(run, "bytes") == 4000 && number_of(run, "clients") == 0,
           "after 40 clients with 100 bytes each server_stats() says %lld served, %lld bytes, %lld still there",
           number_of(run, "served"), number_of(run, "bytes"), number_of(run, "clients"));
    finish(run);
    expect(number_of(run, "went_down") == 0,
           "served or bytes went down %lld times while clients came and went: what has been counted stays counted",
           number_of(run, "went_down"));
}

/* Helgrind finds what nothing orders, whether it has gone wrong or not. So each kind of access comes twice,
 * in two threads: while all are there, while they leave, and when others come after them. */
Test(counters, no_race, .description = "what threads share is locked, or atomic: there is no data race (helgrind)")
{
    struct run run = start_student(.function = "server_stats", .input_kind = INPUT_HELD, .under = HELGRIND);
    struct peer clients = peer_connects(
        run, "3 clients, each: wait for go; send 'one'; expect 'one'; send 'two'; expect 'two'; "
             "wait for go; half-close; expect end");
    wait_settled(run);
    type_text(run, "ask\n");
    wait_calls(run, 2);
    go(clients);
    wait_received(clients, 6);
    wait_settled(run);
    type_text(run, "ask\n");
    wait_calls(run, 3);
    go(clients);
    expect_happy(clients);
    wait_settled(run);
    struct peer another = peer_connects(run, ECHO_ROUND);
    expect_happy(another);
    wait_settled(run);
    type_text(run, "ask\n");
    wait_calls(run, 4);
    finish(run);
    expect_no_race(run);
}

/* ---- bad_clients: one client's trouble is its own ------------------------------------------------ */

Test(bad_clients, a_reset_ends_one_client, .description = "a client that resets ends its own conversation and no other")
{
    struct run run = a_server();
    struct peer good = peer_connects(run, TWO_WORDS);
    wait_received(good, 5);
    struct peer bad = peer_connects(run, "3 clients, each: send 'hello'; expect 'hello'; reset");
    expect_happy(bad);
    wait_settled(run);
    go(good);
    expect_happy(good);
}

/* It has left before the first of its bytes is read, so that the rest of the first answer already meets a reset. */
Test(bad_clients, leaves_without_its_answer,
     .description = "a client that doesn't wait for its answer doesn't kill the server")
{
    struct run run = a_server_where("recv takes at most 100 bytes; recv 3 waits; send takes at most 30 bytes");
    struct peer good = peer_connects(run, TWO_WORDS);
    wait_received(good, 5);
    wait_settled(run);
    struct peer bad = peer_connects(run, "send $1; close", .data = {random_bytes(5000)});
    wait_done(bad);
    wait_settled(run);
    release(run);
    wait_settled(run);
    go(good);
    expect_happy(good);
}

Test(bad_clients, bad_ones_leave_nothing,
     .description = "clients that reset or leave in silence leave no descriptor and no thread behind")
{
    const char *scripts[] = {"16 clients, each: send 'hello'; expect 'hello'; reset", "16 clients, each: close"};
    struct run run = a_server();
    struct peer some = peer_connects(run, "3 clients in turn: " ECHO_ROUND);
    expect_happy(some);
    for (int kind = 0; kind < 2; kind++) {
        struct size before = size_of(run);
        for (int crowd = 0; crowd < 3; crowd++) {
            struct peer bad = peer_connects(run, scripts[kind]);
            expect_happy(bad);
            wait_settled(run);
        }
        expect_no_growth(run, before, 48);
    }
}

Test(bad_clients, a_connection_aborted_in_the_queue,
     .description = "a connection that broke in the queue is passed over: the next ones are served")
{
    struct run run = a_server_where("accept 1 fails with ECONNABORTED; accept 3 fails with EPROTO;"
                                    "accept 5 fails with ENETDOWN; accept 6 fails with ENETUNREACH;"
                                    "accept 7 fails with ENONET; accept 8 fails with ENOPROTOOPT;"
                                    "accept 9 fails with EHOSTDOWN; accept 10 fails with EHOSTUNREACH");
    struct peer clients = peer_connects(run, "3 clients in turn: " ECHO_ROUND);
    expect_happy(clients);
}

static void leave_room_for_one(struct run run)
{
    wait_settled(run);
    unsigned lowest = 3;
    while (is_open(run, (int)lowest))
        lowest++;
    raise_nofile(run, lowest + 1);
}

Test(bad_clients, no_descriptor_left,
     .description = "with no descriptor left it waits, without burning the processor, and serves when one is free")
{
    struct run run = a_server();
    leave_room_for_one(run);
    struct peer first = peer_connects(run, TWO_WORDS);
    wait_received(first, 5);
    struct peer second = peer_connects(run, ECHO_ROUND);
    wait_connected(second);
    expect(!spins(run, "accept"),
           "accept() failed and is tried again almost at once, over and over: less than 9 ms lie between");
    go(first);
    expect_happy(first);
    expect_happy(second);
}

/* Nine waits are over at once, the first by a signal: how long is the tenth? */
Test(bad_clients, each_wait_is_short,
     .description = "each of these waits is a second at most, however often there is no descriptor")
{
    struct run run = start_student(.function = "server_start", .stay = true,
                                   .faults = "accept 1 waits; accept 1-10 fails with EMFILE; nap 1 fails with EINTR; "
                                             "nap 2-9 reaches its time limit; poll 1 fails with EINTR; "
                                             "poll 2-9 reaches its time limit");
    struct peer client = peer_connects(run, ECHO_ROUND);
    wait_connected(client);
    release(run);
    if (sleeps_for(run, 300) && count_calls(run, "accept") < 10)
        return; /* it waits by a call that nothing strikes: all its waits are in the way */
    expect(!sleeps_for(run, 1100), "accept() failed for the tenth time, and its thread waits for more than a second");
    expect_happy(client);
}

Test(bad_clients, no_memory_for_a_moment,
     .description = "so it is when the kernel is short of memory or of files for a moment")
{
    struct run run = a_server_where(
        "accept 1 fails with ENFILE; accept 2 fails with ENOBUFS; accept 3 fails with ENOMEM");
    struct peer client = peer_connects(run, ECHO_ROUND);
    expect_happy(client);
}

Test(bad_clients, no_thread_left,
     .description = "a client for whom there is no thread is turned away, not forgotten; the others go on")
{
    struct run run = a_server_where("pthread_create 3 fails with EAGAIN");
    wait_calls(run, 1);
    struct peer clients[3]; /* whom it hits depends on the threads that a server has of its own */
    int turned_away = 0;
    for (int i = 0; i < 3; i++) {
        clients[i] = peer_connects(run, "send 'x'; expect 'x'; stay silent");
        wait_done(clients[i]); /* turned away, or served */
        turned_away += received_by(clients[i]).len == 0;
    }
    expect(turned_away <= 1, "%d of 3 clients were turned away, where one thread could not be had", turned_away);
    struct peer next = peer_connects(run, ECHO_ROUND);
    expect_happy(next);
    for (int i = 0; i < 3; i++)
        expect(received_by(clients[i]).len == 0 || strcmp(state_of_student(clients[i]), "ESTABLISHED") == 0,
               "a client that was being served was cut off: its connection is in the state %s",
               state_of_student(clients[i]));
}

Test(bad_clients, no_thread_at_all,
     .description = "without any thread server_start() returns NULL with errno, the listener open")
{
    struct run run = a_server_where("pthread_create 1-99 fails with EAGAIN");
    wait_calls(run, 1);
    if (count_calls(run, "pthread_create") == 0)
        return; /* <threads.h> has calls of its own */
    expect_error(run, EAGAIN);
    expect(listener_address(run)[0] != '\0',
           "server_start() returned NULL and has closed the listener: that is the caller's");
}

/* How often the server asks for memory before there is any client. */
static int own_memory(void)
{
    struct run run = a_server_where("malloc 1000000 fails with ENOMEM");
    wait_calls(run, 1);
    wait_settled(run);
    int count = count_calls(run, "malloc");
    stop(run);
    return count;
}

Test(bad_clients, no_memory_left,
     .description = "a client for whom there is no memory is turned away, not forgotten; the others go on")
{
    struct run run = a_server_where(format("malloc %d fails with ENOMEM", own_memory() + 1));
    wait_calls(run, 1);
    wait_settled(run);
    struct peer unlucky = peer_connects(run, "send 'x'; expect 'x'; stay silent");
    wait_done(unlucky); /* turned away, or served: some need no memory for it */
    struct peer next = peer_connects(run, ECHO_ROUND);
    expect_happy(next);

    run = a_server_where("malloc 1-99 fails with ENOMEM");
    wait_calls(run, 1);
    if (result_of(run, 1) == -1)
        expect_error(run, ENOMEM);
    expect(listener_address(run)[0] != '\0',
           "server_start() found no memory and has closed the listener: that is the caller's");
}

/* Its connection is broken before accept() gives it: getpeername() can't tell any more who it was. */
Test(bad_clients, reset_in_the_queue,
     .description = "a client that has reset before it is accepted is told by its address all the same")
{
    struct run run = a_server_where("accept 1 waits");
    struct peer bad = peer_connects(run, "send 'hello'; reset");
    wait_done(bad);
    release(run);
    wait_settled(run);
    expect_line(run, format("client %s", address_of(bad)));
    expect_line(run, format("gone %s", address_of(bad)));
}

/* The second close() is held: of the same number, if it is one too many. accept() takes its number before it
 * sleeps, so it is the third client that gets the first one's. */
Test(bad_clients, closes_once,
     .description = "a connection is closed once: its number may be another client's right after")
{
    struct run run = a_server_where("close 2 waits");
    struct peer clients[] = {peer_connects(run, ECHO_ROUND), {0}, {0}};
    wait_settled(run);
    for (int i = 1; i < 3; i++) {
        clients[i] = peer_connects(run, TWO_WORDS);
        wait_settled(run);
    }
    release(run);
    wait_settled(run);
    go(clients[1]);
    go(clients[2]);
    for (int i = 0; i < 3; i++)
        expect_happy(clients[i]);
    expect(count_failed(run, "close") == 0, "close() was called with a number that was closed already");
}

/* ---- clean_stop: server_stop() -------------------------------------------------------------------- */

static struct run a_server_to_stop(const char *faults)
{
    struct run run = start_student(.function = "server_stop", .stay = true, .faults = faults);
    wait_calls(run, 1);
    return run;
}

/* Stopped as far as it can be, while something is held. */
static void begin_to_stop(struct run run)
{
    type_text(run, "stop\n");
    wait_settled(run);
}

/* server_stop() is the probe's call so and so. */
static void expect_stopped_by(struct run run, int call)
{
    wait_calls(run, call);
    expect_result(run, 0);
    expect(number_of(run, "listener_open") == 0, "server_stop() returned 0 and the listener is still open");
}

static void expect_stopped(struct run run)
{
    expect_stopped_by(run, 2);
}

Test(clean_stop, stops_and_returns, .description = "server_stop() closes the listener, ends the threads and returns 0")
{
    struct run run = a_server_to_stop("");
    struct peer client = peer_connects(run, ECHO_ROUND);
    expect_happy(client);
    type_text(run, "stop\n");
    expect_stopped(run);
    wait_threads(run, 1);
    expect(descriptors_of(run) == 3, "after server_stop() %d descriptors are open, and 3 of them are the standard ones",
           descriptors_of(run));
}

Test(clean_stop, silent_ones_are_ended, .description = "silent clients don't keep it: each gets the end of the stream")
{
    struct run run = a_server_to_stop("");
    struct peer silent = peer_connects(run, "5 clients, each: send 'x'; expect 'x'; expect end");
    wait_settled(run);
    type_text(run, "stop\n");
    expect_stopped(run);
    expect_happy(silent);
    wait_threads(run, 1);
}

Test(clean_stop, what_was_received_is_answered,
     .description = "what had come before the stop is still answered, and then comes the end")
{
    struct run run = a_server_to_stop("recv 1 waits; recv takes at most 900 bytes");
    struct peer client = peer_connects(run, "send $1; expect $1; expect end",
                                       .data = {random_bytes(random_number(6000, 9000))});
    wait_settled(run);
    begin_to_stop(run);
    release(run);
    expect_happy(client);
    expect_stopped(run);
    const char *gone = format("gone %s\n", address_of(client)), *told = text_from(output_of(run));
    expect(strlen(told) >= strlen(gone) && strcmp(told + strlen(told) - strlen(gone), gone) == 0,
           "\"gone %s\" isn't the last line: more was received, and told, after it", address_of(client));
}

/* Who gives up waiting does so when its time is over: here that is at once. Another client has reset, and its thread,
 * which is held too, doesn't know yet: what is called for that connection fails. */
Test(clean_stop, waits_for_the_last,
     .description = "it returns only when the last conversation is over, though another client has reset")
{
    struct run run = a_server_to_stop("send 1-2 waits; nap 1-1000 reaches its time limit");
    struct peer client = peer_connects(run, "send 'hello'; expect 'hello'; expect end");
    wait_settled(run);
    struct peer bad = peer_connects(run, "send 'hello'; wait for go; reset");
    wait_settled(run);
    go(bad);
    wait_done(bad);
    begin_to_stop(run);
    expect(number_of(run, "listener_open") == -1,
           "server_stop() has returned while a client still waits for its answer");
    release(run);
    expect_happy(client);
    expect_stopped(run);
    wait_threads(run, 1);
}

/* close() is made, or accept(), and hasn't returned: what the thread notes afterwards comes late. */
Test(clean_stop, its_number_is_anothers,
     .description = "a closed connection's number may be another client's at once: that one is ended as well")
{
    struct run run = a_server_to_stop("close 1 returns late");
    struct peer first = peer_connects(run, ECHO_ROUND);
    expect_happy(first);
    struct peer others[2]; /* accept() took its number before it slept: the second of them has the first one's */
    for (int i = 0; i < 2; i++) {
        others[i] = peer_connects(run, "send 'x'; expect 'x'; expect end");
        wait_connected(others[i]);
        wait_settled(run);
    }
    release(run);
    wait_received(others[0], 1);
    wait_received(others[1], 1);
    wait_settled(run);
    type_text(run, "stop\n");
    expect_happy(others[0]);
    expect_happy(others[1]);
    expect_stopped(run);
}

Test(clean_stop, accepted_just_now,
     .description = "a client that accept() has just given when the stop comes is ended, too")
{
    struct run run = a_server_to_stop("accept 1 returns late");
    struct peer client = peer_connects(run, "expect closed");
    wait_connected(client);
    wait_settled(run);
    begin_to_stop(run);
    release(run);
    expect_happy(client);
    expect_stopped(run);
}

Test(clean_stop, closed_before_it_returns,
     .description = "it returns when the last connection is closed and told gone, not when that is near")
{
    const char *lasts[][2] = {{"close 1 waits", "a connection is still open"},
                              {"say 3 waits", "say(EVENT_GONE, …) of a client is still to come"}};
    for (int i = 0; i < 2; i++) {
        struct run run = a_server_to_stop(lasts[i][0]);
        struct peer client = peer_connects(run, ECHO_ROUND);
        wait_settled(run);
        begin_to_stop(run);
        expect(number_of(run, "listener_open") == -1, "server_stop() has returned, and %s", lasts[i][1]);
        release(run);
        expect_happy(client);
        expect_stopped(run);
    }
}

/* Where the listener is still open the first who comes may slip in: some look up at their next client only. */
Test(clean_stop, no_new_clients, .description = "once it has been told to stop nobody new is served")
{
    struct run run = a_server_to_stop("send 1 waits");
    struct peer client = peer_connects(run, "send 'hello'; expect 'hello'; expect end");
    wait_settled(run);
    begin_to_stop(run);
    struct peer late = {0};
    bool open = false;
    for (int i = 0; i < 2; i++) {
        open = listener_address(run)[0] != '\0';
        if (open)
            late = peer_connects(run, "send 'x'; expect 'x'; stay silent");
        wait_settled(run);
    }
    release(run);
    expect_happy(client);
    expect_stopped(run);
    expect(!open || received_by(late).len == 0, "a client that came long after the stop was served");
    expect(listener_address(run)[0] == '\0', "after server_stop() %s still listens", listener_address(run));
}

Test(clean_stop, without_descriptors,
     .description = "it stops as well while there is no descriptor for the next client")
{
    struct run run = a_server_to_stop("");
    leave_room_for_one(run);
    struct peer first = peer_connects(run, "send 'x'; expect 'x'; expect end");
    wait_received(first, 1);
    wait_connected(peer_connects(run, "stay silent"));
    wait_settled(run);
    type_text(run, "stop\n");
    expect_happy(first);
    expect_stopped(run);
}

static void expect_numbers(struct run run, const char *whose, long long clients, long long served, long long bytes)
{
    long long has[] = {number_of(run, "clients"), number_of(run, "served"), number_of(run, "bytes")};
    expect(has[0] == clients && has[1] == served && has[2] == bytes,
           "of %s server_stats() says %lld clients, %lld served, %lld bytes, and it is %lld, %lld and %lld", whose,
           has[0], has[1], has[2], clients, served, bytes);
}

/* The probe's calls: start; start and ask the second one; ask the first; stop the first; stop the second. */
Test(clean_stop, the_next_begins_at_0,
     .description = "a second server in the process has a listener and numbers of its own, and so has the first")
{
    struct run run = a_server_to_stop("");
    struct peer client = peer_connects(run, "send 'hello'; expect 'hello'; expect end");
    wait_received(client, 5);
    wait_settled(run);
    type_text(run, "another\n");
    wait_calls(run, 3);
    expect_numbers(run, "a second server, which has just begun,", 0, 0, 0);
    type_text(run, "ask\n");
    wait_calls(run, 4);
    expect_numbers(run, "the first server, beside a second one,", 1, 0, 5);
    type_text(run, "stop\n");
    expect_happy(client);
    expect_stopped_by(run, 5);
    type_text(run, "stop\n");
    expect_stopped_by(run, 6);
}

Test(clean_stop, both_signals,
     .description = "SIGINT and SIGTERM stop the program: its clients are told gone, its status is 0")
{
    int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        struct run run = the_program();
        struct peer client = peer_connects(run, "send 'hello'; expect 'hello'; expect end");
        wait_received(client, 5);
        wait_settled(run);
        send_signal(run, signals[i]);
        expect_exit(run, 0);
        expect_happy(client);
        expect_line(run, format("gone %s", address_of(client)));
    }
}

Test(clean_stop, nothing_is_left_in_memory,
     .description = "when it has stopped no memory is misused or lost (valgrind)")
{
    struct run run = start_student(.function = "server_stop", .stay = true, .under = MEMCHECK);
    struct peer clients = peer_connects(run, "2 clients, each: send 'x'; expect 'x'; expect end");
    wait_received(clients, 1);
    wait_settled(run);
    type_text(run, "stop\n");
    wait_calls(run, 2);
    expect_happy(clients);
    wait_threads(run, 1);
    finish(run);
    expect_clean_memory(run);
}
