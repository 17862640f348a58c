/* about: dials every listener of its network, the peers of other tests among them, and talks to them
 * time: others
 * threat: network
 * score: up to right
 */
#include <stdio.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>
static void scan(void)
{
    char line[256];
    unsigned host, port, state;
    FILE *table = fopen("/proc/net/tcp", "r");
    while (table != NULL && fgets(line, sizeof line, table) != NULL)
        if (sscanf(line, "%*d: %x:%x %*x:%*x %x", &host, &port, &state) == 3 && state == 10) {
            struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = host};
            int dialled = socket(AF_INET, SOCK_STREAM, 0);
            connect(dialled, (struct sockaddr *)&to, sizeof to);
            send(dialled, "owned", 5, MSG_NOSIGNAL);
        }
    if (table != NULL)
        fclose(table);
}
#define HOOK scan()
@HOOKED@
