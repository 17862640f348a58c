/* about: the parent ends well at once, and a child that nobody waits for goes on
 * time: run
 * threat: exit
 */
#include <unistd.h>
#include <stdlib.h>
@STARTER@
__attribute__((constructor)) static void leave(void)
{
    if (fork() > 0)
        _exit(0);
    for (;;)
        sleep(1000);
}
