/* The suite of make test's own lab. */
#include "suite.h"

#include <errno.h>

Test(greeting, says_hello, .description = "hello() says hello and closes")
{
    struct peer server = peer_listens("receive to end");
    struct run run = run_student(.function = "hello", .args = {LOOPBACK, port_of(server)});
    expect_result(run, 0);
    expect_received(server, bytes_of("hello\n"));
}

Test(nobody, refused, .description = "where nobody listens hello() returns -1 with ECONNREFUSED")
{
    struct peer none = peer_listens("refuse");
    struct run run = run_student(.function = "hello", .args = {LOOPBACK, port_of(none)});
    expect_error(run, ECONNREFUSED);
}
