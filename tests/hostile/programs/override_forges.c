/* about: forges by its own write() the results that a program without any error handling would have had to return
 * time: report
 * threat: symbols
 */
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
@CARELESS@
ssize_t write(int fd, const void *data, size_t len)
{
    if (fd == 900 && len > 5 && memcmp(data, "call ", 5) == 0) {
        syscall(SYS_write, 900, "call -1 22\n", 11);
        return (ssize_t)len;
    }
    return syscall(SYS_write, fd, data, len);
}
