/* about: a report of numbers that are none, huge counts, bytes beyond ASCII and a line without an end
 * time: report
 * threat: forge
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void forge(void)
{
    static char line[5000];
    memset(line, '9', sizeof line);
    (void)!write(900, "call ", 5);
    (void)!write(900, line, sizeof line);
    (void)!write(900, " 99999999999999999999\ncall x y\ncall 1e9 nan\ntext \xff\xfe\x1b[2J zz\nnumber beyond ", 75);
    (void)!write(900, line, sizeof line);
    (void)!write(900, "\ncall 1_0 \xd9\xa3\ntext line1 123\ncall 5", 35);
}
