/* about: takes and writes memory until there is none
 * time: run
 * threat: memory
 */
#include <stdlib.h>
#include <string.h>
@STARTER@
__attribute__((constructor)) static void eat(void)
{
    for (;;) {
        void *more = malloc(1 << 24);
        if (more != NULL)
            memset(more, 1, 1 << 24);
    }
}
