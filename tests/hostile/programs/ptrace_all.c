/* about: attaches to its parent and to every process that it sees, and writes into their memory
 * time: run
 * threat: ptrace
 * never: none
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void attach(void)
{
    char path[64];
    for (int pid = getpid() > 2000 ? getpid() - 2000 : 2; pid < getpid() + 2000; pid++) {
        if (pid == getpid())
            continue;
        ptrace(PTRACE_ATTACH, pid, 0, 0);
        snprintf(path, sizeof path, "/proc/%d/mem", pid);
        if (open(path, O_RDWR) != -1)
            (void)!write(900, "call 0 0\n", 9);
    }
}
