/* The recorder, as recorder.h describes it. Below: the memory, the start of a call,
   its faults, its end, then one short function for each call of calls.def. */
#define _GNU_SOURCE
#include "recorder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

/* valgrind judges the student's code, not ours. Where its header is missing, so is
   valgrind. */
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define QUIET VALGRIND_DISABLE_ERROR_REPORTING
#define LOUD VALGRIND_ENABLE_ERROR_REPORTING
#else
#define QUIET ((void)0)
#define LOUD ((void)0)
#define RUNNING_ON_VALGRIND 0
#endif

/* Helgrind doesn't know that what is written before a write() into a pipe can be read after
   the read() that it wakes. (A TCP connection is no way to hand over memory.) */
#if __has_include(<valgrind/helgrind.h>)
#include <valgrind/helgrind.h>
#define WRITTEN_BEFORE(channel) ANNOTATE_HAPPENS_BEFORE(channel)
#define READ_AFTER(channel) ANNOTATE_HAPPENS_AFTER(channel)
#else
#define WRITTEN_BEFORE(channel) ((void)(channel))
#define READ_AFTER(channel) ((void)(channel))
#endif

/* CALL_socket, CALL_bind, … */
enum call_name {
#define CALL(name) CALL_##name,
#define MARK(name) CALL_##name,
#define SAME(symbol, name)
#include "calls.def"
#undef CALL
#undef MARK
#undef SAME
};

/* --wrap turns send into __wrap_send, and __real_send into send. */
#define CALL(name) extern __typeof__(name) __real_##name, __wrap_##name;
#define MARK(name)
#define SAME(symbol, name) extern __typeof__(symbol) __real_##symbol, __wrap_##symbol;
#include "calls.def"
#undef CALL
#undef MARK
#undef SAME

extern long __real_syscall(long number, ...), __wrap_syscall(long number, ...);

/* One recorded call, from its start to its end. */
struct visit {
    struct recorded_call *call;
    struct recorded_call spare;        /* the slot, when none is left */
    int saved;                         /* errno as the caller left it */
    int refusal;                       /* a fault's errno: don't make the call */
    int leaves;                        /* a fault's errno for success */
    size_t limit;                      /* a fault's: most bytes to pass on */
    uint32_t refuser, leaver, limiter; /* the bits of these three faults */
    bool waits, lingers;
};

/* The memory */

static struct recorder nowhere; /* no slots, no faults: the recorder passes calls on */
static struct recorder *recorder = &nowhere;
static uintptr_t load_base;
static _Thread_local pid_t own_thread;
static _Thread_local bool aside; /* this thread runs given code */
static pid_t own_process;

static int note_load_base(struct dl_phdr_info *program, size_t size, void *data)
{
    (void)size;
    (void)data;
    load_base = program->dlpi_addr;
    return 1; /* the program comes first */
}

static struct recorder *map_recorder(int fd)
{
    struct stat file;
    if (fstat(fd, &file) == -1 || (size_t)file.st_size < sizeof nowhere)
        return &nowhere;
    size_t size = (size_t)file.st_size;
    struct recorder *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return &nowhere;
    if (map->magic == RECORDER_MAGIC && map->version == RECORDER_VERSION &&
        map->capacity <= (size - sizeof nowhere) / sizeof map->calls[0])
        return map;
    munmap(map, size);
    return &nowhere;
}

static bool is_traced(void)
{
    char line[128];
    int tracer = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "TracerPid: %d", &tracer) == 1)
            break;
    if (status != NULL)
        fclose(status);
    return tracer != 0;
}

/* make debug: not a step of the program before a debugger has it. Any process may be that
   one: where only a parent may trace (Yama, ptrace_scope 1), the program must allow it. */
static void wait_for_debugger(void)
{
    if (getenv(RECORDER_DEBUGGER) == NULL)
        return;
    unsetenv(RECORDER_DEBUGGER);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    while (!is_traced())
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* Copies memory that the student's program names and that may not be there; gives how
   many bytes were. In two parts, for the kernel copies the whole of a part or nothing.
   Where a sandbox forbids the call, the program must be trusted. */
static size_t peek(void *to, const void *from, size_t size)
{
    enum { PAGE = 4096 }; /* the smallest there is */
    int saved = errno;
    size_t first = PAGE - (uintptr_t)from % PAGE;
    if (first > size)
        first = size;
    char *start = (char *)(uintptr_t)from;
    struct iovec here = {to, size};
    struct iovec there[] = {{start, first}, {start + first, size - first}};
    ssize_t copied = process_vm_readv(getpid(), &here, 1, there, 2, 0);
    if (copied == -1 && (errno == ENOSYS || errno == EPERM) && from != NULL) {
        memcpy(to, from, size);
        copied = (ssize_t)size;
    }
    errno = saved;
    return copied == -1 ? 0 : (size_t)copied;
}

/* A crash */

static const int endings[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXFSZ};

static bool watching;              /* for endings */
static char crash_ground[1 << 16]; /* the handler's stack */

/* The frames from where the signal struck, the innermost first. The handler's own come before. */
static _Unwind_Reason_Code keep_frame(struct _Unwind_Context *frame, void *place)
{
    uint64_t *count = place, site = _Unwind_GetIP(frame);
    if (*count > 0 || site == recorder->crash_site)
        recorder->crash_frames[(*count)++] = site;
    return *count < CRASH_FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

/* Where it struck, and what stood on the stack: where its frames can't be followed, the grader
   looks for the student's line in that. */
static void keep_stack(const ucontext_t *at)
{
#ifdef __x86_64__
    uintptr_t site = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
    uintptr_t stack = (uintptr_t)at->uc_mcontext.gregs[REG_RSP];
#else
    uintptr_t site = (uintptr_t)at->uc_mcontext.pc;
    uintptr_t stack = (uintptr_t)at->uc_mcontext.sp;
#endif
    recorder->crash_site = site;
    for (size_t done = 0, size = 1024; done < CRASH_STACK; done += size)
        peek(recorder->crash_stack + done, (const char *)stack + done, size);
    uint64_t count = 0;
    _Unwind_Backtrace(keep_frame, &count);
}

/* The signal ends the program as it would have without us: an instruction that struck is made again,
   and what was sent is sent again. To follow the frames of a spoilt stack may strike in turn. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    if (getpid() == own_process && recorder->struck != 0)
        raise((int)recorder->struck);
    if (getpid() == own_process) {
        recorder->struck = (uint64_t)number;
        keep_stack(context);
    }
    if (info->si_code <= 0)
        raise(number);
}

/* A stack that has run out has no room for the handler. All threads have the same one: two that crash
   at once don't both come to it, for the second signal finds no handler any more. */
static void change_ground(void)
{
    sigaltstack(&(stack_t){.ss_sp = crash_ground, .ss_size = sizeof crash_ground}, NULL);
}

/* Valgrind tells more than we can, and gdb too. A handler of the student's own takes our place. */
static void watch_for_endings(void)
{
    struct sigaction action = {.sa_sigaction = on_crash,
                               .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
    watching = !RUNNING_ON_VALGRIND && getenv(RECORDER_DEBUGGER) == NULL;
    if (!watching)
        return;
    own_process = getpid();
    change_ground();
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        __real_sigaction(endings[i], &action, NULL);
}

/* Before the constructors of the student's program. */
__attribute__((constructor(101))) static void start_recorder(void)
{
    const char *number = getenv(RECORDER_VARIABLE);
    if (number == NULL)
        return;
    int fd = (int)strtol(number, NULL, 10);
    unsetenv(RECORDER_VARIABLE);
    dl_iterate_phdr(note_load_base, NULL);
    recorder = map_recorder(fd);
    if (recorder != &nowhere) {
        __real_close(fd);
        recorder_arm(1); /* the grader sees by this that somebody came */
        recorder->load_base = load_base;
        watch_for_endings();
    }
    wait_for_debugger();
}

void recorder_arm(int on)
{
    atomic_exchange(&recorder->armed, on != 0);
}

void recorder_step_aside(int on)
{
    aside = on != 0;
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* The start of a call, and its faults */

enum { DEEPEST_STACK = (8 << 20) / sizeof(uintptr_t) };

static struct recorded_call *take_slot(struct visit *visit)
{
    uint64_t index = atomic_fetch_add(&recorder->total, 1);
    return index < recorder->capacity ? &recorder->calls[index] : &visit->spare;
}

static pid_t this_thread(void)
{
    if (own_thread == 0)
        own_thread = gettid();
    return own_thread;
}

static bool is_socket(int fd)
{
    struct stat file;
    return fd != RECORDED_NO_FD && fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode);
}

/* What stands for the pipe that fd is an end of, or for all other files and sockets that are
   no TCP connection; NULL for these. */
static char *channel_of(int fd)
{
    static char channels[257];
    struct stat file;
    int domain = AF_UNSPEC;
    socklen_t size = sizeof domain;
    if (fd == RECORDED_NO_FD || fstat(fd, &file) == -1)
        return NULL;
    if (S_ISSOCK(file.st_mode))
        __real_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    if (domain == AF_INET || domain == AF_INET6)
        return NULL;
    return &channels[S_ISFIFO(file.st_mode) ? 1 + file.st_ino % 256 : 0];
}

/* Says what a call orders, right before and right after it. */
static void order_before(const struct recorded_call *call)
{
    const uint64_t writers = UINT64_C(1) << CALL_send | UINT64_C(1) << CALL_sendto | UINT64_C(1) << CALL_sendmsg |
                             UINT64_C(1) << CALL_write | UINT64_C(1) << CALL_writev | UINT64_C(1) << CALL_epoll_ctl;
    char *channel = writers >> call->name & 1 ? channel_of(call->fd) : NULL;
    if (channel != NULL)
        WRITTEN_BEFORE(channel);
}

static void order_after(const struct recorded_call *call)
{
    const uint64_t readers = UINT64_C(1) << CALL_recv | UINT64_C(1) << CALL_recvfrom | UINT64_C(1) << CALL_recvmsg |
                             UINT64_C(1) << CALL_read | UINT64_C(1) << CALL_readv | UINT64_C(1) << CALL_epoll_wait;
    char *channel = readers >> call->name & 1 ? channel_of(call->fd) : NULL;
    if (channel != NULL)
        READ_AFTER(channel);
}

/* The number of the armed call among those that the fault counts, or 0 for another. */
static uint32_t count_call(struct fault *fault, const struct recorded_call *call)
{
    if ((fault->calls >> call->name & 1) == 0)
        return 0;
    if (fault->sockets_only && !(call->flags & RECORDED_SOCKET))
        return 0;
    return atomic_fetch_add(&fault->seen, 1) + 1;
}

/* The same seed gives the same numbers (splitmix64's mixing). */
static uint32_t draw(const struct fault *fault, uint32_t nth)
{
    uint64_t which = (uint64_t)(fault - recorder->faults) << 32 | nth; /* no two faults draw alike */
    uint64_t bits = recorder->seed + which * UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
    bits ^= bits >> 31;
    return fault->low + (uint32_t)(bits % (fault->high - fault->low + 1));
}

/* A pointer kept as it is would make memory that the program has lost look reachable to memcheck. */
static int64_t hidden(int64_t argument)
{
    return ~argument;
}

/* Whether a call on it gives up by itself: SO_RCVTIMEO or SO_SNDTIMEO. */
static bool has_time_limit(int fd, int option)
{
    struct timeval limit = {.tv_sec = 0};
    socklen_t size = sizeof limit;
    return __real_getsockopt(fd, SOL_SOCKET, option, &limit, &size) == 0 && (limit.tv_sec != 0 || limit.tv_usec != 0);
}

/* Whether the call gives up by itself. */
static bool is_limited(const struct recorded_call *call)
{
    switch (call->name) {
    case CALL_poll:
        return (int)hidden(call->args[2]) >= 0;
    case CALL_epoll_wait:
        return (int)hidden(call->args[3]) >= 0;
    case CALL_ppoll:
        return hidden(call->args[2]) != 0;
    case CALL_select:
    case CALL_pselect:
        return hidden(call->args[4]) != 0;
    case CALL_send:
    case CALL_sendto:
    case CALL_sendmsg:
    case CALL_sendmmsg:
    case CALL_write:
    case CALL_writev:
    case CALL_sendfile:
    case CALL_splice:
        return has_time_limit(call->fd, SO_SNDTIMEO);
    default:
        return call->fd == RECORDED_NO_FD || has_time_limit(call->fd, SO_RCVTIMEO);
    }
}

static void strike(struct visit *visit, const struct fault *fault, uint32_t nth)
{
    uint32_t bit = UINT32_C(1) << (fault - recorder->faults);
    switch ((enum fault_action)fault->action) {
    case FAULT_FAILS:
        visit->refusal = (int)fault->low;
        visit->refuser = bit;
        break;
    case FAULT_SHORTENS:
        visit->limit = draw(fault, nth);
        visit->limiter = bit;
        break;
    case FAULT_LEAVES:
        visit->leaves = (int)fault->low;
        visit->leaver = bit;
        break;
    case FAULT_WAITS:
        visit->waits = true;
        visit->call->faults |= bit;
        break;
    case FAULT_LINGERS:
        visit->lingers = true;
        visit->call->faults |= bit;
        break;
    case FAULT_EXPIRES:
        if (is_limited(visit->call)) {
            visit->refusal = visit->call->flags & RECORDED_SOCKET ? EAGAIN : ETIMEDOUT;
            visit->refuser = bit;
        }
        break;
    case FAULT_NONE:
        break;
    }
}

static void find_faults(struct visit *visit)
{
    struct fault *fault = recorder->faults;
    for (; fault < recorder->faults + RECORDER_FAULTS && fault->action != FAULT_NONE; fault++) {
        uint32_t nth = count_call(fault, visit->call);
        if (nth != 0 && nth >= fault->first && nth <= fault->last && nth % fault->every == 0)
            strike(visit, fault, nth);
    }
}

/* The queues of a TCP connection, where they are wanted; other sockets have no SIOCOUTQNSD, listeners
   none of the three. Under valgrind, which doesn't know them all, time means nothing anyway. */
static void note_queues(struct recorded_call *call)
{
    struct recorded_queues *queues = &call->queues;
    socklen_t send_size = sizeof queues->send_buffer, recv_size = sizeof queues->recv_buffer;
    if (!recorder->wants_queues || !(call->flags & RECORDED_SOCKET) || RUNNING_ON_VALGRIND)
        return;
    int saved = errno;
    if (__real_ioctl(call->fd, SIOCOUTQNSD, &queues->unsent) == 0 &&
        __real_ioctl(call->fd, SIOCOUTQ, &queues->unacked) == 0 &&
        __real_ioctl(call->fd, SIOCINQ, &queues->unread) == 0 &&
        __real_getsockopt(call->fd, SOL_SOCKET, SO_SNDBUF, &queues->send_buffer, &send_size) == 0 &&
        __real_getsockopt(call->fd, SOL_SOCKET, SO_RCVBUF, &queues->recv_buffer, &recv_size) == 0)
        call->flags |= RECORDED_QUEUES;
    errno = saved;
}

/* The two words at the foot of a frame. A page of the thread's stack that was there once stays there,
   and isn't asked for again: to peek() is to call the kernel. */
static bool read_frame(uintptr_t words[2], const uintptr_t *frame)
{
    enum { PAGE = 4096, PAGES = 4 };
    static _Thread_local uintptr_t known[PAGES];
    size_t size = 2 * sizeof *words;
    uintptr_t page = (uintptr_t)frame / PAGE, *place = &known[page % PAGES];
    if ((uintptr_t)frame % PAGE > PAGE - size)
        return peek(words, frame, size) == size;
    if (*place != page && peek(words, frame, size) < size)
        return false;
    *place = page;
    memcpy(words, frame, size);
    return true;
}

/* Who called the function that makes the call: the student's code keeps frame pointers. */
static void note_callers(struct recorded_call *call, const uintptr_t *frame)
{
    uintptr_t next[2];
    if (!read_frame(next, frame))
        return;
    for (size_t i = 0; i < RECORDED_CALLERS; i++) {
        const uintptr_t *outer = (const uintptr_t *)next[0];
        if (outer <= frame || outer > frame + DEEPEST_STACK || !read_frame(next, outer))
            return;
        call->callers[i] = next[1] - 1 - load_base;
        frame = outer;
    }
}

/* Where syscall() was called that makes one of the calls below; NULL: nowhere. */
static _Thread_local struct {
    const void *return_address, *frame;
} by_number;

/* frame: of the wrapper, which the student's function called. */
static void enter(struct visit *visit, enum call_name name, int fd, const void *return_address, const void *frame,
                  size_t arg_count, const int64_t *args)
{
    QUIET;
    *visit = (struct visit){.saved = errno, .limit = SIZE_MAX};
    if (by_number.frame != NULL) {
        return_address = by_number.return_address;
        frame = by_number.frame;
        by_number.frame = NULL;
    }
    struct recorded_call *call = visit->call = take_slot(visit);
    bool armed = atomic_load(&recorder->armed) && !aside;
    call->name = (uint8_t)name;
    call->flags = (uint8_t)((is_socket(fd) ? RECORDED_SOCKET : 0) | (armed ? 0 : RECORDED_GIVEN));
    call->thread = this_thread();
    call->fd = fd;
    call->arg_count = (uint8_t)arg_count;
    for (size_t i = 0; i < arg_count; i++)
        call->args[i] = hidden(args[i]);
    call->site = (uintptr_t)return_address - 1 - load_base;
    call->began = now();
    if (armed && call != &visit->spare)
        note_callers(call, frame);
    if (armed)
        find_faults(visit);
    if (name == CALL_close)
        note_queues(call);
}

static void wait_for_release(void)
{
    while (atomic_load(&recorder->released) == 0)
        __real_syscall(SYS_futex, &recorder->released, FUTEX_WAIT, 0, (void *)NULL, (void *)NULL, 0);
}

/* Fails the call where a fault says so. */
static bool refuse(struct visit *visit)
{
    if (visit->refusal == 0)
        return false;
    visit->call->faults |= visit->refuser;
    errno = visit->refusal;
    return true;
}

/* The slot is filled: says whether to make the call. */
static bool proceed(struct visit *visit)
{
    atomic_store_explicit(&visit->call->state, CALL_ENTERED, memory_order_release);
    if (visit->waits)
        wait_for_release();
    if (RUNNING_ON_VALGRIND)
        order_before(visit->call);
    errno = visit->saved;
    return !refuse(visit);
}

/* What a wrapper below is made of. ENTER takes the slot; N is an argument as a number;
   MAKE makes the call, or -1 and errno where a fault says so. */
#define ENTER(name, fd, ...)                                                                  \
    struct visit visit;                                                                       \
    enter(&visit, CALL_##name, (fd), __builtin_return_address(0), __builtin_frame_address(0), \
          sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})
#define N(argument) ((int64_t)(argument))
#define MAKE(real_call) (proceed(&visit) ? LOUDLY(real_call) : -1)
#define LOUDLY(real_call)               \
    ({                                  \
        LOUD;                           \
        __auto_type made = (real_call); \
        QUIET;                          \
        made;                           \
    })

/* What is noted beside the arguments */

static void note_size(struct visit *visit, size_t size)
{
    visit->call->size = size;
    visit->call->flags |= RECORDED_SIZE;
}

static void note_address(struct visit *visit, const void *address, socklen_t length)
{
    struct recorded_call *call = visit->call;
    if (address == NULL)
        return;
    if (length > RECORDED_ADDRESS)
        length = RECORDED_ADDRESS;
    call->address_length = (uint32_t)peek(call->address, address, length);
}

static void note_data(struct visit *visit, const void *data, size_t size)
{
    struct recorded_call *call = visit->call;
    if (size > RECORDED_DATA)
        size = RECORDED_DATA;
    call->data_length = (uint8_t)peek(call->data, data, size);
}

static void note_text(struct visit *visit, const char *text)
{
    note_data(visit, text, RECORDED_DATA);
    visit->call->data_length = (uint8_t)strnlen((char *)visit->call->data, visit->call->data_length);
}

/* The length that the caller's variable holds; 0 where there is none. */
static socklen_t room_in(const socklen_t *length)
{
    socklen_t room = 0;
    peek(&room, length, sizeof room);
    return room;
}

static socklen_t note_room(struct visit *visit, const socklen_t *length)
{
    socklen_t room = room_in(length);
    if (length != NULL)
        note_size(visit, room);
    return room;
}

/* After the call, the kernel has written at most `room` bytes. */
static void note_answer(struct visit *visit, const void *address, const socklen_t *length, socklen_t room)
{
    if (address != NULL && length != NULL)
        note_address(visit, address, *length < room ? *length : room);
}

/* Notes the size asked for, and gives what a fault lets through. */
static size_t allow(struct visit *visit, size_t size)
{
    note_size(visit, size);
    if (size <= visit->limit)
        return size;
    visit->call->faults |= visit->limiter;
    return visit->limit;
}

/* The end of a call */

static int64_t complete(struct visit *visit, int64_t result, int error)
{
    struct recorded_call *call = visit->call;
    int saved = errno;
    if (RUNNING_ON_VALGRIND)
        order_after(call);
    if (visit->lingers && error == 0)
        wait_for_release();
    errno = saved;
    if (call->name != CALL_close)
        note_queues(call);
    call->result = result;
    call->error = error;
    if (error == 0 && visit->leaves) {
        call->faults |= visit->leaver;
        errno = visit->leaves;
    }
    call->ended = now();
    atomic_store_explicit(&call->state, CALL_RETURNED, memory_order_release);
    LOUD;
    return result;
}

static int64_t leave(struct visit *visit, int64_t result)
{
    return complete(visit, result, result == -1 ? errno : 0);
}

static int leave_int(struct visit *visit, int result)
{
    return (int)leave(visit, result);
}

static int leave_answer(struct visit *visit, int result, const void *address, const socklen_t *length, socklen_t room)
{
    if (result != -1)
        note_answer(visit, address, length, room);
    return leave_int(visit, result);
}

/* The pthread functions give the error as their result and leave errno alone. */
static int leave_error(struct visit *visit, int error)
{
    if (error == -1)
        error = visit->refusal;
    errno = visit->saved;
    return (int)complete(visit, error, error);
}

/* After a call that moved bytes: the kernel took or filled the first `moved` of these
   parts, so they can be read, and faster than peek() does. */
static ssize_t leave_parts(struct visit *visit, ssize_t moved, const struct iovec *parts, size_t count)
{
    struct recorded_call *call = visit->call;
    size_t left = moved > 0 ? (size_t)moved : 0;
    atomic_fetch_add(&recorder->moved, left);
    if (left > RECORDED_DATA)
        left = RECORDED_DATA;
    for (size_t i = 0; i < count && left > 0; i++) {
        size_t piece = parts[i].iov_len < left ? parts[i].iov_len : left;
        memcpy(call->data + call->data_length, parts[i].iov_base, piece);
        call->data_length = (uint8_t)(call->data_length + piece);
        left -= piece;
    }
    return leave(visit, moved);
}

static ssize_t leave_bytes(struct visit *visit, ssize_t moved, const void *bytes, size_t size)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    return leave_parts(visit, moved, &part, 1);
}

/* With MSG_TRUNC the result counts bytes that were never stored. */
static size_t stored(size_t size, int flags)
{
    return flags & MSG_TRUNC ? 0 : size;
}

/* Sockets */

int __wrap_socket(int domain, int type, int protocol)
{
    ENTER(socket, RECORDED_NO_FD, N(domain), N(type), N(protocol));
    return leave_int(&visit, MAKE(__real_socket(domain, type, protocol)));
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    ENTER(bind, fd, N(fd), N(address), N(length));
    note_address(&visit, address, length);
    return leave_int(&visit, MAKE(__real_bind(fd, address, length)));
}

int __wrap_listen(int fd, int backlog)
{
    ENTER(listen, fd, N(fd), N(backlog));
    return leave_int(&visit, MAKE(__real_listen(fd, backlog)));
}

int __wrap_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    ENTER(accept, fd, N(fd), N(address), N(length));
    socklen_t room = note_room(&visit, length);
    int connection = MAKE(__real_accept(fd, address, length));
    return leave_answer(&visit, connection, address, length, room);
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    ENTER(accept4, fd, N(fd), N(address), N(length), N(flags));
    socklen_t room = note_room(&visit, length);
    int connection = MAKE(__real_accept4(fd, address, length, flags));
    return leave_answer(&visit, connection, address, length, room);
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    ENTER(getsockname, fd, N(fd), N(address), N(length));
    socklen_t room = note_room(&visit, length);
    int result = MAKE(__real_getsockname(fd, address, length));
    return leave_answer(&visit, result, address, length, room);
}

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    ENTER(getpeername, fd, N(fd), N(address), N(length));
    socklen_t room = note_room(&visit, length);
    int result = MAKE(__real_getpeername(fd, address, length));
    return leave_answer(&visit, result, address, length, room);
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    ENTER(connect, fd, N(fd), N(address), N(length));
    note_address(&visit, address, length);
    return leave_int(&visit, MAKE(__real_connect(fd, address, length)));
}

int __wrap_shutdown(int fd, int how)
{
    ENTER(shutdown, fd, N(fd), N(how));
    return leave_int(&visit, MAKE(__real_shutdown(fd, how)));
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    ENTER(setsockopt, fd, N(fd), N(level), N(option), N(value), N(length));
    note_data(&visit, value, length);
    return leave_int(&visit, MAKE(__real_setsockopt(fd, level, option, value, length)));
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
    ENTER(getsockopt, fd, N(fd), N(level), N(option), N(value), N(length));
    note_room(&visit, length);
    int result = MAKE(__real_getsockopt(fd, level, option, value, length));
    if (result == 0)
        note_data(&visit, value, *length);
    return leave_int(&visit, result);
}

/* Bytes out and in */

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
    ENTER(send, fd, N(fd), N(data), N(size), N(flags));
    size_t most = allow(&visit, size);
    return leave_bytes(&visit, MAKE(__real_send(fd, data, most, flags)), data, most);
}

ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
                      socklen_t length)
{
    ENTER(sendto, fd, N(fd), N(data), N(size), N(flags), N(address));
    size_t most = allow(&visit, size);
    note_address(&visit, address, length);
    ssize_t sent = MAKE(__real_sendto(fd, data, most, flags, address, length));
    return leave_bytes(&visit, sent, data, most);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    ENTER(write, fd, N(fd), N(data), N(size));
    size_t most = allow(&visit, size);
    return leave_bytes(&visit, MAKE(__real_write(fd, data, most)), data, most);
}

ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags)
{
    ENTER(recv, fd, N(fd), N(buffer), N(size), N(flags));
    size_t most = allow(&visit, size);
    ssize_t got = MAKE(__real_recv(fd, buffer, most, flags));
    return leave_bytes(&visit, got, buffer, stored(most, flags));
}

ssize_t __wrap_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *address, socklen_t *length)
{
    ENTER(recvfrom, fd, N(fd), N(buffer), N(size), N(flags), N(address));
    size_t most = allow(&visit, size);
    socklen_t room = address != NULL ? room_in(length) : 0;
    ssize_t got = MAKE(__real_recvfrom(fd, buffer, most, flags, address, length));
    if (got != -1)
        note_answer(&visit, address, length, room);
    return leave_bytes(&visit, got, buffer, stored(most, flags));
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    ENTER(read, fd, N(fd), N(buffer), N(size));
    size_t most = allow(&visit, size);
    return leave_bytes(&visit, MAKE(__real_read(fd, buffer, most)), buffer, most);
}

/* Bytes out and in, through a list of buffers. What a fault shortens is a copy of the
   list; of a longer list only the copied part is counted and shortened. */
struct vector {
    const struct iovec *parts; /* what to pass on: the caller's list, or the copy */
    size_t count;
    struct iovec copy[64];
};

/* Cuts the list off after `left` bytes; gives how many parts remain. */
static size_t cut_parts(struct iovec *parts, size_t left)
{
    size_t i = 0;
    for (; parts[i].iov_len < left; i++)
        left -= parts[i].iov_len;
    parts[i].iov_len = left;
    return i + 1;
}

static void allow_parts(struct visit *visit, struct vector *vector, const struct iovec *parts, size_t count)
{
    size_t size = 0, most = sizeof vector->copy / sizeof vector->copy[0];
    size_t copied = count < most ? count : most;
    copied = peek(vector->copy, parts, copied * sizeof *parts) / sizeof *parts;
    for (size_t i = 0; i < copied; i++)
        size += vector->copy[i].iov_len;
    size_t allowed = allow(visit, size);
    vector->parts = allowed < size ? vector->copy : parts;
    vector->count = allowed < size ? cut_parts(vector->copy, allowed) : count;
}

/* The message to pass on: the caller's, or its copy with a shorter list. */
static struct msghdr *allow_message(struct visit *visit, struct vector *vector, struct msghdr *message,
                                    struct msghdr *copy)
{
    *copy = (struct msghdr){.msg_iovlen = 0};
    peek(copy, message, sizeof *copy);
    allow_parts(visit, vector, copy->msg_iov, copy->msg_iovlen);
    if (vector->parts != vector->copy)
        return message;
    copy->msg_iov = vector->copy;
    copy->msg_iovlen = vector->count;
    return copy;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    ENTER(sendmsg, fd, N(fd), N(message), N(flags));
    struct vector vector;
    struct msghdr copy, *ours = (struct msghdr *)(uintptr_t)message;
    ours = allow_message(&visit, &vector, ours, &copy);
    ssize_t sent = MAKE(__real_sendmsg(fd, ours, flags));
    return leave_parts(&visit, sent, vector.parts, vector.count);
}

/* Makes the first message alone: the kernel too may send fewer than it was given. */
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    ENTER(sendmmsg, fd, N(fd), N(messages), N(count), N(flags));
    if (count == 0)
        return leave_int(&visit, MAKE(__real_sendmmsg(fd, messages, count, flags)));
    struct vector vector;
    struct msghdr copy, *ours = allow_message(&visit, &vector, &messages[0].msg_hdr, &copy);
    ssize_t sent = MAKE(__real_sendmsg(fd, ours, flags));
    if (sent != -1)
        messages[0].msg_len = (unsigned)sent;
    return leave_parts(&visit, sent, vector.parts, vector.count) == -1 ? -1 : 1;
}

ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
    ENTER(writev, fd, N(fd), N(parts), N(count));
    struct vector vector;
    allow_parts(&visit, &vector, parts, (size_t)count);
    ssize_t sent = MAKE(__real_writev(fd, vector.parts, (int)vector.count));
    return leave_parts(&visit, sent, vector.parts, vector.count);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    ENTER(recvmsg, fd, N(fd), N(message), N(flags));
    struct vector vector;
    struct msghdr copy, *ours = allow_message(&visit, &vector, message, &copy);
    ssize_t got = MAKE(__real_recvmsg(fd, ours, flags));
    if (got != -1 && ours == &copy) {
        message->msg_namelen = copy.msg_namelen;
        message->msg_controllen = copy.msg_controllen;
        message->msg_flags = copy.msg_flags;
    }
    return leave_parts(&visit, got, vector.parts, stored(vector.count, flags));
}

/* The others of its messages: as many as come. 0 where none did: then the first one counts all the same. */
static int receive_on(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    int saved = errno;
    int more = count > 0 ? LOUDLY(__real_recvmmsg(fd, messages, count, flags, timeout)) : 0;
    errno = saved;
    return more == -1 ? 0 : more;
}

/* Asks for the first message alone where that is enough for the caller: the kernel too may have fewer. */
int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    ENTER(recvmmsg, fd, N(fd), N(messages), N(count), N(flags), N(timeout));
    if (count == 0)
        return leave_int(&visit, MAKE(__real_recvmmsg(fd, messages, count, flags, timeout)));
    struct vector vector;
    struct msghdr copy, *ours = allow_message(&visit, &vector, &messages[0].msg_hdr, &copy);
    ssize_t got = MAKE(__real_recvmsg(fd, ours, flags & ~MSG_WAITFORONE));
    int received = got == -1 ? -1 : 1;
    if (got != -1)
        messages[0].msg_len = (unsigned)got;
    if (got > 0 && (flags & MSG_WAITFORONE) == 0)
        received += receive_on(fd, messages + 1, count - 1, flags, timeout);
    leave_parts(&visit, got, vector.parts, stored(vector.count, flags));
    return received;
}

ssize_t __wrap_readv(int fd, const struct iovec *parts, int count)
{
    ENTER(readv, fd, N(fd), N(parts), N(count));
    struct vector vector;
    allow_parts(&visit, &vector, parts, (size_t)count);
    ssize_t got = MAKE(__real_readv(fd, vector.parts, (int)vector.count));
    return leave_parts(&visit, got, vector.parts, vector.count);
}

/* Bytes that no memory of the program's holds */

static ssize_t leave_unseen(struct visit *visit, ssize_t moved)
{
    return leave_parts(visit, moved, NULL, 0);
}

static ssize_t send_file(struct visit *visit, int out, int in, off_t *offset, size_t size)
{
    size_t most = allow(visit, size);
    return leave_unseen(visit, proceed(visit) ? LOUDLY(__real_sendfile(out, in, offset, most)) : -1);
}

ssize_t __wrap_sendfile(int out, int in, off_t *offset, size_t size)
{
    ENTER(sendfile, out, N(out), N(in), N(offset), N(size));
    return send_file(&visit, out, in, offset, size);
}

ssize_t __wrap_sendfile64(int out, int in, off64_t *offset, size_t size)
{
    ENTER(sendfile, out, N(out), N(in), N(offset), N(size));
    return send_file(&visit, out, in, offset, size);
}

static ssize_t splice_on(struct visit *visit, int in, off64_t *in_offset, int out, off64_t *out_offset, size_t size,
                         unsigned flags)
{
    size_t most = allow(visit, size);
    bool passed = proceed(visit);
    return leave_unseen(visit, passed ? LOUDLY(__real_splice(in, in_offset, out, out_offset, most, flags)) : -1);
}

/* One end is a pipe: it sends or receives, as the other one says. */
ssize_t __wrap_splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t size, unsigned flags)
{
    int saved = errno;
    bool receives = is_socket(in);
    errno = saved;
    if (receives) {
        ENTER(splice_in, in, N(in), N(out), N(size), N(flags));
        return splice_on(&visit, in, in_offset, out, out_offset, size, flags);
    }
    ENTER(splice, out, N(in), N(out), N(size), N(flags));
    return splice_on(&visit, in, in_offset, out, out_offset, size, flags);
}

/* Descriptors */

/* Linux closes the descriptor even where close fails: then so does a fault. */
int __wrap_close(int fd)
{
    ENTER(close, fd, N(fd));
    int refusal = visit.refusal;
    visit.refusal = 0;
    int result = MAKE(__real_close(fd));
    visit.refusal = refusal;
    if (result == 0 && refuse(&visit))
        result = -1;
    return leave_int(&visit, result);
}

int __wrap_dup(int fd)
{
    ENTER(dup, fd, N(fd));
    return leave_int(&visit, MAKE(__real_dup(fd)));
}

int __wrap_dup2(int fd, int wanted)
{
    ENTER(dup2, fd, N(fd), N(wanted));
    return leave_int(&visit, MAKE(__real_dup2(fd, wanted)));
}

int __wrap_dup3(int fd, int wanted, int flags)
{
    ENTER(dup3, fd, N(fd), N(wanted), N(flags));
    return leave_int(&visit, MAKE(__real_dup3(fd, wanted, flags)));
}

/* The third argument is an int, a pointer or missing: passed on as it came. */
int __wrap_fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    ENTER(fcntl, fd, N(fd), N(command), N((int)argument));
    return leave_int(&visit, MAKE(__real_fcntl(fd, command, argument)));
}

int __wrap_fcntl64(int fd, int command, ...) __attribute__((alias("__wrap_fcntl")));

/* The third argument is nearly always a pointer to a number, the answer: noted afterwards. */
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    long argument = va_arg(rest, long);
    va_end(rest);
    ENTER(ioctl, fd, N(fd), N(request), N(argument));
    int result = MAKE(__real_ioctl(fd, request, argument));
    if (result != -1)
        note_data(&visit, (const void *)argument, sizeof(int));
    return leave_int(&visit, result);
}

/* Waiting */

/* Where a fault says that the time is over the call gives 0. */
static int leave_nap(struct visit *visit, int result)
{
    if (visit->refusal != ETIMEDOUT)
        return leave_int(visit, result);
    errno = visit->saved;
    return leave_int(visit, 0);
}

static void clear(fd_set *set)
{
    if (set != NULL)
        FD_ZERO(set);
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    ENTER(poll, RECORDED_NO_FD, N(fds), N(count), N(timeout));
    note_data(&visit, fds, count * sizeof *fds);
    int result = MAKE(__real_poll(fds, count, timeout));
    for (nfds_t i = 0; visit.refusal == ETIMEDOUT && i < count; i++)
        fds[i].revents = 0;
    return leave_nap(&visit, result);
}

int __wrap_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    ENTER(ppoll, RECORDED_NO_FD, N(fds), N(count), N(timeout), N(mask));
    note_data(&visit, fds, count * sizeof *fds);
    int result = MAKE(__real_ppoll(fds, count, timeout, mask));
    for (nfds_t i = 0; visit.refusal == ETIMEDOUT && i < count; i++)
        fds[i].revents = 0;
    return leave_nap(&visit, result);
}

int __wrap_select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    ENTER(select, RECORDED_NO_FD, N(count), N(in), N(out), N(except), N(timeout));
    int result = MAKE(__real_select(count, in, out, except, timeout));
    if (visit.refusal == ETIMEDOUT)
        clear(in), clear(out), clear(except);
    return leave_nap(&visit, result);
}

int __wrap_pselect(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
                   const sigset_t *mask)
{
    ENTER(pselect, RECORDED_NO_FD, N(count), N(in), N(out), N(except), N(timeout));
    int result = MAKE(__real_pselect(count, in, out, except, timeout, mask));
    if (visit.refusal == ETIMEDOUT)
        clear(in), clear(out), clear(except);
    return leave_nap(&visit, result);
}

int __wrap_epoll_create1(int flags)
{
    ENTER(epoll_create1, RECORDED_NO_FD, N(flags));
    return leave_int(&visit, MAKE(__real_epoll_create1(flags)));
}

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    ENTER(epoll_ctl, epoll, N(epoll), N(operation), N(fd), N(event));
    return leave_int(&visit, MAKE(__real_epoll_ctl(epoll, operation, fd, event)));
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    ENTER(epoll_wait, epoll, N(epoll), N(events), N(count), N(timeout));
    return leave_nap(&visit, MAKE(__real_epoll_wait(epoll, events, count, timeout)));
}

/* Threads and processes */

static bool is_in_a_fault(enum call_name name)
{
    for (const struct fault *fault = recorder->faults; fault < recorder->faults + RECORDER_FAULTS; fault++)
        if (fault->calls >> name & 1)
            return true;
    return false;
}

/* Each new thread passes through here: it may crash, and a fault may be about its start. */
static struct beginning {
    _Atomic bool taken;
    void *(*start)(void *);
    void *argument;
} beginnings[64];

static void note_start(void)
{
    ENTER(thread_start, RECORDED_NO_FD);
    complete(&visit, MAKE(0), 0);
}

static void *begin_thread(void *place)
{
    struct beginning *given = place, mine = {.start = given->start, .argument = given->argument};
    atomic_store(&given->taken, false);
    if (watching)
        change_ground();
    if (is_in_a_fault(CALL_thread_start))
        note_start();
    return mine.start(mine.argument);
}

/* NULL where there is nothing to do, or where very many begin at once. */
static struct beginning *find_beginning(void)
{
    for (size_t i = 0; (watching || is_in_a_fault(CALL_thread_start)) && i < sizeof beginnings / sizeof beginnings[0];
         i++)
        if (!atomic_exchange(&beginnings[i].taken, true))
            return &beginnings[i];
    return NULL;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    ENTER(pthread_create, RECORDED_NO_FD, N(thread), N(attributes), N(start), N(argument));
    struct beginning *beginning = find_beginning();
    if (beginning != NULL) {
        beginning->start = start;
        beginning->argument = argument;
        start = begin_thread;
        argument = beginning;
    }
    int error = leave_error(&visit, MAKE(__real_pthread_create(thread, attributes, start, argument)));
    if (error != 0 && beginning != NULL)
        atomic_store(&beginning->taken, false);
    return error;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    ENTER(pthread_join, RECORDED_NO_FD, N(thread), N(result));
    return leave_error(&visit, MAKE(__real_pthread_join(thread, result)));
}

int __wrap_pthread_detach(pthread_t thread)
{
    ENTER(pthread_detach, RECORDED_NO_FD, N(thread));
    return leave_error(&visit, MAKE(__real_pthread_detach(thread)));
}

/* Sleeps, and waits for so long: recorded where a fault is about them, and no news elsewhere. */

unsigned __wrap_sleep(unsigned seconds)
{
    if (!is_in_a_fault(CALL_sleep))
        return __real_sleep(seconds);
    ENTER(sleep, RECORDED_NO_FD, N(seconds));
    return (unsigned)leave_nap(&visit, MAKE((int)__real_sleep(seconds)));
}

int __wrap_usleep(useconds_t microseconds)
{
    if (!is_in_a_fault(CALL_usleep))
        return __real_usleep(microseconds);
    ENTER(usleep, RECORDED_NO_FD, N(microseconds));
    return leave_nap(&visit, MAKE(__real_usleep(microseconds)));
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    if (!is_in_a_fault(CALL_nanosleep))
        return __real_nanosleep(time, left);
    ENTER(nanosleep, RECORDED_NO_FD, N(time), N(left));
    return leave_nap(&visit, MAKE(__real_nanosleep(time, left)));
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock, const struct timespec *until)
{
    if (!is_in_a_fault(CALL_pthread_cond_timedwait))
        return __real_pthread_cond_timedwait(condition, lock, until);
    ENTER(pthread_cond_timedwait, RECORDED_NO_FD, N(condition), N(lock), N(until));
    return leave_error(&visit, MAKE(__real_pthread_cond_timedwait(condition, lock, until)));
}

int __wrap_sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    if (!is_in_a_fault(CALL_sem_timedwait))
        return __real_sem_timedwait(semaphore, until);
    ENTER(sem_timedwait, RECORDED_NO_FD, N(semaphore), N(until));
    return leave_int(&visit, MAKE(__real_sem_timedwait(semaphore, until)));
}

/* Memory, and a line that is told: recorded where a fault is about them. Elsewhere the call is a jump, with no frame of
   its own: what valgrind and a debugger show of it begins in the student's function. The result is no pointer, which
   would make memory that is lost look reachable: 0, or -1 for NULL. */

static bool is_about(enum call_name name)
{
    return atomic_load(&recorder->armed) && !aside && is_in_a_fault(name);
}

static void *leave_memory(struct visit *visit, void *memory)
{
    leave(visit, memory == NULL ? -1 : 0);
    return memory;
}

#define MAKE_MEMORY(real_call) (proceed(&visit) ? LOUDLY(real_call) : NULL)

void *__wrap_malloc(size_t size)
{
    if (!is_about(CALL_malloc))
        return __real_malloc(size);
    ENTER(malloc, RECORDED_NO_FD, N(size));
    return leave_memory(&visit, MAKE_MEMORY(__real_malloc(size)));
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (!is_about(CALL_calloc))
        return __real_calloc(count, size);
    ENTER(calloc, RECORDED_NO_FD, N(count), N(size));
    return leave_memory(&visit, MAKE_MEMORY(__real_calloc(count, size)));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (!is_about(CALL_realloc))
        return __real_realloc(memory, size);
    ENTER(realloc, RECORDED_NO_FD, N(memory), N(size));
    return leave_memory(&visit, MAKE_MEMORY(__real_realloc(memory, size)));
}

int __wrap_fflush(FILE *stream)
{
    if (!is_about(CALL_fflush))
        return __real_fflush(stream);
    ENTER(fflush, RECORDED_NO_FD, N(stream));
    return leave_int(&visit, MAKE(__real_fflush(stream)));
}

/* The slot is the parent's, which completes it. */
pid_t __wrap_fork(void)
{
    ENTER(fork, RECORDED_NO_FD);
    pid_t child = MAKE(__real_fork());
    if (child != 0)
        return leave_int(&visit, child);
    own_thread = 0;
    LOUD;
    return 0;
}

/* Arguments: the signal, whether it is to be ignored, sa_flags. */
int __wrap_sigaction(int signo, const struct sigaction *action, struct sigaction *old)
{
    ENTER(sigaction, RECORDED_NO_FD, N(signo), 0, 0);
    struct sigaction wanted = {.sa_flags = 0};
    peek(&wanted, action, sizeof wanted);
    visit.call->args[1] = hidden(wanted.sa_handler == SIG_IGN);
    visit.call->args[2] = hidden(wanted.sa_flags);
    return leave_int(&visit, MAKE(__real_sigaction(signo, action, old)));
}

sighandler_t __wrap_signal(int signo, sighandler_t handler)
{
    ENTER(signal, RECORDED_NO_FD, N(signo), handler == SIG_IGN);
    return (sighandler_t)leave(&visit, MAKE((int64_t)__real_signal(signo, handler)));
}

sighandler_t __wrap___sysv_signal(int signo, sighandler_t handler)
{
    ENTER(signal, RECORDED_NO_FD, N(signo), handler == SIG_IGN);
    return (sighandler_t)leave(&visit, MAKE((int64_t)__real___sysv_signal(signo, handler)));
}

/* Addresses as text */

int __wrap_inet_pton(int family, const char *text, void *address)
{
    ENTER(inet_pton, RECORDED_NO_FD, N(family), N(text), N(address));
    note_text(&visit, text);
    return leave_int(&visit, MAKE(__real_inet_pton(family, text, address)));
}

in_addr_t __wrap_inet_addr(const char *text)
{
    ENTER(inet_addr, RECORDED_NO_FD, N(text));
    note_text(&visit, text);
    return (in_addr_t)leave(&visit, MAKE((int64_t)__real_inet_addr(text)));
}

/* Fails with 0. */
int __wrap_inet_aton(const char *text, struct in_addr *address)
{
    ENTER(inet_aton, RECORDED_NO_FD, N(text), N(address));
    note_text(&visit, text);
    int valid = MAKE(__real_inet_aton(text, address));
    return (int)complete(&visit, valid == 1, valid == -1 ? errno : 0);
}

/* Gives an error of its own; a fault is EAI_SYSTEM, which says to look at errno. */
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    ENTER(getaddrinfo, RECORDED_NO_FD, N(node), N(service), N(hints), N(found));
    note_text(&visit, node);
    int error = MAKE(__real_getaddrinfo(node, service, hints, found));
    if (visit.refusal)
        error = EAI_SYSTEM;
    return (int)complete(&visit, error, error == EAI_SYSTEM ? errno : 0);
}

/* By number */

#define P(type, at) ((type)(a[at])) /* NOLINT(bugprone-macro-parentheses): a type has none */
#define FD ((int)a[0])

/* The calls on sockets that go by the number of the kernel's call; others go to the kernel as they are. */
static long call_by_number(long number, const long *a)
{
    switch (number) {
    case SYS_socket:
        return __wrap_socket(FD, (int)a[1], (int)a[2]);
    case SYS_bind:
        return __wrap_bind(FD, P(const void *, 1), (socklen_t)a[2]);
    case SYS_listen:
        return __wrap_listen(FD, (int)a[1]);
    case SYS_accept:
        return __wrap_accept(FD, P(void *, 1), P(socklen_t *, 2));
    case SYS_accept4:
        return __wrap_accept4(FD, P(void *, 1), P(socklen_t *, 2), (int)a[3]);
    case SYS_connect:
        return __wrap_connect(FD, P(const void *, 1), (socklen_t)a[2]);
    case SYS_sendto:
        return __wrap_sendto(FD, P(const void *, 1), (size_t)a[2], (int)a[3], P(const void *, 4), (socklen_t)a[5]);
    case SYS_sendmsg:
        return __wrap_sendmsg(FD, P(const struct msghdr *, 1), (int)a[2]);
    case SYS_write:
        return __wrap_write(FD, P(const void *, 1), (size_t)a[2]);
    case SYS_writev:
        return __wrap_writev(FD, P(const struct iovec *, 1), (int)a[2]);
    case SYS_recvfrom:
        return __wrap_recvfrom(FD, P(void *, 1), (size_t)a[2], (int)a[3], P(void *, 4), P(socklen_t *, 5));
    case SYS_recvmsg:
        return __wrap_recvmsg(FD, P(struct msghdr *, 1), (int)a[2]);
    case SYS_read:
        return __wrap_read(FD, P(void *, 1), (size_t)a[2]);
    case SYS_readv:
        return __wrap_readv(FD, P(const struct iovec *, 1), (int)a[2]);
    case SYS_close:
        return __wrap_close(FD);
    case SYS_shutdown:
        return __wrap_shutdown(FD, (int)a[1]);
    default:
        return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
}

/* The kernel's calls have six arguments at most; who gives fewer has something there all the same. */
long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list given;
    va_start(given, number);
    for (size_t i = 0; i < 6; i++)
        a[i] = va_arg(given, long);
    va_end(given);
    by_number.return_address = __builtin_return_address(0);
    by_number.frame = __builtin_frame_address(0);
    long result = call_by_number(number, a);
    by_number.frame = NULL;
    return result;
}
