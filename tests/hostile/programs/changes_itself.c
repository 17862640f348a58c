/* about: writes into its own program file, the launcher and the libraries, for the next run
 * time: others
 * threat: state
 * held: A B
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void change(void)
{
    const char *files[] = {"/proc/self/exe", "/lab/launcher", "/lab/bin/probe", "/lib/x86_64-linux-gnu/libc.so.6",
                           "/etc/ld.so.preload", "/etc/hosts"};
    char own[4096];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    own[n < 0 ? 0 : n] = '\0';
    chmod(own, 0777);
    unlink(own);
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++)
        (void)!write(open(files[i], O_CREAT | O_WRONLY | O_TRUNC, 0777), "owned", 5);
}
