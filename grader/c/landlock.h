/* landlock.h: shuts this process, and all that it will start, out of most files (landlock(7)). It needs no
 * namespaces and no privileges, only no_new_privs. What an older kernel can't refuse stays allowed.
 */
#ifndef SOCKLAB_LANDLOCK_H
#define SOCKLAB_LANDLOCK_H

/* The version that this kernel knows, from 1 on; -1 where it has none. */
int landlock_version(void);

/* From now on only what lies below these paths can be opened: words "read=PATH" (to read and execute) and
 * "write=PATH", NULL at the end; other words are skipped. No signal leaves, and no abstract Unix socket outside
 * can be reached, from version 6 on. 0, or -1 with errno.
 */
int landlock_files(char *const words[]);

/* From now on nobody here can make System V shared memory, semaphores or queues: they would stay behind, and Landlock
 * has no rule for them. 0, or -1 with errno.
 */
int refuse_sysv(void);

/* From now on signals reach only this process, and those that it will start. 0, or -1 with errno. */
int landlock_signals(void);

#endif
