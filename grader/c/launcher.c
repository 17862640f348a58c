/* launcher.c: starts the student's program, watches over its processes, and tells how it ended.
 *
 *     launcher [NAME=VALUE…] [read=PATH…] [write=PATH…] -- PROGRAM ARGS…
 *
 * It is the sandbox's process 1, or a subreaper where there is no sandbox. It
 *   - moves the descriptors that the grader made to their places (control, stdin, stdout, stderr,
 *     record, report, log) and closes every other one;
 *   - sets limits (nofile, cpu, memory, fsize, nproc), no_new_privs, and a user (uid) if it is root;
 *   - shuts the program out of all files but those below the paths, and out of System V's memory, where there are
 *     any paths (landlock.h);
 *   - starts the program, whose first byte on the control socket tells the grader its real pid (the
 *     kernel adds it: SO_PASSCRED, unix(7)); where it can't be started after all, a second byte says so;
 *   - raises the program's limit of descriptors when the grader asks for it;
 *   - sends the raw wait status (wait(2)) and the number of processes left over, once the program ends;
 *   - kills all that is left, also when the control socket is closed: so a grader that stops, or that
 *     is killed, leaves nothing behind.
 * It isn't dumpable, so the student's program can't read its memory or its descriptors.
 */
#define _GNU_SOURCE
#include "landlock.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the program finds them; the recorder closes RECORD_FD before main starts. */
enum { CONTROL_FD = 899, REPORT_FD = 900, RECORD_FD = 901, LOG_FD = 902 };

enum option {
    CONTROL,
    STDIN,
    STDOUT,
    STDERR,
    RECORD,
    REPORT,
    LOG, /* descriptors */
    NOFILE,
    CPU,
    MEMORY,
    FSIZE,
    NPROC,
    UID,
    TERMINAL,
    OPTIONS
};

static const char *const option_names[OPTIONS] = {
    "control", "stdin", "stdout", "stderr", "record", "report", "log",
    "nofile",  "cpu",   "memory", "fsize",  "nproc",  "uid",    "terminal",
};

static const int places[] = {CONTROL_FD, 0, 1, 2, RECORD_FD, REPORT_FD, LOG_FD};

static long options[OPTIONS];
static char **words; /* all of them, for landlock_files() */
static int has_paths;
static int is_domain; /* signals reach only what this process has started: kill(-1) is safe */
static char **program;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "launcher: %s: %s\n", what, strerror(errno));
    _exit(125);
}

static void set_option(const char *word)
{
    const char *equals = strchr(word, '=');
    for (int i = 0; equals != NULL && i < OPTIONS; i++)
        if (strncmp(word, option_names[i], (size_t)(equals - word)) == 0 && option_names[i][equals - word] == '\0') {
            options[i] = atol(equals + 1);
            return;
        }
    errno = EINVAL;
    die(word);
}

static void read_options(char **argv)
{
    for (int i = 0; i < OPTIONS; i++)
        options[i] = -1;
    words = ++argv;
    for (; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
        if (strncmp(*argv, "read=", 5) == 0 || strncmp(*argv, "write=", 6) == 0)
            has_paths = 1;
        else
            set_option(*argv);
    }
    if (*argv == NULL || argv[1] == NULL || options[CONTROL] == -1) {
        errno = EINVAL;
        die("usage: launcher control=FD [NAME=VALUE...] -- PROGRAM ARGS...");
    }
    program = argv + 1;
    *argv = NULL; /* so that `words` ends here */
}

/* First above all the places, then each to its place: so that no move overwrites another's source. */
static void move_descriptors(void)
{
    int high[TERMINAL];
    for (int i = CONTROL; i <= LOG; i++)
        high[i] = options[i] == -1 ? -1 : fcntl((int)options[i], F_DUPFD, LOG_FD + 1);
    close_range(0, LOG_FD, 0);
    for (int i = CONTROL; i <= LOG; i++)
        if (high[i] != -1 && dup2(high[i], places[i]) == -1)
            die("dup2");
    close_range(LOG_FD + 1, ~0U, 0);
    fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
}

static void limit(int resource, long value)
{
    struct rlimit both = {(rlim_t)value, (rlim_t)value};
    if (value >= 0 && setrlimit((__rlimit_resource_t)resource, &both) == -1)
        die("setrlimit");
}

/* After the first byte: another one says that what ends now isn't the student's program. */
static _Noreturn void give_up(const char *what)
{
    int error = errno;
    send(CONTROL_FD, "x", 1, MSG_NOSIGNAL);
    errno = error;
    die(what);
}

/* The soft limit alone: the grader can raise it again while the program runs (prlimit(2)). */
static void limit_descriptors(void)
{
    struct rlimit now;
    if (options[NOFILE] < 0 || getrlimit(RLIMIT_NOFILE, &now) == -1)
        return;
    now.rlim_cur = (rlim_t)options[NOFILE];
    if (setrlimit(RLIMIT_NOFILE, &now) == -1)
        give_up("setrlimit");
}

static void take_user(void)
{
    if (options[UID] < 0)
        return;
    if (setgroups(0, NULL) == -1 || setresgid((gid_t)options[UID], (gid_t)options[UID], (gid_t)options[UID]) == -1 ||
        setresuid((uid_t)options[UID], (uid_t)options[UID], (uid_t)options[UID]) == -1)
        die("setresuid");
}

static _Noreturn void become_program(const sigset_t *old_mask)
{
    setsid();
    if (options[TERMINAL] > 0)
        ioctl(0, TIOCSCTTY, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, options[FSIZE]);
    limit(RLIMIT_CPU, options[CPU]);
    limit(RLIMIT_DATA, options[MEMORY]);
    take_user();
    limit(RLIMIT_NPROC, options[NPROC]);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
        die("no_new_privs");
    if (has_paths && landlock_files(words) == -1)
        die("Landlock");
    if (has_paths && refuse_sysv() == -1 && errno != EINVAL) /* a kernel without such filters */
        die("seccomp");
    sigprocmask(SIG_SETMASK, old_mask, NULL);
    if (send(CONTROL_FD, "p", 1, MSG_NOSIGNAL) != 1)
        die("the grader has gone");
    limit_descriptors();
    execv(program[0], program);
    give_up(program[0]);
}

/* ---- all processes of the run ------------------------------------------------------------------ */

/* Kills one's own children, as this process's thread lists them; orphans become children. */
static int kill_children(void)
{
    char path[64];
    int count = 0;
    int pid;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *list = fopen(path, "re");
    while (list != NULL && fscanf(list, "%d", &pid) == 1) {
        kill(pid, SIGKILL);
        count++;
    }
    if (list != NULL)
        fclose(list);
    return count;
}

/* Until none is left: a process can fork while it is being killed. Returns how many there were. */
static int end_all(void)
{
    int count = 0;
    for (;;) {
        if (getpid() == 1 || is_domain)
            kill(-1, SIGKILL);
        else
            kill_children();
        siginfo_t info;
        if (waitid(P_ALL, 0, &info, WEXITED) == -1)
            return count;
        count++;
    }
}

static int descriptor_of_child_signals(sigset_t *old_mask)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, old_mask);
    int fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd == -1)
        die("signalfd");
    return fd;
}

/* prlimit(2) on the program: only its own user may, so a process of that user does it. */
static void raise_descriptors(pid_t child, int32_t most)
{
    pid_t helper = fork();
    if (helper != 0) {
        if (helper > 0)
            waitpid(helper, NULL, 0);
        return;
    }
    struct rlimit now;
    take_user();
    if (prlimit(child, RLIMIT_NOFILE, NULL, &now) == 0) {
        now.rlim_cur = (rlim_t)most;
        prlimit(child, RLIMIT_NOFILE, &now, NULL);
    }
    _exit(0);
}

/* The grader sends the program's new limit of descriptors, or hangs up: then it wants an end. */
static int obey(pid_t child)
{
    int32_t most;
    if (recv(CONTROL_FD, &most, sizeof most, MSG_DONTWAIT) != sizeof most)
        return 0;
    raise_descriptors(child, most);
    send(CONTROL_FD, "l", 1, MSG_NOSIGNAL);
    return 1;
}

/* 1 and *status once `child` has ended; 0 as soon as the grader has gone or says stop. */
static int wait_for(pid_t child, int signals, int *status)
{
    struct pollfd both[] = {{.fd = signals, .events = POLLIN}, {.fd = CONTROL_FD, .events = POLLIN}};
    for (;;) {
        if (poll(both, 2, -1) == -1 && errno != EINTR)
            return 0;
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) > 0)
            ;
        siginfo_t ended = {.si_pid = 0};
        if (waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == child)
            return waitpid(child, status, 0) == child;
        if (both[1].revents != 0 && !obey(child))
            return 0;
        while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0 && ended.si_pid != child)
            waitpid(ended.si_pid, NULL, 0); /* orphans that have ended */
    }
}

/* Before the program has a domain of its own within this one: from here it can be signalled, and from there nobody
 * else. Believed only once the grader, which one may signal otherwise, can't be.
 */
static void enter_domain(void)
{
    if (!has_paths || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || landlock_signals() == -1)
        return;
    is_domain = kill(getppid(), 0) == -1 && errno == EPERM;
}

int main(int argc, char **argv)
{
    (void)argc;
    read_options(argv);
    move_descriptors();
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    enter_domain();
    sigset_t old_mask;
    int signals = descriptor_of_child_signals(&old_mask);

    pid_t child = fork();
    if (child == -1)
        die("fork");
    if (child == 0)
        become_program(&old_mask);

    int32_t outcome[2] = {0, 0}; /* wait status, processes left over */
    int ended = wait_for(child, signals, &outcome[0]);
    outcome[1] = end_all();
    if (ended)
        send(CONTROL_FD, outcome, sizeof outcome, MSG_NOSIGNAL);
    return 0;
}
