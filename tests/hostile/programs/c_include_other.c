/* about: another student's file as a header: the compiler quotes its lines in its errors
 * time: compile
 * threat: read
 */
@STARTER@
#include "@OTHER@"
