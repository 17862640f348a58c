/* about: maps the report and changes it in memory while the grader reads it
 * time: report
 * threat: forge
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
@STARTER@
__attribute__((destructor)) static void forge(void)
{
    (void)!ftruncate(900, 4096);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 900, 0);
    if (map == MAP_FAILED)
        return;
    for (int i = 0; i < 100000; i++) {
        memcpy(map, "call 0 0\n", 9);
        memset(map + 9, '\n', 4000);
    }
}
