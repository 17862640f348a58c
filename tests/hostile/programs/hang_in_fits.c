/* about: wakes for a moment again and again, so that it never looks stuck, idle or busy
 * time: run
 * threat: hang
 * seconds: 70
 */
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void drip(void)
{
    for (;;) {
        usleep(1000);
        (void)!write(1, ".", 1);
    }
}
