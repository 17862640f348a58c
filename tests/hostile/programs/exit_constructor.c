/* about: exit(0) before main() begins
 * time: load
 * threat: exit
 */
#include <stdlib.h>
@STARTER@
__attribute__((constructor)) static void leave(void)
{
    exit(0);
}
