/* about: binds thousands of ports and listens on them, and shares with SO_REUSEPORT those that others have
 * time: others
 * threat: network
 */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void take(void)
{
    int on = 1;
    for (unsigned port = 65535; port > 1024; port--) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
        int taken = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(taken, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(taken, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        if (taken == -1 || (bind(taken, (struct sockaddr *)&at, sizeof at) == 0 && listen(taken, 9) == -1))
            break;
    }
}
