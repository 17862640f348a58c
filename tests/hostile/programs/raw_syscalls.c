/* about: a right program that makes its calls by instructions of its own: it hides from the recorder, and is right
 * time: run
 * threat: hide
 * score: up to right
 */
static long raw_send(int fd, const void *data, unsigned long len)
{
    long result;
    register long flags __asm__("r10") = 0x4000;
    register long none __asm__("r8") = 0, nothing __asm__("r9") = 0;
    __asm__ volatile("syscall" : "=a"(result) : "a"(44L), "D"((long)fd), "S"(data), "d"(len), "r"(flags), "r"(none), "r"(nothing)
                     : "rcx", "r11", "memory");
    return result;
}
#include <errno.h>
#include <sys/socket.h>
#define send(fd, data, len, flags) raw_result(raw_send(fd, data, len))
static long raw_result(long result);
@RIGHT@
static long raw_result(long result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}
