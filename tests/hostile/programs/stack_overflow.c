/* about: recursion without an end, with the limit of the stack taken off
 * time: run
 * threat: memory
 */
#include <sys/resource.h>
static int deeper(volatile char *above)
{
    volatile char here[4096];
    here[0] = above[0];
    return deeper(here) + here[1];
}
static int fall(void)
{
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    char first[1] = {0};
    setrlimit(RLIMIT_STACK, &all);
    return deeper(first);
}
#define HOOK fall()
@HOOKED@
