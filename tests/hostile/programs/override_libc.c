/* about: functions of its own in the place of libc's, which main.c, the probe and the recorder call
 * time: load
 * threat: symbols
 */
#include <stdarg.h>
#include <stddef.h>
@STARTER@
int close(int fd) { (void)fd; return 0; }
void *mmap(void *at, size_t n, int p, int f, int fd, long o) { (void)at, (void)n, (void)p, (void)f, (void)fd, (void)o; return (void *)-1; }
char *getenv(const char *name) { (void)name; return NULL; }
int open(const char *path, int flags, ...) { (void)path, (void)flags; return 900; }
int memcmp(const void *a, const void *b, size_t n) { (void)a, (void)b, (void)n; return 0; }
