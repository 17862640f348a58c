/* about: goes around the recorder by the linker's name for the real send()
 * time: run
 * threat: forge
 * score: nothing
 */
#include <sys/types.h>
ssize_t __real_send(int, const void *, unsigned long, int);
#define SEND __real_send
@NAIVE@
