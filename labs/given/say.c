/* How a server's code tells what happens: see say.h. */
#include "say.h"

#include <errno.h>
#include <stdio.h>

static const char *const words[] = {
    [EVENT_LISTENING] = "listening",
    [EVENT_CLIENT] = "client",
    [EVENT_RECEIVED] = "received",
    [EVENT_GONE] = "gone",
};

void say(enum event event, const char *peer, size_t bytes)
{
    int error = errno; /* printf may change it */

    /* One printf a line, so that the lines of two threads never mix. */
    if (event == EVENT_RECEIVED)
        printf("%s %zu\n", words[event], bytes);
    else
        printf("%s %s\n", words[event], peer != NULL ? peer : "?");
    fflush(stdout);

    errno = error;
}
