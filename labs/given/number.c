/* Numbers from the command line: see number.h. */
#define _GNU_SOURCE /* program_invocation_short_name */
#include "number.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int parse_count(const char *what, const char *text, unsigned max, unsigned *count)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);

    /* strtoul() takes leading blanks and a sign: the first byte must be a digit. */
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno == ERANGE || value > max) {
        fprintf(stderr, "%s: %s: \"%s\" is not a whole number from 0 to %u\n", program_invocation_short_name, what,
                text, max);
        return -1;
    }
    *count = (unsigned)value;
    return 0;
}

int parse_port(const char *text, uint16_t *port)
{
    unsigned value;
    if (parse_count("port", text, UINT16_MAX, &value) == -1)
        return -1;
    *port = (uint16_t)value;
    return 0;
}
