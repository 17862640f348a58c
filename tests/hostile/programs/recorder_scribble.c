/* about: writes random bytes over the recorder's memory, counts and states among them
 * time: run
 * threat: forge
 * score: up to right
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void scribble(void)
{
    char line[512];
    unsigned long start, end;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "recording") != NULL && sscanf(line, "%lx-%lx", &start, &end) == 2)
            for (unsigned long at = start + 32; at < end; at++)
                *(unsigned char *)at = (unsigned char)(rand() >> 7);
    if (maps != NULL)
        fclose(maps);
}
#define HOOK scribble()
@HOOKED@
