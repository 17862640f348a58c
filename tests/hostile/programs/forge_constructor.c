/* about: writes the probe's lines into the report before main(), and leaves with 0
 * time: load
 * threat: forge
 */
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void forge(void)
{
    for (int i = 0; i < 60; i++)
        (void)!write(900, "call 1 0\ntext line1 6f6e65\nnumber open 1\nnumber beyond 0\n", 57);
    _exit(0);
}
