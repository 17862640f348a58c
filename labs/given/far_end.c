/* A look at the other end of a connection: see far_end.h.
 *
 * Asks the kernel's sock_diag (man 7 sock_diag) for the socket whose own address
 * is our peer's. /proc/net/tcp would tell the same, more slowly.
 */
#include "far_end.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
};

struct answer {
    struct nlmsghdr header;
    struct inet_diag_msg found;
    char rest[4096];
};

/* The other end seen from there: what is remote to us is its own. */
static bool fill_question(struct question *question, int fd)
{
    struct sockaddr_in here, there;
    socklen_t size = sizeof here, there_size = sizeof there;
    if (getsockname(fd, (struct sockaddr *)&here, &size) == -1 ||
        getpeername(fd, (struct sockaddr *)&there, &there_size) == -1 || here.sin_family != AF_INET)
        return false;

    struct inet_diag_req_v2 *request = &question->request;
    request->sdiag_family = AF_INET;
    request->sdiag_protocol = IPPROTO_TCP;
    request->id.idiag_sport = there.sin_port;
    request->id.idiag_dport = here.sin_port;
    request->id.idiag_src[0] = there.sin_addr.s_addr;
    request->id.idiag_dst[0] = here.sin_addr.s_addr;
    request->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
    request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    question->header = (struct nlmsghdr){
        .nlmsg_len = sizeof *question, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST};
    return true;
}

long far_end_unread(int fd)
{
    struct question question = {.header.nlmsg_len = 0};
    struct answer answer;
    memset(&answer, 0, sizeof answer);
    if (!fill_question(&question, fd))
        return -1;

    int kernel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (kernel == -1)
        return -1;
    bool told = send(kernel, &question, sizeof question, 0) == sizeof question &&
                recv(kernel, &answer, sizeof answer, 0) > 0 && answer.header.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
                answer.found.id.idiag_dport == question.request.id.idiag_dport && answer.found.idiag_inode != 0;
    close(kernel);
    return told ? (long)answer.found.idiag_rqueue : -1;
}
