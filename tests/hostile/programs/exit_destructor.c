/* about: a destructor turns the exit status into 0 and the output into what might be wanted
 * time: after
 * threat: exit
 */
#include <unistd.h>
@STARTER@
__attribute__((destructor)) static void leave(void)
{
    (void)!write(1, "message: ", 9);
    _exit(0);
}
