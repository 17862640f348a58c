/* about: ten thousands of empty files, links, sockets and pipes
 * time: files
 * threat: disk
 * never: none
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void fill(void)
{
    char path[64], other[80];
    for (int i = 0; i < 20000; i++) {
        snprintf(path, sizeof path, "/tmp/@MARK@%d", i);
        snprintf(other, sizeof other, "%s.link", path);
        close(open(path, O_CREAT | O_WRONLY, 0));
        (void)!symlink("/etc/shadow", other);
        other[sizeof "/tmp/" - 1] = 'p';
        mkfifo(other, 0);
    }
}
