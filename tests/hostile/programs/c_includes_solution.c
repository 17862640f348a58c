/* about: includes the solution
 * time: compile
 * threat: read
 * held: A B
 */
#include "@KIT@/solutions/lab1_client_send/client_send.c"
