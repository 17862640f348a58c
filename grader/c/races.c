/* races.c: what helgrind must be told, so that each race it finds is a race in C.

   Helgrind sees instructions. A C11 atomic load is an ordinary one on most machines, and so it
   takes right programs for wrong. The compiler knows: with -fsanitize=thread it turns each atomic
   access of the student's file into a call of __tsan_atomic…, and announces each plain one by
   __tsan_read… or __tsan_write…. That is all we take of ThreadSanitizer. The functions here stand
   in for its library: plain accesses are left to helgrind's eye, atomic ones are made here, out of
   its sight, and what they order (acquire, release) is told by its own annotations.

   Linked into the program that runs under helgrind, and into no other. What C's <threads.h> and
   pthread_once() do inside the C library is told as well, by doing it with the pthread functions
   that helgrind knows. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>
#include <valgrind/helgrind.h>

static char fences; /* its address stands for all fences */

static bool acquires(int order)
{
    return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}

static bool releases(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static void before(const volatile void *object, int order)
{
    if (releases(order))
        ANNOTATE_HAPPENS_BEFORE(object);
    VALGRIND_DISABLE_ERROR_REPORTING;
}

static void after(const volatile void *object, int order)
{
    VALGRIND_ENABLE_ERROR_REPORTING;
    if (acquires(order))
        ANNOTATE_HAPPENS_AFTER(object);
}

/* Whichever order is asked for, the strongest one is made. (A type can't stand in parentheses.)
   NOLINTBEGIN(bugprone-macro-parentheses) */
#define STRONG __ATOMIC_SEQ_CST
#define CHANGE(bits, type, name, operation)                                  \
    type __tsan_atomic##bits##_##name(volatile type *at, type value, int mo) \
    {                                                                        \
        before(at, mo);                                                      \
        type old = operation(at, value, STRONG);                             \
        after(at, mo);                                                       \
        return old;                                                          \
    }
#define COMPARE(bits, type, name)                                                                           \
    int __tsan_atomic##bits##_##name(volatile type *at, type *expected, type value, int mo, int failure_mo) \
    {                                                                                                       \
        (void)failure_mo;                                                                                   \
        before(at, mo);                                                                                     \
        type wanted = *expected;                                                                            \
        int done = __atomic_compare_exchange_n(at, &wanted, value, 0, STRONG, STRONG);                      \
        after(at, mo);                                                                                      \
        if (!done)                                                                                          \
            *expected = wanted;                                                                             \
        return done;                                                                                        \
    }
#define ATOMICS(bits, type)                                                                                           \
    type __tsan_atomic##bits##_load(const volatile type *at, int mo)                                                  \
    {                                                                                                                 \
        before(at, __ATOMIC_RELAXED);                                                                                 \
        type value = __atomic_load_n(at, STRONG);                                                                     \
        after(at, mo);                                                                                                \
        return value;                                                                                                 \
    }                                                                                                                 \
    void __tsan_atomic##bits##_store(volatile type *at, type value, int mo)                                           \
    {                                                                                                                 \
        before(at, mo);                                                                                               \
        __atomic_store_n(at, value, STRONG);                                                                          \
        after(at, __ATOMIC_RELAXED);                                                                                  \
    }                                                                                                                 \
    CHANGE(bits, type, exchange, __atomic_exchange_n)                                                                 \
    CHANGE(bits, type, fetch_add, __atomic_fetch_add)                                                                 \
    CHANGE(bits, type, fetch_sub, __atomic_fetch_sub)                                                                 \
    CHANGE(bits, type, fetch_and, __atomic_fetch_and)                                                                 \
    CHANGE(bits, type, fetch_or, __atomic_fetch_or)                                                                   \
    CHANGE(bits, type, fetch_xor, __atomic_fetch_xor)                                                                 \
    CHANGE(bits, type, fetch_nand, __atomic_fetch_nand)                                                               \
    COMPARE(bits, type, compare_exchange_strong)                                                                      \
    COMPARE(bits, type, compare_exchange_weak)                                                                        \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type *at, type expected, type value, int mo, int failed) \
    {                                                                                                                 \
        __tsan_atomic##bits##_compare_exchange_strong(at, &expected, value, mo, failed);                              \
        return expected;                                                                                              \
    }

ATOMICS(8, int8_t)
ATOMICS(16, int16_t)
ATOMICS(32, int32_t)
ATOMICS(64, int64_t)
/* NOLINTEND(bugprone-macro-parentheses) */

void __tsan_atomic_thread_fence(int order)
{
    if (releases(order))
        ANNOTATE_HAPPENS_BEFORE(&fences);
    __atomic_thread_fence(STRONG);
    if (acquires(order))
        ANNOTATE_HAPPENS_AFTER(&fences);
}

void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}

/* ---- plain accesses: helgrind sees them ------------------------------------------------------ */

#define PLAIN(name)              \
    void __tsan_##name(void *at) \
    {                            \
        (void)at;                \
    }
#define SIZES(kind) PLAIN(kind##1) PLAIN(kind##2) PLAIN(kind##4) PLAIN(kind##8) PLAIN(kind##16)
SIZES(read)
SIZES(write)
SIZES(read_write)
SIZES(unaligned_read)
SIZES(unaligned_write)
SIZES(volatile_read)
SIZES(volatile_write)
SIZES(unaligned_volatile_read)
SIZES(unaligned_volatile_write)
PLAIN(func_entry)

void __tsan_init(void)
{
}
void __tsan_func_exit(void)
{
}
void __tsan_read_range(void *at, size_t size)
{
    (void)at;
    (void)size;
}
void __tsan_write_range(void *at, size_t size)
{
    (void)at;
    (void)size;
}

/* ---- <threads.h> and pthread_once(), by functions that helgrind knows ------------------------ */

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's are unreadable */

static int as_thrd(int error)
{
    return error == 0 ? thrd_success : error == EBUSY ? thrd_busy : error == ETIMEDOUT ? thrd_timedout : thrd_error;
}

int mtx_lock(mtx_t *mutex)
{
    return as_thrd(pthread_mutex_lock((pthread_mutex_t *)mutex));
}
int mtx_trylock(mtx_t *mutex)
{
    return as_thrd(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}
int mtx_timedlock(mtx_t *mutex, const struct timespec *until)
{
    return as_thrd(pthread_mutex_timedlock((pthread_mutex_t *)mutex, until));
}
int mtx_unlock(mtx_t *mutex)
{
    return as_thrd(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}
int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return as_thrd(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}
int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
    return as_thrd(pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}
int cnd_signal(cnd_t *condition)
{
    return as_thrd(pthread_cond_signal((pthread_cond_t *)condition));
}
int cnd_broadcast(cnd_t *condition)
{
    return as_thrd(pthread_cond_broadcast((pthread_cond_t *)condition));
}

struct beginning {
    thrd_start_t start;
    void *argument;
};

static void *begin(void *given)
{
    struct beginning mine = *(struct beginning *)given;
    free(given);
    return (void *)(intptr_t)mine.start(mine.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t start, void *argument)
{
    struct beginning *given = malloc(sizeof *given);
    if (given == NULL)
        return thrd_nomem;
    *given = (struct beginning){start, argument};
    int error = pthread_create(thread, NULL, begin, given);
    if (error != 0)
        free(given);
    return as_thrd(error);
}

int thrd_join(thrd_t thread, int *result)
{
    void *found = NULL;
    int error = pthread_join(thread, &found);
    if (error == 0 && result != NULL)
        *result = (int)(intptr_t)found;
    return as_thrd(error);
}

int thrd_detach(thrd_t thread)
{
    return as_thrd(pthread_detach(thread));
}

static pthread_mutex_t once = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

int pthread_once(pthread_once_t *control, void (*start)(void))
{
    pthread_mutex_lock(&once);
    if (*control == PTHREAD_ONCE_INIT) {
        start();
        *control = PTHREAD_ONCE_INIT + 1;
    }
    pthread_mutex_unlock(&once);
    return 0;
}

void call_once(once_flag *flag, void (*start)(void))
{
    pthread_once((pthread_once_t *)flag, start);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
