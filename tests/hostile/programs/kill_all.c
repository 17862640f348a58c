/* about: kill(-1, SIGKILL) and kill(-1, SIGSTOP): whatever it may reach
 * time: run
 * threat: kill
 * held: A B
 * score: right
 */
#include <signal.h>
#define HOOK (kill(-1, SIGSTOP), kill(-1, SIGKILL))
@HOOKED@
