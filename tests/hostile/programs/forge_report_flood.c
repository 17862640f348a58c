/* about: fills the report with as much as it may hold
 * time: report
 * threat: flood
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void flood(void)
{
    static char lines[1 << 16];
    signal(SIGXFSZ, SIG_IGN);
    for (size_t at = 0; at + 9 <= sizeof lines; at += 9)
        memcpy(lines + at, "call 0 0\n", 9);
    while (write(900, lines, sizeof lines / 9 * 9) > 0)
        continue;
}
