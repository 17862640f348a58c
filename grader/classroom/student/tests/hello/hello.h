/* A lab of one function, by which make test sees whether the grader works here. */
#ifndef HELLO_H
#define HELLO_H

#include <stdint.h>

/* Connects to ip:port, sends "hello\n" and closes. Returns 0, or -1 with errno. */
int hello(const char *ip, uint16_t port);

#endif
