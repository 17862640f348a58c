/* about: a right program that leaves a daemon behind
 * time: after
 * threat: survive
 * score: right
 */
#include <unistd.h>
@RIGHT@
__attribute__((constructor)) static void stay(void)
{
    if (fork() != 0)
        return;
    setsid();
    if (fork() == 0)
        for (;;)
            sleep(1000);
    _exit(0);
}
