/* about: the first line of another student's file, in quotes, in the first error
 * time: compile
 * threat: read
 * held: A B
 */
_Static_assert(0,
#include "@OTHER@"
);
