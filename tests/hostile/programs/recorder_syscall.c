/* about: goes around the recorder, and so around the forced faults, by syscall()
 * time: run
 * threat: forge
 */
#include <sys/syscall.h>
#include <unistd.h>
#define SEND(fd, data, len, flags) syscall(SYS_sendto, fd, data, len, flags, 0, 0)
@NAIVE@
