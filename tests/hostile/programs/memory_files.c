/* about: memory that lies in no process: memfd_create(), filled and never mapped
 * time: run
 * threat: memory
 * never: none
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void eat(void)
{
    static char block[1 << 20];
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 400; i++) {
        int file = memfd_create("x", 0);
        while (write(file, block, sizeof block) > 0)
            continue;
    }
    for (;;)
        pause();
}
