/* A look at the other end of a connection: how many bytes lie in its receive
 * buffer, unread by its program. No socket call tells that, but the kernel does
 * (it is what `ss` shows as Recv-Q), as long as that end is on this machine.
 */
#ifndef FAR_END_H
#define FAR_END_H

/* Bytes that the other end of fd's connection hasn't read; -1 where nobody can
 * tell: it isn't on this machine, or its program has gone. */
long far_end_unread(int fd);

#endif
