/* about: starts threads until none can be had, and each of them spins
 * time: run
 * threat: processes
 * never: none
 */
#include <pthread.h>
@STARTER@
static void *spin(void *nothing)
{
    for (;;)
        (void)*(void *volatile *)&nothing;
}
__attribute__((constructor)) static void bomb(void)
{
    pthread_t thread;
    for (int i = 0; i < 5000; i++)
        pthread_create(&thread, NULL, spin, NULL);
    spin(NULL);
}
