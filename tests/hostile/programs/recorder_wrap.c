/* about: a send() of its own under the name that the linker gives the recorder's
 * time: compile
 * threat: symbols
 * score: nothing
 */
#include <sys/types.h>
#include <unistd.h>
#include <sys/syscall.h>
@NAIVE@
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    return syscall(SYS_sendto, fd, data, len, flags, 0, 0);
}
