/* about: includes /etc/shadow, which the compiler may read where it is root
 * time: compile
 * threat: read
 */
#include "/etc/shadow"
@STARTER@
