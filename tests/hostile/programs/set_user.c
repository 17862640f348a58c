/* about: tries to become root: by its ids, by capabilities and by what is setuid
 * time: run
 * threat: escape
 */
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void rise(void)
{
    if (setuid(0) == 0 || setresuid(0, 0, 0) == 0 || seteuid(0) == 0)
        (void)!write(900, "call 0 0\n", 9);
    if (fork() == 0) {
        execl("/usr/bin/su", "su", "-c", "true", (char *)0);
        _exit(1);
    }
    wait(NULL);
}
