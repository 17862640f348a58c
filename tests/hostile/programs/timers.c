/* about: floods itself with signals by timers, alarm() and setitimer()
 * time: run
 * threat: hang
 * score: right
 */
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>
static void nothing(int number)
{
    (void)number;
}
static void flood(void)
{
    struct itimerval often = {{0, 50}, {0, 50}};
    signal(SIGALRM, nothing);
    setitimer(ITIMER_REAL, &often, NULL);
}
#define HOOK flood()
@HOOKED@
