/* about: an entry of .init_array with the first priority runs before the recorder and takes its descriptor
 * time: load
 * threat: forge
 */
#include <stdlib.h>
#include <unistd.h>
@NAIVE@
static void first(void)
{
    unsetenv("SOCKLAB_RECORD");
    close(901);
}
__attribute__((section(".init_array.00000"), used)) static void (*const entry)(void) = first;
