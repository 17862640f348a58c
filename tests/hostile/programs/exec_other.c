/* about: becomes another program: a shell that looks around and stays
 * time: run
 * threat: escape
 */
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void become(void)
{
    execl("/bin/sh", "sh", "-c", "cat /etc/shadow @OTHER@; ls -R /; echo call 0 0 >&900; (sleep 1000 &) ; exec sleep 1000", (char *)0);
}
