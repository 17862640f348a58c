/* about: sleeps for ever with every signal blocked
 * time: run
 * threat: hang
 */
#include <signal.h>
#include <unistd.h>
static void hang(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        pause();
}
#define HOOK hang()
@HOOKED@
