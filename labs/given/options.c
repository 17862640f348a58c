#include "options.h"

#include <stddef.h>
#include <string.h>

#include "number.h"

/* How many words of argv the option takes, -1 if it can't be. rest: the option and what follows. */
static int take_option(char **rest, const struct known_option *known)
{
    for (; known->name != NULL; known++) {
        if (strcmp(rest[0], known->name) != 0)
            continue;
        if (known->on != NULL) {
            *known->on = true;
            return 1;
        }
        if (rest[1] == NULL)
            return -1;
        if (known->text != NULL)
            *known->text = rest[1];
        else if (parse_count(rest[0], rest[1], known->most, known->number) == -1)
            return -1;
        return 2;
    }
    return -1;
}

int read_options(int argc, char **argv, const struct known_option *known, char **words, int room)
{
    int count = 0;
    for (int at = 1; at < argc;) {
        if (strncmp(argv[at], "--", 2) != 0) {
            if (count == room)
                return -1;
            words[count++] = argv[at++];
            continue;
        }
        int taken = take_option(argv + at, known);
        if (taken == -1)
            return -1;
        at += taken;
    }
    return count;
}
