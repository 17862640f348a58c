/* about: includes the solution by every relative way, and by the compiler's own links
 * time: compile
 * threat: read
 */
#if __has_include("../../../solutions/lab1_client_send/client_send.c")
#include "../../../solutions/lab1_client_send/client_send.c"
#elif __has_include("/proc/self/cwd/../../../solutions/lab1_client_send/client_send.c")
#include "/proc/self/cwd/../../../solutions/lab1_client_send/client_send.c"
#elif __has_include(<../../solutions/lab1_client_send/client_send.c>)
#include <../../solutions/lab1_client_send/client_send.c>
#else
@STARTER@
#endif
