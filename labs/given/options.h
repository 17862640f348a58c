/* A probe's command line: options with two dashes, and words, in any order.
 *
 *     const struct known_option known[] = {
 *         {"--times", .number = &times, .most = 100},
 *         {"--stay", .on = &stay},
 *         {.name = NULL},
 *     };
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

/* One option, and where it goes: of the three pointers one is set. */
struct known_option {
    const char *name; /* "--times"; NULL ends the table */
    bool *on;         /* it is a switch */
    unsigned *number; /* a number follows, from 0 to most */
    unsigned most;
    const char **text; /* any text follows */
};

/* Takes the options out of argv and leaves the words, at most `room` of them. Returns
 * how many there are, -1 for an unknown option, one without what must follow, or too
 * many words. */
int read_options(int argc, char **argv, const struct known_option *known, char **words, int room);

#endif
