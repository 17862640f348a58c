/* about: a file of 10 GB that takes no room, and standard output made as long
 * time: run
 * threat: disk
 */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void grow(void)
{
    signal(SIGXFSZ, SIG_IGN);
    int file = open("/tmp/@MARK@", O_CREAT | O_RDWR, 0600);
    (void)!ftruncate(file, 10L << 30);
    (void)!ftruncate(1, 10L << 30);
    (void)!ftruncate(2, 10L << 30);
    (void)!ftruncate(900, 10L << 30);
    unlink("/tmp/@MARK@");
}
