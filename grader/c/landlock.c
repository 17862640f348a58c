/* landlock.c: see landlock.h. The kernel's header is younger than the distributions that this runs on, so what is
 * needed of linux/landlock.h stands here.
 */
#define _GNU_SOURCE
#include "landlock.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 }; /* the same on every machine */
enum { ASK_VERSION = 1, PATH_BENEATH = 1 };

/* Rights to files are bits; each version of the kernel's interface knows more of them. */
enum {
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    TRUNCATE = 1 << 14,
    IOCTL_DEV = 1 << 15,
    VERSION_1 = (1 << 13) - 1,
    VERSION_2 = (1 << 14) - 1,
    VERSION_3 = (1 << 15) - 1,
    VERSION_5 = (1 << 16) - 1,
    TO_READ = EXECUTE | READ_FILE | READ_DIR,
    OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV, /* the others are a folder's */
};

enum { ABSTRACT_SOCKETS = 1, SIGNALS = 2, SCOPES_SINCE = 6 };

struct ruleset {
    uint64_t files;
    uint64_t network; /* unused: a rule knows ports, and not whose they are */
    uint64_t scopes;
};

struct rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

int landlock_version(void)
{
    return (int)syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
}

static uint64_t known_rights(int version)
{
    if (version < 2)
        return VERSION_1;
    if (version < 3)
        return VERSION_2;
    return version < 5 ? VERSION_3 : VERSION_5;
}

static int allow(int ruleset, const char *path, uint64_t rights)
{
    struct stat facts;
    struct rule rule = {.allowed = rights, .fd = open(path, O_PATH | O_CLOEXEC)};
    if (rule.fd == -1 || fstat(rule.fd, &facts) == -1)
        return -1;
    if (!S_ISDIR(facts.st_mode))
        rule.allowed &= OF_FILES;
    int result = (int)syscall(ADD_RULE, ruleset, PATH_BENEATH, &rule, 0);
    close(rule.fd);
    return result;
}

/* Enters the rules and closes them. */
static int enter(int ruleset)
{
    int result = (int)syscall(RESTRICT_SELF, ruleset, 0);
    int error = errno;
    close(ruleset);
    errno = error;
    return result;
}

int landlock_files(char *const words[])
{
    int version = landlock_version();
    struct ruleset rules = {.files = known_rights(version)};
    if (version >= SCOPES_SINCE)
        rules.scopes = ABSTRACT_SOCKETS | SIGNALS;
    int ruleset = (int)syscall(CREATE_RULESET, &rules, sizeof rules, 0);
    if (ruleset == -1)
        return -1;
    for (; *words != NULL; words++) {
        int failed = 0;
        if (strncmp(*words, "read=", 5) == 0)
            failed = allow(ruleset, *words + 5, TO_READ);
        else if (strncmp(*words, "write=", 6) == 0)
            failed = allow(ruleset, *words + 6, rules.files);
        if (failed == -1) {
            int error = errno;
            close(ruleset);
            errno = error;
            return -1;
        }
    }
    return enter(ruleset);
}

/* A filter of system calls (seccomp(2)). Calls by another machine's numbers, such as a 32-bit program's, are refused
 * altogether; where the numbers aren't known here nothing is.
 */
#if defined __x86_64__ || defined __aarch64__
#ifdef __x86_64__
enum { MACHINE = AUDIT_ARCH_X86_64, FIRST_FOREIGN = 0x40000000 }; /* x32's */
#else
enum { MACHINE = AUDIT_ARCH_AARCH64, FIRST_FOREIGN = 0x7fffffff };
#endif

int refuse_sysv(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_FOREIGN, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_shmget, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_semget, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_msgget, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}
#else
int refuse_sysv(void)
{
    return 0;
}
#endif

int landlock_signals(void)
{
    struct ruleset rules = {.scopes = SIGNALS};
    if (landlock_version() < SCOPES_SINCE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    int ruleset = (int)syscall(CREATE_RULESET, &rules, sizeof rules, 0);
    return ruleset == -1 ? -1 : enter(ruleset);
}
