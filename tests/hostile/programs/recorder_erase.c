/* about: finds the recorder's memory in /proc/self/maps and takes the faults out of it
 * time: run
 * threat: forge
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void erase(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "recording") != NULL) {
            char *start = (char *)strtoul(line, NULL, 16);
            memset(start + 40, 0, 16 * 40);
        }
    if (maps != NULL)
        fclose(maps);
}
#define HOOK erase()
@NAIVE@
