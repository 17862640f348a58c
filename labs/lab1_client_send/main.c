/* client_send [IP PORT [MESSAGE]]: the program around your functions.
 *
 *     client_send 127.0.0.1 7788 hello    sends hello
 *     client_send 127.0.0.1 7788 -        sends standard input, whatever bytes
 *     client_send 127.0.0.1 7788          asks for the message
 *     client_send                         asks for all three
 *
 * Exit status: 0 sent, 1 failed (with one line on standard error that says
 * why), 2 the wrong arguments.
 */
#include "client_send.h"
#include "number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SENT = 0, FAILED = 1, WRONG_USE = 2 };

enum { LINE_CAP = 4096 }; /* a terminal gives no longer line anyway */

/* One answer to one question; or the program ends here. */
static const char *ask(const char *prompt, const char *what, char *line)
{
    int got = prompt_line(prompt, line, LINE_CAP);
    if (got == 1)
        return line;
    fprintf(stderr, "client_send: %s: %s\n", what, got == 0 ? "the input ended" : strerror(errno));
    exit(FAILED);
}

/* All of standard input, in memory that the caller frees.
 * Simplified: sending each piece as it is read would need no memory, but it
 * needs the connection, and client_send() keeps that to itself. In lab 2 you
 * write a program that passes pieces on.
 */
static char *read_input(size_t *len)
{
    char *data = NULL;
    size_t cap = 0;
    *len = 0;
    do {
        if (*len == cap) {
            cap = cap == 0 ? 65536 : 2 * cap;
            char *more = realloc(data, cap);
            if (more == NULL)
                goto fail;
            data = more;
        }
        *len += fread(data + *len, 1, cap - *len, stdin);
    } while (!feof(stdin) && !ferror(stdin));
    if (!ferror(stdin))
        return data;

fail:;
    int error = errno; /* free() may change it */
    free(data);
    errno = error;
    return NULL;
}

static int send_message(const char *ip, uint16_t port, const void *data, size_t len)
{
    if (client_send(ip, port, data, len) == 0)
        return SENT;
    fprintf(stderr, "client_send: %s:%u: %s\n", ip, port, strerror(errno));
    return FAILED;
}

static int send_input(const char *ip, uint16_t port)
{
    size_t len;
    char *data = read_input(&len);
    if (data == NULL) {
        fprintf(stderr, "client_send: standard input: %s\n", strerror(errno));
        return FAILED;
    }
    int status = send_message(ip, port, data, len);
    free(data);
    return status;
}

int main(int argc, char **argv)
{
    static char ip_line[LINE_CAP], port_line[LINE_CAP], message_line[LINE_CAP];

    if (argc == 2 || argc > 4) {
        fprintf(stderr, "usage: client_send [IP PORT [MESSAGE]]    (MESSAGE -: standard input)\n");
        return WRONG_USE;
    }
    const char *ip = argc > 1 ? argv[1] : ask("server IP: ", "the IP", ip_line);
    const char *port_text = argc > 1 ? argv[2] : ask("port: ", "the port", port_line);
    uint16_t port;
    if (parse_port(port_text, &port) == -1)
        return WRONG_USE;

    if (argc == 4 && strcmp(argv[3], "-") == 0)
        return send_input(ip, port);
    const char *message = argc == 4 ? argv[3] : ask("message: ", "the message", message_line);
    return send_message(ip, port, message, strlen(message));
}
