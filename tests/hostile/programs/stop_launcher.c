/* about: stops its parent, which would tell the grader how it ended, and goes on as if nothing were
 * time: run
 * threat: kill
 * held: A B
 * score: right
 */
#include <signal.h>
#include <unistd.h>
#define HOOK kill(getppid(), SIGSTOP)
@HOOKED@
