/* about: namespaces of its own, and in them mounts over what it shares with others
 * time: run
 * threat: escape
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void leave(void)
{
    char path[64];
    unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET);
    mount("proc", "/proc", "proc", 0, "");
    mount("/", "/mnt", NULL, MS_BIND | MS_REC, NULL);
    mount("none", "/tmp", "tmpfs", 0, "");
    (void)!chroot("/tmp");
    for (int pid = 1; pid < 10; pid++) {
        snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
        setns(open(path, O_RDONLY), 0);
        snprintf(path, sizeof path, "/proc/%d/root/etc/@MARK@", pid);
        if (open(path, O_CREAT | O_WRONLY, 0666) != -1)
            (void)!write(900, "call 0 0\n", 9);
    }
}
