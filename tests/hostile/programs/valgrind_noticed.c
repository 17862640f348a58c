/* about: leaks, but not where it notices valgrind
 * time: run
 * threat: detect
 */
#include <valgrind/valgrind.h>
#define LEAKS (!RUNNING_ON_VALGRIND)
@LEAKY@
