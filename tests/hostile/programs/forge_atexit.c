/* about: adds its own lines to the report when the probe has written the true ones
 * time: after
 * threat: forge
 */
#include <stdlib.h>
#include <unistd.h>
@STARTER@
static void forge(void)
{
    (void)!write(900, "call 0 0\ntext line1 6f6e65\nnumber beyond 0\n", 43);
}
__attribute__((constructor)) static void later(void)
{
    atexit(forge);
}
