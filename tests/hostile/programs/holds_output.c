/* about: a child holds standard output, standard error and the report open after the program has ended
 * time: after
 * threat: survive
 * score: right
 */
#include <signal.h>
#include <unistd.h>
@RIGHT@
__attribute__((destructor)) static void hold(void)
{
    if (fork() == 0)
        for (;;)
            pause();
}
