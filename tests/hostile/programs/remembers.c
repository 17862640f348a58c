/* about: keeps what it saw in files for its next run, to answer from memory
 * time: others
 * threat: state
 * held: A B
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void remember(void)
{
    const char *places[] = {"/tmp/@MARK@", "/dev/shm/@MARK@", "/var/tmp/@MARK@", "/home/@MARK@", "@KIT@/build/@MARK@",
                            "/lab/@MARK@", "/lab/bin/@MARK@", "/run/@MARK@"};
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        int file = open(places[i], O_CREAT | O_RDWR | O_APPEND, 0666);
        (void)!write(file, "x", 1);
        struct stat now;
        if (file != -1 && fstat(file, &now) == 0 && now.st_size > 1)
            (void)!write(900, "call 0 0\n", 9);
        close(file);
    }
}
