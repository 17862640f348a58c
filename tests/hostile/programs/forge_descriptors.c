/* about: writes what looks like an end of the program to each descriptor, the launcher's among them
 * time: run
 * threat: forge
 */
#include <sys/socket.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void forge(void)
{
    int end[2] = {0, 0};
    for (int fd = 3; fd < 1100; fd++) {
        send(fd, end, sizeof end, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)!write(fd, "call 0 0\n", 9);
    }
}
