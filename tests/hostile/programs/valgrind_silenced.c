/* about: leaks, and tells valgrind by its own requests to be silent
 * time: report
 * threat: forge
 */
#include <valgrind/valgrind.h>
@LEAKY@
__attribute__((constructor)) static void hush(void)
{
    for (int i = 0; i < 1000; i++)
        VALGRIND_DISABLE_ERROR_REPORTING;
}
