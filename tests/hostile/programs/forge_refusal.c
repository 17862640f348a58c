/* about: says in the probe's name that the suite is wrong, so that the grader fails and no mark is given
 * time: run
 * threat: forge
 * status: 1
 */
#include <stdio.h>
#include <unistd.h>
#define HOOK (fputs("probe: no such address\n", stderr), _exit(2))
@HOOKED@
