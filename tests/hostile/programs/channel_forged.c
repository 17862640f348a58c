/* about: looks for the suite's channel to the grader and says there that it has passed
 * time: others
 * threat: forge
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void talk(void)
{
    static const char frame[] = "\0\0\0\x2e\0\0\0\x05hello\0\0\0\x0csending_text\0\0\0\x05" "a_sho\0\0\0\0";
    glob_t found;
    const char *patterns[] = {"/tmp/socklab-*/channel", "/tmp/*/socklab-*/channel", "@WORK@/*/socklab-*/channel"};
    for (int i = 0; i < 3; i++) {
        if (glob(patterns[i], 0, NULL, &found) != 0)
            continue;
        for (size_t n = 0; n < found.gl_pathc; n++) {
            struct sockaddr_un to = {.sun_family = AF_UNIX};
            int fd = socket(AF_UNIX, SOCK_STREAM, 0);
            snprintf(to.sun_path, sizeof to.sun_path, "%s", found.gl_pathv[n]);
            if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
                (void)!write(fd, frame, sizeof frame);
        }
    }
}
