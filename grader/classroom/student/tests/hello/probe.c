/* probe hello IP PORT: calls the function once and reports what came of it. */
#include "hello.h"

#include <errno.h>

#include "number.h"
#include "report.h"

int main(int argc, char **argv)
{
    uint16_t port;
    report_open();
    if (argc != 4 || parse_port(argv[3], &port) == -1)
        return 2;
    report_begin();
    int result = hello(argv[2], port);
    report_call(result, errno);
    return 0;
}
