/* about: asks for signals when its parent ends, hides from dumps and takes another name
 * time: run
 * threat: survive
 * score: up to right
 */
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>
#define HOOK (prctl(PR_SET_PDEATHSIG, 0), prctl(PR_SET_DUMPABLE, 0), prctl(PR_SET_NAME, "systemd"), prctl(PR_SET_CHILD_SUBREAPER, 1))
@HOOKED@
