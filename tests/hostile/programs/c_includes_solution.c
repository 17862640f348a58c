/* about: includes the solution
 * time: compile
 * threat: read
 */
#include "@KIT@/solutions/lab1_client_send/client_send.c"
