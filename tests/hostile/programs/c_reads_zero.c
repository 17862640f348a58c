/* about: includes /dev/zero
 * time: compile
 * threat: compiler
 */
#include "/dev/zero"
@RIGHT@
