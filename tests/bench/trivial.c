/* The floor's program under memcheck. */
#include <stdlib.h>

int main(void)
{
    free(malloc(1));
    return 0;
}
