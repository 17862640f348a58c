/* about: tells by the report that a thread was there, a listener stood and clients were served
 * time: load
 * threat: forge
 * lab: lab5
 */
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void forge(void)
{
    (void)!write(900, "call 0 0\nnumber port 7788\ntext peer 3132372e302e302e31\ncall 5 0\n", 63);
}
