/* Numbers from the command line, read strictly: digits only, all of the text,
 * and within the range. (atoi() takes "77x8" for 77 and says nothing.)
 *
 * This is code for a main(): on failure it prints one line on standard error,
 *
 *     client_send: port: "77x8" is not a whole number from 0 to 65535
 *
 * and returns -1; the caller exits with status 2. On success it returns 0.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

/* A port in host order, 0 to 65535. What port 0 means is for the caller. */
int parse_port(const char *text, uint16_t *port);

/* A count from 0 to max. what names it in the error line: "--backlog". */
int parse_count(const char *what, const char *text, unsigned max, unsigned *count);

#endif
