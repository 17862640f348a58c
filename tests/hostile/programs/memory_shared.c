/* about: shared memory by mmap(), which no limit of data counts, in many processes
 * time: run
 * threat: memory
 * never: none
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void eat(void)
{
    for (int i = 0; i < 3; i++)
        fork();
    for (int i = 0; i < 40; i++) {
        void *more = mmap(0, 1 << 28, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (more != MAP_FAILED)
            memset(more, 1, 1 << 28);
    }
    for (;;)
        pause();
}
