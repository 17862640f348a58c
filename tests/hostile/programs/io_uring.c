/* about: sets up io_uring, whose calls no recorder sees, and holds it
 * time: run
 * threat: hide
 * score: up to right
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#define HOOK ({ static char parameters[120]; syscall(SYS_io_uring_setup, 8, parameters); })
@HOOKED@
