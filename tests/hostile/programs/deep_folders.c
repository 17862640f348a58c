/* about: folders within folders, deeper than any path may be long, closed to everybody
 * time: files
 * threat: disk
 * held: A B
 */
#include <sys/stat.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void dig(void)
{
    (void)!chdir("/tmp");
    for (int i = 0; i < 5000; i++) {
        mkdir("@MARK@", 0700);
        if (chdir("@MARK@") == -1)
            break;
    }
}
