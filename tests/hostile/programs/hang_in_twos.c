/* about: two processes wake each other for ever by a pipe
 * time: run
 * threat: hang
 * seconds: 70
 */
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void pass(void)
{
    int there[2], back[2];
    char byte = 0;
    if (pipe(there) == -1 || pipe(back) == -1)
        return;
    int child = fork() == 0;
    for (;;) {
        (void)!write(child ? back[1] : there[1], &byte, 1);
        (void)!read(child ? there[0] : back[0], &byte, 1);
        usleep(2000);
    }
}
