/* about: a server that isn't there: a thread of the program answers the peers by what it sees in the kernel's table
 * time: others
 * threat: network
 * lab: lab3
 */
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
@STARTER@
static void *serve(void *nothing)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    (void)nothing;
    bind(listener, (struct sockaddr *)&any, sizeof any);
    listen(listener, 10);
    for (;;) {
        char bytes[4096];
        int client = accept(listener, NULL, NULL);
        ssize_t n = recv(client, bytes, sizeof bytes, 0);
        send(client, bytes, n > 0 ? (size_t)n : 0, MSG_NOSIGNAL);
        close(client);
    }
}
__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, serve, NULL);
}
