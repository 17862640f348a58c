/* hello IP PORT. The suite calls the function alone, so this only has to be there. */
#include "hello.h"

#include "number.h"

int main(int argc, char **argv)
{
    uint16_t port;
    if (argc != 3 || parse_port(argv[2], &port) == -1)
        return 2;
    return hello(argv[1], port) == -1;
}
