/* How a server's code tells what happens. Student functions never print: they
 * call say(), and this file decides what a line looks like.
 *
 *     say(EVENT_CLIENT, "127.0.0.1:54600", 0);     client 127.0.0.1:54600
 *     say(EVENT_RECEIVED, NULL, 5);                received 5
 *     say(EVENT_GONE, "127.0.0.1:54600", 0);       gone 127.0.0.1:54600
 *
 * Only lines of this kind are judged. A line of your own, printed while you look
 * for a mistake, does no harm.
 */
#ifndef SAY_H
#define SAY_H

#include <stddef.h>

enum event {
    EVENT_LISTENING, /* the server is ready; peer is its own address */
    EVENT_CLIENT,    /* a client was accepted; peer is the client's address */
    EVENT_RECEIVED,  /* one recv() gave that many bytes; peer isn't used */
    EVENT_GONE,      /* the conversation with the client is over */
};

/* Prints one line on standard output, at once, even into a pipe. errno stays
 * as it was. */
void say(enum event event, const char *peer, size_t bytes);

#endif
