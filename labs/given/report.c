/* What a probe tells the grader: see report.h. */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The recorder is linked into graded programs only: by hand this is NULL. */
__attribute__((weak)) void recorder_arm(int on);
__attribute__((weak)) void recorder_step_aside(int on);

static int report_fd = STDERR_FILENO;

static void arm(int on)
{
    if (recorder_arm != NULL)
        recorder_arm(on);
}

static void step_aside(int on)
{
    if (recorder_step_aside != NULL)
        recorder_step_aside(on);
}

/* One line, one write(): the grader may read while the probe runs. */
static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(report_fd, line, len);
        if (n == -1 && errno == EINTR)
            continue;
        if (n == -1)
            exit(2); /* nobody to report to: give up */
        line += n;
        len -= (size_t)n;
    }
}

void report_open(void)
{
    arm(0);
    if (fcntl(REPORT_FD, F_GETFD) != -1)
        report_fd = REPORT_FD;
}

/* A leak is in each five calls, from the 21st to the 41st. What malloc() keeps for later (man 3 mallinfo counts it
 * as in use) comes once. */
static void watch_growth(void)
{
    static unsigned calls;
    static long long before, least;
    if (++calls < 21 || calls > 41 || calls % 5 != 1)
        return;
    long long now = (long long)mallinfo2().uordblks;
    if (calls == 26 || (calls > 26 && now - before < least))
        least = now - before;
    before = now;
    if (calls == 41)
        report_number("growth", 4 * least);
}

void report_begin(void)
{
    static int earlier; /* errno as some earlier call may have left it: it must decide nothing */
    watch_growth();
    step_aside(0);
    arm(1);
    errno = earlier;
    earlier = EINTR;
}

static void write_call(long long result, int error)
{
    char line[64];
    int len = snprintf(line, sizeof line, "call %lld %d\n", result, result >= 0 ? 0 : error);
    write_line(line, (size_t)len);
}

void report_call(long long result, int error)
{
    arm(0);
    write_call(result, error);
}

void report_started(long long result, int error)
{
    step_aside(1);
    write_call(result, error);
}

void report_aside(void)
{
    step_aside(1);
}

void report_number(const char *name, long long value)
{
    char line[128];
    int len = snprintf(line, sizeof line, "number %.64s %lld\n", name, value);
    write_line(line, (size_t)len);
}

void report_text(const char *name, const char *text)
{
    report_bytes(name, text, text == NULL ? 0 : strlen(text));
}

void report_bytes(const char *name, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *byte = data;
    char *line = malloc(strlen(name) + 2 * len + sizeof "text  -\n");
    if (line == NULL)
        exit(2);

    char *end = line + sprintf(line, "text %s ", name);
    for (size_t i = 0; i < len; i++) {
        *end++ = digits[byte[i] >> 4];
        *end++ = digits[byte[i] & 15];
    }
    if (len == 0)
        *end++ = '-';
    *end++ = '\n';
    write_line(line, (size_t)(end - line));
    free(line);
}
