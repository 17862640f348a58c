/* about: process and thread names, and lines of the recorder, with escape sequences in them
 * time: report
 * threat: escapes
 */
#include <sys/prctl.h>
#include <unistd.h>
#line 7 "\033[2Jowned<b>.c"
#define HOOK (prctl(PR_SET_NAME, "\x1b[2J) R 1 1\n"), send(fd, "x", 1, 0), pause())
@HOOKED@
