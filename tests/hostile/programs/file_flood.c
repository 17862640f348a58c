/* about: fills /tmp and /dev/shm with large files, each below the limit of one
 * time: run
 * threat: disk
 * never: none
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void fill(void)
{
    static char block[1 << 20];
    char path[64];
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, i % 2 ? "/tmp/@MARK@%d" : "/dev/shm/@MARK@%d", i);
        int file = open(path, O_CREAT | O_WRONLY, 0600);
        while (file != -1 && write(file, block, sizeof block) > 0)
            continue;
        close(file);
    }
}
