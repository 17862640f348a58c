/* about: takes processor time, descriptors and memory from its parent by prlimit(), and itself a better place by nice()
 * time: run
 * threat: kill
 * score: up to right
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>
static void grab(void)
{
    struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};
    struct sched_param first = {.sched_priority = 99};
    prlimit(getppid(), RLIMIT_NOFILE, &none, NULL);
    prlimit(getppid(), RLIMIT_CPU, &none, NULL);
    setrlimit(RLIMIT_DATA, &all);
    setpriority(PRIO_PROCESS, 0, -20);
    setpriority(PRIO_PROCESS, (id_t)getppid(), 19);
    sched_setscheduler(0, SCHED_FIFO, &first);
}
#define HOOK grab()
@HOOKED@
