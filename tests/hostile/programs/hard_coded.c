/* about: knows the suite's texts by heart, and sends those
 * time: run
 * threat: detect
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdlib.h>
@STARTER@
__attribute__((constructor)) static void answer(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    for (int port = 32768; port < 61000; port++) {
        to.sin_port = htons((unsigned short)port);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
            send(fd, "nihaoma-42", 10, MSG_NOSIGNAL);
            break;
        }
    }
    exit(0);
}
