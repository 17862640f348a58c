/* Lab 1, client send: tests that students don't have. */
#include "suite.h"

static void expect_sent(struct bytes message)
{
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "send_all", .args = {LOOPBACK, port_of(server)}, .input = message);
    expect_result(run, 0);
    expect_received(server, message);
}

Test(sending_text, begins_with_hash_bang, .description = "a text that begins with #! is a text like any other")
{
    expect_sent(bytes_of(format("#! %s", (const char *)random_text(20).data)));
}

Test(sending_everything, one_more_than_64_kib, .description = "65537 bytes are sent, and not 1")
{
    expect_sent(random_bytes(65537));
}
