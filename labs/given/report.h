/* What a probe tells the grader: one line a fact, on a descriptor of its own.
 *
 * A probe calls one function of the lab and reports what came of it. It never
 * judges. Its main() looks like this:
 *
 *     report_open();
 *     …
 *     report_begin();
 *     int result = send_all(fd, data, len);
 *     report_call(result, errno);
 *
 * The lines go to descriptor REPORT_FD, or to standard error when it isn't
 * open, so that you can run a probe by hand.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>

#define REPORT_FD 900

/* First thing in a probe's main(): what the probe does itself is not tested. */
void report_open(void);

/* Right before a call under test: from here on the test's faults apply
 * (see grader/c/recorder.h). errno is 0 before the first call, and before later
 * ones what an earlier call may have left: it means nothing until one fails.
 * Before the 41st it tells "growth": how many bytes of malloc() more are in use
 * than before the 21st, by the least of the four times five calls between: what
 * is taken once, or kept by malloc() itself, is none. */
void report_begin(void);

/* Right after it: the faults stop. Writes "call RESULT ERRNO"; errno counts
 * only after a failure, so ERRNO is 0 when result >= 0. */
void report_call(long long result, int error);

/* The same, where the function has started threads that go on: the faults stay for
 * them, and this thread steps aside until its next report_begin(). Another
 * thread of a probe's own steps aside by report_aside(). */
void report_started(long long result, int error);
void report_aside(void);

/* Facts beside the result: "number NAME VALUE", "text NAME HEX".
 * Bytes are written in hex, and no bytes at all (or NULL) as "-". */
void report_number(const char *name, long long value);
void report_text(const char *name, const char *text);
void report_bytes(const char *name, const void *data, size_t len);

#endif
