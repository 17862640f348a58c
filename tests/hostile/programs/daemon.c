/* about: a daemon by two forks and a session of its own, which ignores what can be ignored and wants to outlive all
 * time: after
 * threat: survive
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void stay(void)
{
    if (fork() != 0)
        return;
    setsid();
    if (fork() != 0)
        _exit(0);
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    for (int fd = 0; fd < 1024; fd++)
        close(fd);
    for (;;)
        sleep(1000);
}
