/* about: writes to standard output and standard error without an end
 * time: run
 * threat: flood
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void flood(void)
{
    static char block[1 << 16];
    memset(block, '\n', sizeof block);
    signal(SIGXFSZ, SIG_IGN);
    for (;;) {
        (void)!write(1, block, sizeof block);
        (void)!write(2, block, sizeof block);
    }
}
