/* about: a _start and an __libc_start_main of its own
 * time: load
 * threat: symbols
 */
#include <unistd.h>
@STARTER@
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv)
{
    (void)main, (void)argc, (void)argv;
    (void)!write(900, "call 0 0\n", 9);
    _exit(0);
}
