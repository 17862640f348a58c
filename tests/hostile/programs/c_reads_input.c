/* about: includes standard input and the terminal, and waits for them
 * time: compile
 * threat: compiler
 */
#include "/dev/stdin"
#include "/dev/tty"
#include "/proc/self/fd/0"
@STARTER@
