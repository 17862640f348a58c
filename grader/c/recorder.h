/* The recorder: what the student's program asked of the kernel, and what it was told.

   recorder.c is linked into the graded program with -Wl,--wrap=send and so on: each
   call listed in calls.def goes through a function there, which notes it and passes it
   on. The notes explain a failing test (which call, which line); they never decide it.

   Who maps what. The grader (grader/recording.py) makes a memfd, writes a `struct
   recorder` into it, and starts the program with the memfd's number in the environment
   variable SOCKLAB_RECORD. Before main, the recorder maps it shared, closes the
   descriptor and removes the variable: the program has the descriptors and the
   environment it would have had without. No variable: every call is passed on, no more.

   The shared memory is one header, then the slots. A call takes the next slot, fills it
   and only then is made; when it returns, the slot is completed. So a call that never
   returns is there too, and SIGKILL loses nothing. When the slots are used up the first
   ones are kept, and `total` goes on counting.

   A slot belongs to the thread that took it, so there is nothing to lock: a signal
   handler and a forked child record as well. What threads do share is changed by atomic
   exchange and add alone, which helgrind, unlike a plain release store, takes for no race.

   recording.py reads the same layout: change both, and RECORDER_VERSION. */
#ifndef RECORDER_H
#define RECORDER_H

#include <stdatomic.h>
#include <stdint.h>

#define RECORDER_VARIABLE "SOCKLAB_RECORD"
#define RECORDER_DEBUGGER "SOCKLAB_DEBUGGER" /* set: the program waits for a debugger before it begins */

enum {
    RECORDER_MAGIC = 0x6b636f73, /* "sock" */
    RECORDER_VERSION = 6,
    RECORDER_FAULTS = 16,  /* entries in the header's table */
    RECORDED_ARGS = 5,     /* arguments kept of a call */
    RECORDED_ADDRESS = 28, /* bytes kept of an address: a sockaddr_in6 */
    RECORDED_CALLERS = 3,  /* callers kept of the function that makes a call */
    RECORDED_DATA = 32,    /* bytes kept of what was sent, received or set */
    CRASH_FRAMES = 64,     /* kept of those that a signal struck */
    CRASH_STACK = 8192,    /* bytes kept of the stack there */
};

/* What a fault does to a call it strikes. */
enum fault_action {
    FAULT_NONE,     /* an unused entry */
    FAULT_FAILS,    /* the call fails with errno `low`; of all calls only close is made */
    FAULT_SHORTENS, /* at most `low` to `high` bytes reach the kernel, drawn for each call */
    FAULT_LEAVES,   /* a call that succeeds leaves `low` in errno */
    FAULT_WAITS,    /* the call isn't made before the grader sets `released` */
    FAULT_EXPIRES, /* a sleep is over at once; so is a time limit, where the call or its socket (SO_RCVTIMEO, SO_SNDTIMEO) has one */
    FAULT_LINGERS, /* the call is made; where it succeeds it doesn't return before the grader sets `released` */
};

/* One fault. Of the calls in `calls`, made while armed, it strikes those whose number,
   from 1, is between `first` and `last` and a multiple of `every`. */
struct fault {
    uint64_t calls; /* bit n: call n of calls.def */
    uint32_t action;
    uint32_t sockets_only; /* calls on other descriptors are neither counted nor struck */
    uint32_t first, last, every;
    uint32_t low, high;
    _Atomic uint32_t seen; /* calls counted so far */
};

/* How far a slot has come. */
enum { CALL_UNUSED, CALL_ENTERED, CALL_RETURNED };

/* Bits in a slot's `flags`. */
enum {
    RECORDED_SOCKET = 1, /* `fd` was a socket when the call was made */
    RECORDED_GIVEN = 2,  /* made while faults were not armed: by given code */
    RECORDED_SIZE = 4,   /* `size` means something */
    RECORDED_QUEUES = 8, /* `queues` means something */
};

#define RECORDED_NO_FD INT32_MIN /* `fd` of a call that takes none */

/* What a connection held, in bytes, as ioctl and getsockopt tell. */
struct recorded_queues {
    int32_t unsent, unacked, unread; /* SIOCOUTQNSD, SIOCOUTQ, SIOCINQ */
    int32_t send_buffer, recv_buffer;
};

/* One call. */
struct recorded_call {
    _Atomic uint32_t state;
    uint8_t name; /* its place in calls.def */
    uint8_t flags;
    uint8_t arg_count;
    uint8_t data_length;
    int32_t thread; /* gettid() */
    int32_t fd;
    uint32_t faults; /* bit n: fault n changed this call */
    int32_t error;   /* errno where it failed, else 0 */
    int64_t began;   /* CLOCK_MONOTONIC, nanoseconds */
    int64_t ended;
    int64_t args[RECORDED_ARGS]; /* the complements (~) of those in the call; signal, sigaction: see recorder.c */
    int64_t result;
    uint64_t site;                      /* the calling instruction, as addr2line counts */
    uint64_t size;                      /* bytes asked for; accept, get…name, getsockopt: the length passed in */
    uint64_t callers[RECORDED_CALLERS]; /* where they go on, as addr2line counts; 0: unknown */
    uint32_t address_length;
    unsigned char address[RECORDED_ADDRESS]; /* a sockaddr, passed in or handed out */
    unsigned char data[RECORDED_DATA];       /* the first bytes sent, received, set, or of the text */
    struct recorded_queues queues;           /* of `fd` after the call; before close */
};

/* The whole memory. The grader writes the header before it starts the program. */
struct recorder {
    uint32_t magic;
    uint32_t version;
    uint32_t capacity;         /* slots */
    _Atomic uint32_t armed;    /* faults strike */
    _Atomic uint32_t released; /* a futex: calls held by FAULT_WAITS and FAULT_LINGERS go on */
    uint32_t wants_queues;     /* the queues of connections are noted at their calls */
    uint64_t seed;             /* what the numbers of bytes are drawn from */
    _Atomic uint64_t total;    /* calls made so far: the next slot's index */
    _Atomic uint64_t moved;    /* bytes sent and received so far: a slow program still gets somewhere */
    struct fault faults[RECORDER_FAULTS];
    uint64_t struck;                     /* the signal that ended the program, 0 where none was seen */
    uint64_t load_base;                  /* where the program lies in its memory */
    uint64_t crash_site;                 /* the instruction that the signal struck */
    uint64_t crash_frames[CRASH_FRAMES]; /* it again, and where it and its callers return to; 0: unknown */
    unsigned char crash_stack[CRASH_STACK];
    struct recorded_call calls[];
};

_Static_assert(sizeof(struct fault) == 40, "recording.py counts on it");
_Static_assert(sizeof(struct recorded_call) == 216, "recording.py counts on it");
_Static_assert(sizeof(struct recorder) == 9416, "recording.py counts on it");

/* Arms the faults (on != 0) or disarms them; armed from the start. A probe arms around
   the contract function that it calls, so that its own calls are neither struck nor
   counted. Code that may be linked without the recorder declares it weak. */
void recorder_arm(int on);

/* From here on this thread's calls count as given code's, armed or not (on != 0): for a
   probe whose function has started threads that go on. */
void recorder_step_aside(int on);

#endif
