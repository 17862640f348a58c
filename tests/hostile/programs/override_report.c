/* about: its own write() and snprintf(), so that what the probe reports is what it likes
 * time: report
 * threat: symbols
 * score: up to right
 */
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>
@RIGHT@
ssize_t write(int fd, const void *data, size_t len)
{
    if (fd == 900)
        return syscall(SYS_write, 900, "call 0 0\n", 9), (ssize_t)len;
    return syscall(SYS_write, fd, data, len);
}
